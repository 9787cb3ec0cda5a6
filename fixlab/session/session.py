"""Session: one end of a FIX session. Input and time in; bytes, events and transitions out.

It does no I/O and reads no clock. Pure functions of the modules beside it decide; the layers it
is built on apply what they decided. Whoever drives it hands the events over, calls `commit()`
on the store, and only then writes the bytes.
"""

from __future__ import annotations

from zlib import adler32

from fixlab import times
from fixlab.errors import ConfigError, MessageError, StateError
from fixlab.session import liveness
from fixlab.session.admitting import Admitting
from fixlab.session.core import Output, row
from fixlab.session.events import Ended, Event, Received, RejectReceived, RoundTrip
from fixlab.session.faults import APPLICATION_NOT_AVAILABLE, Answer, Fault
from fixlab.session.inbound import (
    Head,
    check_content,
    check_header,
    check_identity,
    is_garbled,
    is_timely,
    read_head,
    to_number,
    too_low,
)
from fixlab.session.liveness import Due
from fixlab.session.recovering import REQUEST_REPEATS_MAX
from fixlab.session.transitions import Role, SessionState, Transition, TransitionKind
from fixlab.wire.framer import SUM_WITH_TRAILER, Garbled
from fixlab.wire.message import Message, checksum
from fixlab.wire.tags import (
    ADMIN_TYPES,
    BEGIN_SEQ_NO,
    END_SEQ_NO,
    HEARTBEAT,
    LAST_MSG_SEQ_NUM_PROCESSED,
    LOGON,
    LOGOUT,
    MSG_TYPE_NAMES,
    NEW_SEQ_NO,
    ORIG_SENDING_TIME,
    POSS_DUP_FLAG,
    REF_SEQ_NUM,
    REJECT,
    RESEND_REQUEST,
    SEQUENCE_RESET,
    TEST_REQ_ID,
    TEST_REQUEST,
    TEXT,
)

_S, _K = SessionState, TransitionKind
# Asking an enumeration for its member is slow, and these three are asked for at each message.
_ACTIVE, _SENT, _ACCEPTED = _S.ACTIVE, _K.SENT, _K.ACCEPTED
_SKIP_MAX = 1_000_000  # a store allocates them one by one
_LOGOUT_TEXT_MAX = 1_000  # characters of an own Logout's Text(58)
_CLOSED = "outside of session time"


class Session(Admitting):
    """One end of a FIX session, over any number of connections.

    `store` keeps its numbers and messages (a fresh `MemoryStore` when None). All times are
    nanoseconds since the epoch, UTC. Every method that takes `now` returns an `Output`, but
    `next_opening()`; a caller's mistake raises `StateError` or `MessageError`, a peer's never
    does.

    `admit` is asked by an acceptor about each Logon that is good otherwise, a reset in session
    among them; a text refuses it and is told to the peer (LGN-26). What it raises comes out of
    `receive()`, and the Logon stays unanswered.
    """

    def connected(self, now: int) -> Output:
        """The transport is up: an initiator sends its Logon, an acceptor waits for one."""
        if self._state is not _S.DISCONNECTED:
            raise StateError(f"{self.id} is {self._state}; it must be DISCONNECTED to connect")
        self._begin_step(now)
        self._begin_connection(now)
        self._read_store()
        self._unused = self._next_in == self._next_out == 1
        in_time = self._keep_schedule()
        if self.role is Role.ACCEPTOR:
            self._note(_K.STATE, "LGN-01", state=_S.CONNECTED, text="waiting for Logon")
            return self._output()
        if not in_time:
            # SCH-05: nothing is sent, so no number of the next session is used up.
            self._note(_K.STATE, "SCH-05", text=_CLOSED)
            self._events.append(Ended(_CLOSED, "SCH-05", clean=False))
            self._close_reason = _CLOSED
            return self._output()
        reset = self._resets_at_logon()
        if reset:
            self._reset_both("LGN-17")
        self._send_logon("LGN-01", reset=reset, state=_S.LOGON_SENT)
        return self._output()

    def disconnected(self, now: int) -> Output:
        """The transport is gone. Counters and store stay; gap, probe and replay do not."""
        self._begin_step(now)
        if self._state is not _S.DISCONNECTED:
            clean = self._state is _S.LOGOUT_ANSWERED
            text = f"the peer logged out{self._peer_words}" if clean else "connection lost"
            self._disconnect("LGO-02" if clean else "DSC-03", text, clean=clean, close=False)
        return self._output()

    def receive(self, data: bytes, now: int) -> Output:
        """Bytes from the peer, in any split; each message in them is a step of its own."""
        self._begin_step(now, count=False)
        missing = self._framer.missing
        if 0 < missing < len(data):
            # A message was cut in two: with its end apart, the rest can go the quick way again.
            self._take(data[:missing])
            data = data[missing:]
        self._take(data)
        return self._output()

    def _take(self, data: bytes) -> None:
        now = self._now
        if self._framer.idle:
            done = self._deliver_usual(data)
            if done == len(data):
                return
            data = data[done:]
        for item in self._framer.feed(data):
            if self._state is _S.DISCONNECTED:
                break  # what follows a refusal is not ours to answer
            if isinstance(item, Garbled):
                self._step += 1
                self._on_garbled(item)
            elif not self._deliver_usual(item.raw or b""):
                self._step += 1
                defect = is_garbled(item, self.config)
                if defect is not None:
                    self._on_garbled(Garbled(defect.rule, defect.text, item.raw or b""))
                    continue
                self._received_at, self._probed_at = now, None
                self._on_message(item)

    def tick(self, now: int) -> Output:
        """Do what is due at `now`; nothing when `deadline` has not come."""
        self._begin_step(now, count=False)
        limit = self.deadline
        if limit is None or now < limit:
            return self._output()
        self._step += 1
        logout_limit = self._entered + times.seconds(self.config.logout_timeout_seconds)
        if self._state in (_S.LOGOUT_SENT, _S.LOGOUT_ANSWERED) and now >= logout_limit:
            self._tick_waiting()  # LGO-08: a peer that keeps asking does not hold it open
        elif self._replays:
            self._continue_replay()
        elif self._state is _S.ACTIVE:
            self._tick_active()
        else:
            self._tick_waiting()
        return self._output()

    def send(self, message: Message, now: int) -> Output:
        """Number, store and send one application message; its SENT row has the number.

        While the session cannot send it is numbered and stored (a QUEUED row) and leaves when
        the peer asks for it, or when the replay under way is done (SCH-07, RSP-15). Content
        that may have been received under another number carries PossResend(97)=Y (PRS-05).
        """
        msg_type = message.msg_type
        if msg_type in ADMIN_TYPES:
            raise MessageError(
                f"{MSG_TYPE_NAMES[msg_type]} belongs to the session: use connected(), "
                f"test_request(), logout() or reset()"
            )
        header, body = message.sections()
        repeats = header != b"" and self._repeats(message)
        if self._state is not _ACTIVE or self._replays or self._reset_test is not None:
            if self._resetting:
                raise StateError(
                    f"{self.id} is resetting; send again once it is ACTIVE (LGN-19)"
                )
            self._begin_step(now)
            self._queue(msg_type, header, body)
            return self._output()
        if repeats:
            self._begin_step(now)
            flagged = message.get(POSS_DUP_FLAG) == "Y"
            self._send_new(msg_type, body, "PRS-01", header=header, poss_dup=flagged)
            return self._output()
        # Spelled out rather than left to `_send_new`: this is done for every message sent.
        number, next_in = self._next_out, self._next_in
        raw = self._stored(msg_type, number, header, body, now)
        self._step = step = self._step + 1
        self._next_out, self._sent_at = number + 1, now
        sent: Transition = row(
            Transition,
            (
                now, self.id, step, _SENT, _ACTIVE, _ACTIVE,
                next_in, next_in, number, number + 1,
                msg_type, number, False, None, None, None, "SEQ-01", "",
            ),
        )  # fmt: skip
        output: Output = row(Output, (raw, (), (sent,), None))
        return output

    def _repeats(self, message: Message) -> bool:
        """PRS-01: whether a message to send says that it is a repeat, though its number is new.

        Who passes messages on may have agreed upon that; otherwise it is a mistake.
        """
        if POSS_DUP_FLAG not in message and ORIG_SENDING_TIME not in message:
            return False
        if not self.config.allow_poss_dup:
            raise MessageError(
                "the session itself writes tags 43 and 122; leave them out of the message's "
                "fields, or set allow_poss_dup"
            )
        return True

    def test_request(self, now: int, test_req_id: str | None = None) -> Output:
        """Send TestRequest(1); its answer is a `RoundTrip` event (HBT-08, HBT-11)."""
        self._require_active("test_request()")
        self._begin_step(now)
        self._send_test(test_req_id, "HBT-11")
        return self._output()

    def skip(self, count: int, now: int) -> Output:
        """Use up `count` numbers without sending anything, as a faulty sender does (SEQ-15)."""
        if not 1 <= count <= _SKIP_MAX:
            raise ConfigError(f"skip() takes 1 to {_SKIP_MAX:,} numbers, found {count}")
        self._begin_step(now)
        if self._state is _S.DISCONNECTED:
            self._read_store()
        first = self._next_out
        for _ in range(count):
            self.store.next_out()
        self._note(
            _K.SKIPPED, "SEQ-15", next_out=first + count, begin=first, end=first + count - 1
        )
        return self._output()

    def logout(self, now: int, text: str = "") -> Output:
        """End the session: Logout, its confirmation, close (LGO-01).

        With a gap open the Logout waits until it is closed or the logout time-out passes, so
        that nothing is lost (LGO-06).
        """
        self._require_active("logout()")
        if len(text) > _LOGOUT_TEXT_MAX:
            raise MessageError(
                f"Text(58) of a Logout has at most {_LOGOUT_TEXT_MAX} characters, "
                f"found {len(text)}"
            )
        self._begin_step(now)
        self._begin_logout("LGO-01", text)
        return self._output()

    def reset(self, now: int) -> Output:
        """Restart both numbers at 1: Logon with ResetSeqNumFlag(141)=Y (LGN-19).

        In session a TestRequest makes sure first that nothing is in flight. A disconnected
        initiator resets with its next Logon (LGN-17).
        """
        if self.config.begin_string == "FIX.4.0":
            raise StateError(
                f"{self.id}: FIX.4.0 has no ResetSeqNumFlag(141); reset both sides by hand"
            )
        if self._state is _S.DISCONNECTED and self.role is Role.INITIATOR:
            self._begin_step(now)
            self._reset_next_logon = True
            self._note(_K.STATE, "LGN-17", text="the next Logon resets both numbers")
            return self._output()
        self._require_active("reset()")
        if self._recovery.open or self._replays:
            raise StateError(
                f"{self.id}: a reset would lose what is being recovered; wait until no gap is "
                f"open (LGN-19)"
            )
        self._begin_step(now)
        if self._reset_test is None:
            # Never a fixed id: the answer to an older TestRequest proves too little.
            self._reset_test = self._send_test(self._unique_id(), "LGN-19")
            self._reset_asked = now
        return self._output()

    def sequence_reset(self, new_number: int, now: int) -> Output:
        """SequenceReset-Reset: NextNumOut becomes `new_number` (SQR-14).

        For disaster recovery only: what the peer has not received below it is lost to the peer
        without a word (SQR-11); `reset()` is the better way. After a loss of state it lifts
        NextNumOut above whatever the peer expects (SQR-15). Raises `ConfigError` when it does
        not raise NextNumOut, or by too much, and `StateError` unless the session is ACTIVE with
        no ResendRequest being answered.
        """
        self._require_active("sequence_reset()")
        if self._replays or self._resetting:
            raise StateError(
                f"{self.id}: a ResendRequest is being answered or the session is resetting; a "
                f"SequenceReset-Reset is no answer to that (SQR-11)"
            )
        first = self._next_out
        if not first < new_number <= first + _SKIP_MAX:
            raise ConfigError(
                f"sequence_reset() takes {first + 1:,} to {first + _SKIP_MAX:,}, as NextNumOut "
                f"is {first:,}; found {new_number:,}"
            )
        self._begin_step(now)
        body = b"123=N\x0136=%d\x01" % new_number
        self._send_new(SEQUENCE_RESET, body, "SQR-14", text=f"NewSeqNo(36) {new_number}")
        if new_number > first + 1:
            for _ in range(first + 1, new_number):
                self.store.next_out()
            self._note(
                _K.SKIPPED, "SQR-14", next_out=new_number, begin=first + 1, end=new_number - 1
            )
        return self._output()

    def handler_failed(self, event: Event, now: int) -> Output:
        """The application raised on `event`: do what `config` has for that, if anything.

        With `reject_on_handler_error` a message is refused that was delivered, and counted,
        already (REJ-15); with `disconnect_on_handler_error` a Logout ends the connection
        (DSC-02). What the application raised stays on this side.
        """
        self._begin_step(now)
        if self._state is _S.ACTIVE:
            if self.config.reject_on_handler_error and isinstance(event, Received):
                self._reject(read_head(event.message), APPLICATION_NOT_AVAILABLE)
            if self.config.disconnect_on_handler_error:
                self._fail("DSC-02", APPLICATION_NOT_AVAILABLE.text)
        return self._output()

    # Receiving --------------------------------------------------------------------------

    def _deliver_usual(self, data: bytes) -> int:
        """Deliver the run of usual messages at the head of `data`; returns its length in bytes.

        Usual is an application message with the expected number and nothing to object to. The
        run ends at the first message that is not; that one is framed and read field by field.
        """
        # This loop is where nearly all messages pass, so what it asks for again and again it
        # asks for once.
        position, time_checked = 0, b""
        observed_in, now, bytes_max = self.store.observed_in, self._now, self._bytes_max
        recovery, next_out, session = self._recovery, self._next_out, self.id
        sum_for, from_wire = SUM_WITH_TRAILER.get, Message.from_wire
        tell, note = self._events.append, self._rows.append
        found = self._usual(data) if self._state is _ACTIVE else ()
        for raw, length, msg_type, number_1, time_1, number_2, time_2, _, trailer in found:
            number, size = self._next_in, len(raw)
            if size == 0 or int(number_1 or number_2) != number:
                break
            # FRM-03: BodyLength counts from behind its own SOH to before "10=".
            if int(length) != size - len(length) - self._frame_bytes or size > bytes_max:
                break
            total = adler32(raw, 0) if size <= 256 else checksum(raw)
            if sum_for(trailer) != total & 0xFF:
                break
            time_text = time_1 or time_2
            if time_text != time_checked:
                if not is_timely(time_text, self.config, now):
                    break
                time_checked = time_text
            position += size
            self._step = step = self._step + 1
            observed_in(number)
            self._next_in = next_in = number + 1
            tell(row(Received, (from_wire(raw, plain=True), number, False)))
            note(
                row(
                    Transition,
                    (
                        now, session, step, _ACCEPTED, _ACTIVE, _ACTIVE,
                        number, next_in, next_out, next_out,
                        msg_type.decode("latin-1"), number, False, None, None,
                        recovery.ordinal if recovery.end else None, "SEQ-02", "",
                    ),
                )
            )  # fmt: skip
            if recovery.end or recovery.held:
                recovery.progress = now
                recovery.asked_again = recovery.stalled = 0
                self._settle()
                next_out = self._next_out
                if self._state is not _ACTIVE:
                    break
        if position:
            self._received_at, self._probed_at = now, None
        return position

    def _on_garbled(self, garbled: Garbled) -> None:
        # FRM-06, SEQ-10: nothing is sent and nothing counted; the next message shows the gap.
        self._note(_K.GARBLED, garbled.rule, text=garbled.reason)
        if self._state is _S.CONNECTED:
            # FRM-08: whoever talks so before a Logon is no FIX peer.
            self._disconnect("FRM-08", f"not FIX before the Logon: {garbled.reason}")
        elif self.config.reject_garbled and self._state is _S.ACTIVE:
            self._reject_garbled(garbled)

    def _reject_garbled(self, garbled: Garbled) -> None:
        """FRM-06 as QuickFIX/J can have it: a message whose number shows is rejected.

        That is one whose end is certain, so not where BodyLength(9) is wrong. A garbled Logon
        or SequenceReset is ignored all the same: what it would have changed is not to be known.
        """
        message = Message.from_wire(garbled.raw)
        head = read_head(message)
        ignored = head.number is None or head.msg_type in (LOGON, SEQUENCE_RESET)
        if ignored or check_identity(message, self.config) is not None:
            return
        self._on_fault(head, Fault(garbled.rule, Answer.REJECT, garbled.reason))
        self._settle()

    def _on_message(self, message: Message) -> None:
        head = read_head(message)
        match self._state:
            case _S.ACTIVE:
                self._on_active(message, head)
            case _S.CONNECTED:
                self._on_first(message, head)
            case _S.LOGON_SENT:
                self._on_logon_answer(message, head)
            case _S.LOGOUT_SENT:
                self._on_logout_sent(message, head)
            case _S.LOGOUT_ANSWERED:
                self._on_logout_answered(message, head)
            case _S.RESET_SENT:
                self._on_reset_sent(message, head)
            case _:
                self._on_closing(message, head)
        if self._warnings:
            self._write_warnings(head)

    def _on_active(self, message: Message, head: Head) -> None:
        fault = check_header(message, head, self.config, self._now, self._next_in)
        number = head.number
        if number is None:
            assert fault is not None, "check_header demands a number"
            self._on_no_number(head, fault)
            return
        if fault is not None:
            self._on_fault(head, fault)
            self._settle()
            return
        if LAST_MSG_SEQ_NUM_PROCESSED in message:
            self._check_processed(message)
        # SQR-01: a gap fill is checked like any message, a reset is not.
        if head.msg_type == SEQUENCE_RESET and not head.gap_fill:
            self._on_sequence_reset(message, head)  # SEQ-08: its own number does not count
        elif head.msg_type == LOGON and self._is_second_logon(head):
            self._on_second_logon(message, head)
        elif self._follows:
            self._warn_of_number(head, number)
            self._on_expected(message, head)
            self._settle()
        elif number == self._next_in:
            self._on_expected(message, head)
            self._settle()
        elif head.msg_type in self.config.habits.any_number and not (
            head.msg_type == REJECT and number < self._next_in
        ):
            self._on_any_number(message, head)
        elif number < self._next_in:
            self._on_low(message, head)
        else:
            self._on_early(message, head, number)  # SEQ-12: flagged as a repeat or not

    def _on_no_number(self, head: Head, fault: Fault) -> None:
        """FRM-09, FRM-10, or another BeginString(8): as the profile's engine answers it."""
        habit = self.config.habits.missing_number
        if habit == "logout" or fault.rule == "HDR-01":
            self._on_fault(head, fault)
        elif habit == "close":
            self._drop(head, fault.rule, fault.text)
        else:
            self._note(_K.IGNORED, fault.rule, head, text=self._safe(fault.text))

    def _check_processed(self, message: Message) -> None:
        """HDR-11: a peer cannot have processed what was not sent; it is noted, no more."""
        processed = to_number(message[LAST_MSG_SEQ_NUM_PROCESSED])
        if processed is not None and processed >= self._next_out:
            text = f"LastMsgSeqNumProcessed(369) {processed}, last sent {self._next_out - 1}"
            self._warnings.append(("HDR-11", text))

    def _on_low(self, message: Message, head: Head) -> None:
        assert head.number is not None
        if head.msg_type == RESEND_REQUEST and self.config.habits.early_request == "uncounted":
            # RSP-14: engines that do not count an early request disregard a low number, too.
            fault = check_content(message, head, self.config)
            if fault is not None:
                self._on_fault(head, fault)
                return
            self._note(_K.IGNORED, "RSP-14", head, text="answered, its number disregarded")
            self._answer_resend(message, head, "RSP-14")
            return
        if head.poss_dup:
            rule, recovery = "SQR-04" if head.gap_fill else "SEQ-04", self._recovery
            recovery.answered = True
            self._note(_K.DUPLICATE, rule, head, gap=recovery.gap_ordinal)
            new = to_number(message.get(NEW_SEQ_NO)) if head.gap_fill else None
            if (
                new is not None
                and new > self._next_in
                and recovery.requested
                and recovery.asked_again < REQUEST_REPEATS_MAX
            ):
                # It began too early to be used, as with engines that fill from a Logon which
                # was counted already. The numbers it meant are missing still.
                recovery.requested = False
                recovery.asked_again += 1
                self._request_missing()
            return
        rule = {RESEND_REQUEST: "RSP-14", LOGOUT: "LGO-07"}.get(head.msg_type, "SEQ-03")
        if head.gap_fill:
            rule = "SQR-05"
        text = too_low(self._next_in, head.number)
        self._note(_K.TOO_LOW, rule, head, text=text)
        self._fail(rule, text)

    def _on_any_number(self, message: Message, head: Head) -> None:
        """REJ-18, LGO-05, LGO-07 as QuickFIX has it: counted as one, acted on at once."""
        fault = self._content_fault(message, head)
        if fault is not None:
            self._on_fault(head, fault)
        elif head.msg_type == REJECT:
            self._on_reject(message, head, self._next_in + 1)
        else:
            self._on_logout(message, head, self._next_in + 1)
        self._settle()

    # The expected number ----------------------------------------------------------------

    def _on_expected(self, message: Message, head: Head) -> None:
        fault = self._content_fault(message, head)
        if fault is not None:
            self._on_fault(head, fault)
            return
        if head.poss_dup or head.gap_fill:
            self._recovery.answered = True
        number = head.number
        assert number is not None
        if head.gap_fill:
            self._on_gap_fill(message, head, number)
            return
        if head.msg_type not in ADMIN_TYPES:
            rule = "SEQ-11" if head.poss_dup else "SEQ-02"
            self._count(_K.ACCEPTED, rule, head, number + 1)
            self._events.append(Received(message, number, head.poss_dup))
            return
        text = self._safe(message.get(TEXT) or message.get(TEST_REQ_ID) or "")
        if head.msg_type != REJECT and not self._is_acted_on(head):
            # SEQ-14: what it asked for was asked, and answered, the first time.
            self._count(_K.ACCEPTED, "SEQ-14", head, number + 1, "counted, not acted on")
            return
        if head.msg_type == HEARTBEAT:
            self._count(_K.ACCEPTED, "HBT-09", head, number + 1, text)
            self._on_heartbeat(message)
        elif head.msg_type == TEST_REQUEST:
            self._count(_K.ACCEPTED, "HBT-03", head, number + 1, text)
            self._answer_test(message)
        elif head.msg_type == RESEND_REQUEST:
            begin, end = to_number(message[BEGIN_SEQ_NO]), to_number(message[END_SEQ_NO])
            self._count(_K.ACCEPTED, "RSP-01", head, number + 1, "", begin, end)
            self._answer_resend(message, head, "RSP-01")
        elif head.msg_type == REJECT:
            self._on_reject(message, head, number + 1)
        else:
            assert head.msg_type == LOGOUT, "Logon and SequenceReset are handled before"
            self._on_logout(message, head, number + 1)

    def _on_reject(self, message: Message, head: Head, next_in: int) -> None:
        text = self._safe(message.get(TEXT) or "")
        self._count(_K.ACCEPTED, "REJ-18", head, next_in, text)
        refused = to_number(message.get(REF_SEQ_NUM))
        self._events.append(RejectReceived(message, refused, text))

    def _on_logout(self, message: Message, head: Head, next_in: int) -> None:
        text = self._safe(message.get(TEXT) or "")
        self._count(_K.ACCEPTED, "LGO-02", head, next_in, text)
        self._peer_words = f": {text}" if text else ""
        self._answer_logout()

    def _on_heartbeat(self, message: Message) -> None:
        test_req_id = message.get(TEST_REQ_ID)
        left = self._test_answered(test_req_id) if test_req_id else None
        if test_req_id is None or left is None:
            return
        elapsed = (self._now - left) / times.NANOSECONDS
        self._events.append(RoundTrip(test_req_id, elapsed))
        if test_req_id == self._reset_test:
            self._start_reset()

    def _on_gap_fill(self, message: Message, head: Head, number: int) -> None:
        new = to_number(message[NEW_SEQ_NO])
        assert new is not None, "check_content demands one"
        if new == number and self.config.habits.same_gap_fill == "accept":
            text = "NewSeqNo(36) is the expected number already"
            self._note(_K.GAP_FILLED, "SQR-06", head, gap=self._recovery.gap_ordinal, text=text)
            return
        if new <= number:
            self._on_fault(
                head,
                Fault(
                    "SQR-06",
                    Answer.REJECT,
                    f"Attempt to lower sequence number, invalid value NewSeqNo(36)={new}",
                    5,
                    NEW_SEQ_NO,
                ),
            )
            return
        self._count(_K.GAP_FILLED, "SQR-02", head, new, "", number, new - 1)

    def _on_sequence_reset(self, message: Message, head: Head) -> None:
        """SequenceReset-Reset: it may only raise NextNumIn (SQR-07 to SQR-10)."""
        fault = self._content_fault(message, head)
        new = to_number(message.get(NEW_SEQ_NO))
        if fault is None and new is not None and new < self._next_in:
            fault = Fault(
                "SQR-09",
                Answer.REJECT,
                f"Attempt to lower sequence number, NewSeqNo(36)={new} is below "
                f"{self._next_in}",
                5,
                NEW_SEQ_NO,
            )
        if fault is not None:
            # SQR-13: in reset mode nothing is counted, whatever number it carries.
            self._note(_K.REJECTED, fault.rule, head, text=self._safe(fault.text))
            self._reject(head, fault)
            return
        assert new is not None
        if new == self._next_in:
            self._note(_K.RESET_IN, "SQR-08", head, begin=new, text="already expected")
            return
        self._count(_K.RESET_IN, "SQR-07", head, new, "", self._next_in, new - 1)
        self._settle()

    # Time -------------------------------------------------------------------------------

    @property
    def deadline(self) -> int | None:
        """Earliest time at which `tick()` has work, or None."""
        state, config = self._state, self.config
        if state is _S.DISCONNECTED:
            return None
        if self._replays:
            return self._sent_at
        if state is _S.CONNECTED and config.habits.waits_for_logon:
            return None  # LGN-28: `net.Acceptor` has a limit for callers all the same
        if state in (_S.CONNECTED, _S.LOGON_SENT, _S.RESET_SENT):
            return self._entered + times.seconds(config.logon_timeout_seconds)
        if state in (_S.LOGOUT_SENT, _S.LOGOUT_ANSWERED):
            return self._entered + times.seconds(config.logout_timeout_seconds)
        if state is _S.CLOSING:
            return self._entered + times.seconds(config.disconnect_wait_seconds)
        earliest = liveness.deadline(
            self._pulse,
            sent=self._sent_at,
            received=self._received_at,
            probed=self._probed_at,
        )
        for wait in (
            self._request_deadline(),
            self._logout_deadline(),
            self._reset_deadline(),
            self._closes_at,
        ):
            if wait is not None and (earliest is None or wait < earliest):
                earliest = wait
        return earliest

    def _tick_active(self) -> None:
        now, recovery = self._now, self._recovery
        if self._closes_at is not None and now >= self._closes_at:
            self._closes_at = None
            self._note(_K.TIMED_OUT, "SCH-05", text="session time is over")
            self._begin_logout("SCH-05", "session time is over")
            return
        limit = self._reset_deadline()
        if limit is not None and now >= limit:
            # A lost answer is gap-filled, never resent: waiting longer would block send().
            self._reset_test = None
            self._note(
                _K.TIMED_OUT, "LGN-19", text="reset dropped: its TestRequest was not answered"
            )
        limit = self._logout_deadline()
        if limit is not None and now >= limit:
            # LGO-05, LGO-06: recovery took too long; the gap shows again at the next Logon.
            self._note(_K.TIMED_OUT, "LGO-05" if self._peer_logout else "LGO-06")
            peer_asked, text = self._peer_logout, self._logout_text or ""
            self._abandon_gap()
            if peer_asked is not None:
                self._answer_logout()
            else:
                self._send_logout("LGO-06", text, _S.LOGOUT_SENT)
            return
        limit = self._request_deadline()
        if limit is not None and now >= limit:
            self._note(
                _K.TIMED_OUT,
                "RRQ-06",
                begin=self._next_in,
                end=recovery.end,
                gap=recovery.ordinal,
                text="no answer to the ResendRequest",
            )
            if recovery.asked_again >= REQUEST_REPEATS_MAX:
                self._fail("RRQ-06", f"ResendRequest from {self._next_in} was not answered")
                return
            recovery.asked_again += 1
            recovery.requested = False
            self._request_missing()
        match liveness.due(
            self._pulse,
            now,
            sent=self._sent_at,
            received=self._received_at,
            probed=self._probed_at,
        ):
            case Due.HEARTBEAT:
                self._send_new(HEARTBEAT, b"", "HBT-01")
            case Due.TEST_REQUEST:
                self._probed_at = now
                silent = (now - self._received_at) / times.NANOSECONDS
                self._note(_K.PROBED, "HBT-04", text=f"nothing received for {silent:g} s")
                self._send_test(None, "HBT-04")
            case Due.DROP:
                self._note(_K.TIMED_OUT, "HBT-05", text="TestRequest was not answered")
                if self.config.logout_on_silence:
                    self._fail("HBT-05", "Timed out waiting for an answer to TestRequest")
                else:
                    self._disconnect("HBT-05", "TestRequest was not answered")

    def _tick_waiting(self) -> None:
        rule, text = {
            _S.CONNECTED: ("LGN-28", "no Logon came"),
            _S.LOGON_SENT: ("LGN-28", "the Logon was not answered"),
            _S.RESET_SENT: ("LGN-19", "the reset was not answered"),
            _S.LOGOUT_SENT: ("LGO-08", "the Logout was not confirmed"),
            _S.LOGOUT_ANSWERED: (
                "LGO-02",
                f"the peer did not close after its Logout{self._peer_words}",
            ),
            _S.CLOSING: ("LGO-12", "closed after a protocol error"),
        }[self._state]
        clean = self._state is _S.LOGOUT_ANSWERED
        self._note(_K.TIMED_OUT, rule, text=text)
        self._disconnect(rule, text, clean=clean)
