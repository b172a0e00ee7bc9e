"""Doorbells: how an event loop sleeps until a channel has something, and is woken once.

A loop sleeps on descriptors, not on a bell. So each loop that waits for a channel has one for it, an eventfd or
a pipe, and a doorbell in the channel that says whether it is *armed*. Ringing writes to the descriptor, which
needs no GIL and never blocks, and disarms first: however many events come, a loop that sleeps is told once, by
one system call, and one that reads isn't told at all.

An armed doorbell is an announced reader like a thread that sleeps, and is counted in the same word
(sleepers.pxd). So the last event before silence is safe for the same reason (channel.pxd): the loop arms, by a
read-modify-write of that word, and looks once more; a writer publishes, does the same, and rings whoever is
announced. And so is the end: whoever closes sets `closed` and takes the lock; either the doorbell is armed by then
and rung, or it is armed later and the look after it finds the channel closed.

All that are armed are rung, not one of them as of the threads: a loop that was stopped while it waited would
take a call and never answer it. One that finds nothing arms anew.

The lock guards the list and what is armed; it is held for a write to each. Disarming takes it: after that
nobody writes to the descriptor any more, and its owner may close it. A descriptor that takes no more has been
written to and not yet read, so whoever polls it is about to look: nothing is lost by leaving it at that.
"""

from tocsin._core.atomic cimport a64
from tocsin._core.sleepers cimport sleepers_announce_loop, sleepers_leave_loop
from tocsin._core.thread cimport descriptor_ring, lock_drop, lock_t, lock_take


cdef struct Doorbell:
    # Constant:
    int descriptor
    # Under the lock.
    bint is_armed
    Doorbell* following

cdef struct Doorbells:
    lock_t lock
    Doorbell* armed


cdef inline void doorbell_arm(Doorbells* all, Doorbell* bell, a64* sleepers) noexcept nogil:
    """Have the next writer ring; the caller looks at the channel after this. The loop of the doorbell."""
    lock_take(&all.lock)
    if not bell.is_armed:
        bell.is_armed = True
        bell.following = all.armed
        all.armed = bell
        sleepers_announce_loop(sleepers)
    lock_drop(&all.lock)


cdef inline void doorbell_disarm(Doorbells* all, Doorbell* bell, a64* sleepers) noexcept nogil:
    """Have nobody ring any more; harmless to repeat. Any thread."""
    cdef Doorbell** link = &all.armed
    lock_take(&all.lock)
    if bell.is_armed:
        while link[0] != bell:
            link = &link[0].following
        link[0] = bell.following
        bell.is_armed = False
        sleepers_leave_loop(sleepers)
    lock_drop(&all.lock)


cdef inline void doorbells_ring(Doorbells* all, a64* sleepers) noexcept nogil:
    """Wake the loops that sleep. Any thread."""
    cdef Doorbell* bell
    lock_take(&all.lock)
    while all.armed != NULL:
        bell = all.armed
        all.armed = bell.following
        bell.is_armed = False
        sleepers_leave_loop(sleepers)
        descriptor_ring(bell.descriptor)
    lock_drop(&all.lock)
