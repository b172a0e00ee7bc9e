"""Of many tests that are alike, those that run where slow ones are left out."""

from collections.abc import Iterable
from typing import Any

import pytest


def quick(names: Iterable[object], *chosen: object) -> list[Any]:
    """Return parameters: the chosen ones as they are, and all others marked slow."""
    return [name if name in chosen else pytest.param(name, marks=pytest.mark.slow) for name in names]
