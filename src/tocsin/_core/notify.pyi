from typing import Any, Self

from tocsin._core.event import EventCode
from tocsin.key import Key

class NotifyCore:
    def __new__(cls, *args: Any, **kwargs: Any) -> Self: ...
    def now(self) -> int: ...
    def notify(
        self,
        event: EventCode[Any] | Key | tuple[int, int],
        payload: Any,
        timestamp: int | None = None,
        *,
        timeout: float | None = 0,
    ) -> bool: ...
    def notify_many(
        self,
        event: EventCode[Any] | Key | tuple[int, int],
        payloads: Any,
        timestamps: Any = None,
        *,
        timeout: float | None = 0,
    ) -> int: ...
