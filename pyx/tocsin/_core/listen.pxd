"""The half of a pipeline that listens with channels (listen.pyx holds the theory)."""

from tocsin._core.notify cimport NotifyCore


cdef class ListenCore(NotifyCore):
    cdef list channels        # the open ones
    cdef list mains           # the readers of some of them
    cdef object on_error

    cdef void mains_pass(self) noexcept
    cdef void mains_go_on(self) noexcept
    cdef void leave_mains(self) noexcept
