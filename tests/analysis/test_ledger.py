from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

import fixlab as fx
from fixlab.analysis import gaps, intervals, ledger, resends
from fixlab.analysis._ledger import SINGLE_MAX
from fixlab.frames import LEDGER, RESENDS, check
from tests.analysis.framed import log_of

UP = "A 35=A 34=1 108=30\nB 35=A 34=1 108=30\n"


def fates(frame: Any, **known: Any) -> list[tuple[Any, ...]]:
    """(sender, number, seen, requests, how, row that ended it) of each row."""
    found = check(ledger(frame, **known), LEDGER)
    return [
        (
            row.sender,
            row.begin_seq_no,
            row.seen,
            row.requests,
            row.how,
            None if row.ended_row is pd.NA else row.ended_row,
        )
        for row in found.itertuples()
    ]


def test_seq_05_each_missing_number_has_its_own_end() -> None:
    frame = log_of(
        UP + "B 35=8 34=6\nA 35=2 34=2 7=2 16=0\nB 35=8 34=2 43=Y\n"
        "B 35=4 34=3 123=Y 43=Y 36=4\nB 35=8 34=4\nB 35=8 34=7"
    )
    assert fates(frame) == [
        ("THEM", 2, "hole", 1, "replayed", 4),
        ("THEM", 3, "hole", 1, "gap_filled", 5),
        ("THEM", 4, "hole", 1, "late", 6),
        ("THEM", 5, "hole", 1, "open", None),
    ]
    found = ledger(frame)
    assert found["noticed_row"].tolist() == [2, 2, 2, 2]
    assert found["noticed_by"].tolist() == [6, 6, 6, 6]
    assert found["duration_ms"].tolist()[:3] == [20.0, 30.0, 40.0]


def test_rrq_01_what_left_and_is_asked_for_is_missing_too() -> None:
    frame = log_of(UP + "A 35=D 34=2\nA 35=D 34=3\nB 35=2 34=2 7=2 16=0\nA 35=D 34=2 43=Y")
    assert fates(frame) == [
        ("US", 2, "asked", 1, "replayed", 5),
        ("US", 3, "asked", 1, "open", None),
    ]


def test_rrq_09_a_number_is_one_row_across_connections() -> None:
    frame = log_of(
        UP + "B 35=8 34=3\nA 35=2 34=2 7=2 16=0\n"
        "A 35=A 34=3 108=30\nB 35=A 34=4 108=30\nA 35=2 34=4 7=2 16=0\nB 35=8 34=2 43=Y"
    )
    assert fates(frame) == [("THEM", 2, "hole", 2, "replayed", 7)]
    assert gaps(frame)["how"].tolist() == ["abandoned", "resent"]


def test_dsc_04_a_number_that_a_later_connection_never_asks_for_is_lost() -> None:
    frame = log_of(
        UP + "B 35=5 34=3\nA 35=5 34=2\n"  # the gap shows at the Logout
        "A 35=A 34=3 108=30\nB 35=A 34=4 108=30\nB 35=8 34=5\nB 35=5 34=6\nA 35=5 34=4"
    )
    assert fates(frame) == [("THEM", 2, "hole", 0, "lost", 8)]


def test_lgn_17_a_reset_ends_what_was_missing_and_numbers_begin_anew() -> None:
    frame = log_of(
        UP + "B 35=8 34=3\nA 35=A 34=1 141=Y\nB 35=A 34=1 141=Y\nB 35=8 34=3\nB 35=8 34=2"
    )
    assert fates(frame) == [
        ("THEM", 2, "hole", 0, "reset", 4),
        ("THEM", 2, "hole", 0, "late", 6),
    ]
    assert ledger(frame)["epoch"].tolist() == [0, 1]


def test_sqr_07_a_sequence_reset_gives_up_what_was_missing() -> None:
    frame = log_of(UP + "B 35=8 34=4\nB 35=4 34=5 36=9")
    assert [fate[4] for fate in fates(frame)] == ["reset", "reset"]


def test_a_log_that_begins_in_the_middle_tells_no_gap_unless_the_start_is_given() -> None:
    frame = log_of("B 35=8 34=7\nB 35=8 34=8")
    assert fates(frame) == []
    assert [fate[1] for fate in fates(frame, expected_start={"THEM": 5})] == [5, 6]


def test_what_a_log_that_begins_in_the_middle_is_asked_for_is_missing() -> None:
    frame = log_of("A 35=D 34=7\nB 35=2 34=9 7=5 16=0\nA 35=D 34=5 43=Y")
    assert fates(frame) == [
        ("US", 5, "asked", 1, "replayed", 2),
        ("US", 6, "asked", 1, "open", None),
    ]


def test_a_huge_range_is_one_row_that_says_how_many() -> None:
    frame = log_of(UP + f"B 35=8 34={2 + SINGLE_MAX}\nB 35=8 34=4000000000000")
    found = ledger(frame)
    assert len(found) == SINGLE_MAX + 1
    assert found["count"].tolist()[-1] == 4_000_000_000_000 - 3 - SINGLE_MAX
    assert found["begin_seq_no"].iloc[-1] == SINGLE_MAX + 3


def test_numbers_beyond_any_counter_are_borne() -> None:
    huge = "9223372036854775807"
    frame = log_of(
        UP + f"B 35=8 34={huge}\nA 35=2 34=2 7=2 16={huge}\nB 35=8 34=2 43=Y\n"
        f"B 35=4 34=3 123=Y 43=Y 36={huge}\nB 35=5 34={huge}\nB 35=A 34=1 108=30"
    )
    for view in (gaps, resends, intervals):
        assert len(view(frame)) < 10
    assert len(fates(frame)) < 10
    found = fx.analyze(frame)
    assert len(found.table) == len(found)
    assert found.summary()


def test_of_transitions_each_end_tells_its_own_view() -> None:
    lab = fx.Loopback(seed=7)
    lab.logon()
    lab.drop(sender="initiator", msg_seq_nums=[4, 5])
    for n in range(1, 9):
        lab.initiator.send(fx.Message("D", {11: f"ORD-{n}", 55: "ACME", 54: 1, 38: 100}))
        lab.run(seconds=1)
    lab.logout()
    frame = lab.journal.to_frame()
    found = ledger(frame)
    mine = found[found["session"] == lab.acceptor.id]
    assert mine["begin_seq_no"].tolist() == [4, 5]
    assert mine["how"].tolist() == ["replayed", "replayed"]
    recorded = gaps(frame)
    assert mine["noticed"].unique().tolist() == recorded["noticed"].tolist()
    assert mine["ended"].max() == recorded["closed"].iloc[0]


def test_rrq_04_resends_tell_what_was_asked_twice_and_what_was_answered() -> None:
    frame = log_of(
        UP + "B 35=8 34=4\nA 35=2 34=2 7=2 16=0\nB 35=8 34=5\nA 35=2 34=3 7=2 16=3\n"
        "B 35=8 34=2 43=Y\nB 35=8 34=6\nB 35=4 34=3 123=Y 43=Y 36=5\n"
        "A 35=2 34=4 7=9 16=3\nA 35=2 34=5 7=99 16=0"
    )
    found = check(resends(frame), RESENDS)
    assert found["why"].tolist() == ["due", "due", "invalid", "not_sent"]
    assert found["covered_by"].tolist()[1] == 0
    assert found["covered_by"].isna().tolist() == [True, False, True, True]
    # RRQ-05: all that the second one asks for has come since.
    assert found["how"].tolist() == ["answered", "answered", "invalid", "not_sent"]
    first = found.iloc[0]
    assert (first.replayed, first.filled, first.live) == (1, 2, 1)
    assert first.duration_ms == 50.0


def test_hbt_01_silences_and_answers() -> None:
    frame = log_of(
        UP + "A 35=0 34=2 +29990\nA 35=1 34=3 112=T +20000\nB 35=0 34=2 112=T\nA 35=D 34=4"
    )
    found = intervals(frame)
    assert found["ended_by"].tolist() == ["heartbeat", "test_request", "answer"]
    assert found["sender"].tolist() == ["US", "US", "THEM"]
    assert found["silence_seconds"].tolist() == [30.01, 20.01, 50.02]
    assert found["heart_bt_int"].tolist() == [30, 30, 30]
    assert found["answer_ms"].tolist()[-1] == 10.0


def test_dsc_03_silence_runs_to_the_end_of_a_connection_that_was_cut() -> None:
    frame = log_of(UP + "A 35=D 34=2 +20000\nA 35=D 34=3 +20000\nA 35=A 34=4 108=30 +90000")
    found = intervals(frame)
    assert [(r.sender, r.ended_by, r.row) for r in found.itertuples()] == [("THEM", "end", 3)]


def test_rsp_06_an_open_end_is_the_last_number_sent_by_then() -> None:
    frame = log_of(
        UP + "A 35=D 34=2\nA 35=D 34=3\nB 35=2 34=2 7=2 16=0\nA 35=D 34=4\nA 35=D 34=5"
    )
    assert [fate[1] for fate in fates(frame)] == [2, 3]
    assert resends(frame)["end_seq_no"].tolist() == [3]


def test_seq_03_a_gap_that_a_late_message_closes_is_closed_by_it() -> None:
    frame = log_of(UP + "A 35=D 34=2\nB 35=2 34=2 7=2 16=0\nA 35=D 34=2\nA 35=D 34=3")
    assert fates(frame) == [("US", 2, "asked", 1, "late", 4)]
    assert gaps(frame)["closed"].tolist() == [frame["time"][4]]


@pytest.mark.parametrize(("flag", "how"), [("43=Y", "replayed"), ("", "late")])
def test_what_was_given_up_and_comes_after_all_is_not_lost(flag: str, how: str) -> None:
    frame = log_of(
        UP + "B 35=8 34=3\nB 35=8 34=5\nA 35=2 34=2 7=4 16=4\nB 35=8 34=4 43=Y\n"
        f"B 35=8 34=2 {flag}"
    )
    assert fates(frame)[0] == ("THEM", 2, "hole", 0, how, 6)
    assert gaps(frame)["closed"].tolist() == [frame["time"][5]]
