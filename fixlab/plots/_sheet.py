"""A sheet: blocks below one another, from the title of the first to the legend.

All places are inches, so that no text meets another one and nothing needs to be laid out
anew; what is too long for its column is cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import NullLocator

from fixlab.plots import style

WIDTH = 10.0
LEFT, RIGHT = 2.35, 6.05  # the time axis
TITLE = 0.34
AXIS = 0.5  # ticks and label of the time axis
NOTE = 0.2
_NOTE_MAX = 135  # characters of a line
THICK = 7.0  # points, of a bar
_LEGEND = 0.24
_LETTER = 0.068  # inches, of a word in the legend
MARGIN = 0.12
# Markers of a legend that are lines.
LINES: dict[str, Any] = {"--": "dashed", ":": "dotted"}
PANELS_MAX = 6


class Sheet(NamedTuple):
    """A figure before it is one: `draw` fills a figure of this size."""

    width: float
    height: float
    draw: Callable[[Figure], None]

    def figure(self) -> Figure:
        """It as a figure that a notebook shows."""
        figure = style.new_figure(self.width, self.height)
        self.draw(figure)
        return figure


def nothing(text: str) -> Sheet:
    """A sheet that says why it is empty."""

    def draw(figure: Figure) -> None:
        style.empty_note(figure.add_axes((0.0, 0.0, 1.0, 1.0)), text)

    return Sheet(WIDTH, 1.0, draw)


Box = tuple[float, float, float, float]
Entry = tuple[str, str, str]  # of a legend: marker ("" is a bar), colour and words


class Pages:
    """Heights from the top, and what to draw at each."""

    def __init__(self) -> None:
        self.height = 0.02
        self._blocks: list[tuple[float, float, Callable[[Figure, Box], None]]] = []

    def skip(self, inches: float) -> None:
        self.height += inches

    def add(self, inches: float, draw: Callable[[Figure, Box], None]) -> None:
        self._blocks.append((self.height, inches, draw))
        self.height += inches

    def legend(self, entries: Sequence[Entry]) -> None:
        """Marks with what they mean, in as many lines as they need."""
        lines: list[list[Entry]] = []
        room = 0.0
        for entry in entries:
            room -= _width(entry[2])
            if room < 0:
                lines.append([])
                room = WIDTH - 2 * MARGIN - _width(entry[2])
            lines[-1].append(entry)
        for line in lines:
            self.add(_LEGEND, _legend_line(line))

    def sheet(self) -> Sheet:
        """All of them, one below the other."""
        return Sheet(WIDTH, self.height + 0.05, self._draw)

    def _draw(self, figure: Figure) -> None:
        whole = self.height + 0.05
        for top, inches, draw in self._blocks:
            box = (LEFT / WIDTH, 1 - (top + inches) / whole)
            draw(figure, (*box, (RIGHT - LEFT) / WIDTH, inches / whole))


class Words(Text):
    """Words in one line that begin at their place; drawn without being measured first.

    That is half of what a text costs beside its letters, and nothing here depends on it: how
    high a line is follows from the size of its letters, and what is too long was cut.
    """

    def draw(self, renderer: RendererBase) -> None:
        if self.get_usetex() or self.get_path_effects():
            super().draw(renderer)
            return
        x, y = self.get_transform().transform(self.get_position())
        size = self.get_fontproperties().get_size_in_points()
        points = _BASELINES[self.get_verticalalignment()] * size
        y += renderer.points_to_pixels(points)
        if renderer.flipy():
            y = renderer.get_canvas_width_height()[1] - y
        gc = renderer.new_gc()
        gc.set_foreground(self.get_color())
        words = self.get_text().replace(r"\$", "$")  # see style.plain
        renderer.draw_text(gc, x, y, words, self.get_fontproperties(), 0.0, mtext=self)
        gc.restore()


# How far the baseline is above a place, in sizes of the font: of a line of matplotlib's own
# font 0.76 are above the baseline and 0.24 below.
_BASELINES = {"bottom": 0.24, "center": -0.26, "center_baseline": -0.38}


def limits(ax: Axes, span: tuple[int, int], scale: style.TimeScale) -> None:
    """The whole span, with a margin, as the limits of the time axis."""
    first, last = scale.x(np.array(span)).tolist()
    margin = 0.03 * (last - first) if last > first else 1.0 if scale.unit_ns else 1 / 86_400
    ax.set_xlim(first - margin, last + margin)


def time_ticks(ax: Axes, scale: style.TimeScale | None) -> None:
    """Ticks and label of the time axis where a scale is given, else none."""
    if scale is None:
        ax.xaxis.set_major_locator(NullLocator())
        return
    style.time_axis(ax, scale)
    ax.grid(True, axis="x", color=style.FAINT, linewidth=0.6)


def _title(figure: Figure, box: Box, text: str) -> None:
    """The title of a panel, across the whole sheet."""
    title = Words(
        MARGIN / WIDTH,
        box[1] + 0.25 * box[3],
        text,
        color=style.INK,
        fontsize=style.TEXT_POINTS + 1.5,
        fontweight="bold",
        va="bottom",
    )
    figure.add_artist(title)


def titled(title: str) -> Callable[[Figure, Box], None]:
    return lambda figure, box: _title(figure, box, style.shorten(title, 100))


def noted(note: str) -> Callable[[Figure, Box], None]:
    def draw(figure: Figure, box: Box) -> None:
        words = Words(
            MARGIN / WIDTH,
            box[1] + 0.1 * box[3],
            note,
            color=style.INK_Y,
            fontsize=style.NOTE_POINTS,
            va="bottom",
        )
        figure.add_artist(words)

    return draw


def lines(text: str) -> list[str]:
    """`text` in lines that fit."""
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and len(lines[-1]) + len(word) >= _NOTE_MAX:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return lines


def _legend_line(entries: Sequence[Entry]) -> Callable[[Figure, Box], None]:
    """Marks and words beside each other.

    By hand, for matplotlib's legend costs as much as all rows together.
    """

    def draw(figure: Figure, box: Box) -> None:
        at, y = MARGIN + 0.1, box[1] + 0.45 * box[3]
        for marker, color, words in entries:
            figure.add_artist(_handle(marker, color, at, y))
            label = Words(
                (at + 0.18) / WIDTH,
                y,
                words,
                color=style.INK,
                fontsize=style.NOTE_POINTS,
                va="center_baseline",
            )
            figure.add_artist(label)
            at += _width(words)

    return draw


def _width(words: str) -> float:
    return 0.45 + _LETTER * len(words)


def _handle(marker: str, color: str, at: float, y: float) -> Line2D:
    if marker in LINES or not marker:
        looks = (
            {"linestyle": LINES[marker], "linewidth": 1.3} if marker else {"linewidth": THICK}
        )
        ends = ((at - 0.12) / WIDTH, (at + 0.12) / WIDTH)
        return Line2D(ends, (y, y), color=color, solid_capstyle="butt", **looks)
    return Line2D((at / WIDTH,), (y,), linestyle="none", color=color, **marker_look(marker))


def marker_look(marker: str) -> dict[str, Any]:
    """How a marker is drawn wherever it stands."""
    return {
        "marker": marker,
        "markersize": 10.0 if marker == "|" else 6.5,
        "markeredgewidth": 2.0 if marker in "|x" else 0.6,
    }
