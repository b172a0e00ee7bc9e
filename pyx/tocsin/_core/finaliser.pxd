"""What must happen when an object goes, whatever its subclasses do (finaliser.pyx holds the theory)."""

ctypedef void (*finalise_function)(void* target, object kept) noexcept


cdef class Finaliser:
    cdef finalise_function function      # NULL: done
    cdef void* target
    cdef object kept


cdef Finaliser finaliser_new(finalise_function function, void* target, object kept)
cdef void finaliser_run(Finaliser finaliser) noexcept
