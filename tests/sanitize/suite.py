"""Which tests run where: each name that is left out has its reason beside it.

Names are pytest's node ids; a folder or a file stands for all that is in it, a test for all its parameters.
"""

from datetime import date

# No sanitizer sees the core here: the tests build it themselves, read text, or start no core of ours at all.
NOT_OURS = {
    "tests/native": "builds programs with sanitizers of its own; they have rows of their own",
    "tests/interleave": "builds programs of its own, in which threads are not real",
    "tests/verify": "the table of all checks would run this one in itself",
    "tests/sanitize": "this check",
    "tests/typing": "type checkers read stubs: no core runs",
    "tests/test_artifacts.py": "builds and installs a core of its own, without a sanitizer",
    "tests/test_house_rules.py": "reads text; the stubs are compared in every other run",
}
PRELOADED = {
    "tests/capi/test_allocations.py": "counts malloc() by a library of its own in place of the sanitizer's",
    "tests/capi/test_real_time.py": "notes system calls and page faults, of which a sanitizer has its own",
    "tests/unit/test_pipeline_unregister.py::test_registering_and_unregistering_for_ever_keeps_no_memory": (
        "watches the memory of the process, in which a sanitizer keeps what was freed"
    ),
    "tests/unit/test_protocol.py::test_numpy_is_imported_by_nobody_but_the_user": (
        "starts an interpreter with an empty environment: without the preloaded runtime the core can't load"
    ),
}
ADDRESS = (
    NOT_OURS
    | PRELOADED
    | {
        "tests/unit/test_lifetimes.py::test_a_forked_child_ends_without_waiting_for_its_parents_workers": (
            "forks beside threads that begin: the allocator of gcc 12's AddressSanitizer doesn't see to its "
            "locks at a fork, so one that was taken stays taken in the child, and free() hangs there"
        ),
    }
)
A_SHELL = "starts a shell, which dies under gcc 12's libtsan on newer kernels before it does anything"
THREAD = (
    NOT_OURS
    | PRELOADED
    | {
        "tests/unit/test_asyncio_loops.py"
        "::test_a_forked_child_begins_anew_and_leaves_the_parents_loop_alone": (
            "libtsan lets no child of a process that had threads start one"
        ),
        "tests/unit/test_cli.py::test_the_readme_shows_what_is_printed": A_SHELL,
        "tests/unit/test_cli_streams.py::test_closed_streams_are_no_reason_to_fail": A_SHELL,
        "tests/unit/test_cli_streams.py::test_an_ignored_ctrl_c_stays_ignored": A_SHELL,
        "tests/unit/test_docs.py::test_a_command_prints_what_the_page_shows": A_SHELL,
        "tests/unit/test_pipeline_end.py::test_a_dropped_pipeline_ends_its_threads": (
            "counts threads, of which libtsan keeps one of its own from the first on"
        ),
    }
)

# The interpreters that these tests start are checked for everything but leaks: they end while cores are in
# use, which is what is tested, and the memory goes with the process. A pipeline that is dropped well before
# the end leaves nothing: scenario.py drops some and waits for their threads.
KEPT_FOR_NATIVE = "a producer's core is kept on purpose at exit: native threads may go on calling (capi.pyx)"
WORKER_ENDED = (
    "the exit ends workers that come for the GIL where they stand, with what they hold (bridge.pyx)"
)
ENDS_WITH_THREADS = {
    "tests/capi/test_examples.py::test_native_example": KEPT_FOR_NATIVE,
    "tests/capi/test_exit.py": KEPT_FOR_NATIVE,
    "tests/concurrency/test_dropping.py": WORKER_ENDED,
    "tests/unit/test_docs.py::test_a_page_runs_and_prints_what_it_shows": KEPT_FOR_NATIVE,
    "tests/unit/test_lifetimes.py::test_a_pipeline_that_the_collector_finds": WORKER_ENDED,
    "tests/unit/test_lifetimes.py::test_a_workqueue_dropped_with_pending": WORKER_ENDED,
    "tests/unit/test_pipeline_end.py": WORKER_ENDED,
    "tests/unit/test_workqueue_close.py": WORKER_ENDED,
}

# What runs when there is little time: where threads meet, and where memory comes and goes.
SHORT_THREAD = [
    "tests/capi/test_native_writers.py",
    "tests/capi/test_native_subscribers.py",
    "tests/concurrency/test_channels.py",
    "tests/concurrency/test_churn.py",
    "tests/concurrency/test_producers.py",
    "tests/unit/test_pipeline_close.py",
]
SHORT_ADDRESS = [
    "tests/capi/test_native_api.py",
    "tests/capi/test_native_subscribers.py",
    "tests/unit/test_batch.py",
    "tests/unit/test_event.py",
    "tests/unit/test_kfifo.py",
    "tests/unit/test_pipeline_cancel.py",
    "tests/unit/test_pipeline_close.py",
    "tests/unit/test_pipeline_notify.py",
    "tests/unit/test_pipeline_subscribe.py",
    "tests/unit/test_workqueue.py",
]


def short_address() -> list[str]:
    """Return every other file for the short form, and the other ones when its turn comes again (.ci/run)."""
    return SHORT_ADDRESS[date.today().toordinal() // 4 % 2 :: 2]


def left_out(names: dict[str, str]) -> list[str]:
    """Return the options of pytest that leave these out."""
    return [f"--deselect={name}" if "::" in name else f"--ignore={name}" for name in names]
