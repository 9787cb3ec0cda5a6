"""`intervals()`: how long each side was silent, against what Heartbeats promise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from fixlab.analysis._intervals import intervals as find_intervals
from fixlab.frames import INTERVALS, MISSING, codes, nanoseconds, numbers
from fixlab.plots import _sheet, style
from fixlab.plots._gaps import many
from fixlab.plots._given import Given, given
from fixlab.plots._rows import numbered
from fixlab.plots._sheet import Sheet

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_TOLERATED = 1.2  # HBT-04: beyond HeartBtInt(108) and a fifth of it silence is noticed
_BUCKETS = 800
_LABELS_MAX = 3  # late silences with their length written beside them
_STRETCHES_MAX = 100
_WIDE = 25  # times HeartBtInt(108): beyond, the axis is logarithmic
_DAYS_FROM = 100 * 3600.0
_PANEL = 1.45


class _Look(NamedTuple):
    """How the silences that ended in one way are marked."""

    ended_by: str
    label: str
    color: str
    marker: str
    size: float = 5.0


_LOOKS = (
    _Look("message", "any message", style.OUT, ".", 4.0),
    _Look("heartbeat", "Heartbeat", style.IN, "o", 4.0),
    _Look("answer", "Heartbeat that answers", style.AGAIN, "s"),
    _Look("test_request", "TestRequest", style.HELD, "^", 6.0),
    _Look("end", "the connection ended", style.ERROR, "X", 6.5),
)
_LATE = _Look("", "late: a fifth over HeartBtInt(108)", style.MISSING, "o", 9.0)
_TESTED = _Look("", "a TestRequest came", style.HELD, "v", 6.0)
_KEY = (
    "A mark stands where a silence ended, as high as it was long; its look says what ended it."
)


def intervals(log_or_frame: Any) -> Figure:
    """Draw how long each side was silent, against the HeartBtInt(108) of its connection.

    One panel for each side: a mark for each silence when it ended, as high as it was long, its
    look saying what ended it. The dashed line is HeartBtInt(108), the dotted one a fifth more,
    beyond which a silence is late: it is drawn from its begin to its end, ringed, and the
    longest have their length beside them. Marks at the upper edge are TestRequests of the other
    side. However many there are, per pixel of time the least and the longest stay, and of those
    that are late the longest; the title counts them all. Where the longest silence is very
    long, the axis is logarithmic.

    Of more than 6 sides those with most late silences are drawn; the figure says how many are
    not.

    Parameters: `log_or_frame`, a `Log`, a `messages` or `transitions` frame, or what
    `intervals` of one of these gave, or any of its rows.
    Returns a new figure, ten inches wide; one that says so when there was no such silence.
    Raises `SchemaError` for anything else.
    """
    return sheet_of_intervals(given(log_or_frame, INTERVALS, find_intervals)).figure()


def sheet_of_intervals(found: Given) -> Sheet:
    """The figure of some silences before it is one."""
    rows = _Silences(found.table)
    span = found.span
    if not len(rows.silence) or span is None:
        return _sheet.nothing(
            "No Heartbeat and no TestRequest, and no silence near HeartBtInt(108)"
        )
    late = np.bincount(rows.side, rows.late, len(rows.sides))
    count = np.bincount(rows.side, minlength=len(rows.sides))
    order = np.lexsort((np.arange(len(count)), -count, -late))
    shown = np.sort(order[: _sheet.PANELS_MAX])
    pages = _sheet.Pages()
    scale = style.time_scale(*span)
    for side in shown.tolist():
        pages.add(_sheet.TITLE, _sheet.titled(_title(rows, side)))
        pages.add(_PANEL, _drawn(rows, side, span, scale, labelled=side == shown[-1]))
        pages.skip(0.12)
    pages.skip(_sheet.AXIS)
    if len(order) > len(shown):
        left = int(count.sum() - count[shown].sum())
        note = (
            f"{len(order) - len(shown):,} more sides with {many(left, 'silence')} are not "
            "drawn; those drawn were late most often. Give the rows of one session to see it."
        )
        for line in _sheet.lines(note):
            pages.add(_sheet.NOTE, _sheet.noted(line))
    pages.add(_sheet.NOTE, _sheet.noted(_KEY))
    pages.legend(_legend(rows, shown))
    return pages.sheet()


class _Silences:
    """The columns of a frame of silences that have times, in the order of their ends."""

    def __init__(self, table: pd.DataFrame) -> None:
        began, ended = nanoseconds(table, "began"), nanoseconds(table, "ended")
        timed = (began != MISSING) & (ended != MISSING)
        if not timed.all() or (ended[1:] < ended[:-1]).any():
            order = np.flatnonzero(timed)
            order = order[np.argsort(ended[order], kind="stable")]
            table, began, ended = table.iloc[order], began[order], ended[order]
        self.began, self.ended = began, ended
        self.silence: Floats = table["silence_seconds"].to_numpy(np.float64)
        self.heartbeat = numbers(table, "heart_bt_int")
        self.ended_by = codes(table, "ended_by")
        self.session = codes(table, "session")
        sender = codes(table, "sender")
        promised = self.heartbeat > 0  # 0 is no Heartbeat at all, MISSING not known
        self.late = promised & (self.silence > _TOLERATED * self.heartbeat)
        names = [str(name) for name in table["sender"].cat.categories]
        sessions = [str(name) for name in table["session"].cat.categories]
        self.side, found = numbered(self.session * len(names) + sender)
        self.sides = [
            (sessions[key // len(names)], names[key % len(names)]) for key in found.tolist()
        ]


def _title(rows: _Silences, side: int) -> str:
    own = rows.side == side
    session, sender = rows.sides[side]
    told = (
        f"{style.name(sender)} was silent for at most {seconds_text(rows.silence[own].max())}"
    )
    promised = _distinct(rows.heartbeat[own]).tolist()
    known = [f"{beat} s" for beat in promised if beat != MISSING]
    told += f", HeartBtInt(108) {', '.join(known[:3])}" if known else ""
    late = int(rows.late[own].sum())
    if known:
        told += f": {late:,} of {many(len(rows.silence[own]), 'silence')} late"
    else:
        told += "; HeartBtInt(108) is not known"
    if sum(each[1] == sender for each in rows.sides) > 1:
        told += f" ({style.name(session, 40)})"
    return told


def _distinct(values: Ints) -> Ints:
    """What occurs, ascending; quick where one value follows on itself nearly always."""
    return np.unique(values[np.flatnonzero(np.diff(values, prepend=values[:1] - 1))])


def seconds_text(seconds: float) -> str:
    """A silence in short: `30 s`, `75.4 s`, `12 min`."""
    if seconds >= _DAYS_FROM:
        return f"{seconds / 86_400:.3g} d"
    return f"{seconds:.3g} s" if 1 <= seconds < 120 else style.duration_text(max(seconds, 0.0))


def _drawn(
    rows: _Silences, side: int, span: tuple[int, int], scale: style.TimeScale, *, labelled: bool
) -> Callable[[Figure, _sheet.Box], None]:
    own = np.flatnonzero(rows.side == side)

    def draw(figure: Figure, box: _sheet.Box) -> None:
        ax = figure.add_axes((_AXES[0] / _sheet.WIDTH, box[1], _AXES[1] / _sheet.WIDTH, box[3]))
        style.dress(ax)
        _sheet.limits(ax, span, scale)
        _scale_up(ax, rows, own)
        _promises(ax, rows, own, scale)
        _late(ax, rows, own, scale)
        for code, look in enumerate(_LOOKS):
            at = own[rows.ended_by[own] == _CODES[look.ended_by]]
            _points(ax, rows, at, scale, look, zorder=3 + code / 10)
        _tested(ax, rows, side, scale)
        _sheet.time_ticks(ax, scale if labelled else None)

    return draw


_AXES = (0.9, 8.75)  # left edge and width, inches
_CODES = {name: code for code, name in enumerate(INTERVALS["ended_by"].categories or ())}


def _scale_up(ax: Axes, rows: _Silences, own: Ints) -> None:
    """Limits and ticks of the seconds."""
    beats = rows.heartbeat[own][rows.heartbeat[own] > 0]
    longest = max(float(rows.silence[own].max()), 1e-3)
    promised = float(beats.max()) if len(beats) else 0.0
    top = max(longest * 1.25, promised * 1.5)
    if promised and longest > _WIDE * float(beats.min()):
        ax.set_yscale("log")
        low = max(float(beats.min()) / 10, 1e-3)
        ax.set_ylim(low, max(top, low * 10) * 1.5)
        ax.yaxis.set_minor_locator(NullLocator())
    else:
        low = min(float(rows.silence[own].min()), 0.0)
        ax.set_ylim(low * 1.1 - 0.03 * top, top)
    marks = sorted({longest, *(float(beat) for beat in _distinct(beats)[-2:])})
    apart = [m for i, m in enumerate(marks) if i == len(marks) - 1 or marks[i + 1] > 1.25 * m]
    ax.yaxis.set_major_locator(FixedLocator(apart))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds_text(value)))


def _promises(ax: Axes, rows: _Silences, own: Ints, scale: style.TimeScale) -> None:
    """HeartBtInt(108) over time, and what is tolerated."""
    beat = rows.heartbeat[own]
    known = own[beat > 0]
    if not len(known):
        return
    beat = rows.heartbeat[known]
    # One stretch for each value in a row, from its first silence to the end of its last.
    starts = np.flatnonzero(np.concatenate(([True], beat[1:] != beat[:-1])))[:_STRETCHES_MAX]
    ends = np.append(starts[1:], len(known)) - 1
    x0, x1 = scale.x(rows.began[known[starts]]), scale.x(rows.ended[known[ends]])
    for share, dashes, color in ((1.0, (5, 2), style.INK), (_TOLERATED, (1, 2), _LATE.color)):
        y = beat[starts] * share
        lines = [[(a, c), (b, c)] for a, b, c in zip(x0, x1, y, strict=True)]
        drawn = LineCollection(
            lines,
            colors=color,
            linewidths=1.3,
            linestyles=[(0, dashes)],
            label="HeartBtInt(108)" if share == 1 else "a fifth over HeartBtInt(108)",
        )
        ax.add_collection(drawn, autolim=False)


def _late(ax: Axes, rows: _Silences, own: Ints, scale: style.TimeScale) -> None:
    """The longest late silences from begin to end; the three longest with their length."""
    late = own[rows.late[own]]
    if not len(late):
        return
    _points(ax, rows, late, scale, _LATE, zorder=2.5, hollow=True)
    longest = late[np.argsort(-rows.silence[late], kind="stable")][:_STRETCHES_MAX]
    x0, x1 = scale.x(rows.began[longest]), scale.x(rows.ended[longest])
    y = rows.silence[longest]
    ax.add_collection(
        LineCollection(
            [[(a, c), (b, c)] for a, b, c in zip(x0, x1, y, strict=True)],
            colors=_LATE.color,
            linewidths=2.0,
            label="late from, to",
        ),
        autolim=False,
    )
    placed: list[float] = []
    width = float(np.ptp(ax.get_xlim()))
    for i in range(len(longest)):
        at = float(x1[i])
        if len(placed) == _LABELS_MAX:
            break
        if any(abs(at - other) < 0.12 * width for other in placed):
            continue
        placed.append(at)
        first = at < ax.get_xlim()[0] + 0.08 * width  # no room at its left
        ax.annotate(
            seconds_text(float(y[i])),
            (at, float(y[i])),
            xytext=(7, 3) if first else (-7, 3),
            textcoords="offset points",
            ha="left" if first else "right",
            va="bottom",
            color=_LATE.color,
            fontsize=style.NOTE_POINTS,
            fontweight="bold",
        )


def _points(
    ax: Axes,
    rows: _Silences,
    at: Ints,
    scale: style.TimeScale,
    look: _Look,
    *,
    zorder: float,
    hollow: bool = False,
) -> None:
    if not len(at):
        return
    milliseconds = (rows.silence[at] * 1e3).astype(np.int64)
    kept = at[style.thin(rows.ended[at], milliseconds, buckets=_BUCKETS)]
    ax.plot(
        scale.x(rows.ended[kept]),
        np.maximum(rows.silence[kept], ax.get_ylim()[0]),
        linestyle="none",
        marker=look.marker,
        markersize=look.size,
        markerfacecolor="none" if hollow else look.color,
        markeredgecolor=look.color,
        markeredgewidth=1.6 if hollow else 0.5,
        label=look.label,
        zorder=zorder,
    )


def _tested(ax: Axes, rows: _Silences, side: int, scale: style.TimeScale) -> None:
    """TestRequests of the other side, at the upper edge."""
    session, _ = rows.sides[side]
    others = [i for i, (name, _) in enumerate(rows.sides) if name == session and i != side]
    at = np.isin(rows.side, others) & (rows.ended_by == _CODES["test_request"])
    if not at.any():
        return
    times = rows.ended[at]
    kept = times[style.thin(times, buckets=_BUCKETS // 2)]
    ax.plot(
        scale.x(kept),
        np.full(len(kept), 0.95),
        transform=ax.get_xaxis_transform(),
        linestyle="none",
        marker=_TESTED.marker,
        markersize=_TESTED.size,
        color=_TESTED.color,
        label=_TESTED.label,
    )


def _legend(rows: _Silences, shown: Ints) -> Sequence[_sheet.Entry]:
    """Only what occurs."""
    at = np.isin(rows.side, shown)
    ways = np.bincount(rows.ended_by[at], minlength=len(_CODES)) > 0
    looks = [look for look in _LOOKS if ways[_CODES[look.ended_by]]]
    entries = [(look.marker, look.color, look.label) for look in looks]
    if (rows.ended_by == _CODES["test_request"]).any():
        entries.append((_TESTED.marker, _TESTED.color, _TESTED.label))
    if (rows.heartbeat[at] > 0).any():
        entries.append(("--", style.INK, "HeartBtInt(108)"))
        entries.append((":", _LATE.color, "a fifth over it"))
    if rows.late[at].any():
        entries.append(("", _LATE.color, "late"))
    return entries
