"""A session that lives through what an engine received, and judges what the engine sent.

The session is never ahead of the log: what the engine decides alone is taken over, and its
numbers and messages become the session's own, so that a later ResendRequest is about the very
messages that were sent. Where the engine departs from its rules the session follows it after
the departure has been noted.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from fixlab import times
from fixlab.analysis._acts import OPEN_ENDS, Act, Owed, is_attempt, satisfies
from fixlab.analysis._habits import (
    Line,
    are_beats,
    begins_with_answer,
    first_numbers,
    hides_beats,
    is_initiator,
)
from fixlab.session.config import SessionConfig
from fixlab.session.core import Output
from fixlab.session.events import Ended
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState, TransitionKind
from fixlab.stores.memory import MemoryStore
from fixlab.wire.framer import Framer
from fixlab.wire.message import Message
from fixlab.wire.tags import (
    ADMIN_TYPES,
    HEARTBEAT,
    LOGON,
    LOGOUT,
    REJECT,
    RESEND_REQUEST,
    SEQUENCE_RESET,
    TEST_REQUEST,
)

_S, _K = SessionState, TransitionKind
_TICKS_MAX = 1_000  # timers between two rows: a longer silence counts as one
_BATCHES_MAX = 1_000_000  # of one replay
_TURNS_MAX = 6  # messages back and forth until two sessions are up
_AHEAD_MAX = 1_000_000  # numbers of one gap
_HOLE_MAX = 10_000  # rows in which a number that had to wait leaves after all
_EARLY_MAX = 1_000  # numbers that came early and are remembered
_LOOK_AHEAD = 50  # rows in which a Logon is answered
_LEFT = (_K.SENT, _K.RESENT, _K.FILL_SENT)


class Deviation(NamedTuple):
    """One step in which the engine did otherwise than its rule demands."""

    # missing: its rule demands a message that never came; late: it came later than tolerated;
    # different: it says something else; unexpected: no rule calls for it, or one forbids it;
    # number: it bears another MsgSeqNum(34); went_on: the session was to end, and did not.
    kind: str
    rule: str
    row: int  # that shows it: the engine's message, or the one that called for an answer
    time: int
    number: int | None  # MsgSeqNum(34) of the engine's message; None when it is missing
    begin: int | None
    end: int | None
    summary: str
    expected: str
    cause_row: int | None  # the message that called for it; None for timers
    by_itself: bool  # the engine's own message shows it
    deduced: bool  # the numbers it rests on were read off a log that begins in the middle


@dataclass(slots=True)
class _Due:
    """A message that the engine has yet to send."""

    act: Act
    rule: str
    since: int
    cause_row: int | None
    number: int | None = None  # its own, when a reset came behind it; else the next one


class _Store(MemoryStore):
    """A store whose numbers follow those of a log."""

    def set_numbers(self, next_out: int, next_in: int) -> None:
        self.rollback()
        self._out = self._committed_out = next_out
        self._in = self._committed_in = next_in

    def set_out(self, next_out: int) -> None:
        self._out = next_out

    def set_in(self, next_in: int) -> None:
        self._in = self._committed_in = next_in

    def has(self, number: int) -> bool:
        return any(True for _ in self.sent(number, number))


class Rehearsal:
    """One side of one session, played from its first line to its last."""

    def __init__(
        self,
        config: SessionConfig,
        lines: Sequence[Line],
        tolerance: int,
        *,
        keeps_log: bool = True,  # what came is what the log shows, for it is this side's own
        given: bool = True,  # the settings are known, not read off the log
    ) -> None:
        self._keeps_log, self._given = keeps_log, given
        self.config, self._lines, self._tolerance = config, lines, tolerance
        self.role = Role.INITIATOR if is_initiator(lines) else Role.ACCEPTOR
        next_in, self._out_next = first_numbers(lines)
        self._store = _Store(next_out=self._out_next, next_in=next_in)
        self.session = Session(config, self.role, self._store)
        self._due: list[_Due] = []
        self._owed = Owed()
        self._owed_since, self._owed_row = 0, 0
        self._found: list[Deviation] = []
        self._line, self._at = lines[0], 0
        self._now = self._last = lines[0].time
        self._high_in = next_in - 1
        self._other_next: int | None = None  # where the engine may go on after a number again
        self._quiet_rule = ""  # a timer that was missed since the engine last spoke
        self._ended: tuple[int, str, bool] | None = None  # when, rule, clean
        self._began = lines[0].time
        self._answers = begins_with_answer(lines)
        # A Logon of who does not begin connections is in the middle of one.
        begins = lines[0].out == (self.role is Role.INITIATOR)
        self._deduced = lines[0].act.msg_type != LOGON or not begins
        self._hides_beats = hides_beats(lines, config.heartbeat_seconds)
        # What came while numbers were missing, and may have been dropped.
        self._early: deque[int] = deque(maxlen=_EARLY_MAX)
        self._old_next = self._out_next  # before the last reset
        self._asked = False  # the engine asked for something already
        self._waited = False  # something left as a repeat in this connection, and never before
        self._open_from: int | None = None  # BeginSeqNo(7) of the last open ResendRequest
        self._spoke = lines[0].time  # when the engine last sent something
        if self._deduced:
            self._join(next_in)

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

    # Connections -----------------------------------------------------------------------------

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
            return limit is not None and limit + self._tolerance <= line.time
        return True

    def _cannot_reset(self) -> bool:
        """LGN-19: no reset begins in session while numbers are missing, or another one."""
        recovery = self.session._recovery
        waits = self.session.state is _S.RESET_SENT
        return waits or recovery.open or bool(recovery.held)

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

    def _join(self, next_in: int) -> None:
        """Make a session that is up, with these numbers: it logs on to a stand-in first.

        What came already above `next_in` is known to it as a gap that was asked for.
        """
        kept = dict(self._store.sent(self._out_next - 1, self._out_next - 1))
        next_out = max(self._out_next - 1, 1)
        wanted, next_in = next_in, max(next_in - 1, 1)
        self._store.set_numbers(next_out, next_in)
        plain = replace(
            self.config,
            reset_on_logon=False,
            reset_on_logout=False,
            reset_on_disconnect=False,
            next_expected=False,
            heartbeat_range_seconds=None,
            schedule=None,
        )
        other = Role.ACCEPTOR if self.role is Role.INITIATOR else Role.INITIATOR
        peer = Session(plain.mirrored(), other, MemoryStore(next_in, next_out))
        self.session = Session(plain, self.role, self._store)
        ours = self.session.connected(self._now).data
        theirs = peer.connected(self._now).data
        for _ in range(_TURNS_MAX):
            ours, theirs = (
                self.session.receive(theirs, self._now).data,
                peer.receive(ours, self._now).data,
            )
        assert self.session.state is _S.ACTIVE, "two fresh sessions can log on"
        self.session.config = self.config  # its own again, for what follows
        self._store.set_in(wanted)
        self.session._next_in = wanted
        ahead = self._high_in - self.session.next_in
        if 0 < ahead <= _AHEAD_MAX:
            peer.skip(ahead, self._now)
            peer._begin_step(self._now)
            peer._send_new(HEARTBEAT, b"", "HBT-01")
            self.session.receive(peer._output().data, self._now)
        for number, raw in kept.items():
            self._store.save_sent(number, raw)
        self._ended = None
        self._align()

    # Time ------------------------------------------------------------------------------------

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

    def _missing(self, due: _Due) -> None:
        """A message never came: tell it, and follow the engine."""
        silent = due.cause_row is None and due.rule == self._quiet_rule
        if due.cause_row is None:
            self._quiet_rule = due.rule
        kind = due.act.msg_type
        # It may have been asked for before the log begins.
        before = self._deduced and due.since - self._began <= self._tolerance
        hidden = self._hides_beats and kind == HEARTBEAT
        # How long the other side had been silent when the log began, nobody knows.
        unheard = self._deduced and self.session._received_at <= self._began
        unknown = (before and kind == RESEND_REQUEST) or (unheard and kind == TEST_REQUEST)
        if not silent and not hidden and not unknown:
            self._note_missing(due)
        if kind == RESEND_REQUEST and due.rule == "RRQ-06":
            # The first request stands, only the engine is more patient.
            self.session._recovery.progress = self._now + times.seconds(10**9)
        elif kind == RESEND_REQUEST:
            self._join(max(self._high_in + 1, self.session.next_in))
        elif kind in (LOGOUT, LOGON):
            self._join(self.session.next_in)
        elif kind == TEST_REQUEST:
            self.session._received_at, self.session._probed_at = due.since, None
        self._align()

    def _note_missing(self, due: _Due) -> None:
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

    # What came to the engine -----------------------------------------------------------------

    def _received(self, at: int, raw: bytes, *, opens: bool) -> None:
        act = self._line.act
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

    def _queued(self, at: int) -> None:
        """SCH-07: what was numbered while nobody was connected leaves when it is asked for."""
        for line in self._lines[at : at + _LOOK_AHEAD]:
            if line.out and line.act.is_new and line.act.number is not None:
                self._out_next = max(self._out_next, line.act.number)
                break
        self._align()

    def _begins_anew(self, at: int) -> bool:
        """SCH-02, SCH-06: both sides begin with 1 again without 141=Y: it was agreed.

        Both Logons bear 1; or numbers were used up before anybody was connected, and both
        sides ask for all of them.
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

    def _absorb(self, output: Output, since: int, cause_row: int | None) -> None:
        """Remember what an input demands of the engine."""
        messages = [m for m in Framer().feed(output.data) if isinstance(m, Message)]
        following = iter(messages)
        for row in output.transitions:
            if row.kind is _K.RESET_BOTH:
                self._old_next = self._out_next
                self._number_due()
                self._out_next = row.next_out
                self._owed.clear()
                self._high_in = 0
            if row.kind not in _LEFT:
                continue
            act = Act.of(next(following))
            if row.kind is _K.SENT:
                self._due.append(_Due(act, row.rule, since, cause_row))
            else:
                self._owed.add(act)
                self._owed_since, self._owed_row = since, self._line.row
        for event in output.events:
            if isinstance(event, Ended):
                self._ended = (since, event.rule, event.clean)

    def _number_due(self) -> None:
        """What is due before a reset leaves under the old numbers."""
        for due in self._due:
            if due.number is None:
                due.number, self._out_next = self._out_next, self._out_next + 1

    # What the engine sent --------------------------------------------------------------------

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

    def _new(self, act: Act, *, opens: bool) -> _Due | None:
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
                wanted = str(due.act._replace(number=None))
                self._note("different", due.rule, str(act), wanted, due=due)
                if act.msg_type == RESEND_REQUEST and act.begin:
                    self._join(act.begin)  # that is what it expects
                return due
        if not opens:
            self._own(act)
        return None

    def _tells(self, act: Act) -> bool:
        """Whether this request is the first one: it tells what a log in the middle did not."""
        first = self._deduced and not self._asked
        return first and act.msg_type == RESEND_REQUEST and bool(act.begin)

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

    def _knows_all(self) -> bool:
        """Whether what this may answer would be in the log."""
        return not self._deduced or self._now - self._began > self._tolerance

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
        self._differ(rule, f"{act}: {why}", "no ResendRequest", kind="unexpected")

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

    # Numbers and replays ---------------------------------------------------------------------

    def _count(self, act: Act, raw: bytes, *, may_skip: bool = False) -> None:
        number, expected = act.number, self._out_next
        if number is None:
            self._differ("FRM-09", f"{act} without MsgSeqNum(34)", f"MsgSeqNum(34) {expected}")
            return
        if number == self._other_next:
            expected = number
        hole = number > expected and (
            may_skip
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

    def _may_be_beats(self, count: int) -> bool:
        silence = self._now - self._spoke
        return are_beats(count, silence, self.config.heartbeat_seconds)

    def _keep(self, number: int, raw: bytes) -> None:
        """What a later ResendRequest is about."""
        if self.config.persist_messages:
            self._store.save_sent(number, raw)
            self._store.commit()

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

    # Keeping and telling ---------------------------------------------------------------------

    def _align(self) -> None:
        """NextNumOut is what the engine sent, and what it has yet to send."""
        ahead = sum(due.act.is_new and due.number is None for due in self._due)
        self._store.set_out(self._out_next + ahead)
        self._store.commit()
        self.session._next_out = self._out_next + ahead

    def _note(
        self,
        kind: str,
        rule: str,
        summary: str,
        expected: str,
        *,
        due: _Due,
        row: int | None = None,
    ) -> None:
        """A deviation from something that was due."""
        span = (due.act.begin, due.act.end)
        self._deviate(
            kind,
            rule,
            summary,
            expected,
            row=self._line.row if row is None else row,
            span=span,
            cause_row=due.cause_row,
            by_itself=kind != "missing",
        )

    def _differ(
        self,
        rule: str,
        summary: str,
        expected: str,
        kind: str = "different",
        *,
        span: tuple[int | None, int | None] = (None, None),
    ) -> None:
        """A deviation that the engine's own message shows."""
        self._deviate(
            kind, rule, summary, expected, row=self._line.row, span=span, by_itself=True
        )

    def _deviate(
        self,
        kind: str,
        rule: str,
        summary: str,
        expected: str,
        *,
        row: int,
        span: tuple[int | None, int | None] = (None, None),
        cause_row: int | None = None,
        by_itself: bool = False,
    ) -> None:
        number = self._line.act.number if by_itself else None
        self._found.append(
            Deviation(
                kind,
                rule,
                row,
                self._now,
                number,
                *span,
                summary,
                expected,
                cause_row,
                by_itself,
                self._deduced,
            )
        )
