"""Panels of rows over one time axis: when, which numbers, what happened, what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from fixlab.plots import style
from fixlab.plots._sheet import (
    AXIS,
    LEFT,
    MARGIN,
    NOTE,
    RIGHT,
    THICK,
    TITLE,
    WIDTH,
    Box,
    Entry,
    Pages,
    Sheet,
    Words,
    limits,
    lines,
    marker_look,
    noted,
    time_ticks,
    titled,
)
from fixlab.times import NANOSECONDS

Ints = npt.NDArray[np.int64]

_LABEL = 2.25  # right edge of the numbers of a row
_SHARE = (6.2, 7.0)  # what became of the numbers
_TEXT = 7.1
_TEXT_MAX = 43  # characters that fit behind it
_ROW = 0.235
_STRIP = 0.8
_HEAD = 0.05
SLICES = 120  # of the time, in which what is too much to be shown alone is counted
MARKS_MAX = 300  # of one row
_ROWS_MAX = 24  # of all panels together
_CROWDED_ROWS_MAX = 8
_KEYS_MAX = 1 << 62


class Bar(NamedTuple):
    """A stretch of time in a row."""

    begin_ns: int
    end_ns: int
    color: str
    thick: bool = True


class Marks(NamedTuple):
    """Moments in a row."""

    times_ns: Ints
    marker: str
    color: str


class Row(NamedTuple):
    """One line of a panel: when, which numbers, what happened over time, what came of it."""

    when_ns: int | None
    label: str
    bars: Sequence[Bar]
    marks: Sequence[Marks]
    shares: Sequence[tuple[str, int]]  # colours and how many numbers
    text: str
    color: str = style.INK  # of label and text


class Strip(NamedTuple):
    """All there is, counted in slices of time, by colour; for what has no row of its own."""

    label: str
    times_ns: Ints  # MISSING where it is not known: such are not counted
    parts: Sequence[tuple[str, Ints]]  # colour, and how much at each of the times


class Panel(NamedTuple):
    """One direction: its title, its rows, and what else to say and to show."""

    title: str
    rows: Sequence[Row]
    note: str = ""
    strip: Strip | None = None


def rows_each(panels: int, *, crowded: bool) -> int:
    """How many rows each of so many panels may have; fewer where a strip shows the rest."""
    return max((_CROWDED_ROWS_MAX if crowded else _ROWS_MAX) // max(panels, 2), 4)


def foremost(count: int, size: int, *keys: Callable[[Ints], npt.NDArray[Any]]) -> Ints:
    """Positions of the `count` least of `size` rows, ascending; the first key says most.

    A key gives its values at some positions: a later one is asked only where others are equal.
    """
    chosen: list[Ints] = []
    left: Ints = np.arange(size)
    for key in keys:
        if len(left) <= count:
            break
        values = key(left)
        edge = values.min()
        if np.count_nonzero(values == edge) < count:
            edge = np.partition(values, count - 1)[count - 1]
            chosen.append(left[values < edge])
            count -= len(chosen[-1])
        left = left[values == edge]
    return np.sort(np.concatenate([*chosen, left[:count]]))


def among(codes: npt.NDArray[Any], *wanted: int) -> npt.NDArray[np.bool_]:
    """Whether each code is one of a few; quicker than a look into a table."""
    found = np.zeros(len(codes), np.bool_)
    for code in wanted:
        found |= codes == code
    return found


def numbered(keys: Ints) -> tuple[Ints, Ints]:
    """For each row the ordinal of its key, and the keys, ascending."""
    most = int(keys.max()) if len(keys) else 0
    if most > 4 * len(keys) + 1_000:
        found, ordinal = np.unique(keys, return_inverse=True)
        return ordinal, found
    found = np.flatnonzero(np.bincount(keys, minlength=most + 1))
    place = np.zeros(most + 1, np.int64)
    place[found] = np.arange(len(found))
    return place[keys], found


def sides_of(table: pd.DataFrame, by: str) -> tuple[Ints, list[tuple[str, str]]]:
    """For each row the ordinal of its session and of the CompID in `by`, and these by name."""
    columns = [table[name].cat for name in ("session", by)]
    sessions, names = ([str(name) for name in column.categories] for column in columns)
    session, name = (column.codes.to_numpy() for column in columns)
    if all(len(each) and each.min() == each.max() for each in (session, name)):
        # One side, as in most large frames: nothing to number.
        return np.zeros(len(table), np.int64), [(sessions[session[0]], names[name[0]])]
    side, found = numbered(session.astype(np.int64) * len(names) + name)
    return side, [(sessions[key // len(names)], names[key % len(names)]) for key in found]


def paired(*columns: Ints) -> Ints:
    """For each row the ordinal of its values, in order of appearance."""
    key: Ints = np.zeros(len(columns[0]), np.int64)
    most = 0  # of the keys so far
    for column in columns:
        least, greatest = (int(column.min()), int(column.max())) if len(column) else (0, 0)
        if least == greatest:
            continue
        if (most + 1) * (greatest - least + 1) > _KEYS_MAX:
            column, least = pd.factorize(column)[0], 0
            greatest = int(column.max())
            key = pd.factorize(key)[0]
            most = int(key.max())
        key = key * (greatest - least + 1) + (column - least)
        most = (most + 1) * (greatest - least + 1) - 1
    if (key[1:] >= key[:-1]).all():  # as what is asked for nearly always is
        return np.concatenate(([0], np.cumsum(key[1:] != key[:-1])))[: len(key)]
    return np.asarray(pd.factorize(key)[0], np.int64)


def firsts(ordinals: Ints) -> Ints:
    """The first position of each ordinal there is, by ordinal."""
    if not ordinals.any():  # one side, as a rule
        return np.arange(min(len(ordinals), 1))
    found = np.full(int(ordinals.max()) + 1, -1)
    # Of several written to one place the last one stays.
    found[ordinals[::-1]] = np.arange(len(ordinals))[::-1]
    return found[found >= 0]


def sheet(
    panels: Sequence[Panel],
    *,
    span: tuple[int, int] | None,
    legend: Sequence[Entry],
    notes: Sequence[str],
) -> Sheet:
    """Panels over one time axis.

    Parameters: `span`, first and last time, None when no time is known; `legend` and `notes`
    stand below all.
    """
    pages = Pages()
    scale = None if span is None else style.time_scale(*span)
    for i, panel in enumerate(panels):
        last = i == len(panels) - 1
        pages.add(TITLE, titled(panel.title))
        below = scale if last and panel.strip is None else None
        pages.add(
            _ROW * len(panel.rows) + _HEAD, _rows_drawn(panel.rows, span, scale, below=below)
        )
        if panel.note:
            pages.add(NOTE, noted(panel.note))
        if panel.strip is not None and scale is not None and span is not None:
            pages.skip(0.08)
            pages.add(_STRIP, _strip_drawn(panel.strip, span, scale, labelled=last))
        pages.skip(0.1)
    pages.skip(AXIS if scale is not None else 0.1)
    for note in notes:
        for line in lines(note):
            pages.add(NOTE, noted(line))
    pages.legend(legend)
    return pages.sheet()


def place(inches: float) -> float:
    """A place across the sheet as a share of the time axis."""
    return (inches - LEFT) / (RIGHT - LEFT)


# Rows ---------------------------------------------------------------------------------


def _rows_drawn(
    rows: Sequence[Row],
    span: tuple[int, int] | None,
    scale: style.TimeScale | None,
    *,
    below: style.TimeScale | None,
) -> Callable[[Figure, Box], None]:
    def draw(figure: Figure, box: Box) -> None:
        ax = figure.add_axes(box)
        style.dress(ax)
        ax.spines["left"].set_visible(False)
        ax.set_ylim(len(rows) - 0.45, -0.6)
        # Labels of both inks, or a notebook puts a sheet behind the figure: see `style.INK_Y`.
        ax.yaxis.set_major_locator(NullLocator() if below is None else FixedLocator([0]))
        ax.yaxis.set_major_formatter(NullFormatter())
        ax.tick_params(axis="y", length=0)
        if span is not None and scale is not None:
            limits(ax, span, scale)
            _bars(ax, rows, scale)
            _marks(ax, rows, scale)
        else:
            ax.spines["bottom"].set_visible(False)
        time_ticks(ax, below)
        _shares(ax, rows)
        _words(ax, rows, span)

    return draw


def _bars(ax: Axes, rows: Sequence[Row], scale: style.TimeScale) -> None:
    guides = [
        [(place(MARGIN), i + 0.5), (place(WIDTH - 0.1), i + 0.5)] for i in range(len(rows))
    ]
    ax.add_collection(
        LineCollection(
            guides,
            colors=style.FAINT,
            linewidths=0.5,
            transform=ax.get_yaxis_transform(),
            clip_on=False,
        ),
        autolim=False,
    )
    bars = [(i, bar) for i, row in enumerate(rows) for bar in row.bars]
    if not bars:
        return
    x = scale.x(np.array([[bar.begin_ns, bar.end_ns] for _, bar in bars], np.int64).ravel())
    drawn = LineCollection(
        [[(a, i), (b, i)] for (i, _), a, b in zip(bars, x[::2], x[1::2], strict=True)],
        colors=[bar.color for _, bar in bars],
        linewidths=[THICK if bar.thick else 1.4 for _, bar in bars],
        capstyle="butt",
        label="bars",
        zorder=2,
    )
    ax.add_collection(drawn, autolim=False)


def _marks(ax: Axes, rows: Sequence[Row], scale: style.TimeScale) -> None:
    """One artist for all marks that look alike."""
    looks: dict[tuple[str, str], tuple[list[Any], list[Any]]] = {}
    for i, row in enumerate(rows):
        for mark in row.marks:
            x, y = looks.setdefault((mark.marker, mark.color), ([], []))
            thinned = mark.times_ns[style.thin(mark.times_ns, buckets=MARKS_MAX // 2)]
            x.append(scale.x(thinned))
            y.append(np.full(len(thinned), i))
    for (marker, color), (x, y) in looks.items():
        drawn = Line2D(
            np.concatenate(x),
            np.concatenate(y),
            linestyle="none",
            color=color,
            clip_on=False,
            zorder=3,
            **marker_look(marker),
        )
        ax.add_artist(drawn)  # not by `plot`, which looks for limits that are known


def _shares(ax: Axes, rows: Sequence[Row]) -> None:
    """What became of the numbers of a row, as shares of one bar."""
    begin, width = place(_SHARE[0]), place(_SHARE[1]) - place(_SHARE[0])
    corners, colors = [], []
    for i, row in enumerate(rows):
        total = sum(amount for _, amount in row.shares)
        at = begin
        for color, amount in row.shares:
            if amount:
                right = at + width * amount / total
                corners.append(
                    [(at, i - 0.3), (at, i + 0.3), (right, i + 0.3), (right, i - 0.3)]
                )
                colors.append(color)
                at = right
    if not corners:
        return
    ax.add_collection(
        PolyCollection(
            corners,
            facecolors=colors,
            transform=ax.get_yaxis_transform(),
            clip_on=False,
            label="shares",
        ),
        autolim=False,
    )


def _words(ax: Axes, rows: Sequence[Row], span: tuple[int, int] | None) -> None:
    across = ax.get_yaxis_transform()
    common: dict[str, Any] = {
        "transform": across,
        "va": "center",
        "fontsize": style.NOTE_POINTS,
        "clip_on": False,
    }
    for i, row in enumerate(rows):
        if row.when_ns is not None:
            when = _clock(row.when_ns, span)
            ax.add_artist(Words(place(MARGIN), i, when, color=style.INK, **common))
        ax.text(
            place(_LABEL),
            i,
            row.label,
            color=row.color,
            ha="right",
            fontweight="bold",
            **common,
        )
        text = style.shorten(row.text, _TEXT_MAX)
        ax.add_artist(Words(place(_TEXT), i, text, color=row.color, **common))


def _clock(time_ns: int, span: tuple[int, int] | None) -> str:
    """The time of day, and the day where the sheet has several."""
    text = style.utc_text(time_ns, 3)
    if span is None:
        return text[11:]
    if style.utc_text(span[0], 0)[:10] != style.utc_text(span[1], 0)[:10]:
        return text[5:16]
    return text[11:] if span[1] - span[0] < NANOSECONDS * 60 else text[11:19]


# The strip and the legend ---------------------------------------------------------------


def _strip_drawn(
    strip: Strip, span: tuple[int, int], scale: style.TimeScale, *, labelled: bool
) -> Callable[[Figure, Box], None]:
    first, last = span
    length = max(last - first, SLICES)
    edges = np.array([first + length * i // SLICES for i in range(SLICES + 1)], np.int64)
    x = scale.x(edges)
    sums = _sliced(strip, edges)

    def draw(figure: Figure, box: Box) -> None:
        ax = figure.add_axes(box)
        style.dress(ax)
        below = np.zeros(SLICES)
        across = np.repeat(x, 2)[1:-1]
        areas = []
        for amount in sums:
            above = below + amount
            steps = np.concatenate((np.repeat(above, 2), np.repeat(below, 2)[::-1]))
            areas.append(np.column_stack((np.concatenate((across, across[::-1])), steps)))
            below = above
        colors = [color for color, _ in strip.parts]
        ax.add_collection(
            PolyCollection(areas, facecolors=colors, linewidths=0, label="strip", zorder=2),
            autolim=False,
        )
        most = float(below.max()) or 1.0
        ax.set_ylim(0, most * 1.05)
        ax.yaxis.set_major_locator(FixedLocator([most]))
        ax.yaxis.set_major_formatter(f"{most:,.0f}")
        limits(ax, span, scale)
        time_ticks(ax, scale if labelled else None)
        slice_text = style.duration_text((last - first) / SLICES / 1e9)
        ax.text(
            place(_SHARE[0]),
            0.5,
            f"{strip.label}\nper {slice_text} of time",
            transform=ax.transAxes,
            va="center",
            color=style.INK,
            fontsize=style.NOTE_POINTS,
        )

    return draw


def _sliced(strip: Strip, edges: Ints) -> list[Ints]:
    """How much of each part is between each two edges."""
    times, amounts = strip.times_ns, [amount for _, amount in strip.parts]
    if (times[1:] < times[:-1]).any():
        order = np.argsort(times, kind="stable")
        times, amounts = times[order], [amount[order] for amount in amounts]
    cuts = np.append(
        np.searchsorted(times, edges[:-1]), np.searchsorted(times, edges[-1], "right")
    )
    some = np.flatnonzero(cuts[:-1] < cuts[1:])
    sums = [np.zeros(len(edges) - 1, np.int64) for _ in amounts]
    if len(some):
        for found, amount in zip(sums, amounts, strict=True):
            found[some] = np.add.reduceat(amount[: cuts[-1]], cuts[some])
    return sums
