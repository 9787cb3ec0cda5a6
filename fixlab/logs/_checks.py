"""What shows that a message is right, for many messages at once."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from fixlab.logs._names import Names
from fixlab.logs._words import Bytes, Ints, Text

SLACK = 64  # longer messages than that are left to the exact reader, and those near to it
TRAILER = 0x3D303100  # a delimiter of one byte (the lowest), and "10="
_VERSIONS_MAX = 8  # distinct BeginStrings in a block that are taken

Codes = npt.NDArray[np.int32]


def begin_strings(text: Text, ends: Ints, names: Names) -> tuple[Ints, Codes]:
    """Where the message begins whose BeginString(8) ends there, or -1; and its code."""
    word = text.words[ends - 8]
    if len(ends) and (word == word[0]).all():
        return _of_version(text.view, ends, int(word[0]), names)
    start = np.full(len(ends), -1, np.int64)
    code = np.zeros(len(ends), np.int32)
    left = np.arange(len(ends))
    for _ in range(_VERSIONS_MAX):
        if len(left) == 0:
            break
        version = word[left[0]]
        same = word[left] == version
        rows, left = left[same], left[~same]
        start[rows], code[rows] = _of_version(text.view, ends[rows], int(version), names)
    return start, code


def _of_version(view: Bytes, ends: Ints, word: int, names: Names) -> tuple[Ints, Codes]:
    """The same for those that end with one word."""
    version = word.to_bytes(8, "little")
    if re.fullmatch(rb"=FIX\.[0-9]\.[0-9]", version):
        start, name = ends - 9, version[1:]
        good = view.take(start) == 0x38
    elif re.fullmatch(rb"FIXT\.[0-9]\.[0-9]", version):
        start, name = ends - 10, version
        good = (view.take(start) == 0x38) & (view.take(start + 1) == 0x3D)
    else:
        return np.full(len(ends), -1, np.int64), np.zeros(len(ends), np.int32)
    code = names.code(name) if good.any() else 0
    start[~good] = -1
    return start, np.where(good, np.int32(code), np.int32(0))


def sums(text: Text, start: Ints, trailer: Ints) -> npt.NDArray[np.uint8]:
    """The sum of the bytes of each message before its trailer; there is at least one."""
    places = np.empty(2 * len(start), np.int64)
    places[::2] = start
    places[1::2] = trailer
    return np.add.reduceat(text.view, places, dtype=np.uint8)[::2]
