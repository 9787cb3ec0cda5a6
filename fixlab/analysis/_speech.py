"""What an engine sent: what was due, what tries to be, and what it does of its own accord."""

from __future__ import annotations

from fixlab import times
from fixlab.analysis._acts import Act, is_attempt, satisfies
from fixlab.analysis._answers import Answers
from fixlab.analysis._stage import Due
from fixlab.session.session import Session
from fixlab.session.transitions import SessionState
from fixlab.wire.tags import (
    HEARTBEAT,
    LOGON,
    LOGOUT,
    REJECT,
    RESEND_REQUEST,
    SEQUENCE_RESET,
    TEST_REQUEST,
)

_S = SessionState


class Speech(Answers):
    """Judges the engine's own messages, and takes them over."""

    def _sent(self, at: int, raw: bytes, *, opens: bool) -> None:
        act = self._line.act
        self._quiet_rule = ""
        if act.poss_dup and not act.has_orig and act.msg_type != SEQUENCE_RESET:
            self._differ("HDR-08", "a replay without OrigSendingTime(122)", "OrigSendingTime")
        if act.msg_type == SEQUENCE_RESET:
            self._sequence_reset(act)
        elif act.poss_dup:
            self._resent(act, raw)
        elif self._is_unflagged(act):
            self._differ("RSP-01", "a replay without PossDupFlag(43)", "PossDupFlag(43) Y")
            assert act.number is not None, "it is owed"
            self._owed.resent(act.number)
        else:
            if opens:
                self._open(at, act)
            due = self._new(act, opens=opens)
            if due is None or due.number is None or due.number != act.number:
                self._count(act, raw)
        if self._owed.owes(act.number) or act.poss_dup or act.gap_fill:
            self._owed_since = self._now
        self._asked |= act.msg_type == RESEND_REQUEST
        self._claimed |= act.msg_type == LOGON
        self.session._sent_at = self._spoke = self._now
        self._align()

    def _is_unflagged(self, act: Act) -> bool:
        low = act.number is not None and act.number < self._out_next
        return low and self._owed.owes(act.number) and act.is_application

    def _open(self, at: int, act: Act) -> None:
        """The engine's own Logon begins a connection."""
        if self._begins_anew(at) and self._out_next > 1:
            self._store.reset(self._now)
            self._store.commit()
            self.session = Session(self.config, self.role, self._store)
            self._out_next = 1
        if act.reset and self.config.begin_string != "FIX.4.0":
            self.session.reset(self._now)
        self._queued(at)
        self._absorb(self.session.connected(self._now), self._now, None)
        self._store.commit()
        if not self._given:
            # LGN-18: whether it asks for a reset is its own affair, and no log tells why.
            for due in self._due:
                due.act = due.act._replace(reset=act.reset)
            if not act.reset:
                self._queued(at)

    def _new(self, act: Act, *, opens: bool) -> Due | None:
        """A new message: one that is due, one that tries to be, or one of the engine's own."""
        for due in self._due:
            if satisfies(due.act, act):
                self._due.remove(due)
                if self._now - due.since > self._tolerance:
                    late = (self._now - due.since) / times.NANOSECONDS
                    text = f"{act._replace(number=None)} came after {late:.1f} s"
                    self._note("late", due.rule, text, str(due.act), due=due)
                return due
        for due in self._due:
            if is_attempt(due.act, act):
                self._due.remove(due)
                if self._tells(act):
                    self._join(act.begin or 1)
                    return due
                if self._claims(act) and due.act.reset == act.reset:
                    assert act.next_expected is not None, "it claims one"
                    self._expect(act.next_expected)
                    return due
                wanted = str(due.act._replace(number=None))
                setting = self._if_anew(act)
                self._note("different", due.rule, str(act), wanted, due=due, setting=setting)
                if act.msg_type == RESEND_REQUEST and act.begin:
                    self._join(act.begin)  # that is what it expects
                return due
        if not opens:
            self._own(act)
        return None

    def _tells(self, act: Act) -> bool:
        """Whether this request tells what a log in the middle did not.

        It is the first one; or what came below its begin may have come before the log.
        """
        if not self._deduced or act.msg_type != RESEND_REQUEST or not act.begin:
            return False
        return not self._asked or act.begin <= self._first_new

    def _claims(self, act: Act) -> bool:
        """Whether this Logon is the first one: it tells what a log in the middle did not."""
        first = self._deduced and not self._claimed
        return first and act.msg_type == LOGON and bool(act.next_expected)

    def _own(self, act: Act) -> None:
        """What the engine does of its own accord: taken over, unless a rule forbids it."""
        state = self.session.state
        if act.msg_type == LOGOUT:
            self._logout(state)
            return
        if act.msg_type == LOGON:
            self._reset(act, state)
            return
        if state is _S.DISCONNECTED:
            self._speak_when_over(act)
            return
        if rule := self._forbidden(act, state):
            self._differ(rule, f"{act}", "nothing of the kind now", kind="unexpected")
        elif act.msg_type == RESEND_REQUEST:
            self._asked_alone(act)
        elif act.msg_type == HEARTBEAT and act.test_req_id is not None and self._knows_all():
            self._differ("HBT-03", f"{act}: no TestRequest has it", "", kind="unexpected")
        elif act.msg_type == TEST_REQUEST:
            self._probe()
        elif act.msg_type == REJECT and self.config.dictionary is not None:
            self._differ("REJ-01", f"{act}: nothing was wrong", "", kind="unexpected")

    def _probe(self) -> None:
        """HBT-04: asked for silence, or for a reason of its own."""
        config = self.config
        limit = config.heartbeat_seconds * config.test_request_factor
        due = times.seconds(limit + config.test_request_extra_seconds) - self._tolerance
        if self._now - self.session._received_at >= due:
            self.session._probed_at = self._now

    def _forbidden(self, act: Act, state: SessionState) -> str:
        """The rule that forbids a message of the engine's own, or ""."""
        waits = {due.act.msg_type for due in self._due}
        if state in (_S.LOGON_SENT, _S.CONNECTED) or LOGON in waits:
            return "RRQ-08" if act.msg_type == RESEND_REQUEST else "LGN-04"
        over = state in (_S.LOGOUT_SENT, _S.LOGOUT_ANSWERED, _S.CLOSING)
        if over and LOGOUT not in waits and act.is_application:
            return "LGO-04"
        return ""

    def _asked_alone(self, act: Act) -> None:
        if not self._knows_all() or (act.begin or 0) >= self.session.next_in + 1:
            return
        if self._deduced and (act.begin or 0) < self._first_new:
            return  # what it misses may have shown before the log
        limit = self.session._request_deadline()
        recovery = self.session._recovery
        waited = self._now - recovery.progress >= self._tolerance
        patient = limit is not None or not self._given
        if patient and act.begin == self.session.next_in and waited:
            # RRQ-06: nothing came, so it asks again; how patient it is, is its own affair.
            recovery.progress = self._now
            return
        if not self._given and act.begin is not None and act.begin in self._early:
            # SEQ-07: what came early it need not have kept.
            self._join(act.begin)
            return
        if not self._keeps_log and self.session.gap is None and act.begin:
            # In somebody else's log it stands as sent, and was lost on its way.
            self._join(act.begin)
            return
        rule = "RRQ-04" if self.session.gap is not None else "RRQ-01"
        why = "asked already" if rule == "RRQ-04" else "nothing is missing"
        text, setting = f"{act}: {why}", self._if_anew(act)
        self._differ(rule, text, "no ResendRequest", kind="unexpected", setting=setting)

    def _if_anew(self, act: Act) -> str:
        """SCH-06: who asks from 1 on right behind a Logon may have begun its numbers anew."""
        before = self._lines[max(self._at - 1, 0)].act
        anew = act.begin == 1 and before.msg_type == LOGON
        return "reset_on_logout or reset_on_disconnect" if anew else ""

    def _logout(self, state: SessionState) -> None:
        if state is _S.ACTIVE and not any(due.act.msg_type == LOGON for due in self._due):
            self.session._begin_step(self._now)
            self.session._send_logout("LGO-01", "", _S.LOGOUT_SENT)
        elif state in (_S.ACTIVE, _S.LOGON_SENT, _S.CONNECTED, _S.RESET_SENT):
            # LGN-26, LGO-10: it refuses the Logon, which is for the application to decide.
            number = self._line.act.number or 0
            if number >= self._old_next and any(due.act.reset for due in self._due):
                self._other_next = number  # and with it the reset
            self._due = [due for due in self._due if due.act.msg_type != LOGON]
            self.session.disconnected(self._now)
            self._ended = (self._now, "LGO-10", True)
        self._store.commit()

    def _reset(self, act: Act, state: SessionState) -> None:
        if act.reset and state is _S.ACTIVE:
            # LGN-19: how it made sure that nothing is in flight is its own affair.
            self.session._begin_step(self._now)
            self.session._start_reset()
            output = self.session._output()
            self._absorb(output, self._now, None)
            self._store.commit()
            self._due = [due for due in self._due if due.act.msg_type != LOGON]
            return
        self._differ("LGN-29", str(act), "no Logon now", kind="unexpected")

    def _speak_when_over(self, act: Act) -> None:
        when, _, clean = self._ended or (self._now, "", False)
        if clean:
            if act.is_application:
                self._differ("LGO-04", f"{act} after the Logout", "", kind="unexpected")
        elif self._now - when > self._tolerance:
            self._revive()
