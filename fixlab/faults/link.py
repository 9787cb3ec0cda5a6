"""FaultyLink: when, and in which pieces, what one end writes gets on its way, if at all.

Pure: a write at a time becomes pieces with times. A simulated link and a live connection both
do as it says.
"""

from __future__ import annotations

from typing import NamedTuple

from fixlab import times
from fixlab.faults.dice import Dice
from fixlab.faults.plan import LinkFaults

_FRAGMENT_NS = 100_000  # between two fragments, so that each can travel by itself
_FRAGMENTS_MAX = 1_000  # what a longer write has left goes in one piece
_COALESCED_MAX = 1 << 20  # bytes that wait for the next write


class Piece(NamedTuple):
    """Bytes, and when they get on their way (ns); never earlier than those before them."""

    time: int
    data: bytes


class Passage(NamedTuple):
    """What becomes of a write."""

    pieces: tuple[Piece, ...] = ()
    cut: int | None = None  # when the connection is lost, behind the pieces; None: it is not


class FaultyLink:
    """One direction of a connection that misbehaves as TCP can.

    Parameters: `faults`, and `dice` that decide on them. Times are nanoseconds of any clock.

    `write()` gives what to send on and when; at `Passage.cut` both ends lose the connection.
    While `half_open`, nothing goes through either way, ends of the stream included, and no
    `write()` gives anything. `rest()` is what has to leave before this end closes in order.
    """

    def __init__(self, faults: LinkFaults, dice: Dice) -> None:
        self._faults, self._dice = faults, dice
        self._writes = 0
        self.connected()

    def connected(self) -> None:
        """A new connection: nothing of the one before it is left."""
        self.half_open = False
        self._dead = False  # cut
        self._waiting = b""  # to arrive together with the next write
        self._free = 0  # when the last piece leaves: nothing overtakes it

    def heal(self) -> None:
        """Nothing more goes wrong; what is late stays late, and half open stays half open."""
        self._faults = LinkFaults()

    def write(self, data: bytes, now: int) -> Passage:
        """What becomes of `data`, written at `now`."""
        self._writes += 1
        if self.half_open or self._dead:
            return Passage()
        faults, n = self._faults, self._writes
        if self._dice.strike("half_open", faults.half_open, n):
            self.half_open, self._waiting = True, b""
            return Passage()
        time = max(now, self._free)
        if strike := self._dice.strike("stall", faults.stall, n):
            time += times.seconds(faults.stall_seconds)
        if strike := self._dice.strike("delay", faults.delay, n):
            time += times.seconds(self._dice.amount(strike) * faults.delay_seconds)
        if faults.jitter_seconds:
            time += times.seconds(self._dice.draw("jitter", n) * faults.jitter_seconds)
        waited, self._waiting = self._waiting, b""
        if strike := self._dice.strike("cut", faults.cut, n):
            # Some of it has left, never all.
            data = waited + data[: int(self._dice.amount(strike) * len(data))]
            self._dead = True
            return Passage((Piece(time, data),) if data else (), time)
        if not waited and self._dice.strike("coalesce", faults.coalesce, n):
            self._waiting, self._free = data, time
            return Passage() if len(data) < _COALESCED_MAX else self.rest(now)
        data = waited + data
        if self._dice.strike("fragment", faults.fragment, n):
            pieces = _fragments(data, time)
        else:
            pieces = (Piece(time, data),)
        self._free = pieces[-1].time
        return Passage(pieces)

    def rest(self, now: int) -> Passage:
        """What still waits for a next write, when there will be none."""
        waited, self._waiting = self._waiting, b""
        self._free = max(now, self._free)
        return Passage((Piece(self._free, waited),)) if waited else Passage()


def _fragments(data: bytes, time: int) -> tuple[Piece, ...]:
    head, tail = data[:_FRAGMENTS_MAX], data[_FRAGMENTS_MAX:]
    single = [head[i : i + 1] for i in range(len(head))]
    return tuple(
        Piece(time + i * _FRAGMENT_NS, piece)
        for i, piece in enumerate([*single, tail] if tail else single)
    )
