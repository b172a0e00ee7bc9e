# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""Python views of the fifos in kfifo.pxd: bytes, elements of one type, records.

Who calls: one thread that writes (in_, put) and one that reads (out, peek, peek_len, skip, get, reset_out).
`reset` needs both sides stopped; anybody may ask the properties. What touches a fifo is in its critical section,
so more threads than that may be served in a strange order, but memory stays whole. Arguments are converted before
the fifo is touched: an exception leaves it as it was. Semantics are the kernel's; what it leaves undefined or lets
corrupt the stream (skipping what is not there, a record too long for its length bytes) raises.
"""

from struct import Struct, error as StructError

cimport cython
from cpython cimport (
    PyBUF_SIMPLE, PyBuffer_Release, PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyFloat_AsDouble,
    PyNumber_Index, PyObject_CheckBuffer, PyObject_GetBuffer,
)
from libc.stdint cimport UINT64_MAX, int64_t, uint32_t, uint64_t

from tocsin._core.atomic cimport a64_load_relaxed
from tocsin._core.kfifo cimport (
    Fifo, fifo_avail, fifo_in, fifo_init, fifo_out, fifo_peek, fifo_ready_for, fifo_reset,
    fifo_reset_out, fifo_size, fifo_skip, fifo_used, record_avail, record_in, record_limit, record_out,
    record_peek, record_peek_len, record_skip,
)
from tocsin._core.memory cimport memory_alloc, memory_free

cdef enum:
    MAX_SIZE = 1 << 30  # bytes


cdef uint64_t int_from(object v, str name, object low, object high) except? 0xFFFFFFFF:
    """An int within its limits. Any thread."""
    v = PyNumber_Index(v)
    if not low <= v <= high:
        raise ValueError(f"{name} must be {low} to {high}, not {v}")
    return v


cdef int fifo_allocate(Fifo* fifo, object size, uint64_t esize, object start) except -1:
    """Check, round up and allocate. Any thread, before the others know of it."""
    cdef uint64_t wanted = int_from(size, "size", 2, MAX_SIZE // esize)
    cdef uint64_t begin = int_from(start, "start", 0, UINT64_MAX), rounded = 2
    while rounded < wanted:
        rounded *= 2
    cdef void* memory = memory_alloc(rounded * esize)
    if memory == NULL:
        raise MemoryError(f"no memory for a fifo of {rounded * esize} bytes")
    fifo_init(fifo, memory, rounded, esize, begin)


cdef uint64_t fifo_in_buffer(FifoBase self, object data) except? 0xFFFFFFFF:
    """Writer only. fifo_in() of a contiguous buffer."""
    cdef Py_buffer view
    cdef uint64_t stored
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    with cython.critical_section(self):
        stored = fifo_in(&self.fifo, view.buf, view.len // self.fifo.esize)
    PyBuffer_Release(&view)
    return stored


cdef bytes fifo_bytes(FifoBase self, object n, bint take):
    """Reader only. fifo_out() or fifo_peek() of at most `n` elements."""
    cdef Fifo* fifo = &self.fifo
    cdef uint64_t wanted = int_from(n, "n", 0, UINT64_MAX)
    with cython.critical_section(self):
        wanted = min(wanted, fifo_ready_for(fifo, a64_load_relaxed(&fifo.out), wanted))
        result = PyBytes_FromStringAndSize(NULL, wanted * fifo.esize)
        (fifo_out if take else fifo_peek)(fifo, PyBytes_AS_STRING(result), wanted)
    return result


cdef int64_t record_in_buffer(FifoBase self, object data, uint32_t recsize) except -2:
    """Writer only. record_in() of a contiguous buffer: its length, or -1 if there is no room."""
    cdef Py_buffer view
    cdef bint stored
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    cdef int64_t n = view.len
    with cython.critical_section(self):
        stored = record_in(&self.fifo, view.buf, n, recsize)
    PyBuffer_Release(&view)
    if n > <int64_t> record_limit(recsize):
        raise ValueError(f"recsize {recsize} limits a record to {record_limit(recsize)}, not {n}")
    return n if stored else -1


cdef bytes record_bytes(FifoBase self, object n, uint32_t recsize, bint take):
    """Reader only. record_out() or record_peek() of at most `n` bytes; None if there is none."""
    cdef uint64_t wanted = int_from(n, "n", 0, UINT64_MAX), length
    with cython.critical_section(self):
        if not record_peek_len(&self.fifo, &length, recsize):
            return None
        wanted = min(wanted, length)
        result = PyBytes_FromStringAndSize(NULL, wanted)
        (record_out if take else record_peek)(&self.fifo, PyBytes_AS_STRING(result), wanted, recsize)
    return result


cdef class FifoBase:
    """Own a fifo's memory, 2 bytes to 1 GiB: what the kinds have in common; has none by itself."""
    cdef Fifo fifo

    def __dealloc__(self):
        memory_free(self.fifo.data)

    def __len__(self) -> int:
        """Count what is inside: elements, in a record fifo bytes with their length headers."""
        return fifo_used(&self.fifo)

    def __repr__(self) -> str:
        in_, out = self.counters
        return f"<{type(self).__name__} {len(self)} of {self.size} used, in={in_} out={out}>"

    @property
    def size(self) -> int:
        """Elements that fit, a power of two; bytes in a record fifo."""
        return fifo_size(&self.fifo)

    @property
    def avail(self) -> int:
        """Elements that can still be put in. Any thread; exact for the writer or a lower bound."""
        return fifo_avail(&self.fifo)

    @property
    def is_empty(self) -> bool:
        """True if nothing is inside. Any thread."""
        return fifo_used(&self.fifo) == 0

    @property
    def is_full(self) -> bool:
        """True if no element more fits. Any thread."""
        return fifo_avail(&self.fifo) == 0

    @property
    def counters(self) -> tuple[int, int]:
        """What went in and out, counted from `start`, modulo 2**32: two looks. Any thread."""
        cdef uint32_t out = a64_load_relaxed(&self.fifo.out)
        return <uint32_t> a64_load_relaxed(&self.fifo.in_), out

    @cython.critical_section
    def reset(self) -> None:
        """Empty it and set both counters to 0. Only while writer and reader are stopped."""
        fifo_reset(&self.fifo, 0)

    @cython.critical_section
    def reset_out(self) -> None:
        """Drop everything that is there now. Reader only; the writer may run."""
        fifo_reset_out(&self.fifo)

    @cython.critical_section
    def skip(self, n: int = 1) -> None:
        """Drop `n` elements. Reader only. Empty: IndexError; fewer there: ValueError, none goes."""
        if not fifo_skip(&self.fifo, int_from(n, "n", 0, UINT64_MAX)):
            ready = self.fifo.in_seen - a64_load_relaxed(&self.fifo.out)
            message = f"skip of {n} from a fifo that holds {ready}"
            raise ValueError(message) if ready else IndexError(message)

    def peek_len(self) -> int:
        """Bytes inside. Reader only."""
        return fifo_used(&self.fifo) * self.fifo.esize


cdef class Kfifo(FifoBase):
    """A fifo of bytes. `size` is rounded up to a power of two; `start` places both counters."""

    def __cinit__(self, size: int, *, start: int = 0):
        fifo_allocate(&self.fifo, size, 1, start)

    def in_(self, data: Buffer) -> int:
        """Put in the first bytes of `data`, as many as fit: how many. Writer only."""
        return fifo_in_buffer(self, data)

    def out(self, n: int) -> bytes:
        """Take at most `n` bytes. Reader only."""
        return fifo_bytes(self, n, True)

    def peek(self, n: int) -> bytes:
        """Copy at most `n` bytes and keep them. Reader only."""
        return fifo_bytes(self, n, False)

    def put(self, v: int) -> bool:
        """Put in one byte, 0 to 255; False if full. Writer only."""
        return fifo_in_buffer(self, bytes((int_from(v, "a byte", 0, 255),))) == 1

    def get(self) -> int:
        """Take one byte. Reader only. Empty: IndexError."""
        for byte in fifo_bytes(self, 1, True):
            return byte
        raise IndexError("get from an empty fifo")


cdef class TypedFifo(FifoBase):
    """A fifo of numbers: `format` is "i" or "u" and 1, 2, 4, 8 bytes, or "f" and 2, 4, 8.

    Little-endian; "<i4" is "i4". `size` is in elements, rounded up to a power of two.
    """

    cdef readonly str format
    cdef object codec  # Struct of one element

    def __cinit__(self, size: int, str format not None, *, start: int = 0):
        codes = {"i1": "b", "i2": "h", "i4": "i", "i8": "q", "u1": "B", "u2": "H", "u4": "I",
                 "u8": "Q", "f2": "e", "f4": "f", "f8": "d"}
        self.format = format[1:] if format[:1] in ("<", "|") else format
        if self.format not in codes:
            raise ValueError(f"format must be one of {', '.join(codes)}, not {format!r}")
        self.codec = Struct("<" + codes[self.format])
        fifo_allocate(&self.fifo, size, self.codec.size, start)

    cdef bytes pack(self, object v):
        """Any thread. The bytes of one element."""
        try:
            return self.codec.pack(PyFloat_AsDouble(v) if self.format[0] == "f" else PyNumber_Index(v))
        except (StructError, OverflowError):
            raise ValueError(f"{v} exceeds the {self.codec.size} bytes of {self.format}") from None

    cdef list values(self, object n, bint take):
        """Reader only. fifo_out() or fifo_peek() of at most `n` values."""
        return [v for v, in self.codec.iter_unpack(fifo_bytes(self, n, take))]

    def in_(self, data: Iterable[float]) -> int:
        """Put in the first of the values, as many as fit: how many. Writer only."""
        return fifo_in_buffer(self, b"".join([self.pack(v) for v in data]))

    def out(self, n: int) -> list[Any]:
        """Take at most `n` values. Reader only."""
        return self.values(n, True)

    def peek(self, n: int) -> list[Any]:
        """Copy at most `n` values and keep them. Reader only."""
        return self.values(n, False)

    def put(self, v: float) -> bool:
        """Put in one value; False if full. Writer only."""
        return fifo_in_buffer(self, self.pack(v)) == 1

    def get(self) -> Any:
        """Take one value. Reader only. Empty: IndexError."""
        for v in self.values(1, True):
            return v
        raise IndexError("get from an empty fifo")


cdef class RecordFifo(FifoBase):
    """A fifo of records behind 1 or 2 (`recsize`) bytes of length; `size` in bytes, rounded up."""

    cdef readonly uint32_t recsize

    def __cinit__(self, size: int, recsize: int, *, start: int = 0):
        self.recsize = int_from(recsize, "recsize", 1, 2)
        fifo_allocate(&self.fifo, size, 1, start)

    @property
    def avail(self) -> int:
        """Length of the longest record that fits now, its length bytes not counted. Any thread."""
        return record_avail(&self.fifo, self.recsize)

    def in_(self, data: Buffer) -> int:
        """Put in one record whole: its length, or 0 if there is no room. Writer only.

        An empty record is legal and gives 0 as well: put() tells. Above 255 or 65535: ValueError.
        """
        return max(0, record_in_buffer(self, data, self.recsize))

    def out(self, n: int) -> bytes:
        """Take the next record and give at most `n` bytes of it, the rest is lost. Reader only."""
        return record_bytes(self, n, self.recsize, True) or b""

    def peek(self, n: int) -> bytes:
        """Copy at most `n` bytes of the next record and keep it. Reader only."""
        return record_bytes(self, n, self.recsize, False) or b""

    def put(self, v: Buffer | int) -> bool:
        """Put in one record, the bytes of `v` or one byte; False if no room. Writer only."""
        data = v if PyObject_CheckBuffer(v) else bytes((int_from(v, "a byte", 0, 255),))
        return record_in_buffer(self, data, self.recsize) >= 0

    def get(self) -> bytes:
        """Take the next record whole. Reader only. None there: IndexError."""
        record = record_bytes(self, MAX_SIZE, self.recsize, True)
        if record is not None:
            return record
        raise IndexError("get from an empty fifo")

    @cython.critical_section
    def skip(self, n: int = 1) -> None:
        """Drop one record: one whatever `n` is, as the kernel. Reader only. Empty: IndexError."""
        int_from(n, "n", 0, UINT64_MAX)
        if not record_skip(&self.fifo, self.recsize):
            raise IndexError(f"skip of {n} from a fifo that holds 0")

    @cython.critical_section
    def peek_len(self) -> int:
        """Length of the next record. Reader only. None there: IndexError."""
        cdef uint64_t length
        if record_peek_len(&self.fifo, &length, self.recsize):
            return length
        raise IndexError("peek_len of an empty fifo")
