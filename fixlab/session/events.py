"""What a session tells the application. Each is a small immutable tuple with names."""

from __future__ import annotations

from typing import NamedTuple

from fixlab.wire.message import Message
from fixlab.wire.tags import POSS_RESEND


class Established(NamedTuple):
    """The Logon exchange is complete; application messages may flow."""

    heartbeat_seconds: int
    reset: bool  # both counters restarted at 1 with this Logon


class Received(NamedTuple):
    """An application message, delivered once and in number order."""

    message: Message
    msg_seq_num: int
    poss_dup: bool  # it came as a retransmission, PossDupFlag(43)=Y

    @property
    def poss_resend(self) -> bool:
        """PossResend(97)=Y: under another number this may have come before (PRS-01).

        Only the application can tell, by an id such as ClOrdID(11): it drops what it knows
        (PRS-02) and processes the rest (PRS-03). The session delivers both.
        """
        return self.message.get(POSS_RESEND) == "Y"


class GapNoticed(NamedTuple):
    """Inbound numbers `begin` to `end` are missing; a ResendRequest was sent."""

    begin: int
    end: int


class GapClosed(NamedTuple):
    """Nothing of the range `begin` to `end` is missing any more."""

    begin: int
    end: int


class RejectReceived(NamedTuple):
    """The peer rejected one of our messages with Reject(3).

    REJ-20: its number stays used. Corrected content is a new message, and the same content
    once more is one with PossResend(97)=Y.
    """

    message: Message
    ref_seq_num: int | None  # RefSeqNum(45): the number it rejects
    text: str


class RoundTrip(NamedTuple):
    """The Heartbeat that answers our TestRequest came back."""

    test_req_id: str
    seconds: float  # from the TestRequest to its answer


class Dropped(NamedTuple):
    """Messages queued as `begin` to `end` will never leave.

    A reset came before (SCH-04), or the peer asked and their type is not resent (RSP-09).
    Only those that this object queued are told; hand them over again where they still matter.
    """

    begin: int
    end: int


class Ended(NamedTuple):
    """The connection is over; `rule` is the rule that ended it, "" when it was simply lost."""

    reason: str
    rule: str
    clean: bool  # a Logout was exchanged both ways


Event = (
    Established
    | Received
    | GapNoticed
    | GapClosed
    | RejectReceived
    | RoundTrip
    | Dropped
    | Ended
)
