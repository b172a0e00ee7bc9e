"""Layouts that somebody else defines: a ctypes.Structure class or a structured NumPy dtype.

Their own bytes, padding included, are the payload, so the size is one number, and a report is an
instance: a copy of the payload, never a view of memory that the queue will use again. Both
libraries convert in silence what does not fit (70000 becomes 4464 in two bytes); packing reads back
what it wrote and refuses a difference. Neither may hold addresses: a payload is bytes from outside.
Immutable once made; any thread.

NumPy is not imported here: a user who hands us a dtype has imported it.
"""

import ctypes
import sys
from _ctypes import CFuncPtr, _Pointer
from collections.abc import Iterator, Mapping
from functools import cached_property
from math import isinf
from operator import getitem, index, setitem
from typing import TYPE_CHECKING, Any

from tocsin.errors import PayloadError
from tocsin.layout.base import (
    MAX_PAYLOAD,
    Field,
    Layout,
    PayloadRule,
    arrange,
    import_numpy,
    locate,
)
from tocsin.layout.formats import show

if TYPE_CHECKING:
    import numpy

__all__ = ["CtypesLayout", "DtypeLayout", "is_dtype", "is_structure"]

POINTERS = (_Pointer, CFuncPtr)  # what every pointer type of ctypes derives from
KINDS = {
    **dict.fromkeys("bhilq", "i"),
    **dict.fromkeys("BHILQ", "u"),
    **dict.fromkeys("fdg", "f"),
    "?": "b",
    "c": "S",
}


def is_structure(thing: Any) -> bool:
    """Tell whether thing is a ctypes.Structure class."""
    return isinstance(thing, type) and issubclass(thing, ctypes.Structure)


def is_dtype(thing: Any) -> bool:
    """Tell whether thing is a NumPy dtype, without importing NumPy."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(thing, numpy.dtype)


class ForeignLayout(Layout):
    """Check and describe a layout of one fixed size."""

    def __init__(
        self,
        typename: str,
        size: int,
        places: tuple[Field, ...],
        source: Any,
        count: Any,
        max_size: Any,
    ) -> None:
        if count is not None:
            raise ValueError(f"count {count!r}: {typename} has no repeated part")
        if max_size is not None and max_size != size:
            raise ValueError(f"max_size {max_size}: {typename} has {size} bytes")
        if not 0 < size <= MAX_PAYLOAD:
            raise ValueError(f"{typename} has {size} bytes; a payload of this kind has 1..{MAX_PAYLOAD}")
        offset, width = (0, 0) if source is None else locate("source", source, places)
        self.typename, self.places = typename, places
        self.names = tuple(place.name for place in places)
        self.rule = PayloadRule(size, size, size, source_offset=offset, source_width=width)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields in the form of a mapping declaration."""
        return {place.name: place.text for place in self.places}

    def describe(self) -> str:
        """Return the report's type and fields for a repr."""
        return f"{self.typename}({', '.join(f'{place.name}: {place.text}' for place in self.places)})"

    @property
    def signature(self) -> tuple[Any, ...]:
        """What layouts share that read the same bytes the same way."""
        return (self.rule, self.places, None)


class CtypesLayout(ForeignLayout):
    """Take a ctypes.Structure class; the report is an instance of it."""

    def __init__(self, cls: type[ctypes.Structure], source: Any, count: Any, max_size: Any) -> None:
        self.cls = cls
        places = []
        for name, kind, *bits in members(cls):
            refuse_addresses(name, kind)
            text = text_of(kind) + (f":{bits[0]}" if bits else "")
            places.append(Field(name, text, getattr(cls, name).offset))
        super().__init__(cls.__name__, ctypes.sizeof(cls), tuple(places), source, count, max_size)

    def pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """Return the payload; see Layout."""
        if len(args) == 1 and not kwargs and isinstance(args[0], self.cls):
            return bytes(args[0])[: self.rule.min_size]  # a subclass may have more
        report = self.cls()
        values = arrange(self.names, dict.fromkeys(self.names, ABSENT), args, kwargs)
        fill(report, "", dict(zip(self.names, values, strict=False)))
        return bytes(report)

    def unpack(self, payload: bytes) -> Any:
        """Return the report; see Layout."""
        self.check_size(payload)
        return self.cls.from_buffer_copy(payload)

    @cached_property
    def dtype(self) -> "numpy.dtype[Any]":
        """The NumPy dtype of the fixed fields."""
        dtype: numpy.dtype[Any] = import_numpy().dtype(self.cls)
        return dtype


ABSENT = object()  # ctypes leaves what is not given zero


def members(cls: Any) -> Iterator[tuple[Any, ...]]:
    """Yield the _fields_ of a Structure or Union and of its bases, in order of offset."""
    for base in reversed(cls.__mro__):
        yield from vars(base).get("_fields_", ())


def refuse_addresses(name: str, kind: Any) -> None:
    """Raise TypeError if the ctypes type holds an address or a Python object."""
    if issubclass(kind, POINTERS) or getattr(kind, "_type_", None) in ("O", "P", "z", "Z", "X"):
        raise TypeError(f"field {name}: {kind.__name__} is an address; a payload holds values only")
    if is_array(kind):
        refuse_addresses(name, kind._type_)
    for member, inner, *_ in members(kind):
        refuse_addresses(f"{name}.{member}", inner)


def text_of(kind: Any) -> str:
    """Return the NumPy type string of a ctypes type, or its name if it is no number."""
    if is_array(kind):
        inner = text_of(kind._type_)
        return f"{kind._length_}{inner}" if code_of(kind._type_) else f"{kind._length_}[{inner}]"
    code, size = code_of(kind), ctypes.sizeof(kind)
    if not code:
        return str(kind.__name__)
    little = (sys.byteorder == "little") != hasattr(kind, "_swappedbytes_")
    return f"{'' if little or size == 1 else '>'}{code}{size}"


def array_length(kind: Any) -> int:
    """Return the number of elements of a ctypes array type."""
    return int(kind._length_)


def is_array(kind: Any) -> bool:
    """Tell whether kind is a ctypes array type."""
    return issubclass(kind, ctypes.Array)


def code_of(kind: Any) -> str:
    """Return u, i, f, b or S for a simple ctypes type, "" for any other."""
    return "" if is_array(kind) else KINDS.get(str(getattr(kind, "_type_", "")), "")


def fill(target: Any, prefix: str, values: Mapping[str, Any]) -> None:
    """Set the fields of a Structure or Union; PayloadError names field, value and limit."""
    kinds = {name: (kind, bits[0] if bits else None) for name, kind, *bits in members(type(target))}
    for name, value in values.items():
        if name not in kinds:
            raise PayloadError(f"there is no field {show(prefix + str(name))}; there are {', '.join(kinds)}")
        if value is not ABSENT:
            put(target, name, prefix + name, *kinds[name], value)


def put(target: Any, key: Any, name: str, kind: Any, bits: int | None, value: Any) -> None:
    """Set one field (key is its name) or one element (its index), and read it back."""
    get, put_in = (getattr, setattr) if isinstance(key, str) else (getitem, setitem)
    if issubclass(kind, (ctypes.Structure, ctypes.Union)) and isinstance(value, (tuple, Mapping)):
        names = [member for member, *_ in members(kind)]
        fill(
            get(target, key),
            name + ".",
            dict(zip(names, arrange(names, {}, (value,), {}), strict=True)),
        )
        return
    if is_array(kind) and isinstance(value, (tuple, list)):
        length = array_length(kind)
        if len(value) > length:
            raise PayloadError(f"{name} has {len(value)} values; {text_of(kind)} has {length}")
        for n, each in enumerate(value):
            put(get(target, key), n, f"{name}[{n}]", kind._type_, None, each)
        return
    code, limit = code_of(kind), text_of(kind)
    if code in ("u", "i"):
        size = bits or 8 * ctypes.sizeof(kind)
        low, high = (0, (1 << size) - 1) if code == "u" else (-1 << size - 1, (1 << size - 1) - 1)
        limit += f"{f':{bits}' if bits else ''}: {low}..{high}"
        try:
            value = index(value)
        except TypeError:
            raise PayloadError(f"{name}={show(value)} is not an integer ({limit})") from None
        if not low <= value <= high:
            raise PayloadError(f"{name}={show(value)} does not fit {limit}")
    try:
        put_in(target, key, value)
    except (TypeError, ValueError, OverflowError) as error:
        raise PayloadError(f"{name}={show(value)} does not fit {limit}: {error}") from None
    if code == "f" and isinf(get(target, key)) and not isinf(value):
        raise PayloadError(f"{name}={show(value)} does not fit {limit}")


class DtypeLayout(ForeignLayout):
    """Take a structured NumPy dtype; the report is a scalar of it, numpy.void or numpy.record."""

    def __init__(self, dtype: Any, source: Any, count: Any, max_size: Any) -> None:
        if dtype.names is None:
            raise TypeError(f"dtype {dtype} has no fields; give a structured one, or a mapping")
        if dtype.hasobject:
            raise TypeError(f"dtype {dtype} holds Python objects; a payload holds values only")
        self.given = dtype
        places = []
        for name in dtype.names:
            kind, offset = dtype.fields[name][:2]
            base, shape = kind.subdtype or (kind, ())
            text = base.newbyteorder("=").str[1:] if base == base.newbyteorder("<") else base.str
            text = text.lstrip("|") if base.names is None else f"V{base.itemsize}"
            places.append(Field(name, f"{shape}{text}" if shape else text, offset))
        super().__init__("record", dtype.itemsize, tuple(places), source, count, max_size)

    def pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """Return the payload; see Layout."""
        if len(args) == 1 and not kwargs and getattr(args[0], "dtype", None) == self.given:
            report = args[0]
            if report.size != 1:
                raise PayloadError(f"{report.size} records; pack() takes one, notify_many() takes an array")
            return bytes(report.tobytes())
        numpy = import_numpy()
        report = numpy.zeros((), self.given)
        for name, value in zip(self.names, arrange(self.names, {}, args, kwargs), strict=True):
            self.put(numpy, report, name, value)
        return bytes(report.tobytes())

    def put(self, numpy: Any, report: Any, name: str, value: Any) -> None:
        """Set one field and read it back."""
        base = self.given[name].base
        limit = base.str.lstrip("<|")
        if base.kind in "ui":
            limit += f": {numpy.iinfo(base).min}..{numpy.iinfo(base).max}"
        elif base.kind == "f":
            limit += f": {numpy.finfo(base).min}..{numpy.finfo(base).max}"
        try:
            with numpy.errstate(over="raise"):
                report[name] = value
            same = base.kind not in "uiSU" or numpy.array_equal(report[name], value)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise PayloadError(f"{name}={show(value)} does not fit {limit}: {error}") from None
        if not same:
            raise PayloadError(f"{name}={show(value)} does not fit {limit}")

    def unpack(self, payload: bytes) -> Any:
        """Return the report; see Layout."""
        self.check_size(payload)
        return import_numpy().frombuffer(payload, self.given)[0]

    @cached_property
    def dtype(self) -> "numpy.dtype[Any]":
        """The NumPy dtype of the fixed fields."""
        dtype: numpy.dtype[Any] = self.given
        return dtype
