"""What a ladder tells, in order: messages between two ends, and notes on what they caused.

Both ladders, the drawn and the written one, are made from the same `Story`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab.analysis._flights import flights as find_flights
from fixlab.errors import ConfigError
from fixlab.frames import TRANSITIONS, check
from fixlab.plots import style
from fixlab.plots.unsent import never_sent
from fixlab.redact import mask, printable
from fixlab.session.transitions import SessionState, TransitionKind
from fixlab.wire.tags import HEARTBEAT, LOGON, MSG_TYPE_NAMES, RESEND_REQUEST, SEQUENCE_RESET

Side = Literal["left", "right", "both"]

_FOLD_FROM = 4  # Heartbeats in a row: fewer are shown one by one
_CONTEXT = 3  # messages shown before the first interesting one of a window
_RUNS_MAX = 3  # runs of numbers that one note names

# What the receiving end made of a message, where that is not simply to accept it.
_OUTCOMES = {
    TransitionKind.HELD.value: "held",
    TransitionKind.DUPLICATE.value: "duplicate",
    TransitionKind.TOO_LOW.value: "number too low",
    TransitionKind.RESET_BOTH.value: "both restart at 1",
    TransitionKind.GARBLED.value: "garbled, ignored",
    TransitionKind.REJECTED.value: "rejected",
    TransitionKind.IGNORED.value: "ignored",
    "LOST": "lost",
}


class Sent(NamedTuple):
    """One message on its way, an arrow of the ladder."""

    position: float  # its place in the order of the frame's rows
    time: int
    arrival: float | None  # place of its arrival; None when that was not recorded
    arrival_time: int | None
    from_left: bool
    label: str
    again: bool  # replayed, or a gap fill in place of a replay
    lost: bool
    fate: str
    outcome: str
    numbers_sender: str  # "NextNumIn/NextNumOut" after it left, "" when not recorded
    numbers_receiver: str


class Note(NamedTuple):
    """Something that happened at one end or at both, with no arrow of its own."""

    position: float
    time: int
    side: Side
    text: str
    meaning: str  # a TransitionKind, "CUT", "DROPPED" or "FOLD": decides the colour
    queued: tuple[str, int, int] | None = None  # MsgType(35), first and last number


@dataclass(frozen=True, slots=True)
class Story:
    """Rows in order; `earlier` and `later` count the messages that are not shown."""

    left: str
    right: str
    left_recorded: bool
    right_recorded: bool
    start: int  # time of the frame's first row
    rows: tuple[Sent | Note, ...]
    earlier: int
    later: int
    other_sessions: int

    @property
    def hidden(self) -> str:
        """How many messages are not shown, in words; "" when all are."""
        parts = [
            f"{count:,} {where}"
            for count, where in ((self.earlier, "earlier"), (self.later, "later"))
            if count
        ]
        total = self.earlier + self.later
        noun = "message" if total == 1 else "messages"
        told = f"{' and '.join(parts)} {noun} not shown" if parts else ""
        if self.other_sessions:
            others = f"{self.other_sessions} other session(s) not shown"
            return f"{told}; {others}" if told else others
        return told


def tell(transitions: pd.DataFrame, *, messages_max: int) -> Story | None:
    """The story of the frame's first pair of sessions; None when nothing was recorded.

    Of more than `messages_max` messages, the stretch with most gaps, resends and other events
    is told; a run of Heartbeats counts as one.
    """
    if not isinstance(messages_max, int) or messages_max < 1:
        raise ConfigError(f"messages_max must be at least 1, found {messages_max!r}")
    transitions = check(transitions, TRANSITIONS)
    if len(transitions) == 0:
        return None
    sessions = transitions["session"].astype(str)
    present = list(dict.fromkeys(sessions.unique()))
    pair = _pair(transitions, present)
    others = [name for name in present if name not in pair]
    frame = transitions[sessions.isin(pair)] if others else transitions
    frame = frame.reset_index(drop=True)
    messages = _placed(find_flights(frame), frame)
    left, right = _sides(messages, pair)
    notes = _notes(frame, messages, left)
    rows, total = _window(_folded(messages, notes, left), messages, messages_max)
    earlier, later = total
    return Story(
        left=left,
        right=right,
        left_recorded=left in present,
        right_recorded=right in present,
        start=int(pd.DatetimeIndex(frame["time"]).asi8[0]),
        rows=tuple(
            _sent(row, frame, left) if not isinstance(row, Note) else row for row in rows
        ),
        earlier=earlier,
        later=later,
        other_sessions=len(others) // 2 or len(others),
    )


def short_name(session: str) -> str:
    """The own CompID of a session id: `BUY` of `FIX.4.4:BUY->SELL`."""
    head = session.split("->", 1)[0]
    return printable(head.split(":", 1)[-1] or session)


def _peer(session: str) -> str:
    """The id of the other end of `session`."""
    version, colon, ends = session.partition(":")
    own, arrow, other = ends.partition("->")
    return f"{version}{colon}{other}->{own}" if arrow else f"peer of {session}"


def _pair(transitions: pd.DataFrame, present: list[str]) -> tuple[str, str]:
    """The two ends to show: those of the first gap, else of the first row."""
    first = present[0]
    if len(present) > 2:
        opened = transitions["kind"].to_numpy() == TransitionKind.GAP_OPENED
        if opened.any():
            first = str(transitions["session"].iloc[int(np.argmax(opened))])
    if len(present) == 2 and _peer(first) not in present:
        return first, present[1]
    return first, _peer(first)


def _sides(messages: pd.DataFrame, pair: tuple[str, str]) -> tuple[str, str]:
    """Who sends the first Logon stands on the left, as initiators do in most drawings."""
    logons = messages[messages["msg_type"] == LOGON]
    starts = str(logons["sender"].iloc[0]) if len(logons) else pair[0]
    return (starts, pair[1] if starts == pair[0] else pair[0]) if starts in pair else pair


def _placed(flights: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Flights as plain columns, with the positions of the rows that sent and received them."""
    table = pd.DataFrame(
        {
            "sender": flights["sender"].astype(str),
            "receiver": flights["receiver"].astype(str),
            "sent_ns": pd.DatetimeIndex(flights["sent"]).asi8,
            "arrived_ns": pd.DatetimeIndex(flights["arrived"]).asi8,
            "msg_type": flights["msg_type"].astype(str),
            "number": flights["msg_seq_num"].astype("Int64").fillna(-1).astype("int64"),
            "poss_dup": flights["poss_dup"].astype(bool),
            "kind": flights["kind"].astype(str),
            "fate": flights["fate"].astype(str),
            "begin": flights["begin_seq_no"],
            "end": flights["end_seq_no"],
            "gap": flights["gap"].notna(),
            "text": flights["text"].astype(str),
        }
    ).reset_index(drop=True)
    rows = pd.DataFrame(
        {
            "session": frame["session"].astype(str),
            "time_ns": pd.DatetimeIndex(frame["time"]).asi8,
            "kind": frame["kind"].astype(str),
            "number": frame["msg_seq_num"].astype("Int64").fillna(-1).astype("int64"),
        }
    )
    table["left_at"] = _match(table, rows, ("sender", "sent_ns", "kind", "number"))
    table["came_at"] = _match(table, rows, ("receiver", "arrived_ns", "fate", "number"))
    known = table["left_at"].fillna(table["came_at"])
    table["position"] = known.fillna(float(len(frame)))
    return table.sort_values("position", kind="stable").reset_index(drop=True)


def _match(table: pd.DataFrame, rows: pd.DataFrame, keys: tuple[str, ...]) -> pd.Series[float]:
    """Per flight the position of its row in `rows`: same end, time, decision and number.

    Rows that agree in all four are taken in order, the nth row for the nth flight.
    """
    names = list(rows.columns)
    wanted = table.loc[:, list(keys)].set_axis(names, axis=1)
    wanted["nth"] = wanted.groupby(names).cumcount()
    offered = rows.assign(nth=rows.groupby(names).cumcount(), at=np.arange(len(rows)))
    return wanted.merge(offered, on=[*names, "nth"], how="left")["at"].astype("float64")


def _sent(row: Any, frame: pd.DataFrame, left: str) -> Sent:
    """One row of the placed flights as an arrow."""
    left_at = None if np.isnan(row.left_at) else int(row.left_at)
    came_at = None if np.isnan(row.came_at) else int(row.came_at)
    lost = row.fate == "LOST"
    next_in = None if came_at is None else int(frame["next_in"].iloc[came_at])
    return Sent(
        position=row.position,
        time=int(row.sent_ns if left_at is not None else row.arrived_ns),
        arrival=None if came_at is None else float(came_at),
        arrival_time=None if came_at is None else int(row.arrived_ns),
        from_left=row.sender == left,
        label=_label(row, next_in),
        again=bool(row.poss_dup) or row.kind in ("RESENT", "FILL_SENT"),
        lost=lost,
        fate=row.fate,
        outcome=_outcome(row, next_in),
        numbers_sender=_numbers(frame, left_at),
        numbers_receiver=_numbers(frame, came_at),
    )


def _numbers(frame: pd.DataFrame, at: int | None) -> str:
    if at is None:
        return ""
    return f"{frame['next_in'].iloc[at]}/{frame['next_out'].iloc[at]}"


def _label(row: Any, next_in: int | None) -> str:
    """MsgType, its name when it is one of the session's, MsgSeqNum, and what it asks for."""
    kind = style.shorten(printable(row.msg_type), 12) or "?"
    number = "?" if row.number < 0 else str(row.number)
    begin = None if pd.isna(row.begin) else int(row.begin)
    end = None if pd.isna(row.end) else int(row.end)
    if row.kind == "FILL_SENT" or row.fate == "GAP_FILLED":
        following = "" if end is None else f"->{end + 1}"
        return f"{kind} GapFill {number}{following}"
    name = MSG_TYPE_NAMES.get(row.msg_type, "")
    label = " ".join(part for part in (kind, name, number) if part)
    if row.msg_type == RESEND_REQUEST and begin is not None and end is not None:
        label += f": {begin}-{end}" + (" (to the end)" if end == 0 else "")
    if row.msg_type == SEQUENCE_RESET and row.fate == "RESET_IN" and next_in is not None:
        label += f"->{next_in}"
    return f"{label} PossDup" if row.poss_dup else label


def _outcome(row: Any, next_in: int | None) -> str:
    if row.fate == "RESET_IN":
        return f"expects {next_in} now"
    outcome = _OUTCOMES.get(row.fate, "")
    if row.fate in ("REJECTED", "TOO_LOW") and row.text:
        return f"{outcome}: {style.shorten(printable(mask(row.text)), 40)}"
    return outcome


def _notes(frame: pd.DataFrame, messages: pd.DataFrame, left: str) -> list[Note]:
    """Decisions and events that no arrow shows, in the frame's order."""
    kind = frame["kind"].astype(str).to_numpy()
    before = frame["state_before"].astype(str).to_numpy()
    after = frame["state"].astype(str).to_numpy()
    off = (after == SessionState.DISCONNECTED) & (before != SessionState.DISCONNECTED)
    noted = np.isin(kind, [*_NOTES, TransitionKind.ACCEPTED.value]) | off
    arrivals = messages["came_at"].dropna().to_numpy(dtype="int64")
    noted[arrivals] = off[arrivals]
    times = pd.DatetimeIndex(frame["time"]).asi8
    held = _held(frame, kind)
    notes = _dropped(frame, times, left)
    for at in np.flatnonzero(noted):
        row = frame.iloc[int(at)]
        session = str(row["session"])
        side: Side = "left" if session == left else "right"
        if kind[at] == TransitionKind.ACCEPTED and not off[at]:
            if (session, row["msg_seq_num"]) in held:
                text = f"processes held {row['msg_seq_num']}"
                notes.append(Note(float(at), int(times[at]), side, text, "HELD"))
            continue
        if kind[at] == TransitionKind.QUEUED:
            number = int(row["msg_seq_num"])
            queued = (str(row["msg_type"]), number, number)
            text = _queued_text(queued)
            notes.append(Note(float(at), int(times[at]), side, text, kind[at], queued))
        elif kind[at] in _NOTES:
            text = _note_text(kind[at], row)
            notes.append(Note(float(at), int(times[at]), side, text, kind[at]))
        if off[at]:
            notes.append(Note(at + 0.5, int(times[at]), side, "disconnected", "CUT"))
    places = np.concatenate([messages["left_at"].dropna(), messages["came_at"].dropna()])
    return _joined(sorted(notes, key=lambda note: note.position), np.sort(places))


def _dropped(frame: pd.DataFrame, times: npt.NDArray[np.int64], left: str) -> list[Note]:
    """Notes on queued messages that never leave, one for all that one moment decided."""
    runs: dict[tuple[int, Side], list[tuple[int, str]]] = {}
    for at, begin, end in never_sent(frame):
        side: Side = "left" if str(frame["session"].iloc[at]) == left else "right"
        key = (int(times[at]), side)
        runs.setdefault(key, []).append((at, style.ranges_text(begin, end)))
    notes = []
    for (time, side), dropped in runs.items():
        named = ", ".join(numbers for _, numbers in dropped[:_RUNS_MAX])
        more = ", ..." if len(dropped) > _RUNS_MAX else ""
        # Behind the gap fill that shares its row.
        place = dropped[0][0] + 0.25
        notes.append(Note(place, time, side, f"never sends stored {named}{more}", "DROPPED"))
    return notes


def _queued_text(queued: tuple[str, int, int]) -> str:
    msg_type, begin, end = queued
    kind = style.shorten(printable(msg_type), 12)
    return f"stores {kind} {style.ranges_text(begin, end)} for later"


def _held(frame: pd.DataFrame, kind: npt.NDArray[Any]) -> set[tuple[str, int]]:
    held = frame[kind == TransitionKind.HELD]
    return {
        (str(session), int(number))
        for session, number in zip(held["session"], held["msg_seq_num"], strict=True)
        if not pd.isna(number)
    }


_NOTES = {
    TransitionKind.GAP_OPENED.value: "gap opened: {numbers} missing",
    TransitionKind.GAP_CLOSED.value: "gap{of_numbers} closed",
    TransitionKind.GAP_ABANDONED.value: "gap{of_numbers} abandoned",
    TransitionKind.RESET_BOTH.value: "both numbers back to 1",
    TransitionKind.RESET_IN.value: "expects {next_in} now",
    TransitionKind.SKIPPED.value: "skips {numbers} on purpose",
    TransitionKind.GARBLED.value: "garbled bytes, ignored",
    TransitionKind.TIMED_OUT.value: "timed out{of_text}",
    TransitionKind.WARNED.value: "warning{of_number}{of_text}",
    TransitionKind.QUEUED.value: "",  # worded by _queued_text
}


def _note_text(kind: str, row: pd.Series[Any]) -> str:
    begin, end = row["begin_seq_no"], row["end_seq_no"]
    known = not (pd.isna(begin) or pd.isna(end))
    numbers = style.ranges_text(int(begin), int(end)) if known else "numbers"
    said = mask(str(row["text"]))
    if kind == TransitionKind.WARNED:
        # What it is about stands last, and a drawing may have no room for the end.
        what, colon, about = said.removeprefix("warn only: ").rpartition(": ")
        said = f"{about}{colon}{what}"
    text = style.shorten(printable(said), 40)
    return _NOTES[kind].format(
        numbers=numbers,
        of_numbers=f" {numbers}" if known else "",
        next_in=row["next_in"],
        of_number="" if pd.isna(row["msg_seq_num"]) else f" on {row['msg_seq_num']}",
        of_text=f": {text}" if text else "",
    )


def _joined(notes: list[Note], places: npt.NDArray[np.float64]) -> list[Note]:
    """Neighbours that say the same become one: of both ends, or of a run of numbers.

    `places`: where messages leave and arrive, ascending; queued ones that such a place divides
    stay apart.
    """
    joined: list[Note] = []
    for note in notes:
        last = joined[-1] if joined else None
        queued = None if last is None else _queued_together(last, note)
        if last is not None and queued is not None:
            first, here = np.searchsorted(places, [last.position, note.position])
            if first == here:
                joined[-1] = last._replace(text=_queued_text(queued), queued=queued)
                continue
        if last is not None and last.time == note.time and last.meaning == note.meaning:
            if note.meaning in ("CUT", "RESET_BOTH") and last.side != note.side:
                joined[-1] = last._replace(side="both")
                continue
            if note.meaning == "HELD" and last.side == note.side:
                begin = last.text.rsplit(" ", 1)[1].split("-")[0]
                number = note.text.rsplit(" ", 1)[1]
                if int(last.text.rsplit(" ", 1)[1].split("-")[-1]) + 1 == int(number):
                    text = f"processes held {begin}-{number}"
                    joined[-1] = last._replace(text=text)
                    continue
        joined.append(note)
    return joined


def _queued_together(last: Note, note: Note) -> tuple[str, int, int] | None:
    """The run that two notes on queued messages make together, when they do."""
    if last.queued is None or note.queued is None or last.side != note.side:
        return None
    (one, begin, end), (other, following, _) = last.queued, note.queued
    return (one, begin, following) if one == other and following == end + 1 else None


def _folded(messages: pd.DataFrame, notes: list[Note], left: str) -> list[Any]:
    """Messages and notes in order, each longer run of plain Heartbeats as one note."""
    rows: list[Any] = sorted(
        [*messages.itertuples(index=False), *notes], key=lambda row: row.position
    )
    folded: list[Any] = []
    run: list[Any] = []
    for row in [*rows, None]:
        if row is not None and _is_quiet(row):
            run.append(row)
            continue
        folded.extend(run if len(run) < _FOLD_FROM else [_fold(run, left)])
        run = []
        if row is not None:
            folded.append(row)
    return folded


def _is_quiet(row: Any) -> bool:
    return (
        not isinstance(row, Note)
        and row.msg_type == HEARTBEAT
        and not row.poss_dup
        and row.fate in ("ACCEPTED", "")
        and not row.gap
    )


def _fold(run: list[Any], left: str) -> Note:
    from_left = sum(row.sender == left for row in run)
    from_right = len(run) - from_left
    if from_left == from_right:
        text = f"... {from_left:,} Heartbeats each way ..."
    else:
        text = (
            f"... {len(run):,} Heartbeats: {from_left:,} to the right, {from_right:,} back ..."
        )
    first = run[0]
    time = first.sent_ns if not np.isnan(first.left_at) else first.arrived_ns
    return Note(first.position, int(time), "both", text, "FOLD")


def _window(
    rows: list[Any], messages: pd.DataFrame, messages_max: int
) -> tuple[list[Any], tuple[int, int]]:
    """The rows to tell, and how many messages are left out before and behind them."""
    at = [i for i, row in enumerate(rows) if not isinstance(row, Note) or row.meaning == "FOLD"]
    if len(at) <= messages_max:
        return rows, (0, 0)
    interest = np.array([_is_interesting(rows[i]) for i in at], dtype=np.int64)
    sums = np.convolve(interest, np.ones(messages_max, dtype=np.int64), mode="valid")
    best = int(np.argmax(sums))
    if sums[best] == 0:
        first = 0
    else:
        # Later starts that still show as much cut off what is before the story only.
        while best + 1 < len(sums) and sums[best + 1] == sums[best] and not interest[best]:
            best += 1
        first = max(best - min(_CONTEXT, messages_max // 4), 0)
    last = first + messages_max - 1
    begin = at[first] if first else 0
    end = at[last + 1] if last + 1 < len(at) else len(rows)
    return rows[begin:end], (first, len(at) - 1 - last)


def _is_interesting(row: Any) -> bool:
    if isinstance(row, Note):
        return False
    return bool(
        row.gap
        or row.poss_dup
        or row.kind in ("RESENT", "FILL_SENT")
        or row.fate not in ("ACCEPTED", "")
        or row.msg_type == RESEND_REQUEST
    )
