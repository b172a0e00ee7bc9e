"""Which functions of the core the models follow, and whether those still read as they did then.

A step of a model cites the function that it stands for, and the tag of the meeting if it has one, in a
comment of its own: file, function, [tag], nothing else. `reviewed.json` holds a digest of each cited
function's text without its comments, docstring and layout. When a cited function changes, somebody must
compare the models with it; then `python -m tests.model.review` records that.
"""

import hashlib
import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORE = HERE.parent.parent / "pyx" / "tocsin" / "_core"
REVIEWED = HERE / "reviewed.json"
RECORD = "python -m tests.model.review"

Texts = dict[str, str]  # file name -> text

_CITATION = re.compile(r"/\* (\w+\.(?:pxd|h)) (\w+)((?: \[[\w-]+\])*) \*/")
_LIKE_ONE = re.compile(r"/\*\s*\w+\.(?:pxd|pyx|h)\b[^*]*\*/")
_TAG = re.compile(r"\[([\w-]+)\]")
_NOISE = {
    ".pxd": re.compile(r'"""(?:\\.|[^\\])*?"""|#[^\n]*|(?P<string>"(?:\\.|[^"\\\n])*")'),
    ".h": re.compile(r'/\*.*?\*/|//[^\n]*|(?P<string>"(?:\\.|[^"\\\n])*")', re.DOTALL),
}


def models() -> Texts:
    return {path.name: path.read_text() for path in sorted(HERE.glob("*.pml"))}


def core() -> Texts:
    return {path.name: path.read_text() for path in sorted(CORE.iterdir()) if path.suffix in _NOISE}


def reviewed() -> dict[str, str]:
    return json.loads(REVIEWED.read_text())


def cited(models: Texts) -> dict[str, set[str]]:
    """Return who cites what: "work.pxd:work_begin" -> "kick.pml", and with a tag "kick.pml [work-kicked]"."""
    found: dict[str, set[str]] = {}
    for model, text in models.items():
        for file, function, tags in _CITATION.findall(text):
            who = found.setdefault(f"{file}:{function}", set())
            who.update([model, *(f"{model} [{tag}]" for tag in _TAG.findall(tags))])
    return found


def function_text(key: str, core: Texts) -> str | None:
    """Return a function as it stands in its file, or None."""
    file, function = key.split(":")
    text = core.get(file, "")
    if file.endswith(".h"):
        pattern = rf"^static inline [^\n(]*\b{function}\([^;{{]*\{{(?:[^\n]*\}}$|.*?^\}}$)"
    else:
        pattern = rf"^cdef inline [^\n(]*\b{function}\(.*?(?=^[^\s)]|\Z)"
    found = re.search(pattern, text, re.MULTILINE | re.DOTALL)
    return found[0] if found else None


def digest(key: str, text: str) -> str:
    """Return the digest of a function's text without comments, docstring and layout; indentation counts."""
    noise = _NOISE[Path(key.split(":")[0]).suffix]
    lines = noise.sub(lambda match: match["string"] or "", text).splitlines()
    bare = [line[: len(line) - len(line.lstrip())] + " ".join(line.split()) for line in lines if line.strip()]
    return hashlib.sha256("\n".join(bare).encode()).hexdigest()


def complaints(models: Texts, core: Texts, reviewed: dict[str, str]) -> list[str]:
    """Say where the models, the core and the list of what was reviewed no longer agree."""
    found = [
        f"{model}: not a citation: {like}"
        for model, text in models.items()
        for like in _LIKE_ONE.findall(text)
        if not _CITATION.fullmatch(like)
    ]
    citations = cited(models)
    for key, who in sorted(citations.items()):
        names = ", ".join(sorted(name for name in who if "[" not in name))
        text = function_text(key, core)
        if text is None:
            found.append(f"{key} is cited in {names} but does not exist")
            continue
        found += [
            f"{key} has no tag that {name} cites"
            for name in sorted(who)
            if (tag := _TAG.search(name)) and f"[{tag[1]}]" not in text
        ]
        if key not in reviewed:
            found.append(f"{key} is cited in {names} but was not reviewed: {RECORD}")
        elif reviewed[key] != digest(key, text):
            found.append(f"{key} has changed: compare {names} with it, then record the review: {RECORD}")
    found += [f"{key} was reviewed but is not cited: {RECORD}" for key in sorted(reviewed.keys() - citations)]
    return found


def record(models: Texts, core: Texts) -> dict[str, str]:
    """Return the list as it should be now; for functions that exist."""
    texts = {key: function_text(key, core) for key in sorted(cited(models))}
    return {key: digest(key, text) for key, text in texts.items() if text is not None}


def main() -> int:
    before = reviewed() if REVIEWED.exists() else {}
    now = record(models(), core())
    REVIEWED.write_text(json.dumps(now, indent=2) + "\n")
    for key in sorted(before.keys() | now):
        if before.get(key) != now.get(key):
            print(f"{'reviewed' if key in now else 'no longer cited'}: {key}")
    left = complaints(models(), core(), now)
    print(f"{len(now)} functions; {len(left)} complaints left", *left, sep="\n")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
