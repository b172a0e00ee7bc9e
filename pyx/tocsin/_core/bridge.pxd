"""The GIL door (bridge.pyx holds the theory)."""

from tocsin._core.equeue cimport Stage
from tocsin._core.workqueue cimport WorkQueue


cdef bint exit_has_begun() noexcept nogil
cdef bint gil_is_gone() noexcept nogil
cdef bint gil_hold_open() noexcept nogil
cdef void gil_may_close() noexcept nogil
cdef int gil_take(WorkQueue* wq) noexcept nogil
cdef void gil_give(int state) noexcept nogil
cdef bint bridge_enter(Stage* stage) noexcept nogil
cdef void bridge_leave(Stage* stage) noexcept nogil
cdef void bridge_install(WorkQueue* wq) noexcept
