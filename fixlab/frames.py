"""The schema of every frame: column, dtype, unit, meaning, when missing; and `check()`.

Times are pinned to nanoseconds, UTC. A column with a closed set of values is categorical and
carries all of them in declared order; one with an open set (`session`, `msg_type`, `rule`)
carries those that occur, sorted. So the frames of two equal runs compare equal.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from pandas.arrays import IntegerArray

from fixlab.errors import SchemaError
from fixlab.session.transitions import Role, SessionState, TransitionKind
from fixlab.vocabulary import DEFECTS as DEFECTS
from fixlab.vocabulary import DIRECTION_SOURCES as DIRECTION_SOURCES
from fixlab.vocabulary import MISSING as MISSING
from fixlab.vocabulary import TIME_SOURCES as TIME_SOURCES

TIME = "datetime64[ns, UTC]"
_BYTES = 256  # positions that fit a byte
# Integer columns in which a value may be missing.
_INTEGERS: dict[str, type[np.signedinteger[Any]]] = {
    "Int64": np.int64,
    "Int32": np.int32,
    "Int16": np.int16,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a schema; `categories` is None unless the set of values is closed."""

    name: str
    dtype: str
    meaning: str
    unit: str = ""
    missing: str = "never"  # when the value is missing, and as what
    categories: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """The columns of a frame, in order. Shown as a table, in text and in a notebook."""

    name: str
    title: str  # what one row is
    columns: tuple[Column, ...]

    @property
    def names(self) -> list[str]:
        """The names of the columns, in order."""
        return [column.name for column in self.columns]

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"schema {self.name} has no column {name!r}; it has {self.names}")

    def __str__(self) -> str:
        rows = [_HEADINGS, *map(_cells, self.columns)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADINGS) - 1)]
        lines = [
            "  ".join([*(cell.ljust(n) for cell, n in zip(row, widths, strict=False)), row[-1]])
            for row in rows
        ]
        return "\n".join([f"{self.name}: {self.title}", *(line.rstrip() for line in lines)])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in _HEADINGS)
        body = "".join(
            "<tr>"
            + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(column))
            + "</tr>"
            for column in self.columns
        )
        return (
            f"<p><b>{html.escape(self.name)}</b>: {html.escape(self.title)}</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )


_HEADINGS = ("column", "dtype", "unit", "missing", "meaning")


def _cells(column: Column) -> tuple[str, ...]:
    meaning = column.meaning
    if column.categories is not None:
        meaning += ": " + " ".join(name or '""' for name in column.categories)
    return (column.name, column.dtype, column.unit, column.missing, meaning)


_KINDS = tuple(kind.value for kind in TransitionKind)
_STATES = tuple(state.value for state in SessionState)

TRANSITIONS = Schema(
    name="transitions",
    title="one row for each decision about a session's sequence or state",
    columns=(
        Column(name="time", dtype=TIME, unit="UTC", meaning="the `now` of the step"),
        Column(name="session", dtype="category", meaning="Session.id; the two ends differ"),
        Column(
            name="step",
            dtype="int64",
            meaning="ordinal of the input to that session, from 0; rows of one step share it",
        ),
        Column(name="kind", dtype="category", meaning="what was decided", categories=_KINDS),
        Column(
            name="state_before",
            dtype="category",
            meaning="lifecycle before",
            categories=_STATES,
        ),
        Column(name="state", dtype="category", meaning="lifecycle after", categories=_STATES),
        Column(name="next_in_before", dtype="int64", meaning="NextNumIn before"),
        Column(name="next_in", dtype="int64", meaning="NextNumIn after"),
        Column(name="next_out_before", dtype="int64", meaning="NextNumOut before"),
        Column(name="next_out", dtype="int64", meaning="NextNumOut after"),
        Column(
            name="msg_type",
            dtype="category",
            missing='"" without a message',
            meaning="MsgType(35) of the message that caused the row",
        ),
        Column(
            name="msg_seq_num",
            dtype="Int64",
            missing="NA without a number",
            meaning="MsgSeqNum(34) of that message; numbers beyond int64 are clipped",
        ),
        Column(name="poss_dup", dtype="bool", meaning="PossDupFlag(43) of that message"),
        Column(
            name="begin_seq_no",
            dtype="Int64",
            missing="NA without a range",
            meaning="first number of the range meant",
        ),
        Column(
            name="end_seq_no",
            dtype="Int64",
            missing="NA without a range",
            meaning="last number of the range meant, inclusive; 0 is open",
        ),
        Column(
            name="gap",
            dtype="Int64",
            missing="NA outside a gap",
            meaning="ordinal of the gap it belongs to, per session, from 1",
        ),
        Column(
            name="rule",
            dtype="category",
            missing='"" without a rule',
            meaning="id of the rule that decided, as in fixlab.RULES",
        ),
        Column(
            name="text",
            dtype="str",
            missing='often ""',
            meaning="Text(58), or the decision in words",
        ),
    ),
)

MESSAGES = Schema(
    name="messages",
    title="one row for each message in a log, and for each stretch that should be one",
    columns=(
        Column(
            name="time",
            dtype=TIME,
            unit="UTC",
            missing="NaT without any readable time",
            meaning="when it was logged or captured, or else SendingTime(52)",
        ),
        Column(
            name="time_from",
            dtype="category",
            missing='"" when time is NaT',
            meaning="what `time` is: the log's or capture's own stamp, or SendingTime(52)",
            categories=TIME_SOURCES,
        ),
        Column(
            name="session",
            dtype="category",
            missing='"" without CompIDs',
            meaning="BeginString:ours->theirs, the same in both directions; the side seen "
            "first stands first when nobody knows which is ours",
        ),
        Column(
            name="direction",
            dtype="category",
            missing='"" when not known',
            meaning="as the side that kept the log sees it; in a capture, the side that called",
            categories=("", "in", "out"),
        ),
        Column(
            name="direction_from",
            dtype="category",
            missing='"" when not known',
            meaning="how the direction is known, the surest first",
            categories=DIRECTION_SOURCES,
        ),
        Column(
            name="sender",
            dtype="category",
            missing='"" when unreadable',
            meaning="SenderCompID(49)",
        ),
        Column(
            name="target",
            dtype="category",
            missing='"" when unreadable',
            meaning="TargetCompID(56)",
        ),
        Column(
            name="msg_type",
            dtype="category",
            missing='"" when unreadable',
            meaning="MsgType(35)",
        ),
        Column(
            name="msg_seq_num",
            dtype="Int64",
            missing="NA when unreadable",
            meaning="MsgSeqNum(34); numbers beyond int64 are clipped, here and below",
        ),
        Column(name="poss_dup", dtype="bool", meaning="PossDupFlag(43) in the header is Y"),
        Column(name="poss_resend", dtype="bool", meaning="PossResend(97) in the header is Y"),
        Column(
            name="sending_time",
            dtype=TIME,
            unit="UTC",
            missing="NaT when unreadable",
            meaning="SendingTime(52)",
        ),
        Column(
            name="orig_sending_time",
            dtype=TIME,
            unit="UTC",
            missing="NaT without one",
            meaning="OrigSendingTime(122) in the header",
        ),
        Column(
            name="begin_seq_no",
            dtype="Int64",
            missing="NA without one",
            meaning="BeginSeqNo(7) of a ResendRequest",
        ),
        Column(
            name="end_seq_no",
            dtype="Int64",
            missing="NA without one",
            meaning="EndSeqNo(16) of a ResendRequest; 0 is open",
        ),
        Column(
            name="new_seq_no",
            dtype="Int64",
            missing="NA without one",
            meaning="NewSeqNo(36) of a SequenceReset",
        ),
        Column(
            name="gap_fill", dtype="bool", meaning="GapFillFlag(123) of a SequenceReset is Y"
        ),
        Column(name="reset", dtype="bool", meaning="ResetSeqNumFlag(141) of a Logon is Y"),
        Column(
            name="next_expected",
            dtype="Int64",
            missing="NA without one",
            meaning="NextExpectedMsgSeqNum(789) of a session message",
        ),
        Column(
            name="ref_seq_num",
            dtype="Int64",
            missing="NA without one",
            meaning="RefSeqNum(45) of a Reject or BusinessMessageReject",
        ),
        Column(
            name="heart_bt_int",
            dtype="Int32",
            unit="s",
            missing="NA without one",
            meaning="HeartBtInt(108) of a session message; clipped to int32",
        ),
        Column(
            name="test_req_id",
            dtype="category",
            missing='"" without one',
            meaning="TestReqID(112) of a session message",
        ),
        Column(
            name="text",
            dtype="category",
            missing='"" without one, and in application messages but BusinessMessageReject',
            meaning="Text(58), secrets masked",
        ),
        Column(
            name="secret",
            dtype="bool",
            meaning="it holds a password or RawData(96) of a Logon that is not masked (LGN-26)",
        ),
        Column(
            name="body_length",
            dtype="Int32",
            unit="bytes",
            missing="NA when unreadable",
            meaning="BodyLength(9) as written",
        ),
        Column(
            name="check_sum",
            dtype="Int16",
            missing="NA when unreadable",
            meaning="CheckSum(10) as written",
        ),
        Column(
            name="valid",
            dtype="bool",
            meaning="framing, length and checksum are right; the columns of a row that is not "
            "hold what could be read, which may be wrong",
        ),
        Column(
            name="defect",
            dtype="category",
            missing='"" when valid',
            meaning="what is wrong with it",
            categories=DEFECTS,
        ),
        Column(name="file", dtype="category", meaning="the file it stands in"),
        Column(
            name="offset",
            dtype="int64",
            unit="bytes",
            meaning="where it begins in the file, as decompressed and decoded",
        ),
        Column(
            name="length",
            dtype="int32",
            unit="bytes",
            meaning="of the message as logged, without what stands before and behind it",
        ),
    ),
)

LOG_FILES = Schema(
    name="log_files",
    title="one row for each file of a log; its bytes are all in one of three places",
    columns=(
        Column(name="file", dtype="category", meaning="as in `messages`"),
        Column(
            name="bytes", dtype="int64", unit="bytes", meaning="expanded and decoded, in all"
        ),
        Column(
            name="rows", dtype="int64", meaning="messages, and stretches that should be one"
        ),
        Column(name="defects", dtype="int64", meaning="rows that are not valid"),
        Column(name="row_bytes", dtype="int64", unit="bytes", meaning="in these rows"),
        Column(
            name="around_bytes",
            dtype="int64",
            unit="bytes",
            meaning="before and behind them in their lines, line ends included",
        ),
        Column(
            name="text_bytes",
            dtype="int64",
            unit="bytes",
            meaning="in lines without a row, such as events",
        ),
        Column(name="text_lines", dtype="int64", unit="lines", meaning="how many those are"),
        Column(
            name="delimiter", dtype="category", meaning="what its beginning has between fields"
        ),
        Column(
            name="problem",
            dtype="str",
            missing='"" when read to its end',
            meaning="why its bytes end early",
        ),
    ),
)

LOG_SESSIONS = Schema(
    name="log_sessions",
    title="one row for each session in a log",
    columns=(
        Column(name="session", dtype="category", meaning="as in `messages`"),
        Column(
            name="out_messages", dtype="int64", unit="messages", meaning="from who kept the log"
        ),
        Column(name="in_messages", dtype="int64", unit="messages", meaning="to who kept it"),
        Column(
            name="unknown_messages",
            dtype="int64",
            unit="messages",
            meaning="all of them, when nobody knows who kept it",
        ),
        Column(
            name="direction_from",
            dtype="category",
            missing='"" when not known',
            meaning="how the direction is known, the surest first",
            categories=DIRECTION_SOURCES,
        ),
        Column(
            name="confidence",
            dtype="category",
            meaning="how sure that is",
            categories=("unknown", "low", "medium", "high", "certain"),
        ),
    ),
)

HOW_CLOSED = ("resent", "gap_filled", "mixed", "reset", "abandoned", "open", "late", "lost")

GAPS = Schema(
    name="gaps",
    title="one row for each gap in the numbers that a session received",
    columns=(
        Column(name="session", dtype="category", meaning="Session.id of the side that missed"),
        Column(name="gap", dtype="int64", meaning="ordinal of the gap in its session, from 1"),
        Column(name="begin_seq_no", dtype="int64", meaning="first number of the gap"),
        Column(
            name="end_seq_no",
            dtype="int64",
            meaning="last number of the gap at its widest, inclusive",
        ),
        Column(
            name="count",
            dtype="int64",
            unit="numbers",
            meaning="how many numbers it spans, those of early messages held among them",
        ),
        Column(
            name="noticed",
            dtype=TIME,
            unit="UTC",
            missing="NaT when the frame begins later",
            meaning="when a message with too high a number revealed it",
        ),
        Column(
            name="noticed_by",
            dtype="Int64",
            missing="NA when the frame begins later",
            meaning="MsgSeqNum(34) of that message",
        ),
        Column(
            name="noticed_msg_type",
            dtype="category",
            missing='"" when the frame begins later',
            meaning="MsgType(35) of that message",
        ),
        Column(
            name="requests",
            dtype="int64",
            unit="messages",
            meaning="ResendRequests sent for it",
        ),
        Column(
            name="requested",
            dtype=TIME,
            unit="UTC",
            missing="NaT when never asked for",
            meaning="when it was first asked for",
        ),
        Column(
            name="closed",
            dtype=TIME,
            unit="UTC",
            missing="NaT while open",
            meaning="when it ended: closed, reset away or abandoned",
        ),
        Column(name="how", dtype="category", meaning="how it ended", categories=HOW_CLOSED),
        Column(
            name="resent",
            dtype="int64",
            unit="messages",
            meaning="processed with PossDupFlag(43)=Y",
        ),
        Column(
            name="filled", dtype="int64", unit="numbers", meaning="of its range, gap-filled"
        ),
        Column(
            name="held", dtype="int64", unit="messages", meaning="early ones that had to wait"
        ),
        Column(
            name="duration_ms",
            dtype="float64",
            unit="ms",
            missing="NaN while open or when the beginning is unknown",
            meaning="from noticed to closed",
        ),
    ),
)

# How a missing number ended. "unknown": the receiver once asked for it, and then went on.
HOW_ENDED = ("replayed", "gap_filled", "late", "reset", "lost", "open", "unknown")

LEDGER = Schema(
    name="ledger",
    title="one row for each missing number; very long ranges with one fate are one row",
    columns=(
        Column(name="session", dtype="category", meaning="as in the frame read"),
        Column(name="sender", dtype="category", meaning="CompID whose number it is"),
        Column(name="receiver", dtype="category", meaning="CompID that missed it"),
        Column(
            name="epoch",
            dtype="int64",
            meaning="0 until the first reset of both numbers in the log, then counted up",
        ),
        Column(
            name="connection",
            dtype="int64",
            meaning="in which it was noticed: 0 began before the log, then counted up",
        ),
        Column(name="begin_seq_no", dtype="int64", meaning="the number, or the first of many"),
        Column(name="end_seq_no", dtype="int64", meaning="the number, or the last of many"),
        Column(name="count", dtype="int64", unit="numbers", meaning="how many; mostly 1"),
        Column(
            name="seen",
            dtype="category",
            meaning="hole: it is not where it should be in the log; asked: the receiver asked "
            "for it, which only of the first number asked for proves that it was missing",
            categories=("hole", "asked"),
        ),
        Column(
            name="noticed",
            dtype=TIME,
            unit="UTC",
            missing="NaT without a time",
            meaning="when the message came that revealed it",
        ),
        Column(name="noticed_row", dtype="int64", meaning="position of that message"),
        Column(
            name="noticed_by",
            dtype="Int64",
            missing="NA without a number",
            meaning="MsgSeqNum(34) of that message",
        ),
        Column(
            name="requests",
            dtype="int64",
            unit="messages",
            meaning="ResendRequests of the receiver that asked for it",
        ),
        Column(
            name="requested",
            dtype=TIME,
            unit="UTC",
            missing="NaT when never asked for",
            meaning="when it was first asked for",
        ),
        Column(
            name="requested_row",
            dtype="Int64",
            missing="NA when never asked for",
            meaning="position of that ResendRequest",
        ),
        Column(name="how", dtype="category", meaning="how it ended", categories=HOW_ENDED),
        Column(
            name="ended",
            dtype=TIME,
            unit="UTC",
            missing="NaT while open",
            meaning="when that happened",
        ),
        Column(
            name="ended_row",
            dtype="Int64",
            missing="NA while open",
            meaning="position of the message that shows it",
        ),
        Column(
            name="duration_ms",
            dtype="float64",
            unit="ms",
            missing="NaN while open or without times",
            meaning="from noticed to ended",
        ),
    ),
)

HOW_ANSWERED = (
    *("answered", "disconnect", "reset", "log_end"),
    *("invalid", "not_sent", "unknown"),
)
WHY_ASKED = (
    *("due", "above", "below", "not_missing", "invalid", "not_sent", "unknown"),
    "next_expected",
)

RESENDS = Schema(
    name="resends",
    title="one row for each ResendRequest, and what came of it",
    columns=(
        Column(name="session", dtype="category", meaning="as in the frame read"),
        Column(name="asked_by", dtype="category", meaning="CompID that asks"),
        Column(name="asked_of", dtype="category", meaning="CompID whose numbers it wants"),
        Column(name="epoch", dtype="int64", meaning="of these numbers, as in `ledger`"),
        Column(name="connection", dtype="int64", meaning="as in `ledger`"),
        Column(name="request", dtype="int64", meaning="ordinal in the frame, from 0"),
        Column(
            name="time",
            dtype=TIME,
            unit="UTC",
            missing="NaT without a time",
            meaning="when it was asked",
        ),
        Column(name="row", dtype="int64", meaning="its position"),
        Column(
            name="msg_seq_num",
            dtype="Int64",
            missing="NA without a number",
            meaning="its own MsgSeqNum(34)",
        ),
        Column(
            name="begin_seq_no",
            dtype="Int64",
            missing="NA without one",
            meaning="first number asked for",
        ),
        Column(
            name="end_seq_no",
            dtype="Int64",
            missing="NA when not known",
            meaning="last number asked for; an open end is the last one known then",
        ),
        Column(
            name="why",
            dtype="category",
            categories=WHY_ASKED,
            meaning="due: from the number expected on, or within the gap; above: leaves "
            "missing ones out; below: begins with one that arrived; next_expected: not a "
            "ResendRequest but a Logon asked",
        ),
        Column(name="missing", dtype="int64", unit="numbers", meaning="of these were missing"),
        Column(
            name="covered_by",
            dtype="Int64",
            missing="NA when it asks for something new",
            meaning="the open request that had asked for all of it already",
        ),
        Column(
            name="how",
            dtype="category",
            categories=HOW_ANSWERED,
            meaning="answered to its end, or what came before that",
        ),
        Column(name="replayed", dtype="int64", unit="messages", meaning="came again for it"),
        Column(name="filled", dtype="int64", unit="numbers", meaning="were gap-filled for it"),
        Column(
            name="live",
            dtype="int64",
            unit="messages",
            meaning="new ones that came within its answer",
        ),
        Column(
            name="answer",
            dtype=TIME,
            unit="UTC",
            missing="NaT without any answer",
            meaning="when its answer began",
        ),
        Column(
            name="ended",
            dtype=TIME,
            unit="UTC",
            missing="NaT while unanswered",
            meaning="when it was answered to its end",
        ),
        Column(
            name="ended_row",
            dtype="Int64",
            missing="NA while unanswered",
            meaning="position of the message that ended it",
        ),
        Column(
            name="duration_ms",
            dtype="float64",
            unit="ms",
            missing="NaN while unanswered",
            meaning="from time to ended",
        ),
    ),
)

INTERVALS = Schema(
    name="intervals",
    title="one row for each silence of a side that the rules of Heartbeats are about",
    columns=(
        Column(name="session", dtype="category", meaning="as in the frame read"),
        Column(name="sender", dtype="category", meaning="CompID that was silent"),
        Column(name="connection", dtype="int64", meaning="as in `ledger`"),
        Column(name="began", dtype=TIME, unit="UTC", meaning="its message before"),
        Column(
            name="ended",
            dtype=TIME,
            unit="UTC",
            meaning="its next message, or the last of the connection",
        ),
        Column(name="row", dtype="int64", meaning="position of that message"),
        Column(
            name="ended_by",
            dtype="category",
            categories=("heartbeat", "answer", "test_request", "message", "end"),
            meaning="Heartbeat, Heartbeat that answers, TestRequest, any other message, or "
            "the end of the connection",
        ),
        Column(name="silence_seconds", dtype="float64", unit="s", meaning="how long it was"),
        Column(
            name="heart_bt_int",
            dtype="Int64",
            unit="s",
            missing="NA when the log does not show a Logon",
            meaning="HeartBtInt(108) of that connection",
        ),
        Column(
            name="tested",
            dtype=TIME,
            unit="UTC",
            missing="NaT without a TestRequest",
            meaning="the TestRequest that this Heartbeat answers",
        ),
        Column(
            name="answer_ms",
            dtype="float64",
            unit="ms",
            missing="NaN without one",
            meaning="from that TestRequest to the answer",
        ),
    ),
)

LOST = "LOST"
DEPARTURES = (TransitionKind.SENT, TransitionKind.RESENT, TransitionKind.FILL_SENT)
ARRIVALS = (
    TransitionKind.ACCEPTED,
    TransitionKind.HELD,
    TransitionKind.GAP_FILLED,
    TransitionKind.DUPLICATE,
    TransitionKind.TOO_LOW,
    TransitionKind.RESET_IN,
    TransitionKind.RESET_BOTH,
    TransitionKind.GARBLED,
    TransitionKind.REJECTED,
    TransitionKind.IGNORED,
)

FLIGHTS = Schema(
    name="flights",
    title="one row for each message on the wire, from its sender to its fate",
    columns=(
        Column(name="sender", dtype="category", meaning="Session.id of the sender"),
        Column(name="receiver", dtype="category", meaning="Session.id of the receiver"),
        Column(
            name="sent",
            dtype=TIME,
            unit="UTC",
            missing="NaT when only the receiver recorded it",
            meaning="when it left",
        ),
        Column(
            name="arrived",
            dtype=TIME,
            unit="UTC",
            missing="NaT when it did not arrive, or nobody knows",
            meaning="when it was decided on",
        ),
        Column(name="msg_type", dtype="category", meaning="MsgType(35)"),
        Column(
            name="msg_seq_num",
            dtype="Int64",
            missing="NA when the sender recorded none",
            meaning="MsgSeqNum(34)",
        ),
        Column(name="poss_dup", dtype="bool", meaning="PossDupFlag(43)"),
        Column(
            name="kind",
            dtype="category",
            missing='"" when only the receiver recorded it',
            meaning="how it left",
            categories=("", *(kind.value for kind in DEPARTURES)),
        ),
        Column(
            name="fate",
            dtype="category",
            missing='"" while in flight, or when the receiver is not in the frame',
            meaning="what the receiver made of it",
            categories=("", *(kind.value for kind in ARRIVALS), LOST),
        ),
        Column(
            name="begin_seq_no",
            dtype="Int64",
            missing="NA without a range",
            meaning="first number of the range it asks for or fills",
        ),
        Column(
            name="end_seq_no",
            dtype="Int64",
            missing="NA without a range",
            meaning="last number of that range, inclusive; 0 is open",
        ),
        Column(
            name="gap",
            dtype="Int64",
            missing="NA outside a gap",
            meaning="the receiver's gap that it belongs to",
        ),
        Column(
            name="text",
            dtype="str",
            missing='often ""',
            meaning="the receiver's text on it, or else the sender's",
        ),
    ),
)

FATE_KINDS = (
    *("delivered", "waiting", "withheld", "passed over", "rejected"),
    *("displaced", "reset", "forgotten", "number reused", "unknown"),
)

FATES = Schema(
    name="fates",
    title="one row for each application message that an end of a loopback sent",
    columns=(
        Column(name="sender", dtype="category", meaning="Session.id of the sender"),
        Column(name="order", dtype="int64", meaning="its ordinal at that sender, from 1"),
        Column(name="msg_type", dtype="category", meaning="MsgType(35)"),
        Column(name="msg_seq_num", dtype="int64", meaning="MsgSeqNum(34) that it was given"),
        Column(name="sent", dtype=TIME, unit="UTC", meaning="when it was given its number"),
        Column(
            name="fate",
            dtype="category",
            meaning="what became of it; unknown is lost in silence",
            categories=FATE_KINDS,
        ),
        Column(
            name="settled",
            dtype=TIME,
            unit="UTC",
            missing="NaT while it waits, and when no row tells",
            meaning="when it was delivered, or lost",
        ),
        Column(
            name="session",
            dtype="category",
            missing='"" when it needs no row',
            meaning="Session.id of the row that says why it was lost",
        ),
        Column(
            name="step",
            dtype="Int64",
            missing="NA without such a row",
            meaning="step of that row in its session",
        ),
        Column(
            name="rule",
            dtype="category",
            missing='"" without such a row',
            meaning="rule of that row",
        ),
        Column(
            name="text",
            dtype="str",
            missing='often ""',
            meaning="text of that row",
        ),
    ),
)

RUNS = Schema(
    name="runs",
    title="one row for each seed of a sweep",
    columns=(
        Column(name="seed", dtype="int64", meaning="the seed of the run"),
        Column(name="ok", dtype="bool", meaning="whether every invariant held"),
        Column(
            name="invariant",
            dtype="category",
            missing='"" when all held',
            meaning="id of the broken one, as in fixlab.sim.checkers.INVARIANTS",
        ),
        Column(
            name="rule",
            dtype="category",
            missing='"" without a row',
            meaning="rule of the row that shows it",
        ),
        Column(
            name="session",
            dtype="category",
            missing='"" when all held',
            meaning="Session.id of the end that broke it",
        ),
        Column(
            name="text",
            dtype="str",
            missing='"" when all held and both ends agree',
            meaning="what was found, or why the two ends cannot agree",
        ),
        Column(name="agreed", dtype="bool", meaning="whether both ends agreed in the end"),
        Column(name="seconds", dtype="float64", unit="s", meaning="virtual time that passed"),
        Column(
            name="messages",
            dtype="int64",
            unit="messages",
            meaning="written by both ends, replays among them",
        ),
        Column(name="link", dtype="int64", unit="faults", meaning="of the links that struck"),
        Column(name="peer", dtype="int64", unit="faults", meaning="of the engines that struck"),
        Column(name="store", dtype="int64", unit="faults", meaning="of the stores that struck"),
        Column(
            name="gaps", dtype="int64", unit="gaps", meaning="that were noticed by both ends"
        ),
        Column(name="sent", dtype="int64", unit="messages", meaning="application messages"),
        Column(name="delivered", dtype="int64", unit="messages", meaning="of these, delivered"),
        Column(
            name="lost",
            dtype="int64",
            unit="messages",
            meaning="of these, lost with a row that says why; the rest waits",
        ),
    ),
)

STORE_LAYOUTS = (
    "quickfix",
    "quickfixj",
    "quickfixj_cached",
    "quickfixn",
    "quickfixgo",
    "fixlab",
    "sql",
)

STORES = Schema(
    name="stores",
    title="one row for each session that a store holds",
    columns=(
        Column(
            name="session",
            dtype="category",
            meaning="Session.id; the prefix of its files where that is ambiguous",
        ),
        Column(
            name="layout",
            dtype="category",
            meaning="whose way of writing a store it is",
            categories=STORE_LAYOUTS,
        ),
        Column(
            name="next_out",
            dtype="Int64",
            missing="NA when unreadable",
            meaning="NextNumOut",
        ),
        Column(
            name="next_in", dtype="Int64", missing="NA when unreadable", meaning="NextNumIn"
        ),
        Column(
            name="created",
            dtype=TIME,
            unit="UTC",
            missing="NaT when not known",
            meaning="when both counters were last 1",
        ),
        Column(name="messages", dtype="int64", unit="messages", meaning="stored"),
        Column(
            name="application",
            dtype="int64",
            unit="messages",
            meaning="of these, no admin messages: what a ResendRequest brings back",
        ),
        Column(
            name="first",
            dtype="Int64",
            missing="NA without messages",
            meaning="lowest number stored",
        ),
        Column(
            name="last",
            dtype="Int64",
            missing="NA without messages",
            meaning="highest number stored",
        ),
        Column(
            name="holes",
            dtype="int64",
            unit="numbers",
            meaning="below NextNumOut without a message; 0 when no message is kept at all",
        ),
        Column(
            name="problems", dtype="int64", meaning="rows of `problems` that are no mere note"
        ),
    ),
)

STORED = Schema(
    name="stored",
    title="one row for each message that a store keeps for a resend",
    columns=(
        Column(name="session", dtype="category", meaning="as in `stores`"),
        Column(name="msg_seq_num", dtype="int64", meaning="the number it is stored under"),
        Column(
            name="msg_type",
            dtype="category",
            missing='"" when unreadable',
            meaning="MsgType(35)",
        ),
        Column(
            name="name",
            dtype="category",
            missing='"" when no version of FIX defines the type',
            meaning="name of that type",
        ),
        Column(
            name="sending_time",
            dtype=TIME,
            unit="UTC",
            missing="NaT when unreadable",
            meaning="SendingTime(52)",
        ),
        Column(name="poss_dup", dtype="bool", meaning="PossDupFlag(43) is Y"),
        Column(name="poss_resend", dtype="bool", meaning="PossResend(97) is Y"),
        Column(
            name="admin",
            dtype="bool",
            meaning="of the session layer: gap-filled, never sent again (RSP-02)",
        ),
        Column(name="length", dtype="int64", unit="bytes", meaning="of the whole message"),
        Column(
            name="offset",
            dtype="Int64",
            unit="bytes",
            missing="NA in a database",
            meaning="where it begins in the body",
        ),
        Column(name="valid", dtype="bool", meaning="nothing is wrong with it"),
        Column(
            name="defect", dtype="str", missing='"" when valid', meaning="what is wrong with it"
        ),
    ),
)

PROBLEM_LEVELS = ("error", "warning", "note")
PROBLEM_CODES = (
    "counters_unreadable",
    "created_unknown",
    "created_late",
    "stored_ahead",
    "hole",
    "nothing_stored",
    "other_number",
    "other_session",
    "garbled",
    "body_short",
    "index_damaged",
    "replaced",
    "unindexed",
    "unfinished",
)

STORE_PROBLEMS = Schema(
    name="store_problems",
    title="one row for each thing in a store that does not fit the rest",
    columns=(
        Column(name="session", dtype="category", meaning="as in `stores`"),
        Column(
            name="level",
            dtype="category",
            meaning="error: contradicts itself; warning: a resend may lose something; note",
            categories=PROBLEM_LEVELS,
        ),
        Column(
            name="code",
            dtype="category",
            meaning="what kind of problem",
            categories=PROBLEM_CODES,
        ),
        Column(
            name="begin_seq_no",
            dtype="Int64",
            missing="NA without numbers",
            meaning="first number it is about",
        ),
        Column(
            name="end_seq_no",
            dtype="Int64",
            missing="NA without numbers",
            meaning="last number it is about, inclusive",
        ),
        Column(name="what", dtype="str", meaning="what was found, and what was expected"),
        Column(name="where", dtype="str", meaning="file, and byte or row"),
    ),
)

EDIT_EFFECTS = ("stops", "lost", "twice", "resent", "filled", "asked", "note")

STORE_EDIT = Schema(
    name="store_edit",
    title="one row for each consequence of a change of a store's counters",
    columns=(
        Column(
            name="counter",
            dtype="category",
            meaning="which change it follows from",
            categories=("next_out", "next_in"),
        ),
        Column(
            name="effect",
            dtype="category",
            meaning="the session stops; messages are lost, come twice, are sent again, "
            "are gap-filled, are asked for",
            categories=EDIT_EFFECTS,
        ),
        Column(
            name="begin_seq_no",
            dtype="Int64",
            missing="NA without a range",
            meaning="first number it is about",
        ),
        Column(
            name="end_seq_no",
            dtype="Int64",
            missing="NA without a range",
            meaning="last number it is about, inclusive",
        ),
        Column(name="count", dtype="int64", unit="numbers", meaning="how many of them"),
        Column(
            name="rule",
            dtype="category",
            missing='"" without a rule',
            meaning="id of the rule that makes it so, as in fixlab.RULES",
        ),
        Column(name="text", dtype="str", meaning="the consequence in words"),
    ),
)

VERDICTS = ("PASS", "LENIENT", "FAIL", "SKIP", "BLOCKED")

REPORT = Schema(
    name="report",
    title="one row for each test case that was played against a counterparty",
    columns=(
        Column(name="ref", dtype="str", meaning="reference id of the case, such as 2b"),
        Column(name="title", dtype="str", meaning="what it is about"),
        Column(
            name="level",
            dtype="category",
            meaning="mandatory or optional in the FIX session test cases, or recommended",
            categories=("M", "O", "R"),
        ),
        Column(
            name="role",
            dtype="category",
            meaning="which end the system under test was",
            categories=tuple(role.value for role in Role),
        ),
        Column(name="begin_string", dtype="category", meaning="BeginString(8) of the session"),
        Column(
            name="verdict",
            dtype="category",
            meaning="what became of it; LENIENT differs only in what is tolerated, BLOCKED did "
            "not get as far as its precondition",
            categories=VERDICTS,
        ),
        Column(
            name="rule",
            dtype="category",
            missing='"" when all held',
            meaning="id of the rule that the first line that did not hold is about",
        ),
        Column(
            name="line",
            dtype="Int64",
            missing="NA when all held",
            meaning="which line of the script that was, from 1",
        ),
        Column(name="script", dtype="str", missing='"" when all held', meaning="that line"),
        Column(
            name="expected",
            dtype="str",
            missing='"" when all held',
            meaning="what that line asked for",
        ),
        Column(
            name="found",
            dtype="str",
            missing='"" when all held',
            meaning="what came instead; for SKIP and BLOCKED why",
        ),
        Column(
            name="seconds",
            dtype="float64",
            unit="s",
            meaning="how long it took; virtual time in memory",
        ),
    ),
)

DIFFERENCES = Schema(
    name="differences",
    title="one row for each two engines and each test case in which they part",
    columns=(
        Column(name="ref", dtype="str", meaning="reference id of the case, such as 2b"),
        Column(name="first", dtype="category", meaning="name of one engine"),
        Column(name="second", dtype="category", meaning="name of the other"),
        Column(
            name="verdict_first",
            dtype="category",
            meaning="what became of the case with the one",
            categories=VERDICTS,
        ),
        Column(
            name="verdict_second",
            dtype="category",
            meaning="and with the other",
            categories=VERDICTS,
        ),
        Column(
            name="rule",
            dtype="category",
            meaning="rule that one of them broke; the first of the case when neither did",
        ),
        Column(
            name="step",
            dtype="Int64",
            missing="NA when only the times differ",
            meaning="where they part: line of their aligned transcripts, from 1",
        ),
        Column(
            name="line_first",
            dtype="str",
            missing='"" when it did nothing there',
            meaning="what the one did there",
        ),
        Column(
            name="line_second",
            dtype="str",
            missing='"" when it did nothing there',
            meaning="what the other did there",
        ),
        Column(
            name="tags",
            dtype="str",
            missing='"" when one of them did nothing',
            meaning="fields that differ; 35 for another message",
        ),
    ),
)

SEVERITIES = ("fault", "risk", "info")
CONFIDENCES = ("high", "medium", "low")
FINDING_CODES = (
    "SEQ_GAP",
    "GAP_NOT_REQUESTED",
    "GAP_NEVER_CLOSED",
    "RESEND_UNANSWERED",
    "RESEND_INCOMPLETE",
    "RESEND_LOOP",
    "RESEND_STORM",
    "RESEND_OVERLAP",
    "RESEND_BAD_BEGIN",
    "RESEND_UNJUSTIFIED",
    "RESEND_INVALID",
    "RESEND_HUGE",
    "MUTUAL_GAP",
    "REPLAY_INTERLEAVED",
    "APP_MSG_FILLED_OVER",
    "MESSAGE_LOST",
    "LOGOUT_DURING_GAP",
    "SEQ_SKIPPED",
    "GAPFILL_BAD_SEQ",
    "GAPFILL_BAD_NEWSEQ",
    "GAPFILL_SKIPS_UNSEEN",
    "GAPFILL_IGNORED",
    "GAPFILL_UNASKED",
    "NEWSEQ_ABSURD",
    "RESET_BACKWARDS",
    "RESET_NOT_HONOURED",
    "RESET_TWICE",
    "RESET_UNASKED",
    "RESET_BAD_SEQ",
    "SEQ_TOO_LOW",
    "STORE_REWOUND",
    "ONE_SIDE_ROLLED",
    "DUPLICATE_NOT_FLAGGED",
    "REPLAY_NOT_FLAGGED",
    "POSSDUP_NO_ORIG",
    "ORIG_AFTER_SENDING",
    "NEXT_EXPECTED_MISMATCH",
    "MANUAL_SEQ_EDIT",
    "SECOND_LOGON",
    "LOGON_REFUSED",
    "LOGON_UNANSWERED",
    "RECONNECT_HAMMER",
    "MSG_BEFORE_LOGON",
    "LOGOUT_UNANSWERED",
    "MSG_AFTER_LOGOUT",
    "ENDED_WITHOUT_LOGOUT",
    "HEARTBEAT_LATE",
    "HEARTBEAT_MISSING",
    "TESTREQ_UNANSWERED",
    "OUTSIDE_WINDOW",
    "CLOCK_SKEW",
    "CHECKSUM_BAD",
    "BODYLENGTH_BAD",
    "GARBLED",
    "SECRET_IN_LOG",
    "SESSION_REJECT",
    "DIRECTION_INFERRED",
)

FINDINGS = Schema(
    name="findings",
    title="one row for each finding of `analyze`, in the order of the log",
    columns=(
        Column(
            name="code", dtype="category", meaning="what was found", categories=FINDING_CODES
        ),
        Column(
            name="severity",
            dtype="category",
            meaning="fault: a rule was broken; risk: legal, but it will hurt; info also when "
            "it follows from another finding",
            categories=SEVERITIES,
        ),
        Column(
            name="confidence",
            dtype="category",
            meaning="how sure the log makes it",
            categories=CONFIDENCES,
        ),
        Column(name="rule", dtype="category", meaning="id of the rule it is about"),
        Column(
            name="side",
            dtype="str",
            missing="NaN if nobody, or not known",
            meaning="CompID at fault",
        ),
        Column(
            name="by",
            dtype="str",
            missing="NaN without a message",
            meaning="CompID whose message shows it",
        ),
        Column(name="session", dtype="category", meaning="as in `messages`"),
        Column(
            name="time", dtype=TIME, unit="UTC", missing="NaT without one", meaning="of its row"
        ),
        Column(
            name="msg_seq_num",
            dtype="Int64",
            missing="NA when unreadable",
            meaning="MsgSeqNum(34) of its row",
        ),
        Column(
            name="begin_seq_no",
            dtype="Int64",
            missing="NA without one",
            meaning="first number it is about",
        ),
        Column(
            name="end_seq_no",
            dtype="Int64",
            missing="NA without one",
            meaning="last number it is about",
        ),
        Column(
            name="caused_by",
            dtype="Int64",
            missing="NA at the root of a trouble",
            meaning="row of the finding that it follows from",
        ),
        Column(name="summary", dtype="str", meaning="what happened, in a sentence or two"),
        Column(name="expected", dtype="str", meaning="what should have happened"),
        Column(name="advice", dtype="str", meaning="what to do"),
    ),
)

FATES_OF_TWO = (
    "arrived",
    "changed",  # it arrived, and not as it left
    "doubled",  # a copy of what had arrived already, and left once
    "lost",  # it left and never arrived
    "unsent",  # it arrived, and the log of its sender does not have it
    "uncovered",  # the other log does not cover the time
)

RECONCILIATION = Schema(
    name="reconciliation",
    title="one row for each message in one of two logs of a session, or in both",
    columns=(
        Column(name="session", dtype="category", meaning="as in the first log"),
        Column(
            name="sender",
            dtype="category",
            meaning="SenderCompID(49); what it left counts as sent, what the other got as come",
        ),
        Column(
            name="epoch",
            dtype="int64",
            meaning="of the sender's numbers: 0 until the first reset in the log of who sent "
            "it; in the other log, where that one does not have it",
        ),
        Column(name="msg_type", dtype="category", meaning="MsgType(35)"),
        Column(name="msg_seq_num", dtype="int64", meaning="MsgSeqNum(34)"),
        Column(name="poss_dup", dtype="bool", meaning="PossDupFlag(43): a replay"),
        Column(
            name="fate",
            dtype="category",
            meaning="what became of it",
            categories=FATES_OF_TWO,
        ),
        Column(
            name="sent",
            dtype=TIME,
            unit="UTC",
            missing="NaT when the sender's log does not have it",
            meaning="time in the log of its sender",
        ),
        Column(
            name="arrived",
            dtype=TIME,
            unit="UTC",
            missing="NaT when the receiver's log does not have it",
            meaning="time in the log of its receiver",
        ),
        Column(
            name="latency_ms",
            dtype="float64",
            unit="ms",
            missing="NaN unless it arrived and both clocks are known",
            meaning="from sent to arrived, the clocks brought in line",
        ),
        Column(
            name="ours_row",
            dtype="Int64",
            missing="NA when the first log does not have it",
            meaning="its row in the first log, from 0",
        ),
        Column(
            name="theirs_row",
            dtype="Int64",
            missing="NA when the second log does not have it",
            meaning="its row in the second log, from 0",
        ),
    ),
)

DEVIATIONS = ("missing", "late", "different", "unexpected", "number", "went_on")

REPLAY = Schema(
    name="replay",
    title="one row for each step in which an engine did otherwise than its rule demands",
    columns=(
        Column(
            name="code",
            dtype="category",
            meaning="REPLAY_ and the kind",
            categories=tuple(f"REPLAY_{kind.upper()}" for kind in DEVIATIONS),
        ),
        *FINDINGS.columns[1:],
        Column(
            name="kind",
            dtype="category",
            meaning="how it departs",
            categories=DEVIATIONS,
        ),
        Column(
            name="row",
            dtype="int64",
            meaning="row of the log that shows it: the engine's, or what called for one",
        ),
        Column(
            name="cause_row",
            dtype="Int64",
            missing="NA when time alone called for it, or nothing did",
            meaning="row of the message that called for it",
        ),
    ),
)

SCHEMAS = {
    schema.name: schema
    for schema in (
        *(TRANSITIONS, MESSAGES, LOG_FILES, LOG_SESSIONS),
        *(GAPS, LEDGER, RESENDS, INTERVALS, FLIGHTS, FATES, RUNS),
        *(STORES, STORED, STORE_PROBLEMS, STORE_EDIT),
        *(REPORT, DIFFERENCES, FINDINGS),
        *(RECONCILIATION, REPLAY),
    )
}


class Framed(Protocol):
    """Whatever has a frame, such as a log that was read."""

    @property
    def frame(self) -> pd.DataFrame: ...


def check(frame: pd.DataFrame | Framed, schema: Schema) -> pd.DataFrame:
    """`frame` with the columns of `schema`; more columns, any order, are fine.

    What has a `.frame`, such as a log that was read, stands for that frame.

    It is the same object, unless `pd.concat` of two frames has turned a category of any text
    into plain text: then it is a copy in which it is a category again.

    Raises `SchemaError` when it is no frame, lacks a column, or a column has another dtype or
    other categories; the message names the column, what was found and what was expected.
    """
    if not isinstance(frame, pd.DataFrame):
        frame = getattr(frame, "frame", frame)
    if not isinstance(frame, pd.DataFrame):
        raise SchemaError(
            f"expected a frame of schema {schema.name}, found {type(frame).__name__}"
        )
    for column in schema.columns:
        if column.name not in frame.columns:
            raise SchemaError(
                f"frame {schema.name}: column {column.name} ({column.dtype}) is missing, found "
                f"columns {[str(name) for name in frame.columns]}"
            )
        values = frame[column.name]
        if column.dtype == "category" and column.categories is None and _is_text(values):
            texts = values.astype("category")
            frame = frame.assign(**{column.name: texts})
            values = texts
        _check_column(values, column, schema)
    return frame


def _is_text(values: Any) -> bool:
    """Whether a column is all text; one that occurs twice is none."""
    return isinstance(values, pd.Series) and (
        isinstance(values.dtype, pd.StringDtype)
        or (
            values.dtype == object
            and len(values) > 0
            and all(isinstance(value, str) for value in values)
        )
    )


def _check_column(values: Any, column: Column, schema: Schema) -> None:
    where = f"frame {schema.name}, column {column.name}"
    if isinstance(values, pd.DataFrame):
        raise SchemaError(f"{where}: expected once, found {values.shape[1]} times")
    if str(values.dtype) != column.dtype:
        raise SchemaError(f"{where}: found dtype {values.dtype}, expected {column.dtype}")
    if column.categories is None:
        return
    found = tuple(values.cat.categories)
    if found != column.categories:
        raise SchemaError(
            f"{where}: found categories {list(found)}, expected {list(column.categories)}"
        )


def empty(schema: Schema) -> pd.DataFrame:
    """A frame of `schema` without rows."""
    return build(schema, {name: [] for name in schema.names})


def build(schema: Schema, values: Mapping[str, Any]) -> pd.DataFrame:
    """A frame of `schema` from the values of its columns, which are used, not copied.

    Times and integers are int64 arrays (nanoseconds; `MISSING` where missing; what a narrower
    dtype cannot hold is clipped); categories a
    `pandas.Categorical` or a sequence of str; text a sequence of str.
    """
    data = {column.name: _array(values[column.name], column) for column in schema.columns}
    return pd.DataFrame(data, copy=False)


def category(values: Sequence[str]) -> pd.Categorical:
    """`values` as a categorical whose categories are those that occur, sorted."""
    return _coded(values, _category_dtype(sorted(set(values))))


def _category_dtype(categories: Sequence[str]) -> pd.CategoricalDtype:
    # Said in full, since pandas would make an empty list of categories one of objects.
    return pd.CategoricalDtype(pd.Index(list(categories), dtype="str"), ordered=False)


def _coded(values: Any, dtype: pd.CategoricalDtype) -> pd.Categorical:
    return pd.Categorical(values, dtype=dtype)


def categorical(positions: Any, categories: Sequence[str]) -> pd.Categorical:
    """A categorical from integer positions in `categories`."""
    return pd.Categorical.from_codes(
        positions, dtype=_category_dtype(categories), validate=False
    )


def renamed(positions: npt.NDArray[Any], texts: Sequence[str]) -> pd.Categorical:
    """A categorical of the texts that occur, sorted, from positions in texts of any order."""
    if len(texts) <= _BYTES:
        data = positions.astype(np.uint8).tobytes()
        occur = [i for i in range(len(texts)) if i in data]
    else:
        occurs = np.zeros(len(texts), np.bool_)
        occurs[positions] = True
        occur = np.flatnonzero(occurs).tolist()
    found = sorted({texts[i] for i in occur})
    place = {text: i for i, text in enumerate(found)}
    new = np.array([place.get(text, 0) for text in texts], narrowest(len(found)))
    return categorical(picked(new, positions), found)


def picked(values: npt.NDArray[Any], positions: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """`values[positions]`; of a few narrow ones, which is what most frames have, quickly."""
    if values.itemsize > 1 or len(values) > _BYTES:
        return values.take(positions)
    table = values.tobytes().ljust(_BYTES, b"\0")
    found = bytearray(positions.astype(np.uint8)).translate(table)
    return np.frombuffer(found, values.dtype)


def narrowest(count: int) -> type[np.signedinteger[Any]]:
    """The dtype in which pandas keeps positions in `count` categories."""
    return np.int8 if count < 128 else np.int16 if count < 32_768 else np.int32


def masked(values: npt.NDArray[np.int64], missing: npt.NDArray[np.bool_], dtype: str) -> Any:
    """A column of integers, clipped to its dtype, missing where said."""
    width = _INTEGERS[dtype]
    if width is not np.int64:
        limits = np.iinfo(width)
        values = values.clip(limits.min, limits.max).astype(width)
    return IntegerArray(values, missing)


def narrow(values: npt.NDArray[Any], missing: int, dtype: str) -> Any:
    """A column of integers that have its width already, `missing` for those that lack."""
    return IntegerArray(values.astype(_INTEGERS[dtype], copy=False), values == missing)


def nanoseconds(frame: pd.DataFrame, name: str) -> npt.NDArray[np.int64]:
    """A column of times as nanoseconds since the epoch; `MISSING` for NaT."""
    return frame[name].to_numpy("datetime64[ns]").view(np.int64)


def numbers(frame: pd.DataFrame, name: str) -> npt.NDArray[np.int64]:
    """An integer column as int64; `MISSING` for NA."""
    return frame[name].to_numpy(np.int64, na_value=MISSING)


def codes(frame: pd.DataFrame, name: str) -> npt.NDArray[np.int64]:
    """A categorical column as positions in its categories."""
    return np.asarray(frame[name].cat.codes, dtype=np.int64)


def _array(values: Any, column: Column) -> Any:
    dtype = column.dtype
    if dtype == "category":
        if isinstance(values, pd.Categorical):
            return values
        if column.categories is None:
            return category(values)
        return _coded(values, _category_dtype(column.categories))
    return array(values, dtype)


def array(values: Any, dtype: str) -> Any:
    """A column of any dtype but a category, from values as `build` takes them."""
    if isinstance(values, IntegerArray):
        return values
    if dtype == TIME:
        # A series keeps what it is given; an index with a time zone copies it.
        return pd.Series(np.asarray(values, dtype=np.int64), dtype=dtype, copy=False).array
    if dtype in _INTEGERS:
        integers = np.asarray(values, dtype=np.int64)
        missing = integers == MISSING
        if dtype == "Int64":
            return IntegerArray(integers, missing)
        limits = np.iinfo(_INTEGERS[dtype])
        return IntegerArray(integers.clip(limits.min, limits.max).astype(limits.dtype), missing)
    if dtype == "str":
        return pd.array(np.asarray(values, dtype=object), dtype="str")
    return np.asarray(values, dtype=dtype)
