"""The references that a queue owns: a ring that grows, in order of arrival, the reverse, or a heap.

Who calls: a queue, in its critical section (on a GIL build: with the GIL, which is the same). Nothing here runs
Python code, with one exception: the comparisons of a heap, which may do anything, use the same queue too. So a
heap is only read while items are compared, and changed in one step afterwards, if `version` says that nobody
else has changed it; otherwise the caller begins again. There is no lock that a destructor, a signal handler or
another thread could find taken.

A reference is moved in and out, never dropped here, since a destructor is Python code too. The comparisons are
those of heapq, in their order, so that equal items come out in the same order.
"""

from cpython.object cimport Py_LT, PyObject, PyObject_RichCompareBool
from cpython.ref cimport Py_INCREF
from libc.stdint cimport uint64_t
from libc.string cimport memcpy

from tocsin._core.memory cimport memory_free, memory_grow
from tocsin.compat.slots cimport visitproc


cdef enum:
    FEWEST = 8
    KEPT = 1024       # slots that an empty ring may keep
    DEEPEST = 64      # levels of a heap


cdef struct Items:
    PyObject** slots
    Py_ssize_t capacity   # a power of two, or 0
    Py_ssize_t head       # the slot of the oldest; 0 in a stack and a heap
    Py_ssize_t count
    uint64_t version      # another one after each change


cdef enum Step:
    CHANGED_MEANWHILE
    DONE


cdef inline PyObject* item_at(Items* items, Py_ssize_t i) noexcept nogil:
    """The item `i` places behind the oldest, borrowed."""
    return items.slots[(items.head + i) & (items.capacity - 1)]


cdef inline int items_make_room(Items* items) except -1:
    """See that one more fits. MemoryError: it does not, and nothing has changed."""
    cdef Py_ssize_t before = items.capacity
    cdef Py_ssize_t after = 2 * before if before else FEWEST
    cdef PyObject** slots
    if items.count < before:
        return 0
    slots = <PyObject**> memory_grow(items.slots, after * sizeof(PyObject*))
    if slots == NULL:
        raise MemoryError(f"no memory for a queue of {after} items")
    memcpy(slots + before, slots, items.head * sizeof(PyObject*))      # what stood before the oldest
    items.slots = slots
    items.capacity = after
    return 0


cdef inline void items_append(Items* items, object item) noexcept:
    """Own one more item; room was made."""
    Py_INCREF(item)
    items.slots[(items.head + items.count) & (items.capacity - 1)] = <PyObject*> item
    items.count += 1
    items.version += 1


cdef inline int items_visit(Items* items, visitproc visit, void* argument) noexcept:
    """Show every item to the garbage collector; not 0: it wants no more."""
    cdef Py_ssize_t i
    cdef int stop = 0
    for i in range(items.count):
        if stop == 0:
            stop = visit(item_at(items, i), argument)
    return stop


cdef inline void items_forget(Items* items) noexcept nogil:
    """Own nothing: the slots are somebody else's now."""
    items.slots = NULL
    items.capacity = items.head = items.count = 0
    items.version += 1


cdef inline PyObject* items_hand_out(Items* items, PyObject* item) noexcept nogil:
    """Give the reference of an item that has left its slot."""
    items.count -= 1
    items.version += 1
    if items.count == 0 and items.capacity > KEPT:
        memory_free(items.slots)
        items_forget(items)
    return item


cdef inline PyObject* items_oldest(Items* items) noexcept nogil:
    """Take the oldest of at least one."""
    cdef PyObject* item = items.slots[items.head]
    items.head = (items.head + 1) & (items.capacity - 1)
    return items_hand_out(items, item)


cdef inline PyObject* items_newest(Items* items) noexcept nogil:
    """Take the newest of at least one."""
    return items_hand_out(items, item_at(items, items.count - 1))


# -- a heap: the item in slot i is not greater than those in the slots 2i + 1 and 2i + 2


cdef inline int is_less(Items* items, Py_ssize_t a, object b) except -1:
    """Whether the item in slot `a` is less than `b`."""
    return PyObject_RichCompareBool(<object> items.slots[a], b, Py_LT)


cdef inline int is_greater(Items* items, Py_ssize_t a, object b) except -1:
    """Whether `b` is less than the item in slot `a`."""
    return PyObject_RichCompareBool(b, <object> items.slots[a], Py_LT)


cdef inline Step heap_push(Items* items, object item) except? CHANGED_MEANWHILE:
    """Own one more item, in its place; room was made."""
    cdef uint64_t version = items.version
    cdef Py_ssize_t place = items.count
    cdef Py_ssize_t end
    cdef bint is_lower
    while place > 0:
        is_lower = is_greater(items, (place - 1) >> 1, item)
        if items.version != version:
            return CHANGED_MEANWHILE
        if not is_lower:
            break
        place = (place - 1) >> 1
    end = items.count
    while end != place:
        items.slots[end] = items.slots[(end - 1) >> 1]
        end = (end - 1) >> 1
    Py_INCREF(item)
    items.slots[place] = <PyObject*> item
    items.count += 1
    items.version += 1
    return DONE


cdef inline int heap_descend(Items* items, Py_ssize_t* path) except -1:
    """Write the slots from below the top to a leaf, always the lesser child's; return how many.

    The last slot is no part of it: its item is to be moved. -2: the heap was changed meanwhile.
    """
    cdef uint64_t version = items.version
    cdef Py_ssize_t end = items.count - 1
    cdef Py_ssize_t child = 1
    cdef int depth = 0
    cdef bint is_left
    while child < end:
        if child + 1 < end:
            right = <object> items.slots[child + 1]       # owned: a comparison may see that it is dropped
            is_left = is_less(items, child, right)
            if items.version != version:
                return -2
            child += not is_left
        path[depth] = child
        depth += 1
        child = 2 * child + 1
    return depth


cdef inline Step heap_pop(Items* items, PyObject** least) except? CHANGED_MEANWHILE:
    """Take the least of at least one; *least gets the reference."""
    cdef Py_ssize_t[DEEPEST] path
    cdef uint64_t version = items.version
    cdef Py_ssize_t place = 0
    cdef int depth = heap_descend(items, path)
    cdef int i
    cdef bint is_lower
    if depth < 0:
        return CHANGED_MEANWHILE
    last = <object> items.slots[items.count - 1]
    while depth > 0:                        # from the leaf up again, to where the last one belongs
        is_lower = is_greater(items, path[depth - 1], last)
        if items.version != version:
            return CHANGED_MEANWHILE
        if not is_lower:
            break
        depth -= 1
    least[0] = items.slots[0]
    for i in range(depth):
        items.slots[place] = items.slots[path[i]]
        place = path[i]
    items.slots[place] = <PyObject*> last
    items_hand_out(items, least[0])
    return DONE
