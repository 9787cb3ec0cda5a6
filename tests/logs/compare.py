"""Reads a log both ways and compares all that came out."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd

from fixlab.logs._sources import Source
from fixlab.logs._style import SNIFF_BYTES, sniff
from fixlab.logs.read import Log, _read
from tests.logs import reference

SAME = (
    *("offset", "length", "defect", "valid", "body_length", "check_sum", "sender", "target"),
    *("msg_type", "msg_seq_num", "sending_time", "orig_sending_time", "test_req_id", "text"),
    *("begin_seq_no", "end_seq_no", "new_seq_no", "next_expected", "ref_seq_num"),
    *("heart_bt_int", "poss_dup", "poss_resend", "gap_fill", "reset", "secret"),
)


def log_of(data: bytes, *, block_bytes: int = 1 << 20, tags: tuple[int, ...] = ()) -> Log:
    """A log that is in memory, read in blocks of a size."""
    source = Source("made.log", "made.log", lambda: io.BytesIO(data), len(data))
    return _read([source], tags, frozenset(), block_bytes)


def differences(data: bytes, block_bytes: int = 1 << 20) -> list[str]:
    """What the two readers do not agree on; the first of it."""
    return differences_of(log_of(data, block_bytes=block_bytes), data)


def differences_of(log: Log, data: bytes) -> list[str]:
    """The same of a log that was read from this data."""
    slow = reference.read(data, sniff(data[:SNIFF_BYTES]))
    counts = log.files.iloc[0]
    found = [
        f"{name}: {int(counts[name])} instead of {expected}"
        for name, expected in (
            ("bytes", len(data)),
            ("rows", len(slow.rows)),
            ("around_bytes", slow.around_bytes),
            ("text_bytes", slow.text_bytes),
            ("text_lines", slow.text_lines),
        )
        if int(counts[name]) != expected
    ]
    total = int(counts["row_bytes"] + counts["around_bytes"] + counts["text_bytes"])
    if total != len(data):
        found.append(f"{total} bytes accounted for, of {len(data)}")
    fast = rows_of(log.frame)
    for i, (one, other) in enumerate(zip(fast, slow.rows, strict=False)):
        for name in (*SAME, "time"):
            expected = other[name]
            if name == "time" and expected is None:
                expected = other["sending_time"]
            if one[name] != expected:
                found.append(f"row {i}, {name}: {one[name]!r} instead of {expected!r}")
        if found:
            break
    return found


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as the reference has them: None where a value is missing, times in ns."""
    columns: dict[str, list[Any]] = {}
    for name in (*SAME, "time"):
        column = frame[name]
        if str(column.dtype).startswith("datetime64"):
            values: list[Any] = column.to_numpy("datetime64[ns]").astype("int64").tolist()
            columns[name] = [None if value == -(2**63) else value for value in values]
        else:
            columns[name] = [None if value is pd.NA else value for value in column.tolist()]
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
