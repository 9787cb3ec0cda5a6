"""What the groups of findings look at: the frame as arrays, and its events by subject."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab.analysis._codes import CODES
from fixlab.analysis._events import Direction, Event, Kind, Reconstruction
from fixlab.errors import FixLabError
from fixlab.frames import MISSING, codes, nanoseconds, numbers

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
SECOND = 1_000_000_000
ADMIN = ("0", "1", "2", "3", "4", "5", "A")
# Events around another one that are looked at: what is further away is not about it.
NEAR_MAX = 256
HEARTBEAT_SECONDS = 30  # HeartBtInt(108) where no Logon tells it


class Found(NamedTuple):
    """A finding before it is numbered. `topics`: what it is about, to find what follows."""

    code: str
    row: int
    session: str
    summary: str
    side: str = ""  # CompID at fault
    by: str = ""
    begin: int | None = None
    end: int | None = None
    confidence: str = "high"
    severity: str = ""  # "" is that of the code
    rule: str = ""  # so is this
    rows: tuple[int, ...] = ()  # evidence beside `row`
    topics: tuple[tuple[Any, ...], ...] = ()

    @property
    def level(self) -> str:
        """How severe it is."""
        return self.severity or CODES[self.code].severity


class Extent(NamedTuple):
    """What some messages cover."""

    rows: int
    first: int  # time, ns, or `MISSING`
    last: int
    exact: bool  # whether times are finer than milliseconds

    @classmethod
    def of(cls, time: Ints) -> Extent:
        """That of messages of these times."""
        known = time[time != MISSING]
        if not len(known):
            return cls(len(time), MISSING, MISSING, False)
        exact = bool((known % 1_000_000 != 0).any())
        return cls(len(time), int(known.min()), int(known.max()), exact)

    @property
    def span(self) -> tuple[int, int] | None:
        """First and last time; None when none is known."""
        return None if self.first == MISSING else (self.first, self.last)


class Shown(Protocol):
    """What `Findings` shows of a log; rows are those of all of it."""

    @property
    def time(self) -> Any:
        """The time of each row, ns or `MISSING`, by place or array of places."""

    @property
    def number(self) -> Any:
        """MsgSeqNum(34), in the same way."""

    @property
    def sessions(self) -> list[str]: ...
    @property
    def one_sided(self) -> dict[str, bool]: ...
    @property
    def made(self) -> Reconstruction: ...
    @property
    def frame(self) -> pd.DataFrame: ...
    @property
    def filtered(self) -> set[str]:
        """Sessions whose log leaves Heartbeats out."""

    def extent(self, session: str | None) -> Extent:
        """What the messages of a session, or of all, cover."""

    def derived(
        self, name: str, session: str | None, expected_start: Mapping[str, int]
    ) -> pd.DataFrame:
        """One of gaps, ledger, resends, intervals; of a session, or of all."""


class Case:
    """A frame and its events; all lookups that more than one group needs."""

    def __init__(
        self,
        frame: pd.DataFrame,
        made: Reconstruction,
        lines: Any = None,
        *,
        repeated: Bools | None = None,
    ) -> None:
        self.frame = frame
        self._repeated = repeated  # rows that count elsewhere, and tell nothing
        self._lines = lines  # the `Log`, where there is one
        self.made = made
        self.time = nanoseconds(frame, "time")
        self.number = numbers(frame, "msg_seq_num")
        self.poss_dup = frame["poss_dup"].to_numpy(np.bool_)
        self.gap_fill = frame["gap_fill"].to_numpy(np.bool_)
        self.valid = frame["valid"].to_numpy(np.bool_)
        self.defect = codes(frame, "defect")
        self.defects = [str(name) for name in frame["defect"].cat.categories]
        self.msg_type = codes(frame, "msg_type")
        self.msg_types = [str(name) for name in frame["msg_type"].cat.categories]
        self.sender = codes(frame, "sender")
        self.senders = [str(name) for name in frame["sender"].cat.categories]
        self.session = codes(frame, "session")
        self.sessions = [str(name) for name in frame["session"].cat.categories]
        self.by_kind: dict[Kind, list[Event]] = defaultdict(list)
        for event in made.events:
            self.by_kind[event.kind].append(event)
        self.view = {(one.session, one.sender): one.view for one in made.directions}
        self.one_sided = {one.session: one.one_sided for one in made.directions}
        self._streams: dict[Kind, dict[tuple[str, str], tuple[list[int], list[Event]]]] = {}
        self._wholes: dict[str, list[Ints]] = {}
        self._decoded: dict[int, dict[int, tuple[str, str]]] = {}
        self.asked = {
            event.request: event
            for event in self.by_kind[Kind.ASKED]
            if event.request is not None
        }

    # Rows ----------------------------------------------------------------------------------

    @cached_property
    def application(self) -> Bools:
        """Which rows are application messages."""
        admin = np.array([name in ADMIN or not name for name in self.msg_types], np.bool_)
        return ~admin[self.msg_type] & self.valid if len(admin) else np.zeros(0, np.bool_)

    @cached_property
    def _places(self) -> dict[tuple[str, str], Ints]:
        """The rows of each direction, from one sort of all rows."""
        key = self.session * (len(self.senders) + 1) + self.sender
        # Short codes are sorted much faster.
        short = key.astype(np.int16) if len(key) and key.max() < 1 << 15 else key
        order = np.argsort(short, kind="stable").astype(np.int64, copy=False)
        parts = np.split(order, np.flatnonzero(np.diff(key[order])) + 1) if len(key) else []
        return {
            (self.sessions[self.session[rows[0]]], self.senders[self.sender[rows[0]]]): rows
            for rows in parts
            if self.session[rows[0]] >= 0 and self.sender[rows[0]] >= 0
        }

    def rows_of(self, session: str, sender: str) -> Ints:
        """The rows of one direction, ascending."""
        return self._places.get((session, sender), np.empty(0, np.int64))

    def between(self, session: str, sender: str, after: int, until: int) -> Ints:
        """Rows of one direction behind row `after`, up to row `until`."""
        rows = self.rows_of(session, sender)
        low, high = np.searchsorted(rows, [after + 1, until + 1])
        return rows[low:high]

    @cached_property
    def _nameless(self) -> Ints:
        """Rows of no session: those that are too damaged to tell."""
        no_name = self.sessions.index("") if "" in self.sessions else -2
        nameless = (self.session == no_name) | (self.session < 0)
        if self._repeated is not None:
            nameless &= ~self._repeated
        return np.flatnonzero(nameless)

    def _near(self, session: str) -> list[Ints]:
        """The rows that may tell something of a session: its own, and those of none."""
        own = [self.rows_of(session, one.sender) for one in self.sides_of.get(session, ())]
        return [*own, self._nameless]

    def last_before(self, session: str, row: int, count: int) -> list[int]:
        """The last rows before `row` that are of the session or of none, the latest first."""
        found: list[int] = []
        for rows in self._near(session):
            at = int(np.searchsorted(rows, row))
            found += rows[max(at - count, 0) : at].tolist()
        return sorted(found, reverse=True)[:count]

    def first_after(self, session: str, row: int, *, whole: bool = False) -> int | None:
        """The next row that is of the session or of none; with no session, the next row.

        `whole`: the next one that is not torn.
        """
        if not session:
            if whole:
                return _next(self._whole, row)
            return row + 1 if row + 1 < len(self.time) else None
        near = self._near_whole(session) if whole else self._near(session)
        found = [at for rows in near if (at := _next(rows, row)) is not None]
        return min(found, default=None)

    @cached_property
    def _torn(self) -> Bools:
        """Which rows are the begin of a message only."""
        torn = np.array([name == "truncated" for name in self.defects], np.bool_)
        return ~self.valid & torn[self.defect]

    @cached_property
    def _whole(self) -> Ints:
        return np.flatnonzero(~self._torn)

    def _near_whole(self, session: str) -> list[Ints]:
        if session not in self._wholes:
            self._wholes[session] = [rows[~self._torn[rows]] for rows in self._near(session)]
        return self._wholes[session]

    def extent(self, session: str | None) -> Extent:
        """What the messages of a session, or of all of the log, cover."""
        if session is not None:
            return Extent.of(self.time[self._of(session)])
        return Extent.of(self.time if self._repeated is None else self.time[~self._repeated])

    def _of(self, session: str) -> Bools:
        return np.asarray(self.session == self.sessions.index(session))

    def derived(
        self, name: str, session: str | None, expected_start: Mapping[str, int]
    ) -> pd.DataFrame:
        """gaps, ledger, resends or intervals of all of the log, or of a session."""
        if name == "gaps" and session is not None:
            # Its session is that of the side that missed, not always the log's: so by its rows.
            return derive(self.frame[self._of(session)], name, expected_start)
        made = derive(self.frame, name, expected_start)
        return made if session is None else made[made["session"] == session]

    def is_type(self, rows: Ints, *names: str) -> Bools:
        """Which of these rows are of one of these types."""
        wanted = [i for i, name in enumerate(self.msg_types) if name in names]
        return np.isin(self.msg_type[rows], wanted)

    def type_of(self, row: int) -> str:
        """MsgType(35) of a row."""
        code = int(self.msg_type[row])
        return self.msg_types[code] if code >= 0 else ""

    def text_of(self, row: int) -> str:
        """Text(58) of a row."""
        return str(self.frame["text"].iloc[row])

    @cached_property
    def sending(self) -> Ints:
        """SendingTime(52) of each row."""
        return nanoseconds(self.frame, "sending_time")

    def field_of(self, row: int, tag: int) -> tuple[str, str]:
        """A field that has no column, and its meaning; "" without the file of the log."""
        if row not in self._decoded:
            try:
                told = () if self._lines is None else self._lines.decode(row).rows
            except FixLabError:
                told = ()  # the file is gone, or has changed
            self._decoded[row] = {each.tag: (each.value, each.meaning or "") for each in told}
        return self._decoded[row].get(tag, ("", ""))

    def is_torn(self, row: int) -> bool:
        """Whether there is such a row, and it is the begin of a message only."""
        return 0 <= row < len(self.valid) and bool(self._torn[row])

    def seconds(self, one: int, other: int) -> float:
        """From one row to another; nan when a time is missing."""
        a, b = int(self.time[one]), int(self.time[other])
        return float("nan") if MISSING in (a, b) else (b - a) / SECOND

    # Events --------------------------------------------------------------------------------

    def of(self, *kinds: Kind) -> list[Event]:
        """The events of these kinds, in order of their rows."""
        if len(kinds) == 1:
            return self.by_kind[kinds[0]]
        return sorted((e for kind in kinds for e in self.by_kind[kind]), key=lambda e: e.row)

    def _stream(self, kind: Kind, session: str, sender: str) -> tuple[list[int], list[Event]]:
        if kind not in self._streams:
            made: dict[tuple[str, str], tuple[list[int], list[Event]]] = {}
            for event in self.by_kind[kind]:
                rows, events = made.setdefault((event.session, event.sender), ([], []))
                rows.append(event.row)
                events.append(event)
            self._streams[kind] = made
        return self._streams[kind].get((session, sender), ([], []))

    def before(self, kind: Kind, about: Event, *, sender: str = "") -> list[Event]:
        """The last `NEAR_MAX` events up to its row about the same numbers, the latest first."""
        rows, events = self._stream(kind, about.session, sender or about.sender)
        at = bisect_right(rows, about.row)
        return events[max(at - NEAR_MAX, 0) : at][::-1]

    def after(self, kind: Kind, about: Event, *, sender: str = "") -> list[Event]:
        """The first `NEAR_MAX` events from its row on about the same numbers."""
        rows, events = self._stream(kind, about.session, sender or about.sender)
        at = bisect_left(rows, about.row)
        return events[at : at + NEAR_MAX]

    @cached_property
    def _fill_ends(self) -> dict[tuple[str, str], list[int]]:
        """Of the gap fills of each direction up to each of them, the highest number filled."""
        found: dict[tuple[str, str], list[int]] = defaultdict(list)
        for event in self.by_kind[Kind.FILLED]:
            ends = found[event.session, event.sender]
            ends.append(max(event.end or 0, ends[-1] if ends else 0))
        return found

    def filled_to(self, event: Event) -> int:
        """The highest number that gap fills up to its row covered, 0 without any."""
        rows, _ = self._stream(Kind.FILLED, event.session, event.sender)
        at = bisect_right(rows, event.row)
        return self._fill_ends[event.session, event.sender][at - 1] if at else 0

    def next_expected_used(self, event: Event) -> bool:
        """Whether a Logon of the receiver asked by NextExpectedMsgSeqNum(789) (LGN-22)."""
        return any(
            claim.cause == "next_expected" and claim.connection == event.connection
            for claim in self.before(Kind.CLAIMED, event)
        )

    @cached_property
    def answered(self) -> dict[int, int]:
        """Requests that were answered to their end -> the row that completed the answer."""
        return {e.request: e.row for e in self.of(Kind.ANSWERED) if e.request is not None}

    def ask_of(self, event: Event) -> Event | None:
        """The ResendRequest that an event is about."""
        return None if event.request is None else self.asked.get(event.request)

    @cached_property
    def gap_ends(self) -> dict[tuple[str, str, int], Event]:
        """(session, sender, gap) -> how it ended; none is still open."""
        return {
            (event.session, event.sender, event.gap): event
            for event in self.of(Kind.CLOSED, Kind.ABANDONED)
            if event.gap is not None
        }

    @cached_property
    def gap_asks(self) -> dict[tuple[str, str, int], list[Event]]:
        """(session, sender, gap) -> what was asked for it."""
        found: dict[tuple[str, str, int], list[Event]] = defaultdict(list)
        for event in self.of(Kind.ASKED):
            if event.gap is not None and event.cause != "invalid":
                found[event.session, event.sender, event.gap].append(event)
        return found

    @cached_property
    def _connection_ends(self) -> dict[tuple[str, int], int]:
        return {(e.session, e.connection): e.row for e in self.of(Kind.ENDED)}

    def end_of(self, event: Event) -> int:
        """The last row of the connection that an event is in."""
        last = len(self.time) - 1
        return self._connection_ends.get((event.session, event.connection), last)

    @cached_property
    def _connection_starts(self) -> dict[tuple[str, int], int]:
        return {(e.session, e.connection): e.row for e in self.of(Kind.CONNECTED)}

    def start_of(self, event: Event) -> int:
        """The Logon that began the connection that an event is in; 0 is before the log."""
        return self._connection_starts.get((event.session, event.connection), 0)

    @cached_property
    def heartbeat(self) -> dict[tuple[str, int], int]:
        """(session, connection) -> HeartBtInt(108) of its Logons, the later one counts."""
        column = numbers(self.frame, "heart_bt_int")
        return {
            (e.session, e.connection): int(column[e.row])
            for e in self.of(Kind.LOGON)
            if column[e.row] != MISSING
        }

    def epoch_row(self, event: Event) -> int:
        """Where the numbers that an event is about began anew; -1 is before the log."""
        begun = [
            e.row for kind in (Kind.EPOCH, Kind.REWOUND) for e in self.before(kind, event)[:1]
        ]
        return max(begun) - 1 if begun else -1

    @cached_property
    def without_admin(self) -> set[str]:
        """Sessions of whose messages none is one of the session layer: no reset can show."""
        admin = np.array([name in ADMIN for name in self.msg_types], np.bool_)
        having = np.unique(self.session[admin[self.msg_type]])
        return set(self.sessions) - {self.sessions[code] for code in having if code >= 0}

    @cached_property
    def filtered(self) -> set[str]:
        """Sessions whose log leaves Heartbeats out: holes, no request, not one Heartbeat."""
        asking = {event.session for event in self.of(Kind.ASKED)}
        holes = dict.fromkeys(event.session for event in self.of(Kind.GAP))
        return {name for name in holes if name not in asking and self._without_beats(name)}

    def _without_beats(self, session: str) -> bool:
        sides = [self.rows_of(session, one.sender) for one in self.sides_of[session]]
        rows = np.sort(np.concatenate(sides))
        lasted = self.seconds(int(rows[0]), int(rows[-1]))
        return lasted > 2 * HEARTBEAT_SECONDS and not self.is_type(rows, "0").any()

    @cached_property
    def sides_of(self) -> dict[str, list[Direction]]:
        """The directions of each session."""
        found: dict[str, list[Direction]] = defaultdict(list)
        for one in self.made.directions:
            found[one.session].append(one)
        return dict(found)


def derive(frame: pd.DataFrame, name: str, expected_start: Mapping[str, int]) -> pd.DataFrame:
    """gaps, ledger, resends or intervals of a frame that need not have all senders."""
    from fixlab import analysis  # here: the package imports who imports this module

    make: Callable[..., pd.DataFrame] = getattr(analysis, name)
    if name == "intervals":
        return make(frame)
    senders = frame["sender"][frame["session"] != ""].unique()
    known = {one: number for one, number in expected_start.items() if one in senders}
    return make(frame, expected_start=known)


def gap_topic(event: Event) -> tuple[tuple[Any, ...], ...]:
    """The gap an event is about, as a topic."""
    if event.gap is None:
        return ()
    return (("gap", event.session, event.sender, event.gap),)


def connection_topic(event: Event) -> tuple[tuple[Any, ...], ...]:
    """The connection an event is in, as a topic."""
    return (("connection", event.session, event.connection),)


def lasting(seconds: float) -> str:
    """How long, in the unit that a person would use."""
    if seconds != seconds:
        return "an unknown time"
    for unit, size in (("h", 3_600), ("min", 60)):
        if seconds >= 5 * size:
            return f"{seconds / size:,.1f}".removesuffix(".0") + f" {unit}"
    return f"{seconds:.3g} s"


def span(begin: int | None, end: int | None) -> str:
    """4, or 4 to 5."""
    if begin is None:
        return "?"
    return f"{begin}" if end is None or end == begin else f"{begin} to {end}"


def _next(rows: Ints, row: int) -> int | None:
    """The first of some rows, which ascend, behind one."""
    at = int(np.searchsorted(rows, row, "right"))
    return int(rows[at]) if at < len(rows) else None
