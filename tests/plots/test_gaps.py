"""`plots.gaps`: what was missing in each direction, from when to when, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.text import Text

from fixlab.analysis import gaps as find_gaps
from fixlab.errors import SchemaError
from fixlab.frames import GAPS, HOW_CLOSED
from fixlab.logs.read import read_log
from fixlab.plots import gaps, intervals, resends, style
from tests.bench.plots import gaps_of, resends_of, silences_of
from tests.plots.figures import (
    assert_texts_apart,
    at,
    bars,
    frame_of,
    marks,
    rows_of,
    shares,
    total_of,
    words,
)
from tests.tools.make_dispute_log import LOG

ME, YOU = "FIX.4.4:ME->YOU", "FIX.4.4:YOU->ME"


def gap(begin: int, end: int, how: str, *, session: str = ME, **more: Any) -> dict[str, Any]:
    """A gap noticed at 10 s and closed at 12 s unless told otherwise."""
    values = {"noticed": at(10), "closed": at(None if how == "open" else 12), "requests": 1}
    numbers = {"begin_seq_no": begin, "end_seq_no": end, "count": end - begin + 1}
    return {"session": session, "how": how, **numbers, **values, **more}


def drawn(*rows: dict[str, Any]) -> Figure:
    return gaps(frame_of(GAPS, rows))


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (gap(3, 4, "resent", resent=2), "2 resent in 2.0 s"),
        (gap(3, 4, "gap_filled", filled=2, closed=at(10)), "2 filled at once"),
        (gap(3, 9, "mixed", resent=2, filled=1), "2 resent, 1 filled, 4 early in 2.0 s"),
        (gap(3, 3, "late"), "1 late in 2.0 s"),
        (gap(3, 4, "lost", resent=1), "1 resent, 1 lost"),
        (gap(3, 4, "lost", requests=0), "2 lost, never asked for"),
        (gap(3, 4, "open"), "2 still missing"),
        (gap(3, 4, "open", requests=0), "2 still missing, never asked for"),
        (gap(3, 4, "reset"), "2 given up by a reset"),
        (gap(3, 4, "abandoned"), "2 open when the line went"),
    ],
)
def test_each_end_of_a_gap_is_told_in_words(row: dict[str, Any], text: str) -> None:
    figure = drawn(row)
    (shown,) = rows_of(figure)
    assert shown == (
        "09:00:10.000",
        "3" if row["count"] == 1 else f"3-{row['end_seq_no']}",
        text,
    )
    assert_texts_apart(figure)


def test_a_row_is_a_bar_from_noticed_to_closed_and_shares_of_its_numbers() -> None:
    figure = drawn(
        gap(3, 6, "mixed", resent=3, filled=1),
        gap(9, 9, "lost", noticed=at(20), closed=at(25)),
        gap(12, 13, "open", noticed=at(30), resent=1),
        gap(20, 20, "resent", session=YOU, resent=1, noticed=at(40), closed=at(42)),
    )
    mine, yours = figure.axes
    assert bars(mine) == [
        (0.0, 2.0, 0.0, style.AGAIN),
        (10.0, 15.0, 1.0, style.ERROR),
        (20.0, 32.0, 2.0, style.MISSING),
    ]
    assert marks(mine, "x") == [(15.0, 1.0)]
    assert marks(mine, ">") == [(32.0, 2.0)]
    assert sorted(marks(mine, "|")) == [(0.0, 0.0), (10.0, 1.0), (20.0, 2.0)]
    assert shares(mine) == [
        (0, style.AGAIN, 0.75),
        (0, style.FILL, 0.25),
        (1, style.ERROR, 1.0),
        (2, style.AGAIN, 0.5),
        (2, style.MISSING, 0.5),
    ]
    assert bars(yours) == [(30.0, 32.0, 0.0, style.AGAIN)]
    assert "ME missed numbers of YOU: 7 numbers in 3 ranges, 2 ranges not recovered" in words(
        figure
    )
    assert "YOU missed numbers of ME: 1 number in 1 range, all resent or filled" in words(
        figure
    )
    assert "seconds since 2026-01-05 09:00:10 UTC" in words(figure)
    assert_texts_apart(figure)


def test_a_title_does_not_call_recovered_what_was_only_filled() -> None:
    title = "ME missed numbers of YOU: 2 numbers in 1 range, all resent or filled"
    assert title in words(drawn(gap(3, 4, "gap_filled", filled=2)))
    title = "ME missed numbers of YOU: 2 numbers in 1 range, all resent, filled or late"
    assert title in words(drawn(gap(3, 4, "late")))


def test_the_legend_names_what_occurs_and_nothing_else() -> None:
    legend = {"resent", "gap filled", "came early or late", "lost", "still missing"}
    assert legend & set(words(drawn(gap(3, 4, "mixed", resent=1, filled=1)))) == {
        "resent",
        "gap filled",
    }
    assert legend & set(words(drawn(gap(3, 3, "lost")))) == {"lost"}


def test_the_same_range_missed_again_and_again_is_one_row() -> None:
    again = [gap(63, 65, "mixed", resent=2, filled=1, noticed=at(n)) for n in range(5, 10)]
    figure = drawn(gap(3, 4, "resent", resent=2, noticed=at(1)), *again)
    assert [row[1] for row in rows_of(figure)] == ["3-4", "63-65 ×5"]
    assert [x for x, y in marks(figure.axes[0], "|") if y == 1] == [4, 5, 6, 7, 8]
    title = "ME missed numbers of YOU: 5 numbers in 2 ranges, some more than once, all resent"
    assert f"{title} or filled" in words(figure)


def test_a_range_that_only_begins_alike_is_another_one() -> None:
    figure = drawn(gap(3, 4, "resent", resent=2), gap(3, 7, "resent", resent=5, noticed=at(20)))
    assert [row[1] for row in rows_of(figure)] == ["3-4", "3-7"]


def test_a_long_name_leaves_room_for_what_there_is_to_say() -> None:
    long = "FIX.4.4:A-VERY-LONG-SENDER-COMP-ID-INDEED->ANOTHER-LONG-TARGET-COMP-ID-AS-WELL"
    title = "A-VERY-LONG-SENDER-CO... missed numbers of ANOTHER-LONG-TARGET-C...: 1 number in 1"
    figure = drawn(gap(3, 3, "lost", session=long))
    assert any(text.startswith(title) for text in words(figure))


def test_a_log_its_frame_and_its_gaps_are_the_same_gaps() -> None:
    log = read_log(LOG)
    expected = [
        ("09:34:32", "32-34", "1 resent, 2 filled at once"),
        ("09:38:48", "63-65 ×5", "2 resent, 1 filled at once"),
    ]
    for given_ in (log, log.frame, find_gaps(log)):
        assert rows_of(gaps(given_)) == expected
    # What only the log knows: its whole span, and who missed nothing.
    assert "VENUE missed no number of FIRM." in words(gaps(log))
    assert not any("no number" in text for text in words(gaps(find_gaps(log))))


def test_the_record_of_a_session_is_drawn_from_its_transitions(story: pd.DataFrame) -> None:
    figure = gaps(story)
    assert rows_of(figure) == [
        ("09:00:05.020", "4-5", "2 resent in 1.0 s"),
        ("09:00:10.020", "9", "1 filled in 480 ms"),
    ]
    assert "BUY missed no number of SELL." in words(figure)


def test_nothing_missing_is_said_plainly() -> None:
    assert words(gaps(read_log(LOG).frame.iloc[:20])) == ["No gap: no number is missing"]
    assert words(drawn()) == ["No gap: no number is missing"]


def test_gaps_without_times_are_told_all_the_same() -> None:
    untimed: dict[str, Any] = {"noticed": at(None), "closed": at(None)}
    figure = drawn(gap(3, 4, "resent", resent=2, **untimed), gap(7, 7, "open", **untimed))
    assert rows_of(figure) == [("3-4", "2 resent"), ("7", "1 still missing")]
    assert_texts_apart(figure)


def test_times_of_garbled_logs_are_times_all_the_same() -> None:
    years = [
        int(np.datetime64(f"{year}-03-04T05:06:07", "ns").astype(int)) for year in (1901, 2199)
    ]
    figure = drawn(gap(3, 4, "resent", resent=2, noticed=years[0], closed=years[1]))
    assert rows_of(figure)[0][0] == "03-04 05:06"
    assert "time of day, UTC, from 1901-03-04" in words(figure)
    assert_texts_apart(figure)


def test_one_gap_in_no_time_is_drawn() -> None:
    figure = drawn(gap(3, 3, "resent", resent=1, closed=at(10)))
    assert bars(figure.axes[0]) == [(0.0, 0.0, 0.0, style.AGAIN)]
    assert_texts_apart(figure)


def test_of_very_many_gaps_the_worst_have_rows_and_a_strip_counts_all() -> None:
    table = gaps_of(50_000)
    figure = gaps(table)
    _, strip = figure.axes
    assert len(rows_of(figure)) == 4
    assert all("resent" not in text for *_, text in rows_of(figure))  # not one was recovered
    assert any(text.startswith("4 of 50,000 ranges have a row") for text in words(figure))
    begin = f"BUY0 missed numbers of SELL0: {table['count'].sum():,} numbers in 50,000 ranges"
    assert any(text.startswith(begin) for text in words(figure))
    assert total_of(strip) == pytest.approx(table["count"].sum(), rel=1e-6)
    assert_texts_apart(figure)


def test_no_unrecovered_gap_is_passed_over_for_a_recovered_one() -> None:
    many = [gap(n * 10, n * 10 + 5, "resent", resent=6, noticed=at(n)) for n in range(1, 200)]
    many[70] = gap(710, 710, "lost", noticed=at(71))  # smaller than all the others
    many[140] = gap(1410, 1410, "open", noticed=at(141))
    shown = [numbers for _, numbers, _ in rows_of(drawn(*many))]
    assert {"710", "1410"} <= set(shown)
    assert shown == sorted(shown, key=lambda text: int(text.split("-")[0]))


def test_of_very_many_sessions_the_worst_are_drawn_and_the_rest_is_said() -> None:
    table = gaps_of(400, sessions=40)
    figure = gaps(table)
    titles = [text for text in words(figure) if " missed numbers" in text]
    assert len(titles) == 6
    left = next(text for text in words(figure) if "more sides" in text)
    assert left.startswith("34 more sides with 340 gaps are not drawn")
    lost = ~table["how"].isin(["resent", "gap_filled", "mixed", "late"])
    worst = table[lost].groupby("session", observed=True)["count"].sum().nlargest(6).index
    assert {title.split(" ")[0] for title in titles} == {
        str(name).split(":")[1].split("->")[0] for name in worst
    }
    assert_texts_apart(figure)


@pytest.mark.parametrize("how", HOW_CLOSED)
def test_numbers_as_large_as_they_get_stay_in_their_column(how: str) -> None:
    largest = 2**63 - 2
    figure = drawn(gap(largest - 4_000_000_000, largest, how, resent=1_999_999_999))
    assert_texts_apart(figure)


HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)


@settings(deadline=None, max_examples=60)
@given(own=HOSTILE, other=HOSTILE, plot=st.sampled_from(["gaps", "resends", "intervals"]))
def test_names_off_the_wire_are_drawn_as_harmless_text(own: str, other: str, plot: str) -> None:
    name = f"FIX.4.4:{own}->{other}"
    make: dict[str, tuple[Callable[[Any], Figure], pd.DataFrame]] = {
        "gaps": (gaps, gaps_of(3)),
        "resends": (resends, resends_of(3)),
        "intervals": (intervals, silences_of(3)),
    }
    draw, table = make[plot]
    for column in ("session", "asked_by", "asked_of", "sender"):
        if column in table.columns:
            text = name if column == "session" else own
            table[column] = pd.Categorical([text] * len(table))
    figure = draw(table)
    figure.draw_without_rendering()  # a formula or a missing letter would be an error
    assert all(text.isprintable() for line in words(figure) for text in line.split("\n"))
    width = figure.bbox.x1
    labels = [each for each in figure.artists if isinstance(each, Text)]
    assert labels
    for label in labels:
        assert label.get_window_extent().x1 <= width, label.get_text()


def test_a_secret_in_a_name_is_masked() -> None:
    figure = drawn(gap(3, 3, "lost", session="FIX.4.4:ME|554=hush|->YOU"))
    assert not any("hush" in text for text in words(figure))


@pytest.mark.parametrize("plot", [gaps, resends, intervals])
def test_another_frame_is_refused_with_what_was_expected(plot: Callable[[Any], Figure]) -> None:
    with pytest.raises(SchemaError, match=r"messages|transitions"):
        plot(pd.DataFrame({"a": [1]}))
    with pytest.raises(SchemaError, match="found str"):
        plot("a.log")


@pytest.mark.parametrize(
    ("plot", "table"),
    [(gaps, gaps_of(300)), (resends, resends_of(300)), (intervals, silences_of(300))],
)
def test_the_same_frame_gives_the_same_picture_byte_for_byte(
    plot: Callable[[Any], Figure], table: pd.DataFrame, tmp_path: Path
) -> None:
    for name in ("one.png", "two.png"):
        plot(table).savefig(tmp_path / name, metadata={"Software": None})
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize(
    ("plot", "table"),
    [(gaps, gaps_of(3)), (resends, resends_of(3)), (intervals, silences_of(3))],
)
def test_notebooks_see_no_reason_to_put_a_sheet_behind_it(
    plot: Callable[[Any], Figure], table: pd.DataFrame
) -> None:
    figure = plot(table)
    assert figure.patch.get_alpha() == 0.0
    labels = [
        label
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for label in axis.get_ticklabels()
    ]
    light = {np.mean(matplotlib.colors.to_rgb(label.get_color())) > 0.5 for label in labels}
    assert light == {True, False}


def test_a_notebook_shows_it_once_with_a_name_or_as_the_value_of_a_cell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(matplotlib, "get_backend", lambda **_: "inline")
    try:
        figure = gaps(gaps_of(3))
        (waiting,) = [pyplot.figure(number) for number in pyplot.get_fignums()]
        assert waiting is figure  # shown when the cell ends
        figure._repr_mimebundle_()  # type: ignore[attr-defined]
        assert pyplot.get_fignums() == []  # shown already
    finally:
        pyplot.close("all")
