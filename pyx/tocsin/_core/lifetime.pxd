"""How long a queue lives, and how it goes while writers, stages and readers may still be looking at it.

Two counts. *Holders* may look at all of it, records and chains too: the registration, for the stages and
the writers of its protocol, and the bridge, for whoever came from Python with the queue in hand. *Users* may
look at the struct but at no record and no chain: all holders together are one, beside each Member and each
native producer, whose thread may stand for ever between any two instructions of notify. With the last holder
go the ring, the routes and what was retired; with the last user the struct.

A registration ends in steps, each harmless to repeat:

1. Nobody new finds the queue, and its door is shut (ring.pxd).
2. No writer is inside: what was accepted is published, and no writer will touch the ring again. Who published
   last may not have kicked yet; that is waited for in the next step.
3. Everything has passed its last stage.
4. Both works are disabled, and neither is LINKED or RUNNING any more.
5. The registration is no holder any more.

Why 4 suffices. LINKED and RUNNING are only ever turned on by an exchange that finds the item not disabled
(work.pxd), so two that were seen clear afterwards stay clear: no list and no worker has the item, and none
will. A worker touches nothing of a stage after the exchange that ended its run, which we acquired. A kicker
that turned LINKED on has pushed the item before it could be popped, and then touches the struct alone, as a
user. A kick that comes later is refused, by the kicker itself.
"""

from libc.stdint cimport int64_t

from tocsin._core.atomic cimport a32_fetch_add_full, a32_fetch_sub_full
from tocsin._core.chain cimport Chain, chain_free
from tocsin._core.control cimport workqueue_await_clear
from tocsin._core.equeue cimport EventsQueue
from tocsin._core.memory cimport memory_free, memory_unmap
from tocsin._core.payload cimport PayloadRule
from tocsin._core.routes cimport route_free
from tocsin._core.thread cimport bell_destroy, lock_destroy, lock_drop, lock_take
from tocsin._core.timer cimport cancel_work
from tocsin._core.work cimport WORK_LINKED, WORK_RUNNING, work_disable


# -- counts ----------------------------------------------------------------------------------------

cdef inline void equeue_hold(EventsQueue* q) noexcept nogil:
    """Count one more holder. A holder."""
    a32_fetch_add_full(&q.holders, 1)


cdef inline void equeue_let_go(EventsQueue* q) noexcept nogil:
    """Count a holder out; the last one frees what only holders look at. A holder, once."""
    cdef Chain* retired
    cdef int i
    if a32_fetch_sub_full(&q.holders, 1) != 1:
        return
    lock_take(&q.lock)      # Members may be letting go of subscribers that chains here hold too
    while q.retired != NULL:
        retired = q.retired
        q.retired = retired.following
        chain_free(retired)
    for i in range(256):
        route_free(&q.native.routes[i])
        route_free(&q.python.routes[i])
    lock_drop(&q.lock)
    memory_unmap(q.ring.fifo.data, q.ring.fifo.mask + 1)
    equeue_release(q)


cdef inline void equeue_retain(EventsQueue* q) noexcept nogil:
    """Count one more user. A user or a holder."""
    a32_fetch_add_full(&q.users, 1)


cdef inline void equeue_release(EventsQueue* q) noexcept nogil:
    """Count a user out; the last one frees the struct. A user, once."""
    cdef int event
    if a32_fetch_sub_full(&q.users, 1) != 1:
        return
    for event in range(256):
        rule_free(q.rules[event])
    lock_destroy(&q.lock)
    bell_destroy(&q.progress)
    memory_free(q)


cdef inline void rule_free(PayloadRule* rule) noexcept nogil:
    if rule != NULL:
        memory_free(rule.sizes)
        memory_free(rule)


# -- the end of a registration ---------------------------------------------------------------------

cdef inline void equeue_disable(EventsQueue* q) noexcept nogil:
    """Let no run of a stage begin any more. A holder, after everything has passed."""
    work_disable(&q.native.work)     # after 65,535 times it stays disabled: as good
    work_disable(&q.python.work)
    cancel_work(q.native.wq, &q.native.work)
    cancel_work(q.python.wq, &q.python.work)


cdef inline bint equeue_await_idle(EventsQueue* q, int64_t timeout) noexcept nogil:
    """Sleep once for each stage, at most `timeout` ns, until nobody has its work. True if nobody has.

    A holder, after equeue_disable(), on no worker.
    """
    return workqueue_await_clear(
        q.native.wq, &q.native.work, WORK_LINKED | WORK_RUNNING, timeout
    ) and workqueue_await_clear(q.python.wq, &q.python.work, WORK_LINKED | WORK_RUNNING, timeout)
