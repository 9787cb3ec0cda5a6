"""Findings about ResendRequests and their answers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from fixlab.analysis._case import Case, Found, connection_topic, gap_topic, lasting, span
from fixlab.analysis._events import Event, Kind
from fixlab.analysis._proofs import arrival, missed, would_ask
from fixlab.frames import MISSING, nanoseconds

_TOGETHER_NS = 5_000_000  # requests sent so close together do not know of each other's answer
_AGAIN_SECONDS = 5.0  # asking again later than that is a second try, not redundant (RRQ-06)
_PATIENCE_SECONDS = 10.0
_HELD_MAX = 4_096  # rows in which held messages are looked for
_HUGE_MESSAGES, _HUGE_SECONDS = 5_000, 60.0
_LOOP_REQUESTS, _LOOP_ANSWERS = 3, 2
_STORM_REQUESTS = 3


def repeated(case: Case) -> Iterator[Found]:
    """RESEND_LOOP, RESEND_STORM, RESEND_OVERLAP, GAPFILL_IGNORED, RESEND_UNJUSTIFIED."""
    chains: dict[tuple[str, str, int], list[Event]] = defaultdict(list)
    for event in case.of(Kind.ASKED):
        if event.begin is not None and event.cause not in ("invalid", "next_expected"):
            chains[event.session, event.sender, event.connection].append(event)
    for asks in chains.values():
        yield from _chain(case, asks)


def _chain(case: Case, asks: list[Event]) -> Iterator[Found]:
    redundant: list[Event] = []
    excused: set[int] = set()
    sent = nanoseconds(case.frame, "sending_time")
    for i, event in enumerate(asks):
        for other in reversed(asks[max(i - 20, 0) : i]):
            if not _overlap(event, other):
                continue
            close = MISSING not in (sent[event.row], sent[other.row]) and (
                abs(int(sent[event.row] - sent[other.row])) < _TOGETHER_NS
            )
            soon = not case.seconds(other.row, event.row) >= _AGAIN_SECONDS
            if close or (event.of_request == other.request and soon):
                redundant.append(event)
                excused.add(event.row)
                break
    yield from _loops(case, asks, redundant, excused)
    if redundant:
        yield _redundant(asks, redundant)
    yield from _ignored(case, asks, excused)
    for event in asks:
        if event.row not in excused:
            yield from _unjustified(case, event)


def _overlap(one: Event, other: Event) -> bool:
    low, high = one.begin or 0, other.begin or 0
    return low <= (other.end or high) and high <= (one.end or low)


def _loops(
    case: Case, asks: list[Event], redundant: list[Event], excused: set[int]
) -> Iterator[Found]:
    again = {id(event) for event in redundant}
    by_begin: dict[int, list[Event]] = defaultdict(list)
    for event in asks:
        if id(event) not in again and event.begin is not None:
            by_begin[event.begin].append(event)
    for begin, same in by_begin.items():
        answers = _answered_in_between(case, same)
        if len(same) < _LOOP_REQUESTS or answers < _LOOP_ANSWERS:
            continue
        excused |= {event.row for event in same}
        first, last = same[0], same[-1]
        unflagged = [
            e
            for kind in (Kind.LATE, Kind.TOO_LOW)
            for e in case.after(kind, first)
            if e.row <= last.row and (e.begin or 0) >= begin
        ]  # fmt: skip
        side, why = first.receiver, f"{first.receiver} does not take the answer"
        if unflagged:
            side, why = first.sender, f"{first.sender}'s answer lacks PossDupFlag(43)=Y"
        yield Found(
            "RESEND_LOOP", first.row, first.session,
            f"{first.receiver} asked {len(same)} times for {first.sender}'s MsgSeqNum(34) from "
            f"{begin} on, though its requests were answered: {why}.",
            side=side, by=first.receiver, begin=begin, end=first.end,
            confidence="high" if unflagged else "medium",
            rows=(*(e.row for e in same[1:4]), last.row),
            topics=tuple(t for e in same for t in gap_topic(e)) + connection_topic(first),
        )  # fmt: skip


def _answered_in_between(case: Case, same: list[Event]) -> int:
    """How many of these requests had their answer when the next one left.

    One answer that comes late ends all of them, and shows that the requester was patient.
    """
    return sum(
        case.answered.get(ask.request or 0, following.row) < following.row
        for ask, following in pairwise(same)
    )


def _redundant(asks: list[Event], redundant: list[Event]) -> Found:
    first = redundant[0]
    storm = len(redundant) >= _STORM_REQUESTS
    # Mostly the same range again and again: said once.
    spans = list(dict.fromkeys(span(e.begin, e.end) for e in redundant))
    ranges = ", ".join(spans[:3]) + (", ..." if len(spans) > 3 else "")
    earlier = [e.row for e in asks if e.row < first.row and _overlap(e, first)]
    return Found(
        "RESEND_STORM" if storm else "RESEND_OVERLAP", first.row, first.session,
        f"{first.receiver} asked {_times(len(redundant))} more for {first.sender}'s "
        f"MsgSeqNum(34) {ranges}, which it had asked for already.",
        side=first.receiver, by=first.receiver, begin=first.begin, end=first.end,
        rows=(*earlier[-1:], *(e.row for e in redundant[1:4])),
        topics=tuple(t for e in redundant for t in gap_topic(e)) + _request_topics(redundant),
    )  # fmt: skip


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _request_topics(events: list[Event]) -> tuple[tuple[object, ...], ...]:
    return tuple(("request", e.session, e.request) for e in events)


def _ignored(case: Case, asks: list[Event], excused: set[int]) -> Iterator[Found]:
    """Asked again for what a gap fill had covered."""
    for event in asks[1:]:
        if event.row in excused or event.begin is None or case.filled_to(event) < event.begin:
            continue
        for fill in case.before(Kind.FILLED, event):
            begin, end = fill.begin or 0, fill.end or 0
            sound = fill.cause == "" and fill.request is not None
            sound = sound and not _too_low(case, fill, event.begin)
            if sound and fill.connection == event.connection and begin <= event.begin <= end:
                excused.add(event.row)
                shown = arrival(case, fill, event.sender, event.receiver, event.row)
                asked = case.ask_of(fill)
                waited = 0.0 if asked is None else case.seconds(asked.row, event.row)
                if shown is None and waited >= _AGAIN_SECONDS:
                    break  # RRQ-06: to who asks, it was not answered in time
                yield Found(
                    "GAPFILL_IGNORED", event.row, event.session,
                    f"{event.receiver} asks again for {event.sender}'s MsgSeqNum(34) "
                    f"{event.begin}, which a gap fill from {begin} to NewSeqNo(36) {end + 1} "
                    "had covered."
                    + ("" if shown is not None
                       else " Whether it had arrived by then the log cannot tell."),
                    side=event.receiver if shown is not None else "", by=event.receiver,
                    begin=event.begin, end=event.end, rows=(fill.row,),
                    topics=gap_topic(event) + _request_topics([event]),
                    severity="" if shown is not None else "risk",
                    confidence="high" if shown is not None else "low",
                )  # fmt: skip
                break


def _too_low(case: Case, fill: Event, begin: int) -> bool:
    """Whether a gap fill may be ignored (SQR-04), so that its receiver misses from `begin` on.

    It begins below what was due, or with numbers that its receiver held and took by then.
    """
    first = fill.begin or 0
    if fill.expected is not None and first < fill.expected:
        return True
    since = case.start_of(fill) - 1
    rows = case.between(fill.session, fill.sender, since, fill.row - 1)[-_HELD_MAX:]
    held = set(case.number[rows[~case.poss_dup[rows]]].tolist())
    return first < begin and begin - first <= len(held) and held.issuperset(range(first, begin))


def _unjustified(case: Case, event: Event) -> Iterator[Found]:
    inside = case.view.get((event.session, event.sender)) == "in"
    # Asked first: what follows looks through all that came before.
    if event.cause != "not_sent" and not (event.cause == "not_missing" and inside):
        return
    # What came early the receiver may have dropped, at the latest when the connection ended
    # (RRQ-09): then it is right to ask for it.
    if event.cause == "not_missing" and any(
        early.epoch == event.epoch and _overlap(event, early)
        for early in case.before(Kind.EARLY, event)
    ):
        return
    if event.begin is not None and any(
        fill.connection == event.connection
        and (fill.begin or 0) < event.begin <= (fill.end or 0)
        and _too_low(case, fill, event.begin)
        for fill in case.before(Kind.FILLED, event)
    ):
        return
    what = "was never sent" if event.cause == "not_sent" else "had arrived"
    yield Found(
        "RESEND_UNJUSTIFIED", event.row, event.session,
        f"{event.receiver} asks for {event.sender}'s MsgSeqNum(34) "
        f"{span(event.begin, event.end)}, which {what} as far as the log shows.",
        side=event.receiver, by=event.receiver, begin=event.begin, end=event.end,
        confidence="high" if inside else "medium",
        topics=gap_topic(event) + connection_topic(event) + _request_topics([event]),
    )  # fmt: skip


def ranges(case: Case) -> Iterator[Found]:
    """RESEND_INVALID and RESEND_BAD_BEGIN: what is wrong with the range itself."""
    for event in case.of(Kind.ASKED):
        if event.cause == "invalid":
            opened = case.before(Kind.GAP, event)
            yield Found(
                "RESEND_INVALID", event.row, event.session,
                f"{event.receiver}'s ResendRequest(2) has BeginSeqNo(7) {event.begin} and "
                f"EndSeqNo(16) {event.end}.",
                side=event.receiver, by=event.receiver, begin=event.begin, end=event.end,
                topics=gap_topic(opened[0]) if opened else (),
            )  # fmt: skip
        elif event.cause == "above":
            fills = [
                e
                for e in case.before(Kind.FILLED, event)
                if e.cause == "high" and e.gap == event.gap
            ]
            code = "GAPFILL_SKIPS_UNSEEN" if fills else "RESEND_BAD_BEGIN"
            low = [e for e in case.after(Kind.LOST, event) if e.row == event.row]
            missed = span(low[0].begin, low[-1].end) if low else "what stands before it"
            yield Found(
                code, event.row, event.session,
                f"{event.receiver} asks for {event.sender}'s MsgSeqNum(34) from {event.begin} "
                f"on, and not for {missed}, which it has not got either.",
                side=event.receiver, by=event.receiver, begin=event.begin, end=event.end,
                rows=tuple(e.row for e in fills[:2]),
                topics=gap_topic(event) + connection_topic(event),
            )  # fmt: skip


def answers(case: Case) -> Iterator[Found]:
    """RESEND_UNANSWERED, RESEND_INCOMPLETE, RESEND_HUGE, REPLAY_INTERLEAVED."""
    for event in case.of(Kind.UNANSWERED):
        yield from _unanswered(case, event)
    for event in case.of(Kind.ANSWERED):
        ask = case.ask_of(event)
        if ask is None or event.begin is None or event.end is None:
            continue
        total = event.end - event.begin + 1
        # Part of it may have come before, as the answer to a NextExpectedMsgSeqNum(789).
        if event.answered < total and not case.next_expected_used(event):
            sent = case.view.get((event.session, event.sender)) == "out"
            short = total - event.answered
            yield Found(
                "RESEND_INCOMPLETE", event.row, event.session,
                f"{event.sender}'s answer to {event.receiver}'s request for MsgSeqNum(34) "
                f"{span(event.begin, event.end)} leaves out {short} "
                f"number{'' if short == 1 else 's'}."
                + ("" if sent else " Whether they were lost on the way its own log tells."),
                side=event.sender if sent else "", by=event.sender,
                begin=event.begin, end=event.end,
                severity="" if sent else "risk", confidence="high" if sent else "medium",
                rows=(ask.row,), topics=gap_topic(event) + gap_topic(ask),
            )  # fmt: skip
        lasted = _replay_seconds(case, event, ask)
        if event.count >= _HUGE_MESSAGES or lasted >= _HUGE_SECONDS:
            yield Found(
                "RESEND_HUGE", ask.row, event.session,
                f"{event.sender} replayed {event.count:,} messages in {lasting(lasted)} for "
                f"{event.receiver}'s request for MsgSeqNum(34) {span(event.begin, event.end)}.",
                by=event.receiver, begin=event.begin, end=event.end, rows=(event.row,),
            )  # fmt: skip
        if event.live:
            yield from _interleaved(case, event, ask)


def _replay_seconds(case: Case, event: Event, ask: Event) -> float:
    """How long an answer took from its first message to its last, however long it was due."""
    lasted = case.seconds(ask.row, event.row)
    if not lasted >= _HUGE_SECONDS:
        return lasted
    rows = case.between(event.session, event.sender, ask.row, event.row)
    answer = rows[case.poss_dup[rows] | case.is_type(rows, "4")]
    return case.seconds(int(answer[0]), event.row) if len(answer) else 0.0


def _interleaved(case: Case, event: Event, ask: Event) -> Iterator[Found]:
    rows = case.between(event.session, event.sender, ask.row, event.row)
    dups = rows[case.poss_dup[rows]]
    if len(dups) < 2:
        return
    new = [
        int(row)
        for row in rows
        if dups[0] < row < dups[-1] and case.application[row] and not case.poss_dup[row]
    ]
    if new:
        yield Found(
            "REPLAY_INTERLEAVED", new[0], event.session,
            f"{event.sender} sent {len(new)} new message{'s'[len(new) == 1 :]} in the middle "
            f"of its replay of MsgSeqNum(34) {span(event.begin, event.end)}.",
            side=event.sender, by=event.sender, begin=event.begin, end=event.end,
            rows=(ask.row, event.row), topics=gap_topic(event),
        )  # fmt: skip


def _unanswered(case: Case, event: Event) -> Iterator[Found]:
    ask = case.ask_of(event)
    if ask is None or event.cause == "reset":
        return
    rows = case.between(event.session, event.sender, ask.row, case.end_of(ask))
    answered = rows[case.poss_dup[rows] | case.is_type(rows, "4")]
    since = int(answered[-1]) if len(answered) and event.answered else ask.row
    new = [
        int(row)
        for row in rows
        if row > since and not case.poss_dup[row]
        and case.seconds(since, int(row)) >= _PATIENCE_SECONDS
    ]  # fmt: skip
    if not new or missed(case, ask, ask.by):
        return
    shown = arrival(case, ask, ask.by, ask.sender, new[-1])
    if shown is None:
        shown = would_ask(case, ask, ask.by, ask.sender, case.end_of(ask))
    sure = shown is not None or event.answered > 0
    did = "did not answer"
    if event.answered:
        did = f"answered only {event.answered} number{'s'[event.answered == 1 :]} of"
    yield Found(
        "RESEND_INCOMPLETE" if event.answered else "RESEND_UNANSWERED", ask.row, event.session,
        f"{event.sender} {did} {event.receiver}'s request for MsgSeqNum(34) "
        f"{span(ask.begin, ask.end)}, and went on sending for "
        f"{lasting(case.seconds(ask.row, new[-1]))}."
        + ("" if sure else " Whether the request reached it the log cannot tell."),
        side=event.sender if sure else "", by=event.receiver,
        begin=event.begin, end=event.end, rows=(new[0],),
        severity="" if sure else "risk", confidence="high" if sure else "medium",
        topics=gap_topic(event) + gap_topic(ask) + connection_topic(ask),
    )  # fmt: skip


ALL = (repeated, ranges, answers)
