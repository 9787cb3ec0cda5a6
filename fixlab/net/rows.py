"""Rows of the journal in a line each, for people: decisions that no event tells, and events."""

from __future__ import annotations

from fixlab import redact
from fixlab.session.transitions import SessionState, Transition, TransitionKind
from fixlab.wire.tags import MSG_TYPE_NAMES, REJECT

_TEXT_MAX = 200  # characters shown of a text that a peer may have written

# Decisions that no event tells, in words.
_UNTOLD = {
    TransitionKind.REJECTED: "rejected {message}",
    TransitionKind.WARNED: "warning about {message}",
    TransitionKind.GARBLED: "garbled bytes, ignored",
    TransitionKind.TOO_LOW: "number too low: {message}, next is {next_in}",
    TransitionKind.TIMED_OUT: "timed out",
    TransitionKind.RESEND_REQUESTED: "asked the peer to resend {numbers}",
    TransitionKind.RESEND_ANSWERED: "answered a request to resend {numbers}",
}
# All that a log tells of a session beside its messages.
_ALL = {
    **_UNTOLD,
    TransitionKind.GAP_OPENED: "gap: {numbers} are missing",
    TransitionKind.GAP_CLOSED: "gap closed: {numbers}",
    TransitionKind.GAP_ABANDONED: "gap left open: {numbers}",
    TransitionKind.GAP_FILLED: "the peer filled up to {next_in}",
    TransitionKind.RESET_IN: "the peer reset its numbers, next is {next_in}",
    TransitionKind.RESET_BOTH: "both numbers back at 1",
    TransitionKind.SKIPPED: "numbers skipped on purpose, next to send is {next_out}",
    TransitionKind.PROBED: "silence: asked whether the peer is there",
}


def told(row: Transition) -> str:
    """A decision that no event tells, with its rule; "" for any other row."""
    words = _UNTOLD.get(row.kind)
    return "" if words is None else _said(row, words, row.next_in_before)


def logged(row: Transition) -> str:
    """What a log says of a row, with its rule; "" for rows that its messages tell alone."""
    parts = []
    words = _ALL.get(row.kind)
    if words is not None:
        low = row.kind is TransitionKind.TOO_LOW
        parts.append(_said(row, words, row.next_in_before if low else row.next_in))
    elif row.msg_type == REJECT and row.kind is TransitionKind.ACCEPTED:
        parts.append(_said(row, "the peer rejected a message", row.next_in))
    active = SessionState.ACTIVE
    if row.state is active and row.state_before not in (active, SessionState.RESET_SENT):
        parts.append(f"session up, NextNumIn {row.next_in}, NextNumOut {row.next_out}")
    return "; ".join(parts)


def numbers(begin: int, end: int) -> str:
    """A range in words; an end of 0 is open."""
    last = "the end" if end == 0 else str(end)[:20]
    return f"{str(begin)[:20]} to {last}"


def short(text: str, length_max: int = _TEXT_MAX) -> str:
    """One printable line of at most `length_max` characters, secrets masked."""
    # Secrets are hidden before the cut, which might take away what shows them as such.
    text = redact.printable(redact.mask(text))
    return text if len(text) <= length_max else text[: length_max - 3] + "..."


def _said(row: Transition, words: str, next_in: int) -> str:
    what = words.format(
        message=_named(row), numbers=_range(row), next_in=next_in, next_out=row.next_out
    )
    text = short(row.text.removeprefix("warn only: "))
    rule = f" ({row.rule})" if row.rule else ""
    return f"{what}{': ' + text if text else ''}{rule}"


def _named(row: Transition) -> str:
    """The message of a row: its MsgType(35), name and MsgSeqNum(34)."""
    name = MSG_TYPE_NAMES.get(row.msg_type, "")
    kind = short(row.msg_type, 12) or "a message"
    number = "" if row.msg_seq_num is None else str(row.msg_seq_num)[:20]
    return " ".join(part for part in (kind, name, number) if part)


def _range(row: Transition) -> str:
    if row.begin_seq_no is None or row.end_seq_no is None:
        return "messages"
    return numbers(row.begin_seq_no, row.end_seq_no)
