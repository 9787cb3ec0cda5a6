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
from fixlab.session.transitions import SessionState, TransitionKind

TIME = "datetime64[ns, UTC]"
# What stands for a missing value in an int64 array that `build` is given; also NaT's value.
MISSING = int(np.iinfo(np.int64).min)
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

TIME_SOURCES = ("", "log", "capture", "sending_time")
# How the direction of a message is known, the surest first.
DIRECTION_SOURCES = ("", "given", "captured", "logged", "file_name", "comp_ids", "timing")
DEFECTS = (
    "",
    "fragment",  # FRM-07: fields of a message, and no BeginString(8) before them
    "field_order",  # FRM-01: BodyLength(9) is not second or MsgType(35) is not third
    "body_length",  # FRM-03: BodyLength(9) does not lead to CheckSum(10)
    "check_sum",  # FRM-04: CheckSum(10) is another sum
    "truncated",  # FRM-05: no CheckSum(10)
    "too_long",  # FRM-13: longer than the largest message read
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

HOW_CLOSED = ("resent", "gap_filled", "mixed", "reset", "abandoned", "open")

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

SCHEMAS = {
    schema.name: schema
    for schema in (
        *(TRANSITIONS, MESSAGES, LOG_FILES, LOG_SESSIONS, GAPS, FLIGHTS),
        *(STORES, STORED, STORE_PROBLEMS, STORE_EDIT),
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
    occurs = np.zeros(len(texts), np.bool_)
    occurs[positions] = True
    found = sorted({texts[i] for i in np.flatnonzero(occurs).tolist()})
    place = {text: i for i, text in enumerate(found)}
    new = np.array([place.get(text, 0) for text in texts], narrowest(len(found)))
    return categorical(new[positions], found)


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
        times = np.asarray(values, dtype=np.int64).view("datetime64[ns]")
        return pd.DatetimeIndex(times).tz_localize("UTC")
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
