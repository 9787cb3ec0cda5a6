"""Findings about gap fills and SequenceResets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from fixlab import facts
from fixlab.analysis._case import Case, Found, Ints, connection_topic, gap_topic, span
from fixlab.analysis._events import Event, Kind
from fixlab.frames import MISSING

# NewSeqNo(36) so far beyond the numbers in use is no number that anybody meant.
_ABSURD = 100_000
# Rows in which the highest number of late is looked for.
_LATEST = 4_096
_NEAR = 16


def fills(case: Case) -> Iterator[Found]:
    """GAPFILL_BAD_SEQ, GAPFILL_BAD_NEWSEQ, GAPFILL_UNASKED, NEWSEQ_ABSURD."""
    for event in case.of(Kind.BAD_FILL):
        ask = _open_request(case, event)
        due = _due(case, event, ask)
        wrong = due is not None and due < (event.begin or 0)
        yield Found(
            "GAPFILL_BAD_SEQ" if wrong else "GAPFILL_BAD_NEWSEQ", event.row, event.session,
            f"{event.sender}'s gap fill has MsgSeqNum(34) {event.begin} and NewSeqNo(36) "
            f"{'none' if event.end is None else event.end}: it moves nothing"
            + (f", and the first number to fill is {due}." if wrong else "."),
            side=event.sender, by=event.sender, begin=event.begin, end=event.end,
            topics=gap_topic(event) + (() if ask is None else gap_topic(ask)),
            rows=() if ask is None else (ask.row,),
            # Without the request nobody knows which of its two numbers is wrong.
            confidence="medium" if ask is None else "high",
        )  # fmt: skip
    for event in case.of(Kind.FILLED):
        if event.begin is None or event.end is None:
            continue
        highest = _highest(case, event)
        if highest is not None and event.end - highest >= _ABSURD:
            yield _absurd(event, event.end + 1, highest)
        elif event.request is not None and highest is not None and event.end > highest:
            yield from _beyond(case, event, highest)
        yield from _badly_numbered(case, event)
        yield from _unasked(case, event)


def _open_request(case: Case, event: Event) -> Event | None:
    """The last ResendRequest before it, in its connection."""
    for ask in case.before(Kind.ASKED, event):
        if ask.connection == event.connection and ask.cause != "invalid":
            return ask
    return None


def _due(case: Case, event: Event, ask: Event | None) -> int | None:
    """The number that the answer to a request should go on with; None without a request."""
    if ask is None:
        return None
    rest = [e.begin for e in case.after(Kind.UNANSWERED, event) if e.request == ask.request]
    known = [n for n in (event.expected, *rest) if n is not None]
    return min(known) if known else None


def _highest(case: Case, event: Event) -> int | None:
    """The highest number of these seen before the row, in its epoch.

    One that the fill does not go beyond is as good: then nobody looks for a higher one.
    """
    since = case.epoch_row(event)
    rows = case.between(event.session, event.sender, since, event.row - 1)[-_LATEST:]
    near = rows[-_NEAR:]
    top = int(case.number[near].max(initial=MISSING, where=case.valid[near]))
    if event.end is not None and top >= event.end:
        return top
    seen = case.number[rows]
    own = seen[(seen != MISSING) & case.valid[rows]]
    fills = [
        e.end
        for e in case.before(Kind.FILLED, event)
        if since < e.row < event.row and e.end is not None
    ]  # fmt: skip
    tops = [*fills, *([int(own.max())] if len(own) else [])]
    return max(tops) if tops else None


def _absurd(event: Event, new: int, highest: int) -> Found:
    return Found(
        "NEWSEQ_ABSURD", event.row, event.session,
        f"{event.sender}'s SequenceReset(4) sets NewSeqNo(36) {new}, while its highest number "
        f"so far is {highest}.",
        side=event.sender, by=event.sender, begin=event.begin, end=new,
        topics=gap_topic(event) + connection_topic(event),
    )  # fmt: skip


def _beyond(case: Case, event: Event, highest: int) -> Iterator[Found]:
    """A fill past all that was sent is wrong when a number in it is used afterwards."""
    assert event.end is not None
    after = case.between(event.session, event.sender, event.row, case.end_of(event))
    new = after[~case.poss_dup[after] & (case.number[after] > highest)]
    if len(new) and int(case.number[new[0]]) <= event.end:
        used = int(case.number[new[0]])
        yield Found(
            "GAPFILL_BAD_NEWSEQ", event.row, event.session,
            f"{event.sender}'s gap fill of MsgSeqNum(34) {span(event.begin, event.end)} goes "
            f"past what it had sent: it uses {used} afterwards.",
            side=event.sender, by=event.sender, begin=event.begin, end=event.end,
            rows=(int(new[0]),), topics=(*gap_topic(event), *connection_topic(event),
                                         ("number", event.session, event.sender, used)),
        )  # fmt: skip


def _badly_numbered(case: Case, event: Event) -> Iterator[Found]:
    """A gap fill above the number expected while a request for it is open."""
    if event.cause != "high" or event.expected is None or event.gap is None:
        return
    asked = case.gap_asks.get((event.session, event.sender, event.gap), [])
    wanted = [a for a in asked if a.row < event.row and (a.begin or 0) <= event.expected]
    earlier = [
        e for e in case.after(Kind.UNANSWERED, event)
        if e.begin is not None and e.begin < (event.begin or 0)
        and e.request in {a.request for a in wanted}
    ]  # fmt: skip
    if wanted and earlier:
        yield Found(
            "GAPFILL_BAD_SEQ", event.row, event.session,
            f"{event.sender}'s gap fill has MsgSeqNum(34) {event.begin}; the first number to "
            f"fill is {event.expected}.",
            side=event.sender, by=event.sender, begin=event.begin, end=event.end,
            rows=(wanted[-1].row,), topics=gap_topic(event),
        )  # fmt: skip


def _unasked(case: Case, event: Event) -> Iterator[Found]:
    if event.request is not None or case.one_sided[event.session]:
        return
    if case.next_expected_used(event):
        return
    asked = any(a.connection == event.connection for a in case.before(Kind.ASKED, event))
    new = event.cause == "ahead" or (event.count > 0 and event.cause == "")
    if (
        (new and not asked)
        or (event.cause in ("high", "again") and not asked)
        or (event.cause == "ahead")
    ):
        yield Found(
            "GAPFILL_UNASKED", event.row, event.session,
            f"{event.sender} sent a gap fill of MsgSeqNum(34) {span(event.begin, event.end)} "
            f"that no ResendRequest(2) of {event.receiver} asks for.",
            side=event.sender, by=event.sender, begin=event.begin, end=event.end,
            confidence="high" if event.cause == "ahead" else "medium",
            topics=gap_topic(event) + connection_topic(event),
        )  # fmt: skip


def resets(case: Case) -> Iterator[Found]:
    """RESET_BACKWARDS and NEWSEQ_ABSURD of SequenceReset without GapFillFlag(123)=Y."""
    for event in case.of(Kind.RESET):
        if event.cause == "backwards":
            yield Found(
                "RESET_BACKWARDS", event.row, event.session,
                f"{event.sender}'s SequenceReset(4) has NewSeqNo(36) {event.begin}, below "
                f"{event.expected}, which {event.receiver} expects.",
                side=event.sender, by=event.sender, begin=event.begin,
                end=None if event.expected is None else event.expected - 1,
                topics=gap_topic(event) + connection_topic(event),
            )  # fmt: skip
        elif event.cause == "raised" and event.begin is not None:
            highest = _highest(case, event)
            if highest is not None and event.begin - highest > _ABSURD:
                yield _absurd(event, event.begin, highest)


def filled_over(case: Case) -> Iterator[Found]:
    """APP_MSG_FILLED_OVER: the log holds an application message whose number was filled."""
    again: dict[tuple[Any, ...], list[tuple[Event, list[int]]]] = {}
    for event, rows in _over(case):
        # The same numbers, filled in several answers, are one trouble.
        numbers = tuple(sorted({int(case.number[row]) for row in rows}))
        key = (event.session, event.sender, event.epoch, numbers)
        again.setdefault(key, []).append((event, rows))
    for (_, _, _, numbers), same in again.items():
        event, rows = same[0]
        often = "" if len(same) == 1 else f", in {len(same)} answers"
        yield Found(
            "APP_MSG_FILLED_OVER", event.row, event.session,
            f"{event.sender} filled over {_messages(case, numbers, rows)}, which "
            f"{event.receiver} had asked for{often}.",
            side=event.sender, by=event.sender, begin=numbers[0], end=numbers[-1],
            rows=(*rows[:4], *(e.row for e, _ in same[1:4])),
            topics=tuple(topic for e, _ in same for topic in gap_topic(e)),
            confidence="high" if case.view.get((event.session, event.sender)) == "out"
            else "medium",
        )  # fmt: skip


def _messages(case: Case, numbers: tuple[int, ...], rows: list[int]) -> str:
    """The application messages in `rows` by name and number."""
    version = case.sessions[case.session[rows[0]]].partition(":")[0]
    known = version if version in facts.VERSIONS else None
    types = sorted({case.type_of(row) for row in rows})
    names = [f"{facts.message_name(each, known) or 'MsgType(35)'}({each})" for each in types]
    where = f"MsgSeqNum(34) {span(numbers[0], numbers[-1])}"
    if len(numbers) == 1:
        return f"{names[0]} with {where}"
    return f"{len(numbers)} application messages ({', '.join(names)}) within {where}"


def _over(case: Case) -> Iterator[tuple[Event, list[int]]]:
    """Each fill over application messages that were missing, and their rows."""
    ref = case.number
    sent: dict[tuple[str, str, int], Ints] = {}
    for event in case.of(Kind.FILLED):
        view = case.view.get((event.session, event.sender))
        if not event.count or view == "in" or event.begin is None or event.end is None:
            continue
        rows = _sent(case, sent, event)
        low, high = np.searchsorted(ref[rows], [event.begin, event.end + 1])
        over = rows[low:high]
        over = over[over < event.row]
        missing = over[np.isin(ref[over], list(_missing(case, event, ref[over].tolist())))]
        if len(missing):
            yield event, [int(row) for row in missing]


def _sent(case: Case, made: dict[tuple[str, str, int], Ints], event: Event) -> Ints:
    """The rows of new application messages of an epoch, by number."""
    since = case.epoch_row(event)
    key = (event.session, event.sender, since)
    if key not in made:
        rows = case.between(event.session, event.sender, since, len(case.time))
        rows = rows[case.application[rows] & ~case.poss_dup[rows]]
        made[key] = rows[np.argsort(case.number[rows], kind="stable")]
    return made[key]


def _missing(case: Case, event: Event, found: list[int]) -> set[int]:
    """Those numbers that the receiver missed, as far as the log tells."""
    gaps = [e for e in case.before(Kind.GAP, event) if e.gap == event.gap]
    return {n for n in found if any((g.begin or 0) <= n <= (g.end or 0) for g in gaps)}


ALL = (fills, resets, filled_over)
