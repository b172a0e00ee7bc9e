"""A queue: its items, its waiters and its numbers, and each thing that can be done with it in one step.

Who calls: QueueCore, in its critical section. A step never waits, and runs no Python code but the comparisons of
a heap, during which everything here may change: then it begins again.

A queue that has moved (queuecore.pyx says where) has no items here, and takes none.
"""

from cpython.object cimport PyObject
from cpython.ref cimport Py_DECREF
from libc.stdint cimport uint32_t

from tocsin._core.memory cimport memory_free
from tocsin._core.thread cimport bell_destroy, bell_init
from tocsin.compat.items cimport (
    DONE, Items, heap_pop, heap_push, item_at, items_append, items_forget, items_make_room, items_newest,
    items_oldest,
)
from tocsin.compat.parking cimport Parking, parking_call, parking_call_all, parking_enter


cdef enum Order:
    FIFO
    LIFO
    LEAST_FIRST

cdef enum Outcome:
    ADDED
    TAKEN
    NOT_NOW      # no room for one more, or none there
    OVER         # shut down
    MOVED


cdef struct Queue:
    Items items
    Order order
    bint has_moved
    bint is_over
    Py_ssize_t bound          # 0: any number of items
    Py_ssize_t unfinished
    Parking getters
    Parking putters
    Parking joiners


cdef inline void queue_init(Queue* q) noexcept:
    """Make one of zeroed memory that has moved already."""
    q.has_moved = True
    bell_init(&q.getters.bell, False)
    bell_init(&q.putters.bell, False)
    bell_init(&q.joiners.bell, False)


cdef inline void queue_destroy(Queue* q) noexcept:
    """End one that nobody uses."""
    items_drop(queue_detach(q))
    bell_destroy(&q.getters.bell)
    bell_destroy(&q.putters.bell)
    bell_destroy(&q.joiners.bell)


cdef inline Outcome queue_add(Queue* q, object item) except? OVER:
    """Put an item."""
    while True:
        if q.has_moved:
            return MOVED
        if q.is_over:
            return OVER
        if 0 < q.bound <= q.items.count:
            return NOT_NOW
        items_make_room(&q.items)
        if q.order != LEAST_FIRST:
            items_append(&q.items, item)
            break
        if heap_push(&q.items, item) == DONE:
            break
    q.unfinished += 1
    parking_call(&q.getters)
    return ADDED


cdef inline Outcome queue_take(Queue* q, PyObject** item) except? OVER:
    """Get an item: *item has its reference."""
    while True:
        if q.has_moved:
            return MOVED
        if q.items.count == 0:
            return OVER if q.is_over else NOT_NOW
        if q.order == FIFO:
            item[0] = items_oldest(&q.items)
            break
        if q.order == LIFO:
            item[0] = items_newest(&q.items)
            break
        if heap_pop(&q.items, item) == DONE:
            break
    parking_call(&q.putters)
    return TAKEN


cdef inline Outcome queue_add_or_enter(Queue* q, object item, bint may_wait, uint32_t* seen) except? OVER:
    """Put an item, or go among those who wait for room and have *seen to park on.

    A comparison may raise, in a thread that was called for this very room: then the next one is called.
    """
    cdef Outcome outcome
    try:
        outcome = queue_add(q, item)
    except BaseException:
        parking_call(&q.putters)
        raise
    if outcome == NOT_NOW and may_wait:
        seen[0] = parking_enter(&q.putters)
    return outcome


cdef inline Outcome queue_take_or_enter(Queue* q, PyObject** item, bint may_wait, uint32_t* seen) except? OVER:
    """Get an item, or go among those who wait for one; otherwise the same."""
    cdef Outcome outcome
    try:
        outcome = queue_take(q, item)
    except BaseException:
        parking_call(&q.getters)
        raise
    if outcome == NOT_NOW and may_wait:
        seen[0] = parking_enter(&q.getters)
    return outcome


cdef inline Outcome queue_task_done(Queue* q) noexcept:
    """Count one task as done; NOT_NOW: none is unfinished."""
    if q.has_moved:
        return MOVED
    if q.unfinished <= 0:
        return NOT_NOW
    q.unfinished -= 1
    if q.unfinished == 0:
        parking_call_all(&q.joiners)
    return TAKEN


cdef inline void queue_call_everybody(Queue* q) noexcept:
    """Have all waiters look again."""
    parking_call_all(&q.getters)
    parking_call_all(&q.putters)
    parking_call_all(&q.joiners)


cdef inline Items queue_detach(Queue* q) noexcept:
    """Take all items at once; items_drop() belongs after the critical section."""
    cdef Items items = q.items
    items_forget(&q.items)
    return items


cdef inline Items queue_begin(Queue* q, Order order) noexcept:
    """Be empty, open and on the compiled path; gives the items that there were."""
    cdef Items items = queue_detach(q)
    q.order = order
    q.unfinished = 0
    q.is_over = q.has_moved = False
    return items


cdef inline Items queue_shutdown(Queue* q, bint is_immediate) noexcept:
    """Shut down, unless it has moved; gives the items that nobody shall get any more."""
    cdef Items items
    items.slots = NULL
    items.count = 0
    if not q.has_moved:
        q.is_over = True
        q.items.version += 1               # a put that is comparing begins again, and finds it over
        if is_immediate:
            q.unfinished = max(q.unfinished - q.items.count, <Py_ssize_t> 0)
            items = queue_detach(q)
        queue_call_everybody(q)
    return items


cdef inline void items_drop(Items items) noexcept:
    """Drop all references of a detached array. Their destructors may do anything."""
    cdef Py_ssize_t i
    for i in range(items.count):
        Py_DECREF(<object> item_at(&items, i))
    memory_free(items.slots)


cdef inline object handed(PyObject* item):
    """A reference that came out of the items."""
    owned = <object> item
    Py_DECREF(owned)
    return owned
