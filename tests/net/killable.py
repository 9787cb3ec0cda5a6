"""One end of a live session in a process of its own, made to be killed at any moment.

It sends orders for as long as it lives and notes each order that comes. What it sent it knows
from its store alone: started again on the same files, it goes on from there. One line of JSON
on stdin says what it is; then `stop` ends the sending and `finish` the process.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from fixlab.errors import ConnectError
from fixlab.net.acceptor import Acceptor
from fixlab.net.driver import Driver
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.session.events import Established, Event, Received
from fixlab.session.transitions import SessionState
from fixlab.stores.base import Store
from fixlab.stores.quickfix import FileStore
from fixlab.stores.sqlite import SQLiteStore
from tests.net.peers import BUY, SELL, order

_LOOK_BACK = 2_000  # numbers among which the last order is looked for first
_PACE_SECONDS = 0.004  # between handfuls of orders
_HANDFUL = 3


def open_store(kind: str, folder: Path, config: SessionConfig) -> Store:
    """The store of one end; `kind` is sqlite or files."""
    if kind == "sqlite":
        return SQLiteStore(folder / f"{config.sender_comp_id}.sqlite")
    return FileStore(folder, config.session_id)


def orders_sent(store: Store) -> int:
    """How many orders the store says were numbered: they are ORD-0, ORD-1, ..."""
    last = store.peek_out() - 1
    for begin in (max(1, last - _LOOK_BACK), 1):
        names = [
            int(raw.partition(b"\x0111=ORD-")[2].partition(b"\x01")[0])
            for _, raw in store.sent(begin, last)
            if b"\x0111=ORD-" in raw
        ]
        if names:
            return max(names) + 1
    return 0


class End:
    """What both roles share: the notes, the orders, the words on stdin."""

    def __init__(self, config: SessionConfig, folder: Path) -> None:
        path = folder / f"{config.sender_comp_id}.notes"
        self._notes = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY)
        os.write(self._notes, b"start\n")
        self._sending = True

    def on_event(self, event: Event) -> None:
        """Runs before the commit; what it writes outlives the process."""
        if isinstance(event, Received):
            name = event.message[11].removeprefix("ORD-")
            os.write(self._notes, f"{event.msg_seq_num} {name}\n".encode())
        elif isinstance(event, Established):
            tell("up")

    async def live(self, driver: Driver, words: asyncio.StreamReader) -> None:
        """Send orders until told to stop, then wait for the word to finish."""
        sending = asyncio.create_task(self._send(driver))
        assert (await words.readline()).strip() == b"stop"
        self._sending = False
        tell("sent", await sending)
        assert (await words.readline()).strip() == b"finish"

    async def _send(self, driver: Driver) -> int:
        n = orders_sent(driver.session.store)
        while self._sending:
            for _ in range(_HANDFUL):
                await driver.send(order(n))
                n += 1
            # Mostly while connected: what is numbered in between all leaves as one replay.
            up = driver.state is SessionState.ACTIVE
            await asyncio.sleep(_PACE_SECONDS if up else 10 * _PACE_SECONDS)
        await driver.flush()
        return n


async def stay_connected(buy: Initiator) -> None:
    while True:
        try:
            await buy.connect()
        except ConnectError:
            pass  # the other end was killed, or has not noticed yet that this one was
        while buy.state is not SessionState.DISCONNECTED:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.03)


async def initiator(end: End, store: Store, port: int, words: asyncio.StreamReader) -> None:
    buy = Initiator(BUY, port=port, store=store, on_event=end.on_event, reconnects_max=0)
    connecting = asyncio.create_task(stay_connected(buy))
    await end.live(buy, words)
    connecting.cancel()
    await asyncio.wait([connecting])
    await buy.logout()
    await buy.close()


async def acceptor(end: End, store: Store, words: asyncio.StreamReader) -> None:
    async with Acceptor(
        SELL, store=store, on_event=lambda _, event: end.on_event(event)
    ) as venue:
        tell("port", venue.port)
        (sell,) = venue.sessions.values()
        await end.live(sell, words)


def tell(*report: object) -> None:
    sys.stdout.write(json.dumps(report) + "\n")
    sys.stdout.flush()


async def main() -> None:
    words = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(words), sys.stdin)
    tell("warm")
    role, kind, folder, port = json.loads(await words.readline())
    config = BUY if role == "initiator" else SELL
    store = open_store(kind, Path(folder), config)
    end = End(config, Path(folder))
    if role == "initiator":
        await initiator(end, store, port, words)
    else:
        await acceptor(end, store, words)


if __name__ == "__main__":
    asyncio.run(main())
