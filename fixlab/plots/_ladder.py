"""`ladder()`: the messages between two ends as arrows between two lifelines."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes

from fixlab.plots import style
from fixlab.plots._story import Note, Sent, Story, short_name, tell
from fixlab.times import NANOSECONDS, format_utc

# The drawing's x axis is in inches of a figure ten inches wide; y counts rows downwards.
_WIDTH = 10.0
_ROW_INCHES = 0.215
_HEAD_INCHES = 0.95  # title, names of the ends, and what is not shown
_LEFT, _RIGHT = 3.05, 6.95  # the lifelines
_TIME = 0.55  # right edge of the seconds
_NUMBERS_GAP = 0.1
_REMARK_GAP = 0.72  # from a lifeline to what its end made of a message
_INCHES_A_LETTER = 0.067
_FIT_TRIES = 8

_FATE_COLORS = {
    "LOST": style.MISSING,
    "HELD": style.HELD,
    "GAP_FILLED": style.FILL,
    "TOO_LOW": style.ERROR,
    "REJECTED": style.ERROR,
    "GARBLED": style.ERROR,
    "RESET_IN": style.RESET,
    "RESET_BOTH": style.RESET,
}
_NOTE_COLORS = {
    "GAP_OPENED": style.MISSING,
    "GAP_ABANDONED": style.MISSING,
    "GAP_CLOSED": style.AGAIN,
    "HELD": style.HELD,
    "RESET_IN": style.RESET,
    "RESET_BOTH": style.RESET,
    "GARBLED": style.ERROR,
    "TIMED_OUT": style.ERROR,
    "WARNED": style.ERROR,
    "QUEUED": style.HELD,
    "DROPPED": style.MISSING,
}


def ladder(
    transitions: pd.DataFrame, *, ax: Axes | None = None, messages_max: int = 60
) -> Axes:
    """Draw the messages between the two ends of a session, time running downwards.

    Rows are equally far apart, so that labels never meet; the seconds stand at the left, and
    beside each lifeline NextNumIn/NextNumOut after the message left or arrived. An arrow that
    meets nothing else on its way is level; one that others overtake or cross slants to where
    it arrived. Replayed messages are dashed with a hollow head, lost ones end in an X, and a
    gap is a thick stretch of the lifeline that misses the numbers. Dots on a lifeline are what
    an end noticed or did: among others that it stored messages for later, that it will never
    send some of these, or a warning about a message that it processed all the same.

    Parameters: `transitions`, a frame of that schema, of one end or of both; `ax`, where to
    draw, by default a new figure ten inches wide and as high as it needs; `messages_max`, how
    many to draw at most: the stretch with most gaps and resends is chosen, and the plot says
    how many are left out. A run of Heartbeats counts as one. On an `ax` that is too low for
    them, fewer are drawn.
    Returns the Axes; for an empty frame one that says so.
    Raises `ConfigError` when `messages_max` is below 1, `SchemaError` for another frame.
    """
    story = tell(transitions, messages_max=messages_max)
    if story is None:
        axes = ax if ax is not None else style.new_axes(_WIDTH, 2.0)
        style.empty_note(axes, "No transitions: nothing was recorded yet")
        return axes
    layout = _layout(story)
    if ax is None:
        axes = style.new_axes(_WIDTH, _HEAD_INCHES + _ROW_INCHES * (layout.size + 1))
        scale = 1.0
    else:
        axes = ax
        figure = ax.get_figure(root=True)
        assert figure is not None
        box = ax.get_window_extent()
        scale = min(1.0, box.width / figure.dpi / _WIDTH)
        rows_max = max(int(box.height / figure.dpi / (_ROW_INCHES * scale)) - 4, 1)
        for _ in range(_FIT_TRIES):
            if layout.size <= rows_max or messages_max == 1:
                break
            shown = sum(isinstance(row, Sent) for row in story.rows)
            messages_max = max(min(messages_max, shown) * rows_max // (layout.size + 1), 1)
            fitting = tell(transitions, messages_max=messages_max)
            assert fitting is not None
            story, layout = fitting, _layout(fitting)
    _Drawing(axes, story, layout, scale).draw()
    return axes


class _Layout(NamedTuple):
    """The row of the picture in which each message leaves and arrives, or a note stands."""

    leaves: tuple[int, ...]  # one for each row of the story
    arrives: tuple[int, ...]
    size: int


def _layout(story: Story) -> _Layout:
    """Rows in the order of events; an arrival right behind its departure shares its row."""
    events = [(row.position, 0, i) for i, row in enumerate(story.rows)]
    events += [
        (row.arrival, 1, i)
        for i, row in enumerate(story.rows)
        if isinstance(row, Sent) and row.arrival is not None and row.arrival > row.position
    ]
    leaves: dict[int, int] = {}
    arrives: dict[int, int] = {}
    previous = (-1, -1)
    slot = -1
    for _, arriving, i in sorted(events):
        if not (arriving and previous == (0, i)):
            slot += 1
        (arrives if arriving else leaves)[i] = slot
        previous = (arriving, i)
    count = len(story.rows)
    return _Layout(
        tuple(leaves[i] for i in range(count)),
        tuple(arrives.get(i, leaves[i]) for i in range(count)),
        slot + 1,
    )


class _Drawing:
    """One call's figure: where to draw, what, and how much smaller than nominal."""

    def __init__(self, ax: Axes, story: Story, layout: _Layout, scale: float) -> None:
        self.ax = ax
        self.story = story
        self.layout = layout
        self.scale = scale
        span = story.rows[-1].time - story.start if story.rows else 0
        self.digits = 3 if span >= NANOSECONDS // 100 or span == 0 else 6

    def draw(self) -> None:
        story, ax = self.story, self.ax
        style.dress(ax)
        ax.set_axis_off()
        ax.set_xlim(0, _WIDTH)
        ax.set_ylim(self.layout.size + (1.0 if story.hidden else 0.2), -2.2)
        self._lifelines()
        self._gap_stretches()
        for i, row in enumerate(story.rows):
            slot = self.layout.leaves[i]
            self._text(_TIME, slot, self._seconds(row.time), ha="right")
            if isinstance(row, Note):
                self._note(row, slot)
            else:
                self._arrow(row, slot, self.layout.arrives[i])
        version = story.left.split(":", 1)[0] if ":" in story.left else "FIX"
        start = format_utc(story.start, self.digits).decode("ascii")
        self.ax.set_title(
            style.plain(
                f"{style.shorten(version, 8)}: messages between {self._name(story.left)} and "
                f"{self._name(story.right)}, seconds since "
                f"{start[:4]}-{start[4:6]}-{start[6:8]} {start[9:]} UTC"
            ),
            loc="left",
            color=style.INK,
            fontsize=(style.TEXT_POINTS + 1) * self.scale,
        )
        if story.hidden:
            self._text(
                (_LEFT + _RIGHT) / 2,
                self.layout.size + 0.3,
                f"... {story.hidden} ...",
                ha="center",
            )

    def _name(self, session: str) -> str:
        return style.shorten(short_name(session), 18)

    def _seconds(self, time: int) -> str:
        return f"{(time - self.story.start) / NANOSECONDS:.{self.digits}f}"

    def _text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        ha: str = "left",
        va: str = "center",
        color: str = style.INK,
        bold: bool = False,
    ) -> None:
        self.ax.text(
            x,
            y,
            style.plain(text),
            ha=ha,
            va=va,
            color=color,
            fontsize=style.NOTE_POINTS * self.scale,
            fontweight="bold" if bold else "normal",
        )

    def _lifelines(self) -> None:
        story = self.story
        for x, session, recorded in (
            (_LEFT, story.left, story.left_recorded),
            (_RIGHT, story.right, story.right_recorded),
        ):
            self.ax.plot(
                [x, x],
                [-1.1, self.layout.size - 0.2],
                color=style.INK,
                linewidth=1.4,
                linestyle="solid" if recorded else (0, (2, 3)),
                label=self._name(session),
                zorder=1,
            )
            self._text(x, -1.55, self._name(session), ha="center", bold=True)
            side = "right" if x == _LEFT else "left"
            outward = -1 if x == _LEFT else 1
            heading = "in/out" if recorded else "not recorded here"
            self._text(x + outward * _NUMBERS_GAP, -0.8, heading, ha=side)
        self._text(_TIME, -0.8, "seconds", ha="right")

    def _gap_stretches(self) -> None:
        """Thicken a lifeline from where a gap opened to where it ended, or to the bottom."""
        opened: dict[str, int] = {}
        stretches: list[tuple[str, int, float]] = []
        for i, row in enumerate(self.story.rows):
            if not isinstance(row, Note):
                continue
            slot = self.layout.leaves[i]
            if row.meaning == "GAP_OPENED":
                opened.setdefault(row.side, slot)
            elif row.meaning in ("GAP_CLOSED", "GAP_ABANDONED") and row.side in opened:
                stretches.append((row.side, opened.pop(row.side), slot))
        bottom = self.layout.size - 0.2
        stretches += [(side, slot, bottom) for side, slot in opened.items()]
        for side, begin, end in stretches:
            x = _LEFT if side == "left" else _RIGHT
            self.ax.plot(
                [x, x],
                [begin, end],
                color=style.MISSING + "70",
                linewidth=8 * self.scale,
                solid_capstyle="butt",
                label="gap open",
                zorder=1.5,
            )

    def _arrow(self, row: Sent, leaves: int, arrives: int) -> None:
        source, target = (_LEFT, _RIGHT) if row.from_left else (_RIGHT, _LEFT)
        onward = 1 if row.from_left else -1
        color = _FATE_COLORS.get(row.fate, style.AGAIN if row.again else style.IN)
        label = style.shorten(row.label, 46)
        stub = source + onward * self._stub(row, leaves, arrives)
        if row.lost:
            middle = (_LEFT + _RIGHT) / 2
            end = max(stub, middle) if row.from_left else min(stub, middle)
            points = [(source, leaves), (end, leaves)]
        elif arrives > leaves:
            points = [(source, leaves), (stub, leaves), (target, arrives)]
        else:
            points = [(source, leaves), (target, arrives)]
        xs, ys = zip(*points, strict=True)
        self.ax.plot(
            xs,
            ys,
            color=color,
            linewidth=1.3,
            linestyle=(0, (4, 2.5)) if row.again else "solid",
            label=row.label,
            zorder=2,
        )
        self._head(row, (xs[-1] - (0 if row.lost else onward * 0.05), ys[-1]), color)
        self._text(
            source + onward * 0.12,
            leaves - 0.06,
            label,
            ha="left" if row.from_left else "right",
            va="bottom",
            color=color,
        )
        # A level arrow stands at the foot of its row, so the numbers beside it do as well.
        self._numbers(source, leaves, row.numbers_sender)
        if not row.lost:
            self._numbers(target, arrives, row.numbers_receiver)
        if row.outcome:
            if row.lost:
                self._text(
                    xs[-1] + onward * 0.12,
                    leaves,
                    row.outcome,
                    color=color,
                    ha="left" if row.from_left else "right",
                )
            else:
                self._remark(target, arrives, row.outcome, color)

    def _stub(self, row: Sent, leaves: int, arrives: int) -> float:
        """Length of the level part under the label: past the labels the slant would cross."""
        letters = [
            len(other.label)
            for other, slot in zip(self.story.rows, self.layout.leaves, strict=True)
            if isinstance(other, Sent)
            and other.from_left == row.from_left
            and leaves <= slot <= arrives
        ]
        return min(0.25 + _INCHES_A_LETTER * max(letters), 3.4)

    def _head(self, row: Sent, at: tuple[float, float], color: str) -> None:
        marker = "X" if row.lost else ">" if row.from_left else "<"
        self.ax.plot(
            [at[0]],
            [at[1]],
            marker=marker,
            markersize=(7.5 if row.lost else 6.5) * self.scale,
            markerfacecolor="none" if row.again and not row.lost else color,
            markeredgecolor=color,
            linestyle="none",
            zorder=3,
        )

    def _numbers(self, x: float, slot: float, numbers: str) -> None:
        outward = -1 if x == _LEFT else 1
        self._text(
            x + outward * _NUMBERS_GAP, slot, numbers, ha="right" if x == _LEFT else "left"
        )

    def _remark(self, x: float, slot: float, text: str, color: str) -> None:
        """What one end made of it, outside its lifeline, no longer than there is room."""
        outward = -1 if x == _LEFT else 1
        room = _LEFT - _TIME - _REMARK_GAP if x == _LEFT else _WIDTH - _RIGHT - _REMARK_GAP
        self._text(
            x + outward * _REMARK_GAP,
            slot,
            style.shorten(text, int(room / _INCHES_A_LETTER)),
            ha="right" if x == _LEFT else "left",
            color=color,
        )

    def _note(self, note: Note, slot: int) -> None:
        color = _NOTE_COLORS.get(note.meaning, style.INK)
        if note.side != "both":
            x = _LEFT if note.side == "left" else _RIGHT
            self.ax.plot(
                [x], [slot], marker="o", markersize=4.5 * self.scale, color=color, zorder=3
            )
            self._remark(x, slot, note.text, color)
            return
        middle = (_LEFT + _RIGHT) / 2
        half = _INCHES_A_LETTER * (len(note.text) / 2 + 1.5)
        for begin, end in ((_LEFT - 0.3, middle - half), (middle + half, _RIGHT + 0.3)):
            self.ax.plot(
                [begin, end], [slot, slot], color=color, linewidth=1.2, linestyle="dotted"
            )
        self._text(middle, slot, note.text, ha="center", color=color)
