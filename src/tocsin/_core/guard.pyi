"""A lock that is let go whatever happens."""

from threading import RLock
from types import TracebackType

class Guard:
    def __enter__(self) -> None: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

def guard(lock: RLock) -> Guard: ...
