"""EventHeader.unpack(): any bytes, in any kind of buffer; the same on both backends."""

import array
import pickle
from typing import Any

from twins import load, outcome

HEADERS = [load(name).backend.EventHeader for name in ("cython", "python")]
BUFFERS: list[Any] = [
    bytes,
    bytearray,
    memoryview,
    lambda data: memoryview(data)[1:],
    lambda data: memoryview(data)[::2],
    lambda data: array.array("B", data),
]


def one(data: bytes) -> None:
    kind, head = data[:1] or b"\0", data[1:]
    buffer = BUFFERS[kind[0] % len(BUFFERS)](head)
    shown = [outcome(lambda: header.unpack(buffer)) for header in HEADERS]  # noqa: B023
    assert repr(shown[0]) == repr(shown[1])
    if not isinstance(shown[0], HEADERS[0]):
        return
    for header in shown:
        assert header.pack() == bytes(buffer)[:16]
        assert header == type(header).unpack(header.pack())
        assert hash(header) == hash(type(header).unpack(bytes(buffer)))
        assert 0 <= header.size < 1 << 24
        assert header.flags < 256
    assert pickle.loads(pickle.dumps(shown[0])) == shown[0]
