"""Notifier chains: order, results, and changes while the chain is being called."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from helpers import Crew
from tocsin import BAD, DONE, OK, STOP, NotifierChain


class Log(list[Any]):
    def make(self, name: str, result: object = None) -> Callable[[Any, Any], object]:
        def callback(value: Any, data: Any) -> object:
            self.append(name)
            return result

        return callback


def test_an_empty_chain_is_done() -> None:
    chain = NotifierChain()
    assert chain.call(1) is DONE
    assert len(chain) == 0


def test_the_codes_are_those_of_notifier_chains() -> None:
    assert [int(code) for code in (DONE, OK, STOP, BAD)] == [0, 1, 0x8001, 0x8002]


def test_a_callback_gets_value_and_data() -> None:
    got: list[Any] = []
    chain = NotifierChain()
    chain.register(lambda value, data: got.append((value, data)))
    chain.call(7, "data")
    chain.call(8)
    assert got == [(7, "data"), (8, None)]


def test_higher_priorities_come_first_and_equals_by_age() -> None:
    log, chain = Log(), NotifierChain()
    entries = [(n, random.Random(n).choice([-5, 0, 3, 2**40])) for n in range(40)]
    for n, priority in entries:
        chain.register(log.make(str(n)), priority)
    chain.call(0)
    assert log == [str(n) for n, _ in sorted(entries, key=lambda entry: -entry[1])]


@pytest.mark.parametrize("result", [None, DONE, OK, 5, 0x7FFF, 0x10000])
def test_the_result_is_that_of_the_last_callback(result: Any) -> None:
    log, chain = Log(), NotifierChain()
    chain.register(log.make("first", OK))
    chain.register(log.make("second", result))
    assert chain.call(0) == (DONE if result is None else result)
    assert log == ["first", "second"]


@pytest.mark.parametrize("result", [STOP, BAD, 0x8000, 0x8000 | 55, -1])
def test_a_stop_ends_the_chain_and_is_the_result(result: int) -> None:
    log, chain = Log(), NotifierChain()
    chain.register(log.make("first"))
    chain.register(log.make("stops", result))
    chain.register(log.make("never"))
    assert chain.call(0) == result
    assert log == ["first", "stops"]


def test_the_same_callback_is_registered_once() -> None:
    log, chain = Log(), NotifierChain()
    callback = log.make("it")
    chain.register(callback)
    with pytest.raises(ValueError, match="registered already"):
        chain.register(callback, 5)
    chain.register(log.make("it"))  # another function of the same name
    chain.call(0)
    assert log == ["it", "it"]


def test_unregistered_it_is_called_no_more() -> None:
    log, chain = Log(), NotifierChain()
    callback = log.make("it")
    chain.register(callback)
    chain.unregister(callback)
    assert chain.call(0) is DONE
    with pytest.raises(ValueError, match="not registered"):
        chain.unregister(callback)
    chain.register(callback)
    chain.call(0)
    assert log == ["it"]


def test_a_callback_may_unregister_itself_and_others_and_register_new_ones() -> None:
    log, chain = Log(), NotifierChain()
    new = log.make("new")

    def once(value: Any, data: Any) -> None:
        log.append("once")
        chain.unregister(once)
        chain.register(new, 99)

    chain.register(once, 1)
    chain.register(log.make("last"))
    chain.call(0)
    assert log == ["once", "last"]
    log.clear()
    chain.call(0)
    assert log == ["new", "last"]


def test_a_callback_may_call_the_chain_again() -> None:
    log, chain = Log(), NotifierChain()

    def nest(value: int, data: Any) -> None:
        log.append(value)
        if value:
            chain.call(value - 1)

    chain.register(nest)
    chain.call(3)
    assert log == [3, 2, 1, 0]


def test_an_exception_passes_through_and_ends_the_chain() -> None:
    log, chain = Log(), NotifierChain()

    def bad(value: Any, data: Any) -> None:
        raise KeyError(value)

    chain.register(bad)
    chain.register(log.make("never"))
    with pytest.raises(KeyError, match="7"):
        chain.call(7)
    assert log == []
    chain.unregister(bad)
    assert chain.call(7) is DONE
    assert log == ["never"]


@pytest.mark.parametrize("callback", [None, 5, "print"])
def test_what_cannot_be_called_is_refused(callback: Any) -> None:
    with pytest.raises(TypeError, match="callable"):
        NotifierChain().register(callback)


@pytest.mark.parametrize("priority", ["high", None, [1]])
def test_a_priority_that_is_no_integer_is_refused(priority: Any) -> None:
    chain = NotifierChain()
    with pytest.raises((TypeError, ValueError)):
        chain.register(print, priority)
    assert len(chain) == 0


def test_a_result_that_is_no_integer_is_an_error_and_not_ignored() -> None:
    chain = NotifierChain()
    chain.register(lambda value, data: "stop")
    with pytest.raises(TypeError):
        chain.call(0)


def test_a_repr_says_how_many() -> None:
    chain = NotifierChain()
    chain.register(print)
    assert repr(chain) == "<NotifierChain of 1 callbacks>"


@pytest.mark.stress
def test_threads_may_register_unregister_and_call_at_once() -> None:
    chain = NotifierChain()
    counts = [0, 0]

    def always(value: Any, data: Any) -> None:
        counts[0] += 1

    chain.register(always)

    def change() -> None:
        for _ in range(2000):
            callback = Log().make("x", STOP)
            chain.register(callback, -1)
            chain.unregister(callback)

    def call() -> None:
        for _ in range(2000):
            chain.call(0)
            counts[1] += 1

    Crew(change, change, call).join()
    assert len(chain) == 1
    assert counts == [2000, 2000]


def test_comparing_callbacks_may_change_the_chain() -> None:
    chain = NotifierChain()

    class Callback:
        def __init__(self, changes: int) -> None:
            self.changes = changes

        def __call__(self, value: object, data: object) -> None: ...

        def __eq__(self, other: object) -> bool:
            if self.changes:
                self.changes -= 1
                chain.register(print)
            return self is other

        __hash__ = None  # type: ignore[assignment]

    first, second = Callback(1), Callback(0)
    chain.register(first)
    chain.register(second)
    assert len(chain) == 3
    chain.unregister(second)
    assert len(chain) == 2
