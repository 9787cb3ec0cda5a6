"""A session that stands where an engine stood, and what the engine has yet to send.

The session is never ahead of the log: what the engine decides alone is taken over, and its
numbers and messages become the session's own, so that a later ResendRequest is about the very
messages that were sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import NamedTuple

from fixlab.analysis._acts import Act, Owed
from fixlab.analysis._habits import (
    Line,
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
from fixlab.wire.tags import HEARTBEAT, LOGON

_S, _K = SessionState, TransitionKind
_TURNS_MAX = 6  # messages back and forth until two sessions are up
_BATCH = 10**18  # numbers resent at once: nothing else waits for its turn here
_EARLY_MAX = 1_000  # numbers that came early and are remembered
_LEFT = (_K.SENT, _K.RESENT, _K.FILL_SENT)
# Settings that no log shows, by the rule that an engine departs from with them.
_SETTINGS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("missing", "HBT-04"): "check_silence=False",
        ("missing", "HBT-05"): "check_silence=False",
        ("late", "HBT-04"): "check_silence=False",
        ("different", "RSP-09"): "persist_messages=False or other gap_fill_types",
        ("unexpected", "RRQ-04"): "redundant_requests=True",
        ("missing", "HDR-02"): "check_comp_id=False",
        ("missing", "HDR-04"): "another sending_time_tolerance_seconds",
        ("missing", "HDR-08"): "another poss_dup_check",
        ("missing", "HDR-09"): "another poss_dup_check",
    }
)


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
    setting: str  # with which it would be none, where the settings were read off the log
    deduced: bool  # the numbers it rests on were read off a log that begins in the middle


@dataclass(slots=True)
class Due:
    """A message that the engine has yet to send."""

    act: Act
    rule: str
    since: int
    cause_row: int | None
    number: int | None = None  # its own, when a reset came behind it; else the next one


class Store(MemoryStore):
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


class Stage:
    """The session, what is due from the engine, and the deviations found so far."""

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
        self.config = replace(config, replay_batch_max=_BATCH)
        self._lines, self._tolerance = lines, tolerance
        self.role = Role.INITIATOR if is_initiator(lines) else Role.ACCEPTOR
        next_in, self._out_next = first_numbers(lines)
        self._store = Store(next_out=self._out_next, next_in=next_in)
        self.session = Session(self.config, self.role, self._store)
        self._due: list[Due] = []
        self._owed = Owed()
        self._owed_since, self._owed_row = 0, 0
        self._found: list[Deviation] = []
        self._line, self._at = lines[0], 0
        self._now = self._last = lines[0].time
        self._high_in = next_in - 1
        self._other_next: int | None = None  # where the engine may go on after a number again
        self._quiet_rule = ""  # a timer that was missed since the engine last spoke
        self._ended: tuple[int, str, bool] | None = None  # when, rule, clean
        new = (one.act.number for one in lines if not one.out and one.act.is_new)
        self._first_new = next((number for number in new if number), 0)
        # Since when all that matters is in the log: numbers from before it may still come.
        self._began, self._first_in = lines[0].time, next_in
        self._answers = begins_with_answer(lines)
        # A Logon of who does not begin connections is in the middle of one.
        begins = lines[0].out == (self.role is Role.INITIATOR)
        self._deduced = lines[0].act.msg_type != LOGON or not begins
        self._hides_beats = hides_beats(lines, config.heartbeat_seconds)
        # What came while numbers were missing, and may have been dropped.
        self._early: deque[int] = deque(maxlen=_EARLY_MAX)
        self._old_next = self._out_next  # before the last reset
        self._asked = False  # the engine asked for something already
        self._claimed = False  # it sent a Logon already
        self._waited = False  # something left as a repeat in this connection, and never before
        self._open_from: int | None = None  # BeginSeqNo(7) of the last open ResendRequest
        self._spoke = lines[0].time  # when the engine last sent something
        if self._deduced:
            self._join(next_in)

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
        peer_store = Store(next_in, next_out)
        peer = Session(plain.mirrored(), other, peer_store)
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
        if ahead > 0:
            peer._begin_step(self._now)
            peer_store.set_out(self._high_in)
            peer._next_out = self._high_in
            peer._send_new(HEARTBEAT, b"", "HBT-01")
            self.session.receive(peer._output().data, self._now)
        for number, raw in kept.items():
            self._store.save_sent(number, raw)
        self._ended = None
        self._align()

    def _expect(self, next_in: int) -> None:
        """The engine has said what it expects."""
        self._store.set_in(next_in)
        self.session._next_in = next_in
        self._high_in = next_in - 1

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
                self._due.append(Due(act, row.rule, since, cause_row))
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

    def _align(self) -> None:
        """NextNumOut is what the engine sent, and what it has yet to send."""
        ahead = sum(due.act.is_new and due.number is None for due in self._due)
        self._store.set_out(self._out_next + ahead)
        self._store.commit()
        self.session._next_out = self._out_next + ahead

    def _keep(self, number: int, raw: bytes) -> None:
        """What a later ResendRequest is about."""
        if self.config.persist_messages:
            self._store.save_sent(number, raw)
            self._store.commit()

    def _knows_all(self) -> bool:
        """Whether what this may answer would be in the log."""
        return not self._deduced or self._now - self._began > self._tolerance

    def _note(
        self,
        kind: str,
        rule: str,
        summary: str,
        expected: str,
        *,
        due: Due,
        row: int | None = None,
        setting: str = "",
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
            setting=setting,
        )

    def _differ(
        self,
        rule: str,
        summary: str,
        expected: str,
        kind: str = "different",
        *,
        span: tuple[int | None, int | None] = (None, None),
        setting: str = "",
    ) -> None:
        """A deviation that the engine's own message shows."""
        self._deviate(
            kind,
            rule,
            summary,
            expected,
            row=self._line.row,
            span=span,
            by_itself=True,
            setting=setting,
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
        setting: str = "",
    ) -> None:
        number = self._line.act.number if by_itself else None
        setting = "" if self._given else setting or _SETTINGS.get((kind, rule), "")
        if setting:
            summary += f" (no deviation with {setting})"
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
                setting,
                self._deduced,
            )
        )
