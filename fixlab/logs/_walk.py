"""A walk through the first fields of many messages, one of each at a time."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fixlab.logs._bits import lowest
from fixlab.logs._words import Bools, Bytes, Ints, Text, words_of

_ONE = np.uint64(1)


class Walk:
    """Goes through the first fields of many messages, one of each at a time."""

    def __init__(self, text: Text, start: Ints, width: int, delimiter: int) -> None:
        count = len(start)
        # One window before the first one and one behind the last: words may reach there.
        places = np.concatenate([start[:1], start, start[-1:]])
        view = gathered(text.view, places, width)
        self.text = Text(view, words_of(view))
        self.base = np.arange(1, count + 1) * width  # where each window begins
        self.at = self.base
        bits = np.packbits(view[width:-width] == delimiter, bitorder="little")
        marks = bits.view(np.uint64).reshape(count, width // 64)
        self._behind = 0  # bytes of each window before those of `_ahead`
        self._ahead = [marks[:, word].copy() for word in range(width // 64)]

    def step(self) -> Ints:
        """Where the field at `at` ends; the next one is behind that."""
        bits = self._ahead[0]
        place = lowest(bits)
        over = place == 64
        if over.any():
            if len(self._ahead) > 1 and over.all():
                del self._ahead[0]
                self._behind += 64
                return self.step()
            rows = np.flatnonzero(over)
            for more in self._ahead[1:]:
                some = more[rows]
                found = lowest(some)
                place[rows] += found
                some &= some - _ONE
                more[rows] = some
                rows = rows[found == 64]
        bits &= bits - _ONE
        end = self.base + self._behind
        end += place
        self.at = end + 1
        return end

    def seen(self) -> Bools:
        """Whether the tag at each place stands in the window: 8 bytes show which it is."""
        seen: Bools = self.at - self.base <= self._behind + 64 * len(self._ahead) - 8
        return seen

    def keep(self, rows: Ints) -> None:
        """Go on with these alone."""
        self.base, self.at = self.base.take(rows), self.at.take(rows)
        self._ahead = [bits.take(rows) for bits in self._ahead]


class Header:
    """Where values stand in many headers, and where the bodies begin; 0 for nowhere."""

    def __init__(self, count: int) -> None:
        self.body = np.zeros(count, np.int64)
        self.begins: dict[int, Ints] = {}
        self.ends: dict[int, Ints] = {}
        self._count = count

    def add(self, tag: int, rows: Ints | None, hits: Bools, begin: Ints, end: Ints) -> None:
        """A field, of those that are hits among the rows, or of all: its first value counts."""
        value = begin + len(str(tag)) + 1
        if len(hits) < len(begin):
            hits = np.full(len(begin), True)
        if tag not in self.begins:
            if rows is None and hits.all():
                self.begins[tag], self.ends[tag] = value, end
                return
            self.begins[tag] = np.zeros(self._count, np.int64)
            self.ends[tag] = np.zeros(self._count, np.int64)
        hit = np.flatnonzero(hits)
        row = hit if rows is None else rows[hit]
        new = self.begins[tag][row] == 0
        row, hit = row[new], hit[new]
        self.begins[tag][row] = value[hit]
        self.ends[tag][row] = end[hit]

    def whole(self, tags: Iterable[int]) -> Bools:
        """Which of them end, and have all of some tags."""
        whole = self.body > 0
        for tag in tags:
            whole &= self.begins.get(tag, 0) != 0
        return whole


def gathered(view: Bytes, at: Ints, width: int) -> Bytes:
    """The `width` bytes at each place side by side."""
    each = np.ndarray((len(view) - width + 1,), f"V{width}", view, 0, (1,))
    return each[at].view(np.uint8)
