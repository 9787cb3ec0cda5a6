"""From events back to rows: which row of a run has which number."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab.analysis._events import Event
from fixlab.analysis._once import once
from fixlab.analysis._recorded import messages_of
from fixlab.frames import MISSING, numbers

Ints = npt.NDArray[np.int64]

_TOGETHER = 1 << 20  # rows looked at together
_SPREAD_MAX = 2  # times all rows: runs that together reach over more are looked up by a sort


class Places:
    """Finds the row of each number of a chain of rows."""

    def __init__(self, frame: pd.DataFrame) -> None:
        recorded = messages_of(frame)
        found = once(frame).frame if recorded is None else recorded[0]
        self._rows: Ints | None = None if recorded is None else recorded[1]
        self._number = numbers(found, "msg_seq_num")
        self._session = np.asarray(found["session"].cat.codes)
        self._sender = np.asarray(found["sender"].cat.codes)
        self._sessions = [str(name) for name in found["session"].cat.categories]
        self._senders = [str(name) for name in found["sender"].cat.categories]

    def rows(self, event: Event, values: Ints) -> Ints:
        """The rows of `values` among those of an event; its own row for what has none."""
        found = np.full(len(values), event.row, np.int64)
        if event.last_row == event.row:
            return found
        span = self._span(event)
        here = self._session[span] == self._sessions.index(event.session)
        here &= self._sender[span] == self._senders.index(event.sender)
        rows = np.flatnonzero(here) + span.start
        held = self._number[rows]
        order = np.argsort(held, kind="stable")
        at = np.minimum(np.searchsorted(held[order], values), len(rows) - 1)
        match = held[order][at] == values
        places = rows[order][at][match]
        found[match] = places if self._rows is None else self._rows[places]
        return found

    def _span(self, event: Event) -> slice:
        """The rows of an event, as positions among the messages."""
        if self._rows is None:
            return slice(event.row, event.last_row + 1)
        low, high = np.searchsorted(self._rows, [event.row, event.last_row + 1])
        return slice(int(low), int(high))


def rows_in_runs(
    streams: npt.NDArray[Any], stream: Ints, row: Ints, last_row: Ints, offset: Ints
) -> Ints:
    """The row of the message `offset` places behind the first one of each run.

    `streams` is the direction of all rows; a run is the messages of one direction in
    row..last_row.
    """
    span = last_row - row + 1
    if int(span.sum()) > max(_SPREAD_MAX * len(streams), _TOGETHER):
        return _by_order(streams, stream, row, offset)
    found = np.empty(len(row), np.int64)
    parts = np.searchsorted(np.cumsum(span), np.arange(0, int(span.sum()), _TOGETHER), "right")
    for low, high in pairwise([*dict.fromkeys(parts.tolist()), len(row)]):
        of, rows = ranges(row[low:high], last_row[low:high] + 1)
        match = streams[rows] == stream[low:high][of]
        start = np.searchsorted(of[match], np.arange(high - low))
        found[low:high] = rows[match][start + offset[low:high]]
    return found


def _by_order(streams: npt.NDArray[Any], stream: Ints, row: Ints, offset: Ints) -> Ints:
    """The same from one sort of all rows: where runs lie across each other."""
    order = np.argsort(streams, kind="stable")
    key = streams[order].astype(np.int64) * len(order) + order
    return np.asarray(order[np.searchsorted(key, stream * len(order) + row) + offset])


def ranges(start: Ints, stop: Ints) -> tuple[Ints, Ints]:
    """All integers of each start..stop-1, and which range each is of."""
    count = np.maximum(stop - start, 0)
    of = np.repeat(np.arange(len(start)), count)
    return of, np.arange(len(of)) - np.repeat(np.cumsum(count) - count - start, count)


def taken(values: Ints, rows: Ints) -> Ints:
    """The values at the rows; `MISSING` where the row is -1."""
    result = np.full(len(rows), MISSING)
    known = rows >= 0
    result[known] = values[rows[known]]
    return result


def milliseconds(begin: Any, end: Any) -> Any:
    """From one time to the other; NaN when one of them is missing."""
    length = np.full(len(begin), np.nan)
    known = (begin != MISSING) & (end != MISSING)
    length[known] = (end[known] - begin[known]) / 1e6
    return length


def grouped(key: Ints, chosen: npt.NDArray[np.bool_]) -> dict[int, Ints]:
    """The chosen rows by their key, ascending; from one sort of all of them."""
    rows = np.flatnonzero(chosen)
    if not len(rows):
        return {}
    # Short codes are sorted much faster.
    short = key[rows].astype(np.int16) if key.max() < 1 << 15 else key[rows]
    order = rows[np.argsort(short, kind="stable")]
    parts = np.split(order, np.flatnonzero(np.diff(key[order])) + 1)
    return {int(key[part[0]]): part for part in parts}
