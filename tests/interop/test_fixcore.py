"""fixlab and fixcore-engine, a second engine that nobody here had a hand in.

Where it goes wrong the test says so, as its failure: what it does is held as exactly as what
fixlab does, so that a version of it that mends one shows at once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from fixcore.application import Application
from fixcore.log.base import Log, LogFactory
from fixcore.message.message import Message as CoreMessage
from fixcore.session.session import Session as CoreSession
from fixcore.session.session_id import SessionID
from fixcore.session.session_settings import SessionSettings
from fixcore.store.factory import StoreFactory
from fixcore.store.memory import MemoryStore as CoreStore
from fixcore.transport import SocketAcceptor, SocketInitiator

from fixlab.net.acceptor import Acceptor
from fixlab.net.driver import Driver
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.wire.message import Message
from tests.interop.peer import STEP_SECONDS, until
from tests.net.peers import BUY, RawPeer, free_port, order, raw_client, run, wire

CORE = BUY.mirrored()  # fixcore is SELL, whichever role it has
ORDERS = 50

_SETTINGS = """\
[DEFAULT]
ConnectionType={role}
HeartBtInt=30
ReconnectInterval=1
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
SocketAcceptHost=127.0.0.1
SocketAcceptPort={port}
{more}
[SESSION]
BeginString={begin_string}
SenderCompID={sender}
TargetCompID={target}
"""


class _Log(Log):  # type: ignore[misc]  # it brings no types
    def __init__(self, core: Core) -> None:
        self._core = core

    def on_incoming(self, message: str) -> None:
        self._core.log.append(f"<  {message}")

    def on_outgoing(self, message: str) -> None:
        self._core.log.append(f" > {message}")

    def on_event(self, text: str) -> None:
        self._core.log.append(text)
        self._core.events.append(text)


class _Application(Application):  # type: ignore[misc]  # it brings no types
    def __init__(self, core: Core) -> None:
        self._core = core

    def on_logon(self, session_id: SessionID) -> None:
        self._core.logons += 1

    def from_app(self, message: CoreMessage, session_id: SessionID) -> None:
        self._core.orders.append(message.get_field(11))


class _One(StoreFactory, LogFactory):  # type: ignore[misc]  # it brings no types
    """Makes the one thing it was given."""

    def __init__(self, thing: object) -> None:
        self._thing = thing

    def create(self, session_id: SessionID) -> Any:
        return self._thing


@dataclass
class Core:
    """fixcore's end: what it got, logged and counts."""

    store: CoreStore = field(default_factory=CoreStore)
    orders: list[str] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    logons: int = 0
    sent: int = 0
    session: CoreSession = None

    @property
    def numbers(self) -> tuple[int, int]:
        """Its NextNumOut and NextNumIn."""
        return self.store.next_sender_msg_seq_num(), self.store.next_target_msg_seq_num()

    async def send(self, count: int) -> None:
        for _ in range(count):
            message = CoreMessage()
            message.header.set(35, "D")
            for tag, text in ((11, f"CORE-{self.sent}"), (55, "ACME"), (54, "1"), (38, "100")):
                message.set_field(tag, text)
            await self.session.send_app(message)
            self.sent += 1

    async def lose(self, count: int) -> None:
        """So many orders, stored and lost on their way."""

        async def nowhere(data: bytes) -> None: ...

        write, self.session._send_fn = self.session._send_fn, nowhere
        await self.send(count)
        self.session._send_fn = write

    def settings(
        self, role: str, port: int, config: SessionConfig, *more: str
    ) -> SessionSettings:
        text = _SETTINGS.format(
            role=role,
            port=port,
            more="\n".join(more),
            begin_string=config.begin_string,
            sender=config.sender_comp_id,
            target=config.target_comp_id,
        )
        return SessionSettings.from_string(text)

    @contextlib.asynccontextmanager
    async def running(
        self, role: str, port: int, config: SessionConfig, *more: str
    ) -> AsyncIterator[None]:
        kind = SocketAcceptor if role == "acceptor" else SocketInitiator
        settings = self.settings(role, port, config, *more)
        engine = kind(settings, _Application(self), _One(self.store), _One(_Log(self)))
        async with engine:
            (self.session,) = engine.sessions.values()
            yield


@contextlib.asynccontextmanager
async def connected(
    role: str, core: Core, *more: str, **settings: Any
) -> AsyncIterator[Driver]:
    """fixlab in `role` and fixcore in the other, logged on; `more` are settings of fixcore."""
    config = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL", **settings)
    if config.begin_string == "FIXT.1.1":
        more += ("DefaultApplVerID=FIX.5.0SP2",)
    if role == "initiator":
        port = free_port()
        async with (
            core.running("acceptor", port, config.mirrored(), *more),
            Initiator(config, port=port, reconnect_seconds=0.1) as initiator,
        ):
            await until(lambda: core.logons > 0, "fixcore to log on")
            yield initiator
    else:
        async with (
            Acceptor(config) as acceptor,
            core.running("initiator", acceptor.port, config.mirrored(), *more),
        ):
            (session,) = acceptor.sessions.values()
            await session.wait_established(timeout_seconds=STEP_SECONDS)
            await until(lambda: core.logons > 0, "fixcore to log on")
            yield session


async def agree(lab: Driver, core: Core) -> None:
    """Both sides expect what the other sends next, and nothing is missing any more."""

    def numbers() -> tuple[int, int]:
        return lab.session.next_in, lab.session.next_out

    try:
        await until(lambda: core.numbers == numbers(), "equal numbers", seconds=5)
    except AssertionError:
        text = "\n".join(core.log)
        raise AssertionError(f"{numbers()} here, {core.numbers} at fixcore\n{text}") from None
    assert lab.session.gap is None


def received(lab: Driver) -> list[int]:
    frame = lab.journal.to_frame()
    found = frame[(frame.kind == "ACCEPTED") & (frame.msg_type == "D")]
    return [int(number) for number in found.msg_seq_num]


ROLES = pytest.mark.parametrize("role", ["initiator", "acceptor"])


@ROLES
@pytest.mark.parametrize("begin_string", ["FIX.4.2", "FIX.4.4", "FIXT.1.1"])
def test_orders_each_way(role: str, begin_string: str) -> None:
    async def story() -> None:
        core = Core()
        async with connected(role, core, begin_string=begin_string) as lab:
            theirs = asyncio.create_task(core.send(ORDERS))
            for n in range(ORDERS):
                await lab.send(order(n))
            await theirs
            await agree(lab, core)
            assert core.orders == [f"ORD-{n}" for n in range(ORDERS)]
            assert received(lab) == list(range(2, ORDERS + 2))
            await lab.logout("done")
            assert core.numbers == (lab.session.next_in, lab.session.next_out)
            assert core.numbers == (ORDERS + 3, ORDERS + 3)

    run(story())


@ROLES
def test_a_gap_from_each_side_is_filled(role: str) -> None:
    async def story() -> None:
        core = Core()
        async with connected(role, core) as lab:
            lab.lose_next(3)
            for n in range(4):
                await lab.send(order(n))
            await agree(lab, core)
            lab.skip(2)
            await lab.send(order(4))
            await agree(lab, core)
            assert core.orders == [f"ORD-{n}" for n in range(5)]

            await core.lose(3)
            await core.send(1)
            await agree(lab, core)
            core.store.set_next_sender_msg_seq_num(core.numbers[0] + 4)
            await core.send(1)
            await agree(lab, core)
            assert len(received(lab)) == core.sent == 5

    run(story())


@ROLES
def test_rsp_12_both_behind_settle_when_one_of_them_is_fixlab(role: str) -> None:
    """fixlab answers a ResendRequest whose own number is early; fixcore only keeps it.

    That is enough: fixcore's gap closes first, and then it finds the request that it kept.
    """

    async def story() -> None:
        core = Core()
        async with connected(role, core) as lab:
            lab.lose_next(3)
            for n in range(3):
                await lab.send(order(n))
            await core.lose(2)
            await core.send(1)
            await lab.send(order(3))
            await agree(lab, core)
            assert core.orders == [f"ORD-{n}" for n in range(4)]
            assert len(received(lab)) == 3
            kinds = list(lab.journal.to_frame().kind)
            assert kinds.count("RESEND_REQUESTED") == 1

    run(story())


@ROLES
def test_reset_on_logon(role: str) -> None:
    async def story() -> None:
        core = Core()
        core.store.set_next_sender_msg_seq_num(7)
        core.store.set_next_target_msg_seq_num(9)
        asks: tuple[str, ...] = ("ResetOnLogon=Y",) if role == "acceptor" else ()
        async with connected(role, core, *asks, reset_on_logon=role == "initiator") as lab:
            assert core.numbers == (lab.session.next_in, lab.session.next_out) == (2, 2)
            await core.send(2)
            await lab.send(order(0))
            await agree(lab, core)
            assert core.numbers == (4, 3)

    run(story())


# Its failures ------------------------------------------------------------------------------


def test_lgn_19_a_reset_while_logged_on_which_fixcore_ignores() -> None:
    """It logs the Logon and does nothing. fixlab gives up and makes it certain at a Logon."""

    async def story() -> None:
        core = Core()
        async with connected("initiator", core, logon_timeout_seconds=0.3) as lab:
            await core.send(2)
            await lab.send(order(0))
            await agree(lab, core)
            lab.reset()
            await until(lambda: lab.session.next_out == 2, "the Logon with 141=Y")
            await until(
                lambda: (
                    "Received second Logon while already logged on — ignoring" in core.events
                ),
                "fixcore to ignore it",
            )
            assert core.numbers == (5, 4)  # as before, and the TestRequest with its answer
            await until(lambda: core.logons == 2, "the next connection")
            await lab.wait_established()
            frame = lab.journal.to_frame()
            assert "LGN-19" in set(frame[frame.kind == "TIMED_OUT"].rule)
            assert core.numbers == (lab.session.next_in, lab.session.next_out) == (2, 2)
            await lab.send(order(1))
            await core.send(1)
            await agree(lab, core)
            assert core.orders == ["ORD-0", "ORD-1"]

    run(story())


BACKWARDS = "43=Y|123=Y|36=2|"


async def _with_a_gap_fill_that_lowers(peer: RawPeer) -> Message:
    """Log on, send two orders, then a gap fill 4 to 2; returns what comes back."""
    peer.writer.write(wire(BUY, "A", 1, "98=0|108=30|"))
    assert (await peer.read()).msg_type == "A"
    for number in (2, 3):
        peer.writer.write(wire(BUY, "D", number, f"11=ORD-{number}|"))
    peer.writer.write(wire(BUY, "4", 4, BACKWARDS))
    peer.writer.write(wire(BUY, "1", 5, "112=still there?|"))
    return await peer.read()


def test_sqr_06_a_gap_fill_moves_fixcore_backwards_and_fixlab_not() -> None:
    async def fixcore() -> None:
        core, port = Core(), free_port()
        async with core.running("acceptor", port, CORE), raw_client(port) as peer:
            # It obeys: 2 is expected again, and it asks for what it has already.
            answer = await _with_a_gap_fill_that_lowers(peer)
            assert (answer.msg_type, answer[7], answer[16]) == ("2", "2", "0")
            assert core.numbers == (3, 2)
            assert core.orders == ["ORD-2", "ORD-3"]
            assert "GapFill: next expected seq → 2" in core.events
            for number in (2, 3):  # and takes them a second time
                peer.writer.write(
                    wire(BUY, "D", number, f"43=Y|122=20260105-09:00:00|11=ORD-{number}|")
                )
            await until(lambda: len(core.orders) == 4, "both orders again")
            assert core.orders == ["ORD-2", "ORD-3", "ORD-2", "ORD-3"]

    async def fixlab() -> None:
        async with Acceptor(CORE) as acceptor, raw_client(acceptor.port) as peer:
            (session,) = acceptor.sessions.values()
            answer = await _with_a_gap_fill_that_lowers(peer)
            assert (answer.msg_type, answer[45], answer[371]) == ("3", "4", "36")
            assert session.session.next_in == 4

    run(fixcore())
    run(fixlab())


def test_rsp_12_two_fixcores_that_are_both_behind_never_settle() -> None:
    """Each keeps the other's ResendRequest behind its own gap, whatever is sent and asked."""

    async def story() -> None:
        ends = (Core(), Core())
        links: tuple[list[bytes], list[bytes]] = ([], [])

        async def flow() -> None:
            for _ in range(100):
                if not any(links):
                    return
                for who in (0, 1):
                    while links[who]:
                        await ends[1 - who].session.on_data(links[who].pop(0))
            raise AssertionError("the two never come to rest")

        for who, (core, role) in enumerate(zip(ends, ("initiator", "acceptor"), strict=True)):
            config = BUY if who == 0 else CORE
            settings = core.settings(role, 1, config)
            (session_id,) = settings.session_ids
            core.session = CoreSession(
                session_id, settings, _Application(core), core.store, _Log(core)
            )
        for who in (1, 0):

            async def write(data: bytes, link: list[bytes] = links[who]) -> None:
                link.append(data)

            await ends[who].session.on_connect(write)
        await flow()
        assert [core.numbers for core in ends] == [(2, 2), (2, 2)]
        for core in ends:
            await core.lose(2)
            await core.send(1)
        await flow()
        stuck = [core.numbers for core in ends]
        assert stuck == [(6, 2), (6, 2)]
        for later in (11, 22, 33):  # its time-out for a resend is 10 s: it asks again, in vain
            for core in ends:
                core.session._resend_requested_at -= later
                await core.session._on_timer_tick(core.session._last_recv_time)
                await core.send(1)
            await flow()
            assert [core.numbers[1] for core in ends] == [2, 2]
        assert [core.orders for core in ends] == [[], []]
        for core in ends:
            await core.session.on_disconnect()

    run(story())
