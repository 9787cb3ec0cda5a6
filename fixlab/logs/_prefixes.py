"""What stands before a message in its line: the time, and which way the message went."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fixlab.logs._names import Names
from fixlab.logs._style import NO_MARK, PREFIX_MAX, Stamp, Style, mark_of, said, zone_ns
from fixlab.logs._words import (
    Bools,
    Bytes,
    Ints,
    Words,
    clock_of,
    days_of,
    first_bytes,
    fraction_of,
)
from fixlab.times import NANOSECONDS
from fixlab.vocabulary import MISSING

Marks = npt.NDArray[np.uint8]

_U = np.uint64
# A stamp has at least this many bytes: one that begins before can have no other before it.
_STAMP_BYTES_MIN = 17
_CLOCK_BYTES = 8
_TEXTS_MAX = 4096


class Prefixes:
    """Reads the prefixes of a block's messages; the same that `said` does one by one."""

    def __init__(self, style: Style) -> None:
        self._style = style
        self._texts = Names(
            _TEXTS_MAX, clean=bytes
        )  # beside the stamps; code for code, their marks
        self._marks: list[int] = []
        stamp = style.stamp
        self._stamp = stamp if stamp and stamp.offset < _STAMP_BYTES_MIN else None

    def read(self, view: Bytes, words: Words, begin: Ints, end: Ints) -> tuple[Ints, Marks]:
        """Time in ns and mark of each prefix from `begin` to `end`."""
        time = np.full(len(begin), MISSING, np.int64)
        mark = np.full(len(begin), NO_MARK, np.uint8)
        if len(begin) == 0 or not (self._style.stamp or self._style.marked):
            return time, mark
        slow = np.flatnonzero(end > begin)
        if self._stamp is not None:
            time, good, tail = self._times(view, words, begin, end, self._stamp)
            if self._style.marked:
                mark, sure = self._marks_of(view, words, begin, tail, end)
                good &= sure
            slow = np.flatnonzero(~good & (end > begin))
            time[~good] = MISSING
        for i in slow:
            words_said = said(view[begin[i] : end[i]].tobytes(), self._style)
            if words_said.time is not None:
                time[i] = words_said.time
            mark[i] = words_said.mark
        return time, mark

    def _times(
        self, view: Bytes, words: Words, begin: Ints, end: Ints, stamp: Stamp
    ) -> tuple[Ints, Bools, Ints]:
        """Times, whether they are sure, and where the text behind each begins."""
        at = begin + stamp.offset
        dashes = 2 * len(stamp.date_mark)
        clock = at + 8 + dashes + 1
        behind = clock + _CLOCK_BYTES
        good = view[clock - 1] == stamp.day_mark[0]
        date = words[at]
        if dashes:
            day = words[at + 8]
            good &= (view[at + 4] == stamp.date_mark[0]) & (view[at + 7] == stamp.date_mark[0])
            month = (date >> _U(40)) & _U(0xFFFF)
            date = (date & _U(0xFFFFFFFF)) | month << _U(32) | (day & _U(0xFFFF)) << _U(48)
        days, is_day = days_of(date)
        seconds, is_clock = clock_of(words[clock])
        good &= is_day & is_clock
        time = (days * 86_400 + seconds) * NANOSECONDS - zone_ns(stamp.zone)
        if stamp.digits:
            fraction, is_fraction = fraction_of(words, behind + 1, stamp.digits)
            good &= is_fraction & (view[behind] == stamp.fraction_mark[0])
            time += fraction
            behind = behind + 1 + stamp.digits
        good &= self._ends_there(view, words, behind, stamp)
        behind = behind + len(stamp.zone)
        good &= (behind < end) & (behind <= begin + PREFIX_MAX - 8)
        return time, good, behind

    def _ends_there(self, view: Bytes, words: Words, at: Ints, stamp: Stamp) -> Bools:
        """Whether no more digits or zone follow than the style has."""
        following = view[at]
        if stamp.zone:
            length = len(stamp.zone)
            wanted = int.from_bytes(stamp.zone, "little")
            found = first_bytes(words[at], np.full(len(at), length))
            same: Bools = found == wanted
            return same
        good: Bools = (following != 0x5A) & (following != 0x2B) & (following != 0x2D)
        if stamp.digits == 0:
            good &= (following != 0x2E) & (following != 0x2C)
            return good
        good &= (following < 0x30) | (following > 0x39)
        return good

    def _marks_of(
        self, view: Bytes, words: Words, begin: Ints, tail: Ints, end: Ints
    ) -> tuple[Marks, Bools]:
        """The mark before or behind each stamp, and whether it is sure."""
        assert self._stamp is not None
        # Beside a letter a word is no mark, which its text alone does not show.
        sure = ~_JOINS[view[tail]]
        stop = np.minimum(end, begin + PREFIX_MAX)
        mark, known = self._looked_up(view, words, tail, stop - tail)
        sure &= known
        if self._stamp.offset:
            length = np.full(len(begin), self._stamp.offset, np.int64)
            before, known = self._looked_up(view, words, begin, length)
            sure &= known & ~_JOINS[view[begin + self._stamp.offset - 1]]
            # The last one is nearest to the message.
            mark = np.where(mark == NO_MARK, before, mark)
        return mark, sure

    def _looked_up(
        self, view: Bytes, words: Words, at: Ints, length: Ints
    ) -> tuple[Marks, Bools]:
        """The mark in each text, of which there are few distinct ones; and whether it is."""
        codes = self._texts.codes_at(view, words, at, np.maximum(length, 0))
        for text in self._texts.texts[len(self._marks) :]:
            self._marks.append(mark_of(text))
        marks = np.array(self._marks, np.uint8)
        return marks[codes], codes < _TEXTS_MAX


def _joining() -> Bools:
    """Bytes beside which a word or an arrow is no mark of its own."""
    joins = np.zeros(256, np.bool_)
    joins[[ord(c) for c in "<>=-"]] = True
    joins[[byte for byte in range(128) if chr(byte).isalnum()]] = True
    return joins


_JOINS = _joining()
