"""What every plot shares: colours by meaning, new figures, the time axis, the empty note.

Figures are transparent and every colour is a mid-tone, so that one picture reads on the white
page and on the dark one: each has a contrast of at least 3:1 on both, text of more than 4:1.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib import dates as mdates
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fixlab.redact import mask, printable
from fixlab.times import NANOSECONDS

# Told apart by lightness and by marker as well, so that no meaning hangs on the hue alone.
INK = "#7a7a7a"  # text and axes: 4.3:1 on white, 4.4:1 on #111111
# Notebooks put a white sheet behind a transparent figure whose tick labels are all dark, and a
# black one when all are light. Those of the two axes stand on either side of that middle.
INK_Y = "#808080"
FAINT = "#7a7a7a55"  # grid lines: meant to be overlooked
IN = "#0b7bc1"  # NextNumIn and what was accepted
OUT = "#7d7d7d"  # NextNumOut and what was sent
MISSING = "#d9541e"  # gaps, messages that are lost or never sent
AGAIN = "#0f9b76"  # replayed, PossDupFlag(43)=Y
FILL = "#b25fc4"  # gap fills
HELD = "#b0790a"  # messages that wait: early ones, and those stored for later
ERROR = "#e0344a"  # a rule broken: rejects, warnings, garbled bytes, a number too low
RESET = "#8f6ae0"  # resets
CUT = "#7d7d7d"  # connects and disconnects

TEXT_POINTS = 9.0
NOTE_POINTS = 8.5

# Backends that only write files: no notebook or window waits for a figure from pyplot.
_FILE_BACKENDS = frozenset({"agg", "cairo", "pdf", "pgf", "ps", "svg", "template"})


class Picture(Figure):
    """A figure that a notebook shows once, whether a cell names it or ends with it."""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        # About to be shown as the value of a cell: pyplot need not show it when the cell ends.
        from matplotlib import pyplot  # whoever asks for this has a notebook

        pyplot.close(self)
        return {}  # the notebook knows how to draw a figure


def new_axes(width_inches: float, height_inches: float) -> Axes:
    """An Axes on a figure of its own; pyplot's current figure stays what it was.

    In a notebook the figure is also made known to pyplot, which is how the cell that made it
    shows it, once. Elsewhere it is a plain `Figure`: nothing to close, nothing that piles up.
    """
    return _new(Figure, width_inches, height_inches, layout="constrained").add_subplot()


def new_figure(width_inches: float, height_inches: float) -> Figure:
    """An empty figure without a layout, made known to pyplot as that of `new_axes` is."""
    return _new(Picture, width_inches, height_inches)


def _new(kind: type[Figure], width: float, height: float, **options: Any) -> Figure:
    backend = matplotlib.get_backend(auto_select=False)
    if backend is None or backend.lower() in _FILE_BACKENDS:
        figure = kind(figsize=(width, height), **options)
    else:
        from matplotlib import pyplot  # only where a notebook or a window waits for it

        current = pyplot.gcf() if pyplot.get_fignums() else None
        figure = pyplot.figure(figsize=(width, height), FigureClass=kind, **options)
        if current is not None:
            pyplot.figure(current)
    figure.patch.set_alpha(0.0)
    return figure


def dress(ax: Axes) -> None:
    """Transparent ground, quiet frame, all text of the axes in the one ink."""
    ax.patch.set_alpha(0.0)
    ax.spines[["top", "right"]].set_visible(False)
    ax.spines[["left", "bottom"]].set_color(INK)
    ax.tick_params(colors=INK, labelsize=TEXT_POINTS)
    ax.tick_params(axis="y", colors=INK_Y)
    for text in (ax.xaxis.label, ax.yaxis.label, ax.title):
        text.set_color(INK)
    ax.title.set_fontsize(TEXT_POINTS + 2)


def empty_note(ax: Axes, text: str) -> None:
    """Say in the middle of `ax` why nothing is drawn."""
    dress(ax)
    ax.spines[:].set_visible(False)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.text(
        0.5,
        0.5,
        plain(text),
        transform=ax.transAxes,
        ha="center",
        va="center",
        color=INK,
        fontsize=TEXT_POINTS + 2,
    )


def plain(text: str) -> str:
    """`text` as matplotlib draws it letter by letter: no formulas, no control characters.

    Letters that the font lacks are escapes as well, instead of a box and a warning.
    """
    shown = printable(text)
    if not shown.isascii():
        known = _letters(font_manager.findfont(font_manager.FontProperties()))
        shown = "".join(c if ord(c) in known else ascii(c)[1:-1] for c in shown)
    return shown.replace("$", r"\$")


@cache
def _letters(font: str) -> frozenset[int]:
    return frozenset(font_manager.get_font(font).get_charmap())


def name(text: str, length_max: int = 24) -> str:
    """A name off the wire: secrets masked, harmless, and no longer than there is room for."""
    return plain(shorten(printable(mask(text)), length_max))


def shorten(text: str, length_max: int) -> str:
    """`text`, or its beginning and "..." when it is longer than `length_max`."""
    return text if len(text) <= length_max else text[: max(length_max - 3, 0)] + "..."


class TimeScale(NamedTuple):
    """How times of one plot become x values."""

    unit_ns: int  # 0: dates; else the length of one unit of x
    origin_ns: int
    label: str

    def x(self, times_ns: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The x values of times in nanoseconds since the epoch, UTC."""
        if self.unit_ns:
            return (times_ns - self.origin_ns) / self.unit_ns
        return np.asarray(mdates.date2num(times_ns.view("datetime64[ns]")), dtype=np.float64)


def time_scale(first_ns: int, last_ns: int) -> TimeScale:
    """Seconds, or less, since a stated moment; for long spans the time of day."""
    span = last_ns - first_ns
    if span >= 120 * NANOSECONDS:
        return TimeScale(0, first_ns, f"time of day, UTC, from {utc_text(first_ns, 0)[:10]}")
    if span == 0 or span >= 2 * NANOSECONDS:
        unit, name, digits = NANOSECONDS, "seconds", 0
    elif span >= 2 * NANOSECONDS // 1_000:
        unit, name, digits = NANOSECONDS // 1_000, "milliseconds", 3
    else:
        unit, name, digits = NANOSECONDS // 1_000_000, "microseconds", 6
    origin = first_ns - first_ns % unit
    return TimeScale(unit, origin, f"{name} since {utc_text(origin, digits)} UTC")


def utc_text(time_ns: int, digits: int) -> str:
    """`2026-01-05 09:00:00.000`, of any time that a frame may hold, before 1970 as well."""
    text = str(np.datetime64(max(time_ns, 1 - 2**63), "ns")).replace("T", " ")
    return text[: 19 + (digits + 1 if digits else 0)]


def time_axis(ax: Axes, scale: TimeScale) -> None:
    """Ticks and label of a time axis; the date is written once, in the label."""
    ax.set_xlabel(scale.label, fontsize=TEXT_POINTS)
    if scale.unit_ns:
        ax.xaxis.set_major_locator(MaxNLocator(nbins=9, steps=[1, 2, 5, 10]))
        return
    # With more than 3 demanded there are spans, such as 3.6 minutes, that no interval fits.
    locator = mdates.AutoDateLocator(minticks=3, maxticks=8)
    formatter = mdates.ConciseDateFormatter(
        locator,
        formats=["%Y", "%b", "%d %b", "%H:%M", "%H:%M", "%H:%M:%S"],
        zero_formats=["", "%Y", "%b", "%d %b", "%H:%M", "%H:%M"],
        show_offset=False,
    )
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(formatter)


def number_axis(ax: Axes, label: str) -> None:
    """Ticks at whole numbers only, written out in full."""
    ax.set_ylabel(label, fontsize=TEXT_POINTS)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=9, integer=True, steps=[1, 2, 5, 10]))
    ax.yaxis.get_major_formatter().set_useOffset(False)  # type: ignore[attr-defined]
    ax.ticklabel_format(axis="y", style="plain")
    ax.grid(True, axis="y", color=FAINT, linewidth=0.6)
    ax.set_axisbelow(True)


def thin(
    times_ns: npt.NDArray[np.int64],
    *series: npt.NDArray[Any],
    buckets: int,
    keep: npt.NDArray[np.intp] | None = None,
) -> npt.NDArray[np.intp]:
    """Positions that draw like all of them: per bucket of time the first, last, least, most.

    Parameters: `times_ns` ascending; any number of `series` of the same length; `keep`,
    positions that must survive whatever their value.
    Returns ascending positions, at most `2 + 2 * len(series)` a bucket besides those kept;
    all positions when there are no more than that.
    """
    size = len(times_ns)
    if size <= buckets * (2 + 2 * len(series)):
        return np.arange(size)
    edges = np.linspace(int(times_ns[0]), int(times_ns[-1]), buckets + 1)[1:-1]
    cuts = np.searchsorted(times_ns, edges.astype(np.int64))
    starts = np.unique(np.concatenate(([0], cuts)))
    starts = starts[starts < size]
    ends = np.append(starts[1:], size)
    chosen = [starts, ends - 1]
    for values in series:
        chosen.append(_extremes(values, starts, ends))
    if keep is not None:
        chosen.append(keep)
    return np.unique(np.concatenate(chosen))


def _extremes(
    values: npt.NDArray[Any],
    starts: npt.NDArray[np.intp],
    ends: npt.NDArray[np.intp],
) -> npt.NDArray[np.intp]:
    """Positions of least and most per bucket, where these are not its first or last row.

    Counters rise, so a bucket's extremes nearly always stand at its ends, and looking for the
    position itself is left to the few buckets with a reset in them.
    """
    found: list[int] = []
    first, last = values[starts], values[ends - 1]
    for reduce_, argument in (
        (np.minimum, np.ndarray.argmin),
        (np.maximum, np.ndarray.argmax),
    ):
        extreme = reduce_.reduceat(values, starts)
        inside = (extreme != first) & (extreme != last)
        found += [
            begin + int(argument(values[begin:end]))
            for begin, end in zip(starts[inside].tolist(), ends[inside].tolist(), strict=True)
        ]
    return np.array(found, dtype=np.intp)


def ranges_text(begin: int, end: int) -> str:
    """`4` or `4-5`."""
    return str(begin) if begin == end else f"{begin}-{end}"


def duration_text(seconds: float) -> str:
    """A duration a reader takes in at once: `40 ms`, `1.0 s`, `3 min`, `2.5 h`."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"
