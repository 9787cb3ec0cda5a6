"""Stage: drives one case over sockets, in real time; every wait has an end."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Generator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from fixlab import times
from fixlab.conformance.actions import (
    Accept,
    Action,
    Arrived,
    Call,
    Closed,
    Open,
    Opened,
    Shut,
    Turn,
    Wait,
    Write,
)
from fixlab.conformance.targets import Hook, Identity
from fixlab.net.connection import no_delay
from fixlab.redact import mask, printable
from fixlab.times import Clock
from fixlab.wire.framer import Framer
from fixlab.wire.message import Message

T = TypeVar("T")

_HOOK_SECONDS = 30.0
_PENDING_MAX = 1 << 20  # bytes that wait for the player before reading pauses
_FIRST_BYTES_MAX = 1 << 14  # until a connection has said who it is
_WHY_MAX = 300  # characters of what a hook or the system says
_GONE_SECONDS = 2.0  # for transports to be closed


@dataclass(eq=False)
class Place:
    """An identity that one case at a time has to itself, and what is known of it."""

    identity: Identity
    left: float | None = None  # loop time at which its last connection ended
    next_out: int = 1  # the runner's next number, as far as is known


class Wire(asyncio.Protocol):
    """One connection; tells whom it belongs to whenever something has happened."""

    def __init__(self, tell: Callable[[Wire], None]) -> None:
        self._tell = tell
        self._transport: asyncio.Transport | None = None
        self._framer = Framer(_FIRST_BYTES_MAX)
        self._paused = False
        self._unwanted = False
        self.first: Message | None = None  # its first message, once it is whole
        self.overlong = False  # it sent much, and no message
        self.up = self.gone = False
        self.why = ""  # it is gone
        self.closed = asyncio.Event()
        self.pieces: list[bytes] = []  # what came and was not taken yet
        self._pending = self._total = 0

    def belong(self, tell: Callable[[Wire], None]) -> None:
        """Tell somebody else from now on, beginning with what there is."""
        self._tell = tell
        tell(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._unwanted:
            transport.abort()  # let go of while it was still at its TLS handshake
            return
        no_delay(transport)
        self.up = True
        self._tell(self)

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)
        self._pending += len(data)
        if self.first is None and not self.overlong:
            self._total += len(data)
            found = [one for one in self._framer.feed(data) if isinstance(one, Message)]
            self.first = found[0] if found else None
            self.overlong = self.first is None and self._total > _FIRST_BYTES_MAX
        if self._pending > _PENDING_MAX and not self._paused:
            assert self._transport is not None
            self._transport.pause_reading()
            self._paused = True
        self._tell(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.up, self.gone = False, True
        self.why = _words(exc) if exc is not None else ""
        self.closed.set()
        self._tell(self)

    def take(self) -> bytes:
        """All that has come since the last time."""
        data = b"".join(self.pieces)
        self.pieces.clear()
        self._pending = 0
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()
            self._paused = False
        return data

    def write(self, data: bytes) -> None:
        """Send; what the counterparty does not read waits, and goes with the connection."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def shut(self) -> None:
        """Close once what was written has left; nobody is told any more."""
        self._tell, self._unwanted = _nobody, True
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        """Close at once; nobody is told any more."""
        self._tell, self._unwanted = _nobody, True
        if self._transport is not None:
            self._transport.abort()


def _nobody(wire: Wire) -> None:
    pass


class Stage:
    """Does what a player asks, for one case of one identity."""

    def __init__(
        self,
        place: Place,
        connect: Callable[[Wire], Awaitable[str]],
        expect: Callable[[Stage, int], None],
        hooks: Mapping[str, Hook],
        *,
        clock: Clock,
        pause_seconds: float,
    ) -> None:
        self.place = place
        self._connect, self._expect = connect, expect
        self._hooks = hooks
        self._now = clock.now
        self._pause_seconds = pause_seconds
        self._wires: dict[int, Wire] = {}
        self._all: list[Wire] = []
        self._told_up: set[Wire] = set()
        self._told_gone: set[Wire] = set()
        self._news = asyncio.Event()

    async def drive(self, play: Generator[Action, Turn, T]) -> T:
        """Do what `play` asks until it is over; its result."""
        try:
            action = next(play)
            while True:
                action = play.send(await self._perform(action))
        except StopIteration as done:
            result: T = done.value
            return result

    async def close(self) -> None:
        """Let go of every connection; those that do not close in time are aborted."""
        for wire in self._all:
            wire.shut()
        going = [wire.closed.wait() for wire in self._all if wire.up]
        if going:
            try:
                async with asyncio.timeout(_GONE_SECONDS):
                    await asyncio.gather(*going)
            except TimeoutError:
                pass
        for wire in self._all:
            wire.abort()
        if self._all:
            self.place.left = asyncio.get_running_loop().time()

    async def call(self, hook: str, count: int) -> str:
        """Call a hook; what went wrong, or ""."""
        try:
            async with asyncio.timeout(_HOOK_SECONDS):
                done = self._hooks[hook](self.place.identity, count)
                if inspect.isawaitable(done):
                    await done
        except TimeoutError:
            return f"the hook {hook} took more than {_HOOK_SECONDS:g} s"
        except Exception as error:  # noqa: BLE001
            # A hook reaches into the counterparty: what fails there is no verdict on the case.
            return f"the hook {hook} failed: {_words(error)}"
        return ""

    def adopt(self, wire: Wire, connection: int) -> None:
        """A connection that was waited for."""
        self._wires[connection] = wire
        self._all.append(wire)
        wire.belong(self._tell)

    def _tell(self, wire: Wire) -> None:
        self._news.set()

    # What the player asks for ------------------------------------------------------------

    async def _perform(self, action: Action) -> Turn:
        problem = ""
        match action:
            case Open(connection):
                return await self._open(connection)
            case Accept(connection):
                self._expect(self, connection)
                if "connect" in self._hooks:
                    problem = await self.call("connect", 0)
            case Write(connection, pieces):
                for piece in pieces:
                    self._wires[connection].write(piece)
                    if len(pieces) > 1:
                        await asyncio.sleep(0)
            case Shut(connection):
                wire = self._wires.pop(connection, None)
                if wire is not None:
                    wire.shut()
                    self.place.left = asyncio.get_running_loop().time()
            case Call(hook, count):
                problem = await self.call(hook, count)
            case Wait(until):
                await self._wait(until)
        return Turn(self._now(), self._events(), problem)

    async def _open(self, connection: int) -> Turn:
        loop = asyncio.get_running_loop()
        if self.place.left is not None and connection == 1:
            await asyncio.sleep(max(0.0, self.place.left + self._pause_seconds - loop.time()))
        wire = Wire(self._tell)
        why = await self._connect(wire)
        if why:
            now = self._now()
            return Turn(now, (*self._events(), Closed(connection, now, why)))
        self._wires[connection] = wire
        self._all.append(wire)
        return Turn(self._now(), self._events())

    async def _wait(self, until: int) -> None:
        delay = (until - self._now()) / times.NANOSECONDS
        if delay <= 0:
            await asyncio.sleep(0)
            return
        try:
            async with asyncio.timeout(delay):
                await self._news.wait()
        except TimeoutError:
            pass

    def _events(self) -> tuple[Opened | Arrived | Closed, ...]:
        """What has happened on all connections since the last time."""
        self._news.clear()
        now = self._now()
        events: list[Opened | Arrived | Closed] = []
        for connection, wire in sorted(self._wires.items()):
            if (wire.up or wire.gone) and wire not in self._told_up:
                self._told_up.add(wire)
                events.append(Opened(connection, now))
            if wire.pieces:
                events.append(Arrived(connection, now, wire.take()))
            if wire.gone and wire not in self._told_gone:
                self._told_gone.add(wire)
                events.append(Closed(connection, now, wire.why))
        return tuple(events)


def _words(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return printable(mask(text))[:_WHY_MAX]
