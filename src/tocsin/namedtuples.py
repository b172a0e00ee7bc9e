"""typing.NamedTuple, without typing, which would be a third of what it takes to import tocsin.

Checkers see typing's own. At run time the class is made by collections.namedtuple, which typing's asks too;
that the annotations are types isn't checked.
"""

from __future__ import annotations

from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NamedTuple
else:

    class Declared(type):
        """Make a named tuple of a class body with annotated fields."""

        def __new__(mcs, name, bases, body):
            if not bases:
                return super().__new__(mcs, name, bases, body)
            fields = body["__annotations__"]
            made = namedtuple(
                name, fields, defaults=[body.pop(field) for field in tuple(fields) if field in body]
            )
            for attribute, value in body.items():
                setattr(made, attribute, value)
            return made

    class NamedTuple(metaclass=Declared):
        """Be the base that a declaration names."""


__all__ = ["NamedTuple"]
