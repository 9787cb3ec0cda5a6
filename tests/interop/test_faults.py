"""fixlab misbehaves on purpose towards a real QuickFIX engine: what the engine makes of it."""

import contextlib
from collections.abc import AsyncIterator, Iterator

import pytest

from fixlab.engines._child import order_fields
from fixlab.faults import Faults, PeerFaults
from fixlab.net.acceptor import AcceptedSession, Acceptor
from fixlab.session.config import SessionConfig
from fixlab.session.events import Event, Received, RejectReceived
from fixlab.wire.message import Message
from tests.interop.peer import STEP_SECONDS, Engine, Peer, Spec, until
from tests.net.peers import run

NAMES = ("SUM", "FILL", "ORIG", "LOOP", "REUSED")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    specs = [Spec("FIX.4.4", name, ("UseDataDictionary=N",)) for name in NAMES]
    made = Engine("initiator", tmp_path_factory.mktemp("quickfix"), specs)
    made.start()
    yield made
    made.stop()


class Table:
    """fixlab as a misbehaving venue, and QuickFIX as its customer."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.peer: Peer = engine.peers[f"FIX.4.4:QF->{name}"]
        self.config = SessionConfig(sender_comp_id=name, target_comp_id="QF")
        self.rejects: list[str] = []
        self.received: list[str] = []

    @contextlib.asynccontextmanager
    async def open(self, **faults: object) -> AsyncIterator[AcceptedSession]:
        planned = Faults(peer=PeerFaults(**faults))  # type: ignore[arg-type]
        async with Acceptor(
            self.config,
            port=self.peer.engine.port,
            faults=planned,
            on_event=lambda _, event: self._on_event(event),
        ) as acceptor:
            (venue,) = acceptor.sessions.values()
            self.peer.tell("logon")
            await venue.wait_established(timeout_seconds=STEP_SECONDS)
            await until(lambda: self.peer.logons > 0, "QuickFIX to log on")
            yield venue
            await self.peer.leave()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, RejectReceived):
            self.rejects.append(event.text)
        elif isinstance(event, Received):
            self.received.append(event.message[11])

    async def send(self, venue: AcceptedSession, *names: str) -> None:
        for name in names:
            await venue.send(Message("D", {11: name, **order_fields("FIX.4.4")}))


def test_a_wrong_check_sum_is_ignored_and_the_order_recovered(engine: Engine) -> None:
    async def story() -> None:
        table = Table(engine, "SUM")
        async with table.open(bad_check_sum=[3]) as venue:
            await table.send(venue, "A", "B", "C", "D")
            await until(lambda: len(table.peer.orders) >= 4, "all orders")
            assert table.peer.orders == ["A", "B", "C", "D"]
            assert [strike.fault for strike in venue.struck] == ["bad_check_sum"]
            assert (venue.journal.to_frame()["kind"] == "RESENT").sum() >= 1

    run(story(), seconds=30)


def test_an_order_that_is_filled_over_is_never_missed(engine: Engine) -> None:
    async def story() -> None:
        table = Table(engine, "FILL")
        async with table.open(drop=[3], gap_fill_orders=[3]) as venue:
            await table.send(venue, "A", "B", "C")
            await until(lambda: "C" in table.peer.orders, "the last order")
            assert table.peer.orders == ["A", "C"]
            assert await table.peer.numbers() == (venue.session.next_in, 5)
            # To the session itself the order was resent: its journal is its own view.
            assert (
                3 in venue.journal.to_frame().query("kind == 'RESENT'")["msg_seq_num"].tolist()
            )

    run(story(), seconds=30)


def test_a_duplicate_without_orig_sending_time_is_rejected(engine: Engine) -> None:
    async def story() -> None:
        table = Table(engine, "ORIG")
        async with table.open(drop=[3], no_orig_sending_time=1.0) as venue:
            await table.send(venue, "A", "B", "C")
            await until(lambda: bool(table.rejects), "a Reject")
            assert "Required tag missing" in table.rejects[0]
            # QuickFIX looks at 122 only when it knows the number already: B (3) passes, and the
            # replay of C (4), which it holds, does not.
            assert table.peer.orders == ["A", "B", "C"]
            refused = [m[45] for m in table.peer.log() if m.msg_type == "3"]
            assert refused == ["4"]
            assert [s.occasion for s in venue.struck if s.fault != "drop"] == [3, 4]

    run(story(), seconds=30)


def test_a_loop_is_answered_each_time(engine: Engine) -> None:
    async def story() -> None:
        table = Table(engine, "LOOP")
        async with table.open(resend_loop=1.0) as venue:
            await table.peer.skip(2)
            await table.peer.send(1, "QF")
            await until(lambda: table.received == ["QF-0"], "the order, in the end")
            asked = [m for m in table.peer.log() if m.msg_type == "2"]
            assert [(m[7], m[16]) for m in asked] == [("2", "0")] * 10
            fills = [m for m in table.peer.log() if m.msg_type == "4" and m[49] == "QF"]
            assert len(fills) == 10
            assert venue.session.gap is None

    run(story(), seconds=30)


def test_a_number_used_twice_ends_the_session(engine: Engine) -> None:
    async def story() -> None:
        table = Table(engine, "REUSED")
        async with table.open(number_reused=[3]) as venue:
            await table.send(venue, "A", "B")
            await until(lambda: "MsgSeqNum too low" in venue.reason, "QuickFIX's Logout")
            assert table.peer.orders == ["A"]

    run(story(), seconds=30)
