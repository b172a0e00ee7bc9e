"""tocsin.compat.logging where a process forks, is interrupted or ends: nothing hangs or comes twice."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from helpers import PATIENCE

BEGIN = """
import atexit, logging, multiprocessing, os, queue, signal, sys, threading, time
from tocsin.compat.logging import QueueHandler, QueueListener
from tocsin.compat import queue as ours

class Print(logging.Handler):
    def __init__(self, then=lambda record: None):
        super().__init__()
        self.then = then

    def emit(self, record):
        os.write(1, f"{'child' if os.getpid() != PARENT else 'parent'} {record.getMessage()}\\n".encode())
        self.then(record)

def wait(*_):
    held.set()
    go.wait(60)

def child_ends(status=0):
    # as if it came to its end: the hooks, and no more
    sys.stdout.flush()
    os._exit(status)

sys.modules["tocsin.compat.logends"].FORK_PATIENCE = 0.01
PARENT, held, go = os.getpid(), threading.Event(), threading.Event()
log = logging.getLogger()
log.setLevel(logging.INFO)
"""


def run(program: str, *, code: int = 0) -> tuple[list[str], str]:
    """Run a program; its lines, and what it wrote to stderr."""
    text = BEGIN + textwrap.dedent(program)
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", text]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout.splitlines(), done.stderr


# ------------------------------------------------------------------------------ a fork


@pytest.mark.parametrize("make", ["ours.Queue(100)", "queue.Queue(100)", "queue.SimpleQueue()"])
def test_a_child_begins_anew_and_handles_nothing_of_its_parent(make: str) -> None:
    lines, said = run(f"""
        handler = QueueHandler({make})
        log.addHandler(handler)
        listener = QueueListener(handler.queue, Print(lambda r: wait() if r.getMessage() == "held" else None))
        listener.start()
        log.info("held")
        held.wait(60)
        log.info("queued")
        for child in range(3):
            if (pid := os.fork()) == 0:
                assert listener.is_running and handler.stats().offered == 0
                log.info("%d", child)
                assert handler.flush(60)
                assert listener.stats()[:3] == (1, 0, 0)
                child_ends()
            assert os.waitpid(pid, 0)[1] == 0
        go.set()
        assert handler.flush(60)
        assert (handler.stats().offered, listener.stats().delivered) == (2, 2)
    """)
    assert lines == ["parent held", "child 0", "child 1", "child 2", "parent queued"]
    assert said == ""


def test_a_listener_that_does_not_run_does_not_run_in_a_child() -> None:
    lines, said = run("""
        handler = QueueHandler()
        log.addHandler(handler)
        listener = QueueListener(handler.queue, Print())
        log.info("the parent's")
        if (pid := os.fork()) == 0:
            assert not listener.is_running
            log.info("once")
            with listener:
                pass
            child_ends()
        assert os.waitpid(pid, 0)[1] == 0
        with listener:
            pass
    """)
    assert (lines, said) == (["child once", "parent the parent's"], "")


def test_a_queue_that_processes_share_is_left_alone() -> None:
    lines, said = run("""
        shared = multiprocessing.get_context("fork").SimpleQueue()
        class Shared:
            put = put_nowait = lambda self, item, *_: shared.put(item)
            get = lambda self, block=True, timeout=None: self.get_nowait() if not block else shared.get()
            def get_nowait(self):
                if shared.empty():
                    raise queue.Empty
                return shared.get()
            empty = shared.empty
        handler = QueueHandler(Shared())
        log.addHandler(handler)
        listener = QueueListener(handler.queue, Print())
        listener.start()
        if (pid := os.fork()) == 0:
            assert not listener.is_running
            log.info("of the child")
            child_ends()
        assert os.waitpid(pid, 0)[1] == 0
        log.info("of the parent")
        listener.stop()
    """)
    assert (lines, said) == (["parent of the child", "parent of the parent"], "")


def test_forks_under_fire_neither_hang_nor_double() -> None:
    lines, said = run("""
        handler = QueueHandler(capacity=1_000_000)
        log.addHandler(handler)
        class Count(logging.Handler):
            seen = 0
            def emit(self, record):
                self.seen += 1
        count = Count()
        listener = QueueListener(handler.queue, count)
        listener.start()
        over = threading.Event()
        def write():
            while not over.is_set():
                log.info("x")
        writers = [threading.Thread(target=write) for _ in range(3)]
        for writer in writers:
            writer.start()
        for _ in range(8):
            if (pid := os.fork()) == 0:
                before = count.seen
                for _ in range(5):
                    log.info("y")
                ok = handler.flush(30) and count.seen == before + 5
                os._exit(0 if ok else 1)
            assert os.waitpid(pid, 0)[1] == 0
        over.set()
        for writer in writers:
            writer.join()
        assert listener.stop(60)
        assert count.seen == handler.stats().offered == listener.stats().delivered
    """)
    assert (lines, said) == ([], "")


def test_a_handler_that_forks_goes_on_in_the_parent_alone() -> None:
    lines, said = run("""
        def fork(record):
            if record.getMessage() == "fork" and (pid := os.fork()) != 0:
                assert os.waitpid(pid, 0)[1] == 0
            elif os.getpid() != PARENT:
                threading.Timer(0.05, os._exit, (0,)).start()  # time enough to do it wrong
            return True
        handler, target = QueueHandler(), Print()
        target.addFilter(fork)  # there logging holds no lock, which it would lose in the child
        log.addHandler(handler)
        with QueueListener(handler.queue, target):
            log.info("fork")
            log.info("after")
    """)
    assert (lines, said) == (["child fork", "parent fork", "parent after"], "")


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_of_multiprocessing_has_its_records_handled_at_its_end(method: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(
        BEGIN.replace(
            "PARENT, held", "PARENT = os.getppid() if __name__ != '__main__' else os.getpid()\nheld, PARENT"
        ).replace("held, PARENT, go = os.getpid(), ", "held, go = ")
        + textwrap.dedent("""
        handler = QueueHandler()
        log.addHandler(handler)
        listener = QueueListener(handler.queue, Print(lambda record: time.sleep(0.001)))
        listener.start()
        def work():
            for n in range(20):
                log.info("%d", n)
        if __name__ == "__main__":
            child = multiprocessing.get_context(sys.argv[1]).Process(target=work)
            child.start()
            child.join()
            sys.exit(child.exitcode)
        """)
    )
    command = [sys.executable, "-W", "ignore::DeprecationWarning", str(program), method]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"child {n}" for n in range(20)]


# ------------------------------------------------------------------------------ the end


def test_what_is_queued_at_exit_is_handled() -> None:
    lines, said = run("""
        handler = QueueHandler()
        log.addHandler(handler)
        QueueListener(handler.queue, Print(lambda record: time.sleep(0.001))).start()
        for n in range(50):
            log.info("%d", n)
    """)
    assert (lines, said) == ([f"parent {n}" for n in range(50)], "")


def test_what_is_logged_later_is_handled_at_once() -> None:
    lines, said = run("""
        import atexit
        def late():
            log.info("late")
            assert handler.stats().offered == listener.stats().delivered == 2
        atexit.unregister(sys.modules["tocsin.compat.logends"]._at_exit)
        atexit.register(late)
        atexit.register(sys.modules["tocsin.compat.logends"]._at_exit)
        handler = QueueHandler()
        log.addHandler(handler)
        listener = QueueListener(handler.queue, Print())
        listener.start()
        log.info("in time")
    """)
    assert (lines, said) == (["parent in time", "parent late"], "")


def test_a_handler_that_hangs_does_not_hold_the_exit_up_and_what_is_left_is_said() -> None:
    lines, said = run("""
        handler = QueueHandler()
        log.addHandler(handler)
        listener = QueueListener(handler.queue, Print(wait), exit_timeout=0.05)
        listener.start()
        log.info("held")
        held.wait(60)
        for _ in range(7):
            log.info("too late")
    """)
    assert lines == ["parent held"]
    assert said.count("\n") == 1
    assert said.startswith(
        "tocsin.compat.logging: 7 log records were not handled before the interpreter ended"
    )


def test_records_that_nobody_was_started_for_are_said() -> None:
    lines, said = run("""
        handler = QueueHandler()
        log.addHandler(handler)
        listener = QueueListener(handler.queue, Print())
        log.info("to nobody")
    """)
    assert lines == []
    assert said.startswith("tocsin.compat.logging: 1 log records were not handled")


def test_drops_that_nobody_can_tell_are_said() -> None:
    lines, said = run("""
        handler = QueueHandler(capacity=1)
        log.addHandler(handler)
        listener = QueueListener(handler.queue, Print())
        log.info("to nobody")
        log.info("dropped")
    """)
    assert lines == []
    assert "1 log records were not handled" in said
    assert "1 log records were dropped" in said


def test_drops_that_were_not_told_yet_are_told_at_exit() -> None:
    lines, said = run("""
        handler = QueueHandler(capacity=1)
        log.addHandler(handler)
        listener = QueueListener(handler.queue, Print())
        for n in range(3):
            log.info("%d", n)
        listener.start()
    """)
    assert lines[0] == "parent 0"
    assert lines[1].startswith("parent 2 log records were dropped")
    assert (len(lines), said) == (2, "")


# ------------------------------------------------------------------------------ Ctrl-C


def test_an_interrupt_ends_the_waiting_and_nothing_else() -> None:
    lines, said = run("""
        handler = QueueHandler(capacity=1, overflow="block", timeout=60)
        log.addHandler(handler)
        listener = QueueListener(handler.queue, Print(lambda r: wait() if r.getMessage() == "held" else None))
        listener.start()
        log.info("held")
        held.wait(60)
        log.info("queued")
        main = threading.get_ident()
        def interrupts(call, *given):
            def shoot():
                while not done.wait(0.02):
                    signal.pthread_kill(main, signal.SIGINT)
            done = threading.Event()
            shooter = threading.Thread(target=shoot)
            try:
                try:
                    shooter.start()
                    call(*given)
                finally:
                    done.set()
                    shooter.join()
            except KeyboardInterrupt:
                return True
            return False
        signal.signal(signal.SIGINT, signal.default_int_handler)
        assert interrupts(log.info, "too much")
        assert interrupts(listener.flush)
        assert interrupts(listener.stop)
        assert handler.stats()[:2] == (3, 1)
        go.set()
        assert listener.stop(60)
        with listener:
            log.info("again")
    """)
    assert (lines, said) == (["parent held", "parent queued", "parent again"], "")


def test_an_interrupt_at_exit_ends_the_waiting() -> None:
    lines, said = run(
        """
        signal.signal(signal.SIGINT, signal.default_int_handler)
        handler = QueueHandler()
        log.addHandler(handler)
        listener = QueueListener(handler.queue, Print(wait), exit_timeout=60)
        listener.start()
        log.info("held")
        held.wait(60)
        log.info("left")
        def shoot():
            while listener._until is None:
                time.sleep(0.001)
            time.sleep(0.02)
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=shoot, daemon=True).start()
        """,
    )
    assert lines == ["parent held"]
    assert "1 log records were not handled" in said
    assert "KeyboardInterrupt" in said
