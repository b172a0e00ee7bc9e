"""The inputs that are kept: for each target a text file, an input a line, in hexadecimal.

Behind a # stands why an input is there: what crashed, before it was mended. The plain suite runs every one;
the fuzzer begins with them.
"""

from hashlib import sha1
from pathlib import Path

CORPORA = Path(__file__).resolve().parent / "corpora"
MOST = 4096  # bytes of inputs that a target keeps, those with a reason not counted


def lines(name: str) -> list[tuple[bytes, str]]:
    """Return the inputs of a target and why each is there ("": it reaches something)."""
    path = CORPORA / f"{name}.txt"
    text = path.read_text() if path.exists() else ""
    pairs = [line.partition("#") for line in text.splitlines() if line.strip()]
    return [(bytes.fromhex(written), why.strip()) for written, _, why in pairs]


def inputs(name: str) -> list[bytes]:
    return [data for data, _ in lines(name)]


def unfold(name: str, folder: Path) -> Path:
    """Write a file an input, as the fuzzer wants them; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for data in inputs(name):
        (folder / sha1(data).hexdigest()).write_bytes(data)
    return folder


def keep(name: str, folder: Path) -> int:
    """Keep of a folder of inputs the short ones, and all that has a reason; how many there are now."""
    kept = [(data, why) for data, why in lines(name) if why]
    known, room = {data for data, _ in kept}, MOST
    for data in sorted((path.read_bytes() for path in folder.iterdir()), key=lambda data: (len(data), data)):
        if data and data not in known and len(data) <= room:
            kept.append((data, ""))
            known.add(data)
            room -= len(data)
    text = "".join(f"{data.hex()}{'  # ' + why if why else ''}\n" for data, why in kept)
    (CORPORA / f"{name}.txt").write_text(text)
    return len(kept)
