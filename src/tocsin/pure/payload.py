"""What a payload may look like: the sizes that an event can have, and where its source stands.

The face turns a declaration into a rule (tocsin.layout.PayloadRule), and every payload is checked against
it at the door, before any space is taken. So what lies in a queue has been found whole. A rule is constant;
any thread. Integers in payloads are little-endian.
"""

from typing import Any

from tocsin.pure.header import HEADER_BYTES, MAX_SIZE

__all__ = ["Rule"]


class Rule:
    """Hold a declared rule; what the queue allows is the largest size where the rule has none."""

    def __init__(self, declared: Any, queue_size: int) -> None:
        self.declared = declared
        most = min(queue_size // 2 - HEADER_BYTES, MAX_SIZE)
        self.max_size: int = max(declared.sizes) if declared.sizes else declared.max_size or most

    @property
    def only_size(self) -> int:
        """The one size that payloads have; 0 if there are several."""
        rule = self.declared
        is_one = not rule.item_size and not rule.sizes and rule.min_size == self.max_size
        return self.max_size if is_one else 0

    def fits(self, payload: bytes) -> bool:
        """Return whether the event can have this payload."""
        rule, size = self.declared, len(payload)
        if not rule.min_size <= size <= self.max_size:
            return False
        if rule.item_size:
            room = size - rule.fixed_size
            if rule.count_width:
                return bool(self.count(payload) * rule.item_size <= room)
            return bool(room % rule.item_size == 0)
        return bool(not rule.sizes or size in rule.sizes)

    def count(self, payload: bytes) -> int:
        """Return how often the repeated part is said to repeat."""
        rule = self.declared
        return field(payload, rule.count_offset, rule.count_width) & int(rule.count_mask)

    def source(self, payload: bytes) -> int:
        """Return where the event comes from; above 65534 only subscribers to ALL hear of it."""
        return field(payload, self.declared.source_offset, self.declared.source_width)


def field(payload: bytes | bytearray, offset: int, width: int) -> int:
    """Return the unsigned integer at an offset; 0 if it has no width."""
    return int.from_bytes(payload[offset : offset + width], "little")
