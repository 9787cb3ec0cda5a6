"""gaps() of a log: its events, gathered by gap."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab.analysis._events import Event, Kind
from fixlab.analysis._reconstruct import reconstruct
from fixlab.analysis._recovery_events import Ends, Usual
from fixlab.analysis._rows import milliseconds, taken
from fixlab.analysis._streams import numbers_at
from fixlab.frames import GAPS, HOW_CLOSED, build, categorical, nanoseconds, renamed

Ints = npt.NDArray[np.int64]


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
    for event in made.odd:
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
    assert made.usual is None or isinstance(made.usual, Usual)
    return _table(frame, _columns(list(found.values()), made.usual))


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


class _Columns(NamedTuple):
    """What is known of each gap; rows are -1 where there is none."""

    ends: Ints  # code of the direction
    names: list[str]  # Session.id by code
    gap: Ints
    opened: Ints
    begin: Ints
    end: Ints
    requests: Ints
    requested: Ints
    closed: Ints
    resent: Ints
    filled: Ints
    held: Ints
    how: Ints


def _columns(gaps: list[_Gap], usual: Usual | None) -> _Columns:
    """The gaps of both kinds, in the order in which they opened."""
    names: dict[str, int] = {}
    parts = [_of_odd(gaps, names)]
    if usual is not None:
        parts.append(_of_usual(usual, names))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[2], kind="stable")
    ends, *rest = (column[order] for column in columns)
    return _Columns(ends, list(names), *rest)


def _of_odd(gaps: list[_Gap], names: dict[str, int]) -> list[Ints]:
    def of(values: Iterable[int | None]) -> Ints:
        return np.array(list(values), np.int64)

    return [
        of(names.setdefault(_session(gap.opened), len(names)) for gap in gaps),
        of(gap.opened.gap for gap in gaps),
        of(gap.opened.row for gap in gaps),
        of(gap.begin for gap in gaps),
        of(gap.end for gap in gaps),
        of(gap.requests for gap in gaps),
        of(gap.requested for gap in gaps),
        of(gap.closed for gap in gaps),
        of(gap.resent for gap in gaps),
        of(gap.filled for gap in gaps),
        of(gap.held for gap in gaps),
        of(HOW_CLOSED.index(gap.how) for gap in gaps),
    ]


def _of_usual(usual: Usual, names: dict[str, int]) -> list[Ints]:
    found = usual.found
    codes = np.zeros(max(usual.ends, default=-1) + 1, np.int64)
    for stream, end in usual.ends.items():
        codes[stream] = names.setdefault(_session(end), len(names))
    how = np.where(
        usual.filled == 0,
        HOW_CLOSED.index("resent"),
        np.where(usual.resent == 0, HOW_CLOSED.index("gap_filled"), HOW_CLOSED.index("mixed")),
    )
    return [
        codes[found.stream],
        usual.account.gap,
        usual.opened_row,
        found.begin,
        found.end,
        (found.request >= 0).astype(np.int64),
        usual.request_row,
        usual.closed_row,
        usual.resent,
        usual.filled,
        usual.held,
        how,
    ]


def _table(frame: pd.DataFrame, found: _Columns) -> pd.DataFrame:
    time = nanoseconds(frame, "time")
    noticed, closed = time[found.opened], taken(time, found.closed)
    types = [str(name) for name in frame["msg_type"].cat.categories]
    return build(
        GAPS,
        {
            "session": renamed(found.ends, found.names),
            "gap": found.gap,
            "begin_seq_no": found.begin,
            "end_seq_no": found.end,
            "count": found.end - found.begin + 1,
            "noticed": noticed,
            "noticed_by": numbers_at(frame, "msg_seq_num", found.opened),
            "noticed_msg_type": renamed(
                np.asarray(frame["msg_type"].array.codes)[found.opened], [*types, ""]
            ),
            "requests": found.requests,
            "requested": taken(time, found.requested),
            "closed": closed,
            "how": categorical(found.how, HOW_CLOSED),
            "resent": found.resent,
            "filled": found.filled,
            "held": found.held,
            "duration_ms": milliseconds(noticed, closed),
        },
    )


def _session(ends: Event | Ends) -> str:
    """Session.id of the side that missed the numbers."""
    version = ends.session.split(":", 1)[0]
    return f"{version}:{ends.receiver}->{ends.sender}"
