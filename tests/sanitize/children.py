"""A pytest plugin: name the sanitizer's log of each interpreter that a test starts after that test.

The process of pytest has read its options long before; what is set here is for its children only.
"""

import os
import re

import pytest
from tests.sanitize.suite import ENDS_WITH_THREADS


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
        if name in os.environ:
            own, _, log = os.environ.setdefault(f"OWN_{name}", os.environ[name]).rpartition(":log_path=")
            log = f"{log}-{re.sub(r'[^a-z0-9_]+', '-', item.nodeid.rpartition('/')[2].lower())}"
            leaks = ":detect_leaks=0" if item.nodeid.startswith(tuple(ENDS_WITH_THREADS)) else ""
            os.environ[name] = f"{own}{leaks}:log_path={log}"
