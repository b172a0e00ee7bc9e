"""A fifo of bytes, elements or records: one writer, one reader, no lock.

After the kernel's kfifo. Two counters run free: `in_`, how many elements were ever put in, and
`out`, how many were ever taken. The place of an element is its counter AND `mask`; all places are
usable, because full and empty differ in the counters.

Invariant: 0 <= in_ - out <= mask + 1, in modulo-2^64 arithmetic. Counters are never ordered by
"<", only by difference, so neither the wrap at 2^64 nor that of the 32 bits shown outside matters.

Who calls. One thread at a time is the writer, one thread at a time is the reader, and both may run
at the same instant. Only the writer stores `in_`, only the reader stores `out`; handing a role to
another thread is the caller's business and must order the two threads (a lock, a join, the GIL).

Why it is right. Bytes are copied first and the counter moves afterwards by one release, on either
side, so there are two meetings and no others:

  [bytes-ready]  the writer releases `in_` after its copies; the reader that acquires that value
                 sees every byte before it. A record's header and data are behind one such store:
                 half a record is never seen.
  [space-freed]  the reader releases `out` after its copies; the writer that acquires that value
                 may write over everything before it, because the reader no longer looks there.

Caches. Each side keeps its last look at the other's counter (`out_seen`, `in_seen`) and looks again
only when the cache does not suffice. A stale look is safe: it shows less room or fewer bytes than
there are. A cache holds what *this thread* acquired, so it must never be shared: writers that
reserve by CAS, or a second reader in the row, keep their own, or acquire the counter each time.

The queues' ring (ring.pxd) embeds the same struct and shares the counters, the two looks and the
two publications. It pads at the wrap and never splits a record; the operations here split at the
wrap, as the kernel's do.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from tocsin._core.atomic cimport (
    a64,
    a64_load_acquire,
    a64_load_relaxed,
    a64_store_relaxed,
    a64_store_release,
    bytes_get,
    bytes_put,
    shared_bytes,
)


cdef enum:
    # Two cache lines: processors fetch lines in pairs, so neighbours disturb each other as well.
    FIFO_APART = 128


cdef struct Fifo:
    # Constant after fifo_init().
    shared_bytes* data
    uint64_t mask            # elements that fit, minus one
    uint64_t esize           # bytes of one element; 1 in byte fifos, record fifos and rings
    uint8_t _pad0[FIFO_APART]
    # Written by the writer.
    a64 in_
    uint64_t out_seen        # its last look at `out`
    uint8_t _pad1[FIFO_APART]
    # Written by the reader.
    a64 out
    uint64_t in_seen         # its last look at `in_`
    uint8_t _pad2[FIFO_APART]


# ------------------------------------------------------------------ counters, shared with the ring

cdef inline void fifo_init(
    Fifo* fifo, void* data, uint64_t size, uint64_t esize, uint64_t start
) noexcept nogil:
    """Any thread, before the others know of it. `size`: a power of two, in elements."""
    fifo.data = <shared_bytes*> data
    fifo.mask = size - 1
    fifo.esize = esize
    fifo_reset(fifo, start)


cdef inline void fifo_reset(Fifo* fifo, uint64_t start) noexcept nogil:
    """Any thread, while writer and reader are stopped. Empty it, both counters at `start`."""
    # Relaxed: whoever stopped the two sides and starts them again orders them around us.
    a64_store_relaxed(&fifo.in_, start)
    a64_store_relaxed(&fifo.out, start)
    fifo.out_seen = start
    fifo.in_seen = start


cdef inline uint64_t fifo_size(const Fifo* fifo) noexcept nogil:
    """Any thread. Elements that fit."""
    return fifo.mask + 1


cdef inline uint64_t fifo_used(Fifo* fifo) noexcept nogil:
    """Any thread. Elements inside: a lower bound for the reader, an upper one for the writer,
    for others a value that was near the truth a moment ago.
    """
    # `out` first: acquiring it shows us an `in_` at least as new, so the difference isn't negative.
    # `in_` may have run ahead of that old `out` by more than the size: that much is never inside.
    # It is only counted, its bytes are not touched: relaxed.
    cdef uint64_t out = a64_load_acquire(&fifo.out)              # [space-freed]
    cdef uint64_t used = a64_load_relaxed(&fifo.in_) - out
    return used if used <= fifo.mask else fifo.mask + 1


cdef inline uint64_t fifo_avail(Fifo* fifo) noexcept nogil:
    """Any thread. Elements that can still be put in: a lower bound for the writer."""
    return fifo.mask + 1 - fifo_used(fifo)


cdef inline void fifo_publish_in(Fifo* fifo, uint64_t in_) noexcept nogil:
    """Writer only. Everything before `in_` has been written: give it to the reader."""
    a64_store_release(&fifo.in_, in_)                            # [bytes-ready]


cdef inline void fifo_publish_out(Fifo* fifo, uint64_t out) noexcept nogil:
    """Reader only. Nothing before `out` is looked at any more: give the space to the writer."""
    a64_store_release(&fifo.out, out)                            # [space-freed]


cdef inline bint fifo_free_for(Fifo* fifo, uint64_t in_, uint64_t need) noexcept nogil:
    """Writer only. True if `need` elements fit at `in_`; if not, `out_seen` has just been read."""
    if need <= fifo.mask + 1 - (in_ - fifo.out_seen):
        return True
    fifo.out_seen = a64_load_acquire(&fifo.out)                  # [space-freed]
    return need <= fifo.mask + 1 - (in_ - fifo.out_seen)


cdef inline uint64_t fifo_ready_for(Fifo* fifo, uint64_t out, uint64_t want) noexcept nogil:
    """Reader only. Elements ready at `out`; if fewer than `want`, all there are just now."""
    if fifo.in_seen - out < want:
        fifo.in_seen = a64_load_acquire(&fifo.in_)               # [bytes-ready]
    return fifo.in_seen - out


cdef inline uint64_t fifo_ready(Fifo* fifo, uint64_t out) noexcept nogil:
    """Reader only. Elements ready at `out`: 0 only if there are none, else perhaps not yet all."""
    return fifo_ready_for(fifo, out, 1)


# ------------------------------------------------------------------ bytes and elements

cdef inline void fifo_copy_in(
    Fifo* fifo, uint64_t at, const void* source, uint64_t n
) noexcept nogil:
    """Writer only. Copy `n` elements to counter `at`, in two pieces at the wrap; not published."""
    cdef uint64_t offset = (at & fifo.mask) * fifo.esize
    cdef uint64_t length = n * fifo.esize
    cdef uint64_t first = min(length, (fifo.mask + 1) * fifo.esize - offset)
    bytes_put(fifo.data, offset, source, first)
    if first < length:
        bytes_put(fifo.data, 0, <const uint8_t*> source + first, length - first)


cdef inline void fifo_copy_out(
    Fifo* fifo, uint64_t at, void* target, uint64_t n
) noexcept nogil:
    """Reader only. Copy `n` elements from counter `at`, in two pieces at the wrap; not freed."""
    cdef uint64_t offset = (at & fifo.mask) * fifo.esize
    cdef uint64_t length = n * fifo.esize
    cdef uint64_t first = min(length, (fifo.mask + 1) * fifo.esize - offset)
    bytes_get(fifo.data, offset, target, first)
    if first < length:
        bytes_get(fifo.data, 0, <uint8_t*> target + first, length - first)


cdef inline uint64_t fifo_in(Fifo* fifo, const void* source, uint64_t n) noexcept nogil:
    """Writer only. Put in the first elements of `n`, as many as fit: how many."""
    cdef uint64_t in_ = a64_load_relaxed(&fifo.in_)              # our own word
    if not fifo_free_for(fifo, in_, n):
        n = fifo.mask + 1 - (in_ - fifo.out_seen)
    if n:
        fifo_copy_in(fifo, in_, source, n)
        fifo_publish_in(fifo, in_ + n)
    return n


cdef inline uint64_t fifo_peek(Fifo* fifo, void* target, uint64_t n) noexcept nogil:
    """Reader only. Copy at most `n` elements and keep them: how many."""
    cdef uint64_t out = a64_load_relaxed(&fifo.out)              # our own word
    n = min(n, fifo_ready_for(fifo, out, n))
    if n:
        fifo_copy_out(fifo, out, target, n)
    return n


cdef inline uint64_t fifo_out(Fifo* fifo, void* target, uint64_t n) noexcept nogil:
    """Reader only. Take at most `n` elements: how many."""
    n = fifo_peek(fifo, target, n)
    if n:
        fifo_publish_out(fifo, a64_load_relaxed(&fifo.out) + n)
    return n


cdef inline bint fifo_skip(Fifo* fifo, uint64_t n) noexcept nogil:
    """Reader only. Drop `n` elements unseen, or none and False if fewer are there."""
    cdef uint64_t out = a64_load_relaxed(&fifo.out)              # our own word
    if fifo_ready_for(fifo, out, n) < n:
        return False
    fifo_publish_out(fifo, out + n)
    return True


cdef inline void fifo_reset_out(Fifo* fifo) noexcept nogil:
    """Reader only. Drop everything that is there now; what the writer adds meanwhile survives."""
    fifo.in_seen = a64_load_acquire(&fifo.in_)                   # [bytes-ready]
    fifo_publish_out(fifo, fifo.in_seen)


# ------------------------------------------------------------------ records
# A length of `recsize` bytes (1 or 2, little-endian), then the data. The length may be split at
# the wrap like everything else. Invariant: between `out` and `in_` lie whole records only.

cdef inline uint64_t record_limit(uint32_t recsize) noexcept nogil:
    """Any thread. The longest record that the length before it can express."""
    return 0xFF if recsize == 1 else 0xFFFF


cdef inline uint64_t record_avail(Fifo* fifo, uint32_t recsize) noexcept nogil:
    """Any thread. The longest record that fits now: a lower bound for the writer."""
    cdef uint64_t room = fifo_avail(fifo)
    return min(room - recsize, record_limit(recsize)) if room > recsize else 0


cdef inline bint record_in(
    Fifo* fifo, const void* source, uint64_t n, uint32_t recsize
) noexcept nogil:
    """Writer only. Put in one record of `n` bytes, 0 included, whole; or nothing and False."""
    cdef uint64_t in_ = a64_load_relaxed(&fifo.in_)              # our own word
    cdef uint8_t length[2]
    if n > record_limit(recsize) or not fifo_free_for(fifo, in_, recsize + n):
        return False
    length[0] = <uint8_t> (n & 0xFF)
    length[1] = <uint8_t> (n >> 8)
    fifo_copy_in(fifo, in_, length, recsize)
    if n:
        fifo_copy_in(fifo, in_ + recsize, source, n)
    fifo_publish_in(fifo, in_ + recsize + n)
    return True


cdef inline bint record_peek_len(Fifo* fifo, uint64_t* n, uint32_t recsize) noexcept nogil:
    """Reader only. Give the length of the next record; False if there is none."""
    cdef uint64_t out = a64_load_relaxed(&fifo.out)              # our own word
    cdef uint8_t length[2]
    if fifo_ready(fifo, out) == 0:
        return False
    # Records are published whole: if anything is ready, the first record is.
    length[1] = 0
    fifo_copy_out(fifo, out, length, recsize)
    n[0] = length[0] | <uint16_t> length[1] << 8
    return True


cdef inline uint64_t record_peek(
    Fifo* fifo, void* target, uint64_t n, uint32_t recsize
) noexcept nogil:
    """Reader only. Copy at most `n` bytes of the next record and keep it: how many."""
    cdef uint64_t length
    if not record_peek_len(fifo, &length, recsize):
        return 0
    n = min(n, length)
    if n:
        fifo_copy_out(fifo, a64_load_relaxed(&fifo.out) + recsize, target, n)
    return n


cdef inline bint record_skip(Fifo* fifo, uint32_t recsize) noexcept nogil:
    """Reader only. Drop the next record; False if there is none."""
    cdef uint64_t length
    if not record_peek_len(fifo, &length, recsize):
        return False
    fifo_publish_out(fifo, a64_load_relaxed(&fifo.out) + recsize + length)
    return True


cdef inline uint64_t record_out(
    Fifo* fifo, void* target, uint64_t n, uint32_t recsize
) noexcept nogil:
    """Reader only. Copy at most `n` bytes of the next record and drop all of it: how many."""
    n = record_peek(fifo, target, n, recsize)
    record_skip(fifo, recsize)  # False only if there was none: n is 0 then as well
    return n
