"""Recoveries found all at once tell what the state machine tells of the same rows."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from fixlab.analysis import _reconstruct, _streams, gaps, intervals, ledger, resends
from fixlab.analysis._reconstruct import reconstruct
from fixlab.analysis._recoveries import Plan, plan_of
from fixlab.analysis._recovery_events import Usual
from tests.analysis.framed import T0, frame_of, log_of
from tests.analysis.troubled import troubled

# A failing log is short enough to read; shrinking it takes minutes.
SETTINGS = settings(
    deadline=None, max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)
VIEWS = (gaps, ledger, resends, intervals)
UP = "A 35=A 34=1 108=30\nB 35=A 34=1 108=30\n"


@contextmanager
def one_by_one() -> Iterator[None]:
    """Within it the machine takes every item."""

    def plan(*arguments: Any) -> Plan:
        ordered = plan_of(*arguments).ordered
        none = plan_of(*arguments).recoveries.chosen(np.empty(0, np.int64))
        at = np.arange(len(ordered.items))
        return Plan(ordered, none, at, at + 1, np.zeros(len(at), np.bool_))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_reconstruct, "plan_of", plan)
        yield


def usual(frame: pd.DataFrame) -> int:
    """How many recoveries were found all at once."""
    found = reconstruct(frame).usual
    assert found is None or isinstance(found, Usual)
    return 0 if found is None else len(found.found)


def assert_the_same(frame: pd.DataFrame) -> None:
    """All events, all views and what `of` chooses, with the machine alone and without."""
    made = reconstruct(frame)
    views = [view(frame) for view in VIEWS]
    with one_by_one():
        slow = reconstruct(frame)
        assert slow.usual is None
        slow_views = [view(frame) for view in VIEWS]
    for kind in {event.kind for event in slow.events}:
        assert made.of(kind) == slow.of(kind), kind
    assert made.events == slow.events
    assert made.directions == slow.directions
    for one, other in zip(views, slow_views, strict=True):
        assert_frame_equal(one, other)


@SETTINGS
@given(
    seed=st.integers(0, 1 << 32),
    odd=st.sampled_from([0.0, 0.05, 0.3]),
    block=st.sampled_from([5, 1 << 15]),
)
def test_all_at_once_is_as_one_by_one(seed: int, odd: float, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_streams, "BLOCK_ROWS", block)
        assert_the_same(troubled(seed, size=25, odd=odd))


def test_most_recoveries_are_found_all_at_once() -> None:
    """Otherwise the tests here would hold nothing against nothing."""
    frames = [troubled(seed, odd=0.0) for seed in range(8)]
    found = sum(usual(frame) for frame in frames)
    assert found > 0.5 * sum(len(gaps(frame)) for frame in frames)


HOLE = "B 35=8 34=2\nB 35=8 34=6\n"
CASES = {
    "replayed": HOLE + "A 35=2 34=2 7=3 16=5\n" + "B 35=8 34=3 43=Y\nB 35=8 34=4 43=Y\n"
    "B 35=8 34=5 43=Y\n",
    "filled": HOLE + "A 35=2 34=2 7=3 16=0\nB 35=4 34=3 43=Y 123=Y 36=7\n",
    "mixed, with news": HOLE + "A 35=2 34=2 7=3 16=5\nB 35=8 34=3 43=Y\nB 35=8 34=7\n"
    "B 35=4 34=4 43=Y 123=Y 36=6\n",
    "an open end": HOLE + "B 35=8 34=7\nA 35=2 34=2 7=3 16=0\n"
    + "".join(f"B 35=8 34={n} 43=Y\n" for n in range(3, 8)),
    "more than asked": HOLE + "A 35=2 34=2 7=3 16=5\n"
    + "".join(f"B 35=8 34={n} 43=Y\n" for n in range(3, 7)),
    "infinity": HOLE + "A 35=2 34=2 7=3 16=999999\nB 35=4 34=3 43=Y 123=Y 36=7\n",
    "nobody asks": HOLE + "B 35=4 34=3 43=Y 123=Y 36=6\n",
    "asked for what left": "A 35=D 34=2\nA 35=D 34=3\nB 35=2 34=2 7=2 16=3\n"
    "A 35=D 34=2 43=Y\nA 35=D 34=3 43=Y\n",
    "asked for what left, open": "A 35=D 34=2\nA 35=D 34=3\nB 35=2 34=2 7=2 16=0\n"
    "A 35=D 34=2 43=Y\nA 35=D 34=4\nA 35=4 34=3 43=Y 123=Y 36=4\n",
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_rrq_05_usual_recoveries_are_found_all_at_once(name: str) -> None:
    frame = log_of(UP + CASES[name])
    assert usual(frame) == 1
    assert len(gaps(frame)) == 1
    assert_the_same(frame)
    assert_the_same(log_of(UP + CASES[name] + "B 35=8 34=20\nA 35=5 34=5\nB 35=5 34=21"))


ODD = {
    "asked twice": HOLE + "A 35=2 34=2 7=3 16=5\nA 35=2 34=3 7=3 16=5\n"
    "B 35=4 34=3 43=Y 123=Y 36=6\n",
    "in the wrong order": HOLE + "A 35=2 34=2 7=3 16=5\nB 35=8 34=4 43=Y\n"
    "B 35=8 34=3 43=Y\nB 35=8 34=5 43=Y\n",
    "not all": HOLE + "A 35=2 34=2 7=3 16=5\nB 35=8 34=3 43=Y\nB 35=8 34=4 43=Y\n",
    "beyond what was sent": HOLE + "A 35=2 34=2 7=3 16=0\nB 35=4 34=3 43=Y 123=Y 36=9\n",
    "a Logout within": HOLE + "A 35=2 34=2 7=3 16=5\nB 35=5 34=7\n"
    "B 35=4 34=3 43=Y 123=Y 36=6\n",
    "a gap within": HOLE + "A 35=2 34=2 7=3 16=5\nA 35=D 34=9\nB 35=4 34=3 43=Y 123=Y 36=6\n",
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_odd_ones_are_left_to_the_machine(name: str) -> None:
    frame = log_of(UP + ODD[name])
    assert usual(frame) == 0
    assert_the_same(frame)


def test_rrq_05_a_late_answer_still_knows_its_request() -> None:
    text = UP + CASES["filled"] + "B 35=8 34=4 43=Y"
    frame = log_of(text)
    assert usual(frame) == 1
    assert reconstruct(frame).events[-2].request == 0
    assert_the_same(frame)


def test_a_guess_that_does_not_hold_costs_time_only() -> None:
    frame = log_of(UP + "B 35=8 34=4 !\n" + CASES["filled"].replace("34=2\n", "34=2\n"))
    assert_the_same(frame)


def test_numbers_beyond_all_reason_are_left_to_the_machine() -> None:
    big = 1 << 60
    text = f"B 35=8 34={big}\nA 35=2 34=2 7=2 16=0\nB 35=4 34=2 43=Y 123=Y 36={big + 1}\n"
    frame = log_of(UP + text)
    assert usual(frame) == 0
    assert_the_same(frame)


def test_many_sessions_cost_no_more_than_their_rows() -> None:
    """Sessions times senders would be 16 million pairs here."""
    rows = [
        {
            "session": f"FIX.4.4:US->THEM{i}",
            "sender": f"THEM{i}",
            "msg_type": "D",
            "msg_seq_num": number,
            "time": T0,
        }
        for i in range(4_000)
        for number in (1, 3)
    ]
    tracemalloc.start()
    found = gaps(frame_of(rows))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 4_000
    assert peak < 100_000_000
