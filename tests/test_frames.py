from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from fixlab.analysis import gaps
from fixlab.errors import SchemaError
from fixlab.frames import (
    FLIGHTS,
    GAPS,
    MESSAGES,
    MISSING,
    SCHEMAS,
    TRANSITIONS,
    Column,
    Schema,
    build,
    category,
    check,
    empty,
    picked,
    renamed,
)
from fixlab.session.transitions import SessionState, Transition, TransitionKind
from fixlab.sim.loopback import Loopback
from fixlab.wire.message import Message

SCHEMA_IDS = list(SCHEMAS)


def test_transitions_has_the_fields_of_a_transition_in_order() -> None:
    assert tuple(TRANSITIONS.names) == Transition._fields


def test_closed_sets_carry_every_member_in_declared_order() -> None:
    assert TRANSITIONS["kind"].categories == tuple(TransitionKind)
    assert TRANSITIONS["state"].categories == tuple(SessionState)
    assert TRANSITIONS["state_before"].categories == tuple(SessionState)


@pytest.mark.parametrize("name", SCHEMA_IDS)
def test_an_empty_frame_passes_its_own_check(name: str) -> None:
    frame = empty(SCHEMAS[name])
    assert check(frame, SCHEMAS[name]) is frame
    assert list(frame.columns) == SCHEMAS[name].names
    assert len(frame) == 0


@pytest.mark.parametrize("name", SCHEMA_IDS)
def test_each_column_says_what_it_means_and_when_it_is_missing(name: str) -> None:
    for column in SCHEMAS[name].columns:
        assert column.meaning
        assert column.missing


@pytest.mark.parametrize("name", SCHEMA_IDS)
def test_each_missing_column_is_named(name: str) -> None:
    schema = SCHEMAS[name]
    for column in schema.columns:
        frame = empty(schema).drop(columns=column.name)
        expected = rf"frame {name}: column {column.name} \(.*\) is missing, found columns"
        with pytest.raises(SchemaError, match=expected):
            check(frame, schema)


@pytest.mark.parametrize("name", SCHEMA_IDS)
def test_each_column_of_another_dtype_is_named(name: str) -> None:
    schema = SCHEMAS[name]
    for column in schema.columns:
        frame = empty(schema).astype({column.name: "object"})
        with pytest.raises(SchemaError) as caught:
            check(frame, schema)
        assert str(caught.value) == (
            f"frame {name}, column {column.name}: found dtype object, expected {column.dtype}"
        )


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
def test_time_in_another_unit_is_refused(unit: str) -> None:
    frame = empty(TRANSITIONS)
    frame["time"] = frame["time"].dt.as_unit(unit)
    expected = rf"column time: found dtype datetime64\[{unit}, UTC\], expected datetime64\[ns"
    with pytest.raises(SchemaError, match=expected):
        check(frame, TRANSITIONS)


def test_other_categories_are_refused() -> None:
    frame = empty(TRANSITIONS)
    frame["state"] = frame["state"].cat.remove_categories(["ACTIVE"])
    with pytest.raises(SchemaError, match=r"column state: found categories .*expected \['DISC"):
        check(frame, TRANSITIONS)


def test_a_column_that_stands_twice_is_refused() -> None:
    frame = empty(TRANSITIONS)
    with pytest.raises(SchemaError, match="column text: expected once, found 2 times"):
        check(pd.concat([frame, frame[["text"]]], axis=1), TRANSITIONS)


def test_what_is_no_frame_is_refused() -> None:
    with pytest.raises(SchemaError, match="expected a frame of schema gaps, found list"):
        check([], GAPS)  # type: ignore[arg-type]


def test_more_columns_in_any_order_are_fine() -> None:
    frame = empty(FLIGHTS).assign(note="x")[["note", *reversed(FLIGHTS.names)]]
    assert check(frame, FLIGHTS) is frame


def test_open_sets_are_sorted_and_hold_what_occurs() -> None:
    assert list(category(["b", "a", "b"]).categories) == ["a", "b"]
    assert str(category([]).categories.dtype) == "str"


@pytest.mark.parametrize("count", [1, 2, 127, 128, 129, 256, 257, 70_000])
def test_positions_in_texts_of_any_number_name_the_same_texts(count: int) -> None:
    texts = [f"T{i % 200:03}" for i in range(count)][::-1]  # some stand there twice
    positions = np.random.default_rng(count).integers(0, count, 5_000, dtype=np.int32)
    found = renamed(positions, texts)
    assert found.tolist() == [texts[i] for i in positions]
    assert found.categories.tolist() == sorted({texts[i] for i in positions})


@pytest.mark.parametrize("count", [1, 255, 256, 257])
@pytest.mark.parametrize("dtype", [np.int8, np.int64])
def test_values_at_positions_are_those_of_an_index(count: int, dtype: type) -> None:
    values: npt.NDArray[Any] = np.arange(count).astype(dtype)[::-1]
    positions = np.random.default_rng(count).integers(0, count, 1_000)
    found = picked(values, positions)
    assert found.tolist() == values[positions].tolist()
    assert found.dtype == dtype
    found[:1] = 0  # it is not shared with anything


def test_build_turns_the_sentinel_into_missing_values() -> None:
    schema = Schema(
        name="small",
        title="a row",
        columns=(
            Column(name="time", dtype="datetime64[ns, UTC]", meaning="a time"),
            Column(name="number", dtype="Int64", meaning="a number"),
        ),
    )
    values = np.array([MISSING, 1_000_000_001])
    frame = check(build(schema, {"time": values, "number": values}), schema)
    assert frame["time"].isna().tolist() == frame["number"].isna().tolist() == [True, False]
    assert frame["time"][1] == pd.Timestamp("1970-01-01 00:00:01.000000001", tz="UTC")


def test_a_narrow_integer_is_clipped_and_may_be_missing() -> None:
    schema = Schema(
        name="small",
        title="a row",
        columns=(Column(name="number", dtype="Int32", meaning="a number"),),
    )
    frame = check(build(schema, {"number": [MISSING, 2**40, -(2**40), 7]}), schema)
    assert frame["number"].isna().tolist() == [True, False, False, False]
    assert frame["number"][1:].tolist() == [2**31 - 1, -(2**31), 7]


def test_what_has_a_frame_stands_for_it() -> None:
    class Log:
        frame = empty(MESSAGES)

    assert check(Log(), MESSAGES) is Log.frame


def test_a_schema_shows_as_a_table() -> None:
    lines = str(GAPS).splitlines()
    assert lines[0] == "gaps: one row for each gap in the numbers that a session received"
    assert lines[1].split() == ["column", "dtype", "unit", "missing", "meaning"]
    assert [line.split()[0] for line in lines[2:]] == GAPS.names
    assert "how it ended: resent gap_filled mixed reset abandoned open late lost" in str(GAPS)
    page = TRANSITIONS._repr_html_()
    assert page.count("<tr>") == 1 + len(TRANSITIONS.columns)
    assert "&quot;&quot; without a message" in page


def test_an_unknown_column_is_a_key_error_that_names_the_known() -> None:
    with pytest.raises(KeyError, match="schema gaps has no column 'nope'; it has"):
        GAPS["nope"]


def test_frames_of_two_journals_can_be_put_together() -> None:
    lab = Loopback(seed=3)
    lab.logon()
    lab.drop(sender="initiator", msg_seq_nums=[2])
    lab.initiator.send(Message("D", {11: "A"}))
    lab.initiator.send(Message("D", {11: "B"}))
    lab.run(seconds=1)
    whole = lab.journal.to_frame()
    ends = [journal_of(whole, end.id) for end in (lab.initiator, lab.acceptor)]
    both = pd.concat(ends).sort_values("time", kind="stable", ignore_index=True)
    assert str(both["session"].dtype) != "category"
    assert check(both, TRANSITIONS)["session"].dtype == "category"
    assert_frame_equal(gaps(both), gaps(whole))


def journal_of(frame: pd.DataFrame, session: str) -> pd.DataFrame:
    own = frame[frame["session"] == session].copy()
    own["session"] = own["session"].cat.remove_unused_categories()
    return own
