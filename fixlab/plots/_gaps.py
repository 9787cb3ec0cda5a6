"""`gaps()`: what was missing in each direction, from when to when, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from fixlab.analysis._gaps import gaps as find_gaps
from fixlab.frames import GAPS, HOW_CLOSED, MISSING, codes, nanoseconds, numbers
from fixlab.plots import _rows, _sheet, style
from fixlab.plots._given import Given, ends_of, given
from fixlab.plots._rows import Bar, Marks, Panel, Row, Strip
from fixlab.plots._sheet import Entry, Sheet

Ints = npt.NDArray[np.int64]

_LATE, _LOST, _LEFT = style.HELD, style.ERROR, style.MISSING
# How a gap ended -> the colour of the numbers that neither came again nor were filled.
_REST = {
    "resent": _LATE,
    "gap_filled": _LATE,
    "mixed": _LATE,
    "late": _LATE,
    "reset": style.RESET,
    "abandoned": _LEFT,
    "open": _LEFT,
    "lost": _LOST,
}
_RECOVERED = ("resent", "gap_filled", "mixed", "late")
_BAR = {**_REST, "resent": style.AGAIN, "gap_filled": style.FILL, "mixed": style.AGAIN}
_LEGEND = (
    ("", style.AGAIN, "resent"),
    ("", style.FILL, "gap filled"),
    ("", _LATE, "came early or late"),
    ("", _LOST, "lost"),
    ("", _LEFT, "still missing"),
    ("", style.RESET, "given up by a reset"),
)


def gaps(log_or_frame: Any) -> Figure:
    """Draw what was missing in each direction, from when to when, and how each gap ended.

    One panel for each side that missed numbers, one row for each gap: when it was noticed, its
    numbers, a bar from noticed to closed (an arrow when it is still open), how many of its
    numbers were resent, filled or never came, and the same in words. A range that was missed
    several times in a row is one row with as many marks.

    Where there are more gaps than rows, the unrecovered and the largest have one, and a strip
    below counts the numbers of all gaps in slices of time; the figure says so. Of more than 6
    sides those with most unrecovered numbers are drawn, and the figure says how many are not.

    Parameters: `log_or_frame`, a `Log`, a `messages` or `transitions` frame, or what `gaps` of
    one of these gave, or any of its rows.
    Returns a new figure, ten inches wide; one that says so when no number is missing.
    Raises `SchemaError` for anything else.
    """
    return sheet_of_gaps(given(log_or_frame, GAPS, find_gaps)).figure()


def sheet_of_gaps(found: Given) -> Sheet:
    """The figure of some gaps before it is one."""
    if not len(found.table):
        return _sheet.nothing("No gap: no number is missing")
    rows = _Gaps(found.table)
    sides = _ranked(rows)
    shown = sides[: _sheet.PANELS_MAX]
    panels = [_panel(rows, side, len(shown), found.span) for side in sorted(shown)]
    notes = []
    if len(sides) > len(shown):
        left = np.isin(rows.session, sides[len(shown) :])
        notes.append(
            f"{len(sides) - len(shown):,} more sides with {int(left.sum()):,} gaps are not "
            "drawn; those drawn missed most. Give the rows of one session to see it."
        )
    notes += _quiet(found, rows)
    legend = _legend(rows, shown, strips=any(panel.strip for panel in panels))
    return _rows.sheet(panels, span=found.span, legend=legend, notes=notes)


class _Gaps:
    """The columns of a frame of gaps, those of one range in a row joined by `run`."""

    def __init__(self, table: pd.DataFrame) -> None:
        # Rows of one session beside each other, each in its order.
        session = codes(table, "session")
        if (session[1:] < session[:-1]).any():
            order = np.argsort(session, kind="stable")
            table, session = table.iloc[order], session[order]
        self.session = session
        self.sessions = [str(name) for name in table["session"].cat.categories]
        self.begin, self.end = numbers(table, "begin_seq_no"), numbers(table, "end_seq_no")
        self.count, self.requests = numbers(table, "count"), numbers(table, "requests")
        self.resent, self.filled = numbers(table, "resent"), numbers(table, "filled")
        self.noticed, self.closed = nanoseconds(table, "noticed"), nanoseconds(table, "closed")
        self.how: Ints = codes(table, "how")
        self.recovered = np.isin(self.how, [HOW_CLOSED.index(how) for how in _RECOVERED])
        # What was neither resent nor filled and yet recovered had come early.
        early = self.recovered & (self.how != HOW_CLOSED.index("late"))
        self.missing = np.where(early, self.resent + self.filled, self.count)
        same = np.zeros(len(table), np.bool_)
        same[1:] = (
            (self.session[1:] == self.session[:-1])
            & (self.begin[1:] == self.begin[:-1])
            & (self.end[1:] == self.end[:-1])
        )
        self.first: Ints = np.flatnonzero(~same)  # of each run
        self.last: Ints = np.append(self.first[1:], len(table)) - 1


def _ranked(rows: _Gaps) -> list[int]:
    """Sides, the one with most unrecovered, then most missing numbers first."""
    size = len(rows.sessions)
    count = rows.count.astype(np.float64)
    missing = np.bincount(rows.session, count, size)
    unrecovered = np.bincount(rows.session, count * ~rows.recovered, size)
    order = np.lexsort((np.arange(size), -missing, -unrecovered))
    present = np.bincount(rows.session, minlength=size) > 0
    return [int(side) for side in order if present[side]]


def _panel(rows: _Gaps, side: int, panels: int, span: tuple[int, int] | None) -> Panel:
    own = np.flatnonzero(rows.session == side)
    runs = np.flatnonzero(rows.session[rows.first] == side)
    crowded = len(runs) > _rows.rows_each(panels, crowded=False)
    chosen = runs
    note, strip = "", None
    if crowded:
        chosen = _worst(rows, runs, _rows.rows_each(panels, crowded=True))
        note = (
            f"{len(chosen)} of {len(runs):,} ranges have a row, unrecovered and large ones "
            f"first; the strip counts all {len(own):,} gaps."
        )
        strip = _strip(rows, own)
    return Panel(
        _title(rows, side, own, runs),
        [_row(rows, int(run), span) for run in chosen],
        note,
        strip,
    )


def _worst(rows: _Gaps, runs: Ints, count: int) -> Ints:
    """Runs that were not recovered, then the largest and the longest; in their order."""
    last = rows.last[runs]
    known = (rows.closed[last] != MISSING) & (rows.noticed[last] != MISSING)
    lasted = np.where(known, rows.closed[last] - rows.noticed[last], 0)
    keys = (rows.recovered[last], -rows.count[last], -lasted)
    return np.asarray(runs[_rows.foremost(count, *keys)])


def _title(rows: _Gaps, side: int, own: Ints, runs: Ints) -> str:
    own_id, other = ends_of(rows.sessions[side])
    who = f"{style.name(own_id)} missed numbers"
    who += f" of {style.name(other)}" if other else ""
    last = rows.last[runs]
    gone = last[~rows.recovered[last]]
    told = f"{many(int(rows.missing[last].sum()), 'number')} in {many(len(runs), 'range')}"
    if len(own) > len(runs):
        told += ", some more than once"
    if not len(gone):
        # Not "recovered": an order that was gap-filled never came.
        late = bool((rows.how[last] == HOW_CLOSED.index("late")).any())
        return f"{who}: {told}, all resent{',' if late else ' or'} filled{' or late' * late}"
    return f"{who}: {told}, {many(len(gone), 'range')} not recovered"


def _row(rows: _Gaps, run: int, span: tuple[int, int] | None) -> Row:
    first, last = int(rows.first[run]), int(rows.last[run])
    how = HOW_CLOSED[rows.how[last]]
    noticed = rows.noticed[first : last + 1]
    closed = int(rows.closed[last])
    begin = int(noticed[0])
    bars, marks = [], []
    known = np.sort(noticed[noticed != MISSING])
    if len(known):
        marks.append(Marks(known, "|", _BAR[how]))
    if how == "open" and span is not None:
        closed = span[1]
        marks.append(Marks(np.array([closed]), ">", _BAR[how]))
    elif how not in _RECOVERED and closed != MISSING:
        marks.append(Marks(np.array([closed]), "x", _BAR[how]))
    if closed != MISSING and (begin != MISSING or span is not None):
        left = begin if begin != MISSING or span is None else span[0]
        bars.append(Bar(left, max(closed, left), _BAR[how]))
    rest = max(int(rows.count[last] - rows.resent[last] - rows.filled[last]), 0)
    shares = (
        (style.AGAIN, int(rows.resent[last])),
        (style.FILL, int(rows.filled[last])),
        (_REST[how], rest),
    )
    times = last - first + 1
    label = style.shorten(numbers_text(int(rows.begin[last]), int(rows.end[last])), 18)
    return Row(
        None if begin == MISSING else begin,
        f"{label} ×{times:,}" if times > 1 else label,
        bars,
        marks,
        shares,
        _told(rows, last, how),
        style.INK if how in _RECOVERED else _BAR[how],
    )


def _told(rows: _Gaps, at: int, how: str) -> str:
    """What became of a gap, in few words."""
    count, resent, filled = int(rows.count[at]), int(rows.resent[at]), int(rows.filled[at])
    rest = max(count - resent - filled, 0)
    asked = "" if rows.requests[at] else ", never asked for"
    parts = [f"{n:,} {what}" for n, what in ((resent, "resent"), (filled, "filled")) if n]
    if how in _RECOVERED:
        late = "late" if how == "late" else "early"
        parts += [f"{rest:,} {late}"] if rest else []
        return ", ".join(parts) + _after(rows, at)
    parts.append(
        {
            "open": f"{rest:,} still missing{asked}",
            "lost": f"{rest:,} lost{asked}",
            "reset": f"{rest:,} given up by a reset",
            "abandoned": f"{rest:,} open when the line went",
        }[how]
    )
    return ", ".join(parts)


def _after(rows: _Gaps, at: int) -> str:
    begin, end = int(rows.noticed[at]), int(rows.closed[at])
    if MISSING in (begin, end) or end < begin:
        return ""
    return " at once" if end == begin else f" in {style.duration_text((end - begin) / 1e9)}"


def _strip(rows: _Gaps, own: Ints) -> Strip:
    own = own[rows.noticed[own] != MISSING]
    resent, filled = rows.resent[own], rows.filled[own]
    rest = np.maximum(rows.count[own] - resent - filled, 0)
    parts = [(style.AGAIN, rows.noticed[own], resent), (style.FILL, rows.noticed[own], filled)]
    colors = [_REST[how] for how in HOW_CLOSED]
    for color in dict.fromkeys(colors):
        alike = [i for i, each in enumerate(colors) if each == color]
        at = np.isin(rows.how[own], alike) & (rest > 0)
        if at.any():
            parts.append((color, rows.noticed[own][at], rest[at]))
    return Strip("numbers missing", parts)


def _quiet(found: Given, rows: _Gaps) -> list[str]:
    """The sides of the log that missed nothing."""
    if not found.sessions or len(found.sessions) > _sheet.PANELS_MAX:
        return []
    missed = {rows.sessions[side] for side in np.unique(rows.session)}
    quiet = []
    for session in found.sessions:
        own, other = ends_of(session)
        version = session.partition(":")[0]
        sides = [session] if found.recorded else [session, f"{version}:{other}->{own}"]
        quiet += [ends_of(side) for side in sides if other and side not in missed]
    if not quiet:
        return []
    names = [(style.name(own), style.name(other)) for own, other in quiet]
    if len(names) == 1:
        return ["{} missed no number of {}.".format(*names[0])]
    told = ", ".join(f"{own} of {other}" for own, other in names)
    return [f"No number was missed by {told}."]


def _legend(rows: _Gaps, shown: Sequence[int], *, strips: bool) -> list[Entry]:
    """Only what occurs."""
    at = np.isin(rows.session, shown)
    if not strips:  # then only the last gap of a range that was missed several times is told
        at &= np.isin(np.arange(len(at)), rows.last)
    rest = rows.count > rows.resent + rows.filled
    used = {_REST[HOW_CLOSED[how]] for how in np.unique(rows.how[at & rest])}
    used |= {style.AGAIN} if rows.resent[at].any() else set()
    used |= {style.FILL} if rows.filled[at].any() else set()
    entries = [entry for entry in _LEGEND if entry[1] in used]
    ends = {HOW_CLOSED[how] for how in np.unique(rows.how[at])}
    entries.insert(0, ("|", style.INK, "noticed"))
    if ends & {"lost", "reset", "abandoned"}:
        entries.append(("x", style.INK, "ended so"))
    if "open" in ends:
        entries.append((">", style.INK, "open when the log ends"))
    return entries


def many(count: int, noun: str) -> str:
    """`1 gap`, `2 gaps`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def numbers_text(begin: int, end: int) -> str:
    """A range of numbers, short however large they are."""
    text = style.ranges_text(begin, end)
    return text if len(text) <= 18 else f"{begin:.2g}-{end:.2g}"
