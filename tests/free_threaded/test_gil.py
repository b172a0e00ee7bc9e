"""On a free-threaded build the GIL stays off, whatever of the package is used."""

import sys

import pytest

from helpers import assert_ends_well
from tocsin import backend

pytestmark = pytest.mark.skipif(not backend.gil_is_off, reason="this build has a GIL")

EVERYTHING = """
import importlib, pkgutil, sys, warnings
warnings.simplefilter("error")          # the interpreter warns when a module brings the GIL back
from helpers import MOTOR, PATIENCE
import tocsin, tocsin._core
for package in (tocsin, tocsin._core):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        importlib.import_module(module.name)
        assert not sys._is_gil_enabled(), module.name
with tocsin.Pipeline() as pipeline, tocsin.WorkQueue("queue") as queue:
    pipeline.register(MOTOR)
    pipeline.subscribe(MOTOR.tick, lambda event: event.report)
    pipeline.subscribe(MOTOR.tick, lambda batch: len(batch), batch=True)
    pipeline.notify(MOTOR.tick, (1,))
    with pipeline.producer(MOTOR) as producer:
        producer.notify(MOTOR.tick.id, bytes(8))
    queue.queue(tocsin.Work(lambda: None))
print(sys._is_gil_enabled(), end="")
"""


def test_gil_stays_off_in_everything() -> None:
    assert assert_ends_well(EVERYTHING) == "False"


def test_gil_is_off_in_this_run() -> None:
    assert not sys._is_gil_enabled()


def test_writers_share_every_ring() -> None:
    assert backend.switches()["writers"] == "cas"
