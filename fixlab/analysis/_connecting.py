"""Where connections begin and end: no log shows the transport."""

from __future__ import annotations

from fixlab.analysis._habits import ANSWER_MAX, Line
from fixlab.analysis._stage import Due, Stage
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState
from fixlab.wire.tags import LOGON, LOGOUT, RESEND_REQUEST

_S = SessionState
_LOOK_AHEAD = 50  # rows in which a Logon is answered


class Connecting(Stage):
    """Begins connections, and leaves them with what is still due."""

    def _opens(self, line: Line) -> bool:
        """Whether a connection begins with this line: no log shows the transport."""
        act = line.act
        if act.msg_type != LOGON or act.poss_dup:
            return False
        if line.out != (self.role is Role.INITIATOR):
            return False
        if act.reset and self.session.state in (_S.ACTIVE, _S.RESET_SENT):
            if line.out and self._cannot_reset():
                return True
            # In session, unless the connection had been dead by then for all that shows.
            limit = self.session.deadline
            over = limit is not None and limit + self._tolerance <= line.time
            return over or self._is_answered(line)
        return True

    def _is_answered(self, line: Line) -> bool:
        """Whether the engine waits for the answer to its own reset no more: it answers this."""
        late = line.time - self._spoke > ANSWER_MAX and not self._given
        if line.out or not late or self.session.state is not _S.RESET_SENT:
            return False
        said = (one.act for one in self._lines[self._at + 1 :] if one.out)
        answer = next(said, None)
        return answer is not None and answer.msg_type == LOGON and answer.reset

    def _cannot_reset(self) -> bool:
        """LGN-19: no reset begins in session while numbers are missing, or another one."""
        recovery = self.session._recovery
        waits = self.session.state is _S.RESET_SENT
        return waits or recovery.open or bool(recovery.held)

    def _leave(self) -> None:
        """What stood behind the last line of the old connection is not held against anybody."""
        self._judge_left(self._last)
        self._due.clear()
        self._owed.clear()
        self._align()
        if self.session.state is not _S.DISCONNECTED:
            self.session.disconnected(self._now)
            self._out_next = self._store.peek_out()
        self._store.commit()
        self.session = Session(self.config, self.role, self._store)
        self._ended = self._other_next = self._open_from = None
        self._waited = False

    def _judge_left(self, last: int) -> None:
        """Deviations out of what is overdue when nothing more comes."""
        for due in list(self._due):
            if last - due.since > self._tolerance:
                self._due.remove(due)
                self._note_missing(due)
        if self._owed and last - self._owed_since > self._tolerance:
            self._note_unanswered()

    def _queued(self, at: int) -> None:
        """SCH-07: what was numbered while nobody was connected leaves when it is asked for."""
        for line in self._lines[at : at + _LOOK_AHEAD]:
            if line.out and line.act.is_new and line.act.number is not None:
                self._out_next = max(self._out_next, line.act.number)
                break
        self._align()

    def _begins_anew(self, at: int) -> bool:
        """SCH-02, SCH-06: both sides begin with 1 again without 141=Y: it was agreed.

        Both Logons bear 1, or the Logon and the Logout that refuses it; or numbers were used
        up before anybody was connected, and both sides ask for all of them.
        """
        act, out = self._line.act, self._line.out
        if act.reset:
            return False
        answer, from_one = None, set[bool]()
        for line in self._lines[at + 1 : at + 1 + _LOOK_AHEAD]:
            if line.act.msg_type == LOGON:
                if answer is not None or line.out == out:
                    break
                answer = line.act
                if (act.number, answer.number) == (1, 1):
                    return not answer.reset
            elif answer is None and line.act.msg_type == LOGOUT and line.out != out:
                both = self._out_next > 1 and self._high_in > 0
                return both and (act.number, line.act.number) == (1, 1)
            elif line.act.msg_type == RESEND_REQUEST and line.act.begin == 1:
                from_one.add(line.out)
        return answer is not None and not answer.reset and len(from_one) == 2

    def _revive(self) -> bool:
        """Traffic on a connection that was to be over: whether the engine went on."""
        if self._ended is None:
            self._join(max(self._line.act.number or 1, 1))
            return True
        when, rule, clean = self._ended
        if clean or self._now - when <= self._tolerance:
            return False  # in flight when it ended
        self._deviate(
            "went_on",
            rule or "DSC-02",
            "the session goes on, though it was to end",
            "the connection ends",
            row=self._line.row,
        )
        self._join(self.session.next_in)
        return True

    def _note_missing(self, due: Due) -> None:
        act = due.act._replace(number=None)
        row = self._line.row if due.cause_row is None else due.cause_row
        self._note("missing", due.rule, f"no {act}", str(act), row=row, due=due)

    def _note_unanswered(self) -> None:
        span = self._owed.span
        assert span is not None, "something is owed"
        begin, end = span
        numbers = f"{begin}" if begin == end else f"{begin} to {end}"
        rule = "RSP-01" if self._owed.messages else "RSP-04"
        self._deviate(
            "missing",
            rule,
            f"a ResendRequest was not answered for {numbers}",
            f"{numbers} resent, or filled over",
            row=self._owed_row,
            span=(begin, end),
            cause_row=self._owed_row,
        )
        self._owed.clear()
