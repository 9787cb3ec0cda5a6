"""Findings about bytes and headers: what single messages show."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from fixlab.analysis._case import Case, Found, Ints, span
from fixlab.analysis._events import Event, Kind
from fixlab.frames import MISSING, nanoseconds

_CODES = {"body_length": "BODYLENGTH_BAD", "check_sum": "CHECKSUM_BAD"}
ROWS_MAX = 200  # of one kind that are told one by one


class Behind(NamedTuple):
    """What the rows behind a damaged one show."""

    missed: Event | None  # the gap that it left
    asked: bool  # whether that was asked for
    following: int | None  # the next row of its session, or of all where it has none
    cut_off: bool  # whether a Logon comes next: it was on its way when the line was lost


def defects(case: Case) -> Iterator[Found]:
    """CHECKSUM_BAD, BODYLENGTH_BAD, GARBLED: what is wrong, and whether anybody missed it."""
    for row in damaged(case):
        yield defect_of(case, row, behind(case, row))


def damaged(case: Case) -> list[int]:
    """The rows that are told."""
    rows: list[int] = np.flatnonzero(~case.valid)[:ROWS_MAX].tolist()
    return rows


def behind(case: Case, row: int) -> Behind:
    """What follows on a damaged row."""
    missed = _missed(case, row)
    asked = (
        missed is not None
        and missed.gap is not None
        and bool(case.gap_asks.get((missed.session, missed.sender, missed.gap)))
    )
    return Behind(missed, asked, *_cut_off(case, row))


def _cut_off(case: Case, row: int) -> tuple[int | None, bool]:
    """The next row, and whether it is a Logon.

    In a log without line ends the Logon may be damaged by the loss of the line, too.
    """
    session, truncated = _name(case.sessions, case.session[row]), case.is_torn(row)
    following = case.first_after(session, row)
    if case.type_of(row) == "A" and row > 0 and not case.valid[row - 1]:
        return following, True  # that Logon itself
    # Both sides may have been writing, and a Logon be cut in its turn.
    while truncated and following is not None and case.is_torn(following):
        following = case.first_after(session, following)
    if following is None or case.type_of(following) != "A":
        return following, False
    return following, truncated or not case.valid[following]


def defect_of(case: Case, row: int, seen: Behind) -> Found:
    """One finding."""
    missed, asked = seen.missed, seen.asked
    defect = str(case.frame["defect"].iloc[row])
    sender = _name(case.senders, case.sender[row]) or (missed.sender if missed else "")
    session = _name(case.sessions, case.session[row]) or (missed.session if missed else "")
    number = int(case.number[row])
    which = "" if number == MISSING else f" with MsgSeqNum(34) {number}"
    if seen.cut_off:
        fate = "The connection was lost in the middle of it."
        level, confidence, asked = "info", "high", False
    elif asked:
        fate, level, confidence = "Its receiver asked for it again.", "", "high"
    elif missed is not None:
        fate = "Its number is missing then; nobody asked for it, so the log itself may be cut."
        level, confidence = "risk", "low"
    else:
        fate = "Nobody missed it: the logger masks or rewrites it, or nobody checks."
        level, confidence = "info", "low"
    return Found(
        _CODES.get(defect, "GARBLED"), row, session,
        f"{sender or 'Unknown sender'}: a message{which} is damaged ({defect}). {fate}",
        side=sender if asked else "", by=sender, severity=level, confidence=confidence,
        begin=None if number == MISSING else number,
        end=None if number == MISSING else number,
        topics=() if missed is None else (
            ("gap", missed.session, missed.sender, missed.gap),
            ("number", missed.session, missed.sender, missed.begin),
        ),
    )  # fmt: skip


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


def poss_dups(case: Case) -> Iterator[Found]:
    """POSSDUP_NO_ORIG and ORIG_AFTER_SENDING, one for each stretch of such messages."""
    sending = nanoseconds(case.frame, "sending_time")
    orig = nanoseconds(case.frame, "orig_sending_time")
    dup = case.poss_dup & case.valid
    everything = np.arange(len(dup))
    without = dup & (orig == MISSING) & ~case.is_type(everything, "4")
    later = dup & (orig != MISSING) & (sending != MISSING) & (orig > sending)
    for code, chosen, what in (
        ("POSSDUP_NO_ORIG", without, "have PossDupFlag(43)=Y and no OrigSendingTime(122)"),
        ("ORIG_AFTER_SENDING", later, "have OrigSendingTime(122) later than SendingTime(52)"),
    ):
        yield from _stretches(case, code, np.flatnonzero(chosen), what)


def _stretches(case: Case, code: str, rows: Ints, what: str) -> Iterator[Found]:
    """One finding a direction."""
    key = case.session[rows].astype(np.int64) * (len(case.senders) + 1) + case.sender[rows]
    for each in dict.fromkeys(key.tolist()):
        same = rows[key == each]
        numbers = case.number[same]
        numbers = numbers[numbers != MISSING]
        begin = int(numbers.min()) if len(numbers) else None
        end = int(numbers.max()) if len(numbers) else None
        row = int(same[0])
        sender, session = (
            _name(case.senders, case.sender[row]),
            _name(case.sessions, case.session[row]),
        )
        yield Found(
            code, row, session,
            f"{len(same)} messages of {sender} ({span(begin, end)}) {what}.",
            side=sender, by=sender, begin=begin, end=end,
            rows=tuple(int(r) for r in same[1:5]),
        )  # fmt: skip


def secrets(case: Case) -> Iterator[Found]:
    """SECRET_IN_LOG: passwords that stand in the log."""
    rows = np.flatnonzero(case.frame["secret"].to_numpy(np.bool_)).astype(np.int64)
    yield from (
        found._replace(side="", begin=None, end=None)
        for found in _stretches(case, "SECRET_IN_LOG", rows, "show a password or RawData(96)")
    )


def rejects(case: Case) -> Iterator[Found]:
    """SESSION_REJECT: a Reject(3): of which message, which field, and why."""
    rows = np.flatnonzero(case.is_type(np.arange(len(case.msg_type)), "3"))
    ref = case.frame["ref_seq_num"]
    for row in rows[:ROWS_MAX].tolist():
        number = ref.iloc[row]
        sender = _name(case.senders, case.sender[row])
        about = "a message" if pd.isna(number) else f"{number}"
        text = case.text_of(row)
        what = _rejected(case, row)
        why = f': "{text}".' if text else "." if what else ", giving no reason."
        yield Found(
            "SESSION_REJECT", row, _name(case.sessions, case.session[row]),
            f"{sender} rejects {about}{what}{why}",
            by=sender, begin=None if about == "a message" else int(number),
        )  # fmt: skip


def _rejected(case: Case, row: int) -> str:
    """What a Reject(3) says beside its text: RefMsgType, RefTagID, SessionRejectReason."""
    msg_type, _ = case.field_of(row, 372)
    tag, _ = case.field_of(row, 371)
    reason, meaning = case.field_of(row, 373)
    told = f" (MsgType(35) {msg_type})" if msg_type else ""
    told += f", field {tag}" if tag else ""
    if reason:
        told += f", SessionRejectReason(373) {reason}" + (f" {meaning}" if meaning else "")
    return told


def directions(case: Case) -> Iterator[Found]:
    """DIRECTION_INFERRED: the log does not say which way its messages went."""
    source = case.frame["direction_from"]
    for one, sides in case.sides_of.items():
        first = min(int(case.rows_of(one, side.sender)[0]) for side in sides)
        how = str(source.iloc[first])
        if how in ("comp_ids", "timing", ""):
            ground = {"comp_ids": "their CompIDs", "timing": "their times"}.get(how, "")
            yield Found(
                "DIRECTION_INFERRED", first, one,
                f"Which side kept the log is taken from {ground}."
                if ground
                else "Nothing tells which side kept the log, so what was lost on the way and "
                "what never left look the same.",
                confidence="medium" if ground else "low",
            )  # fmt: skip


ALL = (poss_dups, secrets, rejects, directions)
