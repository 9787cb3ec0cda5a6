"""Checkers: what must hold of a session whatever happens to it, after each of its steps.

They know a session by what it did: its rows, events, bytes and numbers. They keep clocks and
counts of their own, so that a session which forgets a duty is found, and not believed. A peer
or a store that is broken on purpose changes what may reach a session, never what it owes.
"""

from __future__ import annotations

from typing import NoReturn

from fixlab.session.core import Output
from fixlab.session.transitions import Role, SessionState, Transition, TransitionKind
from fixlab.sim._deliveries import DeliveryChecks
from fixlab.sim._watch import INVARIANTS, Watch
from fixlab.sim.endpoint import Endpoint
from fixlab.sim.fates import Fate, Verdict

_S, _K = SessionState, TransitionKind
__all__ = ["INVARIANTS", "Checkers"]


class Checkers(DeliveryChecks):
    """Watches both ends of a loopback; raises a `Violation` at the first broken invariant."""

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

    def _forget_connection(self, watch: Watch) -> None:
        """The connection ended in a step that was not committed, or in no step at all."""
        watch.last = watch.asked = watch.pulse = watch.probed_at = None
        watch.replaying = watch.gap = False
        watch.prompt.clear()
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

    # Numbers and gaps -------------------------------------------------------------------

    def _check_numbers(self, end: Endpoint, watch: Watch) -> None:
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

    def _check_gap(self, end: Endpoint, watch: Watch) -> None:
        """No gap is forgotten: it was asked for, or what it waits for is known."""
        session = end.session
        if session._state is not _S.ACTIVE:
            return
        if watch.prompt and not session.replaying:
            queued = sorted(watch.prompt)
            self._fail("sending", end, watch.last, f"{queued} were queued, and do not leave")
        gap = session.gap
        if gap is None:
            watch.asked = None
            if session._recovery.held:
                held = sorted(session._recovery.held)
                self._fail("requests", end, watch.last, f"no gap is open, and {held} are held")
            return
        if session.next_in > gap.end:
            self._fail("requests", end, watch.last, f"{gap} is open, though nothing is missing")
        if session.replaying or session._recovery.quiet:
            return
        asked = watch.asked
        if asked is None or 0 < asked[1] < session.next_in:
            self._fail("requests", end, watch.last, f"{gap} is open, asked for was {asked}")

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
        # A broken engine may have read another HeartBtInt(108) than was written.
        if agreed and self.refused() and not any(end.loss.other_pace for end in ends):
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
        # A broken engine may have beats agreed on that are faster than the settings.
        paces = [c.heartbeat_seconds for c in configs]
        paces += [w.fastest for w in self._watches.values() if w.fastest is not None]
        beats = 2 * round(seconds) // max(1, min(paces)) + 4
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
            # Profiles: this engine counts it whatever its number.
            Fate.DISPLACED: bool(receiver.session.config.habits.any_number),
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
