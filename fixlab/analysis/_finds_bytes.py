"""Findings about fields and headers: what single messages show."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from fixlab.analysis._case import Case, Found, Ints, span
from fixlab.analysis._finds_damage import ROWS_MAX
from fixlab.frames import MISSING, nanoseconds


def poss_dups(case: Case) -> Iterator[Found]:
    """POSSDUP_NO_ORIG and ORIG_AFTER_SENDING, one for each stretch of such messages."""
    sending = nanoseconds(case.frame, "sending_time")
    orig = nanoseconds(case.frame, "orig_sending_time")
    dup = case.poss_dup & case.valid
    everything = np.arange(len(dup))
    without = dup & (orig == MISSING) & ~case.is_type(everything, "4")
    later = dup & (orig != MISSING) & (sending != MISSING) & (orig > sending)
    for code, chosen, what in (
        ("POSSDUP_NO_ORIG", without, "with PossDupFlag(43)=Y and no OrigSendingTime(122)"),
        ("ORIG_AFTER_SENDING", later, "with OrigSendingTime(122) later than SendingTime(52)"),
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
            f"{sender} sent {len(same)} message{'s'[len(same) == 1 :]} {what}: MsgSeqNum(34) "
            f"{span(begin, end)}.",
            side=sender, by=sender, begin=begin, end=end,
            rows=tuple(int(r) for r in same[1:5]),
        )  # fmt: skip


def _name(names: list[str], code: int) -> str:
    return names[code] if code >= 0 else ""


def secrets(case: Case) -> Iterator[Found]:
    """SECRET_IN_LOG: passwords that stand in the log."""
    rows = np.flatnonzero(case.frame["secret"].to_numpy(np.bool_)).astype(np.int64)
    yield from (
        found._replace(side="", begin=None, end=None)
        for found in _stretches(
            case, "SECRET_IN_LOG", rows, "whose password or RawData(96) the log shows"
        )
    )


def rejects(case: Case) -> Iterator[Found]:
    """SESSION_REJECT: a Reject(3): of which message, which field, and why."""
    rows = np.flatnonzero(case.is_type(np.arange(len(case.msg_type)), "3"))
    ref = case.frame["ref_seq_num"]
    for row in rows[:ROWS_MAX].tolist():
        number = ref.iloc[row]
        sender = _name(case.senders, case.sender[row])
        about = "a message" if pd.isna(number) else f"MsgSeqNum(34) {number}"
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
