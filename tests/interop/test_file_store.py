"""One store, two engines: QuickFIX and fixlab take turns on the same files, in both roles."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fixlab.engines._child import order_fields
from fixlab.net.acceptor import Acceptor
from fixlab.net.driver import Driver
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.session.events import Event, Received
from fixlab.stores import FileStore, MemoryStore, Store
from fixlab.surgeon import inspect
from fixlab.wire.message import Message
from tests.interop.peer import STEP_SECONDS, Engine, Peer, Spec, until
from tests.net.peers import run

VERSION = "FIX.4.4"
LAB = SessionConfig(sender_comp_id="LAB", target_comp_id="QF", begin_string=VERSION)


class Listener:
    """The orders that a side got, each once."""

    def __init__(self) -> None:
        self.orders: list[str] = []

    def hear(self, event: Event) -> None:
        if isinstance(event, Received):
            self.orders.append(event.message[11])

    async def got(self, *expected: str) -> None:
        await until(lambda: len(self.orders) >= len(expected), f"{len(expected)} orders")
        assert self.orders == list(expected)
        self.orders.clear()


@contextlib.asynccontextmanager
async def end(
    role: str, config: SessionConfig, port: int, store: Store, heard: Listener
) -> AsyncIterator[Driver]:
    """A side played by fixlab, ready to talk; `role` is its own."""
    if role == "initiator":
        initiator = Initiator(
            config,
            port=port,
            store=store,
            on_event=heard.hear,
            reconnect_seconds=0.1,
            exit_seconds=5,
        )
        async with initiator:
            yield initiator
    else:
        acceptor = Acceptor(
            config,
            port=port,
            store=store,
            on_event=lambda _, event: heard.hear(event),
            exit_seconds=5,
        )
        (session,) = acceptor.sessions.values()
        async with acceptor:
            yield session


def names(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{n}" for n in range(count)]


async def send(driver: Driver, prefix: str, count: int) -> None:
    for name in names(prefix, count):
        await driver.send(Message("D", {11: name, **order_fields(VERSION)}))


async def quickfix_begins(peer: Peer, role: str, lab: MemoryStore) -> None:
    """QuickFIX sends three orders that arrive and two while nobody listens."""
    heard, port = Listener(), peer.engine.port
    async with end(role, LAB, port, lab, heard) as driver:
        peer.tell("logon")
        await until(lambda: peer.logons == 1, "QuickFIX to log on")
        await driver.wait_established(timeout_seconds=STEP_SECONDS)
        await peer.send(3, "QF")
        await heard.got(*names("QF", 3))
        await send(driver, "LAB", 2)
        await until(lambda: len(peer.orders) == 2, "orders at QuickFIX")
        peer.tell("logout")
        await until(lambda: peer.logouts == 1, "QuickFIX to log out")
        await peer.send(2, "AWAY")


async def fixlab_continues(
    store: FileStore, port: int, role: str, other: str, lab: MemoryStore
) -> None:
    """fixlab takes QuickFIX's place: its two orders arrive from the store, and four more."""
    heard, own_heard = Listener(), Listener()
    ours = end(other, LAB.mirrored(), port, store, own_heard)
    theirs = end(role, LAB, port, lab, heard)
    async with contextlib.AsyncExitStack() as both:
        if other == "acceptor":  # who listens comes first
            driver = await both.enter_async_context(ours)
            await both.enter_async_context(theirs)
        else:
            await both.enter_async_context(theirs)
            driver = await both.enter_async_context(ours)
        await driver.wait_established(timeout_seconds=STEP_SECONDS)
        await send(driver, "FX", 4)
        await heard.got(*names("AWAY", 2), *names("FX", 4))


async def quickfix_replays(peer: Peer, role: str, next_out: int) -> None:
    """QuickFIX is back on its files, and the other side has lost all it ever got."""
    heard = Listener()
    lab = MemoryStore(next_out=next_out, next_in=1)
    logons = peer.logons
    async with end(role, LAB, peer.engine.port, lab, heard) as driver:
        peer.tell("logon")
        await until(lambda: peer.logons > logons, "QuickFIX to log on")
        await driver.wait_established(timeout_seconds=STEP_SECONDS)
        await heard.got(*names("QF", 3), *names("AWAY", 2), *names("FX", 4))
        await peer.send(1, "LAST")
        await heard.got("LAST-0")
        numbers = await peer.numbers()
        assert numbers == (driver.session.next_in, driver.session.next_out)


@pytest.mark.parametrize(
    ("quickfix", "other"), [("initiator", "acceptor"), ("acceptor", "initiator")]
)
def test_seq_13_a_store_goes_from_quickfix_to_fixlab_and_back(
    tmp_path: Path, quickfix: str, other: str
) -> None:
    engine = Engine(quickfix, tmp_path, [Spec(VERSION, "LAB", ("UseDataDictionary=N",))])
    (peer,) = engine.peers.values()
    folder = tmp_path / "store"

    async def story() -> None:
        lab = MemoryStore()
        engine.start()
        await quickfix_begins(peer, other, lab)
        engine.kill()

        with FileStore(folder) as store:
            assert store.session == f"{VERSION}:QF->LAB"
            assert (store.peek_out(), store.current_in()) == peer.stored_numbers()
            assert store.epoch is not None
        await fixlab_continues(
            FileStore(folder, LAB.mirrored().session_id), engine.port, other, quickfix, lab
        )
        assert {path.suffix for path in folder.iterdir()} == {
            ".body",
            ".header",
            ".seqnums",
            ".session",
        }

        engine.start()
        await quickfix_replays(peer, other, lab.peek_out())
        engine.stop()

    try:
        run(story(), seconds=60.0)
    finally:
        engine.kill()
    found = inspect(folder)
    assert found.problems.empty
    assert (found.sessions["messages"] + 1 == found.sessions["next_out"]).all()
