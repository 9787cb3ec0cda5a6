"""Closing, interrupting, failing and coming back at the moments nobody plans for."""

import asyncio
import gc
import time

import pytest

from fixlab.errors import ConnectError, MessageError, StateError, StoreError
from fixlab.net import connection as connection_module
from fixlab.net.acceptor import Acceptor
from fixlab.net.connection import Connection
from fixlab.net.initiator import Initiator
from fixlab.session.events import Ended, Event, Received
from fixlab.session.transitions import SessionState
from fixlab.stores.memory import MemoryStore
from fixlab.times import NANOSECONDS
from tests.net.peers import (
    BUY,
    SELL,
    ids,
    logon_bytes,
    order,
    raw_client,
    raw_server,
    run,
    wire,
)
from tests.net.test_failing_stores import FailingStore


class Interrupt(BaseException):
    """Like KeyboardInterrupt, but it does not end the loop."""


class Unwritable(MemoryStore):
    """A store that breaks within a step: the number is taken, the message not kept."""

    __slots__ = ("broken",)

    def __init__(self) -> None:
        super().__init__()
        self.broken = False

    def save_sent(self, seq: int, raw: bytes) -> None:
        if self.broken:
            raise StoreError("orders.sqlite: the disk failed")
        super().save_sent(seq, raw)


class SlowTransport(asyncio.Transport):
    """A transport whose peer reads what and when the test says."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = 0
        self.aborted = self.closed = False

    def get_write_buffer_size(self) -> int:
        return self.waiting

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: object) -> None:
        pass

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed or self.aborted

    def abort(self) -> None:
        self.aborted = True


# Closing while something is under way ---------------------------------------------------


def test_closed_during_the_logon_connect_says_so() -> None:
    async def story() -> None:
        async with raw_server() as server:
            buy = Initiator(BUY, port=server.port)
            connecting = asyncio.create_task(buy.connect())
            await server.peers.get()
            await buy.close()
            with pytest.raises(StateError, match="was closed while it connected"):
                await connecting

    run(story())


def test_closed_before_tcp_is_up_connect_says_so_and_nothing_stays_open() -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue:
            buy = Initiator(BUY, port=venue.port)
            assert not buy.closed
            connecting = asyncio.create_task(buy.connect())
            await asyncio.sleep(0)
            await buy.close()
            assert buy.closed
            with pytest.raises(StateError, match="was closed while it connected"):
                await connecting
            assert buy.connection is None

    run(story())


def test_an_acceptor_closed_while_it_begins_to_listen_does_not_listen() -> None:
    async def story() -> None:
        venue = Acceptor(SELL, host="localhost")
        listening = asyncio.create_task(venue.listen())
        await asyncio.sleep(0)
        await venue.close()
        with pytest.raises(StateError, match="closed before it listened"):
            await listening
        with pytest.raises(StateError, match="does not listen"):
            _ = venue.port

    run(story())


def test_a_loop_that_ends_takes_the_reconnecting_along(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue:
            buy = Initiator(BUY, port=venue.port)
            await buy.connect()
            buy.cut()
            await asyncio.sleep(0.01)
            assert buy.reconnecting

    asyncio.run(story())
    gc.collect()
    assert [record.getMessage() for record in caplog.records] == []


def test_what_a_peer_stops_reading_after_the_end_is_dropped_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection_module, "_LINGER_SECONDS", 0.05)

    async def story() -> None:
        buy = Initiator(BUY, port=1)
        transport = SlowTransport()
        connection = Connection(buy, asyncio.get_running_loop())
        connection.take(transport)
        transport.waiting = 300_000
        connection.pause_writing()
        connection.let_go()
        assert transport.closed
        transport.waiting = 60_000
        connection.resume_writing()  # it reads a little more, and then no more
        await asyncio.sleep(0.3)
        assert transport.aborted
        connection.connection_lost(None)
        await buy.close()

    run(story())


# Logging out ----------------------------------------------------------------------------


def test_a_logout_that_cannot_be_sent_leaves_the_session_kept_up() -> None:
    async def story() -> None:
        async with (
            Acceptor(SELL) as venue,
            Initiator(BUY, port=venue.port, reconnect_seconds=0.02) as buy,
        ):
            with pytest.raises(MessageError, match="at most 1000 characters"):
                await buy.logout("x" * 2_000)
            buy.cut()
            await buy.wait_established(timeout_seconds=5)

    run(story())


def test_a_logout_ends_although_the_peer_is_back_at_once() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()

        def come_back(session_id: str, event: Event) -> None:
            if isinstance(event, Ended):
                again = Connection(venue.sessions[session_id], loop)
                loop.call_soon(again.connection_made, SlowTransport())
                lent.append(again)

        lent: list[Connection] = []
        async with (
            Acceptor(SELL, on_event=come_back) as venue,
            Initiator(BUY, port=venue.port),
        ):
            (sell,) = venue.sessions.values()
            await sell.wait_established()
            await asyncio.wait_for(sell.logout(), 5)
            assert sell.connection is lent[0]
            lent[0].connection_lost(None)

    run(story(), reports=None)


# Stores and callbacks that fail within a step -------------------------------------------


def test_what_was_not_told_when_the_store_failed_is_not_counted_as_received() -> None:
    store = FailingStore()

    async def story() -> None:
        async with Acceptor(SELL, store=store) as venue:
            (sell,) = venue.sessions.values()
            async with raw_client(venue.port) as peer:
                peer.writer.write(logon_bytes())
                await peer.read()
                await sell.send(order(1))
                await peer.read()
                store.unreadable = True
                # One read: the order's event can no longer be told when the replay fails.
                peer.writer.write(wire(BUY, "D", 2, "11=X|") + wire(BUY, "2", 3, "7=2|16=0|"))
                assert await peer.closed() == b""
            assert store.current_in() == 2
            store.unreadable = False
            async with raw_client(venue.port) as peer:
                peer.writer.write(wire(BUY, "A", 4, "98=0|108=30|"))
                assert (await peer.read()).msg_type == "A"
                assert (await peer.read())[7] == "2"  # asked for again
                peer.writer.write(wire(BUY, "D", 2, "43=Y|122=20260101-00:00:00|11=X|"))
                assert ids([await sell.next_event(Received)]) == ["X"]

    run(story(), reports=1)


def test_a_store_that_fails_within_a_send_ends_the_connection_and_undoes_the_step() -> None:
    store = Unwritable()

    async def story() -> None:
        async with (
            Acceptor(SELL) as venue,
            Initiator(BUY, port=venue.port, store=store) as buy,
        ):
            (sell,) = venue.sessions.values()
            store.broken = True
            with pytest.raises(StoreError, match="disk failed"):
                await buy.send(order(1))
            assert buy.state is SessionState.DISCONNECTED
            with pytest.raises(StoreError, match="disk failed"):
                buy.test_request()
            store.broken = False
            await buy.connect()
            assert await buy.send(order(2)) == 3
            store.broken = True
            with pytest.raises(StoreError, match="disk failed"):
                buy.test_request()
            assert buy.state is SessionState.DISCONNECTED
            store.broken = False
            await buy.connect()
            assert await buy.send(order(3)) == 5
            assert ids([await sell.next_event(Received) for _ in range(2)]) == [
                "ORD-2",
                "ORD-3",
            ]

    run(story())


def test_an_interrupt_within_on_event_loses_no_event() -> None:
    told: list[str] = []

    def on_event(session_id: str, event: Event) -> None:
        if isinstance(event, Received):
            if event.message[11] == "B" and "B" not in told:
                raise Interrupt
            told.append(event.message[11])

    async def story() -> None:
        async with Acceptor(SELL, on_event=on_event) as venue:
            (sell,) = venue.sessions.values()
            async with raw_client(venue.port) as peer:
                peer.writer.write(logon_bytes())
                await peer.read()
                peer.writer.write(
                    b"".join(
                        wire(BUY, "D", n, f"11={name}|") for n, name in enumerate("ABC", 2)
                    )
                )
                await peer.closed()
            assert told == ["A"]
            assert sell.session.next_in == 5
            assert ids([await sell.next_event(Received) for _ in range(2)]) == ["B", "C"]
            assert sell.reason.startswith("internal error: Interrupt")

    run(story(), reports=None)


# Around it ------------------------------------------------------------------------------


def test_a_new_connection_takes_the_wall_clock_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slept, or whose clock was set: SendingTime(52) must fit again."""

    async def story() -> None:
        async with Acceptor(SELL) as early:
            (sell,) = early.sessions.values()
            real = time.time_ns
            monkeypatch.setattr(time, "time_ns", lambda: real() + 3_600 * NANOSECONDS)
            async with Initiator(BUY, port=early.port) as buy:  # its clock is an hour ahead
                await sell.wait_established()
                assert buy.state is SessionState.ACTIVE

    run(story())


@pytest.mark.parametrize("host", ["..", "x" * 70 + ".example"])
def test_a_host_that_is_no_name_is_told(host: str) -> None:
    async def story() -> None:
        with pytest.raises(ConnectError, match="unknown host"):
            await Initiator(BUY, host=host, port=9).connect()
        with pytest.raises(ConnectError, match="cannot listen"):
            await Acceptor(SELL, host=host).listen()

    run(story())


def test_what_is_to_be_lost_can_be_seen_and_called_off() -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue, Initiator(BUY, port=venue.port) as buy:
            (sell,) = venue.sessions.values()
            buy.lose_next(3)
            assert buy.to_lose == 3
            await buy.send(order(1))
            assert (buy.to_lose, buy.messages_lost) == (2, 1)
            buy.faulty.heal()
            await buy.send(order(2))
            assert ids([await sell.next_event(Received) for _ in range(2)]) == [
                "ORD-1",
                "ORD-2",
            ]

    run(story())
