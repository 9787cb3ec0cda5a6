"""Findings about time: silence, TestRequests without an answer, clocks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from fixlab.analysis._case import (
    HEARTBEAT_SECONDS,
    SECOND,
    Case,
    Found,
    Ints,
    connection_topic,
    lasting,
)
from fixlab.analysis._events import Event, Kind
from fixlab.analysis._proofs import arrival, missed, would_ask
from fixlab.frames import MISSING, codes, nanoseconds

_LATE = 1.2  # HBT-04: beyond HeartBtInt(108) and a fifth of it silence is noticed
_TICK_SECONDS = 1.0  # engines count in whole seconds
_DEAD = 2.0
_SKEW_SECONDS = 10.0
_TOLERANCE_SECONDS = 120.0  # HDR-04
_ZONE_NS = 900 * SECOND  # zones differ by quarters of an hour
_TURNS_MIN = 3


def silence(case: Case) -> Iterator[Found]:
    """HEARTBEAT_LATE, HEARTBEAT_MISSING, TESTREQ_UNANSWERED."""
    probes = case.of(Kind.PROBE_UNANSWERED)
    asked: dict[tuple[str, int], list[Event]] = defaultdict(list)
    for event in probes:
        asked[event.session, event.connection].append(event)
    ends = {(e.session, e.connection): e for e in case.of(Kind.ENDED)}
    starts = {(e.session, e.connection): e for e in case.of(Kind.CONNECTED)}
    for key, end in ends.items():
        start = starts.get(key)
        begin = start.row if start is not None else 0
        seconds = case.heartbeat.get(key, HEARTBEAT_SECONDS)
        if seconds <= 0 or key[0] in case.filtered:
            continue
        for one in case.sides_of.get(key[0], ()):
            yield from _late(case, end, one.sender, begin, seconds)
            if not one.one_sided:
                probed = [p for p in asked.get(key, ()) if p.sender != one.sender]
                yield from _missing(case, end, one.sender, begin, seconds, probed)
    for event in probes:
        yield from _unanswered(case, event)


def _rows(case: Case, session: str, sender: str, begin: int, end: int) -> Ints:
    rows = case.between(session, sender, begin - 1, end)
    timed: Ints = rows[case.time[rows] != MISSING]
    return timed


def _late(case: Case, end: Event, sender: str, begin: int, seconds: int) -> Iterator[Found]:
    rows = _rows(case, end.session, sender, begin, end.row)
    if len(rows) < 2:
        return
    up = _up_since(case, end)
    quiet = np.diff(np.maximum(case.time[rows], up))
    # A Logon ends no silence: it begins anew. Until it is answered no Heartbeat is due.
    logon = case.is_type(rows, "A")
    # And nothing is due behind a Logout of one's own.
    whole = _whole(case, rows) & ~logon[1:] & ~case.is_type(rows[:-1], "5")
    if up == MISSING:
        whole &= ~logon[:-1]
    limit = max(_LATE * seconds, seconds + _TICK_SECONDS)
    late = np.flatnonzero((quiet > limit * SECOND) & whole)
    # No connection lives through an hour of silence: the log has lost the end of it.
    late = late[quiet[late] < 3600 * SECOND]
    if len(late):
        worst = late[np.argmax(quiet[late])]
        row, before = int(rows[worst + 1]), int(rows[worst])
        # By its own clock it may have been on time, and the line slow.
        sent = case.sending[[before, row]]
        timely = MISSING not in sent and int(sent[1] - sent[0]) <= limit * SECOND
        line = " Its SendingTime(52) shows that it spoke in time: the line was slow."
        yield Found(
            "HEARTBEAT_LATE", row, end.session,
            f"{sender} was silent for {lasting(quiet[worst] / SECOND)} while HeartBtInt(108) "
            f"is {seconds} s"
            + (f", the longest of {len(late)} such silences in this connection."
               if len(late) > 1 else ".")
            + (line if timely else ""),
            side="" if timely else sender, by=sender, rows=(before,),
            topics=connection_topic(end),
        )  # fmt: skip


def _up_since(case: Case, end: Event) -> int:
    """When the Logon was answered; before that no Heartbeat is due."""
    answers = (
        int(case.time[e.row])
        for one in case.sides_of[end.session]
        for e in case.before(Kind.LOGON, end, sender=one.sender)
        if e.connection == end.connection and e.cause == "answer"
    )
    return min(answers, default=MISSING)


def _whole(case: Case, rows: Ints) -> npt.NDArray[np.bool_]:
    """Between which rows nothing is left out, as the new numbers around them tell."""
    number = case.number[rows]
    is_new = ~case.poss_dup[rows]
    new = np.flatnonzero(is_new)
    if not len(new):
        return np.ones(len(rows) - 1, np.bool_)
    so_far = np.cumsum(is_new)  # new ones up to each row, itself included
    at = so_far - is_new
    following = number[new[np.minimum(at, len(new) - 1)]]
    before = number[new[np.maximum(so_far - 1, 0)]]
    known = (at[1:] < len(new)) & (so_far[:-1] > 0)
    ahead = np.where(known, following[1:], number[1:])
    whole: npt.NDArray[np.bool_] = ahead - before[:-1] <= 1
    return whole


def _missing(
    case: Case, end: Event, sender: str, begin: int, seconds: int, probes: list[Event]
) -> Iterator[Found]:
    rows = _rows(case, end.session, sender, begin, end.row)
    last = end.row
    if not len(rows) or case.time[last] == MISSING:
        return
    at = int(rows[-1])
    quiet = (int(case.time[last]) - int(case.time[at])) / SECOND
    probed = any(p.row > at for p in probes)
    if quiet > _DEAD * seconds or (probed and quiet > _LATE * seconds):
        if case.type_of(at) == "5":
            return
        yield Found(
            "HEARTBEAT_MISSING", at, end.session,
            f"{sender} says nothing more for {lasting(quiet)} while HeartBtInt(108) is "
            f"{seconds} s. "
            "Whether it stood still or the line was dead the log cannot tell.",
            by=sender, rows=(last,), confidence="medium", topics=connection_topic(end),
        )  # fmt: skip


def _unanswered(case: Case, event: Event) -> Iterator[Found]:
    seconds = case.heartbeat.get((event.session, event.connection), HEARTBEAT_SECONDS)
    if event.other is None or event.cause == "unknown" or case.one_sided[event.session]:
        return
    lasted = case.seconds(event.row, event.other)
    if not lasted >= min(max(seconds, 1), 10) or missed(case, event, event.sender):
        return
    heard = case.between(event.session, event.receiver, event.row, event.other)
    asked = case.between(event.session, event.sender, event.row, event.other)
    if case.is_type(heard, "A").any() or case.is_type(asked, "A").any():
        return  # a new connection, perhaps: the question died with the one before
    if _may_be_lost(case, event) or _early(case, event):
        return
    shown = arrival(case, event, event.sender, event.receiver, event.other)
    went_on = would_ask(case, event, event.sender, event.receiver, event.other)
    if shown == event.row and not len(heard):
        shown = None  # it came, and its receiver says nothing any more
    proof = shown if shown is not None else went_on
    what = "and says nothing else either."
    if proof is not None:
        what = "though it goes on sending."
    elif len(heard):
        what = (
            "though it goes on sending; whether the TestRequest reached it the log cannot tell."
        )
    yield Found(
        "TESTREQ_UNANSWERED", event.row, event.session,
        f"{event.receiver} does not answer {event.sender}'s TestRequest(1) with "
        f"MsgSeqNum(34) {int(case.number[event.row])} in {lasting(lasted)}, {what}",
        side=event.receiver if proof is not None else "", by=event.sender,
        severity="" if proof is not None else "risk",
        confidence="high" if shown is not None else "medium",
        rows=(event.other,) if proof is None else (proof, event.other),
        topics=connection_topic(event),
    )  # fmt: skip


def _early(case: Case, event: Event) -> bool:
    """Whether it came while numbers before it were missing: then it waits for them (SEQ-07).

    Or while they were asked for, and have not come: who asks may have dropped what had.
    """
    if any(early.row == event.row for early in case.before(Kind.EARLY, event)):
        return True
    waits = (
        case.ask_of(left)
        for left in case.after(Kind.UNANSWERED, event)
        if left.connection == event.connection
    )
    return any(ask is not None and ask.row < event.row for ask in waits)


def _may_be_lost(case: Case, event: Event) -> bool:
    """Whether numbers of who should answer are missing since: the answer may be one of them."""
    if case.view.get((event.session, event.receiver)) == "out":
        return False
    return any(
        gap.row <= (event.other or 0)
        for gap in case.after(Kind.GAP, event, sender=event.receiver)
    )


def clocks(case: Case) -> Iterator[Found]:
    """CLOCK_SKEW: the distance between the two clocks, whatever zone the log is kept in."""
    sending = nanoseconds(case.frame, "sending_time")
    logged = codes(case.frame, "time_from")
    names = list(case.frame["time_from"].cat.categories)
    stamped = np.isin(logged, [i for i, n in enumerate(names) if n in ("log", "capture")])
    good = (sending != MISSING) & (case.time != MISSING) & case.valid & ~case.poss_dup
    for session, sides in sorted(case.sides_of.items()):
        if len(sides) != 2:
            continue
        views = {one.view: one.sender for one in sides}
        if set(views) == {"in", "out"}:
            yield from _against_log(case, session, views, sending, good & stamped)
        if not any(bool(stamped[case.rows_of(session, one.sender)].any()) for one in sides):
            yield from _by_turns(case, session, sides[0].sender, sides[1].sender, sending, good)


def _against_log(
    case: Case, session: str, views: dict[str, str], sending: Ints, chosen: object
) -> Iterator[Found]:
    offsets = {}
    for view, sender in views.items():
        rows = case.rows_of(session, sender)
        rows = rows[np.asarray(chosen)[rows]]
        if len(rows) < _TURNS_MIN:
            return
        offset = sending[rows] - case.time[rows]
        offsets[view] = int(np.median(offset))
        if view == "in":
            # A slow line makes what comes look old: the quickest message tells most.
            offsets[view] = max(offsets[view], min(int(offset.max()), offsets.get("out", 0)))
    skew = (offsets["in"] - offsets["out"]) / SECOND
    if abs(skew) < _SKEW_SECONDS:
        return
    rows = case.rows_of(session, views["in"])
    zone = offsets["out"] and abs(offsets["out"]) >= _ZONE_NS
    note = (
        " The log's own times are in another zone, which is taken into account." if zone else ""
    )
    yield Found(
        "CLOCK_SKEW", int(rows[0]), session,
        f"{views['in']}'s SendingTime(52) is {lasting(abs(skew))} "
        f"{'ahead of' if skew > 0 else 'behind'} {views['out']}'s clock.{note}",
        side=views["in"], by=views["in"], confidence="medium",
        severity="fault" if abs(skew) > _TOLERANCE_SECONDS else "",
    )  # fmt: skip


def _by_turns(
    case: Case, session: str, one: str, two: str, sending: Ints, good: object
) -> Iterator[Found]:
    """Without log times: each answer has a later time than its question, or a clock is off."""
    both = np.concatenate([case.rows_of(session, one), case.rows_of(session, two)])
    rows = np.sort(both, kind="stable")  # two runs in order: they are merged
    rows = rows[np.asarray(good)[rows]]
    sender = case.sender[rows]
    turns = np.flatnonzero(sender[1:] != sender[:-1])
    from_one = sender[turns] == case.senders.index(one)
    step = (sending[rows[turns + 1]] - sending[rows[turns]]) / SECOND
    if from_one.sum() < _TURNS_MIN or (~from_one).sum() < _TURNS_MIN:
        return
    there, back = float(np.median(step[from_one])), float(np.median(step[~from_one]))
    low_there, low_back = float(step[from_one].min()), float(step[~from_one].min())
    skew = (low_there - low_back) / 2
    if abs(skew) < _SKEW_SECONDS or min(there, back) > -_SKEW_SECONDS:
        return
    ahead = two if skew > 0 else one
    yield Found(
        "CLOCK_SKEW", int(rows[0]), session,
        f"{ahead}'s SendingTime(52) is about {lasting(abs(skew))} ahead of the other side's. "
        "The log has no times of its own, so whose clock is wrong cannot be known.",
        by=ahead, confidence="low",
    )  # fmt: skip


ALL = (silence, clocks)
