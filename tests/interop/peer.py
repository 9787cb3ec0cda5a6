"""A QuickFIX engine with many sessions, as the tests see it: one process for all of them."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from fixlab import engines
from fixlab.engines import EngineKind
from fixlab.wire.framer import Framer
from fixlab.wire.message import Message

STEP_SECONDS = 10.0  # what anything may take that is waited for
_POLL_SECONDS = 0.003
VERSIONS = ("FIX.4.0", "FIX.4.2", "FIX.4.4", "FIXT.1.1")

Spec = engines.EngineSession


class Engine(engines.Engine):
    """QuickFIX with a `Peer` for each session; its application only notes the orders."""

    def __init__(
        self,
        role: str,
        folder: Path,
        specs: Iterable[Spec],
        *,
        kind: str | EngineKind = "quickfix",
        settings: str = "",
    ) -> None:
        specs = tuple(specs)
        self.peers = {spec.id: Peer(self, spec) for spec in specs}
        super().__init__(
            kind,
            role,
            specs,
            folder=folder,
            settings=settings,
            reconnect_seconds=0,  # tests wait for it
            echo=False,
            on_report=lambda kind, name, rest: self.peers[name].hear(kind, rest),
        )


class Peer:
    """One session of the engine: what it reports, and its files."""

    def __init__(self, engine: Engine, spec: Spec) -> None:
        self.engine = engine
        self.spec = spec
        self.orders: list[str] = []
        self.logons = 0
        self.logouts = 0
        self._replies: dict[str, list[Any]] = {}
        self._files = f"{spec.begin_string}-QF-{spec.name}"

    def hear(self, kind: str, rest: list[Any]) -> None:
        """A report; called on the listening thread."""
        if kind == "order":
            self.orders.append(rest[0])
        elif kind == "logon":
            self.logons += 1
        elif kind == "logout":
            self.logouts += 1
        else:
            self._replies[kind] = rest

    def tell(self, command: str, *arguments: object) -> None:
        self.engine.tell(command, self.spec.id, *arguments)

    async def reply(self, kind: str) -> list[Any]:
        await until(lambda: kind in self._replies, f"QuickFIX to report {kind!r}")
        return self._replies.pop(kind)

    async def send(self, count: int, prefix: str, pause: float = 0.0) -> None:
        """So many orders, numbered and stored when this returns."""
        self.tell("send", count, prefix, pause)
        await self.reply("sent")

    async def skip(self, count: int) -> None:
        self.tell("skip", count)
        await self.reply("skipped")

    async def leave(self) -> None:
        """Have it log out within a second, and stay away once this returns."""
        self.tell("logout")
        await self.reply("leaving")

    async def numbers(self) -> tuple[int, int]:
        """NextNumOut and NextNumIn."""
        self.tell("numbers")
        ours, theirs = await self.reply("numbers")
        return ours, theirs

    def stored_numbers(self) -> tuple[int, int]:
        """NextNumOut and NextNumIn, from its store's file."""
        text = (self.engine.folder / "store" / f"{self._files}.seqnums").read_text()
        found = re.fullmatch(r"0*(\d+) : 0*(\d+)\s*", text)
        assert found, text
        return int(found[1]), int(found[2])

    def log(self) -> list[Message]:
        """Its message log, both directions, in its order."""
        raw = b"".join(line.partition(b" : ")[2] for line in self._lines("messages"))
        messages = Framer().feed(raw)
        assert all(isinstance(message, Message) for message in messages)
        return [message for message in messages if isinstance(message, Message)]

    def texts(self) -> str:
        """Both of its logs, as people read them."""
        lines = [*self._lines("messages"), b"", *self._lines("event")]
        return b"\n".join(lines).replace(b"\x01", b"|").decode("latin-1")

    def _lines(self, which: str) -> list[bytes]:
        path = self.engine.folder / "log" / f"{self._files}.{which}.current.log"
        return path.read_bytes().splitlines() if path.exists() else []


async def until(
    done: Callable[[], bool], awaited: str, *, seconds: float = STEP_SECONDS
) -> None:
    """Return once `done()`; asked every few milliseconds, for it may hold on another thread."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {awaited}"
        await asyncio.sleep(_POLL_SECONDS)
