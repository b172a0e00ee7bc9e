"""tocsin.namedtuples.NamedTuple makes what typing.NamedTuple makes."""

import copy
import pickle
import typing

import pytest

import tocsin
from tocsin import namedtuples


class Ours(namedtuples.NamedTuple):
    """Say what it is."""

    name: str
    sizes: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """The sum."""
        return sum(self.sizes)


class Theirs(typing.NamedTuple):
    """Say what it is."""

    name: str
    sizes: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """The sum."""
        return sum(self.sizes)


@pytest.mark.parametrize(
    "what",
    ["_fields", "_field_defaults", "__doc__", "__module__", "__bases__", "__slots__", "__match_args__"],
)
def test_class_is_as_typing_makes_it(what: str) -> None:
    assert getattr(Ours, what) == getattr(Theirs, what)


def test_instances_are_tuples_with_defaults_and_methods() -> None:
    both = [made("a", (1, 2)) for made in (Ours, Theirs)]
    assert both[0] == both[1] == ("a", (1, 2))
    assert [repr(one) for one in both] == ["Ours(name='a', sizes=(1, 2))", "Theirs(name='a', sizes=(1, 2))"]
    assert [one.total for one in both] == [3, 3]
    assert Ours("b") == ("b", ())
    assert typing.get_type_hints(Ours) == typing.get_type_hints(Theirs)
    with pytest.raises(TypeError):
        Ours()  # type: ignore[call-arg]  # what has no default must be given


def test_instances_are_copied_and_pickled() -> None:
    one = Ours("a", (3,))
    assert copy.copy(one) == pickle.loads(pickle.dumps(one)) == one
    assert type(pickle.loads(pickle.dumps(one))) is Ours
    stats = tocsin.SubscriptionStats(*range(len(tocsin.SubscriptionStats._fields)))
    assert type(pickle.loads(pickle.dumps(stats))) is tocsin.SubscriptionStats
