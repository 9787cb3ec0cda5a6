"""Missing numbers as ranges: however many numbers are missing, a range is one entry."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import NamedTuple


class Hole(NamedTuple):
    """A range of missing numbers, inclusive."""

    begin: int
    end: int
    asked: bool  # known only because the receiver asked for it
    connection: int  # in which it was noticed

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return self.end - self.begin + 1


class Holes:
    """Disjoint holes, ascending. Each method costs what it touches, and the shift of a list."""

    __slots__ = ("_begins", "_ends", "_holes", "count")

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []
        self._holes: list[Hole] = []
        self.count = 0  # missing numbers in all

    def __bool__(self) -> bool:
        return bool(self._holes)

    @property
    def first(self) -> int:
        """The lowest missing number; there must be one."""
        return self._begins[0]

    @property
    def last(self) -> int:
        """The highest missing number; there must be one."""
        return self._ends[-1]

    def add(self, hole: Hole) -> None:
        """A range of which nothing is missing yet."""
        at = bisect_left(self._begins, hole.begin)
        assert at == len(self._begins) or hole.end < self._begins[at], hole
        assert at == 0 or self._ends[at - 1] < hole.begin, hole
        self._insert(at, [hole])
        self.count += hole.size

    def inside(self, begin: int, end: int) -> list[Hole]:
        """What is missing of begin..end."""
        low, high = self._reach(begin, end)
        return [_clipped(hole, begin, end) for hole in self._holes[low:high]]

    def count_in(self, begin: int, end: int) -> int:
        """How many numbers of begin..end are missing."""
        if not self._holes or (begin <= self.first and end >= self.last):
            return self.count
        low, high = self._reach(begin, end)
        if low == high:
            return 0
        total = sum(self._ends[low:high]) - sum(self._begins[low:high]) + high - low
        total -= max(begin - self._begins[low], 0) + max(self._ends[high - 1] - end, 0)
        return total

    def take(self, begin: int, end: int) -> list[Hole]:
        """What is missing of begin..end, which then is missing no more."""
        low, high = self._reach(begin, end)
        if low == high:
            return []
        touched = self._holes[low:high]
        first, last = touched[0], touched[-1]
        rest = []
        if first.begin < begin:
            rest.append(Hole(first.begin, begin - 1, first.asked, first.connection))
        if last.end > end:
            rest.append(Hole(end + 1, last.end, last.asked, last.connection))
        del self._begins[low:high], self._ends[low:high], self._holes[low:high]
        self._insert(low, rest)
        taken = [_clipped(hole, begin, end) for hole in touched]
        self.count -= sum(hole.size for hole in taken)
        return taken

    def all(self) -> list[Hole]:
        """All of them."""
        return list(self._holes)

    def clear(self) -> None:
        """Nothing is missing."""
        self._begins.clear()
        self._ends.clear()
        self._holes.clear()
        self.count = 0

    def _reach(self, begin: int, end: int) -> tuple[int, int]:
        if begin > end:
            return 0, 0
        if not self._ends or begin > self._ends[-1]:
            return 0, 0
        low = bisect_left(self._ends, begin)
        return low, max(bisect_right(self._begins, end, low), low)

    def _insert(self, at: int, holes: list[Hole]) -> None:
        self._begins[at:at] = [hole.begin for hole in holes]
        self._ends[at:at] = [hole.end for hole in holes]
        self._holes[at:at] = holes


def _clipped(hole: Hole, begin: int, end: int) -> Hole:
    if hole.begin >= begin and hole.end <= end:
        return hole
    return Hole(max(hole.begin, begin), min(hole.end, end), hole.asked, hole.connection)
