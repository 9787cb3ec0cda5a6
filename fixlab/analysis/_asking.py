"""What was asked for of one direction, and what came of it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from fixlab.analysis._due import Due
from fixlab.analysis._events import Kind
from fixlab.analysis._holes import Hole, Holes

# Answered requests of a connection that a late answer may still belong to.
ANSWERED_MAX = 64
# EndSeqNo(16) that means no end, in old versions (RRQ-02).
INFINITY = 999_999


@dataclass(slots=True)
class Request:
    """A ResendRequest that is not answered to its end."""

    row: int  # of the message that asks; until all are known, it stands for the ordinal
    begin: int
    end: int
    open_end: bool
    implied: bool  # no ResendRequest: NextExpectedMsgSeqNum(789) asked
    left: Holes  # what of it has not come since
    replayed: int = 0  # messages
    live: int = 0

    @property
    def cursor(self) -> int:
        """The next number of its answer."""
        return self.left.first if self.left else self.end + 1

    @property
    def answered(self) -> int:
        """How many numbers of it have come."""
        return self.end - self.begin + 1 - self.left.count


@dataclass(slots=True)
class Asking(Due):
    """The numbers of one direction, and the requests for them."""

    requests: list[Request] = field(default_factory=list)
    done: deque[Request] = field(default_factory=lambda: deque(maxlen=ANSWERED_MAX))
    asked: list[tuple[int, int]] = field(default_factory=list)  # in this connection

    def ask(self, begin: int | None, end: int | None, row: int) -> None:
        """A ResendRequest of the receiver (RRQ-01 to 05)."""
        last = None if self.next is None else self.next - 1
        open_end = not end or (end == INFINITY and (last is None or end > last))
        if begin is None or begin < 1 or (not open_end and end is not None and end < begin):
            self.say(
                Kind.ASKED, row, by=self.receiver, begin=begin, end=end, request=row,
                cause="invalid",
            )  # fmt: skip
            return
        stop = end if not open_end else None
        if last is not None and (stop is None or stop > last):
            stop = last
        if last is not None and begin > last:
            self.say(
                Kind.ASKED, row, by=self.receiver, begin=begin, end=None, request=row,
                cause="not_sent",
            )  # fmt: skip
            return
        self._asked(begin, stop, open_end, row)

    def _asked(self, begin: int, stop: int | None, open_end: bool, row: int) -> None:
        reach = begin if stop is None else stop
        self._believe_doubts(begin, reach)
        self.requests = [one for one in self.requests if not one.implied]
        before = self.expected
        covering = next(
            (one for one in self.requests if one.begin <= begin and reach <= one.end), None
        )
        cause = self._why(begin, reach)
        if self._shows_missing(begin, reach, cause):
            top = self._unknown_to(begin, reach) if cause == "unknown" else reach
            self.open(begin, top, row, asked=True, by=self.receiver)
            cause = "due" if cause != "unknown" else cause
        count = self.holes.count_in(begin, reach)
        self.say(
            Kind.ASKED, row, by=self.receiver, begin=begin, end=stop, count=count,
            request=row, gap=self.gap, expected=before, cause=cause,
            of_request=None if covering is None else covering.row,
        )  # fmt: skip
        if self.holes and self.holes.first < begin:
            self.lose(begin, row, self.receiver, "asked_above")
        self._open_request(row, begin, reach, open_end=open_end, implied=False)
        self.asked.append((begin, reach))

    def _why(self, begin: int, reach: int) -> str:
        if self.next is None or (self.first is not None and begin < self.first):
            return "unknown"
        if not self.holes.count_in(begin, reach):
            return "not_missing"
        if begin > self.holes.first:
            uncovered = [
                hole
                for hole in self.holes.inside(0, begin - 1)
                if not hole.asked
                and not any(r.begin <= hole.begin and hole.end <= r.end for r in self.requests)
            ]
            return "above" if uncovered else "due"
        return "due" if begin == self.holes.first else "below"

    def _unknown_to(self, begin: int, reach: int) -> int:
        """Up to where begin..reach lies before what the log shows."""
        return reach if self.first is None else max(min(reach, self.first - 1), begin)

    def _shows_missing(self, begin: int, reach: int, cause: str) -> bool:
        """Whether only the request tells that numbers are missing."""
        if cause == "unknown":
            return not self.holes.inside(begin, self._unknown_to(begin, reach))
        return cause == "not_missing" and self.view != "in"

    def claim(self, number: int, row: int) -> None:
        """NextExpectedMsgSeqNum(789) of the receiver: the answer to it needs no request."""
        if self.next is None or self.expected is None:
            return
        if self.holes and number > self.holes.first:
            self.lose(number, row, self.receiver, "next_expected")
        if number < self.next and number >= (self.first or 1):
            if not self.holes.count_in(number, self.next - 1) and self.view != "in":
                self.open(number, self.next - 1, row, asked=True, by=self.receiver)
            self.say(
                Kind.ASKED, row, by=self.receiver, begin=number, end=self.next - 1,
                count=self.holes.count_in(number, self.next - 1), request=row,
                gap=self.gap, cause="next_expected",
            )  # fmt: skip
            self._open_request(row, number, self.next - 1, open_end=True, implied=True)
            self.asked.append((number, self.next - 1))

    def _open_request(
        self, row: int, begin: int, end: int, *, open_end: bool, implied: bool
    ) -> None:
        left = Holes()
        left.add(Hole(begin, end, asked=True, connection=self.connection))
        self.requests.append(Request(row, begin, end, open_end, implied, left))

    def lose(self, below: int, row: int, by: str, cause: str) -> None:
        """The receiver goes on from `below` without what is missing under it."""
        covered = [(one.begin, one.end) for one in self.requests]
        for hole in self.holes.inside(0, below - 1):
            if any(begin <= hole.begin and hole.end <= end for begin, end in covered):
                continue
            self.holes.take(hole.begin, hole.end)
            self.say(
                Kind.LOST, row, begin=hole.begin, end=hole.end, count=hole.size, by=by,
                gap=self.gap, cause="unknown" if hole.asked else cause,
            )  # fmt: skip
        self._close(row)

    # Answers ----------------------------------------------------------------------------------

    def _answer(
        self, begin: int, end: int, row: int, last_row: int, *, messages: bool
    ) -> int | None:
        """Which request begin..end answers, the first when several; they are moved on.

        A request is answered once its answer comes to its end. To one that overlaps with it
        the same numbers have come as well, but its own answer is still on the way.
        """
        if not self.requests and not self.done:
            return None
        found, at = None, begin
        whole: list[tuple[Request, int]] = []  # and the last number of each that came
        while at <= end:
            request = self._request_of(at, end)
            if request is None:
                break
            found = request.row if found is None else found
            stop = min(end, request.end)
            for other in self.requests:
                taken = other.left.take(at, stop)
                if taken and not other.left:
                    whole.append((other, taken[-1].end))
            if messages:
                request.replayed += stop - at + 1
            if stop < request.end:
                break
            self._answered(request, self._row(stop, row, last_row) if messages else row)
            at = stop + 1
        for other, last in whole:
            if other in self.requests:
                self._answered(other, self._row(last, row, last_row) if messages else row)
        if found is None:
            late = (one for one in self.done if one.begin <= begin <= one.end)
            found = next((one.row for one in late), None)
        return found

    def _request_of(self, begin: int, end: int) -> Request | None:
        """The open request that begin..end goes on with, or else lies in."""
        inside = None
        for request in self.requests:
            if request.cursor == begin:
                return request
            if inside is None and begin <= request.end and end >= request.begin:
                inside = request
        return inside

    def _answered(self, request: Request, row: int) -> None:
        self.requests.remove(request)
        self.done.append(request)
        self.say(
            Kind.ANSWERED, row, begin=request.begin, end=request.end,
            count=request.replayed, live=request.live, answered=request.answered,
            request=request.row, gap=self.gap,
            cause="next_expected" if request.implied else "",
        )  # fmt: skip

    def unanswered(self, row: int, cause: str, below: int | None = None) -> None:
        """Open requests end without their whole answer; those that end under `below`."""
        for request in list(self.requests):
            if below is not None and request.end >= below and not request.open_end:
                continue
            self.requests.remove(request)
            if request.implied:
                continue
            self.say(
                Kind.UNANSWERED, row, begin=request.cursor, end=request.end,
                count=request.replayed, live=request.live, answered=request.answered,
                request=request.row, gap=self.gap, cause=cause,
            )  # fmt: skip
