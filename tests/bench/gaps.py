"""gaps() of a log in a frame: time beside one `np.maximum.accumulate` pass over its rows."""

from __future__ import annotations

import gc
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fixlab.analysis import analyze, gaps, intervals, ledger, resends
from fixlab.frames import MESSAGES, MISSING, build, categorical
from fixlab.logs.read import read_log
from tests.bench import made_logs
from tests.bench.measure import Row, table, times

ROWS = 10_000_000
READ_ROWS = 200_000
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
        asked = int(np.searchsorted(other, own[at]))
        request = other[asked] if asked < len(other) else -1
        follow = max(int(np.searchsorted(own, request)), at + 1)
        if follow + 4 >= len(own):
            continue
        shift[at : follow + 4] += 4  # behind it, 4 rows have made up for 4 numbers
        for j in range(4):
            row = own[follow + j]
            values["poss_dup"][row] = True
            base[follow + j], shift_here = before + 1 + j, shift[follow + j]
            base[follow + j] -= shift_here
            kinds[row] = 3
        kinds[own[follow + 3]] = 2
        values["gap_fill"][own[follow + 3]] = True
        values["new_seq_no"][own[follow + 3]] = before + 5
        if request >= 0:
            kinds[request] = 1
            values["begin_seq_no"][request] = before + 1
            values["end_seq_no"][request] = before + 4
    number[own] = base + shift


def _timed(call: Any) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin


def _read_seconds() -> float:
    """CPU seconds that `read_log` takes for one message of the other benchmark's log."""
    with tempfile.TemporaryDirectory() as folder:
        path = made_logs.write(Path(folder, "messages.log"), READ_ROWS, "quickfix")
        read_log(path)
        return min(_timed(lambda: read_log(path)) for _ in range(3)) / READ_ROWS


def run(rows: int = ROWS) -> None:
    """Print the tables: of `rows` rows, and of a tenth of it."""
    read = _read_seconds()
    for size in (rows // 10, rows):
        _run(size, read)


def _run(rows: int, read: float) -> None:
    rng = np.random.default_rng(1)
    flat = rng.integers(0, 1 << 40, rows)
    found = []
    units = []
    for name, disturbed in (("healthy (0.3 %)", 0.003), ("bad (2.7 %)", 0.027)):
        for way, grouped, goal in (
            ("grouped", True, "<= 1.0x" if disturbed < 0.01 else ""),
            ("interleaved", False, "<= 3x" if disturbed < 0.01 else "<= 7.5x"),
        ):
            frame = log(rows, disturbed, grouped=grouped)
            count = len(gaps(frame))
            # Each takes its best of some turns: what else runs only adds to them.
            took = _best(
                {
                    "unit": lambda: np.maximum.accumulate(flat),
                    "gaps": lambda frame=frame: gaps(frame),
                },
                9,
            )
            unit = took["unit"]
            units.append(unit)
            took |= _best(
                {
                    each.__name__: lambda each=each, frame=frame: each(frame)
                    for each in (ledger, resends, intervals, analyze)
                },
                2,
            )
            for each in ("gaps", "ledger", "resends", "intervals", "analyze"):
                seconds = took[each]
                found.append(
                    Row(
                        f"{each}, {name}, {way}: {count:,} gaps",
                        f"{seconds * 1e3:,.0f} ms, {seconds / (rows * read):.2f} of the read",
                        times(seconds / unit),
                        goal if each == "gaps" else "",
                    )
                )
    table(
        f"gaps of a log of {rows:,} rows, {2 * SESSIONS} directions",
        "1.0x is one np.maximum.accumulate pass over as many numbers: "
        f"{min(units) * 1e3:.0f} to {max(units) * 1e3:.0f} ms; the read: "
        f"{rows * read * 1e3:,.0f} ms, {1e6 * read:.2f} us a message (goal: <= 1)",
        found,
    )


def _best(runs: dict[str, Any], rounds: int) -> dict[str, float]:
    """The least CPU seconds of each; they take turns."""
    found: dict[str, float] = {}
    for _ in range(rounds):
        for name, call in runs.items():
            gc.collect()
            found[name] = min(_timed(call), found.get(name, float("inf")))
    return found
