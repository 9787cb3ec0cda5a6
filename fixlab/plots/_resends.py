"""`resends()`: each ResendRequest, who asked for what, and how it was answered."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure

from fixlab.analysis._resends import resends as find_resends
from fixlab.frames import HOW_ANSWERED, MISSING, RESENDS, WHY_ASKED, codes, nanoseconds, numbers
from fixlab.plots import _rows, _sheet, style
from fixlab.plots._gaps import many, numbers_text
from fixlab.plots._given import Given, ends_of, given
from fixlab.plots._rows import Bar, Marks, Panel, Row, Strip
from fixlab.plots._sheet import Entry, Sheet

Ints = npt.NDArray[np.int64]

_ASKED, _AGAIN_ASKED, _OPEN = style.IN, style.ERROR, style.MISSING
_ANSWERED = HOW_ANSWERED.index("answered")
_NOT_KNOWN = HOW_ANSWERED.index("unknown")
_ENDS = {
    "disconnect": "the line went first",
    "reset": "a reset came first",
    "log_end": "still open",
    "invalid": "cannot be answered",
    "not_sent": "was never sent",
    "unknown": "answer not known",
}


def resends(log_or_frame: Any) -> Figure:
    """Draw each ResendRequest: who asked for which numbers, when, and how it was answered.

    One panel for each side that asked, one row for each range asked for: a mark for each
    ResendRequest, a thin line while it waited and a thick one while it was answered, how many
    of the numbers were replayed, gap-filled or not answered, and the same in words. What asks
    again for a range is one row with it, marked in another colour; `×5` says how often.

    Where there are more ranges than rows, those asked for most often and those not answered
    have one, and a strip below counts all ResendRequests in slices of time; the figure says so.
    Of more than 6 sides those that asked most are drawn, and the figure says how many are not.

    Parameters: `log_or_frame`, a `Log`, a `messages` or `transitions` frame, or what `resends`
    of one of these gave, or any of its rows.
    Returns a new figure, ten inches wide; one that says so when nothing was asked for.
    Raises `SchemaError` for anything else.
    """
    return sheet_of_resends(given(log_or_frame, RESENDS, find_resends)).figure()


def sheet_of_resends(found: Given) -> Sheet:
    """The figure of some requests before it is one."""
    if not len(found.table):
        return _sheet.nothing("No ResendRequest: nothing was asked for again")
    rows = _Requests(found.table)
    count = np.bincount(rows.side, minlength=len(rows.sides))
    order = np.lexsort((np.arange(len(count)), -count))
    shown = np.sort(order[: _sheet.PANELS_MAX])
    panels = [_panel(rows, int(side), len(shown), found.span) for side in shown]
    notes = []
    if len(order) > len(shown):
        left = int(count.sum() - count[shown].sum())
        notes.append(
            f"{len(order) - len(shown):,} more sides with {many(left, 'ResendRequest')} are "
            "not drawn; those drawn asked most. Give the rows of one session to see it."
        )
    return _rows.sheet(panels, span=found.span, legend=_legend(rows, shown), notes=notes)


class _Requests:
    """The columns of a frame of requests; `range` numbers what was asked for, from 0."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.time = nanoseconds(table, "time")
        self.answer, self.ended = nanoseconds(table, "answer"), nanoseconds(table, "ended")
        self.begin, self.end = numbers(table, "begin_seq_no"), numbers(table, "end_seq_no")
        self.replayed, self.filled = numbers(table, "replayed"), numbers(table, "filled")
        self.how, self.why = (table[name].cat.codes.to_numpy() for name in ("how", "why"))
        known = (self.begin != MISSING) & (self.end != MISSING)
        self.width: Ints = np.where(known, np.maximum(self.end - self.begin + 1, 0), 0)
        epoch = numbers(table, "epoch")
        asked_of = codes(table, "asked_of")
        ofs = [str(name) for name in table["asked_of"].cat.categories]
        self.side, self.sides = _rows.sides_of(table, "asked_by")
        self.of = [ofs[code] for code in asked_of[_rows.firsts(self.side)]]
        # A range that is not known is nobody else's.
        alone: Ints = np.where(known, -1, np.arange(len(table)))
        own = _rows.paired(self.side, epoch, self.begin, self.end, alone)
        # What an open request covers belongs to that one's range, whatever its own is.
        self.range = _joined(own, numbers(table, "request"), numbers(table, "covered_by"))
        self.again = np.ones(len(table), np.bool_)
        self.again[_rows.firsts(self.range)] = False

    def of_side(self, side: int) -> Ints | slice:
        return np.flatnonzero(self.side == side) if len(self.sides) > 1 else slice(None)

    def of_range(self, which: int) -> Ints:
        return np.flatnonzero(self.range == which)


def _joined(ordinal: Ints, request: Ints, covered: Ints) -> Ints:
    """`ordinal`, but where a request is covered that of the one that asked for it all first."""
    rows = np.flatnonzero(covered != MISSING)
    if not len(rows):
        return ordinal
    number = covered[rows]
    if (np.diff(request) == 1).all():
        first = number - request[0]
        known = (first >= 0) & (first < rows)
    else:
        order = np.argsort(request, kind="stable")
        at = np.minimum(np.searchsorted(request[order], number), len(request) - 1)
        first = order[at]
        known = (request[first] == number) & (first < rows)
    rows, first = rows[known], first[known]
    root: Ints = np.arange(len(request))
    root[rows] = first
    while ((further := root[first]) != first).any():  # each round halves the longest chain
        root[rows] = first = further
    joined = ordinal.copy()
    joined[rows] = ordinal[first]
    return joined


def _panel(rows: _Requests, side: int, panels: int, span: tuple[int, int] | None) -> Panel:
    own = rows.of_side(side)
    of_row = rows.range[own]
    if isinstance(own, slice):
        ranges = of_row[~rows.again]
    else:  # a range that another side asked for first is one of this side as well
        ranges = of_row[np.sort(_rows.firsts(of_row))]
    crowded = len(ranges) > _rows.rows_each(panels, crowded=False)
    chosen = ranges
    note, strip = "", None
    if crowded:
        chosen = _worst(rows, own, ranges, _rows.rows_each(panels, crowded=True))
        note = (
            f"{len(chosen)} of {len(ranges):,} ranges have a row, often asked and unanswered "
            f"ones first; the strip counts all {many(len(of_row), 'request')}."
        )
        strip = _strip(rows, own)
    session, by = rows.sides[side]
    title = _title(rows, own, len(ranges), style.name(by), style.name(rows.of[side]))
    mirrored = sum(each[1] == by for each in rows.sides) > 1
    if mirrored:
        title += f" (as {style.name(ends_of(session)[0])} has it)"
    drawn = [_row(rows, rows.of_range(int(which)), span) for which in chosen]
    return Panel(title, drawn, note, strip)


def _title(rows: _Requests, own: Ints | slice, ranges: int, by: str, of: str) -> str:
    how, again = rows.how[own], int(np.count_nonzero(rows.again[own]))
    often = "once" if len(how) == 1 else f"{len(how):,} times for {many(ranges, 'range')}"
    unknown = int(np.count_nonzero(how == _NOT_KNOWN))
    unanswered = int(np.count_nonzero(how != _ANSWERED)) - unknown
    told = [f"{again:,} of them again"] if again else []
    told += [f"{unanswered:,} not answered"] if unanswered else []
    told += [f"{unknown:,} with an answer not known"] if unknown else []
    told += [] if unanswered or unknown else ["all answered" if len(how) > 1 else "answered"]
    return f"{by} asked {of} {often}: {', '.join(told)}"


def _worst(rows: _Requests, own: Ints | slice, ranges: Ints, count: int) -> Ints:
    """Ranges that were asked for most often, then not answered, then the widest; in order."""
    place = np.empty(int(rows.range.max()) + 1, np.int64)
    place[ranges] = np.arange(len(ranges))
    of_row = place[rows.range[own]]
    often = np.bincount(of_row, minlength=len(ranges))
    failed = np.zeros(len(ranges), np.bool_)
    failed[of_row[rows.how[own] != _ANSWERED]] = True

    def width(at: Ints) -> Ints:
        asked = np.zeros(len(ranges), np.bool_)
        asked[at] = True
        of_these = np.flatnonzero(asked[of_row])
        found = np.zeros(len(ranges), np.int64)
        np.maximum.at(found, of_row[of_these], rows.width[own][of_these])
        return found[at]

    keys = (lambda at: -often[at], lambda at: ~failed[at], lambda at: -width(at))
    return np.asarray(ranges[_rows.foremost(count, len(ranges), *keys)])


def _row(rows: _Requests, at: Ints, span: tuple[int, int] | None) -> Row:
    timed = at[rows.time[at] != MISSING]
    answered = rows.how[at[-1]] == _ANSWERED or bool((rows.how[at] == _ANSWERED).any())
    again = timed[rows.again[timed]]
    marks = [
        Marks(np.sort(rows.time[some]), "v", color)
        for some, color in (
            (timed[~rows.again[timed]], _ASKED),
            (again, _AGAIN_ASKED),
        )
        if len(some)
    ]
    replayed, filled = int(rows.replayed[at].sum()), int(rows.filled[at].sum())
    rest = max(int(rows.width[at].sum()) - replayed - filled, 0)
    low = rows.begin[at][rows.begin[at] != MISSING]
    high = rows.end[at][rows.end[at] != MISSING]
    label = numbers_text(int(low.min()), int(high.max())) if len(low) and len(high) else "?"
    if len(low) and not len(high):
        label = f"{int(low.min())}-?"
    return Row(
        int(rows.time[timed[0]]) if len(timed) else None,
        f"{label} ×{len(at):,}" if len(at) > 1 else label,
        _bars(rows, timed, span),
        marks,
        ((style.AGAIN, replayed), (style.FILL, filled), (_OPEN, rest)),
        _told(rows, at, replayed, filled, answered=answered),
        _AGAIN_ASKED if len(at) > 1 else style.INK if answered else _OPEN,
    )


def _bars(rows: _Requests, timed: Ints, span: tuple[int, int] | None) -> list[Bar]:
    """One thin line over all waits of a range, one thick line over all answers."""
    if not len(timed):
        return []
    asked, answer, ended = rows.time[timed], rows.answer[timed], rows.ended[timed]
    ends = np.concatenate([each[each != MISSING] for each in (asked, answer, ended)])
    waits = not (rows.how[timed] == _ANSWERED).all()
    until = span[1] if waits and span is not None and _open(rows, timed) else int(ends.max())
    bars = [Bar(int(asked.min()), until, _ASKED, thick=False)]
    if (answer != MISSING).any():
        begin = int(answer[answer != MISSING].min())
        over = int(ends.max()) if (ended != MISSING).any() else begin
        bars.append(Bar(begin, max(over, begin), style.AGAIN))
    return bars


def _open(rows: _Requests, at: Ints) -> bool:
    return bool((rows.how[at] == HOW_ANSWERED.index("log_end")).any())


def _told(rows: _Requests, at: Ints, replayed: int, filled: int, *, answered: bool) -> str:
    parts = [f"{n:,} {what}" for n, what in ((replayed, "replayed"), (filled, "filled")) if n]
    last = int(at[-1])
    if len(at) == 1 and WHY_ASKED[rows.why[last]] == "next_expected":
        parts.insert(0, "by a Logon")
    if not answered:
        parts.append(_ENDS.get(HOW_ANSWERED[rows.how[last]], ""))
        return ", ".join(parts)
    if not parts:
        parts = ["answered"]
    took = rows.ended[at] - rows.time[at]
    known = (rows.ended[at] != MISSING) & (rows.time[at] != MISSING) & (took >= 0)
    if not known.any():
        return ", ".join(parts)
    longest = int(took[known].max())
    if longest == 0:
        return f"{', '.join(parts)} at once"
    after = style.duration_text(longest / 1e9)
    each = f", at most {after} each" if len(at) > 1 else f" in {after}"
    return ", ".join(parts) + each


def _strip(rows: _Requests, own: Ints | slice) -> Strip:
    failed = rows.how[own] != _ANSWERED
    again = rows.again[own]
    parts = [
        (color, some.astype(np.int64))
        for color, some in (
            (_ASKED, ~again & ~failed),
            (_AGAIN_ASKED, again),
            (_OPEN, failed & ~again),
        )
        if some.any()
    ]
    return Strip("ResendRequests", rows.time[own], parts)


def _legend(rows: _Requests, shown: Ints) -> list[Entry]:
    """Only what occurs."""
    all_shown = len(shown) == len(rows.sides)
    at = slice(None) if all_shown else np.flatnonzero(np.isin(rows.side, shown))
    entries = [("v", _ASKED, "asked")]
    if rows.again[at].any():
        entries.append(("v", _AGAIN_ASKED, "asked again"))
    if rows.replayed[at].any():
        entries.append(("", style.AGAIN, "replayed"))
    if rows.filled[at].any():
        entries.append(("", style.FILL, "gap filled"))
    if (rows.width[at] > rows.replayed[at] + rows.filled[at]).any():
        entries.append(("", _OPEN, "not answered"))
    return entries
