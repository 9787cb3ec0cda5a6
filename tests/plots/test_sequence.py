from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from fixlab.analysis import gaps
from fixlab.errors import ConfigError, SchemaError
from fixlab.plots import sequence, style
from fixlab.session.transitions import TransitionKind
from tests.plots.stories import (
    BUY,
    MS,
    SELL,
    START,
    Scribe,
    cut_and_filled,
    log_on,
    log_out,
    long_frame,
    lost_and_recovered,
    resets,
    to_frame,
)


def artist(ax: Axes, label: str) -> Any:
    found = [each for each in (*ax.lines, *ax.collections) if str(each.get_label()) == label]
    assert len(found) == 1, f"{label}: {len(found)} artists"
    return found[0]


def labels(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    assert legend is not None
    return [text.get_text() for text in legend.get_texts()]


def points(ax: Axes, label: str) -> list[tuple[float, float]]:
    x, y = artist(ax, label).get_data()
    return list(zip(np.round(x, 4).tolist(), np.asarray(y, dtype=float).tolist(), strict=True))


def assert_texts_apart(figure: Figure) -> None:
    """Every text of the figure lies within it and touches no other."""
    figure.draw_without_rendering()
    (ax,) = figure.axes
    legend = ax.get_legend()
    texts = [ax.xaxis.label, ax.yaxis.label, *(legend.get_texts() if legend else [])]
    texts += [child for child in ax.get_children() if isinstance(child, Text)]
    shown = [text for text in texts if text.get_text() and text.get_visible()]
    # An annotation's own extent has its line in it; that of the text alone is asked for.
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in shown]
    for i, (text, box) in enumerate(boxes):
        inside = box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1
        assert inside, f"{text!r} is cut off"
        met = [other for other, there in boxes[i + 1 :] if box.overlaps(there)]
        assert not met, f"{text!r} meets {met}"


def seconds(frame: pd.DataFrame) -> list[float]:
    elapsed = (frame["time"] - pd.Timestamp(START, tz="UTC")).dt.total_seconds()
    return [round(value, 3) for value in elapsed]


def test_both_stairs_are_the_columns_of_the_frame(story: pd.DataFrame) -> None:
    ax = sequence(story, session=SELL)
    own = story[story["session"] == SELL]
    for label, column in (
        ("NextNumIn: expected next", "next_in"),
        ("NextNumOut: sent next", "next_out"),
    ):
        stairs = points(ax, label)
        assert stairs[0] == (0.0, float(own[f"{column}_before"].iloc[0]))
        assert stairs[1:] == list(zip(seconds(own), own[column].astype(float), strict=True))
        assert artist(ax, label).get_drawstyle() == "steps-post"


def test_first_deliveries_are_filled_and_replayed_ones_hollow(one_gap: pd.DataFrame) -> None:
    ax = sequence(one_gap, session=SELL)
    own = one_gap[(one_gap["session"] == SELL) & (one_gap["kind"] == "ACCEPTED")]
    for label, replayed in (("accepted", False), ("accepted when replayed (PossDup)", True)):
        rows = own[own["poss_dup"] == replayed]
        assert points(ax, label) == list(
            zip(seconds(rows), rows["msg_seq_num"].astype(float), strict=True)
        )
    assert artist(ax, "accepted").get_markerfacecolor() != "none"
    assert artist(ax, "accepted when replayed (PossDup)").get_markerfacecolor() == "none"


def test_a_gap_is_shaded_from_noticed_to_closed_over_the_missing_numbers(
    one_gap: pd.DataFrame,
) -> None:
    ax = sequence(one_gap, session=SELL)
    bands = artist(ax, "gap: numbers missing")
    assert isinstance(bands, PolyCollection)
    (path,) = bands.get_paths()
    box = path.get_extents()
    assert (box.x0, box.x1) == pytest.approx((5.02, 6.02))
    assert (box.y0, box.y1) == pytest.approx((3.5, 5.5))
    assert "gap 4-5" in [text.get_text() for text in ax.texts]


def test_a_gap_fill_spans_the_numbers_that_it_stands_for(story: pd.DataFrame) -> None:
    bars = artist(sequence(story, session=SELL), "gap fill")
    assert isinstance(bars, LineCollection)
    (segment,) = bars.get_segments()
    assert np.asarray(segment) == pytest.approx(np.array([[10.5, 8.6], [10.5, 10.4]]))


def test_held_messages_and_requests_are_marked(story: pd.DataFrame) -> None:
    ax = sequence(story, session=SELL)
    assert points(ax, "held: came too early") == [(5.02, 6.0), (10.02, 10.0)]
    assert points(ax, "ResendRequest sent") == [(5.02, 4.0), (10.02, 9.0)]
    assert points(ax, "duplicate, ignored") == [(6.02, 6.0)]


def test_resets_and_lost_connections_are_labelled_lines(story: pd.DataFrame) -> None:
    ax = sequence(story, session=SELL)
    written = {text.get_text() for text in ax.texts}
    for label, text, at in (
        ("SequenceReset", "reset: next is 20", 12.02),
        ("both numbers restart", "both restart at 1", 14.02),
        ("connection lost", "connection lost", 9.01),
        ("connected again", "connected again", 10.0),
        ("logged out", "logged out", 16.04),
    ):
        (segment,) = artist(ax, label).get_segments()
        assert [float(x) for x, _ in segment] == pytest.approx([at, at])
        assert text in written


def test_what_was_rejected_garbled_or_too_low_is_marked() -> None:
    scribe = Scribe()
    log_on(scribe)
    scribe.at(5_000)
    scribe.row(SELL, "REJECTED", msg_type="D", seq=2, next_in=3)
    scribe.row(SELL, "GARBLED")
    scribe.row(SELL, "TOO_LOW", msg_type="D", seq=1)
    ax = sequence(to_frame(scribe.rows), session=SELL)
    assert points(ax, "rejected") == [(5.0, 2.0)]
    assert points(ax, "garbled, ignored") == [(5.0, 3.0)]
    assert points(ax, "number too low") == [(5.0, 1.0)]


def test_what_the_session_sent_again_is_marked_too(story: pd.DataFrame) -> None:
    ax = sequence(story, session=BUY)
    assert points(ax, "sent again (PossDup)") == [(6.0, 4.0), (6.0, 5.0), (6.0, 6.0)]
    (segment,) = artist(ax, "gap fill sent").get_segments()
    assert [float(y) for _, y in segment] == pytest.approx([8.6, 10.4])


def test_the_legend_has_each_meaning_once_and_only_what_occurs(story: pd.DataFrame) -> None:
    everything = labels(sequence(story, session=SELL))
    assert len(everything) == len(set(everything))
    assert "gap fill" in everything
    scribe = Scribe()
    log_on(scribe)
    assert labels(sequence(to_frame(scribe.rows), session=SELL)) == [
        "NextNumIn: expected next",
        "NextNumOut: sent next",
        "accepted",
    ]


@pytest.mark.parametrize(
    ("session", "title"),
    [
        (SELL, "FIX.4.4:SELL->BUY: 2 numbers missing, recovered in 1.0 s"),
        (BUY, "FIX.4.4:BUY->SELL: no number missed"),
    ],
)
def test_the_title_says_in_words_what_happened(
    one_gap: pd.DataFrame, session: str, title: str
) -> None:
    assert sequence(one_gap, session=session).get_title(loc="left") == title


def test_an_open_gap_reaches_to_the_end_and_the_title_says_so(one_gap: pd.DataFrame) -> None:
    cut_off = one_gap[one_gap["time"] < pd.Timestamp(START + 6_010 * MS, tz="UTC")]
    ax = sequence(cut_off, session=SELL)
    assert ax.get_title(loc="left") == "FIX.4.4:SELL->BUY: 2 numbers still missing"
    (path,) = artist(ax, "gap: numbers missing").get_paths()
    own = cut_off[cut_off["session"] == SELL]
    assert path.get_extents().x1 == pytest.approx(seconds(own)[-1])


def test_without_a_session_the_one_that_had_a_gap_is_drawn(story: pd.DataFrame) -> None:
    assert sequence(story).get_title(loc="left").startswith(f"{SELL}: ")
    only = story[story["session"] == BUY]
    assert sequence(only).get_title(loc="left").startswith(f"{BUY}: ")
    healthy = story.head(6)
    first = str(healthy["session"].iloc[0])
    assert sequence(healthy).get_title(loc="left").startswith(f"{first}: ")


def test_an_unknown_session_raises_and_names_those_that_are_there(story: pd.DataFrame) -> None:
    with pytest.raises(ConfigError) as caught:
        sequence(story, session="FIX.4.2:X->Y")
    for name in ("FIX.4.2:X->Y", BUY, SELL):
        assert name in str(caught.value)


def test_another_frame_raises_and_names_the_column(story: pd.DataFrame) -> None:
    with pytest.raises(SchemaError, match="next_in"):
        sequence(story.drop(columns=["next_in"]))


def test_an_empty_frame_gives_axes_that_say_so(nothing: pd.DataFrame) -> None:
    ax = sequence(nothing)
    assert [text.get_text() for text in ax.texts] == [
        "No transitions: nothing was recorded yet"
    ]
    assert not ax.lines


def test_an_empty_frame_does_not_have_the_session_asked_for(nothing: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match="no session at all"):
        sequence(nothing, session=SELL)


def test_a_given_axes_is_drawn_into(story: pd.DataFrame) -> None:
    given_ax = Figure().add_subplot()
    assert sequence(story, ax=given_ax) is given_ax


def test_a_legend_beside_a_given_axes_leaves_room_for_labels_at_its_right_edge() -> None:
    scribe = Scribe()
    for chapter in (log_on, lost_and_recovered, log_out):
        chapter(scribe)
    ax = Figure(figsize=(10.0, 4.5), layout="constrained").add_subplot()
    sequence(to_frame(scribe.rows), session=SELL, ax=ax, legend_outside=True)
    notes = [child.get_text() for child in ax.get_children() if isinstance(child, Text)]
    assert "logged out" in notes
    figure = ax.figure
    assert isinstance(figure, Figure)
    assert_texts_apart(figure)


def test_the_label_of_a_gap_at_the_right_edge_stays_off_the_legend() -> None:
    scribe = Scribe()
    for chapter in (log_on, lost_and_recovered, cut_and_filled):
        chapter(scribe)
    rows = [row for row in scribe.rows if row.session == SELL]
    opened = [n for n, row in enumerate(rows) if row.kind == "GAP_OPENED"][-1]
    lost = rows[opened]._replace(next_out=30, next_out_before=30)
    before = [row for row in rows[:opened] if row.time < lost.time]
    rows = [*before, lost, lost._replace(kind=TransitionKind.GAP_ABANDONED)]
    ax = sequence(to_frame(rows), session=SELL)
    figure = ax.figure
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    (label,) = [
        child
        for child in ax.get_children()
        if isinstance(child, Annotation) and child.get_text() == "gap 9, abandoned"
    ]
    assert Text.get_window_extent(label).x1 <= ax.bbox.x1


def test_hostile_names_are_drawn_as_plain_text() -> None:
    scribe = Scribe()
    log_on(scribe)
    hostile = "FIX.4.4:$\\frac{a}$\x01->\u202eB"
    rows = [row._replace(session=hostile) for row in scribe.rows if row.session == SELL]
    ax = sequence(to_frame(rows))
    figure = ax.figure
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    title = ax.get_title(loc="left")
    assert title.startswith("FIX.4.4:\\$\\frac{a}\\$\\x01->\\u202eB: ")


@settings(max_examples=15, deadline=None)
@given(lost=st.lists(st.integers(2, 20_000), min_size=1, max_size=40, unique=True))
def test_no_gap_edge_is_lost_however_long_the_frame(lost: list[int]) -> None:
    frame = long_frame(20_000, lost)
    ax = sequence(frame)
    expected = gaps(frame)
    stairs = points(ax, "NextNumIn: expected next")
    assert len(stairs) < len(frame) / 2
    drawn = set(stairs)
    bands = artist(ax, "gap: numbers missing").get_paths()
    assert len(bands) == len(expected)
    noticed, closed = (
        (expected[name] - pd.Timestamp(START, tz="UTC")).dt.total_seconds().tolist()
        for name in ("noticed", "closed")
    )
    begins, ends = (expected[name].tolist() for name in ("begin_seq_no", "end_seq_no"))
    boxes = [path.get_extents() for path in bands]
    assert [box.x0 for box in boxes] == pytest.approx(noticed)
    assert [box.x1 for box in boxes] == pytest.approx(closed)
    assert {(round(x, 4), float(y)) for x, y in zip(noticed, begins, strict=True)} <= drawn
    assert {(round(x, 4), y + 1.0) for x, y in zip(closed, ends, strict=True)} <= drawn


def test_very_many_gaps_are_merged_but_cover_the_same_span() -> None:
    lost = range(2, 12_000, 4)
    ax = sequence(long_frame(12_000, lost))
    bands = artist(ax, "gap: numbers missing").get_paths()
    assert len(bands) <= 1_500
    boxes = [path.get_extents() for path in bands]
    assert min(box.y0 for box in boxes) == 1.5
    assert max(box.y1 for box in boxes) == lost[-1] + 0.5


def test_gaps_of_a_session_made_anew_are_shaded_apart() -> None:
    """Its steps and gaps count from the beginning again, in the same journal."""
    scribe = Scribe()
    log_on(scribe)
    lost_and_recovered(scribe)
    hour = 3_600_000 * MS
    again = [row._replace(time=row.time + hour) for row in scribe.rows]
    frame = to_frame([*scribe.rows, *again])
    for shown in (frame, frame[frame["session"] == SELL]):
        ax = sequence(shown, session=SELL)
        assert len(artist(ax, "gap: numbers missing").get_paths()) == 2
        assert "in 2 gaps" in ax.get_title(loc="left") + ax.get_title()


def test_a_long_frame_has_the_time_of_day(story: pd.DataFrame) -> None:
    ax = sequence(long_frame(200_000, [7]))
    assert ax.get_xlabel() == "time of day, UTC, from 2026-01-05"


def test_no_text_of_the_figure_overlaps_or_is_cut_off() -> None:
    scribe = Scribe()
    for chapter in (log_on, lost_and_recovered, cut_and_filled, resets):
        chapter(scribe)
    ax = sequence(to_frame(scribe.rows), session=SELL)
    figure = ax.figure
    assert isinstance(figure, Figure)
    assert_texts_apart(figure)


_STORED = (
    "warning: a rule was broken",
    "stored, to be sent later",
    "dropped: will never be sent",
)


def test_a_warning_has_a_hollow_mark_at_its_number(stored: pd.DataFrame) -> None:
    ax = sequence(stored, session=SELL)
    assert points(ax, _STORED[0]) == [(1.02, 2.0)]
    mark = artist(ax, _STORED[0])
    assert (mark.get_markerfacecolor(), mark.get_markeredgecolor()) == ("none", style.ERROR)
    assert points(ax, "accepted")[-1] == (1.02, 2.0)


def test_stored_messages_are_marked_and_those_that_never_leave_have_a_bar(
    stored: pd.DataFrame,
) -> None:
    ax = sequence(stored, session=BUY)
    assert points(ax, _STORED[1]) == [(3.0, 3.0), (4.0, 4.0), (5.0, 5.0), (7.0, 7.0)]
    assert artist(ax, _STORED[1]).get_markeredgecolor() == style.HELD
    bars = artist(ax, _STORED[2])
    assert isinstance(bars, LineCollection)
    drawn = [np.asarray(segment).tolist() for segment in bars.get_segments()]
    assert np.round(drawn, 4).tolist() == [
        [[6.0, 3.6], [6.0, 5.4]],
        [[8.0, 6.6], [8.0, 7.4]],
    ]


@pytest.mark.parametrize(
    ("session", "expected"), [(SELL, {_STORED[0]}), (BUY, set(_STORED[1:]))]
)
def test_the_legend_names_only_what_is_there(
    stored: pd.DataFrame, session: str, expected: set[str]
) -> None:
    ax = sequence(stored, session=session)
    assert set(labels(ax)) & set(_STORED) == expected
    figure = ax.figure
    assert isinstance(figure, Figure)
    assert_texts_apart(figure)


def test_a_story_without_stored_messages_says_nothing_of_them(story: pd.DataFrame) -> None:
    for session in (BUY, SELL):
        assert not set(labels(sequence(story, session=session))) & set(_STORED)
