"""The numbers of each direction as few items: runs, and messages that need a look of their own.

A direction is a session and a sender. A run is a chain of messages of one direction in which
each number is the one before plus 1 and nothing else is remarkable; it is one item, however
long. All else is an item a message. A healthy log of millions of rows has a few thousand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab.frames import MISSING

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# Rows looked at together: what is computed of them stays in the cache.
BLOCK_ROWS = 1 << 16
# Types that are items of their own. Heartbeat and TestRequest are, when they have an id.
_REMARKABLE = ("A", "2", "4", "5")
# Types at which runs of the other direction end, so that what was known then is known.
_CUTS = ("A", "2", "5")
PLAIN, DUP, SPECIAL = 0, 1, 2
_WINDOW = 16
_NARROW = 1 << 28  # below it, numbers are looked at in 32 bits


@dataclass(frozen=True, slots=True)
class Columns:
    """What the machine looks at, one array a column; categories as codes and texts."""

    stream: npt.NDArray[Any]  # code of the direction; the fewest bytes that hold it
    streams: list[tuple[str, str]]  # session, sender
    number: Ints
    time: Ints
    msg_type: npt.NDArray[Any]
    msg_types: list[str]
    remarkable: Bools  # by code of the type
    poss_dup: Bools
    valid: Bools | None  # None: all are
    test_req_id: npt.NDArray[Any] | None  # None: there is none
    no_id: int  # the code of no TestReqID(112)
    frame: Any  # the columns that only special rows need

    def __len__(self) -> int:
        return len(self.stream)


@dataclass(frozen=True, slots=True)
class Items:
    """One entry an item, ordered by its first row. `first` and `last` are its numbers."""

    stream: Ints
    kind: Ints  # PLAIN, DUP or SPECIAL
    row: Ints
    last_row: Ints
    first: Ints
    last: Ints
    cut: Bools  # it is a message at which the other direction's runs end

    def __len__(self) -> int:
        return len(self.stream)


def columns_of(frame: pd.DataFrame) -> Columns:
    """The columns of a `messages` frame."""
    sessions, senders = frame["session"].array, frame["sender"].array
    names = [str(name) for name in sessions.categories]
    sides = [str(name) for name in senders.categories]
    stream, used = _stream(sessions.codes, senders.codes, len(sides), len(names) * len(sides))
    types = frame["msg_type"].array
    msg_types = [str(name) for name in types.categories]
    ids = frame["test_req_id"].array
    id_texts = [str(name) for name in ids.categories]
    no_id = id_texts.index("") if "" in id_texts else -1
    valid = frame["valid"].to_numpy(np.bool_)
    return Columns(
        stream=stream,
        streams=[(names[i // len(sides)], sides[i % len(sides)]) for i in used],
        number=_numbers(frame["msg_seq_num"]),
        time=frame["time"].to_numpy("datetime64[ns]").view(np.int64),
        msg_type=np.asarray(types.codes),
        msg_types=msg_types,
        remarkable=np.array([*(name in _REMARKABLE for name in msg_types), True], np.bool_),
        poss_dup=frame["poss_dup"].to_numpy(np.bool_),
        valid=None if bool(valid.all()) else valid,
        test_req_id=None if len(id_texts) - (no_id >= 0) == 0 else np.asarray(ids.codes),
        no_id=no_id,
        frame=frame,
    )


def numbers_at(frame: pd.DataFrame, name: str, rows: Any) -> Ints:
    """A column of integers at some rows; `MISSING` for NA."""
    found = frame[name].array[rows]
    return np.asarray(found.to_numpy(np.int64, na_value=MISSING))


def _numbers(column: Any) -> Ints:
    """Numbers of messages, `MISSING` for NA; not copied where none is missing."""
    array = column.array
    if not array.isna().any():
        plain: Ints = np.asarray(array.to_numpy(dtype=np.int64, copy=False))
        return plain
    return np.asarray(column.to_numpy(np.int64, na_value=MISSING))


def _stream(
    session: Any, sender: Any, width: int, size: int
) -> tuple[npt.NDArray[Any], Sequence[int]]:
    """A code of session and sender for each row, and what the codes stand for."""
    session, sender = np.asarray(session), np.asarray(sender)
    if size <= 1 << 16:
        dtype = np.uint8 if size <= 1 << 8 else np.uint16
        code = session.astype(dtype)
        code *= dtype(width if width < size else 1)
        same = sender.itemsize == code.itemsize
        code += sender.view(dtype) if same else sender.astype(dtype)
        return code, range(size)
    key = session.astype(np.int64) * width + sender
    used, place = np.unique(key, return_inverse=True)
    return place.astype(np.uint16 if len(used) <= 1 << 16 else np.int32), used.tolist()


def items_of(columns: Columns) -> Items:
    """The items of all rows of the frame."""
    parts = [_block(columns, at) for at in range(0, len(columns), BLOCK_ROWS)]
    if not parts:
        return _items([np.empty(0, np.int64)] * 6, columns)
    gathered = [np.concatenate([part[i] for part in parts]) for i in range(6)]
    items = _cut(_coalesced(_items(gathered, columns), columns), columns)
    return _taken(items, np.argsort(items.row, kind="stable"))


def _items(parts: Sequence[Ints], columns: Columns) -> Items:
    stream, kind, row, last_row, first, last = parts
    cuts = np.array([name in _CUTS for name in columns.msg_types] + [False], np.bool_)
    cut = kind == SPECIAL
    cut[cut] = cuts[columns.msg_type[row[cut]]]
    return Items(stream, kind, row, last_row, first, last, cut)


def _block(columns: Columns, start: int) -> tuple[Ints, ...]:
    """The items of one block of rows, ordered by stream, then row."""
    here = slice(start, min(start + BLOCK_ROWS, len(columns)))
    stream, number, again = columns.stream[here], columns.number[here], columns.poss_dup[here]
    special = _special(columns, here)
    changes = stream[1:] != stream[:-1]
    order: Any = None
    if np.count_nonzero(changes) > len(stream) >> 5:
        order = np.argsort(stream, kind="stable")
        starts = _starts_in_order(number, special, again, order)
        starts[_edges(stream, order)] = True
    else:
        starts = _starts(number, special, again)
        starts[1:] |= changes
    begin = np.flatnonzero(starts)
    end = np.append(begin[1:], len(stream)) - 1
    rows, last_rows = (begin, end) if order is None else (order[begin], order[end])
    return (
        stream[rows].astype(np.int64),
        np.where(special[rows], SPECIAL, again[rows]).astype(np.int64),
        rows + start,
        last_rows + start,
        number[rows],
        number[last_rows],
    )


def _starts(number: Ints, special: Bools, again: Bools) -> Bools:
    """Where items begin in rows of one stream."""
    starts = np.empty(len(number), np.bool_)
    starts[:1] = True
    after = starts[1:]
    np.not_equal(number[1:] - number[:-1], 1, out=after)
    after |= again[1:] != again[:-1]
    after |= special[1:]
    after |= special[:-1]
    return starts


def _starts_in_order(number: Ints, special: Bools, again: Bools, order: Any) -> Bools:
    """The same of rows in an order in which streams stand together.

    Most time goes into bringing columns into that order: it is one narrow column, of numbers
    of which one is another plus 1 only where both may be in one run.
    """
    if not 0 <= int(np.bitwise_or.reduce(number)) < _NARROW:
        return _starts(number[order], special[order], again[order])
    chain = number.astype(np.int32)
    chain[again] += _NARROW
    odd = np.flatnonzero(special)
    chain[odd] = np.arange(len(odd)) * 2 - 4 * _NARROW
    chain = chain[order]
    starts = np.empty(len(chain), np.bool_)
    starts[:1] = True
    np.not_equal(chain[1:] - chain[:-1], 1, out=starts[1:])
    return starts


def _special(columns: Columns, here: slice) -> Bools:
    """Which rows are items of their own."""
    code = columns.msg_type[here]
    # A few compares cost less than one look-up a row.
    special: Bools = code < 0
    for each in np.flatnonzero(columns.remarkable[:-1]).tolist():
        special |= code == each
    if columns.valid is not None:
        special |= ~columns.valid[here]
        special |= columns.number[here] == MISSING
    if columns.test_req_id is not None:
        special |= columns.test_req_id[here] != columns.no_id
    return special


def _edges(stream: npt.NDArray[Any], order: Any) -> Ints:
    """Where, in order, each stream of the block begins but the first."""
    if stream.dtype == np.uint8:
        codes = np.arange(1, int(stream.max()) + 1, dtype=np.uint8)
        found = np.searchsorted(stream, codes, sorter=order)
        return np.asarray(found[found < len(stream)])
    stream = stream[order]
    return np.flatnonzero(stream[1:] != stream[:-1]) + 1


def _coalesced(items: Items, columns: Columns) -> Items:
    """Runs that one block ended and the next went on with, as one; ordered by stream."""
    # Blocks follow each other by row, so only streams have to be brought together.
    order = np.argsort(items.stream.astype(columns.stream.dtype), kind="stable")
    stream, kind = items.stream[order], items.kind[order]
    row, last_row = items.row[order], items.last_row[order]
    first, last = items.first[order], items.last[order]
    joins = np.zeros(len(order), np.bool_)
    joins[1:] = (
        (stream[1:] == stream[:-1])
        & (kind[1:] == kind[:-1])
        & (kind[1:] != SPECIAL)
        & (first[1:] - last[:-1] == 1)
    )
    begin = np.flatnonzero(~joins)
    end = np.append(begin[1:], len(order))[: len(begin)] - 1
    return Items(
        stream[begin],
        kind[begin],
        row[begin],
        last_row[end],
        first[begin],
        last[end],
        items.cut[order][begin],
    )


def _taken(items: Items, at: Any) -> Items:
    return Items(
        *(getattr(items, name)[at] for name in ("stream", "kind", "row", "last_row")),
        *(getattr(items, name)[at] for name in ("first", "last", "cut")),
    )


def _cut(items: Items, columns: Columns) -> Items:
    """Runs in two where a Logon, Logout or ResendRequest of the other side falls into them."""
    if not items.cut.any():
        return items
    session = session_codes(columns.streams)
    # A run goes with the last cut before its end; all cuts inside it are found in turn.
    of_session = session[items.stream]
    cuts = np.flatnonzero(items.cut)
    width = int(items.last_row.max()) + 1
    keys = np.sort(of_session[cuts] * width + items.row[cuts])
    low = np.searchsorted(keys, of_session * width + items.row, "right")
    high = np.searchsorted(keys, of_session * width + items.last_row, "left")
    runs = np.flatnonzero((high > low) & (items.kind != SPECIAL))
    if not len(runs):
        return items
    count = (high - low)[runs]
    run = np.repeat(runs, count)
    at = np.arange(len(run)) - np.repeat(np.cumsum(count) - count, count) + low[run]
    cut_row = keys[at] - of_session[run] * width
    before, after = _neighbours(columns, cut_row, items.stream[run], items, run)
    return _pieces(items, runs, run, before, after, columns)


def session_codes(streams: Sequence[tuple[str, str]]) -> Ints:
    names = {name: code for code, name in enumerate(dict.fromkeys(s for s, _ in streams))}
    return np.array([names[session] for session, _ in streams], np.int64)


def _neighbours(
    columns: Columns, cut: Ints, stream: Ints, items: Items, run: Ints
) -> tuple[Ints, Ints]:
    """The rows of each stream right before and right behind its cut, both within its run."""
    return (
        _nearest(columns, cut, stream, items.row[run], -1),
        _nearest(columns, cut, stream, items.last_row[run], 1),
    )


def _nearest(columns: Columns, cut: Ints, stream: Ints, limit: Ints, step: int) -> Ints:
    """The nearest row of the stream on one side of the cut; there is one up to `limit`."""
    found = np.full(len(cut), -1, np.int64)
    todo, width, offset = np.arange(len(cut)), _WINDOW, 1
    while len(todo):
        for part in np.array_split(todo, max(1, len(todo) * width // (1 << 22))):
            rows = cut[part][:, None] + step * (offset + np.arange(width))[None, :]
            bound = limit[part][:, None]
            rows = np.maximum(rows, bound) if step < 0 else np.minimum(rows, bound)
            match = columns.stream[rows] == stream[part][:, None]
            place = match.argmax(axis=1)
            hit = match[np.arange(len(part)), place]
            found[part[hit]] = rows[hit, place[hit]]
        todo = todo[found[todo] < 0]
        offset += width
        width = min(width * 2, 1 << 14)
    return found


def _pieces(
    items: Items, runs: Ints, run: Ints, before: Ints, after: Ints, columns: Columns
) -> Items:
    """`items` with the runs replaced by their pieces between the cuts."""
    whole = np.ones(len(items), np.bool_)
    whole[runs] = False
    # Two cuts with no message of the run between them make one.
    keep = np.ones(len(run), np.bool_)
    keep[1:] = (run[1:] != run[:-1]) | (after[1:] != after[:-1])
    run, before, after = run[keep], before[keep], after[keep]
    firsts = np.concatenate([items.row[runs], after])
    lasts = np.concatenate([items.last_row[runs], before])
    owner_first, owner_last = np.concatenate([runs, run]), np.concatenate([runs, run])
    order_first = np.lexsort((firsts, owner_first))
    order_last = np.lexsort((lasts, owner_last))
    row, last_row = firsts[order_first], lasts[order_last]
    owner = owner_first[order_first]
    pieces = Items(
        items.stream[owner],
        items.kind[owner],
        row,
        last_row,
        columns.number[row],
        columns.number[last_row],
        items.cut[owner],
    )
    rest = _taken(items, whole)
    return Items(
        *(
            np.concatenate([getattr(rest, name), getattr(pieces, name)])
            for name in ("stream", "kind", "row", "last_row", "first", "last", "cut")
        )
    )
