"""The numbers of one direction: what is due, what is missing, what was asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from fixlab.analysis._events import Event, Kind
from fixlab.analysis._holes import Hole, Holes, Ranges

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
    cursor: int  # the next number of its answer
    answered: int = 0  # numbers
    replayed: int = 0  # messages
    live: int = 0


@dataclass(slots=True)
class Doubt:
    """A message with a wrong sum or length that may count all the same: see `doubtful`."""

    row: int
    next_row: int = -1  # the message behind it
    next_number: int = -1


@dataclass(slots=True)
class Numbers:
    """One direction. Its methods take rows in order and emit events."""

    session: str
    sender: str
    receiver: str
    view: str
    emit: Callable[[Event], None]
    new_gap: Callable[[str, str], int]  # ordinals
    # The row of a number in a run, of which the first and last rows are given.
    place: Callable[[Numbers, int, int, int], int]
    next: int | None = None  # one past the highest number seen in this epoch
    first: int | None = None  # below it nothing is known: the log begins in the middle
    epoch: int = 0
    connection: int = 0
    holes: Holes = field(default_factory=Holes)
    gap: int | None = None
    gap_begin: int = 0
    gap_end: int = 0
    requests: list[Request] = field(default_factory=list)
    done: deque[Request] = field(default_factory=lambda: deque(maxlen=ANSWERED_MAX))
    doubts: dict[int, Doubt] = field(default_factory=dict)
    doubt: Doubt | None = None  # whose next message is still to come
    asked: list[tuple[int, int]] = field(default_factory=list)  # in this connection
    low_logon: tuple[int, int] | None = None  # row and number: what it means shows later
    reset_row: int | None = None  # the other side's Logon that asked to begin anew

    # What is due ---------------------------------------------------------------------------

    @property
    def expected(self) -> int | None:
        """The number that the receiver expects; None when the log begins too late to tell."""
        return self.holes.first if self.holes else self.next

    @property
    def quiet(self) -> bool:
        """Whether the next number in order changes nothing but `next`."""
        return not (
            self.holes.count
            or self.requests
            or self.doubt is not None
            or self.low_logon is not None
            or self.reset_row is not None
        )

    def say(
        self,
        kind: Kind,
        row: int,
        *,
        last_row: int | None = None,
        by: str | None = None,
        begin: int | None = None,
        end: int | None = None,
        count: int = 0,
        expected: int | None = -1,
        after: int | None = None,
        gap: int | None = None,
        request: int | None = None,
        of_request: int | None = None,
        other: int | None = None,
        live: int = 0,
        answered: int = 0,
        cause: str = "",
    ) -> None:
        """Emit an event about these numbers; by default their sender's message shows it.

        `expected` is what is expected now, unless it is given: no number is -1.
        """
        self.emit(
            Event(
                kind,
                row,
                row if last_row is None else last_row,
                self.session,
                self.sender,
                self.receiver,
                self.sender if by is None else by,
                self.epoch,
                self.connection,
                begin,
                end,
                count,
                self.expected if expected == -1 else expected,
                after,
                gap,
                request,
                of_request,
                other,
                live,
                answered,
                cause,
            )
        )

    # Messages ------------------------------------------------------------------------------

    def new(self, begin: int, end: int, row: int, last_row: int) -> None:
        """Messages begin..end without PossDupFlag(43)=Y."""
        self._note_doubt(row, begin)
        if self.next is None:
            self._begin(begin, row)
        assert self.next is not None
        if begin < self.next:
            stop = min(end, self.next - 1)
            last = last_row if stop == end else self._row(stop, row, last_row)
            self._seen_again(begin, stop, row, last)
            if stop == end:
                return
            row, begin = self._row(stop + 1, row, last_row), stop + 1
        if self.holes and self.gap is None:
            self._show_again(row)
        if begin > self.next:
            self.open(self.next, begin - 1, row, asked=False, by=self.sender)
        for request in self.requests:
            if request.cursor > request.begin:
                request.live += end - begin + 1
        if self.gap is not None:
            self.say(
                Kind.EARLY, row, last_row=last_row, begin=begin, end=end, gap=self.gap,
                count=end - begin + 1,
            )  # fmt: skip
        self.next = end + 1

    def _begin(self, number: int, row: int) -> None:
        """The first number that the log shows: what was asked for from it on comes anyway."""
        self.next = self.first = number
        if self.holes and self.holes.last >= number:
            for hole in self.holes.take(number, self.holes.last):
                self.say(
                    Kind.LOST, row, begin=hole.begin, end=hole.end, count=hole.size,
                    gap=self.gap, cause="unknown",
                )  # fmt: skip
            self._close(row)

    def _row(self, number: int, row: int, last_row: int) -> int:
        return row if row == last_row else self.place(self, row, last_row, number)

    def _seen_again(self, begin: int, end: int, row: int, last_row: int) -> None:
        """Numbers below the next one, unflagged: late originals, or used twice (SEQ-03)."""
        at, closed = begin, last_row
        for hole in self.holes.take(begin, end):
            if at < hole.begin:
                self._too_low(at, hole.begin - 1, row, last_row)
            first, closed = self._rows(hole.begin, hole.end, begin, end, row, last_row)
            self.say(
                Kind.LATE, first, last_row=closed, begin=hole.begin, end=hole.end,
                count=hole.size, gap=self.gap,
            )  # fmt: skip
            self._answer(hole.begin, hole.end, first, closed, messages=True)
            at = hole.end + 1
        if at <= end:
            self._too_low(at, end, self._row(at, row, last_row), last_row)
        self._close(closed)

    def _rows(
        self, begin: int, end: int, first: int, last: int, row: int, last_row: int
    ) -> tuple[int, int]:
        """The rows of begin and end in the run first..last."""
        return (
            row if begin == first else self._row(begin, row, last_row),
            last_row if end == last else self._row(end, row, last_row),
        )

    def _too_low(self, begin: int, end: int, row: int, last_row: int) -> None:
        unsettled = self.first is not None and end < self.first
        self.say(
            Kind.TOO_LOW, row, last_row=last_row, begin=begin, end=end,
            count=end - begin + 1, cause="unsettled" if unsettled else "",
        )  # fmt: skip

    def dup(self, begin: int, end: int, row: int, last_row: int) -> None:
        """Messages begin..end with PossDupFlag(43)=Y."""
        self._note_doubt(row, begin)
        if self.next is not None and begin > self.next:  # SEQ-12
            self.open(self.next, begin - 1, row, asked=False, by=self.sender)
        at, closed = begin, last_row
        for hole in self.holes.take(begin, end):
            first, last = self._rows(hole.begin, hole.end, begin, end, row, last_row)
            if at < hole.begin:
                self._repeated(at, hole.begin - 1, self._row(at, row, last_row), first)
            closed = last
            gap = self.gap
            request = self._answer(hole.begin, hole.end, first, last, messages=True)
            self.say(
                Kind.REPLAYED, first, last_row=last, begin=hole.begin, end=hole.end,
                count=hole.size, gap=gap, request=request,
            )  # fmt: skip
            at = hole.end + 1
        self._close(closed)
        if at <= end:
            self._repeated(at, end, self._row(at, row, last_row), last_row)
        if self.next is not None and end >= self.next:
            self.next = end + 1

    def _repeated(self, begin: int, end: int, row: int, last_row: int) -> None:
        """Of begin..end nothing is missing. Above the numbers seen it was never sent before."""
        known = self.next
        if known is not None and begin < known <= end:
            middle = self._row(known, row, last_row)
            self._repeated(begin, known - 1, row, middle)
            row, begin = middle, known
        cause = ""
        if known is None or (self.first is not None and begin < self.first):
            cause = "unknown"
        elif begin >= known:
            cause = "never_sent"  # PRS-01
        request = self._answer(begin, end, row, last_row, messages=True)
        self.say(
            Kind.REPEATED, row, last_row=last_row, begin=begin, end=end,
            count=end - begin + 1, gap=self.gap, request=request, cause=cause,
        )  # fmt: skip

    def fill(self, number: int, new: int | None, row: int) -> None:
        """SequenceReset with GapFillFlag(123)=Y (SQR-01 to 06)."""
        self._note_doubt(row, number)
        if new is None or new <= number:
            cause = "missing" if new is None else ""
            self.say(Kind.BAD_FILL, row, begin=number, end=new, cause=cause)
            return
        before, known = self.expected, self.next
        high = known is not None and number > known
        if high and known is not None:  # SQR-03
            self.open(known, number - 1, row, asked=False, by=self.sender)
        hole_before = bool(self.holes) and self.holes.first < number
        taken = self.holes.take(number, new - 1)
        count = sum(hole.size for hole in taken)
        request = self._answer(number, new - 1, row, row, messages=False)
        if self.next is None:
            cause = "unknown"
        elif hole_before:
            cause = "high"
        elif new > self.next and request is None and not count:
            cause = "ahead"
        elif not count and new <= self.next:
            cause = "again"
        else:
            cause = ""
        if self.next is not None:
            self.next = max(self.next, new)
        self.say(
            Kind.FILLED, row, begin=number, end=new - 1, count=count, gap=self.gap,
            request=request, expected=before, after=self.expected, cause=cause,
        )  # fmt: skip
        self._close(row)

    def reset_to(self, new: int | None, row: int) -> None:
        """SequenceReset without GapFillFlag(123)=Y (SQR-07 to 11)."""
        before = self.expected
        request = self.requests[0].row if self.requests else None
        if new is None:
            self.say(Kind.RESET, row, request=request, cause="missing")
            return
        if before is not None and new < before:
            self.say(Kind.RESET, row, begin=new, request=request, cause="backwards")
            return
        cause = "raised"
        if before is None:
            cause = "unknown"
        elif new == before:
            cause = "same"
        count = self.holes.count_in(0, new - 1) if self.holes else 0
        self.say(
            Kind.RESET, row, begin=new, count=count, gap=self.gap, request=request,
            cause=cause, after=new,
        )  # fmt: skip
        if self.holes:
            # What was held is dropped, and the sender goes on with `new`.
            self.holes.clear()
            self.abandon(row, "reset")
        self.unanswered(row, "reset", below=new)
        self.next = new
        self.first = None if before is not None else new
        self.doubts.clear()
        self.doubt = None

    # Gaps ----------------------------------------------------------------------------------

    def open(self, begin: int, end: int, row: int, *, asked: bool, by: str) -> None:
        """begin..end are missing, of which nothing is known to be missing yet."""
        before = self.expected
        self.holes.add(Hole(begin, end, asked, self.connection))
        if self.gap is None:
            self.gap = self.new_gap(self.session, self.receiver)
            self.gap_begin, self.gap_end = begin, end
        self.gap_begin = min(self.gap_begin, begin)
        self.gap_end = max(self.gap_end, end)
        self.say(
            Kind.GAP, row, begin=begin, end=end, count=end - begin + 1, gap=self.gap, by=by,
            expected=before, cause="asked" if asked else "hole",
        )  # fmt: skip

    def _show_again(self, row: int) -> None:
        """What a connection left missing is a gap again in the next one (RRQ-09)."""
        self.gap = self.new_gap(self.session, self.receiver)
        self.gap_begin, self.gap_end = self.holes.first, self.holes.last
        self.say(
            Kind.GAP, row, begin=self.gap_begin, end=self.gap_end, count=self.holes.count,
            gap=self.gap, cause="again",
        )  # fmt: skip

    def _close(self, row: int) -> None:
        if self.gap is not None and not self.holes:
            self.say(Kind.CLOSED, row, begin=self.gap_begin, end=self.gap_end, gap=self.gap)
            self.gap = None

    def abandon(self, row: int, cause: str) -> None:
        """The gap ends, though numbers may still be missing."""
        if self.gap is not None:
            self.say(
                Kind.ABANDONED, row, begin=self.gap_begin, end=self.gap_end, gap=self.gap,
                count=self.holes.count, cause=cause,
            )  # fmt: skip
            self.gap = None

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

    # A message with a wrong sum ------------------------------------------------------------

    def doubtful(self, number: int, row: int) -> bool:
        """A message whose sum or length is wrong: it counts when nobody misses it.

        A logger that masks a password leaves it so, and a receiver that garbled bytes reached
        asks for its number. Until then it counts, if it is the next one.
        """
        if self.next is not None and number != self.next:
            return False
        self._note_doubt(row, number)
        if self.next is None:
            self._begin(number, row)
        self.doubt = self.doubts[number] = Doubt(row)
        self.next = number + 1
        return True

    def _note_doubt(self, row: int, number: int) -> None:
        if self.doubt is not None:
            self.doubt.next_row, self.doubt.next_number = row, number
            self.doubt = None

    def _believe_doubts(self, begin: int, end: int) -> None:
        """The receiver asks for begin..end: what was doubtful in it never counted."""
        for number in [n for n in self.doubts if begin <= n <= end]:
            doubt = self.doubts.pop(number)
            if doubt.next_row >= 0 and not self.holes.inside(number, number):
                self.open(number, number, doubt.next_row, asked=False, by=self.sender)

    # Requests ------------------------------------------------------------------------------

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
        self.requests.append(Request(row, begin, reach, open_end, False, begin))
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
            self.requests.append(Request(row, number, self.next - 1, True, True, number))
            self.asked.append((number, self.next - 1))

    def _answer(
        self, begin: int, end: int, row: int, last_row: int, *, messages: bool
    ) -> int | None:
        """Which request begin..end answers, the first when several; they are moved on."""
        if not self.requests and not self.done:
            return None
        found, at = None, begin
        while at <= end:
            request = self._request_of(at, end)
            if request is None:
                break
            found = request.row if found is None else found
            stop = min(end, request.end)
            request.answered += max(stop - max(at, request.cursor) + 1, 0)
            if messages:
                request.replayed += stop - at + 1
            request.cursor = max(request.cursor, stop + 1)
            if request.cursor <= request.end:
                break
            self._answered(request, self._row(stop, row, last_row) if messages else row)
            at = stop + 1
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
            if inside is None and begin <= request.end and end >= request.cursor:
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

    # Connections and epochs ----------------------------------------------------------------

    def disconnected(self, row: int) -> None:
        """The connection is over; what is missing shows again in the next one (RRQ-09)."""
        self.unanswered(row, "disconnect")
        self.done.clear()
        asked = Ranges(self.asked)
        for hole in self.holes.all():
            # Noticed before this connection, and not asked for in it either.
            if hole.connection < self.connection and not asked.touch(hole.begin, hole.end):
                self.holes.take(hole.begin, hole.end)
                self.say(
                    Kind.LOST, row, begin=hole.begin, end=hole.end, count=hole.size,
                    gap=self.gap, cause="unknown" if hole.asked else "not_asked",
                )  # fmt: skip
        self._close(row)
        self.abandon(row, "disconnect")
        self.asked.clear()

    def begin_anew(self, number: int, epoch: int, row: int, cause: str) -> None:
        """The numbers of this direction begin anew with `number`, which has come."""
        expected = self.expected
        self.unanswered(row, "reset")
        self.done.clear()
        self.holes.clear()
        self.abandon(row, "reset")
        self.asked.clear()
        self.doubts.clear()
        self.doubt = self.low_logon = self.reset_row = None
        self.epoch = epoch
        self.next = number + 1
        self.first = None
        self.say(Kind.EPOCH, row, begin=number, expected=expected, cause=cause)

    def go_back(self, number: int, row: int, cause: str) -> None:
        """The sender goes on from `number`, below what was due, and the receiver takes it."""
        assert self.next is not None
        self.low_logon = None
        self.say(
            Kind.REWOUND, row, begin=number, end=self.next - 1, count=self.next - number,
            cause=cause,
        )  # fmt: skip
        self.unanswered(row, "reset")
        self.holes.take(number, max(self.next, number))
        self._close(row)
        if not self.holes:
            self.abandon(row, "reset")
        self.next = number + 1
        if self.first is not None:
            self.first = min(self.first, number)
