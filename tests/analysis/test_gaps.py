from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from fixlab.analysis import gaps
from fixlab.errors import SchemaError
from fixlab.frames import GAPS, TRANSITIONS, check, empty
from fixlab.session.transitions import SessionState, Transition
from tests.analysis.recorded import BUY, MS, SELL, T0, at, frame_of, row


def opened(
    session: str = SELL, gap: int = 1, begin: int = 4, end: int = 5, step: int = 7
) -> list[Transition]:
    """A gap noticed 10 ms after T0 and asked for 1 ms later."""
    number = end + 1
    return [
        row(session, 10, "HELD", "D", number, step=step, begin=begin, end=end, gap=gap),
        row(session, 10, "GAP_OPENED", "D", number, step=step, begin=begin, end=end, gap=gap),
        row(session, 11, "SENT", "2", 2, step=step, begin=begin, end=0, gap=gap),
        row(session, 11, "RESEND_REQUESTED", "2", 2, step=step, begin=begin, end=0, gap=gap),
    ]


def resent(*numbers: int, gap: int = 1) -> list[Transition]:
    return [
        row(SELL, 20 + n, "ACCEPTED", "D", n, step=20 + n, dup=True, gap=gap, next_in=n + 1)
        for n in numbers
    ]


def filled(begin: int, end: int, gap: int = 1) -> list[Transition]:
    return [
        row(
            SELL, 26, "GAP_FILLED", "4", begin, step=26, dup=True, begin=begin, end=end,
            gap=gap, next_in=end + 1,
        )
    ]  # fmt: skip


CLOSED = row(SELL, 30, "GAP_CLOSED", step=30, begin=4, end=5, gap=1, next_in=6)


def only(rows: Sequence[Transition]) -> dict[str, Any]:
    found = check(gaps(frame_of(rows)), GAPS)
    assert len(found) == 1
    return {str(name): value for name, value in found.iloc[0].items()}


def test_seq_05_a_gap_closed_by_resent_messages() -> None:
    assert only([*opened(), *resent(4, 5), CLOSED]) == {
        "session": SELL,
        "gap": 1,
        "begin_seq_no": 4,
        "end_seq_no": 5,
        "count": 2,
        "noticed": at(10),
        "noticed_by": 6,
        "noticed_msg_type": "D",
        "requests": 1,
        "requested": at(11),
        "closed": at(30),
        "how": "resent",
        "resent": 2,
        "filled": 0,
        "held": 1,
        "duration_ms": 20.0,
    }


def test_sqr_02_a_gap_closed_by_a_gap_fill() -> None:
    gap = only([*opened(), *filled(4, 5), CLOSED])
    assert (gap["how"], gap["resent"], gap["filled"]) == ("gap_filled", 0, 2)


def test_a_gap_closed_by_both_is_mixed() -> None:
    gap = only([*opened(), *resent(4), *filled(5, 5), CLOSED])
    assert (gap["how"], gap["resent"], gap["filled"]) == ("mixed", 1, 1)


def test_a_fill_counts_within_the_gap_only() -> None:
    assert only([*opened(), *filled(4, 900), CLOSED])["filled"] == 2


def test_a_late_original_closes_a_gap_as_well() -> None:
    late = row(SELL, 20, "ACCEPTED", "D", 4, step=8, gap=1, next_in=6)
    gap = only([*opened(begin=4, end=4), late, CLOSED])
    assert (gap["how"], gap["resent"]) == ("resent", 0)


def test_an_open_gap_has_no_end() -> None:
    gap = only([*opened(), *resent(4)])
    assert (gap["how"], gap["resent"]) == ("open", 1)
    assert gap["closed"] is pd.NaT
    assert pd.isna(gap["duration_ms"])


def test_rrq_09_a_lost_connection_abandons_a_gap_and_shows_it_again() -> None:
    lost = row(SELL, 25, "GAP_ABANDONED", step=25, begin=4, end=5, gap=1)
    again = opened(gap=2, end=7, step=26)
    found = gaps(frame_of([*opened(), *resent(4), lost, *again]))
    assert found["gap"].tolist() == [1, 2]
    assert found["how"].tolist() == ["abandoned", "open"]
    assert found["closed"].tolist() == [at(25), pd.NaT]
    assert found["count"].tolist() == [2, 4]


@pytest.mark.parametrize("kind", ["RESET_IN", "RESET_BOTH"])
def test_sqr_07_a_reset_takes_a_gap_away(kind: str) -> None:
    next_in = 9 if kind == "RESET_IN" else 1
    reset = row(SELL, 25, kind, "4", 9, step=25, gap=1, next_in=next_in)
    gap = only([*opened(), *resent(4), reset, CLOSED])
    assert (gap["how"], gap["closed"], gap["duration_ms"]) == ("reset", at(25), 15.0)


def test_sqr_07_a_reset_within_the_gap_leaves_it_open() -> None:
    reset = row(SELL, 25, "RESET_IN", "4", 9, step=9, begin=4, end=4, gap=1, next_in=5)
    assert only([*opened(), reset])["how"] == "open"
    gap = only([*opened(), reset, *resent(5), CLOSED])
    assert (gap["how"], gap["closed"]) == ("resent", at(30))


def test_a_gap_grows_while_early_messages_are_held() -> None:
    more = row(SELL, 12, "HELD", "D", 9, step=8, begin=4, end=8, gap=1)
    gap = only([*opened(), more])
    assert (gap["begin_seq_no"], gap["end_seq_no"], gap["count"]) == (4, 8, 5)
    assert (gap["held"], gap["noticed_by"]) == (2, 6)


def test_an_open_request_does_not_widen_a_gap() -> None:
    wide = row(SELL, 12, "RESEND_REQUESTED", "2", 3, step=8, begin=4, end=999_999, gap=1)
    gap = only([*opened(), wide])
    assert (gap["end_seq_no"], gap["requests"], gap["requested"]) == (5, 2, at(11))


def test_a_frame_that_begins_within_a_gap_says_what_is_known() -> None:
    gap = only([*resent(4, 5), CLOSED])
    assert gap["noticed"] is pd.NaT
    assert gap["noticed_by"] is pd.NA
    assert gap["noticed_msg_type"] == ""
    assert (gap["begin_seq_no"], gap["end_seq_no"]) == (4, 5)
    assert (gap["how"], gap["resent"]) == ("resent", 2)
    assert pd.isna(gap["duration_ms"])


def test_only_the_numbers_of_its_messages_are_left() -> None:
    gap = only(resent(4, 5))
    assert (gap["begin_seq_no"], gap["end_seq_no"], gap["how"]) == (4, 5, "open")


def test_each_session_has_gaps_of_its_own() -> None:
    found = gaps(frame_of([*opened(SELL), *opened(BUY, begin=2, end=2), *resent(4, 5), CLOSED]))
    assert found["session"].tolist() == [SELL, BUY]
    assert found["gap"].tolist() == [1, 1]
    assert found["how"].tolist() == ["resent", "open"]
    assert found["count"].tolist() == [2, 1]
    assert found["session"].cat.categories.tolist() == [BUY, SELL]


def test_a_session_made_anew_counts_its_gaps_anew() -> None:
    """A restart with the same journal: only a falling step tells its gap 1 from the first."""
    first_life = [*opened(), *resent(4, 5), CLOSED]
    between = row(SELL, 40, "STATE", step=0)  # not about a gap, so it must not be needed twice
    other = opened(BUY, begin=2, end=2, step=50)
    second_life = opened(begin=8, end=8, step=31)
    found = gaps(frame_of([*first_life, *other, between, *second_life]))
    assert found["session"].tolist() == [SELL, BUY, SELL]
    assert found["gap"].tolist() == [1, 1, 1]
    assert found["begin_seq_no"].tolist() == [4, 2, 8]
    assert found["how"].tolist() == ["resent", "open", "open"]
    assert found["requests"].tolist() == [1, 1, 1]


def test_a_frame_without_gaps_gives_none() -> None:
    plain = frame_of([row(SELL, 1, "ACCEPTED", "D", 2, step=1)])
    for frame in (plain, empty(TRANSITIONS)):
        assert_frame_equal(gaps(frame), empty(GAPS))


def test_a_selection_of_rows_is_enough() -> None:
    before, after = (
        [row(SELL, n, "ACCEPTED", "0", n, step=step) for n in range(1, 5)] for step in (3, 8)
    )
    frame = frame_of([*before, *opened(), *after, *resent(4, 5), CLOSED])
    assert_frame_equal(gaps(frame), gaps(frame[frame["gap"].notna()]))


def test_another_frame_is_refused() -> None:
    with pytest.raises(SchemaError, match="frame transitions: column time"):
        gaps(pd.DataFrame({"x": [1]}))


def test_numbers_at_the_edge_of_int64_do_not_break_it() -> None:
    gap = only(opened(begin=4, end=10**30))
    assert (gap["begin_seq_no"], gap["end_seq_no"]) == (4, 2**63 - 1)


_KINDS = [
    "GAP_OPENED", "HELD", "RESEND_REQUESTED", "ACCEPTED", "GAP_FILLED", "GAP_CLOSED",
    "GAP_ABANDONED", "RESET_IN", "RESET_BOTH",
]  # fmt: skip
_number = st.integers(min_value=1, max_value=9)


@st.composite
def _gap_row(draw: st.DrawFn) -> Transition:
    begin = draw(_number)
    return row(
        draw(st.sampled_from([BUY, SELL])),
        draw(st.integers(min_value=0, max_value=50)),
        draw(st.sampled_from(_KINDS)),
        draw(st.sampled_from(["D", "8", ""])),
        draw(_number),
        step=draw(st.integers(min_value=1, max_value=3)),
        dup=draw(st.booleans()),
        begin=begin,
        end=begin + draw(_number),
        gap=draw(st.integers(min_value=1, max_value=3)),
        next_in=draw(_number),
        state=draw(st.sampled_from(SessionState)),
    )


def _one_by_one(rows: list[Transition]) -> list[tuple[Any, ...]]:
    """The same by a plain loop."""
    found: dict[tuple[str, int, int | None], list[Transition]] = {}
    life, last_step = {BUY: 0, SELL: 0}, {BUY: 0, SELL: 0}
    for r in rows:
        life[r.session] += r.step < last_step[r.session]
        last_step[r.session] = r.step
        found.setdefault((r.session, life[r.session], r.gap), []).append(r)
    return [_one_gap(session, gap, group) for (session, _, gap), group in found.items()]


def _one_gap(session: str, gap: int | None, rows: list[Transition]) -> tuple[Any, ...]:
    telling = [r for r in rows if r.kind in ("GAP_OPENED", "HELD")] or rows
    begin = min(r.begin_seq_no or 0 for r in telling)
    end = max(r.end_seq_no or 0 for r in telling)
    resets = [
        r for r in rows if r.kind == "RESET_BOTH" or (r.kind == "RESET_IN" and r.next_in > end)
    ]
    abandoned = [r for r in rows if r.kind == "GAP_ABANDONED"]
    ends = [r for r in rows if r.kind in ("GAP_CLOSED", "GAP_ABANDONED") or r in resets]
    opened_by = next((r for r in rows if r.kind == "GAP_OPENED"), None)
    came = sum(r.kind == "ACCEPTED" and r.poss_dup for r in rows)
    covered = 0
    for r in rows:
        if r.kind == "GAP_FILLED":
            high = min(r.end_seq_no or 0, end)
            covered += max(0, high - max(r.begin_seq_no or 0, begin) + 1)
    if not ends:
        how = "open"
    elif resets or abandoned:
        how = "reset" if resets else "abandoned"
    elif covered:
        how = "mixed" if came else "gap_filled"
    else:
        how = "resent"
    asked = [r.time for r in rows if r.kind == "RESEND_REQUESTED"]
    return (
        session, gap, begin, end, opened_by.time if opened_by else None,
        opened_by.msg_type if opened_by else "", len(asked), asked[0] if asked else None,
        ends[0].time if ends else None, how, came, covered,
    )  # fmt: skip


@settings(deadline=None)
@given(st.lists(_gap_row(), max_size=25))
def test_equals_a_plain_loop(rows: list[Transition]) -> None:
    found = gaps(frame_of(rows))
    times = {name: found[name].astype(object).where(found[name].notna(), None) for name in
             ("noticed", "requested", "closed")}  # fmt: skip
    seen = list(
        zip(
            found["session"], found["gap"], found["begin_seq_no"], found["end_seq_no"],
            *(
                [None if t is None else t.value for t in times["noticed"]],
                found["noticed_msg_type"], found["requests"],
                [None if t is None else t.value for t in times["requested"]],
                [None if t is None else t.value for t in times["closed"]],
            ),
            found["how"], found["resent"], found["filled"],
            strict=True,
        )
    )  # fmt: skip
    assert seen == _one_by_one(rows)
    assert all((t - T0) % MS == 0 for t in found["noticed"].dropna().astype("int64"))
