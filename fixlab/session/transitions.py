"""What a session records: one `Transition` for each decision about its numbers or state.

The first row of a step that received a message is the decision on that message itself; rows
behind it are what followed. Counters change on these rows and on no others: SENT, QUEUED and
SKIPPED raise NextNumOut; ACCEPTED, GAP_FILLED, RESET_IN and a counting REJECTED raise
NextNumIn; RESET_BOTH sets both.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """Which end of the connection a session is."""

    INITIATOR = "initiator"
    ACCEPTOR = "acceptor"


class SessionState(StrEnum):
    """Where a session's life stands; gaps, probes and replays are separate from it."""

    DISCONNECTED = "DISCONNECTED"  # no transport
    CONNECTED = "CONNECTED"  # acceptor: transport up, no valid Logon yet
    LOGON_SENT = "LOGON_SENT"  # initiator: Logon sent, answer outstanding
    ACTIVE = "ACTIVE"  # Logon exchange complete, also while gaps are open
    RESET_SENT = "RESET_SENT"  # Logon with ResetSeqNumFlag(141)=Y sent in session
    LOGOUT_SENT = "LOGOUT_SENT"  # own Logout sent, confirmation outstanding
    LOGOUT_ANSWERED = "LOGOUT_ANSWERED"  # peer's Logout answered; the peer should close
    CLOSING = "CLOSING"  # Logout sent over a protocol error; closes in a moment


class TransitionKind(StrEnum):
    """What was decided."""

    STATE = "STATE"  # only the lifecycle state changed
    SENT = "SENT"  # a new message got a number and left
    QUEUED = "QUEUED"  # a new message got a number and is stored; it leaves by replay
    SKIPPED = "SKIPPED"  # numbers were used up without a message, on purpose
    RESENT = "RESENT"  # a stored message left again, PossDupFlag(43)=Y
    FILL_SENT = "FILL_SENT"  # a gap fill left in answer to a ResendRequest
    RESEND_ANSWERED = "RESEND_ANSWERED"  # a ResendRequest was answered, or why it was not
    ACCEPTED = "ACCEPTED"  # the expected message was processed
    HELD = "HELD"  # an early message waits for the gap before it
    GAP_OPENED = "GAP_OPENED"  # numbers are missing
    RESEND_REQUESTED = "RESEND_REQUESTED"  # the missing range was asked for
    GAP_FILLED = "GAP_FILLED"  # a gap fill moved NextNumIn
    GAP_CLOSED = "GAP_CLOSED"  # nothing of the gap is missing any more
    GAP_ABANDONED = "GAP_ABANDONED"  # connection lost: the gap shows again at the next Logon
    DUPLICATE = "DUPLICATE"  # a number seen before, PossDupFlag(43)=Y: ignored
    TOO_LOW = "TOO_LOW"  # a number seen before, unflagged: the session ends
    RESET_IN = "RESET_IN"  # SequenceReset-Reset moved NextNumIn, or confirmed it
    RESET_BOTH = "RESET_BOTH"  # both counters went back to 1
    GARBLED = "GARBLED"  # bytes that are no message: ignored, not counted
    REJECTED = "REJECTED"  # a message broke a rule
    WARNED = "WARNED"  # a message broke a rule and was processed all the same
    IGNORED = "IGNORED"  # a message that this state has no use for
    PROBED = "PROBED"  # silence: a TestRequest asks whether the peer lives
    TIMED_OUT = "TIMED_OUT"  # a limit of time passed


class Transition(NamedTuple):
    """One row of the `transitions` frame; times are nanoseconds since the epoch, UTC.

    `msg_type`, `msg_seq_num` and `poss_dup` describe the message that caused the row (for
    SENT, RESENT and FILL_SENT the message that left). `begin_seq_no` and `end_seq_no` are the
    range meant, inclusive; an end of 0 is open.
    """

    time: int
    session: str
    step: int
    kind: TransitionKind
    state_before: SessionState
    state: SessionState
    next_in_before: int
    next_in: int
    next_out_before: int
    next_out: int
    msg_type: str
    msg_seq_num: int | None
    poss_dup: bool
    begin_seq_no: int | None
    end_seq_no: int | None
    gap: int | None
    rule: str
    text: str
