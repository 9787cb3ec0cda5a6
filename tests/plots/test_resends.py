"""`plots.resends`: each ResendRequest, who asked for what, and how it was answered."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from fixlab.analysis import resends as find_resends
from fixlab.frames import RESENDS
from fixlab.logs.read import read_log
from fixlab.plots import resends, style
from tests.bench.plots import resends_of
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


def asked(request: int, begin: int, end: int, **more: Any) -> dict[str, Any]:
    """ME asks YOU at 10 s, is answered from 11 s to 12 s unless told otherwise."""
    how = more.get("how", "answered")
    answered = how == "answered"
    return {
        "session": "FIX.4.4:ME->YOU",
        "asked_by": "ME",
        "asked_of": "YOU",
        "request": request,
        "begin_seq_no": begin,
        "end_seq_no": end,
        "how": how,
        "why": "due",
        "time": at(10),
        "answer": at(11 if answered else None),
        "ended": at(12 if answered else None),
        "replayed": end - begin + 1 if answered else 0,
        **more,
    }


def drawn(*rows: dict[str, Any]) -> Figure:
    return resends(frame_of(RESENDS, rows))


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (asked(0, 3, 5), "3 replayed in 2.0 s"),
        (asked(0, 3, 5, replayed=1, filled=2), "1 replayed, 2 filled in 2.0 s"),
        (asked(0, 3, 5, replayed=0, filled=3, ended=at(10)), "3 filled at once"),
        (asked(0, 3, 5, replayed=0), "answered in 2.0 s"),
        (asked(0, 3, 5, why="next_expected"), "by a Logon, 3 replayed in 2.0 s"),
        (asked(0, 3, 5, how="log_end", replayed=1), "1 replayed, still open"),
        (asked(0, 3, 5, how="disconnect"), "the line went first"),
        (asked(0, 3, 5, how="reset"), "a reset came first"),
        (asked(0, 3, 5, how="invalid"), "cannot be answered"),
        (asked(0, 3, 5, how="not_sent"), "was never sent"),
        (asked(0, 3, 5, how="unknown"), "answer not known"),
    ],
)
def test_each_answer_is_told_in_words(row: dict[str, Any], text: str) -> None:
    figure = drawn(row)
    assert rows_of(figure) == [("09:00:10.000", "3-5", text)]
    assert_texts_apart(figure)


def test_a_row_is_the_wait_the_answer_and_what_came_of_it() -> None:
    figure = drawn(
        asked(0, 3, 6, replayed=1, filled=3),
        asked(1, 8, 9, how="log_end", time=at(20)),
        asked(2, 40, 41, how="disconnect", time=at(30), replayed=1),
    )
    (ax,) = figure.axes
    assert bars(ax) == [
        (0.0, 2.0, 0.0, style.IN),  # waits
        (1.0, 2.0, 0.0, style.AGAIN),  # is answered
        (10.0, 20.0, 1.0, style.IN),  # until the last time known
        (20.0, 20.0, 2.0, style.IN),
    ]
    assert marks(ax, "v") == [(0.0, 0.0), (10.0, 1.0), (20.0, 2.0)]
    assert shares(ax) == [
        (0, style.AGAIN, 0.25),
        (0, style.FILL, 0.75),
        (1, style.MISSING, 1.0),
        (2, style.AGAIN, 0.5),
        (2, style.MISSING, 0.5),
    ]
    assert "ME asked YOU 3 times for 3 ranges: 2 not answered" in words(figure)


def test_what_is_asked_again_stands_in_the_row_of_its_range() -> None:
    figure = drawn(
        asked(0, 3, 5),
        asked(1, 3, 5, covered_by=0, time=at(10.5)),
        asked(2, 4, 5, covered_by=1, time=at(10.8)),
        asked(3, 3, 5, time=at(20), ended=at(21)),  # answered, and asked for once more
        asked(4, 7, 7, time=at(30), ended=at(31)),
    )
    assert [row[1:] for row in rows_of(figure)] == [
        ("3-5 ×4", "11 replayed, at most 2.0 s each"),
        ("7", "1 replayed in 1.0 s"),
    ]
    (ax,) = figure.axes
    assert [x for x, y in marks(ax, "v") if y == 0] == [0.0, 0.5, 0.8, 10.0]
    again = [line for line in ax.lines if line.get_color() == style.ERROR]
    assert [np.shape(line.get_xydata()) for line in again] == [(3, 2)]
    assert "ME asked YOU 5 times for 2 ranges: 3 of them again, all answered" in words(figure)
    assert "asked again" in words(figure)


def test_requests_without_a_range_are_not_taken_for_the_same() -> None:
    table = frame_of(RESENDS, [asked(i, 1, 1, how="invalid") for i in range(2)])
    table["begin_seq_no"], table["end_seq_no"] = pd.NA, pd.NA
    table = table.astype({"begin_seq_no": "Int64", "end_seq_no": "Int64"})
    figure = resends(table)
    assert [row[1] for row in rows_of(figure)] == ["?", "?"]
    assert "ME asked YOU 2 times for 2 ranges: 2 not answered" in words(figure)


def test_a_storm_of_requests_stays_one_readable_row() -> None:
    storm = [
        asked(i, 63, 65, time=at(10 + i / 1000), covered_by=0 if i else None)
        for i in range(3_000)
    ]
    rows = [{key: value for key, value in row.items() if value is not None} for row in storm]
    figure = drawn(*rows)
    assert [row[1] for row in rows_of(figure)] == ["63-65 ×3,000"]
    assert len(marks(figure.axes[0], "v")) < 500
    assert_texts_apart(figure)


def test_of_many_ranges_those_asked_for_most_often_then_unanswered_ones_have_a_row() -> None:
    many = [asked(i, 10 * i + 1, 10 * i + 3, time=at(i)) for i in range(100)]
    many[20] = asked(20, 201, 203, time=at(20), how="log_end")
    many += [asked(200, 501, 503, time=at(120)), asked(201, 801, 803, time=at(121))]
    shown = [row[1] for row in rows_of(drawn(*many))]
    assert {"501-503 ×2", "801-803 ×2", "201-203"} <= set(shown)


def test_a_log_its_frame_and_its_requests_are_the_same_requests() -> None:
    log = read_log(LOG)
    expected = [
        ("09:34:32", "32-34", "1 replayed, 2 filled at once"),
        ("09:38:48", "63-65 ×5", "10 replayed, 5 filled at once"),
    ]
    for given_ in (log, log.frame, find_resends(log)):
        assert rows_of(resends(given_)) == expected
        assert "FIRM asked VENUE 6 times for 2 ranges: 4 of them again, all answered" in words(
            resends(given_)
        )


def test_both_records_of_one_request_say_whose_they_are(story: pd.DataFrame) -> None:
    titles = [text for text in words(resends(story)) if " asked " in text]
    assert sorted(title.rpartition("(")[2] for title in titles) == [
        "as BUY has it)",
        "as SELL has it)",
    ]


def test_nothing_asked_is_said_plainly() -> None:
    assert words(drawn()) == ["No ResendRequest: nothing was asked for again"]


def test_requests_without_times_are_told_all_the_same() -> None:
    untimed = {"time": at(None), "answer": at(None), "ended": at(None)}
    figure = drawn(asked(0, 3, 5, **untimed))
    assert rows_of(figure) == [("3-5", "3 replayed")]


def test_of_very_many_requests_a_strip_counts_all() -> None:
    table = resends_of(49_998)
    figure = resends(table)
    _, strip = figure.axes
    shown = rows_of(figure)
    assert len(shown) == 4
    assert all(numbers.endswith(" ×3") for _, numbers, _ in shown)
    title = next(text for text in words(figure) if " asked " in text)
    assert title.startswith(
        "BUY0 asked SELL0 49,998 times for 16,666 ranges: 33,332 of them again"
    )
    assert total_of(strip) == pytest.approx(49_998, rel=1e-6)
    assert_texts_apart(figure)


def test_of_very_many_sides_those_that_asked_most_are_drawn() -> None:
    figure = resends(resends_of(300, sessions=30))
    assert sum(" asked " in text and "times" in text for text in words(figure)) == 6
    assert any(
        text.startswith("24 more sides with 240 ResendRequests") for text in words(figure)
    )
    assert_texts_apart(figure)
