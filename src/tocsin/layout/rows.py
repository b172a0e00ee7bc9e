"""Rows of fixed fields, once or repeated, packed and unpacked by one struct.Struct each.

Rows have no padding and are little-endian. While everything fits, packing and unpacking are one
call into struct; only after struct has refused does Python look for the field that did it.
Immutable once made; any thread.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from itertools import count

from tocsin.errors import PayloadError
from tocsin.layout.base import MAX_PAYLOAD, Field, arrange, import_numpy
from tocsin.layout.formats import Format, show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import numpy

__all__ = ["Items", "Row"]


class Row:
    """Pack and unpack a row of fixed fields."""

    def __init__(self, names: tuple[str, ...], formats: tuple[Format, ...]) -> None:
        self.names, self.formats = names, formats
        self.size = sum(format.size for format in formats)
        if self.size > MAX_PAYLOAD:
            raise ValueError(f"the fields have {self.size} bytes; a payload has at most {MAX_PAYLOAD}")
        self.simple = all(format.simple for format in formats)
        self.struct = struct.Struct("<" + "".join(format.code for format in formats))

    def fields(self) -> tuple[Field, ...]:
        """Return the fields with their offsets."""
        offset, fields = 0, []
        for name, format in zip(self.names, self.formats, strict=True):
            fields.append(Field(name, format.text, offset))
            offset += format.size
        return tuple(fields)

    def load(self, flat: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the fields' values from struct's values."""
        if self.simple:
            return flat
        values, start = [], 0
        for format in self.formats:
            end = start + (format.length or 1)
            values.append(format.load(flat[start:end]))
            start = end
        return tuple(values)

    def pack(self, values: tuple[Any, ...], prefix: str = "") -> bytes:
        """Return the row's bytes; PayloadError names field (after prefix), value and limit."""
        try:
            if self.simple:
                return self.struct.pack(*values)
            return self.struct.pack(*[each for _, _, each in self.elements(values, prefix)])
        except (struct.error, OverflowError) as error:
            for format, name, each in self.elements(values, prefix):
                format.check(name, each)
            raise PayloadError(f"{show(values)} cannot be packed: {error}") from None

    def elements(self, values: tuple[Any, ...], prefix: str) -> Iterable[tuple[Format, str, Any]]:
        """Yield every value that struct wants, with its format and its name."""
        for name, format, value in zip(self.names, self.formats, values, strict=True):
            for each in format.flat(prefix + name, value):
                yield format, prefix + name, each

    def dtype(self) -> numpy.dtype[Any]:
        """Return the row's NumPy dtype, without padding."""
        rows = zip(self.names, self.formats, strict=True)
        parts = [
            (name, f"<{format.base}", (format.length,) if format.length else ()) for name, format in rows
        ]
        dtype: numpy.dtype[Any] = import_numpy().dtype(parts)
        return dtype


class Items:
    """Pack and unpack the repeated last field: scalars, or rows that `make` turns into reports.

    make is None for scalars; then the row has one field, without a name.
    """

    def __init__(self, name: str, row: Row, make: Callable[[tuple[Any, ...]], Any] | None) -> None:
        if not row.size:
            raise ValueError(f"field {name}: an item has no bytes, so it cannot repeat")
        self.name, self.row, self.make = name, row, make

    def load(self, chunk: bytes) -> tuple[Any, ...]:
        """Return the items in a chunk of whole items."""
        row, make = self.row, self.make
        if make is None and row.simple:
            flat: tuple[Any, ...] = struct.unpack(f"<{len(chunk) // row.size}{row.formats[0].code}", chunk)
            return flat
        rows: Iterable[tuple[Any, ...]] = row.struct.iter_unpack(chunk)
        if not row.simple:
            rows = map(row.load, rows)
        return tuple(map(make, rows)) if make else tuple([value for (value,) in rows])

    def pack(self, items: Any) -> bytes:
        """Return the items' bytes; PayloadError names item, field, value and limit."""
        if isinstance(items, (str, Mapping)) or not isinstance(items, Iterable):
            raise PayloadError(f"{self.name}={show(items)} is not a sequence of items")
        row = self.row
        rows = [(item,) for item in items] if self.make is None else [*map(self.arranged, count(), items)]
        if row.simple:
            try:
                return b"".join([row.struct.pack(*values) for values in rows])
            except (struct.error, OverflowError):
                pass  # once more, slowly: that finds the item and the field
        dot = "." if self.make else ""
        return b"".join([row.pack(values, f"{self.name}[{n}]{dot}") for n, values in enumerate(rows)])

    def arranged(self, n: int, item: Any) -> tuple[Any, ...]:
        """Return the values of the n-th item in the row's order."""
        names = self.row.names
        if not isinstance(item, (tuple, Mapping)):
            raise PayloadError(
                f"{self.name}[{n}]={show(item)} is not a tuple or mapping of {', '.join(names)}"
            )
        try:
            values = arrange(names, {}, (item,), {})
        except PayloadError as error:
            raise PayloadError(f"{self.name}[{n}]: {error}") from None
        return values

    def dtype(self) -> numpy.dtype[Any]:
        """Return one item's NumPy dtype; a scalar item has the plain dtype of its type string."""
        format = self.row.formats[0]
        if self.make is None:
            dtype: numpy.dtype[Any] = import_numpy().dtype(
                (f"<{format.base}", (format.length,) if format.length else ())
            )
            return dtype
        return self.row.dtype()
