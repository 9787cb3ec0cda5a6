"""What every part of a session stands on: its state, its rows, and how a message leaves.

`Session` is made of layers, each a class on top of the one before: `Core`, `Ending`,
`Recovering`, `Admitting` and `Session` itself. Nothing but `Core` changes the state, and each
change of state or counters is a `Transition`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

from fixlab import redact, times
from fixlab.errors import ConfigError, MessageError
from fixlab.session.config import SessionConfig
from fixlab.session.events import Dropped, Event
from fixlab.session.fastpath import usual_messages
from fixlab.session.faults import Fault
from fixlab.session.framing import framer_of
from fixlab.session.inbound import Head, check_content
from fixlab.session.lifecycle import NEXT_STATES
from fixlab.session.liveness import Pulse
from fixlab.session.outbound import REPLAY_BYTES, Replay, composer_of, refusal
from fixlab.session.recovery import Gap, Recovery
from fixlab.session.transitions import Role, SessionState, Transition, TransitionKind
from fixlab.session.validation import check_dictionary, check_supported
from fixlab.stores.base import Store
from fixlab.stores.memory import MemoryStore
from fixlab.wire.framer import Framer
from fixlab.wire.message import Message
from fixlab.wire.tags import ADMIN_TYPES, REJECT, TEST_REQUEST

_S, _K = SessionState, TransitionKind
_TEXT_MAX = 200  # characters of a peer's Text(58) that a transition keeps
_MASKED_MAX = 20 * _TEXT_MAX  # and that are looked through for secrets
_TESTS_MAX = 16  # own TestRequests remembered while unanswered
_FLOOD_PER_SECOND = 10  # HBT-13: more TestRequests than this within a second are logged

# A named tuple without the cost of its keyword-friendly constructor.
row: Any = tuple.__new__


def _forget(number: int, raw: bytes) -> None:
    """What `save_sent` is to a session that keeps numbers only."""


def _check_arguments(config: object, role: object, store: object) -> None:
    if not isinstance(config, SessionConfig):
        raise ConfigError(f"a session needs a SessionConfig, found {config!r}")
    if role not in tuple(Role):
        raise ConfigError(f"role must be Role.INITIATOR or Role.ACCEPTOR, found {role!r}")
    # A class has the methods as well, but no numbers.
    if store is not None and (isinstance(store, type) or not isinstance(store, Store)):
        raise ConfigError(
            f'store must be a Store, such as SQLiteStore("session.db"), or None for one in '
            f"memory, found {store!r}"
        )


class Output(NamedTuple):
    """What one input led to."""

    data: bytes  # write this, after Store.commit()
    events: tuple[Event, ...]  # tell the application
    transitions: tuple[Transition, ...]  # give to the Journal
    disconnect: str | None  # if set, close the transport after writing; says why


class Core(ABC):
    """State, counters, rows and sending: what the layers above share."""

    def __init__(self, config: SessionConfig, role: Role, store: Store | None = None) -> None:
        _check_arguments(config, role, store)
        self.config = config
        self.role = Role(role)
        self.store: Store = MemoryStore() if store is None else store
        self.id = config.session_id
        self._state = _S.DISCONNECTED
        self._compose = composer_of(config, lambda: self._next_in - 1)
        self._usual = usual_messages(config)
        # Of a message, what BodyLength(9) does not count but for its own digits.
        self._frame_bytes = len(b"8=%b\x019=\x0110=000\x01" % config.begin_string.encode())
        # FRM-13: the peer must be able to take the message's replay, too.
        self._bytes_max = config.message_bytes_max - REPLAY_BYTES
        self._follows = not config.check_sequence_numbers  # whatever number comes is taken
        self._send_max = self._bytes_max
        self._framer = self._new_framer()
        self._warnings: list[tuple[str, str]] = []  # rule and text of rows still to be written
        # RSP-11: who keeps no messages answers every request by gap fill.
        self._save_sent = self.store.save_sent if config.persist_messages else _forget
        self._refusing = False  # an answer to a message of the peer's is being written
        # First and last number of each run of messages that were QUEUED and have not left yet.
        self._queued: list[tuple[int, int]] = []
        self._read_store()
        self._recovery = Recovery(config.held_max)
        self._replays: list[Replay] = []  # under way first, then those that wait
        self._step = -1
        self._begin_connection(0)
        self._reset_next_logon = False
        self._reset_unasked = False  # the last Logon answer reset what the peer did not ask for
        self._dated: int | None = None  # when the last connection began (SCH-02)
        self._begin_step(0, count=False)

    def _begin_connection(self, now: int) -> None:
        """What no connection inherits from the one before it (DSC-03, RRQ-09)."""
        self._framer = self._new_framer()
        self._recovery.clear()
        self._replays.clear()
        self._pulse = Pulse.of(self.config, self.config.heartbeat_seconds)
        self._entered = now  # when the current state began
        self._sent_at = self._received_at = now
        self._probed_at: int | None = None
        self._tests: list[tuple[str, int]] = []  # own TestRequests: TestReqID, when it left
        self._flood = (now, 0)  # HBT-13: since when, and how many TestRequests came
        self._closes_at: int | None = None  # SCH-05: when the schedule ends this session
        self._logon_number = 0  # MsgSeqNum(34) of the own Logon
        self._established = False  # the Logon exchange was completed
        self._unused = False  # both numbers were 1 when this connection began
        self._send_max = self._bytes_max  # FRM-13: less when the peer's Logon says so
        self._unsent_from: int | None = None  # first number QUEUED on this connection
        # The last ResendRequest's range, how often in a row, and when that last counted.
        self._asked = (0, 0, 0, now)
        self._peer_resets: list[int] = []  # when the peer reset in session, of late
        self._reset_test: str | None = None  # TestReqID whose answer lets a reset start
        self._reset_asked = now  # when that TestRequest left
        self._old_next_in = 0  # RESET_SENT: what was due under the old numbers
        self._logout_text: str | None = None  # own Logout waits for the gap to close
        self._entered_logout = now  # since when it waits
        self._peer_logout: tuple[int, int] | None = None  # an early Logout: number, when
        self._peer_words = ""  # Text(58) of the Logout that the peer sent
        self._sent_reset = False  # own Logon of this connection carried 141=Y

    def _new_framer(self) -> Framer:
        return framer_of(self.config)(self.config.message_bytes_max)

    def _date_store(self) -> None:
        """A store that was never used begins now; its age decides about a schedule's resets."""
        if self._next_in == self._next_out == 1 and self.store.epoch is None:
            self.store.reset(self._now)

    def _read_store(self) -> None:
        """Take both numbers from the store: while disconnected it may be edited or restored."""
        self._next_in, self._next_out = self.store.current_in(), self.store.peek_out()
        if self._queued and self._queued[-1][1] >= self._next_out:
            # A commit failed: what it was to keep was refused, and its number is used again.
            last = self._next_out - 1
            self._queued = [(a, min(b, last)) for a, b in self._queued if a <= last]

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

    def __repr__(self) -> str:
        gap = self.gap
        missing = f", missing {gap.begin}-{gap.end}" if gap else ""
        return (
            f"<Session {self.id} {self.role} {self._state}, "
            f"NextNumIn {self._next_in}, NextNumOut {self._next_out}{missing}>"
        )

    # Steps and rows ---------------------------------------------------------------------

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
        if self._follows:
            next_in = max(next_in, self._next_in)  # a late message takes nothing back
        self.store.observed_in(next_in - 1)
        if next_in > self._next_in + 1:
            self._recovery.jumped = rule
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
        if self._warnings:
            self._write_warnings(head)

    def _is_due(self, head: Head) -> bool:
        """Whether a message counts: with the expected number, or with any that is not late."""
        number = head.number
        return number == self._next_in or (
            self._follows and number is not None and number > self._next_in
        )

    def _warn_of_number(self, head: Head, number: int) -> None:
        """Where numbers are not checked: a row for one that is not the expected one."""
        expected = self._next_in
        if number > expected:
            missing = f"{expected}" if number == expected + 1 else f"{expected} to {number - 1}"
            self._warnings.append(("SEQ-05", f"{missing} missing, not asked for"))
        elif number < expected:
            rule = "SEQ-04" if head.poss_dup else "SEQ-03"
            self._warnings.append((rule, f"{expected} expected; processed all the same"))

    def _write_warnings(self, head: Head) -> None:
        """Rows for what was wrong with a message that is processed all the same."""
        for rule, text in self._warnings:
            self._note(_K.WARNED, rule, head, text=self._safe(text))
        self._warnings.clear()

    # Sending ----------------------------------------------------------------------------

    def _send_new(
        self,
        msg_type: str,
        body: bytes,
        rule: str,
        *,
        header: bytes = b"",
        poss_dup: bool = False,
        state: SessionState | None = None,
        begin: int | None = None,
        end: int | None = None,
        gap: int | None = None,
        text: str = "",
    ) -> None:
        """A new message with the next number: stored, then put among the bytes to write."""
        number = self._next_out
        self._data.append(self._stored(msg_type, number, header, body, self._now))
        self._sent_at = self._now
        self._note(
            _K.SENT,
            rule,
            Head(msg_type, number, poss_dup, False),
            next_out=number + 1,
            state=state,
            begin=begin,
            end=end,
            gap=gap,
            text=text,
        )

    def _stored(
        self,
        msg_type: str,
        number: int,
        header: bytes,
        body: bytes,
        now: int,
    ) -> bytes:
        """The wire bytes of a new message, its number allocated and itself in the store."""
        raw = self._compose.message(msg_type.encode("latin-1"), number, header, body, now)
        if len(raw) > self._send_max and not (msg_type in ADMIN_TYPES or self._refusing):
            # An answer of the session's own never raises.
            own = self._send_max == self._bytes_max
            limit = "message_bytes_max" if own else "the peer's MaxMessageSize(383)"
            raise MessageError(
                f"a message of {len(raw)} bytes exceeds {self._send_max}: {limit} "
                f"{self._send_max + REPLAY_BYTES} less {REPLAY_BYTES} that a replay adds"
            )
        store = self.store
        allocated = store.next_out()
        assert allocated == number, f"store allocated {allocated}, session expected {number}"
        self._save_sent(number, raw)
        return raw

    def _queue(self, msg_type: str, header: bytes, body: bytes) -> None:
        """Number and store a message that cannot leave now (LGN-04, SCH-07)."""
        if self._state is _S.DISCONNECTED:
            self._read_store()
            self._date_store()
        number = self._next_out
        raw = self._stored(msg_type, number, header, body, self._now)
        if not self.config.persist_messages:
            self.store.save_sent(number, raw)  # RSP-11: what has yet to leave is kept
        if self._unsent_from is None and self._state in (_S.LOGON_SENT, _S.ACTIVE):
            self._unsent_from = number
        if self._queued and self._queued[-1][1] == number - 1:
            self._queued[-1] = (self._queued[-1][0], number)
        else:
            self._queued.append((number, number))
        rule = "RSP-15" if self._state is _S.ACTIVE else "SCH-07"
        text = "stored; leaves after the replay" if self._replays else "stored; not logged on"
        self._note(
            _K.QUEUED,
            rule,
            Head(msg_type, number, False, False),
            next_out=number + 1,
            text=text,
        )

    def _send_test(self, test_req_id: str | None, rule: str) -> str:
        if test_req_id is None:
            test_req_id = self.config.test_req_id or self._unique_id()
        wire = test_req_id.encode("latin-1", "ignore")
        if len(wire) != len(test_req_id) or b"\x01" in wire or not 0 < len(wire) <= _TEXT_MAX:
            # Anything else would come back as another text, and the answer not be known.
            raise MessageError(
                f"TestReqID(112) must be 1 to {_TEXT_MAX} Latin-1 characters without SOH, "
                f"found {test_req_id[:50]!r}"
            )
        if len(self._tests) >= _TESTS_MAX:
            del self._tests[0]
        self._tests.append((test_req_id, self._now))
        self._send_new(TEST_REQUEST, b"112=%b\x01" % wire, rule, text=self._safe(test_req_id))
        return test_req_id

    def _unique_id(self) -> str:
        """HBT-08: a TestReqID unique for each probe, as the number it travels under is."""
        return f"{self.config.sender_comp_id}-{self._next_out}"

    def _test_answered(self, test_req_id: str) -> int | None:
        """When the oldest TestRequest with this id left, no longer waited for; or None.

        HBT-07: a fixed id may be out more than once; answers come in the order of the requests.
        """
        for index, (waiting, left) in enumerate(self._tests):
            if waiting == test_req_id:
                del self._tests[index]
                return left
        return None

    def _watch_flood(self) -> None:
        """HBT-13: every TestRequest is answered; too many within a second leave one row."""
        since, count = self._flood
        if self._now - since >= times.NANOSECONDS:
            since, count = self._now, 0
        self._flood = (since, count + 1)
        if count == _FLOOD_PER_SECOND:
            text = f"more than {_FLOOD_PER_SECOND} TestRequests within a second"
            self._note(_K.STATE, "HBT-13", text=text)

    # Starting over ----------------------------------------------------------------------

    def _reset_both(self, rule: str, head: Head | None = None, *, used_out: int = 0) -> None:
        """Both counters to 1, store emptied; `used_out` numbers of ours count already."""
        self._drop_queued()
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

    def _drop_queued(self) -> None:
        """SCH-04: what is queued has no place in the new numbers; it is not lost in silence."""
        queued, self._queued, self._unsent_from = self._queued, [], None
        for first, last in queued:
            self._note(
                _K.IGNORED, "SCH-04", begin=first, end=last, text="queued, dropped by the reset"
            )
            self._events.append(Dropped(first, last))

    def _unqueue(self, begin: int, end: int) -> list[tuple[int, int]]:
        """Numbers `begin` to `end` have left or never will; which runs of them were queued."""
        before = [(first, min(last, begin - 1)) for first, last in self._queued]
        after = [(max(first, end + 1), last) for first, last in self._queued]
        passed = [(max(first, begin), min(last, end)) for first, last in self._queued]
        self._queued = sorted({run for run in before + after if run[0] <= run[1]})
        return [run for run in passed if run[0] <= run[1]]

    def _content_fault(self, message: Message, head: Head) -> Fault | None:
        """The first rule that the contents of a message break (HDR-00, REJ-22).

        What a dictionary only warns of is noted for a row and not returned.
        """
        config = self.config
        fault = check_dictionary(message, config)
        if fault is not None and (config.validation == "warn" or head.msg_type == REJECT):
            # REJ-19: what is wrong with a Reject is told to nobody but the journal.
            self._warn(fault)
            fault = None
        return fault or check_content(message, head, config) or check_supported(head, config)

    def _warn(self, fault: Fault) -> None:
        """Remember what would have been rejected; its row follows that of the message."""
        self._warnings.append((fault.rule, f"warn only: {fault.text}"))

    def _reject(self, head: Head, fault: Fault) -> None:
        """Reject(3) or BusinessMessageReject(j), unless it would answer a Reject (REJ-19)."""
        if head.msg_type == REJECT or head.number is None:
            return
        msg_type, body, text = refusal(head.number, head.msg_type, fault, self.config)
        self._refusing = True
        self._send_new(msg_type, body, fault.rule, text=self._safe(text))
        self._refusing = False

    def _safe(self, text: str) -> str:
        """A peer's words, fit to be kept: short, visible, the session's password masked."""
        if self.config.password:
            text = text.replace(self.config.password, redact.MASKED)
        if "=" in text:
            # A message of ours, or a part of it, quoted back. Masking a megabyte would keep
            # other sessions waiting; only the beginning is kept anyway.
            text = redact.mask(text[:_MASKED_MAX])
        return redact.printable(text[:_TEXT_MAX])

    # What a layer below asks of one above -----------------------------------------------

    @abstractmethod
    def _on_expected(self, message: Message, head: Head) -> None:
        """Process a message with the expected number."""

    @abstractmethod
    def _answer_resend(self, message: Message, head: Head, rule: str) -> None:
        """Answer a ResendRequest."""
