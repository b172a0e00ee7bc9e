"""SCMI messages: any bytes through notify_message() into a queue, and out as an event with its report."""

from typing import Any

import tocsin
from tocsin import scmi

got: list[Any] = []
failures: list[tocsin.Failure] = []
pipeline = tocsin.Pipeline(workers=0, on_error=failures.append)
pipeline.register(*scmi.PROTOCOLS, queue_size=1 << 16)
pipeline.subscribe(list(scmi.PROTOCOLS), lambda event: got.append((event, event.report, repr(event))))
pipeline.subscribe(list(scmi.PROTOCOLS), lambda batch: got.append(batch.array), batch=True)
REFUSED = (scmi.MessageError, tocsin.UnknownEventError, tocsin.PayloadError)


def one(data: bytes) -> None:
    got.clear()
    try:
        header, payload = scmi.message.split(data)
    except scmi.MessageError:
        assert len(data) < 4
    else:
        assert payload == data[4:]
        assert int(header) == int.from_bytes(data[:4], "little") & 0x0FFF_FFFF
    before = {number: counts.accepted for number, counts in pipeline.stats().protocols.items()}
    try:
        accepted = scmi.notify_message(pipeline, data, timestamp=7)
    except REFUSED as error:
        accepted = False
        assert str(error)
    assert pipeline.flush(0)
    assert not failures, failures
    counts = pipeline.stats().protocols
    assert sum(counts[number].accepted - before[number] for number in counts) == accepted
    if not accepted:
        assert got == []
        return
    event, report, text = got[0]
    assert len(got) == 2, got
    assert (event.key.protocol, event.key.event) == (header.protocol_id, header.message_id)
    assert event.payload == payload
    assert event.timestamp == 7
    assert repr(report) in text
