"""Clocks, in nanoseconds (clock.h)."""

from libc.stdint cimport uint64_t


cdef extern from "tocsin/_core/clock.h" nogil:
    enum:
        CLOCK_KIND_MONOTONIC
        CLOCK_KIND_BOOTTIME
        CLOCK_KIND_REALTIME
        SPIN_LOOKS

    uint64_t clock_now(int kind)
    uint64_t clock_monotonic()
