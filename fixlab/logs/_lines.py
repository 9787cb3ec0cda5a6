"""Lines of a block cut into pieces, and the messages in them.

A line is taken when it surely reads the same as by the exact reader: text before a message,
BeginString, BodyLength and MsgType, only tags that are tags, a checksum, text behind it. Where
a length or a checksum is wrong, as in all messages of a log in which somebody hid values, the
message has a defect.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fixlab.logs import _records
from fixlab.logs._checks import SLACK, TRAILER, begin_strings, sums
from fixlab.logs._columns import LOOK_BYTES
from fixlab.logs._fields import DATA, NO_FIELD, OTHER, FieldTable
from fixlab.logs._names import Names
from fixlab.logs._pieces import Pieces
from fixlab.logs._words import Bools, Ints, Text, digits_of, numbers_at
from fixlab.vocabulary import DEFECTS

BODY_LENGTH, CHECK_SUM = (
    np.uint8(DEFECTS.index(name)) for name in ("body_length", "check_sum")
)
_U = np.uint64


class Lines(NamedTuple):
    """Lines of a block, and parts of lines behind a message in them, as places of pieces."""

    starts: Ints  # of all pieces, in bytes
    ends: Ints
    code: npt.NDArray[np.uint8]
    first: Ints  # piece of each line
    last: Ints
    begin: Ints  # of each line, in bytes
    stop: Ints  # behind its end
    whole: Bools  # it begins where a line of the file does
    ended: Bools  # it ends where a line of the file does


class Messages(NamedTuple):
    """Lines with a message, as parallel arrays."""

    line: Ints
    start: Ints
    trailer: Ints
    end: Ints
    begin_string: npt.NDArray[np.int32]
    body_length: Ints
    check_sum: Ints
    defect: npt.NDArray[np.uint8]

    def only(self, rows: Bools) -> Messages:
        line, start, trailer, end, begin_string, body_length, check_sum, defect = self
        return Messages(
            *(line[rows], start[rows], trailer[rows], end[rows]),
            *(begin_string[rows], body_length[rows], check_sum[rows], defect[rows]),
        )


class Cutter:
    """Cuts text of one style into lines; what it returns holds until the next text."""

    def __init__(self, delimiter: bytes, table: FieldTable, begins: Names) -> None:
        self._delimiter = delimiter
        self._width = len(delimiter)
        self._table = table
        self._begins = begins
        self._pieces = Pieces(delimiter, table)

    def lines(self, text: Text, begin: int, end: int, *, in_line: bool) -> Lines | None:
        """The lines that end there; the first of them may be the rest of one."""
        starts, ends, is_line_end, code = self._pieces.cut(text.view, text.words, begin, end)
        if len(ends) == 0:
            return None
        # Where more than the line's end follows a CheckSum(10), a second message may.
        breaks = is_line_end.copy()
        trailers = np.flatnonzero(code[:-1] == self._table.codes[10])
        breaks[trailers[~is_line_end[trailers + 1]]] = True
        last = np.flatnonzero(breaks)
        if len(last) == 0:
            return None
        first = np.empty_like(last)
        first[0] = 0
        first[1:] = last[:-1] + 1
        ended = is_line_end[last]
        whole = np.empty_like(ended)
        whole[0] = not in_line
        whole[1:] = ended[:-1]
        stop = ends[last] + np.where(ended, 1, self._width)
        return Lines(starts, ends, code, first, last, starts[first], stop, whole, ended)

    def messages(self, text: Text, lines: Lines) -> Messages:
        """The messages: one a line. One with a defect may hold the start of another."""
        view, words = text.view, text.words
        code, codes = lines.code, self._table.codes
        trailer = np.where(code[lines.last] == codes[10], lines.last, lines.last - 1)
        line = np.flatnonzero(trailer - lines.first >= 3)
        first, trailer = lines.first[line], trailer[line]
        good = code[first + 1] == codes[9]
        good &= code[first + 2] == codes[35]
        good &= code[trailer] == codes[10]
        # What stands before and behind may not look like a field.
        before = code[first]
        good &= (before == OTHER) | (before >= NO_FIELD) | (before == codes[8])
        behind = code[lines.last[line]]
        good &= (behind == OTHER) | (behind >= NO_FIELD) | (trailer == lines.last[line])
        if not good.all():
            line, first, trailer = line[good], first[good], trailer[good]
        start, begin_string = begin_strings(text, lines.ends[first], self._begins)
        good = start >= lines.begin[line]

        at = lines.starts[first + 1] + 2
        length = lines.ends[first + 1] - at
        body_length = numbers_at(view, words, at, np.minimum(length, 9))
        good &= length <= 8
        begin, end = lines.starts[first + 2], lines.starts[trailer]
        dividers = trailer - first  # before the trailer
        fits = end - begin - (self._width - 1) * (dividers - 2) == body_length
        misleads = self._misleads(text, begin + body_length - 1, body_length, lines)
        # Nothing but the length says which of two it is that ends the message.
        good &= fits | misleads & (code[trailer - 1] != codes[10])

        word = words[end]
        check_sum, is_number = digits_of(word >> _U(24), 3)
        rest = lines.ends[trailer] - end - 6
        by_line = (trailer == lines.last[line]) & lines.ended[line]
        seventh = (word >> _U(48)) & _U(0xFF)
        no_digit = (seventh < 0x30) | (seventh > 0x39)
        good &= is_number & np.where(by_line, (rest >= 0) & no_digit, rest == 0)
        stop = end + np.where(by_line, 6, 6 + self._width)
        good &= stop - start <= _records.QUOTED_MAX - SLACK
        defect = np.where(fits, np.uint8(0), BODY_LENGTH)
        found = Messages(
            *(line, start, end, stop, begin_string, body_length, check_sum.view(np.int64)),
            defect,
        )
        judged = np.flatnonzero(good & fits)
        defect[judged[~self._sums_fit(text, found, dividers, judged)]] = CHECK_SUM
        good &= (defect == 0) | (stop - start < LOOK_BYTES)
        good &= ~self._hard(lines, first, trailer, line)
        if self._delimiter != b"\x01":
            # Where other delimiters are meant, SOH divides as well.
            low, high = int(lines.begin[0]), int(lines.stop[-1])
            places = np.flatnonzero(view[low:high] == 1) + low
            good &= np.searchsorted(places, start) == np.searchsorted(places, stop)
        if good.all():
            return found
        return found.only(good)

    def _misleads(self, text: Text, place: Ints, body_length: Ints, lines: Lines) -> Bools:
        """Whether a length is one, and the place it leads to surely has no CheckSum(10)."""
        if self._width > 1:
            return np.zeros(len(place), np.bool_)
        inside = (body_length >= 0) & (body_length <= _records.RECORD_MAX)
        inside &= place < lines.stop[-1] - 8
        word = text.words[np.where(inside, place, 0)]
        inside &= (word & _U(0xFFFFFFFF)) != _U(TRAILER | self._delimiter[0])
        return inside

    def _sums_fit(self, text: Text, found: Messages, dividers: Ints, rows: Ints) -> Bools:
        if len(rows) == 0:
            return np.empty(0, np.bool_)
        sum_ = sums(text, found.start[rows], found.trailer[rows])
        if self._delimiter != b"\x01":
            more = (sum(self._delimiter) - 1) & 0xFF
            sum_ -= (dividers[rows] * more).astype(np.uint8)
        fits: Bools = sum_ == found.check_sum[rows]
        return fits

    def _hard(self, lines: Lines, first: Ints, trailer: Ints, line: Ints) -> Bools:
        """Messages with pieces that only the exact reader reads."""
        code = lines.code
        # A bar before what is no field is text; SOH always ends a field.
        hard = code >= DATA
        if self._delimiter == b"\x01":
            hard &= code != NO_FIELD
        pieces = np.flatnonzero(hard)
        found = np.zeros(len(line), np.bool_)
        if len(pieces) and len(line):
            row = np.searchsorted(first, pieces, "right") - 1
            inside = (row >= 0) & (pieces > first[row]) & (pieces <= trailer[row])
            found[row[inside]] = True
        return found
