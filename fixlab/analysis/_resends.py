"""resends(): one row for each ResendRequest, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from fixlab.analysis._events import Event, Kind
from fixlab.analysis._reconstruct import reconstruct
from fixlab.analysis._recorded import frame_of
from fixlab.analysis._rows import milliseconds, taken
from fixlab.frames import MISSING, RESENDS, build, nanoseconds, numbers

_ANSWERS = (Kind.REPLAYED, Kind.REPEATED, Kind.FILLED, Kind.LATE)


def resends(frame: Any, *, expected_start: Mapping[str, int] | None = None) -> pd.DataFrame:
    """One row for each ResendRequest: what it asked, why, and what came of it.

    A Logon whose NextExpectedMsgSeqNum(789) asks for messages is a row too.

    Parameters
    - `frame`: a `messages` frame, a `Log`, or a `transitions` frame.
    - `expected_start`: CompID -> the first MsgSeqNum(34) due from it, where you know it.

    Returns a frame of schema `fixlab.frames.RESENDS`, in the order of the requests: `how` it
    ended, `replayed` messages and `filled` numbers, and in `covered_by` the request before it
    that had asked for all of it already.

    Raises `SchemaError` for another frame, `ConfigError` for a wrong `expected_start`.

    Source: RRQ-01 to RRQ-09, RSP-01 to RSP-08, RSP-15, RSP-17.
    """
    made = reconstruct(frame, expected_start=expected_start)
    frame = frame_of(frame)
    asked = made.of(Kind.ASKED)
    first: dict[int, int] = {}
    for event in made.of(*_ANSWERS):
        if event.request is not None:
            first.setdefault(event.request, event.row)
    over = {e.request: e for e in made.of(Kind.ANSWERED, Kind.UNANSWERED)}
    ends = [over.get(event.request) for event in asked]
    time = nanoseconds(frame, "time")
    row = _array([event.row for event in asked])
    ended = _array([_ended_row(end) for end in ends])
    began, closed = taken(time, row), taken(time, ended)
    return build(
        RESENDS,
        {
            "session": [event.session for event in asked],
            "asked_by": [event.receiver for event in asked],
            "asked_of": [event.sender for event in asked],
            "epoch": [event.epoch for event in asked],
            "connection": [event.connection for event in asked],
            "request": [event.request for event in asked],
            "time": began,
            "row": row,
            "msg_seq_num": numbers(frame[["msg_seq_num"]].iloc[row], "msg_seq_num"),
            "begin_seq_no": _array([event.begin for event in asked]),
            "end_seq_no": _array([event.end for event in asked]),
            "why": [event.cause for event in asked],
            "missing": [event.count for event in asked],
            "covered_by": _array([event.of_request for event in asked]),
            "how": [_how(event, end) for event, end in zip(asked, ends, strict=True)],
            "replayed": [0 if end is None else end.count for end in ends],
            "filled": [0 if end is None else max(end.answered - end.count, 0) for end in ends],
            "live": [0 if end is None else end.live for end in ends],
            "answer": taken(time, _array([first.get(e.request or 0, -1) for e in asked])),
            "ended": closed,
            "ended_row": np.where(ended < 0, MISSING, ended),
            "duration_ms": milliseconds(began, closed),
        },
    )


def _ended_row(end: Event | None) -> int:
    return end.row if end is not None and end.kind is Kind.ANSWERED else -1


def _how(asked: Event, end: Event | None) -> str:
    if end is None:
        return asked.cause if asked.cause in ("invalid", "not_sent") else "unknown"
    return "answered" if end.kind is Kind.ANSWERED else end.cause


def _array(values: list[int | None] | list[int]) -> Any:
    return np.array([MISSING if value is None else value for value in values], np.int64)
