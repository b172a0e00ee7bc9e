"""How payloads are laid out: one Layout for each way to declare an event's fields.

Layers, each importing only from those before it: formats (one field's type), base (size rule,
source, the Layout class, raw bytes), rows (fixed fields, once or repeated), declare (reading
mappings and NamedTuple classes), records (layouts that struct packs), foreign (ctypes and NumPy). A
layout is made once, with its EventType, and is immutable; any thread.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

from tocsin.layout.base import MAX_PAYLOAD, Layout, PayloadRule, RawLayout
from tocsin.layout.declare import from_mapping, from_named_tuple, is_named_tuple
from tocsin.layout.records import RecordLayout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["MAX_PAYLOAD", "Layout", "PayloadRule", "RawLayout", "make_layout"]


def make_layout(fields: Any, source: Any, count: Any, max_size: Any) -> Layout:
    """Return the layout that a declaration describes."""
    if fields is None:
        if source is not None or count is not None:
            raise ValueError(f"source {source!r}, count {count!r}: raw bytes have no fields")
        return RawLayout(max_size)
    if isinstance(fields, Mapping):
        return RecordLayout(from_mapping(fields), source, count, max_size)
    if is_named_tuple(fields):
        return RecordLayout(from_named_tuple(fields), source, count, max_size)
    if "ctypes" in sys.modules or "numpy" in sys.modules:  # whoever has one of theirs has imported it
        from tocsin.layout.foreign import CtypesLayout, DtypeLayout, is_dtype, is_structure

        if is_structure(fields):
            return CtypesLayout(fields, source, count, max_size)
        if is_dtype(fields):
            return DtypeLayout(fields, source, count, max_size)
    raise TypeError(
        "fields must be a mapping, a NamedTuple class, a ctypes.Structure class, a structured "
        f"dtype or None, not {fields!r}"
    )
