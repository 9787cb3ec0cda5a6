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
from fixlab.frames import INTERVALS, MISSING, nanoseconds, numbers
from fixlab.plots import _sheet, style
from fixlab.plots._gaps import many
from fixlab.plots._given import Given, given
from fixlab.plots._rows import foremost, sides_of
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
    shown, left = rows.foremost_sides()
    sides = [rows.of_side(side) for side in shown]
    pages = _sheet.Pages()
    scale = style.time_scale(*span)
    for side in sides:
        pages.add(_sheet.TITLE, _sheet.titled(_title(side, rows.sides)))
        pages.add(_PANEL, _drawn(side, span, scale, labelled=side is sides[-1]))
        pages.skip(0.12)
    pages.skip(_sheet.AXIS)
    if left:
        note = (
            f"{len(rows.sides) - len(sides):,} more sides with {many(left, 'silence')} are not "
            "drawn; those drawn were late most often. Give the rows of one session to see it."
        )
        for line in _sheet.lines(note):
            pages.add(_sheet.NOTE, _sheet.noted(line))
    pages.add(_sheet.NOTE, _sheet.noted(_KEY))
    pages.legend(_legend(sides, tested=len(rows.tests) > 0))
    return pages.sheet()


class _Side(NamedTuple):
    """The silences of one side, in the order of their ends; positions are among these."""

    session: str
    sender: str
    began: Ints
    ended: Ints
    silence: Floats
    ways: tuple[Ints, ...]  # for each of `_LOOKS` the positions of those that ended so
    late: Ints  # positions
    starts: Ints  # where HeartBtInt(108) changes, from 0 on
    beats: Ints  # and what it is from there on, MISSING where it is not known
    tests: Ints  # when the other side sent TestRequests


class _Silences:
    """The columns of a frame of silences that have times, in the order of their ends."""

    def __init__(self, table: pd.DataFrame) -> None:
        began, ended = nanoseconds(table, "began"), nanoseconds(table, "ended")
        untimed = len(table) > 0 and MISSING in (began.min(), ended.min())
        if untimed or (ended[1:] < ended[:-1]).any():
            order = np.flatnonzero((began != MISSING) & (ended != MISSING))
            order = order[np.argsort(ended[order], kind="stable")]
            table, began, ended = table.iloc[order], began[order], ended[order]
        self.began, self.ended = began, ended
        self.silence: Floats = table["silence_seconds"].to_numpy(np.float64)
        self.heartbeat = numbers(table, "heart_bt_int")
        self.ended_by = table["ended_by"].cat.codes.to_numpy()
        self.tests = np.flatnonzero(self.ended_by == _CODES["test_request"])
        self.late = _late_ones(self.silence, self.heartbeat)
        self.side, self.sides = sides_of(table, "sender")

    def foremost_sides(self) -> tuple[list[int], int]:
        """Sides to draw, those with most late silences, and how many silences that leaves."""
        size = len(self.sides)
        if size <= _sheet.PANELS_MAX:
            return list(range(size)), 0
        late = np.bincount(self.side[self.late], minlength=size)
        count = np.bincount(self.side, minlength=size)
        order = np.lexsort((np.arange(size), -count, -late))
        shown = np.sort(order[: _sheet.PANELS_MAX])
        return shown.tolist(), int(count.sum() - count[shown].sum())

    def of_side(self, side: int) -> _Side:
        session, sender = self.sides[side]
        own = np.flatnonzero(self.side == side) if len(self.sides) > 1 else slice(None)
        others = [i for i, (name, _) in enumerate(self.sides) if name == session and i != side]
        ended_by, heartbeat = self.ended_by[own], self.heartbeat[own]
        is_late = np.zeros(len(self.ended), np.bool_)
        is_late[self.late] = True
        starts = np.flatnonzero(np.concatenate(([True], heartbeat[1:] != heartbeat[:-1])))
        return _Side(
            session,
            sender,
            self.began[own],
            self.ended[own],
            self.silence[own],
            tuple(np.flatnonzero(ended_by == _CODES[look.ended_by]) for look in _LOOKS),
            np.flatnonzero(is_late[own]),
            starts,
            heartbeat[starts],
            self.ended[self.tests[np.isin(self.side[self.tests], others)]],
        )


def _late_ones(silence: Floats, heartbeat: Ints) -> Ints:
    """Positions of the silences that are late."""
    # 0 is no Heartbeat at all, MISSING not known; what is short of the least is never late.
    least = max(int(heartbeat.min()), 0) if len(heartbeat) else 0
    at = np.flatnonzero(silence > _TOLERATED * least)
    return at[(heartbeat[at] > 0) & (silence[at] > _TOLERATED * heartbeat[at])]


def _title(side: _Side, sides: Sequence[tuple[str, str]]) -> str:
    sender = side.sender
    told = f"{style.name(sender)} was silent for at most {seconds_text(side.silence.max())}"
    known = [f"{beat} s" for beat in np.unique(side.beats).tolist() if beat != MISSING]
    told += f", HeartBtInt(108) {', '.join(known[:3])}" if known else ""
    if known:
        told += f": {len(side.late):,} of {many(len(side.silence), 'silence')} late"
    else:
        told += "; HeartBtInt(108) is not known"
    if sum(each[1] == sender for each in sides) > 1:
        told += f" ({style.name(side.session, 40)})"
    return told


def seconds_text(seconds: float) -> str:
    """A silence in short: `30 s`, `75.4 s`, `12 min`."""
    if seconds >= _DAYS_FROM:
        return f"{seconds / 86_400:.3g} d"
    return f"{seconds:.3g} s" if 1 <= seconds < 120 else style.duration_text(max(seconds, 0.0))


def _drawn(
    side: _Side, span: tuple[int, int], scale: style.TimeScale, *, labelled: bool
) -> Callable[[Figure, _sheet.Box], None]:
    def draw(figure: Figure, box: _sheet.Box) -> None:
        ax = figure.add_axes((_AXES[0] / _sheet.WIDTH, box[1], _AXES[1] / _sheet.WIDTH, box[3]))
        style.dress(ax)
        _sheet.limits(ax, span, scale)
        _scale_up(ax, side)
        _promises(ax, side, scale)
        _late(ax, side, scale)
        for i, (look, at) in enumerate(zip(_LOOKS, side.ways, strict=True)):
            _points(ax, side, at, scale, look, zorder=3 + i / 10)
        _tested(ax, side.tests, scale)
        _sheet.time_ticks(ax, scale if labelled else None)

    return draw


_AXES = (0.9, 8.75)  # left edge and width, inches
_CODES = {name: code for code, name in enumerate(INTERVALS["ended_by"].categories or ())}


def _scale_up(ax: Axes, side: _Side) -> None:
    """Limits and ticks of the seconds."""
    beats = np.unique(side.beats[side.beats > 0])
    longest = max(float(side.silence.max()), 1e-3)
    promised = float(beats.max()) if len(beats) else 0.0
    top = max(longest * 1.25, promised * 1.5)
    if promised and longest > _WIDE * float(beats.min()):
        ax.set_yscale("log")
        low = max(float(beats.min()) / 10, 1e-3)
        ax.set_ylim(low, max(top, low * 10) * 1.5)
        ax.yaxis.set_minor_locator(NullLocator())
    else:
        low = min(float(side.silence.min()), 0.0)
        ax.set_ylim(low * 1.1 - 0.03 * top, top)
    marks = sorted({longest, *(float(beat) for beat in beats[-2:])})
    apart = [m for i, m in enumerate(marks) if i == len(marks) - 1 or marks[i + 1] > 1.25 * m]
    ax.yaxis.set_major_locator(FixedLocator(apart))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: seconds_text(value)))


def _promises(ax: Axes, side: _Side, scale: style.TimeScale) -> None:
    """HeartBtInt(108) over time, and what is tolerated."""
    known = side.beats > 0
    if not known.any():
        return
    beats, starts = side.beats[known], side.starts[known]
    ends = np.append(side.starts[1:], len(side.ended))[known] - 1
    # One stretch for each value in a row, from its first silence to the end of its last.
    first = np.flatnonzero(np.concatenate(([True], beats[1:] != beats[:-1])))
    last = np.append(first[1:], len(beats)) - 1
    first, last = first[:_STRETCHES_MAX], last[:_STRETCHES_MAX]
    x0, x1 = scale.x(side.began[starts[first]]), scale.x(side.ended[ends[last]])
    for share, dashes, color in ((1.0, (5, 2), style.INK), (_TOLERATED, (1, 2), _LATE.color)):
        y = beats[first] * share
        lines = [[(a, c), (b, c)] for a, b, c in zip(x0, x1, y, strict=True)]
        drawn = LineCollection(
            lines,
            colors=color,
            linewidths=1.3,
            linestyles=[(0, dashes)],
            label="HeartBtInt(108)" if share == 1 else "a fifth over HeartBtInt(108)",
        )
        ax.add_collection(drawn, autolim=False)


def _late(ax: Axes, side: _Side, scale: style.TimeScale) -> None:
    """The longest late silences from begin to end; the three longest with their length."""
    if not len(side.late):
        return
    _points(ax, side, side.late, scale, _LATE, zorder=2.5, hollow=True)
    silence = side.silence[side.late]
    longest = side.late[foremost(_STRETCHES_MAX, len(silence), lambda at: -silence[at])]
    longest = longest[np.argsort(-side.silence[longest], kind="stable")]
    x0, x1 = scale.x(side.began[longest]), scale.x(side.ended[longest])
    y = side.silence[longest]
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
    side: _Side,
    at: Ints,
    scale: style.TimeScale,
    look: _Look,
    *,
    zorder: float,
    hollow: bool = False,
) -> None:
    if not len(at):
        return
    kept = at[style.thin(side.ended[at], side.silence[at], buckets=_BUCKETS)]
    ax.plot(
        scale.x(side.ended[kept]),
        np.maximum(side.silence[kept], ax.get_ylim()[0]),
        linestyle="none",
        marker=look.marker,
        markersize=look.size,
        markerfacecolor="none" if hollow else look.color,
        markeredgecolor=look.color,
        markeredgewidth=1.6 if hollow else 0.5,
        label=look.label,
        zorder=zorder,
    )


def _tested(ax: Axes, times: Ints, scale: style.TimeScale) -> None:
    """TestRequests of the other side, at the upper edge."""
    if not len(times):
        return
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


def _legend(sides: Sequence[_Side], *, tested: bool) -> Sequence[_sheet.Entry]:
    """Only what occurs."""
    entries = [
        (look.marker, look.color, look.label)
        for i, look in enumerate(_LOOKS)
        if any(len(side.ways[i]) for side in sides)
    ]
    if tested:
        entries.append((_TESTED.marker, _TESTED.color, _TESTED.label))
    if any((side.beats > 0).any() for side in sides):
        entries.append(("--", style.INK, "HeartBtInt(108)"))
        entries.append((":", _LATE.color, "a fifth over it"))
    if any(len(side.late) for side in sides):
        entries.append(("", _LATE.color, "late"))
    return entries
