"""The end of a pipeline (ending.pyx holds the theory)."""

from tocsin._core.core cimport Core


cdef void core_shut(Core* core) noexcept
cdef void core_stop(Core* core, list bridges) noexcept
cdef void bridges_pass(list bridges) noexcept
cdef void channels_end(list channels) noexcept
cdef void pipeline_end(void* core, object kept) noexcept
