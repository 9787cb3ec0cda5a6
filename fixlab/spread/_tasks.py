"""What runs on the workers: plain functions of parts, of pieces of them, and of groups.

A group is some of the sessions, with all their rows from everywhere, and with the rows of no
session, which may tell something of each. `rows` are places in the whole log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab import frames, redact
from fixlab.analysis._case import Case, Extent, Found
from fixlab.analysis._case import derive as derived
from fixlab.analysis._events import Direction, Event, Kind, Reconstruction
from fixlab.analysis._finds_connections import Schedule
from fixlab.analysis._finds_damage import Behind, behind, damage_of, defect_of
from fixlab.analysis._once import once
from fixlab.analysis._reconstruct import reconstruct
from fixlab.analysis.findings import capped, found_in, in_order
from fixlab.frames import MISSING
from fixlab.logs import _segments
from fixlab.logs._blocks import Account, Standing
from fixlab.logs._columns import Book
from fixlab.logs._frame import Rows
from fixlab.logs._packed import Packed
from fixlab.logs._pairs import Counts
from fixlab.logs._segments import Part, Segment
from fixlab.logs._sides import Pair, Side
from fixlab.logs._sources import Source
from fixlab.logs.read import Log

Ints = npt.NDArray[np.int64]
# Columns of each frame that are places in the log; the first one tells the order.
ROW_COLUMNS = {
    "gaps": (),
    "ledger": ("noticed_row", "requested_row", "ended_row"),
    "resends": ("row", "ended_row"),
    "intervals": ("row",),
}
SCHEMAS = {
    "gaps": frames.GAPS,
    "ledger": frames.LEDGER,
    "resends": frames.RESENDS,
    "intervals": frames.INTERVALS,
}
_COUNTED_APART = ("SESSION_REJECT",)  # of which only the first in the log are told


# Reading ----------------------------------------------------------------------------------


@dataclass(slots=True)
class Head:
    """A segment without its rows."""

    part: Part
    account: Account
    texts: dict[str, list[bytes]]
    pairs: Counts
    left: Standing | None
    segment: Any = None  # the future of the segment


def read_part(part: Part, tags: Sequence[int], hidden: frozenset[int]) -> Segment:
    """A part, read."""
    redact.hide(*hidden)  # texts are kept as they may be shown
    return _segments.read(part, tags)


def head_of(segment: Segment) -> Head:
    """What tells how segments go together."""
    packed = segment.packed
    return Head(segment.part, segment.account, packed.texts, packed.pairs, segment.left)


class Plan(NamedTuple):
    """What all groups need to know of the whole log."""

    sources: Sequence[Source]
    accounts: Sequence[Account]
    decided: dict[Pair, Side]
    captures: list[int]
    tags: Sequence[int]


class Piece(NamedTuple):
    """Rows of one segment that are of one group."""

    packed: Packed
    file: int
    rows: Ints


def piece_of(segment: Segment, wanted: npt.NDArray[np.bool_], start: int) -> Piece:
    """The rows whose pair is `wanted`; the first row of the segment is row `start` of all."""
    packed = segment.packed
    keep = np.flatnonzero(wanted[packed.dense["pair"]]) if len(packed) else np.empty(0, int)
    if len(keep) == len(packed):
        return Piece(packed, segment.part.file, keep + start)
    place = np.full(len(packed), -1, np.int64)
    place[keep] = np.arange(len(keep))
    sparse = {}
    for name, (rows, values) in packed.sparse.items():
        at = place[rows]
        sparse[name] = at[at >= 0], values[at >= 0]
    extra = {}
    for tag, (rows, texts) in packed.extra.items():
        at = place[rows]
        chosen = [texts[i] for i in np.flatnonzero(at >= 0).tolist()]
        extra[tag] = at[at >= 0], chosen
    part = Packed(
        {name: column[keep] for name, column in packed.dense.items()},
        sparse,
        extra,
        packed.texts,
        packed.pairs,
        packed.overflowed,
    )
    return Piece(part, segment.part.file, keep + start)


class Group(NamedTuple):
    """All rows of some sessions, and those of none."""

    frame: pd.DataFrame
    rows: Ints


def group_of(plan: Plan, pieces: Sequence[Piece]) -> Group:
    """Pieces, in order, as one frame."""
    rows = Rows(Book(), plan.tags)
    for piece in pieces:
        rows.join(piece.packed, piece.file)
    frame = rows.frame([source.name for source in plan.sources], plan.decided, plan.captures)
    places = [piece.rows for piece in pieces] or [np.empty(0, np.int64)]
    return Group(frame, np.concatenate(places))


class Place(NamedTuple):
    """Where a row stands in its file."""

    file: str
    offset: int
    length: int


def place_of(group: Group, row: int) -> Place | None:
    """The place of a row of the whole log, when this group has it."""
    at = int(np.searchsorted(group.rows, row))
    if at == len(group.rows) or group.rows[at] != row:
        return None
    found = group.frame.iloc[at]
    return Place(str(found["file"]), int(found["offset"]), int(found["length"]))


# Frames -----------------------------------------------------------------------------------


class Derived(NamedTuple):
    """A frame about one group, and what its rows are sorted by."""

    frame: pd.DataFrame
    order: Ints


def derive(
    group: Group, name: str, expected_start: Mapping[str, int] | None, session: str | None
) -> Derived:
    """One of the frames of `fixlab.analysis`, its rows places in the whole log.

    `session`: of its messages only.
    """
    if session is not None:
        own = (group.frame["session"] == session).to_numpy()
        group = Group(group.frame[own], group.rows[own])
    start = _own(group, expected_start)
    made = derived(group.frame, name, start)
    columns = ROW_COLUMNS[name]
    for column in columns:
        at = frames.numbers(made, column)
        known = at != MISSING
        at = at.copy()
        at[known] = group.rows[at[known]]
        made[column] = frames.array(at, SCHEMAS[name][column].dtype)
    if columns:
        return Derived(made, frames.numbers(made, columns[0]))
    return Derived(made, group.rows[_opened(group.frame, start)])


def _opened(frame: pd.DataFrame, expected_start: Mapping[str, int]) -> Ints:
    """The rows that gaps were noticed in, in the order of `gaps`."""
    rows: dict[tuple[str, str, int], int] = {}
    for event in reconstruct(frame, expected_start=expected_start).of(Kind.GAP):
        if event.gap is not None:
            rows.setdefault((event.session, event.receiver, event.gap), event.row)
    return np.array(list(rows.values()), np.int64)


def _own(group: Group, expected_start: Mapping[str, int] | None) -> dict[str, int]:
    """What is expected of the CompIDs of this group."""
    if not expected_start:
        return {}
    frame = group.frame
    senders = set(frame["sender"][frame["session"] != ""].astype("str"))
    return {name: number for name, number in expected_start.items() if name in senders}


# Findings ---------------------------------------------------------------------------------


class Told(NamedTuple):
    """What was found in one group; rows are places in the whole log."""

    found: list[Found]
    left_out: dict[str, int]
    nameless: dict[int, Behind]  # damaged messages of no session: what this group shows of them
    directions: list[tuple[int, Direction]]  # with the first row of each
    filtered: set[str]
    extents: dict[str | None, Extent]
    time: dict[int, int]
    number: dict[int, int]
    repeated: Ints  # rows that count elsewhere


def lines_of(group: Group, plan: Plan) -> Log:
    """The messages of a group, from their files."""
    return Log(lambda: group.frame, plan.sources, plan.accounts, {}, ())


def told(
    group: Group,
    plan: Plan,
    first: bool,
    expected_start: Mapping[str, int] | None,
    schedule: Schedule | None,
) -> Told:
    """The findings of a group; those that are about no session only of the `first` one."""
    rows = group.rows
    frame, repeated = once(group.frame)
    made = reconstruct(frame, expected_start=_own(group, expected_start))
    case = Case(frame, made, lines_of(group, plan), repeated=repeated)
    found = [each for each in found_in(case, schedule) if first or each.session]
    apart = [each for each in found if each.code in _COUNTED_APART]
    kept, left_out = capped(in_order([e for e in found if e.code not in _COUNTED_APART]))
    nameless: dict[int, Behind] = {}
    damage = damage_of(case)
    apart += damage.many
    for row in damage.rows:
        seen = behind(case, row)
        if case.session[row] >= 0 and case.sessions[case.session[row]]:
            apart.append(defect_of(case, row, seen))
        else:
            nameless[int(rows[row])] = _moved_behind(seen, rows)
    everything = [*kept, *apart]
    of_rows = {each.row for each in everything}
    of_rows |= {int(np.searchsorted(rows, row)) for row in nameless}
    extents: dict[str | None, Extent] = {
        name: case.extent(name) for name in case.sessions if name
    }
    extents[None] = case.extent(None)
    return Told(
        [_moved(each, rows) for each in everything],
        left_out,
        nameless,
        [
            (int(rows[case.rows_of(one.session, one.sender)[0]]), one)
            for one in case.made.directions
        ],
        case.filtered,
        extents,
        {int(rows[row]): int(case.time[row]) for row in of_rows},
        {int(rows[row]): int(case.number[row]) for row in of_rows},
        rows[:0] if repeated is None else rows[repeated],
    )


def _moved(found: Found, rows: Ints) -> Found:
    evidence = tuple(int(rows[row]) for row in found.rows if 0 <= row < len(rows))
    return found._replace(row=int(rows[found.row]), rows=evidence)


def _moved_behind(seen: Behind, rows: Ints) -> Behind:
    missed = seen.missed
    return seen._replace(
        missed=None if missed is None else _moved_event(missed, rows),
        following=None if seen.following is None else int(rows[seen.following]),
    )


def _moved_event(event: Event, rows: Ints) -> Event:
    return event._replace(row=int(rows[event.row]))


def nameless_found(group: Group, seen: Mapping[int, Behind]) -> list[Found]:
    """Findings about damaged messages of no session, by what all groups show of them."""
    frame, rows = once(group.frame).frame, group.rows
    case = Case(frame, Reconstruction([], [], len(frame), None))
    found = []
    for row, what in seen.items():
        at = int(np.searchsorted(rows, row))
        found.append(_moved(defect_of(case, at, what), rows))
    return found


def merged_behind(one: Behind, other: Behind) -> Behind:
    """What two groups show: the nearest of each, whichever comes first."""
    first = [
        each
        for each in sorted((one, other), key=lambda e: _row(e.missed))
        if each.missed is not None
    ]
    near = min(
        (one, other),
        key=lambda each: np.inf if each.following is None else each.following,
    )
    missed, asked = (first[0].missed, first[0].asked) if first else (None, False)
    return Behind(missed, asked, near.following, near.cut_off)


def _row(event: Event | None) -> float:
    return np.inf if event is None else event.row
