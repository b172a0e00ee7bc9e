"""The SCMI vectors: messages, what must become of them, captured lines; and reports as they write them."""

import json
from pathlib import Path
from typing import Any

from tocsin import scmi

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "scmi.json").read_text())
VALID: list[dict[str, Any]] = VECTORS["vectors"] + VECTORS["spec_only_vectors"]
BY_ID = {vector["id"]: vector for vector in VALID}


def protocol_of(vector: dict[str, Any]) -> Any:
    """Return the protocol that knows the context of a vector."""
    context = vector.get("context", {})
    if "protocol_major_version" in context:
        return scmi.system(context["protocol_major_version"])
    if "level_to_freq_hz" in context:
        levels = {int(level): hertz for level, hertz in context["level_to_freq_hz"].items()}
        return scmi.perf(dict.fromkeys(range(context["num_domains"]), levels))
    if "num_axis" in context:
        return scmi.sensor({vector["expect"]["src_id"]: context["num_axis"]})
    return plain_protocol(vector["protocol_id"])


def plain_protocol(number: int) -> Any:
    return next(protocol for protocol in scmi.PROTOCOLS if protocol.id == number)


def event_of(protocol: Any, number: int) -> Any:
    return next(event for event in protocol.events if event.id == number)


def as_json(report: Any) -> Any:
    """Return a report in the form of the vectors: named tuples as mappings, others as lists."""
    if hasattr(report, "_asdict"):
        return {name: as_json(value) for name, value in report._asdict().items()}
    return [as_json(value) for value in report] if isinstance(report, tuple) else report
