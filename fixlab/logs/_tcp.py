"""TCP put in order again: one direction of one connection, out of segments in any order."""

from __future__ import annotations

_WRAP = 1 << 32
_HALF = 1 << 31
# Segments that came early wait for the ones before, up to this; then those are given up.
EARLY_BYTES_MAX = 1 << 22
EARLY_MAX = 4_096


class Flow:
    """Bytes in the order in which they were sent. Each stretch is given once."""

    __slots__ = ("_early", "_early_bytes", "_next", "missing", "repeated")

    def __init__(self) -> None:
        self._next: int | None = None  # sequence number of the next byte
        self._early: dict[int, bytes] = {}
        self._early_bytes = 0
        self.missing = 0  # bytes that never came
        self.repeated = 0  # bytes that came again

    def opened(self, number: int) -> bool:
        """A SYN came: whether a new connection begins, and not the same one again."""
        begin = (number + 1) % _WRAP
        if self._next is not None and _distance(begin, self._next) <= 0:
            return _distance(begin, self._next) < -EARLY_BYTES_MAX
        return self._next is not None

    def start(self, number: int) -> None:
        """The first byte has the number behind that of the SYN."""
        if self._next is None:
            self._next = (number + 1) % _WRAP

    def take(self, number: int, data: bytes) -> list[bytes]:
        """What a segment makes complete; an empty stretch stands for bytes that are missing."""
        if self._next is None:
            self._next = number  # the capture began later than the connection
        if data:
            kept = self._early.get(number)
            if kept is None or len(kept) < len(data):
                self._early_bytes += len(data) - len(kept or b"")
                self._early[number] = data
            else:
                self.repeated += len(data)
        found = self._ready()
        while self._early_bytes > EARLY_BYTES_MAX or len(self._early) > EARLY_MAX:
            found += self._skip()
        return found

    def finish(self) -> list[bytes]:
        """The rest, when no more comes."""
        found: list[bytes] = []
        while self._early:
            found += self._skip()
        return found

    def _ready(self) -> list[bytes]:
        assert self._next is not None
        found: list[bytes] = []
        while self._early:
            first = min(self._early, key=self._ahead)
            if self._ahead(first) > 0:
                break
            data = self._early.pop(first)
            self._early_bytes -= len(data)
            old = min(-self._ahead(first), len(data))
            self.repeated += old
            if old < len(data):
                found.append(data[old:])
                self._next = (self._next + len(data) - old) % _WRAP
        return found

    def _skip(self) -> list[bytes]:
        """Give up the bytes before the earliest segment that waits."""
        assert self._next is not None
        first = min(self._early, key=self._ahead)
        self.missing += self._ahead(first)
        self._next = first
        return [b"", *self._ready()]

    def _ahead(self, number: int) -> int:
        assert self._next is not None
        return _distance(number, self._next)


def _distance(number: int, origin: int) -> int:
    """How far a number is ahead of another, or behind it, around the end of 32 bits."""
    return (number - origin + _HALF) % _WRAP - _HALF
