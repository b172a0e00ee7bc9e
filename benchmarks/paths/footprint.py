"""What it costs to have tocsin: the time of its import beyond a bare Python, and the size of its wheel.

Names are imported when they are asked for, so `import tocsin` alone is not what a program pays. Beside it are
a first pipeline with a typed protocol, a fifo alone, and what a pipeline needs of the standard library.

Whole processes, started in turn, without site-packages' own start-up code making a difference. The wheel is
not built here: its size is that of the installed files packed as a wheel is, by deflate.
"""

import io
import subprocess
import sys
import zipfile
from importlib.metadata import distribution
from time import perf_counter_ns

from benchmarks.harness import Path, Round
from benchmarks.targets import difference, value_of

path = Path("footprint", "import and size")
IMPORT, BARE, WHEEL = "python -c 'import tocsin'", "python -c pass", "the installed files, deflated"

NEEDED = "bisect", "collections", "enum", "functools", "struct", "threading", "weakref"
LIBRARY = "what a pipeline needs of the standard library"
FIRST = "the same, a typed protocol and a pipeline"
FIFO = "python -c 'from tocsin import Kfifo'"

path.target(
    "import tocsin: <= 15 ms beyond bare Python",
    difference(IMPORT, BARE),
    at_most=15,
    unit="ms",
)
path.target(
    "aim: a typed protocol and a first pipeline as well",
    difference(FIRST, BARE),
    at_most=15,
    unit="ms",
    floor=difference(LIBRARY, BARE),
    aim=True,
)
path.target("wheel: <= 1 MB", value_of(WHEEL), at_most=1000, unit="kB")


def process(code):
    def run(_):
        began = perf_counter_ns()
        subprocess.run([sys.executable, "-I", "-c", code], check=True)
        return (perf_counter_ns() - began) / 1e6

    def world():
        yield Round(run)

    return world


path.case(BARE, 1, unit="ms")(process("pass"))
path.case(IMPORT, 1, unit="ms")(process("import tocsin"))
path.case(FIRST, 1, unit="ms")(
    process(
        "import tocsin as t; p = t.Protocol(1, 'p', {'e': t.EventType(0, {'a': 'u4'})}); "
        "pipeline = t.Pipeline(); pipeline.register(p); pipeline.close()"
    )
)
path.case(FIFO, 1, unit="ms")(process("from tocsin import Kfifo"))
path.case(LIBRARY, 1, unit="ms")(process("import " + ", ".join(NEEDED)))


def installed_files():
    """Return what a wheel would hold of the installed package."""
    files = distribution("tocsin").files or []
    made_at_install = {".pyc", ""}
    return [file for file in files if file.parts[0] != ".." and file.suffix not in made_at_install]


def from_a_wheel():
    if any(file.name == "__init__.py" for file in installed_files()):
        return None
    return "tocsin is installed for editing: its files are elsewhere"


@path.case(WHEEL, 1, unit="kB", needs=(from_a_wheel,))
def wheel():
    def run(_):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in installed_files():
                archive.write(file.locate(), str(file))
        return packed.getbuffer().nbytes / 1000

    yield Round(run)


if __name__ == "__main__":
    path.main()
