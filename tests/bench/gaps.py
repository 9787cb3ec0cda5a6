"""gaps() of a log in a frame: time beside one `np.maximum.accumulate` pass over its rows."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

from fixlab.analysis import gaps, ledger
from fixlab.frames import MESSAGES, MISSING, build, categorical
from tests.bench.measure import Row, interleaved, table, times

ROWS = 10_000_000
SESSIONS = 6
_TYPES = ("0", "2", "4", "8", "A", "D")
_START = 1_767_603_600_000_000_000


def log(rows: int, disturbed: float, *, grouped: bool, seed: int = 1) -> pd.DataFrame:
    """A frame of 12 directions; of its rows, `disturbed` belong to a recovery.

    A recovery: 4 numbers are missing, the receiver asks, 3 come again and a gap fill is the
    fourth, so 5 rows of it.
    """
    rng = np.random.default_rng(seed)
    streams = 2 * SESSIONS
    stream = rng.integers(0, streams, rows).astype(np.int8)
    if grouped:
        stream.sort()
    number = np.empty(rows, np.int64)
    order = np.argsort(stream, kind="stable")
    bounds = np.searchsorted(stream[order], np.arange(streams + 1))
    for one in range(streams):
        number[order[bounds[one] : bounds[one + 1]]] = np.arange(
            1, bounds[one + 1] - bounds[one] + 1
        )
    kinds = np.where(rng.random(rows) < 0.02, 0, 3).astype(np.int8)
    values: dict[str, Any] = {"msg_seq_num": number, "poss_dup": np.zeros(rows, np.bool_)}
    values |= {name: np.full(rows, MISSING) for name in ("begin_seq_no", "end_seq_no")}
    values |= {"new_seq_no": np.full(rows, MISSING), "gap_fill": np.zeros(rows, np.bool_)}
    for one in range(streams):
        own = order[bounds[one] : bounds[one + 1]]
        other = order[bounds[one ^ 1] : bounds[(one ^ 1) + 1]]
        if one % 2 == 0:  # this side answers; the other one misses and asks
            # Grouped, a request stands with its own direction, far from the answer: left out.
            asking = own[:0] if grouped else other
            _disturb(values, kinds, own, asking, int(rows * disturbed / 6 / SESSIONS), rng)
    ours, theirs = np.arange(SESSIONS) * 2, np.arange(SESSIONS) * 2 + 1
    names = [f"SIDE{i:02}" for i in range(streams)]
    sessions = [f"FIX.4.4:{names[b]}->{names[a]}" for a, b in zip(ours, theirs, strict=True)]
    defaults = {
        "time": _START + np.arange(rows) * 10_000,
        "session": categorical((stream >> 1).astype(np.int8), sessions),
        "direction": categorical((1 + (stream & 1)).astype(np.int8), ("", "in", "out")),
        "sender": categorical(stream, names),
        "target": categorical(stream ^ 1, names),
        "msg_type": categorical(kinds, _TYPES),
        "valid": np.ones(rows, np.bool_),
    }
    return build(MESSAGES, {**_empty(rows), **defaults, **values})


def _empty(rows: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for column in MESSAGES.columns:
        if column.dtype == "category":
            found[column.name] = categorical(
                np.zeros(rows, np.int8), column.categories or ("",)
            )
        elif column.dtype == "bool":
            found[column.name] = np.zeros(rows, np.bool_)
        elif column.dtype.startswith(("Int", "datetime")):
            found[column.name] = np.full(rows, MISSING)
        else:
            found[column.name] = np.zeros(rows, column.dtype)
    return found


def _disturb(
    values: dict[str, Any], kinds: Any, own: Any, other: Any, count: int, rng: Any
) -> None:
    """`count` recoveries of the numbers of the rows `own`, asked for in rows of `other`."""
    if not count:
        return
    step = len(own) // (count + 1)
    number = values["msg_seq_num"]
    base = number[own].copy()
    shift = np.zeros(len(own), np.int64)
    for i in range(1, count + 1):
        at = i * step + int(rng.integers(0, max(step // 3, 1)))
        if at + 5 >= len(own):
            break
        before = int(base[at] + shift[at] - 1)  # the last number in order
        # Row `at` is early by 4; the request of the other side stands behind it.
        shift[at:] += 4
        asked = int(np.searchsorted(other, own[at]))
        request = other[asked] if asked < len(other) else -1
        follow = max(int(np.searchsorted(own, request)), at + 1)
        if follow + 4 >= len(own):
            continue
        for j in range(4):
            row = own[follow + j]
            values["poss_dup"][row] = True
            base[follow + j], shift_here = before + 1 + j, shift[follow + j]
            base[follow + j] -= shift_here
            kinds[row] = 3
        kinds[own[follow + 3]] = 2
        values["gap_fill"][own[follow + 3]] = True
        values["new_seq_no"][own[follow + 3]] = before + 5
        shift[follow + 4 :] -= 4
        if request >= 0:
            kinds[request] = 1
            values["begin_seq_no"][request] = before + 1
            values["end_seq_no"][request] = before + 4
    number[own] = base + shift


def _timed(call: Any) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


def run(rows: int = ROWS) -> None:
    """Print the table."""
    rng = np.random.default_rng(1)
    flat = rng.integers(0, 1 << 40, rows)
    found = []
    for name, disturbed in (("healthy (0.3 %)", 0.003), ("bad (2.7 %)", 0.027)):
        for way, grouped, goal in (
            ("grouped", True, "<= 1.0x" if disturbed < 0.01 else ""),
            ("interleaved", False, "<= 3x" if disturbed < 0.01 else "<= 7.5x"),
        ):
            frame = log(rows, disturbed, grouped=grouped)
            result = gaps(frame)
            runs = {
                "unit": lambda: _timed(lambda: np.maximum.accumulate(flat)),
                "gaps": lambda frame=frame: _timed(lambda: gaps(frame)),  # type: ignore[misc]
                "ledger": lambda frame=frame: _timed(lambda: ledger(frame)),  # type: ignore[misc]
            }
            took = interleaved(runs, 3)
            unit = took["unit"]
            what = f"{name}, {way}: {len(result):,} gaps"
            found.append(
                Row(f"gaps, {what}", f"{took['gaps'] * 1e3:,.0f} ms",
                    times(took["gaps"] / unit), goal)
            )  # fmt: skip
            found.append(
                Row(f"ledger, {what}", f"{took['ledger'] * 1e3:,.0f} ms",
                    times(took["ledger"] / unit))
            )  # fmt: skip
    table(
        f"gaps of a log of {rows:,} rows, {2 * SESSIONS} directions",
        f"1.0x is one np.maximum.accumulate pass over as many numbers: {unit * 1e3:.0f} ms",
        found,
    )
