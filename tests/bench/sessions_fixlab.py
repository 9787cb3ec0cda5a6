"""fixlab's own run: an Initiator and an Acceptor on one event loop, journals on."""

from __future__ import annotations

import asyncio
import time

from fixlab.net.acceptor import Acceptor
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.session.events import Event, Received
from fixlab.wire.message import Message
from tests.bench.orders import FIELDS, WARM_UP, names


def measure(count: int) -> float:
    """Orders per CPU second."""
    return asyncio.run(_measure(count))


async def _measure(count: int) -> float:
    config = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")
    got: list[str] = []

    def read(_: str, event: Event) -> None:
        if isinstance(event, Received):
            got.append(event.message[11])

    async with (
        Acceptor(config.mirrored(), on_event=read) as venue,
        Initiator(config, port=venue.port) as buy,
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
        assert len(buy.journal) > count
        assert len(venue.journal) > count
    return count / seconds
