"""Logs written down as people read them, one message a line, and read by `read_log`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fixlab.frames import MESSAGES, MISSING, build
from fixlab.logs.read import read_log
from fixlab.times import format_utc
from fixlab.wire.message import encode

T0 = 1_767_603_600_000_000_000  # 2026-01-05 09:00:00 UTC
MS = 1_000_000
Row = dict[str, Any]
ENDS = {"A": ("US", "THEM"), "B": ("THEM", "US")}


def log_of(text: str, *, ours: str = "US", step_ms: int = 10) -> pd.DataFrame:
    """`messages` frame of lines such as `A 35=D 34=4 43=Y`: A is sent by US, B by THEM.

    Each is `step_ms` after the one before; `+5000` as a word puts more ms in between, and
    `!` makes the checksum wrong.
    """
    lines, now = [], T0
    for line in filter(None, (line.strip() for line in text.splitlines())):
        who, *words = line.split()
        now += step_ms * MS
        sender, target = ENDS[who]
        fields = []
        bad = False
        for word in words:
            if word.startswith("+"):
                now += int(word[1:]) * MS
            elif word == "!":
                bad = True
            else:
                fields.append(word.replace("~", " ").encode())
        kind = next(f for f in fields if f.startswith(b"35="))
        rest = [f for f in fields if f is not kind]
        head = [b"49=" + sender.encode(), b"56=" + target.encode(), b"52=" + format_utc(now, 3)]
        wire = encode(b"FIX.4.4", b"".join(f + b"\x01" for f in [kind, *head, *rest]))
        if bad:
            wire = wire[:-4] + (b"001\x01" if wire[-4:-1] != b"001" else b"002\x01")
        lines.append(format_utc(now, 9) + b" : " + wire + b"\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "messages.log")
        path.write_bytes(b"".join(lines))
        return read_log(path, ours=ours).frame


def frame_of(rows: list[Row]) -> pd.DataFrame:
    """A `messages` frame of rows that name only what they have."""
    values: dict[str, Any] = {}
    for column in MESSAGES.columns:
        if column.dtype == "category":
            default: Any = ""
        elif column.dtype == "bool":
            default = column.name == "valid"
        elif column.dtype.startswith(("Int", "datetime")):
            default = MISSING
        else:
            default = 0
        cells = [row.get(column.name, default) for row in rows]
        if column.dtype == "category":
            values[column.name] = cells
        else:
            values[column.name] = np.array(
                cells, np.bool_ if column.dtype == "bool" else np.int64
            )
    return build(MESSAGES, values)
