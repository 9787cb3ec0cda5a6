"""What is due of one direction, what is missing of it, and the gap that this makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from fixlab.analysis._events import Event, Kind
from fixlab.analysis._holes import Hole, Holes


@dataclass(slots=True)
class Doubt:
    """A message with a wrong sum or length that may count all the same: see `doubtful`."""

    row: int
    next_row: int = -1  # the message behind it
    next_number: int = -1


@dataclass(slots=True)
class Due:
    """The numbers of one direction as far as its receiver counts them."""

    session: str
    sender: str
    receiver: str
    view: str
    emit: Callable[[Event], None]
    new_gap: Callable[[str, str], int]  # ordinals
    # The row of a number in a run, of which the first and last rows are given.
    place: Callable[[Due, int, int, int], int]
    next: int | None = None  # one past the highest number seen in this epoch
    first: int | None = None  # below it nothing is known: the log begins in the middle
    begun: int | None = None  # the first number that the log shows, where none was given as due
    epoch: int = 0
    connection: int = 0
    holes: Holes = field(default_factory=Holes)
    gap: int | None = None
    gap_begin: int = 0
    gap_end: int = 0
    doubts: dict[int, Doubt] = field(default_factory=dict)
    doubt: Doubt | None = None  # whose next message is still to come
    low_logon: tuple[int, int] | None = None  # row and number: what it means shows later
    reset_row: int | None = None  # the other side's Logon that asked to begin anew

    @property
    def expected(self) -> int | None:
        """The number that the receiver expects; None when the log begins too late to tell."""
        return self.holes.first if self.holes else self.next

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

    def _begin(self, number: int, row: int) -> None:
        """The first number that the log shows: what was asked for from it on comes anyway."""
        self.next = self.first = self.begun = number
        if self.holes and self.holes.last >= number:
            for hole in self.holes.take(number, self.holes.last):
                self.say(
                    Kind.LOST, row, begin=hole.begin, end=hole.end, count=hole.size,
                    gap=self.gap, cause="unknown",
                )  # fmt: skip
            self._close(row)

    def _row(self, number: int, row: int, last_row: int) -> int:
        return row if row == last_row else self.place(self, row, last_row, number)

    # Gaps -------------------------------------------------------------------------------------

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

    # A message with a wrong sum ---------------------------------------------------------------

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
