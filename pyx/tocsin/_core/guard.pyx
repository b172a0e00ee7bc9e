# Annotations here are for readers only: taken as C types they would let int accept 2.0.
# cython: annotation_typing=False
"""A lock that is let go whatever happens: for `with` blocks where there may be no memory.

`threading.RLock` is left by a call that takes its arguments in a tuple. Where there is no memory for one the call
fails, the lock stays taken, and every other thread waits for ever. Leaving this takes none. As with the lock
itself no signal is answered between taking it and being in the block. Any thread.
"""


cdef class Guard:
    """Hold a lock for the length of a `with` block."""

    cdef object lock

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.lock.release()

    def acquire(self, timeout: float = -1) -> bool:
        """Take the lock, as before a fork, for longer than a block; False: not in so many seconds."""
        return self.lock.acquire(timeout=timeout)

    def release(self) -> None:
        """Let the lock go."""
        self.lock.release()


def guard(lock: object) -> Guard:
    """Return what holds an RLock for the length of a `with` block."""
    cdef Guard made = Guard.__new__(Guard)
    made.lock = lock
    return made
