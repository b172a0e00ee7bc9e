"""The Python side of tests/capi/probe.c: its structs, its functions, and a protocol to use them with."""

import ctypes
from ctypes import c_int, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p
from pathlib import Path

import tocsin

SOURCE = Path(__file__).resolve().parent / "capi" / "probe.c"
NOW = 2**64 - 1


class Bench(tocsin.Protocol):
    pair = tocsin.EventType(0, {"source": "u4", "number": "u4"}, source="source")
    raw = tocsin.EventType(1, max_size=64)


BENCH = Bench(0x70)


class Note(ctypes.Structure):
    _fields_ = (
        ("timestamp", c_uint64),
        ("source", c_uint64),
        ("lost", c_uint64),
        ("address", c_uint64),
        ("size", c_uint32),
        ("protocol", c_uint8),
        ("event", c_uint8),
        ("reserved", c_uint16),
        ("tag", c_uint32),
        ("payload", c_uint8 * 68),
    )

    @property
    def data(self) -> bytes:
        return bytes(self.payload[: self.size])


class Notebook(ctypes.Structure):
    _fields_ = (("count", c_uint32), ("capacity", c_uint32), ("notes", Note * 1024))

    @property
    def seen(self) -> list[Note]:
        return self.notes[: self.count]

    @property
    def tags(self) -> list[int]:
        return [note.tag for note in self.seen]


class Recorder(ctypes.Structure):
    _fields_ = (("book", ctypes.POINTER(Notebook)), ("tag", c_uint32), ("result", c_int))


class Gate(ctypes.Structure):
    _fields_ = (("entered", c_uint32), ("open", c_uint32), ("left", c_uint32))


class Echo(ctypes.Structure):
    _fields_ = (("producer", c_void_p), ("error", c_int))


class Orders(ctypes.Structure):
    _fields_ = (("next", c_uint32 * 16), ("misplaced", c_uint32), ("events", c_uint32))


class Witness(ctypes.Structure):
    _fields_ = (
        ("native_calls", c_uint32),
        ("python_calls", c_uint32),
        ("accepted", c_uint32),
        ("native_seen", c_uint32),
        ("python_seen", c_uint32),
    )


class Probe:
    """The compiled probe: `library` lets the GIL go around calls, `with_gil` keeps it."""

    def __init__(self, path: Path) -> None:
        self.library = ctypes.CDLL(str(path))
        self.with_gil = ctypes.PyDLL(str(path))
        self._notify = self.library.probe_notify
        self._notify.argtypes = [c_void_p, c_uint8, c_void_p, c_uint32, c_uint64]
        self.write = self.library.probe_write
        self.write.argtypes = [c_void_p, c_uint32, c_uint32]
        self.write_interrupted = self.library.probe_write_interrupted
        self.write_interrupted.argtypes = [c_void_p, c_uint32, c_uint32]
        self.notify_and_sleep = self.with_gil.probe_notify_and_sleep
        self.notify_and_sleep.argtypes = [c_void_p, c_void_p, c_uint32, c_uint32]
        self.record = self.library.probe_record
        self.hold = self.library.probe_hold
        self.echo = self.library.probe_echo
        self.check_order = self.library.probe_check_order
        self.witness = self.library.probe_witness

    def notify(
        self,
        producer: tocsin.Producer,
        event: int,
        payload: bytes | None,
        size: int | None = None,
        timestamp: int = NOW,
    ) -> int:
        """Call tocsin_notify()."""
        size = len(payload or b"") if size is None else size
        return self._notify(producer.address, event, payload, size, timestamp)


class Desk:
    """A notebook and the recorders that write in it, kept alive together."""

    def __init__(self, probe: Probe, pipeline: tocsin.Pipeline) -> None:
        self.book = Notebook(capacity=1024)
        self.probe = probe
        self.pipeline = pipeline
        self.recorders: list[Recorder] = []

    def record(self, event: object, tag: int = 0, result: int = 0, **where: int) -> tocsin.Subscription:
        """Subscribe a native recorder that notes events under a tag."""
        recorder = Recorder(ctypes.pointer(self.book), tag, result)
        self.recorders.append(recorder)
        context = ctypes.addressof(recorder)
        return self.pipeline.subscribe_native(event, self.probe.record, context, **where)


def pair(source: int, number: int) -> bytes:
    return source.to_bytes(4, "little") + number.to_bytes(4, "little")
