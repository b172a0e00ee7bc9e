"""The memory orders of kfifo.pxd under ThreadSanitizer, and each of them taken away.

The driver compiles the text of pyx/ itself. Under the GIL two Python threads never meet inside a
fifo, so that no test in tests/unit would notice a missing release; here two native threads do.
"""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PYX = HERE.parent.parent / "pyx"
REPORTED = 66  # exit code of a ThreadSanitizer report
COMPILER = shutil.which("gcc") or shutil.which("clang")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux" or not COMPILER, reason="needs gcc or clang on Linux"),
]


def python_library() -> list[str]:
    """Return how to link Python: the generated file names it, though the driver never starts it."""
    folders = [sysconfig.get_config_var(name) for name in ("LIBDIR", "LIBPL")]
    name = f"python{sysconfig.get_config_var('LDVERSION')}"
    if not any(list(Path(folder).glob(f"lib{name}.*")) for folder in folders if folder):
        pytest.fail(f"there is no lib{name} to link: install the interpreter's development files")
    others = [sysconfig.get_config_var(name) or "" for name in ("LIBS", "SYSLIBS")]
    paths = [f"{flag}{folder}" for folder in folders if folder for flag in ("-L", "-Wl,-rpath,")]
    return [*paths, f"-l{name}", "-Wl,--export-dynamic", *" ".join(others).split()]


def run_driver(pyx: Path, work: Path) -> subprocess.CompletedProcess[str]:
    """Compile the driver against the declarations in `pyx` and run it until the first report."""
    pytest.importorskip("Cython")
    generated, program = work / "fifo_driver.c", work / "driver"
    translate = [sys.executable, "-m", "cython", "-3", "-I", str(pyx), "-o", str(generated)]
    subprocess.run([*translate, str(HERE / "fifo_driver.pyx")], check=True)
    flags = ["-O1", "-g", "-std=gnu11", "-w", "-fsanitize=thread", "-pthread"]
    folders = [f"-I{folder}" for folder in (pyx, sysconfig.get_path("include"))]
    sources = [str(generated), str(HERE / "fifo_main.c")]
    command = [str(COMPILER), *flags, *folders, *sources, *python_library(), "-o", str(program)]
    subprocess.run(command, check=True)
    return subprocess.run(
        [str(program)],
        env={"TSAN_OPTIONS": f"halt_on_error=1 exitcode={REPORTED}"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_two_native_threads_race_nowhere(tmp_path: Path) -> None:
    result = run_driver(PYX, tmp_path)
    if "unexpected memory mapping" in result.stderr:
        pytest.fail("ThreadSanitizer doesn't start here; as root: sysctl vm.mmap_rnd_bits=28")
    assert result.returncode == 0, result.stdout + result.stderr


MUTANTS = {
    "bytes are released": (
        "a64_store_release(&fifo.in_, in_) ",
        "a64_store_relaxed(&fifo.in_, in_) ",
    ),
    "space is released": (
        "a64_store_release(&fifo.out, out) ",
        "a64_store_relaxed(&fifo.out, out) ",
    ),
    "space is acquired": (
        "fifo.out_seen = a64_load_acquire(&fifo.out) ",
        "fifo.out_seen = a64_load_relaxed(&fifo.out) ",
    ),
    "bytes are acquired": (
        "        fifo.in_seen = a64_load_acquire(&fifo.in_) ",
        "        fifo.in_seen = a64_load_relaxed(&fifo.in_) ",
    ),
    "bytes are copied before they are published": (
        "        fifo_copy_in(fifo, in_, source, n)\n        fifo_publish_in(fifo, in_ + n)\n",
        "        fifo_publish_in(fifo, in_ + n)\n        fifo_copy_in(fifo, in_, source, n)\n",
    ),
    "space is freed after it was read": (
        "    n = fifo_peek(fifo, target, n)\n    if n:\n",
        "    n = min(n, fifo_ready_for(fifo, a64_load_relaxed(&fifo.out), n))\n    if n:\n"
        "        fifo_publish_out(fifo, a64_load_relaxed(&fifo.out) + n)\n"
        "        fifo_copy_out(fifo, a64_load_relaxed(&fifo.out) - n, target, n)\n"
        "        return n\n",
    ),
    "a record is published by one store": (
        "    fifo_copy_in(fifo, in_, length, recsize)\n",
        "    fifo_copy_in(fifo, in_, length, recsize)\n    fifo_publish_in(fifo, in_ + recsize)\n",
    ),
    "the writer looks for room": (
        "    return need <= fifo.mask + 1 - (in_ - fifo.out_seen)\n",
        "    return True\n",
    ),
}


@pytest.mark.parametrize("rule", MUTANTS)
def test_race_is_reported_unless(rule: str, tmp_path: Path) -> None:
    shutil.copytree(PYX, tmp_path / "pyx")
    target = tmp_path / "pyx" / "tocsin" / "_core" / "kfifo.pxd"
    text, (old, new) = target.read_text(), MUTANTS[rule]
    assert text.count(old) == 1, f"kfifo.pxd has changed: {old!r}"
    target.write_text(text.replace(old, new))
    result = run_driver(tmp_path / "pyx", tmp_path)
    told = result.stdout + result.stderr
    assert result.returncode == REPORTED, told
    assert "data race" in told
