"""Numbers that an engine gave its messages, and what it answered ResendRequests with."""

from __future__ import annotations

from fixlab.analysis._acts import Act
from fixlab.analysis._connecting import Connecting
from fixlab.analysis._habits import are_beats
from fixlab.wire.tags import ADMIN_TYPES, LOGON, LOGOUT, REJECT

_HOLE_MAX = 10_000  # rows in which a number that had to wait leaves after all


class Answers(Connecting):
    """Judges numbers, replays and gap fills."""

    def _count(self, act: Act, raw: bytes, *, may_skip: bool = False) -> None:
        number, expected = act.number, self._out_next
        if number is None:
            self._differ("FRM-09", f"{act} without MsgSeqNum(34)", f"MsgSeqNum(34) {expected}")
            return
        if number == self._other_next:
            expected = number
        hole = number > expected and (
            may_skip
            or self._refuses(act)
            or self._leaves_later(expected, number - 1)
            or (self._hides_beats and self._may_be_beats(number - expected))
        )
        self._other_next = None
        if number > expected and not hole:
            count = number - expected
            text = f"{act}: {count} number{'s'[: count > 1]} skipped"
            span = (expected, number - 1)
            self._differ("SEQ-01", text, f"MsgSeqNum(34) {expected}", kind="number", span=span)
        elif number < expected:
            self._differ("SEQ-01", f"{act}: used before", f"MsgSeqNum(34) {expected}", "number")
            self._other_next = expected
        self._keep(number, raw)
        self._out_next = number + 1

    def _refuses(self, act: Act) -> bool:
        """SCH-07: what was queued since the own Logon waits where that Logon is refused."""
        said = (one.act for one in reversed(self._lines[: self._at]) if one.out)
        return act.msg_type == LOGOUT and next(said, act).msg_type == LOGON

    def _may_be_beats(self, count: int) -> bool:
        silence = self._now - self._spoke
        return are_beats(count, silence, self.config.heartbeat_seconds)

    def _leaves_later(self, begin: int, end: int) -> bool:
        """RSP-15: numbers given to messages that had to wait; they leave as repeats."""
        missing = set(range(begin, min(end, begin + _HOLE_MAX) + 1))
        for line in self._lines[self._at : self._at + _HOLE_MAX]:
            act = line.act
            if line.out and act.reset:
                break
            if line.out and act.poss_dup and act.is_application and act.number in missing:
                missing.discard(act.number)
        return not missing

    def _resent(self, act: Act, raw: bytes) -> None:
        number = act.number
        if number is None:
            self._differ("FRM-09", f"{act} without MsgSeqNum(34)", "its first number")
            return
        if act.msg_type in ADMIN_TYPES and act.msg_type != REJECT:
            self._differ("RSP-02", f"{act} was resent", "a gap fill", kind="unexpected")
            self._owed.resent(number)
        elif self._owed.owes(number):
            self._owed.resent(number)
        elif number >= self._out_next:
            # RSP-15, SCH-08: numbered while it could not leave, so it leaves as a repeat.
            self._waited = True
            self._count(act, raw, may_skip=True)
        elif not self._store.has(number):
            self._keep(number, raw)  # the same, or sent before the log begins
        elif self._knows_all() and not self._may_repeat(number):
            self._differ("RSP-01", f"{act}: nobody asked", "nothing", kind="unexpected")

    def _may_repeat(self, number: int) -> bool:
        """Whether a number that is not owed, or not any more, may come again all the same."""
        # An open request covers what was sent until it arrived, and in somebody else's log
        # that is more than stands before it.
        # So it is with numbers that had to wait: they were not sent yet for all that shows.
        covers = self._open_from is not None and number >= self._open_from
        crossed = covers and (self._waited or not self._keeps_log)
        return crossed or self._owed.asked_again(number)

    def _sequence_reset(self, act: Act) -> None:
        new, number = act.new, act.number
        if new is None:
            self._differ("SQR-13", f"{act} without NewSeqNo(36)", "NewSeqNo(36)")
        elif not act.gap_fill:
            if self._owed:
                text = "answers no ResendRequest: what was asked for is lost"
                self._differ("SQR-11", f"{act} {text}", "replays and gap fills")
                self._owed.clear()
            self._out_next = new
        elif number is None or new <= number:
            self._differ("SQR-06", str(act), "NewSeqNo(36) above MsgSeqNum(34)")
        else:
            self._gap_fill(act, number, new)

    def _gap_fill(self, act: Act, number: int, new: int) -> None:
        span = self._owed.span
        if span is None:
            first = number >= self._out_next
            if first:
                self._out_next = new
            again = self._may_repeat(number) or (first and act.poss_dup)
            if self._knows_all() and not again:
                self._differ("SQR-12", f"{act}: nobody asked", "", kind="unexpected")
            return
        over = self._owed.filled(number, new - 1)
        if over:
            text = f"{act} passes over {over} application message{'s'[: over > 1]}"
            self._differ("RSP-09", text, "they are resent", span=(number, new - 1))
        if new > self._out_next and not act.poss_dup:
            text = f"{act} passes over numbers that were not sent"
            self._differ("RSP-05", text, f"NewSeqNo(36) at most {self._out_next}")
        self._out_next = max(self._out_next, new)
