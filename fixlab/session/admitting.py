"""How a session comes up, and how it starts over: Logon, and Logon with 141=Y."""

from __future__ import annotations

from fixlab import times
from fixlab.session.events import Established, Received
from fixlab.session.inbound import (
    Answer,
    Fault,
    Head,
    check_identity,
    check_sending_time,
    too_low,
)
from fixlab.session.lifecycle import Terms, read_logon
from fixlab.session.liveness import Pulse
from fixlab.session.recovering import Recovering
from fixlab.session.recovery import Held
from fixlab.session.transitions import Role, SessionState, TransitionKind
from fixlab.wire.message import Message
from fixlab.wire.tags import ADMIN_TYPES, LOGON, LOGOUT, MSG_TYPE_NAMES, TEXT

_S, _K = SessionState, TransitionKind


class Admitting(Recovering):
    """The Logon exchange and the reset in session (LGN)."""

    def _on_first(self, message: Message, head: Head) -> None:
        """An acceptor's first message: a good Logon, or nothing is answered (DSC-01)."""
        if head.msg_type != LOGON or head.poss_dup:
            name = MSG_TYPE_NAMES.get(head.msg_type, f"MsgType {head.msg_type}")
            self._drop(head, "LGN-02", f"first message not a Logon but {name}")
            return
        wrong = check_identity(message, self.config)
        if wrong is not None:
            found = message.get(wrong) or "nothing"
            self._drop(head, "LGN-06", f"tag {wrong} is {found}, not this session's")
            return
        terms = self._logon_terms(message, head)
        if isinstance(terms, Fault):
            self._refuse_logon(head, terms)
            return
        self._pulse = Pulse.of(self.config, terms.heartbeat_seconds)  # LGN-14
        reset = terms.reset or self.config.reset_on_logon or self._reset_next_logon
        if reset:
            self._reset_both("LGN-17", head)
        assert head.number is not None
        # LGN-17: after a reset the Logon is number 1, whatever a peer that did not ask for
        # the reset wrote; LGN-20 is what this peer then does.
        number = 1 if reset else head.number
        if number < self._next_in:
            text = too_low(self._next_in, number)
            self._note(_K.TOO_LOW, "LGN-11", head, text=text)
            self._fail("LGN-11", text)
            return
        if number > self._next_in:
            self._hold_logon(message, head)
        else:
            self._count(_K.ACCEPTED, "LGN-09", head, self._next_in + 1)
        self._send_logon("LGN-05", reset=reset, state=_S.ACTIVE)  # LGN-05: before all else
        self._establish(head, reset=reset)

    def _on_logon_answer(self, message: Message, head: Head) -> None:
        """What an initiator gets first: the Logon answer, or a refusal."""
        wrong = check_identity(message, self.config)
        if wrong is not None:
            found = message.get(wrong) or "nothing"
            self._drop(head, "LGN-06", f"tag {wrong} is {found}, not this session's")
            return
        if head.msg_type == LOGOUT:
            reason = self._safe(message.get(TEXT) or "no Text(58)")
            text = f"Logon refused: {reason}"
            if head.number == self._next_in:
                self._count(_K.ACCEPTED, "LGO-10", head, self._next_in + 1, text)
            else:
                self._note(_K.IGNORED, "LGO-10", head, text=text)
            self._disconnect("LGO-10", text)
            return
        if head.msg_type != LOGON or head.poss_dup:
            name = MSG_TYPE_NAMES.get(head.msg_type, f"MsgType {head.msg_type}")
            self._refuse_logon(
                head, Fault("LGN-03", Answer.LOGOUT, f"{name} received before the Logon answer")
            )
            return
        terms = self._logon_terms(message, head)
        if isinstance(terms, Fault):
            self._refuse_logon(head, terms)
            return
        assert head.number is not None
        text, reset = "", self._sent_reset
        if terms.reset and not self._sent_reset:
            # LGN-20: not covered by the texts; our Logon then counts as the new number 1.
            self._reset_both("LGN-20", head, used_out=1)
            reset, text = True, "141=Y was not asked for"
        elif self._sent_reset and not terms.reset:
            if head.number != 1:
                self._refuse_logon(
                    head,
                    Fault("LGN-17", Answer.LOGOUT, "ResetSeqNumFlag(141)=Y was not honoured"),
                )
                return
            text = "141=Y was not repeated, but MsgSeqNum(34) is 1"
        if head.number < self._next_in:
            low = too_low(self._next_in, head.number)
            self._note(_K.TOO_LOW, "LGN-11", head, text=low)
            self._fail("LGN-11", low)
            return
        if head.number > self._next_in:
            self._hold_logon(message, head, state=_S.ACTIVE)
        else:
            self._count(_K.ACCEPTED, "LGN-09", head, self._next_in + 1, text, state=_S.ACTIVE)
        self._establish(head, reset=reset)

    def _logon_terms(self, message: Message, head: Head) -> Terms | Fault:
        """A Logon's terms, after the header checks that apply to it."""
        if head.number is None:
            return Fault("FRM-09", Answer.LOGOUT, "Logon without a readable MsgSeqNum(34)")
        fault = check_sending_time(message, self.config, self._now)
        if fault is not None:
            return fault._replace(answer=Answer.LOGOUT)
        return read_logon(message, self.config, self.role)

    def _refuse_logon(self, head: Head, fault: Fault) -> None:
        """LGN-08: an invalid Logon uses up the peer's number, then Logout and close."""
        if head.number == self._next_in:
            text = self._safe(fault.text)
            self._count(_K.REJECTED, fault.rule, head, self._next_in + 1, text)
        else:
            self._note(_K.REJECTED, fault.rule, head, text=self._safe(fault.text))
        if fault.answer is Answer.REJECT_LOGOUT:
            self._reject(head, fault)
        self._fail(fault.rule, fault.text)

    def _hold_logon(
        self, message: Message, head: Head, state: SessionState | None = None
    ) -> None:
        """LGN-10: an early Logon establishes the session; its number waits for the gap fill."""
        assert head.number is not None
        recovery = self._recovery
        recovery.notice(self._next_in, head.number, self._now)
        recovery.hold(head.number, Held(message, head, acted=True))
        self._note(
            _K.HELD,
            "LGN-10",
            head,
            state=state,
            begin=recovery.begin,
            end=recovery.end,
            gap=recovery.ordinal,
        )

    def _send_logon(self, rule: str, *, reset: bool, state: SessionState) -> None:
        config = self.config
        body = b"98=0\x01108=%d\x01" % (self._pulse.interval // times.NANOSECONDS)
        if reset:
            body += b"141=Y\x01"
        if self.role is Role.INITIATOR:
            if config.username is not None:
                body += b"553=%b\x01" % config.username.encode()
            if config.password is not None:
                body += b"554=%b\x01" % config.password.encode()
        if config.default_appl_ver_id is not None:
            body += b"1137=%b\x01" % config.default_appl_ver_id.encode()
        self._sent_reset = reset
        self._send_new(LOGON, body, rule, state=state, text="141=Y" if reset else "")

    def _establish(self, head: Head, *, reset: bool) -> None:
        seconds = self._pulse.interval // times.NANOSECONDS
        self._reset_next_logon = False
        self._events.append(Established(seconds, reset))
        if self._recovery.open:
            self._note_gap(head)
        if self._unsent_from is not None:
            # SCH-08: numbered while the Logon was out; they leave flagged as possible repeats.
            begin, self._unsent_from = self._unsent_from, None
            self._start_replay(begin, 0, "SCH-08")
        self._request_missing()  # RRQ-08: only now that the exchange is complete

    # Reset in session -------------------------------------------------------------------

    def _start_reset(self) -> None:
        self._reset_test = None
        if self._recovery.open or self._recovery.held or self._replays:
            self._note(
                _K.STATE, "LGN-19", text="reset dropped: a gap opened while it was prepared"
            )
            return
        self._old_next_in = self._next_in
        self._reset_both("LGN-19")
        # Should the connection end before the answer, nobody knows whether the peer has reset
        # as well; the next Logon makes it certain.
        self._reset_next_logon = True
        self._send_logon("LGN-19", reset=True, state=_S.RESET_SENT)

    def _on_second_logon(self, message: Message, head: Head) -> None:
        terms = self._logon_terms(message, head)
        if isinstance(terms, Terms) and terms.reset:
            self._replays.clear()
            self._unsent_from, self._reset_test, self._peer_logout = None, None, None
            self._reset_both("LGN-19", head)
            self._count(_K.ACCEPTED, "LGN-19", head, 2)
            self._send_logon("LGN-19", reset=True, state=_S.ACTIVE)
            self._events.append(
                Established(self._pulse.interval // times.NANOSECONDS, reset=True)
            )
            self._after_recovery()  # an own Logout that waited for the old numbers
            return
        fault = (
            terms
            if isinstance(terms, Fault) and terms.rule == "LGN-18"
            else Fault("LGN-29", Answer.LOGOUT, "Logon received while logged on")
        )
        self._on_fault(head, fault)

    def _on_reset_sent(self, message: Message, head: Head) -> None:
        """LGN-19: waiting for the Logon that confirms a reset; old messages are in flight."""
        if check_identity(message, self.config) is not None or head.number is None:
            self._note(_K.IGNORED, "LGN-19", head, text="not this session's")
        elif head.msg_type == LOGON:
            terms = self._logon_terms(message, head)
            if isinstance(terms, Terms) and terms.reset:
                # Also when both sides reset at once: each takes the other's as the answer.
                self._count(_K.ACCEPTED, "LGN-19", head, 2, state=_S.ACTIVE)
                self._reset_next_logon = False
                self._events.append(
                    Established(self._pulse.interval // times.NANOSECONDS, reset=True)
                )
            else:
                self._note(_K.REJECTED, "LGN-19", head)
                self._fail("LGN-19", "the Logon that answers a reset must carry 141=Y and 34=1")
        elif head.msg_type == LOGOUT:
            text = self._safe(message.get(TEXT) or "no Text(58)")
            self._note(_K.IGNORED, "LGN-19", head, text=f"reset refused: {text}")
            self._disconnect("LGN-19", f"reset refused: {text}")
        elif head.number == self._old_next_in and head.msg_type not in ADMIN_TYPES:
            self._old_next_in += 1
            self._note(_K.IGNORED, "LGN-19", head, text="delivered under its old number")
            self._events.append(Received(message, head.number, head.poss_dup))
        else:
            self._old_next_in += head.number == self._old_next_in
            self._note(_K.IGNORED, "LGN-19", head, text="in flight before the reset")

    def _reset_both(self, rule: str, head: Head | None = None, *, used_out: int = 0) -> None:
        """Both counters to 1, store emptied; `used_out` numbers of ours count already."""
        self.store.reset(self._now)
        for _ in range(used_out):
            self.store.next_out()
        self._note(
            _K.RESET_BOTH,
            rule,
            head,
            next_in=1,
            next_out=1 + used_out,
            gap=self._recovery.gap_ordinal,
        )
        self._recovery.clear()

    @property
    def _resetting(self) -> bool:
        """Whether an in-session reset is under way, from its TestRequest to its Logon."""
        return self._state is _S.RESET_SENT or (
            self._state is _S.ACTIVE and self._reset_test is not None
        )

    def _reset_deadline(self) -> int | None:
        """When a reset that waits for the answer to its TestRequest is given up (LGN-19)."""
        if self._reset_test is None:
            return None
        return self._reset_asked + times.seconds(self.config.logon_timeout_seconds)
