"""Lines that are no right message: text, and what the exact reader has to read."""

from __future__ import annotations

import re

import numpy as np

from fixlab.logs import _records
from fixlab.logs._fields import FieldTable
from fixlab.logs._lines import Lines, Messages
from fixlab.logs._records import Reader, Record, Tally
from fixlab.logs._words import Bools

_BEGIN = re.compile(rb"8=FIX")


def sorted_out(
    data: bytearray, lines: Lines, found: Messages, table: FieldTable
) -> tuple[Bools, Bools]:
    """Which lines are messages, and which are text; the others are odd."""
    count = len(lines.first)
    kept = np.zeros(count, np.bool_)
    kept[found.line] = True
    text = np.zeros(count, np.bool_)
    if len(found.line) < count:
        text = ~kept & lines.whole & lines.ended
        codes = table.codes
        signs = (lines.code == codes[35]) | (lines.code == codes[10])
        pieces = np.flatnonzero(signs)
        row = np.searchsorted(lines.last, pieces)
        text[row[row < count]] = False
    # Longer ones are read in pieces.
    short = lines.stop - lines.begin <= _records.RECORD_MAX
    kept &= short
    text &= short
    begin, stop = int(lines.begin[0]), int(lines.stop[-1])
    alone = count + int((found.end - found.start).sum())
    if alone >= stop - begin and not found.defect.any():
        return kept, text  # nothing but messages and the ends of their lines
    if data.count(b"8=FIX", begin, stop) != len(found.line):
        places = [m.start() for m in _BEGIN.finditer(data, begin, stop)]
        row = np.searchsorted(lines.stop, np.array(places, np.int64), "right")
        often = np.bincount(row, minlength=count)
        kept &= often == 1
        text &= often == 0
    return kept, text


def read_exactly(
    reader: Reader,
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
    line, position = 0, -1
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


def tallied(lines: Lines, found: Messages, kept: Bools, text: Bools, tally: Tally) -> None:
    """Adds what belongs to no row of the messages that are kept, and of the text."""
    sizes = lines.stop - lines.begin
    lengths = (found.end - found.start)[kept[found.line]]
    tally.around_bytes += int(sizes[kept].sum() - lengths.sum())
    tally.text_bytes += int(sizes[text].sum())
    tally.text_lines += int(np.count_nonzero(text))
