"""Nothing here is for Python: the functions are for other modules of the core."""

from typing import Any

class MainReader:
    def _silence(self) -> None: ...

def put_when_there_is_room(mains: list[Any]) -> None: ...
