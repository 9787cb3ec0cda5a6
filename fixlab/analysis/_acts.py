"""What an engine does, reduced to what a rule can demand of it, and how two acts compare.

Sending times, texts and application contents are nobody's business here: an act is the kind of
message, and the numbers and flags by which the session layer knows it.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from fixlab.redact import mask, printable
from fixlab.wire.tags import (
    ADMIN_TYPES,
    BEGIN_SEQ_NO,
    BUSINESS_MESSAGE_REJECT,
    END_SEQ_NO,
    GAP_FILL_FLAG,
    HEARTBEAT,
    LOGON,
    MSG_TYPE_NAMES,
    NEW_SEQ_NO,
    NEXT_EXPECTED_MSG_SEQ_NUM,
    ORIG_SENDING_TIME,
    POSS_DUP_FLAG,
    REF_SEQ_NUM,
    REJECT,
    RESEND_REQUEST,
    RESET_SEQ_NUM_FLAG,
    SEQUENCE_RESET,
    TEST_REQ_ID,
)

OPEN_ENDS = (0, 999_999)  # RRQ-01, RRQ-02: an open end
_DIGITS_MAX = 19  # of the number behind the largest that a message can bear
_AGAIN_MAX = 100  # ranges asked for twice that are remembered
_ID_MAX = 40  # characters of a TestReqID(112) that are shown


class Readable(Protocol):
    """A message, as far as acts need one."""

    @property
    def msg_type(self) -> str: ...

    @property
    def number(self) -> int | None: ...

    def get(self, tag: int) -> str | None: ...


class Act(NamedTuple):
    """One message that was sent, or should have been."""

    msg_type: str
    number: int | None
    poss_dup: bool = False
    has_orig: bool = False
    gap_fill: bool = False
    reset: bool = False
    begin: int | None = None
    end: int | None = None
    new: int | None = None
    next_expected: int | None = None
    ref: int | None = None
    test_req_id: str | None = None

    @classmethod
    def of(cls, message: Readable) -> Act:
        """What a message does."""
        kind = message.msg_type
        return cls(
            kind,
            message.number,
            message.get(POSS_DUP_FLAG) == "Y",
            message.get(ORIG_SENDING_TIME) is not None,
            kind == SEQUENCE_RESET and message.get(GAP_FILL_FLAG) == "Y",
            kind == LOGON and message.get(RESET_SEQ_NUM_FLAG) == "Y",
            _number(message, BEGIN_SEQ_NO) if kind == RESEND_REQUEST else None,
            _number(message, END_SEQ_NO) if kind == RESEND_REQUEST else None,
            _number(message, NEW_SEQ_NO) if kind == SEQUENCE_RESET else None,
            _number(message, NEXT_EXPECTED_MSG_SEQ_NUM) if kind == LOGON else None,
            _number(message, REF_SEQ_NUM) if kind in _REJECTS else None,
            message.get(TEST_REQ_ID) if kind in (HEARTBEAT, "1") else None,
        )

    @property
    def is_application(self) -> bool:
        """Whether the application decides about it."""
        return self.msg_type not in ADMIN_TYPES

    @property
    def is_new(self) -> bool:
        """Whether it uses up the next number."""
        return not self.poss_dup and self.msg_type != SEQUENCE_RESET

    def __str__(self) -> str:
        name = (
            MSG_TYPE_NAMES.get(self.msg_type) or f"message of type {printable(self.msg_type)}"
        )
        if self.msg_type == SEQUENCE_RESET:
            name += "-GapFill" if self.gap_fill else "-Reset"
        parts = [name] if self.number is None else [name, f"MsgSeqNum(34) {self.number}"]
        if self.poss_dup:
            parts.append("PossDupFlag(43) Y")
        if self.reset:
            parts.append("ResetSeqNumFlag(141) Y")
        for label, value in (
            ("BeginSeqNo(7)", self.begin),
            ("EndSeqNo(16)", self.end),
            ("NewSeqNo(36)", self.new),
            ("NextExpectedMsgSeqNum(789)", self.next_expected),
            ("RefSeqNum(45)", self.ref),
        ):
            if value is not None:
                parts.append(f"{label} {value}")
        if self.test_req_id is not None:
            shown = printable(mask(self.test_req_id)[:_ID_MAX])
            parts.append(f"TestReqID(112) {shown}")
        return ", ".join(parts)


_REJECTS = (REJECT, BUSINESS_MESSAGE_REJECT)


def _number(message: Readable, tag: int) -> int | None:
    text = message.get(tag)
    if text is None or not text.isdigit() or len(text) > _DIGITS_MAX:
        return None
    return int(text)


def satisfies(wanted: Act, found: Act) -> bool:
    """Whether `found` does what `wanted` had to; numbers are looked at elsewhere."""
    if wanted.msg_type != found.msg_type or wanted.poss_dup != found.poss_dup:
        return False
    if wanted.msg_type == RESEND_REQUEST:
        return wanted.begin == found.begin and _covers(wanted, found)
    if wanted.msg_type == LOGON:
        same = wanted.next_expected == found.next_expected or wanted.next_expected is None
        return same and wanted.reset == found.reset
    if wanted.msg_type == HEARTBEAT:
        return wanted.test_req_id == found.test_req_id
    if wanted.msg_type in _REJECTS:
        return wanted.ref == found.ref
    return True


def _covers(wanted: Act, found: Act) -> bool:
    """RRQ-03: asking for a part is allowed; asking for nothing is not."""
    return found.end in OPEN_ENDS or (
        found.end is not None and found.begin is not None and found.end >= found.begin
    )


def is_attempt(wanted: Act, found: Act) -> bool:
    """Whether `found` stands where `wanted` should, though it does not do what it should."""
    if wanted.msg_type != found.msg_type or wanted.poss_dup != found.poss_dup:
        return False
    if wanted.msg_type == HEARTBEAT:
        return wanted.test_req_id is not None and found.test_req_id is not None
    return wanted.msg_type in (RESEND_REQUEST, LOGON)


class Owed:
    """What is still owed to ResendRequests: numbers to resend, and ranges to fill over."""

    def __init__(self) -> None:
        self.messages: set[int] = set()
        self.fills: list[tuple[int, int]] = []
        self._again: list[tuple[int, int]] = []  # asked for while they were owed already

    def __bool__(self) -> bool:
        return bool(self.messages or self.fills)

    def add(self, act: Act) -> None:
        """An act of the answer that the rules demand."""
        assert act.number is not None, "an answer has a number"
        if self.owes(act.number):
            self._again.append((act.number, max(act.number, (act.new or 0) - 1)))
            del self._again[:-_AGAIN_MAX]
        if act.gap_fill:
            assert act.new is not None, "a gap fill has an end"
            self.fills = [*self._without(act.number, act.new - 1), (act.number, act.new - 1)]
        else:
            self.messages.add(act.number)

    def clear(self) -> None:
        """Nothing is owed any more."""
        self.messages.clear()
        self.fills.clear()
        self._again.clear()

    def asked_again(self, number: int) -> bool:
        """Whether two requests are about this number, so that it may come twice."""
        return any(a <= number <= b for a, b in self._again)

    @property
    def span(self) -> tuple[int, int] | None:
        """The first and the last number that is owed."""
        if not self:
            return None
        ends = [*((number, number) for number in self.messages), *self.fills]
        return min(a for a, _ in ends), max(b for _, b in ends)

    def owes(self, number: int | None) -> bool:
        """Whether this number is owed, in either way."""
        if number is None:
            return False
        return number in self.messages or any(a <= number <= b for a, b in self.fills)

    def resent(self, number: int) -> None:
        """It came."""
        self.messages.discard(number)
        self.fills = self._without(number, number)

    def filled(self, begin: int, end: int) -> int:
        """begin..end were filled over; returns how many of them should have been resent."""
        over = {number for number in self.messages if begin <= number <= end}
        self.messages -= over
        self.fills = self._without(begin, end)
        return len(over)

    def _without(self, begin: int, end: int) -> list[tuple[int, int]]:
        parts = [
            part
            for a, b in self.fills
            for part in ((a, min(b, begin - 1)), (max(a, end + 1), b))
        ]
        return sorted({(a, b) for a, b in parts if a <= b})
