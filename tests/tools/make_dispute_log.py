"""Write the log of README's "A log and a dispute": what VENUE kept of a bad morning with FIRM.

    python -m tests.tools.make_dispute_log

Simulated, seed 11, so the file is the same each time. What is planted, in this order:

- a cut line takes two executions with it, which nobody can be blamed for;
- VENUE fills over one of them when FIRM asks, and replays the other;
- a second cut takes two more, and FIRM asks for these five times over;
- FIRM comes back with an old store, is refused, and resets both numbers.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path

from fixlab.errors import StateError
from fixlab.faults import Faults, PeerFaults
from fixlab.session.config import SessionConfig
from fixlab.session.session import Session
from fixlab.session.transitions import Role
from fixlab.sim import Loopback
from fixlab.stores import MemoryStore
from fixlab.wire.message import Message
from tests.analysis.logged import Recorder, write

LOG = Path(__file__).parents[2] / "notebooks/data/FIX.4.4-VENUE-FIRM.messages.current.log"
SEED = 11
FIRM = SessionConfig(sender_comp_id="FIRM", target_comp_id="VENUE")
_FILLED_OVER = 32  # MsgSeqNum(34) of the execution that VENUE does not send again
_FIVE_TIMES = 67  # MsgSeqNum(34) of the ResendRequest that comes five times


def play() -> str:
    """The text of the log."""
    lab = Loopback(
        seed=SEED,
        start="2026-01-05T09:30:00",
        config=FIRM,
        initiator_faults=Faults(peer=PeerFaults(request_storm=[_FIVE_TIMES])),
        acceptor_faults=Faults(peer=PeerFaults(gap_fill_orders=[_FILLED_OVER])),
    )
    recorder = Recorder(lab)
    lab.logon()
    _trade(lab, 1, 30)
    _cut_with_executions_on_the_way(lab, 31, 32)
    _trade(lab, 33, 60)
    _cut_with_executions_on_the_way(lab, 61, 62)
    _trade(lab, 63, 90)
    lab.logout()
    lab.run(seconds=1_800)
    _come_back_with_an_old_store(lab)
    _trade(lab, 91, 110)
    lab.logout()
    return write(recorder.finish()["VENUE"], "quickfix", ours="VENUE", theirs="FIRM")


def _trade(lab: Loopback, first: int, last: int) -> None:
    for number in range(first, last + 1):
        _order(lab, number)
        lab.run(seconds=0.4)
        _execution(lab, number)
        lab.run(seconds=8)


def _order(lab: Loopback, number: int) -> None:
    order = {11: f"ORD-{number}", 55: "ACME", 54: 1 + number % 2, 38: 100, 40: 2, 44: "25.40"}
    lab.initiator.send(Message("D", order))


def _execution(lab: Loopback, number: int) -> None:
    told = {37: f"V-{number}", 11: f"ORD-{number}", 17: f"E-{number}", 150: "F", 39: 2}
    told |= {55: "ACME", 54: 1 + number % 2, 32: 100, 31: "25.40", 151: 0, 14: 100, 6: "25.40"}
    lab.acceptor.send(Message("8", told))


def _cut_with_executions_on_the_way(lab: Loopback, *numbers: int) -> None:
    for number in numbers:
        _order(lab, number)
        lab.run(seconds=0.4)
    for number in numbers:
        _execution(lab, number)
    lab.cut()
    lab.run(seconds=20)
    lab.logon()


def _come_back_with_an_old_store(lab: Loopback) -> None:
    """FIRM fails over to a machine with a store of that morning."""
    lab.initiator.session = Session(FIRM, Role.INITIATOR, MemoryStore(40, 40))
    with suppress(StateError):  # the Logon is refused, as it must be
        lab.logon()
    lab.run(seconds=30)
    lab.initiator.reset()
    lab.logon()


if __name__ == "__main__":
    LOG.parent.mkdir(exist_ok=True)
    LOG.write_bytes(play().encode("latin-1"))
    print(f"{LOG.name}: {LOG.stat().st_size:,} bytes")
    sys.exit(LOG.stat().st_size > 100 << 10)
