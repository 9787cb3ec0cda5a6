from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fixlab.plots.unsent import never_sent
from fixlab.session.config import SessionConfig
from fixlab.session.events import Dropped
from fixlab.sim.loopback import Loopback
from fixlab.wire.message import Message
from fixlab.wire.tags import ADMIN_TYPES
from tests.plots.stories import BUY, SELL, Scribe, to_frame

WITHHELD = SessionConfig(
    sender_comp_id="BUY", target_comp_id="SELL", gap_fill_types=ADMIN_TYPES | {"D"}
)


@given(
    steps=st.lists(st.sampled_from(["order", "quote", "cut", "log on", "reset"]), max_size=14)
)
def test_sch_04_rsp_09_the_frame_tells_what_the_events_tell(steps: list[str]) -> None:
    lab = Loopback(seed=1, config=WITHHELD)
    for step in steps:
        active = lab.initiator.session.state == "ACTIVE"
        if step in ("order", "quote"):
            lab.initiator.send(Message("D" if step == "order" else "R", {11: "A"}))
        elif step == "cut" and active:
            lab.cut()
        elif step == "log on" and not active:
            lab.logon()
        elif step == "reset":
            lab.initiator.reset()
        lab.run(seconds=2)
    told = [event for event in lab.initiator.events if isinstance(event, Dropped)]
    assert [Dropped(run.begin, run.end) for run in never_sent(lab.journal.to_frame())] == told


def test_each_end_has_its_own_queue_and_a_row_says_where() -> None:
    scribe = Scribe()
    scribe.queue(BUY, "D", 4)
    scribe.queue(SELL, "D", 2)
    scribe.row(BUY, "RESENT", msg_type="D", seq=2, dup=True)
    scribe.row(SELL, "FILL_SENT", msg_type="4", seq=1, dup=True, span=(1, 1))
    scribe.row(BUY, "FILL_SENT", msg_type="4", seq=1, dup=True, span=(1, 9))
    scribe.row(BUY, "FILL_SENT", msg_type="4", seq=1, dup=True, span=(1, 9))
    assert never_sent(to_frame(scribe.rows)) == [(7, 1, 1), (8, 1, 1), (8, 3, 4)]
