"""`on_event` raises: what the peer is told, what counts, and what the journal says."""

from typing import Any

import pytest

from fixlab.errors import StoreError
from fixlab.net.acceptor import AcceptedSession, Acceptor
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.session.events import Ended, Event, Received, RejectReceived
from fixlab.session.transitions import SessionState
from fixlab.stores.memory import MemoryStore
from tests.net.peers import BUY, logon_bytes, order, raw_client, run, wire

VERSIONS = ["FIX.4.0", "FIX.4.1", "FIX.4.2", "FIX.4.4", "FIXT.1.1"]


def explode(_: str, event: Event) -> None:
    if isinstance(event, Received) and event.message.get(11) != "ORD-2":
        raise ValueError("the book of client 4711 is closed")


def ends(begin_string: str = "FIX.4.4", **settings: Any) -> tuple[SessionConfig, SessionConfig]:
    """An initiator, and an acceptor with these settings."""
    both: dict[str, Any] = {"begin_string": begin_string, "disconnect_wait_seconds": 0.1}
    buy = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL", **both)
    sell = SessionConfig(sender_comp_id="SELL", target_comp_id="BUY", **both, **settings)
    return buy, sell


def only(venue: Acceptor) -> AcceptedSession:
    (session,) = venue.sessions.values()
    return session


def rows(driver: AcceptedSession, msg_type: str) -> list[tuple[str, str, int, int]]:
    frame = driver.journal.to_frame()
    frame = frame[frame.msg_type == msg_type]
    return list(zip(frame.kind, frame.rule, frame.next_in, frame.next_out, strict=True))


@pytest.mark.parametrize("begin_string", VERSIONS)
def test_rej_15_what_the_handler_raised_on_is_refused_and_counts(begin_string: str) -> None:
    buy_config, sell_config = ends(begin_string, reject_on_handler_error=True)
    old = begin_string in ("FIX.4.0", "FIX.4.1")

    async def story() -> None:
        async with (
            Acceptor(sell_config, on_event=explode) as venue,
            Initiator(buy_config, port=venue.port) as buy,
        ):
            await buy.send(order(1))
            if old:
                rejected = await buy.next_event(RejectReceived)
                message = rejected.message
                assert rejected.ref_seq_num == 2
            else:
                message = (await buy.next_event(Received)).message
                assert (message.msg_type, message[380], message[372]) == ("j", "4", "D")
            assert (message[45], message[58]) == ("2", "Application not available")
            assert "4711" not in str(message)
            sell = only(venue)
            await buy.send(order(2))
            await sell.wait_until(lambda session: session.next_in == 4)
            assert sell.state is SessionState.ACTIVE
            assert rows(sell, "D") == [
                ("ACCEPTED", "SEQ-02", 3, 2),
                ("ACCEPTED", "SEQ-02", 4, 3),
            ]
            assert rows(sell, "3" if old else "j") == [("SENT", "REJ-15", 3, 3)]
            # It is refused, so nobody else may process it; the error is told all the same.
            assert [type(error) for error in sell.errors] == [ValueError]
            assert not any(isinstance(event, Received) for event in sell._events)

    run(story(), reports=1)


def test_dsc_02_a_handler_that_raises_may_end_the_connection() -> None:
    buy_config, sell_config = ends(disconnect_on_handler_error=True)

    async def story() -> None:
        async with (
            Acceptor(sell_config, on_event=explode) as venue,
            Initiator(buy_config, port=venue.port, reconnects_max=0) as buy,
        ):
            await buy.send(order(1))
            ended = await buy.next_event(Ended)
            assert ended.reason == "the peer logged out: Application not available"
            sell = only(venue)
            await sell.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
            assert rows(sell, "D") == [("ACCEPTED", "SEQ-02", 3, 2)]
            assert rows(sell, "5")[0] == ("SENT", "DSC-02", 3, 3)
            # Processed or not, only the application knows: the event waits for it.
            event = await sell.next_event(Received)
            assert event.message[11] == "ORD-1"

    run(story(), reports=1)


def test_rej_15_dsc_02_both_refuse_and_then_log_out() -> None:
    buy_config, sell_config = ends(
        reject_on_handler_error=True, disconnect_on_handler_error=True
    )

    async def story() -> None:
        async with (
            Acceptor(sell_config, on_event=explode) as venue,
            Initiator(buy_config, port=venue.port, reconnects_max=0) as buy,
        ):
            await buy.send(order(1))
            assert (await buy.next_event(Received)).message.msg_type == "j"
            await buy.next_event(Ended)
            sent = [row[1] for row in rows(only(venue), "j") + rows(only(venue), "5")]
            assert sent[:2] == ["REJ-15", "DSC-02"]

    run(story(), reports=1)


def test_rej_23_a_refusal_that_the_handler_raises_on_is_not_refused_for_ever() -> None:
    buy_config, sell_config = ends(reject_on_handler_error=True)
    buy_config = sell_config.mirrored()

    async def story() -> None:
        async with (
            Acceptor(sell_config, on_event=explode) as venue,
            Initiator(
                buy_config, port=venue.port, on_event=lambda event: explode("", event)
            ) as buy,
        ):
            await buy.send(order(1))
            await only(venue).wait_until(lambda session: session.next_in == 4)
            await buy.flush()
            # The order was refused, and its refusal with a Reject(3), which raises no more.
            assert (buy.session.next_out, only(venue).session.next_out) == (4, 3)

    run(story(), reports=2)


def test_without_such_a_setting_the_session_goes_on_and_the_event_waits() -> None:
    buy_config, sell_config = ends()

    async def story() -> None:
        async with (
            Acceptor(sell_config, on_event=explode) as venue,
            Initiator(buy_config, port=venue.port) as buy,
        ):
            await buy.send(order(1))
            sell = only(venue)
            assert (await sell.next_event(Received)).message[11] == "ORD-1"
            assert (sell.session.next_in, sell.session.next_out) == (3, 2)

    run(story(), reports=1)


class FullStore(MemoryStore):
    """Stores no more once it is told to."""

    full = False

    def save_sent(self, seq: int, raw: bytes) -> None:
        if self.full:
            raise StoreError("the disk is full")
        super().save_sent(seq, raw)


def test_a_store_that_fails_with_the_refusal_ends_the_connection_and_undoes_the_step() -> None:
    buy_config, sell_config = ends(reject_on_handler_error=True)
    store = FullStore()

    async def story() -> None:
        async with (
            Acceptor(sell_config, on_event=explode, store=store) as venue,
            Initiator(buy_config, port=venue.port, reconnects_max=0) as buy,
        ):
            store.full = True
            await buy.send(order(1))
            await buy.next_event(Ended)
            sell = only(venue)
            assert "the disk is full" in sell.reason
            # SEQ-13: neither the order nor its refusal was stored, so neither counts.
            assert (store.current_in(), store.peek_out()) == (2, 2)
            assert rows(sell, "D") == []

    run(story(), reports=None)


def test_rej_15_a_message_told_after_the_connection_ended_waits() -> None:
    # The Logout that came with it is answered already: nothing more may leave.
    _, sell_config = ends(reject_on_handler_error=True)

    async def story() -> None:
        async with (
            Acceptor(sell_config, on_event=explode) as venue,
            raw_client(venue.port) as peer,
        ):
            peer.writer.write(logon_bytes())
            await peer.read()
            peer.writer.write(wire(BUY, "D", 2, "11=ORD-1|") + wire(BUY, "5", 3))
            assert (await peer.read()).msg_type == "5"
            sell = only(venue)
            (event,) = [event for event in sell._events if isinstance(event, Received)]
            assert event.message[11] == "ORD-1"
            assert rows(sell, "j") == []

    run(story(), reports=1)
