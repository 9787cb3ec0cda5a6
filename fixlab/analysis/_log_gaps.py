"""gaps() of a log: its events, gathered by gap."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fixlab.analysis._events import Event, Kind
from fixlab.analysis._reconstruct import reconstruct
from fixlab.frames import GAPS, MISSING, build, nanoseconds, numbers


@dataclass(slots=True)
class _Gap:
    """One gap while its events go by."""

    opened: Event
    begin: int
    end: int
    requests: int = 0
    requested: int = -1
    closed: int = -1
    resent: int = 0
    filled: int = 0
    late: int = 0
    held: int = 0
    how: str = "open"


def gaps_of_log(frame: pd.DataFrame, expected_start: Mapping[str, int] | None) -> pd.DataFrame:
    """`gaps` of a `messages` frame."""
    made = reconstruct(frame, expected_start=expected_start)
    found: dict[tuple[str, str, int], _Gap] = {}
    for event in made.events:
        if event.gap is None:
            continue
        key = (event.session, event.receiver, event.gap)
        gap = found.get(key)
        if gap is None:
            if event.kind is not Kind.GAP:
                continue  # a request that the gap is noticed by stands right behind it
            assert event.begin is not None
            assert event.end is not None
            gap = found[key] = _Gap(event, event.begin, event.end)
        _take(gap, event)
    return _table(frame, found)


def _take(gap: _Gap, event: Event) -> None:
    if event.kind is Kind.GAP:
        gap.begin = min(gap.begin, event.begin or 0)
        gap.end = max(gap.end, event.end or 0)
    elif event.kind is Kind.EARLY:
        gap.held += event.count
    elif event.kind is Kind.ASKED and event.cause != "next_expected":
        gap.requests += 1
        gap.requested = event.row if gap.requested < 0 else gap.requested
    elif event.kind is Kind.REPLAYED:
        gap.resent += event.count
    elif event.kind is Kind.FILLED:
        gap.filled += event.count
    elif event.kind is Kind.LATE:
        gap.late += event.count
    elif event.kind is Kind.CLOSED:
        gap.closed, gap.how = event.row, _how(gap)
    elif event.kind is Kind.ABANDONED:
        gap.closed = event.row
        gap.how = "reset" if event.cause == "reset" else "abandoned"


def _how(gap: _Gap) -> str:
    if gap.resent and gap.filled:
        return "mixed"
    if gap.resent or gap.filled:
        return "resent" if gap.resent else "gap_filled"
    return "late" if gap.late else "lost"


def _table(frame: pd.DataFrame, found: dict[tuple[str, str, int], _Gap]) -> pd.DataFrame:
    all_gaps = list(found.values())
    opened = [gap.opened for gap in all_gaps]
    time, number = nanoseconds(frame, "time"), numbers(frame, "msg_seq_num")
    row = _array([event.row for event in opened])
    noticed = time[row]
    closed = _at(time, [gap.closed for gap in all_gaps])
    known = (noticed != MISSING) & (closed != MISSING)
    duration = np.full(len(row), np.nan)
    duration[known] = (closed[known] - noticed[known]) / 1e6
    begin, end = _array([gap.begin for gap in all_gaps]), _array([gap.end for gap in all_gaps])
    return build(
        GAPS,
        {
            "session": [_session(event) for event in opened],
            "gap": _array([ordinal for _, _, ordinal in found]),
            "begin_seq_no": begin,
            "end_seq_no": end,
            "count": end - begin + 1,
            "noticed": noticed,
            "noticed_by": number[row],
            "noticed_msg_type": frame["msg_type"].iloc[row].astype("str").tolist(),
            "requests": _array([gap.requests for gap in all_gaps]),
            "requested": _at(time, [gap.requested for gap in all_gaps]),
            "closed": closed,
            "how": [gap.how for gap in all_gaps],
            "resent": _array([gap.resent for gap in all_gaps]),
            "filled": _array([gap.filled for gap in all_gaps]),
            "held": _array([gap.held for gap in all_gaps]),
            "duration_ms": duration,
        },
    )


def _session(event: Event) -> str:
    """Session.id of the side that missed the numbers."""
    version = event.session.split(":", 1)[0]
    return f"{version}:{event.receiver}->{event.sender}"


def _array(values: list[int]) -> Any:
    return np.array(values, np.int64)


def _at(time: Any, rows: list[int]) -> Any:
    where = _array(rows)
    result = np.full(len(where), MISSING)
    result[where >= 0] = time[where[where >= 0]]
    return result
