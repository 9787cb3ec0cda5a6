"""Findings about damaged messages: what is wrong with them, and whether anybody missed them.

One that was missed and asked for is told by itself. Of the others, of which a log with hidden
values or cut lines may have nothing else, many of one direction are one finding.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from fixlab.analysis._case import Case, Found, Ints, span
from fixlab.analysis._events import Event, Kind
from fixlab.frames import MISSING

_CODES = {"body_length": "BODYLENGTH_BAD", "check_sum": "CHECKSUM_BAD"}
_DAMAGES = {
    "fragment": "it does not begin with BeginString(8)",
    "field_order": "BodyLength(9) or MsgType(35) is not in its place",
    "body_length": "BodyLength(9) is not its length",
    "check_sum": "CheckSum(10) is not the sum of its bytes",
    "truncated": "it ends without CheckSum(10)",
    "too_long": "it is longer than what is read as one message",
}
ROWS_MAX = 200  # findings that are told
_ALONE_MAX = 3  # alike in one direction that are told one by one
_TORN_MAX = (
    4  # messages that are cut by one loss of a line, at most: one each way, a Logon each
)
_LOGONS_MAX = 2_000  # of a side that are looked at
_UNMISSED, _UNASKED = (
    "nobody missed {}: the logger masks or rewrites {}, or nobody checks",
    "nobody asked for {}, so the log itself may be cut",
)


class Behind(NamedTuple):
    """What the rows behind a damaged one show."""

    missed: Event | None  # the gap that it left
    asked: bool  # whether that was asked for
    following: int | None  # the next row of its session, or of all where it has none
    cut_off: bool  # whether a Logon comes next: it was on its way when the line was lost


class Damage(NamedTuple):
    """Damaged messages: those that are told one by one, and findings about many alike."""

    rows: list[int]
    many: list[Found]


def defects(case: Case) -> list[Found]:
    """CHECKSUM_BAD, BODYLENGTH_BAD, GARBLED: what is wrong, and whether anybody missed it."""
    damage = damage_of(case)
    one_by_one = [defect_of(case, row, behind(case, row)) for row in damage.rows]
    return sorted([*one_by_one, *damage.many], key=lambda each: each.row)[:ROWS_MAX]


def damage_of(case: Case) -> Damage:
    """What is told of the damaged rows."""
    rows: Ints = np.flatnonzero(~case.valid).astype(np.int64)
    alone = np.ones(len(rows), np.bool_)
    many = []
    for session, sender, defect, members in _alike(case, rows):
        missed = _gaps_of(case, session, sender, rows[members])
        fates = np.array(
            [0 if gap is None else 2 if _is_asked(case, gap) else 1 for gap in missed], np.int8
        )
        if defect == "truncated":  # of those near a Logon each is looked at
            fates[np.isin(rows[members], _near_logons(case, session))] = 2
        for fate in (0, 1):
            same = np.flatnonzero(fates == fate)
            if len(same) > _ALONE_MAX:
                alone[members[same]] = False
                left = [gap for i in same[:ROWS_MAX].tolist() if (gap := missed[i]) is not None]
                many.append(
                    _found(case, (session, sender, defect), rows[members[same]], left, fate)
                )
    return Damage(rows[alone][:ROWS_MAX].tolist(), many)


def _alike(case: Case, rows: Ints) -> Iterator[tuple[str, str, str, Ints]]:
    """Damaged rows with a number, by session, sender and defect, as places among all."""
    known = (case.session[rows] >= 0) & (case.sender[rows] >= 0)
    known &= case.number[rows] != MISSING
    places = np.flatnonzero(known)
    chosen = rows[places]
    key = case.session[chosen] * (len(case.senders) + 1) + case.sender[chosen]
    key = key * len(case.defects) + case.defect[chosen]
    order = np.argsort(key, kind="stable")
    places, key = places[order], key[order]
    for part in np.split(np.arange(len(key)), np.flatnonzero(np.diff(key)) + 1):
        if len(part) <= _ALONE_MAX:
            continue
        row = rows[places[part[0]]]
        session, sender = case.sessions[case.session[row]], case.senders[case.sender[row]]
        if session and sender:
            yield session, sender, case.defects[case.defect[row]], places[part]


def _near_logons(case: Case, session: str) -> Ints:
    """Damaged rows that a Logon may follow: the line may have been lost in the middle."""
    found: set[int] = set()
    for side in case.sides_of.get(session, ()):
        rows = case.rows_of(session, side.sender)
        for logon in rows[case.is_type(rows, "A")][:_LOGONS_MAX].tolist():
            found.update(case.last_before(session, logon, _TORN_MAX))
    return np.array(sorted(row for row in found if not case.valid[row]), np.int64)


def _gaps_of(case: Case, session: str, sender: str, rows: Ints) -> list[Event | None]:
    """The gap that each row left, as `_missed` finds it, for many rows of one direction."""
    order = np.argsort(case.number[rows], kind="stable")
    number = case.number[rows][order]
    found: list[Event | None] = [None] * len(rows)
    free = np.ones(len(rows), np.bool_)
    for event in case.of(Kind.GAP):
        if event.sender != sender or event.session != session:
            continue
        low = np.searchsorted(number, event.begin or 0)
        high = np.searchsorted(number, event.end or 0, "right")
        members = order[low:high]
        members = members[free[members] & (rows[members] <= event.row)]
        free[members] = False
        for i in members.tolist():
            found[i] = event
    return found


def _is_asked(case: Case, gap: Event) -> bool:
    return gap.gap is not None and bool(case.gap_asks.get((gap.session, gap.sender, gap.gap)))


def _found(
    case: Case, of: tuple[str, str, str], rows: Ints, missed: list[Event], fate: int
) -> Found:
    """One finding about many messages of one direction, of which nobody asked for any."""
    session, sender, defect = of
    numbers = case.number[rows]
    begin, end = int(numbers.min()), int(numbers.max())
    total = len(case.rows_of(session, sender))
    what = f"{len(rows):,} of {total:,} messages of {sender} are damaged ({defect})"
    ending = _UNASKED.format("one") if fate else _UNMISSED.format("one", "them")
    return Found(
        _CODES.get(defect, "GARBLED"), int(rows[0]), session,
        f"{what}, with MsgSeqNum(34) {span(begin, end)}"
        + (". Their numbers are missing then; " if fate else ", and ") + f"{ending}.",
        by=sender, severity="risk" if fate else "info", confidence="low", begin=begin, end=end,
        rows=tuple(rows[1:5].tolist()),
        topics=tuple(topic for event in dict.fromkeys(missed) for topic in _topics(event)),
    )  # fmt: skip


def behind(case: Case, row: int) -> Behind:
    """What follows on a damaged row."""
    missed = _missed(case, row)
    return Behind(missed, missed is not None and _is_asked(case, missed), *_cut_off(case, row))


def _cut_off(case: Case, row: int) -> tuple[int | None, bool]:
    """The next row, and whether it is a Logon.

    In a log without line ends the Logon may be damaged by the loss of the line, too.
    """
    session, truncated = _name(case.sessions, case.session[row]), case.is_torn(row)
    following = case.first_after(session, row)
    if session and case.type_of(row) == "A":
        before = case.last_before(session, row, 1)
        if before and not case.valid[before[0]]:
            return following, True  # that Logon itself
    if truncated:
        # Both sides may have been writing, and a Logon be cut in its turn.
        following = case.first_after(session, row, whole=True)
    if following is None or case.type_of(following) != "A":
        return following, False
    return following, truncated or not case.valid[following]


def defect_of(case: Case, row: int, seen: Behind) -> Found:
    """One finding."""
    missed, asked = seen.missed, seen.asked
    defect = case.defects[case.defect[row]]
    sender = _name(case.senders, case.sender[row]) or (missed.sender if missed else "")
    session = _name(case.sessions, case.session[row]) or (missed.session if missed else "")
    number = int(case.number[row])
    which = "" if number == MISSING else f" with MsgSeqNum(34) {number}"
    if seen.cut_off:
        fate = "The connection was lost in the middle of it"
        level, confidence, asked = "info", "high", False
    elif asked:
        fate, level, confidence = "Its receiver asked for it again", "", "high"
    elif missed is not None:
        fate = f"Its number is missing then; {_UNASKED.format('it')}"
        level, confidence = "risk", "low"
    elif defect == "truncated" and seen.following is None:
        fate, level, confidence = "The log ends in the middle of it", "info", "high"
    else:
        fate = _UNMISSED.format("it", "it").capitalize()
        level, confidence = "info", "low"
    return Found(
        _CODES.get(defect, "GARBLED"), row, session,
        f"A message of {sender or 'an unknown sender'}{which} is damaged: {_DAMAGES[defect]}. "
        f"{fate}.",
        side=sender if asked else "", by=sender, severity=level, confidence=confidence,
        begin=None if number == MISSING else number,
        end=None if number == MISSING else number,
        topics=() if missed is None else _topics(missed),
    )  # fmt: skip


def _topics(missed: Event) -> tuple[tuple[object, ...], ...]:
    return (
        ("gap", missed.session, missed.sender, missed.gap),
        ("number", missed.session, missed.sender, missed.begin),
    )


def _name(names: list[str], code: int) -> str:
    return names[code] if code >= 0 else ""


def _missed(case: Case, row: int) -> Event | None:
    """The gap that the damaged message left: the next one that can be its."""
    number = int(case.number[row])
    sender = _name(case.senders, case.sender[row])
    session = _name(case.sessions, case.session[row])
    for event in case.of(Kind.GAP):
        if event.row < row or session not in ("", event.session):
            continue
        if number != MISSING and sender == event.sender:
            if (event.begin or 0) <= number <= (event.end or 0):
                return event
        elif not sender or number == MISSING:
            return event
    return None
