"""Layouts that struct packs: declared by a mapping or by a NamedTuple class.

A record is a row of fixed fields, then at most one of: trailing fields that may be absent (a row
for every size), or a repeated part. A report is made by tuple.__new__, so the common case (scalars,
nothing optional, nothing repeated) is two calls into C.

A counted repeated part is cut to its count; what follows it is ignored. Packing writes the count
itself. Immutable once made; any thread.
"""

from __future__ import annotations

import struct
from functools import cached_property

from tocsin.errors import PayloadError
from tocsin.key import checked
from tocsin.layout.base import MAX_PAYLOAD, Layout, PayloadRule, arrange, locate
from tocsin.layout.declare import Declared, fields_of, maker, report_class
from tocsin.layout.rows import Items, Row

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import numpy

    from tocsin.layout.formats import Format

__all__ = ["RecordLayout"]


class RecordLayout(Layout):
    """Pack and unpack with struct; reports are named tuples."""

    def __init__(
        self,
        declared: Declared,
        source: str | None,
        count: Any,
        max_size: int | None,
        typename: str = "Report",
    ) -> None:
        self.declared, self.arguments = declared, (source, count, max_size)
        self.row = Row(declared.names, declared.formats)
        self.names, self.defaults = declared.all_names, dict(declared.defaults)
        self.items: Items | None = None
        if declared.repeated is not None:
            self.defaults[declared.repeated] = ()
            self.items = make_items(declared.repeated, declared.item)
        self.cls = declared.cls or report_class(typename, self.names, *self.defaults.values())
        self.typename = self.cls.__name__
        self.make = maker(self.cls)

        # One row for each number of fields that may be present; the values of the absent ones.
        present = len(declared.names) - len(declared.defaults)
        shorter = [Row(self.row.names[:n], self.row.formats[:n]) for n in range(present, len(declared.names))]
        tail = tuple(declared.defaults.values())
        self.rows = {len(row.names): row for row in [*shorter, self.row]}
        self.sizes = {row.size: (row, tail[len(row.names) - present :]) for row in self.rows.values()}
        self.rule = self.make_rule(shorter[0] if shorter else self.row, source, count, max_size)
        # The types whose instances struct can take as they are.
        self.direct = (self.cls, tuple) if self.row.simple and not self.defaults else ()
        self.mask = self.rule.count_mask
        self.counter = self.names.index(count if isinstance(count, str) else count[0]) if self.mask else -1

    def make_rule(self, always: Row, source: str | None, count: Any, max_size: int | None) -> PayloadRule:
        """Return the rule; TypeError or ValueError if the declaration contradicts itself."""
        source_at = (0, 0) if source is None else locate("source", source, always.fields())
        size, item_size, count_at, mask = self.row.size, 0, (0, 0), 0
        if self.items is None:
            if count is not None:
                raise ValueError(f"count {count!r} needs a repeated last field, such as ['u8']")
            if max_size is not None and max_size != size:
                raise ValueError(
                    f"max_size {max_size}: these fields have {size} bytes, and none of them repeats"
                )
            sizes = tuple(self.sizes) if len(self.sizes) > 1 or not size else ()
            return PayloadRule(always.size, size, size, 0, *count_at, 0, *source_at, sizes)
        item_size = self.items.row.size
        if max_size is not None and not size + item_size <= checked("max_size", max_size, MAX_PAYLOAD):
            raise ValueError(f"max_size {max_size}: the fields and one item have {size + item_size} bytes")
        if count is not None:
            if not isinstance(count, str) and not (isinstance(count, tuple) and len(count) == 2):
                raise TypeError(
                    f"count must be the name of a field or a pair of name and mask, not {count!r}"
                )
            name, given = (count, None) if isinstance(count, str) else count
            count_at = locate("count", name, always.fields())
            limit = (1 << 8 * count_at[1]) - 1
            mask = limit if given is None else checked("the mask of count", given, limit)
            if not mask or mask & mask + 1:
                raise ValueError(f"the mask of count is {mask:#x}; it must be the low bits, such as 0x3ff")
        return PayloadRule(size, max_size or 0, size, item_size, *count_at, mask, *source_at)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields in the form of a mapping declaration."""
        return fields_of(self.declared)

    def pack(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """Return the payload; see Layout."""
        if self.direct and len(args) == 1 and not kwargs and type(args[0]) in self.direct:
            try:
                return self.row.struct.pack(*args[0])
            except (struct.error, OverflowError):
                pass  # once more, slowly: that finds what does not fit
        values = arrange(self.names, self.defaults, args, kwargs)
        if self.items is None:
            return self.rows[len(values)].pack(values)
        fixed = len(self.row.names)
        chunk = self.items.pack(values[fixed]) if len(values) > fixed else b""
        values = values[:fixed]
        if self.mask:
            values = self.with_count(values, len(chunk) // self.items.row.size)
        payload = self.row.pack(values) + chunk
        if 0 < self.rule.max_size < len(payload):
            raise PayloadError(f"{len(payload)} bytes; at most {self.rule.max_size} are allowed")
        return payload

    def with_count(self, values: tuple[Any, ...], items: int) -> tuple[Any, ...]:
        """Return the values with the number of items in the count field, which has it or 0."""
        if items > self.mask:
            raise PayloadError(f"{items} items; {self.names[self.counter]} can count {self.mask}")
        self.row.formats[self.counter].check(self.names[self.counter], values[self.counter])
        value = int(values[self.counter])
        if value & self.mask not in (0, items):
            name, counted = self.names[self.counter], value & self.mask
            raise PayloadError(f"{name} counts {counted} items; there are {items}")
        return (*values[: self.counter], value & ~self.mask | items, *values[self.counter + 1 :])

    def unpack(self, payload: bytes) -> Any:
        """Return the report; see Layout."""
        row = self.row
        if self.items is None:
            if len(payload) == row.size:
                flat = row.struct.unpack(payload)
                return self.make(flat if row.simple else row.load(flat))
            self.check_size(payload)
            row, tail = self.sizes[len(payload)]
            return self.make((*row.load(row.struct.unpack(payload)), *tail))
        self.check_size(payload)
        end = len(payload)
        if self.mask:
            rule = self.rule
            counter = payload[rule.count_offset : rule.count_offset + rule.count_width]
            end = row.size + self.items.row.size * (int.from_bytes(counter, "little") & self.mask)
        items = self.items.load(payload[row.size : end])
        return self.make((*row.load(row.struct.unpack_from(payload)), items))

    def describe(self) -> str:
        """Return the report's type and fields for a repr."""
        return f"{self.typename}({text_of(self.fields)})"

    @cached_property
    def dtype(self) -> numpy.dtype[Any]:
        """The NumPy dtype of the fixed fields."""
        return self.row.dtype()

    @cached_property
    def item_dtype(self) -> numpy.dtype[Any] | None:
        """The NumPy dtype of one item, None if nothing repeats."""
        return self.items.dtype() if self.items else None

    @property
    def signature(self) -> tuple[Any, ...]:
        """What layouts share that read the same bytes the same way."""
        return (
            self.rule,
            self.row.fields(),
            self.items and (self.items.name, self.items.row.fields()),
        )

    def renamed(self, typename: str) -> Layout:
        """Return this layout with the name for its generated report class."""
        if self.declared.cls or typename == self.typename:
            return self
        return RecordLayout(self.declared, *self.arguments, typename)


def make_items(name: str, item: Declared | Format | None) -> Items:
    """Return the packer of the repeated field, whose items are scalars or reports of their own."""
    if isinstance(item, Declared):
        cls = item.cls or report_class("Item", item.names)
        return Items(name, Row(item.names, item.formats), maker(cls))
    assert item is not None  # gather() sets it with the name
    return Items(name, Row(("",), (item,)), None)


def text_of(fields: dict[str, Any]) -> str:
    """Return the fields as a repr shows them."""
    parts = []
    for name, text in fields.items():
        if isinstance(text, list):
            text = f"[{text_of(text[0]) if isinstance(text[0], dict) else text[0]}]"
        parts.append(f"{name}: {text[0]} = {text[1]!r}" if isinstance(text, tuple) else f"{name}: {text}")
    return ", ".join(parts)
