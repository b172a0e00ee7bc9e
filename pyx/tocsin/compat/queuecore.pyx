# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""What the queues of tocsin.compat.queue are built on: those of the standard library without a lock.

Any thread. A queue is in its critical section while a step of state.pxd is taken (on a GIL build the GIL is that),
and no Python code runs in there: the comparisons of a priority queue apart, which items.pxd deals with. So a
destructor, a signal handler or the garbage collector may use the queue that was just being used.

Who finds nothing, or no room, parks (parking.pxd) without the GIL and is called when there is some. Only the main
thread answers signals, so only it parks in slices.

Two paths. A queue is *compiled* until somebody asks for a lock, a condition or the container of the standard
library's queue. Then it moves: its items into the container that the standard library would have, its waiters to
that one's conditions, and from then on, as for every subclass with hooks, each method here is the standard
library's own. The numbers (maxsize, unfinished_tasks, is_shutdown) live here on both paths.
"""

from collections import deque
from threading import Condition, Lock, get_ident, main_thread

cimport cython
from cpython.long cimport PyLong_CheckExact
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint32_t

from tocsin.compat.items cimport Items, item_at, items_visit
from tocsin.compat.parking cimport NEVER, deadline_after, left, park, parking_enter, slice_for
from tocsin.compat.slots cimport (
    PY_SSIZE_T_MAX, PyDescr_NewGetSet, PyGetSetDef, PyTypeObject, inquiry, traverseproc, visitproc,
)
from tocsin.compat.state cimport (
    ADDED, FIFO, LEAST_FIRST, LIFO, MOVED, NOT_NOW, OVER, TAKEN, Outcome, Queue, handed, items_drop,
    queue_add, queue_add_or_enter, queue_begin, queue_call_everybody, queue_destroy, queue_detach, queue_init,
    queue_shutdown, queue_take, queue_take_or_enter, queue_task_done,
)

from tocsin.compat.standard import Empty, Full, Queue as Standard, ShutDown

ORDERS = (FIFO, LIFO, LEAST_FIRST)


cdef class QueueCore:
    """Hold the items and the waiters of a queue: what Queue is built on."""
    cdef Queue q
    cdef object limit        # maxsize, as it was given
    cdef list parts          # the standard library's, once it has moved

    def __cinit__(self, *args, **kwargs):
        self.limit = 0
        self.parts = [None] * 5
        queue_init(&self.q)

    def __dealloc__(self):
        queue_destroy(&self.q)

    def begin(self, order, maxsize):
        """Be empty, and on the compiled path if `maxsize` is an int."""
        cdef Items dropped
        with cython.critical_section(self):
            dropped = queue_begin(&self.q, order)
        items_drop(dropped)
        self.maxsize = maxsize

    # -- put and get

    def put(self, item, block=True, timeout=None):
        """Put an item; wait for room if `block`, at most `timeout` seconds, then raise Full. Any thread."""
        cdef int64_t deadline = NEVER
        cdef Outcome outcome
        if self.q.has_moved:
            return Standard.put(self, item, block, timeout)
        if timeout is not None and self.q.bound > 0 and not self.q.is_over and block:
            deadline = deadline_after(timeout)
        with cython.critical_section(self):
            outcome = queue_add(&self.q, item)
        if outcome != ADDED:
            self.put_later(item, block, timeout, deadline)

    cdef int put_later(self, object item, object block, object timeout, int64_t deadline) except -1:
        cdef bint is_patient = block, is_main = get_ident() == main_thread().ident
        cdef int64_t slice = 0
        cdef uint32_t seen = 0
        cdef Outcome outcome = NOT_NOW
        while outcome != ADDED:
            slice = slice_for(is_main, deadline) if is_patient else 0
            with cython.critical_section(self):
                outcome = queue_add_or_enter(&self.q, item, slice != 0, &seen)
            if outcome == OVER:
                raise ShutDown
            if outcome == MOVED:
                Standard.put(self, item, block, left(deadline, timeout))
                break
            if outcome == NOT_NOW and slice == 0:
                raise Full
            if outcome == NOT_NOW:
                park(self, &self.q.putters, seen, slice)

    def get(self, block=True, timeout=None):
        """Get an item; wait for one if `block`, at most `timeout` seconds, then raise Empty. Any thread."""
        cdef PyObject* item = NULL
        cdef int64_t deadline = NEVER
        if self.q.has_moved:
            return Standard.get(self, block, timeout)
        if timeout is not None and block and not (self.q.is_over and self.q.items.count == 0):
            deadline = deadline_after(timeout)
        with cython.critical_section(self):
            queue_take(&self.q, &item)
        return handed(item) if item != NULL else self.get_later(block, timeout, deadline)

    cdef object get_later(self, object block, object timeout, int64_t deadline):
        cdef bint is_patient = block, is_main = get_ident() == main_thread().ident
        cdef int64_t slice = 0
        cdef uint32_t seen = 0
        cdef PyObject* item = NULL
        while True:
            slice = slice_for(is_main, deadline) if is_patient else 0
            with cython.critical_section(self):
                outcome = queue_take_or_enter(&self.q, &item, slice != 0, &seen)
            if outcome == TAKEN:
                return handed(item)
            if outcome == OVER:
                raise ShutDown
            if outcome == MOVED:
                return Standard.get(self, block, left(deadline, timeout))
            if slice == 0:
                raise Empty
            park(self, &self.q.getters, seen, slice)

    def put_nowait(self, item):
        """Put an item if there is room, else raise Full. Any thread."""
        return Standard.put_nowait(self, item) if self.q.has_moved else self.put(item, False)

    def get_nowait(self):
        """Get an item if there is one, else raise Empty. Any thread."""
        return Standard.get_nowait(self) if self.q.has_moved else self.get(False)

    # -- tasks, and the end

    def task_done(self):
        """Say that one item that was got is dealt with; ValueError: more than were put. Any thread."""
        with cython.critical_section(self):
            outcome = queue_task_done(&self.q)
        if outcome == MOVED:
            return Standard.task_done(self)
        if outcome == NOT_NOW:
            raise ValueError("task_done() called too many times")

    def join(self):
        """Wait until all items that were put are dealt with. Any thread."""
        cdef bint is_waiting = True, is_main = get_ident() == main_thread().ident
        cdef uint32_t seen = 0
        while is_waiting:
            with cython.critical_section(self):
                is_waiting = self.q.unfinished != 0 and not self.q.has_moved
                if is_waiting:
                    seen = parking_enter(&self.q.joiners)
            if is_waiting:
                park(self, &self.q.joiners, seen, slice_for(is_main, NEVER))
        if self.q.has_moved:
            Standard.join(self)

    def shutdown(self, immediate=False):
        """Have put raise ShutDown, and get too once it is empty; `immediate`: empty it. Any thread."""
        cdef bint is_immediate = immediate
        cdef Items dropped
        with cython.critical_section(self):
            dropped = queue_shutdown(&self.q, is_immediate)
        items_drop(dropped)
        if self.q.has_moved:
            Standard.shutdown(self, is_immediate)

    # -- asking

    @property
    def is_compiled(self):
        """Whether it is on the compiled path. Any thread."""
        return not self.q.has_moved

    def waiting(self):
        """Return how many threads wait in get, put and join on the compiled path. Any thread."""
        return self.q.getters.parked, self.q.putters.parked, self.q.joiners.parked

    def qsize(self):
        """Return how many items there are now. Any thread."""
        with cython.critical_section(self):     # not from before the caller's last look elsewhere
            if not self.q.has_moved:
                return self.q.items.count
        return Standard.qsize(self)

    def empty(self):
        """Return whether there is no item now. Any thread."""
        return Standard.empty(self) if self.q.has_moved else self.q.items.count == 0

    def full(self):
        """Return whether there are `maxsize` items now. Any thread."""
        return Standard.full(self) if self.q.has_moved else 0 < self.q.bound <= self.q.items.count

    @property
    def maxsize(self):
        """The most items that it may hold; 0 or less: any number. Any thread may set it."""
        with cython.critical_section(self):
            return self.limit

    @maxsize.setter
    def maxsize(self, value):
        if not PyLong_CheckExact(value):
            move(self)                    # what else can be compared, the standard library knows to compare
        with cython.critical_section(self):
            self.limit = value
            self.q.bound = 0 if self.q.has_moved else max(0, min(value, PY_SSIZE_T_MAX))

    @property
    def unfinished_tasks(self):
        """How many items were put and not yet dealt with."""
        with cython.critical_section(self):     # the same as in qsize()
            return self.q.unfinished

    @unfinished_tasks.setter
    def unfinished_tasks(self, Py_ssize_t value):
        self.q.unfinished = value

    @property
    def is_shutdown(self):
        """Whether shutdown() was called."""
        with cython.critical_section(self):     # the same as in qsize()
            return self.q.is_over

    @is_shutdown.setter
    def is_shutdown(self, bint value):
        self.q.is_over = value


# -- the standard library's parts


cdef int move(QueueCore self) except -1:
    """Take the standard library's path from now on. Any thread."""
    cdef Items dropped
    cdef Py_ssize_t i
    if self.q.has_moved:
        return 0
    lock = Lock()
    container = deque() if self.q.order == FIFO else []
    parts = [lock, Condition(lock), Condition(lock), Condition(lock), container]
    append = container.append              # made here: below, nothing may start the collector
    with cython.critical_section(self):
        if not self.q.has_moved:           # no other thread was faster
            for i in range(self.q.items.count):
                append(<object> item_at(&self.q.items, i))
            self.parts = parts
            self.q.has_moved = True
            queue_call_everybody(&self.q)
        dropped = queue_detach(&self.q)
    items_drop(dropped)


cdef object get_part(object self, void* place):
    move(self)
    with cython.critical_section(self):
        parts = (<QueueCore> self).parts
        part = parts[<Py_ssize_t> place] if parts else None
    if part is None:
        raise AttributeError(f"{type(self).__name__}.__init__() was not called")
    return part


cdef int set_part(object self, PyObject* part, void* place) except -1:
    if part == NULL:
        raise AttributeError("a queue can't be without it")
    move(self)
    with cython.critical_section(self):
        (<QueueCore> self).parts[<Py_ssize_t> place] = <object> part


cdef const char** part_names = ["mutex", "not_empty", "not_full", "all_tasks_done", "queue"]
cdef PyGetSetDef[5] part_definitions
cdef Py_ssize_t place
PARTS = []                                 # descriptors of these
for place in range(5):
    part_definitions[place] = PyGetSetDef(part_names[place], get_part, set_part, NULL, <void*> place)
    PARTS.append(PyDescr_NewGetSet(QueueCore, &part_definitions[place]))


# -- the garbage collector, which Cython tells of the attributes that are objects, and of nothing else


cdef int traverse(PyObject* self, visitproc visit, void* argument) noexcept:
    cdef int stop = attributes_traverse(self, visit, argument)
    return stop if stop != 0 else items_visit(&(<QueueCore> self).q.items, visit, argument)


cdef int clear(PyObject* self) noexcept:
    items_drop(queue_detach(&(<QueueCore> self).q))
    return attributes_clear(self)


cdef PyTypeObject* core_type = <PyTypeObject*> QueueCore
cdef traverseproc attributes_traverse = core_type.tp_traverse
cdef inquiry attributes_clear = core_type.tp_clear
core_type.tp_traverse, core_type.tp_clear = traverse, clear
