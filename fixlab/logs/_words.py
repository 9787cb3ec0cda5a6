"""Eight bytes at a time: text of many rows read at once, from 64-bit words of a buffer."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt

from fixlab.times import NANOSECONDS, parse_utc
from fixlab.vocabulary import MISSING

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.uint64]
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
_COLONS = _U(0xFF << 16 | 0xFF << 40)
_COLONS_AT = _U(0x3A << 16 | 0x3A << 40)
_DAY_SECONDS = 86_400
_YEARS = (1678, 2261)  # whole years that nanoseconds in an int64 can express
_DAYS_MAX = 4096  # distinct ones in a block that are read together


def words_of(data: Bytes) -> Words:
    """The buffer as whole words; its length must be a multiple of 8."""
    words: Words = data.view(np.uint64)
    return words


def word_at(words: Words, at: Ints) -> Words:
    """The 8 bytes at each place, the first one lowest."""
    index = at >> 3
    shift = ((at & 7) << 3).view(np.uint64)
    low = words.take(index)
    low >>= shift
    index += 1
    high = words.take(index)
    high <<= _U(1)
    high <<= shift ^ _U(63)
    low |= high
    return low


def first_bytes(word: Words, length: Ints) -> Words:
    """Words with all but the first `length` bytes (1 to 8) zero."""
    shift = ((8 - length) << 3).view(np.uint64)
    masked: Words = (word << shift) >> shift
    return masked


def digits_of(word: Words, length: Ints | np.int64) -> tuple[Words, Bools]:
    """The number that the first `length` bytes (1 to 8) write, and whether they do."""
    x = (word ^ _ZEROS) << ((8 - length) << 3).view(np.uint64)
    good = ((x | (x + _NO_DIGIT)) & _HIGH) == 0
    x = (x * _U(10) + (x >> _U(8))) & _PAIRS
    x = (x * _U(100) + (x >> _U(16))) & _FOURS
    x = (x * _U(10_000) + (x >> _U(32))) & _HALF
    return x, good


def numbers_at(data: Bytes, words: Words, at: Ints, length: Ints) -> Ints:
    """Unsigned numbers in decimal; `MISSING` for what is none, clipped beyond int64."""
    short = np.clip(length, 1, 8)
    value, good = digits_of(word_at(words, at), short)
    found = np.where(good, value.view(np.int64), MISSING)
    for i in np.flatnonzero((length > 8) | (length < 1)):
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
    days, good = days_of(word_at(words, at))
    found, clock_good = clock_of(word_at(words, at + 9))
    good &= clock_good & (data[at + 8] == 0x2D)
    found += days * _DAY_SECONDS
    found *= NANOSECONDS
    if (length == length[0]).all():
        fraction, sure = _fraction(data, words, at + 17, int(length[0]) - 18)
        found += fraction
        good &= sure
    else:
        sure = np.zeros(len(at), np.bool_)
        for one in np.unique(length[(length >= 17) & (length <= 27)]):
            rows = np.flatnonzero(length == one)
            fraction, sure[rows] = _fraction(data, words, at[rows] + 17, int(one) - 18)
            found[rows] += fraction
        good &= sure
    for i in np.flatnonzero(~good):
        found[i] = time(data[at[i] : at[i] + length[i]].tobytes())
    return found


def clock_of(word: Words) -> tuple[Ints, Bools]:
    """Seconds since midnight of HH:MM:SS, and whether that is a time; second 60 is one."""
    hours, a = _two(word, 0)
    minutes, b = _two(word, 24)
    seconds, c = _two(word, 48)
    good = a & b & c & ((word & _COLONS) == _COLONS_AT)
    good &= (hours < 24) & (minutes < 60) & (seconds <= 60)
    return hours * 3600 + minutes * 60 + seconds, good


def _two(word: Words, shift: int) -> tuple[Ints, Bools]:
    tens = ((word >> _U(shift)) & _U(0xFF)) ^ _U(0x30)
    ones = ((word >> _U(shift + 8)) & _U(0xFF)) ^ _U(0x30)
    value = (tens * _U(10) + ones).view(np.int64)
    return value, (tens <= 9) & (ones <= 9)


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


def _fraction(data: Bytes, words: Words, dot: Ints, digits: int) -> tuple[Any, Any]:
    """Nanoseconds that a dot and `digits` digits write, and whether they are that."""
    if digits == -1:
        return 0, True
    if not 1 <= digits <= 9:
        return 0, False
    value, good = fraction_of(words, dot + 1, digits)
    return value, good & (data[dot] == 0x2E)


def fraction_of(words: Words, at: Ints, digits: int) -> tuple[Ints, Bools]:
    """Nanoseconds that 1 to 9 digits write, and whether they are digits."""
    value, good = digits_of(word_at(words, at), np.int64(min(digits, 8)))
    if digits == 9:
        ninth = (word_at(words, at + 8) & _U(0xFF)) ^ _U(0x30)
        good &= ninth <= 9
        value = value * _U(10) + ninth
    return value.view(np.int64) * 10 ** (9 - digits), good
