from __future__ import annotations

from itertools import pairwise

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import pyplot
from matplotlib.colors import to_rgb

from fixlab.plots import style
from tests.plots.stories import MS, START


def luminance(color: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in to_rgb(color)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
@pytest.mark.parametrize(
    "name", ["IN", "OUT", "MISSING", "AGAIN", "FILL", "HELD", "ERROR", "RESET", "CUT"]
)
def test_every_meaning_is_legible_on_a_white_and_on_a_dark_page(name: str, page: str) -> None:
    assert contrast(getattr(style, name), page) >= 3.0


@pytest.mark.parametrize("page", ["#ffffff", "#111111"])
def test_text_has_more_contrast(page: str) -> None:
    assert contrast(style.INK, page) >= 4.2
    assert contrast(style.INK_Y, page) >= 3.9


def test_text_from_the_wire_is_no_formula_and_no_control_character() -> None:
    assert style.plain("$x^2$\x01\u202e") == "\\$x^2\\$\\x01\\u202e"


def test_new_axes_leave_the_current_figure_of_pyplot_alone() -> None:
    mine = pyplot.figure()
    before = pyplot.get_fignums()
    ax = style.new_axes(10.0, 4.5)
    assert pyplot.gcf() is mine
    assert pyplot.get_fignums() == before
    assert ax.figure is not mine
    pyplot.close(mine)


def test_where_a_window_or_notebook_waits_pyplot_knows_the_figure_but_keeps_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mine = pyplot.figure()
    monkeypatch.setattr(matplotlib, "get_backend", lambda **_: "inline")
    ax = style.new_axes(10.0, 4.5)
    known = [pyplot.figure(number) for number in pyplot.get_fignums()]
    pyplot.figure(mine)
    try:
        assert ax.figure in known
        assert known == [mine, ax.figure]
    finally:
        pyplot.close("all")


def test_the_figure_has_no_ground_of_its_own() -> None:
    figure = style.new_axes(10.0, 4.5).figure
    assert figure is not None
    assert figure.patch.get_alpha() == 0.0


def test_notebooks_see_no_reason_to_put_a_sheet_behind_it() -> None:
    ax = style.new_axes(10.0, 4.5)
    style.dress(ax)
    # How notebooks tell: a transparent figure whose tick labels are all dark, or all light.
    labels = [*ax.get_xticklabels(), *ax.get_yticklabels()]
    light = {
        float(np.dot((0.299, 0.587, 0.114), to_rgb(label.get_color()))) > 0.5
        for label in labels
    }
    assert light == {True, False}


@pytest.mark.parametrize(
    ("span_ns", "label"),
    [
        (10_000 * MS, "seconds since 2026-01-05 09:00:00 UTC"),
        (10 * MS, "milliseconds since 2026-01-05 09:00:00.000 UTC"),
        (MS // 100, "microseconds since 2026-01-05 09:00:00.000000 UTC"),
        (0, "seconds since 2026-01-05 09:00:00 UTC"),
        (3_600_000 * MS, "time of day, UTC, from 2026-01-05"),
    ],
)
def test_the_time_axis_says_its_unit_and_the_date_once(span_ns: int, label: str) -> None:
    assert style.time_scale(START, START + span_ns).label == label


def test_dates_are_made_from_nanoseconds() -> None:
    scale = style.time_scale(START, START + 3_600_000 * MS)
    day = np.datetime64("2026-01-05").astype("datetime64[D]").astype(int)
    assert scale.x(np.array([START])) == pytest.approx([day + 9 / 24])


@given(
    values=st.lists(st.integers(-1000, 1000), min_size=1, max_size=300),
    gaps=st.lists(st.integers(0, 5), min_size=300, max_size=300),
    buckets=st.integers(1, 12),
    data=st.data(),
)
def test_thinning_keeps_ends_extremes_and_all_that_must_stay(
    values: list[int], gaps: list[int], buckets: int, data: st.DataObject
) -> None:
    series = np.array(values, dtype=np.int64)
    times = np.cumsum(np.array(gaps[: len(values)], dtype=np.int64))
    chosen = data.draw(st.lists(st.integers(0, len(values) - 1), max_size=5))
    keep = np.array(sorted(chosen), dtype=np.intp)
    at = style.thin(times, series, buckets=buckets, keep=keep)
    assert list(at) == sorted(set(at.tolist()))
    assert {0, len(values) - 1} <= set(at.tolist())
    assert series[at].min() == series.min()
    assert series[at].max() == series.max()
    assert set(keep.tolist()) <= set(at.tolist())
    assert len(at) <= buckets * 4 + len(keep)


@given(
    values=st.lists(st.integers(-1000, 1000), min_size=41, max_size=300),
    buckets=st.integers(1, 10),
)
def test_thinning_keeps_the_extremes_of_each_bucket(values: list[int], buckets: int) -> None:
    series = np.array(values, dtype=np.int64)
    times = np.arange(len(values), dtype=np.int64) * 10
    at = style.thin(times, series, buckets=buckets)
    edges = np.linspace(0, times[-1], buckets + 1).astype(np.int64)
    edges[-1] += 1
    for begin, end in pairwise(edges):
        all_of_it = series[(times >= begin) & (times < end)]
        kept = series[at][(times[at] >= begin) & (times[at] < end)]
        assert (kept.min(), kept.max()) == (all_of_it.min(), all_of_it.max())


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.00002, "20 us"), (0.04, "40 ms"), (1.0, "1.0 s"), (180.0, "3 min"), (9000.0, "2.5 h")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert style.duration_text(seconds) == text
