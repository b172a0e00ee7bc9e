"""The command line as a whole: help, usage errors, what there is to know without any input."""

import json
import re
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

from commands import called, environment, tocsin
from helpers import PATIENCE, run_python
from tocsin import cli, scmi

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ("replay", "listen", "decode", "protocols", "doctor")


def test_version() -> None:
    done = tocsin("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"tocsin {version('tocsin')}\n", "")


def test_the_installed_command_is_this_one() -> None:
    (script,) = entry_points(group="console_scripts", name="tocsin")
    assert script.load() is cli.run


def test_without_arguments_the_help_is_on_stderr() -> None:
    done = tocsin()
    assert (done.returncode, done.stdout) == (2, "")
    assert all(f"\n  {command} " in done.stderr for command in COMMANDS)


def test_help_names_the_commands_and_the_exit_statuses() -> None:
    done = tocsin("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(f"\n  {command} " in done.stdout for command in COMMANDS)
    assert all(f"\n  {status} " in done.stdout for status in (0, 1, 2, 130, 141))


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_shows_examples_line_by_line(command: str) -> None:
    done = tocsin(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    examples = [line for line in done.stdout.splitlines() if line.startswith(f"  tocsin {command}")]
    assert examples
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["replai"], "tocsin: No such command"),
        (["--nope"], "tocsin: No such option"),
        (["replay"], "tocsin replay: Missing argument"),
        (["replay", "--speed", "fast", "x"], "tocsin replay: Invalid value for '--speed'"),
        (["replay", "--speed", "0", "x"], "tocsin replay: --speed 0 is not above 0 and finite"),
        (["replay", "--speed", "nan", "x"], "tocsin replay: --speed nan is not above 0 and finite"),
        (["replay", "--speed", "inf", "x"], "tocsin replay: --speed inf is not above 0 and finite"),
        (["listen", "a", "b"], "tocsin listen: "),
        (["decode"], "tocsin decode: Missing argument"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], complaint: str) -> None:
    done = tocsin(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(complaint)
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("absent", ["typer", "rich"])
def test_without_the_extra_one_line_says_what_to_install(absent: str) -> None:
    done = run_python(f"import sys; sys.modules[{absent!r}] = None; from tocsin.cli import run; run()")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"tocsin: the command line needs {absent}: pip install 'tocsin[cli]'\n"


def test_version_needs_neither_numpy_nor_the_protocols() -> None:
    done = run_python(
        "import sys; from tocsin.cli import main; main(['--version'])\n"
        "assert not {'numpy', 'tocsin.scmi', 'tocsin.sources', 'rich.table'} & set(sys.modules)"
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_complaint_is_one_line_whatever_is_in_it() -> None:
    status, out, err = called("replay", "a\nb\x1b[31m\udc80é")
    assert (status, out) == (2, "")
    assert err == "tocsin replay: a b\\x1b[31m\\udc80é: No such file or directory\n"


README = ROOT / "README.md"
SHOWN = re.findall(r"```console\n(.*?)```", README.read_text(), re.DOTALL)


def test_the_readme_shows_what_is_printed() -> None:
    (block,) = SHOWN
    examples = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    assert len(examples) >= 5
    for command, printed in examples:
        script = 'tocsin() { "$PYTHON" -m tocsin "$@"; }\n' + command
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=ROOT,
            env=environment(PYTHON=sys.executable),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
        )
        assert (command, done.stdout) == (command, printed)


# -- protocols -------------------------------------------------------------------------------------


def test_protocols_has_a_row_for_each_event() -> None:
    done = tocsin("protocols")
    assert (done.returncode, done.stderr) == (0, "")
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["protocol", "event", "id", "bytes", "source", "payload"]
    declared = [
        [f"{protocol.id:#04x}", f"{protocol.name}.{event.name}", str(event.id)]
        for protocol in scmi.PROTOCOLS
        for event in protocol.events
    ]
    assert [row.split()[:3] for row in rows] == declared
    assert (
        "24..1016 by 16  sensor_id  agent_id:u4 sensor_id:u4 readings:(value:i8 timestamp:u8)*" in done.stdout
    )
    assert "12 or 16" in next(row for row in rows if "system.power_state" in row)
    assert not any(row.endswith(" ") for row in rows)


def test_protocols_as_json_is_what_is_declared() -> None:
    done = tocsin("protocols", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    listed = json.loads(done.stdout)
    assert [entry["id"] for entry in listed] == [protocol.id for protocol in scmi.PROTOCOLS]
    sensor = next(entry for entry in listed if entry["name"] == "sensor")
    assert sensor["events"][0] == {
        "id": 0,
        "name": "trip_point",
        "min_size": 12,
        "max_size": 12,
        "source": "sensor_id",
        "fields": {"agent_id": "u4", "sensor_id": "u4", "trip_point_desc": "u4"},
    }


# -- doctor ----------------------------------------------------------------------------------------


def test_doctor_finds_that_all_is_well_or_says_what_is_not() -> None:
    done = tocsin("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\ncheck       1000 of 1000 events delivered\n" in done.stdout
    assert f"tocsin      {version('tocsin')}, backend " in done.stdout
    assert ("\nall well\n" in done.stdout) != ("\ndegraded " in done.stdout)


def test_doctor_says_what_is_degraded_and_why() -> None:
    done = tocsin("doctor", TOCSIN_PORTABLE="1", TOCSIN_WRITERS="cas")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\nsleep       mutex and condition\n" in done.stdout
    assert "\ndegraded    no futex: " in done.stdout
    assert "(TOCSIN_PORTABLE=1)" in done.stdout
    assert "\nkick        an atomic operation\n" in done.stdout
    assert "\nall well\n" not in done.stdout


def test_doctor_as_json() -> None:
    done = tocsin("doctor", "--json", TOCSIN_PORTABLE="0", TOCSIN_WRITERS="cas")
    assert (done.returncode, done.stderr) == (0, "")
    facts = json.loads(done.stdout)
    assert facts["switches"] == {"writers": "cas", "portable": False}
    assert facts["python"]["version"] == ".".join(map(str, sys.version_info[:3]))
    assert facts["check"]["delivered"] == 1000
    assert facts["broken"] == []
    compiled = facts["tocsin"]["backend"] == "cython"
    assert re.fullmatch(r"3\.\d+\.\d+" if compiled else "None", str(facts["tocsin"]["cython"]))
    assert {"tocsin", "system", "clocks", "degraded"} <= set(facts)


def test_doctor_calls_a_wrong_switch_broken() -> None:
    done = tocsin("doctor", TOCSIN_WRITERS="both")
    assert (done.returncode, done.stderr) == (1, "")
    assert "\nbroken      ValueError: TOCSIN_WRITERS must be gil or cas, not 'both'\n" in done.stdout


def test_doctor_calls_lost_events_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tocsin.Pipeline.notify", lambda *_: True)
    status, out, _ = called("doctor")
    assert status == 1
    assert "\ncheck       failed\n" in out
    assert "1000 events were sent and 0 delivered" in out
