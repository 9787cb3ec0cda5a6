"""Eight bytes at a time: text of many rows read at once, from 64-bit words of a buffer."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fixlab.times import NANOSECONDS, parse_utc
from fixlab.vocabulary import MISSING

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
Halves = npt.NDArray[np.uint32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

PADDING = 64  # bytes behind the text that may be read, and are then ignored
INT64_MAX = int(np.iinfo(np.int64).max)

_U = np.uint64
_ZEROS = _U(0x3030303030303030)
_HIGH = _U(0x8080808080808080)
_NO_DIGIT = _U(0x7676767676767676)  # added to what is above 9, it sets the high bit
_PAIRS = _U(0x00FF00FF00FF00FF)
_FOURS = _U(0x0000FFFF0000FFFF)
_HALF = _U(0xFFFFFFFF)
# By length: what keeps the first bytes of a word, and what shifts them to its end.
_FIRST = np.array([(1 << 8 * length) - 1 for length in range(9)], np.uint64)
_TO_END = np.array([64 - 8 * max(length, 1) for length in range(9)], np.uint64)
_TO_END_4 = np.array([32 - 8 * max(length, 1) for length in range(5)], np.uint32)
_H = np.uint32
_CLOCK = _U(0x30303A30303A3030)  # 00:00:00
_CLOCK_COLONS = _U(0x0000FF0000FF0000)
_CLOCK_PARTS = _U(0x00FF0000FF0000FF)
# Added to hours, minutes and seconds, it sets the high bit of what is above 23, 59 and 60.
_CLOCK_LIMITS = _U(104 | 68 << 24 | 67 << 48)
_MILLIS = _H(0x3030302E)  # .000
_DAY_SECONDS = 86_400
_YEARS = (1678, 2261)  # whole years that nanoseconds in an int64 can express
_DAYS_MAX = 4096  # distinct ones in a block that are read together


class Text(NamedTuple):
    """A buffer of bytes, with `PADDING` behind what is in it."""

    view: Bytes
    words: Words


def text_of(data: bytearray) -> Text:
    """The buffer as bytes and as words."""
    view = np.frombuffer(data, np.uint8)
    return Text(view, words_of(view))


def words_of(data: Bytes) -> Words:
    """The 8 bytes at each place of a buffer, the first one lowest."""
    return np.ndarray((len(data) - 7,), np.uint64, data, 0, (1,))


def first_bytes(word: Words, length: Ints) -> Words:
    """Words with all but the first `length` bytes (0 to 8) zero."""
    mask = _FIRST.take(length, mode="clip")
    mask &= word
    return mask


def digits_of(word: Words, length: Ints | int) -> tuple[Words, Bools]:
    """The number that the first `length` bytes (1 to 8) write, and whether they do."""
    x = word ^ _ZEROS
    x <<= _TO_END.take(length, mode="clip")
    bad = x + _NO_DIGIT
    bad |= x
    bad &= _HIGH
    for factor, shift, mask in ((10, 8, _PAIRS), (100, 16, _FOURS), (10_000, 32, _HALF)):
        more = x >> _U(shift)
        x *= _U(factor)
        x += more
        x &= mask
    return x, bad == 0


def few_digits_of(half: Halves, length: Ints | int) -> tuple[Halves, Bools]:
    """The same for the first 1 to 4 bytes of half a word."""
    x = half ^ _H(0x30303030)
    x <<= _TO_END_4.take(length, mode="clip")
    return _few(x)


def _few(x: Halves) -> tuple[Halves, Bools]:
    bad = x + _H(0x76767676)
    bad |= x
    bad &= _H(0x80808080)
    for factor, shift, mask in ((10, 8, 0x00FF00FF), (100, 16, 0xFFFF)):
        more = x >> _H(shift)
        x *= _H(factor)
        x += more
        x &= _H(mask)
    return x, bad == 0


def numbers_at(data: Bytes, words: Words, at: Ints, length: Ints) -> Ints:
    """Unsigned numbers in decimal; `MISSING` for what is none, clipped beyond int64."""
    value, good = digits_of(words[at], length)
    found: Ints = value.view(np.int64)
    if not good.all():
        found[~good] = MISSING
    odd = (length - 1).view(np.uint64) > 7
    if odd.any():
        for i in np.flatnonzero(odd):
            found[i] = number(data[at[i] : at[i] + length[i]].tobytes())
    return found


def number(text: bytes) -> int:
    """The same for one text."""
    if not text.isdigit():
        return MISSING
    if len(text) <= 18:
        return int(text)
    digits = text.lstrip(b"0")
    return int(digits) if 0 < len(digits) <= 18 else INT64_MAX if digits else 0


def time(text: bytes) -> int:
    """A UTCTimestamp in ns; `MISSING` for what is none, or no int64."""
    found = parse_utc(text)
    return found if found is not None and MISSING < found <= INT64_MAX else MISSING


def times_at(data: Bytes, words: Words, at: Ints, length: Ints) -> Ints:
    """UTCTimestamps in ns; `MISSING` for what is none."""
    if len(at) == 0:
        return np.empty(0, np.int64)
    days, good = days_of(words[at])
    found, clock_good = clock_of(words[at + 9])
    good &= clock_good
    good &= data.take(at + 8) == 0x2D
    days *= _DAY_SECONDS
    found += days
    found *= NANOSECONDS
    if (length == length[0]).all():
        fraction, sure = _fraction(words, at + 17, int(length[0]) - 18)
        found += fraction
        good &= sure
    else:
        sure = np.zeros(len(at), np.bool_)
        for one in np.unique(length[(length >= 17) & (length <= 27)]):
            rows = np.flatnonzero(length == one)
            fraction, sure[rows] = _fraction(words, at[rows] + 17, int(one) - 18)
            found[rows] += fraction
        good &= sure
    if not good.all():
        for i in np.flatnonzero(~good):
            found[i] = time(data[at[i] : at[i] + length[i]].tobytes())
    return found


def clock_of(word: Words) -> tuple[Ints, Bools]:
    """Seconds since midnight of HH:MM:SS, and whether that is a time; second 60 is one."""
    x = word ^ _CLOCK
    bad = x + _NO_DIGIT
    bad |= x
    colons = x & _CLOCK_COLONS
    ones = x >> _U(8)
    x *= _U(10)
    x += ones
    x &= _CLOCK_PARTS
    bad |= x + _CLOCK_LIMITS
    bad &= _HIGH
    bad |= colons
    seconds = x >> _U(48)
    for shift, factor in ((24, 60), (0, 3600)):
        part = x >> _U(shift)
        part &= _U(0xFF)
        part *= _U(factor)
        seconds += part
    return seconds.view(np.int64), bad == 0


def days_of(word: Words) -> tuple[Ints, Bools]:
    """Days since 1970 of YYYYMMDD, and whether that is a day; a log has few of them."""
    if (word == word[0]).all():
        day, is_day = _day(word[0])
        return np.full(len(word), day, np.int64), np.full(len(word), is_day, np.bool_)
    distinct, which = np.unique(word, return_inverse=True)
    if len(distinct) > _DAYS_MAX:
        # Whoever makes up days pays for them one by one.
        return np.zeros(len(word), np.int64), np.zeros(len(word), np.bool_)
    both = np.array([_day(each) for each in distinct], np.int64)[which]
    return both[:, 0], both[:, 1] != 0


def _day(word: Any) -> tuple[int, bool]:
    text = int(word).to_bytes(8, "little")
    if not text.isdigit():
        return 0, False
    year, month, day = int(text[:4]), int(text[4:6]), int(text[6:])
    if not _YEARS[0] <= year <= _YEARS[1]:
        return 0, False
    try:
        return (date(year, month, day) - date(1970, 1, 1)).days, True
    except ValueError:
        return 0, False


def _fraction(words: Words, dot: Ints, digits: int) -> tuple[Any, Any]:
    """Nanoseconds that a dot and `digits` digits write, and whether they are that."""
    if digits == -1:
        return 0, True
    if not 1 <= digits <= 9:
        return 0, False
    word = words[dot]
    if digits == 3:
        half = word.view(np.uint32)[::2] ^ _MILLIS
        is_dot = (half & _H(0xFF)) == 0
        few, good = _few(half)
        good &= is_dot
        return few.astype(np.int64) * 1_000_000, good
    value, good = fraction_of(words, dot + 1, digits)
    return value, good & ((word & _U(0xFF)) == 0x2E)


def fraction_of(words: Words, at: Ints, digits: int) -> tuple[Ints, Bools]:
    """Nanoseconds that 1 to 9 digits write, and whether they are digits."""
    value, good = digits_of(words[at], min(digits, 8))
    if digits == 9:
        ninth = (words[at + 8] & _U(0xFF)) ^ _U(0x30)
        good &= ninth <= 9
        value *= _U(10)
        value += ninth
    found = value.view(np.int64)
    found *= 10 ** (9 - digits)
    return found, good
