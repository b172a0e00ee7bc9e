# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""Native handles: producers for code that isn't Python, and the addresses of native subscribers.

A producer's block is freed with the core, not with the Python object: native code may hold its address as
long as the pipeline or any handle lives, and gets -ESHUTDOWN from a closed one. It uses the struct of its queue,
which so outlives the registration of the protocol; the ring doesn't. Opening and closing are cold and
serialised by the face.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.exc cimport PyErr_CheckSignals
from cpython.pycapsule cimport PyCapsule_CheckExact, PyCapsule_GetName, PyCapsule_GetPointer, PyCapsule_New
from libc.stdint cimport int64_t, uint8_t, uint64_t, uintptr_t

from tocsin cimport TOCSIN_ABI_VERSION, TOCSIN_NOW, tocsin_functions
from tocsin._core.atomic cimport a32_load_relaxed, a32_store_relaxed
from tocsin._core.bridge cimport gil_is_gone
from tocsin._core.core cimport Core, core_keep, core_release, core_retain, equeue_fault_in, equeue_is_quiet
from tocsin._core.equeue cimport EventsQueue
from tocsin._core.kick cimport kick_is_fast
from tocsin._core.memory cimport memory_alloc
from tocsin._core.notify cimport NotifyCore
from tocsin._core.producer cimport (
    Producer,
    producer_init,
    producer_is_inside,
    producer_notify,
    producer_notify_exclusive,
    producer_notify_shared,
    producer_shut,
)
from tocsin._core.ring cimport ring_close, ring_share, ring_take_over
from tocsin._core.ties cimport StageBridge
from tocsin._core.times cimport deadline_of, slice_until, stamp_of
from tocsin._core.worker cimport workqueue_await_end

import sys

from tocsin.errors import ExclusiveError


cdef const char* PRODUCER_CAPSULE = "tocsin.producer"
cdef tuple SUBSCRIBER_CAPSULES = (b"tocsin.subscriber", b"int (void *, tocsin_event const *)")

cdef tocsin_functions[3] functions      # of shared producers, of exclusive ones, and of these in the sure form
functions[0] = [TOCSIN_ABI_VERSION, sizeof(tocsin_functions), producer_notify_shared]
functions[1] = [TOCSIN_ABI_VERSION, sizeof(tocsin_functions), producer_notify_exclusive]
functions[2] = [TOCSIN_ABI_VERSION, sizeof(tocsin_functions), producer_notify]


cdef void capsule_is_gone(object capsule) noexcept:
    producer_release(<Producer*> PyCapsule_GetPointer(capsule, PRODUCER_CAPSULE))


cdef void producer_release(Producer* producer) noexcept:
    """Let go of the core, except at the interpreter's exit: native threads may go on calling after it."""
    if not gil_is_gone():
        core_release(producer.core)


cdef class ProducerCore:
    """Hold a native producer: what Producer is built on."""

    cdef Producer* producer
    cdef object __weakref__

    def __cinit__(self, *args, **kwargs):
        pass

    cdef Producer* handle(self) except NULL:
        if self.producer == NULL:
            raise RuntimeError("a producer is made by Pipeline.producer()")
        return self.producer

    def _open(self, owner: NotifyCore, protocol: int, exclusive: bool) -> None:
        """Open a producer of a registered protocol. With the face's lock and, as everywhere, the GIL."""
        cdef StageBridge bridge = (<NotifyCore> owner).bridges[protocol]
        cdef EventsQueue* q = bridge.q
        cdef Core* core = (<NotifyCore> owner).core
        cdef int kind
        if a32_load_relaxed(&q.exclusive):
            raise ExclusiveError(
                f"protocol {protocol:#x}: an exclusive producer has the protocol for itself; close it first"
            )
        cdef Producer* producer = <Producer*> memory_alloc(sizeof(Producer))
        if producer == NULL:
            raise MemoryError("no memory for a producer")
        equeue_fault_in(q)
        if core.native.start_late != NULL:
            core.native.start_late(core)         # whoever notifies by a handle can't
        producer_init(producer, q, core, exclusive)
        kind = 0 if not exclusive else 1 if kick_is_fast(&core.native.form) else 2
        producer.handle.functions = &functions[kind]
        core_keep(core, &producer.kept, producer, q)
        core_retain(core)
        self.producer = producer
        if not exclusive:
            if not q.ring.shared:
                ring_share(&q.ring)     # with the GIL, so no locked writer is inside; without one it is shared
            return
        a32_store_relaxed(&q.exclusive, 1)
        ring_close(&q.ring)
        with nogil:
            while not equeue_is_quiet(q):
                workqueue_await_end(&core.native, 100_000)
        ring_take_over(&q.ring)

    def _shut(self) -> None:
        """Answer every later call with -ESHUTDOWN."""
        producer_shut(self.handle())

    def _abandon(self) -> None:
        """Know that nobody is inside: a forked child, in which whoever was is missing."""
        producer_shut(self.handle())
        a32_store_relaxed(&self.producer.inside, 0)

    def _await_left(self, timeout: object) -> bool:
        """Wait until the exclusive producer has left its last call; False: not in time."""
        cdef int64_t deadline = deadline_of(timeout)
        while producer_is_inside(self.handle()):
            if slice_until(deadline) == 0:
                return False
            with nogil:
                workqueue_await_end(&self.producer.core.native, 100_000)
            PyErr_CheckSignals()
        return True

    def _reopen(self) -> None:
        """Let the others in again, after the exclusive producer has left and if the pipeline is open."""
        cdef EventsQueue* q = self.producer.queue
        if not a32_load_relaxed(&q.closed):
            if q.ring.shared:
                ring_share(&q.ring)
            a32_store_relaxed(&q.exclusive, 0)

    @property
    def exclusive(self) -> bool:
        """Whether the producer has its protocol for itself."""
        return self.handle().exclusive

    @property
    def closed(self) -> bool:
        """Whether every call is answered with -ESHUTDOWN."""
        return a32_load_relaxed(&self.handle().closed) != 0 or a32_load_relaxed(&self.producer.queue.closed) != 0

    @property
    def address(self) -> int:
        """The address of the handle, a `tocsin_producer *`."""
        return <uintptr_t> self.handle()

    @property
    def function(self) -> int:
        """The address of `int tocsin_notify(producer, event, payload, size, timestamp)`."""
        return <uintptr_t> self.handle().handle.functions.notify

    @property
    def capsule(self) -> object:
        """The handle as a capsule named "tocsin.producer", which counts as a handle."""
        core_retain(self.handle().core)
        return PyCapsule_New(self.producer, PRODUCER_CAPSULE, capsule_is_gone)

    def _notify(self, event: int, payload: bytes, timestamp: object) -> int:
        cdef uint64_t stamp = TOCSIN_NOW if timestamp is None else stamp_of(timestamp)
        cdef bytes data = payload
        cdef uint8_t number = event
        cdef Producer* producer = self.handle()
        cdef const char* bytes_ = PyBytes_AS_STRING(data)
        if not producer.exclusive:
            return producer_notify(&producer.handle, number, bytes_, PyBytes_GET_SIZE(data), stamp)
        with cython.critical_section(self):      # for one thread; another one does no harm
            return producer_notify(&producer.handle, number, bytes_, PyBytes_GET_SIZE(data), stamp)

    def __dealloc__(self):
        if self.producer != NULL:
            producer_release(self.producer)


def function_address(function: object) -> int:
    """Return the address of a native subscriber: an int, a capsule, or a ctypes function.

    A capsule is named "tocsin.subscriber", or as Cython names that of a cdef function of the right type.
    """
    from _ctypes import CFuncPtr

    cdef const char* name
    if isinstance(function, CFuncPtr):
        address = int.from_bytes(bytes(memoryview(function).cast("B")), sys.byteorder)
    elif PyCapsule_CheckExact(function):
        name = PyCapsule_GetName(function)
        if name == NULL or <bytes> name not in SUBSCRIBER_CAPSULES:
            raise TypeError(
                f"{function!r}: the capsule of a subscriber is named {SUBSCRIBER_CAPSULES[0].decode()!r}, "
                "or by Cython after the type of the function"
            )
        return <uintptr_t> PyCapsule_GetPointer(function, name)
    elif isinstance(function, int) and not isinstance(function, bool):
        address = function
    else:
        raise TypeError(f"a native subscriber is an address, a capsule or a ctypes function, not {function!r}")
    if not 0 < address < 1 << 64:
        raise ValueError(f"{address:#x} is not the address of a function")
    return address
