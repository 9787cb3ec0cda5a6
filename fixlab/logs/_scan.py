"""The fast reader: all lines of a block at once, with NumPy; odd ones go to the exact reader.

Of application messages divided by SOH or bars only the header is cut into fields (`_heads`),
unless a column of their bodies is asked for. A line without "=" is text. All other lines are
cut into all their fields (`_lines`, `_values`). What is not sure to read the same there goes
to the exact reader (`_odd`), such as data fields, quoted messages, bars that are no delimiter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fixlab.logs import _records
from fixlab.logs._bits import EQUALS, Bits, counted, places_of
from fixlab.logs._columns import Block, Book, block_of, merged
from fixlab.logs._fields import table_of
from fixlab.logs._heads import Headed, Heads
from fixlab.logs._lines import Cutter, Lines, Messages
from fixlab.logs._odd import read_exactly, sorted_out, tallied
from fixlab.logs._prefixes import Prefixes
from fixlab.logs._records import Reader, Record, Tally
from fixlab.logs._style import START_BYTES_MAX, Style
from fixlab.logs._values import TAGS, Columns
from fixlab.logs._words import PADDING, Bools, Ints, Text, text_of

FRONT = 16  # bytes before the text in a buffer: words may begin there
_DETOUR = 1 << 16  # bytes read exactly before the fast way is tried again
_LINES_MIN = 16  # in a block, for headers to be looked at alone
_LEFT_MAX = 0.3  # of its bytes that are not read so; otherwise all of it is cut at once
_PAUSE = 8  # blocks until that is tried again


class Rest(NamedTuple):
    """Some lines of a block, in a text of their own."""

    text: Text
    lines: Lines
    found: Messages
    kept: Bools
    is_text: Bools
    line: Ints  # which of the lines each one, or part of one, is
    begins: Ints  # of those lines, in the text


class Scanner:
    """Reads blocks of one file, one after the other, into rows."""

    def __init__(self, style: Style, book: Book, tags: Sequence[int] = ()) -> None:
        self._book = book
        self._tags = tuple(dict.fromkeys(tags))
        self._table = table_of(tuple(dict.fromkeys((*TAGS, *self._tags))))
        self._cutter = Cutter(style.delimiter, self._table, book.begins)
        prefixes = Prefixes(style)
        self._columns = Columns(self._table, book, prefixes, self._tags)
        self._reader = Reader(style)
        self._fast = not style.two_lines and b"\n" not in style.delimiter
        self._bars = style.delimiter == b"|"
        by_heads = style.delimiter in (b"\x01", b"|") and not self._tags
        self._heads = Heads(style.delimiter, book, prefixes) if by_heads else None
        self._pause = 0
        self._bits = Bits()
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
            if waiting <= _records.RECORD_MAX + START_BYTES_MAX and self._fast and not last:
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
        text = text_of(data)
        if self._heads is not None and not self._reader.in_line:
            if self._pause == 0:
                done = self._by_heads(self._heads, data, text, begin, end, base, last)
                if done is not None:
                    return done
                self._pause = _PAUSE
            self._pause -= 1
        lines = self._cutter.lines(text, begin, end, in_line=self._reader.in_line)
        if lines is None:
            return begin, []
        found = self._cutter.messages(text, lines)
        kept, is_text = sorted_out(data, lines, found, self._table)
        position, taken, records = read_exactly(
            self._reader, data, lines, kept | is_text, end, last
        )
        kept[taken] = is_text[taken] = False
        stop = np.searchsorted(lines.begin, position)
        kept[stop:] = is_text[stop:] = False
        tallied(lines, found, kept, is_text, self.tally)
        blocks = [self._columns.block(text, lines, found, kept, base)]
        if records:
            blocks.append(self._slow(records, base))
        return position, blocks

    def _by_heads(
        self,
        heads: Heads,
        data: bytearray,
        text: Text,
        begin: int,
        end: int,
        base: int,
        last: bool,
    ) -> tuple[int, list[Block]] | None:
        """As `_scan_lines`; None when too little would be read by the headers."""
        line_end = self._bits.of(text.view, begin, end, 10)
        ends = places_of(line_end)
        if len(ends) < _LINES_MIN:
            return None
        ends += begin
        begins = np.empty_like(ends)
        begins[0] = begin
        begins[1:] = ends[:-1] + 1
        sizes = ends + 1 - begins
        bars = None
        if self._bars:
            if data.find(b"\x01", begin, end) >= 0:
                return None  # some messages may have SOH
            bars = self._bits.bars(text.view, begin, end, line_end)
        found = heads.read(text, begins, ends, bars)
        if found is None:
            heads.widen()
            return None
        easy = np.zeros(len(ends), np.bool_)
        easy[found.line] = True
        left = np.flatnonzero(~easy)
        plain = left
        if len(left):
            # A line without "=" is text.
            equals = bars.equals if bars else self._bits.of(text.view, begin, end, EQUALS)
            bare = counted(equals, begin).within(begins[left], ends[left]) == 0
            bare &= sizes[left] <= _records.RECORD_MAX
            plain, left = left[bare], left[~bare]
            easy[plain] = True
        if sizes[left].sum() > _LEFT_MAX * sizes.sum():
            heads.widen()
            return None
        rest = self._rest(data, begins[left], sizes[left]) if len(left) else None
        if rest is not None:
            easy[left[rest.line[rest.kept | rest.is_text]]] = True
        position, taken, records = read_exactly(
            self._reader, data, _whole_lines(begins, ends), easy, end, last
        )
        taken[np.searchsorted(begins, position) :] = True
        gone = taken[found.line]
        if gone.any():
            found = found.only(np.flatnonzero(~gone))
        self._tally_heads(sizes, found, plain[~taken[plain]])
        blocks = [heads.block(text, begins, found, base)]
        if rest is not None:
            blocks.append(self._rest_of(rest, taken[left], begins[left], base))
        if records:
            blocks.append(self._slow(records, base))
        return position, blocks

    def _tally_heads(self, sizes: Ints, found: Headed, plain: Ints) -> None:
        lengths = found.stop - found.start
        self.tally.around_bytes += int(sizes[found.line].sum() - lengths.sum())
        self.tally.text_bytes += int(sizes[plain].sum())
        self.tally.text_lines += len(plain)

    def _rest(self, data: bytearray, begins: Ints, sizes: Ints) -> Rest:
        """Some lines put together and read in full; there is at least one."""
        total = int(sizes.sum())
        room = bytearray(FRONT + total + PADDING)
        at = FRONT
        jumps = np.flatnonzero(begins[1:] != begins[:-1] + sizes[:-1]) + 1
        for low, high in zip([0, *jumps.tolist()], [*jumps.tolist(), len(begins)], strict=True):
            begin, end = int(begins[low]), int(begins[high - 1] + sizes[high - 1])
            room[at : at + end - begin] = data[begin:end]
            at += end - begin
        text = text_of(room)
        places = FRONT + np.cumsum(sizes) - sizes
        lines = self._cutter.lines(text, FRONT, FRONT + total, in_line=False)
        assert lines is not None, "lines without an end were put together"
        found = self._cutter.messages(text, lines)
        kept, is_text = sorted_out(room, lines, found, self._table)
        line = np.searchsorted(places, lines.begin, "right") - 1
        # Parts of lines are left to the exact reader.
        entire = lines.begin == places[line]
        entire &= lines.stop == places[line] + sizes[line]
        return Rest(text, lines, found, kept & entire, is_text & entire, line, places)

    def _rest_of(self, rest: Rest, taken: Bools, begins: Ints, base: int) -> Block:
        """The rows of those lines, but for what was taken; `begins` are their places."""
        gone = taken[rest.line]
        kept, is_text = rest.kept & ~gone, rest.is_text & ~gone
        tallied(rest.lines, rest.found, kept, is_text, self.tally)
        block = self._columns.block(rest.text, rest.lines, rest.found, kept, base)
        moved = (begins - rest.begins)[rest.line]
        block.dense["offset"] += moved[rest.found.line][kept[rest.found.line]]
        return block


def _whole_lines(begins: Ints, ends: Ints) -> Lines:
    """Lines that were not cut into pieces."""
    none = np.empty(0, np.int64)
    yes = np.ones(len(ends), np.bool_)
    return Lines(
        *(none, none, np.empty(0, np.uint8), none, none),
        *(begins, ends + 1, yes, yes),
    )
