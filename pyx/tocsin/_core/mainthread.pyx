# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""Callables that run on the main thread, at its next bytecode boundary: a channel whose reader is the
interpreter.

The kick of the channel has the interpreter call us there (maincall.pyx). A call handles up to 64 events, or as
many as take a millisecond, and kicks anew if some are left. Like a signal handler it runs in the middle of
whatever the main thread does; but inside another callable of the same pipeline, which flush() or close() is
calling there, it leaves at once: they go round until nothing is left.

What a callable raises goes to on_error; but KeyboardInterrupt and SystemExit are meant for the program, and go
on to the code that was interrupted. Once the exit has begun that is the exit hook, and they go nowhere.

A call on its way finds its reader through `owner`, or nobody. A pipeline that is closed on another thread
leaves what is queued to the main thread: then the reader keeps itself until that is done.
"""

cimport cython
from cpython.exc cimport PyErr_CheckSignals
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin._core.atomic cimport a32_load_relaxed, a64_fetch_add_relaxed, a64_load_relaxed, a64_store_relaxed
from tocsin._core.bridge cimport exit_has_begun, gil_is_gone
from tocsin._core.calls cimport tell
from tocsin._core.channel cimport LOOK_READY, channel_look
from tocsin._core.clock cimport clock_monotonic
from tocsin._core.core cimport core_release, core_retain
from tocsin._core.event cimport Event
from tocsin._core.maincall cimport (
    MainCall,
    main_arrive,
    main_call_new,
    main_call_spare,
    main_kick,
    main_put,
    main_try_breaker,
    pending_function,
)
from tocsin._core.thread cimport (
    EVERYONE,
    bell_look,
    bell_park,
    bell_ring,
    lock_drop,
    lock_take,
    thread_self,
)
from tocsin._core.ties cimport Member
from tocsin._core.times cimport slice_until
from tocsin._core.workqueue cimport HALT_FROZEN

from _thread import start_new_thread
from time import sleep


cdef enum:
    CALL_EVENTS = 64          # of one pending call
    CALL_NS = 1_000_000


# -- the main thread -------------------------------------------------------------------------------

cdef int main_run(void* raw) except -1:
    """Call the callable with what is there: the pending call. The main thread, with the GIL.

    Installed by a cast: the interpreter takes -1 for an exception.
    """
    cdef MainCall* call = <MainCall*> raw
    cdef Core* core = call.core
    cdef MainReader main = None
    if not main_arrive(call):
        return 0
    lock_take(&core.native.lock)
    if call.owner != NULL and not gil_is_gone():
        main = <MainReader> call.owner
    lock_drop(&core.native.lock)
    try:
        if main is not None and not main_is_inside(core):
            try:
                main_drain(main, CALL_EVENTS, <int64_t> clock_monotonic() + CALL_NS)
            finally:
                main_again(main)
    finally:
        core_release(core)
    return 0


cdef bint main_is_inside(Core* core) noexcept:
    """True on the main thread, inside one of these callables of the pipeline. Any thread."""
    return a64_load_relaxed(&core.main_inside) == thread_self()


cdef inline bint main_is_frozen(MainReader main) noexcept:
    """True while no call may begin. In the critical section of the reader, by which the freeze passes."""
    return a32_load_relaxed(&main.call.core.native.halted) & HALT_FROZEN != 0


cdef bint main_has_more(MainReader main) noexcept:
    """True if there is something to call a callable with that was not cancelled. With the GIL."""
    return main.callback is not None and channel_look(main.channel.channel) == LOOK_READY


cdef void main_again(MainReader main) noexcept:
    """Kick if something is left, or let go of a reader that was kept for it. With the GIL."""
    if main_is_frozen(main):
        return                       # the thaw comes here again
    if main_has_more(main):
        main_kick(main.call)
    else:
        main_let_go(main)


cdef uint64_t main_drain(MainReader main, uint64_t most, int64_t deadline) except? 0xFFFFFFFF:
    """Call the callable with so many events at most, until the deadline. How many. The main thread."""
    cdef uint64_t n = 0
    cdef Event event
    cdef object callback = None
    while n < most and (n == 0 or deadline < 0 or <int64_t> clock_monotonic() < deadline):
        with cython.critical_section(main):
            callback = None if main_is_frozen(main) else main.callback
            main.is_running = callback is not None
        event = None if callback is None else main.channel.take()
        if event is None:
            main_end_call(main)
            break
        n += 1
        main_call(main, callback, event)
    return n


cdef int main_call(MainReader main, object callback, Event event) except -1:
    """Call the callable with one event. The main thread, on which it is said to be running."""
    cdef uint64_t began = clock_monotonic()
    cdef object error = None
    a64_store_relaxed(&main.call.core.main_inside, thread_self())
    try:
        callback(event)
    except BaseException as raised:
        error = raised
    main_count(main.subscription, clock_monotonic() - began)
    main_end_call(main)
    if error is not None:
        main_report(main, error, event)
    a64_store_relaxed(&main.call.core.main_inside, 0)
    if error is not None and not isinstance(error, Exception) and not exit_has_begun():
        raise error
    return 0


cdef void main_end_call(MainReader main) noexcept:
    """Note that no call is running. The main thread."""
    cdef bint is_cancelled
    with cython.critical_section(main):
        main.is_running = False
        is_cancelled = main.callback is None
    if is_cancelled:
        bell_ring(&main.channel.channel.bell, EVERYONE)      # somebody may wait in cancel()


cdef void main_count(SubscriptionCore subscription, uint64_t nanoseconds) noexcept:
    """Count a call: as those of members that have gone, since this one has none that counts."""
    with cython.critical_section(subscription):
        subscription.calls_before += 1
        subscription.slowest_before = max(subscription.slowest_before, nanoseconds)


cdef void main_report(MainReader main, object error, Event event) noexcept:
    """Count an exception of the callable and tell on_error of it."""
    cdef SubscriptionCore subscription = main.subscription
    cdef Member member
    with cython.critical_section(subscription):
        subscription.errors += 1
        before, subscription.last_error = subscription.last_error, error
    del before           # what it frees runs out here
    for member in subscription.copy_members():
        if member.q.protocol == event.protocol:
            a64_fetch_add_relaxed(&member.q.callback_errors, 1)
            break
    tell(main.on_error, error, subscription, event)


# -- the life of a reader; any thread, with the GIL ------------------------------------------------

cdef class MainReader:
    """Call a callable on the main thread with the events of a channel."""

    def __dealloc__(self):
        cdef Core* core
        if self.call != NULL:
            core = self.call.core
            main_call_spare(self.call)
            core_release(core)

    def _silence(self) -> None:
        if self.call != NULL:
            main_silence(self)


cdef MainReader main_new(
    ChannelCore channel, SubscriptionCore subscription, object on_error, bint is_main
):
    """Make the reader of a channel that no stage knows yet, perhaps on the main thread. Under the face's lock."""
    cdef MainReader main = MainReader.__new__(MainReader)
    cdef MainCall* call = main_call_new(channel.core, <pending_function> <void*> main_run)
    if is_main:
        main_try_breaker()
    core_retain(call.core)
    main.call = call
    main.channel = channel
    main.subscription = subscription
    main.callback = subscription.function
    main.on_error = on_error
    call.owner = <void*> main
    channel.channel.wake_context = call
    channel.channel.wake = main_kick
    return main


cdef void main_disown(MainCall* call) noexcept:
    """Have calls on their way find nobody."""
    lock_take(&call.core.native.lock)
    call.owner = NULL
    lock_drop(&call.core.native.lock)


cdef void main_silence(MainReader main) noexcept:
    """Begin no call any more; harmless to repeat."""
    with cython.critical_section(main):
        callback, main.callback = main.callback, None
    main_disown(main.call)
    main_let_go(main)
    del callback         # what it frees runs out here


cdef void main_let_go(MainReader main) noexcept:
    """Have a reader that keeps itself do so no longer."""
    cdef bint was_kept
    with cython.critical_section(main):
        was_kept, main.is_kept = main.is_kept, False
    if was_kept:
        Py_DECREF(main)


cdef bint main_outlive(MainReader main) noexcept:
    """Have the main thread call what is left when the pipeline has ended; False: main_put_later() must see to it.

    After its last event.
    """
    cdef bint was_kept
    if not main_has_more(main):
        return True
    Py_INCREF(main)
    with cython.critical_section(main):
        was_kept, main.is_kept = main.is_kept, True
    if was_kept:
        Py_DECREF(main)
    return was_kept or main_put(main.call)


cdef void main_put_later(list mains) noexcept:
    """Try again for readers that outlive their pipeline, and with it the timer that would have done so."""
    try:
        start_new_thread(put_when_there_is_room, (mains,))
    except Exception:            # no more threads: nobody is left to try
        for main in mains:
            main_let_go(main)


def put_when_there_is_room(mains: list) -> None:
    """Put calls in the interpreter's table until none is left. A thread of its own."""
    cdef MainReader main
    while mains and not gil_is_gone():
        sleep(0.001)
        mains = [main for main in mains if not main_put(main.call)]


cdef bint main_await(MainReader main, int64_t deadline) except -1:
    """Wait until no call of a cancelled callable is running; False: not in time."""
    cdef uint32_t seen
    cdef int64_t slice
    cdef bint is_running = True
    while is_running:
        seen = bell_look(&main.channel.channel.bell)
        with cython.critical_section(main):
            is_running = main.is_running
        slice = slice_until(deadline)
        if slice == 0 or not is_running:
            break
        with nogil:
            bell_park(&main.channel.channel.bell, seen, slice)
        PyErr_CheckSignals()
    return not is_running
