"""Application messages by their headers: BodyLength(9) says where the trailer is.

Nothing in the body of an application message is of interest to a session, so only the first
bytes of each line are cut into fields. What is not sure to read the same as by the exact reader
is left, such as session messages, headers that are long or not in order, damage.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fixlab.logs import _words
from fixlab.logs._fields import DATA, OTHER, FieldTable
from fixlab.logs._records import QUOTED_MAX
from fixlab.logs._words import Bools, Bytes, Ints, Words, numbers_at, word_at
from fixlab.wire.tags import HEADER_TAGS

SLACK = 64  # longer messages than that are left to the exact reader, and those near to it
_TAGS = tuple(sorted(HEADER_TAGS))
_DENSE = (34, 49, 52, 56)
_PREFIX_MAX = 256
WIDTHS = (96, 192)
_PIECES_MIN = 4
_STRETCH = 1 << 12  # pieces looked up at once: what that takes fits the cache
_TRAILER = np.uint64(0x3D303101)  # SOH and "10="
_U = np.uint64


class Windows(NamedTuple):
    """The first bytes of some lines side by side, cut into pieces."""

    view: Bytes
    words: Words
    begin: Ints  # of each row, in `view`
    starts: Ints  # of all pieces
    ends: Ints
    code: npt.NDArray[np.uint8]
    first: Ints  # piece of each row
    pieces: Ints  # how many each row has


class Heads:
    """Finds application messages, one a line, with SOH between the fields."""

    def __init__(self) -> None:
        self._table = FieldTable(_TAGS)
        self._prefix = 0  # bytes before each message
        self.width = WIDTHS[0]  # bytes of a message that are looked at

    def lines(
        self, data: bytearray, view: Bytes, begin: Ints, ends: Ints
    ) -> tuple[Ints, Ints, Ints, Ints]:
        """Lines that seem to be a message: which, where it starts, its trailer, its stop."""
        at = data.find(b"8=FIX", int(begin[0]), int(ends[0]))
        if at >= 0:
            self._prefix = min(at - int(begin[0]), _PREFIX_MAX)
        start = begin + self._prefix
        stop = ends - (view.take(ends - 1) == 13)
        digits_end = stop - (view.take(stop - 1) == 1)
        trailer = digits_end - 6
        good = (trailer - start >= 16) & (start <= len(view) - self.width)
        line = np.flatnonzero(good)
        if self._prefix and len(line):
            # Without "=" it holds no other message, and no part of one.
            before = _gathered(view, begin[line], self._prefix)
            signs = np.flatnonzero(before == 0x3D) // self._prefix
            good[line[signs]] = False
            line = np.flatnonzero(good)
        # The last delimiter is often stripped.
        return line, start[line], trailer[line], np.minimum(stop, digits_end + 1)[line]

    def windows(self, view: Bytes, start: Ints) -> tuple[Bools, Windows | None]:
        """The beginnings of messages cut, and which of them have enough pieces for that."""
        full = np.ones(len(start), np.bool_)
        for _ in range(2):
            if len(start) == 0:
                break
            found = self._cut(_gathered(view, start, self.width), len(start))
            few = found.pieces < _PIECES_MIN
            if not few.any():
                for low in range(0, len(found.starts), _STRETCH):
                    part = slice(low, low + _STRETCH)
                    found.code[part] = self._table.codes_at(
                        found.view, found.words, found.starts[part]
                    )
                return full, found
            full, start = ~few, start[~few]
        return full, None

    def _cut(self, head: Bytes, rows: int) -> Windows:
        size = len(head) - _words.PADDING
        begin = np.arange(rows, dtype=np.int64) * self.width
        ends = np.flatnonzero(head[:size] == 1)
        first = np.searchsorted(ends, begin)
        count = np.diff(first, append=len(ends))
        starts = np.empty_like(ends)
        starts[:1] = 0
        starts[1:] = ends[:-1] + 1
        starts[first[count > 0]] = begin[count > 0]
        code = np.empty(len(ends), np.uint8)
        return Windows(head, _words.words_of(head), begin, starts, ends, code, first, count)

    def in_order(self, found: Windows, room: Ints) -> tuple[Bools, dict[int, Ints]]:
        """Rows whose header is in order and ends within `room`; pieces of its fields."""
        code, first, count, codes = found.code, found.first, found.pieces, self._table.codes
        if len(short := np.flatnonzero(room < self.width)):
            # Behind a short message the window shows the next line.
            spread = np.repeat(short, count[short])
            jumps = first[short] - np.cumsum(count[short]) + count[short]
            pieces_in = np.arange(len(spread)) + np.repeat(jumps, count[short])
            behind = found.starts[pieces_in] - found.begin[spread] > room[spread]
            code[pieces_in[behind]] = OTHER
        good = (code[first] == codes[8]) & (code[first + 1] == codes[9])
        good &= code[first + 2] == codes[35]
        hard = np.flatnonzero(code >= DATA)
        good[np.searchsorted(first, hard, "right") - 1] = False
        # The first field of the body ends the header: no field of a header comes behind.
        body = np.flatnonzero(code == OTHER)
        if len(body) == 0:
            return np.zeros(len(first), np.bool_), {}
        low = np.searchsorted(body, first)
        bodies = np.diff(low, append=len(body))
        ended = body[np.minimum(low, len(body) - 1)]
        good &= (bodies > 0) & (ended - first == count - bodies)
        good &= found.starts[ended] - found.begin <= room
        pieces = {}
        for tag in _DENSE:
            pieces[tag], has = _first_of(np.flatnonzero(code == codes[tag]), first, count)
            good &= has
        return good, pieces

    def rare(self, found: Windows, tag: int) -> tuple[Ints, Ints]:
        """Rows with a field of the header that few have, and its first piece there."""
        pieces = np.flatnonzero(found.code == self._table.codes[tag])
        rows = np.searchsorted(found.first, pieces, "right") - 1
        once = np.ones(len(rows), np.bool_)
        once[1:] = rows[1:] != rows[:-1]
        return rows[once], pieces[once]


def sums_fit(
    view: Bytes, words: Words, start: Ints, trailer: Ints, stop: Ints
) -> tuple[Bools, Ints]:
    """Whether CheckSum(10) is there and right, and what it says."""
    word = word_at(words, trailer - 1)
    check_sum, good = _words.digits_of(word >> _U(32), np.int64(3))
    good &= (word & _U(0xFFFFFFFF)) == _TRAILER
    good &= stop - start <= QUOTED_MAX - SLACK
    places = np.empty(2 * len(start), np.int64)
    places[::2] = start
    places[1::2] = trailer
    good &= np.add.reduceat(view, places, dtype=np.uint8)[::2] == check_sum
    return good, check_sum.view(np.int64)


def body_lengths(found: Windows) -> tuple[Bools, Ints, Ints]:
    """BodyLength(9) of each row and where the body begins, and whether that is short."""
    second = found.first + 1
    at = found.starts[second] + 2
    length = found.ends[second] - at
    value = numbers_at(found.view, found.words, at, np.minimum(length, 9))
    return length <= 8, value, found.ends[second] + 1 - found.begin


def _first_of(pieces: Ints, first: Ints, count: Ints) -> tuple[Ints, Bools]:
    """The first of some pieces in each row, and whether there is one."""
    stop = first + count
    if len(pieces) == len(first):
        has: Bools = (pieces >= first) & (pieces < stop)
        if has.all():
            return pieces, has
    if len(pieces) == 0:
        return first, np.zeros(len(first), np.bool_)
    at = pieces[np.minimum(np.searchsorted(pieces, first), len(pieces) - 1)]
    return at, (at >= first) & (at < stop)


def _gathered(view: Bytes, at: Ints, width: int) -> Bytes:
    """The `width` bytes at each place side by side, and padding behind them."""
    size = len(at) * width
    size += -size % 8
    found = np.zeros(size + _words.PADDING, np.uint8)
    each = np.ndarray((len(view) - width + 1,), f"V{width}", view.data, 0, (1,))
    found[: len(at) * width].view(f"V{width}")[:] = each[at]
    return found
