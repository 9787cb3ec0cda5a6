"""Plots of analyses, however much there is to draw, beside an empty figure."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from functools import partial
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fixlab.frames import (
    GAPS,
    HOW_ANSWERED,
    HOW_CLOSED,
    INTERVALS,
    MISSING,
    RESENDS,
    WHY_ASKED,
    build,
    categorical,
)
from fixlab.plots import gaps, intervals, resends, sequence, style
from tests.bench.measure import Row, table, times
from tests.plots.stories import long_frame

SIZES = (1, 10, 50_000, 1_000_000)
ROUNDS = 9
_START = 1_767_603_600_000_000_000
_SECOND = 1_000_000_000


def gaps_of(rows: int, *, sessions: int = 1, seed: int = 1) -> pd.DataFrame:
    """Gaps of 1 to 9 numbers within a day, each ended in one of all ways."""
    rng = np.random.default_rng(seed)
    width = rng.integers(1, 10, rows)
    begin = np.cumsum(width + 1)
    noticed = _START + np.sort(rng.integers(0, 86_400 * _SECOND, rows))
    how = rng.integers(0, len(HOW_CLOSED), rows).astype(np.int8)
    is_open = how == HOW_CLOSED.index("open")
    came = how <= HOW_CLOSED.index("mixed")
    resent = np.where(came & (how != 1), width - (how == 2), 0)
    closed = np.where(is_open, MISSING, noticed + rng.integers(0, 5 * _SECOND, rows))
    names = [f"FIX.4.4:BUY{i}->SELL{i}" for i in range(sessions)]
    return build(
        GAPS,
        {
            "session": categorical(np.arange(rows) * sessions // max(rows, 1), names),
            "gap": np.arange(rows) + 1,
            "begin_seq_no": begin,
            "end_seq_no": begin + width - 1,
            "count": width,
            "noticed": noticed,
            "noticed_by": begin + width,
            "noticed_msg_type": categorical(np.zeros(rows, np.int8), ["D"]),
            "requests": np.ones(rows, np.int64),
            "requested": noticed,
            "closed": closed,
            "how": categorical(how, HOW_CLOSED),
            "resent": resent,
            "filled": np.where(came, width - resent, 0),
            "held": np.zeros(rows, np.int64),
            "duration_ms": np.where(is_open, np.nan, (closed - noticed) / 1e6),
        },
    )


def resends_of(rows: int, *, sessions: int = 1, seed: int = 1) -> pd.DataFrame:
    """ResendRequests within a day; of three, two ask for the range of the first again."""
    rng = np.random.default_rng(seed)
    begin = np.arange(rows) // 3 * 10 + 2
    asked = _START + np.sort(rng.integers(0, 86_400 * _SECOND, rows))
    how = np.where(rng.random(rows) < 0.9, 0, 3).astype(np.int8)
    ended = np.where(how == 0, asked + rng.integers(0, _SECOND, rows), MISSING)
    names = [f"FIX.4.4:BUY{i}->SELL{i}" for i in range(sessions)]
    session = np.arange(rows) * sessions // max(rows, 1)
    first = np.arange(rows) // 3 * 3
    return build(
        RESENDS,
        {
            "session": categorical(session, names),
            "asked_by": categorical(session, [f"BUY{i}" for i in range(sessions)]),
            "asked_of": categorical(session, [f"SELL{i}" for i in range(sessions)]),
            "epoch": np.zeros(rows, np.int64),
            "connection": np.ones(rows, np.int64),
            "request": np.arange(rows),
            "time": asked,
            "row": np.arange(rows),
            "msg_seq_num": np.arange(rows) + 2,
            "begin_seq_no": begin,
            "end_seq_no": begin + 4,
            "why": categorical(np.zeros(rows, np.int8), WHY_ASKED),
            "missing": np.full(rows, 5),
            "covered_by": np.where(first == np.arange(rows), MISSING, first),
            "how": categorical(how, HOW_ANSWERED),
            "replayed": np.where(how == 0, 3, 0),
            "filled": np.where(how == 0, 2, 0),
            "live": np.zeros(rows, np.int64),
            "answer": np.where(how == 0, asked, MISSING),
            "ended": ended,
            "ended_row": np.where(how == 0, np.arange(rows), MISSING),
            "duration_ms": np.where(how == 0, (ended - asked) / 1e6, np.nan),
        },
    )


def silences_of(rows: int, *, seed: int = 1) -> pd.DataFrame:
    """Silences of one side, nearly all of them Heartbeats in time."""
    rng = np.random.default_rng(seed)
    seconds = rng.normal(30, 0.5, rows)
    seconds[rng.random(rows) < 0.001] *= 3
    ended = _START + np.cumsum(seconds * _SECOND).astype(np.int64)
    return build(
        INTERVALS,
        {
            "session": categorical(np.zeros(rows, np.int8), ["FIX.4.4:BUY->SELL"]),
            "sender": categorical(np.zeros(rows, np.int8), ["SELL"]),
            "connection": np.ones(rows, np.int64),
            "began": ended - (seconds * _SECOND).astype(np.int64),
            "ended": ended,
            "row": np.arange(rows),
            "ended_by": categorical(
                np.where(rng.random(rows) < 0.01, 2, 0), INTERVALS["ended_by"].categories or ()
            ),
            "silence_seconds": seconds,
            "heart_bt_int": np.full(rows, 30),
            "tested": np.full(rows, MISSING),
            "answer_ms": np.full(rows, np.nan),
        },
    )


def _empty() -> Figure:
    ax = style.new_axes(10.0, 4.5)
    style.dress(ax)
    figure = ax.figure
    assert isinstance(figure, Figure)
    return figure


def _sequence(frame: pd.DataFrame) -> Figure:
    figure = sequence(frame).figure
    assert isinstance(figure, Figure)
    return figure


def _timed(make: Callable[[], Figure]) -> float:
    gc.collect()
    begin = time.process_time()
    make().savefig(BytesIO(), format="png")
    return time.process_time() - begin


def run() -> None:
    """Print the table."""
    made: dict[str, Callable[[], Figure]] = {"empty": _empty}
    kinds: tuple[tuple[str, Any, Any], ...] = (
        ("gaps", gaps, gaps_of),
        ("resends", resends, resends_of),
        ("intervals", intervals, silences_of),
    )
    for name, plot, frame_of in kinds:
        for rows in SIZES:
            made[f"{name}, {rows:,} rows"] = partial(plot, frame_of(rows))
    for name, plot, frame_of in kinds[:2]:
        made[f"{name} of two sides, 50,000 rows"] = partial(plot, frame_of(50_000, sessions=2))
    for numbers in (2_000, 1_000_000):
        made[f"sequence, {numbers:,} numbers"] = partial(_sequence, long_frame(numbers, [7]))
    for make in made.values():
        make().savefig(BytesIO(), format="png")
    # They take turns, and each takes its best: what else runs only adds to them.
    turns = [{name: _timed(make) for name, make in made.items()} for _ in range(ROUNDS)]
    took = {name: min(turn[name] for turn in turns) for name in made}
    unit = took.pop("empty")
    table(
        "plots of analyses, drawn and written as PNG",
        f"1.0x is an empty figure of 10 x 4.5 inches: {unit * 1e3:.0f} ms of CPU time",
        [
            Row(name, f"{each * 1e3:,.0f} ms", times(each / unit), "<= 2x")
            for name, each in took.items()
        ],
    )
