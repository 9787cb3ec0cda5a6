"""Peers that mean harm, on sockets of their own thread, while other sessions trade normally.

No time is measured: what a flood may do to others is counted in what the venue takes from it
while they complete one order, and how much of it may wait in memory.
"""

import asyncio
import contextlib
import itertools
import os
import socket
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from fixlab.journal import Journal
from fixlab.net.acceptor import AcceptedSession, Acceptor
from fixlab.net.connection import Connection
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.session.events import Event, Received
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState
from fixlab.stores.memory import MemoryStore
from fixlab.times import SystemClock
from fixlab.wire.message import Message, encode
from tests.net.peers import BUY, SELL, logon_bytes, order, raw_client, run, wire

READ_BYTES = 1 << 16  # what a connection takes in one turn of the loop
FLOOD_BYTES = 2 << 20
TURNS_MAX = 24  # turns of the loop that an order and its answer may take
FRIENDS = [SessionConfig(sender_comp_id=name, target_comp_id="SELL") for name in ("ANN", "BEN")]


class Market:
    """A venue that answers each order, two friends who trade there, and an enemy."""

    def __init__(self, **settings: Any) -> None:
        self.venue = Acceptor(
            [SELL, *(friend.mirrored() for friend in FRIENDS)],
            on_event=self._on_event,
            **settings,
        )
        self.friends: list[Initiator] = []

    def _on_event(self, session_id: str, event: Event) -> None:
        if isinstance(event, Received) and session_id != SELL.session_id:
            answer = Message("8", {11: event.message[11]})
            self.venue.sessions[session_id].send_nowait(answer)

    @property
    def enemy(self) -> AcceptedSession:
        """The venue's end of the session that the enemy has."""
        return self.venue.sessions[SELL.session_id]

    async def trade(self, count: int, after: Callable[[], None] = lambda: None) -> None:
        """Each friend sends an order, again and again, and waits for its answer."""
        for number in range(count):
            for friend in self.friends:
                await friend.send(order(number))
                event = await friend.next_event(Received)
                assert event.message[11] == f"ORD-{number}"
                after()


@asynccontextmanager
async def market(**settings: Any) -> AsyncIterator[Market]:
    made = Market(**settings)
    async with made.venue, contextlib.AsyncExitStack() as stack:
        for config in FRIENDS:
            friend = Initiator(config, port=made.venue.port)
            made.friends.append(await stack.enter_async_context(friend))
        yield made
        assert all(friend.state is SessionState.ACTIVE for friend in made.friends)


@contextmanager
def attack(port: int, act: Callable[[socket.socket, threading.Event], None]) -> Iterator[None]:
    """A thread with a connection, until the end of the block; it may lose the connection."""
    over, failures = threading.Event(), list[BaseException]()

    def body() -> None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
                act(sock, over)
        except OSError:
            pass  # the venue has had enough
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(20)
        assert not thread.is_alive()
        assert not failures


def waiting_bytes(driver: AcceptedSession) -> int:
    """What waits in memory for the peer of this session."""
    connection = driver.connection
    if not isinstance(connection, Connection) or connection._transport is None:
        return 0
    return connection._transport.get_write_buffer_size()


def log_on(sock: socket.socket) -> None:
    """Log on as BUY, and read the answer."""
    sock.sendall(logon_bytes())
    assert sock.recv(9) == b"8=FIX.4.4"


# Floods -----------------------------------------------------------------------------------


def test_rsp_15_a_flood_of_tiny_messages_leaves_others_their_turns() -> None:
    count = 30_000
    flood = b"".join(wire(BUY, "0", number) for number in range(2, count + 2))
    per_turn = READ_BYTES // len(wire(BUY, "0", 10_000)) + 1

    def act(sock: socket.socket, over: threading.Event) -> None:
        log_on(sock)
        sock.sendall(flood)
        over.wait(20)

    async def story() -> None:
        async with market(journal=Journal(rows_max=5_000)) as made:
            taken = [0]

            def note() -> None:
                taken.append(made.enemy.session.next_in)

            with attack(made.venue.port, act):
                await made.enemy.wait_until(lambda s: s.next_in > 1_000)
                while taken[-1] < count + 2:
                    await made.trade(1, note)
                await made.trade(5)
            steps = [after - before for before, after in itertools.pairwise(taken[1:])]
            assert len(steps) > 5, "orders were done during the flood"
            assert max(steps) <= TURNS_MAX * per_turn
            assert len(made.venue.journal) <= 5_000 + 1_000

    run(story(), seconds=60)


@pytest.mark.parametrize(
    ("kind", "piece"),
    [
        ("no SOH at all", b"x" * READ_BYTES),
        ("starts of messages", b"8=FIX.4.4\x019=1000\x0135=D\x01" * 2_000),
        ("wrong sums", b"8=FIX.4.4\x019=5\x0135=0\x0110=000\x01" * 2_000),
        ("a length that never ends", b"8=FIX.4.4\x019=1000000\x0135=D\x0158=" + b"y" * 60_000),
    ],
)
def test_frm_07_frm_13_a_flood_of_garbage_fills_no_memory(kind: str, piece: bytes) -> None:
    sent = 0

    def act(sock: socket.socket, over: threading.Event) -> None:
        nonlocal sent
        log_on(sock)
        while sent < FLOOD_BYTES and not over.is_set():
            sock.sendall(piece)
            sent += len(piece)
        over.wait(20)

    async def story() -> None:
        async with market(journal=Journal(rows_max=1_000)) as made:
            tracemalloc.start()
            try:
                with attack(made.venue.port, act):
                    while sent < FLOOD_BYTES:
                        await made.trade(1)
                        assert made.enemy.session._framer.waiting <= 1 << 20
                    await made.trade(3)
                assert tracemalloc.get_traced_memory()[1] < 8 << 20
            finally:
                tracemalloc.stop()
            # Whatever it was, no number was counted and nothing was answered.
            assert (made.enemy.session.next_in, made.enemy.session.next_out) == (2, 2)

    run(story(), seconds=60)


def test_lgn_28_lgn_07_dsc_01_a_flood_of_connections_is_bounded_and_harms_nobody() -> None:
    rounds = 30
    firsts = [
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        b"8=FIX.4.4\x019=",
        wire(
            SessionConfig(sender_comp_id="EVE", target_comp_id="SELL"), "A", 1, "98=0|108=30|"
        ),
        logon_bytes(FRIENDS[0]),  # as somebody who is logged on
        wire(BUY, "D", 1, "11=x|"),
        wire(BUY, "A", 1, f"98=0|108=30|95=1000000|96={'r' * 1_000_000}|"),
    ]
    opened = 0

    def act(sock: socket.socket, over: threading.Event) -> None:
        nonlocal opened
        port = sock.getpeername()[1]
        kept: list[socket.socket] = []
        for _ in range(rounds):
            for first in firsts:
                one = socket.create_connection(("127.0.0.1", port), timeout=10)
                kept.append(one)
                opened += 1
                with contextlib.suppress(OSError):
                    one.sendall(first)
            while len(kept) > 200:
                kept.pop(0).close()
        over.wait(20)
        for one in kept:
            one.close()

    async def story() -> None:
        async with market(anonymous_max=20) as made:
            files = len(os.listdir("/proc/self/fd"))
            before = [
                (friend.session.next_in, friend.session.next_out) for friend in made.friends
            ]
            done = 0
            with attack(made.venue.port, act):
                while opened < rounds * len(firsts):
                    await made.trade(1)
                    done += 1
                    assert len(made.venue._anonymous) <= 20
                # Each stranger is gone, but for as many as may still say who they are. Who says
                # it is BUY and begins with an order reaches that session, and is ended by it
                # (LGN-02): the session's affair, not counted as refused.
                while made.venue.refused_count < opened - 20 - rounds:
                    await made.trade(1)
                    done += 1
            assert len(made.venue.refused) <= 1_000
            rules = {refused.rule for refused in made.venue.refused}
            assert rules >= {"LGN-28", "LGN-06", "LGN-07", "FRM-08"}
            assert all(len(refused.reason) <= 400 for refused in made.venue.refused)
            # A Logon of a megabyte is not even read to its end.
            assert any("exceeds the largest message" in r.reason for r in made.venue.refused)
            after = [
                (friend.session.next_in, friend.session.next_out) for friend in made.friends
            ]
            assert after == [(a + done, b + done) for a, b in before]
            assert made.enemy.session.next_in == 1
            while len(os.listdir("/proc/self/fd")) > files + 20:
                await asyncio.sleep(0.01)

    run(story(), seconds=60)


def test_rsp_17_a_flood_of_resend_requests_that_nobody_reads_is_ended() -> None:
    store = MemoryStore()
    now = SystemClock().now()
    sender = Session(SELL, Role.ACCEPTOR, store)
    for number in range(400):
        sender.send(Message("D", {11: number, 58: "x" * 5_000}), now)
    store.commit()
    asks = b"".join(
        wire(BUY, "2", number, f"7={number % 7 + 1}|16=0|") for number in range(2, 202)
    )

    def act(sock: socket.socket, over: threading.Event) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
        sock.sendall(logon_bytes() + asks)
        over.wait(20)

    def kept(config: SessionConfig) -> MemoryStore:
        return store if config.session_id == SELL.session_id else MemoryStore()

    async def story() -> None:
        async with market(store=kept) as made:
            most = 0
            with attack(made.venue.port, act):
                await made.enemy.wait_until(lambda s: s.next_in > 1)
                for _ in range(30):
                    await made.trade(1)
                    most = max(most, waiting_bytes(made.enemy))
                await made.enemy.wait_until(lambda s: s.state is not SessionState.ACTIVE)
            # One batch of a replay and what the system takes, not 200 times the history.
            assert most < 4 << 20
            frame = made.venue.journal.to_frame()
            assert "RSP-17" in set(frame.rule[frame.session == SELL.session_id])

    run(story(), seconds=60)


# Drips ------------------------------------------------------------------------------------


def test_hbt_05_who_drips_a_message_and_never_ends_it_is_no_live_peer() -> None:
    config = SessionConfig(
        sender_comp_id="BUY",
        target_comp_id="SELL",
        heartbeat_seconds=1,
        test_request_factor=1.0,
        silence_limit_factor=1.2,
        disconnect_wait_seconds=0.1,
    )
    endless = encode(b"FIX.4.4", b"35=D\x0134=2\x0158=" + b"z" * 100_000)

    async def story() -> None:
        async with Acceptor(config.mirrored()) as venue, raw_client(venue.port) as peer:
            (sell,) = venue.sessions.values()
            peer.writer.write(logon_bytes(config))
            await sell.wait_established()
            position = 0
            while sell.state is not SessionState.DISCONNECTED:
                peer.writer.write(endless[position : position + 1])
                position += 1
                await asyncio.sleep(0.01)
            # Though bytes came all the time, no message did.
            assert position > 20
            rules = list(venue.journal.to_frame().rule)
            assert rules.count("HBT-05") >= 1
            assert sell.session.next_in == 2

    run(story())


def test_a_peer_that_drips_its_orders_gets_them_through_and_slows_nobody() -> None:
    orders = b"".join(wire(BUY, "D", number, f"11={number}|") for number in range(2, 8))

    def act(sock: socket.socket, over: threading.Event) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        log_on(sock)
        for position in range(len(orders)):
            sock.sendall(orders[position : position + 1])
        over.wait(20)

    async def story() -> None:
        async with market() as made:
            with attack(made.venue.port, act):
                while made.enemy.session.next_in < 8:
                    await made.trade(1)
            assert made.enemy.session.next_in == 8

    run(story(), seconds=60)


# What a stranger or a peer may put into one message ----------------------------------------


def test_one_message_full_of_what_looks_like_secrets_holds_up_nobody() -> None:
    # Masked in linear time: else this one Text(58) would keep the loop for half a minute.
    content = wire(BUY, "1", 2, "112=T|").split(b"\x01", 2)[2][: -len("10=000|")]
    hostile = encode(b"FIX.4.4", content + b"58=" + b"x554=a|1=" * 40_000 + b"\x01")

    def act(sock: socket.socket, over: threading.Event) -> None:
        log_on(sock)
        sock.sendall(hostile)
        over.wait(20)

    async def story() -> None:
        async with market() as made:
            with attack(made.venue.port, act):
                await made.enemy.wait_until(lambda s: s.next_in == 3)
                await made.trade(3)

    run(story(), seconds=15)
