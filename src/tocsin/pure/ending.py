"""The end of a pipeline: what closing it and dropping it have in common.

Shut the doors, halt the workers, see that no call can begin any more, count the rest as abandoned. None of it
waits for a call. The face's lock is held, or nobody has the pipeline any more.
"""

from collections.abc import Callable
from typing import Any

from tocsin.pure.channel import ChannelCore
from tocsin.pure.exit import is_over
from tocsin.pure.stage import Stage
from tocsin.pure.workqueue import WorkQueue

__all__ = ["Finaliser", "shut", "stop"]


def shut(stages: dict[int, Stage]) -> None:
    """Accept no event any more."""
    for stage in tuple(stages.values()):
        stage.queue.shut()


def stop(workqueue: WorkQueue, stages: dict[int, Stage], channels: list[ChannelCore[Any]]) -> None:
    """Begin no call any more, have the workers end, count the rest as abandoned, and end the channels."""
    workqueue.stop()
    for stage in tuple(stages.values()):
        stage.pass_calls()
        stage.queue.abandon()
    for channel in tuple(channels):
        channel._shut()


class Finaliser:
    """Close a pipeline that goes, without waiting.

    An object of its own, that nobody else refers to: the `__del__` of a subclass would replace that of the
    pipeline, and need not call it.
    """

    def __init__(
        self, workqueue: WorkQueue, stages: dict[int, Stage], channels: list[ChannelCore[Any]]
    ) -> None:
        self.parts = workqueue, stages, channels

    def __del__(self, is_over: Callable[[], bool] = is_over) -> None:
        # At the interpreter's end this module's globals may be gone: hence the argument.
        if not is_over():
            shut(self.parts[1])
            stop(*self.parts)
