"""A C++ feed (ticker.cpp) that has a protocol for itself, a C++ subscriber, and a Python one for batches."""

import ctypes
from typing import Any, NamedTuple

from building import build

import tocsin
from tocsin.types import f8, u4


class Quote(NamedTuple):
    instrument: u4
    quantity: u4
    price: f8


class Market(tocsin.Protocol):
    quote = tocsin.EventType(0, Quote, source="instrument")


MARKET = Market(0x83)
QUOTES = 50_000
seen = 0

ticker = ctypes.CDLL(str(build("ticker.cpp")))
ticker.feed_start.restype = ticker.board_new.restype = ctypes.c_void_p
ticker.board_best.restype = ctypes.c_double


def on_quotes(batch: tocsin.Batch[Any]) -> None:
    global seen
    seen += len(batch)


board = ctypes.c_void_p(ticker.board_new())
with tocsin.Pipeline() as pipeline:
    pipeline.register(MARKET)
    pipeline.subscribe_native(MARKET.quote, ticker.board_on_quote, board.value or 0)
    pipeline.subscribe(MARKET.quote, on_quotes, batch=True)
    with pipeline.producer(MARKET, exclusive=True) as producer:
        feed = ctypes.c_void_p(ticker.feed_start(ctypes.c_void_p(producer.address), QUOTES))
        accepted = ticker.feed_join(feed)  # without the GIL, as all of ctypes.CDLL

print(f"{accepted} accepted, {seen} seen by Python")
print("best:", *(f"{ticker.board_best(board, number):.2f}" for number in range(4)))
ticker.board_delete(board)  # after the pipeline: it was the subscriber's context
