"""The native helpers: compiled with cc (and c++, for Boost) when they are first wanted."""

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tocsin
from benchmarks.worlds import BENCH, PATIENCE, PAYLOAD
from tocsin import backend

HERE = Path(__file__).parent
NOW = (1 << 64) - 1
U64, POINTER = ctypes.c_uint64, ctypes.c_void_p


# -- building


def build(source: Path, folder: Path, *flags: str) -> Path:
    """Compile a source to a shared library in `folder`, as C11 or C++17."""
    target = folder / f"{source.stem}.so"
    plus = source.suffix == ".cpp"
    language = ["-std=c++17", "-pthread"] if plus else ["-std=c11", "-D_GNU_SOURCE"]
    options = [*language, "-O2", "-shared", "-fPIC", f"-I{tocsin.get_include()}", *flags]
    command = [str(compiler(plus)), *options, str(source), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{source.name} doesn't compile:\n{done.stderr}")
    return target


def compiler(plus: bool = False) -> str | None:
    """Return the C compiler, or the one for C++; None: there is none."""
    return shutil.which(os.environ.get("CXX", "c++") if plus else os.environ.get("CC", "cc"))


def loaded(source: Path, *flags: str) -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        return ctypes.CDLL(str(build(source, Path(folder), *flags)))


@functools.cache
def helper() -> Any:
    """Compile and load native.c."""
    library = loaded(HERE / "native.c")
    u32, event, text = ctypes.c_uint32, ctypes.c_uint8, ctypes.c_char_p
    for name, arguments in {
        "produce": [POINTER, U64, event, text, u32, u32, U64],
        "await_arrivals": [POINTER, U64, U64],
        "flood": [POINTER, event, text, u32, POINTER],
        "send_alone": [POINTER, U64, event, text, u32, POINTER, U64, ctypes.c_int, U64],
        "burn": [POINTER],
        "raise_flags": [U64, U64, POINTER],
        "ask_for_calls": [POINTER, U64, U64, POINTER, ctypes.c_int, U64],
        "read_lines": [POINTER, U64, U64],
        "write_records": [POINTER, U64, U64, text, ctypes.c_int],
        "copy_columns": [POINTER, U64, U64, POINTER, U64],
    }.items():
        function = getattr(library, name)
        function.restype, function.argtypes = ctypes.c_int64, arguments
    return library


# -- needs of a case


@functools.cache
def here() -> str | None:
    """Say why there can be no native side; None: there can."""
    if backend.name != "cython":
        return "the backend in plain Python has no native side"
    return None if compiler() else "no C compiler: cc, or what $CC names"


@functools.cache
def boost() -> Any:
    """Compile and load spsc.cpp: a library, or the reason why there is none."""
    if compiler(plus=True) is None:
        return "no C++ compiler: c++, or what $CXX names"
    try:
        library = loaded(HERE / "spsc.cpp")
    except RuntimeError as error:
        missing = "boost/version.hpp" in str(error) or "spsc_queue.hpp" in str(error)
        return "Boost's headers are not installed (libboost-dev)" if missing else str(error)
    for kind in ("spsc", "shared", "hops"):
        opening, closing, run = (getattr(library, f"{kind}_{name}") for name in ("open", "close", "run"))
        opening.restype, opening.argtypes = POINTER, []
        closing.restype, closing.argtypes = None, [POINTER]
        run.restype = ctypes.c_int64
        run.argtypes = [POINTER, U64, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_char_p]
    return library


def boost_here() -> str | None:
    library = boost()
    return library if isinstance(library, str) else None


# -- many events


class Arrivals(ctypes.Structure):
    """How many are still to come, and when the last one came. Keep it while native code may use it."""

    _fields_ = (("left", U64), ("ended", U64), ("stamps", U64))

    def expect(self, n: int) -> None:
        self.left, self.ended = n, 0

    def wait(self, began: int) -> int:
        """Give the ns from `began` until the last one came."""
        elapsed = helper().await_arrivals(ctypes.addressof(self), began, int(PATIENCE * 1e9))
        if elapsed < 0:
            raise TimeoutError(f"{self.left} never came")
        return int(elapsed)


def arrivals(pipeline: tocsin.Pipeline, event: Any) -> Arrivals:
    """Subscribe a C function that counts and does nothing else."""
    counter = Arrivals()
    pipeline.subscribe_native(event, helper().arrive, ctypes.addressof(counter))
    return counter


def produce(
    producer: tocsin.Producer,
    n: int,
    timestamp: int = NOW,
    event: tocsin.EventType[Any] = BENCH.raw,
    payloads: bytes = PAYLOAD,
) -> int:
    """Notify n events from this thread without the GIL; when that began, in ns."""
    size = len(PAYLOAD)
    count = len(payloads) // size
    return failed(helper().produce(producer.address, n, event.id, payloads, count, size, timestamp))


def failed(result: int) -> int:
    """Give a result back, unless it is the number of an error."""
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return int(result)


@contextmanager
def other_core_busy() -> Iterator[None]:
    """Have a native thread compute meanwhile, on nothing, without the GIL."""
    stop = ctypes.c_uint32()
    thread = threading.Thread(target=helper().burn, args=(ctypes.addressof(stop),), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.value = 1
        thread.join(PATIENCE)


# -- lone events


class Lone(ctypes.Structure):
    """Room for the ns that each of n lone events waited. A Python handler counts `arrived` up itself."""

    _fields_ = (("arrived", U64), ("waits", POINTER))

    def expect(self, n: int) -> None:
        self.room = (U64 * n)()
        self.waits, self.arrived = ctypes.addressof(self.room), 0

    def send(self, producer: tocsin.Producer, n: int, gap: int, *, asleep: bool) -> list[int]:
        """Send n events alone, without the GIL, `gap` ns or up to a half more apart; the ns each waited."""
        patience = int(PATIENCE * 1e9)
        size = len(PAYLOAD)
        send = helper().send_alone
        if failed(
            send(
                producer.address,
                n,
                BENCH.raw.id,
                PAYLOAD,
                size,
                ctypes.addressof(self),
                gap,
                asleep,
                patience,
            )
        ):
            raise TimeoutError("an event never came")
        return list(self.room)


@contextmanager
def lone(pipeline: tocsin.Pipeline) -> Iterator[Any]:
    """Subscribe a C function that stamps lone events; yield a run(n, gap, asleep)."""
    waits = Lone()
    pipeline.subscribe_native(BENCH.raw, helper().arrive_alone, ctypes.addressof(waits))
    with pipeline.producer(BENCH) as producer:

        def run(n: int, gap: int, *, asleep: bool) -> list[int]:
            waits.expect(n)
            return waits.send(producer, n, gap, asleep=asleep)

        yield run
