"""Cuts text into pieces at each delimiter and line end, and finds which field each piece is.

All arrays with a value for each piece live here and are used again for the next block, and
the work goes through stretches that fit the cache: fresh memory costs more than the sums.
"""

from __future__ import annotations

import numpy as np

from fixlab.logs._fields import Codes8, FieldTable
from fixlab.logs._words import Bools, Bytes, Ints, Words

_STRETCH = 1 << 16  # bytes cut at once


class Pieces:
    """Cuts blocks; what it returns holds until the next block."""

    def __init__(self, delimiter: bytes, table: FieldTable) -> None:
        self._delimiter = delimiter
        self._table = table
        self._size = 0

    def cut(
        self, view: Bytes, words: Words, begin: int, end: int
    ) -> tuple[Ints, Ints, Bools, Codes8]:
        """Where each piece starts and ends, whether a line ends there, and its code."""
        if len(view) > self._size:
            self._grow(len(view))
        starts, ends, line_ends, code = self._starts, self._ends, self._line_ends, self._code
        more = len(self._delimiter) - 1
        count, following = 0, begin
        for low in range(begin, end, _STRETCH):
            found, is_line_end = self._found(view, low, min(low + _STRETCH, end), end)
            if len(found) == 0:
                continue
            stop = count + len(found)
            behind = found + 1
            if more:
                behind[~is_line_end] += more
            ends[count:stop] = found
            line_ends[count:stop] = is_line_end
            starts[count] = following
            starts[count + 1 : stop] = behind[:-1]
            following = int(behind[-1])
            code[count:stop] = self._table.codes_at(view, words, starts[count:stop])
            count = stop
        return starts[:count], ends[:count], line_ends[:count], code[:count]

    def _grow(self, size: int) -> None:
        # Room for one piece a byte; what is not used takes no memory.
        self._size = size
        self._starts = np.empty(size, np.int64)
        self._ends = np.empty(size, np.int64)
        self._line_ends = np.empty(size, np.bool_)
        self._code = np.empty(size, np.uint8)

    def _found(self, view: Bytes, low: int, high: int, end: int) -> tuple[Ints, Bools]:
        """Delimiters and line ends that begin in a stretch."""
        text = view[low:high]
        marks = text == self._delimiter[0]
        is_line_end = text == 10
        marks |= is_line_end
        places = np.flatnonzero(marks)
        is_line_end = is_line_end.take(places)
        places += low
        if len(self._delimiter) > 1:
            good = places <= end - len(self._delimiter)
            for place, byte in enumerate(self._delimiter[1:], 1):
                good &= view[places + place] == byte
            good |= is_line_end
            places, is_line_end = places[good], is_line_end[good]
        return places, is_line_end
