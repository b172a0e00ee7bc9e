"""Native threads, a lock for cold paths, and bells to sleep on (thread.h holds the theory)."""

from libc.stdint cimport int64_t, uint32_t, uint64_t


cdef extern from "tocsin/_core/thread.h" nogil:
    ctypedef struct lock_t:
        pass
    ctypedef struct bell_t:
        pass
    ctypedef void (*thread_function)(void* argument) noexcept nogil
    ctypedef void (*fork_function)() noexcept nogil

    void lock_init(lock_t* lock)
    void lock_destroy(lock_t* lock)
    void lock_take(lock_t* lock)
    void lock_drop(lock_t* lock)

    void bell_init(bell_t* bell, bint portable)
    void bell_destroy(bell_t* bell)
    uint32_t bell_look(const bell_t* bell)
    void bell_park(bell_t* bell, uint32_t seen, int64_t timeout)
    void bell_ring(bell_t* bell, int sleepers)

    void descriptor_ring(int descriptor)

    uint64_t thread_self()
    uint32_t process_self()
    int process_at_fork(fork_function before, fork_function in_parent, fork_function in_child)
    int thread_start(const char* name, thread_function function, void* argument)


cdef enum:
    EVERYONE = 0x7FFFFFFF
