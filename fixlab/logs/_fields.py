"""Which field a piece of a message is, found from its first bytes for all pieces at once."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt

from fixlab.logs._words import Bytes, Ints, Words
from fixlab.wire.tags import LENGTH_TO_DATA

Codes8 = npt.NDArray[np.uint8]

OTHER = 0
DATA = 250  # the length of a data field, or one: only the exact reader knows where it ends
LONG = 251  # four digits or more: looked at again
NO_FIELD = 252  # no tag, or one that starts with 0
LONGER = 253  # eight digits or more: only the exact reader knows whether it is a tag
TAGS_MAX = DATA - 1

_U = np.uint64
_DIGITS = range(10)
_EQUALS = 0x3D
_DATA_TAGS = {*LENGTH_TO_DATA, *LENGTH_TO_DATA.values()}
_SLOTS_LOG2 = 13


class FieldTable:
    """Codes of pieces: 1, 2, ... for `tags` in their order, and those above."""

    def __init__(self, tags: Sequence[int]) -> None:
        assert len(tags) <= TAGS_MAX
        self.codes = {tag: code for code, tag in enumerate(tags, 1)}
        wanted = {**dict.fromkeys(_DATA_TAGS, DATA), **self.codes}
        # A data field that is wanted has to be read exactly all the same.
        wanted.update(dict.fromkeys(_DATA_TAGS, DATA))
        self._build_short({tag: code for tag, code in wanted.items() if tag < 1000})
        self._build_long({tag: code for tag, code in wanted.items() if tag >= 1000})

    def _build_short(self, wanted: dict[int, int]) -> None:
        """Tags of up to three digits: a class for bytes 0 and 1, one for bytes 2 and 3."""
        # Classes of the first two bytes: 0 none, 1 to 9 one digit and "=", then two digits.
        first = np.zeros(1 << 16, np.uint8)
        for digit in range(1, 10):
            first[(0x30 + digit) | _EQUALS << 8] = digit
            for second in _DIGITS:
                first[(0x30 + digit) | (0x30 + second) << 8] = 10 * digit + second
        # Classes of the next two: 10 "=", 0 to 9 a digit and "=", 11 two digits, 12 none.
        after = np.full(1 << 16, 12, np.uint8)
        after[np.arange(1 << 16) & 0xFF == _EQUALS] = 10
        for digit in _DIGITS:
            after[(0x30 + digit) | _EQUALS << 8] = digit
            for second in _DIGITS:
                after[(0x30 + digit) | (0x30 + second) << 8] = 11
        both = np.full((128, 16), NO_FIELD, np.uint8)
        for one in range(1, 10):
            both[one, :] = wanted.get(one, OTHER)
        for two in range(10, 100):
            both[two, 10] = wanted.get(two, OTHER)
            both[two, 11] = LONG
            for three in _DIGITS:
                both[two, three] = wanted.get(10 * two + three, OTHER)
        self._first = first.astype(np.uint16) << 4
        self._after = after
        self._both = both.ravel()

    def _build_long(self, wanted: dict[int, int]) -> None:
        """Tags of four to seven digits, by a hash of the word that writes them."""
        self._multiplier, slots = _hash_without_collisions([_word(tag) for tag in wanted])
        self._slot_word = np.zeros(1 << _SLOTS_LOG2, np.uint64)
        self._slot_code = np.zeros(1 << _SLOTS_LOG2, np.uint8)
        for tag, slot in zip(wanted, slots, strict=True):
            self._slot_word[slot] = _word(tag)
            self._slot_code[slot] = wanted[tag]

    def codes_at(self, view: Bytes, words: Words, starts: Ints) -> Codes8:
        """The code of the piece that begins at each place; the places ascend."""
        # One word for each fourth byte, and so one lookup for each piece: five of its bytes.
        base = int(starts[0]) & ~3
        count = (int(starts[-1]) - base) // 4 + 1
        spread = np.ndarray((count,), "<u8", view.data, base, (4,)).copy()
        at = starts - base
        word = spread.take(at >> 2)
        at &= 3
        at <<= 3
        word >>= at.view(np.uint64)
        shorts = word.view(np.uint16)
        code = self._short(shorts[::4], shorts[1::4])
        long = np.flatnonzero(code == LONG)
        if len(long):
            code[long] = self._long(words[starts[long]])
        return code

    def codes_of(self, word: Words) -> Codes8:
        """The code of each piece that begins with these 8 bytes."""
        shorts = word.view(np.uint16)
        code = self._short(shorts[::4], shorts[1::4])
        long = np.flatnonzero(code == LONG)
        if len(long):
            code[long] = self._long(word[long])
        return code

    def _short(self, first: npt.NDArray[np.uint16], after: npt.NDArray[np.uint16]) -> Codes8:
        place = self._first.take(first)
        place += self._after.take(after)
        return self._both.take(place)

    def _long(self, word: Words) -> Codes8:
        """Codes of tags with four digits or more, the first four of which are digits."""
        code = np.full(len(word), NO_FIELD, np.uint8)
        open_ = np.ones(len(word), np.bool_)
        for digits in range(4, 8):
            byte = (word >> _U(8 * digits)) & _U(0xFF)
            ends = open_ & (byte == _EQUALS)
            rows = np.flatnonzero(ends)
            if len(rows):
                tag = word[rows] & _U((1 << (8 * digits)) - 1)
                slot = (tag * self._multiplier) >> _U(64 - _SLOTS_LOG2)
                code[rows] = np.where(
                    self._slot_word[slot] == tag, self._slot_code[slot], OTHER
                )
            open_ &= (byte >= 0x30) & (byte <= 0x39)
        code[open_] = LONGER
        return code


@cache
def table_of(tags: tuple[int, ...]) -> FieldTable:
    """The table of some tags; to build one takes longer than to read a small log."""
    return FieldTable(tags)


def _word(tag: int) -> int:
    return int.from_bytes(str(tag).encode(), "little")


def _hash_without_collisions(words: Sequence[int]) -> tuple[np.uint64, list[int]]:
    """A multiplier that sends each word to a slot of its own."""
    multiplier = 0x9E3779B97F4A7C15
    while True:
        slots = [(word * multiplier % (1 << 64)) >> (64 - _SLOTS_LOG2) for word in words]
        if len(set(slots)) == len(slots):
            return _U(multiplier), slots
        multiplier = (multiplier * 0xD1342543DE82EF95 + 1) % (1 << 64) | 1
