"""`gaps()`: what was missing in each direction, from when to when, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from fixlab.analysis._gaps import gaps as find_gaps
from fixlab.frames import GAPS, HOW_CLOSED, MISSING, nanoseconds, numbers
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
_RECOVERED_CODES = [HOW_CLOSED.index(how) for how in _RECOVERED]
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
    shown = _foremost(rows)
    panels = [_panel(rows, side, len(shown), found.span) for side in shown]
    notes = []
    if len(rows.sides) > len(shown):
        left = len(rows.session) - sum(len(rows.session[rows.sides[side]]) for side in shown)
        notes.append(
            f"{len(rows.sides) - len(shown):,} more sides with {left:,} gaps are not "
            "drawn; those drawn missed most. Give the rows of one session to see it."
        )
    notes += _quiet(found, rows)
    legend = _legend(rows, shown, strips=any(panel.strip for panel in panels))
    return _rows.sheet(panels, span=found.span, legend=legend, notes=notes)


class _Gaps:
    """The columns of a frame of gaps, those of one range in a row joined by `run`."""

    def __init__(self, table: pd.DataFrame) -> None:
        # Rows of one session beside each other, each in its order.
        session = table["session"].cat.codes.to_numpy()
        if (session[1:] < session[:-1]).any():
            order = np.argsort(session, kind="stable")
            table, session = table.iloc[order], session[order]
        self.session = session
        self.sessions = [str(name) for name in table["session"].cat.categories]
        self.begin, self.end = numbers(table, "begin_seq_no"), numbers(table, "end_seq_no")
        self.count, self.requests = numbers(table, "count"), numbers(table, "requests")
        self.resent, self.filled = numbers(table, "resent"), numbers(table, "filled")
        self.noticed, self.closed = nanoseconds(table, "noticed"), nanoseconds(table, "closed")
        self.how = table["how"].cat.codes.to_numpy()
        self.recovered = _rows.among(self.how, *_RECOVERED_CODES)
        changed = session[1:] != session[:-1]
        starts = np.concatenate(([0], np.flatnonzero(changed) + 1, [len(table)])).tolist()
        self.sides = {int(session[a]): slice(a, b) for a, b in pairwise(starts)}
        anew = np.ones(len(table), np.bool_)
        anew[1:] = (
            changed | (self.begin[1:] != self.begin[:-1]) | (self.end[1:] != self.end[:-1])
        )
        self.first: Ints = np.flatnonzero(anew)  # of each run
        self.last: Ints = np.append(self.first[1:], len(table)) - 1


def _foremost(rows: _Gaps) -> list[int]:
    """Sides to draw: those with most unrecovered, then most missing numbers; ascending."""
    sides = list(rows.sides)
    if len(sides) <= _sheet.PANELS_MAX:
        return sides
    starts = [own.start for own in rows.sides.values()]
    count = rows.count.astype(np.float64)
    missing = np.add.reduceat(count, starts)
    unrecovered = np.add.reduceat(count * ~rows.recovered, starts)
    order = np.lexsort((np.arange(len(sides)), -missing, -unrecovered))
    return [sides[at] for at in np.sort(order[: _sheet.PANELS_MAX])]


def _panel(rows: _Gaps, side: int, panels: int, span: tuple[int, int] | None) -> Panel:
    own = rows.sides[side]
    runs = np.arange(*np.searchsorted(rows.first, (own.start, own.stop)))
    crowded = len(runs) > _rows.rows_each(panels, crowded=False)
    chosen = runs
    note, strip = "", None
    if crowded:
        chosen = _worst(rows, runs, _rows.rows_each(panels, crowded=True))
        note = (
            f"{len(chosen)} of {len(runs):,} ranges have a row, unrecovered and large ones "
            f"first; the strip counts all {own.stop - own.start:,} gaps."
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

    def lasted(at: Ints) -> Ints:
        noticed, closed = rows.noticed[last[at]], rows.closed[last[at]]
        known = (closed != MISSING) & (noticed != MISSING)
        return np.where(known, closed - noticed, 0)

    keys = (
        lambda at: rows.recovered[last[at]],
        lambda at: -rows.count[last[at]],
        lambda at: -lasted(at),
    )
    return np.asarray(runs[_rows.foremost(count, len(runs), *keys)])


def _title(rows: _Gaps, side: int, own: slice, runs: Ints) -> str:
    own_id, other = ends_of(rows.sessions[side])
    who = f"{style.name(own_id)} missed numbers"
    who += f" of {style.name(other)}" if other else ""
    last = rows.last[runs] if len(runs) < own.stop - own.start else own
    gone = ~rows.recovered[last]
    missing = int(_missing(rows, last).sum())
    told = f"{many(missing, 'number')} in {many(len(runs), 'range')}"
    if own.stop - own.start > len(runs):
        told += ", some more than once"
    if not gone.any():
        # Not "recovered": an order that was gap-filled never came.
        late = bool((rows.how[last] == HOW_CLOSED.index("late")).any())
        return f"{who}: {told}, all resent{',' if late else ' or'} filled{' or late' * late}"
    return f"{who}: {told}, {many(int(gone.sum()), 'range')} not recovered"


def _missing(rows: _Gaps, at: Ints | slice) -> Ints:
    """How many numbers of each gap were missing in the end."""
    # What was neither resent nor filled and yet recovered had come early.
    early = rows.recovered[at] & (rows.how[at] != HOW_CLOSED.index("late"))
    return np.where(early, rows.resent[at] + rows.filled[at], rows.count[at])


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


def _strip(rows: _Gaps, own: slice) -> Strip:
    resent, filled, how = rows.resent[own], rows.filled[own], rows.how[own]
    rest = np.maximum(rows.count[own] - resent - filled, 0)
    parts = [(style.AGAIN, resent), (style.FILL, filled)]
    for color in dict.fromkeys(_REST[how] for how in HOW_CLOSED):
        alike = [code for code, how in enumerate(HOW_CLOSED) if _REST[how] == color]
        left = rest * _rows.among(how, *alike)
        if left.any():
            parts.append((color, left))
    return Strip("numbers missing", rows.noticed[own], parts)


def _quiet(found: Given, rows: _Gaps) -> list[str]:
    """The sides of the log that missed nothing."""
    if not found.sessions or len(found.sessions) > _sheet.PANELS_MAX:
        return []
    missed = {rows.sessions[side] for side in rows.sides}
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
    # Without a strip only the last gap of a range that was missed several times is told.
    at: Ints | slice = slice(None) if strips else rows.last
    if len(shown) < len(rows.sides):
        at = np.flatnonzero(np.isin(rows.session, shown))
        at = at if strips else np.intersect1d(at, rows.last)
    how, resent, filled = rows.how[at], rows.resent[at], rows.filled[at]
    rest = rows.count[at] > resent + filled
    ends = {name for code, name in enumerate(HOW_CLOSED) if (how == code).any()}
    used = {_REST[name] for name in ends if (rest & (how == HOW_CLOSED.index(name))).any()}
    used |= {style.AGAIN} if resent.any() else set()
    used |= {style.FILL} if filled.any() else set()
    entries = [entry for entry in _LEGEND if entry[1] in used]
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
