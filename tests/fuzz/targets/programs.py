"""Programs of API calls on a pipeline without threads: both backends show the same (tests/twins.py)."""

from typing import Any

from tests.fuzz.choices import Choices

from helpers import STARTS
from twins import Motor, PipelineWorld, Step, load

BACKENDS = [load(name) for name in ("cython", "python")]
PROTOCOLS = [0x80, 0x81]
LONGEST = 40  # steps
PAYLOADS: list[tuple[int, Any]] = [
    *[(Motor.LIMIT, (source, 1)) for source in (0, 3, 65534, 65535)],
    *[(Motor.NOTE, payload) for payload in ((1,), (1, 2), bytes(4), bytes(7))],
    *[(Motor.READINGS, payload) for payload in ((2, [7, 8]), b"\0\0", b"\2\0" + bytes(8), b"\3\0")],
    (77, b""),
]
DEEDS = ["nothing", "stop", "raise", "cancel itself", "cancel the last", "wait for itself", "subscribe"]
OVERFLOWS = ["drop_newest", "drop_oldest", "latest", "block"]


def one(data: bytes) -> None:
    choose = Choices(data)
    start, program = choose.choice(STARTS), begin(choose)
    while choose.more and len(program) < LONGEST:
        program.append(step(choose))
    shown = [PipelineWorld(backend, start).run(program) for backend in BACKENDS]
    for number, (of_one, of_other) in enumerate(zip(*shown, strict=True)):
        assert of_one == of_other, f"{program[: number + 1]}\n{of_one}\n{of_other}"


def begin(choose: Choices) -> list[Step]:
    return [("register", number, choose.choice([1024, 4096])) for number in PROTOCOLS[: choose.randint(1, 2)]]


def key(choose: Choices) -> tuple[int, int | None]:
    event = choose.choice([Motor.LIMIT, Motor.RAW, Motor.NOTE, Motor.READINGS])
    return event, choose.choice([None, None, 0, 3])


def event(choose: Choices) -> tuple[tuple[int, int], Any]:
    """Return an event and its payload, any bytes among them."""
    number = choose.choice(PROTOCOLS)
    if choose.randint(0, 1):
        return (number, Motor.RAW), bytes(choose.getrandbits(9)) if choose.randint(
            0, 3
        ) else choose.some_bytes(40)
    which, payload = choose.choice(PAYLOADS)
    return (number, which), payload


def step(choose: Choices) -> Step:
    """Return any call; those that bring events are as frequent as all others."""
    common = [notify, notify, notify_many, flush, subscribe]
    return choose.choice(common if choose.randint(0, 1) else RARE)(choose)


def notify(choose: Choices) -> Step:
    return ("notify", *event(choose), choose.getrandbits(8), choose.randint(1, 16))


def notify_many(choose: Choices) -> Step:
    payloads = bytes(choose.choice([4, 8, 16, 31]) * choose.getrandbits(6))
    return "notify_many", event(choose)[0], payloads, choose.choice([None, 5, [1, 2], -1]) or 5


def flush(choose: Choices) -> Step:
    return ("flush",)


def subscribe(choose: Choices) -> Step:
    is_batch = choose.randint(0, 2) == 2
    first = key(choose)
    keys = [first] if is_batch else [first, *(key(choose) for _ in range(choose.randint(0, 2)))]
    number, priority = choose.choice(PROTOCOLS), choose.randint(-1, 1)
    return "subscribe", number, keys, priority, is_batch, choose.choice(DEEDS)


def channel(choose: Choices) -> Step:
    keys = [(choose.choice(PROTOCOLS), *key(choose)) for _ in range(choose.randint(1, 3))]
    return "channel", keys, choose.choice([1, 2, 3, 7, 30]), choose.choice(OVERFLOWS)


def produce(choose: Choices) -> Step:
    (_, which), payload = event(choose)
    return "produce", choose.randint(0, 3), which, payload, choose.getrandbits(8)


RARE = [
    channel,
    channel,
    produce,
    flush,
    lambda choose: ("take", choose.randint(0, 3), choose.randint(1, 4)),
    lambda choose: ("take_batch", choose.randint(0, 3), choose.choice([1, 5, 4096])),
    lambda choose: ("producer", choose.choice(PROTOCOLS), bool(choose.randint(0, 1))),
    lambda choose: ("end_producer", choose.randint(0, 3)),
    lambda choose: ("cancel", choose.randint(0, 7)),
    lambda choose: ("end_channel", choose.randint(0, 3)),
    lambda choose: ("freeze",),
    lambda choose: ("thaw",),
    lambda choose: ("thaw",),
    lambda choose: ("unregister", choose.choice(PROTOCOLS)),
    lambda choose: ("register", choose.choice(PROTOCOLS), choose.choice([1000, 1024, 4096])),
    lambda choose: ("close",),
]
