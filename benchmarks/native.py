"""The C helper: compiled with cc against tocsin.get_include() when it is first wanted."""

import ctypes
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import tocsin
from benchmarks.worlds import PATIENCE, PAYLOAD

NOW = (1 << 64) - 1
SOURCE = Path(__file__).with_name("native.c")


class Arrivals(ctypes.Structure):
    """How many are still to come, and when the last one came. Keep it while native code may use it."""

    _fields_ = (("left", ctypes.c_uint64), ("ended", ctypes.c_uint64))

    @property
    def address(self) -> int:
        return ctypes.addressof(self)

    def wait(self, began: int, n: int) -> int:
        """Give the ns from `began` until the last one came, and get ready for the next n."""
        elapsed = helper().await_arrivals(self.address, began, int(PATIENCE * 1e9))
        if elapsed < 0:
            raise TimeoutError(f"{self.left} of {n} never came")
        self.left, self.ended = n, 0
        return int(elapsed)


def compiler() -> str | None:
    return shutil.which(os.environ.get("CC", "cc"))


@functools.cache
def helper() -> Any:
    """Compile and load native.c. RuntimeError if there is no C compiler."""
    cc = compiler()
    if cc is None:
        raise RuntimeError("the native cases need a C compiler: cc, or what $CC names")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "native.so"
        flags = ["-std=c11", "-D_GNU_SOURCE", "-O2", "-shared", "-fPIC", f"-I{tocsin.get_include()}"]
        subprocess.run([cc, *flags, str(SOURCE), "-o", str(target)], check=True)
        library = ctypes.CDLL(str(target))
    u64, pointer = ctypes.c_uint64, ctypes.c_void_p
    library.produce.restype = library.await_arrivals.restype = ctypes.c_int64
    library.produce.argtypes = pointer, u64, ctypes.c_uint8, ctypes.c_char_p, ctypes.c_uint32, u64
    library.await_arrivals.argtypes = pointer, u64, u64
    return library


def produce(producer: tocsin.Producer, n: int, timestamp: int = NOW) -> int:
    """Notify n `raw` events from this thread without the GIL; when that began, in ns."""
    began = helper().produce(producer.address, n, 0, PAYLOAD, len(PAYLOAD), timestamp)
    if began < 0:
        raise OSError(-began, os.strerror(-began))
    return int(began)
