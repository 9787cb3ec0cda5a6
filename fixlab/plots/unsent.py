"""Which queued messages will never leave: what the event `Dropped` tells, seen in a frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from fixlab.session.transitions import TransitionKind as Kind

_TOLD = (Kind.QUEUED, Kind.RESENT, Kind.FILL_SENT, Kind.RESET_BOTH, Kind.IGNORED)


class Unsent(NamedTuple):
    """Numbers `begin` to `end` were queued; the row at position `at` says they never leave."""

    at: int
    begin: int
    end: int


def never_sent(transitions: pd.DataFrame) -> list[Unsent]:
    """Queued numbers that a reset dropped (SCH-04) or a gap fill passed over (RSP-09).

    Parameters: `transitions`, rows of that schema in the order of their recording.
    Returns one `Unsent` for each run of numbers, in the order of the rows.
    """
    kind = transitions["kind"].astype(str).to_numpy()
    if not np.isin(kind, (Kind.QUEUED.value, Kind.IGNORED.value)).any():
        return []
    at = np.flatnonzero(np.isin(kind, [told.value for told in _TOLD]))
    rows = transitions.iloc[at]
    numbers = (
        rows[name].astype("Int64").fillna(-1).astype("int64").tolist()
        for name in ("msg_seq_num", "begin_seq_no", "end_seq_no")
    )
    sessions, rules = (rows[name].astype(str).tolist() for name in ("session", "rule"))
    waiting: dict[str, list[tuple[int, int]]] = {}
    found: list[Unsent] = []
    for position, what, session, rule, number, begin, end in zip(
        at.tolist(), kind[at].tolist(), sessions, rules, *numbers, strict=True
    ):
        runs = waiting.setdefault(session, [])
        if what == Kind.QUEUED:
            if runs and runs[-1][1] == number - 1:
                runs[-1] = (runs[-1][0], number)
            else:
                runs.append((number, number))
        elif what == Kind.IGNORED:
            if rule == "SCH-04" and begin > 0:
                found.append(Unsent(position, begin, end))
        elif what == Kind.RESET_BOTH:
            runs.clear()
        elif runs and what == Kind.RESENT:
            waiting[session] = _without(runs, number, number)
        elif runs:
            found += [
                Unsent(position, max(first, begin), min(last, end))
                for first, last in runs
                if first <= end and begin <= last
            ]
            waiting[session] = _without(runs, begin, end)
    return found


def _without(runs: list[tuple[int, int]], begin: int, end: int) -> list[tuple[int, int]]:
    """The runs less the numbers `begin` to `end`."""
    parts = [
        part
        for first, last in runs
        for part in ((first, min(last, begin - 1)), (max(first, end + 1), last))
        if part[0] <= part[1]
    ]
    return list(dict.fromkeys(parts))
