"""intervals(): how long each side was silent, against what Heartbeats promise."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab.analysis._events import Kind, Reconstruction
from fixlab.analysis._once import once
from fixlab.analysis._reconstruct import reconstruct
from fixlab.analysis._recorded import frame_of, messages_of
from fixlab.analysis._rows import grouped, milliseconds, taken
from fixlab.frames import INTERVALS, MISSING, build, categorical, codes, nanoseconds, numbers

Ints = npt.NDArray[np.int64]

_ENDED_BY = INTERVALS["ended_by"].categories or ()
_NONE = np.empty(0, np.int64)
# Silences of a smaller share of HeartBtInt(108) matter to nobody.
_SHARE = 0.9


class _Part(NamedTuple):
    """Silences of one direction; rows are positions in the frame."""

    before: Ints
    row: Ints
    ended_by: Ints
    connection: Ints
    heartbeat: Ints


def intervals(frame: Any) -> pd.DataFrame:
    """One row for each silence of a side that the rules of Heartbeats are about.

    Those are silences that a Heartbeat or TestRequest ended, and all that reached nine tenths
    of HeartBtInt(108), up to the end of the connection. Silence is between two messages of one
    side in one connection; `heart_bt_int` is what its Logons say, NA when the log has none.

    Parameters: a `messages` frame, a `Log`, or a `transitions` frame (which has no HeartBtInt).

    Returns a frame of schema `fixlab.frames.INTERVALS`, in the order in which they ended.

    Raises `SchemaError` for another frame.

    Source: HBT-01 to HBT-05.
    """
    made = reconstruct(frame)
    whole = frame_of(frame)
    recorded = messages_of(whole)
    found, rows = recorded or (once(whole).frame, np.arange(len(whole)))
    log = _Log(found, rows, made)
    parts = [(one, log.silences(one.session, one.sender)) for one in made.directions]
    return _table(whole, made, parts)


class _Log:
    """The columns, and where connections begin and end in them."""

    def __init__(self, found: pd.DataFrame, rows: Ints, made: Reconstruction) -> None:
        self._rows = rows
        self._session, self._sender = codes(found, "session"), codes(found, "sender")
        self._sessions = _codes_of(found["session"])
        self._senders = _codes_of(found["sender"])
        self._time = nanoseconds(found, "time")
        self._type = codes(found, "msg_type")
        self._types = [str(name) for name in found["msg_type"].cat.categories]
        ids = found["test_req_id"].array
        named = np.array([*(bool(text) for text in ids.categories), False], np.bool_)
        self._has_id = named[ids.codes]
        valid = found["valid"].to_numpy(np.bool_)
        self._heartbeat = numbers(found, "heart_bt_int")
        # Sorted once, however many sessions there are.
        self._of_side = grouped(
            self._session * len(self._senders) + self._sender, valid & (self._time != MISSING)
        )
        self._logons = grouped(self._session, valid & (self._heartbeat != MISSING))
        self._began: dict[str, list[int]] = {}
        for event in made.of(Kind.CONNECTED):
            self._began.setdefault(event.session, []).append(event.row)
        # The last row of each connection, where it did not end in an orderly way.
        self._broken: dict[str, list[int]] = {}
        for event in made.of(Kind.ENDED):
            if event.cause in ("cut", "log_end", "half"):
                self._broken.setdefault(event.session, []).append(event.row)

    def silences(self, session: str, sender: str) -> _Part:
        """Those of one direction."""
        code = self._sessions[session]
        at = self._of_side.get(code * len(self._senders) + self._senders[sender], _NONE)
        began = np.array(self._began.get(session, []), np.int64)
        connection = np.searchsorted(began, self._rows[at], "right")
        logons = self._logons.get(code, _NONE)
        which = np.searchsorted(logons, at, "right") - 1
        told = taken(self._heartbeat, np.where(which >= 0, np.append(logons, 0)[which], -1))
        before, after = at[:-1], at[1:]
        same = connection[1:] == connection[:-1]
        part = self._chosen(before, after, told[1:], same)
        tail = self._tail(session, at, connection, told)
        heart = np.concatenate([told[1:][part], tail[2]])
        return _Part(
            self._rows[np.concatenate([before[part], tail[0]])],
            np.concatenate([self._rows[after[part]], tail[1]]),
            np.concatenate([self._how(after[part]), np.full(len(tail[0]), 4)]),
            np.concatenate([connection[1:][part], tail[3]]),
            heart,
        )

    def _chosen(self, before: Ints, after: Ints, told: Ints, same: Any) -> Any:
        silence = self._time[after] - self._time[before]
        limit = np.where(told > 0, told * 1e9 * _SHARE, np.inf)
        how = self._how(after)
        return same & ((silence >= limit) | (how <= 2))

    def _how(self, rows: Ints) -> Ints:
        """Codes into `_ENDED_BY`."""
        lut = np.full(len(self._types) + 1, 3, np.int64)
        for code, name in enumerate(self._types):
            lut[code] = {"0": 0, "1": 2}.get(name, 3)
        how: Ints = lut[self._type[rows]]
        how[(how == 0) & self._has_id[rows]] = 1
        return how

    def _tail(self, session: str, at: Ints, connection: Ints, told: Ints) -> list[Any]:
        """From the last message of a connection to its end, where that was too long."""
        found: list[tuple[int, int, int, int]] = []
        for end in self._broken.get(session, []):
            place = int(np.searchsorted(self._rows[at], end, "right")) - 1
            last = int(np.searchsorted(self._rows, end))
            if place < 0 or self._rows[at[place]] == end or self._time[last] == MISSING:
                continue
            heart = int(told[place])
            silence = self._time[last] - self._time[at[place]]
            if heart > 0 and silence >= heart * 1e9 * _SHARE:
                found.append((int(at[place]), end, heart, int(connection[place])))
        return [np.array(column, np.int64) for column in zip(*found, strict=True)] or [
            np.empty(0, np.int64)
        ] * 4


def _codes_of(column: Any) -> dict[str, int]:
    return {str(name): code for code, name in enumerate(column.cat.categories)}


def _table(
    frame: pd.DataFrame, made: Reconstruction, parts: list[tuple[Any, _Part]]
) -> pd.DataFrame:
    columns = [
        np.concatenate([part[i] for _, part in parts]) if parts else np.empty(0, np.int64)
        for i in range(5)
    ]
    owner = np.repeat(np.arange(len(parts)), [len(part.row) for _, part in parts])
    order = np.argsort(columns[1], kind="stable")
    before, row, ended_by, connection, heartbeat = (column[order] for column in columns)
    owner = owner[order]
    time = nanoseconds(frame, "time")
    asked = {event.row: event.other for event in made.of(Kind.PROBE_ANSWERED)}
    probe = np.array([asked.get(r, -1) for r in row.tolist()], np.int64)
    began, ended = time[before], time[row]
    tested = taken(time, probe)
    ones = [one for one, _ in parts]
    return build(
        INTERVALS,
        {
            "session": [ones[i].session for i in owner.tolist()],
            "sender": [ones[i].sender for i in owner.tolist()],
            "connection": connection,
            "began": began,
            "ended": ended,
            "row": row,
            "ended_by": categorical(ended_by, _ENDED_BY),
            "silence_seconds": (ended - began) / 1e9,
            "heart_bt_int": heartbeat,
            "tested": tested,
            "answer_ms": milliseconds(tested, ended),
        },
    )
