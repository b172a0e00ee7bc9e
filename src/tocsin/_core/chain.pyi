from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

class NotifyResult(IntEnum):
    DONE = 0x0000
    OK = 0x0001
    STOP = 0x8001
    BAD = 0x8002

DONE: Final = NotifyResult.DONE
OK: Final = NotifyResult.OK
STOP: Final = NotifyResult.STOP
BAD: Final = NotifyResult.BAD

class NotifierChain:
    def register(self, callback: Callable[[Any, Any], int | None], priority: int = 0) -> None: ...
    def unregister(self, callback: Callable[[Any, Any], int | None]) -> None: ...
    def call(self, value: object, data: object = None) -> int: ...
    def __len__(self) -> int: ...
