"""The events of a frame: its items, in order, through one state machine a session."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from fixlab.analysis._asking import ANSWERED_MAX, Request
from fixlab.analysis._connections import Session, Special
from fixlab.analysis._due import Due
from fixlab.analysis._events import Direction, Event, Kind, Reconstruction
from fixlab.analysis._holes import Holes
from fixlab.analysis._numbers import Numbers
from fixlab.analysis._once import once
from fixlab.analysis._recorded import messages_of
from fixlab.analysis._recoveries import plan_of
from fixlab.analysis._recovery_events import Account, Ends, Usual
from fixlab.analysis._streams import (
    NUMBER_MAX,
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
_ANSWER_NS = 10_000_000_000  # within which a Logon is answered, if it is (LGN-28)
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
        moved = [_moved(event, rows) for event in made.events]
        return Reconstruction(moved, made.directions, len(frame), None)
    looked_at = once(check(frame, MESSAGES)).frame
    return _reconstructed(columns_of(looked_at), expected_start or {})


def _moved(event: Event, rows: Any) -> Event:
    """An event about rows of another frame."""
    other = None if event.other is None else int(rows[event.other])
    return event._replace(
        row=int(rows[event.row]), last_row=int(rows[event.last_row]), other=other
    )


def _reconstructed(columns: Columns, expected_start: Mapping[str, int]) -> Reconstruction:
    machine = _Machine(columns, items_of(columns), expected_start)
    machine.run()
    return machine.told()


class _Machine:
    """All sessions of a frame."""

    def __init__(
        self, columns: Columns, items: Items, expected_start: Mapping[str, int]
    ) -> None:
        self._columns, self._items = columns, items
        self._events: list[Event] = []
        self._gaps: dict[tuple[str, str], int] = {}
        self._rows = _rows_of(items)
        self._numbers: dict[int, Numbers] = {}
        self._sessions: dict[int, Session] = {}
        self._codes: dict[tuple[str, str], int] = {}
        by_name = self._sessions_by_name = dict[str, Session]()
        views = [""] * len(columns.streams)
        for stream, view in _views(columns, items):
            name, sender = columns.streams[stream]
            views[stream] = view
            if not name:
                continue
            one = Numbers(
                session=name,
                sender=sender,
                receiver=_receiver(name, sender),
                view=view,
                emit=self._events.append,
                new_gap=self._new_gap,
                place=self._place,
            )
            session = by_name.get(name)
            if session is None:
                session = Session(name, [], self._events.append, self._time_of, self._is_answer)
                by_name[name] = session
            session.sides.append(one)
            self._numbers[stream], self._sessions[stream] = one, session
            self._codes[name, sender] = stream
        self._start(expected_start)
        self._plan = plan_of(items, columns, views)
        count = len(self._plan.recoveries)
        self._taken = np.zeros(count, np.bool_)
        self._special: dict[int, Special] = {}  # by position of the item
        self._account = Account(*(np.zeros(count, np.int64) for _ in range(3)))

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

    # Items ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Go through all items."""
        plan, items = self._plan, self._plan.ordered.items
        odd = plan.begins[~plan.calm]
        odd = odd[items.kind[odd] == SPECIAL]
        rows = items.row[odd]
        self._special.update(zip(odd.tolist(), _specials(self._columns, rows), strict=True))
        for begin, end, calm in zip(
            plan.begins.tolist(), plan.ends.tolist(), plan.calm.tolist(), strict=True
        ):
            if calm:
                self._stretch(begin, end)
            else:
                self._item(begin)
        for session in {one.name: one for one in self._sessions.values()}.values():
            session.finish()

    def _stretch(self, begin: int, end: int) -> None:
        """Items of one session which, if all is as guessed, can be taken at once."""
        found, at = self._plan.recoveries, begin
        while at < end:
            if self._as_guessed(at, end):
                self._take(at, end)
                return
            place = int(np.searchsorted(found.start, at))
            whole = place < len(found) and found.start[place] == at
            stop = int(found.stop[place]) + 1 if whole else at + 1
            for position in range(at, stop):
                self._item(position)
            at = stop

    def _as_guessed(self, at: int, end: int) -> bool:
        """Whether nothing is open, and the numbers due are those that the plan has guessed."""
        ordered = self._plan.ordered
        session = self._sessions[int(ordered.items.stream[at])]
        if not session.quiet or session.logouts:
            return False
        for one in session.sides:
            if not one.quiet or one.gap is not None or one.doubts:
                return False
        for one in session.sides:
            stream = self._codes[one.session, one.sender]
            place = int(ordered.place(stream, at))
            inside = place < len(ordered.key) and ordered.key[place] < ordered.key_of(
                stream, end
            )
            if inside and ordered.due[place] != one.next:
                return False
            if one.first is not None and self._asks_below(one.first, stream, at, end):
                return False
        return True

    def _asks_below(self, first: int, stream: int, at: int, end: int) -> bool:
        """Whether something is asked for that stands before the log."""
        found = self._plan.recoveries
        low, high = np.searchsorted(found.start, [at, end])
        asked = found.asked[low:high] & (found.stream[low:high] == stream)
        return bool((found.begin[low:high][asked] < first).any())

    def _take(self, at: int, end: int) -> None:
        """All items of a calm stretch."""
        plan, ordered = self._plan, self._plan.ordered
        session = self._sessions[int(ordered.items.stream[at])]
        session.last_row = max(session.last_row, int(ordered.items.last_row[at:end].max()))
        low, high = np.searchsorted(plan.recoveries.start, [at, end]).tolist()
        for one in session.sides:
            stream = self._codes[one.session, one.sender]
            last = int(ordered.place(stream, end)) - 1
            if last >= 0 and ordered.key[last] >= ordered.key_of(stream, at):
                one.next = int(ordered.high[last]) + 1
            if low < high:
                of = np.flatnonzero(plan.recoveries.stream[low:high] == stream) + low
                self._recovered(one, of)

    def _recovered(self, one: Numbers, of: Any) -> None:
        """Recoveries of one direction, all of them in one connection."""
        if not len(of):
            return
        key, account, found = (one.session, one.receiver), self._account, self._plan.recoveries
        before = self._gaps.get(key, 0)
        self._gaps[key] = before + len(of)
        self._taken[of] = True
        account.gap[of] = np.arange(before + 1, before + len(of) + 1)
        account.epoch[of], account.connection[of] = one.epoch, one.connection
        asked = of[found.request[of] >= 0][-ANSWERED_MAX:]
        items = self._plan.ordered.items
        for row, begin, end in zip(
            items.row[found.request[asked]].tolist(),
            found.begin[asked].tolist(),
            found.reach[asked].tolist(),
            strict=True,
        ):
            one.done.append(Request(row, begin, end, False, False, Holes()))

    def _item(self, at: int) -> None:
        items = self._plan.ordered.items
        stream, kind = int(items.stream[at]), int(items.kind[at])
        first, last = int(items.first[at]), int(items.last[at])
        row, last_row = int(items.row[at]), int(items.last_row[at])
        one, session = self._numbers[stream], self._sessions[stream]
        if kind == SPECIAL:
            session.special(one, self._special_of(at))
        elif (
            first >= 1 and kind == PLAIN and first == one.next and (session.quiet and one.quiet)
        ):
            one.next = last + 1
        elif first >= 1 and kind == PLAIN:
            session.run(one, first, last, row, last_row)
        elif first >= 1:
            session.dups(one, first, last, row, last_row)
        session.last_row = max(session.last_row, last_row)

    def _special_of(self, at: int) -> Special:
        if at not in self._special:
            # A recovery is not as guessed; there may be more.
            kind = self._plan.ordered.items.kind
            missing = np.flatnonzero(kind == SPECIAL)
            missing = missing[~np.isin(missing, list(self._special))]
            rows = self._plan.ordered.items.row[missing]
            told = zip(missing.tolist(), _specials(self._columns, rows), strict=True)
            self._special.update(told)
        return self._special[at]

    # Results -------------------------------------------------------------------------------

    def told(self) -> Reconstruction:
        """What is known after the last item."""
        plan = self._plan
        found = plan.recoveries.chosen(self._taken)
        request = found.request[found.request >= 0]
        rows = plan.ordered.items.row[request]
        asked = np.array([e.row for e in self._events if e.kind is Kind.ASKED], np.int64)
        requests = np.sort(np.concatenate([rows, asked]))
        events = _numbered(self._events, requests)
        events.sort(key=_row)  # stable: what one row causes keeps its order
        usual = Usual(
            self._columns,
            plan.ordered,
            found,
            Account(*(values[self._taken] for values in self._account)),
            {
                stream: Ends(one.session, one.sender, one.receiver)
                for stream, one in self._numbers.items()
            },
            requests,
        )
        return Reconstruction(
            events, self._directions(), len(self._columns), usual if len(found) else None
        )

    def _directions(self) -> list[Direction]:
        return [
            Direction(
                one.session,
                one.sender,
                one.receiver,
                one.view,
                self._rows.get(stream, 0),
                self._sessions[stream].one_sided,
                one.begun,
            )
            for stream, one in self._numbers.items()
        ]

    def _new_gap(self, session: str, receiver: str) -> int:
        key = (session, receiver)
        self._gaps[key] = self._gaps.get(key, 0) + 1
        return self._gaps[key]

    def _place(self, one: Due, row: int, last_row: int, number: int) -> int:
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

    def _begun_behind(self, name: str, row: int) -> list[int]:
        """The first rows of a session's items behind `row`."""
        order, bounds = self._by_stream
        sides = [self._codes[name, one.sender] for one in self._sessions_by_name[name].sides]
        parts = [self._items.row[order[bounds[code] : bounds[code + 1]]] for code in sides]
        rows = np.concatenate(parts)
        found: list[int] = np.sort(rows[rows > row]).tolist()
        return found

    @cached_property
    def _by_stream(self) -> tuple[Any, Any]:
        """The items ordered by stream, then row; and where each stream begins."""
        stream = self._items.stream
        count = np.bincount(stream, minlength=len(self._columns.streams))
        return np.argsort(stream, kind="stable"), np.concatenate([[0], np.cumsum(count)])

    def _is_answer(self, name: str, row: int) -> bool:
        """Whether a Logon, the first one of a session, is one that answers.

        The other side just goes on, and sends no Logon within the time in which an answer is
        due (LGN-28).
        """
        columns = self._columns
        mine = int(columns.stream[row])
        spoke: set[bool] = set()  # which sides did, True is its own
        gave_up = False
        for at in self._begun_behind(name, row):
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


def _row(event: Event) -> int:
    return event.row


def _numbered(events: list[Event], requests: Any) -> list[Event]:
    """Requests are known by their rows while the machine runs; then they are counted."""
    ordinal: dict[int | None, int | None] = {row: i for i, row in enumerate(requests.tolist())}
    ordinal[None] = None
    return [
        event
        if event.request is None
        else event._replace(
            request=ordinal[event.request], of_request=ordinal[event.of_request]
        )
        for event in events
    ]


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
    direction = columns.frame["direction"].array
    texts = [*map(str, direction.categories), ""]
    views = (texts[code] for code in direction.codes[rows].tolist())
    found = dict(zip(codes.tolist(), views, strict=True))
    if "direction_from" in columns.frame:  # a recorded frame knows its side
        sources = columns.frame["direction_from"].array
        why = (str(name) for name in sources[rows])
        unsure = [
            code for code, name in zip(codes.tolist(), why, strict=True) if name in _UNSURE
        ]
        found |= dict.fromkeys(unsure, "")
    for place in np.argsort(rows, kind="stable").tolist():
        code = int(codes[place])
        yield code, found[code]


def _specials(columns: Columns, rows: Any) -> Iterator[Special]:
    """What these rows say."""
    for at in range(0, len(rows), 1 << 14):
        yield from _some(columns, rows[at : at + (1 << 14)])


def _some(columns: Columns, rows: Any) -> Iterator[Special]:
    frame: pd.DataFrame = columns.frame
    names = (*_INTEGERS, "gap_fill", "reset", "test_req_id", "text", "defect", "valid")
    part = frame[list(names)].iloc[rows]
    whole = {
        name: [
            None if v == MISSING else v
            for v in np.minimum(numbers(part, name), NUMBER_MAX).tolist()
        ]
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
