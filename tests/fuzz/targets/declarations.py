"""Declarations: any mapping as the fields of an event, and any bytes as its payload.

What a declaration refuses it refuses by TypeError or ValueError. With one that it takes, three readers of the
size rule agree (Python, the core, the report), a report packs to bytes that mean the same, and NumPy sees
as many bytes.
"""

import math
from typing import Any

from tests.fuzz.choices import Choices

import tocsin

WORDS = ["u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8", "b1", "S1", "S8", "3u2", "(2,)i4"]
ODD = ["", "u3", ">u4", "<u4", "0u1", "99999999u8", "S0", "S99999999", "bool", "uint16", "x", "u4,u4", "2S3"]
NAMES = ["a", "b", "n", "class", "_x", "", "a b", "index"]
DEFAULTS: list[Any] = [0, 1, -1, 1 << 40, 1.5, b"ab", "x", None, (), (1, 2, 3), float("inf")]
SIZES = [None, 0, 1, 16, 100, 1 << 24, -1]


def one(data: bytes) -> None:
    choose = Choices(data)
    fields, options = declaration(choose)
    try:
        event = tocsin.EventType(7, fields, **options)
        protocol = tocsin.Protocol(0x80, "fuzzed", {"it": event})
    except (TypeError, ValueError) as error:
        assert str(error)
        return
    with tocsin.Pipeline(workers=0) as pipeline:
        try:
            pipeline.register(protocol, queue_size=1024)
        except ValueError as error:
            assert str(error)
            return
        got: list[Any] = []
        pipeline.subscribe(protocol, got.append)
        while choose.more:
            deliver(pipeline, protocol.events[0], choose.some_bytes(64), got)


def declaration(choose: Choices) -> tuple[Any, dict[str, Any]]:
    """Return fields, and what else EventType takes."""
    options: dict[str, Any] = {"max_size": choose.choice(SIZES)} if choose.randint(0, 3) == 3 else {}
    if choose.randint(0, 15) == 15:
        return choose.choice([None, {}, [], "u4", 5, tuple]), options
    fields = mapping(choose, choose.randint(1, 4))
    if fields and choose.randint(0, 1):
        options["source"] = choose.choice([*fields, "missing"])
    if choose.randint(0, 1):
        inner = choose.choice([choose.choice(WORDS), mapping(choose, choose.randint(0, 2))])
        fields["items"] = choose.choice([[inner], [inner], [inner], [inner, inner], [], ([inner], ())])
        if choose.randint(0, 1):
            name = choose.choice([*fields, "missing"])
            options["count"] = choose.choice(
                [name, (name, 0x0F), (name, 0xFF), (name, 6), (name, 1 << 70), 5]
            )
    return fields, options


def mapping(choose: Choices, n: int) -> dict[str, Any]:
    """Return n fields, most of them good; some may be absent."""
    fields: dict[str, Any] = {}
    for number in range(n):
        is_odd = choose.randint(0, 15) == 15
        text = choose.choice(ODD) if is_odd else choose.choice(WORDS)
        name = choose.choice(NAMES) if choose.randint(0, 15) == 15 else f"f{number}"
        fields[name] = (text, choose.choice(DEFAULTS)) if choose.randint(0, 7) == 7 else text
    return fields


def deliver(pipeline: Any, event: Any, payload: bytes, got: list[Any]) -> None:
    """Offer a payload: who says what of it."""
    got.clear()
    try:
        event.check_size(payload)
    except tocsin.PayloadError as error:
        assert str(error)
        assert_refused(pipeline, event, payload)
        return
    report = event.unpack(payload)
    if len(payload) > 1024 // 2 - 16:
        assert_refused(pipeline, event, payload)
        return
    assert pipeline.notify(event, payload, 1) is True
    assert pipeline.flush(0)
    assert len(got) == 1
    assert got[0].payload == payload
    source = event.source_of(payload)
    assert got[0].source == source
    if event.fields:
        assert same(got[0].report, report)
        assert same(event.unpack(event.pack(report)), report)
        repr(got[0].report), repr(event)
        assert event.dtype.itemsize <= 1 << 24


def assert_refused(pipeline: Any, event: Any, payload: bytes) -> None:
    for call in (event.unpack, lambda payload: pipeline.notify(event, payload)):
        try:
            call(payload)
        except tocsin.PayloadError as error:
            assert str(error)
        else:
            assert call == event.unpack, "the queue took it"
            assert len(payload) > 1024 // 2 - 16, "it was unpacked"


def same(one: Any, other: Any) -> bool:
    """Compare reports; what is not a number is the same as another that is none."""
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)
