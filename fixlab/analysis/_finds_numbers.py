"""Findings about the numbers themselves: resets of both, too low, used twice."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from fixlab.analysis._case import Case, Found, connection_topic, gap_topic, lasting, span
from fixlab.analysis._events import Event, Kind

_ROLL_SECONDS = 3_600.0  # so long a pause before a Logon at 1 is a schedule, not a crash
_BETWEEN_MAX = 1_000  # rows between two resets that may all be Logons
_TWICE_SECONDS = 1.0  # beyond it a reconnect is as likely as a second reset


def epochs(case: Case) -> Iterator[Found]:
    """RESET_UNASKED, RESET_BAD_SEQ, RESET_NOT_HONOURED, RESET_TWICE."""
    asked: dict[tuple[str, str], Event] = {}
    for event in case.of(Kind.EPOCH, Kind.NOT_HONOURED):
        topics = connection_topic(event)
        if event.kind == Kind.NOT_HONOURED or event.cause == "answer_silent":
            told = (
                "goes on with its old numbers"
                if event.kind == Kind.NOT_HONOURED
                else ("answers without 141=Y, though it begins at 1")
            )
            other = (event.other,) if event.other is not None else ()
            yield Found(
                "RESET_NOT_HONOURED", event.row, event.session,
                f"{event.receiver} asked to reset with ResetSeqNumFlag(141)=Y; {event.sender} "
                f"{told} (MsgSeqNum(34) {event.begin}).",
                side=event.sender, by=event.sender, begin=event.begin, rows=other,
                topics=topics,
            )  # fmt: skip
            continue
        if event.cause in ("asked", "answer", "unasked") and event.begin != 1:
            yield Found(
                "RESET_BAD_SEQ", event.row, event.session,
                f"{event.sender}'s Logon with ResetSeqNumFlag(141)=Y has MsgSeqNum(34) "
                f"{event.begin}, not 1.",
                side=event.sender, by=event.sender, begin=event.begin, topics=topics,
            )  # fmt: skip
        if event.cause == "unasked":
            yield Found(
                "RESET_UNASKED", event.row, event.session,
                f"{event.sender} answers a Logon without ResetSeqNumFlag(141) with 141=Y.",
                side=event.sender, by=event.sender, begin=event.begin, topics=topics,
            )  # fmt: skip
        if event.cause != "asked":
            continue
        before = asked.get((event.session, event.sender))
        asked[event.session, event.sender] = event
        if (
            before is not None and before.connection == event.connection
            and case.seconds(before.row, event.row) < _TWICE_SECONDS
            and _only_logons(case, event.session, before.row, event.row)
        ):  # fmt: skip
            yield Found(
                "RESET_TWICE", event.row, event.session,
                f"{event.sender} resets both numbers again "
                f"{lasting(case.seconds(before.row, event.row))} after its first reset, unless "
                "the connection was lost in between.",
                side=event.sender, by=event.sender, begin=event.begin, rows=(before.row,),
                confidence="medium", topics=topics,
            )  # fmt: skip


def _only_logons(case: Case, session: str, begin: int, end: int) -> bool:
    """Whether nothing but Logons stands between, one of them the other side's answer."""
    near = case.last_before(session, end, _BETWEEN_MAX)
    rows = np.array([row for row in near if row > begin], np.int64)
    return 0 < len(rows) < _BETWEEN_MAX and bool(case.is_type(rows, "A").all())


def too_low(case: Case) -> Iterator[Found]:
    """SEQ_TOO_LOW, ONE_SIDE_ROLLED, STORE_REWOUND, DUPLICATE_ and REPLAY_NOT_FLAGGED."""
    told = {
        (e.session, e.sender, e.connection): e
        for e in case.of(Kind.CLAIMED)
        if e.cause == "text"
    }
    explained = set()
    low: list[tuple[Event, Found]] = []
    for event in case.of(Kind.TOO_LOW):
        if event.cause == "unsettled":
            continue
        key = (event.session, event.sender, event.connection)
        explained.add(key)
        if event.cause == "logon":
            yield _low_logon(case, event, told.get(key))
        else:
            low.append((event, _again(case, event)))
    late = case.of(Kind.LATE)
    low += [(e, _again(case, e)) for e in late if _request_before(case, e) is not None]
    low.sort(key=lambda pair: pair[0].row)
    yield from _joined(low)
    for event in case.of(Kind.REWOUND):
        rolled = event.begin == 1 and _pause(case, event.row) >= _ROLL_SECONDS
        yield Found(
            "ONE_SIDE_ROLLED" if rolled else "STORE_REWOUND", event.row, event.session,
            f"{event.sender} went back to MsgSeqNum(34) {event.begin} and uses "
            f"{span(event.begin, event.end)} again; {event.receiver} took it.",
            side=event.sender, by=event.sender, begin=event.begin, end=event.end,
            topics=connection_topic(event),
        )  # fmt: skip
    for key, event in told.items():
        if key not in explained and event.end is not None and event.begin != event.end:
            yield from _by_text(case, event)


def _joined(found: list[tuple[Event, Found]]) -> Iterator[Found]:
    """Numbers that follow each other in one connection are one trouble."""
    open_: dict[tuple[str, str, str, int], Found] = {}
    for event, each in found:
        key = (each.code, event.session, event.sender, event.connection)
        before = open_.get(key)
        if before is not None and each.begin is not None and before.end == each.begin - 1:
            open_[key] = before._replace(
                end=each.end,
                summary=before.summary.replace(
                    f" {span(before.begin, before.end)} ",
                    f" {span(before.begin, each.end)} ",
                    1,
                ),
                rows=(*before.rows, each.row)[:4],
                topics=before.topics + each.topics,
            )
        else:
            if before is not None:
                yield before
            open_[key] = each
    yield from open_.values()


def _pause(case: Case, row: int) -> float:
    """Seconds since the row before, of the same session."""
    session = case.session[row]
    for before in case.last_before(case.sessions[session], row, 200):
        if case.session[before] == session:
            return case.seconds(before, row)
    return 0.0


def _low_logon(case: Case, event: Event, claim: Event | None) -> Found:
    pause = _pause(case, event.row)
    rolled = event.begin == 1 and pause >= _ROLL_SECONDS
    untimed = event.begin == 1 and math.isnan(pause)  # it may be either
    due = event.expected if claim is None else claim.begin
    short = "" if due is None or event.begin is None else f", {due - event.begin} too low"
    agrees = ""
    if claim is not None and event.expected not in (None, claim.begin):
        agrees = f" By the log {event.expected} was due."
    start = "began a new session alone" if rolled else "forgot numbers it had used"
    # Of one side alone nothing shows whether both had begun anew.
    alone = case.one_sided[event.session] and not rolled
    return Found(
        "ONE_SIDE_ROLLED" if rolled else "SEQ_TOO_LOW", event.row, event.session,
        f"{event.sender} logs on with MsgSeqNum(34) {event.begin} while {event.receiver} "
        f"expects {due}{short}: {event.sender} {start}.{agrees}",
        side="" if alone else event.sender, by=event.sender, begin=event.begin,
        end=None if due is None else due - 1,
        rows=() if claim is None else (claim.row,), topics=connection_topic(event),
        severity="risk" if alone else "",
        confidence="low" if alone else "medium" if rolled or agrees or untimed else "high",
    )  # fmt: skip


def _by_text(case: Case, event: Event) -> Iterator[Found]:
    """Only the Logout's text tells that a number was too low."""
    if (event.end or 0) >= (event.begin or 0):
        return
    if _sent_once(case, event):
        yield Found(
            "SEQ_TOO_LOW", event.row, event.session,
            f"{event.receiver} refuses {event.sender}'s MsgSeqNum(34) {event.end}: it expects "
            f"{event.begin}. By {event.sender}'s own log it sent {event.end} once, in its "
            "turn: something between doubled it, or the other side counts wrongly.",
            by=event.receiver, begin=event.end, end=(event.begin or 0) - 1, severity="risk",
            confidence="medium", topics=connection_topic(event),
        )  # fmt: skip
    else:
        yield Found(
            "SEQ_TOO_LOW", event.row, event.session,
            f"{event.receiver} refuses {event.sender}'s MsgSeqNum(34) {event.end}: it expects "
            f"{event.begin}. The log begins too late to tell which side is right.",
            side=event.sender, by=event.receiver, begin=event.end, end=(event.begin or 0) - 1,
            confidence="medium", topics=connection_topic(event),
        )  # fmt: skip


def _sent_once(case: Case, event: Event) -> bool:
    """Whether the sender's own log has the refused number once, and those behind it too."""
    if case.view.get((event.session, event.sender)) != "out":
        return False
    rows = case.between(event.session, event.sender, case.start_of(event) - 1, event.row)
    rows = rows[case.valid[rows] & ~case.poss_dup[rows]]
    numbers = case.number[rows]
    low, high = event.end or 0, event.begin or 0
    inside = numbers[(numbers >= low) & (numbers < high)]
    return len(inside) == high - low == len(np.unique(inside))


def _request_before(case: Case, event: Event) -> Event | None:
    """The ResendRequest of this connection that these numbers answer."""
    for ask in case.before(Kind.ASKED, event):
        if (
            ask.connection == event.connection and ask.begin is not None
            and ask.begin <= (event.begin or 0) <= (ask.end or ask.begin)
        ):  # fmt: skip
            return ask
    return None


def _again(case: Case, event: Event) -> Found:
    ask = _request_before(case, event)
    number = ("number", event.session, event.sender, event.begin)
    if ask is not None and not _replayed_before(case, event):
        return Found(
            "REPLAY_NOT_FLAGGED", event.row, event.session,
            f"{event.sender} replays MsgSeqNum(34) {span(event.begin, event.end)} without "
            "PossDupFlag(43)=Y.",
            side=event.sender, by=event.sender, begin=event.begin, end=event.end,
            rows=(ask.row,), topics=gap_topic(event) + gap_topic(ask) + connection_topic(ask),
        )  # fmt: skip
    unseen = ""
    if event.session in case.without_admin:
        unseen = "the log leaves Logons out"
    elif case.one_sided[event.session] and _goes_on(case, event):
        # One side alone does not show a reset that the other one asked for.
        unseen = "the log shows one side only"
    return Found(
        "DUPLICATE_NOT_FLAGGED", event.row, event.session,
        f"{event.sender} uses MsgSeqNum(34) {span(event.begin, event.end)} a second time "
        "without PossDupFlag(43)=Y"
        + (f", or began anew: {unseen}." if unseen else "."),
        side="" if unseen else event.sender, by=event.sender, begin=event.begin, end=event.end,
        severity="risk" if unseen else "", confidence="low" if unseen else "high",
        topics=(number, *connection_topic(event)),
    )  # fmt: skip


def _goes_on(case: Case, event: Event) -> bool:
    """Whether its sender goes on from there, or came from there."""
    rows = case.rows_of(event.session, event.sender)
    at = int(np.searchsorted(rows, event.row))
    around = rows[max(at - 1, 0) : at + 2]
    near = case.number[around].tolist()
    begin, end = event.begin or 0, event.end or 0
    parted = bool(case.is_type(around, "5", "A").any())
    return parted or end > begin or end + 1 in near or begin - 1 in near


def _replayed_before(case: Case, event: Event) -> bool:
    """Whether the request had its answer already: then this is a late original."""
    return any(
        e.row < event.row and (e.begin or 0) <= (event.begin or 0) <= (e.end or 0)
        for e in case.before(Kind.REPLAYED, event)
    )  # fmt: skip


def next_expected(case: Case) -> Iterator[Found]:
    """NEXT_EXPECTED_MISMATCH: what 789 claims against the numbers of the log."""
    for event in case.of(Kind.CLAIMED):
        if event.cause != "next_expected" or event.expected is None or event.begin is None:
            continue
        if bool(case.frame["reset"].iloc[event.row]) or _never_heard(case, event):
            continue  # it speaks of other numbers than those that began anew
        rows = case.rows_of(event.session, event.sender)
        first = case.number[rows[case.valid[rows]][:1]]
        if len(first) and event.begin < int(first[0]):
            continue  # of numbers below the first one the log tells nothing
        kept = case.view.get((event.session, event.sender)) == "in"
        if event.begin < event.expected and _uncounted(case, event):
            continue
        if event.begin > event.expected or (event.begin < event.expected and kept):
            yield Found(
                "NEXT_EXPECTED_MISMATCH", event.row, event.session,
                f"{event.receiver}'s NextExpectedMsgSeqNum(789) is {event.begin}; by the log "
                f"it should be {event.expected}.",
                side=event.receiver, by=event.by,
                begin=min(event.begin, event.expected),
                end=max(event.begin, event.expected) - 1,
                confidence="high" if kept else "medium", topics=connection_topic(event),
            )  # fmt: skip


def _uncounted(case: Case, event: Event) -> bool:
    """Whether the first number that is not counted need not be.

    It came before the Logon in answer: who refuses such messages (LGN-04) does not count them.
    Or a gap fill covered it that began too low, and is to be ignored (SQR-04).
    """
    if any(
        fill.epoch == event.epoch and fill.expected == event.begin
        and (fill.begin or 0) < (event.begin or 0)
        for fill in case.before(Kind.FILLED, event)
    ):  # fmt: skip
        return True
    if _refused_all(case, event):
        return True
    return any(
        begun.begin is not None and event.begin is not None
        and begun.connection < event.connection
        and begun.begin <= (event.expected or 0) and (begun.end or begun.begin) >= event.begin
        for begun in case.before(Kind.BEFORE_LOGON, event)
    )  # fmt: skip


def _never_heard(case: Case, event: Event) -> bool:
    """Whether the sender has begun anew, and nothing shows that the receiver knows of it."""
    anew = case.before(Kind.EPOCH, event)[:1]
    known = case.before(Kind.EPOCH, event, sender=event.receiver)[:1]
    return any(
        one.cause == "asked" and not any(other.row > one.row for other in known) for one in anew
    )


def _refused_all(case: Case, event: Event) -> bool:
    """Whether it came in the connection before, in which no Logon answered the receiver's."""
    logons = case.before(Kind.LOGON, event, sender=event.receiver)
    begun = next((e for e in logons if e.connection == event.connection - 1), None)
    if begun is None or begun.cause != "again":
        return False
    answers = case.before(Kind.LOGON, event)
    if any(e.connection == begun.connection and e.cause == "answer" for e in answers):
        return False
    came = case.number[case.between(event.session, event.sender, begun.row, event.row)]
    return bool(len(came)) and int(came.min()) <= (event.begin or 0)


ALL = (epochs, too_low, next_expected)
