"""The house rules that a machine can check, as functions from source text to complaints.

`files` is always a mapping from a path below pyx/ or src/ to the file's text, so that the checks
run as well on planted text as on the tree. A complaint is "path:line: what is wrong".
"""

import re
from pathlib import PurePosixPath

Files = dict[str, str]

# Lower layers first; in a layer, a module may cimport those before it.
LAYERS = [
    ["atomic", "memory", "thread", "clock", "barrier"],
    ["kfifo", "header", "payload", "ring", "stopwatch"],
    ["work", "kick", "workqueue", "control", "timer", "spin", "worker"],
    ["chain", "routes"],
    [
        "ledger",
        "segment",
        "latest",
        "sleepers",
        "doorbell",
        "channel",
        "take",
        "put",
        "offer",
        "tally",
        "equeue",
        "budget",
        "dispatch",
        "pour",
        "ahead",
        "streak",
        "stages",
        "books",
        "subscribe",
        "lifetime",
        "core",
        "producer",
    ],
    [
        "times",
        "finaliser",
        "forks",
        "event",
        "batch",
        "fill",
        "reader",
        "opening",
        "doorbells",
        "ties",
        "calls",
        "collect",
        "bridge",
        "subscription",
        "waits",
        "maincall",
        "mainthread",
        "many",
        "notify",
        "listen",
        "ending",
        "engine",
        "capi",
        "pool",
        "works",
        "made",
    ],
]
# The backend in plain Python: a module may import those before it, and of the rest of tocsin these two.
PURE_ORDER = [
    *("made", "exit", "failing", "times", "header", "payload"),
    *("kfifo", "typedfifo", "recordfifo", "notifier"),
    *("work", "workqueue", "worker"),
    *("event", "batch", "channelqueue", "channel", "doorbell", "listener", "equeue", "subscription", "stage"),
    *("many", "notify", "ending", "engine", "producer"),
    *("workcore", "works"),
]
BELOW_THE_BACKENDS = ["errors", "key"]
CHOOSER = "src/tocsin/backend.py"
ORDER = [name for layer in LAYERS for name in layer]
PLATFORM = [*LAYERS[0], "memory_checked", "atomic_msvc", "thread_win32"]  # headers beside: checked, Windows
NO_PYTHON = [name for layer in LAYERS[:5] for name in layer]
GIL_DOOR = "bridge"
MAX_LINES = 300

CYTHON = (".pyx", ".pxd")


def stem(path: str) -> str:
    return PurePosixPath(path).stem


def cython(files: Files) -> Files:
    return {path: text for path, text in files.items() if path.endswith(CYTHON)}


# ---------------------------------------------------------------------------------- reading text

_PYTHON_NOISE = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'(?:\\.|[^\\])*?\'\'\'|(?P<comment>#[^\n]*)'
    r'|(?P<string>"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\')'
)
_C_NOISE = re.compile(r'/\*.*?\*/|//[^\n]*|(?P<string>"(?:\\.|[^"\\\n])*")', re.DOTALL)


def code(path: str, text: str, *, strings: bool = False) -> str:
    """Blank comments, docstrings and (unless `strings`) string literals; keep the line numbers."""

    def blank(match: re.Match[str]) -> str:
        if strings and match["string"] is not None:
            return match[0]
        return re.sub(r"[^\n]", " ", match[0])

    return (_C_NOISE if path.endswith(".h") else _PYTHON_NOISE).sub(blank, text)


def find(pattern: str, path: str, text: str) -> list[str]:
    """Return "path:line" of every match in `text`."""
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}"
        for match in re.finditer(pattern, text, re.MULTILINE)
    ]


# ---------------------------------------------------------------------------------------- layers

_FROM = re.compile(r"^[ \t]*from\s+([\w.]+)\s+cimport\s+(\([^)]*\)|[^\n]*)", re.MULTILINE)
_CIMPORT = re.compile(r"^[ \t]*cimport\s+([^\n]+)", re.MULTILINE)
_HEADER = re.compile(r'cdef\s+extern\s+from\s+"(?:tocsin/_core/)?(\w+)\.h"')


def core_cimports(path: str, text: str) -> set[str]:
    """Return the modules of the core that this file looks at, by cimport or through a header."""
    text = code(path, text, strings=True)
    found = {name for name in _HEADER.findall(text) if name in PLATFORM}
    dotted: list[str] = []
    for module, names in _FROM.findall(text):
        listed = [name.split()[0] for name in names.strip("() \t\n").split(",") if name.split()]
        if module in ("tocsin._core", "."):
            found.update(listed)
        elif module == "tocsin" and "_core" in listed:
            found.add("_core as a whole")
        else:
            dotted.append(module)
    for names in _CIMPORT.findall(text):
        dotted += [name.split()[0] for name in names.split(",") if name.split()]
    for name in dotted:
        parts = name.split(".")
        if parts[:2] == ["tocsin", "_core"] or parts[0] == "":
            found.add(parts[-1])
    return found


def layer_order(files: Files) -> list[str]:
    """A module may cimport only modules that stand before it in LAYERS; unlisted ones come last."""
    complaints = []
    for path, text in cython(files).items():
        own = stem(path)
        rank = ORDER.index(own) if own in ORDER else len(ORDER)
        for used in sorted(core_cimports(path, text) - {own}):
            if used not in ORDER:
                complaints.append(f"{path}: cimports {used}, which has no place in LAYERS")
            elif ORDER.index(used) > rank:
                complaints.append(f"{path}: looks up at {used}")
    return complaints


def backends_apart(files: Files) -> list[str]:
    """Only the chooser knows the backends; neither imports of the other, and pure/ keeps its own order."""
    complaints = []
    for path, text in files.items():
        is_pure = path.startswith("src/tocsin/pure/")
        for line in at_import(path, text):
            parts = line.removeprefix("from ").removeprefix("import ").split()[0].split(".")
            target = parts[1] if parts[0] == "tocsin" and len(parts) > 1 else ""
            if target == "_core" and path.startswith("src/") and path != CHOOSER:
                complaints.append(
                    f"{path}: {line}: imports of the compiled core, which is backend.py's business"
                )
            elif target == "pure" and not is_pure and path != CHOOSER:
                complaints.append(f"{path}: {line}: imports of pure/, which is backend.py's business")
            elif is_pure and parts[0] == "tocsin" and not pure_may_import(stem(path), parts[1:]):
                complaints.append(f"{path}: {line}: looks up or aside")
    return complaints


def at_import(path: str, text: str) -> list[str]:
    """Return the import statements that run; those for type checkers only are no imports."""
    bare = re.sub(r"^if TYPE_CHECKING:\n(?:(?:[ \t]+[^\n]*)?\n)*", "", code(path, text), flags=re.MULTILINE)
    return [line.strip() for line in re.findall(r"^[ \t]*(?:from|import)[ \t]+[\w.]+", bare, re.MULTILINE)]


def pure_may_import(own: str, parts: list[str]) -> bool:
    if parts[:1] != ["pure"]:
        return parts[:1] != [] and parts[0] in BELOW_THE_BACKENDS
    if own not in PURE_ORDER or len(parts) < 2 or parts[1] not in PURE_ORDER:
        return False
    return PURE_ORDER.index(parts[1]) < PURE_ORDER.index(own)


def platform_only(files: Files) -> list[str]:
    """Atomics, native threads, futexes and allocation are named in layer 0 alone."""
    words = r"__atomic_|__sync_|\bpthread_|futex|\b(?:m|c|re)alloc\s*\("
    return [
        f"{place}: only layer 0 may use this"
        for path, text in files.items()
        if path.startswith("pyx/") and stem(path) not in PLATFORM
        for place in find(words, path, code(path, text))
    ]


def one_gil_door(files: Files) -> list[str]:
    """The GIL is taken in the bridge, and nowhere else."""
    words = r"PyGILState_|PyEval_SaveThread|PyEval_RestoreThread|\bwith\s+gil\b"
    return [
        f"{place}: the GIL is taken in {GIL_DOOR} only"
        for path, text in files.items()
        if path.startswith("pyx/") and stem(path) != GIL_DOOR
        for place in find(words, path, code(path, text))
    ]


def no_python_below(files: Files) -> list[str]:
    """Declarations of layers 0 to 4 know no Python object."""
    return [
        f"{place}: layers 0 to 4 know no Python object"
        for path, text in files.items()
        if path.endswith((".pxd", ".h")) and stem(path) in NO_PYTHON
        for place in find(r"\bPyObject\b|\bcpython\b|\bPython\.h\b", path, code(path, text))
    ]


# ------------------------------------------------------------------------------------------ tags

_TAG = re.compile(r"\[([a-z][a-z0-9-]*)\]")
_CALL = r"(?:\b|_){}\s*\("
_FULL = r"(?:fetch_\w+|exchange(?:_\w+)?|cas(?:_\w+)?)"
_RELEASE = re.compile(_CALL.format(rf"(?:store_release|store_seq_cst|barrier_everywhere|{_FULL})"))
_ACQUIRE = re.compile(_CALL.format(rf"(?:load_acquire|load_seq_cst|barrier_here|{_FULL})"))
_ONE_SIDED = re.compile(_CALL.format("(?:store_release|load_acquire)"))
_RELAXED = re.compile(r"\b\w+_relaxed\s*\(")


def paired_tags(files: Files) -> list[str]:
    """Every tagged release has an acquire of the same tag elsewhere; one-sided orders have a tag.

    Counted are the lines that carry both the operation and the comment; a full operation can stand
    for either side, but one line is not both sides.
    """
    complaints: list[str] = []
    seen: dict[str, str] = {}
    releases: dict[str, set[str]] = {}
    acquires: dict[str, set[str]] = {}
    for path, text in cython(files).items():
        if stem(path) in PLATFORM:
            continue  # here the operations are made, not used
        lines = zip(text.splitlines(), code(path, text).splitlines(), strict=True)
        for number, (line, bare) in enumerate(lines, 1):
            place = f"{path}:{number}"
            operation = _RELAXED.sub(" ", bare)
            comment = line[len(bare.rstrip()) :]
            tags = _TAG.findall(comment) if comment.lstrip().startswith("#") else []
            if _ONE_SIDED.search(operation) and not tags:
                complaints.append(f"{place}: a release or acquire without a [tag]")
            for tag in tags:
                seen.setdefault(tag, place)
                if _RELEASE.search(operation):
                    releases.setdefault(tag, set()).add(place)
                if _ACQUIRE.search(operation):
                    acquires.setdefault(tag, set()).add(place)
    for tag, place in seen.items():
        givers, takers = releases.get(tag, set()), acquires.get(tag, set())
        if not givers:
            complaints.append(f"{place}: [{tag}] has no release")
        elif not takers:
            complaints.append(f"{place}: [{tag}] has no acquire")
        elif len(givers | takers) < 2:
            complaints.append(f"{place}: [{tag}] is alone: nothing meets it")
    return complaints


# ------------------------------------------------------------------------------------- the rest

# `int[:, :] name` and anything with `::1`; but `data[:]` at the end of an expression is a slice.
_AXES = r"\[ *::?(?: *1)?(?: *, *::?(?: *1)?)* *\]"
_MEMORYVIEW = rf"\w *(?:\[[^\]\n]*::1 *\]|{_AXES} *(?!(?:if|else|for|in|and|or|is|not)\b)[A-Za-z_])"
FORBIDDEN = {
    r"^[ \t]*include\s+[\"']": "include: cimport a module instead",
    r"^[ \t]*DEF\s": "DEF is deprecated: use an enum",
    r"\bcimport\s+\*": "cimport *: name what is used",
    _MEMORYVIEW: "a typed memoryview: use Py_buffer",
}


def forbidden_words(files: Files) -> list[str]:
    """No textual includes, no DEF, no star cimports, no typed memoryviews."""
    complaints = [f"{path}: a .pxi file" for path in files if path.endswith(".pxi")]
    for path, text in cython(files).items():
        bare = code(path, text, strings=True)
        for pattern, reason in FORBIDDEN.items():
            complaints += [f"{place}: {reason}" for place in find(pattern, path, bare)]
    return complaints


_INLINE = re.compile(r"^cdef[ \t]+inline\b[^()]*\((?:[^()]|\([^()]*\))*\)([^:]*):", re.MULTILINE)


def event_path(files: Files) -> list[str]:
    """Inline functions of layers 0 to 4 are `noexcept nogil`."""
    complaints = []
    for path, text in files.items():
        if not path.endswith(".pxd") or stem(path) not in NO_PYTHON:
            continue
        bare = code(path, text)
        starts = len(re.findall(r"^cdef[ \t]+inline\b", bare, re.MULTILINE))
        functions = list(_INLINE.finditer(bare))
        if starts != len(functions):
            complaints.append(f"{path}: {starts} inline functions, {len(functions)} understood")
        for function in functions:
            if not {"noexcept", "nogil"} <= set(function[1].split()):
                line = bare.count("\n", 0, function.start()) + 1
                complaints.append(f"{path}:{line}: an inline function that isn't noexcept nogil")
    return complaints


def file_sizes(files: Files) -> list[str]:
    """No file is longer than MAX_LINES."""
    return [
        f"{path}: {lines} lines, more than {MAX_LINES}"
        for path, text in files.items()
        if (lines := len(text.splitlines())) > MAX_LINES
    ]


CHECKS = [
    layer_order,
    backends_apart,
    platform_only,
    one_gil_door,
    no_python_below,
    paired_tags,
    forbidden_words,
    event_path,
    file_sizes,
]
