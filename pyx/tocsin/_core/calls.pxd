"""The calls of Python callables (calls.pyx holds the theory)."""

from libc.stdint cimport uint64_t

from tocsin cimport tocsin_event
from tocsin._core.equeue cimport Stage


cdef void calls_begin(void* context, int gil_state) noexcept
cdef int calls_end(void* context) noexcept
cdef int call_with_event(void* context, const tocsin_event* event) noexcept
cdef int call_with_batch_later(void* context, const tocsin_event* event) noexcept
cdef uint64_t call_batches(Stage* stage) noexcept nogil
cdef void tell(object on_error, object error, object subscription, object argument) noexcept
