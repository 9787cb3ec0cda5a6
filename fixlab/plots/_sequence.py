"""`sequence()`: NextNumIn and NextNumOut of one session as stairs over time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection

from fixlab.analysis._gaps import gaps as find_gaps
from fixlab.errors import ConfigError
from fixlab.frames import TRANSITIONS, check
from fixlab.plots import style
from fixlab.plots.unsent import never_sent
from fixlab.redact import printable
from fixlab.session.transitions import SessionState, TransitionKind

Positions = npt.NDArray[np.intp]
Times = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_BUCKETS = 1_500  # about the pixels of an axis ten inches wide on a dense screen
_SMALL_MARKS_FROM = 150  # marks: more than this many are drawn smaller
_BANDS_MAX = 1_000  # gap bands drawn one by one; more are merged where they share a pixel
_GAP_LABELS_MAX = 12
_LINE_LABELS_MAX = 12
_LABEL_ROWS_MAX = 5
_ROW_POINTS = 13.0
_INCHES_A_LETTER = 0.07


class _Mark(NamedTuple):
    """How the rows of one kind are marked at their MsgSeqNum(34)."""

    kind: TransitionKind
    label: str
    color: str
    marker: str
    hollow: bool = False
    size: float = 6.0
    at: str = "msg_seq_num"  # column of the height


# Drawn in this order, which is also that of the legend.
_MARKS = (
    _Mark(TransitionKind.HELD, "held: came too early", style.HELD, ">", size=7.5),
    _Mark(
        TransitionKind.RESEND_REQUESTED,
        "ResendRequest sent",
        style.MISSING,
        "v",
        size=8.0,
        at="begin_seq_no",
    ),
    _Mark(TransitionKind.DUPLICATE, "duplicate, ignored", style.AGAIN, "x", size=6.5),
    _Mark(TransitionKind.TOO_LOW, "number too low", style.ERROR, "v", size=8.0),
    _Mark(TransitionKind.REJECTED, "rejected", style.ERROR, "X", size=8.0),
    _Mark(
        TransitionKind.GARBLED, "garbled, ignored", style.ERROR, "*", size=10.0, at="next_in"
    ),
    _Mark(
        TransitionKind.WARNED,
        "warning: a rule was broken",
        style.ERROR,
        "^",
        hollow=True,
        size=11.0,
    ),
    _Mark(TransitionKind.QUEUED, "stored, to be sent later", style.HELD, "D"),
    _Mark(TransitionKind.RESENT, "sent again (PossDup)", style.OUT, "s", hollow=True),
)


class _Span(NamedTuple):
    """How the rows of one kind are drawn over the numbers they mean."""

    kind: TransitionKind | None
    label: str
    color: str
    linestyle: str = "solid"
    width: float = 5.0


_SPANS = (
    _Span(TransitionKind.GAP_FILLED, "gap fill", style.FILL),
    _Span(TransitionKind.FILL_SENT, "gap fill sent", style.OUT),
    _Span(TransitionKind.SKIPPED, "numbers skipped on purpose", style.OUT, "dotted"),
)
# Narrow, because the gap fill that passed over the numbers stands in the same place.
_DROPPED = _Span(None, "dropped: will never be sent", style.MISSING, width=2.5)


class _Rule(NamedTuple):
    """A labelled vertical line: for the rows of a kind, or where the connection changed."""

    kind: TransitionKind | None
    change: str  # "lost", "ended" or "again" when there is no kind
    label: str
    text: str
    color: str
    linestyle: Any


_RULES = (
    _Rule(
        TransitionKind.RESET_IN,
        "",
        "SequenceReset",
        "reset: next is {next_in}",
        style.RESET,
        "dashdot",
    ),
    _Rule(
        TransitionKind.RESET_BOTH,
        "",
        "both numbers restart",
        "both restart at 1",
        style.RESET,
        "dashed",
    ),
    _Rule(None, "lost", "connection lost", "connection lost", style.CUT, "solid"),
    _Rule(None, "ended", "logged out", "logged out", style.CUT, "dashed"),
    _Rule(None, "again", "connected again", "connected again", style.CUT, "dotted"),
    _Rule(TransitionKind.TIMED_OUT, "", "timed out", "timed out", style.ERROR, "dotted"),
)


class _Line(NamedTuple):
    """What to write over one vertical line."""

    x: float
    text: str
    color: str


def sequence(
    transitions: pd.DataFrame,
    *,
    session: str | None = None,
    ax: Axes | None = None,
    legend_outside: bool | None = None,
) -> Axes:
    """Draw NextNumIn and NextNumOut of one session over time, and what happened to them.

    Gaps are shaded from noticed to closed over the missing numbers. A message accepted at
    its first delivery is a filled mark, a replayed one a hollow mark, a gap fill a bar over the
    numbers it stands for. A message that was stored to be sent later is a diamond, one that was
    processed with a warning has a triangle around it. Resets and lost connections are labelled
    lines. However long the
    frame, what is drawn is bounded: per pixel of time the extremes stay, and every gap.

    Parameters: `transitions`, a frame of that schema; `session`, the end to draw, by default
    the only one, else the first that had a gap, else the first; `ax`, where to draw, by default
    a new figure of 10 x 4.5 inches; `legend_outside`, whether the legend stands to the right of
    the axes, by default only in a new figure.
    Returns the Axes; for an empty frame one that says so.
    Raises `ConfigError` for a session that is not in the frame, naming those that are, and
    `SchemaError` for another frame.
    """
    transitions = check(transitions, TRANSITIONS)
    if len(transitions) == 0 and session is None:
        axes = ax if ax is not None else style.new_axes(10.0, 4.5)
        style.empty_note(axes, "No transitions: nothing was recorded yet")
        return axes
    chosen, positions = _choose(transitions, session)
    rows = _Rows(transitions, positions)
    axes = ax if ax is not None else style.new_axes(10.0, 4.5)
    style.dress(axes)
    _Drawing(axes, rows).draw(
        chosen, legend_outside=ax is None if legend_outside is None else legend_outside
    )
    return axes


def _choose(transitions: pd.DataFrame, session: str | None) -> tuple[str, Positions | None]:
    """The session to draw and the positions of its rows; None means all rows are its own."""
    sessions = pd.Categorical(transitions["session"])
    codes = np.asarray(sessions.codes)
    names = [str(name) for name in sessions.categories]
    if len(names) == 1 and len(codes) and session in (None, names[0]):
        return names[0], None
    present = np.flatnonzero(np.bincount(codes[codes >= 0], minlength=len(names)))
    if session is None:
        opened = transitions["kind"].to_numpy() == TransitionKind.GAP_OPENED
        candidates = codes[opened] if opened.any() else codes
        code = int(candidates[0])
    else:
        found = [int(code) for code in present if names[code] == session]
        if not found:
            listed = ", ".join(sorted(names[code] for code in present)) or "no session at all"
            raise ConfigError(
                f"session {printable(session)!r} is not in the frame, which has {listed}"
            )
        code = found[0]
    return names[code], np.flatnonzero(codes == code)


class _Rows:
    """The rows of one session, column by column, without copying a long frame's others."""

    def __init__(self, frame: pd.DataFrame, positions: Positions | None) -> None:
        self._frame = frame
        self._positions = positions
        times = pd.DatetimeIndex(frame["time"]).asi8
        self.times: Times = times if positions is None else times[positions]
        self.next_in = self._column("next_in")
        self.next_out = self._column("next_out")
        self._kind_codes, self._kind_names = self._codes("kind")
        flagged = self._column("poss_dup").astype(bool, copy=False)
        plain = self._is(TransitionKind.ACCEPTED) | self._is(TransitionKind.SENT)
        # All but the two everyday kinds; every later question is asked of these few rows.
        self.special: Positions = np.flatnonzero(~plain | flagged)
        self._flagged = flagged

    def _column(self, name: str) -> npt.NDArray[Any]:
        values = self._frame[name].to_numpy()
        return values if self._positions is None else values[self._positions]

    def _codes(self, name: str) -> tuple[npt.NDArray[Any], dict[str, int]]:
        column = pd.Categorical(self._frame[name])
        codes = np.asarray(column.codes)
        names = {str(value): code for code, value in enumerate(column.categories)}
        return (codes if self._positions is None else codes[self._positions]), names

    def _is(self, kind: TransitionKind) -> npt.NDArray[np.bool_]:
        return np.asarray(self._kind_codes == self._kind_names.get(kind, -2))

    def of_kind(self, kind: TransitionKind) -> Positions:
        """Positions of a kind other than ACCEPTED and SENT."""
        code = self._kind_names.get(kind, -2)
        return np.compress(self._kind_codes[self.special] == code, self.special)

    def accepted(self, *, replayed: bool, among: Positions) -> Positions:
        """Those of the positions `among` that accepted a message, first sent or replayed."""
        code = self._kind_names.get(TransitionKind.ACCEPTED, -2)
        fits = (self._kind_codes[among] == code) & (self._flagged[among] == replayed)
        return np.compress(fits, among)

    def values(self, name: str, at: Positions) -> Floats:
        """A column of numbers at some positions; NaN where it is missing."""
        series = self._frame[name].iloc[at if self._positions is None else self._positions[at]]
        return np.asarray(series.to_numpy(dtype="float64", na_value=np.nan))

    def never_sent(self) -> tuple[Positions, Floats, Floats]:
        """Queued numbers that never leave: position of the row that says so, first, last."""
        kinds = (TransitionKind.QUEUED, TransitionKind.IGNORED)
        any_at_all = any(len(self.of_kind(kind)) for kind in kinds)
        rows = self.special if any_at_all else self.special[:0]
        at = rows if self._positions is None else self._positions[rows]
        table = np.array(never_sent(self._frame.iloc[at]), dtype=np.int64).reshape(-1, 3)
        begin, end = table[:, 1].astype(np.float64), table[:, 2].astype(np.float64)
        return rows[table[:, 0]], begin, end

    def connection_changes(self) -> tuple[Positions, Positions, Positions]:
        """Positions where the connection was lost, ended after a Logout, and came back."""
        before, before_names = self._codes("state_before")
        after, after_names = self._codes("state")
        off_before = before == before_names.get(SessionState.DISCONNECTED, -2)
        off_after = after == after_names.get(SessionState.DISCONNECTED, -2)
        down = np.flatnonzero(off_after & ~off_before)
        up = np.flatnonzero(off_before & ~off_after)
        polite = [
            before_names.get(state, -2)
            for state in (SessionState.LOGOUT_SENT, SessionState.LOGOUT_ANSWERED)
        ]
        ended = np.isin(before[down], polite)
        again = up[up > down[0]] if len(down) else up[:0]
        return down[~ended], down[ended], again

    def gaps(self) -> pd.DataFrame:
        """`gaps()` of this session, those whose numbers are known."""
        about_gaps = self._frame["gap"].notna().to_numpy()
        if self._positions is None:
            at = np.flatnonzero(about_gaps)
        else:
            at = self._positions[about_gaps[self._positions]]
        # Also the rows that show that the session was made anew: its gaps count from 1 again.
        step = self._column("step")
        anew = np.flatnonzero(step[1:] < step[:-1])
        if len(anew):
            own = np.concatenate((anew, anew + 1))
            at = np.union1d(at, own if self._positions is None else self._positions[own])
        gaps = find_gaps(self._frame.iloc[at])
        return gaps[gaps["begin_seq_no"].notna() & gaps["end_seq_no"].notna()]


@dataclass
class _Drawing:
    """The state of one call: where to draw, what to draw, what the legend has so far."""

    ax: Axes
    rows: _Rows
    handles: dict[str, Any] = field(default_factory=dict)

    def draw(self, session: str, *, legend_outside: bool) -> None:
        rows = self.rows
        gaps = rows.gaps()
        shown = style.thin(
            rows.times, rows.next_in, rows.next_out, buckets=_BUCKETS, keep=self._edges()
        )
        # The drawn rows have the first and the last: no pass over all is needed for the span.
        times = rows.times[shown]
        self.span = (int(times.min()), int(times.max()))
        self.scale = style.time_scale(*self.span)
        self._stairs(shown)
        self._bands(gaps)
        self._deliveries(shown)
        for mark in _MARKS:
            self._mark(mark)
        for span in _SPANS:
            self._spans(span)
        self._bars(_DROPPED, *rows.never_sent())
        style.time_axis(self.ax, self.scale)
        style.number_axis(self.ax, "MsgSeqNum(34)")
        lines = self._lines()
        self._frame_limits()
        self._label_gaps(gaps, legend_outside=legend_outside)
        rows_above = self._label_lines(lines, overhang=legend_outside)
        self.ax.set_title(
            style.plain(f"{session}: {_in_words(gaps)}"),
            loc="left",
            color=style.INK,
            pad=8 + _ROW_POINTS * rows_above,
        )
        self._legend(legend_outside)

    def _edges(self) -> Positions:
        """Rows that open or close a gap: they survive the thinning, whatever their number."""
        kinds = (
            TransitionKind.GAP_OPENED,
            TransitionKind.GAP_CLOSED,
            TransitionKind.GAP_ABANDONED,
        )
        edges = np.concatenate([self.rows.of_kind(kind) for kind in kinds])
        if len(edges) <= 2 * _BANDS_MAX:
            return edges
        edges = np.sort(edges)
        times, numbers = self.rows.times[edges], self.rows.next_in[edges]
        return edges[style.thin(times, numbers, buckets=_BUCKETS)]

    def _stairs(self, shown: Positions) -> None:
        rows = self.rows
        times = np.concatenate((rows.times[:1], rows.times[shown]))
        x = self.scale.x(times)
        first = np.arange(1)
        stairs: tuple[tuple[str, Times, str, dict[str, Any]], ...] = (
            (
                "NextNumIn: expected next",
                rows.next_in,
                "next_in_before",
                {"color": style.IN, "linewidth": 2.0, "zorder": 2.5},
            ),
            (
                "NextNumOut: sent next",
                rows.next_out,
                "next_out_before",
                {"color": style.OUT, "linewidth": 1.3, "dashes": (5, 2)},
            ),
        )
        for label, numbers, before, look in stairs:
            y = np.concatenate((rows.values(before, first), numbers[shown]))
            (line,) = self.ax.plot(x, y, drawstyle="steps-post", label=label, **look)
            self.handles[label] = line

    def _bands(self, gaps: pd.DataFrame) -> None:
        if gaps.empty:
            return
        left, right, low, high = _band_edges(gaps, self.rows.times)
        if len(left) > _BANDS_MAX:
            left, right, low, high = _merge_bands(left, right, low, high)
        x0, x1 = self.scale.x(left), self.scale.x(right)
        # One array, of which the collection makes its paths at once; a list is taken apart.
        corners: Any = np.stack(
            [
                np.stack([x0, low], axis=1),
                np.stack([x0, high], axis=1),
                np.stack([x1, high], axis=1),
                np.stack([x1, low], axis=1),
            ],
            axis=1,
        )
        label = "gap: numbers missing"
        bands = PolyCollection(
            corners,
            facecolors=style.MISSING + "40",
            edgecolors=style.MISSING,
            linewidths=1.2,
            label=label,
            zorder=1.5,
        )
        self.ax.add_collection(bands)
        self.handles[label] = bands

    def _deliveries(self, shown: Positions) -> None:
        rows = self.rows
        # A message in order stands on its stair; of very many, those on the drawn stair do.
        first = rows.accepted(replayed=False, among=shown)
        self._points(first, _Mark(TransitionKind.ACCEPTED, "accepted", style.IN, "o", size=5.5))
        again = rows.accepted(replayed=True, among=rows.special)
        self._points(
            again,
            _Mark(
                TransitionKind.ACCEPTED,
                "accepted when replayed (PossDup)",
                style.AGAIN,
                "o",
                hollow=True,
                size=8.0,
            ),
        )

    def _mark(self, mark: _Mark) -> None:
        self._points(self.rows.of_kind(mark.kind), mark)

    def _points(self, at: Positions, mark: _Mark) -> None:
        if len(at) == 0:
            return
        y = self.rows.values(mark.at, at)
        # A message without a number has no height of its own: it came when this was expected.
        y = np.where(np.isnan(y), self.rows.next_in[at], y)
        thinned = style.thin(self.rows.times[at], y.astype(np.int64), buckets=_BUCKETS)
        crowded = len(thinned) > _SMALL_MARKS_FROM
        (points,) = self.ax.plot(
            self.scale.x(self.rows.times[at[thinned]]),
            y[thinned],
            linestyle="none",
            marker=mark.marker,
            markersize=mark.size / 2 if crowded else mark.size,
            markerfacecolor="none" if mark.hollow else mark.color,
            markeredgecolor=mark.color,
            markeredgewidth=1.8 if mark.hollow or mark.marker == "x" else 0.8,
            label=mark.label,
            zorder=4 if mark.hollow else 3.5,
        )
        self.handles[mark.label] = points

    def _spans(self, span: _Span) -> None:
        assert span.kind is not None, "only _DROPPED has no kind"
        at = self.rows.of_kind(span.kind)
        if len(at) == 0:
            return
        low, high = (self.rows.values(name, at) for name in ("begin_seq_no", "end_seq_no"))
        known = ~np.isnan(low) & ~np.isnan(high)
        self._bars(span, at[known], low[known], high[known])

    def _bars(self, span: _Span, at: Positions, low: Floats, high: Floats) -> None:
        if len(at) == 0:
            return
        kept = style.thin(
            self.rows.times[at], low.astype(np.int64), high.astype(np.int64), buckets=_BUCKETS
        )
        x = self.scale.x(self.rows.times[at[kept]])
        lines = [
            [(place, begin - 0.4), (place, end + 0.4)]
            for place, begin, end in zip(x, low[kept], high[kept], strict=True)
        ]
        bars = LineCollection(
            lines,
            colors=span.color,
            linewidths=span.width,
            linestyles=span.linestyle,
            label=span.label,
            zorder=3 if span.kind is not None else 3.1,
        )
        self.ax.add_collection(bars)
        self.handles[span.label] = bars

    def _lines(self) -> list[_Line]:
        """Resets and the connection's ups and downs; returns what to write over the lines."""
        rows = self.rows
        lost, ended, again = rows.connection_changes()
        lines: list[_Line] = []
        for rule in _RULES:
            if rule.kind is not None:
                at = rows.of_kind(rule.kind)
            else:
                at = {"lost": lost, "ended": ended, "again": again}[rule.change]
            if len(at) == 0:
                continue
            kept = at[style.thin(rows.times[at], buckets=_BUCKETS // 2)]
            x = self.scale.x(rows.times[kept])
            drawn = self.ax.vlines(
                x,
                0,
                1,
                transform=self.ax.get_xaxis_transform(),
                colors=rule.color,
                linestyles=rule.linestyle,
                linewidths=1.4,
                label=rule.label,
                zorder=2,
            )
            self.handles.setdefault(rule.label, drawn)
            lines.extend(
                _Line(place, rule.text.format(next_in=rows.next_in[row]), rule.color)
                for place, row in zip(x.tolist(), kept, strict=True)
            )
        return sorted(set(lines))

    def _frame_limits(self) -> None:
        x0, x1 = self.scale.x(np.array(self.span)).tolist()
        margin = 0.03 * (x1 - x0) if x1 > x0 else 1.0 if self.scale.unit_ns else 1 / 86_400
        self.ax.set_xlim(x0 - margin, x1 + margin)
        self.ax.autoscale_view(scalex=False)
        low, high = self.ax.get_ylim()
        self.ax.set_ylim(max(low, -0.5), max(high, 2.5))

    def _label_gaps(self, gaps: pd.DataFrame, *, legend_outside: bool) -> None:
        if gaps.empty or len(gaps) > _GAP_LABELS_MAX:
            return
        left, right, low, high = _band_edges(gaps, self.rows.times)
        x0, x1 = self.scale.x(left), self.scale.x(right)
        letter = _INCHES_A_LETTER / self._width_inches(legend_outside)
        for row, how in enumerate(gaps["how"].astype(str)):
            begin, end = round(low[row] + 0.5), round(high[row] - 0.5)
            text = f"gap {style.ranges_text(begin, end)}"
            if how in ("open", "abandoned", "reset"):
                text += f", {how}"
            # The side of the stair on which NextNumOut does not run.
            at = int(np.searchsorted(self.rows.times, left[row]))
            out_below = self.rows.next_out[min(at, len(self.rows.times) - 1)] < begin
            start = (x0[row] - self.ax.get_xlim()[0]) / np.ptp(self.ax.get_xlim())
            above = out_below and start > 0.12
            end = (x1[row] - self.ax.get_xlim()[0]) / np.ptp(self.ax.get_xlim())
            # Beyond the axes' edge there may be the legend.
            inside = end + letter * (len(text) + 2) > 1.0
            self.ax.annotate(
                text,
                (x0[row], high[row]) if above else (x1[row], low[row]),
                xytext=(-6, 2) if above else (-4, -3) if inside else (6, 0),
                textcoords="offset points",
                ha="right" if above or inside else "left",
                va="bottom" if above else "top",
                color=style.MISSING,
                fontsize=style.NOTE_POINTS,
                fontweight="bold",
                annotation_clip=True,
            )

    def _label_lines(self, lines: list[_Line], *, overhang: bool) -> int:
        """Write the labels above the axes; returns the rows of text that they take.

        From right to left, each takes the lowest row in which it meets no other label and no
        line that leads up to one. `overhang`: the last may reach past the axes' right edge.
        """
        if not lines or len(lines) > _LINE_LABELS_MAX:
            return 0
        x0, x1 = self.ax.get_xlim()
        letter = _INCHES_A_LETTER / self._width_inches(overhang)
        starts = [float("inf") if overhang else 1.0] * _LABEL_ROWS_MAX
        used = 0
        for line in reversed(lines):
            at = (line.x - x0) / (x1 - x0)
            end = at + letter * (len(line.text) + 1)
            row = next((i for i in range(len(starts)) if end <= min(starts[i:])), None)
            if row is None:
                continue  # the line itself and the legend still say what it is
            starts[row] = at
            used = max(used, row + 1)
            self.ax.annotate(
                style.plain(line.text),
                (line.x, 1.0),
                xycoords=self.ax.get_xaxis_transform(),
                xytext=(0, 4 + _ROW_POINTS * row),
                textcoords="offset points",
                ha="left",
                va="bottom",
                color=line.color,
                fontsize=style.NOTE_POINTS,
                arrowprops={
                    "arrowstyle": "-",
                    "color": line.color,
                    "linewidth": 0.8,
                    "relpos": (0, 0),
                    "shrinkA": 0,
                    "shrinkB": 0,
                },
            )
        return used

    def _width_inches(self, legend_outside: bool) -> float:
        figure = self.ax.get_figure(root=True)
        assert figure is not None
        inches = self.ax.get_window_extent().width / figure.dpi
        # Not laid out yet: the legend beside the axes will take about a quarter.
        return max(inches * (0.85 if legend_outside else 1.0), 1.0)

    def _legend(self, outside: bool) -> None:
        place: dict[str, Any] = (
            {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}
            if outside
            else {"loc": "upper left"}
        )
        legend = self.ax.legend(
            list(self.handles.values()),
            list(self.handles),
            frameon=False,
            labelcolor=style.INK,
            fontsize=style.NOTE_POINTS,
            **place,
        )
        legend.set_in_layout(True)


def _band_edges(gaps: pd.DataFrame, times: Times) -> tuple[Times, Times, Floats, Floats]:
    """Left, right (ns), lower and upper edge of each gap.

    One that was noticed before the frame begins, or is still open at its end, reaches so far.
    """
    noticed, closed = (pd.DatetimeIndex(gaps[name]) for name in ("noticed", "closed"))
    left = np.where(noticed.isna(), times[0], noticed.asi8)
    right = np.where(closed.isna(), times[-1], closed.asi8)
    low = gaps["begin_seq_no"].to_numpy(dtype="float64") - 0.5
    high = gaps["end_seq_no"].to_numpy(dtype="float64") + 0.5
    return left, right, low, high


def _merge_bands(
    left: Times, right: Times, low: Floats, high: Floats
) -> tuple[Times, Times, Floats, Floats]:
    """Bands that begin in the same pixel of time as one band around them all."""
    order = np.argsort(left, kind="stable")
    left, right, low, high = left[order], right[order], low[order], high[order]
    edges = np.linspace(int(left[0]), int(left[-1]), _BUCKETS + 1)[:-1]
    starts = np.unique(np.searchsorted(left, edges.astype(np.int64)))
    return (
        np.minimum.reduceat(left, starts),
        np.maximum.reduceat(right, starts),
        np.minimum.reduceat(low, starts),
        np.maximum.reduceat(high, starts),
    )


_LOST_IN_WORDS = {
    "open": "still missing",
    "abandoned": "missing when the connection was lost",
    "reset": "missing, then given up by a reset",
}


def _in_words(gaps: pd.DataFrame) -> str:
    """What became of the gaps, in one phrase."""
    if gaps.empty:
        return "no number missed"
    widths = gaps["end_seq_no"].to_numpy(dtype="int64") - gaps["begin_seq_no"].to_numpy(
        dtype="int64"
    )
    missed = int(widths.sum()) + len(gaps)
    numbers = "1 number" if missed == 1 else f"{missed:,} numbers"
    where = "" if len(gaps) == 1 else f" in {len(gaps):,} gaps"
    how = gaps["how"].astype(str)
    lost = ~how.isin(("resent", "gap_filled", "mixed"))
    if lost.any() and len(gaps) == 1:
        return f"{numbers} {_LOST_IN_WORDS[how.iloc[0]]}"
    if lost.any():
        return f"{numbers} missing{where}, {int(lost.sum()):,} of them not recovered"
    lasted = (gaps["closed"] - gaps["noticed"]).dropna()
    if lasted.empty:
        return f"{numbers} missing{where}, recovered"
    longest = float(lasted.max().total_seconds())
    least = "" if len(gaps) == 1 else "at most "
    return f"{numbers} missing{where}, recovered in {least}{style.duration_text(longest)}"
