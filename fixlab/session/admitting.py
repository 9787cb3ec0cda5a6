"""How a session comes up, and how it starts over: Logon, and Logon with 141=Y."""

from __future__ import annotations

from collections.abc import Callable

from fixlab import times
from fixlab.session import wording
from fixlab.session.config import SessionConfig
from fixlab.session.events import Established, Received
from fixlab.session.faults import Answer, Fault
from fixlab.session.inbound import Head, check_identity, check_sending_time, too_low
from fixlab.session.lifecycle import SAID_BY_ALL, Terms, read_logon
from fixlab.session.liveness import Pulse
from fixlab.session.outbound import REPLAY_BYTES
from fixlab.session.recovering import Recovering
from fixlab.session.recovery import Held
from fixlab.session.transitions import Role, SessionState, TransitionKind
from fixlab.session.validation import check_dictionary
from fixlab.stores.base import Store
from fixlab.wire.message import Message
from fixlab.wire.tags import ADMIN_TYPES, LOGON, LOGOUT, MSG_TYPE_NAMES, TEXT

_S, _K = SessionState, TransitionKind
_REFUSAL_MAX = 1_000  # characters of an admit hook's text that Text(58) repeats
Admit = Callable[[Message], str | None]
_RESETS_MAX = 5  # LGN-19: in session, by the peer, within a second; more is a loop


class Admitting(Recovering):
    """The Logon exchange, the schedule's resets, and the reset in session (LGN, SCH)."""

    def __init__(
        self,
        config: SessionConfig,
        role: Role,
        store: Store | None = None,
        *,
        admit: Admit | None = None,
    ) -> None:
        super().__init__(config, role, store)
        self._admit = admit
        # The Logon's further fields; SessionConfig has checked them.
        self._logon_extra = Message(LOGON, config.logon_fields).sections()

    # The schedule -----------------------------------------------------------------------

    def next_opening(self, now: int) -> int | None:
        """When the next session begins (ns, UTC); None while one lasts at `now` (SCH-05)."""
        schedule = self.config.schedule
        if schedule is None or schedule.is_open(now):
            return None
        return schedule.next_open(now)

    def _keep_schedule(self) -> bool:
        """Whether a session may be up now; one that begins starts with both numbers at 1.

        SCH-02: a store's numbers belong to the session in which they last were reset, or, when
        the store does not know, in which this object last connected. Where neither is known
        they are taken for this session's.
        """
        schedule, now = self.config.schedule, self._now
        if schedule is None:
            self._date_store()
            return True
        self._closes_at = schedule.next_close(now)
        if self._closes_at is None:
            return False
        epoch = self.store.epoch
        since = self._dated if epoch is None else epoch
        if since is not None and not schedule.same_session(since, now):
            self._reset_both("SCH-02")
        self._date_store()
        self._dated = now
        return True

    def _resets_at_logon(self) -> bool:
        """LGN-17: whether the own Logon starts over, with 141=Y where the version has it."""
        config = self.config
        if config.reset_on_logon or self._reset_next_logon:
            return True
        if self._next_in != 1:
            return False
        if self._reset_cut_short():
            return True
        # SCH-06: who resets alone says so with the first Logon of the new numbers.
        options = config.reset_on_logout or config.reset_on_disconnect
        return (
            config.habits.flags_new_session
            and options
            and self._next_out == 1
            and self.role is Role.INITIATOR
            and config.begin_string != "FIX.4.0"
        )

    def _reset_cut_short(self) -> bool:
        """Whether the store ends with an own Logon with 141=Y that nobody has answered.

        LGN-19: a process that dies right behind it leaves no other trace, and without another
        reset the peer's numbers and these might never meet again.
        """
        first = next((raw for _, raw in self.store.sent(1, 1)), b"")
        return b"\x0135=A\x01" in first and b"\x01141=Y\x01" in first

    # The exchange -----------------------------------------------------------------------

    def _on_first(self, message: Message, head: Head) -> None:
        """An acceptor's first message: a good Logon, or nothing is answered (DSC-01)."""
        # LGN-12: a retransmitted Logon begins nothing; RSP-18: nor does a ResendRequest.
        if head.msg_type != LOGON or head.poss_dup:
            name = MSG_TYPE_NAMES.get(head.msg_type, f"MsgType {head.msg_type}")
            self._drop(head, "LGN-02", f"first message not a Logon but {name}")
            return
        wrong = check_identity(message, self.config)
        if wrong is not None:
            found = message.get(wrong) or "nothing"
            self._drop(head, "LGN-06", f"tag {wrong} is {found}, not this session's")
            return
        if not self._keep_schedule():
            fault = Fault("LGN-33", Answer.LOGOUT, "Logon received outside of session time")
            self._refuse_logon(head, fault)
            return
        terms = self._logon_terms(message, head)
        if isinstance(terms, Fault):
            self._refuse_logon(head, terms)
            return
        assert head.number is not None
        # LGN-20: nothing but the Logon came since a reset that only this side wanted, so the
        # peer may never have learned of it; a higher number is perhaps one of the old ones.
        unsure = self._reset_unasked and self._next_in == 2 < head.number
        reset = terms.reset or self._resets_at_logon() or unsure
        # LGN-17: after a reset the Logon is number 1, whatever a peer that did not ask for
        # the reset wrote; LGN-20 is what this peer then does.
        number = 1 if reset else head.number
        if not reset and number < self._next_in and not self._follows:
            text = too_low(self._next_in, number)
            self._note(_K.TOO_LOW, "LGN-11", head, text=text)
            self._fail("LGN-11", text)
            return
        expected = None if reset else terms.next_expected
        if expected is not None and expected > self._next_out:
            self._refuse_logon(head, self._expects_too_much(self._next_out, expected))
            return
        if not self._is_admitted(message, head):
            return
        self._pulse = Pulse.of(self.config, terms.heartbeat_seconds)  # LGN-14
        self._limit_size(terms)
        if reset:
            self._reset_both("LGN-17", head)
        if number > self._next_in and not self._follows:
            self._hold_logon(message, head)
        else:
            self._warn_of_number(head, number)
            self._count(_K.ACCEPTED, "LGN-09", head, number + 1)
        self._send_logon("LGN-05", reset=reset, state=_S.ACTIVE)  # LGN-05: before all else
        self._reset_unasked = reset and not terms.reset
        self._establish(head, reset=reset, expected=expected)

    def _is_admitted(self, message: Message, head: Head) -> bool:
        """Ask the application about a Logon that is good otherwise; refuse it in its words.

        LGN-26, LGN-27: it alone reads a NewPassword(925); nothing of that is kept or noted.
        """
        refusal = None if self._admit is None else self._admit(message)
        if refusal is None:
            return True
        fault = Fault("LGN-26", Answer.LOGOUT, refusal[:_REFUSAL_MAX] or "Logon refused")
        self._refuse_logon(head, fault, status=0)  # which code it stands for is not known
        return False

    def _expects_too_much(self, sent: int, expected: int) -> Fault:
        """LGN-23: the peer knows of messages that this side has no memory of."""
        text = wording.next_expected(self.config, sent, expected)
        return Fault("LGN-23", Answer.LOGOUT, text)

    def _limit_size(self, terms: Terms) -> None:
        """FRM-13: what is sent, and once more with PossDupFlag(43), must fit the peer."""
        if terms.bytes_max is not None:
            self._send_max = min(self._bytes_max, terms.bytes_max - REPLAY_BYTES)

    def _on_logon_answer(self, message: Message, head: Head) -> None:
        """What an initiator gets first: the Logon answer, or a refusal."""
        wrong = check_identity(message, self.config)
        if wrong is not None:
            found = message.get(wrong) or "nothing"
            self._drop(head, "LGN-06", f"tag {wrong} is {found}, not this session's")
            return
        if head.msg_type == LOGOUT:
            self._on_refusal(message, head)
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
        text, reset, answers = "", self._sent_reset, False
        expected, number = terms.next_expected, head.number
        if expected is not None and expected > self._logon_number + 1:
            self._refuse_logon(head, self._expects_too_much(self._logon_number + 1, expected))
            return
        if terms.heartbeat_seconds != self.config.heartbeat_seconds:
            # LGN-15: this side keeps the interval it has proposed.
            text = f"HeartBtInt(108) {terms.heartbeat_seconds} in the answer is not heeded"
        if terms.reset and not self._sent_reset:
            # LGN-20: not covered by the texts; our Logon then counts as the new number 1.
            # What was queued behind it had old numbers: SCH-04 tells that it is dropped.
            answers = self.config.habits.unasked_reset == "answer"
            self._reset_both("LGN-20", head, used_out=0 if answers else 1)
            self._logon_number = 1
            reset, text = True, "141=Y was not asked for"
        elif self._sent_reset and not terms.reset:
            if head.number != 1:
                self._refuse_logon(
                    head,
                    Fault("LGN-17", Answer.LOGOUT, "ResetSeqNumFlag(141)=Y was not honoured"),
                )
                return
            text = "141=Y was not repeated, but MsgSeqNum(34) is 1"
        if terms.reset:
            number = 1  # LGN-18: some engines write another one
        if number < self._next_in and not self._follows:
            low = too_low(self._next_in, number)
            self._note(_K.TOO_LOW, "LGN-11", head, text=low)
            self._fail("LGN-11", low)
            return
        self._limit_size(terms)
        if number > self._next_in and not self._follows:
            self._hold_logon(message, head, state=_S.ACTIVE)
        else:
            self._warn_of_number(head, number)
            self._count(_K.ACCEPTED, "LGN-09", head, number + 1, text, state=_S.ACTIVE)
        if answers:
            self._send_logon("LGN-20", reset=True, state=_S.ACTIVE)
        self._establish(head, reset=reset, expected=expected)

    def _on_refusal(self, message: Message, head: Head) -> None:
        """LGO-10: a Logout instead of the Logon answer needs no answer itself."""
        reason = self._safe(message.get(TEXT) or "no Text(58)")
        text = f"Logon refused: {reason}"
        if head.number == self._next_in:
            self._count(_K.ACCEPTED, "LGO-10", head, self._next_in + 1, text)
        else:
            self._note(_K.IGNORED, "LGO-10", head, text=text)
        self._disconnect("LGO-10", text)

    def _logon_terms(self, message: Message, head: Head) -> Terms | Fault:
        """A Logon's terms, after the header checks that apply to it."""
        if head.number is None:
            return Fault("FRM-09", Answer.LOGOUT, "Logon without a readable MsgSeqNum(34)")
        fault = check_sending_time(message, self.config, self._now)
        if fault is not None:
            return fault._replace(answer=Answer.LOGOUT)
        terms = read_logon(message, self.config, self.role)
        wrong = check_dictionary(message, self.config) if isinstance(terms, Terms) else None
        if wrong is None:
            return terms
        if self.config.validation == "warn":
            self._warn(wrong)
            return terms
        # REJ-21: before the session is up a Logout says what a Reject would.
        return Fault("LGN-08", Answer.LOGOUT, f"Invalid Logon: {wrong.text}")

    def _refuse_logon(self, head: Head, fault: Fault, *, status: int | None = None) -> None:
        """LGN-08: an invalid Logon uses up the peer's number, then Logout and close.

        Anything else that comes in its place (LGN-03) is not processed, so it does not count
        either: the next Logon brings it back.
        """
        if self.config.habits.bad_logon == "close" and fault.rule not in SAID_BY_ALL:
            self._drop(head, fault.rule, fault.text)  # LGN-32: without a word nothing counts
            return
        if head.number == self._next_in and head.msg_type == LOGON:
            text = self._safe(fault.text)
            self._count(_K.REJECTED, fault.rule, head, self._next_in + 1, text)
        else:
            self._note(_K.REJECTED, fault.rule, head, text=self._safe(fault.text))
        if fault.answer is Answer.REJECT_LOGOUT:
            self._reject(head, fault)
        self._fail(fault.rule, fault.text, status=status)

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
        """The own Logon (LGN-01, LGN-05); fields ascend, those of `logon_fields` come last."""
        config = self.config
        header, extra = self._logon_extra
        body = b"98=0\x01108=%d\x01" % (self._pulse.interval // times.NANOSECONDS)
        if reset:
            body += b"141=Y\x01"
        if config.test_session is not None:
            body += b"464=%b\x01" % (b"Y" if config.test_session else b"N")
        if self.role is Role.INITIATOR:
            if config.username is not None:
                body += b"553=%b\x01" % config.username.encode()
            if config.password is not None:
                body += b"554=%b\x01" % config.password.encode()
        if config.next_expected:
            # LGN-21: an acceptor has counted the Logon that it answers, if it was in sequence.
            body += b"789=%d\x01" % self._next_in
        if config.default_appl_ver_id is not None:
            body += b"1137=%b\x01" % config.default_appl_ver_id.encode()
        self._sent_reset, self._logon_number = reset, self._next_out
        self._send_new(
            LOGON, body + extra, rule, header=header, state=state, text="141=Y" if reset else ""
        )
        if reset and not config.persist_messages:
            # LGN-19: after a crash nothing else tells of a reset that was not answered.
            self.store.save_sent(self._logon_number, self._data[-1])

    def _establish(self, head: Head, *, reset: bool, expected: int | None = None) -> None:
        """The exchange is complete; `expected` is the peer's 789, where it is heeded."""
        seconds = self._pulse.interval // times.NANOSECONDS
        self._established, self._reset_next_logon = True, False
        self._events.append(Established(seconds, reset))
        if self._recovery.open:
            self._note_gap(head)
            if expected is not None and self.config.next_expected:
                self._await_resend()
        unsent, self._unsent_from = self._unsent_from, None
        if expected is not None:
            self._resend_unasked(expected)
        # LGN-30, SCH-09: what was queued before the Logon leaves when the peer asks for it.
        if unsent is not None:
            # SCH-08: numbered while the Logon was out; they leave flagged as possible repeats.
            self._start_replay(unsent, 0, "SCH-08")
        self._request_missing()  # RRQ-08: only now that the exchange is complete

    def _resend_unasked(self, expected: int) -> None:
        """LGN-22, SQR-12: the peer will not ask for what it has not got, from `expected` on."""
        own = self._logon_number
        if self.role is Role.ACCEPTOR:
            # The peer has not seen this Logon when it writes its own: it may expect it.
            missing = expected < own
        else:
            missing = expected <= own
            if missing and expected > 1:
                # QuickFIX 1.16 counts also an early Logon in the 789 of its answer, and would
                # wait for ever for the message before. To others it is a repeat, which is
                # ignored (SQR-04), so no gap fill may run from it into what they expect.
                self._start_replay(expected - 1, expected - 1, "LGN-22")
        if missing:
            self._start_replay(expected, own, "LGN-22")

    def _await_resend(self) -> None:
        """LGN-24: own Logon carried 789, so the gap is filled unasked; RRQ-06 if it is not."""
        recovery = self._recovery
        recovery.requested, recovery.open_ended = True, False
        recovery.progress = self._now
        recovery.asked_again = -1  # the first ResendRequest of the fallback is no repeat
        self._note(
            _K.STATE,
            "LGN-24",
            begin=recovery.begin,
            end=recovery.end,
            gap=recovery.ordinal,
            text="not asked for: the peer resends because of NextExpectedMsgSeqNum(789)",
        )

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

    def _is_second_logon(self, head: Head) -> bool:
        """LGN-29: whether a Logon in session is more than a repeat that only counts."""
        return not head.poss_dup or self.config.habits.second_logon == "close"

    def _on_second_logon(self, message: Message, head: Head) -> None:
        terms = self._logon_terms(message, head)
        if isinstance(terms, Terms) and terms.reset:
            if self.role is Role.ACCEPTOR and not self._is_admitted(message, head):
                return
            if self._reset_unasked and self._next_in == self._next_out == 2:
                # LGN-20: some initiators take a reset they did not ask for as a request, and
                # answer it. To answer that again would go on for ever.
                self._reset_unasked = False
                text = "the answer to the reset of this side"
                self._note(_K.ACCEPTED, "LGN-20", head, text=text)
                return
            since = self._now - times.NANOSECONDS
            self._peer_resets = [*(t for t in self._peer_resets if t > since), self._now]
            if len(self._peer_resets) > _RESETS_MAX:
                self._note(_K.REJECTED, "LGN-19", head)
                self._fail("LGN-19", f"more than {_RESETS_MAX} resets within a second")
                return
            self._replays.clear()
            self._reset_test, self._peer_logout = None, None
            self._limit_size(terms)
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
        if self.config.habits.second_logon == "close":
            self._drop(head, fault.rule, fault.text)
            return
        self._on_fault(head, fault)

    def _on_reset_sent(self, message: Message, head: Head) -> None:
        """LGN-19: waiting for the Logon that confirms a reset; old messages are in flight."""
        if check_identity(message, self.config) is not None or head.number is None:
            self._note(_K.IGNORED, "LGN-19", head, text="not this session's")
        elif head.msg_type == LOGON and not head.poss_dup:
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
        elif (
            head.number == self._old_next_in
            and head.msg_type not in ADMIN_TYPES
            and self._is_sound(message, head)
        ):
            self._old_next_in += 1
            self._note(_K.IGNORED, "LGN-19", head, text="delivered under its old number")
            self._events.append(Received(message, head.number, head.poss_dup))
        else:
            self._old_next_in += head.number == self._old_next_in
            self._note(_K.IGNORED, "LGN-19", head, text="in flight before the reset")

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
