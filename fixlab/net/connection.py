"""Connection: one TCP transport of a driver, bounded on the writing side.

What the peer does not read waits in the transport. It may wait for so long and be so much, then
the connection is dropped: nothing waits for ever on a peer that does not read.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from typing import Protocol

from fixlab.net.tls import explain

_HIGH_WATER = 1 << 18  # bytes the transport may hold before `paused` asks senders to wait
_READ_BYTES = 1 << 15  # most bytes worked through before the event loop serves others
_LINGER_SECONDS = 5.0  # for the last bytes of a connection that is let go of
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: close by reset, drop what waits


class Pump(Protocol):
    """What a connection needs of its driver."""

    write_bytes_max: int  # more than this waiting for the peer, and it is dropped
    stall_seconds: float  # so long without reading a byte, and it is dropped

    def attach(self, connection: Connection) -> None:
        """The transport is up."""

    def received(self, data: bytes) -> None:
        """Bytes came in."""

    def writable(self) -> None:
        """The transport takes bytes again."""

    def dropped(self, why: str) -> None:
        """The transport is gone."""


class Connection(asyncio.BufferedProtocol):
    """One transport of one driver; becomes inert when the driver lets go of it.

    It reads into a buffer of its own size: a full read of asyncio's, four times as large, would
    keep the event loop from everybody else for too long while messages are worked through.
    """

    def __init__(self, driver: Pump, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.paused = False
        self.error: Exception | None = None  # what broke the transport, if anything did
        self.gone = loop.create_future()  # done when the transport is closed
        self._driver: Pump | None = driver
        self._transport: asyncio.Transport | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._stall_mark = 0
        self._written = 0  # bytes handed to the transport so far
        self._read = memoryview(bytearray(_READ_BYTES))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A fresh transport: the driver starts its session over it."""
        assert isinstance(transport, asyncio.Transport)
        self.take(transport)
        if self._driver is not None:
            self._driver.attach(self)

    def take(self, transport: asyncio.Transport) -> None:
        """Adopt a transport, fresh or taken over from another protocol."""
        self._transport = transport
        transport.set_write_buffer_limits(high=_HIGH_WATER)
        no_delay(transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._read

    def buffer_updated(self, nbytes: int) -> None:
        if self._driver is not None:
            self._driver.received(bytes(self._read[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:
        self.error = exc
        self._cancel_stall()
        if not self.gone.done():
            self.gone.set_result(None)
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.dropped("the peer closed the connection" if exc is None else _words(exc))

    def pause_writing(self) -> None:
        self.paused = True
        self._watch_stall()

    def resume_writing(self) -> None:
        self.paused = False
        if self._driver is None:
            return  # let go of: the rest must leave in its time as well
        self._cancel_stall()
        self._driver.writable()

    def write(self, data: bytes) -> None:
        """Hand bytes to the transport; drops the peer once it holds far too many."""
        transport = self._transport
        assert transport is not None
        transport.write(data)
        self._written += len(data)
        driver = self._driver
        if (
            self.paused
            and driver is not None
            and transport.get_write_buffer_size() > driver.write_bytes_max
        ):
            self._give_up(driver)

    def let_go(self, *, abort: bool = False, reset: bool = False) -> None:
        """Close without another word to the driver: after what waits has left, or at once."""
        self._driver = None
        transport = self._transport
        if transport is None:
            if not self.gone.done():
                self.gone.set_result(None)
            return
        if reset:
            sock = transport.get_extra_info("socket")
            if sock is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        if abort or reset:
            transport.abort()
        else:
            if not transport.is_closing():
                transport.close()  # a second time, one of TLS could not be aborted any more
            self._cancel_stall()
            if transport.get_write_buffer_size():
                self._watch_stall()

    def _watch_stall(self) -> None:
        self._stall_mark = self._taken()
        seconds = self._driver.stall_seconds if self._driver is not None else _LINGER_SECONDS
        self._stall = self.loop.call_later(seconds, self._on_stall)

    def _taken(self) -> int:
        """Bytes that have left for the peer; a peer that reads makes this grow."""
        assert self._transport is not None
        return self._written - self._transport.get_write_buffer_size()

    def _cancel_stall(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None

    def _on_stall(self) -> None:
        """Nothing may wait for ever on a peer that does not read."""
        self._stall = None
        transport = self._transport
        assert transport is not None
        if self._driver is None:
            transport.abort()
        elif self._taken() > self._stall_mark:
            self._watch_stall()
        else:
            self._give_up(self._driver)

    def _give_up(self, driver: Pump) -> None:
        assert self._transport is not None
        waiting = self._transport.get_write_buffer_size()
        self.let_go(abort=True)
        driver.dropped(f"the peer does not read: {waiting:,} bytes waited for it")


def no_delay(transport: asyncio.BaseTransport) -> None:
    """Switch off Nagle's algorithm: a small message never waits for the one before it."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _words(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return f"connection lost: {explain(error)}"
    text = getattr(error, "strerror", None) or str(error)
    return f"connection lost: {text or type(error).__name__}"
