"""Pure decisions on an inbound message: what its header says, and which rule it breaks.

Nothing here changes a session. A `Fault` names the rule, what is sent because of it and the
words to say; `session.py` applies it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from fixlab import times
from fixlab.session import wording
from fixlab.session.config import APPL_VER_IDS, SessionConfig
from fixlab.session.faults import Answer, Fault
from fixlab.wire.fields import SECURE_DATA_LENGTH, Defect, split_fields
from fixlab.wire.message import Message
from fixlab.wire.tags import (
    ADMIN_TYPES,
    APPL_EXT_ID,
    APPL_VER_ID,
    BEGIN_SEQ_NO,
    BEGIN_STRING,
    CSTM_APPL_VER_ID,
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
_WHOLE_SECONDS = len("20260105-09:00:00")
# FRM-12: before FIX.4.3 no reason code says that a value holds the delimiter.
_BEFORE_4_3 = ("FIX.4.0", "FIX.4.1", "FIX.4.2")
# RSP-06: as far as this version 999999 may stand for "to the end".
OLD_INFINITY = 999_999
# ApplVerID values of FIX 2.7 and 3.0, and of what came after 5.0SP2, exist too (HDR-12).
_APPL_VERSIONS = frozenset(APPL_VER_IDS.values()) | {"0", "1", "10"}


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
    for tag, expected in (
        (SENDER_COMP_ID, config.target_comp_id),
        (TARGET_COMP_ID, config.sender_comp_id),
    ):
        found = message.get(tag)
        if found != expected and (config.check_comp_id or found is None):
            return tag
    return None


def check_header(
    message: Message, head: Head, config: SessionConfig, now: int, next_in: int
) -> Fault | None:
    """The first header rule that a message on an established session breaks (HDR-00)."""
    wrong = check_identity(message, config)
    if wrong == BEGIN_STRING:
        # HDR-01: what follows this version's rules may not be judged by ours.
        return Fault(
            "HDR-01",
            Answer.LOGOUT,
            wording.begin_string(config, message.get(BEGIN_STRING) or "nothing"),
        )
    if head.number is None:
        return _no_number(message)
    if wrong is not None:
        if wrong not in message:
            return required(wrong, rule="HDR-14")
        return Fault("HDR-02", Answer.REJECT_LOGOUT, "CompID problem", 9, wrong)
    return check_sending_time(message, config, now) or check_poss_dup(
        message, head, config, next_in
    )


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
    sent = _to_time(text, config)
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


def _to_time(text: str, config: SessionConfig) -> int | None:
    """A UTCTimestamp, with a fraction only where version or agreement has one (HDR-05)."""
    if len(text) > _WHOLE_SECONDS and config.sending_time_digits == 0:
        return None
    return times.parse_utc(text.encode("latin-1"))


def is_timely(sending_time: bytes, config: SessionConfig, now: int) -> bool:
    """Whether a SendingTime(52) is well formed and inside the tolerance (HDR-04, HDR-05)."""
    sent = times.parse_utc(sending_time)
    tolerance = config.sending_time_tolerance_seconds
    return sent is not None and (
        tolerance is None or abs(sent - now) <= times.seconds(tolerance)
    )


def check_poss_dup(
    message: Message, head: Head, config: SessionConfig, next_in: int
) -> Fault | None:
    """PossDupFlag(43) and what it demands of OrigSendingTime(122) (PRS-06, HDR-08, HDR-09).

    Some engines look at OrigSendingTime only where the number is lower than `next_in`.
    """
    if message.get(POSS_DUP_FLAG) not in (None, "Y", "N"):
        return Fault(
            "PRS-06", Answer.REJECT, "Incorrect data format for value", 6, POSS_DUP_FLAG
        )
    # HDR-08 exempts SequenceReset: gap fills come with and without 122 (RSP-10).
    if not head.poss_dup or head.msg_type == SEQUENCE_RESET:
        return None
    assert head.number is not None, "check_header comes first"
    if config.poss_dup_check == "too_low" and head.number >= next_in:
        return None
    original = message.get(ORIG_SENDING_TIME)
    if original is None:
        never = config.poss_dup_check == "never"
        return None if never else required(ORIG_SENDING_TIME, rule="HDR-08")
    original_ns = _to_time(original, config)
    if original_ns is None:
        return Fault(
            "HDR-08", Answer.REJECT, "Incorrect data format for value", 6, ORIG_SENDING_TIME
        )
    sent_ns = times.parse_utc(message[SENDING_TIME].encode("latin-1"))
    assert sent_ns is not None, "check_sending_time comes first"
    if original_ns > sent_ns:
        return Fault(
            "HDR-09",
            Answer.REJECT_LOGOUT if config.habits.late_original == "logout" else Answer.REJECT,
            "SendingTime accuracy problem: OrigSendingTime(122) is later than SendingTime(52)",
            10,
            ORIG_SENDING_TIME,
        )
    return None


def is_garbled(message: Message, config: SessionConfig) -> Defect | None:
    """A defect that makes a whole message garbled: not answered, not counted (FRM-06).

    DAT-03: with SecureData(91) of another length than it says, nothing in it can be trusted.
    FRM-12: so it is with a delimiter within a value, until FIX.4.3 got a code to reject it;
    some engines never use that code.
    """
    cut = config.begin_string in _BEFORE_4_3 or config.habits.delimiter_in_value == "garbled"
    if not cut and SECURE_DATA_LENGTH not in message:
        return None
    defect = message.defect
    if defect is None:
        return None
    secure = defect.rule == "DAT-03" and defect.tag == SECURE_DATA_LENGTH
    return defect if secure or (cut and defect.rule == "FRM-12") else None


def check_content(message: Message, head: Head, config: SessionConfig) -> Fault | None:
    """What the session itself must be able to read in the body, and the fields' syntax.

    HDR-10, HDR-15: third-party addressing and hops are no concern of the session's; what was
    agreed on them the application knows, which gets the whole message.
    """
    defect = message.defect
    if defect is not None and defect.rule == "REJ-07" and not config.checks.fields_have_values:
        assert message.raw is not None, "only what came from the wire is checked"
        _, defect = split_fields(message.raw, empty_ok=True)
    if defect is not None:
        return Fault(defect.rule, Answer.REJECT, defect.text, defect.reason, defect.tag or None)
    if config.begin_string == "FIXT.1.1":
        fault = _check_application_version(message, head)
        if fault is not None:
            return fault
    if head.msg_type == TEST_REQUEST and TEST_REQ_ID not in message:
        return required(TEST_REQ_ID, rule="HBT-10")
    if head.msg_type == RESEND_REQUEST:
        return _check_resend_request(message, config)
    if head.msg_type == SEQUENCE_RESET:
        return _check_number(message, NEW_SEQ_NO, rule="SQR-13")
    return None


def _check_application_version(message: Message, head: Head) -> Fault | None:
    """HDR-12: ApplVerID(1128) and its kin belong to application messages only."""
    if head.msg_type in ADMIN_TYPES:
        for tag in (APPL_VER_ID, CSTM_APPL_VER_ID, APPL_EXT_ID):
            if tag in message:
                text = f"Tag not defined for this message type: {tag}"
                return Fault("HDR-12", Answer.REJECT, text, 2, tag)
        return None
    if message.get(APPL_VER_ID, "9") in _APPL_VERSIONS:
        return None
    text = "ApplVerID(1128) is not supported"
    return Fault("HDR-12", Answer.REJECT, text, 18, APPL_VER_ID)


def _check_resend_request(message: Message, config: SessionConfig) -> Fault | None:
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
    if is_inverted(begin, end, config) and config.habits.empty_range == "reject":
        return Fault(
            "RSP-07",
            Answer.REJECT,
            f"Value is incorrect: EndSeqNo(16) {end} is below BeginSeqNo(7) {begin}",
            5,
            END_SEQ_NO,
        )
    return None


def is_inverted(begin: int, end: int, config: SessionConfig) -> bool:
    """RSP-07: whether a range of numbers ends before it begins."""
    return end < begin and end not in open_ends(config.begin_string)


def open_ends(begin_string: str) -> tuple[int, ...]:
    """EndSeqNo(16) values that mean "to the end"; both are understood up to 4.2 (RSP-06)."""
    return (0, OLD_INFINITY) if begin_string in _BEFORE_4_3 else (0,)


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
