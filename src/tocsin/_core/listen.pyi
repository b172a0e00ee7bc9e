from typing import Any, Self

from tocsin._core.notify import NotifyCore
from tocsin._core.reader import ChannelCore
from tocsin._core.ties import SubscriptionCore

class ListenCore(NotifyCore):
    def __new__(cls, *args: Any, **kwargs: Any) -> Self: ...
    def _make_channel(
        self,
        channel: ChannelCore[Any],
        overflow: int,
        capacity: int,
        timeout: float,
        several: bool,
        start: int,
    ) -> None: ...
    def _open_channel(
        self, channel: ChannelCore[Any], protocol: int, events: list[int], size: int
    ) -> None: ...
    def _shut_channel(self, channel: ChannelCore[Any]) -> None: ...
    def _call_on_main(self, subscription: SubscriptionCore, is_main: bool) -> None: ...
    def _drain_main(self, timeout: float | None) -> bool: ...
    def _end_mains(self, deliver: bool) -> None: ...
