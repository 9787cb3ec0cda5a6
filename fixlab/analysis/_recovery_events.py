"""What usual recoveries tell: sums for `gaps`, and events for who wants them one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fixlab.analysis._events import Event, Kind
from fixlab.analysis._recoveries import Ordered, Recoveries
from fixlab.analysis._rows import ranges, rows_in_runs
from fixlab.analysis._streams import Columns
from fixlab.frames import MISSING

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Ends(NamedTuple):
    """CompIDs of a direction."""

    session: str
    sender: str
    receiver: str


class Account(NamedTuple):
    """What the machine knows of each recovery that it took at once."""

    gap: Ints  # ordinals
    epoch: Ints
    connection: Ints


class Answers(NamedTuple):
    """The answers of all recoveries, one entry each."""

    of: Ints  # the recovery
    place: Ints  # in `answers` of the ordered items
    position: Ints
    first: Ints
    last: Ints
    fill: Bools
    missing: Ints  # the last number that was missing; below `first`: none was


class _Part(NamedTuple):
    """Events of one kind. `order`: among those of one row."""

    kind: Kind
    order: int
    of: Ints
    row: Ints
    last_row: Ints
    values: dict[str, Any]


@dataclass(frozen=True)
class Usual:
    """Recoveries that went as usual, and what is known of each."""

    columns: Columns
    ordered: Ordered
    found: Recoveries
    account: Account
    ends: dict[int, Ends]  # of each direction
    requests: Ints  # rows of all requests of the frame, ascending: a request is its place here

    # Rows and numbers ----------------------------------------------------------------------

    @cached_property
    def answers(self) -> Answers:
        """Gap fills and runs of replayed messages that answer."""
        found, ordered = self.found, self.ordered
        of, place = ranges(found.answer, found.final + 1)
        position = ordered.by_stream[ordered.answers[place]]
        last = ordered.last[position]
        return Answers(
            of, place, position, ordered.items.first[position], last, ordered.fill[position],
            np.minimum(last, found.end[of]),
        )  # fmt: skip

    @cached_property
    def opened_row(self) -> Ints:
        """The row that shows what is missing."""
        return self.ordered.items.row[self.found.start]

    @cached_property
    def request_row(self) -> Ints:
        """The row of the ResendRequest, -1 without one."""
        rows = self.ordered.items.row[np.maximum(self.found.request, 0)]
        return np.where(self.found.request >= 0, rows, -1)

    @cached_property
    def closed_row(self) -> Ints:
        """The row with which nothing is missing any more."""
        return self._row_of(self.found.closing, self.found.end)

    def _row_of(self, answer: Ints, number: Ints) -> Ints:
        """The row of the number in an answer; a gap fill is a row whatever number it is."""
        ordered = self.ordered
        position = ordered.by_stream[ordered.answers[answer]]
        items = ordered.items
        rows = items.last_row[position].copy()
        inner = ~ordered.fill[position] & (number < ordered.last[position])
        at = position[inner]
        rows[inner] = rows_in_runs(
            self.columns.stream, items.stream[at], items.row[at], items.last_row[at],
            number[inner] - items.first[at],
        )  # fmt: skip
        return rows

    # Sums ----------------------------------------------------------------------------------

    @cached_property
    def resent(self) -> Ints:
        """Missing numbers that came again, of each recovery."""
        return self._sum(np.where(self.answers.fill, 0, self._missing))

    @cached_property
    def filled(self) -> Ints:
        """Missing numbers that were filled over, of each recovery."""
        return self._sum(np.where(self.answers.fill, self._missing, 0))

    @cached_property
    def _missing(self) -> Ints:
        return np.asarray(np.maximum(self.answers.missing - self.answers.first + 1, 0))

    def _sum(self, values: Ints) -> Ints:
        """Sums of what answers have, of each recovery."""
        count = self.found.final - self.found.answer + 1
        total = np.append(0, np.cumsum(values))
        stop = np.cumsum(count)
        return np.asarray(total[stop] - total[stop - count])

    @cached_property
    def held(self) -> Ints:
        """New messages that came while numbers were missing, of each recovery."""
        return self._new_between(self.found.lead, self.found.closing)

    def _new_between(self, place: Ints, answer: Ints) -> Ints:
        """New messages from a place up to an answer."""
        total = self._new
        return np.asarray(total[self.ordered.answers[answer]] - total[place])

    @cached_property
    def _new(self) -> Ints:
        """New messages of all directions before each place."""
        ordered = self.ordered
        size = ordered.last[ordered.by_stream] - ordered.items.first[ordered.by_stream] + 1
        size[ordered.answers] = 0
        return np.append(0, np.cumsum(size))

    # Events --------------------------------------------------------------------------------

    def events(self, kinds: Iterable[Kind] = tuple(Kind)) -> list[Event]:
        """The events of these kinds, by row."""
        wanted = set(kinds)
        parts = [part for part in self._parts(wanted) if len(part.of)]
        if not parts:
            return []
        row = np.concatenate([part.row for part in parts])
        order = np.concatenate([np.full(len(part.of), part.order) for part in parts])
        made = [event for part in parts for event in self._made(part)]
        return [made[i] for i in np.lexsort((order, row)).tolist()]

    def _made(self, part: _Part) -> Iterable[Event]:
        of = part.of
        stream = self.found.stream[of].tolist()
        ends = [self.ends[code] for code in stream]
        by_receiver = part.values.get("by_receiver")
        size = len(of)
        receiver = [False] * size if by_receiver is None else by_receiver.tolist()
        gap = np.where(part.values.get("in_gap", np.ones(size, np.bool_)), self.account.gap[of],
                       MISSING)  # fmt: skip
        request = np.full(size, MISSING)
        if "request" in part.values:
            rows = part.values["request"]
            request[rows >= 0] = np.searchsorted(self.requests, rows[rows >= 0])
        columns = [
            [part.kind] * size,
            part.row.tolist(),
            part.last_row.tolist(),
            [end.session for end in ends],
            [end.sender for end in ends],
            [end.receiver for end in ends],
            [e.receiver if r else e.sender for e, r in zip(ends, receiver, strict=True)],
            self.account.epoch[of].tolist(),
            self.account.connection[of].tolist(),
            part.values["begin"].tolist(),
            part.values["end"].tolist(),
            part.values.get("count", np.zeros(size, np.int64)).tolist(),
            part.values["expected"].tolist(),
            part.values["after"].tolist() if "after" in part.values else [None] * size,
            [None if n == MISSING else n for n in gap.tolist()],
            [None if n == MISSING else n for n in request.tolist()],
            [None] * size,
            [None] * size,
            part.values.get("live", np.zeros(size, np.int64)).tolist(),
            part.values.get("answered", np.zeros(size, np.int64)).tolist(),
            part.values.get("cause", [""] * size),
        ]
        return map(Event._make, zip(*columns, strict=True))

    def _parts(self, wanted: set[Kind]) -> Iterable[_Part]:
        if Kind.GAP in wanted:
            yield self._gaps()
        if Kind.EARLY in wanted:
            yield self._early()
        if Kind.ASKED in wanted:
            yield self._asked()
        if Kind.ANSWERED in wanted:
            yield from self._answered()
        if Kind.REPLAYED in wanted:
            yield self._replayed()
        if Kind.FILLED in wanted:
            yield self._filled()
        if Kind.CLOSED in wanted:
            yield self._closed()
        if Kind.REPEATED in wanted:
            yield self._repeated()

    @cached_property
    def _all(self) -> Ints:
        return np.arange(len(self.found))

    def _before(self) -> Ints:
        """What was due when it began."""
        found = self.found
        return np.where(found.asked, self.ordered.high[found.lead - 1] + 1, found.begin)

    def _gaps(self) -> _Part:
        found, row = self.found, self.opened_row
        values = {
            "begin": found.begin,
            "end": found.end,
            "count": found.end - found.begin + 1,
            "expected": self._before(),
            "by_receiver": found.asked,
            "cause": ["asked" if asked else "hole" for asked in found.asked.tolist()],
        }
        return _Part(Kind.GAP, 0, self._all, row, row, values)

    def _early(self) -> _Part:
        found, ordered = self.found, self.ordered
        of, place = ranges(found.lead, ordered.answers[found.closing])
        next_answer = np.searchsorted(ordered.answers, place)
        new = ordered.answers[next_answer] != place
        of, place, next_answer = of[new], place[new], next_answer[new]
        position = ordered.by_stream[place]
        answers = ordered.by_stream[ordered.answers[np.maximum(next_answer - 1, 0)]]
        fresh = next_answer == found.answer[of]  # nothing of the answer has come yet
        first, last = ordered.items.first[position], ordered.items.last[position]
        values = {
            "begin": first,
            "end": last,
            "count": last - first + 1,
            "expected": np.where(fresh, found.begin[of], ordered.last[answers] + 1),
        }
        rows = ordered.items.row[position], ordered.items.last_row[position]
        return _Part(Kind.EARLY, 1, of, *rows, values)

    def _asked(self) -> _Part:
        found = self.found
        of = np.flatnonzero(found.request >= 0)
        row = self.request_row[of]
        values = {
            "begin": found.begin[of],
            "end": found.reach[of],
            "count": found.end[of] - found.begin[of] + 1,
            "expected": self._before()[of],
            "request": row,
            "by_receiver": np.ones(len(of), np.bool_),
            "cause": ["due"] * len(of),
        }
        return _Part(Kind.ASKED, 1, of, row, row, values)

    def _answered(self) -> Iterable[_Part]:
        found, ordered = self.found, self.ordered
        has = found.request >= 0
        replayed = self._sum(
            np.where(
                self.answers.fill,
                0,
                np.minimum(self.answers.last, found.reach[self.answers.of])
                - self.answers.first
                + 1,
            )
        )
        live = self._new_between(ordered.answers[found.answer], found.final)
        final = ordered.answers[found.final]
        # A run that brings what was missing and more closes the gap first.
        late = (found.reach > found.end) & ~ordered.fill[ordered.by_stream[final]]
        in_gap = (found.final == found.closing) & ~late
        row = np.full(len(found), -1)
        row[has] = self._row_of(found.final[has], found.reach[has])
        for order, chosen in ((0, has & ~late), (3, has & late)):
            of = np.flatnonzero(chosen)
            values = {
                "begin": found.begin[of],
                "end": found.reach[of],
                "count": replayed[of],
                "expected": ordered.due[final[of]],
                "request": self.request_row[of],
                "in_gap": in_gap[of],
                "live": live[of],
                "answered": found.reach[of] - found.begin[of] + 1,
            }
            yield _Part(Kind.ANSWERED, order, of, row[of], row[of], values)

    def _replayed(self) -> _Part:
        answers, found, ordered = self.answers, self.found, self.ordered
        chosen = ~answers.fill & (answers.missing >= answers.first)
        of, place, position = (
            answers.of[chosen],
            answers.place[chosen],
            answers.position[chosen],
        )
        first, last, missing = (
            answers.first[chosen], answers.last[chosen], answers.missing[chosen],
        )  # fmt: skip
        due = ordered.due[ordered.answers[place]]
        last_row = ordered.items.last_row[position].copy()
        over = last > missing
        last_row[over] = self._row_of(place[over], missing[over])
        values = {
            "begin": first,
            "end": missing,
            "count": missing - first + 1,
            "expected": np.where(missing < found.end[of], missing + 1, due),
            "request": self.request_row[of],
        }
        return _Part(Kind.REPLAYED, 1, of, ordered.items.row[position], last_row, values)

    def _filled(self) -> _Part:
        answers, found, ordered = self.answers, self.found, self.ordered
        chosen = answers.fill
        of, place, position = (
            answers.of[chosen],
            answers.place[chosen],
            answers.position[chosen],
        )
        first, last = answers.first[chosen], answers.last[chosen]
        count = self._missing[chosen]
        due = ordered.due[ordered.answers[place]]
        row = ordered.items.row[position]
        values = {
            "begin": first,
            "end": last,
            "count": count,
            "expected": np.where(first <= found.end[of], first, due),
            "after": np.where(last < found.end[of], last + 1, due),
            "request": self.request_row[of],
            "in_gap": place <= found.closing[of],
            "cause": ["" if n else "again" for n in count.tolist()],
        }
        return _Part(Kind.FILLED, 1, of, row, row, values)

    def _closed(self) -> _Part:
        found, ordered = self.found, self.ordered
        values = {
            "begin": found.begin,
            "end": found.end,
            "expected": ordered.due[ordered.answers[found.closing]],
        }
        return _Part(Kind.CLOSED, 2, self._all, self.closed_row, self.closed_row, values)

    def _repeated(self) -> _Part:
        answers, found, ordered = self.answers, self.found, self.ordered
        chosen = ~answers.fill & (answers.last > answers.missing)
        of, place, position = (
            answers.of[chosen],
            answers.place[chosen],
            answers.position[chosen],
        )
        last = answers.last[chosen]
        begin = np.maximum(answers.first[chosen], found.end[of] + 1)
        row = ordered.items.row[position].copy()
        inner = begin > answers.first[chosen]
        row[inner] = self._row_of(place[inner], begin[inner])
        values = {
            "begin": begin,
            "end": last,
            "count": last - begin + 1,
            "expected": ordered.due[ordered.answers[place]],
            "request": np.where(begin <= found.reach[of], self.request_row[of], -1),
            "in_gap": np.zeros(len(of), np.bool_),
        }
        return _Part(Kind.REPEATED, 4, of, row, ordered.items.last_row[position], values)
