"""`gaps` and `ledger` of whole sessions against the rules taken literally."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

import fixlab as fx
from fixlab.analysis import gaps, ledger
from fixlab.errors import FixLabError
from fixlab.sim import Loopback
from tests.analysis import oracle
from tests.analysis.logged import Logs, Recorder, read
from tests.analysis.troubled import proper

SETTINGS = settings(
    deadline=None, max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)


def fates(frame: pd.DataFrame) -> set[tuple[Any, ...]]:
    """Every missing number: whose, which, when it was noticed, how often asked for, its end."""
    rows: Any = ledger(frame).itertuples()
    return {
        (
            *(row.session, row.sender, row.epoch, number, row.seen, row.noticed_row),
            *(row.requests, row.how),
            None if row.ended_row is pd.NA else row.ended_row,
        )
        for row in rows
        for number in range(row.begin_seq_no, row.end_seq_no + 1)
    }


def fates_by_rule(frame: pd.DataFrame) -> set[tuple[Any, ...]]:
    return {
        (session, sender, epoch, number, one.seen, one.noticed, one.asks, one.how, one.ended)
        for (session, sender), way in oracle.told(frame).items()
        for (epoch, number), one in way.records.items()
    }


def found(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    """Every gap, rows told by their times."""
    rows: Any = gaps(frame).itertuples()
    return sorted(
        (
            *(row.session, row.gap, row.begin_seq_no, row.end_seq_no),
            *(row.noticed, row.requests, row.resent, row.filled, row.held, row.how),
            None if row.closed is pd.NaT else row.closed,
        )
        for row in rows
    )


def found_by_rule(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    time = frame["time"]
    rows = []
    for (session, sender), way in oracle.told(frame).items():
        version, pair = session.split(":")
        receiver = next(name for name in pair.split("->") if name != sender)
        for gap in way.gaps:
            ends = [gap.ends.count("replayed"), gap.ends.count("gap_filled")]
            rows.append(
                (
                    *(f"{version}:{receiver}->{sender}", gap.ordinal, gap.begin, gap.end),
                    *(time[gap.opened], gap.requests, *ends, gap.held, gap.how),
                    None if gap.closed is None else time[gap.closed],
                )
            )
    return sorted(rows)


@SETTINGS
@example(seed=2285, odd=0.4)  # given up in a log of which nobody knows who kept it
@given(seed=st.integers(0, 1 << 32), odd=st.sampled_from([0.0, 0.1, 0.4]))
def test_made_up_sessions(seed: int, odd: float) -> None:
    frame = proper(seed, odd=odd)
    assert fates(frame) == fates_by_rule(frame)
    assert found(frame) == found_by_rule(frame)


@SETTINGS
@given(seed=st.integers(0, 1 << 32))
def test_simulated_sessions(seed: int) -> None:
    """Two engines over a line that loses messages and breaks, as each side logged it."""
    for lines in simulated(seed).values():
        with tempfile.TemporaryDirectory() as folder:
            frame = read(Path(folder), lines, "quickfix").frame
        assert fates(frame) == fates_by_rule(frame)
        assert found(frame) == found_by_rule(frame)


def simulated(seed: int) -> Logs:
    """What both sides logged."""
    rng = random.Random(f"{seed}/simulated")
    config = fx.SessionConfig(
        sender_comp_id="BUY",
        target_comp_id="SELL",
        resend_range=rng.choice(["open", "exact"]),
        resend_chunk_max=rng.choice([None, None, 2]),
    )
    lab = Loopback(seed=seed, config=config)
    recorder = Recorder(lab)
    lab.logon()
    for _ in range(rng.randint(5, 15)):
        _step(rng, lab)
    return recorder.finish()


def _step(rng: random.Random, lab: Loopback) -> None:
    what = rng.choice(["send", "send", "send", "drop", "drop", "cut", "logout", "wait"])
    ends = {"initiator": lab.initiator, "acceptor": lab.acceptor}
    who = rng.choice(list(ends))
    if what == "send":
        for _ in range(rng.randint(1, 4)):
            ends[rng.choice(list(ends))].send(fx.Message("D", {11: "ORD", 55: "ACME"}))
            lab.run(seconds=rng.choice([0, 0.01, 1]))
    elif what == "drop":
        following = ends[who].session.next_out
        lab.drop(sender=who, msg_seq_nums=range(following, following + rng.randint(1, 3)))
    elif what == "wait":
        lab.run(seconds=rng.choice([5, 40]))
    else:
        try:
            if what == "cut":
                lab.cut()
            else:
                lab.logout()
            lab.logon()
        except FixLabError:  # what was dropped was the Logon or the Logout
            lab.run(seconds=120)
