"""The fifos, usable alone: bytes, elements of one type, records. After the kernel's kfifo.

One thread that puts in and one that takes out need no lock between them; more on either side need one among
themselves. Thin classes over the backend's, so that they can be subclassed and patched.
"""

from tocsin import backend

__all__ = ["Kfifo", "RecordFifo", "TypedFifo"]


class Kfifo(backend.Kfifo):
    """A fifo of bytes: ``Kfifo(size, *, start=0)``.

    size is rounded up to a power of two, 2 bytes to 1 GiB; start places the free-running counters.
    """


class TypedFifo(backend.TypedFifo):
    """A fifo of numbers: ``TypedFifo(size, format, *, start=0)``.

    format is "i" or "u" and 1, 2, 4 or 8 bytes, or "f" and 2, 4 or 8; size is in elements.
    """


class RecordFifo(backend.RecordFifo):
    """A fifo of records, each behind a length: ``RecordFifo(size, recsize, *, start=0)``.

    recsize is 1 or 2 bytes, for records of up to 255 or 65535; size is in bytes and counts lengths.
    """
