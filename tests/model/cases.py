"""The table of the models' cases: which file, which switches, and what must come out.

`verified` cases are searched exhaustively, and so are those with more states: `many`, which are always
searched, `large` and `huge`, for which there must be time. `violated` ones show that the search would notice:
mutants break one step of the protocol; claims (REACH=k) deny a timeline that must be in the model; and
rivals are other designs, which lose events.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """One search of one model."""

    row: str  # under which row of the table it counts
    model: str
    switches: str  # as for the preprocessor, without -D
    holds: bool  # verified, or violated
    many: bool = False  # so many states that optimizing the search pays
    budget: int = 0  # seconds that there must be for all cases together

    @property
    def name(self) -> str:
        return f"{self.model} {self.switches}".rstrip()

    @property
    def is_live(self) -> bool:
        return self.row == "liveness"


PROTOCOL = """
kick        verified  WORKERS=1 N=3
kick        verified  N=3
kick        verified  PRODUCERS=2 N=1
kick        verified  PRODUCERS=2 ITEMS=2 N=1
kick        verified  CANCEL
kick        verified  DISABLE
kick        verified  FREEZE
kick        many      WORKERS=3
kick        large     N=8 CAP=4
kick        large     WORKERS=3 N=3
kick        large     PRODUCERS=2 N=2
kick        large     PRODUCERS=2 ITEMS=2 N=2
kick        large     CANCEL PRODUCERS=2 N=1
kick        large     CANCEL WORKERS=3
kick        violated  PENDING_AFTER
kick        violated  PENDING_AFTER WORKERS=1
kick        violated  NO_EXCLUSION
kick        violated  END_NOT_RELINKED
kick        violated  LINKED_IGNORED CANCEL
kick        violated  CANCEL_UNLINKS CANCEL
kick        violated  REFUSED_PENDING DISABLE
kick        violated  NO_LAST_LOOK
kick        violated  ANNOUNCE_LATE WORKERS=1
kick        violated  BELL_LATE WORKERS=1
kick        violated  WAKE_DROPPED
kick        violated  RING_BY_COUNT
kick        violated  THAW_SILENT FREEZE
kick        violated  KICK_FIRST
kick        violated  REST_NOT_OWED
kick        violated  REACH=1
kick        violated  REACH=2
kick        violated  REACH=3
kick        violated  REACH=4
kick        violated  REACH=5
kick        violated  REACH=6
stages      many
stages      many      PYTHON_FIRST CAP=1
stages      large     PYTHON_FIRST
stages      huge      N=3
stages      huge      N=3 PYTHON_FIRST
stages      large     N=2 CAP=1 CHANGES=3 PYTHON_FIRST
stages      huge      N=1 WRITERS=2
stages      violated  FREED_BY_NATIVE PYTHON_FIRST
stages      violated  PYTHON_NOT_KICKED
stages      violated  OUT_READ_FIRST PYTHON_FIRST N=1
stages      violated  TAKEN_EARLY
stages      violated  PRESENT_READ_FIRST PYTHON_FIRST CAP=1
stages      violated  CHAIN_FIRST PYTHON_FIRST CAP=1
stages      violated  CLAIM_NOT_KICKED PYTHON_FIRST
stages      violated  CLAIM_RUNNING PYTHON_FIRST
stages      violated  OLD_FIRST_IGNORED PYTHON_FIRST CAP=1
stages      violated  REST_NOT_OWED PYTHON_FIRST CHANGES=1
stages      violated  REACH=1
stages      violated  REACH=2
stages      violated  REACH=3 PYTHON_FIRST
stages      violated  REACH=4 PYTHON_FIRST
stages      violated  REACH=5
stages      violated  REACH=6 PYTHON_FIRST
reserve     many
reserve     many      WRITERS=3 EACH=1
reserve     verified  STUCK EACH=1
reserve     verified  CLOSE EACH=1
reserve     verified  CLOSE STUCK EACH=1
reserve     large     STUCK
reserve     huge      CLOSE
reserve     large     STUCK WRITERS=3 EACH=1
reserve     huge      CLOSE WRITERS=3 EACH=1
reserve     violated  PUBLISHED_IN_COMPANY
reserve     violated  LEAVE_NOT_RETRIED
reserve     violated  RESERVED_BY_STORE
reserve     violated  CLOSED_IGNORED CLOSE
reserve     violated  PAD_MISSED
reserve     violated  READ_AFTER_FREED
reserve     violated  OLD_LOOK_REFUSES
reserve     violated  KICK_FIRST
reserve     violated  COUNTED_AGAIN
reserve     violated  COUNTED_BESIDE_ALONE
reserve     violated  REACH=1
reserve     violated  REACH=2
reserve     violated  REACH=3
reserve     violated  REACH=4 CLOSE
reserve     violated  REACH=5
reserve     violated  REACH=6
retry       violated  TRIES=3
retry       violated  TRIES=0
retry       violated  TRIES=3 AT_ONCE
retry       verified  TRIES=0 AT_ONCE
retry       verified  CLEARED_BEFORE N=6
retry       violated  CLEARED_BEFORE SPLIT
retry       violated  REACH=1
retry       violated  REACH=2
"""

LIVENESS = """
kick        verified
kick        verified  PRODUCERS=2 WORKERS=1 N=1
kick        large     PRODUCERS=2 N=1
kick        violated  PENDING_AFTER
kick        violated  WAKE_DROPPED
kick        violated  SPENT_AT_ONCE
stages      verified  N=1 CHANGES=1
stages      verified  CAP=1 CHANGES=1 PYTHON_FIRST
stages      huge      CAP=1 PYTHON_FIRST
stages      violated  PYTHON_NOT_KICKED N=1 CHANGES=1
reserve     verified  EACH=1
reserve     huge      WRITERS=3 EACH=1
reserve     violated  LEAVE_NOT_RETRIED EACH=1
"""

BUFFERS = """
buffers_kick   verified  MODEL=0
buffers_kick   verified  MODEL=1
buffers_kick   verified  MODEL=2
buffers_kick   verified  MODEL=2 N=6 CAP=4
buffers_kick   verified  MODEL=0 BEGIN_BY_STORE
buffers_kick   violated  MODEL=1 BEGIN_BY_STORE
buffers_kick   violated  MODEL=2 BEGIN_BY_STORE
buffers_kick   verified  MODEL=1 PUBLISH_RELAXED
buffers_kick   violated  MODEL=2 PUBLISH_RELAXED
buffers_kick   verified  MODEL=0 LOOK_FIRST
buffers_kick   violated  MODEL=1 LOOK_FIRST
buffers_kick   violated  MODEL=2 LOOK_FIRST
buffers_kick   verified  MODEL=1 LOOK_FIRST MEMBARRIER
buffers_kick   verified  MODEL=2 LOOK_FIRST MEMBARRIER
buffers_kick   verified  MODEL=2 LOOK_FIRST MEMBARRIER N=6 CAP=4
buffers_kick   verified  MODEL=0 SPENT
buffers_kick   verified  MODEL=2 SPENT
buffers_kick   verified  MODEL=1 LOOK_FIRST MEMBARRIER SPENT
buffers_kick   verified  MODEL=2 LOOK_FIRST MEMBARRIER SPENT
buffers_kick   verified  MODEL=2 LOOK_FIRST MEMBARRIER SPENT N=6 CAP=4
buffers_kick   violated  MODEL=1 LOOK_FIRST MEMBARRIER SPENT SPENT_UNSEEN
buffers_kick   violated  MODEL=2 LOOK_FIRST MEMBARRIER SPENT SPENT_UNSEEN
buffers_kick   violated  MODEL=1 REACH=1
buffers_kick   violated  MODEL=1 SPENT REACH=2
buffers_sleep  verified  MODEL=0
buffers_sleep  verified  MODEL=1
buffers_sleep  verified  MODEL=2
buffers_sleep  verified  MODEL=0 ANNOUNCE_BY_STORE
buffers_sleep  violated  MODEL=1 ANNOUNCE_BY_STORE
buffers_sleep  violated  MODEL=2 ANNOUNCE_BY_STORE
buffers_sleep  verified  MODEL=0 PUSH_BY_STORE
buffers_sleep  violated  MODEL=1 PUSH_BY_STORE
buffers_sleep  violated  MODEL=2 PUSH_BY_STORE
buffers_sleep  violated  MODEL=1 REACH=1
buffers_sleep  violated  MODEL=1 REACH=2
"""


BUDGET = {"large": 150, "huge": 600}


def read(row: str, text: str) -> list[Case]:
    cases = []
    for line in text.strip().splitlines():
        model, how, *switches = line.split()
        case = Case(
            row,
            model,
            " ".join(switches),
            holds=how != "violated",
            many=how in ("many", *BUDGET),
            budget=BUDGET.get(how, 0),
        )
        cases.append(case)
    return cases


CASES = read("models", PROTOCOL) + read("liveness", LIVENESS) + read("store buffers", BUFFERS)
