"""Findings about missing numbers: who missed them, who asked, what became of them."""

from __future__ import annotations

from collections.abc import Iterator

from fixlab.analysis._case import (
    NEAR_MAX,
    Case,
    Found,
    connection_topic,
    gap_topic,
    lasting,
    span,
)
from fixlab.analysis._events import Event, Kind
from fixlab.analysis._proofs import arrival

# A request should leave within a round trip, a gap close within the resend time-out.
_ASK_SECONDS = 5.0
_OPEN_SECONDS = 30.0
_HOLES_MAX = 4  # of one gap that are told one by one


def gaps(case: Case) -> Iterator[Found]:
    """SEQ_GAP, MANUAL_SEQ_EDIT, SEQ_SKIPPED, GAP_NOT_REQUESTED, GAP_NEVER_CLOSED."""
    logons = {event.row for event in case.of(Kind.LOGON)}
    yield from (_gap(case, same) for same in _same_gaps(case))
    for event in case.of(Kind.GAP):
        if event.session in case.filtered:
            continue
        if event.cause == "hole" and case.view.get((event.session, event.sender)) == "out":
            yield from _own_hole(case, event, at_logon=event.row in logons)
        yield from _not_requested(case, event)
    yield from _never_closed(case)


def _same_gaps(case: Case) -> list[list[Event]]:
    """Holes of one gap, and what of it shows again in later connections, taken together."""
    chains: list[list[Event]] = []
    last: dict[tuple[str, str], tuple[list[Event], int, int]] = {}
    for event in case.of(Kind.GAP):
        key, begin, end = (event.session, event.sender), event.begin or 0, event.end or 0
        chain, first, until = last.get(key, ([], begin, end))
        if not chain or not _goes_on(case, chain[-1], event, first, until):
            chain, first, until = [], begin, end
            chains.append(chain)
        chain.append(event)
        last[key] = (chain, min(first, begin), max(until, end))
    return chains


def _goes_on(case: Case, before: Event, event: Event, first: int, until: int) -> bool:
    """Whether a gap is the one before it, still open, or asked for once more.

    That one reaches from `first` to `until`.
    """
    if before.gap == event.gap:
        return True
    if before.epoch != event.epoch:
        return False
    begin, end = event.begin or 0, event.end or 0
    if event.cause == "asked" and before.connection == event.connection:
        return first <= begin and end <= until
    gone = case.gap_ends.get((before.session, before.sender, before.gap or 0))
    left = gone is not None and gone.kind == Kind.ABANDONED and gone.cause == "disconnect"
    return left and begin <= until and end >= first


def _gap(case: Case, same: list[Event]) -> Found:
    event, last = same[0], same[-1]
    filtered = event.session in case.filtered
    key = (event.session, event.sender)
    end = case.gap_ends.get((*key, last.gap or 0))
    ordinals = dict.fromkeys(each.gap for each in same)
    asks = [ask for gap in ordinals for ask in case.gap_asks.get((*key, gap or 0), [])]
    how = "is still open where the log ends"
    if end is not None:
        after = case.seconds(event.row, end.row)
        word = "closed" if end.kind == Kind.CLOSED else f"ended with a {end.cause}"
        how = f"{word} " + (f"after {lasting(after)}" if after else "at once")
    often = "once" if len(asks) == 1 else f"{len(asks)} times"
    told = f"asked {often}" if asks else "did not ask"
    connections = len({each.connection for each in same})
    if connections > 1:
        told += f", in {connections} connections"
    numbers = f"{event.sender}'s MsgSeqNum(34) {_numbers(same)}"
    summary = f"{event.receiver} missed {numbers} and {told}; the gap {how}."
    if filtered:
        are = "is" if event.begin == event.end and len(same) == 1 else "are"
        summary = (
            f"{numbers} {are} not in the log, which has no Heartbeat at "
            "all: the logger leaves them out."
        )
    topics = dict.fromkeys(topic for each in same for topic in gap_topic(each))
    return Found(
        "SEQ_GAP", event.row, event.session, summary, by=event.by,
        begin=min(each.begin or 0 for each in same), end=max(each.end or 0 for each in same),
        confidence="low" if filtered else "high",
        topics=(*topics, *connection_topic(event)),
        rows=tuple(ask.row for ask in asks[:3]) + ((end.row,) if end is not None else ()),
    )  # fmt: skip


def _numbers(same: list[Event]) -> str:
    """The holes of a gap, each once: 2 to 5 and 8."""
    merged: list[list[int]] = []
    for begin, end in sorted((each.begin or 0, each.end or 0) for each in same):
        if merged and begin <= merged[-1][1] + 1:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([begin, end])
    parts = [span(begin, end) for begin, end in merged]
    if len(parts) > _HOLES_MAX:
        rest = len(parts) - _HOLES_MAX
        return ", ".join(parts[:_HOLES_MAX]) + f" and {rest} more stretches"
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _own_hole(case: Case, event: Event, *, at_logon: bool) -> Iterator[Found]:
    """A hole in what the log's own side sent: nothing can have been lost on the way."""
    came = [
        e
        for kind in (Kind.REPLAYED, Kind.LATE)
        for e in case.after(kind, event)
        if e.gap == event.gap and e.begin is not None and event.begin is not None
        and e.begin <= (event.end or 0) and (e.end or 0) >= event.begin
    ]  # fmt: skip
    # Until the sender fills them over, they may be messages that wait to be sent (SCH-07).
    filled = any(
        (e.begin or 0) <= (event.begin or 0) <= (e.end or 0)
        for e in case.after(Kind.FILLED, event)
    )
    rows = case.rows_of(event.session, event.sender)
    own = case.number[rows[~case.poss_dup[rows] & ~case.gap_fill[rows]]]
    # Messages that do not count, such as damaged ones, bear their numbers all the same.
    logged = bool(((own >= (event.begin or 0)) & (own <= (event.end or 0))).any())
    before = case.last_before(event.session, event.row, 3)
    spoilt = not bool(case.valid[before].all())
    if came or spoilt or logged or not filled:
        return
    below = None if event.begin is None else event.begin - 1
    below = None if event.begin is None else event.begin - 1
    code = "MANUAL_SEQ_EDIT" if at_logon else "SEQ_SKIPPED"
    where = "Its Logon jumps" if at_logon else "It jumps"
    yield Found(
        code, event.row, event.session,
        f"{event.sender} never sent MsgSeqNum(34) {span(event.begin, event.end)}, as its own "
        f"log shows. {where} to {int(case.number[event.row])}.",
        side=event.sender, by=event.sender, begin=event.begin, end=event.end,
        confidence="medium",
        topics=(*gap_topic(event), ("number", event.session, event.sender, below)),
    )  # fmt: skip


def _not_requested(case: Case, event: Event) -> Iterator[Found]:
    assert event.gap is not None
    key = (event.session, event.sender, event.gap)
    if event.cause != "hole" or case.one_sided[event.session] or case.gap_asks.get(key):
        return
    if any(
        e.connection == event.connection
        and (e.cause == "invalid" or (e.begin or 0) <= (event.begin or 0) <= (e.end or 0))
        for e in case.after(Kind.ASKED, event)
    ):  # fmt: skip
        return
    if case.type_of(event.row) == "A" and case.next_expected_used(event):
        return  # LGN-24: the peer resends what its Logon shows to be missing
    end = case.gap_ends.get(key)
    until = min(end.row if end is not None else case.end_of(event), case.end_of(event))
    spoken = case.between(event.session, event.receiver, event.row, until)
    spoken = spoken[~case.is_type(spoken, "5", "A")]
    late = [int(row) for row in spoken if case.seconds(event.row, int(row)) >= _ASK_SECONDS]
    if not late:
        return
    view = case.view[event.session, event.sender]
    seen = arrival(case, event, event.sender, event.receiver, late[-1]) is not None
    yield Found(
        "GAP_NOT_REQUESTED", event.row, event.session,
        f"{event.receiver} missed {event.sender}'s MsgSeqNum(34) "
        f"{span(event.begin, event.end)} and did not ask, though it went on sending for "
        f"{lasting(case.seconds(event.row, late[-1]))}."
        + ("" if seen else " Whether what came behind it had arrived the log cannot tell."),
        side=event.receiver if seen or not view else "", by=event.receiver,
        begin=event.begin, end=event.end, rows=(late[0],), topics=gap_topic(event),
        severity="" if seen else "risk",
        confidence="high" if view == "in" else "medium" if seen else "low",
    )  # fmt: skip


def _never_closed(case: Case) -> Iterator[Found]:
    seen = set()
    for event in case.of(Kind.GAP):
        key = (event.session, event.sender, event.gap or 0)
        end = case.gap_ends.get(key)
        if key in seen or event.session in case.filtered:
            continue
        seen.add(key)
        if end is not None and not (end.kind == Kind.ABANDONED and end.cause == "disconnect"):
            continue
        until = case.end_of(event)
        rows = case.between(event.session, event.sender, event.row, until)
        if not len(rows) or case.seconds(event.row, int(rows[-1])) < _OPEN_SECONDS:
            continue
        yield Found(
            "GAP_NEVER_CLOSED", event.row, event.session,
            f"{event.receiver}'s gap in {event.sender}'s MsgSeqNum(34), "
            f"{span(event.begin, event.end)}, was still open after "
            f"{lasting(case.seconds(event.row, int(rows[-1])))}, while {event.sender} went on "
            "sending.",
            by=event.sender, begin=event.begin, end=event.end, rows=(int(rows[-1]),),
            confidence="medium", topics=gap_topic(event),
        )  # fmt: skip


def mutual(case: Case) -> Iterator[Found]:
    """MUTUAL_GAP: both sides miss numbers of each other at the same time."""
    opened: dict[tuple[str, str], list[tuple[int, int, Event]]] = {}
    done = set()
    root = {
        (e.session, e.sender, e.gap): same[0].gap for same in _same_gaps(case) for e in same
    }
    for event in case.of(Kind.GAP):
        if event.session in case.filtered:
            continue
        end = case.gap_ends.get((event.session, event.sender, event.gap or 0))
        until = end.row if end is not None else case.end_of(event)
        for begin, stop, other in opened.get((event.session, event.receiver), [])[-NEAR_MAX:]:
            pair = (
                event.session,
                *sorted(
                    (one.sender, root[one.session, one.sender, one.gap] or 0)
                    for one in (event, other)
                ),
            )
            if begin <= until and event.row <= stop and pair not in done:
                done.add(pair)
                yield Found(
                    "MUTUAL_GAP", event.row, event.session,
                    f"{event.receiver} misses {event.sender}'s MsgSeqNum(34) "
                    f"{span(event.begin, event.end)} while {other.receiver} misses "
                    f"{other.sender}'s {span(other.begin, other.end)}.",
                    begin=event.begin, end=event.end, by=event.sender, rows=(other.row,),
                )  # fmt: skip
        opened.setdefault((event.session, event.sender), []).append((event.row, until, event))


def lost(case: Case) -> Iterator[Found]:
    """MESSAGE_LOST: the receiver went on without numbers, or a reset gave them up."""
    why = {
        "asked_above": "it asked for what comes behind them only",
        "next_expected": "its NextExpectedMsgSeqNum(789) is higher",
        "not_asked": "it never asked, in two connections",
        "unknown": "the log does not show that they came",
    }
    for event in case.of(Kind.LOST):
        sure = event.cause != "unknown"
        yield Found(
            "MESSAGE_LOST", event.row, event.session,
            f"{event.receiver} went on without {event.sender}'s MsgSeqNum(34) "
            f"{span(event.begin, event.end)}: {why.get(event.cause, event.cause)}.",
            side=event.receiver if sure else "", by=event.by, begin=event.begin, end=event.end,
            confidence="high" if event.cause == "asked_above" else "medium" if sure else "low",
            severity="" if sure else "risk", topics=(*gap_topic(event), *_lost_topics(event)),
        )  # fmt: skip
    for event in case.of(Kind.RESET):
        if event.cause == "raised" and event.count:
            yield Found(
                "MESSAGE_LOST", event.row, event.session,
                f"{event.sender}'s SequenceReset(4) to NewSeqNo(36) {event.begin} gave up "
                f"{event.count} missing number{'' if event.count == 1 else 's'}"
                + (" instead of answering a ResendRequest(2)." if event.request is not None
                   else "."),
                rule="SQR-11",
                side=event.sender, by=event.sender, begin=event.expected,
                end=None if event.begin is None else event.begin - 1,
                topics=gap_topic(event),
            )  # fmt: skip


def _lost_topics(event: Event) -> tuple[tuple[object, ...], ...]:
    return (("number", event.session, event.sender, event.begin),)


def logouts(case: Case) -> Iterator[Found]:
    """LOGOUT_DURING_GAP: a Logout of who misses numbers and never asked for them."""
    done = set()
    for out in case.of(Kind.LOGOUT):
        for event in case.before(Kind.GAP, out, sender=out.receiver):
            key = (event.session, event.sender, event.gap or 0)
            end = case.gap_ends.get(key)
            if (
                event.session in case.filtered or event.cause != "hole"
                or event.connection != out.connection or key in done
                or (end is not None and end.kind == Kind.CLOSED and end.row <= out.row)
                or case.gap_asks.get(key) or out.cause == "refusal"
                or not _seen_logged_on(case, event, out)
            ):  # fmt: skip
                continue
            if any(a.cause == "invalid" for a in case.after(Kind.ASKED, event)):
                continue
            done.add(key)
            yield Found(
                "LOGOUT_DURING_GAP", out.row, out.session,
                f"{out.sender} logs out while it misses {event.sender}'s MsgSeqNum(34) "
                f"{span(event.begin, event.end)}, and has not asked.",
                side=out.sender, by=out.sender, begin=event.begin, end=event.end,
                rows=(event.row,),
                confidence="high" if case.view.get((event.session, event.sender)) else "medium",
                topics=(*gap_topic(event), *_lost_topics(event)),
            )  # fmt: skip


def _seen_logged_on(case: Case, gap: Event, out: Event) -> bool:
    """Whether who logs out must have seen the gap, while the session was up."""
    if case.next_expected_used(gap):
        return False  # LGN-24: it need not ask
    before = (e.row for e in case.after(Kind.BEFORE_LOGON, gap)[:1])
    if gap.row in before:
        return False  # without a Logon in answer there is no session
    sent = case.view.get((gap.session, gap.sender)) == "out"
    return not sent or arrival(case, gap, gap.sender, gap.receiver, out.row) is not None


ALL = (gaps, mutual, lost, logouts)
