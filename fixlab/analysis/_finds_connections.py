"""Findings about Logons, Logouts and how connections end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from typing import Protocol

from fixlab.analysis._case import Case, Found, Ints, connection_topic, lasting, span
from fixlab.analysis._events import Event, Kind
from fixlab.analysis._proofs import arrival, would_ask
from fixlab.frames import MISSING

_ANSWER_SECONDS = 10.0  # LGO-02: within which a Logout is answered
_HAMMER_TRIES, _HAMMER_SECONDS = 5, 10.0


class Schedule(Protocol):
    """When sessions are open; `fixlab.session.schedule.Schedule` is one."""

    def is_open(self, now: int, /) -> bool:
        """Whether a session is open at `now`, ns since 1970 UTC."""


def second_logons(case: Case) -> dict[int, Event]:
    """Logons while logged on that the other side does not answer with a Logon, by row."""
    found = {}
    logons = case.of(Kind.LOGON)
    for event in logons:
        if event.cause != "again" or case.one_sided[event.session]:
            continue
        if bool(case.frame["reset"].iloc[event.row]):
            continue
        answered = any(
            e.connection == event.connection and e.cause == "answer"
            for e in case.after(Kind.LOGON, event, sender=event.receiver)
        )  # fmt: skip
        heard = case.between(event.session, event.receiver, event.row, case.end_of(event))
        heard = heard[case.valid[heard]]
        torn = any(map(case.is_torn, case.last_before(event.session, event.row, 1)))
        if not answered and len(heard) and not torn and not _waits(case, event, heard):
            # A jump may stand for the Logon in answer, lost on the way.
            gaps = case.after(Kind.GAP, event, sender=event.receiver)[:1]
            if not any(gap.row == int(heard[0]) for gap in gaps):
                found[event.row] = event
    return found


def _waits(case: Case, event: Event, heard: Ints) -> bool:
    """Whether the Logon waits for one in answer: its sender logs out over what came."""
    said = case.between(event.session, event.sender, event.row, case.end_of(event))[:1]
    if not case.is_type(said, "5").any():
        return False
    return not case.is_type(heard[heard < int(said[0])], "5").any()


def connections(case: Case) -> Iterator[Found]:
    """SECOND_LOGON, LOGON_REFUSED, LOGON_UNANSWERED, RECONNECT_HAMMER and how others end."""
    second = second_logons(case)
    for event in second.values():
        yield Found(
            "SECOND_LOGON", event.row, event.session,
            f"{event.sender} sends a Logon while it is logged on, without "
            "ResetSeqNumFlag(141)=Y.",
            side=event.sender, by=event.sender, begin=event.begin,
            topics=(
                *connection_topic(event),
                ("connection", event.session, event.connection - 1),
            ),
        )  # fmt: skip
    opener = {
        (e.session, e.connection): e
        for e in reversed(case.of(Kind.LOGON))
        if e.cause in ("first", "again", "repeat", "reset")
    }
    failed: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in case.of(Kind.ENDED):
        logon = opener.get((event.session, event.connection))
        if event.cause == "cut":
            yield Found(
                "ENDED_WITHOUT_LOGOUT", event.row, event.session,
                "The connection ended without a Logout; a new Logon follows.",
                topics=connection_topic(event),
            )  # fmt: skip
        elif event.cause in ("refused", "unanswered") and logon is not None:
            failed[logon.session, logon.sender].append(event)
    for (session, sender), ends in failed.items():
        yield from _failures(case, session, sender, ends, opener)


def _failures(
    case: Case, session: str, sender: str, ends: list[Event],
    opener: dict[tuple[str, int], Event],
) -> Iterator[Found]:  # fmt: skip
    told: dict[tuple[str, str], list[Event]] = defaultdict(list)
    for event in ends:
        text = case.text_of(event.row) if event.cause == "refused" else ""
        told[event.cause, text].append(event)
    for (cause, text), same in told.items():
        first = same[0]
        often = f" ({len(same)} times)" if len(same) > 1 else ""
        refused = cause == "refused"
        # Why is never known for sure: whoever refuses need not tell the truth.
        what = (
            f'refused with a Logout: "{text}"'
            if text
            else ("refused with a Logout that gives no reason" if refused else "not answered")
        )
        logon = opener[first.session, first.connection]
        yield Found(
            "LOGON_REFUSED" if refused else "LOGON_UNANSWERED",
            first.row if refused else logon.row, session,
            f"{sender}'s Logon is {what}{often}.",
            by=logon.receiver if refused else sender, begin=logon.begin,
            rows=(logon.row, *(e.row for e in same[1:4])),
            confidence="high" if text or not refused else "medium",
            topics=tuple(t for e in same for t in connection_topic(e)),
        )  # fmt: skip
    logons = [opener[e.session, e.connection] for e in ends]
    if len(logons) >= _HAMMER_TRIES:
        waits = [case.seconds(a.row, b.row) for a, b in pairwise(logons)]
        if median(waits) < _HAMMER_SECONDS:
            yield Found(
                "RECONNECT_HAMMER", logons[0].row, session,
                f"{sender} tried {len(logons)} failing Logons, one every "
                f"{lasting(median(waits))}.",
                side=sender, by=sender, rows=tuple(e.row for e in logons[1:4]),
            )  # fmt: skip


def before_logon(case: Case) -> Iterator[Found]:
    """MSG_BEFORE_LOGON: sent before the Logon was answered."""
    again = {
        (e.session, e.connection) for e in case.of(Kind.LOGON) if e.cause in ("again", "repeat")
    }
    seen = set()
    for event in case.of(Kind.BEFORE_LOGON):
        key = (event.session, event.sender, event.connection)
        if key in seen or (event.session, event.connection) in again:
            continue
        seen.add(key)
        lost = _logon_lost(case, event)
        yield Found(
            "MSG_BEFORE_LOGON", event.row, event.session,
            f"{event.by} sends MsgSeqNum(34) {event.begin} (MsgType(35) "
            f"{case.type_of(event.row)}) before the Logon is answered."
            + (" Its Logon may have been lost on the way." if lost else ""),
            side="" if lost else event.by, by=event.by, begin=event.begin, end=event.end,
            severity="risk" if lost else "", confidence="low" if lost else "high",
            # Its own Logon may still be on the way when the other side hangs up.
            topics=(
                *connection_topic(event),
                ("connection", event.session, event.connection + 1),
            ),
        )  # fmt: skip


def _logon_lost(case: Case, event: Event) -> bool:
    """Whether the Logon in answer may have left, and not arrived.

    Where its receiver kept the log: numbers are missing before it, or it is a repeat.
    """
    if case.view.get((event.session, event.sender)) == "out":
        return False
    gaps = case.after(Kind.GAP, event)[:1]
    return bool(case.poss_dup[event.row]) or any(gap.row == event.row for gap in gaps)


def logouts(case: Case) -> Iterator[Found]:
    """LOGOUT_UNANSWERED and MSG_AFTER_LOGOUT."""
    for end in case.of(Kind.ENDED):
        if end.cause == "half" and not case.one_sided[end.session]:
            yield from _logout_unanswered(case, end)
    seen = set()
    for event in case.of(Kind.AFTER_LOGOUT):
        key = (event.session, event.sender, event.connection)
        rows = case.between(event.session, event.sender, event.row - 1, event.last_row)
        new = [int(row) for row in rows if case.application[row] and not case.poss_dup[row]]
        jumps = any(gap.row == event.row for gap in case.after(Kind.GAP, event)[:1])
        # What was lost before it may have been a Logon.
        if not new or key in seen or jumps:
            continue
        seen.add(key)
        yield Found(
            "MSG_AFTER_LOGOUT", new[0], event.session,
            f"{event.by} sends MsgSeqNum(34) {span(event.begin, event.end)} (MsgType(35) "
            f"{case.type_of(new[0])}) after its own Logout.",
            side=event.by, by=event.by, begin=event.begin, end=event.end,
            topics=connection_topic(event), rows=tuple(new[1:4]),
        )  # fmt: skip


def _logout_unanswered(case: Case, end: Event) -> Iterator[Found]:
    outs = [
        e for e in case.before(Kind.LOGOUT, end)
        if e.connection == end.connection and e.cause == "first"
    ]  # fmt: skip
    if not outs:
        return
    out = outs[-1]
    early = (gap.row <= out.row for gap in case.before(Kind.GAP, out)[:1])
    waiting = any(early) and out.expected is not None and out.expected <= (out.begin or 0)
    rows = case.between(out.session, out.receiver, out.row, end.row)
    rows = rows[case.valid[rows] & ~case.poss_dup[rows]]
    late = [int(row) for row in rows if case.seconds(out.row, int(row)) >= _ANSWER_SECONDS]
    shown = arrival(case, out, out.sender, out.receiver, end.row)
    if shown is None:
        shown = would_ask(case, out, out.sender, out.receiver, end.row)
    if late and shown is not None and not waiting:
        yield Found(
            "LOGOUT_UNANSWERED", out.row, out.session,
            f"{out.receiver} does not answer {out.sender}'s Logout, though it goes on sending "
            f"for {lasting(case.seconds(out.row, late[-1]))}.",
            side=out.receiver, by=out.sender, begin=out.begin, rows=(late[0], late[-1]),
            topics=connection_topic(out),
        )  # fmt: skip
    elif any(e.connection > end.connection for e in case.after(Kind.LOGON, end)):
        yield Found(
            "LOGOUT_UNANSWERED", out.row, out.session,
            f"{out.sender}'s Logout has no answer before the connection ended.",
            by=out.sender, begin=out.begin, severity="info", confidence="medium",
            topics=connection_topic(out),
        )  # fmt: skip


def outside(case: Case, schedule: Schedule | None) -> Iterator[Found]:
    """OUTSIDE_WINDOW: Logons while the schedule says closed."""
    if schedule is None:
        return
    for event in case.of(Kind.CONNECTED):
        time = int(case.time[event.row])
        if time != MISSING and not schedule.is_open(time):
            yield Found(
                "OUTSIDE_WINDOW", event.row, event.session,
                f"{event.by} logs on while the session is closed by the schedule.",
                side=event.by, by=event.by, topics=connection_topic(event),
            )  # fmt: skip


ALL = (connections, before_logon, logouts)
