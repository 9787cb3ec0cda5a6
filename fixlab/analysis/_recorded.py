"""A `transitions` frame as the messages that its sessions sent and got.

Each session kept its own record, so each is a session of its own here, seen from its side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab.errors import SchemaError
from fixlab.frames import ARRIVALS, DEPARTURES, MISSING, TRANSITIONS, check, codes, numbers
from fixlab.session.transitions import TransitionKind as Kind

Rows = npt.NDArray[np.int64]

_KINDS = list(Kind)
_IN = np.isin(_KINDS, [kind for kind in ARRIVALS if kind is not Kind.GARBLED])
_OUT = np.isin(_KINDS, DEPARTURES)


def messages_of(frame: Any) -> tuple[pd.DataFrame, Rows] | None:
    """The messages in a `transitions` frame, and their rows in it; None for another frame.

    Raises `SchemaError` when it is one, but not a sound one.
    """
    frame = frame_of(frame)
    if "kind" not in frame.columns:
        return None
    frame = check(frame, TRANSITIONS)
    kind = codes(frame, "kind")
    numbered = frame["msg_seq_num"].notna().to_numpy()
    chosen = (_IN[kind] | _OUT[kind]) & numbered
    chosen[_released(frame, kind)] = False
    rows = np.flatnonzero(chosen)
    return _messages(frame, rows, kind), rows


def frame_of(frame: Any) -> pd.DataFrame:
    """The frame itself, or the one of a log that was read.

    Raises `SchemaError` when it is neither.
    """
    frame = getattr(frame, "frame", frame) if not isinstance(frame, pd.DataFrame) else frame
    if not isinstance(frame, pd.DataFrame):
        raise SchemaError(
            "expected a frame of schema messages or transitions, or a log, "
            f"found {type(frame).__name__}"
        )
    return frame


def _released(frame: pd.DataFrame, kind: Rows) -> list[int]:
    """Rows on messages that were held before: they came once, and are decided on twice.

    Of a gap fill the second row is the one that knows its range, so it stays.
    """
    held = kind == _KINDS.index(Kind.HELD)
    if not held.any():
        return []
    session, number = codes(frame, "session"), numbers(frame, "msg_seq_num")
    later = np.isin(kind, [_KINDS.index(k) for k in (Kind.ACCEPTED, Kind.REJECTED)])
    waiting: set[tuple[int, int]] = set()
    dup = frame["poss_dup"].to_numpy(np.bool_)
    found = []
    for row in np.flatnonzero(held | (later & ~dup)).tolist():
        key = (int(session[row]), int(number[row]))
        if held[row]:
            waiting.add(key)
        elif key in waiting:
            waiting.discard(key)
            found.append(row)
    return found


def _messages(frame: pd.DataFrame, rows: Rows, kind: Rows) -> pd.DataFrame:
    part = frame.iloc[rows]
    what = kind[rows]
    msg_type = part["msg_type"].astype("str").to_numpy(object)
    out = _OUT[what]
    begin, end = numbers(part, "begin_seq_no"), numbers(part, "end_seq_no")
    of = {k: what == _KINDS.index(k) for k in (Kind.GAP_FILLED, Kind.FILL_SENT, Kind.RESET_IN)}
    fills = of[Kind.GAP_FILLED] | of[Kind.FILL_SENT]
    new = np.full(len(rows), MISSING)
    new[fills] = end[fills] + 1
    new[of[Kind.RESET_IN]] = numbers(part, "next_in")[of[Kind.RESET_IN]]
    requests = msg_type == "2"
    # A fill that waits tells nothing of its range yet.
    msg_type[(msg_type == "4") & (new == MISSING)] = "0"
    ours, theirs = _sides(part)
    nobody = np.full(len(rows), MISSING)
    return pd.DataFrame(
        {
            "time": part["time"].array,
            "session": part["session"].array,
            "direction": pd.Categorical(np.where(out, "out", "in"), categories=["in", "out"]),
            "sender": pd.Categorical(np.where(out, ours, theirs)),
            "msg_type": pd.Categorical(msg_type),
            "msg_seq_num": part["msg_seq_num"].array,
            "poss_dup": part["poss_dup"].array,
            "begin_seq_no": _column(np.where(requests, begin, MISSING)),
            "end_seq_no": _column(np.where(requests, end, MISSING)),
            "new_seq_no": _column(new),
            "next_expected": _column(nobody),
            "heart_bt_int": _column(nobody),
            "gap_fill": fills,
            "reset": (msg_type == "A") & _reset_steps(frame, kind)[rows],
            "test_req_id": pd.Categorical([""] * len(rows)),
            "text": part["text"].astype("category").array,
            "valid": np.ones(len(rows), np.bool_),
            "defect": pd.Categorical([""] * len(rows)),
        }
    )


def _column(values: Rows) -> Any:
    return pd.arrays.IntegerArray(values, values == MISSING)


def _sides(part: pd.DataFrame) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Own and other CompID of each row, out of Session.id."""
    names = [str(name) for name in part["session"].cat.categories]
    pairs = [name.split(":", 1)[-1].partition("->") for name in names]
    code = codes(part, "session")
    ours = np.array([pair[0] for pair in pairs], object)
    theirs = np.array([pair[2] for pair in pairs], object)
    return ours[code], theirs[code]


def _reset_steps(frame: pd.DataFrame, kind: Rows) -> npt.NDArray[np.bool_]:
    """Rows of a step in which both counters began anew."""
    session, step = codes(frame, "session"), numbers(frame, "step")
    resets: npt.NDArray[np.bool_] = kind == _KINDS.index(Kind.RESET_BOTH)
    if not resets.any():
        return resets
    width = int(step.max()) + 1
    key = session * width + step
    return np.asarray(np.isin(key, key[resets]), np.bool_)
