"""The calls of Python callables (calls.pyx holds the theory)."""

from tocsin cimport tocsin_event
from tocsin._core.ties cimport Member, StageBridge


cdef void calls_begin(void* context, int gil_state) noexcept
cdef int calls_end(void* context) noexcept
cdef int call_with_event(Member member, const tocsin_event* record) noexcept
cdef int invoke(StageBridge bridge, Member member, object argument) noexcept
cdef void report(StageBridge bridge, Member member, object error, object argument) noexcept
cdef void tell(object on_error, object error, object subscription, object argument) noexcept
