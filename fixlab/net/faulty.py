"""FaultyConnection: a live connection on which a `FaultyLink` says what gets through."""

from __future__ import annotations

import asyncio
from collections import deque

from fixlab import times
from fixlab.faults.link import FaultyLink, Passage, Piece
from fixlab.net.connection import Connection, Pump

_ABANDONED_SECONDS = 600.0  # a half open transport nobody needs any more is closed then
_EARLY = 1_000_000  # ns: a timer may come so much too soon


class FaultyConnection(Connection):
    """A connection whose writes are late, in pieces or lost, as its link says.

    The driver writes to it as to any other. Nothing blocks: what is late waits in a queue, and
    when more than the driver's `write_bytes_max` waits, the connection is dropped.
    """

    def __init__(self, driver: Pump, loop: asyncio.AbstractEventLoop, link: FaultyLink) -> None:
        super().__init__(driver, loop)
        self._link = link
        self._late: deque[Piece] = deque()
        self._late_bytes = 0
        self._cut_at: int | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._half_open = False
        self._leaving = False  # let go of, once what is late has left

    # Writing ----------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Hand bytes to the link, and to the transport what is due."""
        self._pass(self._link.write(data, self._time()))
        self._half_open = self._link.half_open
        driver = self._driver
        if driver is not None and self._late_bytes > driver.write_bytes_max:
            self.let_go(abort=True)
            driver.dropped(f"{self._late_bytes:,} bytes waited behind a fault of the link")

    def _pass(self, passage: Passage) -> None:
        self._late += passage.pieces
        self._late_bytes += sum(len(piece.data) for piece in passage.pieces)
        if passage.cut is not None:
            self._cut_at = passage.cut
        self._work()

    def _work(self) -> None:
        """Write what is due, and come back for the rest."""
        self._cancel()
        due = self._time() + _EARLY
        while self._late and self._late[0].time <= due and not self.gone.done():
            data = self._late.popleft().data
            self._late_bytes -= len(data)
            super().write(data)
        if self._late or self._cut_at is not None:
            then = self._late[0].time if self._late else (self._cut_at or 0)
            step = self._work if self._late or then > due else self._cut
            delay = max(then - self._time(), 0) / times.NANOSECONDS
            self._timer = self.loop.call_later(delay, step)
        elif self._leaving:
            super().let_go()

    def _cut(self) -> None:
        driver = self._driver
        self.let_go(reset=True)
        if driver is not None:
            driver.dropped("the connection was cut on purpose")

    # Ending -----------------------------------------------------------------------------

    def let_go(self, *, abort: bool = False, reset: bool = False) -> None:
        """Close; in order only behind what is late, and not at all while half open."""
        if abort or reset or self.gone.done():
            self._forget()
            super().let_go(abort=abort, reset=reset)
            return
        self._driver = None
        if self._half_open:
            # A close would tell the peer; it has to find out by itself.
            self._timer = self.loop.call_later(_ABANDONED_SECONDS, self._abandon)
        elif not self._leaving:
            self._leaving = True
            self._pass(self._link.rest(self._time()))

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        if self._half_open:
            self._driver = None  # neither end is told
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:
        # TLS has no half-closed state: it ends here, and connection_lost() keeps it quiet.
        if self._half_open and not self._secured:
            return True
        return super().eof_received()

    def buffer_updated(self, nbytes: int) -> None:
        if not self._half_open:
            super().buffer_updated(nbytes)

    @property
    def _secured(self) -> bool:
        transport = self._transport
        return transport is not None and transport.get_extra_info("ssl_object") is not None

    def _abandon(self) -> None:
        self.let_go(abort=True)

    def _forget(self) -> None:
        self._late.clear()
        self._late_bytes = 0
        self._cut_at = None
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _time(self) -> int:
        return times.seconds(self.loop.time())
