"""The events of made-up logs: equal to row by row, to a plain loop, and sound in themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from fixlab.analysis import _reconstruct, _streams, gaps, intervals, ledger, resends
from fixlab.analysis._events import Kind
from fixlab.analysis._reconstruct import reconstruct
from fixlab.analysis._streams import Columns, Items
from fixlab.errors import ConfigError, SchemaError
from fixlab.frames import (
    GAPS,
    INTERVALS,
    LEDGER,
    MESSAGES,
    MISSING,
    RESENDS,
    check,
    empty,
)
from tests.analysis.framed import T0, Row, frame_of, log_of

# Shrinking such logs takes minutes; a failing one is short enough to read.
SETTINGS = settings(
    deadline=None, max_examples=80, phases=[Phase.explicit, Phase.reuse, Phase.generate]
)


@st.composite
def logs(draw: st.DrawFn) -> pd.DataFrame:
    """Any order of messages of two sessions, with numbers near those that are due."""
    rows: list[Row] = []
    due = {(s, w): draw(st.integers(1, 3)) for s in range(2) for w in range(2)}
    view = draw(st.sampled_from(["", "in"]))
    for i in range(draw(st.integers(0, 30))):
        session, who = draw(st.integers(0, 1)), draw(st.integers(0, 1))
        key = (session, who)
        what = draw(st.sampled_from("ppppppppppddffrqqAOthbi"))
        number = max(due[key] + draw(st.sampled_from([0, 0, 0, 0, 0, 1, 2, -1, -3])), 1)
        row: Row = {
            "time": T0 + i * 1_000_000,
            "session": f"FIX.4.4:US->THEM{session}",
            "direction": "" if not view else ("out", "in")[who],
            "sender": ("US", f"THEM{session}")[who],
            "target": (f"THEM{session}", "US")[who],
            "msg_type": "D",
            "msg_seq_num": number,
        }
        if what in "df":
            row["msg_seq_num"] = number = max(due[key] - draw(st.integers(-1, 6)), 1)
            row["poss_dup"] = True
        if what in "fr":
            row |= {"msg_type": "4", "gap_fill": what == "f"}
            row["new_seq_no"] = number + draw(st.integers(-1, 5))
        elif what == "q":
            begin = max(due[session, 1 - who] - draw(st.integers(-1, 6)), 0)
            end = draw(st.sampled_from([0, 0, begin + 2, begin, begin - 1]))
            row |= {"msg_type": "2", "begin_seq_no": begin, "end_seq_no": max(end, 0)}
        elif what == "A":
            row |= {"msg_type": "A", "heart_bt_int": 30, "reset": draw(st.booleans())}
            if row["reset"] or draw(st.booleans()):
                row["msg_seq_num"] = number = 1
                due[key] = 2
        elif what == "O":
            row["msg_type"] = "5"
        elif what == "t":
            row |= {"msg_type": "1", "test_req_id": "x"}
        elif what == "h":
            row |= {"msg_type": "0", "test_req_id": "x"}
        elif what == "b":
            row |= {"valid": False, "defect": draw(st.sampled_from(["check_sum", "truncated"]))}
        elif what == "i":
            row["msg_seq_num"] = MISSING
        if what in "pOthbq" and number >= due[key]:
            due[key] = number + 1
        rows.append(row)
    return frame_of(rows)


def row_by_row(columns: Columns) -> Items:
    """What `items_of` gives without any run: the slow way."""
    rows = np.arange(len(columns))
    kind = np.zeros(len(columns), np.int64)
    for i in range(len(columns)):
        name = columns.msg_types[columns.msg_type[i]]
        valid = columns.valid is None or bool(columns.valid[i])
        has_id = columns.test_req_id is not None and columns.test_req_id[i] != columns.no_id
        if name in ("A", "2", "4", "5") or not valid or has_id or columns.number[i] == MISSING:
            kind[i] = 2
        elif columns.poss_dup[i]:
            kind[i] = 1
    number = columns.number.copy()
    return Items(
        np.asarray(columns.stream).astype(np.int64),
        kind,
        rows,
        rows,
        number,
        number,
        np.zeros(len(columns), np.bool_),
    )


VIEWS = (gaps, ledger, resends, intervals)


@SETTINGS
@given(frame=logs(), block=st.sampled_from([1, 3, 7, 1 << 16]))
def test_runs_tell_what_the_rows_tell_one_by_one(frame: pd.DataFrame, block: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_streams, "BLOCK_ROWS", block)
        fast = [view(frame) for view in VIEWS]
        patch.setattr(_reconstruct, "items_of", row_by_row)
        slow = [view(frame) for view in VIEWS]
    for one, other in zip(fast, slow, strict=True):
        assert_frame_equal(one, other)


def missing_by_loop(frame: pd.DataFrame) -> dict[tuple[str, str], set[int]]:
    """Numbers below the highest that never came, in any form: a loop of its own."""
    came: dict[tuple[str, str], set[int]] = {}
    for row in frame.to_dict("records"):
        key = (str(row["session"]), str(row["sender"]))
        mine = came.setdefault(key, set())
        number, new = row["msg_seq_num"], row["new_seq_no"]
        if row["msg_type"] == "4":
            mine |= set(range(number, max(number, new)))
        else:
            mine.add(number)
    return {key: set(range(1, max(mine))) - mine for key, mine in came.items()}


@st.composite
def recoveries(draw: st.DrawFn) -> pd.DataFrame:
    """One direction as its receiver logs it: losses, replays, fills, late ones; no resets."""
    rows: list[Row] = []
    following = 1
    for i in range(draw(st.integers(1, 60))):
        number = following + draw(st.sampled_from([0, 0, 0, 1, 4]))
        row: Row = {
            "time": T0 + i,
            "session": "FIX.4.4:US->THEM",
            "direction": "in",
            "sender": "THEM",
            "target": "US",
            "msg_type": "8",
        }
        what = draw(st.sampled_from("pppdfl"))
        if what != "p" and following > 2:
            # Not 1: without Logons, a new message 1 is all that shows a reset.
            number = draw(st.integers(2, following - 1))
            row["poss_dup"] = what != "l"
            if what == "f":
                row |= {"msg_type": "4", "gap_fill": True}
                row["new_seq_no"] = min(number + draw(st.integers(1, 4)), following)
        row["msg_seq_num"] = number
        following = max(following, number + 1)
        rows.append(row)
    return frame_of(rows)


@SETTINGS
@given(frame=recoveries())
def test_what_stays_open_is_what_a_plain_loop_misses(frame: pd.DataFrame) -> None:
    found = check(ledger(frame, expected_start={"THEM": 1}), LEDGER)
    still = found[found["how"].isin(["open"])]
    numbers = {
        n
        for begin, end in zip(still["begin_seq_no"], still["end_seq_no"], strict=True)
        for n in range(begin, end + 1)
    }
    assert numbers == missing_by_loop(frame)["FIX.4.4:US->THEM", "THEM"]


@SETTINGS
@given(frame=logs())
def test_events_are_sound(frame: pd.DataFrame) -> None:
    made = reconstruct(frame)
    assert [e.row for e in made.events] == sorted(e.row for e in made.events)
    asked = {e.request for e in made.of(Kind.ASKED)}
    for event in made.events:
        assert 0 <= event.row <= event.last_row < len(frame)
        assert event.request is None or event.request in asked
        if event.kind in (Kind.GAP, Kind.REPLAYED, Kind.LATE, Kind.LOST):
            assert event.begin is not None
            assert event.end is not None
            assert event.begin <= event.end
    ended = [e.request for e in made.of(Kind.ANSWERED, Kind.UNANSWERED)]
    assert len(ended) == len(set(ended))
    closed = [(e.session, e.receiver, e.gap) for e in made.of(Kind.CLOSED, Kind.ABANDONED)]
    assert len(closed) == len(set(closed))
    for view, schema in zip(VIEWS, (GAPS, LEDGER, RESENDS, INTERVALS), strict=True):
        check(view(frame), schema)


def test_a_frame_without_rows_gives_frames_without_rows() -> None:
    for view, schema in zip(VIEWS, (GAPS, LEDGER, RESENDS, INTERVALS), strict=True):
        found = check(view(empty(MESSAGES)), schema)
        assert len(found) == 0


def test_another_frame_is_refused() -> None:
    with pytest.raises(SchemaError, match="found int"):
        ledger(7)
    with pytest.raises(SchemaError, match="column time"):
        ledger(pd.DataFrame({"a": [1]}))


def test_expected_start_must_name_a_comp_id_of_the_log() -> None:
    frame = log_of("B 35=8 34=4")
    with pytest.raises(ConfigError, match=r"'NOBODY'.*THEM"):
        ledger(frame, expected_start={"NOBODY": 1})
    with pytest.raises(ConfigError, match="found 0"):
        ledger(frame, expected_start={"THEM": 0})


def causes(text: str, *kinds: Kind) -> list[tuple[Any, ...]]:
    """(row, kind, sender, begin, cause) of the events of `kinds`."""
    return [
        (e.row, e.kind.value, e.sender, e.begin, e.cause)
        for e in reconstruct(log_of(text)).of(*kinds)
    ]


UP = "A 35=A 34=1 108=30\nB 35=A 34=1 108=30\n"
DOWN = "A 35=5 34=2\nB 35=5 34=2\n"


def test_lgn_17_a_reset_asked_and_answered_is_one_epoch() -> None:
    text = UP + DOWN + "A 35=A 34=1 141=Y\nB 35=A 34=1 141=Y"
    assert causes(text, Kind.EPOCH, Kind.NOT_HONOURED) == [
        (4, "EPOCH", "US", 1, "asked"),
        (5, "EPOCH", "THEM", 1, "answer"),
    ]
    assert [e.epoch for e in reconstruct(log_of(text)).of(Kind.EPOCH)] == [1, 1]


def test_lgn_19_a_reset_in_session_is_no_new_connection() -> None:
    text = UP + "A 35=A 34=1 141=Y\nB 35=A 34=1 141=Y\nA 35=D 34=2\nB 35=8 34=2"
    made = reconstruct(log_of(text))
    assert len(made.of(Kind.CONNECTED)) == 1
    assert [e.cause for e in made.of(Kind.LOGON)] == ["first", "answer", "reset", "answer"]
    assert not made.of(Kind.GAP, Kind.TOO_LOW)


def test_sch_02_both_sides_at_1_again_are_a_reset_without_a_word() -> None:
    text = UP + DOWN + UP
    assert causes(text, Kind.EPOCH, Kind.TOO_LOW, Kind.REWOUND) == [
        (4, "EPOCH", "US", 1, "silent"),
        (5, "EPOCH", "THEM", 1, "silent"),
    ]


def test_lgn_11_a_low_logon_that_is_refused_is_too_low() -> None:
    text = (
        UP + DOWN + "A 35=A 34=1\nB 35=5 34=3 58=MsgSeqNum~too~low,~expecting~3~but~received~1"
    )
    assert causes(text, Kind.EPOCH, Kind.TOO_LOW, Kind.CLAIMED, Kind.ENDED)[1:] == [
        (4, "TOO_LOW", "US", 1, "logon"),
        (5, "CLAIMED", "US", 3, "text"),
        (5, "ENDED", "US", None, "refused"),
    ]


def test_seq_01_a_low_logon_that_is_taken_rewinds_one_side() -> None:
    text = UP + "A 35=D 34=2\nA 35=5 34=3\nB 35=5 34=2\nA 35=A 34=2\nB 35=A 34=3\nA 35=D 34=3"
    assert causes(text, Kind.EPOCH, Kind.TOO_LOW, Kind.REWOUND) == [
        (5, "REWOUND", "US", 2, "logon")
    ]


def test_lgn_17_a_reset_that_is_not_honoured() -> None:
    text = UP + DOWN + "A 35=A 34=1 141=Y\nB 35=A 34=3"
    assert causes(text, Kind.NOT_HONOURED) == [(5, "NOT_HONOURED", "THEM", 3, "")]


def test_frm_06_a_garbled_message_counts_only_when_nobody_asks_for_it() -> None:
    masked = UP + "B 35=8 34=2 !\nB 35=8 34=3"
    assert causes(masked, Kind.GAP) == []
    assert causes(masked + "\nA 35=2 34=2 7=2 16=0", Kind.GAP) == [
        (3, "GAP", "THEM", 2, "hole")
    ]


def test_rrq_03_chunks_ask_for_what_is_due() -> None:
    text = UP + (
        "B 35=8 34=8\nA 35=2 34=2 7=2 16=4\n"
        "B 35=8 34=2 43=Y\nB 35=8 34=3 43=Y\nB 35=8 34=4 43=Y\nA 35=2 34=3 7=5 16=7\n"
        "B 35=4 34=5 123=Y 43=Y 36=8"
    )
    assert causes(text, Kind.ASKED, Kind.LOST, Kind.ANSWERED, Kind.CLOSED) == [
        (3, "ASKED", "THEM", 2, "due"),
        (6, "ANSWERED", "THEM", 2, ""),
        (7, "ASKED", "THEM", 5, "due"),
        (8, "ANSWERED", "THEM", 5, ""),
        (8, "CLOSED", "THEM", 2, ""),
    ]


def test_rrq_01_a_request_that_begins_too_late_loses_what_is_before_it() -> None:
    text = UP + "B 35=8 34=5\nA 35=2 34=2 7=3 16=0"
    assert causes(text, Kind.ASKED, Kind.LOST) == [
        (3, "ASKED", "THEM", 3, "above"),
        (3, "LOST", "THEM", 2, "asked_above"),
    ]
