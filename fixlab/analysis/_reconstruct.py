"""The events of a frame: its items, in order, through one state machine a session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from fixlab.analysis._connections import Session, Special
from fixlab.analysis._events import Direction, Event, Reconstruction
from fixlab.analysis._numbers import Numbers
from fixlab.analysis._recorded import messages_of
from fixlab.analysis._streams import (
    PLAIN,
    SPECIAL,
    Columns,
    Items,
    columns_of,
    items_of,
)
from fixlab.errors import ConfigError
from fixlab.frames import MESSAGES, MISSING, check, numbers

_INTEGERS = ("begin_seq_no", "end_seq_no", "new_seq_no", "next_expected", "heart_bt_int")

# Directions that do not tell what left from what arrived: a capture stands in between, and
# times only make it likely who kept a log.
_UNSURE = ("captured", "timing")
# Rows and ns within which a Logon is answered, if it is (LGN-28).
_ANSWER_ROWS, _ANSWER_NS = 256, 10_000_000_000
_WINDOW = 1 << 12  # rows looked at together for one number


def reconstruct(
    frame: Any, *, expected_start: Mapping[str, int] | None = None
) -> Reconstruction:
    """The events of a `messages` frame, a `Log`, or a `transitions` frame.

    `expected_start`: CompID -> the first MsgSeqNum(34) due from it, where the caller knows.

    Raises `SchemaError` for another frame, and `ConfigError` for an `expected_start` that
    names a CompID that is not in it, or a number below 1.
    """
    recorded = messages_of(frame)
    if recorded is not None:
        found, rows = recorded
        made = _reconstructed(columns_of(found), expected_start or {})
        return Reconstruction(
            [_moved(event, rows) for event in made.events], made.directions, len(frame)
        )
    return _reconstructed(columns_of(check(frame, MESSAGES)), expected_start or {})


def _moved(event: Event, rows: Any) -> Event:
    """An event about rows of another frame."""
    other = None if event.other is None else int(rows[event.other])
    return event._replace(
        row=int(rows[event.row]), last_row=int(rows[event.last_row]), other=other
    )


def _reconstructed(columns: Columns, expected_start: Mapping[str, int]) -> Reconstruction:
    items = items_of(columns)
    machine = _Machine(columns, items, expected_start)
    events = machine.run(items)
    events.sort(key=_row)  # stable: what one row causes keeps its order
    return Reconstruction(events, machine.directions(), len(columns))


def _row(event: Event) -> int:
    return event.row


class _Machine:
    """All sessions of a frame."""

    def __init__(
        self, columns: Columns, items: Items, expected_start: Mapping[str, int]
    ) -> None:
        self._columns = columns
        self._events: list[Event] = []
        self._gaps: dict[tuple[str, str], int] = {}
        self._requests = 0
        self._rows = _rows_of(items)
        self._numbers: dict[int, Numbers] = {}
        self._sessions: dict[int, Session] = {}
        self._sides_of: dict[str, list[tuple[int, Numbers]]] = {}
        self._codes: dict[tuple[str, str], int] = {}
        by_name: dict[str, Session] = {}
        for stream, view in _views(columns, items):
            name, sender = columns.streams[stream]
            if not name:
                continue
            one = Numbers(
                session=name,
                sender=sender,
                receiver=_receiver(name, sender),
                view=view,
                emit=self._events.append,
                new_gap=self._new_gap,
                new_request=self._new_request,
                place=self._place,
            )
            session = by_name.get(name)
            if session is None:
                session = Session(name, [], self._events.append, self._time_of, self._is_answer)
                by_name[name] = session
            session.sides.append(one)
            self._sides_of.setdefault(name, []).append((stream, one))
            self._numbers[stream], self._sessions[stream] = one, session
            self._codes[name, sender] = stream
        self._start(expected_start)

    def _start(self, expected_start: Mapping[str, int]) -> None:
        known = {one.sender for one in self._numbers.values()}
        for sender, number in expected_start.items():
            if sender not in known:
                raise ConfigError(
                    f"expected_start: no message has SenderCompID(49) {sender!r}; "
                    f"expected one of {sorted(known)}"
                )
            if number < 1:
                raise ConfigError(
                    f"expected_start[{sender!r}]: found {number}, expected a number from 1"
                )
            for one in self._numbers.values():
                if one.sender == sender:
                    one.next = number

    def run(self, items: Items) -> list[Event]:
        """The events of all items, not sorted by row yet."""
        number_of, session_of = self._numbers, self._sessions
        specials = _specials(self._columns, items)
        columns = (items.stream, items.kind, items.row, items.last_row, items.first, items.last)
        quiet: dict[int, bool] = {}
        for stream, kind, row, last_row, first, last in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            special = next(specials) if kind == SPECIAL else None
            one = number_of.get(stream)
            if one is None:
                continue
            session = session_of[stream]
            if kind == PLAIN and first == one.next and quiet.get(stream):
                one.next = last + 1
                session.last_row = max(session.last_row, last_row)
                continue
            if special is not None:
                session.special(one, special)
            elif first < 1:
                session.last_row = max(session.last_row, last_row)
                continue
            elif kind == PLAIN:
                session.run(one, first, last, row, last_row)
            else:
                session.dups(one, first, last, row, last_row)
            session.last_row = max(session.last_row, last_row)
            settled = session.quiet
            for code, side in self._sides_of[session.name]:
                quiet[code] = settled and side.quiet
        done: set[str] = set()
        for session in self._sessions.values():
            if session.name not in done:
                done.add(session.name)
                session.finish()
        return self._events

    def directions(self) -> list[Direction]:
        """What is known of each."""
        return [
            Direction(
                one.session,
                one.sender,
                one.receiver,
                one.view,
                self._rows.get(stream, 0),
                self._sessions[stream].one_sided,
            )
            for stream, one in self._numbers.items()
        ]

    def _new_gap(self, session: str, receiver: str) -> int:
        key = (session, receiver)
        self._gaps[key] = self._gaps.get(key, 0) + 1
        return self._gaps[key]

    def _new_request(self) -> int:
        self._requests += 1
        return self._requests - 1

    def _place(self, one: Numbers, row: int, last_row: int, number: int) -> int:
        """The row of a number in a run of rows that need not stand together."""
        columns = self._columns
        stream, at = self._codes[one.session, one.sender], row
        while at <= last_row:
            here = slice(at, min(at + _WINDOW, last_row + 1))
            match = (columns.number[here] == number) & (columns.stream[here] == stream)
            if match.any():
                return at + int(match.argmax())
            at += _WINDOW
        raise AssertionError(f"no row {row} to {last_row} has number {number}")

    def _is_answer(self, name: str, row: int) -> bool:
        """Whether a Logon, the first one of a session, is one that answers.

        The other side just goes on, and sends no Logon within the time in which an answer is
        due (LGN-28).
        """
        columns = self._columns
        mine = int(columns.stream[row])
        others = [code for code, _ in self._sides_of[name] if code != mine]
        rows = np.arange(row + 1, min(row + 1 + _ANSWER_ROWS, len(columns)))
        stream = columns.stream[rows]
        rows = rows[(stream == mine) | np.isin(stream, others)]
        spoke: set[bool] = set()  # which sides did, True is its own
        gave_up = False
        for at in rows.tolist():
            own = int(columns.stream[at]) == mine
            code = int(columns.msg_type[at])
            msg_type = columns.msg_types[code] if code >= 0 else ""
            times = (int(columns.time[row]), int(columns.time[at]))
            late = MISSING not in times and times[1] - times[0] > _ANSWER_NS
            if late:
                return bool(spoke) or msg_type != "A"
            if msg_type == "A" and not columns.poss_dup[at]:
                return len(spoke) == 2 and not gave_up  # else it is answered, or tried again
            if not own and msg_type == "5" and not spoke:
                return False  # which refuses it
            if msg_type == "5" and own and len(spoke) < 2:
                gave_up = True
            spoke.add(own)
        return bool(spoke)

    def _time_of(self, row: int) -> int | None:
        time = int(self._columns.time[row])
        return None if time == MISSING else time


def _receiver(session: str, sender: str) -> str:
    """The other CompID of BeginString:ours->theirs."""
    pair = session.split(":", 1)[-1]
    if pair.startswith(f"{sender}->"):
        return pair[len(sender) + 2 :]
    return pair[: -len(sender) - 2] if sender else pair


def _rows_of(items: Items) -> dict[int, int]:
    runs = np.where(items.kind == SPECIAL, 1, items.last - items.first + 1)
    total = np.bincount(items.stream, weights=runs) if len(items) else np.zeros(0)
    return {code: int(count) for code, count in enumerate(total.tolist())}


def _views(columns: Columns, items: Items) -> Iterator[tuple[int, str]]:
    """Each stream in order of appearance, and how the log sees it."""
    codes, at = np.unique(items.stream, return_index=True)
    rows = items.row[at]
    frame = columns.frame.iloc[rows]
    found = dict(zip(codes.tolist(), frame["direction"].astype("str"), strict=True))
    if "direction_from" in frame:  # a recorded frame knows its side
        why = zip(codes.tolist(), frame["direction_from"].astype("str"), strict=True)
        found |= {code: "" for code, source in why if source in _UNSURE}
    for place in np.argsort(rows, kind="stable").tolist():
        code = int(codes[place])
        yield code, found[code]


def _specials(columns: Columns, items: Items) -> Iterator[Special]:
    """The remarkable rows, in the order of the items."""
    rows = items.row[items.kind == SPECIAL]
    for at in range(0, len(rows), 1 << 14):
        yield from _some(columns, rows[at : at + (1 << 14)])


def _some(columns: Columns, rows: Any) -> Iterator[Special]:
    frame: pd.DataFrame = columns.frame
    names = (*_INTEGERS, "gap_fill", "reset", "test_req_id", "text", "defect", "valid")
    part = frame[list(names)].iloc[rows]
    whole = {
        name: [None if v == MISSING else v for v in numbers(part, name).tolist()]
        for name in _INTEGERS
    }
    flags = {name: part[name].tolist() for name in names[5:]}
    types = columns.msg_types
    number = [None if n == MISSING else n for n in columns.number[rows].tolist()]
    time = [None if t == MISSING else t for t in columns.time[rows].tolist()]
    code = columns.msg_type[rows].tolist()
    dup = columns.poss_dup[rows].tolist()
    for i, row in enumerate(rows.tolist()):
        yield Special(
            row=row,
            msg_type=types[code[i]] if code[i] >= 0 else "",
            number=number[i],
            poss_dup=dup[i],
            valid=flags["valid"][i],
            defect=str(flags["defect"][i]),
            time=time[i],
            begin=whole["begin_seq_no"][i],
            end=whole["end_seq_no"][i],
            new=whole["new_seq_no"][i],
            next_expected=whole["next_expected"][i],
            gap_fill=flags["gap_fill"][i],
            reset=flags["reset"][i],
            heart_bt_int=whole["heart_bt_int"][i],
            test_req_id=str(flags["test_req_id"][i]),
            text=str(flags["text"][i]),
        )
