"""Endpoint: one end of a loopback, from its session down to the link that it writes to."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from fixlab import times
from fixlab.errors import ConfigError, FixLabError, StoreError
from fixlab.faults import Faults, FaultyEnd, FaultyPeer, FaultyStore, Passage, Strike
from fixlab.session.config import SessionConfig
from fixlab.session.core import Output
from fixlab.session.events import Event, Received
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState, Transition, TransitionKind
from fixlab.sim.fates import Ledger, Verdict
from fixlab.sim.link import Link
from fixlab.stores.base import Store
from fixlab.stores.memory import MemoryStore
from fixlab.times import VirtualClock
from fixlab.wire.message import Message

_NO_FAULTS = Faults()


class Endpoint:
    """One end of a loopback: its session, what it was told, and what it can be made to do."""

    def __init__(
        self,
        lab: Lab,
        config: SessionConfig,
        role: Role,
        *,
        store: Store | None,
        link: Link,
        faults: Faults,
    ) -> None:
        self._lab = lab
        self._faults = faults
        # None without faults: then nothing stands between session, store and link.
        self._broken: FaultyEnd | None = None
        if faults != _NO_FAULTS:
            self._broken = FaultyEnd(faults, seed=lab.seed, end=role.value)
            store = self._broken.store(store, self._stall_for)
        self._link = link  # what this end writes to
        self._outbox: list[bytes] = []
        self._steps: list[tuple[Output, bool]] = []  # not committed; and whether bytes came
        self._busy = False  # a step of this end is being handed over
        self._busy_until = 0  # the process stands still so long
        self._stalled = False  # it once did
        self._died = False
        self._lost_numbers = False  # it forgot what had left, or what had come
        self._lost_reset = 0  # and a reset with it: the NextNumIn from before, which is back
        self._lifted = False  # it was told to send a SequenceReset-Reset
        self.session = Session(config, role, MemoryStore() if store is None else store)
        self.loss = FaultyPeer() if self._broken is None else self._broken.peer
        self.events: list[Event] = []
        self.on_event: Callable[[Event], None] | None = None  # may call send()

    @property
    def id(self) -> str:
        """The session's name seen from this end, such as `FIX.4.4:BUY->SELL`."""
        return self.session.id

    @property
    def received(self) -> list[Message]:
        """Application messages delivered here, in order."""
        return [event.message for event in self.events if isinstance(event, Received)]

    @property
    def to_lose(self) -> int:
        """Messages that this end is still to lose."""
        return self.loss.pending

    @property
    def struck(self) -> tuple[Strike, ...]:
        """The faults of this end that have happened, in order."""
        return () if self._broken is None else self._broken.struck

    def connect(self) -> None:
        """Bring both ends up: the same as `Loopback.logon()`."""
        self._lab.logon()

    def send(self, message: Message) -> int:
        """Send one application message; returns its MsgSeqNum(34)."""
        role, ledger = self.session.role, self._lab._ledger
        self._before_step()
        ledger.give(role, message)
        try:
            output = self.session.send(message, self._lab.clock.now())
        except FixLabError:
            ledger.refuse(role)
            raise
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
        output = self.session.reset(self._lab.clock.now())
        self._lab._reset_wanted()
        self._apply(output)

    def sequence_reset(self, new_number: int) -> None:
        """Send SequenceReset-Reset: what the peer has not got below `new_number` is lost."""
        output = self.session.sequence_reset(new_number, self._lab.clock.now())
        self._lifted = True
        self._apply(output)

    def logout(self, text: str = "") -> None:
        """Send Logout(5) with `text` as its reason."""
        self._apply(self.session.logout(self._lab.clock.now(), text))

    def stall(self, seconds: float) -> None:
        """The process of this end stands still: nothing is read, sent or timed meanwhile."""
        if not 0 <= seconds <= 86_400:
            raise ConfigError(f"seconds must be 0 to 86400, found {seconds}")
        self._stall_until(self._lab.clock.now() + times.seconds(seconds))

    # Inside ------------------------------------------------------------------------------

    def _die(self, now: int) -> None:
        """The process is killed, and comes back with what its store has committed."""
        old, store = self.session, self.session.store
        numbers = (old.next_in, old.next_out)
        # LGN-20: no store tells that the peer may not have learned of a reset in an answer.
        self._lost_numbers |= old._reset_unasked and old.next_in == 2
        # The row tells that the connection ended. What a living process does about that, such
        # as a reset, a dead one does not.
        rows = [
            row
            for row in old.disconnected(now).transitions
            if row.kind is not TransitionKind.RESET_BOTH
        ]
        if isinstance(store, FaultyStore):
            store.rollback()
            numbers = (store.current_in(), store.peek_out())
            store.crash()
            kept = (store.current_in(), store.peek_out())
            if kept != numbers:
                self._lost_numbers = True
                self._lab._ledger.forget(old.role, kept[1], now)
            if kept[0] > numbers[0]:
                self._lost_reset = kept[0]
            numbers = kept
        else:
            store.rollback()
        self._lab._record(tuple(rows))
        fresh = Session(old.config, old.role, store)
        # One journal records both lives: steps and gaps go on counting, so that no two of them
        # bear the same ordinal.
        fresh._step = old._step
        fresh._recovery.ordinal = old._recovery.ordinal
        self.session, self._died, self._busy_until = fresh, True, 0
        self._lab._restarted(self, numbers)

    def _before_step(self) -> None:
        """A broken engine may use up numbers before its next message."""
        if self._broken is not None and self._broken.peer.acts:
            count = self._broken.peer.skip_before(self.session.next_out)
            if count:
                self._apply(self.session.skip(count, self._lab.clock.now()))

    def _after_step(self) -> None:
        """And it may have more to say than its session has."""
        if self._broken is not None and self._broken.peer.acts:
            for test_req_id in self._broken.peer.errands():
                if self.session.state is SessionState.ACTIVE:
                    self._apply(self.session.test_request(self._lab.clock.now(), test_req_id))

    def _stall_for(self, seconds: float) -> None:
        self._stall_until(self._lab.clock.now() + times.seconds(seconds))

    def _stall_until(self, time: int) -> None:
        self._stalled = True
        self._busy_until = max(self._busy_until, time)

    def _apply(self, output: Output, *, received: bool = False) -> None:
        """Hand a step over: journal, events, commit, bytes; in this order (see Store)."""
        lab = self._lab
        lab._record(output.transitions)
        if output.events:
            self.events.extend(output.events)
            lab._deliver(self, output.events)
        self._outbox.append(output.data)
        self._steps.append((output, received))
        if self._busy:
            return  # called from on_event: the outer step's bytes leave first
        self._busy = True
        try:
            self._tell(output.events)
        finally:
            self._busy = False
        try:
            self.session.store.commit()
        except StoreError as error:
            self._lose_step(error)
            return
        steps, self._steps = self._steps, []
        for each, came in steps:
            lab._follow(self, each, received=came)
        data, self._outbox = b"".join(self._outbox), []
        if data:
            self._write(data)
        if output.disconnect is not None:
            self._close()

    def _free_at(self) -> int:
        """Now, or when this end is no longer busy."""
        return max(self._lab.clock.now(), self._busy_until)

    def _write(self, data: bytes) -> None:
        wire, now = self.loss.outgoing(data), self._free_at()
        link = None if self._broken is None else self._broken.link
        if link is None:
            if wire:
                self._link.write(wire, now)
        elif wire:
            self._pass(link.write(wire, now))
            if link.half_open and not self._lab._dead:
                self._lab.half_open()

    def _pass(self, passage: Passage) -> None:
        for time, data in passage.pieces:
            self._link.write(data, time)
        if passage.cut is not None:
            self._link.sever(passage.cut)

    def _close(self) -> None:
        now = self._free_at()
        if self._broken is not None and self._broken.link is not None:
            self._pass(self._broken.link.rest(now))
        self._link.close(now)

    def _arrive(self, data: bytes | None, now: int) -> None:
        """What the other end wrote is here; None is the end of the stream."""
        if data is None:
            self._lost(now)
            return
        if self._broken is not None:
            data = self._broken.peer.incoming(data)
            self._before_step()
        self._input(partial(self.session.receive, data, now), received=True)
        if self._broken is not None:
            self._after_step()

    def _lost(self, now: int) -> None:
        """The connection is gone."""
        self._input(partial(self.session.disconnected, now))

    def _input(self, step: Callable[[], Output], *, received: bool = False) -> None:
        """A step that the link or the clock brought; a store that fails in it ends the line."""
        try:
            try:
                output = step()
            except StoreError as error:
                self._lose_step(error)
                return
            self._apply(output, received=received)
        except StoreError:
            if not isinstance(self.session.store, FaultyStore):
                raise
            # It was asked for, so it is a part of what happens.

    def _tick(self, now: int) -> None:
        due = self.session.deadline
        if due is None or due > now:
            return
        self._before_step()
        output: list[Output] = []

        def step() -> Output:
            output.append(self.session.tick(now))
            return output[0]

        self._input(step)
        if output:
            self._lab._ticked(self, due, output[0])
        self._after_step()

    def _lose_step(self, error: StoreError) -> None:
        """The store failed: nothing of the step leaves, and the connection is lost.

        The session takes its numbers from the store again when it connects. The error is the
        caller's, unless it was asked for.
        """
        self._outbox.clear()
        self._steps.clear()
        lab = self._lab
        lab._ledger.refuse(self.session.role)
        now = lab.clock.now()
        output = self.session.disconnected(now)
        lab._record(output.transitions)
        self.events.extend(output.events)
        lab._store_failed(self, output)
        for end in (lab.initiator, lab.acceptor):
            end._link.cut()
            if end is not self and end.session.state is not SessionState.DISCONNECTED:
                end._lost(now)
        self._tell(output.events)
        raise error

    def _tell(self, events: tuple[Event, ...]) -> None:
        if self.on_event is not None:
            for event in events:
                self.on_event(event)

    def __repr__(self) -> str:
        return f"<Endpoint {self.session!r}>"


class Lab(Protocol):
    """What an end, and who checks it, needs to know of the loopback that it is an end of."""

    seed: int
    clock: VirtualClock
    initiator: Endpoint
    acceptor: Endpoint
    _ends: dict[Role, Endpoint]
    _ledger: Ledger
    _dead: bool
    _healing_seconds: float

    def logon(self) -> None: ...
    def cut(self) -> None: ...
    def half_open(self) -> None: ...
    def _apart(self) -> bool: ...
    def _deliver(self, end: Endpoint, events: tuple[Event, ...]) -> None: ...
    def _follow(self, end: Endpoint, output: Output, *, received: bool) -> None: ...
    def _record(self, rows: tuple[Transition, ...]) -> None: ...
    def _reset_wanted(self) -> None: ...
    def _restarted(self, end: Endpoint, numbers: tuple[int, int]) -> None: ...
    def _store_failed(self, end: Endpoint, output: Output) -> None: ...
    def _ticked(self, end: Endpoint, due: int, output: Output) -> None: ...
    def _verdicts(self) -> list[Verdict]: ...
