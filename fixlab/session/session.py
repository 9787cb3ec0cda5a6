"""Session: one end of a FIX session. Input and time in; bytes, events and transitions out.

It does no I/O and reads no clock. Pure functions of the modules beside it decide; only this
class changes state, and each change is a `Transition`. Whoever drives it hands the events over,
calls `commit()` on the store, and only then writes the bytes.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fixlab import redact, times
from fixlab.errors import MessageError, StateError
from fixlab.session import liveness
from fixlab.session.config import SessionConfig
from fixlab.session.events import (
    Ended,
    Established,
    Event,
    GapClosed,
    GapNoticed,
    Received,
    RejectReceived,
    RoundTrip,
)
from fixlab.session.fastpath import usual_messages
from fixlab.session.inbound import (
    Answer,
    Fault,
    Head,
    check_content,
    check_header,
    check_identity,
    check_sending_time,
    is_timely,
    read_head,
    to_number,
    too_low,
)
from fixlab.session.lifecycle import NEXT_STATES, Terms, read_logon
from fixlab.session.liveness import Due, Pulse
from fixlab.session.outbound import (
    REPLAY_BYTES,
    Composer,
    Replay,
    reject_body,
    resend_request_body,
)
from fixlab.session.recovery import Gap, Held, Recovery
from fixlab.session.transitions import Role, SessionState, Transition, TransitionKind
from fixlab.stores.base import Store
from fixlab.stores.memory import MemoryStore
from fixlab.wire.framer import Framer, Garbled, adds_up
from fixlab.wire.message import Message
from fixlab.wire.tags import (
    ADMIN_TYPES,
    BEGIN_SEQ_NO,
    END_SEQ_NO,
    HEARTBEAT,
    LOGON,
    LOGOUT,
    MSG_TYPE_NAMES,
    NEW_SEQ_NO,
    REF_SEQ_NUM,
    REJECT,
    RESEND_REQUEST,
    SEQUENCE_RESET,
    TEST_REQ_ID,
    TEST_REQUEST,
    TEXT,
)

_S, _K = SessionState, TransitionKind
_LOGOUT_TEXT_MAX = 1_000  # characters of an own Logout's Text(58)
_TEXT_MAX = 200  # characters of a peer's Text(58) that a transition keeps
_REQUEST_REPEATS_MAX = 1  # RRQ-06: ask once more, then give up
_STALLED_MAX = 2  # SQR-16: so many new messages in a row, and the answer has stopped
_TESTS_MAX = 16  # own TestRequests remembered while unanswered
_REPLAYS_MAX = 16  # RSP-17: ResendRequests whose answer may be outstanding at once
_LIVE = frozenset(
    {_S.ACTIVE, _S.LOGOUT_SENT, _S.LOGOUT_ANSWERED}
)  # a ResendRequest is answered


class Output(NamedTuple):
    """What one input led to."""

    data: bytes  # write this, after Store.commit()
    events: tuple[Event, ...]  # tell the application
    transitions: tuple[Transition, ...]  # give to the Journal
    disconnect: str | None  # if set, close the transport after writing; says why


class Session:
    """One end of a FIX session, over any number of connections.

    `store` keeps its numbers and messages (a fresh `MemoryStore` when None). All times are
    nanoseconds since the epoch, UTC. Every method that takes `now` returns an `Output`; a
    caller's mistake raises `StateError` or `MessageError`, a peer's never does.
    """

    def __init__(self, config: SessionConfig, role: Role, store: Store | None = None) -> None:
        self.config = config
        self.role = Role(role)
        self.store: Store = MemoryStore() if store is None else store
        self.id = config.session_id
        self._state = _S.DISCONNECTED
        self._compose = Composer(config)
        self._usual = usual_messages(config)
        # FRM-13: the peer must be able to take the message's replay, too.
        self._bytes_max = config.message_bytes_max - REPLAY_BYTES
        self._framer = Framer(config.message_bytes_max)
        self._next_in = self.store.current_in()
        self._next_out = self.store.peek_out()
        self._recovery = Recovery(config.held_max)
        self._replays: list[Replay] = []  # under way first, then those that wait
        self._step = -1
        self._begin_connection(0)
        self._reset_next_logon = False
        self._begin_step(0, count=False)

    def _begin_connection(self, now: int) -> None:
        """What no connection inherits from the one before it (DSC-03, RRQ-09)."""
        self._framer = Framer(self.config.message_bytes_max)
        self._recovery.clear()
        self._replays.clear()
        self._pulse = Pulse.of(self.config, self.config.heartbeat_seconds)
        self._entered = now  # when the current state began
        self._sent_at = self._received_at = now
        self._probed_at: int | None = None
        self._tests: dict[str, int] = {}  # own TestRequests, when they left
        self._unsent_from: int | None = None  # first number QUEUED on this connection
        self._asked = (0, 0, 0)  # the last ResendRequest's range, and how often in a row
        self._reset_test: str | None = None  # TestReqID whose answer lets a reset start
        self._reset_asked = now  # when that TestRequest left
        self._old_next_in = 0  # RESET_SENT: what was due under the old numbers
        self._logout_text: str | None = None  # own Logout waits for the gap to close
        self._entered_logout = now  # since when it waits
        self._peer_logout: tuple[int, int] | None = None  # an early Logout: number, when
        self._sent_reset = False  # own Logon of this connection carried 141=Y

    # Looking ---------------------------------------------------------------------------

    @property
    def state(self) -> SessionState:
        """Lifecycle only; see `gap` for recovery."""
        return self._state

    @property
    def next_in(self) -> int:
        """NextNumIn: the number expected next."""
        return self._next_in

    @property
    def next_out(self) -> int:
        """NextNumOut: the number to be sent next."""
        return self._next_out

    @property
    def gap(self) -> Gap | None:
        """What is missing inbound, or None."""
        r = self._recovery
        return Gap(max(r.begin, self._next_in), r.end, len(r.held)) if r.open else None

    @property
    def replaying(self) -> bool:
        """Whether a ResendRequest is being answered; `tick()` then sends the next batch."""
        return bool(self._replays)

    @property
    def deadline(self) -> int | None:
        """Earliest time at which `tick()` has work, or None."""
        state, config = self._state, self.config
        if state is _S.DISCONNECTED:
            return None
        if self._replays:
            return self._sent_at
        if state in (_S.CONNECTED, _S.LOGON_SENT, _S.RESET_SENT):
            return self._entered + times.seconds(config.logon_timeout_seconds)
        if state in (_S.LOGOUT_SENT, _S.LOGOUT_ANSWERED):
            return self._entered + times.seconds(config.logout_timeout_seconds)
        if state is _S.CLOSING:
            return self._entered + times.seconds(config.disconnect_wait_seconds)
        waits = [
            liveness.deadline(
                self._pulse,
                sent=self._sent_at,
                received=self._received_at,
                probed=self._probed_at,
            ),
            self._request_deadline(),
            self._logout_deadline(),
            self._reset_deadline(),
        ]
        return min((wait for wait in waits if wait is not None), default=None)

    def _request_deadline(self) -> int | None:
        r = self._recovery
        if not (r.open and r.requested):
            return None
        return r.progress + times.seconds(self.config.resend_timeout_seconds)

    def _reset_deadline(self) -> int | None:
        """When a reset that waits for the answer to its TestRequest is given up (LGN-19)."""
        if self._reset_test is None:
            return None
        return self._reset_asked + times.seconds(self.config.logon_timeout_seconds)

    def _logout_deadline(self) -> int | None:
        """When a Logout that waits for recovery stops waiting (LGO-05, LGO-06)."""
        since = [self._peer_logout[1]] if self._peer_logout else []
        since += [self._entered_logout] if self._logout_text is not None else []
        return min(since) + times.seconds(self.config.logout_timeout_seconds) if since else None

    def __repr__(self) -> str:
        gap = self.gap
        missing = f", missing {gap.begin}-{gap.end}" if gap else ""
        return (
            f"<Session {self.id} {self.role} {self._state}, "
            f"NextNumIn {self._next_in}, NextNumOut {self._next_out}{missing}>"
        )

    # Inputs ----------------------------------------------------------------------------

    def connected(self, now: int) -> Output:
        """The transport is up: an initiator sends its Logon, an acceptor waits for one."""
        if self._state is not _S.DISCONNECTED:
            raise StateError(f"{self.id} is {self._state}; it must be DISCONNECTED to connect")
        self._begin_step(now)
        self._begin_connection(now)
        # The store is the truth: it may have been edited, or restored, while disconnected.
        self._next_in, self._next_out = self.store.current_in(), self.store.peek_out()
        if self.role is Role.ACCEPTOR:
            self._note(_K.STATE, "LGN-01", state=_S.CONNECTED, text="waiting for Logon")
            return self._output()
        reset = self.config.reset_on_logon or self._reset_next_logon
        if reset:
            self._reset_both("LGN-17")
        self._send_logon("LGN-01", reset=reset, state=_S.LOGON_SENT)
        return self._output()

    def disconnected(self, now: int) -> Output:
        """The transport is gone. Counters and store stay; gap, probe and replay do not."""
        self._begin_step(now)
        if self._state is not _S.DISCONNECTED:
            clean = self._state is _S.LOGOUT_ANSWERED
            text = "peer closed after the Logout" if clean else "connection lost"
            self._disconnect("LGO-02" if clean else "DSC-03", text, clean=clean, close=False)
        return self._output()

    def receive(self, data: bytes, now: int) -> Output:
        """Bytes from the peer, in any split; each message in them is a step of its own."""
        self._begin_step(now, count=False)
        if self._framer.idle:
            done = self._deliver_usual(data)
            if done == len(data):
                return self._output()
            data = data[done:]
        for item in self._framer.feed(data):
            if self._state is _S.DISCONNECTED:
                break  # what follows a refusal is not ours to answer
            if isinstance(item, Garbled):
                self._step += 1
                self._on_garbled(item)
            elif not self._deliver_usual(item.raw or b""):
                self._step += 1
                self._received_at, self._probed_at = now, None
                self._on_message(item)
        return self._output()

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
        the peer asks for it, or when the replay under way is done (SCH-07, RSP-15).
        """
        msg_type = message.msg_type
        if msg_type in ADMIN_TYPES or self._resetting:
            self._refuse_to_send(msg_type)
        header, body = message.sections()
        self._begin_step(now)
        if self._state is _S.ACTIVE and not self._replays:
            self._send_new(msg_type, body, "SEQ-01", header=header)
        else:
            self._queue(msg_type, header, body)
        return self._output()

    def _refuse_to_send(self, msg_type: str) -> None:
        if msg_type in ADMIN_TYPES:
            raise MessageError(
                f"{MSG_TYPE_NAMES[msg_type]} belongs to the session: use connected(), "
                f"test_request(), logout() or reset()"
            )
        raise StateError(f"{self.id} is resetting; send again once it is ACTIVE (LGN-19)")

    def test_request(self, now: int, test_req_id: str | None = None) -> Output:
        """Send TestRequest(1); its answer is a `RoundTrip` event (HBT-08, HBT-11)."""
        self._require_active("test_request()")
        self._begin_step(now)
        self._send_test(test_req_id, "HBT-11")
        return self._output()

    def skip(self, count: int, now: int) -> Output:
        """Use up `count` numbers without sending anything, as a faulty sender does (SEQ-15)."""
        if count < 1:
            raise StateError(f"skip() needs a count of at least 1, found {count}")
        self._begin_step(now)
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
                f"Text(58) of a Logout may have {_LOGOUT_TEXT_MAX} characters, found {len(text)}"
            )
        self._begin_step(now)
        if self._recovery.open or self._replays:
            if self._logout_text is None:
                self._logout_text, self._entered_logout = text, now
                self._note(_K.STATE, "LGO-06", text="Logout waits for the recovery under way")
        else:
            self._send_logout("LGO-01", text, _S.LOGOUT_SENT)
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
            self._reset_test, self._reset_asked = self._send_test(None, "LGN-19"), now
        return self._output()

    @property
    def _resetting(self) -> bool:
        """Whether an in-session reset is under way, from its TestRequest to its Logon."""
        return self._state is _S.RESET_SENT or (
            self._state is _S.ACTIVE and self._reset_test is not None
        )

    def _require_active(self, call: str) -> None:
        if self._state is not _S.ACTIVE:
            raise StateError(f"{call} needs an ACTIVE session, {self.id} is {self._state}")

    # Steps and rows --------------------------------------------------------------------

    def _begin_step(self, now: int, *, count: bool = True) -> None:
        self._now = now
        self._step += count
        self._data: list[bytes] = []
        self._events: list[Event] = []
        self._rows: list[Transition] = []
        self._close_reason: str | None = None

    def _output(self) -> Output:
        data = self._data[0] if len(self._data) == 1 else b"".join(self._data)
        return Output(data, tuple(self._events), tuple(self._rows), self._close_reason)

    def _note(
        self,
        kind: TransitionKind,
        rule: str,
        cause: Head | None = None,
        *,
        state: SessionState | None = None,
        next_in: int | None = None,
        next_out: int | None = None,
        begin: int | None = None,
        end: int | None = None,
        gap: int | None = None,
        text: str = "",
    ) -> None:
        """Record a decision and make its change; nothing else changes state or counters."""
        before = self._state
        if state is not None and state is not before:
            self._enter(state)
        next_in_before, next_out_before = self._next_in, self._next_out
        if next_in is not None:
            self._next_in = next_in
        if next_out is not None:
            self._next_out = next_out
        self._rows.append(
            Transition(
                self._now,
                self.id,
                self._step,
                kind,
                before,
                self._state,
                next_in_before,
                self._next_in,
                next_out_before,
                self._next_out,
                cause.msg_type if cause else "",
                cause.number if cause else None,
                cause.poss_dup if cause else False,
                begin,
                end,
                gap,
                rule,
                text,
            )
        )

    def _enter(self, state: SessionState) -> None:
        assert state in NEXT_STATES[self._state], (
            f"{self._state} -> {state} is not in the table"
        )
        self._state, self._entered = state, self._now

    def _count(
        self,
        kind: TransitionKind,
        rule: str,
        head: Head,
        next_in: int,
        text: str = "",
        begin: int | None = None,
        end: int | None = None,
        state: SessionState | None = None,
    ) -> None:
        """A message was processed and NextNumIn moves to `next_in`, durably."""
        self.store.observed_in(next_in - 1)
        self._recovery.progress = self._now
        self._recovery.asked_again = self._recovery.stalled = 0
        gap = self._recovery.gap_ordinal
        self._note(
            kind,
            rule,
            head,
            next_in=next_in,
            begin=begin,
            end=end,
            gap=gap,
            text=text,
            state=state,
        )

    # Sending ---------------------------------------------------------------------------

    def _send_new(
        self,
        msg_type: str,
        body: bytes,
        rule: str,
        *,
        header: bytes = b"",
        state: SessionState | None = None,
        begin: int | None = None,
        end: int | None = None,
        gap: int | None = None,
        text: str = "",
    ) -> None:
        """A new message with the next number: stored, then put among the bytes to write."""
        number = self._next_out
        now = self._now
        raw = self._compose.message(msg_type.encode("latin-1"), number, header, body, now)
        if len(raw) > self._bytes_max and msg_type not in ADMIN_TYPES:
            self._refuse_size(raw)  # what answers a peer never raises
        store = self.store
        allocated = store.next_out()
        assert allocated == number, f"store allocated {allocated}, session expected {number}"
        store.save_sent(number, raw)
        self._data.append(raw)
        self._sent_at = now
        before = self._state
        if state is not None and state is not before:
            self._enter(state)
        self._next_out = number + 1
        # Spelled out rather than left to `_note`: this row is written for every message sent.
        self._rows.append(
            _row(
                Transition,
                (
                    now, self.id, self._step, _K.SENT, before, self._state,
                    self._next_in, self._next_in, number, number + 1,
                    msg_type, number, False, begin, end, gap, rule, text,
                ),
            )
        )  # fmt: skip

    def _refuse_size(self, raw: bytes) -> None:
        raise MessageError(
            f"a message of {len(raw)} bytes exceeds {self._bytes_max}: message_bytes_max "
            f"{self.config.message_bytes_max} less {REPLAY_BYTES} that a replay adds"
        )

    def _queue(self, msg_type: str, header: bytes, body: bytes) -> None:
        """Number and store a message that cannot leave now (SCH-07)."""
        number = self._next_out
        raw = self._compose.message(msg_type.encode("latin-1"), number, header, body, self._now)
        if len(raw) > self._bytes_max:
            self._refuse_size(raw)
        self.store.next_out()
        self.store.save_sent(number, raw)
        if self._unsent_from is None and self._state in (_S.LOGON_SENT, _S.ACTIVE):
            self._unsent_from = number
        rule = "RSP-15" if self._state is _S.ACTIVE else "SCH-07"
        text = "stored; leaves after the replay" if self._replays else "stored; not logged on"
        self._note(
            _K.QUEUED,
            rule,
            Head(msg_type, number, False, False),
            next_out=number + 1,
            text=text,
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

    def _send_logout(self, rule: str, text: str, state: SessionState) -> None:
        """Logout; `state` tells whether it asks, answers or ends an error."""
        safe = text.replace("\x01", " ").encode("latin-1", "replace")
        self._logout_text, self._peer_logout = None, None
        body = b"58=%b\x01" % safe if safe else b""
        self._send_new(LOGOUT, body, rule, state=state, text=self._safe(text))

    def _send_test(self, test_req_id: str | None, rule: str) -> str:
        if test_req_id is None:
            # HBT-08: unique for each probe; the number it travels under is.
            test_req_id = f"{self.config.sender_comp_id}-{self._next_out}"
        wire = test_req_id.encode("latin-1", "ignore")
        if len(wire) != len(test_req_id) or b"\x01" in wire or not 0 < len(wire) <= _TEXT_MAX:
            # Anything else would come back as another text, and the answer not be known.
            raise MessageError(
                f"TestReqID(112) must be 1 to {_TEXT_MAX} Latin-1 characters without SOH, "
                f"found {test_req_id[:50]!r}"
            )
        if len(self._tests) >= _TESTS_MAX:
            del self._tests[next(iter(self._tests))]
        self._tests[test_req_id] = self._now
        self._send_new(TEST_REQUEST, b"112=%b\x01" % wire, rule, text=self._safe(test_req_id))
        return test_req_id

    def _reject(self, head: Head, fault: Fault) -> None:
        """Reject(3), unless it would answer a Reject (REJ-19)."""
        if head.msg_type == REJECT or head.number is None:
            return
        body = reject_body(head.number, head.msg_type, fault, self.config.begin_string)
        self._send_new(REJECT, body, fault.rule, text=self._safe(fault.text))

    def _fail(self, rule: str, text: str) -> None:
        """A protocol error: Logout with the reason, then close in a moment (DSC-02, LGO-12)."""
        if self._state in (_S.LOGOUT_SENT, _S.LOGOUT_ANSWERED):
            self._disconnect(rule, text)  # the Logout has left already
            return
        self._abandon_gap()
        self._replays.clear()
        self._send_logout(rule, text, _S.CLOSING)

    # Receiving: the dispatch ------------------------------------------------------------

    def _deliver_usual(self, data: bytes) -> int:
        """Deliver the run of usual messages at the head of `data`; returns its length in bytes.

        Usual is an application message with the expected number and nothing to object to. The
        run ends at the first message that is not; that one is framed and read field by field.
        """
        # This loop is where nearly all messages pass, so what it asks for again and again it
        # asks for once.
        position, time_checked = 0, b""
        usual, observed_in, now = self._usual, self.store.observed_in, self._now
        events, rows, recovery = self._events, self._rows, self._recovery
        next_out = self._next_out
        while self._state is _S.ACTIVE:
            found = usual(data, position)
            if found is None:
                break
            length, msg_type, number_text, time_text = found.groups()
            number, end = self._next_in, found.end()
            # FRM-03: BodyLength counts from behind its own SOH to before "10=".
            if int(number_text) != number or int(length) != end - found.end(1) - 8:
                break
            raw = data[position:end]
            if len(raw) > self._bytes_max or not adds_up(raw):
                break
            if time_text != time_checked:
                if not is_timely(time_text, self.config, now):
                    break
                time_checked = time_text
            position = end
            self._step += 1
            observed_in(number)
            self._next_in = number + 1
            events.append(_row(Received, (Message.from_wire(raw, plain=True), number, False)))
            rows.append(
                _row(
                    Transition,
                    (
                        now, self.id, self._step, _K.ACCEPTED, _S.ACTIVE, _S.ACTIVE,
                        number, number + 1, next_out, next_out,
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
        if position:
            self._received_at, self._probed_at = now, None
        return position

    def _on_garbled(self, garbled: Garbled) -> None:
        self._note(_K.GARBLED, garbled.rule, text=garbled.reason)
        if self._state is _S.CONNECTED:
            # FRM-08: whoever talks so before a Logon is no FIX peer.
            self._disconnect("FRM-08", f"not FIX before the Logon: {garbled.reason}")

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

    def _on_active(self, message: Message, head: Head) -> None:
        fault = check_header(message, head, self.config, self._now)
        if fault is not None:
            self._on_fault(head, fault)
            self._settle()
            return
        number = head.number
        assert number is not None, "check_header demands one"
        if head.msg_type == SEQUENCE_RESET and not head.gap_fill:
            self._on_sequence_reset(message, head)  # SEQ-08: its own number does not count
        elif head.msg_type == LOGON and not head.poss_dup:
            self._on_second_logon(message, head)
        elif number < self._next_in:
            self._on_low(head)
        elif number > self._next_in:
            self._on_early(message, head, number)
        else:
            self._on_expected(message, head)
            self._settle()

    def _on_fault(self, head: Head, fault: Fault) -> None:
        """What a broken rule demands. Only an expected number is counted (REJ-02)."""
        expected = head.number == self._next_in
        # SQR-06, SQR-09, SQR-13: engines never count a rejected SequenceReset.
        counts = (
            expected
            and fault.answer is not Answer.LOGOUT
            and not (head.msg_type == SEQUENCE_RESET and fault.rule in ("SQR-06", "SQR-09"))
        )
        if counts:
            self._count(_K.REJECTED, fault.rule, head, self._next_in + 1, fault.text)
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

    def _on_low(self, head: Head) -> None:
        assert head.number is not None
        if head.poss_dup:
            rule = "SQR-04" if head.gap_fill else "SEQ-04"
            self._recovery.answered = True
            self._note(_K.DUPLICATE, rule, head, gap=self._recovery.gap_ordinal)
            return
        rule = {RESEND_REQUEST: "RSP-14", LOGOUT: "LGO-07"}.get(head.msg_type, "SEQ-03")
        if head.gap_fill:
            rule = "SQR-05"
        text = too_low(self._next_in, head.number)
        self._note(_K.TOO_LOW, rule, head, text=text)
        self._fail(rule, text)

    def _on_early(self, message: Message, head: Head, number: int) -> None:
        """SEQ-05, SEQ-06: hold it, ask for what is missing; a ResendRequest is answered first."""
        acts = head.msg_type == RESEND_REQUEST and not head.poss_dup
        fault = check_content(message, head) if acts else None
        if fault is not None:
            self._on_fault(head, fault)
            self._notice_gap(head, number)
            return
        self._hold(message, head, number, acted=acts)
        if acts:
            self._answer_resend(message, head, "RSP-12")
        if head.msg_type == LOGOUT and not head.poss_dup and self._peer_logout is None:
            self._peer_logout = (number, self._now)
        self._request_missing()

    def _hold(self, message: Message, head: Head, number: int, *, acted: bool) -> None:
        recovery = self._recovery
        opened = recovery.notice(self._next_in, number, self._now)
        kept = recovery.hold(number, Held(message, head, acted))
        self._note(
            _K.HELD if kept else _K.IGNORED,
            ("SQR-03" if head.gap_fill else "SEQ-06" if acted else "SEQ-05")
            if kept
            else "RRQ-10",
            head,
            begin=recovery.begin,
            end=recovery.end,
            gap=recovery.ordinal,
            text="" if kept else f"no room: {len(recovery.held)} early messages wait already",
        )
        if opened:
            self._note_gap(head)
        elif head.poss_dup or head.gap_fill:
            recovery.answered, recovery.stalled = True, 0
        elif recovery.answered:
            recovery.stalled += 1
            if recovery.stalled >= _STALLED_MAX and recovery.asked_again < _REQUEST_REPEATS_MAX:
                # SQR-16: new messages follow where the rest of the answer should have come.
                recovery.requested = recovery.answered = False
                recovery.asked_again += 1

    def _notice_gap(self, head: Head, number: int) -> None:
        if self._state is _S.ACTIVE and self._recovery.notice(self._next_in, number, self._now):
            self._note_gap(head)
            self._request_missing()

    def _note_gap(self, head: Head | None) -> None:
        r = self._recovery
        rule = "LGN-10" if head and head.msg_type == LOGON else "SEQ-05"
        self._note(
            _K.GAP_OPENED,
            rule,
            head,
            begin=r.begin,
            end=r.end,
            gap=r.ordinal,
        )
        self._events.append(GapNoticed(r.begin, r.end))

    def _request_missing(self) -> None:
        """One ResendRequest for the open gap, once no replay of our own is under way (RRQ-07)."""
        r = self._recovery
        if not r.open or r.requested or self._replays or self._state is not _S.ACTIVE:
            return
        begin = self._next_in
        r.open_ended = self.config.resend_range == "open"
        end = self._compose.infinity if r.open_ended else r.end
        r.requested, r.progress = True, self._now
        self._note(
            _K.RESEND_REQUESTED,
            "RRQ-06" if r.asked_again else "RRQ-01",
            begin=begin,
            end=0 if r.open_ended else end,
            gap=r.ordinal,
            text="asked again" if r.asked_again else "",
        )
        self._send_new(
            RESEND_REQUEST,
            resend_request_body(begin, end),
            "RRQ-01",
            begin=begin,
            end=0 if r.open_ended else end,
            gap=r.ordinal,
        )

    # Receiving: the expected number -----------------------------------------------------

    def _on_expected(self, message: Message, head: Head) -> None:
        fault = check_content(message, head)
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
        if head.poss_dup and head.msg_type != REJECT:
            # SEQ-14: what it asked for was asked, and answered, the first time.
            self._count(_K.ACCEPTED, "SEQ-14", head, number + 1, "counted, not acted on")
            return
        if head.msg_type == HEARTBEAT:
            self._count(_K.ACCEPTED, "HBT-09", head, number + 1, text)
            self._on_heartbeat(message)
        elif head.msg_type == TEST_REQUEST:
            self._count(_K.ACCEPTED, "HBT-03", head, number + 1, text)
            answer = message[TEST_REQ_ID].encode("latin-1")
            self._send_new(HEARTBEAT, b"112=%b\x01" % answer, "HBT-03", text=text)
        elif head.msg_type == RESEND_REQUEST:
            begin, end = to_number(message[BEGIN_SEQ_NO]), to_number(message[END_SEQ_NO])
            self._count(_K.ACCEPTED, "RSP-01", head, number + 1, "", begin, end)
            self._answer_resend(message, head, "RSP-01")
        elif head.msg_type == REJECT:
            self._count(_K.ACCEPTED, "REJ-18", head, number + 1, text)
            refused = to_number(message.get(REF_SEQ_NUM))
            self._events.append(RejectReceived(message, refused, text))
        else:
            assert head.msg_type == LOGOUT, "Logon and SequenceReset are handled before"
            self._count(_K.ACCEPTED, "LGO-02", head, number + 1, text)
            self._answer_logout()

    def _on_heartbeat(self, message: Message) -> None:
        test_req_id = message.get(TEST_REQ_ID)
        left = self._tests.pop(test_req_id, None) if test_req_id else None
        if test_req_id is None or left is None:
            return
        elapsed = (self._now - left) / times.NANOSECONDS
        self._events.append(RoundTrip(test_req_id, elapsed))
        if test_req_id == self._reset_test:
            self._start_reset()

    def _on_gap_fill(self, message: Message, head: Head, number: int) -> None:
        new = to_number(message[NEW_SEQ_NO])
        assert new is not None, "check_content demands one"
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
        fault = check_content(message, head)
        new = to_number(message.get(NEW_SEQ_NO))
        if fault is None and new is not None and new < self._next_in:
            fault = Fault(
                "SQR-09",
                Answer.REJECT,
                f"Attempt to lower sequence number, NewSeqNo(36)={new} is below {self._next_in}",
                5,
                NEW_SEQ_NO,
            )
        if fault is not None:
            # SQR-13: in reset mode nothing is counted, whatever number it carries.
            self._note(_K.REJECTED, fault.rule, head, text=fault.text)
            self._reject(head, fault)
            return
        assert new is not None
        if new == self._next_in:
            self._note(_K.RESET_IN, "SQR-08", head, begin=new, text="already expected")
            return
        self._count(_K.RESET_IN, "SQR-07", head, new, "", self._next_in, new - 1)
        self._settle()

    def _settle(self) -> None:
        """NextNumIn moved: close the gap, release what waited, notice what is still missing."""
        recovery = self._recovery
        while self._state is _S.ACTIVE:
            recovery.forget_below(self._next_in)
            if recovery.open and self._next_in > recovery.end:
                self._note(
                    _K.GAP_CLOSED,
                    "RRQ-05",
                    begin=recovery.begin,
                    end=recovery.end,
                    gap=recovery.ordinal,
                )
                self._events.append(GapClosed(recovery.begin, recovery.end))
                recovery.close()
            item = recovery.take(self._next_in)
            if item is None:
                break
            if item.acted:
                rule = "LGN-10" if item.head.msg_type == LOGON else "SEQ-07"
                self._count(_K.ACCEPTED, rule, item.head, self._next_in + 1, "released")
            else:
                self._on_expected(item.message, item.head)
        if self._state is not _S.ACTIVE:
            return
        if not recovery.open and (known := recovery.known_beyond(self._next_in)):
            # RRQ-05: a hole behind the gap that no request covers yet.
            recovery.notice(self._next_in, known, self._now)
            self._note_gap(None)
        self._request_missing()
        self._after_recovery()

    def _after_recovery(self) -> None:
        """A Logout that waited for the gap goes on now (LGO-05, LGO-06)."""
        if self._recovery.open or self._replays or self._state is not _S.ACTIVE:
            return
        if self._peer_logout is not None and self._next_in > self._peer_logout[0]:
            self._answer_logout()
        elif self._logout_text is not None:
            self._send_logout("LGO-06", self._logout_text, _S.LOGOUT_SENT)

    # Answering a ResendRequest ----------------------------------------------------------

    def _answer_resend(self, message: Message, head: Head, rule: str) -> None:
        begin, end = to_number(message[BEGIN_SEQ_NO]), to_number(message[END_SEQ_NO])
        assert begin is not None and end is not None, "check_content demands both"
        if begin >= self._next_out:
            self._note(
                _K.RESEND_ANSWERED,
                "RSP-08",
                head,
                begin=begin,
                end=end,
                text=f"nothing to send: the next number here is {self._next_out}",
            )
            return
        last_begin, last_end, times_asked = self._asked
        same = (begin, end) == (last_begin, last_end)
        self._asked = (begin, end, times_asked + 1 if same else 1)
        if self._asked[2] > self.config.replay_repeat_max:
            self._fail("RSP-17", f"ResendRequest {begin} to {end} repeated without progress")
            return
        if len(self._replays) >= _REPLAYS_MAX:
            self._fail("RSP-17", f"{_REPLAYS_MAX} ResendRequests wait for their answer")
            return
        self._start_replay(begin, end, rule)

    def _start_replay(self, begin: int, end: int, rule: str) -> None:
        replay = Replay.of(
            begin, end, sent=self._next_out - 1, infinity=self._compose.infinity, rule=rule
        )
        self._replays.append(replay)
        if len(self._replays) == 1:
            self._continue_replay()

    def _continue_replay(self) -> None:
        """The next batch of the replay under way; what waited for it follows when it is done."""
        replay = self._replays[0]
        limit = self.config.replay_batch_max
        stored = self.store.sent(replay.position, min(replay.last, replay.position + limit - 1))
        for item in replay.advance(stored, self._compose, self._now, limit):
            self._data.append(item.raw)
            self._sent_at = self._now
            head = Head(item.msg_type, item.number, True, item.fill_to is not None)
            if item.fill_to is None:
                self._note(_K.RESENT, "RSP-01", head)
            else:
                self._note(_K.FILL_SENT, "RSP-04", head, begin=item.number, end=item.fill_to)
        if not replay.done:
            return
        self._replays.pop(0)
        self._note(
            _K.RESEND_ANSWERED,
            replay.rule,
            begin=replay.begin,
            end=replay.end,
            text=f"{replay.resent} resent, {replay.filled} gap-filled",
        )
        if self._replays:
            return
        if self._unsent_from is not None and self._state is _S.ACTIVE:
            # RSP-15: what was numbered meanwhile leaves now, in order.
            begin, self._unsent_from = self._unsent_from, None
            self._start_replay(begin, 0, "RSP-15")
            return
        self._request_missing()
        self._after_recovery()

    # Logon ------------------------------------------------------------------------------

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

    # Logout and the end -----------------------------------------------------------------

    def _answer_logout(self) -> None:
        self._send_logout("LGO-02", "", _S.LOGOUT_ANSWERED)

    def _on_logout_sent(self, message: Message, head: Head) -> None:
        """Own Logout is out: replays and the confirmation are all that still happens."""
        expected = head.number == self._next_in
        if check_identity(message, self.config) is not None or head.number is None:
            self._note(_K.IGNORED, "LGO-04", head, text="not this session's")
        elif head.msg_type == LOGOUT:
            text = self._safe(message.get(TEXT) or "")
            if expected:
                self._count(_K.ACCEPTED, "LGO-03", head, self._next_in + 1, text)
            else:
                self._note(_K.IGNORED, "LGO-12", head, text=text)
            self._disconnect("LGO-03", "Logout confirmed", clean=True)
        elif head.msg_type == RESEND_REQUEST and not head.poss_dup:
            self._resend_after_logout(message, head)
        elif (
            expected
            and head.msg_type != SEQUENCE_RESET  # SQR-07: its own number is not counted
            and check_content(message, head) is None
        ):
            if head.msg_type in ADMIN_TYPES:
                self._count(_K.ACCEPTED, "LGO-04", head, self._next_in + 1, "not answered")
            else:
                self._count(_K.ACCEPTED, "LGO-01", head, self._next_in + 1)
                self._events.append(Received(message, head.number, head.poss_dup))
        elif head.number > self._next_in:
            # LGO-04: no ResendRequest any more; the number does not count, so the next Logon
            # shows the gap again.
            self._note(_K.IGNORED, "LGO-04", head, text="asked for at the next Logon")
        else:
            self._note(_K.IGNORED, "LGO-04", head)

    def _resend_after_logout(self, message: Message, head: Head) -> None:
        expected = head.number == self._next_in
        if check_content(message, head) is not None:
            self._note(_K.IGNORED, "LGO-04", head, text="invalid range")
            return
        if expected:
            self._count(_K.ACCEPTED, "LGO-04", head, self._next_in + 1)
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
        """After a Logout over an error only the peer's Logout still means something (LGO-12)."""
        self._note(_K.IGNORED, "LGO-12", head)
        if head.msg_type == LOGOUT:
            self._disconnect("LGO-12", "Logout confirmed after a protocol error")

    def _drop(self, head: Head, rule: str, text: str) -> None:
        """DSC-01: close without a word; an answer would use a number not meant for this peer."""
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
        self._note(_K.STATE, rule, state=_S.DISCONNECTED, text=text)
        self._events.append(Ended(text, rule, clean))
        if close:
            self._close_reason = text

    # Time -------------------------------------------------------------------------------

    def _tick_active(self) -> None:
        now, recovery = self._now, self._recovery
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
            if recovery.asked_again >= _REQUEST_REPEATS_MAX:
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
                self._fail("HBT-05", "Timed out waiting for an answer to TestRequest")

    def _tick_waiting(self) -> None:
        rule, text = {
            _S.CONNECTED: ("LGN-28", "no Logon came"),
            _S.LOGON_SENT: ("LGN-28", "the Logon was not answered"),
            _S.RESET_SENT: ("LGN-19", "the reset was not answered"),
            _S.LOGOUT_SENT: ("LGO-08", "the Logout was not confirmed"),
            _S.LOGOUT_ANSWERED: ("LGO-02", "the peer did not close after its Logout"),
            _S.CLOSING: ("LGO-12", "closed after a protocol error"),
        }[self._state]
        clean = self._state is _S.LOGOUT_ANSWERED
        self._note(_K.TIMED_OUT, rule, text=text)
        self._disconnect(rule, text, clean=clean)

    def _safe(self, text: str) -> str:
        """A peer's words, fit to be kept: short, visible, the session's password masked."""
        if self.config.password:
            text = text.replace(self.config.password, redact.MASKED)
        return redact.printable(text[:_TEXT_MAX])


# A named tuple without the cost of its keyword-friendly constructor.
_row: Any = tuple.__new__
