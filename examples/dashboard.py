"""Three readers of one flood: an audit that misses nothing, a dashboard of the newest, a log that may drop.

Each has a channel of its own, and a policy for what happens when it is slow. None holds up the others but
the audit, which the protocol waits for.
"""

import threading
from typing import NamedTuple

import tocsin
from tocsin.types import f4, u4


class Quote(NamedTuple):
    symbol: u4
    price: f4


class Market(tocsin.Protocol):
    quote = tocsin.EventType(0, Quote, source="symbol")


MARKET = Market(0x90)
SYMBOLS = ("AAA", "BBB", "CCC")
QUOTES = 3000


def main() -> None:
    with tocsin.Pipeline() as pipeline:
        pipeline.register(MARKET)
        log = pipeline.channel(MARKET.quote, capacity=10, overflow="drop_oldest")
        dashboard = pipeline.channel(MARKET.quote, overflow="latest")
        audit = pipeline.channel(MARKET.quote, capacity=100, overflow="block", timeout=10)

        seen: list[float] = []
        auditor = threading.Thread(target=lambda: seen.extend(quote.report.price for quote in audit))
        auditor.start()

        for n in range(QUOTES):  # stands in for the exchange
            pipeline.notify(MARKET.quote, Quote(n % len(SYMBOLS), n / 4))

    auditor.join()  # the pipeline is closed: all was delivered, and the channels end
    print(f"audit: {len(seen)} quotes, the last at {seen[-1]}")

    for quote in dashboard:
        print(f"dashboard: {SYMBOLS[quote.source]} at {quote.report.price}")

    entries = list(log)
    print(f"log: {len(entries)} entries, {entries[0].lost} lost before them")


if __name__ == "__main__":
    main()
