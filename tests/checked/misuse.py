"""A program that uses an exclusive producer from two native threads at once; a checked core ends it.

    python misuse.py LIBRARY      the compiled flood.c

Prints "unnoticed" if nothing happened for some seconds, which is what an ordinary core does.
"""

import ctypes
import sys
import time

import tocsin

SECONDS = 10.0


def main(library: str) -> None:
    flood = ctypes.CDLL(library)
    protocol = tocsin.Protocol(0x80, "pair", {"pair": tocsin.EventType(0, {"a": "u4", "b": "u4"})})
    pipeline = tocsin.Pipeline()
    pipeline.register(protocol)
    producer = pipeline.producer(protocol, exclusive=True)
    for _ in range(2):
        flood.flood_start(ctypes.c_void_p(producer.address))
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        time.sleep(0.1)
    print("unnoticed")


if __name__ == "__main__":
    main(sys.argv[1])
