"""fixlab's own runs: an Initiator and an Acceptor on one event loop.

`measure` is the run that others are compared with: in memory, journals on at both ends.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from fixlab.journal import Journal
from fixlab.net.acceptor import Acceptor
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.session.events import Event, Received
from fixlab.session.transitions import Transition
from fixlab.stores.base import Store
from fixlab.stores.memory import MemoryStore
from fixlab.stores.sqlite import SQLiteStore
from fixlab.wire.message import Message
from tests.bench.orders import FIELDS, WARM_UP, names


class _NoJournal(Journal):
    """Records nothing, so that the rest can be measured by itself."""

    def extend(self, transitions: Iterable[Transition]) -> None:
        pass


def measure(count: int) -> float:
    """Orders per CPU second."""
    return asyncio.run(_measure(count, MemoryStore(), MemoryStore(), Journal, Journal))


def measure_sqlite(count: int) -> float:
    """The same with an SQLiteStore at both ends, committing each step."""
    with (
        tempfile.TemporaryDirectory() as folder,
        SQLiteStore(Path(folder, "buy.sqlite")) as buy,
        SQLiteStore(Path(folder, "sell.sqlite")) as sell,
    ):
        return asyncio.run(_measure(count, buy, sell, Journal, Journal))


def measure_unrecorded(count: int) -> float:
    """The same as `measure` with journals that record nothing."""
    return asyncio.run(_measure(count, MemoryStore(), MemoryStore(), _NoJournal, _NoJournal))


async def _measure(
    count: int,
    buys: Store,
    sells: Store,
    buy_journal: type[Journal],
    sell_journal: type[Journal],
) -> float:
    config = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")
    got: list[str] = []

    def read(_: str, event: Event) -> None:
        if isinstance(event, Received):
            got.append(event.message[11])

    async with (
        Acceptor(
            config.mirrored(), on_event=read, store=sells, journal=sell_journal()
        ) as venue,
        Initiator(config, port=venue.port, store=buys, journal=buy_journal()) as buy,
    ):
        (sell,) = venue.sessions.values()

        async def exchange(orders: list[str]) -> None:
            got.clear()
            for name in orders:
                await buy.send(Message("D", {**FIELDS, 11: name}))
            await buy.flush()
            await sell.wait_until(
                lambda session: session.next_in == buy.session.next_out, timeout_seconds=120
            )
            assert got == orders

        await exchange(names(WARM_UP))
        orders = names(count)
        begin = time.process_time()
        await exchange(orders)
        seconds = time.process_time() - begin
        recorded = 0 if buy_journal is _NoJournal else count
        assert len(buy.journal) >= recorded
        assert len(venue.journal) >= recorded
    return count / seconds
