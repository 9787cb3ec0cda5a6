"""One session while its rows go by: connections, Logons and Logouts, epochs, TestRequests."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from fixlab.analysis._events import Event, Kind
from fixlab.analysis._numbers import Numbers

SECOND = 1_000_000_000
# HeartBtInt(108) where no Logon tells it.
_HEARTBEAT_SECONDS = 30
_ANSWER_SECONDS = 10  # within which a Logon is answered, if it is (LGN-28)
# TestRequests without an answer that are kept; a connection has one or two.
_PROBES_MAX = 1_000
_EXPECTING = re.compile(r"expecting\s+(\d{1,18})(?:\D+?(?:received|got)\s+(\d{1,18}))?", re.I)


class Special(NamedTuple):
    """A row that is no part of a run, and what it says."""

    row: int
    msg_type: str
    number: int | None
    poss_dup: bool
    valid: bool
    defect: str
    time: int | None
    begin: int | None
    end: int | None
    new: int | None
    next_expected: int | None
    gap_fill: bool
    reset: bool
    heart_bt_int: int | None
    test_req_id: str
    text: str


class State(Enum):
    """Where the connection stands."""

    UNKNOWN = "unknown"  # the log begins in it
    DOWN = "down"
    LOGON = "logon"  # one Logon, no answer yet
    UP = "up"
    LOGOUT = "logout"  # one Logout, no answer yet


@dataclass(slots=True)
class Session:
    """One session: both directions, and the connection they share."""

    name: str
    sides: list[Numbers]
    emit: Callable[[Event], None]
    time_of: Callable[[int], int | None]
    # Whether the Logon in a row, the first one of the log, is one that answers.
    is_answer: Callable[[str, int], bool]
    state: State = State.UNKNOWN
    connection: int = 0
    epoch: int = 0
    opener: Numbers | None = None  # whose Logon or Logout is not answered yet
    opened: int = -1  # its row
    again: bool = False  # it came while logged on
    was_up: bool = False  # this connection had both Logons
    torn: int = -1  # the last row that is the begin of a message
    logouts: list[Numbers] = field(default_factory=list)  # who sent one in this connection
    last_row: int = -1
    heartbeat_seconds: int = _HEARTBEAT_SECONDS
    probes: dict[tuple[str, str], int] = field(default_factory=dict)  # (sender, id) -> row
    seen_logon: bool = False
    caller: Numbers | None = None  # who begins connections, once both Logons of one are seen

    @property
    def one_sided(self) -> bool:
        """Whether the log has messages one way only."""
        return len(self.sides) == 1

    @property
    def quiet(self) -> bool:
        """Whether an ordinary message changes nothing of the connection."""
        return self.state is State.UP or (self.state is State.UNKNOWN and self.connection == 0)

    def other(self, one: Numbers) -> Numbers | None:
        """The other side; None when the log has no message of it."""
        return next((side for side in self.sides if side is not one), None)

    # Messages ------------------------------------------------------------------------------

    def run(self, one: Numbers, begin: int, end: int, row: int, last_row: int) -> None:
        """New messages begin..end, none of which is remarkable."""
        self._other_than_logon(one, row)
        self._settle_own(one, begin)
        self._before_logon(one, begin, end, row, last_row)
        if self.state is not State.LOGON and one in self.logouts:
            self._say(
                Kind.AFTER_LOGOUT, one, row, last_row, begin=begin, end=end,
                count=end - begin + 1,
            )  # fmt: skip
        if self._follows(one, begin, row):
            if end > begin:
                one.new(begin + 1, end, row, last_row)
            return
        if (
            begin == 1
            and one.next is not None
            and one.next > 1
            and not self.seen_logon
            and not one.holes.count_in(1, 1)
        ):  # A log without Logons: that the numbers begin anew is all it shows of a reset.
            self.epoch += 1
            one.begin_anew(1, self.epoch, row, "silent")
            if end > 1:
                one.new(2, end, row, last_row)
            return
        one.new(begin, end, row, last_row)

    def _before_logon(
        self, one: Numbers, begin: int, end: int, row: int, last_row: int
    ) -> None:
        if self.state is State.LOGON and not self.one_sided:
            self._say(
                Kind.BEFORE_LOGON, one, row, last_row, begin=begin, end=end,
                count=end - begin + 1,
            )  # fmt: skip

    def _follows(self, one: Numbers, begin: int, row: int) -> bool:
        """The other side asked to begin anew, and `begin` shows that this one did."""
        if one.reset_row is None or one.next is None or begin >= one.next:
            return False
        # Without any Logon in answer it was lost, and what stood before `begin` with it.
        opened = one.reset_row == self.opened
        if begin > 2 and not opened:
            return False
        one.begin_anew(begin, self.epoch, row, "followed")
        if begin > 1 and opened:
            one.open(1, begin - 1, row, asked=False, by=one.sender)
        return True

    def dups(self, one: Numbers, begin: int, end: int, row: int, last_row: int) -> None:
        """Messages begin..end with PossDupFlag(43)=Y."""
        self._other_than_logon(one, row)
        self._before_logon(one, begin, end, row, last_row)
        one.dup(begin, end, row, last_row)

    def special(self, one: Numbers, it: Special) -> None:
        """Any other message."""
        number = it.number
        if it.defect == "truncated":
            self.torn = it.row
        if not it.valid:
            told = it.defect in ("body_length", "check_sum")
            if number is None or number < 1 or not told or it.poss_dup or it.msg_type == "4":
                return
            # Only a good Logon opens a session, so its sum is wrong only in the log.
            if it.msg_type not in ("A", "5") and not one.doubtful(number, it.row):
                return
            if it.msg_type not in ("A", "5"):
                self._by_type(one, it)
                return
        if number is None or number < 1:
            if it.msg_type == "4" and not it.gap_fill:
                one.reset_to(it.new, it.row)
            return
        if it.msg_type == "A" and not it.poss_dup:
            self._logon(one, it, number)
            return
        if it.msg_type != "5":
            self._other_than_logon(one, it.row)
            self._before_logon(one, number, number, it.row, it.row)
        if it.msg_type == "4":
            if it.gap_fill:
                one.fill(number, it.new, it.row)
            else:
                one.reset_to(it.new, it.row)
            return
        if it.poss_dup:
            one.dup(number, number, it.row, it.row)
            return
        if it.msg_type == "5":
            self._refused_low(one, it)
        else:
            self._settle_own(one, number)
        follows = self._follows(one, number, it.row)
        if not follows:
            one.new(number, number, it.row, it.row)
        self._by_type(one, it)

    def _by_type(self, one: Numbers, it: Special) -> None:
        other = self.other(one)
        if it.msg_type == "2":
            if other is not None:
                other.ask(it.begin, it.end, it.row)
        elif it.msg_type == "5":
            self._logout(one, it)
        elif it.msg_type == "1" and it.test_req_id:
            if len(self.probes) < _PROBES_MAX:
                self.probes.setdefault((one.sender, it.test_req_id), it.row)
            self._say(Kind.PROBED, one, it.row, it.row)
        elif it.msg_type == "0" and it.test_req_id and other is not None:
            asked = self.probes.pop((other.sender, it.test_req_id), None)
            if asked is not None:
                self._say(Kind.PROBE_ANSWERED, one, it.row, it.row, other=asked)

    # Logons --------------------------------------------------------------------------------

    def _logon(self, one: Numbers, it: Special, number: int) -> None:
        self.seen_logon = True
        begins = self.connection == 0 and self.state is State.UNKNOWN and not self.one_sided
        if begins and self.is_answer(self.name, it.row):
            self._begin_with_answer(one, it, number)
            return
        cause = self._logon_cause(one, it)
        before = one.expected
        if cause in ("first", "again", "repeat"):
            self._new_connection(one, it, cause)
        answered = self.opened if cause == "answer" else None
        if answered is not None and self.state is State.UP:
            answered = one.reset_row
        asked_reset = cause == "answer" and one.reset_row is not None
        # What this side's Logon says of a low Logon of the other comes first.
        other = self.other(one)
        silent = False
        if cause == "answer" and other is not None and other.low_logon is not None:
            silent = self._low_logon_answered(other, one, it, number)
        if it.heart_bt_int is not None and it.heart_bt_int >= 0:
            self.heartbeat_seconds = it.heart_bt_int or _HEARTBEAT_SECONDS
        if cause == "answer":
            self.caller = self.caller or self.opener
            self.state, self.opener, self.again = State.UP, None, False
            self.was_up = True
        if not silent:
            self._count_logon(one, it, number, cause, asked_reset)
        one.say(Kind.LOGON, it.row, begin=number, expected=before, other=answered, cause=cause)
        if it.next_expected is not None and other is not None:
            expected = other.expected
            other.say(
                Kind.CLAIMED, it.row, by=one.sender, begin=it.next_expected,
                expected=expected, cause="next_expected",
            )  # fmt: skip
            if not it.reset:  # else it speaks of numbers that begin anew, and asks for none
                other.claim(it.next_expected, it.row)

    def _begin_with_answer(self, one: Numbers, it: Special, number: int) -> None:
        """The log begins behind the Logon that asked."""
        self._new_connection(one, it, "first")
        self.state, self.opener, self.was_up = State.UP, None, True
        self.caller = self.other(one)
        if it.heart_bt_int is not None and it.heart_bt_int >= 0:
            self.heartbeat_seconds = it.heart_bt_int or _HEARTBEAT_SECONDS
        if it.reset:
            self.epoch += 1
            one.begin_anew(number, self.epoch, it.row, "answer")
        else:
            one.new(number, number, it.row, it.row)
        one.say(Kind.LOGON, it.row, begin=number, expected=None, cause="answer")

    def _logon_cause(self, one: Numbers, it: Special) -> str:
        if self.state is State.LOGON:
            return "repeat" if self.opener is one else "answer"
        called = self.caller is not None and self.caller is not one
        if self.state is State.LOGOUT and it.reset and called:
            return "reset"  # it crossed the other side's Logout
        if self.state in (State.DOWN, State.LOGOUT) or self.connection == 0:
            return "first"
        if self.torn >= 0 and self.torn == self.last_row and self.state is State.UP:
            return "first"  # the line was lost in the middle of the message before
        if self.state is State.UP and self._answers_reset(one, it):
            return "answer"  # LGN-19: the other side asked to begin anew in session
        if it.reset and not self._long_silent(it):
            return "reset"
        return "again"

    def _answers_reset(self, one: Numbers, it: Special) -> bool:
        """Whether a Logon comes in time to answer a reset in session; nobody waits longer."""
        if one.reset_row is None:
            return False
        asked = self.time_of(one.reset_row)
        return asked is None or it.time is None or it.time - asked <= _ANSWER_SECONDS * SECOND

    def _long_silent(self, it: Special) -> bool:
        """Whether the connection must have been over: neither side sent a Heartbeat."""
        last = self.time_of(self.last_row) if self.last_row >= 0 else None
        if last is None or it.time is None:
            return False
        return it.time - last > (2 * self.heartbeat_seconds + 10) * SECOND

    def _new_connection(self, one: Numbers, it: Special, cause: str) -> None:
        if self.state is State.UNKNOWN and self.connection == 0:
            if self.last_row >= 0:
                self._ended(self.last_row, "unknown" if self.one_sided else "cut")
        elif self.state is State.LOGON:
            self._ended(self.last_row, "unknown" if self.one_sided else "unanswered")
        elif self.state is State.UP:
            self._ended(self.last_row, "unknown" if self.one_sided else "cut")
        elif self.state is State.LOGOUT:
            self._ended(self.last_row, "unknown" if self.one_sided else "half")
        self.connection += 1
        for side in self.sides:
            side.connection = self.connection
        self.state, self.opener, self.opened = State.LOGON, one, it.row
        self.again = cause == "again"
        self.logouts.clear()
        self._say(Kind.CONNECTED, one, it.row, it.row)

    def _count_logon(
        self, one: Numbers, it: Special, number: int, cause: str, asked_reset: bool
    ) -> None:
        other = self.other(one)
        if it.reset:
            if asked_reset:
                one.begin_anew(number, self.epoch, it.row, "answer")
                return
            self.epoch += 1
            unasked = cause == "answer" and not asked_reset
            one.begin_anew(number, self.epoch, it.row, "unasked" if unasked else "asked")
            if other is not None:
                other.reset_row = it.row
            return
        if one.reset_row is not None and one.next is not None and 1 < number < one.next:
            # It is in its new numbers already, whose first ones were lost.
            one.begin_anew(number, self.epoch, it.row, "followed")
            return
        if one.reset_row is not None and (cause == "answer" or self.state is State.UP):
            asked = one.reset_row
            one.reset_row = None
            if number == 1:
                one.begin_anew(1, self.epoch, it.row, "answer_silent")
                return
            one.say(Kind.NOT_HONOURED, it.row, begin=number, other=asked)
        if (
            one.next is not None
            and number < one.next
            and not one.holes.count_in(number, number)
        ):
            self._still_low(one)
            one.low_logon = (it.row, number)
            return
        self._still_low(one)
        one.new(number, number, it.row, it.row)

    # A Logon with too low a number ---------------------------------------------------------

    def _low_logon_answered(self, low: Numbers, one: Numbers, it: Special, number: int) -> bool:
        """The other side answered a low Logon with its own; whether that began both anew."""
        assert low.low_logon is not None
        row, value = low.low_logon
        if value == 1 and number == 1 and not it.reset:
            self.epoch += 1
            low.begin_anew(1, self.epoch, row, "silent")
            one.begin_anew(1, self.epoch, it.row, "silent")
            return True
        if not it.reset:
            low.go_back(value, row, "logon")
        return False

    def _settle_own(self, one: Numbers, begin: int) -> None:
        """The side whose Logon was low goes on: the other side must have taken it."""
        if one.low_logon is None:
            return
        row, number = one.low_logon
        if begin != number + 1:
            self._still_low(one)
        elif self.one_sided and number == 1:
            self.epoch += 1
            one.begin_anew(1, self.epoch, row, "silent")
        else:
            one.go_back(number, row, "logon")

    def _still_low(self, one: Numbers) -> None:
        """Nothing shows that the low Logon was taken."""
        if one.low_logon is None:
            return
        row, number = one.low_logon
        one.low_logon = None
        one.say(Kind.TOO_LOW, row, begin=number, end=number, count=1, cause="logon")

    def _refused_low(self, one: Numbers, it: Special) -> None:
        self._still_low(one)
        other = self.other(one)
        if other is not None:
            self._still_low(other)

    # Logouts and ends ----------------------------------------------------------------------

    def _other_than_logon(self, one: Numbers, row: int) -> None:
        """A Logon while logged on, and the other side goes on: it was no new connection."""
        if self.state is State.LOGON and self.again and one is not self.opener:
            self.state, self.opener, self.again = State.UP, None, False

    def _logout(self, one: Numbers, it: Special) -> None:
        answer = self.state is State.LOGOUT and self.opener is not one
        if self.state is State.LOGON and one is not self.opener:
            cause = "refusal"
        elif answer:
            cause = "answer"
        elif self.state is State.DOWN:
            cause = "stray"
        else:
            cause = "first"
        one.say(
            Kind.LOGOUT, it.row, begin=it.number,
            other=self.opened if answer else None, cause=cause,
        )  # fmt: skip
        self._text_claim(one, it)
        self.logouts.append(one)
        if cause == "refusal":
            self._ended(it.row, "refused")
        elif answer:
            self._ended(it.row, "logout")
        elif cause == "first" and self.opener is not one:
            self.state, self.opener, self.opened = State.LOGOUT, one, it.row
        elif self.state is State.LOGON:  # who asked to log on gives up
            self.state, self.opened = State.LOGOUT, it.row

    def _text_claim(self, one: Numbers, it: Special) -> None:
        other = self.other(one)
        found = _EXPECTING.search(it.text)
        if found is None or other is None:
            return
        received = None if found[2] is None else int(found[2])
        other.say(
            Kind.CLAIMED, it.row, by=one.sender, begin=int(found[1]), end=received,
            expected=other.expected, cause="text",
        )  # fmt: skip

    def _ended(self, row: int, cause: str) -> None:
        # Both directions know it; the event is one.
        self._say(Kind.ENDED, self.opener or self.sides[0], row, row, cause=cause)
        for (sender, _), asked in self.probes.items():
            one = next(side for side in self.sides if side.sender == sender)
            self._say(
                Kind.PROBE_UNANSWERED, one, asked, asked, other=row,
                cause="unknown" if self.one_sided else "disconnect",
            )  # fmt: skip
        self.probes.clear()
        for side in self.sides:
            self._still_low(side)
            side.disconnected(row, heard=self.was_up and not self.one_sided)
        self.state, self.opener, self.again = State.DOWN, None, False
        self.was_up = False

    def finish(self) -> None:
        """The log ends."""
        row = self.last_row
        for side in self.sides:
            self._still_low(side)
            side.unanswered(row, "log_end")
        for (sender, _), asked in self.probes.items():
            one = next(side for side in self.sides if side.sender == sender)
            self._say(Kind.PROBE_UNANSWERED, one, asked, asked, other=row, cause="log_end")
        if self.state is not State.DOWN:
            self._say(
                Kind.ENDED, self.opener or self.sides[0], row, row,
                cause={State.LOGON: "unanswered", State.LOGOUT: "half"}.get(
                    self.state, "log_end"
                )
                if not self.one_sided
                else "log_end",
            )  # fmt: skip

    def _say(self, kind: Kind, one: Numbers, row: int, last_row: int, **values: Any) -> None:
        named: dict[str, Any] = {"by": one.sender, "expected": one.expected} | values
        self.emit(
            Event(
                kind=kind,
                row=row,
                last_row=last_row,
                session=self.name,
                sender=one.sender,
                receiver=one.receiver,
                epoch=one.epoch,
                connection=self.connection,
                **named,
            )
        )
