"""What holds of every ledger: nothing is counted twice, and each entry is what its rows show.

Both engines of a simulated session over bad links: the log that one keeps, and the transitions
that its own journal has.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fixlab.analysis import gaps, ledger, resends
from fixlab.analysis._events import Kind
from fixlab.analysis._reconstruct import reconstruct
from fixlab.errors import FixLabError
from fixlab.frames import LEDGER, MISSING, check, nanoseconds
from fixlab.sim import Loopback
from fixlab.wire.message import Message
from tests.analysis.framed import frame_of
from tests.analysis.logged import STYLES, Line, Logs, Side, read
from tests.analysis.test_replay import tap

SEEDS = range(4)
PER_SEED = 6


def troubled(seed: int) -> tuple[Loopback, Logs]:
    """A session over a link that loses messages and breaks, and what both ends saw of it."""
    chance = random.Random(f"laws/{seed}")
    lab = Loopback(seed=seed, delay_seconds=chance.choice((0.01, 0.2)))
    logs: Logs = {}
    for end in (lab.initiator, lab.acceptor):
        lines: list[Line] = []
        logs[end.session.config.sender_comp_id] = lines
        tap(end, Side(lab.clock.now, lines))
    lab.logon()
    for _ in range(chance.randint(8, 40)):
        end = chance.choice((lab.initiator, lab.acceptor))
        what = chance.choice("sssssllrrrrcqt" + "z" * (seed % 3 == 0))
        try:
            if what == "s":
                for i in range(chance.randint(1, 4)):
                    end.send(Message("D", {11: f"ORD-{i}"}))
            elif what == "l":
                end.lose_next(chance.randint(1, 3))
            elif what == "r":
                lab.run(seconds=chance.choice((0.05, 0.5, 3, 31)))
            elif what == "c":
                lab.cut()
                lab.run(seconds=1)
                lab.logon()
            elif what == "q":
                end.logout("enough")
                lab.run(seconds=3)
                lab.logon()
            elif what == "z":
                end.reset()
            else:
                end.test_request()
        except FixLabError:
            continue  # it makes no sense in the state that it meets
    lab.run(seconds=1)
    return lab, logs


def rows_of(frame: pd.DataFrame) -> list[Any]:
    """The rows, one tuple each."""
    return list(frame.itertuples())


def each_number_once(owed: pd.DataFrame) -> None:
    """A number is missing at most once in a direction and epoch, and a range is not empty."""
    assert (owed["count"] == owed["end_seq_no"] - owed["begin_seq_no"] + 1).all()
    assert (owed["count"] >= 1).all()
    for key, part in owed.groupby(["session", "sender", "epoch"], observed=True):
        ordered = part.sort_values("begin_seq_no")
        begins = ordered["begin_seq_no"].to_numpy()
        ends = ordered["end_seq_no"].to_numpy()
        assert (begins[1:] > ends[:-1]).all(), key


def times_are_those_of_rows(frame: pd.DataFrame, owed: pd.DataFrame) -> None:
    """Each time is the one of its row, durations are differences, and nothing ends first."""
    time, number = nanoseconds(frame, "time"), frame["msg_seq_num"]
    for name in ("noticed", "requested", "ended"):
        rows = owed[f"{name}_row"]
        known = rows.notna().to_numpy()
        there = rows[known].to_numpy(np.int64)
        assert (nanoseconds(owed, name)[known] == time[there]).all(), name
        assert owed[name][~known].isna().all(), name
    noticed = owed["noticed_row"].to_numpy(np.int64)
    assert owed["noticed_by"].tolist() == number.iloc[noticed].tolist()
    asked, ended = owed["requested_row"].notna(), owed["ended_row"].notna()
    assert (asked == (owed["requests"] > 0)).all()
    assert (ended == (owed["how"] != "open")).all()
    for name, has in (("requested", asked), ("ended", ended)):
        part = owed[has]
        assert (part[f"{name}_row"] >= part["noticed_row"]).all(), name
    begun, over = nanoseconds(owed, "noticed"), nanoseconds(owed, "ended")
    both = (begun != MISSING) & (over != MISSING)
    length = owed["duration_ms"].to_numpy()
    assert np.array_equal(length[both], (over[both] - begun[both]) / 1e6)
    assert np.isnan(length[~both]).all()


def ends_are_what_rows_show(frame: pd.DataFrame, owed: pd.DataFrame) -> None:
    """The row that ended a number is that very message, or a fill or reset that covers it."""
    for one in rows_of(owed[owed["ended_row"].notna()]):
        row: Any = frame.iloc[int(one.ended_row)]
        number, kind = row["msg_seq_num"], row["msg_type"]
        if one.how in ("replayed", "late"):
            assert row["sender"] == one.sender
            assert number == one.begin_seq_no == one.end_seq_no
            assert row["poss_dup"] == (one.how == "replayed")
        elif one.how == "gap_filled":
            assert (row["sender"], kind, row["gap_fill"]) == (one.sender, "4", True)
            assert number <= one.begin_seq_no
            assert one.end_seq_no < row["new_seq_no"]
        elif one.how == "reset" and kind == "4":
            assert not row["gap_fill"]


def counts_agree(frame: Any, owed: pd.DataFrame) -> None:
    """What is missing lies in the gaps, and what was asked for in the resends."""
    found, asked = gaps(frame), resends(frame)
    spans: dict[str, list[tuple[int, int]]] = {}
    for gap in rows_of(found):
        spans.setdefault(str(gap.session), []).append((gap.begin_seq_no, gap.end_seq_no))
    rows = asked.set_index("row")
    for one in rows_of(owed):
        name = f"{str(one.session).split(':')[0]}:{one.receiver}->{one.sender}"
        inside = any(a <= one.begin_seq_no and one.end_seq_no <= b for a, b in spans[name])
        assert inside, one
        if one.requests:
            request: Any = rows.loc[int(one.requested_row)]
            assert (request["asked_by"], request["asked_of"]) == (one.receiver, one.sender)
            assert request["begin_seq_no"] <= one.begin_seq_no
        covering = (asked["asked_of"] == one.sender) & (asked["session"] == one.session)
        covering &= (asked["begin_seq_no"] <= one.begin_seq_no).fillna(False).astype(bool)
        assert one.requests <= int(covering.sum())
    # Each number that came back is in the count of a gap.
    back = owed[owed["how"].isin(["replayed", "gap_filled"])]["count"].sum()
    assert int(back) <= int(found["resent"].sum() + found["filled"].sum())


def of_one_life(frame: pd.DataFrame) -> list[tuple[str, str]]:
    """Directions whose numbers never begin anew nor go back in the log, whose first is 1."""
    made = reconstruct(frame)
    anew = {e.session for e in made.of(Kind.EPOCH, Kind.REWOUND, Kind.RESET, Kind.NOT_HONOURED)}
    found = []
    for one in made.directions:
        part = frame[(frame["session"] == one.session) & (frame["sender"] == one.sender)]
        first = part["msg_seq_num"].iloc[0]
        if one.session not in anew and first == 1 and one.view == "in" and part["valid"].all():
            found.append((one.session, one.sender))
    return found


def holes_by_loop(frame: pd.DataFrame, session: str, sender: str) -> dict[int, int]:
    """Number -> the row that first jumped over it, in a direction of one life: a plain loop."""
    part = frame[(frame["session"] == session) & (frame["sender"] == sender)]
    top, holes = 0, dict[int, int]()
    came = set[int]()
    for row, one in zip(part.index, rows_of(part), strict=True):
        number = int(one.msg_seq_num)
        last = int(one.new_seq_no) - 1 if one.gap_fill else number
        if number > top + 1:
            holes |= {n: int(row) for n in range(top + 1, number) if n not in came}
        came |= set(range(number, max(last, number) + 1))
        top = max(top, last, number)
    return holes


@pytest.mark.parametrize("block", SEEDS)
def test_the_laws_hold_of_simulated_sessions(tmp_path: Path, block: int) -> None:
    owed_in_all = loops = 0
    for seed in range(PER_SEED * block, PER_SEED * (block + 1)):
        lab, logs = troubled(seed)
        for end in (lab.initiator, lab.acceptor):
            side = end.session.config.sender_comp_id
            log = read(tmp_path, logs[side], STYLES[seed % 2], ours=side)
            frame = log.frame
            owed = check(ledger(log), LEDGER)
            each_number_once(owed)
            times_are_those_of_rows(frame, owed)
            ends_are_what_rows_show(frame, owed)
            counts_agree(frame, owed)
            owed_in_all += int(owed["count"].sum())
            for session, sender in of_one_life(frame):
                loops += 1
                mine = owed[(owed["session"] == session) & (owed["sender"] == sender)]
                holes = mine[mine["seen"] == "hole"]
                told = {
                    number: int(one.noticed_row)
                    for one in rows_of(holes)
                    for number in range(one.begin_seq_no, one.end_seq_no + 1)
                }
                assert told == holes_by_loop(frame, session, sender), (seed, side)
    assert owed_in_all > 20
    assert loops > 5


@pytest.mark.parametrize("block", SEEDS)
def test_the_laws_hold_of_transitions_and_both_tell_the_same(
    tmp_path: Path, block: int
) -> None:
    alike = 0
    for seed in range(PER_SEED * block, PER_SEED * (block + 1)):
        lab, logs = troubled(seed)
        journal = lab.journal.to_frame()
        each_number_once(ledger(journal))
        times_are_those_of_rows(journal, ledger(journal))
        for end in (lab.initiator, lab.acceptor):
            side = end.session.config.sender_comp_id
            own = journal[journal["session"] == end.session.id].reset_index(drop=True)
            log = read(tmp_path, logs[side], "prefixed", ours=side)
            if not len(own) or own["kind"].isin(["GARBLED", "RESET_BOTH"]).any():
                continue
            told = [_came_in(ledger(each), side) for each in (log.frame, own)]
            alike += len(told[0])
            assert told[0] == told[1], (seed, side)
    assert alike > 5


def _came_in(owed: pd.DataFrame, receiver: str) -> dict[int, str]:
    """How each number ended that this side missed for certain."""
    mine = owed[(owed["receiver"] == receiver) & (owed["seen"] == "hole")]
    return {
        number: str(one.how)
        for one in rows_of(mine)
        for number in range(one.begin_seq_no, one.end_seq_no + 1)
    }


def test_a_law_that_is_broken_is_seen() -> None:
    frame = frame_of(
        [
            {"time": i, "session": "FIX.4.4:US->THEM", "direction": "in", "sender": "THEM",
             "target": "US", "msg_type": "8", "msg_seq_num": number}
            for i, number in enumerate((1, 4, 2))
        ]
    )  # fmt: skip
    owed = ledger(frame, expected_start={"THEM": 1})
    assert owed["begin_seq_no"].tolist() == [2, 3]
    with pytest.raises(AssertionError):
        each_number_once(pd.concat([owed, owed]))
    for column in ("noticed_row", "duration_ms", "noticed_by"):
        wrong = owed.assign(**{column: owed[column] + 1 if column != "noticed_row" else 0})
        with pytest.raises(AssertionError):
            times_are_those_of_rows(frame, wrong)
    with pytest.raises(AssertionError):
        ends_are_what_rows_show(frame, owed.assign(begin_seq_no=owed["begin_seq_no"] + 1))
