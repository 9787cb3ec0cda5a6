"""Checkers: what must hold of a session whatever happens to it, after each of its steps.

They know a session by what it did: its rows, events, bytes and numbers. They keep clocks and
counts of their own, so that a session which forgets a duty is found, and not believed. A peer
or a store that is broken on purpose changes what may reach a session, never what it owes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, NoReturn

from fixlab import times
from fixlab.errors import Violation
from fixlab.faults import PeerFaults
from fixlab.session.core import Output
from fixlab.session.events import Dropped, Established, Received
from fixlab.session.inbound import open_ends
from fixlab.session.liveness import Pulse
from fixlab.session.transitions import Role, SessionState, Transition, TransitionKind
from fixlab.sim.fates import Fate, Verdict
from fixlab.wire.tags import (
    ADMIN_TYPES,
    LOGON,
    LOGOUT,
    ORIG_SENDING_TIME,
    REJECT,
    RESEND_REQUEST,
    SENDER_COMP_ID,
    SENDING_TIME,
    TARGET_COMP_ID,
    TEST_REQUEST,
)

if TYPE_CHECKING:
    from fixlab.sim.loopback import Endpoint, Loopback

_S, _K = SessionState, TransitionKind

INVARIANTS: Mapping[str, str] = MappingProxyType(
    {
        "rows": "Each row begins where the one before it ended: state, numbers, time and step.",
        "counters": "Only a reset lowers a number, and each kind of row moves only its own.",
        "store": "Session, store and the last row hold the same numbers after each step.",
        "bytes": "Each message written has its row and each such row its message, in order.",
        "sending": "Nothing is sent that the state of the session does not allow.",
        "numbers": "New messages bear rising numbers, each of them once between two resets.",
        "delivery": "The application sees each number once, in order, as it was sent.",
        "answers": "TestRequest, Logon and Logout are answered in the step that takes them.",
        "requests": "What is missing is asked for at once, and once, from the number due on.",
        "replays": "A replay covers each number asked for exactly once, as it was first sent.",
        "inbound": "What a correct peer sends is neither garbled, nor too low, nor rejected.",
        "resets": "Numbers restart only where an option, a schedule or a call wants it.",
        "timers": "Heartbeats, probes and time-outs come when they are due, and not before.",
        "effort": "Recovery ends: what is written is bounded by what was missing.",
        "crash": "A process that dies comes back with the numbers of its last commit.",
        "agreement": "Once nothing fails any more, both ends agree on both numbers.",
        "fates": "Each application message is delivered once, or a row says why it never is.",
    }
)

_RAISES_OUT = frozenset({_K.SENT, _K.QUEUED, _K.SKIPPED})
_RAISES_IN = frozenset({_K.ACCEPTED, _K.GAP_FILLED, _K.RESET_IN, _K.REJECTED, _K.IGNORED})
_WRITES = frozenset({_K.SENT, _K.RESENT, _K.FILL_SENT})
# What may be sent as a new message in each state before the row; ACTIVE sends anything.
_MAY_SEND: Mapping[SessionState, frozenset[str]] = MappingProxyType(
    {
        _S.DISCONNECTED: frozenset({LOGON}),
        _S.CONNECTED: frozenset({LOGON, LOGOUT, REJECT}),
        _S.LOGON_SENT: frozenset({LOGOUT, REJECT}),
        _S.RESET_SENT: frozenset({LOGOUT, REJECT}),
        _S.LOGOUT_SENT: frozenset(),
        _S.LOGOUT_ANSWERED: frozenset({LOGOUT}),
        _S.CLOSING: frozenset(),
    }
)
# Rules on the times in a message: a link that stalls makes a correct peer break them.
_TIMED = ("HDR-04", "HDR-09")
_REFUSALS = ("LGN-14", "LGN-15", "LGN-17", "LGN-23", "LGN-33", "HDR-13")
_REQUESTS_MAX = 2  # RRQ-06: a request and one repeat without progress in between
_HEAD = re.compile(rb"8=([^\x01]+)\x019=([0-9]+)\x01(?=35=([^\x01]+)\x01)")
_NUMBER = re.compile(rb"\x0134=([0-9]+)\x01")
_TIME = re.compile(rb"\x0152=([^\x01]+)\x01")
_TRAILER = 7  # bytes of "10=nnn|"
# Fields in which a replay differs from the message it repeats (RSP-01, RSP-10, HDR-11).
_MAY_CHANGE = (b"9=", b"10=", b"52=", b"369=")
_REPLAY_ADDS = (*_MAY_CHANGE, b"43=Y", b"122=")
_APART_NS = times.NANOSECONDS


@dataclass(slots=True)
class _Watch:
    """What the checkers know of one end, on their own account."""

    last: Transition | None = None
    entered: int = 0  # when its state last changed
    sent_at: int = 0
    received_at: int = 0
    probed_at: int | None = None
    pulse: Pulse | None = None  # what the last Logon exchange agreed on
    asked_at: int = 0  # when it last sent a ResendRequest, or NextNumIn moved
    asked: tuple[int, int] | None = None  # range of the open gap's last request
    asks: int = 0  # requests since NextNumIn last moved
    requests: int = 0  # all requests
    number: int = 0  # highest new number written since the last reset
    covered: list[tuple[int, int]] = field(default_factory=list)  # of the replay under way
    delivered: int = 0  # highest number delivered since the last reset
    ordinal: int = 0  # of the last order delivered
    originals: dict[int, bytes] = field(default_factory=dict)
    waiting: set[int] = field(default_factory=set)  # queued, and not left yet
    untold: set[int] = field(default_factory=set)  # of these, dropped in this step
    used: int = 0  # highest number used when this step began
    fresh: bool = True  # no replay was under way then
    replaying: bool = False  # one is under way
    written: int = 0  # messages
    received: int = 0
    stale: bool = False  # its numbers are those of a step that was not committed
    forgiven: bool = False  # its store failed it: it may deliver once more what it delivered


class Checkers:
    """Watches both ends of a loopback; raises a `Violation` at the first broken invariant."""

    def __init__(self, lab: Loopback) -> None:
        self._lab = lab
        self._watches = {role: _Watch() for role in Role}
        configs = [lab._ends[role].session.config for role in Role]
        self._may_reset = any(
            c.reset_on_logon or c.reset_on_logout or c.reset_on_disconnect for c in configs
        )
        self._timely = all(c.sending_time_tolerance_seconds is None for c in configs)

    # What the loopback tells ------------------------------------------------------------

    def reset_wanted(self) -> None:
        """Somebody has called for a reset: from now on rows of one are no surprise."""
        self._may_reset = True

    def store_failed(self, end: Endpoint, output: Output) -> None:
        """A commit failed: the end starts again from its store; `output` is how it ended."""
        watch = self._watches[end.session.role]
        watch.forgiven = watch.stale = True
        for row in output.transitions:
            if row.kind is _K.RESET_BOTH:
                self._on_reset(end, watch, row)
        # What was queued may have been told as dropped in the step that was not kept.
        watch.waiting.clear()
        watch.untold.clear()
        self._forget_connection(watch)

    def restarted(self, end: Endpoint, numbers: tuple[int, int] | None) -> None:
        """The process of `end` has died and come back; `numbers` are what must be there."""
        session = end.session
        watch = self._watches[session.role]
        found = (session.next_in, session.next_out)
        if numbers is not None and found != numbers:
            self._fail("crash", end, None, f"came back with {found}, committed were {numbers}")
        watch.forgiven = watch.forgiven or end._lost_numbers
        watch.waiting.clear()  # only what a session itself has queued is told
        self._forget_connection(watch)
        watch.number = min(watch.number, session.next_out - 1)

    def _forget_connection(self, watch: _Watch) -> None:
        """The connection ended in a step that was not committed, or in no step at all."""
        watch.last = watch.asked = watch.pulse = watch.probed_at = None
        watch.replaying = False
        watch.asks = 0
        watch.covered.clear()

    def step(self, end: Endpoint, output: Output, *, received: bool) -> None:
        """One input to the session of `end` was carried out and committed."""
        session = end.session
        watch = self._watches[session.role]
        rows, now = output.transitions, self._lab.clock.now()
        if rows:
            watch.used, watch.fresh = rows[0].next_out_before - 1, not watch.replaying
            if received:
                self._note_received(watch, rows, now)
            for row in rows:
                self._check_row(end, watch, row)
            self._check_answers(end, watch, rows)
        if output.data or rows:
            self._check_bytes(end, watch, output, now)
        if rows:
            self._check_events(end, watch, output)
            watch.replaying = session.replaying
        self._check_numbers(end, watch)
        self._check_gap(end, watch)

    def ticked(self, end: Endpoint, due: int, output: Output) -> None:
        """A tick at or after the deadline `due` must do something, or it comes for ever."""
        if not output.transitions and end.session.deadline == due:
            if end.session.replaying:
                return
            self._fail("timers", end, None, f"a tick at its deadline {due} did nothing")

    def on_time(self, now: int) -> None:
        """Nothing of either end is overdue at `now`."""
        for role, end in self._lab._ends.items():
            if end.session._state is not _S.DISCONNECTED and end._busy_until < now:
                self._check_time(end, self._watches[role], now)

    def storm(self, count: int) -> NoReturn:
        """So many things happened in one call that it would never end."""
        self._fail("effort", self._lab.initiator, None, f"{count:,} steps and no end")

    # Rows -------------------------------------------------------------------------------

    def _check_row(self, end: Endpoint, watch: _Watch, row: Transition) -> None:
        last, watch.last = watch.last, row
        if row.state is not _S.DISCONNECTED:
            watch.stale = False
        elif watch.stale:
            watch.last = None
        if last is not None and (
            row.state_before is not last.state
            or row.next_in_before != last.next_in
            or row.next_out_before != last.next_out
            or row.time < last.time
            or row.step < last.step
        ):
            self._fail("rows", end, row, f"the row before it: {last}")
        if row.state is not row.state_before:
            watch.entered = row.time
            if row.state is _S.DISCONNECTED:
                watch.asked, watch.asks = None, 0
                watch.covered.clear()
            elif row.state_before is _S.DISCONNECTED:
                watch.sent_at = watch.received_at = row.time
                watch.probed_at = watch.pulse = None
        if row.kind is _K.RESET_BOTH:
            self._on_reset(end, watch, row)
            return
        if row.rule == "LGN-24":  # not asked for: the peer resends because of 789
            watch.asked, watch.asked_at = (row.next_in, 0), row.time
        if row.next_in < row.next_in_before or row.next_out < row.next_out_before:
            self._fail("counters", end, row, "only a reset lowers a number")
        if row.next_in != row.next_in_before:
            if row.kind not in _RAISES_IN:
                self._fail("counters", end, row, f"{row.kind} never moves NextNumIn")
            watch.asked_at, watch.asks = row.time, 0
        if row.next_out != row.next_out_before and row.kind not in _RAISES_OUT:
            self._fail("counters", end, row, f"{row.kind} never moves NextNumOut")
        check = _BY_KIND.get(row.kind)
        if check is not None:
            check(self, end, watch, row)

    def _on_reset(self, end: Endpoint, watch: _Watch, row: Transition) -> None:
        if row.next_in != 1 or row.next_out not in (1, 2):
            self._fail("counters", end, row, "a reset restarts both numbers at 1")
        correct = all(map(self._is_correct, self._lab._ends.values()))
        if correct and not self._may_reset and end.session.config.schedule is None:
            self._fail("resets", end, row, "no option, schedule or call wants it")
        # LGN-20: the Logon that is out already counts as number 1.
        watch.number = row.next_out - 1
        watch.asked, watch.asks = None, 0
        watch.covered.clear()
        watch.originals.clear()
        watch.untold |= watch.waiting  # SCH-04
        watch.waiting.clear()

    def _on_sent(self, end: Endpoint, watch: _Watch, row: Transition) -> None:
        number, before = row.msg_seq_num, row.state_before
        if number != row.next_out_before or row.next_out != row.next_out_before + 1:
            self._fail("numbers", end, row, "a new message takes NextNumOut, and one number")
        if row.kind is _K.QUEUED:
            assert number is not None, "checked above"
            watch.waiting.add(number)
            watch.originals.pop(number, None)  # a store that failed may give it out again
            return
        if before is not _S.ACTIVE and row.msg_type not in _MAY_SEND[before]:
            self._fail("sending", end, row, f"{row.msg_type} is not sent in {before}")
        pulse = watch.pulse
        if row.rule == "HBT-01" and pulse and row.time < watch.sent_at + pulse.beat_after:
            self._fail("timers", end, row, "a Heartbeat before its interval has passed")
        assert number is not None, "checked above"
        if number <= watch.number:
            self._fail("numbers", end, row, f"number {watch.number} was used before")
        watch.number = number
        watch.sent_at = row.time

    def _on_resent(self, end: Endpoint, watch: _Watch, row: Transition) -> None:
        number = row.msg_seq_num
        if row.kind is _K.FILL_SENT:
            first, last = row.begin_seq_no, row.end_seq_no
        else:
            first = last = number
        if first is None or last is None or number != first or last < first:
            self._fail("replays", end, row, "a part of a replay that covers nothing")
        if last >= row.next_out:
            self._fail("replays", end, row, "covers a number that was never used")
        if watch.covered and first != watch.covered[-1][1] + 1:
            self._fail("replays", end, row, f"covered before it was {watch.covered[-1]}")
        if row.kind is _K.RESENT and row.msg_type in ADMIN_TYPES - {REJECT}:
            self._fail("replays", end, row, f"{row.msg_type} is never resent")
        if watch.waiting:
            passed = {n for n in watch.waiting if first <= n <= last}
            watch.waiting -= passed
            if row.kind is _K.FILL_SENT:
                watch.untold |= passed
        watch.covered.append((first, last))
        watch.sent_at = row.time

    def _on_answered(self, end: Endpoint, watch: _Watch, row: Transition) -> None:
        begin, stop = row.begin_seq_no, row.end_seq_no
        covered, watch.covered = watch.covered, []
        if row.rule == "RSP-08":
            return  # nothing to send
        if begin is None or stop is None or not covered or covered[0][0] != begin:
            self._fail("replays", end, row, f"covered {covered[:3]}")
        last = covered[-1][1]
        open_end = stop == 0 or stop in open_ends(end.session.config.begin_string)
        if not open_end and last > stop:
            self._fail("replays", end, row, f"covers {last}, too")
        # Of a replay that lasted longer than this step it is not known where it had to end.
        least = watch.used if open_end else min(stop, watch.used)
        if watch.fresh and last < least:
            self._fail("replays", end, row, f"covers no more than {last}")

    def _on_requested(self, end: Endpoint, watch: _Watch, row: Transition) -> None:
        config, begin, stop = end.session.config, row.begin_seq_no, row.end_seq_no
        watch.asks += 1
        watch.requests += 1
        watch.asked_at = row.time
        if begin is None or stop is None or begin != row.next_in or 0 < stop < begin:
            self._fail("requests", end, row, "asks from NextNumIn on")
        watch.asked = (begin, stop)
        chunk = config.resend_chunk_max
        if stop and chunk is not None and stop - begin >= chunk and stop != begin + chunk - 1:
            self._fail("requests", end, row, f"asks for more than {chunk} numbers")
        if stop == 0 and config.resend_range == "exact":
            self._fail("requests", end, row, "resend_range is exact")
        if watch.asks > _REQUESTS_MAX and not config.redundant_requests:
            self._fail("requests", end, row, f"asked {watch.asks} times without progress")

    def _on_filled(self, end: Endpoint, watch: _Watch, row: Transition) -> None:
        if row.rule == "SQR-06":
            return  # NewSeqNo(36) is the expected number already: some engines accept that
        filled = (row.begin_seq_no, row.end_seq_no)
        if filled != (row.next_in_before, row.next_in - 1) or row.next_in <= row.next_in_before:
            self._fail("counters", end, row, "a gap fill moves NextNumIn by what it fills")

    def _on_garbled(self, end: Endpoint, watch: _Watch, row: Transition) -> None:
        if row.next_in != row.next_in_before or row.next_out != row.next_out_before:
            self._fail("inbound", end, row, "garbled bytes never move a number")
        if self._is_correct(self._peer(end)):
            self._fail("inbound", end, row, "the peer writes nothing garbled")

    def _on_too_low(self, end: Endpoint, watch: _Watch, row: Transition) -> None:
        peer = self._peer(end)
        if self._is_correct(peer) and not peer._lost_numbers and self.agrees():
            self._fail("inbound", end, row, "the peer never uses a number twice")

    def _on_rejected(self, end: Endpoint, watch: _Watch, row: Transition) -> None:
        peer = self._peer(end)
        if not self._is_correct(peer) or peer._lost_numbers:
            return
        timed = row.rule in _TIMED and not self._timely
        if row.msg_type == LOGON:
            known = timed or row.rule in _REFUSALS
            known = known or self.refused() or not self.agrees()
        else:
            # LGN-02, LGN-03: the Logon before it was lost.
            known = timed or (row.rule in ("LGN-02", "LGN-03") and peer.loss.lost > 0)
        if not known:
            self._fail("inbound", end, row, "nothing is wrong with what the peer sends")

    def _on_probed(self, end: Endpoint, watch: _Watch, row: Transition) -> None:
        pulse = watch.pulse
        after = pulse.probe_after if pulse else None
        if after is None or row.time < watch.received_at + after:
            self._fail("timers", end, row, "asks before the peer was silent for long enough")
        watch.probed_at = row.time

    def _on_timed_out(self, end: Endpoint, watch: _Watch, row: Transition) -> None:
        limit = _STATE_LIMITS.get(row.state_before)
        if limit is not None:
            due = watch.entered + times.seconds(getattr(end.session.config, limit))
        elif row.rule == "HBT-05":
            assert watch.pulse is not None, "an ACTIVE session has agreed on its times"
            due = (watch.probed_at or row.time + 1) + watch.pulse.drop_after
        elif row.rule == "RRQ-06":
            due = watch.asked_at + times.seconds(
                end.session.config.resend_timeout_seconds or 0.0
            )
        else:
            return
        if row.time < due:
            self._fail("timers", end, row, f"a time-out {due - row.time} ns too early")

    def _note_received(self, watch: _Watch, rows: tuple[Transition, ...], now: int) -> None:
        if any(row.kind is not _K.GARBLED for row in rows):
            watch.received_at, watch.probed_at = now, None
            watch.received += 1

    # Answers ----------------------------------------------------------------------------

    def _check_answers(
        self, end: Endpoint, watch: _Watch, rows: tuple[Transition, ...]
    ) -> None:
        """What an accepted message demands is in the rows behind its own."""
        for at, row in enumerate(rows):
            if row.kind is not _K.ACCEPTED or row.poss_dup or row.text == "released":
                continue
            wanted = _ANSWERS.get((row.msg_type, row.state_before))
            if wanted is None or (row.msg_type == RESEND_REQUEST and end.session.replaying):
                continue
            behind = rows if row.msg_type == LOGON else rows[at + 1 :]
            if not any(wanted(row, each) for each in behind):
                self._fail("answers", end, row, "it is accepted and not answered")

    # Bytes ------------------------------------------------------------------------------

    def _check_bytes(self, end: Endpoint, watch: _Watch, output: Output, now: int) -> None:
        """Bytes and rows tell the same, and the header says what it must."""
        data, position = output.data, 0
        config = end.session.config
        begin_string = config.begin_string.encode()
        stamp = times.format_utc(now, config.sending_time_digits)
        for row in output.transitions:
            if row.kind not in _WRITES:
                continue
            head = _HEAD.match(data, position)
            if head is None:
                self._fail("bytes", end, row, "no message was written for this row")
            stop = head.end() + int(head[2]) + _TRAILER
            raw = data[position:stop]
            position = stop
            if (
                raw[-_TRAILER:] != b"10=%03d\x01" % (sum(raw[:-_TRAILER]) & 0xFF)
                or head[1] != begin_string
                or head[3].decode("latin-1") != row.msg_type
            ):
                self._fail("bytes", end, row, f"written was {raw!r}")
            self._check_header(end, watch, row, raw, stamp)
            watch.written += 1
        if position != len(data):
            self._fail("bytes", end, None, f"written without a row: {data[position:]!r}")

    def _check_header(
        self, end: Endpoint, watch: _Watch, row: Transition, raw: bytes, stamp: bytes
    ) -> None:
        config = end.session.config
        number, sent = _NUMBER.search(raw), _TIME.search(raw)
        wrong = (
            number is None
            or int(number[1]) != row.msg_seq_num
            or sent is None
            or sent[1] != stamp
            or b"\x0149=%b\x01" % config.sender_comp_id.encode() not in raw
            or b"\x0156=%b\x01" % config.target_comp_id.encode() not in raw
            or (b"\x0143=Y\x01" in raw) != (row.kind is not _K.SENT)
        )
        if wrong:
            self._fail("bytes", end, row, f"written was {raw!r}")
        assert row.msg_seq_num is not None, "checked above"
        if row.kind is _K.SENT:
            if row.msg_type == RESEND_REQUEST:
                self._check_request(end, row, raw)
            if row.msg_type not in ADMIN_TYPES or row.msg_type == REJECT:
                watch.originals[row.msg_seq_num] = raw
        elif row.kind is _K.FILL_SENT:
            assert row.end_seq_no is not None, "checked with the row"
            if (
                b"\x01123=Y\x01" not in raw
                or b"\x0136=%d\x01" % (row.end_seq_no + 1) not in raw
            ):
                self._fail("replays", end, row, f"written was {raw!r}")
        else:
            self._check_replayed(end, watch, row, raw)

    def _check_request(self, end: Endpoint, row: Transition, raw: bytes) -> None:
        old = end.session.config.begin_string in ("FIX.4.0", "FIX.4.1")
        stop = row.end_seq_no or (999_999 if old else 0)
        if row.begin_seq_no is None or (
            b"\x017=%d\x01" % row.begin_seq_no not in raw or b"\x0116=%d\x01" % stop not in raw
        ):
            self._fail("requests", end, row, f"written was {raw!r}")

    def _check_replayed(
        self, end: Endpoint, watch: _Watch, row: Transition, raw: bytes
    ) -> None:
        """RSP-01, RSP-10: as it was first sent, but for what tells that it comes again."""
        assert row.msg_seq_num is not None, "checked with the row"
        original = watch.originals.get(row.msg_seq_num)
        if original is None:
            return  # it was queued, and leaves for the first time
        before, again = set(original.split(b"\x01")), set(raw.split(b"\x01"))
        gone = [f for f in before - again if not f.startswith(_MAY_CHANGE)]
        added = [f for f in again - before if not f.startswith(_REPLAY_ADDS)]
        sent = _TIME.search(original)
        assert sent is not None, "checked when it was first written"
        if gone or added or b"122=" + sent[1] not in again:
            self._fail("replays", end, row, f"first sent was {original!r}, now {raw!r}")

    # Events and numbers -----------------------------------------------------------------

    def _check_events(self, end: Endpoint, watch: _Watch, output: Output) -> None:
        told = [event for event in output.events if isinstance(event, Received)]
        count = 0
        for row in output.transitions:
            if row.kind is _K.RESET_BOTH:
                watch.delivered = 0
            if not _delivers(row):
                continue
            event = told[count] if count < len(told) else None
            count += 1
            if event is None or event.msg_seq_num != row.msg_seq_num:
                self._fail("delivery", end, row, f"delivered was {event and event.msg_seq_num}")
            if row.kind is _K.ACCEPTED:
                if event.msg_seq_num <= watch.delivered and not watch.forgiven:
                    self._fail("delivery", end, row, f"{watch.delivered} came before it")
                watch.delivered = max(watch.delivered, event.msg_seq_num)
            self._check_order(end, watch, event, row)
        if count < len(told):
            self._fail("delivery", end, None, f"{told[count].msg_seq_num} came without a row")
        if watch.untold:
            self._check_dropped(end, watch, output)
        for each in output.events:
            if isinstance(each, Established):
                watch.pulse = Pulse.of(end.session.config, each.heartbeat_seconds)

    def _check_dropped(self, end: Endpoint, watch: _Watch, output: Output) -> None:
        """SCH-04, RSP-09: what was queued and will never leave is told to its application."""
        told: set[int] = set()
        for event in output.events:
            if isinstance(event, Dropped):
                told.update(range(event.begin, event.end + 1))
        if not watch.untold <= told:
            missing = sorted(watch.untold - told)
            self._fail("delivery", end, watch.last, f"queued, dropped and not told: {missing}")
        watch.untold.clear()

    def _check_order(
        self, end: Endpoint, watch: _Watch, event: Received, row: Transition
    ) -> None:
        """What arrives is what the other application sent, and in its order."""
        peer = self._peer(end)
        if not self._is_correct(peer):
            self._check_accepted(end, event, row)
            return
        order = self._lab._ledger.find(peer.session.role, event)
        if order is None:
            # A commit that failed may have kept the message that it was for.
            if not peer._lost_numbers and not self._watches[peer.session.role].forgiven:
                self._fail("delivery", end, row, "nobody sent it")
            return
        sent = order.message
        if any(event.message.values(tag) != sent.values(tag) for tag, _ in sent.fields):
            self._fail("delivery", end, row, f"sent was {sent}, delivered {event.message}")
        sure = not (watch.forgiven or peer._lost_numbers) and self.agrees()
        if sure and order.ordinal <= watch.ordinal:
            self._fail("delivery", end, row, f"order {watch.ordinal} came before it")
        watch.ordinal = max(watch.ordinal, order.ordinal)

    def _check_accepted(self, end: Endpoint, event: Received, row: Transition) -> None:
        """What a broken peer writes is not taken where the config says that it is checked."""
        config, message = end.session.config, event.message
        if config.check_comp_id and (
            message.get(SENDER_COMP_ID) != config.target_comp_id
            or message.get(TARGET_COMP_ID) != config.sender_comp_id
        ):
            self._fail("inbound", end, row, f"taken with another CompID: {message}")
        if not event.poss_dup or config.poss_dup_check != "always":
            return
        original, sent = message.get(ORIG_SENDING_TIME), message.get(SENDING_TIME, "")
        assert sent is not None, "it has a default"
        if original is None or original > sent:
            self._fail("inbound", end, row, f"taken with OrigSendingTime {original}: {message}")

    def _check_numbers(self, end: Endpoint, watch: _Watch) -> None:
        session = end.session
        next_in, next_out = session.next_in, session.next_out
        store = session.store
        last = watch.last
        if watch.stale:
            return  # it reads its store when it next needs to
        if (
            next_in != store.current_in()
            or next_out != store.peek_out()
            or (last is not None and (last.next_in != next_in or last.next_out != next_out))
        ):
            found = (store.current_in(), store.peek_out())
            self._fail(
                "store", end, last, f"session {(next_in, next_out)}, store {found}, last row"
            )

    def _check_gap(self, end: Endpoint, watch: _Watch) -> None:
        """No gap is forgotten: it was asked for, or what it waits for is known."""
        session = end.session
        if session._state is not _S.ACTIVE:
            return
        gap = session.gap
        if gap is None:
            watch.asked = None
            return
        if session.next_in > gap.end:
            self._fail("requests", end, watch.last, f"{gap} is open, though nothing is missing")
        if session.replaying or session._recovery.quiet:
            return
        asked = watch.asked
        if asked is None or 0 < asked[1] < session.next_in:
            self._fail("requests", end, watch.last, f"{gap} is open, asked for was {asked}")

    # Time -------------------------------------------------------------------------------

    def _check_time(self, end: Endpoint, watch: _Watch, now: int) -> None:
        session, config = end.session, end.session.config
        limit = _STATE_LIMITS.get(session.state)
        if limit is not None:
            if now > watch.entered + times.seconds(getattr(config, limit)):
                self._fail("timers", end, watch.last, f"still {session.state}, {limit} is over")
            return
        pulse = watch.pulse
        if session._state is not _S.ACTIVE or pulse is None or now <= watch.entered:
            return
        if pulse.interval:
            if now > watch.sent_at + pulse.beat_after:
                self._fail("timers", end, watch.last, "its Heartbeat is overdue")
            if pulse.probe_after is not None:
                self._check_silence(end, watch, pulse, now)
        wait = config.resend_timeout_seconds
        waits = wait is not None and watch.asked and session.gap and not session.replaying
        if waits and now > watch.asked_at + times.seconds(wait or 0.0):
            self._fail("timers", end, watch.last, "its ResendRequest is overdue")
        if config.schedule is not None:
            slack = times.seconds(config.logout_timeout_seconds) + _APART_NS
            if not config.schedule.is_open(now) and not config.schedule.is_open(now - slack):
                self._fail("timers", end, watch.last, "still ACTIVE, its schedule has closed")

    def _check_silence(self, end: Endpoint, watch: _Watch, pulse: Pulse, now: int) -> None:
        assert pulse.probe_after is not None, "the caller has looked"
        if watch.probed_at is None:
            if now > watch.received_at + pulse.probe_after:
                self._fail("timers", end, watch.last, "the peer is silent, and is not asked")
        elif now > watch.probed_at + pulse.drop_after:
            self._fail("timers", end, watch.last, "the peer is dead, and is not hung up on")

    # The end ----------------------------------------------------------------------------

    def refused(self) -> bool:
        """Whether the two cannot log on to each other at all."""
        one, two = (self._lab._ends[role].session.config for role in Role)
        asked = one.heartbeat_seconds
        least, most = two.heartbeat_range_seconds or (0, asked)
        flags = [bool(c.test_session) for c in (one, two)]
        tested = [c.test_session is not None for c in (one, two)]
        return not least <= asked <= most or (any(tested) and flags[0] != flags[1])

    def agrees(self) -> bool:
        """Whether the two must agree in the end, whatever happens."""
        ends = list(self._lab._ends.values())
        configs = [end.session.config for end in ends]
        # And a store that failed may have failed to keep a reset.
        died = any(end._died or self._watches[end.session.role].forgiven for end in ends)
        if died and any(
            end.session.config.schedule is not None and end.session.store.epoch is None
            for end in ends
        ):
            return False  # SCH-02: what was used before its first connection has no age
        if configs[0].next_expected != configs[1].next_expected:
            return False  # LGN-23: who agreed to 789 takes no Logon without it
        if any(c.reset_on_logon for c in configs):
            return True
        alone = [(c.reset_on_logout, c.reset_on_disconnect) for c in configs]
        if not any(map(any, alone)):
            return True
        # SCH-06: a process that dies does not see its connection end, and resets nothing.
        return all(map(all, alone)) and not died

    def written(self) -> dict[Role, tuple[int, int]]:
        """Messages and ResendRequests of each end so far."""
        return {role: (w.written, w.requests) for role, w in self._watches.items()}

    def healed(
        self, before: dict[Role, tuple[int, int]], connections: int, *, agreed: bool, why: str
    ) -> None:
        """A healing of so many connections is over; `before` is `written()` at its start."""
        ends = list(self._lab._ends.values())
        apart = self._lab._apart() and any(
            end._lost_numbers or not self._is_correct(end) for end in ends
        )
        must = self.agrees() and not self.refused() and not (apart and not agreed)
        if not agreed and must:
            numbers = ", ".join(
                f"{e.id} in {e.session.next_in} out {e.session.next_out}" for e in ends
            )
            self._fail("agreement", ends[0], None, f"{numbers}; {why}")
        if agreed and self.refused():
            self._fail("agreement", ends[0], None, "they cannot log on, and did")
        numbers_used = sum(end.session.next_out for end in ends)
        for end in ends:
            self._check_effort(end, before, connections, numbers_used)
        if agreed and must:
            for verdict in self._lab._verdicts():
                self._check_fate(verdict)

    def _check_effort(
        self,
        end: Endpoint,
        before: dict[Role, tuple[int, int]],
        connections: int,
        numbers: int,
    ) -> None:
        """No storm: what a healing takes is bounded by what was missing."""
        role = end.session.role
        configs = [e.session.config for e in self._lab._ends.values()]
        written, requests = self.written()[role]
        in_parts = any(c.redundant_requests or c.resend_chunk_max is not None for c in configs)
        # RSP-12: two ends that never count an early request may trail behind each other from
        # Heartbeat to Heartbeat; no order is lost by it, and each asks once a beat.
        creeps = all(c.habits.early_request == "uncounted" for c in configs)
        seconds = self._lab._healing_seconds
        beats = 2 * round(seconds) // max(1, min(c.heartbeat_seconds for c in configs)) + 4
        limit = 4 * connections + (2 * numbers if in_parts else 0) + (beats if creeps else 0)
        if requests - before[role][1] > limit:
            self._fail("effort", end, None, f"{requests - before[role][1]} ResendRequests")
        limit = beats + 30 * connections + 8 * connections * numbers
        if written - before[role][0] > limit:
            self._fail("effort", end, None, f"{written - before[role][0]} messages written")

    def _check_fate(self, verdict: Verdict) -> None:
        order = verdict.order
        sender = self._lab._ends[order.sender]
        config = sender.session.config
        receiver = self._peer(sender)
        kept = config.persist_messages and order.message.msg_type not in config.gap_fill_types
        broken = not self._is_correct(sender)
        legal = {
            Fate.DELIVERED: True,
            Fate.WAITING: False,
            Fate.WITHHELD: not kept or sender._lost_numbers,
            Fate.PASSED_OVER: broken or sender._lifted or sender._lost_numbers,
            Fate.REJECTED: broken or sender._lost_numbers or not self._timely,
            Fate.RESET: True,  # that it was wanted is known from its row
            Fate.FORGOTTEN: sender._lost_numbers,
            Fate.REUSED: sender._lost_numbers or broken or receiver._lost_numbers,
            Fate.UNKNOWN: False,
        }[verdict.fate]
        if not legal:
            told = f"order {order.ordinal}, number {order.number}: {verdict.fate}"
            self._fail("fates", sender, verdict.row, told)

    def settled(self) -> None:
        """All has healed, one more order was sent by each end, and time has passed.

        It asks the sessions themselves, so it is the last thing that is done with a loopback.
        """
        if not self.agrees() or self.refused():
            return
        for verdict in self._lab._verdicts():
            self._check_fate(verdict)
        for end in self._lab._ends.values():
            self._check_answerable(end)

    def _check_answerable(self, end: Endpoint) -> None:
        """Every number so far is resent or filled over, exactly once, when asked for."""
        session, peer = end.session, self._peer(end).session
        if session.state is not _S.ACTIVE or peer.state is not _S.ACTIVE:
            return
        if session.gap or session.replaying or session._resetting:
            return
        now, last = self._lab.clock.now(), session.next_out - 1
        body = b"7=1\x0116=%d\x01" % peer._compose.infinity
        raw = peer._compose.message(b"2", session.next_in, b"", body, now)
        output = session.receive(raw, now)
        rows: list[Transition] = []
        for _ in range(last + 2):
            rows += output.transitions
            if not session.replaying:
                break
            output = session.tick(now)
        covered: list[int] = []
        for row in rows:
            if row.kind is _K.RESENT and row.msg_seq_num is not None:
                covered.append(row.msg_seq_num)
            elif row.kind is _K.FILL_SENT:
                assert row.begin_seq_no is not None, "a FILL_SENT row has a range"
                assert row.end_seq_no is not None, "a FILL_SENT row has a range"
                covered += range(row.begin_seq_no, row.end_seq_no + 1)
        if covered[:last] != list(range(1, last + 1)):
            self._fail("replays", end, None, f"asked for 1 to {last}, answered {covered[:50]}")

    # Inside -----------------------------------------------------------------------------

    def _peer(self, end: Endpoint) -> Endpoint:
        ends = self._lab._ends
        role = end.session.role
        return ends[Role.ACCEPTOR if role is Role.INITIATOR else Role.INITIATOR]

    def _is_correct(self, end: Endpoint) -> bool:
        """Whether what `end` writes is what its session wrote, but for what is lost."""
        return end._faults.peer == _CORRECT

    def _fail(
        self, invariant: str, end: Endpoint, row: Transition | None, found: str
    ) -> NoReturn:
        if row is not None:
            found += (
                f" (row {row.kind} of step {row.step}, {row.msg_type or 'no'} message "
                f"{row.msg_seq_num or ''}, NextNumIn {row.next_in}, NextNumOut {row.next_out})"
            )
        raise Violation(
            invariant=invariant,
            sentence=INVARIANTS[invariant],
            found=found,
            rule=row.rule if row else "",
            session=end.id,
            time=self._lab.clock.now(),
            row=row,
            seed=self._lab.seed,
        )


_CORRECT = PeerFaults()
_STATE_LIMITS: Mapping[SessionState, str] = MappingProxyType(
    {
        _S.CONNECTED: "logon_timeout_seconds",
        _S.LOGON_SENT: "logon_timeout_seconds",
        _S.RESET_SENT: "logon_timeout_seconds",
        _S.LOGOUT_SENT: "logout_timeout_seconds",
        _S.LOGOUT_ANSWERED: "logout_timeout_seconds",
        _S.CLOSING: "disconnect_wait_seconds",
    }
)


def _delivers(row: Transition) -> bool:
    """Whether the message of a row goes to the application."""
    if row.kind is _K.ACCEPTED:
        return row.msg_type not in ADMIN_TYPES
    # LGN-19: sent before a reset, and received behind it.
    return row.kind is _K.IGNORED and row.text == "delivered under its old number"


def _says(msg_type: str) -> Callable[[Transition, Transition], bool]:
    return lambda row, answer: answer.kind is _K.SENT and answer.msg_type == msg_type


def _beats_back(row: Transition, answer: Transition) -> bool:
    """HBT-03: with the same TestReqID(112), which is the text of both rows."""
    return answer.kind is _K.SENT and answer.rule == "HBT-03" and answer.text == row.text


def _serves(row: Transition, answer: Transition) -> bool:
    return answer.kind is _K.RESEND_ANSWERED or (
        answer.kind is _K.SENT and answer.msg_type in (LOGOUT, REJECT)
    )


# What an accepted message demands in the same step, by its type and the state it meets.
_ANSWERS = {
    (TEST_REQUEST, _S.ACTIVE): _beats_back,
    (LOGOUT, _S.ACTIVE): _says(LOGOUT),
    (LOGON, _S.CONNECTED): _says(LOGON),
    (RESEND_REQUEST, _S.ACTIVE): _serves,
}
_BY_KIND = {
    _K.SENT: Checkers._on_sent,
    _K.QUEUED: Checkers._on_sent,
    _K.RESENT: Checkers._on_resent,
    _K.FILL_SENT: Checkers._on_resent,
    _K.RESEND_ANSWERED: Checkers._on_answered,
    _K.RESEND_REQUESTED: Checkers._on_requested,
    _K.GAP_FILLED: Checkers._on_filled,
    _K.GARBLED: Checkers._on_garbled,
    _K.TOO_LOW: Checkers._on_too_low,
    _K.REJECTED: Checkers._on_rejected,
    _K.PROBED: Checkers._on_probed,
    _K.TIMED_OUT: Checkers._on_timed_out,
}
