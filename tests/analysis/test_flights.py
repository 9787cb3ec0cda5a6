from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from fixlab.analysis import flights
from fixlab.errors import SchemaError
from fixlab.frames import FLIGHTS, TRANSITIONS, check, empty
from fixlab.session.transitions import Transition
from tests.analysis.recorded import ACTIVE, BUY, DOWN, SELL, T0, at, frame_of, row


def sent(ms: float, seq: int, msg_type: str = "D", **more: Any) -> Transition:
    """BUY sends; each in a step of its own."""
    return row(BUY, ms, "SENT", msg_type, seq, step=round(ms * 10), **more)


def came(
    ms: float, seq: int, msg_type: str = "D", kind: str = "ACCEPTED", **more: Any
) -> Transition:
    """SELL receives; each in a step of its own."""
    return row(SELL, ms, kind, msg_type, seq, step=round(ms * 10), **more)


def down(session: str, ms: float) -> Transition:
    return row(session, ms, "STATE", step=round(ms * 10), state_before=ACTIVE, state=DOWN)


def told(*rows: Transition) -> list[tuple[Any, ...]]:
    """Number, ms of departure and arrival, and fate of each flight."""
    frame = check(flights(frame_of(rows)), FLIGHTS)
    return [
        (r.msg_seq_num, _ms(r.sent), _ms(r.arrived), r.fate)
        for r in frame.itertuples(index=False)
    ]


def _ms(time: Any) -> float | None:
    return None if time is pd.NaT else (time.value - T0) / 1e6


def test_a_message_that_arrives() -> None:
    rows = [sent(1, 2, text="mine"), came(21, 2, gap=3)]
    found = check(flights(frame_of(rows)), FLIGHTS)
    assert found.astype(object).to_dict("records") == [
        {
            "sender": BUY,
            "receiver": SELL,
            "sent": at(1),
            "arrived": at(21),
            "msg_type": "D",
            "msg_seq_num": 2,
            "poss_dup": False,
            "kind": "SENT",
            "fate": "ACCEPTED",
            "begin_seq_no": None,
            "end_seq_no": None,
            "gap": 3,
            "text": "mine",
        }
    ]


def test_what_is_passed_over_is_lost() -> None:
    assert told(sent(1, 2), sent(2, 3), came(22, 3)) == [
        (2, 1, None, "LOST"),
        (3, 2, 22, "ACCEPTED"),
    ]


def test_what_is_under_way_has_no_fate_yet() -> None:
    assert told(sent(1, 2), came(21, 2), sent(22, 3)) == [
        (2, 1, 21, "ACCEPTED"),
        (3, 22, None, ""),
    ]


def test_what_is_under_way_when_the_connection_ends_is_lost() -> None:
    rows = [sent(1, 2), came(21, 2), sent(22, 3), down(BUY, 30), sent(40, 4)]
    assert told(*rows) == [
        (2, 1, 21, "ACCEPTED"),
        (3, 22, None, "LOST"),
        (4, 40, None, ""),
    ]


def test_bytes_may_arrive_after_their_sender_has_closed() -> None:
    rows = [sent(1, 2, "5"), down(BUY, 2), came(21, 2, "5"), down(SELL, 22)]
    assert told(*rows) == [(2, 1, 21, "ACCEPTED")]


def test_bytes_do_not_outlive_their_connection() -> None:
    """Two Logons with number 1: the first one was lost with its connection."""
    rows = [sent(1, 1, "A"), down(BUY, 2), down(SELL, 3), sent(10, 1, "A"), came(30, 1, "A")]
    assert told(*rows) == [(1, 1, None, "LOST"), (1, 10, 30, "ACCEPTED")]


def test_a_replay_is_told_from_the_original_by_poss_dup() -> None:
    rows = [
        sent(1, 2),
        sent(2, 3),
        came(22, 3, kind="HELD", begin=2, end=2, gap=1),
        row(BUY, 40, "RESENT", "D", 2, step=99, dup=True),
        came(60, 2, dup=True, gap=1),
    ]
    found = flights(frame_of(rows))
    assert found["kind"].tolist() == ["SENT", "SENT", "RESENT"]
    assert found["fate"].tolist() == ["LOST", "HELD", "ACCEPTED"]
    assert found["begin_seq_no"].isna().all(), "the range of a held message is its gap's"


def test_a_gap_fill_carries_its_range() -> None:
    rows = [
        row(BUY, 1, "FILL_SENT", "4", 2, step=1, dup=True, begin=2, end=4),
        came(21, 2, "4", "GAP_FILLED", dup=True, begin=2, end=4, gap=1),
    ]
    for chosen in (rows, rows[:1], rows[1:]):
        found = flights(frame_of(chosen))
        assert (found["begin_seq_no"][0], found["end_seq_no"][0]) == (2, 4)


def test_only_the_first_row_of_a_step_is_an_arrival() -> None:
    rows = [
        sent(1, 2),
        came(21, 2, dup=False),
        row(SELL, 21, "ACCEPTED", "D", 3, step=210, text="released"),
        row(SELL, 21, "REJECTED", "D", 3, step=210),
    ]
    assert told(*rows) == [(2, 1, 21, "ACCEPTED")]


@pytest.mark.parametrize(
    "kind",
    ["ACCEPTED", "HELD", "GAP_FILLED", "DUPLICATE", "TOO_LOW", "RESET_IN", "RESET_BOTH",
     "GARBLED", "REJECTED", "IGNORED"],
)  # fmt: skip
def test_each_decision_on_a_message_is_a_fate(kind: str) -> None:
    assert told(sent(1, 2), came(21, 2, kind=kind)) == [(2, 1, 21, kind)]


@pytest.mark.parametrize("kind", ["STATE", "GAP_OPENED", "TIMED_OUT", "PROBED", "SKIPPED"])
def test_other_decisions_are_not(kind: str) -> None:
    assert told(sent(1, 2), came(21, 2, kind=kind)) == [(2, 1, None, "")]


def test_a_row_without_number_is_no_arrival() -> None:
    rows = [sent(1, 2), row(SELL, 21, "GARBLED", step=1), came(22, 2)]
    assert told(*rows) == [(2, 1, 22, "ACCEPTED")]


def test_only_the_sender_is_known() -> None:
    found = flights(frame_of([sent(1, 2), sent(2, 3), down(BUY, 3)]))
    assert found["fate"].tolist() == ["", ""]
    assert found["receiver"].tolist() == [SELL, SELL]
    assert found["arrived"].isna().all()


def test_only_the_receiver_is_known() -> None:
    found = flights(frame_of([came(21, 2, text="mine")]))
    assert (found["sender"][0], found["receiver"][0]) == (BUY, SELL)
    assert (found["kind"][0], found["fate"][0], found["text"][0]) == ("", "ACCEPTED", "mine")
    assert found["sent"].isna().all()


def test_an_arrival_that_nobody_sent_stands_alone() -> None:
    assert told(sent(1, 2), came(20, 7), came(21, 2)) == [
        (2, 1, 21, "ACCEPTED"),
        (7, None, 20, "ACCEPTED"),
    ]


def test_nothing_arrives_before_it_left() -> None:
    assert told(came(1, 2), sent(5, 2)) == [(2, None, 1, "ACCEPTED"), (2, 5, None, "")]


def test_two_recordings_one_behind_the_other_are_brought_together() -> None:
    buy = [sent(1, 2), sent(30, 3)]
    sell = [came(21, 2), came(50, 3), row(SELL, 51, "SENT", "8", 2, step=511)]
    assert told(*buy, *sell) == [
        (2, 1, 21, "ACCEPTED"),
        (3, 30, 50, "ACCEPTED"),
        (2, 51, None, ""),
    ]


def test_both_directions_keep_apart() -> None:
    rows = [
        sent(1, 2),
        row(SELL, 1, "SENT", "D", 2, step=1),
        came(21, 2),
        row(BUY, 22, "ACCEPTED", "D", 2, step=220),
    ]
    found = flights(frame_of(rows))
    assert found["sender"].tolist() == [BUY, SELL]
    assert found["arrived"].tolist() == [at(21), at(22)]


def test_a_comp_id_may_look_like_an_arrow() -> None:
    one, other = "FIX.4.4:A->B->C", "FIX.4.4:C->A->B"
    rows = [row(one, 1, "SENT", "D", 2, step=1), row(other, 2, "ACCEPTED", "D", 2, step=1)]
    found = flights(frame_of(rows))
    assert found[["sender", "receiver", "fate"]].values.tolist() == [[one, other, "ACCEPTED"]]


def test_sessions_of_other_names_do_not_meet() -> None:
    rows = [sent(1, 2), row("FIX.4.2:SELL->BUY", 2, "ACCEPTED", "D", 2, step=1)]
    assert [fate for *_, fate in told(*rows)] == ["", "ACCEPTED"]


def test_an_empty_frame_gives_none() -> None:
    assert_frame_equal(flights(empty(TRANSITIONS)), empty(FLIGHTS))


def test_another_frame_is_refused() -> None:
    with pytest.raises(SchemaError, match="frame transitions: column time"):
        flights(pd.DataFrame({"x": [1]}))


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(min_value=1, max_value=3), st.booleans(), st.booleans()),
        max_size=30,
    ),
    st.integers(min_value=0, max_value=12),
)
def test_a_link_that_loses_is_seen_through(
    messages: list[tuple[int, bool, bool]], delay: int
) -> None:
    """Distinct numbers: exactly what was lost is missing, and each finds its own arrival.

    Each message is (pause before it, PossDupFlag, lost).
    """
    rows: list[Transition] = []
    expected = []
    time = 0
    for seq, (pause, dup, lost) in enumerate(messages, start=1):
        time += pause
        rows.append(sent(time, seq, dup=dup))
        if not lost:
            rows.append(came(time + delay, seq, dup=dup))
        expected.append((seq, time, None if lost else time + delay))
    rows.sort(key=lambda r: r.time)
    assert [(seq, left, got) for seq, left, got, _ in told(*rows)] == expected


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 3), st.booleans(), st.booleans()), max_size=25))
def test_flights_never_overtake_and_use_each_row_once(
    events: list[tuple[int, bool, bool]],
) -> None:
    """Anything sent and received, numbers repeated: (number, PossDupFlag, sent or received)."""
    rows = [
        (sent if out else came)(ms, seq, dup=dup)
        for ms, (seq, dup, out) in enumerate(events, start=1)
    ]
    found = flights(frame_of(rows))
    assert found["sent"].notna().sum() == sum(out for *_, out in events)
    assert found["arrived"].notna().sum() == sum(not out for *_, out in events)
    both = found.dropna(subset=["sent", "arrived"])
    assert (both["sent"] < both["arrived"]).all()
    assert both["arrived"].is_monotonic_increasing
    lost = found.index[found["fate"] == "LOST"]
    last = both.index.max() if len(both) else -1
    assert (lost < last).all()
