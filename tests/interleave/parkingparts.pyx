"""The queues of tocsin.compat as plain C functions, for their scenes (parking.h declares them to C).

Thin covers, as in parts.pyx: what QueueCore does around a step of state.pxd, with a lock for its critical section.
Items are objects that the scene has made up: they are counted, and nothing else is asked of them.
"""

from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t, uint64_t

from tocsin._core.memory cimport memory_alloc, memory_free
from tocsin._core.thread cimport bell_park, lock_drop, lock_init, lock_t, lock_take
from tocsin.compat.parking cimport Parking, parking_call, parking_enter, parking_leave
from tocsin.compat.state cimport (
    FIFO, NOT_NOW, Queue, queue_add, queue_begin, queue_destroy, queue_init, queue_shutdown, queue_take,
    queue_task_done,
)


cdef extern from "shipped.h" nogil:
    void hook_name(const void* address, uint64_t size, const char* name) noexcept


cdef struct Guarded:
    lock_t section
    Queue q


cdef public void* guarded_new(Py_ssize_t bound) noexcept:
    cdef Guarded* g = <Guarded*> memory_alloc(sizeof(Guarded))
    lock_init(&g.section)
    queue_init(&g.q)
    queue_begin(&g.q, FIFO)
    g.q.bound = bound
    hook_name(&g.section, sizeof(g.section), "section")
    hook_name(&g.q.getters.bell, sizeof(g.q.getters.bell), "getters.bell")
    hook_name(&g.q.putters.bell, sizeof(g.q.putters.bell), "putters.bell")
    hook_name(&g.q.joiners.bell, sizeof(g.q.joiners.bell), "joiners.bell")
    return g


cdef void sleep(Guarded* g, Parking* parking, uint32_t seen, int64_t slice, bint is_interrupted) noexcept:
    """Park and come back, as park() does; the section is dropped."""
    bell_park(&parking.bell, seen, slice)
    lock_take(&g.section)
    parking_leave(parking)
    if is_interrupted:
        parking_call(parking)
    lock_drop(&g.section)


cdef public int guarded_put(void* raw, void* item, int64_t slice) noexcept:
    """Put an item, or sleep once if `slice` is not 0: an Outcome."""
    cdef Guarded* g = <Guarded*> raw
    cdef uint32_t seen = 0
    lock_take(&g.section)
    outcome = queue_add(&g.q, <object> <PyObject*> item)
    if outcome == NOT_NOW and slice != 0:
        seen = parking_enter(&g.q.putters)
    lock_drop(&g.section)
    if outcome == NOT_NOW and slice != 0:
        sleep(g, &g.q.putters, seen, slice, False)
    return outcome


cdef public int guarded_get(void* raw, void** item, int64_t slice, int is_interrupted) noexcept:
    """Get an item, or sleep once if `slice` is not 0: an Outcome."""
    cdef Guarded* g = <Guarded*> raw
    cdef uint32_t seen = 0
    lock_take(&g.section)
    outcome = queue_take(&g.q, <PyObject**> item)
    if outcome == NOT_NOW and slice != 0:
        seen = parking_enter(&g.q.getters)
    lock_drop(&g.section)
    if outcome == NOT_NOW and slice != 0:
        sleep(g, &g.q.getters, seen, slice, is_interrupted)
    return outcome


cdef public void guarded_task_done(void* raw) noexcept:
    cdef Guarded* g = <Guarded*> raw
    lock_take(&g.section)
    queue_task_done(&g.q)
    lock_drop(&g.section)


cdef public int guarded_join(void* raw) noexcept:
    """Sleep once if there is a task; false: there was none."""
    cdef Guarded* g = <Guarded*> raw
    cdef uint32_t seen = 0
    cdef bint is_waiting
    lock_take(&g.section)
    is_waiting = g.q.unfinished != 0
    if is_waiting:
        seen = parking_enter(&g.q.joiners)
    lock_drop(&g.section)
    if is_waiting:
        sleep(g, &g.q.joiners, seen, -1, False)
    return is_waiting


cdef public void guarded_shutdown(void* raw) noexcept:
    cdef Guarded* g = <Guarded*> raw
    lock_take(&g.section)
    queue_shutdown(&g.q, False)
    lock_drop(&g.section)


cdef public int guarded_waiting(void* raw) noexcept:
    """How many threads are announced."""
    cdef Guarded* g = <Guarded*> raw
    return g.q.getters.parked + g.q.putters.parked + g.q.joiners.parked


cdef public void guarded_free(void* raw) noexcept:
    queue_destroy(&(<Guarded*> raw).q)
    memory_free(raw)
