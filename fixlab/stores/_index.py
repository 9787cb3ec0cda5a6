"""Index: where each stored message stands in its body, 16 bytes a number."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from operator import add

from fixlab.stores._layouts import Entries

# Numbers usually follow each other, so a run of them is two arrays. One further ahead than
# this begins a run of its own, so that no jump makes the arrays long.
_JUMP_MAX = 65_536
_NOWHERE = -1  # offset of a number within a run that is not stored


class Index:
    """Sequence number -> offset and size; a later entry of a number replaces the earlier."""

    __slots__ = ("_firsts", "_runs")

    def __init__(self) -> None:
        self._firsts: list[int] = []  # the first number of each run, ascending
        self._runs: list[tuple[array[int], array[int]]] = []  # offsets and sizes

    @classmethod
    def of(cls, entries: Entries, body_size: int) -> Index:
        """The index of a file's entries; those that reach beyond the body are left out."""
        index = cls()
        seqs, offsets, sizes = entries.seqs, entries.offsets, entries.sizes
        if not seqs:
            return index
        in_order = seqs == array("q", range(seqs[0], seqs[0] + len(seqs)))
        if in_order and max(map(add, offsets, sizes)) <= body_size:
            index._firsts, index._runs = [seqs[0]], [(offsets, sizes)]
            return index
        for seq, offset, size in zip(seqs, offsets, sizes, strict=True):
            if offset + size <= body_size:
                index.put(seq, offset, size)
        return index

    def put(self, seq: int, offset: int, size: int) -> None:
        """Set where number `seq` stands."""
        run = bisect_right(self._firsts, seq) - 1
        if run >= 0:
            offsets, sizes = self._runs[run]
            position = seq - self._firsts[run]
            missing = position - len(offsets)
            if missing < 0:
                offsets[position], sizes[position] = offset, size
                return
            if missing <= _JUMP_MAX:
                # The next run begins behind `seq`, so the numbers passed over are free.
                offsets.extend([_NOWHERE] * missing)
                sizes.extend([0] * missing)
                offsets.append(offset)
                sizes.append(size)
                return
        self._firsts.insert(run + 1, seq)
        self._runs.insert(run + 1, (array("q", [offset]), array("q", [size])))

    def get(self, seq: int) -> tuple[int, int] | None:
        """Offset and size of number `seq`; None when it is not stored."""
        run = bisect_right(self._firsts, seq) - 1
        if run < 0:
            return None
        offsets, sizes = self._runs[run]
        position = seq - self._firsts[run]
        if position >= len(offsets) or offsets[position] == _NOWHERE:
            return None
        return offsets[position], sizes[position]

    def numbers(self, begin: int, end: int) -> Iterator[int]:
        """The stored numbers of a range, ascending; one put meanwhile may be among them."""
        run = max(bisect_right(self._firsts, begin) - 1, 0)
        while run < len(self._firsts) and self._firsts[run] <= end:
            first, offsets = self._firsts[run], self._runs[run][0]
            behind = first + len(offsets)
            for seq in range(max(begin, first), min(end + 1, behind)):
                if offsets[seq - first] != _NOWHERE:
                    yield seq
            begin = max(begin, behind)  # should a run be inserted here, nothing comes twice
            run += 1

    def highest(self) -> int:
        """The highest stored number; 0 without any."""
        # A run ends with a number that is stored.
        return self._firsts[-1] + len(self._runs[-1][0]) - 1 if self._firsts else 0

    def __len__(self) -> int:
        return sum(len(offsets) - offsets.count(_NOWHERE) for offsets, _ in self._runs)
