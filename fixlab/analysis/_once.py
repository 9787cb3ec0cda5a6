"""Messages that stand in two files of a log, which count once.

Logs are exported twice, cut out of each other and copied while they grow. What begins with a
copy the reader has left out already; here files only overlap, or one is an extract of others.
A row is the same as another one when all that the frame tells of its message is, its time in
the log included, and it stands in another file: within one file nothing is taken for a copy.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab.analysis._joining import codes_of, nth
from fixlab.frames import MISSING, codes, nanoseconds, numbers

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# In `attrs` of a frame, which its parts inherit: of what it was, its rows no longer tell.
_DONE = "fixlab: each message once"


class Once(NamedTuple):
    """A frame in which rows that count already tell nothing, in their places."""

    frame: pd.DataFrame
    repeated: Bools | None  # which rows those are; None: there are none

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be told of it."""
        return told(0 if self.repeated is None else int(self.repeated.sum()))


def told(count: int) -> tuple[str, ...]:
    """What is to be told of so many rows that count elsewhere."""
    if not count:
        return ()
    return (f"{count:,} rows stand in another file of the log as well, and count once",)


def once(frame: pd.DataFrame) -> Once:
    """A `messages` frame with each message of it once."""
    if frame.attrs.get(_DONE):
        return Once(frame, None)
    repeated = repeated_rows(frame)
    if repeated is None:
        return Once(frame, None)
    blank = frame.copy(deep=False)
    for name in ("session", "sender", "msg_type"):
        column = frame[name]
        if "" not in column.cat.categories:
            column = column.cat.add_categories([""])
        blank[name] = column.mask(repeated, "")
    for name, value in (("valid", True), ("secret", False), ("poss_dup", False)):
        blank[name] = np.where(repeated, value, frame[name].to_numpy(np.bool_))
    blank.attrs[_DONE] = True
    return Once(blank, repeated)


def repeated_rows(frame: pd.DataFrame) -> Bools | None:
    """The rows that count elsewhere; None when there are none.

    Of a direction, a file that has nothing of its own is left out whole, the smallest first;
    of what is then in several, the row in the first of them counts.
    """
    files = len(frame["file"].array.categories)
    if files < 2 or not len(frame):
        return None
    file, time = codes(frame, "file"), nanoseconds(frame, "time")
    if not _overlap(file, time):
        return None
    width = len(frame["sender"].array.categories) + 1
    direction = codes(frame, "session") * width + codes(frame, "sender")
    stretch = direction * files + file  # what a file has of a direction
    rows = _candidates(stretch, files, time)
    if not len(rows):
        return None
    message = _messages(frame.iloc[rows], direction[rows], file[rows])
    gone = _gone(message, stretch[rows], files, stretch)
    if not gone.any():
        return None
    repeated = np.zeros(len(frame), np.bool_)
    repeated[rows[gone]] = True
    return repeated


def _overlap(file: Ints, time: Ints) -> bool:
    """Whether any two files have times in common."""
    starts = np.flatnonzero(np.r_[True, file[1:] != file[:-1]])
    low, high = np.minimum.reduceat(time, starts), np.maximum.reduceat(time, starts)
    if int(low.min()) == MISSING:
        late = np.where(time == MISSING, np.iinfo(np.int64).max, time)
        low = np.minimum.reduceat(late, starts)
    order = np.argsort(low, kind="stable")
    reached = np.maximum.accumulate(high[order])
    return bool((low[order][1:] <= reached[:-1]).any())


def _candidates(stretch: Ints, files: int, time: Ints) -> Ints:
    """The rows at whose time another file has rows of the same direction, too."""
    known = np.flatnonzero(time != MISSING)
    order = known[np.argsort(stretch[known], kind="stable")]
    if not len(order):
        return order
    starts = np.flatnonzero(np.r_[True, np.diff(stretch[order]) != 0])
    low = np.minimum.reduceat(time[order], starts)
    high = np.maximum.reduceat(time[order], starts)
    direction = stretch[order[starts]] // files
    by_begin = np.lexsort((high, low, direction))
    low, high, direction = low[by_begin], high[by_begin], direction[by_begin]
    reached = _reached(direction, high)
    over = np.flatnonzero((direction[1:] == direction[:-1]) & (low[1:] <= reached[:-1])) + 1
    if not len(over):
        return over
    first = np.flatnonzero(np.r_[True, np.diff(direction[over]) != 0])
    found = direction[over[first]]
    begin = np.minimum.reduceat(low[over], first)
    end = np.maximum.reduceat(reached[over - 1], first)
    own = stretch[known] // files
    at = np.minimum(np.searchsorted(found, own), len(found) - 1)
    here = time[known]
    inside: Ints = known[(found[at] == own) & (here >= begin[at]) & (here <= end[at])]
    return inside


def _reached(direction: Ints, high: Ints) -> Ints:
    """The highest so far among those of a direction, which stand together."""
    ranked = np.sort(high)
    rank = np.searchsorted(ranked, high)
    group = np.cumsum(np.r_[0, np.diff(direction) != 0]) * len(high)
    reached: Ints = ranked[np.maximum.accumulate(group + rank) - group]
    return reached


def _messages(part: pd.DataFrame, direction: Ints, file: Ints) -> Ints:
    """One code for each row: equal where the messages are.

    The second of two that are equal in one file is the second in another one, too.
    """
    number = numbers(part, "msg_seq_num")
    columns = [direction, number, *(nanoseconds(part, n) for n in ("time", "sending_time"))]
    columns += [codes(part, name) for name in ("msg_type", "defect")]
    columns += [part[name].to_numpy(np.int64) for name in ("poss_dup", "gap_fill")]
    # Of what cannot be read only its size is known.
    columns.append(np.where(number == MISSING, part["length"].to_numpy(np.int64), 0))
    code = _code(columns)
    return _code([code, nth(_code([code, file]))])


def _code(columns: list[Ints]) -> Ints:
    return codes_of(columns, [column[:0] for column in columns])[0]


def _gone(message: Ints, stretch: Ints, files: int, everything: Ints) -> Bools:
    """Which of some rows count elsewhere; `everything` are the stretches of all rows."""
    held, first_row, place = np.unique(
        message * files + stretch % files, return_index=True, return_inverse=True
    )
    what, file = held // files, held % files
    holders = np.bincount(what)
    if int(holders.max()) < 2:
        return np.zeros(len(message), np.bool_)
    names, of = np.unique(stretch[first_row], return_inverse=True)
    rows = np.bincount(of[place], minlength=len(names))
    known, counts = np.unique(everything, return_counts=True)
    size = counts[np.searchsorted(known, names)]
    order = np.argsort(of, kind="stable")
    bounds = np.searchsorted(of[order], np.arange(len(names) + 1))
    nothing_new = np.minimum.reduceat(holders[what[order]], bounds[:-1]) > 1
    gone = np.zeros(len(held), np.bool_)
    whole = np.flatnonzero(nothing_new & (rows == size))
    # The smallest first, and of equal ones the later: the largest stays, and the first.
    for i in sorted(whole.tolist(), key=lambda i: (size[i], -names[i])):
        own = order[bounds[i] : bounds[i + 1]]
        if bool((holders[what[own]] > 1).all()):
            holders[what[own]] -= 1
            gone[own] = True
    keeper = np.full(len(holders), -1, np.int64)
    left = np.flatnonzero(~gone)[::-1]
    keeper[what[left]] = file[left]  # the first file is written last
    gone |= file != keeper[what]
    return np.asarray(gone[place])
