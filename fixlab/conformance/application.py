"""EchoApplication: the least application that the test cases ask for."""

from __future__ import annotations

from fixlab.wire.message import Message
from fixlab.wire.tags import (
    BUSINESS_MESSAGE_REJECT,
    BUSINESS_REJECT_REASON,
    HEADER_TAGS,
    POSS_RESEND,
    REF_MSG_TYPE,
    REF_SEQ_NUM,
    TEXT,
    TRAILER_TAGS,
)

_CL_ORD_ID = 11
_NOT_AVAILABLE = 4  # BusinessRejectReason(380)
_KNOWN_MAX = 100_000  # ids remembered


class EchoApplication:
    """Answers each order with its echo, unless it is down or has seen the order before.

    It does no I/O: `answers()` returns what is to be sent, whoever sends it. An order with
    PossResend(97)=Y whose ClOrdID(11) is known is passed over (PRS-02). While `down` every
    message gets a BusinessMessageReject (REJ-15).
    """

    def __init__(self) -> None:
        self.down = False
        self._known: dict[str, None] = {}

    def answers(self, message: Message) -> list[Message]:
        """What the application says to a message that was delivered to it."""
        if self.down:
            return [_unavailable(message)]
        if message.msg_type != "D":
            return []
        known = message.get(_CL_ORD_ID)
        if known is not None and known in self._known and message.get(POSS_RESEND) == "Y":
            return []
        if known is not None and len(self._known) < _KNOWN_MAX:
            self._known[known] = None
        return [_echo(message)]


def _echo(message: Message) -> Message:
    fields = [
        (tag, value)
        for tag, value in message.fields
        if tag not in HEADER_TAGS and tag not in TRAILER_TAGS and tag
    ]
    return Message("D", fields)


def _unavailable(message: Message) -> Message:
    return Message(
        BUSINESS_MESSAGE_REJECT,
        {
            REF_SEQ_NUM: message.number or 0,
            REF_MSG_TYPE: message.msg_type,
            BUSINESS_REJECT_REASON: _NOT_AVAILABLE,
            TEXT: "Application not available",
        },
    )


def order_to_send(begin_string: str, number: int, now: str) -> Message:
    """An order of the application's own, the `number`th of a case; `now` is a UTCTimestamp."""
    fields = {11: f"OWN-{number}", 21: "3", 55: "INTC", 54: "1", 38: "100", 40: "1"}
    if begin_string == "FIX.4.3":
        fields[460] = "5"
    if begin_string not in ("FIX.4.0", "FIX.4.1"):
        fields[60] = now
    return Message("D", fields)
