"""Application messages by their headers: BodyLength(9) says where the trailer is.

Nothing in the body of an application message is of interest to a session, so only the first
bytes of each line are cut into fields: the first field of all messages, then the second of all,
and so on, until a field of the body comes. What is not sure to read the same as by the exact
reader is left, such as session messages, long headers, damage.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fixlab.logs import _records
from fixlab.logs._bits import Bars
from fixlab.logs._checks import SLACK, TRAILER, begin_strings, sums
from fixlab.logs._columns import FLAGS, Block, Book, Rows
from fixlab.logs._fields import DATA, OTHER, table_of
from fixlab.logs._names import Codes
from fixlab.logs._prefixes import Prefixes
from fixlab.logs._walk import Header, Walk, gathered
from fixlab.logs._words import (
    Bools,
    Bytes,
    Ints,
    Text,
    Words,
    digits_of,
    few_digits_of,
    numbers_at,
    times_at,
)
from fixlab.wire.tags import HEADER_TAGS

_TAGS = tuple(sorted(HEADER_TAGS))
_DENSE = (34, 49, 52, 56)
_RARE = (43, 97, 122)
_PREFIX_MAX = 256
_SIZES_MAX = 16  # of prefixes that are tried
_TRIES_MAX = 12  # lines in a block that are searched for others
_SIGN = b"8=FIX"
_SIGN_WORD, _SIGN_BYTES = np.uint64(int.from_bytes(_SIGN, "little")), np.uint64((1 << 40) - 1)
_WIDTHS = (128, 192)  # bytes of a message that are looked at: a multiple of 64
_FIELDS_MAX = 24  # of a header behind the first three
_BODY_MIN = 16  # bytes of a message before its trailer
_U = np.uint64
_BODY_LENGTH = 0x3D39  # "9="
_MSG_TYPE, _TAG_BYTES = _U(0x3D3533), _U(0xFFFFFF)  # "35="


class Headed(NamedTuple):
    """Application messages that are right, as parallel arrays."""

    windows: Text
    line: Ints
    start: Ints
    stop: Ints
    begin_string: Codes
    body_length: Ints
    check_sum: npt.NDArray[np.uint32]
    msg_type: Codes
    begins: dict[int, Ints]  # of the value of each tag, in the windows; 0 where it is not
    ends: dict[int, Ints]

    def only(self, rows: Ints) -> Headed:
        """Those in some of the rows."""
        line, start, stop, begin_string, body_length, check_sum, msg_type = self[1:8]
        return Headed(
            *(self.windows, line.take(rows), start.take(rows), stop.take(rows)),
            *(begin_string.take(rows), body_length.take(rows), check_sum.take(rows)),
            msg_type.take(rows),
            {tag: begins.take(rows) for tag, begins in self.begins.items()},
            {tag: ends.take(rows) for tag, ends in self.ends.items()},
        )


class Heads:
    """Reads application messages, one a line, with one byte between the fields."""

    def __init__(self, delimiter: bytes, book: Book, prefixes: Prefixes) -> None:
        self._delimiter = delimiter[0]
        self._book, self._prefixes = book, prefixes
        self._table = table_of(_TAGS)
        self._wanted = {self._table.codes[tag]: tag for tag in (*_DENSE, *_RARE)}
        self._sizes = [0]  # of what stands before messages, the last one seen first
        self._width = _WIDTHS[0]

    def widen(self) -> None:
        """Look at more bytes of each message, or at fewer again."""
        self._width = _WIDTHS[self._width == _WIDTHS[0]]

    def read(self, text: Text, begins: Ints, ends: Ints, bars: Bars | None) -> Headed | None:
        """Messages in lines that begin and end there; `bars` are known if they delimit."""
        lines = self._lines(text, begins, ends)
        if len(lines.row) == 0:
            return None
        walk = Walk(text, lines.start, self._width, self._delimiter)
        good, begin_string, body_length = self._begun(walk, lines.trailer - lines.start)
        msg_type, is_type = self._msg_types(walk)
        good &= is_type
        if not good.all():
            kept = np.flatnonzero(good)
            if len(kept) == 0:
                return None
            lines = lines.only(kept)
            begin_string, body_length = begin_string.take(kept), body_length.take(kept)
            msg_type = msg_type.take(kept)
            walk.keep(kept)
        check_sum, good = self._check_sums(text, lines, bars)
        trailer = walk.base + lines.trailer - lines.start
        header = self._header(walk)
        good &= header.whole(_DENSE)
        # A session message is read so if it has no body, as most Heartbeats.
        good &= (header.body == trailer) | ~self._book.is_whole(msg_type)
        found = Headed(
            *(walk.text, lines.row, lines.start, lines.stop, begin_string, body_length),
            *(check_sum, msg_type, header.begins, header.ends),
        )
        if good.all():
            return found
        return found.only(np.flatnonzero(good)) if good.any() else None

    def block(self, text: Text, begins: Ints, found: Headed, base: int) -> Block:
        """The messages as rows; `begins` are those of all lines, `base` is added to places."""
        view, words = found.windows
        count, comp_ids = len(found.line), self._book.comp_ids

        def of(tag: int) -> tuple[Bytes, Words, Ints, Ints]:
            at = found.begins[tag]
            return view, words, at, found.ends[tag] - at

        time, mark = self._prefixes.read(*text, begins.take(found.line), found.start)
        flags = np.zeros(count, np.uint8)
        sparse: dict[str, tuple[Rows, Ints]] = {}
        for tag in _RARE:
            if tag not in found.begins:
                continue
            rows = np.flatnonzero(found.begins[tag])
            at = found.begins[tag][rows]
            length = found.ends[tag][rows] - at
            if tag == 122:
                times = times_at(view, words, at, length)
                sparse["orig_sending_time"] = rows.astype(np.int32), times
            else:
                yes = (view[at] == 0x59) & (length == 1)
                flags[rows[yes]] |= FLAGS[tag]
        dense: dict[str, npt.NDArray[np.generic]] = {
            "offset": found.start + base,
            "length": (found.stop - found.start).astype(np.int32),
            "defect": np.zeros(count, np.uint8),
            "time": time,
            "mark": mark,
            "begin": found.begin_string,
            "sender": comp_ids.codes_at(*of(49)),
            "target": comp_ids.codes_at(*of(56)),
            "msg_type": found.msg_type,
            "msg_seq_num": numbers_at(*of(34)),
            "sending_time": times_at(*of(52)),
            "flags": flags,
            "body_length": found.body_length.astype(np.int32),
            "check_sum": found.check_sum.astype(np.int16),
        }
        return Block(dense, sparse)

    def _lines(self, text: Text, begin: Ints, ends: Ints) -> _Lines:
        """Lines that seem to be a message."""
        view = text.view
        start = self._starts(text, begin, ends)
        tail = text.words[ends - 8]
        if ((tail >> _U(56)) == self._delimiter).all():
            stop, trailer = ends, ends - 7
        else:
            stop = ends - (view.take(ends - 1) == 13)
            digits_end = stop - (view.take(stop - 1) == self._delimiter)
            trailer = digits_end - 6
            # The last delimiter is often stripped.
            stop = np.minimum(stop, digits_end + 1)
            tail = text.words[trailer - 1]
        good = trailer - start >= _BODY_MIN
        good &= start >= 0
        good &= start <= len(view) - self._width
        found = _Lines(np.arange(len(begin)), start, trailer, stop, tail)
        return found if good.all() else found.only(np.flatnonzero(good))

    def _starts(self, text: Text, begin: Ints, ends: Ints) -> Ints:
        """Where a message begins in each line, with no other before it; -1 for nowhere."""
        start = np.full(len(begin), -1, np.int64)
        left = np.arange(len(begin))
        seen, tries = iter(tuple(self._sizes)), 0
        while len(left) and tries < _TRIES_MAX:
            size = next(seen, None)
            if size is None:
                tries += 1
                line = int(left[0])
                low, high = int(begin[line]), int(ends[line])
                size = text.view[low:high].tobytes().find(_SIGN)
                if not 0 <= size <= _PREFIX_MAX or size in self._sizes:
                    left = left[1:]
                    continue
                self._sizes.insert(0, size)
                del self._sizes[_SIZES_MAX:]
            at = (begin if len(left) == len(begin) else begin.take(left)) + size
            hit = (text.words[np.minimum(at, len(text.words) - 1)] & _SIGN_BYTES) == _SIGN_WORD
            if size:
                # Without "=" there is no other message before it, and no part of one.
                row = np.flatnonzero(hit)
                before = gathered(text.view, at[row] - size, size)
                hit[row[np.flatnonzero(before == 0x3D) // size]] = False
            if len(left) == len(begin) and hit.all():
                return at
            start[left[hit]] = at[hit]
            left = left[~hit]
        return start

    def _begun(self, walk: Walk, room: Ints) -> tuple[Bools, Codes, Ints]:
        """BeginString(8) and BodyLength(9), and which messages begin with those."""
        end = walk.step()
        at, begin_string = begin_strings(walk.text, end, self._book.begins)
        good = at == walk.base

        word, begin = walk.text.words[walk.at], walk.at
        good &= word.view(np.uint16)[::4] == _BODY_LENGTH
        length = walk.step() - begin - 2
        word >>= _U(16)
        if int(length.max()) <= 4:
            few, is_number = few_digits_of(word.view(np.uint32)[::2], length)
            body_length = few.astype(np.int64)
        else:
            value, is_number = digits_of(word, length)
            body_length = value.view(np.int64)
            is_number &= length <= 6
        good &= is_number
        good &= walk.at - walk.base + body_length == room
        return good, begin_string, body_length

    def _msg_types(self, walk: Walk) -> tuple[Codes, Bools]:
        """MsgType(35), and whether it is there."""
        at = walk.at
        good = (walk.text.words[at] & _TAG_BYTES) == _MSG_TYPE
        end = walk.step()
        return self._book.msg_types.codes_at(*walk.text, at + 3, end - at - 3), good

    def _header(self, walk: Walk) -> Header:
        """The other fields up to the first one that no header has: it ends the header."""
        count = len(walk.at)
        header = Header(count)
        rows: Ints | None = None  # those that are still in their headers, unless all are
        for _ in range(_FIELDS_MAX):
            word = walk.text.words[walk.at]
            alike = self._alike(word)
            code = self._table.codes_of(word[:1] if alike else word)
            going = code - np.uint8(1) < DATA - 1  # OTHER wraps around
            if not going.all():
                if alike:
                    code = np.full(len(word), code[0])
                    going = np.full(len(word), False)
                ended = np.flatnonzero((code == OTHER) & walk.seen())
                header.body[ended if rows is None else rows[ended]] = walk.at[ended]
                on = np.flatnonzero(going)
                if len(on) == 0:
                    break
                rows = on if rows is None else rows[on]
                code = code[on]
                walk.keep(on)
            begin, end = walk.at, walk.step()
            for wanted, tag in self._wanted.items():
                hits = code == wanted
                if hits.any():
                    header.add(tag, rows, hits, begin, end)
        return header

    def _alike(self, word: Words) -> bool:
        """Whether all of these begin with the same tag."""
        size = int(word[0]).to_bytes(8, "little").find(b"=") + 1
        if size == 0:
            return False
        other = word ^ word[0]
        other &= _U((1 << 8 * size) - 1)
        return not other.any()

    def _check_sums(
        self, text: Text, lines: _Lines, bars: Bars | None
    ) -> tuple[npt.NDArray[np.uint32], Bools]:
        """What CheckSum(10) says, and whether it is there and right."""
        halves = lines.tail.view(np.uint32)
        check_sum, good = few_digits_of(halves[1::2], 3)
        good &= halves[::2] == np.uint32(TRAILER | self._delimiter)
        good &= lines.stop - lines.start <= _records.QUOTED_MAX - SLACK
        sum_ = sums(text, lines.start, lines.trailer)
        if bars is not None:
            good &= bars.divide(lines.start, lines.trailer)
            more = bars.all.within(lines.start, lines.trailer) * (self._delimiter - 1)
            sum_ -= more.astype(np.uint8)
        good &= sum_ == check_sum
        return check_sum, good


class _Lines(NamedTuple):
    """Lines that seem to be a message: which, and where its parts are."""

    row: Ints
    start: Ints
    trailer: Ints
    stop: Ints
    tail: Words  # from the delimiter before the trailer on

    def only(self, rows: Ints) -> _Lines:
        row, start, trailer, stop, tail = self
        return _Lines(
            *(row.take(rows), start.take(rows), trailer.take(rows), stop.take(rows)),
            tail.take(rows),
        )
