"""How a connection ends: Logout both ways, protocol errors, a lost transport."""

from __future__ import annotations

from fixlab import times
from fixlab.errors import StateError
from fixlab.session import wording
from fixlab.session.core import Core
from fixlab.session.events import Ended, Received
from fixlab.session.faults import Answer, Fault
from fixlab.session.inbound import Head, check_content, check_header, check_identity
from fixlab.session.lifecycle import SAID_BY_ALL, SESSION_STATUS
from fixlab.session.transitions import Role, SessionState, TransitionKind
from fixlab.wire.message import Message
from fixlab.wire.tags import ADMIN_TYPES, LOGOUT, RESEND_REQUEST, SEQUENCE_RESET, TEXT

_S, _K = SessionState, TransitionKind


class Ending(Core):
    """Logout, errors and the disconnect (LGO, DSC)."""

    def _require_active(self, call: str) -> None:
        if self._state is not _S.ACTIVE:
            raise StateError(f"{call} needs an ACTIVE session, {self.id} is {self._state}")

    def _begin_logout(self, rule: str, text: str) -> None:
        """Logout now, or as soon as nothing is being recovered in either direction."""
        if not self._recovery.open and not self._replays:
            self._send_logout(rule, text, _S.LOGOUT_SENT)
        elif self._logout_text is None:
            # LGO-06, LGO-13: what is missing is recovered and what was asked for is resent
            # first; afterwards nothing new leaves any more.
            self._logout_text, self._entered_logout = text, self._now
            waits = "LGO-06" if self._recovery.open else "LGO-13"
            self._note(_K.STATE, waits, text="Logout waits for the recovery under way")

    def _send_logout(
        self,
        rule: str,
        text: str,
        state: SessionState,
        *,
        said: bool = True,
        status: int | None = None,
    ) -> None:
        """Logout; `state` tells whether it asks, answers or ends an error.

        LGO-09: Text(58) unless it is not `said`, and in FIXT SessionStatus(1409): `status`, or
        what the rule stands for; 0 is none.
        """
        safe = text.replace("\x01", " ").encode("latin-1", "replace")
        self._logout_text, self._peer_logout = None, None
        body = b"58=%b\x01" % safe if safe and said else b""
        if self.config.begin_string == "FIXT.1.1":
            status = SESSION_STATUS.get(rule) if status is None else status
            body += b"1409=%d\x01" % status if status else b""
        self._send_new(LOGOUT, body, rule, state=state, text=self._safe(text))

    def _on_fault(self, head: Head, fault: Fault) -> None:
        """What a broken rule demands. An expected number counts, no other (SEQ-09, REJ-02)."""
        expected = self._is_due(head)
        # SQR-06, SQR-09, SQR-13: engines never count a rejected SequenceReset.
        counts = (
            expected
            and fault.answer is not Answer.LOGOUT
            and not (head.msg_type == SEQUENCE_RESET and fault.rule in ("SQR-06", "SQR-09"))
        )
        if counts:
            assert head.number is not None, "it is due"
            self._count(_K.REJECTED, fault.rule, head, head.number + 1, fault.text)
        else:
            self._note(
                _K.REJECTED,
                fault.rule,
                head,
                gap=self._recovery.gap_ordinal,
                text=self._safe(fault.text),
            )
        if fault.answer is not Answer.LOGOUT:
            self._reject(head, fault)
        if fault.answer is not Answer.REJECT:
            self._fail(fault.rule, fault.text)

    def _fail(self, rule: str, text: str, *, status: int | None = None) -> None:
        """A protocol error: Logout with the reason, then close in a moment (DSC-02, LGO-12)."""
        habits = self.config.habits
        if self._state in (_S.LOGOUT_SENT, _S.LOGOUT_ANSWERED):
            self._disconnect(rule, text)  # the Logout has left already
            return
        self._abandon_gap()
        self._replays.clear()
        text = wording.logout(rule, text, self.config)
        said = habits.error_logout_texts == "all" or rule in SAID_BY_ALL
        self._send_logout(rule, text, _S.CLOSING, said=said, status=status)
        if habits.closes_after_error:
            self._disconnect(rule, self._safe(text))

    def _drop(self, head: Head, rule: str, text: str) -> None:
        """DSC-01: close without a word; an answer would use up a number for a stranger."""
        self._note(_K.REJECTED, rule, head, text=self._safe(text))
        self._disconnect(rule, self._safe(text))

    def _abandon_gap(self) -> None:
        recovery = self._recovery
        if recovery.open:
            self._note(
                _K.GAP_ABANDONED,
                "RRQ-09",
                begin=max(recovery.begin, self._next_in),
                end=recovery.end,
                gap=recovery.ordinal,
                text="shows again at the next Logon",
            )
        recovery.clear()

    def _disconnect(
        self, rule: str, text: str, *, clean: bool = False, close: bool = True
    ) -> None:
        """This connection is over; with `close` it is this side that closes it."""
        self._abandon_gap()
        self._replays.clear()
        # SCH-06: a stranger at an acceptor's port must not be able to reset its numbers. What a
        # refused Logon has used up of numbers that were new is undone: the peer resets as well,
        # and would be told for ever that its number 1 is too low.
        known = self._established or self.role is Role.INITIATOR
        known = known or (self._unused and (self._next_in, self._next_out) != (1, 1))
        self._note(_K.STATE, rule, state=_S.DISCONNECTED, text=text)
        self._events.append(Ended(text, rule, clean))
        if close:
            self._close_reason = text
        config = self.config
        if known and (config.reset_on_logout if clean else config.reset_on_disconnect):
            # Nothing tells the peer: it must do the same, or 141=Y must come with the Logon.
            self._reset_both("SCH-06")

    def _answer_logout(self) -> None:
        self._send_logout("LGO-02", "", _S.LOGOUT_ANSWERED)
        if self.config.habits.closes_after_logout:
            # LGO-02: the peer should close; these engines do not wait for it.
            self._disconnect("LGO-02", f"the peer logged out{self._peer_words}", clean=True)

    def _on_logout_sent(self, message: Message, head: Head) -> None:
        """Own Logout is out: replays and the confirmation are all that still happens."""
        expected = self._is_due(head)
        if check_identity(message, self.config) is not None or head.number is None:
            self._note(_K.IGNORED, "LGO-04", head, text="not this session's")
        elif head.msg_type == LOGOUT:
            # LGO-11: also one that crossed ours on the way is the confirmation.
            text = self._safe(message.get(TEXT) or "")
            if expected:
                self._count(_K.ACCEPTED, "LGO-03", head, head.number + 1, text)
            else:
                self._note(_K.IGNORED, "LGO-12", head, text=text)
            self._disconnect("LGO-03", "Logout confirmed", clean=True)
        elif head.msg_type == RESEND_REQUEST and not head.poss_dup:
            self._resend_after_logout(message, head)
        elif (
            expected
            and head.msg_type != SEQUENCE_RESET  # SQR-07: its own number is not counted
            and self._is_sound(message, head)
        ):
            if head.msg_type in ADMIN_TYPES:
                self._count(_K.ACCEPTED, "LGO-04", head, head.number + 1, "not answered")
            else:
                self._count(_K.ACCEPTED, "LGO-01", head, head.number + 1)
                self._events.append(Received(message, head.number, head.poss_dup))
        elif head.number > self._next_in:
            # LGO-04: no ResendRequest any more; the number does not count, so the next Logon
            # shows the gap again.
            self._note(_K.IGNORED, "LGO-04", head, text="asked for at the next Logon")
        else:
            self._note(_K.IGNORED, "LGO-04", head)

    def _is_sound(self, message: Message, head: Head) -> bool:
        """Whether a message may be processed where no Reject could be sent for it any more.

        One that may not does not count either, so the next Logon brings it back.
        """
        return (
            check_header(message, head, self.config, self._now, self._next_in) is None
            and self._content_fault(message, head) is None
        )

    def _resend_after_logout(self, message: Message, head: Head) -> None:
        expected = self._is_due(head)
        if check_content(message, head, self.config) is not None:
            self._note(_K.IGNORED, "LGO-04", head, text="invalid range")
            return
        if expected:
            assert head.number is not None, "it is due"
            self._count(_K.ACCEPTED, "LGO-04", head, head.number + 1)
        else:
            self._note(_K.IGNORED, "LGO-04", head, text="answered, not counted")
        self._answer_resend(message, head, "LGO-04")

    def _on_logout_answered(self, message: Message, head: Head) -> None:
        """The peer's Logout is answered; it should close now (LGO-02, LGO-05)."""
        expected = head.number == self._next_in
        if check_identity(message, self.config) is not None or head.number is None:
            self._note(_K.IGNORED, "LGO-02", head, text="not this session's")
        elif head.msg_type == RESEND_REQUEST and not head.poss_dup:
            self._resend_after_logout(message, head)
        elif head.msg_type == LOGOUT and expected:
            self._count(_K.ACCEPTED, "LGO-05", head, self._next_in + 1, "answered again")
            self._send_logout("LGO-05", "", _S.LOGOUT_ANSWERED)
        else:
            self._note(_K.IGNORED, "LGO-02", head)

    def _on_closing(self, message: Message, head: Head) -> None:
        """After a Logout over an error only the peer's Logout still counts (LGO-12)."""
        self._note(_K.IGNORED, "LGO-12", head)
        if head.msg_type == LOGOUT:
            self._disconnect("LGO-12", "Logout confirmed after a protocol error")

    def _logout_deadline(self) -> int | None:
        """When a Logout that waits for recovery stops waiting (LGO-05, LGO-06)."""
        since = [self._peer_logout[1]] if self._peer_logout else []
        since += [self._entered_logout] if self._logout_text is not None else []
        return min(since) + times.seconds(self.config.logout_timeout_seconds) if since else None
