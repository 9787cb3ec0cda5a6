"""Link: one direction of a simulated TCP connection. Bytes arrive late, in pieces, in order."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import NamedTuple

from fixlab import times


class Arrival(NamedTuple):
    """A piece of the stream and when it arrives; None is the end of the stream."""

    time: int
    data: bytes | None  # b"": the connection breaks, and both ends notice


class Link:
    """Carries bytes one way with a delay, cut into pieces; never reorders, loses only by a cut.

    The delay of each piece is drawn from half to one and a half times `delay_seconds`, in
    steps of a tenth of it so that times read well; what was sent earlier never arrives later.
    """

    def __init__(self, random: Random, *, delay_seconds: float, pieces_max: int = 3) -> None:
        self._random = random
        self._delay = times.seconds(delay_seconds)
        self._pieces_max = pieces_max
        self._in_flight: deque[Arrival] = deque()
        self._last = 0  # arrival time of the latest piece

    @property
    def next_arrival(self) -> int | None:
        """When the next piece arrives, or None while nothing is in flight."""
        return self._in_flight[0].time if self._in_flight else None

    def write(self, data: bytes, now: int) -> None:
        """Send `data` off, cut at random places."""
        pieces = self._random.randint(1, self._pieces_max)
        cuts = sorted(self._random.randint(0, len(data)) for _ in range(pieces - 1))
        for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
            if begin < end:
                self._in_flight.append(Arrival(self._arrival(now), data[begin:end]))

    def close(self, now: int) -> None:
        """End the stream behind what is in flight."""
        self._in_flight.append(Arrival(self._arrival(now), None))

    def sever(self, now: int) -> None:
        """The connection breaks behind what is in flight."""
        self._in_flight.append(Arrival(self._arrival(now), b""))

    def take(self) -> Arrival:
        """The next arrival, taken off the link."""
        return self._in_flight.popleft()

    def cut(self) -> int:
        """Lose what is in flight; returns how many bytes that were."""
        lost = sum(len(arrival.data or b"") for arrival in self._in_flight)
        self._in_flight.clear()
        return lost

    def restart(self) -> None:
        """A new connection: what was late on the one before it delays nothing on this one."""
        self.cut()
        self._last = 0

    def _arrival(self, now: int) -> int:
        delay = max(1, self._delay * self._random.randint(5, 15) // 10)
        self._last = max(self._last, now + delay)
        return self._last
