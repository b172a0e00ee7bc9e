"""Full barriers for everybody, called by one side (barrier.h holds the theory)."""


cdef extern from "tocsin/_core/barrier.h" nogil:
    int barrier_register()
    int barrier_everywhere()
    void barrier_here()
