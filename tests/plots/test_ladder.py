from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from fixlab.errors import ConfigError
from fixlab.plots import ladder, style
from tests.plots.stories import BUY, MS, SELL, Scribe, log_on, to_frame, told
from tests.plots.test_sequence import assert_texts_apart


def arrow(ax: Axes, label: str) -> Line2D:
    found = [line for line in ax.lines if line.get_label() == label]
    assert len(found) == 1, f"{label}: {len(found)} arrows"
    return found[0]


def written(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def lifeline(ax: Axes, name: str) -> float:
    return xs(ax, name)[0]


def xs(ax: Axes, label: str) -> list[float]:
    return [float(x) for x in np.asarray(arrow(ax, label).get_xdata())]


def ys(ax: Axes, label: str) -> list[float]:
    return [float(y) for y in np.asarray(arrow(ax, label).get_ydata())]


def ends(ax: Axes, label: str) -> tuple[float, float]:
    return xs(ax, label)[0], xs(ax, label)[-1]


def test_an_arrow_leads_from_the_sender_to_the_receiver(one_gap: pd.DataFrame) -> None:
    ax = ladder(one_gap)
    left, right = lifeline(ax, "BUY"), lifeline(ax, "SELL")
    assert left < right
    assert ends(ax, "D 2") == (left, right)
    assert ends(ax, "2 ResendRequest 2: 4-0 (to the end)") == (right, left)
    assert {"D 2", "2 ResendRequest 2: 4-0 (to the end)"} <= set(written(ax))


def test_a_lost_message_ends_half_way(one_gap: pd.DataFrame) -> None:
    ax = ladder(one_gap)
    left, right = lifeline(ax, "BUY"), lifeline(ax, "SELL")
    for label in ("D 4", "D 5"):
        begin, end = ends(ax, label)
        assert begin == left
        assert left < end < right
    assert written(ax).count("lost") == 2


def test_replayed_messages_are_dashed_and_say_possdup(one_gap: pd.DataFrame) -> None:
    ax = ladder(one_gap)
    assert arrow(ax, "D 4 PossDup").is_dashed()
    assert not arrow(ax, "D 2").is_dashed()


def test_time_runs_downwards_and_arrows_under_way_together_slant(
    one_gap: pd.DataFrame,
) -> None:
    ax = ladder(one_gap)
    low, high = ax.get_ylim()
    assert low > high
    level = ys(ax, "D 2")
    assert level[0] == level[-1]
    arrivals = []
    for label in ("D 4 PossDup", "D 5 PossDup", "D 6 PossDup"):
        assert ys(ax, label)[-1] > ys(ax, label)[0]
        arrivals.append(ys(ax, label)[-1])
    assert arrivals == sorted(arrivals)


def test_crossing_messages_cross() -> None:
    scribe = Scribe()
    log_on(scribe)
    scribe.at(1_000)
    scribe.send(BUY, "D")
    scribe.send(SELL, "8")
    scribe.time += 30 * MS
    scribe.accept(SELL, "D", 2)
    scribe.accept(BUY, "8", 2)
    ax = ladder(to_frame(scribe.rows))
    there, back = ys(ax, "D 2"), ys(ax, "8 2")
    assert there[0] < back[0] < there[-1] < back[-1]


def test_numbers_stand_beside_the_lifelines(one_gap: pd.DataFrame) -> None:
    ax = ladder(one_gap)
    last = one_gap[one_gap["session"] == SELL].iloc[-1]
    assert f"{last['next_in']}/{last['next_out']}" in written(ax)


def test_the_lifeline_shows_how_long_the_gap_was_open(one_gap: pd.DataFrame) -> None:
    ax = ladder(one_gap)
    assert set(xs(ax, "gap open")) == {lifeline(ax, "SELL")}
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    assert ys(ax, "gap open") == [heights["gap opened: 4-5 missing"], heights["gap 4-5 closed"]]


def test_fills_resets_and_disconnects_are_told(story: pd.DataFrame) -> None:
    told_here = set(written(ladder(story)))
    assert {
        "4 GapFill 9->11",
        "4 SequenceReset 11->20",
        "expects 20 now",
        "both numbers back to 1",
        "disconnected",
        "held",
    } <= told_here


def test_an_end_that_was_not_recorded_is_drawn_as_such(one_gap: pd.DataFrame) -> None:
    ax = ladder(one_gap[one_gap["session"] == SELL])
    assert "not recorded here" in written(ax)
    assert arrow(ax, "BUY").is_dashed()
    assert not arrow(ax, "SELL").is_dashed()


def test_the_plot_says_how_many_messages_it_leaves_out(story: pd.DataFrame) -> None:
    ax = ladder(story, messages_max=5)
    (note,) = [text for text in written(ax) if "not shown" in text]
    arrows = [line for line in ax.lines if str(line.get_label())[:2] in ("A ", "D ", "2 ")]
    assert len(arrows) == 5
    assert "messages not shown" in note


def test_an_axes_that_is_low_gets_fewer_messages(story: pd.DataFrame) -> None:
    figure = Figure(figsize=(10, 4))
    ax = figure.add_axes((0.0, 0.0, 1.0, 0.9))
    assert ladder(story, ax=ax) is ax
    assert any("not shown" in text for text in written(ax))
    assert_texts_apart(figure)


@pytest.mark.parametrize("sessions", [[BUY, SELL], [SELL]])
def test_no_text_overlaps_or_is_cut_off(story: pd.DataFrame, sessions: list[str]) -> None:
    figure = ladder(story[story["session"].isin(sessions)]).figure
    assert isinstance(figure, Figure)
    assert_texts_apart(figure)


def test_hostile_text_is_drawn_letter_by_letter() -> None:
    scribe = Scribe()
    log_on(scribe)
    scribe.send(BUY, "$\\x$\x01")
    scribe.steps[SELL] += 1
    scribe.row(SELL, "REJECTED", msg_type="$\\x$\x01", seq=2, next_in=3, text="$\\frac{1}$\n")
    ax = ladder(to_frame(scribe.rows))
    figure = ax.figure
    assert isinstance(figure, Figure)
    figure.draw_without_rendering()
    assert "rejected: \\$\\frac{1}\\$\\n" in written(ax)
    assert "\\$\\x\\$\\x01 2" in written(ax)


def test_an_empty_frame_gives_axes_that_say_so() -> None:
    assert written(ladder(told())) == ["No transitions: nothing was recorded yet"]


def test_a_limit_that_cannot_work_raises(story: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match="messages_max must be at least 1, found 0"):
        ladder(story, messages_max=0)


_TOLD = {
    "warning on 2: Side(54): Value i...": style.ERROR,
    "stores D 3-5 for later": style.HELD,
    "stores D 7 for later": style.HELD,
    "never sends stored 4-5": style.MISSING,
    "never sends stored 7": style.MISSING,
}


def test_warnings_and_stored_messages_are_told_in_the_colour_of_their_meaning(
    stored: pd.DataFrame,
) -> None:
    ax = ladder(stored)
    told_here = {text.get_text(): text.get_color() for text in ax.texts}
    assert {text: told_here.get(text) for text in _TOLD} == _TOLD
    heights = {text.get_text(): text.get_position()[1] for text in ax.texts}
    order = [*list(_TOLD)[:2], "never sends stored 4-5", "stores D 7 for later"]
    assert sorted(order, key=heights.__getitem__) == order
    figure = ax.figure
    assert isinstance(figure, Figure)
    assert_texts_apart(figure)


def test_stored_messages_that_something_divides_stay_apart() -> None:
    scribe = Scribe()
    log_on(scribe)
    scribe.queue(BUY, "D", 2)
    scribe.queue(BUY, "8")
    scribe.pass_on(SELL, "D")
    scribe.queue(BUY, "8", 2)
    stores = [text for text in written(ladder(to_frame(scribe.rows))) if "stores" in text]
    assert stores == [
        "stores D 2-3 for later",
        "stores 8 4 for later",
        "stores 8 5-6 for later",
    ]


def test_a_frame_of_stored_messages_alone_has_its_notes() -> None:
    scribe = Scribe()
    scribe.queue(BUY, "$D$\n", 3)
    assert "stores \\$D\\$\\n 1-3 for later" in written(ladder(to_frame(scribe.rows)))


def test_many_runs_that_one_reset_drops_are_one_note() -> None:
    scribe = Scribe()
    log_on(scribe)
    for begin in (2, 4, 6, 8):
        scribe.row(BUY, "IGNORED", span=(begin, begin), rule="SCH-04")
    dropped = [text for text in written(ladder(to_frame(scribe.rows))) if "never" in text]
    assert dropped == ["never sends stored 2, 4..."]


def test_a_warning_that_quotes_a_secret_is_masked_and_cut() -> None:
    scribe = Scribe()
    log_on(scribe)
    scribe.pass_on(BUY, "D")
    scribe.row(SELL, "WARNED", msg_type="D", seq=2, text=f"554=hunt: er2|58={'x' * 300}")
    (note,) = [text for text in written(ladder(to_frame(scribe.rows))) if "warning" in text]
    assert "er2" not in note
    assert len(note) <= 34
