"""What the compiled core was made with."""

from typing import Final

CYTHON: Final[str | None]
