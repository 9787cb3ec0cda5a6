"""An Initiator and an Acceptor of fixlab, over real sockets on the loopback interface."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from fixlab.errors import ConfigError, MessageError, StateError
from fixlab.net.acceptor import AcceptedSession, Acceptor
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.session.events import (
    Ended,
    Established,
    Event,
    GapClosed,
    GapNoticed,
    Received,
    RoundTrip,
)
from fixlab.session.session import Session
from fixlab.session.transitions import SessionState
from fixlab.wire.message import Message
from tests.net.peers import BUY, SELL, ids, order, run


@contextlib.asynccontextmanager
async def pair(
    config: SessionConfig = BUY, *, reconnects_max: int = 10
) -> AsyncIterator[tuple[Initiator, AcceptedSession]]:
    async with Acceptor(config.mirrored()) as venue:
        initiator = Initiator(
            config, port=venue.port, reconnect_seconds=0.02, reconnects_max=reconnects_max
        )
        async with initiator as buy:
            (sell,) = venue.sessions.values()
            await sell.wait_established()
            yield buy, sell


async def receive(side: Initiator | AcceptedSession, count: int) -> list[Received]:
    return [await side.next_event(Received, timeout_seconds=5) for _ in range(count)]


@pytest.mark.parametrize(
    "version", ["FIX.4.0", "FIX.4.1", "FIX.4.2", "FIX.4.3", "FIX.4.4", "FIXT.1.1"]
)
def test_logs_on_exchanges_orders_both_ways_and_logs_out(version: str) -> None:
    config = SessionConfig(sender_comp_id="A", target_comp_id="B", begin_string=version)

    async def story() -> None:
        async with pair(config) as (buy, sell):
            assert await buy.next_event() == Established(30, False)
            assert [await buy.send(order(n)) for n in range(3)] == [2, 3, 4]
            assert await sell.send(order(9)) == 2
            assert ids(await receive(sell, 3)) == ["ORD-0", "ORD-1", "ORD-2"]
            assert ids(await receive(buy, 1)) == ["ORD-9"]
            await buy.logout("done")
            assert await buy.next_event() == Ended("Logout confirmed", "LGO-03", True)
            await sell.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
        assert (buy.session.next_in, buy.session.next_out) == (4, 6)
        assert (sell.session.next_in, sell.session.next_out) == (6, 4)
        assert not buy.reconnecting

    run(story())


def test_both_ends_write_one_row_for_each_message() -> None:
    async def story() -> None:
        async with pair() as (buy, sell):
            for n in range(5):
                await buy.send(order(n))
            await receive(sell, 5)
            sent = buy.journal.to_frame().query("kind == 'SENT' and msg_type == 'D'")
            came = sell.journal.to_frame().query("kind == 'ACCEPTED' and msg_type == 'D'")
            assert list(sent.msg_seq_num) == list(came.msg_seq_num) == [2, 3, 4, 5, 6]

    run(story())


def test_a_burst_arrives_whole_and_in_order() -> None:
    async def story() -> None:
        async with pair() as (buy, sell):
            numbers = [await buy.send(order(n)) for n in range(3_000)]
            assert numbers == list(range(2, 3_002))
            assert ids(await receive(sell, 3_000)) == [f"ORD-{n}" for n in range(3_000)]

    run(story())


def test_messages_lost_on_purpose_are_recovered() -> None:
    async def story() -> None:
        async with pair() as (buy, sell):
            await buy.send(order(0))
            buy.lose_next(2)
            for n in range(1, 5):
                await buy.send(order(n))
            assert ids(await receive(sell, 5)) == [f"ORD-{n}" for n in range(5)]
            assert await sell.next_event(GapNoticed) == GapNoticed(3, 4)
            assert await sell.next_event(GapClosed) == GapClosed(3, 4)
            assert buy.messages_lost == 2

    run(story())


def test_what_was_sent_before_lose_next_is_not_lost() -> None:
    async def story() -> None:
        async with pair() as (buy, sell):
            for n in range(3):
                buy.send_nowait(order(n))
            buy.lose_next(1)
            buy.send_nowait(order(3))
            buy.send_nowait(order(4))
            assert ids(await receive(sell, 5)) == [f"ORD-{n}" for n in range(5)]
            assert await sell.next_event(GapNoticed) == GapNoticed(5, 5)

    run(story())


def test_skipped_numbers_are_gap_filled() -> None:
    async def story() -> None:
        async with pair() as (buy, sell):
            buy.skip(3)
            await buy.send(order(1))
            assert ids(await receive(sell, 1)) == ["ORD-1"]
            assert await sell.next_event(GapClosed) == GapClosed(2, 4)

    run(story())


@pytest.mark.parametrize("who_cuts", ["initiator", "acceptor"])
def test_dsc_07_after_cuts_in_mid_flow_every_order_arrives_once_in_order(who_cuts: str) -> None:
    async def flow(side: Initiator | AcceptedSession, other: Session, count: int) -> None:
        for n in range(count):
            await side.send(order(n))
            if n % 5 == 0:
                await asyncio.sleep(0)

    async def story() -> None:
        async with pair(reconnects_max=50) as (buy, sell):
            cutter = buy if who_cuts == "initiator" else sell
            flows = asyncio.gather(flow(buy, sell.session, 300), flow(sell, buy.session, 300))
            for _ in range(4):
                await cutter.wait_established()
                await asyncio.sleep(0.003)
                if cutter.connection is not None:
                    cutter.cut()
            await flows
            await buy.wait_established()
            assert ids(await receive(sell, 300)) == [f"ORD-{n}" for n in range(300)]
            assert ids(await receive(buy, 300)) == [f"ORD-{n}" for n in range(300)]
            await buy.wait_until(lambda s: s.gap is None and not s.replaying)
            await sell.wait_until(lambda s: s.gap is None and not s.replaying)
            assert buy.attempts > 1
        assert buy.errors == sell.errors == ()

    run(story())


def test_dsc_03_dsc_04_a_cut_shows_at_once_and_the_session_comes_back() -> None:
    async def story() -> None:
        async with pair() as (buy, sell):
            buy.cut()
            assert buy.state is SessionState.DISCONNECTED
            assert buy.reason == "cut on this side"
            assert buy.reconnecting
            number = await buy.send(order(1))
            assert number == 2
            await buy.wait_established()
            assert ids(await receive(sell, 1)) == ["ORD-1"]
            assert buy.attempts == 2
            await buy.logout()
            with pytest.raises(StateError, match="connection to cut"):
                buy.cut()

    run(story())


def test_a_test_request_is_answered() -> None:
    async def story() -> None:
        async with pair() as (buy, _):
            buy.test_request()
            answer = await buy.next_event(RoundTrip)
            assert answer.test_req_id == "BUY-2"
            assert answer.seconds < 5

    run(story())


def test_a_reset_in_session_restarts_both_numbers() -> None:
    async def story() -> None:
        async with pair() as (buy, sell):
            await buy.send(order(1))
            buy.reset()
            await buy.wait_until(lambda s: (s.next_in, s.next_out) == (2, 2))
            await sell.wait_until(lambda s: (s.next_in, s.next_out) == (2, 2))
            await buy.send(order(2))
            assert (await receive(sell, 2))[1].msg_seq_num == 2

    run(story())


def test_heartbeats_keep_an_idle_session_alive() -> None:
    config = SessionConfig(sender_comp_id="A", target_comp_id="B", heartbeat_seconds=1)

    async def story() -> None:
        async with pair(config) as (buy, sell):
            await sell.wait_until(lambda s: s.next_in >= 4, timeout_seconds=6)
            assert buy.state is SessionState.ACTIVE
            frame = buy.journal.to_frame()
            assert "HBT-01" in set(frame.rule)

    run(story())


def test_lgo_02_no_reconnect_after_the_peers_logout() -> None:
    async def story() -> None:
        async with pair() as (buy, sell):
            await sell.logout("closing time")
            await buy.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
            await asyncio.sleep(0.1)
            assert not buy.reconnecting
            assert buy.attempts == 1
            await buy.connect()
            await sell.wait_established()
            assert buy.attempts == 2

    run(story())


def test_a_callers_mistake_raises_and_changes_nothing() -> None:
    async def story() -> None:
        async with pair() as (buy, sell):
            with pytest.raises(MessageError, match="belongs to the session"):
                await buy.send(Message("0"))
            assert await buy.send(order(1)) == 2
            assert len(await receive(sell, 1)) == 1
            with pytest.raises(StateError, match="connected already"):
                await buy.connect()
        with pytest.raises(StateError, match="is closed"):
            await buy.send(order(2))
        with pytest.raises(StateError, match="is closed"):
            await buy.connect()
        await buy.next_event(Established)
        with pytest.raises(StateError, match="is closed"):
            await buy.next_event(Established)
        await buy.close()

    run(story())


def test_sch_07_sch_09_messages_queued_before_connecting_leave_after_the_logon() -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue:
            (sell,) = venue.sessions.values()
            buy = Initiator(BUY, port=venue.port)
            assert buy.send_nowait(order(1)) == 1
            async with buy:
                assert ids(await receive(sell, 1)) == ["ORD-1"]

    run(story())


def test_representations_are_short_and_tell_no_port_or_time() -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue, Initiator(BUY, port=venue.port) as buy:
            (sell,) = venue.sessions.values()
            await sell.wait_established()
            assert repr(buy) == (
                "<Initiator FIX.4.4:BUY->SELL ACTIVE, NextNumIn 2, NextNumOut 2>"
            )
            assert repr(sell) == (
                "<AcceptedSession FIX.4.4:SELL->BUY ACTIVE, NextNumIn 2, NextNumOut 2>"
            )
            assert repr(venue) == ("<Acceptor of 1 sessions, 1 active, 0 connections refused>")

    run(story())


# Events -----------------------------------------------------------------------------------


def test_a_callback_that_raises_is_reported_and_the_session_goes_on() -> None:
    def explode(session_id: str, event: Event) -> None:
        if isinstance(event, Received):
            raise ValueError(f"no idea what to do with {event.message[11]}")

    async def story() -> None:
        async with (
            Acceptor(SELL, on_event=explode) as venue,
            Initiator(BUY, port=venue.port) as buy,
        ):
            (sell,) = venue.sessions.values()
            for n in range(2):
                await buy.send(order(n))
            # The events are still there to be read, and both messages count as received.
            assert ids(await receive(sell, 2)) == ["ORD-0", "ORD-1"]
            assert [str(e) for e in sell.errors] == [
                "no idea what to do with ORD-0",
                "no idea what to do with ORD-1",
            ]
            assert sell.session.next_in == 4
            assert sell.state is SessionState.ACTIVE

    run(story(), reports=2)


def test_a_callback_may_answer_with_send_nowait_and_may_cut() -> None:
    async def story() -> None:
        answered: list[int] = []

        def answer(session_id: str, event: Event) -> None:
            sell = venue.sessions[session_id]
            if isinstance(event, Received):
                answered.append(sell.send_nowait(Message("8", {11: event.message[11]})))
                if event.message[11] == "ORD-2":
                    sell.cut()

        async with (
            Acceptor(SELL, on_event=answer) as venue,
            Initiator(BUY, port=venue.port, reconnect_seconds=0.02) as buy,
        ):
            for n in range(3):
                await buy.send(order(n))
            assert ids(await receive(buy, 3)) == ["ORD-0", "ORD-1", "ORD-2"]
            assert answered == [2, 3, 4]

    run(story())


def test_a_coroutine_function_as_callback_is_refused() -> None:
    async def on_event(event: Event) -> None: ...

    with pytest.raises(ConfigError, match="plain function"):
        Initiator(BUY, port=1, on_event=on_event)


def test_dropped_events_are_never_dropped_silently() -> None:
    async def story() -> None:
        async with (
            Acceptor(SELL, events_max=10) as venue,
            Initiator(BUY, port=venue.port) as buy,
        ):
            (sell,) = venue.sessions.values()
            for n in range(30):
                await buy.send(order(n))
            await sell.wait_until(lambda s: s.next_in == 32)
            with pytest.raises(StateError, match=r"21 events .* were dropped"):
                await sell.next_event()
            assert ids(await receive(sell, 10)) == [f"ORD-{n}" for n in range(20, 30)]
            assert sell.events_dropped == 21

    run(story())


def test_a_wait_says_what_it_waited_for() -> None:
    async def story() -> None:
        async with pair() as (buy, _):
            with pytest.raises(TimeoutError, match=r"0\.02 s for an event of kind Received"):
                await buy.next_event(Received, timeout_seconds=0.02)
            with pytest.raises(TimeoutError, match="NextNumOut 2"):
                await buy.wait_until(lambda s: s.next_out == 99, timeout_seconds=0.02)
            await buy.logout()
            await buy.next_event(Ended)
            await buy.next_event(Established)
            with pytest.raises(ConnectionError, match="Logout confirmed"):
                await buy.next_event(timeout_seconds=None)

    run(story())


# Interruption -----------------------------------------------------------------------------


def test_an_interrupted_cell_logs_out_and_leaves_nothing_behind() -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue:
            (sell,) = venue.sessions.values()
            inside = asyncio.Event()
            kept: list[Initiator] = []

            async def cell() -> None:
                async with Initiator(BUY, port=venue.port) as buy:
                    kept.append(buy)
                    inside.set()
                    await asyncio.sleep(60)

            task = asyncio.create_task(cell())
            await inside.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert kept[0].reason == "Logout confirmed"
            await sell.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
            assert sell.reason.startswith("the peer logged out")
            assert asyncio.all_tasks() == {asyncio.current_task()}

    run(story())


def test_an_interrupt_while_reconnecting_stops_at_once() -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue:
            buy = Initiator(BUY, port=venue.port, reconnect_seconds=30)
            async with buy:
                buy.cut()
                assert buy.reconnecting
            assert not buy.reconnecting
            assert buy.state is SessionState.DISCONNECTED

    run(story(), seconds=5)
