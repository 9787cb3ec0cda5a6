"""The codes of findings: severity, rule, what should have happened, and what to do."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """What is the same for all findings of one code."""

    severity: str
    rule: str
    expected: str
    advice: str


_TABLE = """
SEQ_GAP | info | SEQ-05 | Numbers arrive one after the other; a jump is answered with a ResendRequest(2). | See the ledger for how it ended.
GAP_NOT_REQUESTED | fault | SEQ-05 | Whoever misses numbers sends a ResendRequest(2) for them at once. | Ask the receiver why its engine did not request the gap, and have the numbers resent.
GAP_NEVER_CLOSED | risk | RRQ-06 | A gap closes by replayed messages or a gap fill within the resend time-out. | Reconcile the missing numbers by hand before the next session.
RESEND_UNANSWERED | fault | RSP-01 | A ResendRequest(2) is answered with messages or gap fills for its whole range. | Ask the sender for the missing messages, and why the request was not answered.
RESEND_INCOMPLETE | fault | RSP-05 | An answer covers its range to the end, by a last gap fill if need be. | Ask the sender for the rest of the range.
RESEND_LOOP | fault | RSP-17 | An answered range is taken, and not asked for again. | Stop the session; find out why the answer is not accepted before going on.
RESEND_STORM | risk | RRQ-04 | One gap is asked for once while its answer is on the way. | Have redundant ResendRequests switched off at the requester.
RESEND_OVERLAP | risk | RRQ-04 | Ranges of requests that are not answered yet do not overlap. | Check how the requester computes its ranges; messages may come twice.
RESEND_BAD_BEGIN | fault | RRQ-01 | BeginSeqNo(7) is the first missing number. | Have the requester's BeginSeqNo(7) mended; what stands before it was not recovered.
RESEND_UNJUSTIFIED | risk | RRQ-04 | A ResendRequest(2) is sent when numbers are missing. | Ask the requester what it believed was missing.
RESEND_INVALID | fault | RSP-07 | BeginSeqNo(7) is 1 or more and not above EndSeqNo(16), unless that is 0. | Have the requester's range mended.
RESEND_HUGE | risk | RRQ-10 | Large gaps are recovered in bounded pieces, or reset by agreement. | Agree on chunked requests or a reset, and plan for the time it takes.
MUTUAL_GAP | info | RRQ-07 | Each side answers the other's ResendRequest(2) although its number is too high. | Nothing to do when both gaps closed.
REPLAY_INTERLEAVED | risk | RSP-15 | New messages wait until a replay is complete. | Make sure that the receiver queues new messages in the middle of a replay.
APP_MSG_FILLED_OVER | risk | RSP-01 | Application messages are replayed; only stale ones may be filled over. | Reconcile these business messages: the receiver never got them.
MESSAGE_LOST | fault | SEQ-05 | Every number is delivered, filled or reset away by agreement. | Reconcile these numbers by hand: they will not come by themselves.
LOGOUT_DURING_GAP | risk | LGO-05 | A gap is recovered before the session logs out. | Check that the missing numbers are asked for at the next Logon.
SEQ_SKIPPED | risk | SEQ-01 | Numbers are used one after the other, each for a message. | Ask the sender where its numbers went: a message may have been lost before it was sent.
GAPFILL_BAD_SEQ | fault | RSP-04 | MsgSeqNum(34) of a gap fill is the first number that it fills. | Have the sender's gap fill numbering mended.
GAPFILL_BAD_NEWSEQ | fault | RSP-04 | NewSeqNo(36) is the number of the next message to come. | Have the sender's NewSeqNo(36) mended; compare the numbers of both sides.
GAPFILL_SKIPS_UNSEEN | fault | SQR-03 | A gap fill with too high a number waits until the hole before it is closed. | Recover the skipped numbers by hand; the receiver must not obey such a fill.
GAPFILL_IGNORED | fault | SQR-02 | A gap fill with the expected number moves the expected number to NewSeqNo(36). | Ask the requester why its engine does not take the gap fill.
GAPFILL_UNASKED | fault | SQR-12 | Gap fills only answer a ResendRequest(2). | Ask the sender why it skipped numbers unasked.
NEWSEQ_ABSURD | fault | SQR-11 | NewSeqNo(36) stays near the numbers in use. | Stop and agree on the right number before going on.
RESET_BACKWARDS | fault | SQR-09 | A SequenceReset(4) never lowers the expected number. | Use ResetSeqNumFlag(141)=Y to begin anew.
RESET_NOT_HONOURED | fault | LGN-17 | A Logon with 141=Y is answered with 141=Y, and both sides begin at 1. | Stop and reset both sides together.
RESET_TWICE | risk | LGN-19 | Both sides begin anew once. | Switch the reset off at one side; messages between the two resets are gone.
RESET_UNASKED | risk | LGN-20 | 141=Y in a Logon that answers echoes one that asked. | Agree on who resets; what was not recovered before is gone.
RESET_BAD_SEQ | fault | LGN-18 | A Logon with 141=Y has MsgSeqNum(34) 1. | Have the Logon's number mended.
SEQ_TOO_LOW | fault | LGN-11 | Numbers go on where they were, also after a reconnect. | Find out which side forgot; set its next number, or reset both sides by agreement.
STORE_REWOUND | fault | DSC-04 | Numbers go on where they were after a restart. | Check the sender's store and backups; numbers used twice hide messages.
ONE_SIDE_ROLLED | fault | SCH-02 | Both sides begin a new session at the same time. | Compare the schedules and time zones of both sides.
DUPLICATE_NOT_FLAGGED | fault | SEQ-03 | A number is used for one message; a repeat has PossDupFlag(43)=Y. | Compare the two messages: one of them may never have been processed.
REPLAY_NOT_FLAGGED | fault | RSP-01 | A replayed message has PossDupFlag(43)=Y and OrigSendingTime(122). | Have the sender flag its replays; check for messages processed twice.
POSSDUP_NO_ORIG | fault | HDR-08 | A message with PossDupFlag(43)=Y has OrigSendingTime(122). | Have the sender add OrigSendingTime(122), or the receiver not require it.
ORIG_AFTER_SENDING | fault | HDR-09 | OrigSendingTime(122) is not later than SendingTime(52). | Check how the sender stores the first sending time.
NEXT_EXPECTED_MISMATCH | fault | LGN-23 | NextExpectedMsgSeqNum(789) is the number that its sender expects next. | Compare the stored numbers of both sides.
MANUAL_SEQ_EDIT | risk | SEQ-15 | A Logon's number follows the last number sent. | Ask who changed the number, and what became of the numbers between.
SECOND_LOGON | fault | LGN-29 | One Logon a connection, unless it resets. | Look for a second instance of this side.
LOGON_REFUSED | risk | LGO-10 | A Logon is answered with a Logon. | Take up the stated reason with the side that refused.
LOGON_UNANSWERED | risk | LGN-05 | A Logon is answered with a Logon, or refused with a Logout. | Ask the other side what it saw: CompIDs, address, or a session that is not open.
RECONNECT_HAMMER | risk | DSC-05 | Failed Logons are repeated at a growing distance. | Let the side wait longer between its tries; hosts block such clients.
MSG_BEFORE_LOGON | fault | LGN-04 | Nothing is sent until the Logon is answered. | Have the sender wait for the Logon that answers.
ENDED_WITHOUT_LOGOUT | info | DSC-02 | A connection ends with an exchange of Logouts. | Look for network trouble or a crash at that time.
HEARTBEAT_LATE | risk | HBT-01 | After HeartBtInt(108) without another message a Heartbeat is sent. | Look for a busy or paused process at the silent side.
HEARTBEAT_MISSING | fault | HBT-04 | A side that is alive is never silent for much longer than HeartBtInt(108). | Check the line and the silent side's process at that time.
TESTREQ_UNANSWERED | fault | HBT-03 | A TestRequest(1) is answered with a Heartbeat that has its TestReqID(112). | Ask that side why its engine does not answer TestRequests.
OUTSIDE_WINDOW | risk | SCH-05 | Sessions are logged on within the schedule. | Compare schedules and time zones.
CLOCK_SKEW | risk | HDR-04 | SendingTime(52) is within the tolerance of the receiver's clock. | Have both clocks synchronised.
CHECKSUM_BAD | fault | FRM-04 | CheckSum(10) is the sum of all bytes before it, modulo 256. | Look at the bytes: a broken encoder, or something on the way that rewrites them.
BODYLENGTH_BAD | fault | FRM-03 | BodyLength(9) counts the bytes up to CheckSum(10). | Look at the bytes: encodings and lengths of data fields come first.
GARBLED | fault | FRM-06 | A message begins with 8, 9 and 35, and ends with 10. | Look at the bytes; if the line is cut, the logger is to blame.
SECRET_IN_LOG | risk | LGN-26 | Passwords are masked wherever they are kept. | Mask it in the logger's settings, and change the password.
SESSION_REJECT | info | REJ-01 | Messages keep to the rules of their version. | Mend the rejected message; it counts as received and is not sent again.
DIRECTION_INFERRED | info | HDR-02 | The log says which way each message went. | Give `ours` to `read_log` if this is wrong.
"""

CODES: dict[str, Code] = {
    parts[0]: Code(*parts[1:])
    for parts in (line.split(" | ") for line in _TABLE.strip().splitlines())
}

# Root -> what follows from it where both are about the same gap, request or connection.
_OF_A_GAP = (
    *("GAP_NEVER_CLOSED", "MESSAGE_LOST", "RESEND_UNANSWERED", "RESEND_INCOMPLETE"),
    *("SEQ_GAP", "RESEND_UNJUSTIFIED"),
)
_OF_NUMBERS = ("LOGON_REFUSED", "SEQ_GAP", "DUPLICATE_NOT_FLAGGED", "RESEND_UNJUSTIFIED")
FOLLOWS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("CHECKSUM_BAD", "BODYLENGTH_BAD", "GARBLED"),
        (*_OF_A_GAP, "GAP_NOT_REQUESTED", "LOGOUT_DURING_GAP", "SEQ_SKIPPED"),
    ),
    "HEARTBEAT_MISSING": ("TESTREQ_UNANSWERED", "ENDED_WITHOUT_LOGOUT", "RESEND_UNANSWERED"),
    "SECOND_LOGON": ("MSG_BEFORE_LOGON", "ENDED_WITHOUT_LOGOUT", "LOGON_UNANSWERED",
                     "LOGON_REFUSED"),
    "RESET_NOT_HONOURED": (*_OF_NUMBERS, "SEQ_TOO_LOW", "STORE_REWOUND", "RESET_TWICE"),
    "RESET_BAD_SEQ": (*_OF_NUMBERS, "RESET_NOT_HONOURED"),
    "RESET_BACKWARDS": (*_OF_NUMBERS, "SEQ_TOO_LOW", "STORE_REWOUND"),
    "RESET_TWICE": _OF_NUMBERS,
    "RESET_UNASKED": _OF_NUMBERS,
    "ONE_SIDE_ROLLED": _OF_NUMBERS,
    "NEXT_EXPECTED_MISMATCH": (*_OF_NUMBERS, "MESSAGE_LOST"),
    "SEQ_TOO_LOW": _OF_NUMBERS,
    "STORE_REWOUND": _OF_NUMBERS,
    "MANUAL_SEQ_EDIT": ("SEQ_GAP", "SEQ_SKIPPED"),
    "NEWSEQ_ABSURD": (*_OF_A_GAP, "GAPFILL_BAD_NEWSEQ", "GAPFILL_UNASKED",
                      "DUPLICATE_NOT_FLAGGED"),
    "REPLAY_NOT_FLAGGED": (*_OF_A_GAP, "RESEND_LOOP", "DUPLICATE_NOT_FLAGGED"),
    "POSSDUP_NO_ORIG": ("RESEND_LOOP",),
    "GAPFILL_BAD_NEWSEQ": (*_OF_A_GAP, "DUPLICATE_NOT_FLAGGED", "GAPFILL_UNASKED"),
    "GAPFILL_BAD_SEQ": (*_OF_A_GAP, "RESEND_LOOP", "GAPFILL_UNASKED"),
    "GAPFILL_SKIPS_UNSEEN": (*_OF_A_GAP, "RESEND_BAD_BEGIN"),
    "GAPFILL_IGNORED": (*_OF_A_GAP, "RESEND_OVERLAP", "RESEND_STORM"),
    "RESEND_LOOP": (*_OF_A_GAP, "RESEND_STORM", "RESEND_OVERLAP", "GAPFILL_IGNORED"),
    "RESEND_STORM": ("RESEND_OVERLAP", "RESEND_UNJUSTIFIED", "SEQ_GAP"),
    "RESEND_OVERLAP": ("RESEND_UNJUSTIFIED", "SEQ_GAP"),
    "RESEND_INVALID": _OF_A_GAP,
    "RESEND_BAD_BEGIN": _OF_A_GAP,
    "LOGOUT_DURING_GAP": _OF_A_GAP,
    "GAP_NOT_REQUESTED": _OF_A_GAP,
    "SEQ_SKIPPED": ("SEQ_GAP",),
    "RESEND_UNANSWERED": ("GAP_NEVER_CLOSED", "MESSAGE_LOST", "SEQ_GAP"),
    "RESEND_INCOMPLETE": ("GAP_NEVER_CLOSED", "MESSAGE_LOST", "SEQ_GAP"),
    "MESSAGE_LOST": ("GAP_NEVER_CLOSED", "SEQ_GAP"),
}  # fmt: skip
