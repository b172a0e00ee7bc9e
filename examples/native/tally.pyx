# cython: language_level=3, freethreading_compatible=True
"""A producer and a subscriber in Cython, both without the GIL: `from tocsin cimport` is all it takes.

cythonize -i tally.pyx, with CFLAGS=-I"$(python -c 'import tocsin; print(tocsin.get_include())')"
"""

from libc.stdint cimport uint32_t, uint64_t, uintptr_t

from tocsin cimport TOCSIN_NOW, tocsin_event, tocsin_notify, tocsin_producer


cdef struct Sample:
    uint32_t sensor
    float value


cdef struct Sums:
    uint64_t events
    double total


cdef class Tally:
    """Sum up samples; `context` is what `add` wants to be called with."""

    cdef Sums sums

    @property
    def context(self):
        return <uintptr_t> &self.sums

    @property
    def events(self):
        return self.sums.events

    @property
    def total(self):
        return self.sums.total


# `api` puts it into __pyx_capi__, as a capsule that subscribe_native() takes.
cdef api int add(void* context, const tocsin_event* event) noexcept nogil:
    cdef Sums* sums = <Sums*> context
    sums.events += 1
    sums.total += (<const Sample*> event.payload).value     # payloads are aligned
    return 0


def produce(uintptr_t address, uint32_t count):
    """Notify `count` samples; return how many were accepted."""
    cdef tocsin_producer* producer = <tocsin_producer*> address
    cdef Sample sample
    cdef uint32_t accepted = 0
    cdef uint32_t i
    with nogil:
        for i in range(count):
            sample.sensor = i % 16
            sample.value = 0.5
            accepted += tocsin_notify(producer, 0, &sample, sizeof(sample), TOCSIN_NOW) == 0
    return accepted
