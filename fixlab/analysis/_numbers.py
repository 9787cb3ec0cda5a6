"""The messages of one direction: what each does to the numbers that are due and missing."""

from __future__ import annotations

from dataclasses import dataclass

from fixlab.analysis._asking import Asking
from fixlab.analysis._events import Kind
from fixlab.analysis._holes import Ranges


@dataclass(slots=True)
class Numbers(Asking):
    """One direction. Its methods take rows in order and emit events."""

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

    # Messages ---------------------------------------------------------------------------------

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

    # Connections and epochs -------------------------------------------------------------------

    def disconnected(self, row: int, *, heard: bool) -> None:
        """The connection is over; what is missing shows again in the next one (RRQ-09).

        `heard`: both sides were logged on, and what each of them sent is in the log.
        """
        self.unanswered(row, "disconnect")
        self.done.clear()
        asked = Ranges(self.asked)
        # What its sender logged the receiver need not have seen.
        known = heard and self.view != "out" and self.gap is not None
        for hole in self.holes.all() if known else ():
            # Noticed before this connection, seen again in it, and not asked for.
            if hole.connection < self.connection and not asked.touch(hole.begin, hole.end):
                self.holes.take(hole.begin, hole.end)
                self.say(
                    Kind.LOST, row, begin=hole.begin, end=hole.end, count=hole.size,
                    gap=self.gap,
                    cause="unknown" if hole.asked or self.view != "in" else "not_asked",
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
