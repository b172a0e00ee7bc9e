"""Choices that are made by bytes: a random.Random whose bits are those of an input of the fuzzer.

So what makes a program or a declaration at random makes one out of an input too, and a change of a byte
changes a choice. When the bytes are used up every choice is the first one, and `more` is false.
"""

import random


class Choices(random.Random):
    """Choose by the bytes of `data`, from the first on."""

    def __init__(self, data: bytes) -> None:
        super().__init__(0)
        self.data, self.at = data, 0

    @property
    def more(self) -> bool:
        return self.at < len(self.data)

    def take(self, n: int) -> bytes:
        """Return the next n bytes, fewer at the end."""
        piece = self.data[self.at : self.at + n]
        self.at += n
        return piece

    def getrandbits(self, k: int) -> int:
        return int.from_bytes(self.take((k + 7) // 8), "little") & ((1 << k) - 1)

    def random(self) -> float:
        return self.getrandbits(8) / 256

    def some_bytes(self, most: int) -> bytes:
        """Return a piece of the input, of at most so many bytes."""
        return self.take(self.randint(0, most))
