"""What the backend was made with: nothing, it is plain Python."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

__all__ = ["CYTHON"]

CYTHON: "Final[str | None]" = None
