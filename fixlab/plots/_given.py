"""What a plot of an analysis was given: the frame to draw, and the log around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab.frames import MISSING, Schema, check, codes, nanoseconds

Ints = npt.NDArray[np.int64]


class Given(NamedTuple):
    """A frame of an analysis; the time that was looked at, and the sessions in it."""

    table: pd.DataFrame
    span: tuple[int, int] | None  # None: no message has a time
    sessions: tuple[str, ...]  # () when only the table was given
    recorded: bool  # the log is a `transitions` frame: each session is one end's own record


def given(log_or_frame: Any, schema: Schema, find: Callable[[Any], pd.DataFrame]) -> Given:
    """`log_or_frame` itself where it is of `schema`, else what `find` makes of it.

    Raises `SchemaError` when it is neither.
    """
    frame = getattr(log_or_frame, "frame", log_or_frame)
    if isinstance(frame, pd.DataFrame) and is_of(frame, schema):
        table = check(frame, schema)
        times = [nanoseconds(table, each.name) for each in schema.columns if _is_time(each)]
        return Given(table, span_of(*times), (), recorded=False)
    table = find(log_or_frame)
    return Given(
        table,
        span_of(nanoseconds(frame, "time")),
        sessions_of(frame),
        recorded="kind" in frame.columns,
    )


def is_of(frame: pd.DataFrame, schema: Schema) -> bool:
    """Whether `frame` has all columns of `schema`."""
    return all(column.name in frame.columns for column in schema.columns)


def _is_time(column: Any) -> bool:
    return str(column.dtype).startswith("datetime64")


def span_of(*times: Ints) -> tuple[int, int] | None:
    """The first and the last of many times; None when none is known."""
    ends = []
    for each in times:
        if not len(each) or each.max() == MISSING:
            continue
        # What is missing is the least number there is: made the greatest, it is no first.
        known = np.where(each == MISSING, each.max(), each) if each.min() == MISSING else each
        ends += [int(known.min()), int(each.max())]
    return (min(ends), max(ends)) if ends else None


def sessions_of(frame: pd.DataFrame) -> tuple[str, ...]:
    """The sessions that occur in a log or a record, in the order of its categories."""
    of_row = codes(frame, "session")
    names = [str(name) for name in frame["session"].cat.categories]
    found = np.bincount(of_row[of_row >= 0], minlength=len(names))
    return tuple(name for name, count in zip(names, found, strict=True) if count and name)


def ends_of(session: str) -> tuple[str, str]:
    """Own and other CompID of a session id; the id and "" where it is none."""
    own, arrow, other = session.split(":", 1)[-1].partition("->")
    return (own, other) if arrow else (session, "")
