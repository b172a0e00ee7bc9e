"""Read a payload's declaration, a mapping or a NamedTuple class, into one form: Declared.

Runs when an EventType is made, in the thread that makes it; what it returns is immutable.
Everything that a declaration can get wrong is refused here or in RecordLayout, by name: TypeError
for a thing of the wrong kind, ValueError for one that contradicts the rest.

The report class of a mapping is generated: one class per name, fields and defaults (a bounded memo,
so that an unpickled report has the class of its siblings). Its instances pickle by value: they need
nothing but this module.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Mapping
from functools import lru_cache, partial

from tocsin.layout.formats import Format, parse
from tocsin.layout.rows import Row
from tocsin.namedtuples import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "Declared",
    "fields_of",
    "from_mapping",
    "from_named_tuple",
    "is_named_tuple",
    "maker",
    "report_class",
]


class Declared(NamedTuple):
    """Hold the fixed fields, the defaults of the last ones, the repeated field and its item.

    item: a Format repeats as scalars, a Declared as reports. cls: the user's class, None if it is
    to be generated.
    """

    names: tuple[str, ...]
    formats: tuple[Format, ...]
    defaults: dict[str, Any]
    repeated: str | None
    item: Declared | Format | None
    cls: type[Any] | None

    @property
    def all_names(self) -> tuple[str, ...]:
        """The names of all fields, the repeated one last."""
        return self.names if self.repeated is None else (*self.names, self.repeated)


def is_named_tuple(thing: Any) -> bool:
    """Tell whether thing is a NamedTuple class."""
    return isinstance(thing, type) and issubclass(thing, tuple) and hasattr(thing, "_fields")


def from_mapping(fields: Mapping[str, Any]) -> Declared:
    """Read {name: "u4" or ("u4", default)}, the last value perhaps ["u4"] or [{...}]."""
    columns: list[tuple[str, Any, list[Any]]] = []
    for name, text in fields.items():
        if not isinstance(name, str):
            raise TypeError(f"the name of a field must be a str, not {name!r}")
        default: list[Any] = []
        if isinstance(text, tuple):
            if len(text) != 2:
                raise TypeError(f"field {name}: {text!r} is not a pair of a type string and a default")
            text, *default = text
        if isinstance(text, list):
            if len(text) != 1:
                raise TypeError(f"field {name}: {text!r} is not a list of one type string or mapping")
            item = text[0]
            repeated = from_mapping(item) if isinstance(item, Mapping) else parse(name, item)
            columns.append((name, [repeated], default))
        else:
            format = parse(name, text)
            if default:  # as a reader would see it
                row = Row((name,), (format,))
                default = [*row.load(row.struct.unpack(row.pack((default[0],))))]
            columns.append((name, format, default))
    return gather(columns, None)


def from_named_tuple(cls: type[Any]) -> Declared:
    """Read a NamedTuple class annotated with type strings, the last one perhaps tuple[X, ...]."""
    from typing import Annotated, get_args, get_origin, get_type_hints  # which its author has imported

    try:
        hints = get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise TypeError(f"{cls.__name__}: {error}; its annotations must be names of its module") from error
    columns: list[tuple[str, Any, list[Any]]] = []
    for name in cls._fields:
        default = [cls._field_defaults[name]] if name in cls._field_defaults else []
        hint: Any = hints.get(name)
        repeats = False
        if get_origin(hint) is tuple:
            first, *rest = get_args(hint)
            repeats = rest == [...]
            hint = first if repeats else hint
        if repeats and is_named_tuple(hint):
            columns.append((name, [from_named_tuple(hint)], default))
            continue
        texts = (
            [each for each in get_args(hint)[1:] if isinstance(each, str)]
            if get_origin(hint) is Annotated
            else []
        )
        if len(texts) != 1:
            shown = getattr(hint, "__name__", hint)
            raise TypeError(f"field {name}: {shown} has no layout; annotate it with tocsin.types, such as u4")
        format = parse(name, texts[0])
        if default and not repeats:
            Row((name,), (format,)).pack((default[0],))  # a default that does not fit is refused now
        columns.append((name, [format] if repeats else format, default))
    return gather(columns, cls)


def gather(columns: list[tuple[str, Any, list[Any]]], cls: type[Any] | None) -> Declared:
    """Check what stands where: defaults last, at most one repeated field, as the very last."""
    repeated: str | None = None
    item: Declared | Format | None = None
    if columns and isinstance(columns[-1][1], list):
        repeated, (item,), default = columns.pop()
        if default not in ([], [()]):
            raise ValueError(f"field {repeated}: a repeated field has no default but (), not {default[0]!r}")
        if isinstance(item, Declared) and (item.repeated or (item.defaults and item.cls is None)):
            raise ValueError(f"field {repeated}: the fields of an item are always there and do not repeat")
    defaults: dict[str, Any] = {}
    for name, format, default in columns:
        if isinstance(format, list):
            raise ValueError(f"field {name} repeats, so it must be the last one")
        if default:
            defaults[name] = default[0]
        elif defaults:
            raise ValueError(f"field {name} follows one that can be absent, so it needs a default too")
    if defaults and repeated:
        raise ValueError(f"field {next(iter(defaults))} can be absent, so {repeated} can't repeat after it")
    names, formats = (
        tuple(name for name, _, _ in columns),
        tuple(format for _, format, _ in columns),
    )
    return Declared(names, formats, defaults, repeated, item, cls)


def fields_of(declared: Declared) -> dict[str, Any]:
    """Return the declaration as a mapping that from_mapping reads."""
    fields: dict[str, Any] = {}
    for name, format in zip(declared.names, declared.formats, strict=True):
        fields[name] = (format.text, declared.defaults[name]) if name in declared.defaults else format.text
    if declared.repeated is not None:
        item: Any = declared.item
        inner = fields_of(item._replace(defaults={})) if isinstance(item, Declared) else item.text
        fields[declared.repeated] = [inner]
    return fields


@lru_cache(maxsize=1024, typed=True)
def report_class(typename: str, names: tuple[str, ...], *defaults: Any) -> Any:
    """Return the generated named tuple class; equal arguments give the same class."""
    made: Any = namedtuple
    cls = made(typename, names, defaults=defaults, module=__name__)

    def reduce(self: Any) -> tuple[Any, ...]:
        return report, (tuple(self), typename, names, *defaults)

    cls.__reduce__ = reduce
    return cls


def report(values: tuple[Any, ...], typename: str, names: tuple[str, ...], *defaults: Any) -> Any:
    """Return an instance of a generated class; for pickle."""
    return report_class(typename, names, *defaults)._make(values)


def maker(cls: type[Any]) -> Callable[[tuple[Any, ...]], Any]:
    """Return what makes an instance of a NamedTuple class from the tuple of its values."""
    if cls.__bases__[0] is tuple:
        return partial(tuple.__new__, cls)
    return lambda values: cls(*values)
