"""The wheels that are promised are those that the configuration builds: no more and no fewer."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PYTHONS = ["cp311", "cp312", "cp313", "cp314", "cp314t"]
SYSTEMS = {
    "linux": ["manylinux_x86_64", "manylinux_aarch64", "musllinux_x86_64", "musllinux_aarch64"],
    "macos": ["macosx_x86_64", "macosx_arm64"],
    "windows": ["win_amd64"],
}


@pytest.mark.parametrize("platform", SYSTEMS)
def test_the_configuration_builds_what_is_promised(platform: str) -> None:
    command = [sys.executable, "-m", "cibuildwheel", "--print-build-identifiers", "--platform", platform]
    result = subprocess.run([*command, str(ROOT)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    promised = {f"{python}-{system}" for python in PYTHONS for system in SYSTEMS[platform]}
    assert set(result.stdout.split()) == promised
