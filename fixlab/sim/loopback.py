"""Loopback: two sessions, two links, one virtual clock, one journal, all in this process.

Nothing sleeps and nothing is random but what the seed decides: the same seed and the same
calls give the same frame, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from random import Random
from typing import TYPE_CHECKING

from fixlab import times
from fixlab.errors import ConfigError, StateError
from fixlab.faults import Faults
from fixlab.redact import mask
from fixlab.session.config import SessionConfig
from fixlab.session.core import Output
from fixlab.session.events import Event, Received
from fixlab.session.transitions import Role, SessionState, Transition, TransitionKind
from fixlab.sim.checkers import Checkers
from fixlab.sim.endpoint import Endpoint
from fixlab.sim.fates import Ledger, Verdict, to_frame
from fixlab.sim.link import Link
from fixlab.stores.base import Store
from fixlab.times import VirtualClock

if TYPE_CHECKING:
    import pandas as pd

    from fixlab.journal import Journal

START = "2026-01-05T09:00:00"  # a Monday morning, UTC
__all__ = ["START", "Endpoint", "Loopback"]

_SETTLE_SECONDS = 600.0  # virtual time within which two healed sessions must agree
_HEAL_TRIES = 6  # connections that heal() makes: one may end over what was lost before
# And so many more where one end expects a higher number than the other will send next: each
# Logon uses up one or two.
_CATCH_UP_MAX = 40
_PROBES = 3  # SQR-16: early messages that it takes to notice that an answer stopped short
_WINDOW_SECONDS = 2_000.0  # a healing that begins so shortly before the schedule ends waits
_HAPPENINGS_MAX = 20_000  # of one call, while it is checked: more is a storm
_NO_FAULTS = Faults()
# What ends a connection by itself; the row after it only says that it ended.
_CAUSES = (TransitionKind.TOO_LOW, TransitionKind.REJECTED, TransitionKind.TIMED_OUT)


class Loopback:
    """Two sessions talking to each other over simulated links, on one virtual clock.

    ```python
    lab = Loopback(seed=7)
    lab.logon()
    lab.drop(sender="initiator", msg_seq_nums=[2])
    lab.initiator.send(Message("D", {11: "ORD-1"}))
    lab.run(seconds=60)
    lab.journal.to_frame()
    ```

    `initiator` and `acceptor` are its two ends: each can `send()`, `test_request()`, `skip()`,
    `lose_next()`, `reset()`, `sequence_reset()`, `logout()` and `stall()`, and shows its
    `session`, what it `received` and its `events`. `journal` records both, `clock` is the
    virtual time of both, and `fates()` tells what became of each message sent.

    Parameters: `seed` decides the delays, and nothing else is random; `start`, the UTC time at
    which the clock begins; `config`, the initiator's (FIX.4.4, BUY to SELL, when None; the
    acceptor mirrors it unless `acceptor_config` is given, too); the stores, for example seeded
    ones or a `SQLiteStore` (None: fresh `MemoryStore`s); `delay_seconds`, the mean time a piece
    of data travels; the faults of each end, which `heal()` ends; `check`, which raises a
    `Violation` as soon as a session breaks an invariant (`fixlab.sim.checkers.INVARIANTS`).

    A step whose store fails raises the `StoreError`: nothing of it leaves and the connection
    is lost, as with a live session; `logon()` goes on from the store's last commit.

    Raises `ConfigError` for a start that is no time and for a delay that cannot work.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        start: str = START,
        config: SessionConfig | None = None,
        acceptor_config: SessionConfig | None = None,
        initiator_store: Store | None = None,
        acceptor_store: Store | None = None,
        journal: Journal | None = None,
        delay_seconds: float = 0.01,
        initiator_faults: Faults = _NO_FAULTS,
        acceptor_faults: Faults = _NO_FAULTS,
        check: bool = False,
    ) -> None:
        if not 0 < delay_seconds <= 3600:
            raise ConfigError(f"delay_seconds must be above 0, to 3600, found {delay_seconds}")
        if config is None:
            config = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")
        if acceptor_config is None:
            acceptor_config = config.mirrored()
        if journal is None:
            from fixlab.journal import Journal  # here: a sweep's workers do without pandas

            journal = Journal()
        self.seed = seed
        self.clock = VirtualClock(times.parse_start(start))
        self._start = self.clock.now()
        self.journal = journal
        self._ledger = Ledger()
        # The first rows of this connection that tell why it ended: the cause, the end itself.
        self._cause: Transition | None = None
        self._ended: Transition | None = None
        self._dead = False  # the line is dead, and at least one end does not know
        self._healing_seconds = 0.0
        self._refusal = ""  # why the last connection of a healing did not come up
        # Each link draws from a stream of its own, so that traffic one way never changes the
        # other way's delays.
        links = [
            Link(Random(f"{seed}/link/{role}"), delay_seconds=delay_seconds) for role in Role
        ]
        self.initiator = Endpoint(
            self,
            config,
            Role.INITIATOR,
            store=initiator_store,
            link=links[0],
            faults=initiator_faults,
        )
        self.acceptor = Endpoint(
            self,
            acceptor_config,
            Role.ACCEPTOR,
            store=acceptor_store,
            link=links[1],
            faults=acceptor_faults,
        )
        self._ends = {Role.INITIATOR: self.initiator, Role.ACCEPTOR: self.acceptor}
        self._directions = ((self.initiator, self.acceptor), (self.acceptor, self.initiator))
        self._checkers = Checkers(self) if check else None

    # Driving -----------------------------------------------------------------------------

    def logon(self) -> None:
        """Connect if need be, and run until both ends are ACTIVE and no gap is open.

        Raises `StateError` with the last reason when they do not get there.
        """
        if self._both(SessionState.ACTIVE) and not self._dead:
            return
        if not self._both(SessionState.DISCONNECTED):
            self._run_until(lambda: self._both(SessionState.DISCONNECTED))
        self._connect()
        self._run_until(lambda: self._settled() or self._both(SessionState.DISCONNECTED))
        if not self._settled():
            raise StateError(f"no session came up: {self._last_reason()}")

    def _connect(self) -> None:
        """Begin a connection; nothing has arrived on it yet."""
        now = self.clock.now()
        for end in self._ends.values():
            if end.session.state is not SessionState.DISCONNECTED:
                raise StateError(f"{end.id} is {end.session.state}, it still has a connection")
        for end in self._ends.values():
            end._link.cut()  # a new connection: nothing of the one before it arrives on it
            if end._broken is not None:
                end._broken.connected()
            if end._broken is not None or end._stalled:
                end._link.restart()
        self._dead = False
        self._cause = self._ended = None
        for end in (self.acceptor, self.initiator):
            end._before_step()
            end._input(partial(end.session.connected, now))

    def run(self, *, seconds: float) -> None:
        """Let virtual time pass, jumping from one thing that happens to the next."""
        if not 0 <= seconds < inf:
            raise ConfigError(f"seconds must be 0 or more, and finite, found {seconds}")
        end = self.clock.now() + times.seconds(seconds)
        count = 0
        while (due := self._next_time()) is not None and due <= end:
            self._happen(due)
            count += 1
            self._check_count(count)
        self.clock.advance_to(end)
        if self._checkers is not None:
            self._checkers.on_time(end)

    def logout(self) -> None:
        """The initiator logs out; runs until both ends are DISCONNECTED."""
        self.initiator.logout()
        self._run_until(lambda: self._both(SessionState.DISCONNECTED))

    # Breaking ----------------------------------------------------------------------------

    def drop(self, *, sender: str, msg_seq_nums: Iterable[int]) -> None:
        """Lose the first transmission of these numbers from `sender` (initiator, acceptor)."""
        self._end(sender).loss.lose_numbers(msg_seq_nums)

    def cut(self) -> None:
        """Cut the connection: bytes in flight both ways are lost, both ends notice at once."""
        now = self.clock.now()
        self._dead = False
        for end in self._ends.values():
            end._link.cut()
        for end in self._ends.values():
            end._lost(now)

    def half_open(self, *, noticed_by: str | None = None) -> None:
        """The line is dead: nothing arrives any more, and at most one end is told.

        The other one finds out by its own silence limit; `cut()` or `heal()` tell it.
        """
        known = None if noticed_by is None else self._end(noticed_by)
        self._dead = True
        for end in self._ends.values():
            end._link.cut()
        if known is not None:
            known._lost(self.clock.now())

    def crash(self, who: str) -> None:
        """Kill one end: it restarts from its store's last commit; the connection is lost."""
        killed, now = self._end(who), self.clock.now()
        killed.session.store.rollback()  # before the cut, which ends in a commit
        self._dead = False
        for end in self._ends.values():
            end._link.cut()
        for end in self._ends.values():
            if end is killed:
                end._die(now)
            else:
                end._lost(now)

    def heal(self) -> None:
        """Nothing fails any more: reconnect, recover, and check that both ends agree.

        Raises `StateError` when they cannot, naming the reason.
        """
        began = self.clock.now()
        for end in self._ends.values():
            end.loss.heal()
            if end._broken is not None:
                end._broken.heal()
        if self._dead:
            self.cut()
        self._await_window()
        checkers = self._checkers
        before = checkers.written() if checkers is not None else {}
        tries, self._refusal = 0, ""
        most = _HEAL_TRIES + self._behind()  # each try that is refused catches up by one
        while tries < most:
            tries += 1
            if self._heal_once():
                break
        agreed = self._agree()
        self._healing_seconds = (self.clock.now() - began) / times.NANOSECONDS
        why = "" if agreed else self._refusal or self._last_reason()
        if checkers is not None:
            checkers.healed(before, tries, agreed=agreed, why=why)
        if not agreed:
            raise StateError(self._refusal or f"the two ends do not agree: {why}")

    def fates(self) -> pd.DataFrame:
        """What became of each application message sent so far: a frame of schema `fates`."""
        names = {role: end.id for role, end in self._ends.items()}
        return to_frame(self._verdicts(), names)

    # Inside ------------------------------------------------------------------------------

    def _end(self, who: str) -> Endpoint:
        try:
            return self._ends[Role(who)]
        except ValueError:
            raise ConfigError(f"expected initiator or acceptor, found {who!r}") from None

    def _heal_once(self) -> bool:
        """One connection of a healing; whether both ends agree now."""
        try:
            self.logon()
        except StateError as error:
            self._refusal = str(error)
            if not self._both(SessionState.DISCONNECTED):
                self.cut()
            return False
        self._refusal = ""
        one, two = self._ends.values()
        # RSP-12: two ends that do not count an early request may trail behind each other until
        # one of them happens to write alone; so later probes go one way.
        for probing in ((one, two), *((one,), (two,)) * _PROBES):
            for end in probing:
                if end.session.state is SessionState.ACTIVE:
                    end.test_request()
            self._run_until(lambda: self._agree() or self._both(SessionState.DISCONNECTED))
            if self._agree():
                return True
            if not self._both(SessionState.ACTIVE):
                break
        if not self._both(SessionState.DISCONNECTED):
            self.cut()
        return False

    def _behind(self) -> int:
        """How far one end counts beyond what the other one will send next, up to a limit."""
        one, two = self.initiator.session, self.acceptor.session
        ahead = max(one.next_in - two.next_out, two.next_in - one.next_out, 0)
        return ahead if ahead <= _CATCH_UP_MAX else 0

    def _apart(self) -> bool:
        """Whether an end counts beyond all that the other one will send next."""
        one, two = self.initiator.session, self.acceptor.session
        return one.next_in > two.next_out or two.next_in > one.next_out

    def _await_window(self) -> None:
        """Outside of the schedule, or shortly before its end, let time pass to the next one."""
        now = self.clock.now()
        for end in self._ends.values():
            schedule = end.session.config.schedule
            if schedule is None:
                continue
            closes = schedule.next_close(now)
            if closes is None or closes - now < times.seconds(_WINDOW_SECONDS):
                self.cut()
                self.clock.advance_to(max(self.clock.now(), schedule.next_open(now) + 1))

    def _next_time(self) -> int | None:
        """When the next thing happens: an arrival or a deadline."""
        due: int | None = None
        for sender, receiver in self._directions:
            busy = receiver._busy_until
            for wait in (sender._link.next_arrival, receiver.session.deadline):
                if wait is not None:
                    wait = max(wait, busy)
                    if due is None or wait < due:
                        due = wait
        return None if due is None else max(due, self.clock.now())

    def _happen(self, due: int) -> None:
        """Move to `due` and let one thing happen: arrivals go before deadlines."""
        self.clock.advance_to(due)
        if self._checkers is not None:
            self._checkers.on_time(due)
        for sender, receiver in self._directions:
            arrival = sender._link.next_arrival
            if arrival is not None and arrival <= due and receiver._busy_until <= due:
                data = sender._link.take().data
                if data == b"":
                    self.cut()
                    return
                if receiver.session.state is SessionState.DISCONNECTED or self._dead:
                    return  # it has closed, or nothing arrives: nobody reads this any more
                receiver._arrive(data, due)
                return
        for end in self._ends.values():
            deadline = end.session.deadline
            if deadline is not None and deadline <= due and end._busy_until <= due:
                end._tick(due)
                return

    def _check_count(self, count: int) -> None:
        if self._checkers is not None and count > _HAPPENINGS_MAX:
            self._checkers.storm(count)

    def _run_until(self, reached: Callable[[], bool]) -> None:
        """Run until `reached`, nothing more happens, or the settling time has passed."""
        limit = self.clock.now() + times.seconds(_SETTLE_SECONDS)
        count = 0
        while not reached():
            due = self._next_time()
            if due is None or due > limit:
                return
            self._happen(due)
            count += 1
            self._check_count(count)

    def _both(self, state: SessionState) -> bool:
        return all(end.session.state is state for end in self._ends.values())

    def _settled(self) -> bool:
        return self._both(SessionState.ACTIVE) and not any(
            end.session.gap or end._link.next_arrival is not None for end in self._ends.values()
        )

    def _agree(self) -> bool:
        one, other = self.initiator.session, self.acceptor.session
        if not self._settled() or self._dead:
            return False
        return one.next_in == other.next_out and other.next_in == one.next_out

    # What the ends report ---------------------------------------------------------------

    def _record(self, rows: tuple[Transition, ...]) -> None:
        self.journal.extend(rows)
        for row in rows:
            if row.kind is TransitionKind.STATE:
                if row.state is SessionState.DISCONNECTED and self._ended is None:
                    self._ended = row
            elif row.kind in _CAUSES and self._cause is None:
                self._cause = row

    def _deliver(self, end: Endpoint, events: tuple[Event, ...]) -> None:
        """The application of `end` is told of `events`."""
        peer = self.acceptor if end is self.initiator else self.initiator
        for event in events:
            if isinstance(event, Received):
                self._ledger.deliver(peer.session.role, event, self.clock.now())

    def _follow(self, end: Endpoint, output: Output, *, received: bool) -> None:
        """A step of `end` is committed."""
        peer = self.acceptor if end is self.initiator else self.initiator
        if self._checkers is not None:
            self._checkers.step(end, output, received=received)
        self._ledger.follow(end.session, peer.session, output.transitions)

    def _ticked(self, end: Endpoint, due: int, output: Output) -> None:
        if self._checkers is not None:
            self._checkers.ticked(end, due, output)

    def _restarted(self, end: Endpoint, numbers: tuple[int, int]) -> None:
        if self._checkers is not None:
            self._checkers.restarted(end, numbers)

    def _store_failed(self, end: Endpoint, output: Output) -> None:
        """A commit of `end` failed; `output` is how its connection ended over that."""
        if self._checkers is not None:
            self._checkers.store_failed(end, output)
        peer = self.acceptor if end is self.initiator else self.initiator
        self._ledger.follow(end.session, peer.session, output.transitions)

    def _reset_wanted(self) -> None:
        if self._checkers is not None:
            self._checkers.reset_wanted()

    def _verdicts(self) -> list[Verdict]:
        one, two = self.initiator.session, self.acceptor.session
        return [*self._ledger.verdicts(one, two), *self._ledger.verdicts(two, one)]

    def _last_reason(self) -> str:
        """Why the last connection ended: the cause rather than what the other end then saw."""
        row = self._cause or self._ended
        if row is None:
            return "nothing more happened"
        text = mask(row.text) if "=" in row.text else row.text
        return f"{text} ({row.rule}, {row.session})"

    def __repr__(self) -> str:
        passed = (self.clock.now() - self._start) / times.NANOSECONDS
        return (
            f"<Loopback seed {self.seed}, {passed:g} s in: "
            f"{self.initiator.session!r} {self.acceptor.session!r}>"
        )
