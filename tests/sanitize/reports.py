"""Reading what sanitizers and valgrind write: one text per report, and whose it is."""

import contextlib
import re
import xml.etree.ElementTree as xml
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = re.compile(r"tocsin/_core/")  # in the path of a source file or of a compiled module

BEGINS = re.compile(
    r"^(?=WARNING: ThreadSanitizer|==[^=]*==ERROR: AddressSanitizer|(?:Direct|Indirect) leak of|"
    r".*: runtime error: |FATAL: )",
    re.MULTILINE,
)


def split(text: str) -> list[str]:
    """Return the reports of a log, each from its first line on."""
    parts = [part.strip() for part in BEGINS.split(text)[1:]]
    return [part.partition("\nSUMMARY")[0].strip("=\n ") for part in parts]


def read(folder: Path) -> list[str]:
    """Return the reports in all logs of a folder, each with the name of its log as the last line."""
    every = []
    for path in sorted(folder.iterdir()):
        every += [f"{report}\nlog: {path.name}" for report in split(path.read_text(errors="replace"))]
    return every


def is_leak(report: str) -> bool:
    return " leak of " in report.partition("\n")[0]


def is_ours(report: str, suppressions: list[re.Pattern[str]]) -> bool:
    """Return whether a report is a finding: every one is, except leaks of memory that the interpreter took.

    A leak is ours if a frame of ours is anywhere in its stack, or if nobody known called the allocator.
    """
    if not is_leak(report) or OURS.search(report):
        return True
    frames = [line for line in report.splitlines() if re.match(r"\s+#[1-9]", line)]
    return not frames or not any(pattern.search(frames[0]) for pattern in suppressions)


def title(report: str) -> str:
    """Return the line that says what was found, the first frame of ours but the allocator, and the log."""
    head, *frames = [re.sub(r"==\S*==|\(pid=\d+\)|0x[0-9a-f]+", "", line) for line in report.splitlines()]
    named = [" ".join(line.split()[1:]) for line in frames if OURS.search(line) and "memory.h" not in line]
    log = frames[-1] if frames and frames[-1].startswith("log: ") else ""
    return " ".join(filter(None, [head.strip(), *named[:1], log]))


# ------------------------------------------------------------------------------- suppressions


def suppressions() -> list[re.Pattern[str]]:
    """Return the patterns of suppressions.txt; wrong ones are an error."""
    text = (HERE / "suppressions.txt").read_text()
    wrong = complaints(text)
    assert not wrong, "\n".join(wrong)
    return [re.compile(line.partition(":")[2]) for line in entries(text)]


def entries(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


def frames_of_ours() -> list[str]:
    """Return a stack frame for every function of the core, as the sanitizers would print it."""
    pyx = HERE.parent.parent / "pyx"
    frames = []
    for path in sorted(pyx.rglob("*.*")):
        name = path.relative_to(pyx).as_posix()
        names = re.findall(r"^\s*(?:cdef|def|cpdef|static inline) .*?(\w+)\(", path.read_text(), re.MULTILINE)
        for function in names:
            frames.append(f"    #1 0x1 in {function} pyx/{name}:1")
            frames.append(f"    #1 0x1 in __pyx_f_6tocsin_5_core_{function} build/cython/pyx/{name}.c:1")
        module = name.replace(".pyx", ".cpython-311-x86_64-linux-gnu.so")
        frames.append(f"    #1 0x1  (/usr/lib/python3.11/site-packages/{module}+0x1)")
        frames.append(f"    #1 0x1  (/checkout/src/{module}+0x1)")
    return frames


# One frame per line as CPython's own look: with debug information, in its library, in its program.
INTERPRETER = [
    "    #1 0x1 in gc_alloc Modules/gcmodule.c:2283",
    "    #1 0x1 in _PyObject_New Objects/object.c:176",
    "    #1 0x1 in PyMem_RawMalloc Python/pylifecycle.c:1",
    "    #1 0x1 in PyObject_Malloc (/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0+0x1)",
    "    #1 0x1  (/usr/bin/python3.11+0x1)",
]


def complaints(text: str) -> list[str]:
    """Return what is wrong with a file of suppressions: they may name the interpreter, and nothing else."""
    wrong, ours = [], frames_of_ours()
    for line in entries(text):
        kind, _, pattern = line.partition(":")
        if kind != "leak":
            wrong.append(f"{line}: only leaks of the interpreter may be suppressed")
            continue
        if not any(re.search(pattern, frame) for frame in INTERPRETER):
            wrong.append(f"{line}: names nothing of the interpreter")
        if hit := next((frame for frame in ours if re.search(pattern, frame)), None):
            wrong.append(f"{line}: would hide {hit.strip()}")
    return wrong


# ----------------------------------------------------------------------------------- memcheck


def read_memcheck(path: Path) -> list[str]:
    """Return the errors of valgrind's XML as text, one frame per line.

    A program that dies of a planted bug may leave the XML without its end, or with more behind it: what was
    told before counts. That such a program did not do its work is for the caller to see.
    """
    elements, errors = [], []
    with contextlib.suppress(xml.ParseError):
        elements += (element for _, element in xml.iterparse(path) if element.tag == "error")
    for error in elements:
        what = error.findtext("what") or error.findtext("xwhat/text") or error.findtext("kind")
        lines = [str(what)]
        for frame in error.iter("frame"):
            where = f"{frame.findtext('dir', '')}/{frame.findtext('file', '')}:{frame.findtext('line', '')}"
            lines.append(f"    #{frame.findtext('fn', '?')} {where} ({frame.findtext('obj', '')})")
        errors.append("\n".join(lines))
    return errors
