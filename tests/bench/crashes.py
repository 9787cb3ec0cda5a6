"""Both ends of a live TCP session are killed at random moments, again and again.

    python tests/bench/crashes.py [--kills 200] [--store sqlite|files] [--seed 1]

Each end is a process with a store (`tests/net/killable.py`); SIGKILL ends one of them, or both,
and a new process goes on from its files. Whatever crosses the wire passes through here. The
run fails at the first number that is used twice, message on the wire that its sender's store
does not hold byte for byte, or order that is missing at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from fixlab.wire.framer import Framer
from fixlab.wire.message import Message
from tests.net.killable import open_store
from tests.net.peers import BUY, SELL

ROOT = Path(__file__).parents[2]
_STEP_SECONDS = 30.0  # what anything may take that is waited for
_CONFIGS = {"initiator": BUY, "acceptor": SELL}
_BOTH = ("initiator", "acceptor")


@dataclass
class Figures:
    """What a run came to."""

    seed: int
    store: str
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_BOTH, 0))
    connections: int = 0
    messages: int = 0  # over the wire, both ways
    resent: int = 0  # of them with PossDupFlag(43)=Y
    orders: dict[str, int] = field(default_factory=dict)  # by who sent them
    events_repeated: int = 0  # told again after a crash, as the contract allows
    stores_checked: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        kills = ", ".join(f"{count} of the {role}" for role, count in self.kills.items())
        orders = " and ".join(f"{count:,}" for count in self.orders.values())
        return (
            f"store {self.store}, seed {self.seed}: {sum(self.kills.values())} kills ({kills}) "
            f"in {self.seconds:.0f} s, {self.connections} connections\n"
            f"orders each way {orders}: 0 lost, 0 numbers reused\n"
            f"messages on the wire {self.messages:,}, of them resent {self.resent:,}; events "
            f"told again after a crash {self.events_repeated}; stores checked against the wire "
            f"{self.stores_checked}"
        )


class Wire:
    """Between the two ends: passes bytes on, and remembers who used which number for what."""

    def __init__(self, figures: Figures) -> None:
        self.figures = figures
        self.venue_port = 0
        self.first: dict[str, dict[int, bytes]] = {role: {} for role in _BOTH}
        self.fresh: dict[str, dict[int, bytes]] = {role: {} for role in _BOTH}
        self.failures: list[str] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """A connection of the initiator."""
        try:
            there = await asyncio.open_connection("127.0.0.1", self.venue_port)
        except OSError:
            writer.transport.abort()
            return
        self.figures.connections += 1
        try:
            await asyncio.gather(
                self._pass("initiator", reader, there[1]),
                self._pass("acceptor", there[0], writer),
            )
        except AssertionError as error:
            self.failures.append(str(error))
        finally:
            for end in (writer, there[1]):
                end.transport.abort()

    async def _pass(
        self, sender: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        framer = Framer()  # of a process that was killed, half a message may have come
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65_536):
                for item in framer.feed(data):
                    assert isinstance(item, Message), (
                        f"the {sender} wrote garbled bytes: {item}"
                    )
                    self._record(sender, item)
                writer.write(data)
                await writer.drain()
        writer.close()

    def _record(self, sender: str, message: Message) -> None:
        number, raw = message.number, message.raw
        assert number is not None
        assert raw is not None
        self.figures.messages += 1
        assert message.msg_type != "3", f"the {sender} rejected something: {message}"
        assert "too low" not in message.get(58, ""), str(message)  # type: ignore[operator]
        original = self.first[sender].get(number)
        if message.get(43) != "Y":
            assert original is None, f"the {sender} used {number} twice: {original!r}, {raw!r}"
            self.first[sender][number] = self.fresh[sender][number] = raw
            return
        self.figures.resent += 1
        if original is not None and message.msg_type != "4":
            assert Message.from_wire(original)[11] == message[11], (original, raw)


class Process:
    """One child: warm until it is told which end to be."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._reports: list[list[Any]] = []
        self._news = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())

    @classmethod
    async def start(cls) -> Process:
        pipe = asyncio.subprocess.PIPE
        return cls(
            await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.net.killable", stdin=pipe, stdout=pipe, cwd=ROOT
            )
        )

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            if not line.endswith(b"\n"):
                break  # killed in the middle of a word
            self._reports.append(json.loads(line))
            self._news.set()

    async def report(self, kind: str) -> list[Any]:
        """The next report of this kind; others before it are dropped."""
        async with asyncio.timeout(_STEP_SECONDS):
            while True:
                while self._reports:
                    found = self._reports.pop(0)
                    if found[0] == kind:
                        return found[1:]
                assert self._process.returncode is None, f"ended by itself, no {kind!r}"
                self._news.clear()
                await self._news.wait()

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line.encode() + b"\n")

    async def kill(self) -> None:
        assert self._process.returncode is None, "ended before it was killed"
        self._process.kill()
        await self._process.wait()
        await self._listening

    async def end(self) -> None:
        async with asyncio.timeout(_STEP_SECONDS):
            assert await self._process.wait() == 0

    async def clean_up(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        await self._listening


class Crashes:
    """One run: two ends, the wire between them, and a seeded executioner."""

    def __init__(self, folder: Path, store: str, seed: int) -> None:
        self.folder = folder
        self.figures = Figures(seed, store)
        self.wire = Wire(self.figures)
        self.chance = random.Random(f"{seed}/{store}")
        self.ends: dict[str, Process] = {}
        self._warm: list[Process] = []
        self._all: list[Process] = []
        self._port = 0

    async def run(self, kills: int) -> Figures:
        began = time.perf_counter()
        async with self._listening():
            try:
                await self._begin("acceptor")
                await self._begin("initiator")
                while sum(self.figures.kills.values()) < kills:
                    await self._kill()
                await self._finish()
            finally:
                for process in self._all:
                    await process.clean_up()
        self.figures.seconds = time.perf_counter() - began
        return self.figures

    @contextlib.asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self.wire.came, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()

    async def _begin(self, role: str) -> None:
        """Make a process that has loaded everything already the end `role`."""
        while len(self._warm) < 2:
            self._warm.append(await Process.start())
            self._all.append(self._warm[-1])
        process = self._warm.pop(0)
        await process.report("warm")
        process.say(json.dumps([role, self.figures.store, str(self.folder), self._port]))
        if role == "acceptor":
            (self.wire.venue_port,) = await process.report("port")
        self.ends[role] = process

    async def _kill(self) -> None:
        """SIGKILL at a random moment: often while orders flow, sometimes on the way up."""
        chance = self.chance
        roles = chance.choices([_BOTH[:1], _BOTH[1:], _BOTH], [9, 9, 2])[0]
        if chance.random() < 0.7:
            await self.ends["initiator"].report("up")
            await asyncio.sleep(chance.random() * 0.15)
        else:
            await asyncio.sleep(chance.random() * 0.1)
        for role in roles:
            await self.ends[role].kill()
            self.figures.kills[role] += 1
        self._check_wire()
        for role in reversed(roles):  # the acceptor first
            if chance.random() < 0.5:  # else the next process is the first to open it
                self._check_store(role)
            await self._begin(role)

    def _check_wire(self) -> None:
        if self.wire.failures:
            raise AssertionError(f"seed {self.figures.seed}: {self.wire.failures[0]}")

    def _check_store(self, role: str) -> tuple[int, int]:
        """What came is stored, byte for byte, and its numbers are used up."""
        fresh, self.wire.fresh[role] = self.wire.fresh[role], {}
        store = open_store(self.figures.store, self.folder, _CONFIGS[role])
        try:
            if fresh:
                stored = dict(store.sent(min(fresh), max(fresh)))
                missing = [n for n, raw in fresh.items() if stored.get(n) != raw]
                assert not missing, f"seed {self.figures.seed}: {role} does not hold {missing}"
                assert max(fresh) < store.peek_out()
            self.figures.stores_checked += 1
            return store.peek_out(), store.current_in()
        finally:
            store.close()

    # The end -------------------------------------------------------------------------------

    async def _finish(self) -> None:
        for role in _BOTH:
            self.ends[role].say("stop")
        for role in _BOTH:
            (self.figures.orders[role],) = await self.ends[role].report("sent")
        for role, other in (_BOTH, _BOTH[::-1]):
            count = self.figures.orders[other]
            await self._until(lambda r=role, c=count: self._got(r) == c, f"{count} orders")  # type: ignore[misc]
        for role in _BOTH:
            self.ends[role].say("finish")
            await self.ends[role].end()
        self._check_wire()
        ours, theirs = self._check_store("initiator"), self._check_store("acceptor")
        assert ours == theirs[::-1], f"numbers {ours} and {theirs} at the end"
        self.figures.events_repeated = sum(self._repeats(role) for role in _BOTH)

    async def _until(self, done: Callable[[], bool], awaited: str) -> None:
        deadline = time.monotonic() + _STEP_SECONDS
        while not done():
            self._check_wire()
            assert time.monotonic() < deadline, (
                f"seed {self.figures.seed}: waited for {awaited}, got "
                f"{[self._got(role) for role in _BOTH]}"
            )
            await asyncio.sleep(0.05)

    def _notes(self, role: str) -> list[list[tuple[int, int]]]:
        """(MsgSeqNum, order) as the application got them, one list a process."""
        lives: list[list[tuple[int, int]]] = []
        text = (self.folder / f"{_CONFIGS[role].sender_comp_id}.notes").read_text()
        for line in text.splitlines():
            if line == "start":
                lives.append([])
            else:
                number, name = line.split()
                lives[-1].append((int(number), int(name)))
        return lives

    def _got(self, role: str) -> int:
        return max((order for life in self._notes(role) for _, order in life), default=-1) + 1

    def _repeats(self, role: str) -> int:
        """Every order came, in order, each under one number; returns how many came again."""
        repeated, expected = 0, 0
        under: dict[int, int] = {}
        for life in self._notes(role):
            for position, (number, order) in enumerate(life):
                if position == 0:
                    # A step that was not committed comes again, as a whole.
                    assert order <= expected, (
                        f"{role} never got orders {expected} to {order - 1}"
                    )
                    repeated += expected - order
                else:
                    assert order == expected, f"{role} got order {order}, expected {expected}"
                assert under.setdefault(order, number) == number, (
                    f"order {order} has two numbers"
                )
                expected = order + 1
        return repeated


def crash(folder: Path, *, store: str, kills: int, seed: int) -> Figures:
    """Run it; raises `AssertionError` at the first thing that must not be."""
    story: Coroutine[Any, Any, Figures] = Crashes(folder, store, seed).run(kills)
    return asyncio.run(story)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--store", choices=["sqlite", "files"], default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(crash(Path(folder), store=given.store, kills=given.kills, seed=given.seed))


if __name__ == "__main__":
    main()
