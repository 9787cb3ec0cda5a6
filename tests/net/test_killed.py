"""A process with a live session is killed at arbitrary points and started again."""

import asyncio
import random
import sys
from pathlib import Path

import pytest

from fixlab.net.acceptor import AcceptedSession, Acceptor
from fixlab.session.events import Received
from fixlab.session.transitions import SessionState
from fixlab.stores.sqlite import SQLiteStore
from fixlab.wire.framer import Framer
from fixlab.wire.message import Message
from tests.net.peers import SELL, run

ROOT = Path(__file__).parents[2]
ORDERS = 240
KILLS = 4


class Recorder:
    """Everything that came over the socket, by number; replays are told apart."""

    def __init__(self, sell: AcceptedSession, monkeypatch: pytest.MonkeyPatch) -> None:
        self.first: dict[int, bytes] = {}  # number -> bytes of the original
        self.framer = Framer()
        received, attach = sell.received, sell.attach

        def record(data: bytes) -> None:
            for item in self.framer.feed(data):
                assert isinstance(item, Message)
                if item.get(43) != "Y":
                    assert item.number is not None
                    earlier = self.first.setdefault(item.number, item.raw or b"")
                    assert earlier == item.raw, "a number was used twice"
            received(data)

        def start(*arguments: object) -> None:
            self.framer = Framer()  # a killed process may have left half a message
            attach(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(sell, "received", record)
        monkeypatch.setattr(sell, "attach", start)


async def start(port: int, path: Path) -> asyncio.subprocess.Process:
    arguments = ["-m", "tests.net.killable", str(port), str(path), str(ORDERS)]
    return await asyncio.create_subprocess_exec(sys.executable, *arguments, cwd=ROOT)


async def until_killed_or_done(
    process: asyncio.subprocess.Process, sell: AcceptedSession, chance: random.Random
) -> None:
    """Kill it around a number of messages drawn at random, or let it end before that."""
    at = sell.session.next_in + chance.choice([0, 1, 2, chance.randrange(3, 90)])
    reached = asyncio.create_task(sell.wait_until(lambda s: s.next_in >= at))
    ended = asyncio.create_task(process.wait())
    await asyncio.wait([reached, ended], return_when=asyncio.FIRST_COMPLETED)
    await asyncio.sleep(chance.random() * 0.004)
    if process.returncode is None:
        process.kill()
    await ended
    reached.cancel()
    await asyncio.wait([reached])


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_killed_at_any_point_no_number_is_used_twice_and_no_order_is_lost(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "orders.sqlite"
    chance = random.Random(seed)

    async def story() -> None:
        async with Acceptor(SELL, events_max=100_000) as venue:
            (sell,) = venue.sessions.values()
            record = Recorder(sell, monkeypatch)
            for kill in range(KILLS + 1):
                process = await start(venue.port, path)
                try:
                    if kill < KILLS:
                        await until_killed_or_done(process, sell, chance)
                    assert kill < KILLS or await process.wait() == 0
                finally:
                    if process.returncode is None:
                        process.kill()
                        await process.wait()
                await sell.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
                with SQLiteStore(path) as store:
                    stored = dict(store.sent(1, store.peek_out()))
                    # What came is stored, byte for byte, and its numbers are used up.
                    assert record.first.items() <= stored.items()
                    assert max(record.first, default=0) < store.peek_out()
            got = [(await sell.next_event(Received)).message[11] for _ in range(ORDERS)]
            assert got == [f"ORD-{n}" for n in range(ORDERS)]
            assert "TOO_LOW" not in set(venue.journal.to_frame().kind)

    run(story(), seconds=50)
