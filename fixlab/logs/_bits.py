"""Bytes of a block as bits: 64 of them in one word, and what follows from where they stand."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fixlab.logs._words import Bools, Bytes, Ints, Words

_STRETCH = 1 << 20  # bytes looked at at once: what that takes fits the cache
_U = np.uint64
_ONE = _U(1)
EQUALS, _BAR, _ZERO = 0x3D, 0x7C, 0x30


class Counted(NamedTuple):
    """Bits that can be counted in any stretch."""

    bits: Words
    before: Ints  # how many are set before each word
    begin: int  # place of the first byte

    def within(self, begin: Ints, end: Ints) -> Ints:
        """How many are set in each stretch."""
        return self._before(end) - self._before(begin)

    def _before(self, at: Ints) -> Ints:
        place = at - self.begin
        word = place >> 6
        place &= 63
        bits = self.bits.take(word)
        bits &= (_ONE << place.view(np.uint64)) - _ONE
        found = self.before.take(word)
        found += np.bitwise_count(bits)
        return found


class Bars(NamedTuple):
    """The bars in a block. One divides fields when a tag and "=" follow it, else it is text."""

    all: Counted
    equals: Words
    doubts: Ints  # ascending: the place behind each that is text, or behind digits after it

    def divide(self, begin: Ints, end: Ints) -> Bools:
        """Whether all bars before the end of each stretch do."""
        low = np.searchsorted(self.doubts, begin)
        found: Bools = low == np.searchsorted(self.doubts, end)
        return found


class Bits:
    """Makes bits of blocks."""

    def __init__(self) -> None:
        self._marks: Bools = np.empty(_STRETCH, np.bool_)
        self._less: Bytes = np.empty(_STRETCH, np.uint8)

    def of(self, view: Bytes, begin: int, end: int, byte: int, count: int = 1) -> Words:
        """A bit for each byte, set for those of `count` values from `byte` on."""
        packed = np.zeros((end - begin + 63) // 64 * 8, np.uint8)
        for low in range(begin, end, _STRETCH):
            part = view[low : min(low + _STRETCH, end)]
            marks, less = self._marks[: len(part)], self._less[: len(part)]
            if count == 1:
                np.equal(part, byte, out=marks)
            else:
                np.subtract(part, np.uint8(byte), out=less)
                np.less(less, count, out=marks)
            bits = np.packbits(marks, bitorder="little")
            at = (low - begin) // 8
            packed[at : at + len(bits)] = bits
        return packed.view(np.uint64)

    def bars(self, view: Bytes, begin: int, end: int, line_end: Words) -> Bars:
        """The bars in a block; those at the ends of lines are in no doubt."""
        bar = self.of(view, begin, end, _BAR)
        digit = self.of(view, begin, end, _ZERO, 10)
        equals = self.of(view, begin, end, EQUALS)
        first = _later(bar)
        # The carry of an addition runs through the digits behind each bar.
        behind = first & digit
        behind += digit
        carry = behind < digit
        behind[1:] += carry[:-1]
        behind &= ~(equals | digit)
        doubt = ~(digit | line_end)
        doubt &= first
        doubt |= behind
        # Eleven digits are no tag.
        for more in (1, 2, 4, 3):
            digit = digit & _earlier(digit, more)
        digit &= first
        doubt |= digit
        return Bars(counted(bar, begin), equals, places_of(doubt) + begin)


def counted(bits: Words, begin: int) -> Counted:
    """The bits of a block that begins there, to be counted; a stretch may end where it does."""
    before = np.zeros(len(bits) + 1, np.int64)
    np.cumsum(np.bitwise_count(bits), out=before[1:], dtype=np.int64)
    return Counted(np.append(bits, _U(0)), before, begin)


def places_of(bits: Words) -> Ints:
    """Which bits are set."""
    word = np.flatnonzero(bits)
    some = bits.take(word)
    if (some & (some - _ONE)).any():
        spread = np.unpackbits(some.view(np.uint8), bitorder="little").reshape(-1, 64)
        row, bit = np.nonzero(spread)
        found: Ints = word.take(row) * 64 + bit
        return found
    word <<= 6
    word += lowest(some)
    return word


def lowest(bits: Words) -> Bytes:
    """Which is the lowest bit that is set in each word; 64 when there is none."""
    below = bits - _ONE
    below &= ~bits
    place: Bytes = np.bitwise_count(below)
    return place


def _later(bits: Words) -> Words:
    """All bits moved on by one."""
    moved = bits << _ONE
    moved[1:] |= bits[:-1] >> _U(63)
    return moved


def _earlier(bits: Words, by: int) -> Words:
    """All bits moved back."""
    moved = bits >> _U(by)
    moved[:-1] |= bits[1:] << _U(64 - by)
    return moved
