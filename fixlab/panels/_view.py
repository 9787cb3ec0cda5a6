"""A session panel's numbers and transitions as HTML: pure functions of what was seen.

All text that came off the wire or from a caller is escaped, secrets masked. Colours are
JupyterLab's own variables with fallbacks, so both of its themes fit.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from fixlab.panels._ends import NEVER_SENT, EndView
from fixlab.plots import style
from fixlab.redact import escape, mask, printable
from fixlab.rules import RULES
from fixlab.session.transitions import SessionState, TransitionKind
from fixlab.times import NANOSECONDS
from fixlab.wire.tags import MSG_TYPE_NAMES

_K = TransitionKind

# Names of the application messages that people try sessions with; others show their MsgType.
_APPLICATION_NAMES = {
    "8": "ExecutionReport",
    "9": "OrderCancelReject",
    "D": "NewOrderSingle",
    "F": "OrderCancelRequest",
    "G": "OrderCancelReplaceRequest",
    "R": "QuoteRequest",
    "V": "MarketDataRequest",
    "j": "BusinessMessageReject",
}

_KIND_COLORS = {
    **dict.fromkeys((_K.GAP_OPENED, _K.RESEND_REQUESTED, _K.GAP_ABANDONED), style.MISSING),
    **dict.fromkeys((_K.SKIPPED, _K.HELD, _K.QUEUED), style.HELD),
    **dict.fromkeys((_K.RESENT, _K.RESEND_ANSWERED, _K.GAP_CLOSED, _K.DUPLICATE), style.AGAIN),
    **dict.fromkeys((_K.FILL_SENT, _K.GAP_FILLED), style.FILL),
    **dict.fromkeys(
        (_K.TOO_LOW, _K.REJECTED, _K.WARNED, _K.GARBLED, _K.TIMED_OUT), style.ERROR
    ),
    **dict.fromkeys((_K.RESET_IN, _K.RESET_BOTH), style.RESET),
    _K.ACCEPTED: style.IN,
}

# Kinds whose name and text leave open what became of the message.
_IN_WORDS = {
    _K.WARNED: "a rule was broken; processed all the same",
    _K.QUEUED: "has its number and leaves later by replay",
}
_RUNS_MAX = 3  # runs of numbers that one row names

_STATE_CLASSES = {SessionState.ACTIVE: "ok", SessionState.DISCONNECTED: "off"}

# The widgets and the static form use the same rules; where a page strips them, plain tables
# remain.
STYLE = """<style>
.fixlab { --fx-ink: var(--jp-ui-font-color1, #222); --fx-soft: var(--jp-ui-font-color2, #666);
  --fx-line: var(--jp-border-color2, #ccc); --fx-ok: var(--jp-success-color1, #2e7d32);
  --fx-warn: var(--jp-warn-color1, #d9541e); --fx-bad: var(--jp-error-color1, #d32f2f);
  color: var(--fx-ink); font-size: 13px; line-height: 1.45; }
.fixlab .fx-state { display: inline-block; margin: 0 14px 4px 0; padding: 1px 10px;
  border: 1px solid var(--fx-line); border-left: 8px solid var(--fx-warn); border-radius: 3px; }
.fixlab .fx-state.fx-ok { border-left-color: var(--fx-ok); }
.fixlab .fx-state.fx-off { border-left-color: var(--fx-soft); }
.fixlab .fx-soft { color: var(--fx-soft); }
.fixlab table { border-collapse: collapse; margin: 2px 0; width: auto; font-size: 12px;
  font-variant-numeric: tabular-nums; }
.fixlab table.fx-wide { width: 100%; }
.fixlab th, .fixlab td { padding: 1px 10px 1px 6px; text-align: left; vertical-align: top;
  border: 0; border-bottom: 1px solid var(--fx-line); color: var(--fx-ink);
  background: transparent; white-space: nowrap; }
.fixlab th { color: var(--fx-soft); font-weight: 600; }
.fixlab td.fx-n, .fixlab th.fx-n { text-align: right; }
.fixlab td.fx-big { font-size: 15px; font-weight: 700; text-align: right; }
.fixlab td.fx-text { white-space: normal; overflow-wrap: anywhere; }
.fixlab td.fx-kind { padding-left: 12px; font-weight: 600; }
.fixlab .fx-step td { border-top: 2px solid var(--fx-soft); }
.fixlab .fx-good { color: var(--fx-ok); font-weight: 600; }
.fixlab .fx-behind { color: var(--fx-warn); font-weight: 600; }
.fixlab .fx-wrong { color: var(--fx-bad); font-weight: 600; }
.fixlab abbr { text-decoration: underline dotted; cursor: help; }
.fixlab-status { min-height: 20px; padding: 1px 8px; font-size: 13px; line-height: 1.45;
  color: var(--jp-ui-font-color1, #222); border-left: 4px solid var(--jp-border-color1, #bbb);
  overflow-wrap: anywhere; }
.fixlab-status.fixlab-error { border-left-color: var(--jp-error-color1, #d32f2f);
  font-weight: 600; }
.fixlab-caption { font-size: 12px; line-height: 28px; white-space: nowrap;
  color: var(--jp-ui-font-color2, #666); }
</style>"""


class Stand(NamedTuple):
    """How the numbers of one direction compare."""

    sends: int | None  # the sender's NextNumOut; None when it is not visible from here
    expects: int | None  # the receiver's NextNumIn
    verdict: str
    level: str  # "good", "behind", "wrong" or "soft"


def stand(sender: EndView | None, receiver: EndView | None) -> Stand:
    """The sender's NextNumOut against the receiver's NextNumIn, and what that means."""
    sends = None if sender is None else sender.next_out
    expects = None if receiver is None else receiver.next_in
    gap = None if receiver is None else receiver.gap
    if gap is not None:
        missing = style.ranges_text(gap.begin, gap.end)
        return Stand(sends, expects, f"missing {missing}, {gap.held} held", "behind")
    if sender is None or receiver is None or sends is None or expects is None:
        return Stand(sends, expects, "the other side is not visible from here", "soft")
    if sends == expects:
        return Stand(sends, expects, "in step", "good")
    if sends < expects:
        verdict = f"{receiver.name} expects more than {sender.name} has sent: too low next"
        return Stand(sends, expects, verdict, "wrong")
    if receiver.state is SessionState.DISCONNECTED:
        why = "the next Logon will show the gap"
    else:
        why = "lost, or still on the way"
    return Stand(sends, expects, f"{sends - expects} ahead: {why}", "behind")


def header(ends: Sequence[EndView], driven: int, note: str) -> str:
    """State badges and the table of both counters; `driven` is the end the buttons drive."""
    badges = "".join(_badge(end, position == driven) for position, end in enumerate(ends))
    said = escape(mask(note))
    return (
        f'<div class="fixlab"><div>{badges}<span class="fx-soft">{said}</span></div>'
        f"{_counters(ends)}</div>"
    )


def _badge(end: EndView, driven: bool) -> str:
    level = _STATE_CLASSES.get(end.state, "busy")
    extra = f" · loses its {next_messages(end.to_lose)}" if end.to_lose else ""
    hint = "the buttons below drive this end" if driven else "the other end"
    return (
        f'<span class="fx-state fx-{level}" title="{escape(end.id)}: {hint}">'
        f"<b>{_name(end.name)}</b> {end.role} <b>{end.state}</b>{extra}</span>"
    )


def next_messages(count: int) -> str:
    """`next message` or `next 3 messages`."""
    return "next message" if count == 1 else f"next {count} messages"


def _counters(ends: Sequence[EndView]) -> str:
    first = ends[0]
    second = ends[1] if len(ends) == 2 else None
    rows = "".join(
        _direction(names, stand(sender, receiver))
        for names, sender, receiver in (
            ((first.name, first.peer_name), first, second),
            ((first.peer_name, first.name), second, first),
        )
    )
    return (
        "<table><thead><tr><th>direction</th>"
        '<th class="fx-n" title="the sender\'s NextNumOut: the number it sends next">'
        "sender sends next (NextNumOut)</th>"
        '<th class="fx-n" title="the receiver\'s NextNumIn: the number it expects next">'
        "receiver expects next (NextNumIn)</th><th></th></tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _direction(names: tuple[str, str], numbers: Stand) -> str:
    sends, expects = (
        f'<td class="fx-big">{value}</td>'
        if value is not None
        else '<td class="fx-n fx-soft">not visible from here</td>'
        for value in (numbers.sends, numbers.expects)
    )
    return (
        f"<tr><td>{_name(names[0])} &rarr; {_name(names[1])}</td>{sends}{expects}"
        f'<td class="fx-{numbers.level}">{escape(numbers.verdict)}</td></tr>'
    )


_HEADS = (
    ("seconds", "fx-n"),
    ("end", ""),
    ("what", ""),
    ("message", ""),
    ("MsgSeqNum", "fx-n"),
    ("NextNumIn", "fx-n"),
    ("NextNumOut", "fx-n"),
    ("rule", ""),
    ("text", ""),
)


def transitions(rows: Sequence[dict[Hashable, Any]], begun: int | None, rows_max: int) -> str:
    """The given rows of a `transitions` frame, newest first, as a table.

    A line divides rows of different steps of time; `begun` is the moment of second 0.
    """
    if not rows:
        return (
            '<div class="fixlab"><span class="fx-soft">No transitions yet: connect first.'
            "</span></div>"
        )
    heads = "".join(f'<th class="{css}">{name}</th>' for name, css in _HEADS)
    body = "".join(
        _row(row, begun or 0, new_step=at > 0 and _moment(row) != _moment(rows[at - 1]))
        for at, row in enumerate(rows)
    )
    return (
        f'<div class="fixlab"><span class="fx-soft">The last {rows_max} transitions, newest '
        "first; a rule's title shows when the pointer rests on it.</span>"
        f'<table class="fx-wide"><thead><tr>{heads}</tr></thead><tbody>{body}</tbody>'
        "</table></div>"
    )


def _moment(row: dict[Hashable, Any]) -> int:
    """The whole second of a row: steps that belong together are milliseconds apart."""
    return int(row["time"].value) // NANOSECONDS


def _row(row: dict[Hashable, Any], begun: int, *, new_step: bool) -> str:
    seconds = (int(row["time"].value) - begun) / NANOSECONDS
    kind = str(row["kind"])
    number = "" if pd.isna(row["msg_seq_num"]) else str(int(row["msg_seq_num"]))
    color = style.MISSING if row.get(NEVER_SENT) else _KIND_COLORS.get(TransitionKind(kind))
    bar = f' style="box-shadow: inset 5px 0 {color}"' if color else ""
    cells = (
        f'<td class="fx-n">{seconds:.3f}</td>'
        f"<td>{_end_name(str(row['session']))}</td>"
        f'<td class="fx-kind"{bar}>{_what(row)}</td>'
        f"<td>{message_name(str(row['msg_type']))}{' PossDup' if row['poss_dup'] else ''}</td>"
        f'<td class="fx-n">{number}</td>'
        f'<td class="fx-n">{_change(row["next_in_before"], row["next_in"])}</td>'
        f'<td class="fx-n">{_change(row["next_out_before"], row["next_out"])}</td>'
        f"<td>{_rule(str(row['rule']))}</td>"
        f'<td class="fx-text">{_said(row)}</td>'
    )
    return f"<tr{' class=' + chr(34) + 'fx-step' + chr(34) if new_step else ''}>{cells}</tr>"


def _what(row: dict[Hashable, Any]) -> str:
    if row["kind"] == TransitionKind.STATE or row["state"] != row["state_before"]:
        return f"{row['kind']} &rarr; {row['state']}"
    return str(row["kind"])


def _said(row: dict[Hashable, Any]) -> str:
    """The row's text, or the range it means."""
    begin, end = row["begin_seq_no"], row["end_seq_no"]
    meant = ""
    if not pd.isna(begin) and not pd.isna(end):
        meant = _range(int(begin), int(end))
    text = escape(mask(str(row["text"])))
    never = row.get(NEVER_SENT, ())
    if never:
        named = ", ".join(style.ranges_text(*run) for run in never[:_RUNS_MAX])
        more = ", ..." if len(never) > _RUNS_MAX else ""
        # The row of a reset names its numbers itself.
        which = "" if row["kind"] == _K.IGNORED else f"stored {named}{more} "
        never = f"{which}will never be sent"
    more_said = _IN_WORDS.get(row["kind"], "")
    return " · ".join(part for part in (meant, text, never, more_said) if part)


def _range(begin: int, end: int) -> str:
    if end == 0:
        return f"numbers {begin} to the end"
    return f"number{'s' if begin != end else ''} {style.ranges_text(begin, end)}"


def message_name(msg_type: str) -> str:
    """The name of a MsgType(35) as HTML, or the MsgType itself."""
    name = MSG_TYPE_NAMES.get(msg_type) or _APPLICATION_NAMES.get(msg_type)
    shown = escape(style.shorten(printable(msg_type), 12))
    return f"{name}({shown})" if name else shown


def _change(before: int, after: int) -> str:
    return f"<b>{before} &rarr; {after}</b>" if before != after else str(after)


def _rule(rule_id: str) -> str:
    if rule_id not in RULES:
        return escape(rule_id)
    return f'<abbr title="{escape(RULES[rule_id].title)}">{escape(rule_id)}</abbr>'


def _name(comp_id: str) -> str:
    return escape(style.shorten(comp_id, 24))


def _end_name(session_id: str) -> str:
    """The sender's part of a session id such as `FIX.4.4:BUY->SELL`."""
    return _name(session_id.partition(":")[2].partition("->")[0] or session_id)
