"""What a broken engine writes instead of what it should: a function for each fault.

Each changes a `Draft` in place. `when` they apply, `change` is never asked for anything else; a
fault that cannot be seen in a message does not strike it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from fixlab import times
from fixlab.faults.draft import Draft
from fixlab.session.inbound import OLD_INFINITY, open_ends
from fixlab.wire.tags import (
    ADMIN_TYPES,
    BEGIN_SEQ_NO,
    END_SEQ_NO,
    GAP_FILL_FLAG,
    HEARTBEAT,
    LOGON,
    LOGOUT,
    MSG_SEQ_NUM,
    NEW_SEQ_NO,
    NEXT_EXPECTED_MSG_SEQ_NUM,
    ORIG_SENDING_TIME,
    POSS_DUP_FLAG,
    RESEND_REQUEST,
    RESET_SEQ_NUM_FLAG,
    SENDER_COMP_ID,
    SENDING_TIME,
    SEQUENCE_RESET,
    TEST_REQ_ID,
    TEST_REQUEST,
    TEXT,
)

_REFUSAL = b"this session may not log on (a fault on purpose)"
_ABSURD = 1_000_000
_LATER_SECONDS = 60.0


class Rewrite(NamedTuple):
    """A fault of a message that is still framed as it should be."""

    fault: str  # a field of `PeerFaults`
    applies: Callable[[Draft, int], bool]  # the message, and the highest number sent before it
    change: Callable[[Draft, int], None]


# New messages -------------------------------------------------------------------------


def _refuse_logon(draft: Draft, newest: int) -> None:
    draft.become(LOGOUT, [(TEXT, _REFUSAL)])


def _reset_unasked(draft: Draft, newest: int) -> None:
    draft.put(RESET_SEQ_NUM_FLAG, b"Y", behind=108)


def _reset_not_echoed(draft: Draft, newest: int) -> None:
    draft.remove(RESET_SEQ_NUM_FLAG)


def _bad_next_expected(draft: Draft, newest: int) -> None:
    draft.put(NEXT_EXPECTED_MSG_SEQ_NUM, draft.number(NEXT_EXPECTED_MSG_SEQ_NUM) + 1)


def _number_reused(draft: Draft, newest: int) -> None:
    draft.put(MSG_SEQ_NUM, newest)


def _bad_comp_id(draft: Draft, newest: int) -> None:
    draft.put(SENDER_COMP_ID, draft[SENDER_COMP_ID] + b"X")


def _gap_fill_unasked(draft: Draft, newest: int) -> None:
    number = draft.number(MSG_SEQ_NUM)
    draft.become(SEQUENCE_RESET, [(GAP_FILL_FLAG, b"Y"), (NEW_SEQ_NO, b"%d" % (number + 1))])


def _request_never(draft: Draft, newest: int) -> None:
    draft.become(HEARTBEAT, [])


def _request_bad_begin(draft: Draft, newest: int) -> None:
    draft.put(BEGIN_SEQ_NO, draft.number(BEGIN_SEQ_NO) + 1)


def _request_from_zero(draft: Draft, newest: int) -> None:
    draft.put(BEGIN_SEQ_NO, 0)


def _logout_on_gap(draft: Draft, newest: int) -> None:
    draft.become(LOGOUT, [])


def _is(*msg_types: str) -> Callable[[Draft, int], bool]:
    return lambda draft, newest: draft.msg_type in msg_types


def resets(draft: Draft, newest: int = 0) -> bool:
    """Whether it is a Logon with ResetSeqNumFlag(141)=Y."""
    return draft.msg_type == LOGON and draft[RESET_SEQ_NUM_FLAG] == b"Y"


def _resets_not(draft: Draft, newest: int) -> bool:
    return draft.msg_type == LOGON and draft[RESET_SEQ_NUM_FLAG] != b"Y"


def _follows_another(draft: Draft, newest: int) -> bool:
    return draft.number(MSG_SEQ_NUM) == newest + 1 and newest > 0


def _has_expected(draft: Draft, newest: int) -> bool:
    return draft.msg_type == LOGON and NEXT_EXPECTED_MSG_SEQ_NUM in draft


def _idle_heartbeat(draft: Draft, newest: int) -> bool:
    return draft.msg_type == HEARTBEAT and TEST_REQ_ID not in draft


def _any(draft: Draft, newest: int) -> bool:
    return True


NEW = (
    Rewrite("refuse_logon", _is(LOGON), _refuse_logon),
    Rewrite("reset_unasked", _resets_not, _reset_unasked),
    Rewrite("reset_not_echoed", resets, _reset_not_echoed),
    Rewrite("bad_next_expected", _has_expected, _bad_next_expected),
    Rewrite("gap_fill_unasked", _idle_heartbeat, _gap_fill_unasked),
    Rewrite("request_never", _is(RESEND_REQUEST), _request_never),
    Rewrite("logout_on_gap", _is(RESEND_REQUEST), _logout_on_gap),
    Rewrite("request_bad_begin", _is(RESEND_REQUEST), _request_bad_begin),
    Rewrite("request_from_zero", _is(RESEND_REQUEST), _request_from_zero),
    Rewrite("number_reused", _follows_another, _number_reused),
    Rewrite("bad_comp_id", _any, _bad_comp_id),
)


# Answers to a ResendRequest -----------------------------------------------------------


def _no_poss_dup(draft: Draft, newest: int) -> None:
    draft.remove(POSS_DUP_FLAG, ORIG_SENDING_TIME)


def _no_orig_sending_time(draft: Draft, newest: int) -> None:
    draft.remove(ORIG_SENDING_TIME)


def _orig_after_sending(draft: Draft, newest: int) -> None:
    draft.put(ORIG_SENDING_TIME, shifted(draft[SENDING_TIME], _LATER_SECONDS), behind=52)


def _gap_fill_by(amount: int) -> Callable[[Draft, int], None]:
    def change(draft: Draft, newest: int) -> None:
        draft.put(NEW_SEQ_NO, draft.number(NEW_SEQ_NO) + amount)

    return change


def _gap_fill_bad_seq(draft: Draft, newest: int) -> None:
    draft.put(MSG_SEQ_NUM, newest + 1)


def _gap_fill_orders(draft: Draft, newest: int) -> None:
    number, original = draft.number(MSG_SEQ_NUM), draft[ORIG_SENDING_TIME]
    draft.become(SEQUENCE_RESET, [(GAP_FILL_FLAG, b"Y"), (NEW_SEQ_NO, b"%d" % (number + 1))])
    draft.put(POSS_DUP_FLAG, b"Y", behind=MSG_SEQ_NUM)
    draft.put(ORIG_SENDING_TIME, original or draft[SENDING_TIME], behind=SENDING_TIME)


def is_gap_fill(draft: Draft) -> bool:
    """Whether it is a SequenceReset-GapFill."""
    return draft.msg_type == SEQUENCE_RESET and draft[GAP_FILL_FLAG] == b"Y"


def _fills(draft: Draft, newest: int) -> bool:
    return is_gap_fill(draft)


def _replays(draft: Draft, newest: int) -> bool:
    return not is_gap_fill(draft)


def _replays_order(draft: Draft, newest: int) -> bool:
    return draft.msg_type not in ADMIN_TYPES


ANSWERS = (
    Rewrite("gap_fill_orders", _replays_order, _gap_fill_orders),
    Rewrite("gap_fill_short", _fills, _gap_fill_by(-1)),
    Rewrite("gap_fill_long", _fills, _gap_fill_by(1)),
    Rewrite("gap_fill_absurd", _fills, _gap_fill_by(_ABSURD)),
    Rewrite("gap_fill_bad_seq", _fills, _gap_fill_bad_seq),
    Rewrite("no_poss_dup", _replays, _no_poss_dup),
    Rewrite("no_orig_sending_time", _any, _no_orig_sending_time),
    Rewrite("orig_after_sending", _any, _orig_after_sending),
)


# What comes in ------------------------------------------------------------------------


def _unanswered(draft: Draft, newest: int) -> None:
    draft.become(HEARTBEAT, [])


def _ignore_end(draft: Draft, newest: int) -> None:
    draft.put(END_SEQ_NO, infinity(draft.begin_string))


def _incomplete(draft: Draft, newest: int) -> None:
    draft.put(END_SEQ_NO, draft[BEGIN_SEQ_NO])


def _has_more(draft: Draft, newest: int) -> bool:
    return draft.msg_type == RESEND_REQUEST and 0 < asked(draft, newest)[1] < newest


def _has_several(draft: Draft, newest: int) -> bool:
    begin, end = asked(draft, newest)
    return draft.msg_type == RESEND_REQUEST and 0 < begin < end


RECEIVED = (
    Rewrite("test_request_unanswered", _is(TEST_REQUEST), _unanswered),
    Rewrite("resend_unanswered", _is(RESEND_REQUEST), _unanswered),
    Rewrite("resend_incomplete", _has_several, _incomplete),
    Rewrite("ignore_end_seq_no", _has_more, _ignore_end),
)


# What they need -----------------------------------------------------------------------


def infinity(begin_string: bytes) -> int:
    """EndSeqNo(16) that means "to the end" (RRQ-02)."""
    return max(open_ends(begin_string.decode("latin-1"))) if begin_string in _OLD else 0


_OLD = (b"FIX.4.0", b"FIX.4.1")


def asked(request: Draft, newest: int) -> tuple[int, int]:
    """First and last number that a ResendRequest asks for, `newest` being the last there is."""
    begin, end = request.number(BEGIN_SEQ_NO), request.number(END_SEQ_NO)
    is_open = end in (0, OLD_INFINITY)
    return begin, newest if is_open else min(end, newest)


def shifted(time: bytes, seconds: float) -> bytes:
    """A UTCTimestamp moved by `seconds`, with as many digits; itself when it is none."""
    moment = times.parse_utc(time)
    if moment is None:
        return time
    digits = min(max(len(time) - 18, 0), 9)
    return times.format_utc(max(moment + times.seconds(seconds), 0), digits)
