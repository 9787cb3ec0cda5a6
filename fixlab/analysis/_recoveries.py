"""Recoveries as almost all of them go, found all at once: so the state machine need not look.

The usual recovery: numbers are missing, because a message came too early or because the
receiver asks for what the log shows to have left; one ResendRequest at most; messages with
PossDupFlag(43)=Y and gap fills bring all of it, in order. In its session there is nothing
else meanwhile but messages in sequence. All that is odd stays with the machine, which is what
defines the events; `tests/analysis/test_recoveries.py` holds the two against each other.

Whether a recovery is usual depends on what was due before it. Here that is a guess, from the
numbers alone; the machine checks it at the beginning of each calm stretch, and where it does
not hold, it takes the stretch item by item.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from fixlab.analysis._streams import (
    DUP,
    PLAIN,
    SPECIAL,
    Columns,
    Items,
    numbers_at,
    session_codes,
)
from fixlab.frames import MISSING

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

# What an item is to its direction: new messages in one run, replayed ones, a gap fill, a
# ResendRequest; ODD is all else.
_NEW, _AGAIN, _FILL, _REQUEST, _ODD = 0, 1, 2, 3, 4
# Numbers from here on are odd: below it, a stretch and a number fit into one integer.
_NUMBER_MAX = 1 << 40
_STRETCHES_MAX = 1 << 21


@dataclass(frozen=True, slots=True)
class Ordered:
    """Items by session, then row; and, in `by_stream`, by direction."""

    items: Items
    session: Ints
    last: Ints  # the last number that an item covers; that of a gap fill is before NewSeqNo(36)
    fill: Bools
    by_stream: Ints  # positions in the above, by direction; all below is in that order
    key: Ints  # direction and position in one ascending integer
    due: Ints  # guess: the number due before the item; -1: none
    high: Ints  # guess: the highest number seen with it
    answers: Ints  # places in `by_stream` of what may answer a request

    def place(self, stream: Any, position: Any) -> Any:
        """The place of a direction's first item at a position or behind it."""
        return np.searchsorted(self.key, self.key_of(stream, position))

    def key_of(self, stream: Any, position: Any) -> Any:
        """The key of a direction and a position."""
        return stream * len(self.items) + position


@dataclass(frozen=True, slots=True)
class Recoveries:
    """One entry a recovery, in the order of the items."""

    start: Ints  # first and last position among the ordered items
    stop: Ints
    stream: Ints
    begin: Ints  # what was missing
    end: Ints
    asked: Bools  # the request shows that it was missing, not a number too high
    request: Ints  # position of the ResendRequest; -1: none
    reach: Ints  # the last number that it asks for; without one, `end`
    lead: Ints  # place (in `by_stream`) of the first item behind the beginning
    answer: Ints  # its answers, as positions in `answers`: first, the one that closes, last
    closing: Ints
    final: Ints

    def __len__(self) -> int:
        return len(self.start)

    def chosen(self, at: Any) -> Recoveries:
        """Some of them."""
        return Recoveries(*(getattr(self, each.name)[at] for each in fields(self)))


@dataclass(frozen=True, slots=True)
class Plan:
    """How the machine goes through the items: calm stretches at once, others one by one."""

    ordered: Ordered
    recoveries: Recoveries
    # Stretches and odd items in order: first position, and one past the last.
    begins: Ints
    ends: Ints
    calm: Bools


def plan_of(items: Items, columns: Columns, views: Sequence[str]) -> Plan:
    """The plan; `views` tells of each direction how the log sees it."""
    order, session = _by_session(items, columns)
    ordered, what, quiet = _ordered(items, order, session, columns)
    inside = np.append(0, np.cumsum(quiet))
    if len(ordered.answers) >= _STRETCHES_MAX:  # then too little is usual to be worth it
        return _planned(ordered, _none(), quiet)
    chains = _chains(ordered, what)
    found = _noticed(ordered, what, inside, columns, chains)
    used = found.request[found.request >= 0]
    seen_in = np.array([view == "in" for view in views], np.bool_)
    more = _asked_for(ordered, what, inside, columns, chains, used, seen_in)
    both = [
        np.concatenate([getattr(found, each.name), getattr(more, each.name)])
        for each in fields(Recoveries)
    ]
    found = Recoveries(*both)
    found = found.chosen(np.argsort(found.start, kind="stable"))
    assert (found.start[1:] > found.stop[:-1]).all(), "recoveries overlap"
    return _planned(ordered, found, quiet)


def _none() -> Recoveries:
    nothing = np.empty(0, np.int64)
    return Recoveries(*(nothing,) * 5, nothing.astype(np.bool_), *(nothing,) * 6)


def _by_session(items: Items, columns: Columns) -> tuple[Ints, Ints]:
    """Positions of the items that belong to a session, by session; and its code."""
    codes = session_codes(columns.streams)
    named = np.array([bool(name) for name, _ in columns.streams], np.bool_)
    session = codes[items.stream]
    kept = np.flatnonzero(named[items.stream])
    of_kept = session[kept]
    small = of_kept.astype(np.uint16) if len(codes) < 1 << 16 else of_kept
    order = kept[np.argsort(small, kind="stable")]
    return order, session[order]


def _ordered(
    items: Items, order: Ints, session: Ints, columns: Columns
) -> tuple[Ordered, Any, Bools]:
    """The items in order; what each is; and which are new messages in sequence."""
    items = Items(*(getattr(items, each.name)[order] for each in fields(Items)))
    what, last = _what(items, columns)
    what[_crowded(items.stream, session_codes(columns.streams))] = _ODD
    stream = items.stream.astype(np.uint16) if len(columns.streams) < 1 << 16 else items.stream
    by_stream = np.argsort(stream, kind="stable")
    of, first, end = items.stream[by_stream], items.first[by_stream], last[by_stream]
    kind = what[by_stream]
    due, high = _due(of, first, end, kind, _restarts(items, by_stream, columns))
    fresh = (kind == _NEW) | (kind == _REQUEST)
    in_order = fresh & (first == due)
    kind[fresh & ~in_order & ((kind == _REQUEST) | (first < due) | (due < 0))] = _ODD
    what[by_stream] = kind
    quiet = np.empty(len(items), np.bool_)
    quiet[by_stream] = in_order & (kind == _NEW)
    ordered = Ordered(
        items=items,
        session=session,
        last=last,
        fill=what == _FILL,
        by_stream=by_stream,
        key=of * len(items) + by_stream,
        due=due,
        high=high,
        answers=np.flatnonzero((kind == _AGAIN) | (kind == _FILL)),
    )
    return ordered, what, quiet


def _what(items: Items, columns: Columns) -> tuple[Any, Ints]:
    """What each item is, and the last number it covers; -1 where it counts for nothing."""
    what = np.full(len(items), _ODD, np.int8)
    what[items.kind == PLAIN], what[items.kind == DUP] = _NEW, _AGAIN
    last = items.last.copy()
    special = np.flatnonzero(items.kind == SPECIAL)
    rows = items.row[special]
    code = columns.msg_type[rows]
    sound = ~columns.poss_dup[rows]
    valid = np.ones(len(rows), np.bool_) if columns.valid is None else columns.valid[rows]
    names = [*columns.msg_types, ""]
    request, change = (np.array([n == t for n in names], np.bool_)[code] for t in "24")
    what[special[request & sound & valid]] = _REQUEST
    last[special[~valid | ~(sound | change)]] = -1
    change &= valid
    at, rows = special[change], rows[change]
    new = numbers_at(columns.frame, "new_seq_no", rows)
    fills = columns.frame["gap_fill"].to_numpy(np.bool_)[rows] & (new > items.first[at])
    what[at[fills]] = _FILL
    last[at] = np.where(new > 0, new - 1, -1)
    bad = (items.first < 1) | (last >= _NUMBER_MAX)
    what[bad], last[bad] = _ODD, -1
    return what, last


def _crowded(stream: Ints, codes: Ints) -> Bools:
    """Items of sessions with more than two senders."""
    present = np.flatnonzero(np.bincount(stream, minlength=len(codes)))
    many = np.bincount(codes[present], minlength=len(codes)) > 2
    return np.asarray(many[codes[stream]], np.bool_)


def _restarts(items: Items, by_stream: Ints, columns: Columns) -> Bools:
    """Logons and SequenceResets that are no gap fill: what was due before no longer counts."""
    names = np.array([name in ("A", "4") for name in columns.msg_types] + [False], np.bool_)
    found = items.kind == SPECIAL
    rows = items.row[found]
    found[found] = names[columns.msg_type[rows]] & ~columns.poss_dup[rows]
    return np.asarray(found[by_stream], np.bool_)


def _due(of: Ints, first: Ints, end: Ints, kind: Any, anew: Bools) -> tuple[Ints, Ints]:
    """The number due before each item, and the highest with it, as far as numbers tell."""
    start = anew & (kind == _ODD) & (end >= 0)
    start[:1] = True
    start[1:] |= of[1:] != of[:-1]
    # New messages with numbers that fall: whatever it is, the guess begins anew there.
    fresh = np.flatnonzero((kind == _NEW) | (kind == _REQUEST))
    falls = first[fresh[1:]] <= end[fresh[:-1]]
    start[fresh[1:][falls & (of[fresh[1:]] == of[fresh[:-1]])]] = True
    part = np.cumsum(start) - 1
    if len(part) and int(part[-1]) >= _STRETCHES_MAX:
        return np.full(len(of), -1), np.full(len(of), -1)
    base = part * _NUMBER_MAX
    high = np.maximum.accumulate(np.maximum(end, 0) + base) - base
    due = np.full(len(of), -1)
    due[1:] = np.where(start[1:], -1, high[:-1] + 1)
    return due, high


@dataclass(frozen=True, slots=True)
class _Chains:
    """Answers that go on with each other, nothing odd between them."""

    stream: Ints  # of each answer, as the next ones
    first: Ints
    last: Ints
    due: Ints
    position: Ints
    chain: Ints
    key: Ints  # chain and last number in one ascending integer
    calm: Ints  # counts what is odd or begins a gap, up to each place

    def covers(self, start: Ints, number: Ints) -> Ints:
        """The first answer from `start` on that reaches `number`; -1: its chain does not."""
        at = np.searchsorted(self.key, self.chain[start] * _NUMBER_MAX + number)
        found = np.minimum(at, len(self.key) - 1)
        same = (at < len(self.key)) & (self.chain[found] == self.chain[start])
        return np.where(same, found, -1)


def _chains(ordered: Ordered, what: Any) -> _Chains:
    by_stream, places = ordered.by_stream, ordered.answers
    kind = what[by_stream]
    first = ordered.items.first[by_stream]
    breaks = (kind == _ODD) | ((kind == _NEW) & (first > ordered.due))
    calm = np.cumsum(breaks)
    position = by_stream[places]
    stream = ordered.items.stream[position]
    first, last = first[places], ordered.last[position]
    begins = np.ones(len(places), np.bool_)
    begins[1:] = (
        (stream[1:] != stream[:-1])
        | (first[1:] != last[:-1] + 1)
        | (calm[places][1:] != calm[places][:-1])
    )
    chain = np.cumsum(begins) - 1
    return _Chains(
        stream, first, last, ordered.due[places], position, chain,
        chain * _NUMBER_MAX + last, calm,
    )  # fmt: skip


def _noticed(
    ordered: Ordered, what: Any, inside: Ints, columns: Columns, chains: _Chains
) -> Recoveries:
    """Recoveries that a message with too high a number begins."""
    by_stream = ordered.by_stream
    place = np.flatnonzero((what[by_stream] == _NEW) & (ordered.due > 0))
    place = place[ordered.items.first[by_stream[place]] > ordered.due[place]]
    answer = np.searchsorted(ordered.answers, place)
    place, answer = _kept(answer < len(ordered.answers), place, answer)
    stream = ordered.items.stream[by_stream[place]]
    usual = chains.stream[answer] == stream
    usual &= chains.calm[ordered.answers[answer]] == chains.calm[place]
    usual &= chains.first[answer] == ordered.due[place]
    place, answer, stream = _kept(usual, place, answer, stream)
    begin, start = ordered.due[place], by_stream[place]
    end = ordered.items.first[start] - 1
    requests = np.flatnonzero(what == _REQUEST)
    low = np.searchsorted(requests, start)
    count = np.searchsorted(requests, chains.position[answer]) - low
    request = np.where(count == 1, np.append(requests, -1)[low], -1)
    usual = count <= 1
    reach = end.copy()
    has = request >= 0
    reach[has], fits = _reach(ordered, columns, request[has], stream[has], begin[has])
    usual[has] &= fits & (ordered.items.stream[request[has]] != stream[has])
    usual &= reach >= end
    found = Recoveries(
        start, start, stream, begin, end, np.zeros(len(start), np.bool_), request, reach,
        place, answer, answer, answer,
    ).chosen(usual)  # fmt: skip
    return _answered(found, chains, inside, (found.request >= 0) + 1)


def _asked_for(
    ordered: Ordered,
    what: Any,
    inside: Ints,
    columns: Columns,
    chains: _Chains,
    used: Ints,
    seen_in: Bools,
) -> Recoveries:
    """Recoveries of what the log shows to have left: the request begins them."""
    request = np.setdiff1d(np.flatnonzero(what == _REQUEST), used, assume_unique=True)
    stream = _others(ordered, session_codes(columns.streams))[ordered.items.stream[request]]
    known = (stream >= 0) & ~seen_in[stream]
    request, stream = _kept(known, request, stream)
    place = ordered.place(stream, request)  # of the first item behind it
    answer = np.searchsorted(ordered.answers, place)
    usual = (answer < len(ordered.answers)) & (place > ordered.place(stream, 0))
    place, answer, request, stream = _kept(usual, place, answer, request, stream)
    begin = _range(columns, ordered.items.row[request])[0]
    usual = chains.stream[answer] == stream
    usual &= chains.calm[ordered.answers[answer]] == chains.calm[place - 1]
    usual &= (chains.first[answer] == begin) & (begin <= ordered.high[place - 1])
    place, answer, request, stream, begin = _kept(usual, place, answer, request, stream, begin)
    reach, fits = _reach(ordered, columns, request, stream, begin)
    found = Recoveries(
        request, request, stream, begin, reach, np.ones(len(request), np.bool_), request,
        reach, place, answer, answer, answer,
    ).chosen(fits)  # fmt: skip
    return _answered(found, chains, inside, np.ones(len(found), np.int64))


def _kept(usual: Bools, *arrays: Ints) -> list[Ints]:
    return [array[usual] for array in arrays]


def _others(ordered: Ordered, codes: Ints) -> Ints:
    """The other direction of the session of each; -1 when the log has none."""
    other = np.full(len(codes), -1)
    present = np.flatnonzero(np.bincount(ordered.items.stream, minlength=len(codes)))
    present = present[np.argsort(codes[present], kind="stable")]
    two = np.flatnonzero(codes[present[1:]] == codes[present[:-1]])
    other[present[two]], other[present[two + 1]] = present[two + 1], present[two]
    return other


def _range(columns: Columns, rows: Ints) -> tuple[Ints, Ints]:
    """BeginSeqNo(7) and EndSeqNo(16) of requests; 0 for an end that is not there."""
    begin, end = (
        numbers_at(columns.frame, name, rows) for name in ("begin_seq_no", "end_seq_no")
    )
    return begin, np.where(end == MISSING, 0, end)


def _reach(
    ordered: Ordered, columns: Columns, request: Ints, stream: Ints, begin: Ints
) -> tuple[Ints, Bools]:
    """The last number that each asks for, and whether it begins with `begin`."""
    first, end = _range(columns, ordered.items.row[request])
    before = ordered.place(stream, request) - 1
    last = ordered.high[before]
    reach = np.where((end == 0) | (end > last), last, end)
    return reach, (first == begin) & (begin > 0) & ((end == 0) | (end >= begin))


def _answered(found: Recoveries, chains: _Chains, inside: Ints, besides: Ints) -> Recoveries:
    """Those that are answered to their end, with nothing else between but quiet items."""
    if not len(found):
        return found
    final = chains.covers(found.answer, found.reach)
    closing = chains.covers(found.answer, found.end)
    usual = (final >= 0) & (closing >= 0)
    usual &= chains.last[final] < chains.due[final]
    stop = chains.position[final]
    total = stop - found.start + 1
    quiet = inside[stop + 1] - inside[found.start + 1]
    usual &= total == quiet + (final - found.answer + 1) + besides
    return Recoveries(
        found.start, stop, found.stream, found.begin, found.end, found.asked, found.request,
        found.reach, found.lead, found.answer, closing, final,
    ).chosen(usual)  # fmt: skip


def _planned(ordered: Ordered, found: Recoveries, quiet: Bools) -> Plan:
    size = len(ordered.items)
    change = np.zeros(size + 1, np.int64)
    change[found.start] += 1
    change[found.stop + 1] -= 1
    calm = quiet | (np.cumsum(change[:-1]) > 0)
    begins = np.ones(size, np.bool_)
    begins[1:] = ~(calm[1:] & calm[:-1]) | (ordered.session[1:] != ordered.session[:-1])
    at = np.flatnonzero(begins)
    return Plan(ordered, found, at, np.append(at[1:], size)[: len(at)], calm[at])
