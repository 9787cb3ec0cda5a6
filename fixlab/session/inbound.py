"""Pure decisions on an inbound message: what its header says, and which rule it breaks.

Nothing here changes a session. A `Fault` names the rule, what is sent because of it and the
words to say; `session.py` applies it.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

from fixlab import times
from fixlab.session.config import SessionConfig
from fixlab.wire.message import Message
from fixlab.wire.tags import (
    BEGIN_SEQ_NO,
    BEGIN_STRING,
    END_SEQ_NO,
    GAP_FILL_FLAG,
    MSG_SEQ_NUM,
    NEW_SEQ_NO,
    ORIG_SENDING_TIME,
    POSS_DUP_FLAG,
    RESEND_REQUEST,
    SENDER_COMP_ID,
    SENDING_TIME,
    SEQUENCE_RESET,
    TARGET_COMP_ID,
    TEST_REQ_ID,
    TEST_REQUEST,
)

# SEQ-16: SeqNum has no upper bound in the texts. Counters are kept in 64 bits by stores and
# frames, so a number of more digits than this is treated as unreadable.
_NUMBER = re.compile(r"[0-9]{1,18}")


class Answer(Enum):
    """What a fault is answered with."""

    REJECT = "Reject"  # the session goes on
    REJECT_LOGOUT = "Reject and Logout"
    LOGOUT = "Logout"


class Fault(NamedTuple):
    """A rule that a message breaks."""

    rule: str
    answer: Answer
    text: str  # Text(58)
    reason: int | None = None  # SessionRejectReason(373)
    ref_tag: int | None = None  # RefTagID(371)


class Head(NamedTuple):
    """What sequence processing needs to know of a message."""

    msg_type: str
    number: int | None  # MsgSeqNum(34); None when missing or unreadable
    poss_dup: bool
    gap_fill: bool  # SequenceReset with GapFillFlag(123)=Y


def read_head(message: Message) -> Head:
    """The head of a framed message; never fails."""
    msg_type = message.msg_type
    return Head(
        msg_type,
        to_number(message.get(MSG_SEQ_NUM)) or None,
        message.get(POSS_DUP_FLAG) == "Y",
        msg_type == SEQUENCE_RESET and message.get(GAP_FILL_FLAG) == "Y",
    )


def to_number(text: str | None) -> int | None:
    """A SeqNum or length as an int, or None when the text is none (leading zeros pass)."""
    return int(text) if text is not None and _NUMBER.fullmatch(text) else None


def check_identity(message: Message, config: SessionConfig) -> int | None:
    """The first of BeginString(8), SenderCompID(49), TargetCompID(56) that is not this
    session's, or None.
    """
    if message.get(BEGIN_STRING) != config.begin_string:
        return BEGIN_STRING
    if message.get(SENDER_COMP_ID) != config.target_comp_id:
        return SENDER_COMP_ID
    if message.get(TARGET_COMP_ID) != config.sender_comp_id:
        return TARGET_COMP_ID
    return None


def check_header(message: Message, head: Head, config: SessionConfig, now: int) -> Fault | None:
    """The first header rule that a message on an established session breaks (HDR-00)."""
    wrong = check_identity(message, config)
    if wrong == BEGIN_STRING:
        # HDR-01: what follows this version's rules may not be judged by ours.
        return Fault(
            "HDR-01",
            Answer.LOGOUT,
            f"Incorrect BeginString, expected {config.begin_string} but received "
            f"{message.get(BEGIN_STRING)}",
        )
    if head.number is None:
        return _no_number(message)
    if wrong is not None:
        if wrong not in message:
            return required(wrong, rule="HDR-14")
        return Fault("HDR-02", Answer.REJECT_LOGOUT, "CompID problem", 9, wrong)
    return check_sending_time(message, config, now) or check_poss_dup(message, head)


def _no_number(message: Message) -> Fault:
    if MSG_SEQ_NUM not in message:
        return Fault("FRM-09", Answer.LOGOUT, "Received message without MsgSeqNum(34)")
    # FRM-10: no Reject can refer to a number that cannot be read.
    return Fault(
        "FRM-10",
        Answer.LOGOUT,
        f"MsgSeqNum(34) is not a positive number: {message[MSG_SEQ_NUM][:32]}",
    )


def check_sending_time(message: Message, config: SessionConfig, now: int) -> Fault | None:
    """SendingTime(52): present, well formed and within the tolerance (HDR-04, HDR-05)."""
    text = message.get(SENDING_TIME)
    if text is None:
        return required(SENDING_TIME, rule="HDR-05")
    sent = times.parse_utc(text.encode("latin-1"))
    if sent is None:
        return Fault(
            "HDR-05", Answer.REJECT, "Incorrect data format for value", 6, SENDING_TIME
        )
    tolerance = config.sending_time_tolerance_seconds
    if tolerance is not None and abs(sent - now) > times.seconds(tolerance):
        seconds_off = (sent - now) / times.NANOSECONDS
        return Fault(
            "HDR-04",
            Answer.REJECT_LOGOUT,
            f"SendingTime accuracy problem: {seconds_off:+.0f} s off, {tolerance:g} s allowed",
            10,
            SENDING_TIME,
        )
    return None


def is_timely(sending_time: bytes, config: SessionConfig, now: int) -> bool:
    """Whether a SendingTime(52) is well formed and inside the tolerance (HDR-04, HDR-05)."""
    sent = times.parse_utc(sending_time)
    tolerance = config.sending_time_tolerance_seconds
    return sent is not None and (
        tolerance is None or abs(sent - now) <= times.seconds(tolerance)
    )


def check_poss_dup(message: Message, head: Head) -> Fault | None:
    """PossDupFlag(43) and what it demands of OrigSendingTime(122) (PRS-06, HDR-08, HDR-09)."""
    if message.get(POSS_DUP_FLAG) not in (None, "Y", "N"):
        return Fault(
            "PRS-06", Answer.REJECT, "Incorrect data format for value", 6, POSS_DUP_FLAG
        )
    # HDR-08 exempts SequenceReset: gap fills come with and without 122 (RSP-10).
    if not head.poss_dup or head.msg_type == SEQUENCE_RESET:
        return None
    original = message.get(ORIG_SENDING_TIME)
    if original is None:
        return required(ORIG_SENDING_TIME, rule="HDR-08")
    original_ns = times.parse_utc(original.encode("latin-1"))
    if original_ns is None:
        return Fault(
            "HDR-08", Answer.REJECT, "Incorrect data format for value", 6, ORIG_SENDING_TIME
        )
    sent_ns = times.parse_utc(message[SENDING_TIME].encode("latin-1"))
    assert sent_ns is not None, "check_sending_time comes first"
    if original_ns > sent_ns:
        return Fault(
            "HDR-09",
            Answer.REJECT,
            "SendingTime accuracy problem: OrigSendingTime(122) is later than SendingTime(52)",
            10,
            ORIG_SENDING_TIME,
        )
    return None


def check_content(message: Message, head: Head) -> Fault | None:
    """What the session itself must be able to read in the body, and the fields' syntax."""
    defect = message.defect
    if defect is not None:
        return Fault(defect.rule, Answer.REJECT, defect.text, defect.reason, defect.tag or None)
    if head.msg_type == TEST_REQUEST and TEST_REQ_ID not in message:
        return required(TEST_REQ_ID, rule="HBT-10")
    if head.msg_type == RESEND_REQUEST:
        return _check_resend_request(message)
    if head.msg_type == SEQUENCE_RESET:
        return _check_number(message, NEW_SEQ_NO, rule="SQR-13")
    return None


def _check_resend_request(message: Message) -> Fault | None:
    fault = _check_number(message, BEGIN_SEQ_NO, rule="RSP-07") or _check_number(
        message, END_SEQ_NO, rule="RSP-07"
    )
    if fault is not None:
        return fault
    begin, end = to_number(message[BEGIN_SEQ_NO]), to_number(message[END_SEQ_NO])
    assert begin is not None, "checked above"
    assert end is not None, "checked above"
    if begin == 0:
        return Fault(
            "RSP-07",
            Answer.REJECT,
            "Value is incorrect: BeginSeqNo(7) is 0, numbers start at 1",
            5,
            BEGIN_SEQ_NO,
        )
    if end != 0 and end < begin:
        return Fault(
            "RSP-07",
            Answer.REJECT,
            f"Value is incorrect: EndSeqNo(16) {end} is below BeginSeqNo(7) {begin}",
            5,
            END_SEQ_NO,
        )
    return None


def _check_number(message: Message, tag: int, *, rule: str) -> Fault | None:
    if tag not in message:
        return required(tag, rule=rule)
    if to_number(message[tag]) is None:
        return Fault(rule, Answer.REJECT, "Incorrect data format for value", 6, tag)
    return None


def required(tag: int, *, rule: str) -> Fault:
    """The fault of a required field that is absent."""
    return Fault(rule, Answer.REJECT, f"Required tag missing: {tag}", 1, tag)


def too_low(expected: int, found: int) -> str:
    """Text(58) of a Logout over a number seen before, in the words all engines use."""
    return f"MsgSeqNum too low, expecting {expected} but received {found}"
