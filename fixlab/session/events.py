"""What a session tells the application. Each is a small immutable tuple with names."""

from __future__ import annotations

from typing import NamedTuple

from fixlab.wire.message import Message


class Established(NamedTuple):
    """The Logon exchange is complete; application messages may flow."""

    heartbeat_seconds: int
    reset: bool  # both counters restarted at 1 with this Logon


class Received(NamedTuple):
    """An application message, delivered once and in number order."""

    message: Message
    msg_seq_num: int
    poss_dup: bool  # it came as a retransmission, PossDupFlag(43)=Y


class GapNoticed(NamedTuple):
    """Inbound numbers `begin` to `end` are missing; a ResendRequest was sent."""

    begin: int
    end: int


class GapClosed(NamedTuple):
    """Nothing of the range `begin` to `end` is missing any more."""

    begin: int
    end: int


class RejectReceived(NamedTuple):
    """The peer rejected one of our messages with Reject(3)."""

    message: Message
    ref_seq_num: int | None  # RefSeqNum(45): the number it rejects
    text: str


class RoundTrip(NamedTuple):
    """The Heartbeat that answers our TestRequest came back."""

    test_req_id: str
    seconds: float  # from the TestRequest to its answer


class Ended(NamedTuple):
    """The connection is over; `rule` is the rule that ended it, "" when it was simply lost."""

    reason: str
    rule: str
    clean: bool  # a Logout was exchanged both ways


Event = Established | Received | GapNoticed | GapClosed | RejectReceived | RoundTrip | Ended
