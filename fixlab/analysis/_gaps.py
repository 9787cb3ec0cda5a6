"""gaps(): one row for each gap in the numbers that a session received."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab.analysis._log_gaps import gaps_of_log
from fixlab.analysis._recorded import frame_of
from fixlab.errors import ConfigError
from fixlab.frames import (
    GAPS,
    HOW_CLOSED,
    MISSING,
    TRANSITIONS,
    build,
    categorical,
    check,
    codes,
    nanoseconds,
    numbers,
)
from fixlab.session.transitions import TransitionKind as Kind

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Rows that say how far a gap reaches; the ranges of requests and fills may reach further.
_EXTENT = (Kind.GAP_OPENED, Kind.HELD)


def gaps(frame: Any, *, expected_start: Mapping[str, int] | None = None) -> pd.DataFrame:
    """One row for each gap of each session, in the order in which they appear.

    Parameters
    - `frame`: a `messages` frame or a `Log`; or a `transitions` frame, or any selection of
      its rows in their order.
    - `expected_start`: of a log only: CompID -> the first MsgSeqNum(34) due from it.

    Returns: a frame of schema `fixlab.frames.GAPS`. Of a log both directions are looked at, and
    `session` is the one of the side that missed the numbers, its own CompID first. Where the
    log shows that they left, a gap is what that side asked for.

    Of a `transitions` frame only rows that belong to a gap are looked at. When it begins within
    a gap, the gap's beginning is missing and its range is what the remaining rows say. A gap
    that its connection took along is "abandoned"; when it shows again at the next Logon, that
    is another row. A step below the one before it shows that the session was made anew: its
    gaps count from 1 again, and are rows of their own.

    Raises `SchemaError` for another frame, `ConfigError` for a wrong `expected_start`.

    Source: SEQ-05, RRQ-05, RRQ-09, SQR-02, SQR-07.
    """
    frame = frame_of(frame)
    if "kind" not in frame.columns and "msg_type" in frame.columns:
        return gaps_of_log(frame, expected_start)
    frame = check(frame, TRANSITIONS)
    if expected_start:
        raise ConfigError("expected_start: of a transitions frame all numbers are known")
    about_gaps = frame["gap"].notna().to_numpy()
    # Of all rows: between the gaps of two lives there may be none that is about a gap.
    return _table(_Rows.of(frame[about_gaps], _lives(frame)[about_gaps]))


def _lives(frame: pd.DataFrame) -> Ints:
    """A number for each row that differs between the lives of its session.

    Within one life steps never fall, whatever rows are left out.
    """
    session, step = codes(frame, "session"), numbers(frame, "step")
    order = np.argsort(session, kind="stable")
    of_session, of_step = session[order], step[order]
    anew = np.zeros(len(order), np.int64)
    anew[1:] = (of_step[1:] < of_step[:-1]) & (of_session[1:] == of_session[:-1])
    lives = np.empty(len(order), np.int64)
    lives[order] = np.cumsum(anew)
    return lives


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows that belong to a gap, as arrays; `group` numbers the gaps from 0."""

    session: Ints  # codes into `sessions`, as are the next ones
    sessions: list[str]
    gap: Ints
    group: Ints
    groups: int
    kind: Ints
    time: Ints
    msg_type: Ints
    msg_types: list[str]
    msg_seq_num: Ints
    poss_dup: Bools
    begin: Ints
    end: Ints
    next_in: Ints

    @classmethod
    def of(cls, rows: pd.DataFrame, life: Ints) -> _Rows:
        session = codes(rows, "session")
        gap = numbers(rows, "gap")
        # By session, life and gap; `pairs` tells the group of each row, in order of appearance.
        pairs = pd.factorize(pd.MultiIndex.from_arrays([session, life, gap]))
        return cls(
            session=session,
            sessions=[str(name) for name in rows["session"].cat.categories],
            gap=gap,
            group=np.asarray(pairs[0], np.int64),
            groups=len(pairs[1]),
            kind=codes(rows, "kind"),
            time=nanoseconds(rows, "time"),
            msg_type=codes(rows, "msg_type"),
            msg_types=[str(name) for name in rows["msg_type"].cat.categories],
            msg_seq_num=numbers(rows, "msg_seq_num"),
            poss_dup=rows["poss_dup"].to_numpy(np.bool_),
            begin=numbers(rows, "begin_seq_no"),
            end=numbers(rows, "end_seq_no"),
            next_in=numbers(rows, "next_in"),
        )

    def having(self, *kinds: Kind) -> Bools:
        """Which rows are of one of `kinds`."""
        return np.isin(self.kind, [list(Kind).index(kind) for kind in kinds])

    def count(self, chosen: Bools) -> Ints:
        """Chosen rows of each gap."""
        return np.bincount(self.group[chosen], minlength=self.groups).astype(np.int64)

    def first(self, chosen: Bools) -> Ints:
        """Position of the first chosen row of each gap; -1 without one."""
        where = np.full(self.groups, -1, np.int64)
        group, at = np.unique(self.group[chosen], return_index=True)
        where[group] = np.flatnonzero(chosen)[at]
        return where


def _table(rows: _Rows) -> pd.DataFrame:
    everything = np.ones(len(rows.group), np.bool_)
    of_gap = rows.first(everything)
    opened = rows.first(rows.having(Kind.GAP_OPENED))
    asked = rows.having(Kind.RESEND_REQUESTED)
    begin, end = _extent(rows)
    # SQR-07: a reset that stops within the gap leaves it open.
    beyond = rows.next_in > end[rows.group]
    reset = rows.having(Kind.RESET_BOTH) | (rows.having(Kind.RESET_IN) & beyond)
    ended = rows.first(reset | rows.having(Kind.GAP_CLOSED, Kind.GAP_ABANDONED))
    resent = rows.count(rows.having(Kind.ACCEPTED) & rows.poss_dup)
    filled = _filled(rows, begin, end)
    noticed = _taken(rows.time, opened)
    closed = _taken(rows.time, ended)
    known = (noticed != MISSING) & (closed != MISSING)
    duration = np.full(rows.groups, np.nan)
    duration[known] = (closed[known] - noticed[known]) / 1e6
    return build(
        GAPS,
        {
            "session": [rows.sessions[code] for code in rows.session[of_gap]],
            "gap": rows.gap[of_gap],
            "begin_seq_no": begin,
            "end_seq_no": end,
            "count": end - begin + 1,
            "noticed": noticed,
            "noticed_by": _taken(rows.msg_seq_num, opened),
            "noticed_msg_type": [
                "" if at < 0 else rows.msg_types[rows.msg_type[at]] for at in opened
            ],
            "requests": rows.count(asked),
            "requested": _taken(rows.time, rows.first(asked)),
            "closed": closed,
            "how": categorical(_how(rows, ended, reset, resent, filled), HOW_CLOSED),
            "resent": resent,
            "filled": filled,
            "held": rows.count(rows.having(Kind.HELD)),
            "duration_ms": duration,
        },
    )


def _extent(rows: _Rows) -> tuple[Ints, Ints]:
    """First and last number of each gap, at its widest."""
    ranged = rows.begin != MISSING
    telling = ranged & rows.having(*_EXTENT)
    # Without a row that tells the extent, fall back on any range that is not open.
    silent = rows.count(telling) == 0
    telling |= ranged & silent[rows.group]
    begin = np.full(rows.groups, np.iinfo(np.int64).max)
    np.minimum.at(begin, rows.group[telling], rows.begin[telling])
    end = np.full(rows.groups, MISSING)
    np.maximum.at(end, rows.group[telling], rows.end[telling])
    # Not even that: the numbers of its messages are all that is known.
    numbered = (rows.msg_seq_num != MISSING) & (rows.count(telling) == 0)[rows.group]
    np.minimum.at(begin, rows.group[numbered], rows.msg_seq_num[numbered])
    np.maximum.at(end, rows.group[numbered], rows.msg_seq_num[numbered])
    begin[begin == np.iinfo(np.int64).max] = 0
    return begin, np.maximum(end, begin)


def _filled(rows: _Rows, begin: Ints, end: Ints) -> Ints:
    """How many numbers of each gap's own range were gap-filled."""
    fills = rows.having(Kind.GAP_FILLED) & (rows.begin != MISSING) & (rows.end != MISSING)
    group = rows.group[fills]
    low = np.maximum(rows.begin[fills], begin[group])
    high = np.minimum(rows.end[fills], end[group])
    total = np.zeros(rows.groups, np.int64)
    np.add.at(total, group, np.maximum(high - low + 1, 0))
    return total


def _how(
    rows: _Rows, ended: Ints, reset: Bools, resent: Ints, filled: Ints
) -> npt.NDArray[np.int8]:
    """Codes into `HOW_CLOSED`; the later a condition stands here, the more it says."""
    code = {how: position for position, how in enumerate(HOW_CLOSED)}
    how = np.full(rows.groups, code["resent"], np.int8)
    how[filled > 0] = code["gap_filled"]
    how[(filled > 0) & (resent > 0)] = code["mixed"]
    how[rows.count(rows.having(Kind.GAP_ABANDONED)) > 0] = code["abandoned"]
    how[rows.count(reset) > 0] = code["reset"]
    how[ended < 0] = code["open"]
    return how


def _taken(values: Ints, positions: Ints) -> Ints:
    """The values at the positions; `MISSING` where the position is -1."""
    taken = np.full(len(positions), MISSING)
    found = positions >= 0
    taken[found] = values[positions[found]]
    return taken
