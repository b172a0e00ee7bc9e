"""One writer and one reader of each kind of fifo, as functions for threads of a C program.

It compiles the text of kfifo.pxd itself, without Python at run time, for ThreadSanitizer: every
byte is copied plainly, so a missing release or acquire is a data race that it reports.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc
from libc.string cimport memset

from tocsin._core.kfifo cimport (
    Fifo, fifo_in, fifo_init, fifo_out, fifo_skip, record_in, record_out, record_peek_len,
)

cdef struct Course:
    Fifo fifo
    uint64_t total
    uint64_t wrong
    uint8_t memory[64]


cdef public void* course_new(uint64_t esize, uint64_t total) noexcept nogil:
    """Make a fifo of 64 bytes whose counters wrap at 2^64 after a hundred elements."""
    cdef Course* course = <Course*> calloc(1, sizeof(Course))
    fifo_init(&course.fifo, course.memory, 64 // esize, esize, <uint64_t> -100)
    course.total = total
    return course


cdef public uint64_t course_wrong(void* course) noexcept nogil:
    return (<Course*> course).wrong


cdef public void* bytes_writer(void* argument) noexcept nogil:
    cdef Course* course = <Course*> argument
    cdef uint64_t done = 0, i
    cdef uint8_t chunk[23]
    while done < course.total:
        for i in range(23):
            chunk[i] = <uint8_t> (done + i)
        done += fifo_in(&course.fifo, chunk, min(<uint64_t> 23, course.total - done))


cdef public void* bytes_reader(void* argument) noexcept nogil:
    cdef Course* course = <Course*> argument
    cdef uint64_t done = 0, n, i
    cdef uint8_t chunk[17]
    while done < course.total:
        n = fifo_out(&course.fifo, chunk, 17)
        for i in range(n):
            course.wrong += chunk[i] != <uint8_t> (done + i)
        done += n
        if n == 0 and fifo_skip(&course.fifo, 1):
            done += 1


cdef public void* words_writer(void* argument) noexcept nogil:
    cdef Course* course = <Course*> argument
    cdef uint64_t done = 0
    cdef uint32_t word
    while done < course.total:
        word = <uint32_t> done * 0x10001
        done += fifo_in(&course.fifo, &word, 1)


cdef public void* words_reader(void* argument) noexcept nogil:
    cdef Course* course = <Course*> argument
    cdef uint64_t done = 0, n, i
    cdef uint32_t words[5]
    while done < course.total:
        n = fifo_out(&course.fifo, words, 5)
        for i in range(n):
            course.wrong += words[i] != <uint32_t> (done + i) * 0x10001
        done += n


cdef public void* records_writer(void* argument) noexcept nogil:
    cdef Course* course = <Course*> argument
    cdef uint64_t done = 0
    cdef uint8_t record[19]
    while done < course.total:
        memset(record, <int> (done & 0xFF), 19)
        done += record_in(&course.fifo, record, done % 20, 1)


cdef public void* records_reader(void* argument) noexcept nogil:
    cdef Course* course = <Course*> argument
    cdef uint64_t done = 0, n, i
    cdef uint8_t record[19]
    while done < course.total:
        if not record_peek_len(&course.fifo, &n, 1):
            continue
        course.wrong += n != done % 20
        n = record_out(&course.fifo, record, 19, 1)
        for i in range(n):
            course.wrong += record[i] != <uint8_t> done
        done += 1
