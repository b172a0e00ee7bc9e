"""The native API for `cimport`: what stands here is promised, nothing else under tocsin is.

Compile with include_dirs=[tocsin.get_include()].
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t


cdef extern from "tocsin.h" nogil:
    enum:
        TOCSIN_ABI_VERSION
        TOCSIN_STOP
    const uint64_t TOCSIN_NOW

    ctypedef struct tocsin_event:
        uint64_t timestamp
        uint64_t source
        uint64_t lost
        const void* payload
        uint32_t size
        uint8_t protocol
        uint8_t event
        uint16_t reserved

    ctypedef int (*tocsin_subscriber)(void* context, const tocsin_event* event) noexcept nogil

    ctypedef struct tocsin_producer:
        const tocsin_functions* functions

    ctypedef struct tocsin_functions:
        uint32_t abi_version
        uint32_t size
        int (*notify)(
            tocsin_producer* producer, uint8_t event, const void* payload, uint32_t size,
            uint64_t timestamp,
        ) noexcept nogil

    int tocsin_notify(
        tocsin_producer* producer, uint8_t event, const void* payload, uint32_t size, uint64_t timestamp
    )
