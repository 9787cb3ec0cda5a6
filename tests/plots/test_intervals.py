"""`plots.intervals`: how long each side was silent, against HeartBtInt(108)."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fixlab.analysis import intervals as find_intervals
from fixlab.frames import INTERVALS
from fixlab.logs.read import read_log
from fixlab.plots import intervals, style
from tests.bench.plots import silences_of
from tests.plots.figures import assert_texts_apart, at, bars, frame_of, words
from tests.tools.make_dispute_log import LOG


def silence(ended: float, seconds: float, by: str = "heartbeat", **more: Any) -> dict[str, Any]:
    """A silence of YOU that ended so long after nine."""
    times = {"began": at(ended - seconds), "ended": at(ended), "silence_seconds": seconds}
    ids = {"session": "FIX.4.4:ME->YOU", "sender": "YOU"}
    return {**ids, "ended_by": by, "heart_bt_int": 30, "connection": 1, **times, **more}


def drawn(*rows: dict[str, Any]) -> Figure:
    return intervals(frame_of(INTERVALS, rows))


def points(ax: Axes, label: str) -> list[tuple[float, float]]:
    return [
        (float(x), float(y))
        for line in ax.lines
        if line.get_label() == label
        for x, y in np.asarray(line.get_xydata(), dtype=np.float64).round(4)
    ]


DAY = [
    silence(30, 30.0),
    silence(60, 30.0),
    silence(105, 45.0, "answer", tested=at(96), answer_ms=9_000.0),
    silence(110, 5.0, "test_request"),
]


def test_a_silence_stands_where_it_ended_as_high_as_it_was_long() -> None:
    (ax,) = drawn(*DAY).axes
    assert points(ax, "Heartbeat") == [(30.0, 30.0), (60.0, 30.0)]
    assert points(ax, "Heartbeat that answers") == [(105.0, 45.0)]
    assert points(ax, "TestRequest") == [(110.0, 5.0)]


def test_what_is_promised_and_tolerated_are_lines_over_the_connection() -> None:
    (ax,) = drawn(*DAY).axes
    assert bars(ax, "HeartBtInt(108)") == [(0.0, 110.0, 30.0, style.INK)]
    assert bars(ax, "a fifth over HeartBtInt(108)") == [(0.0, 110.0, 36.0, style.MISSING)]


def test_another_heart_bt_int_is_another_stretch() -> None:
    later = [silence(200 + n, 10.0, heart_bt_int=10, connection=2) for n in (0, 10)]
    figure = drawn(*DAY, *later)
    assert [bar[2] for bar in bars(figure.axes[0], "HeartBtInt(108)")] == [30.0, 10.0]
    assert any("HeartBtInt(108) 10 s, 30 s: " in text for text in words(figure))


@pytest.mark.parametrize(("seconds", "late"), [(36.0, False), (36.001, True)])
def test_late_is_more_than_a_fifth_over(seconds: float, late: bool) -> None:
    figure = drawn(silence(100, seconds))
    (ax,) = figure.axes
    begin = 100.0 - seconds
    shown = [(round(begin, 3), 100.0, seconds, style.MISSING)] if late else []
    origin = float(np.floor(begin))
    assert bars(ax, "late from, to") == [
        (round(b - origin, 3), e - origin, y, color) for b, e, y, color in shown
    ]
    title = (
        f"YOU was silent for at most 36 s, HeartBtInt(108) 30 s: {int(late)} of 1 silence late"
    )
    assert title in words(figure)
    assert ("36 s" in [text.get_text() for text in ax.texts]) == late


def test_a_test_request_of_the_other_side_is_marked_above() -> None:
    mine = {"sender": "ME"}
    figure = drawn(*DAY[:3], silence(96, 20.0, "test_request", **mine))
    axes = {
        title.split(" ")[0]: ax for title, ax in zip(titles(figure), figure.axes, strict=True)
    }
    assert points(axes["YOU"], "a TestRequest came") == [(96.0, 0.95)]
    assert points(axes["ME"], "a TestRequest came") == []
    assert_texts_apart(figure)


def titles(figure: Figure) -> list[str]:
    return [text for text in words(figure) if " was silent " in text]


def test_the_longest_late_silences_have_their_length_beside_them() -> None:
    late = [silence(100 * n, 40.0 + n) for n in range(1, 11)]
    (ax,) = drawn(*late).axes
    assert [text.get_text() for text in ax.texts] == ["50 s", "48 s", "46 s"]


def test_a_very_long_silence_makes_the_axis_logarithmic() -> None:
    assert drawn(*DAY).axes[0].get_yscale() == "linear"
    figure = drawn(*DAY, silence(10_000, 9_000.0, "end"))
    assert figure.axes[0].get_yscale() == "log"
    assert (
        "YOU was silent for at most 2.5 h, HeartBtInt(108) 30 s: 2 of 5 silences late"
        in words(figure)
    )
    assert_texts_apart(figure)


def test_without_a_logon_there_is_nothing_to_be_late_against() -> None:
    unknown: dict[str, Any] = {"heart_bt_int": int(np.iinfo(np.int64).min)}
    figure = drawn(silence(100, 90.0, **unknown))
    assert "YOU was silent for at most 90 s; HeartBtInt(108) is not known" in words(figure)
    assert "late" not in words(figure)


def test_a_clock_that_went_back_is_drawn_below_nought() -> None:
    (ax,) = drawn(*DAY, silence(120, -3.0)).axes
    assert [y for _, y in points(ax, "Heartbeat")] == [30.0, 30.0, -3.0]
    assert ax.get_ylim()[0] < -3.0


def test_no_heartbeat_at_all_is_said_plainly() -> None:
    nothing = ["No Heartbeat and no TestRequest, and no silence near HeartBtInt(108)"]
    assert words(intervals(read_log(LOG))) == nothing
    assert words(drawn()) == nothing
    assert words(drawn({**silence(30, 30.0), "began": at(None), "ended": at(None)})) == nothing


def test_a_record_of_transitions_is_drawn(story: pd.DataFrame) -> None:
    table = find_intervals(story)
    assert (len(titles(intervals(story))) > 0) == (len(table) > 0)


def test_any_interval_that_a_logon_can_hold_is_drawn() -> None:
    for beat in (2**62, 1, 0, -5):
        long = silence(3_000_000, 2_900_000.0, heart_bt_int=beat)
        assert_texts_apart(drawn(silence(30, 30.0, heart_bt_int=beat), long))


def test_of_very_many_silences_the_extremes_stay_and_the_title_counts_all() -> None:
    table = silences_of(200_000)
    figure = intervals(table)
    (ax,) = figure.axes
    late = int((table["silence_seconds"] > 36).sum())
    assert f": {late:,} of 200,000 silences late" in titles(figure)[0]
    heights = np.concatenate([np.asarray(line.get_ydata()) for line in ax.lines])
    assert len(heights) < 20_000
    assert heights.max() == pytest.approx(table["silence_seconds"].max())
    beats = table.loc[table["ended_by"] == "heartbeat", "silence_seconds"]
    assert heights.min() == pytest.approx(min(beats.min(), table["silence_seconds"].min()))
    assert_texts_apart(figure)


def test_of_very_many_sides_those_late_most_often_are_drawn() -> None:
    rows = [
        silence(100 * n + k, 50.0, sender=f"S{n:02}", session=f"FIX.4.4:ME->S{n:02}")
        for n in range(20)
        for k in range(n + 1)
    ]
    figure = drawn(*rows)
    assert [title.split(" ")[0] for title in titles(figure)] == [f"S{n}" for n in range(14, 20)]
    assert any(text.startswith("14 more sides with 105 silences") for text in words(figure))
    assert_texts_apart(figure)
