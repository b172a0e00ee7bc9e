"""Try the installed package as its user would: an event arrives, a capture is decoded, the GIL stays off.

    python -I tests/installed.py

For wheels, each in an environment that holds nothing else; it needs no pytest, and of this tree the capture
and its reader only.
"""

import subprocess
import sys
import sysconfig
from pathlib import Path

import tocsin
import tocsin.backend

CAPTURE = Path(__file__).resolve().parents[1] / "examples" / "scmi_capture.py"
UPDATE = "535.334421  sensor.update  source 8  agent_id=0 readings=(-9720, -9712, -9704)"


class Motor(tocsin.Protocol):
    limit = tocsin.EventType(0, {"motor": "u4", "rpm": "i4"}, source="motor")


def events() -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []
    motor = Motor(0x80)
    with tocsin.Pipeline() as pipeline:
        pipeline.register(motor)
        pipeline.subscribe(motor.limit, lambda event: seen.append((event.source, event.report.rpm)))
        pipeline.notify(motor.limit, (3, 9000))
    return seen


def decoded() -> str:
    command = [sys.executable, "-I", str(CAPTURE)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def main() -> None:
    where = Path(tocsin.__file__)
    assert where.is_relative_to(sysconfig.get_path("platlib")), f"not the installed one: {where}"
    assert tocsin.backend.name == "cython", tocsin.backend.name
    assert (Path(tocsin.get_include()) / "tocsin.h").is_file()
    assert events() == [(3, 9000)], events()
    assert UPDATE in decoded(), decoded()
    if tocsin.backend.gil_is_off:
        assert not sys._is_gil_enabled(), "importing tocsin has turned the GIL on"
    print(f"tocsin {tocsin.__version__} in {where.parent}: an event, a capture")


if __name__ == "__main__":
    main()
