"""What tests of whole figures look at: their words, their bars, and that nothing overlaps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from fixlab.frames import MISSING, Schema, build
from tests.plots.stories import START

SECOND = 1_000_000_000


def at(seconds: float | None) -> int:
    """A time so long after 2026-01-05 09:00:00 UTC; None is no time."""
    return MISSING if seconds is None else START + round(seconds * SECOND)


def frame_of(schema: Schema, rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A frame of `schema`; a row leaves out what is missing, or 0, or False."""
    columns: dict[str, Any] = {}
    for column in schema.columns:
        empty: Any = 0
        if column.dtype == "category":
            empty = (column.categories or ("",))[0]
        elif column.dtype == "float64":
            empty = np.nan
        elif column.dtype.startswith(("Int", "datetime")):
            empty = MISSING
        columns[column.name] = [row.get(column.name, empty) for row in rows]
    return build(schema, columns)


def words(figure: Figure) -> list[str]:
    """All that is written in a figure."""
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    return [text.get_text() for text in texts if text.get_text() and text.get_visible()]


def rows_of(figure: Figure) -> list[tuple[str, ...]]:
    """The texts of each row of each panel: time, numbers and outcome."""
    found = []
    for ax in figure.axes:
        lines: dict[float, list[tuple[float, str]]] = {}
        for text in ax.texts:
            lines.setdefault(text.get_position()[1], []).append(
                (text.get_position()[0], text.get_text())
            )
        if collection(ax, "strip") is None:
            found += [tuple(text for _, text in sorted(line)) for line in lines.values()]
    return found


def collection(ax: Axes, label: str) -> Any:
    """The collection of that label; None without one."""
    return next((each for each in ax.collections if each.get_label() == label), None)


def shares(ax: Axes) -> list[tuple[int, str, float]]:
    """Row, colour and width of each part of the bars that say what became of numbers."""
    drawn = collection(ax, "shares")
    assert isinstance(drawn, PolyCollection)
    boxes = [path.get_extents() for path in drawn.get_paths()]
    widths = np.array([box.width for box in boxes])
    rows = [round((box.y0 + box.y1) / 2) for box in boxes]
    whole = {row: widths[np.array(rows) == row].sum() for row in rows}
    return [
        (row, to_hex(color), round(float(width / whole[row]), 3))
        for row, color, width in zip(
            rows, np.asarray(drawn.get_facecolor()), widths, strict=True
        )
    ]


def bars(ax: Axes, label: str = "bars") -> list[tuple[float, float, float, str]]:
    """Begin, end, height and colour of each bar of time."""
    drawn = collection(ax, label)
    if drawn is None:
        return []
    assert isinstance(drawn, LineCollection)
    colors = [to_hex(color) for color in np.asarray(drawn.get_colors())]
    segments = np.array(drawn.get_segments()).round(4)
    colors = colors if len(colors) == len(segments) else colors * len(segments)
    return [
        (float(begin[0]), float(end[0]), float(begin[1]), color)
        for (begin, end), color in zip(segments, colors, strict=True)
    ]


def marks(ax: Axes, marker: str) -> list[tuple[float, float]]:
    """Where the marks of one look stand."""
    return [
        (float(x), float(y))
        for line in ax.lines
        if line.get_marker() == marker
        for x, y in np.asarray(line.get_xydata(), dtype=np.float64).round(4)
    ]


def total_of(ax: Axes) -> float:
    """All that a strip counts: its areas, by the width of one of its 120 slices."""
    paths = collection(ax, "strip").get_paths()
    total = 0.0
    for path in paths:
        x, y = path.vertices.T
        total += abs(float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))) / 2
    return total / float(np.ptp(paths[0].vertices[:, 0])) * 120


def _shown(figure: Figure) -> list[Text]:
    """The texts that are drawn: of the ticks only those within the limits of their axis."""
    beyond = {
        id(label)
        for ax in figure.axes
        for axis in (ax.xaxis, ax.yaxis)
        for tick in axis.get_major_ticks()
        for label in (tick.label1, tick.label2)
        if not min(axis.get_view_interval()) <= tick.get_loc() <= max(axis.get_view_interval())
    }
    texts = [text for text in figure.findobj(Text) if isinstance(text, Text)]
    return [
        text
        for text in {id(text): text for text in texts}.values()
        if text.get_text() and text.get_visible() and id(text) not in beyond
    ]


def assert_texts_apart(figure: Figure) -> None:
    """Every text lies within the figure and touches no other."""
    figure.draw_without_rendering()
    boxes = [(text.get_text(), Text.get_window_extent(text)) for text in _shown(figure)]
    for i, (text, box) in enumerate(boxes):
        assert box.x0 >= 0, f"{text!r} is cut off"
        assert box.y0 >= 0, f"{text!r} is cut off"
        assert box.x1 <= figure.bbox.x1, f"{text!r} is cut off"
        assert box.y1 <= figure.bbox.y1, f"{text!r} is cut off"
        met = [other for other, there in boxes[i + 1 :] if box.overlaps(there)]
        assert not met, f"{text!r} meets {met}"
