from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from fixlab import journal as module
from fixlab.errors import ConfigError
from fixlab.frames import TRANSITIONS, check
from fixlab.journal import BLOCK_ROWS, STRING_MAX, Journal
from fixlab.session.transitions import SessionState, Transition, TransitionKind

T0 = 1_767_603_600_000_000_000  # 2026-01-05 09:00:00 UTC
INT64_MAX = 2**63 - 1


def row(step: int = 0, **changes: object) -> Transition:
    """An order accepted in sequence, unless the changes say otherwise."""
    plain = Transition(
        time=T0 + step,
        session="FIX.4.4:A->B",
        step=step,
        kind=TransitionKind.ACCEPTED,
        state_before=SessionState.ACTIVE,
        state=SessionState.ACTIVE,
        next_in_before=step + 1,
        next_in=step + 2,
        next_out_before=1,
        next_out=1,
        msg_type="D",
        msg_seq_num=step + 1,
        poss_dup=False,
        begin_seq_no=None,
        end_seq_no=None,
        gap=None,
        rule="SEQ-02",
        text="",
    )
    return plain._replace(**changes)  # type: ignore[arg-type]


def read_back(frame: pd.DataFrame) -> list[Transition]:
    """The frame's rows as transitions."""
    times = frame["time"].to_numpy("datetime64[ns]").view(np.int64).tolist()
    plain = frame.drop(columns="time").astype(object)
    plain = plain.where(plain.notna(), None)
    return [
        Transition(time, *values)
        for time, values in zip(times, plain.itertuples(index=False, name=None), strict=True)
    ]


_int64 = st.integers(min_value=-(2**62), max_value=2**62)
_maybe = st.none() | _int64
_short = st.text(alphabet="AB0x<\x01é", max_size=3)
_rows = st.builds(
    Transition,
    time=st.integers(min_value=0, max_value=2**62),
    session=_short,
    step=_int64,
    kind=st.sampled_from(TransitionKind),
    state_before=st.sampled_from(SessionState),
    state=st.sampled_from(SessionState),
    next_in_before=_int64,
    next_in=_int64,
    next_out_before=_int64,
    next_out=_int64,
    msg_type=_short,
    msg_seq_num=_maybe,
    poss_dup=st.booleans(),
    begin_seq_no=_maybe,
    end_seq_no=_maybe,
    gap=_maybe,
    rule=_short,
    text=_short,
)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(_rows, max_size=20),
    block_rows=st.integers(min_value=1, max_value=7),
    rows_max=st.none() | st.integers(min_value=1, max_value=12),
    cuts=st.lists(st.integers(min_value=0, max_value=20), max_size=3),
    n=st.integers(min_value=0, max_value=25),
)
def test_what_goes_in_comes_out(
    rows: list[Transition], block_rows: int, rows_max: int | None, cuts: list[int], n: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_ROWS", block_rows)
        journal = Journal(rows_max=rows_max)
    for start, end in pairwise(sorted([0, *cuts, 20])):
        journal.extend(rows[start:end])
        seen = rows[:end]
        kept = seen if rows_max is None else seen[-rows_max:]
        assert len(journal) == len(kept)
        assert journal.dropped == len(seen) - len(kept)
        frame = check(journal.to_frame(), TRANSITIONS)
        assert read_back(frame) == kept
        assert read_back(journal.tail(n)) == kept[len(kept) - min(n, len(kept)) :]
        for name in ("session", "msg_type", "rule"):
            expected = sorted({getattr(transition, name) for transition in kept})
            assert frame[name].cat.categories.tolist() == expected


def test_append_and_extend_give_the_same_frame() -> None:
    rows = [row(step) for step in range(BLOCK_ROWS + 10)]
    one, other = Journal(), Journal()
    for transition in rows:
        one.append(transition)
    other.extend(iter(rows))
    assert_frame_equal(one.to_frame(), other.to_frame())


def test_an_empty_journal_gives_an_empty_frame() -> None:
    frame = check(Journal().to_frame(), TRANSITIONS)
    assert (len(frame), list(frame.columns)) == (0, TRANSITIONS.names)


def test_equal_runs_give_equal_frames_whatever_came_first() -> None:
    """Codes depend on the order of arrival inside a block, categories never do."""
    rows = [row(0, msg_type="Z"), row(1, msg_type="A"), row(2, msg_type="Z")]
    together, apart = Journal(), Journal()
    together.extend(rows)
    for transition in rows:
        apart.append(transition)
    assert together.to_frame()["msg_type"].cat.categories.tolist() == ["A", "Z"]
    assert_frame_equal(together.to_frame(), apart.to_frame())


def test_a_frame_is_the_callers_own() -> None:
    journal = Journal()
    journal.extend([row(step) for step in range(BLOCK_ROWS + 1)])
    frame = journal.to_frame()
    frame.loc[0, "next_in"] = 99
    frame.loc[0, "text"] = "changed"
    frame.loc[BLOCK_ROWS, "next_in"] = 99
    again = journal.to_frame()
    assert (again["next_in"][0], again["text"][0]) == (2, "")
    assert again["next_in"][BLOCK_ROWS] == BLOCK_ROWS + 2


def test_an_earlier_frame_does_not_grow() -> None:
    journal = Journal()
    journal.append(row(0))
    frame = journal.to_frame()
    journal.append(row(1))
    assert (len(frame), len(journal.to_frame())) == (1, 2)


@pytest.mark.parametrize("value", [2**63, 10**30])
def test_seq_16_numbers_beyond_int64_are_clipped(value: int) -> None:
    journal = Journal()
    journal.append(row(0, msg_seq_num=value, begin_seq_no=-value, end_seq_no=value, gap=None))
    journal.append(row(1, next_in=value))
    frame = journal.to_frame()
    assert frame["msg_seq_num"].tolist() == [INT64_MAX, 2]
    assert frame["end_seq_no"][0] == INT64_MAX
    assert frame["next_in"][1] == INT64_MAX


def test_long_strings_are_cut() -> None:
    journal = Journal()
    journal.append(row(0, text="x" * 10**6, msg_type="y" * 10**6, session="z" * 10**6))
    frame = journal.to_frame()
    assert frame["text"][0] == "x" * (STRING_MAX - 1) + "…"
    assert [len(frame[name][0]) for name in ("msg_type", "session")] == [STRING_MAX] * 2


def test_a_bounded_journal_forgets_what_a_hostile_peer_made_up() -> None:
    journal = Journal(rows_max=10)
    for step in range(1000):
        journal.append(row(step, msg_type=f"U{step}", text=f"text {step}"))
    frame = journal.to_frame()
    assert (len(frame), journal.dropped) == (10, 990)
    assert frame["msg_type"].cat.categories.tolist() == [f"U{n}" for n in range(990, 1000)]
    assert sum(len(block) for block in journal._blocks) <= 2 * 10


def test_lgn_26_a_secret_within_a_text_is_masked() -> None:
    journal = Journal()
    journal.append(row(0, text="garbled: 35=A\x01553=me\x01554=hunter2\x0110=000\x01"))
    assert "hunter2" not in journal.to_frame()["text"][0]
    assert "553=me" in journal.to_frame()["text"][0]


@pytest.mark.parametrize("rows_max", [0, -1])
def test_a_bound_below_1_is_refused(rows_max: int) -> None:
    with pytest.raises(ConfigError, match=f"None or at least 1, found {rows_max}"):
        Journal(rows_max=rows_max)


def test_a_negative_tail_is_refused() -> None:
    with pytest.raises(ConfigError, match="n must be at least 0, found -1"):
        Journal().tail(-1)


def test_tail_keeps_the_row_labels_of_the_whole_frame() -> None:
    journal = Journal()
    journal.extend([row(step) for step in range(30)])
    assert_frame_equal(journal.tail(4).drop(columns="text"), journal.to_frame().iloc[-4:, :-1])


def test_an_empty_journal_is_still_true() -> None:
    assert Journal()


def test_repr_is_short_and_reports_what_was_dropped() -> None:
    journal = Journal(rows_max=2)
    journal.extend([row(step) for step in range(5)])
    assert repr(journal) == "Journal(2 rows, 3 dropped, rows_max=2)"
    assert repr(Journal()) == "Journal(0 rows)"


def test_html_shows_the_tail_and_escapes_wire_text() -> None:
    journal = Journal()
    journal.extend([row(step, text="<b>\u202ehi</b>", msg_type="<D>") for step in range(30)])
    page = journal._repr_html_()
    assert page.count("<tr>") == 1 + 10
    assert "&lt;b&gt;\\u202ehi&lt;/b&gt;" in page
    assert "<b>" not in page
    assert "&lt;D&gt;" in page
    assert "Journal(30 rows); the last 10:" in page
