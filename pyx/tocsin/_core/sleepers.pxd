"""Who sleeps at a channel, threads and event loops, in one word: {called: 24 | loops: 20 | threads: 20}.

A thread announces itself, looks once more, parks, and leaves when it is awake again; a loop arms a doorbell
(doorbell.pxd). Writers do a read-modify-write on the word after they have published [reader-announced].

One call for one sleep. A thread that was called takes a while to wake, and would be found announced and called
again by every streak that ends meanwhile: 26 calls for one wake-up were counted, each a system call, together 7 ns
of the 40 that an event took. So the calls are counted, and nobody is called while as many were as threads are
announced. Who leaves takes one call with it, its own or another's.

So a call that is not used up always has a thread that was announced when it was made and has not left. If that
one has yet to look, it will find what was published before the look. If it looked already, it is awake: it found
something, takes that, and calls the next one for the rest; or it gave up in time, as it might have a moment
before. And a thread that parks is never counted as called by mistake: a call wakes one of those who park, if any
does, and whoever is on the way there sees that the bell was rung. There may be fewer calls in the word than
threads that were called, for somebody who wasn't called may have left first; that costs another call, no more.
Whoever has counted a call and is preempted before it rings holds its sleeper up meanwhile, though not for longer
than one sleep lasts (times.pyx).
"""

from libc.stdint cimport uint64_t

from tocsin._core.atomic cimport (
    a64,
    a64_cas_full,
    a64_fetch_add_full,
    a64_load_relaxed,
    a64_load_seq_cst,
)


cdef enum:
    SLEEPERS_THREADS = 0xFFFFF
    SLEEPERS_LOOPS_SHIFT = 20
    SLEEPERS_CALLED_SHIFT = 40


cdef inline bint sleepers_want_call(uint64_t word) noexcept nogil:
    """True if a loop, or a thread that was not called yet, is announced."""
    return (
        (word >> SLEEPERS_LOOPS_SHIFT) & SLEEPERS_THREADS != 0
        or word & SLEEPERS_THREADS > word >> SLEEPERS_CALLED_SHIFT
    )


cdef inline void sleepers_announce(a64* sleepers) noexcept nogil:
    """Say that a thread is about to sleep; it looks once more after this. A reader."""
    a64_fetch_add_full(sleepers, 1)                                         # [reader-announced]


cdef inline void sleepers_leave(a64* sleepers) noexcept nogil:
    """Say that a thread is awake. A reader, after its last look."""
    cdef uint64_t word = a64_load_relaxed(sleepers)
    cdef uint64_t one = <uint64_t> 1
    while not a64_cas_full(
        sleepers, &word, word - one - (one << SLEEPERS_CALLED_SHIFT if word >> SLEEPERS_CALLED_SHIFT else 0)
    ):
        pass


cdef inline void sleepers_announce_loop(a64* sleepers) noexcept nogil:
    """Say that a doorbell is armed; its loop looks once more after this. Under the lock of the doorbells."""
    a64_fetch_add_full(sleepers, <uint64_t> 1 << SLEEPERS_LOOPS_SHIFT)      # [reader-announced]


cdef inline void sleepers_leave_loop(a64* sleepers) noexcept nogil:
    """Say that a doorbell is armed no more. Under the lock of the doorbells."""
    a64_fetch_add_full(sleepers, -(<uint64_t> 1 << SLEEPERS_LOOPS_SHIFT))


cdef inline bint sleepers_call(a64* sleepers) noexcept nogil:
    """Count a call; True if it has to be made. Any thread."""
    cdef uint64_t word = a64_load_seq_cst(sleepers)                         # [reader-announced]
    while word & SLEEPERS_THREADS > word >> SLEEPERS_CALLED_SHIFT:
        if a64_cas_full(sleepers, &word, word + (<uint64_t> 1 << SLEEPERS_CALLED_SHIFT)):
            return True
    return False
