"""What shows that a message is right, for many messages at once."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt

from fixlab.logs._names import Names
from fixlab.logs._words import Ints, Text

SLACK = 64  # longer messages than that are left to the exact reader, and those near to it
_VERSIONS_MAX = 8  # distinct BeginStrings in a block that are taken

Codes = npt.NDArray[np.int32]


def begin_strings(text: Text, ends: Ints, names: Names) -> tuple[Ints, Codes]:
    """Where the message begins whose BeginString(8) ends there, or -1; and its code."""
    view = text.view
    start = np.full(len(ends), -1, np.int64)
    code = np.zeros(len(ends), np.int32)
    word = text.words[ends - 8]
    left = np.arange(len(ends))
    for _ in range(_VERSIONS_MAX):
        if len(left) == 0:
            break
        version = word[left[0]]
        same = word[left] == version
        rows, left = left[same], left[~same]
        found = int(version).to_bytes(8, "little")
        if re.fullmatch(rb"=FIX\.[0-9]\.[0-9]", found):
            rows = rows[view[ends[rows] - 9] == 0x38]
            start[rows], name = ends[rows] - 9, found[1:]
        elif re.fullmatch(rb"FIXT\.[0-9]\.[0-9]", found):
            rows = rows[(view[ends[rows] - 9] == 0x3D) & (view[ends[rows] - 10] == 0x38)]
            start[rows], name = ends[rows] - 10, found
        else:
            continue
        if len(rows):
            code[rows] = names.code(name)
    return start, code


def sums(text: Text, start: Ints, trailer: Ints) -> npt.NDArray[np.uint8]:
    """The sum of the bytes of each message before its trailer; there is at least one."""
    places = np.empty(2 * len(start), np.int64)
    places[::2] = start
    places[1::2] = trailer
    return np.add.reduceat(text.view, places, dtype=np.uint8)[::2]
