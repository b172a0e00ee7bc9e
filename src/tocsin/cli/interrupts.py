"""Ctrl-C that is heard at once, whatever the main thread waits for.

Python notes a signal and calls its handler when the main thread comes back from C. If that is just about
to block in a read, it comes back when there is something to read, perhaps never: the signal was too
early to end the call. So a thread of our own hears of the signal too, through the wakeup descriptor, and
sends it to the main thread again until the handler has run.

The handler raises KeyboardInterrupt. What comes within a second is the same Ctrl-C: some senders send two
signals, and the end must not be cut short by the second. Who insists later is heard again.
"""

import os
import signal
import threading
import time
from types import FrameType

__all__ = ["raise_interrupts"]

PAUSE = 0.01  # seconds between two knocks
SAME = 1.0  # seconds within which two signals are one Ctrl-C


def raise_interrupts() -> None:
    """Have SIGINT raise KeyboardInterrupt, unless it is ignored (nohup, a shell's &). Main thread, once."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return
    heard: list[float] = []
    main = threading.get_ident()

    def hear(number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if not heard or now - heard[-1] > SAME:
            heard.append(now)
            raise KeyboardInterrupt

    def knock() -> None:
        os.read(reading, 1)
        while not heard:
            signal.pthread_kill(main, signal.SIGINT)
            time.sleep(PAUSE)

    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.signal(signal.SIGINT, hear)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    # All signals are for the main thread: a new thread has the mask of the one that starts it.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    threading.Thread(target=knock, name="tocsin-knock", daemon=True).start()
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
