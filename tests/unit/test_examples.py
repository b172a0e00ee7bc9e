"""Each Python example is run as a user would run it, in a folder that is not its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from compiling import environment, run_python

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
CAPTURE = EXAMPLES / "captures" / "sensor_update.trace"

PRINTED = {
    "motor": "3 9000\n",
    "dashboard": (
        "audit: 3000 quotes, the last at 749.75\n"
        "dashboard: AAA at 749.25\n"
        "dashboard: BBB at 749.5\n"
        "dashboard: CCC at 749.75\n"
        "log: 10 entries, 2990 lost before them\n"
    ),
    "numpy_batches": "100000 accepted, 100000 seen\n[225000000 225000000 225000000 225000000]\n",
    "threads": (
        "device: 3 of 3 accepted\n"
        "display: 2 shown, 0 missing; guard: 99.0 V on channel 1 is nonsense\n"
        "device: 32 of 100 accepted\n"
        "device: 1 of 1 accepted\n"
        "display: 35 shown, 68 missing\n"
        "books: 36 accepted, 36 delivered, 68 refused\n"
    ),
    "scmi_capture": (
        "535.334421  sensor.update  source 8  agent_id=0 readings=(-9720, -9712, -9704)\n"
        "535.434649  sensor.update  source 8  agent_id=0 readings=(-9719, -9711, -9703)\n"
        "\n"
        "protocol  accepted  refused  invalid  delivered  unclaimed  pending\n"
        "sensor           2        0        0          2          0        0\n"
        "14 lines, 2 notifications, 12 others skipped\n"
    ),
}


@pytest.mark.parametrize("name", PRINTED)
def test_example(name: str, tmp_path: Path) -> None:
    result = run_python(EXAMPLES / f"{name}.py", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout == PRINTED[name]


def test_every_example_is_run() -> None:
    missing = {path.stem for path in EXAMPLES.glob("*.py")} - set(PRINTED)
    assert not missing, f"without a test: {missing}"


# -- the capture -----------------------------------------------------------------------------------


def replay(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return run_python(EXAMPLES / "scmi_capture.py", *arguments, cwd=folder)


def trace(message: str) -> bytes:
    return f"  <idle>-0  [000] d.h2.  7.000001: scmi_msg_dump: {message}\n".encode()


def test_capture_files_follow_one_another(tmp_path: Path) -> None:
    result = replay(tmp_path, CAPTURE, CAPTURE)
    assert result.returncode == 0
    assert result.stdout.count("sensor.update") == 4
    assert result.stdout.endswith("28 lines, 4 notifications, 24 others skipped\n")


def test_captures_of_every_protocol(tmp_path: Path) -> None:
    result = replay(tmp_path, CAPTURE.parent / "synthetic.trace")
    assert (result.returncode, result.stderr) == (0, "")
    for name in ("base", "power", "system", "perf", "clock", "sensor", "reset", "powercap"):
        assert f"\n{name:8}         1        0        0          1          0        0\n" in result.stdout
    assert result.stdout.endswith("10 lines, 8 notifications, 2 others skipped\n")


def test_capture_of_a_trip_point(tmp_path: Path) -> None:
    file = tmp_path / "trip.trace"
    file.write_bytes(trace("pt=15 t=NOTI msg_id=00 seq=0000 s=0 pyld=010000000200000003000100"))
    result = replay(tmp_path, file)
    assert result.stdout.startswith(
        "7.000001  sensor.trip_point  source 2  agent_id=1 trip_point_desc=65539 "
    )


@pytest.mark.parametrize("name", ["nowhere.trace", "."])
def test_unreadable_capture(tmp_path: Path, name: str) -> None:
    result = replay(tmp_path, name)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"scmi_capture: {name}: ")
    assert result.stderr.count("\n") == 1


def test_garbage_is_counted(tmp_path: Path) -> None:
    file = tmp_path / "garbage.trace"
    garbage = [
        b"\n",
        b"\xff\xfe\x00garbage\n",
        b"# tracer: nop\n",
        trace(""),
        trace("pt=15 t=NOTI msg_id=01"),
        trace("pt=15 t=NOTI msg_id=01 pyld=0g"),
        trace("pt=15 t=NOTI msg_id=01 pyld=000"),
        trace("pt=15 t=NOTI msg_id=7f pyld=00"),
        trace("pt=13 t=NOTI msg_id=01 pyld=00"),
        trace("pt=zz t=NOTI msg_id=01 pyld=00"),
    ]
    wrong_size = trace("pt=15 t=NOTI msg_id=01 seq=0000 s=0 pyld=00")
    file.write_bytes(b"".join(garbage) + wrong_size + CAPTURE.read_bytes() + b"no end")
    result = replay(tmp_path, file)
    assert result.returncode == 0
    assert "sensor           2        0        1          2          0        0\n" in result.stdout
    assert result.stdout.endswith("26 lines, 3 notifications, 23 others skipped\n")
    assert "line 11: sensor.update" in result.stderr
    assert "Traceback" not in result.stderr


def test_output_that_nobody_reads_on(tmp_path: Path) -> None:
    file = tmp_path / "long.trace"
    file.write_bytes(CAPTURE.read_bytes() * 5000)
    command = [sys.executable, str(EXAMPLES / "scmi_capture.py"), str(file)]
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"535.334421")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(30) == 0
