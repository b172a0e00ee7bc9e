"""Annotations for the fields of a NamedTuple that declares a payload.

A type checker sees int, float or bool; EventType reads the NumPy type string beside it. On the wire
all are little-endian. Anything else that a type string can say is annotated in place::

    class Tag(NamedTuple):
        name: Annotated[bytes, "S8"]
        position: Annotated[tuple[float, ...], "3f4"]
"""

from typing import Annotated, TypeAlias

__all__ = ["b1", "f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]

u1: TypeAlias = Annotated[int, "u1"]
u2: TypeAlias = Annotated[int, "u2"]
u4: TypeAlias = Annotated[int, "u4"]
u8: TypeAlias = Annotated[int, "u8"]
i1: TypeAlias = Annotated[int, "i1"]
i2: TypeAlias = Annotated[int, "i2"]
i4: TypeAlias = Annotated[int, "i4"]
i8: TypeAlias = Annotated[int, "i8"]
f2: TypeAlias = Annotated[float, "f2"]
f4: TypeAlias = Annotated[float, "f4"]
f8: TypeAlias = Annotated[float, "f8"]
b1: TypeAlias = Annotated[bool, "b1"]
