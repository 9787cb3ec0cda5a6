"""Contents of pages, made by hand: what is on a page must not depend on what finds it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fixlab.analysis import ledger, resends
from fixlab.analysis._evidence import Evidence
from fixlab.analysis.report import Content
from fixlab.logs.read import Log, read_log
from fixlab.redact import printable
from fixlab.wire.message import encode

COLUMNS = (
    *("code", "severity", "confidence", "rule", "side", "by", "session", "time"),
    *(
        "msg_seq_num",
        "begin_seq_no",
        "end_seq_no",
        "caused_by",
        "summary",
        "expected",
        "advice",
    ),
)
TIMES = ("time",)
NUMBERS = ("msg_seq_num", "begin_seq_no", "end_seq_no", "caused_by")


def table(*rows: Mapping[str, Any]) -> pd.DataFrame:
    """A frame of findings; what a row leaves out is missing."""
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        values: list[Any] = [row.get(name) for row in rows]
        if name in TIMES:
            columns[name] = pd.Series(values, dtype=pd.DatetimeTZDtype("ns", "UTC"))
        elif name in NUMBERS:
            columns[name] = pd.array(values, dtype="Int64")
        else:
            columns[name] = pd.Categorical(values)
    return pd.DataFrame(columns)


def content(
    log: Log, *rows: Mapping[str, Any], shown: Sequence[Sequence[int]] = (), **more: Any
) -> Content:
    """What a page tells of `log` with these findings, shown by these rows."""
    return Content(
        table=table(*rows),
        messages=log.frame,
        ledger=ledger(log),
        resends=resends(log),
        evidence=lambda i: _evidence(log, shown[i] if i < len(shown) else ()),
        **more,
    )


def _evidence(log: Log, rows: Sequence[int]) -> Evidence:
    lines = (printable(log.raw(row).replace(b"\x01", b"|")) for row in rows)
    return Evidence(tuple(rows), tuple(lines))


def log_of(
    folder: Path,
    *messages: str,
    name: str = "FIX.4.4-US-THEM.messages.log",
    framed: bool = False,
) -> Log:
    """A log of messages as people read them, one second apart.

    With `framed` each gets the BodyLength(9) and CheckSum(10) that it should have.
    """
    path = folder / name
    lines = []
    for n, message in enumerate(messages):
        wire = message.replace("|", "\x01").encode("utf-8", "surrogateescape")
        if framed:
            wire = encode(b"FIX.4.4", _BODY.sub(b"", wire))
        lines.append(b"20260105-09:00:%02d.000 : %b\n" % (n % 60, wire))
    path.write_bytes(b"".join(lines))
    return read_log(path)


_BODY = re.compile(rb"^8=[^\x01]*\x019=[^\x01]*\x01|10=[^\x01]*\x01$")
