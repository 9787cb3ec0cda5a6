"""The fast reader: all lines of a block at once, with NumPy; odd ones go to the exact reader.

A line is taken when it surely reads the same there: text before a message, BeginString,
BodyLength and MsgType, only tags that are tags, a length and a checksum that are right, text
behind it. A line of text without a sign of a message is taken too. All else is odd, such as
data fields, quoted messages, bars that are no delimiter. Of application messages divided by SOH
only the header is cut into fields (`_heads`), unless a column of their bodies is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fixlab.logs import _words
from fixlab.logs._columns import (
    DENSE,
    FLAGS,
    PASSWORDS,
    READ_WHOLE,
    SECRET,
    SPARSE,
    TEXT_TYPES,
    Block,
    Book,
    Rows,
    block_of,
    is_secret,
    merged,
)
from fixlab.logs._fields import DATA, NO_FIELD, OTHER, FieldTable
from fixlab.logs._heads import SLACK, WIDTHS, Heads, Windows, body_lengths, sums_fit
from fixlab.logs._names import Names
from fixlab.logs._pieces import Pieces
from fixlab.logs._prefixes import Prefixes
from fixlab.logs._records import QUOTED_MAX, RECORD_MAX, Reader, Record, Tally
from fixlab.logs._style import START_BYTES_MAX, Style
from fixlab.logs._words import Bytes, Ints, Words, numbers_at, times_at, word_at
from fixlab.vocabulary import MISSING
from fixlab.wire.tags import HEADER_TAGS

Bools = npt.NDArray[np.bool_]

_DETOUR = 1 << 16  # bytes read exactly before the fast way is tried again
FRONT = 16  # bytes before the text in a buffer: words may begin there
_BEGIN = re.compile(rb"8=FIX")
_VERSIONS_MAX = 8  # distinct BeginStrings in a block that are taken
_FIXED = 4  # tags at the beginning of these that stand at fixed places in each message
_TAGS = (8, 9, 35, 10, 34, 49, 56, 52, *FLAGS, *SPARSE, 122, 112, 58, *PASSWORDS)
_TAGS += tuple(sorted(HEADER_TAGS - set(_TAGS)))
_LINES_MIN = 16  # in a block, for headers to be looked at alone
_LEFT_MAX = 0.3  # of its bytes that are not read so; otherwise all of it is cut at once
_PAUSE = 8  # blocks until that is tried again
_U = np.uint64
_NO_ROWS: Rows = np.empty(0, np.int32)
Reading = Callable[[Bytes, Words, Ints, Ints], Ints]


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
    """Lines with a message that is right, as parallel arrays."""

    line: Ints
    start: Ints
    trailer: Ints
    end: Ints
    begin_string: npt.NDArray[np.int32]
    body_length: Ints
    check_sum: Ints

    def only(self, rows: Bools) -> Messages:
        line, start, trailer, end, begin_string, body_length, check_sum = self
        return Messages(
            *(line[rows], start[rows], trailer[rows], end[rows]),
            *(begin_string[rows], body_length[rows], check_sum[rows]),
        )


class Headed(NamedTuple):
    """Application messages that were read by their header, as parallel arrays."""

    windows: Windows
    row: Ints  # in the windows
    line: Ints
    start: Ints
    stop: Ints
    begin_string: npt.NDArray[np.int32]
    body_length: Ints
    check_sum: Ints
    msg_type: npt.NDArray[np.int32]
    pieces: dict[int, Ints]

    def only(self, rows: Bools) -> Headed:
        return Headed(
            self.windows,
            *(self.row[rows], self.line[rows], self.start[rows], self.stop[rows]),
            *(self.begin_string[rows], self.body_length[rows], self.check_sum[rows]),
            self.msg_type[rows],
            {tag: places[rows] for tag, places in self.pieces.items()},
        )


class Rest(NamedTuple):
    """The other lines of a block, in a text of their own."""

    view: Bytes
    words: Words
    lines: Lines
    found: Messages
    kept: Bools
    text: Bools
    line: Ints  # which of the lines each one, or part of one, is
    begins: Ints  # of those lines, in the text


_NONE: Bools = np.empty(0, np.bool_)
_NO_INTS: Ints = np.empty(0, np.int64)
_NO_CODES = np.empty(0, np.int32)
_NO_LINES = Lines(
    *(_NO_INTS, _NO_INTS, np.empty(0, np.uint8), _NO_INTS, _NO_INTS, _NO_INTS, _NO_INTS),
    *(_NONE, _NONE),
)
_NO_MESSAGES = Messages(
    *(_NO_INTS, _NO_INTS, _NO_INTS, _NO_INTS, _NO_CODES, _NO_INTS, _NO_INTS),
)


class Scanner:
    """Reads blocks of one file, one after the other, into rows."""

    def __init__(self, style: Style, book: Book, tags: Sequence[int] = ()) -> None:
        self._style = style
        self._book = book
        self._tags = tuple(dict.fromkeys(tags))
        self._table = FieldTable(tuple(dict.fromkeys((*_TAGS, *self._tags))))
        self._pieces = Pieces(style.delimiter, self._table)
        self._reader = Reader(style)
        self._prefixes = Prefixes(style)
        self._width = len(style.delimiter)
        self._fast = not style.two_lines and b"\n" not in style.delimiter
        # A bar divides fields or not by what is behind it, so all of them are looked at.
        self._heads = Heads() if style.delimiter == b"\x01" and not self._tags else None
        self._pause = 0
        self._whole_types = [book.msg_types.code(name.encode()) for name in READ_WHOLE]
        self._text_types = [book.msg_types.code(name.encode()) for name in sorted(TEXT_TYPES)]
        self.tally = Tally()

    def scan(
        self, data: bytearray, begin: int, end: int, *, base: int, last: bool
    ) -> tuple[int, Block]:
        """Rows of `data[begin:end]`, and where it stopped; `base` is the file's place of 0.

        `data` has `FRONT` bytes before the text and `_words.PADDING` behind it. What stands
        behind the stop must be given again, with more; `last` says that there is no more.
        """
        position = begin
        blocks: list[Block] = []
        while position < end:
            if self._fast:
                position, more = self._scan_lines(data, position, end, base, last)
                blocks += more
            waiting = end - position
            if waiting <= RECORD_MAX + START_BYTES_MAX and self._fast and not last:
                break
            # What stands in the way is read one by one, and some more, for each new start of
            # the fast way costs as much as all that is still to come.
            until = min(position + _DETOUR, end) if self._fast and not last else end
            before = position
            position, records = self._reader.read(data, position, end, last=last, until=until)
            blocks.append(self._slow(records, base))
            if position == before:
                break
        self._settle_tally()
        filled = [block for block in blocks if len(block)]
        return position, merged(filled or [self._slow([], base)], self._tags)

    @property
    def standing(self) -> tuple[bool, bytes]:
        """See `Reader.standing`."""
        return self._reader.standing

    @standing.setter
    def standing(self, standing: tuple[bool, bytes]) -> None:
        self._reader.standing = standing

    def step(
        self, data: bytearray, begin: int, end: int, *, base: int, last: bool, until: int
    ) -> tuple[int, Block]:
        """As `scan`, exactly, one by one, and only what begins before `until`."""
        position, records = self._reader.read(data, begin, end, last=last, until=until)
        self._settle_tally()
        return position, self._slow(records, base)

    def _settle_tally(self) -> None:
        self.tally.add(self._reader.tally)
        self._reader.tally = Tally()

    def _slow(self, records: Sequence[Record], base: int) -> Block:
        return block_of(records, base, self._book, self._tags)

    def _scan_lines(
        self, data: bytearray, begin: int, end: int, base: int, last: bool
    ) -> tuple[int, list[Block]]:
        view = np.frombuffer(data, np.uint8)
        words = _words.words_of(view)
        if self._heads is not None and not self._reader.in_line:
            if self._pause == 0:
                done = self._by_heads(self._heads, data, view, words, begin, end, base, last)
                if done is not None:
                    return done
                self._pause = _PAUSE
            self._pause -= 1
        lines = self._lines(view, words, begin, end)
        if lines is None:
            return begin, []
        found = self._messages(view, words, lines)
        kept, text = self._sorted_out(data, lines, found)
        position, taken, records = self._odd(data, lines, kept | text, end, last)
        kept[taken] = text[taken] = False
        stop = np.searchsorted(lines.begin, position)
        kept[stop:] = text[stop:] = False
        self._count(lines, found, kept, text)
        blocks = [self._columns(view, words, lines, found, kept, base)]
        if records:
            blocks.append(self._slow(records, base))
        return position, blocks

    # Headers alone -------------------------------------------------------------------------

    def _by_heads(
        self,
        heads: Heads,
        data: bytearray,
        view: Bytes,
        words: Words,
        begin: int,
        end: int,
        base: int,
        last: bool,
    ) -> tuple[int, list[Block]] | None:
        """As `_scan_lines`; None when too little would be read by the headers."""
        ends = np.flatnonzero(view[begin:end] == 10)
        if len(ends) < _LINES_MIN:
            return None
        ends += begin
        begins = np.empty_like(ends)
        begins[0] = begin
        begins[1:] = ends[:-1] + 1
        sizes = ends + 1 - begins
        found = self._headed(heads, data, view, words, begins, ends)
        easy = np.zeros(len(ends), np.bool_)
        if found is not None:
            easy[found.line] = True
        left = np.flatnonzero(~easy)
        if found is None or sizes[left].sum() > _LEFT_MAX * sizes.sum():
            heads.width = WIDTHS[heads.width == WIDTHS[0]]
            return None
        rest = self._rest(data, begins[left], sizes[left])
        easy[left[rest.line[rest.kept | rest.text]]] = True
        yes = np.ones(len(ends), np.bool_)
        none = np.empty(0, np.int64)
        lines = Lines(
            *(none, none, np.empty(0, np.uint8), none, none),
            *(begins, ends + 1, yes, yes),
        )
        position, taken, records = self._odd(data, lines, easy, end, last)
        taken[np.searchsorted(begins, position) :] = True
        rows = ~taken[found.line]
        if not rows.all():
            found = found.only(rows)
        self.tally.around_bytes += int(
            sizes[found.line].sum() - found.stop.sum() + found.start.sum()
        )
        blocks = [self._head_columns(view, words, begins, found, base)]
        if len(left):
            gone = taken[left[rest.line]]
            kept, text = rest.kept & ~gone, rest.text & ~gone
            self._count(rest.lines, rest.found, kept, text)
            block = self._columns(rest.view, rest.words, rest.lines, rest.found, kept, base)
            moved = (begins[left] - rest.begins)[rest.line]
            block.dense["offset"] += moved[rest.found.line][kept[rest.found.line]]
            blocks.append(block)
        if records:
            blocks.append(self._slow(records, base))
        return position, blocks

    def _headed(
        self,
        heads: Heads,
        data: bytearray,
        view: Bytes,
        words: Words,
        begins: Ints,
        ends: Ints,
    ) -> Headed | None:
        """Application messages that are right by their header, length and checksum."""
        line, start, trailer, stop = heads.lines(data, view, begins, ends)
        full, windows = heads.windows(view, start)
        if windows is None:
            return None
        if not full.all():
            line, start, trailer, stop = line[full], start[full], trailer[full], stop[full]
        good, pieces = heads.in_order(windows, trailer - start)
        if not good.any():
            return None
        at, begin_string = self._begin_strings(
            windows.view, windows.words, windows.ends[windows.first]
        )
        good &= at == windows.begin
        short, body_length, body = body_lengths(windows)
        good &= short & (trailer - start - body == body_length)
        third = windows.first + 2
        msg_type = self._book.msg_types.codes_at(
            windows.view,
            windows.words,
            at=windows.starts[third] + 3,
            length=windows.ends[third] - windows.starts[third] - 3,
        )
        good &= ~self._is_whole(msg_type)
        row = np.flatnonzero(good)
        if len(row) == 0:
            return None
        fits, check_sum = sums_fit(view, words, start[row], trailer[row], stop[row])
        found = Headed(
            windows,
            row=row,
            line=line[row],
            start=start[row],
            stop=stop[row],
            begin_string=begin_string[row],
            body_length=body_length[row],
            check_sum=check_sum,
            msg_type=msg_type[row],
            pieces={tag: places[row] for tag, places in pieces.items()},
        )
        return found if fits.all() else found.only(fits)

    def _is_whole(self, msg_type: npt.NDArray[np.int32]) -> Bools:
        """Which messages are of interest beyond their header, by the codes of their types."""
        whole = np.zeros(len(self._book.msg_types.texts), np.bool_)
        whole[self._whole_types] = True
        return whole[msg_type]

    def _rest(self, data: bytearray, begins: Ints, sizes: Ints) -> Rest:
        """Lines that are no such messages, put together and read in full."""
        total = int(sizes.sum())
        room = FRONT + total + _words.PADDING
        text = bytearray(room + -room % 8)
        at = FRONT
        jumps = np.flatnonzero(begins[1:] != begins[:-1] + sizes[:-1]) + 1
        for low, high in zip([0, *jumps.tolist()], [*jumps.tolist(), len(begins)], strict=True):
            if low < high:
                begin, end = int(begins[low]), int(begins[high - 1] + sizes[high - 1])
                text[at : at + end - begin] = data[begin:end]
                at += end - begin
        view = np.frombuffer(text, np.uint8)
        words = _words.words_of(view)
        places = FRONT + np.cumsum(sizes) - sizes
        lines = self._lines(view, words, FRONT, FRONT + total) if total else None
        if lines is None:
            assert total == 0, "lines without an end were put together"
            lines = _NO_LINES
            return Rest(view, words, lines, _NO_MESSAGES, _NONE, _NONE, _NO_INTS, places)
        found = self._messages(view, words, lines)
        kept, is_text = self._sorted_out(text, lines, found)
        line = np.searchsorted(places, lines.begin, "right") - 1
        # Parts of lines are left to the exact reader.
        entire = lines.begin == places[line]
        entire &= lines.stop == places[line] + sizes[line]
        return Rest(view, words, lines, found, kept & entire, is_text & entire, line, places)

    def _head_columns(
        self, view: Bytes, words: Words, begins: Ints, found: Headed, base: int
    ) -> Block:
        windows, count, book = found.windows, len(found.row), self._book

        def of(tag: int) -> tuple[Bytes, Words, Ints, Ints]:
            at = windows.starts.take(found.pieces[tag])
            at += 3
            length = windows.ends.take(found.pieces[tag])
            length -= at
            return windows.view, windows.words, at, length

        time, mark = self._prefixes.read(view, words, begins[found.line], found.start)
        flags = np.zeros(count, np.uint8)
        sparse: dict[str, tuple[Rows, Ints]] = {}
        row_of: Rows = np.full(len(windows.first), -1, np.int32)
        row_of[found.row] = np.arange(count, dtype=np.int32)
        assert self._heads is not None
        for tag in (43, 97, 122):
            found_in, pieces = self._heads.rare(windows, tag)
            rows = row_of[found_in]
            rows, pieces = rows[rows >= 0], pieces[rows >= 0]
            if len(rows) == 0:
                continue
            at = windows.starts[pieces] + len(str(tag)) + 1
            length = windows.ends[pieces] - at
            if tag == 122:
                times = times_at(windows.view, windows.words, at, length)
                sparse["orig_sending_time"] = rows, times
            else:
                yes = (windows.view[at] == 0x59) & (length == 1)
                flags[rows[yes]] |= FLAGS[tag]
        dense: dict[str, npt.NDArray[np.generic]] = {
            "offset": found.start + base,
            "length": (found.stop - found.start).astype(np.int32),
            "defect": np.zeros(count, np.uint8),
            "time": time,
            "mark": mark,
            "begin": found.begin_string,
            "sender": book.comp_ids.codes_at(*of(49)),
            "target": book.comp_ids.codes_at(*of(56)),
            "msg_type": found.msg_type,
            "msg_seq_num": numbers_at(*of(34)),
            "sending_time": times_at(*of(52)),
            "flags": flags,
            "body_length": found.body_length.astype(np.int32),
            "check_sum": found.check_sum.astype(np.int16),
        }
        return Block(dense, sparse)

    # Lines and their pieces ----------------------------------------------------------------

    def _lines(self, view: Bytes, words: Words, begin: int, end: int) -> Lines | None:
        starts, ends, is_line_end, code = self._pieces.cut(view, words, begin, end)
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
        whole[0] = not self._reader.in_line
        whole[1:] = ended[:-1]
        stop = ends[last] + np.where(ended, 1, self._width)
        return Lines(starts, ends, code, first, last, starts[first], stop, whole, ended)

    # Messages that are right ---------------------------------------------------------------

    def _messages(self, view: Bytes, words: Words, lines: Lines) -> Messages:
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
        start, begin_string = self._begin_strings(view, words, lines.ends[first])
        good = start >= lines.begin[line]

        at = lines.starts[first + 1] + 2
        length = lines.ends[first + 1] - at
        body_length = numbers_at(view, words, at, np.minimum(length, 9))
        good &= length <= 8
        begin, end = lines.starts[first + 2], lines.starts[trailer]
        dividers = trailer - first  # before the trailer
        good &= end - begin - (self._width - 1) * (dividers - 2) == body_length

        word = word_at(words, end)
        check_sum, is_number = _words.digits_of(word >> _U(24), np.int64(3))
        rest = lines.ends[trailer] - end - 6
        by_line = (trailer == lines.last[line]) & lines.ended[line]
        seventh = (word >> _U(48)) & _U(0xFF)
        no_digit = (seventh < 0x30) | (seventh > 0x39)
        good &= is_number & np.where(by_line, (rest >= 0) & no_digit, rest == 0)
        stop = end + np.where(by_line, 6, 6 + self._width)
        good &= stop - start <= QUOTED_MAX - SLACK
        found = Messages(
            *(line, start, end, stop, begin_string, body_length, check_sum.view(np.int64))
        )
        good[good] = self._sums_fit(view, found, dividers, good)
        good &= ~self._hard(lines, first, trailer, line)
        if good.all():
            return found
        return found.only(good)

    def _begin_strings(
        self, view: Bytes, words: Words, ends: Ints
    ) -> tuple[Ints, npt.NDArray[np.int32]]:
        """Where the message begins whose BeginString(8) ends there, or -1; and its code."""
        start = np.full(len(ends), -1, np.int64)
        code = np.zeros(len(ends), np.int32)
        word = word_at(words, ends - 8)
        left = np.arange(len(ends))
        for _ in range(_VERSIONS_MAX):
            if len(left) == 0:
                break
            version = word[left[0]]
            same = word[left] == version
            rows, left = left[same], left[~same]
            text = int(version).to_bytes(8, "little")
            if re.fullmatch(rb"=FIX\.[0-9]\.[0-9]", text):
                rows = rows[view[ends[rows] - 9] == 0x38]
                start[rows], name = ends[rows] - 9, text[1:]
            elif re.fullmatch(rb"FIXT\.[0-9]\.[0-9]", text):
                rows = rows[(view[ends[rows] - 9] == 0x3D) & (view[ends[rows] - 10] == 0x38)]
                start[rows], name = ends[rows] - 10, text
            else:
                continue
            if len(rows):
                code[rows] = self._book.begins.code(name)
        return start, code

    def _sums_fit(self, view: Bytes, found: Messages, dividers: Ints, good: Bools) -> Bools:
        start, check_sum = found.start[good], found.check_sum[good]
        if len(start) == 0:
            return np.empty(0, np.bool_)
        places = np.empty(2 * len(start), np.int64)
        places[::2] = start
        places[1::2] = found.trailer[good]
        sums = np.add.reduceat(view, places, dtype=np.uint8)[::2]
        if self._style.delimiter != b"\x01":
            more = (sum(self._style.delimiter) - 1) & 0xFF
            sums = sums - (dividers[good] * more).astype(np.uint8)
        fits: Bools = sums == check_sum
        return fits

    def _hard(self, lines: Lines, first: Ints, trailer: Ints, line: Ints) -> Bools:
        """Messages with pieces that only the exact reader reads."""
        code = lines.code
        # A bar before what is no field is text; SOH always ends a field.
        hard = code >= DATA
        if self._style.delimiter == b"\x01":
            hard &= code != NO_FIELD
        pieces = np.flatnonzero(hard)
        found = np.zeros(len(line), np.bool_)
        if len(pieces) and len(line):
            row = np.searchsorted(first, pieces, "right") - 1
            inside = (row >= 0) & (pieces > first[row]) & (pieces <= trailer[row])
            found[row[inside]] = True
        return found

    # What is left --------------------------------------------------------------------------

    def _sorted_out(
        self, data: bytearray, lines: Lines, found: Messages
    ) -> tuple[Bools, Bools]:
        """Which lines are messages, and which are text; the others are odd."""
        count = len(lines.first)
        kept = np.zeros(count, np.bool_)
        kept[found.line] = True
        text = np.zeros(count, np.bool_)
        if len(found.line) < count:
            text = ~kept & lines.whole & lines.ended
            codes = self._table.codes
            signs = (lines.code == codes[35]) | (lines.code == codes[10])
            pieces = np.flatnonzero(signs)
            row = np.searchsorted(lines.last, pieces)
            text[row[row < count]] = False
        begin, stop = int(lines.begin[0]), int(lines.stop[-1])
        alone = count + int((found.end - found.start).sum())
        if alone >= stop - begin:
            return kept, text  # nothing but messages and the ends of their lines
        if data.count(b"8=FIX", begin, stop) != len(found.line):
            places = [m.start() for m in _BEGIN.finditer(data, begin, stop)]
            row = np.searchsorted(lines.stop, np.array(places, np.int64), "right")
            often = np.bincount(row, minlength=count)
            kept &= often == 1
            text &= often == 0
        return kept, text

    def _odd(
        self,
        data: bytearray,
        lines: Lines,
        easy: Bools,
        end: int,
        last: bool,
    ) -> tuple[int, Bools, list[Record]]:
        """Has odd lines read exactly: where reading stopped, which lines it took, its rows."""
        count = len(easy)
        taken = np.zeros(count, np.bool_)
        records: list[Record] = []
        odd, others = np.flatnonzero(~easy), np.flatnonzero(easy)
        reader, line, position = self._reader, 0, -1
        while (at := int(np.searchsorted(odd, line))) < len(odd):
            line = int(odd[at])
            position = int(lines.begin[line])
            reader.began()
            reader.in_line = not lines.whole[line]
            while True:
                # All odd lines side by side in one go.
                at = int(np.searchsorted(others, line))
                following = int(others[at]) if at < len(others) else count
                until = int(lines.stop[max(following - 1, line)])
                position, more = reader.read(data, position, end, last=last, until=until)
                records += more
                reached = int(np.searchsorted(lines.begin, position))
                taken[line:reached] = True
                if position < until:
                    return position, taken, records
                following = int(lines.begin[reached] if reached < count else lines.stop[-1])
                if position == following or position > lines.stop[-1]:
                    break
                # A message over several lines ended within one: read that one to its end.
                line = reached - 1
            line = reached
        stop = int(lines.stop[-1])
        if position < stop:
            reader.began()
            reader.in_line = not lines.ended[-1]
        return max(position, stop), taken, records

    def _count(self, lines: Lines, found: Messages, kept: Bools, text: Bools) -> None:
        sizes = lines.stop - lines.begin
        lengths = (found.end - found.start)[kept[found.line]]
        self.tally.around_bytes += int(sizes[kept].sum() - lengths.sum())
        self.tally.text_bytes += int(sizes[text].sum())
        self.tally.text_lines += int(np.count_nonzero(text))

    # Columns -------------------------------------------------------------------------------

    def _columns(
        self,
        view: Bytes,
        words: Words,
        lines: Lines,
        found: Messages,
        kept: Bools,
        base: int,
    ) -> Block:
        if not kept.all():
            rows = kept[found.line]
            found = found.only(rows)
        values = _Values(view, words, lines, found, self._table)
        count = len(found.line)
        book = self._book
        msg_type = values.msg_types(book.msg_types)
        values.whole = self._is_whole(msg_type)
        dense: dict[str, npt.NDArray[np.generic]] = {
            "offset": found.start + base,
            "length": (found.end - found.start).astype(np.int32),
            "defect": np.zeros(count, np.uint8),
            "begin": found.begin_string,
            "body_length": found.body_length.astype(np.int32),
            "check_sum": found.check_sum.astype(np.int16),
            "msg_seq_num": values.dense(34, numbers_at),
            "sending_time": values.dense(52, times_at),
            "sender": values.names(49, book.comp_ids),
            "target": values.names(56, book.comp_ids),
            "msg_type": msg_type,
            "flags": values.flags(),
        }
        begin = lines.begin[found.line]
        dense["time"], dense["mark"] = self._prefixes.read(view, words, begin, found.start)
        sparse = {
            name: (rows, numbers_at(view, words, at, length))
            for tag, name in SPARSE.items()
            for rows, at, length in [values.said(tag)]
            if len(rows)
        }
        self._rare(view, words, values, dense, sparse)
        extra = {tag: values.texts(tag) for tag in self._tags}
        return Block({name: dense[name] for name in DENSE}, sparse, extra)

    def _rare(
        self,
        view: Bytes,
        words: Words,
        values: _Values,
        dense: dict[str, npt.NDArray[np.generic]],
        sparse: dict[str, tuple[Rows, Ints]],
    ) -> None:
        """What few messages have, and is read with as much Python as it takes."""
        rows, at, length = values.said(122)
        if len(rows):
            sparse["orig_sending_time"] = rows, times_at(view, words, at, length)
        rows, at, length = values.said(112)
        texts = _texts(view, at, length)
        if texts:
            sparse["test_req_id"] = rows, _codes(texts, self._book.test_req_ids)
        rows, at, length = values.of(58)
        if len(rows):
            wanted = np.isin(dense["msg_type"][rows], self._text_types)
            rows, texts = rows[wanted], _texts(view, at[wanted], length[wanted])
            if texts:
                sparse["text"] = rows, _codes(texts, self._book.texts)
        flags = dense["flags"].view(np.uint8)
        for tag in PASSWORDS:
            rows, at, length = values.said(tag)
            texts = _texts(view, at, length)
            secret = np.array([is_secret(text) for text in texts], np.bool_)
            flags[rows[secret]] |= SECRET


class _Values:
    """Where the values of each field stand, for the messages of a block."""

    def __init__(
        self, view: Bytes, words: Words, lines: Lines, found: Messages, table: FieldTable
    ) -> None:
        self._view, self._words, self._lines = view, words, lines
        self._codes, self._count = table.codes, len(found.line)
        self._third = lines.first.take(found.line) + 2
        pieces = int(lines.last[-1]) + 1
        code = lines.code[:pieces]
        # All but those that stand at the same place in each message; they wrap around.
        hits = np.flatnonzero(code - np.uint8(_FIXED + 1) < DATA - _FIXED - 1)
        order = np.argsort(code[hits], kind="stable")
        self._hits = hits[order]
        self._bounds = np.searchsorted(code[self._hits], np.arange(DATA + 1))
        row_of_line = np.full(len(lines.first), -1, np.int32)
        row_of_line[found.line] = np.arange(self._count, dtype=np.int32)
        self._row = np.repeat(row_of_line, lines.last - lines.first + 1)
        self._code = code
        self.whole = np.ones(self._count, np.bool_)  # rows of interest beyond their header

    def said(self, tag: int) -> tuple[Rows, Ints, Ints]:
        """The same as `of`, but of an application message only in its header."""
        rows, at, length = self.of(tag)
        good = self.whole[rows]
        if not good.all():
            if tag in HEADER_TAGS:
                good |= self._in_header(rows, at)
            rows, at, length = rows[good], at[good], length[good]
        return rows, at, length

    def _in_header(self, rows: Rows, at: Ints) -> Bools:
        """Whether no field of the body stands before a place in a row."""
        kind = np.ones(256, np.bool_)
        kind[[self._codes[tag] for tag in HEADER_TAGS]] = False
        kind[NO_FIELD] = False
        bodies = np.cumsum(kind[self._code])
        piece = np.searchsorted(self._lines.starts[: len(self._code)], at, "right") - 1
        inside: Bools = bodies[piece] == bodies[self._third[rows]]
        return inside

    def of(self, tag: int) -> tuple[Rows, Ints, Ints]:
        """Rows with the tag, and where its first value there begins and how long it is."""
        code = self._codes[tag]
        pieces = self._hits[self._bounds[code] : self._bounds[code + 1]]
        if len(pieces) == 0:
            return _NO_ROWS, pieces, pieces
        rows = self._row.take(pieces)
        good = rows >= 0
        good[1:] &= rows[1:] != rows[:-1]
        if not good.all():
            rows, pieces = rows[good], pieces[good]
        at = self._lines.starts.take(pieces)
        at += len(str(tag)) + 1
        return rows, at, self._lines.ends.take(pieces) - at

    def dense(self, tag: int, read: Reading) -> Ints:
        """Numbers or times of all rows; `MISSING` where the tag does not occur."""
        rows, at, length = self.of(tag)
        values = read(self._view, self._words, at, length)
        if len(rows) == self._count:
            return values
        column = np.full(self._count, MISSING, np.int64)
        column[rows] = values
        return column

    def names(self, tag: int, names: Names) -> npt.NDArray[np.int32]:
        """Codes of all rows; 0 where the tag does not occur."""
        rows, at, length = self.of(tag)
        codes = names.codes_at(self._view, self._words, at, length)
        if len(rows) == self._count:
            return codes
        column = np.zeros(self._count, np.int32)
        column[rows] = codes
        return column

    def msg_types(self, names: Names) -> npt.NDArray[np.int32]:
        """Codes of MsgType(35), the third field of each message."""
        piece = self._third
        at = self._lines.starts.take(piece) + 3
        length = self._lines.ends.take(piece) - at
        return names.codes_at(self._view, self._words, at, length)

    def flags(self) -> npt.NDArray[np.uint8]:
        """Bits of the tags whose value is Y."""
        flags = np.zeros(self._count, np.uint8)
        for tag, bit in FLAGS.items():
            rows, at, length = self.said(tag)
            yes = (self._view[at] == 0x59) & (length == 1)
            flags[rows[yes]] |= bit
        return flags

    def texts(self, tag: int) -> tuple[Rows, list[bytes]]:
        """Rows with the tag, and its value there."""
        rows, at, length = self.of(tag)
        return rows, _texts(self._view, at, length)


def _texts(view: Bytes, at: Ints, length: Ints) -> list[bytes]:
    data = memoryview(view)  # type: ignore[arg-type]
    return [
        bytes(data[begin : begin + size])
        for begin, size in zip(at.tolist(), length.tolist(), strict=True)
    ]


def _codes(texts: Sequence[bytes], names: Names) -> Ints:
    return np.array([names.code(text) for text in texts], np.int64)
