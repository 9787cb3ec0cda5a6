"""Counterparties for tests: a scripted raw peer on a socket, and small helpers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from fixlab.session.config import SessionConfig
from fixlab.session.events import Received
from fixlab.session.session import Session
from fixlab.session.transitions import Role
from fixlab.times import SystemClock, format_utc
from fixlab.wire.framer import Framer
from fixlab.wire.message import Message, encode

T = TypeVar("T")

BUY = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")
SELL = BUY.mirrored()


def run(story: Coroutine[Any, Any, T], *, reports: int | None = 0, seconds: float = 20.0) -> T:
    """Run a test's story: nothing hangs, and exactly `reports` errors reach the event loop.

    None does not count them.
    """

    async def bounded() -> T:
        seen: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, what: seen.append(what))
        async with asyncio.timeout(seconds):
            result = await story
        await asyncio.sleep(0)
        assert reports is None or len(seen) == reports, seen
        return result

    return asyncio.run(bounded())


def order(number: int) -> Message:
    return Message("D", {11: f"ORD-{number}", 55: "ACME", 54: 1, 38: 100})


def ids(events: list[Received]) -> list[str]:
    return [event.message[11] for event in events]


class RawPeer:
    """The other end of a socket: sends what it is told and reads whole messages."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._framer = Framer()
        self._messages: list[Message] = []

    async def read(self) -> Message:
        """The next message; raises `EOFError` when the peer closes."""
        while not self._messages:
            data = await asyncio.wait_for(self.reader.read(65_536), 5)
            if not data:
                raise EOFError
            self._take(data)
        return self._messages.pop(0)

    async def read_on(self, data: bytes) -> Message:
        """The next message, of which `data` was read already."""
        self._take(data)
        return await self.read()

    def _take(self, data: bytes) -> None:
        for item in self._framer.feed(data):
            assert isinstance(item, Message), item
            self._messages.append(item)

    async def closed(self) -> bytes:
        """What still comes until the peer closes; a reset counts as closed."""
        try:
            return await asyncio.wait_for(self.reader.read(-1), 5)
        except ConnectionError:
            return b""

    async def close(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError):
            await self.writer.wait_closed()


@contextlib.asynccontextmanager
async def raw_client(port: int) -> AsyncIterator[RawPeer]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    peer = RawPeer(reader, writer)
    try:
        yield peer
    finally:
        await peer.close()


class RawServer:
    """Listens and queues the connections that come."""

    def __init__(self) -> None:
        self.peers: asyncio.Queue[RawPeer] = asyncio.Queue()
        self.accepted: list[RawPeer] = []
        self.port = 0

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = RawPeer(reader, writer)
        self.accepted.append(peer)
        await self.peers.put(peer)


@contextlib.asynccontextmanager
async def raw_server() -> AsyncIterator[RawServer]:
    raw = RawServer()
    server = await asyncio.start_server(raw._came, "127.0.0.1", 0)
    raw.port = server.sockets[0].getsockname()[1]
    try:
        yield raw
    finally:
        server.close()
        for peer in raw.accepted:
            await peer.close()


def wire(config: SessionConfig, msg_type: str, number: int, rest: str = "") -> bytes:
    """One message of the side `config` describes, written by hand; `rest` with bars."""
    now = format_utc(SystemClock().now()).decode()
    text = (
        f"35={msg_type}|34={number}|49={config.sender_comp_id}|52={now}|"
        f"56={config.target_comp_id}|{rest}"
    )
    return encode(config.begin_string.encode(), text.replace("|", "\x01").encode("latin-1"))


def logon_bytes(config: SessionConfig = BUY) -> bytes:
    return Session(config, Role.INITIATOR).connected(SystemClock().now()).data


def free_port() -> int:
    """A port that was free a moment ago; nothing listens there."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
