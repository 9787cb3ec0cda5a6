"""What happened to the numbers and connections of each session, as a list of typed events.

`_reconstruct` makes them in the order of the rows; `gaps`, `ledger`, `resends`, `intervals` and
every finding are functions of these events and of columns of the frame. An event tells only
what the log shows. What cannot be known is None, or a cause that says so, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple, Protocol


class Kind(StrEnum):
    """What happened. Behind each kind: its range, its links, and its causes.

    `numbers` are always those of the direction `sender`; they are missed, asked for and
    counted by `receiver`, whoever sent the message in `row`.
    """

    # Numbers -------------------------------------------------------------------------------
    # begin..end were missing when the message in `row` came, or were asked for by it. Each
    # hole is one event; holes that are open at the same time share their `gap`.
    # "hole": the numbers are not in the log. "asked": the log shows that they left, or begins
    # after them, and the receiver asks for them; `begin` is then missing for certain, while
    # some behind it may have been held by the receiver.
    # "again": what the connection before left missing, `count` numbers between begin and end
    # (not all of them need be missing), is a gap of this connection too.
    GAP = "GAP"
    EARLY = "EARLY"  # begin..end came, new, while a gap before them was open (`gap`)
    # Numbers that were missing came: with PossDupFlag(43)=Y in REPLAYED, without in LATE,
    # covered by a gap fill in FILLED (its whole range; `count` of it were missing, and `after`
    # is the receiver's expected number behind it). `request`: what they answer.
    # FILLED: "" is sound. "high": its own number is above the expected one, a hole stays
    # before it. "again": nothing in its range was missing. "ahead": it goes past the highest
    # number seen without a hole to fill and without a request.
    REPLAYED = "REPLAYED"
    LATE = "LATE"
    FILLED = "FILLED"
    # Gap fill with NewSeqNo(36) at or below its MsgSeqNum(34), or without one ("missing"):
    # it moves nothing. begin is its number, end the NewSeqNo(36).
    BAD_FILL = "BAD_FILL"
    REPEATED = "REPEATED"  # begin..end were seen before, now with 43=Y; `request` if asked for
    # begin..end were seen before and come without 43=Y (SEQ-03). Logons: "logon".
    # "unsettled": they stand below the first number of a log that begins in the middle.
    TOO_LOW = "TOO_LOW"
    # The sender went back to `begin` and the receiver took it, so that begin..end, used
    # before, are used again. `row` is the Logon, or the first message, that did it.
    REWOUND = "REWOUND"
    # The receiver went on without begin..end. "asked_above": it asks from a higher number on.
    # "next_expected": its NextExpectedMsgSeqNum(789) is higher. "not_asked": a later connection
    # came and went and it never asked. "unknown": it once asked for them, and may have them.
    # `row` shows it; what comes after all is an event again.
    LOST = "LOST"
    CLOSED = "CLOSED"  # nothing of `gap` is missing any more; begin..end at its widest
    # `gap` ended otherwise. "disconnect": with its connection; what is still missing is a new
    # gap when it shows again. "reset": numbers began anew or a SequenceReset passed it.
    ABANDONED = "ABANDONED"
    # SequenceReset without GapFillFlag(123)=Y: begin is NewSeqNo(36), `expected` was expected.
    # "raised", "same", "backwards" (moves nothing), "missing" (no readable NewSeqNo(36));
    # `count` numbers that were missing are given up with it; `request` when one was open.
    RESET = "RESET"

    # Requests and answers ------------------------------------------------------------------
    # A ResendRequest. begin..end is what it asks for, an open end replaced by the last number
    # known to have been sent; None when there is none. `request` is its own id; `of_request`
    # the open request that already covers all of it; `count` numbers of it were missing.
    # "due": from the expected number on, or within an open gap. "above": leaves out missing
    # numbers that no open request covers. "below": begins with a number that the log shows
    # arrived (only where its own receiver kept the log). "not_missing": as "below", and nothing
    # in it is missing. "invalid": BeginSeqNo(7) is 0, missing or above the end. "not_sent":
    # beyond the last number sent. "unknown": the log begins too late to tell.
    # "next_expected": no ResendRequest, a Logon's NextExpectedMsgSeqNum(789) asks.
    ASKED = "ASKED"
    # `request` was answered to its end: `row` completed it. begin..end is what was asked,
    # `count` messages replayed in it, `live` new messages came in between.
    ANSWERED = "ANSWERED"
    # `request` ended otherwise: "disconnect", "reset", "log_end". begin..end was not answered;
    # `count` messages were replayed; nothing at all came when begin is what was asked first
    # and `answered` is 0.
    UNANSWERED = "UNANSWERED"

    # Counters begin anew ---------------------------------------------------------------------
    # The numbers of `sender` begin anew with `begin` in `row`. "asked": Logon with
    # ResetSeqNumFlag(141)=Y that asks for it. "answer": Logon that answers it ("answer_silent":
    # without 141=Y). "unasked": 141=Y in the answer to a Logon without. "silent": both sides
    # began at 1 on a new connection without 141=Y. "followed": after the other side's reset
    # its next number simply was the new one. `expected` is what was due before.
    EPOCH = "EPOCH"
    # The other side asked for a reset, and `sender` goes on with its old numbers: `row`.
    # `other` is the Logon that asked.
    NOT_HONOURED = "NOT_HONOURED"

    # Connections ---------------------------------------------------------------------------
    CONNECTED = "CONNECTED"  # `connection` begins with the Logon in `row`
    # Each Logon but PossDup ones; begin is its number. "first", "answer" (`other` is the Logon
    # it answers), "again" (while logged on, without 141=Y; a new connection is assumed),
    # "repeat" (before the first one was answered), "reset" (in session, 141=Y).
    LOGON = "LOGON"
    LOGOUT = "LOGOUT"  # "first", "answer" (`other`: the first), "refusal" (of a Logon), "stray"
    # `connection` is over. "logout": both Logouts. "half": one Logout, no answer.
    # "refused": a Logout answers the Logon. "cut": a new Logon without any Logout.
    # "unanswered": the Logon got no answer. "log_end": the log ends in it. "unknown": the log
    # shows one side only. `row` is the last row in it.
    ENDED = "ENDED"
    # Messages of `by` (begin..end, their own numbers) where they should not be: before the
    # Logon was answered, or new ones after its own Logout.
    BEFORE_LOGON = "BEFORE_LOGON"
    AFTER_LOGOUT = "AFTER_LOGOUT"
    # The receiver says which number it expects (`begin`): "next_expected" in a Logon's 789,
    # "text" in a Logout ("expecting 5 but received 3"; `end` is then what it received).
    # `expected` is what the log shows it should be, None when not known.
    CLAIMED = "CLAIMED"

    # Liveness ------------------------------------------------------------------------------
    # A TestRequest of `by`, and its Heartbeat: `other` is the TestRequest's row.
    PROBED = "PROBED"
    PROBE_ANSWERED = "PROBE_ANSWERED"
    # It was not answered: "disconnect", "log_end". `row` is the TestRequest.
    PROBE_UNANSWERED = "PROBE_UNANSWERED"


class Event(NamedTuple):
    """One event. Rows are positions in the frame; ids count from 0 over the whole frame."""

    kind: Kind
    row: int  # the row that shows it
    last_row: int  # the last row of a chain of rows; else `row`
    session: str  # as in the frame
    sender: str  # CompID: whose numbers it is about
    receiver: str  # CompID: who counts them
    by: str  # CompID: who sent the message in `row`
    epoch: int  # of these numbers: 0 until the first reset seen in the log
    connection: int  # 0 began before the log; the first Logon begins 1
    begin: int | None = None
    end: int | None = None
    count: int = 0  # type: ignore[assignment]  # tuple.count is not used
    expected: int | None = None  # what the receiver expects before it; None: not known
    after: int | None = None  # and behind it
    gap: int | None = None
    request: int | None = None
    of_request: int | None = None
    other: int | None = None  # a row it belongs to
    live: int = 0
    answered: int = 0  # numbers of the request that were answered, replayed or filled
    cause: str = ""


class Direction(NamedTuple):
    """What is known of the numbers of one sender in one session."""

    session: str
    sender: str
    receiver: str
    # "in": the receiver kept the log, what it shows arrived. "out": the sender kept it, what it
    # shows left. "": nobody knows, or a capture in between.
    view: str
    rows: int
    one_sided: bool  # the log has no message the other way
    begun: int | None  # the first number that the log shows, where none was given as due


class Told(Protocol):
    """Events that are kept in another form until someone asks for them."""

    def events(self, kinds: Iterable[Kind]) -> list[Event]:
        """Those of these kinds, in the order of their rows."""


class Reconstruction:
    """The events of a frame, in the order of their rows, and its directions.

    - `odd`: the events that were made one by one.
    - `usual`: those of recoveries that went as usual, which were found all at once.
    """

    def __init__(
        self, odd: list[Event], directions: list[Direction], rows: int, usual: Told | None
    ) -> None:
        self.odd, self.directions, self.usual = odd, directions, usual
        self.rows = rows  # of the frame

    @cached_property
    def events(self) -> list[Event]:
        """All of them."""
        return self._merged(self.odd, tuple(Kind))

    def of(self, *kinds: Kind) -> list[Event]:
        """The events of these kinds, in order."""
        if "events" in self.__dict__:
            return [event for event in self.events if event.kind in kinds]
        return self._merged([event for event in self.odd if event.kind in kinds], kinds)

    def _merged(self, odd: list[Event], kinds: tuple[Kind, ...]) -> list[Event]:
        usual = [] if self.usual is None else self.usual.events(kinds)
        # What is made one by one about a row that a recovery has comes later: an end.
        return sorted(usual + odd, key=lambda event: event.row) if usual else odd
