"""Answering one ResendRequest for 100,000 stored orders over TCP: rate, memory, and patience.

Run by itself with the name of a store, it measures in this process and prints orders per
second, the longest time in milliseconds that the event loop served nobody else, the same
without Python's garbage collections, and the mebibytes that the process grew by.
"""

from __future__ import annotations

import asyncio
import gc
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fixlab.net.acceptor import Acceptor
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.session.events import Event, Received
from fixlab.session.session import Session
from fixlab.session.transitions import Role
from fixlab.stores.base import Store
from fixlab.stores.memory import MemoryStore
from fixlab.stores.sqlite import SQLiteStore
from fixlab.times import SystemClock
from fixlab.wire.message import Message
from tests.bench.measure import Row, rate, table
from tests.bench.orders import FIELDS

ROOT = Path(__file__).parents[2]
ORDERS = 100_000
_ROUNDS = 3
_NOTES = f"""\
{ORDERS:,} orders of 172 bytes are in the initiator's store when it logs on; the acceptor asks
for all of them and gets them in order. Both ends in one process, journals on, wall time. The
longest turn is how long the event loop served nobody else, the worst of {_ROUNDS} runs, with
and without the full garbage collections that a process with pandas loaded takes. Growth is that
of the whole process, both ends and journals, over the messages stored before."""


def run() -> None:
    """Print the table."""
    rows = []
    for store in ("memory", "sqlite"):
        runs = [_in_child(store) for _ in range(_ROUNDS)]
        rates, turns, own, grown = zip(*runs, strict=True)
        rows += [
            Row(f"{store}: replay", rate(sorted(rates)[len(rates) // 2])),
            Row(f"{store}: longest turn", f"{max(turns):.0f} ms", "", "<= 50 ms"),
            Row(f"{store}: without collections", f"{max(own):.0f} ms", "", "<= 50 ms"),
            Row(f"{store}: growth", f"{max(grown):.0f} MiB"),
        ]
    table("Answering a ResendRequest", _NOTES, rows)


Figures = tuple[float, float, float, float]


def _in_child(store: str) -> Figures:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.replays", store],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=True,
    )
    per_second, turn, own, grown = map(float, done.stdout.split())
    return per_second, turn, own, grown


class _Collections:
    """Seconds spent in garbage collections so far."""

    def __init__(self) -> None:
        self.seconds = self._begun = 0.0
        gc.callbacks.append(self._note)

    def _note(self, phase: str, _: object) -> None:
        now = time.perf_counter()
        if phase == "start":
            self._begun = now
        else:
            self.seconds += now - self._begun


def measure(kind: str) -> Figures:
    """Orders per second, longest turn in ms, the same without collections, growth in MiB."""
    config = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")
    with tempfile.TemporaryDirectory() as folder:
        store: Store
        store = MemoryStore() if kind == "memory" else SQLiteStore(Path(folder, "buy.sqlite"))
        session, now = Session(config, Role.INITIATOR, store), SystemClock().now()
        for number in range(ORDERS):
            session.send(Message("D", {**FIELDS, 11: f"ORD-{number}"}), now)
        store.commit()
        found = asyncio.run(_measure(config, store))
        store.close()
    return found


async def _measure(config: SessionConfig, store: Store) -> Figures:
    longest = own = 0.0
    collections = _Collections()

    async def watch() -> None:
        nonlocal longest, own
        last, spent = time.perf_counter(), collections.seconds
        while True:
            await asyncio.sleep(0)
            turn = (now := time.perf_counter()) - last
            longest = max(longest, turn)
            own = max(own, turn - (collections.seconds - spent))
            last, spent = now, collections.seconds

    got = 0

    def read(_: str, event: Event) -> None:
        # Whoever does not read keeps 10,000 messages, and full collections visit them all.
        nonlocal got
        got += isinstance(event, Received) and event.message[11] == f"ORD-{got}"

    async with Acceptor(config.mirrored(), on_event=read) as venue:
        (sell,) = venue.sessions.values()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        watcher = asyncio.create_task(watch())
        begin = time.perf_counter()
        async with Initiator(config, port=venue.port, store=store):
            await sell.wait_until(lambda session: session.next_in > ORDERS, timeout_seconds=120)
            seconds = time.perf_counter() - begin
        watcher.cancel()
        assert got == ORDERS
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return ORDERS / seconds, longest * 1000, own * 1000, grown / 1024


if __name__ == "__main__":
    print(*measure(sys.argv[1]), flush=True)
    os._exit(0)
