"""Loopback: two sessions, two links, one virtual clock, one journal, all in this process.

Nothing sleeps and nothing is random but what the seed decides: the same seed and the same
calls give the same frame, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from random import Random

from fixlab import times
from fixlab.errors import ConfigError, StateError, StoreError
from fixlab.faults import FaultyPeer
from fixlab.journal import Journal
from fixlab.session.config import SessionConfig
from fixlab.session.core import Output
from fixlab.session.events import Event, Received
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState, TransitionKind
from fixlab.sim.link import Link
from fixlab.stores.base import Store
from fixlab.stores.memory import MemoryStore
from fixlab.stores.sqlite import SQLiteStore
from fixlab.times import VirtualClock
from fixlab.wire.message import Message

START = "2026-01-05T09:00:00"  # a Monday morning, UTC
_SETTLE_SECONDS = 600.0  # virtual time within which two healed sessions must agree
_HEAL_TRIES = 3  # connections that heal() makes: one may end over what was lost before
# What ends a connection by itself; the row after it only says that it ended.
_CAUSES = (TransitionKind.TOO_LOW, TransitionKind.REJECTED, TransitionKind.TIMED_OUT)


class Endpoint:
    """One end of a loopback: its session, what it was told, and what it can be made to do."""

    def __init__(self, lab: Loopback, session: Session, link: Link) -> None:
        self._lab = lab
        self._link = link  # what this end writes to
        self._outbox: list[bytes] = []
        self._busy = False  # a step of this end is being handed over
        self.session = session
        self.loss = FaultyPeer()
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] | None = None  # may call send()

    @property
    def id(self) -> str:
        """The session's name seen from this end, such as `FIX.4.4:BUY->SELL`."""
        return self.session.id

    @property
    def to_lose(self) -> int:
        """Messages that this end is still to lose."""
        return self.loss.pending

    @property
    def received(self) -> list[Message]:
        """Application messages delivered here, in order."""
        return [event.message for event in self.events if isinstance(event, Received)]

    def connect(self) -> None:
        """Bring both ends up: the same as `Loopback.logon()`."""
        self._lab.logon()

    def send(self, message: Message) -> int:
        """Send one application message; returns its MsgSeqNum(34)."""
        output = self.session.send(message, self._lab.clock.now())
        number = output.transitions[0].msg_seq_num
        assert number is not None, "SENT and QUEUED rows have a number"
        self._apply(output)
        return number

    def test_request(self) -> None:
        """Send a TestRequest(1)."""
        self._apply(self.session.test_request(self._lab.clock.now()))

    def skip(self, count: int) -> None:
        """Use up `count` numbers without sending anything."""
        self._apply(self.session.skip(count, self._lab.clock.now()))

    def lose_next(self, count: int) -> None:
        """Lose the next `count` messages that this end sends, whatever they are."""
        self.loss.lose_next(count)

    def cut(self) -> None:
        """Cut the connection: the same as `Loopback.cut()`."""
        self._lab.cut()

    def reset(self) -> None:
        """Restart both numbers at 1 with ResetSeqNumFlag(141)=Y."""
        self._apply(self.session.reset(self._lab.clock.now()))

    def logout(self, text: str = "") -> None:
        """Send Logout(5) with `text` as its reason."""
        self._apply(self.session.logout(self._lab.clock.now(), text))

    def _apply(self, output: Output) -> None:
        """Hand a step over: journal, events, commit, bytes; in this order (see Store)."""
        self._lab.journal.extend(output.transitions)
        self.events.extend(output.events)
        self._outbox.append(output.data)
        if self._busy:
            return  # called from on_event: the outer step's bytes leave first
        self._busy = True
        try:
            self._tell(output.events)
        finally:
            self._busy = False
        try:
            self.session.store.commit()
        except StoreError:
            self._lose_step()
            raise
        data, self._outbox = b"".join(self._outbox), []
        now = self._lab.clock.now()
        wire = self.loss.outgoing(data)
        if wire:
            self._link.write(wire, now)
        if output.disconnect is not None:
            self._link.close(now)

    def _input(self, step: Callable[[], Output]) -> None:
        """A step that the link or the clock brought; a store that fails in it ends the line."""
        try:
            output = step()
        except StoreError:
            self._lose_step()
            raise
        self._apply(output)

    def _lose_step(self) -> None:
        """The store failed: nothing of the step leaves, and the connection is lost.

        The session takes its numbers from the store again when it connects.
        """
        self._outbox.clear()
        now = self._lab.clock.now()
        output = self.session.disconnected(now)
        self._lab.journal.extend(output.transitions)
        self.events.extend(output.events)
        for end in (self._lab.initiator, self._lab.acceptor):
            end._link.cut()
            if end is not self and end.session.state is not SessionState.DISCONNECTED:
                end._apply(end.session.disconnected(now))
        self._tell(output.events)

    def _tell(self, events: tuple[Event, ...]) -> None:
        if self.on_event is not None:
            for event in events:
                self.on_event(event)

    def __repr__(self) -> str:
        return f"<Endpoint {self.session!r}>"


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
    `lose_next()`, `reset()` and `logout()`, and shows its `session`, what it `received` and
    its `events`. `journal` records both, `clock` is the virtual time of both.

    Parameters: `seed` decides the delays, and nothing else is random; `start`, the UTC time at
    which the clock begins; `config`, the initiator's (FIX.4.4, BUY to SELL, when None; the
    acceptor mirrors it); the stores, for example seeded ones or a `SQLiteStore` (None: fresh
    `MemoryStore`s); `delay_seconds`, the mean time a piece of data travels.

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
        initiator_store: Store | None = None,
        acceptor_store: Store | None = None,
        journal: Journal | None = None,
        delay_seconds: float = 0.01,
    ) -> None:
        if not 0 < delay_seconds <= 3600:
            raise ConfigError(f"delay_seconds must be above 0, to 3600, found {delay_seconds}")
        if config is None:
            config = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")
        self.seed = seed
        self.clock = VirtualClock(times.parse_start(start))
        self._start = self.clock.now()
        self.journal = Journal() if journal is None else journal
        self._rows_before = 0  # rows that were recorded before this connection
        # Each link draws from a stream of its own, so that traffic one way never changes the
        # other way's delays.
        links = [
            Link(Random(f"{seed}/link/{role}"), delay_seconds=delay_seconds) for role in Role
        ]
        initiator = Session(config, Role.INITIATOR, initiator_store or MemoryStore())
        acceptor = Session(config.mirrored(), Role.ACCEPTOR, acceptor_store or MemoryStore())
        self.initiator = Endpoint(self, initiator, links[0])
        self.acceptor = Endpoint(self, acceptor, links[1])
        self._ends = {Role.INITIATOR: self.initiator, Role.ACCEPTOR: self.acceptor}

    # Driving -----------------------------------------------------------------------------

    def logon(self) -> None:
        """Connect if need be, and run until both ends are ACTIVE and no gap is open.

        Raises `StateError` with the last reason when they do not get there.
        """
        if self._both(SessionState.ACTIVE):
            return
        if not self._both(SessionState.DISCONNECTED):
            self._run_until(lambda: self._both(SessionState.DISCONNECTED))
        now = self.clock.now()
        for end in self._ends.values():
            end._link.cut()  # a new connection: nothing of the one before it arrives on it
        self._rows_before = self._rows_recorded
        self.acceptor._apply(self.acceptor.session.connected(now))
        self.initiator._apply(self.initiator.session.connected(now))
        self._run_until(lambda: self._settled() or self._both(SessionState.DISCONNECTED))
        if not self._settled():
            raise StateError(f"no session came up: {self._last_reason()}")

    def run(self, *, seconds: float) -> None:
        """Let virtual time pass, jumping from one thing that happens to the next."""
        if not 0 <= seconds < inf:
            raise ConfigError(f"seconds must be 0 or more, and finite, found {seconds}")
        end = self.clock.now() + times.seconds(seconds)
        while (due := self._next_time()) is not None and due <= end:
            self._happen(due)
        self.clock.advance_to(end)

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
        for end in self._ends.values():
            end._link.cut()
        for end in self._ends.values():
            end._apply(end.session.disconnected(now))

    def crash(self, who: str) -> None:
        """Kill one end: it restarts from its store's last commit; the connection is lost."""
        end = self._end(who)
        store = end.session.store
        if isinstance(store, MemoryStore | SQLiteStore):
            store.rollback()  # before the cut, which ends in a commit
        self.cut()
        fresh = Session(end.session.config, end.session.role, store)
        # One journal records both lives: steps and gaps go on counting, so that no two of them
        # bear the same ordinal.
        fresh._step = end.session._step
        fresh._recovery.ordinal = end.session._recovery.ordinal
        end.session = fresh

    def heal(self) -> None:
        """No more losses: reconnect, recover, and check that both ends agree.

        Raises `StateError` when they cannot, naming the reason.
        """
        for end in self._ends.values():
            end.loss.heal()
        for _ in range(_HEAL_TRIES):
            self.logon()
            for end in self._ends.values():
                end.test_request()
            self._run_until(lambda: self._agree() or self._both(SessionState.DISCONNECTED))
            if self._agree():
                return
        raise StateError(f"the two ends do not agree: {self._last_reason()}")

    # Inside ------------------------------------------------------------------------------

    def _end(self, who: str) -> Endpoint:
        try:
            return self._ends[Role(who)]
        except ValueError:
            raise ConfigError(f"expected initiator or acceptor, found {who!r}") from None

    def _next_time(self) -> int | None:
        """When the next thing happens: an arrival or a deadline."""
        waits = []
        for end in self._ends.values():
            waits += [end._link.next_arrival, end.session.deadline]
        due = min((wait for wait in waits if wait is not None), default=None)
        return None if due is None else max(due, self.clock.now())

    def _happen(self, due: int) -> None:
        """Move to `due` and let one thing happen: arrivals go before deadlines."""
        self.clock.advance_to(due)
        for sender, receiver in (
            (self.initiator, self.acceptor),
            (self.acceptor, self.initiator),
        ):
            arrival = sender._link.next_arrival
            if arrival is not None and arrival <= due:
                data = sender._link.take().data
                if receiver.session.state is SessionState.DISCONNECTED:
                    return  # it has closed: nobody reads this any more
                session = receiver.session
                receiver._input(
                    partial(session.disconnected, due)
                    if data is None
                    else partial(session.receive, data, due)
                )
                return
        for end in self._ends.values():
            deadline = end.session.deadline
            if deadline is not None and deadline <= due:
                end._input(partial(end.session.tick, due))
                return

    def _run_until(self, reached: Callable[[], bool]) -> None:
        """Run until `reached`, nothing more happens, or the settling time has passed."""
        limit = self.clock.now() + times.seconds(_SETTLE_SECONDS)
        while not reached():
            due = self._next_time()
            if due is None or due > limit:
                return
            self._happen(due)

    def _both(self, state: SessionState) -> bool:
        return all(end.session.state is state for end in self._ends.values())

    def _settled(self) -> bool:
        return self._both(SessionState.ACTIVE) and not any(
            end.session.gap or end._link.next_arrival is not None for end in self._ends.values()
        )

    def _agree(self) -> bool:
        one, other = self.initiator.session, self.acceptor.session
        if not self._settled():
            return False
        return one.next_in == other.next_out and other.next_in == one.next_out

    @property
    def _rows_recorded(self) -> int:
        return len(self.journal) + self.journal.dropped

    def _last_reason(self) -> str:
        """Why the last connection ended, from the journal."""
        rows = self.journal.tail(self._rows_recorded - self._rows_before)
        ended = (rows["kind"] == TransitionKind.STATE) & (
            rows["state"] == SessionState.DISCONNECTED
        )
        # The first row is the cause; what the other end then records is its consequence.
        for reasons in (rows[rows["kind"].isin(_CAUSES)], rows[ended]):
            if not reasons.empty:
                first = reasons.iloc[0]
                return f"{first['text']} ({first['rule']}, {first['session']})"
        return "nothing more happened"

    def __repr__(self) -> str:
        passed = (self.clock.now() - self._start) / times.NANOSECONDS
        return (
            f"<Loopback seed {self.seed}, {passed:g} s in: "
            f"{self.initiator.session!r} {self.acceptor.session!r}>"
        )
