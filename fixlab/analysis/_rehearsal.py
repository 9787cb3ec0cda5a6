"""A session that lives through what an engine received, and judges what the engine sent.

Where the engine departs from its rules the session follows it after the departure has been
noted.
"""

from __future__ import annotations

from collections.abc import Iterator

from fixlab import times
from fixlab.analysis._acts import OPEN_ENDS, Act, satisfies
from fixlab.analysis._speech import Speech
from fixlab.analysis._stage import Deviation, Due
from fixlab.session.session import Session
from fixlab.session.transitions import SessionState
from fixlab.wire.message import Message
from fixlab.wire.tags import HEARTBEAT, LOGON, LOGOUT, RESEND_REQUEST, TEST_REQUEST

_S = SessionState
_TICKS_MAX = 1_000  # timers between two rows: a longer silence counts as one
_BATCHES_MAX = 1_000_000  # of one replay


class Rehearsal(Speech):
    """One side of one session, played from its first line to its last."""

    def take(self, at: int, message: Message) -> tuple[Deviation, ...]:
        """The next line; returns what the engine did otherwise, as far as it shows now."""
        line, self._at = self._lines[at], at
        self._line, self._now, self._found = line, line.time, []
        if at == 0 and self._answers:
            self._begin_behind(line.act, message.raw or b"")
            return ()
        opens = self._opens(line)
        if opens:
            self._leave()
        else:
            self._pass_time()
        raw = message.raw or b""
        if line.out:
            self._sent(at, raw, opens=opens)
        else:
            self._received(at, raw, opens=opens)
        self._last = line.time
        return tuple(self._found)

    def finish(self) -> tuple[Deviation, ...]:
        """The log is over: what was overdue by then is missing; the rest nobody knows."""
        self._found = []
        self._judge_left(self._last)
        return tuple(self._found)

    def due(self) -> Iterator[str]:
        """What the engine has yet to send, in words."""
        for due in self._due:
            yield str(due.act._replace(number=None))
        if span := self._owed.span:
            yield f"the answer for {span[0]} to {span[1]}"

    def _begin_behind(self, act: Act, raw: bytes) -> None:
        """The log begins with the answer to a Logon that it does not show."""
        if act.number is None:
            return
        if self._line.out:
            self._keep(act.number, raw)
            self._out_next = act.number + 1
            self._align()
        else:
            self._high_in = act.number
            whole = act.number == self.session.next_in
            self._join(act.number + 1 if whole else self.session.next_in)

    def _pass_time(self) -> None:
        """Note what is overdue at this line, and let the session's own timers run."""
        now, line = self._now, self._line
        for due in list(self._due):
            if now - due.since > self._tolerance and not (
                line.out and satisfies(due.act, line.act)
            ):
                self._due.remove(due)
                self._missing(due)
        owed = line.out and self._owed.owes(line.act.number)
        if self._owed and not owed and now - self._owed_since > self._tolerance:
            self._note_unanswered()
        for _ in range(_TICKS_MAX):
            limit = self.session.deadline
            if limit is None or limit + self._tolerance > now:
                return
            self._tick(limit)
        self.session._sent_at = self.session._received_at = now

    def _tick(self, limit: int) -> None:
        before = len(self._due)
        self._absorb(self.session.tick(limit), limit, None)
        line = self._line
        for due in self._due[before:]:
            if not (line.out and satisfies(due.act, line.act)):
                self._due.remove(due)
                self._missing(due)

    def _missing(self, due: Due) -> None:
        """A message never came: tell it, and follow the engine."""
        silent = due.cause_row is None and due.rule == self._quiet_rule
        if due.cause_row is None:
            self._quiet_rule = due.rule
        kind = due.act.msg_type
        # It may have been asked for before the log begins.
        before = self._deduced and (
            due.since - self._began <= self._tolerance
            or (due.act.begin or self._first_new) < self._first_new
        )
        hidden = self._hides_beats and kind == HEARTBEAT
        # How long the other side had been silent when the log began, nobody knows.
        unheard = self._deduced and self.session._received_at <= self._began
        unknown = (before and kind == RESEND_REQUEST) or (unheard and kind == TEST_REQUEST)
        if not silent and not hidden and not unknown:
            self._note_missing(due)
        if kind == RESEND_REQUEST and due.rule == "RRQ-06":
            # The first request stands, only the engine is more patient.
            self.session._recovery.progress = self._now + times.seconds(10**9)
        elif kind == RESEND_REQUEST and not unknown:
            self._join(max(self._high_in + 1, self.session.next_in))
        elif kind in (LOGOUT, LOGON):
            self._join(self.session.next_in)
        elif kind == TEST_REQUEST:
            self.session._received_at, self.session._probed_at = due.since, None
        self._align()

    def _received(self, at: int, raw: bytes, *, opens: bool) -> None:
        act = self._line.act
        if act.reset:
            self._first_in = 0
        elif (
            self._deduced and not act.is_new and (act.number or self._first_in) < self._first_in
        ):
            self._began = self._now
        if opens:
            if self._begins_anew(at) and self.session.next_in > 1:
                self._store.reset(self._now)
                self._store.commit()
                self.session = Session(self.config, self.role, self._store)
                self._out_next = 1
            self._queued(at)
            self.session.connected(self._now)
        elif self.session.state is _S.DISCONNECTED and not self._revive():
            return
        self._absorb(self.session.receive(raw, self._now), self._now, self._line.row)
        for _ in range(_BATCHES_MAX):
            if not self.session.replaying:
                break
            self._absorb(self.session.tick(self._now), self._now, self._line.row)
        self._store.commit()
        if act.msg_type == RESEND_REQUEST and act.end in OPEN_ENDS:
            self._open_from = act.begin
        if act.number is not None and act.is_new:
            self._high_in = max(self._high_in, act.number)
            if self.session.gap is not None:
                self._early.append(act.number)
        if act.reset:
            self._high_in = self.session.next_in - 1
            self._early.clear()
        self._align()
