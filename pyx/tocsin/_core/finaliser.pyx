"""What must happen when an object goes, whatever its subclasses do.

The garbage collector finalises all objects of a cycle before it clears any of them; so a finaliser is the last
moment at which an object is whole, and where workers may be looking at it, it must be cut off then. But a
`__del__` of a Python subclass replaces that of its base, which is not called unless it is asked to. So what must
happen stands in an object of its own, of a class that nobody can subclass and that nobody else refers to: it is
part of every cycle of its owner. Where there is no cycle the owner runs it in `__dealloc__`. With the GIL; on
free-threaded builds, too, an object that goes has one thread that takes it away.
"""

cimport cython


@cython.final
cdef class Finaliser:
    """Run a function once, when its owner goes."""

    def __del__(self):
        finaliser_run(self)


cdef Finaliser finaliser_new(finalise_function function, void* target, object kept):
    """Make one for its owner. target: what the owner keeps alive at least until then."""
    cdef Finaliser finaliser = Finaliser.__new__(Finaliser)
    finaliser.function = function
    finaliser.target = target
    finaliser.kept = kept
    return finaliser


cdef void finaliser_run(Finaliser finaliser) noexcept:
    """Have it done now, unless it was done. None: the collector has been here, and it was."""
    cdef finalise_function function
    if finaliser is not None and finaliser.function != NULL:
        function = finaliser.function
        finaliser.function = NULL
        function(finaliser.target, finaliser.kept)
        finaliser.kept = None
