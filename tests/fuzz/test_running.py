"""What the fuzzer's row needs and can't find is named, with the command that brings it."""

from pathlib import Path

import pytest
from tests.fuzz import running
from tests.verify.row import NotRun


def test_a_clang_without_its_sanitizer_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clang = tmp_path / "clang"
    clang.write_text("#!/bin/sh\necho libclang_rt.asan_static-x86_64.a\n")
    clang.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(NotRun, match="apt-get install clang libclang-rt-dev"):
        running.compiler()


def test_a_missing_clang_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NotRun, match="apt-get install clang libclang-rt-dev"):
        running.compiler()
