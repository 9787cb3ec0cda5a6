"""Fault: a rule that a message breaks, and what that is answered with."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


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
    business: int | None = None  # BusinessRejectReason(380): not a Reject(3) is due (REJ-23)
    count_tag: int | None = None  # REJ-13: what counts the entries of the group


# REJ-15: the session is up, and the application cannot process a message.
APPLICATION_NOT_AVAILABLE = Fault(
    "REJ-15", Answer.REJECT, "Application not available", business=4
)
