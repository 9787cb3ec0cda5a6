"""Driver: pumps one Session over TCP connections, one at a time, and knows no FIX rule.

Each input is a step of the session. Its events go to the application; then the store commits,
and only then its transitions go to the journal and its bytes leave: the journal tells what
happened, never what was undone. Sends that come in one turn of the event loop share one commit
and one write.
"""

from __future__ import annotations

import asyncio
import inspect
import os
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import TypeVar, overload

from fixlab import times
from fixlab.errors import ConfigError, FixLabError, StateError, StoreError
from fixlab.faults.end import FaultyEnd
from fixlab.faults.plan import NO_FAULTS, Strike
from fixlab.journal import Journal
from fixlab.net.connection import Connection
from fixlab.net.faulty import FaultyConnection
from fixlab.net.message_log import MessageLog
from fixlab.session.core import Output
from fixlab.session.events import Ended, Event
from fixlab.session.session import Session
from fixlab.session.transitions import SessionState, Transition, TransitionKind
from fixlab.times import Clock, SystemClock
from fixlab.wire.message import Message

E = TypeVar("E", bound=Event)

_TURN_MAX = 256  # sends that share one commit before `send()` lets the loop have a turn
_UNSENT_MAX = 100_000  # sends that one turn can take at all: bounds what waits in memory
_ERRORS_MAX = 100  # errors kept for `errors`
_WAIT_SECONDS = 30.0  # a wait that names no limit of its own
_WAKE_SECONDS = 0.25  # a loop that sleeps notices an interrupted cell only when it wakes
_ABORT_SECONDS = 1.0  # for a transport that was told to close at once


class Driver:
    """One live session: what an application calls, whichever end it is.

    Made by `Initiator` (which is one) and by `Acceptor` (which has one for each of its
    sessions); not by hand.

    **Events** go to `on_event` when it is given, before the step is committed: after a crash an
    event may come twice, never not at all. It must be quick and must not block; it may call
    `send_nowait()`. When it raises, the session goes on, the event waits for `next_event()`,
    and the error is kept in `errors` and given to the event loop's exception handler. Without
    `on_event` all events wait for `next_event()`, at most `events_max` of them; when more come
    the oldest are dropped, and the next `next_event()` raises to say so.

    **Errors of the store** end the connection: nothing of the step leaves. The call that ran
    into it raises the `StoreError`, later sends raise it again until the next connection. The
    journal keeps one row of it, which says that the connection ended, and why.

    **A peer that reads slowly**: what it has not read waits in memory, at most
    `write_bytes_max`; `send()` waits for it. One that reads nothing for `stall_seconds`, or
    for which more has to wait, loses its connection, and `reason` says so.

    **A log** of its messages and of what happened goes to the folder `log_path`, in the two
    files of C++ QuickFIX, secrets masked; see `MessageLog`. What goes wrong there never touches
    the session: `log.error` keeps it.

    **Faults on purpose** stand between the session and the wire: rows and store tell what the
    session did, `struck` what was made of it.
    """

    def __init__(
        self,
        session: Session,
        *,
        journal: Journal | None = None,
        log_path: str | os.PathLike[str] | None = None,
        on_event: Callable[[Event], object] | None = None,
        faulty: FaultyEnd | None = None,
        clock: Clock | None = None,
        events_max: int = 10_000,
        write_bytes_max: int = 1 << 26,
        stall_seconds: float = 30.0,
        exit_seconds: float = 2.0,
    ) -> None:
        if inspect.iscoroutinefunction(on_event):
            raise ConfigError(
                "on_event must be a plain function, found a coroutine function; start a task "
                "in it, or read events with next_event()"
            )
        if events_max < 1:
            raise ConfigError(f"events_max must be at least 1, found {events_max}")
        self.write_bytes_max = write_bytes_max
        self.stall_seconds = stall_seconds
        self._exit_seconds = exit_seconds
        self._session = session
        self._journal = Journal() if journal is None else journal
        self._log = None if log_path is None else MessageLog(log_path, session.config)
        self._rows: list[Transition] = []  # of steps that are not committed yet
        self._told: Transition | None = None  # the last row that the journal got
        self._commit = session.store.commit
        self._own_clock = clock is None
        self._now = (SystemClock() if clock is None else clock).now
        self._on_event = on_event
        self._faulty = faulty or FaultyEnd(NO_FAULTS, seed=0, end=session.id)
        self._peer = self._faulty.peer

        self._connection: Connection | None = None
        self._going: set[Connection] = set()  # let go of, not yet closed
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0
        self._running = False  # inside an input's step: it flushes at its end
        self._turn_open = False  # sends of this turn of the loop leave together at its end
        self._turn_sends = 0
        self._pending: list[bytes] = []
        self._hang_up = False  # the session wants the connection closed after the write

        self._seen = session.state
        self._ended: Ended | None = None
        self._reason = ""
        self._failure: FixLabError | None = None  # why no step may run until the next attach
        self._closed = False

        self._events: deque[Event] = deque()
        self._events_max = events_max
        self._events_dropped = 0
        self._events_untold = 0  # dropped since next_event() last said so
        self._errors: deque[Exception] = deque(maxlen=_ERRORS_MAX)
        self._waiters: set[asyncio.Future[None]] = set()

    # Looking ---------------------------------------------------------------------------

    @property
    def session(self) -> Session:
        """The session itself; look at it, but let the driver run its steps."""
        return self._session

    @property
    def id(self) -> str:
        """`Session.id`, such as `FIX.4.4:BUY->SELL`."""
        return self._session.id

    @property
    def state(self) -> SessionState:
        """Where the session's life stands."""
        return self._session.state

    @property
    def journal(self) -> Journal:
        """Where the session's transitions are kept."""
        return self._journal

    @property
    def log(self) -> MessageLog | None:
        """The log files; None without `log_path`."""
        return self._log

    @property
    def reason(self) -> str:
        """Why the last connection, or the last attempt at one, ended; "" before that."""
        return self._reason

    @property
    def closed(self) -> bool:
        """Whether `close()` was called: the session ends, and no connection comes any more."""
        return self._closed

    @property
    def faulty(self) -> FaultyEnd:
        """What goes wrong here on purpose; its `heal()` calls it off."""
        return self._faulty

    @property
    def struck(self) -> tuple[Strike, ...]:
        """The faults that happened so far, in order, apart from what verbs asked for."""
        return self._faulty.struck

    @property
    def to_lose(self) -> int:
        """Messages that `lose_next()` has still to take away."""
        return self._peer.pending

    @property
    def messages_lost(self) -> int:
        """Messages that `lose_next()` took away so far."""
        return self._peer.lost

    @property
    def errors(self) -> tuple[Exception, ...]:
        """What went wrong on this side: callbacks that raised, a store that failed."""
        return tuple(self._errors)

    @property
    def events_dropped(self) -> int:
        """Events that were dropped because nobody read them."""
        return self._events_dropped

    def __repr__(self) -> str:
        session = self._session
        gap = session.gap
        missing = f", missing {gap.begin}-{gap.end}" if gap else ""
        return (
            f"<{type(self).__name__} {session.id} {session.state}, "
            f"NextNumIn {session.next_in}, NextNumOut {session.next_out}{missing}>"
        )

    # Driving ---------------------------------------------------------------------------

    async def send(self, message: Message) -> int:
        """Send one application message; its MsgSeqNum(34).

        While the session is not logged on, the message is numbered and stored, and leaves once
        the peer asks for it. Waits while the peer does not take what was written before.

        The first send of a turn of the event loop is stored and written before this returns;
        those that follow in the same turn are stored and written together at its end, and
        `flush()` says when they are. Raises `MessageError`, `StateError` and `StoreError`.
        """
        number = self.send_nowait(message)
        if self._turn_sends >= _TURN_MAX:
            await asyncio.sleep(0)
        connection = self._connection
        if connection is not None and connection.paused:
            await self._writable()
        return number

    def send_nowait(self, message: Message) -> int:
        """`send()` without waiting, for use in `on_event`.

        Raises as `send()` does, and `StateError` when too many messages wait already.
        """
        if self._failure is not None or self._closed or self._turn_sends >= _UNSENT_MAX:
            self._refuse()
        try:
            if self._peer.acts:
                self._skip()
            output = self._session.send(message, self._now())
        except StoreError as error:
            self._fail(error)
            raise
        number = output.transitions[0].msg_seq_num
        assert number is not None, "the first row of a send is its message"
        self._pending.append(output.data)
        self._rows += output.transitions
        if self._turn_open or self._running:
            self._turn_sends += 1
        else:
            self._flush()
            self._open_turn()
        if self._waiters:
            self._wake()
        return number

    async def flush(self) -> None:
        """Return once all that was sent is stored and handed to the transport.

        Raises the `StoreError` that kept it from that.
        """
        if self._failure is None and not self._running:
            self._flush()
        if self._failure is not None:
            raise self._failure
        await self._writable()

    def test_request(self) -> None:
        """Send TestRequest(1); the answer is a `RoundTrip` event."""
        self._step(self._session.test_request)

    def skip(self, count: int) -> None:
        """Use up `count` numbers without sending anything, as a faulty sender does."""
        self._step(lambda now: self._session.skip(count, now))

    def reset(self) -> None:
        """Restart both numbers at 1: in session, or with an initiator's next Logon."""
        self._step(self._session.reset)

    def lose_next(self, count: int) -> None:
        """Lose the next `count` messages of this side between the session and the wire."""
        if self._failure is None and not self._running:
            self._flush()  # what was sent before is not meant
        self._peer.lose_next(count)

    def cut(self) -> None:
        """Break the connection at once, with a reset: bytes under way are lost both ways."""
        if self._connection is None:
            raise StateError(f"{self.id} has no connection to cut; it is {self.state}")
        if self._running:
            # Within `on_event`: the step's other events come first.
            self._connection.loop.call_soon(self._cut, self._connection)
        else:
            self._cut(self._connection)

    async def logout(self, text: str = "") -> None:
        """Log out and return once the connection is over; see `Session.logout()`.

        Raises `StateError` when the session is not ACTIVE.
        """
        connection = self._connection
        self._step(lambda now: self._session.logout(now, text))
        # Twice, because a Logout may wait for a gap to close before it leaves.
        limit = 2 * self._session.config.logout_timeout_seconds + self._exit_seconds
        # An acceptor's peer may be back before this task has its turn.
        await self._until(
            lambda: self._connection is not connection, limit, "the end of the session"
        )
        await self._gone(self._exit_seconds)

    async def close(self) -> None:
        """End it for good: Logout when logged on, close the transport, close the store.

        Bounded by `exit_seconds`; what is not over then is aborted. Closing twice is harmless.
        """
        if self._closed:
            return
        self._closed = True
        try:
            if self.state is SessionState.ACTIVE:
                await self._log_out_quickly()
        finally:
            self._lose("closed on this side")
            try:
                await self._gone(self._exit_seconds)
            finally:
                self._session.store.close()
                if self._log is not None:
                    self._log.close()
                self._wake()

    # Waiting ---------------------------------------------------------------------------

    @overload
    async def next_event(
        self, kind: None = None, *, timeout_seconds: float | None = _WAIT_SECONDS
    ) -> Event: ...

    @overload
    async def next_event(
        self, kind: type[E], *, timeout_seconds: float | None = _WAIT_SECONDS
    ) -> E: ...

    async def next_event(
        self,
        kind: type[E] | None = None,
        *,
        timeout_seconds: float | None = _WAIT_SECONDS,
    ) -> E | Event:
        """The oldest event that waits, or the oldest of one `kind`; others stay where they are.

        Raises `TimeoutError` when none comes in time (None waits as long as one can come);
        `StateError` once after events had to be dropped, which says how many; and, when none
        waits and none can come any more, the error that says why.
        """
        found: list[Event] = []

        def take() -> bool:
            self._confess_drops()
            for position, event in enumerate(self._events):
                if kind is None or isinstance(event, kind):
                    del self._events[position]
                    found.append(event)
                    return True
            over = self._over()
            if over is not None:
                raise over
            return False

        name = "an event" if kind is None else f"an event of kind {kind.__name__}"
        await self._until(take, timeout_seconds, name)
        return found[0]

    def _confess_drops(self) -> None:
        dropped, self._events_untold = self._events_untold, 0
        if dropped:
            raise StateError(
                f"{dropped:,} events of {self.id} were dropped: at most {self._events_max:,} "
                f"wait (events_max); read them sooner, or use on_event"
            )

    async def wait_until(
        self,
        condition: Callable[[Session], bool],
        *,
        timeout_seconds: float = _WAIT_SECONDS,
    ) -> None:
        """Return once `condition(session)` holds; it is asked again after each step.

        Raises `TimeoutError` when it does not come to hold in time.
        """
        await self._until(
            lambda: condition(self._session), timeout_seconds, "the condition of wait_until()"
        )

    async def wait_established(self, *, timeout_seconds: float = _WAIT_SECONDS) -> None:
        """Return once the session is ACTIVE; raises `TimeoutError`."""
        await self._until(
            lambda: self.state is SessionState.ACTIVE, timeout_seconds, "the Logon exchange"
        )

    def _over(self) -> FixLabError | None:
        """Why no further event can come, or None while one can."""
        if self._closed:
            return StateError(f"{self.id} is closed")
        return self._failure

    async def _until(
        self, done: Callable[[], bool], timeout_seconds: float | None, awaited: str
    ) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_seconds):
                while not done():
                    waiter = loop.create_future()
                    self._waiters.add(waiter)
                    try:
                        await waiter
                    finally:
                        self._waiters.discard(waiter)
        except TimeoutError:
            raise TimeoutError(
                f"waited {timeout_seconds or 0:g} s for {awaited}; {self!r}"
                + (f", last ended: {self._reason}" if self._reason else "")
            ) from None

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def _writable(self) -> None:
        """Wait until the transport takes more, or there is none; Connection bounds the wait."""
        connection = self._connection
        if connection is not None and connection.paused:
            await self._until(
                lambda: self._connection is not connection or not connection.paused,
                None,
                "the peer to read",
            )

    # The transport ---------------------------------------------------------------------

    @property
    def connection(self) -> Connection | None:
        """The transport in use, or None."""
        return self._connection

    def new_connection(self, loop: asyncio.AbstractEventLoop) -> Connection:
        """What a transport of this session is given to, with the faults of its link."""
        link = self._faulty.link
        return Connection(self, loop) if link is None else FaultyConnection(self, loop, link)

    def attach(self, connection: Connection, data: bytes = b"") -> None:
        """Start the session over a new transport; `data` has come over it already."""
        assert self._connection is None, "one connection at a time"
        if self._closed:
            connection.let_go(abort=True)
            return
        self._renew_clock()
        self._faulty.connected()
        self._connection = connection
        self._failure = self._ended = None
        self._turn_open = self._hang_up = False
        self._input(self._session.connected)
        if data and self._connection is connection:
            self.received(data)

    def _renew_clock(self) -> None:
        if self._own_clock:
            # A clock keeps the wall clock's error of the moment it was made, or what a sleeping
            # machine missed: without a new one no peer would ever take its SendingTime(52).
            self._now = SystemClock().now

    def received(self, data: bytes) -> None:
        """Bytes came in: one step for each message in them, one commit for all."""
        if self._log is not None:
            self._log.received(data, self._now())
        if self._peer.changes_received:
            data = self._peer.incoming(data)
        self._input(self._session.receive, data)

    def writable(self) -> None:
        """The transport takes bytes again."""
        self._wake()
        self._rearm()

    def dropped(self, why: str) -> None:
        """The transport is gone."""
        self._lose(why, abort=True)

    def _cut(self, connection: Connection) -> None:
        if self._connection is connection:
            self._lose("cut on this side", reset=True)

    def _lose(self, why: str, *, abort: bool = False, reset: bool = False) -> None:
        """The connection ends without any further word between the sessions."""
        connection = self._connection
        if connection is None:
            return
        self._detach(connection, abort=abort, reset=reset)
        try:
            self._run(self._session.disconnected(self._now()))
            # DSC-07: nobody knows what arrived, so nothing is sent again of our own accord.
            # Sends that had their number but not yet their commit keep the number; their
            # bytes go, for the peer will ask for them.
            self._flush()
        except StoreError as error:
            self._report(error, f"{self.id}: the store failed while the connection was lost")
        else:
            clean = self._ended is not None and self._ended.clean
            self._reason = self._reason if clean else why
        self._log_end()
        self._after_end()

    def _end(self, reason: str) -> None:
        """The session itself is over on this connection: close it once its bytes have left."""
        connection = self._connection
        assert connection is not None
        self._detach(connection)
        self._reason = reason
        self._log_end()
        self._after_end()

    def _detach(
        self, connection: Connection, *, abort: bool = False, reset: bool = False
    ) -> None:
        self._connection = None
        self._turn_open = self._hang_up = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        connection.let_go(abort=abort, reset=reset)
        if not connection.gone.done():
            self._going.add(connection)
            connection.gone.add_done_callback(lambda _: self._going.discard(connection))

    def _log_end(self) -> None:
        if self._log is not None:
            ended = self._ended
            rule = f" ({ended.rule})" if ended is not None and ended.rule else ""
            self._log.ended(self._reason + rule, self._now())

    def _after_end(self) -> None:
        """A connection is over; an initiator may want another one."""
        self._wake()

    async def _gone(self, seconds: float) -> None:
        """Wait until every transport let go of is closed; abort those that linger."""
        for limit in (seconds, _ABORT_SECONDS):
            going = [connection.gone for connection in self._going]
            if not going:
                return
            try:
                await asyncio.wait(going, timeout=limit)
            finally:
                for connection in tuple(self._going):
                    connection.let_go(abort=True)

    async def _log_out_quickly(self) -> None:
        try:
            self._act(self._session.logout)
            await self._until(lambda: self._connection is None, self._exit_seconds, "the end")
        except TimeoutError:
            pass  # the caller closes what is left
        except StoreError as error:
            self._errors.append(error)

    # Steps -----------------------------------------------------------------------------

    def _step(self, step: Callable[[int], Output]) -> None:
        """A step that the application asked for; its errors are the caller's."""
        if self._failure is not None or self._closed:
            self._refuse()
        self._act(step)

    def _act(self, step: Callable[[int], Output]) -> None:
        try:
            if self._peer.acts:
                self._skip()
            output = step(self._now())
        except StoreError as error:
            self._fail(error)
            raise
        self._run(output)
        if not self._running:
            self._flush()
            self._rearm()

    def _refuse(self) -> None:
        if self._closed:
            raise StateError(f"{self.id} is closed; make a new one to go on")
        if self._failure is not None:
            raise self._failure
        raise StateError(
            f"{self._turn_sends:,} messages wait to be written; let the event loop have a "
            f"turn: use `await send()`"
        )

    def _input(self, step: Callable[..., Output], *data: bytes) -> None:
        """A step that the transport or the clock brought; its errors are reported."""
        self._running = True
        try:
            try:
                if self._peer.acts:
                    self._skip()
                output = step(*data, self._now())
            except BaseException:
                self._undo_step()
                raise
            self._run(output)
        except StoreError as error:
            self._fail(error)
        except BaseException as error:
            # Our own fault: a session in an unknown state must not go on talking.
            self._lose(f"internal error: {error!r}", abort=True)
            raise
        finally:
            self._running = False
        if self._failure is None:
            try:
                self._flush()
            except StoreError:
                pass  # _flush() has dropped the connection and kept the error
        if self._failure is not None:
            self._report(self._failure, f"{self.id}: the store failed")
        else:
            self._rearm()

    def _run(self, output: Output) -> None:
        """A step's results: recorded, told, and made ready to leave."""
        data, events, rows, disconnect = output
        self._rows += rows
        if data:
            self._pending.append(data)
        if self._session.state is not self._seen:
            self._note_state(events)
        if disconnect is not None:
            self._hang_up = True
        if events:
            self._tell(events)
        if self._waiters:
            self._wake()

    def _note_state(self, events: tuple[Event, ...]) -> None:
        self._seen = self._session.state
        for event in events:
            if isinstance(event, Ended):
                self._ended = event
                self._reason = event.reason

    def _tell(self, events: tuple[Event, ...]) -> None:
        callback = self._on_event
        if callback is None:
            self._keep(events)
            return
        for position, event in enumerate(events):
            try:
                callback(event)
            except Exception as error:  # noqa: BLE001
                # The step has happened and cannot be undone by what the application thinks of
                # it; its error is reported, the event kept, and the session goes on.
                self._keep((event,))
                self._report(error, f"{self.id}: on_event raised on {type(event).__name__}")
            except BaseException:
                self._keep(events[position:])  # an interrupt: what is not told waits
                raise

    def _keep(self, events: tuple[Event, ...]) -> None:
        queue = self._events
        queue.extend(events)
        while len(queue) > self._events_max:
            queue.popleft()
            self._events_dropped += 1
            self._events_untold += 1

    def _open_turn(self) -> None:
        connection = self._connection
        if connection is not None:
            self._turn_open = True
            connection.loop.call_soon(self._end_turn)

    def _end_turn(self) -> None:
        if not self._turn_open:
            return  # the connection that it was about is gone
        busy = self._turn_sends > 0
        self._turn_open = False
        if busy and self._failure is None:
            try:
                self._flush()
            except StoreError as error:
                self._report(error, f"{self.id}: messages sent last were not stored, nor sent")
                return
            # As long as there is traffic, all of a turn leaves at its end.
            self._open_turn()
        self._rearm()

    def _flush(self) -> None:
        """Commit, then let the bytes leave; a `StoreError` also ends the connection."""
        # SEQ-13: a number that left and was forgotten would be used twice.
        try:
            self._commit()
        except StoreError as error:
            self._fail(error)
            raise
        self._turn_sends = 0
        if self._rows:
            self._record()
        connection = self._connection
        if self._pending:
            data = b"".join(self._pending)
            self._pending.clear()
            if connection is not None and data:
                if self._peer.changes_sent:
                    data = self._peer.outgoing(data)
                if self._log is not None:
                    self._log.sent(data, self._now())
                connection.write(data)
        if self._log is not None:
            self._log.flush()
        if self._peer.acts and self._connection is not None:
            for test_req_id in self._peer.errands():
                self._connection.loop.call_soon(self._errand, self._connection, test_req_id)
        if self._hang_up and self._connection is not None:
            self._end(self._ended.reason if self._ended is not None else "")

    def _skip(self) -> None:
        """Numbers that a faulty peer uses up before the step that comes."""
        count = self._peer.skip_before(self._session.next_out)
        if count:
            self._run(self._session.skip(count, self._now()))

    def _errand(self, connection: Connection, test_req_id: str) -> None:
        """A TestRequest that carries what a faulty peer says of its own accord."""
        if self._connection is connection and self.state is SessionState.ACTIVE:
            self._input(partial(self._session.test_request, test_req_id=test_req_id))

    def _record(self) -> None:
        """What is durable now goes to the journal."""
        rows, self._rows = self._rows, []
        self._told = rows[-1]
        self._journal.extend(rows)
        if self._log is not None:
            self._log.rows(rows)

    def _fail(self, error: StoreError) -> None:
        """The store is no longer with us: nothing of the step leaves, the connection ends."""
        self._failure = error
        undone = self._undo_step()
        connection = self._connection
        if connection is not None:
            self._detach(connection)
        self._run(self._session.disconnected(self._now()))
        self._rows = self._rows_of_failure(undone, self._rows, error)
        if self._rows:
            self._record()
        self._reason = str(error)
        self._log_end()
        self._after_end()

    def _undo_step(self) -> list[Transition]:
        """Forget a step that broke off: it was not stored, so it did not happen; its rows."""
        self._pending.clear()
        self._turn_sends = 0
        undone, self._rows = self._rows, []
        try:
            self._session.store.rollback()
        except StoreError as error:
            self._errors.append(error)  # a closed store; the first error tells more
        return undone

    def _rows_of_failure(
        self, undone: list[Transition], ended: list[Transition], error: StoreError
    ) -> list[Transition]:
        """What the journal gets instead of the rows that were undone: the end, and why.

        The rows follow on the last one that it has: of numbers that were used, and states that
        were reached, in the steps undone it never hears.
        """
        both = undone + ended
        gone = SessionState.DISCONNECTED
        ends = [row for row in both if row.state is gone and row.state_before is not gone]
        if not ends:
            return []  # no connection ended: a message that could not be queued
        end = ends[-1]
        opened = {row.gap for row in undone if row.kind is TransitionKind.GAP_OPENED}
        given_up = [
            row
            for row in both
            if row.kind is TransitionKind.GAP_ABANDONED and row.gap not in opened
        ]
        told, first = self._told, both[0]
        state = first.state_before if told is None else told.state
        next_in = first.next_in_before if told is None else told.next_in
        next_out = first.next_out_before if told is None else told.next_out
        return [
            row._replace(
                state_before=state,
                state=gone if row is end else state,
                next_in_before=next_in,
                next_in=next_in,
                next_out_before=next_out,
                next_out=next_out,
                text=f"the store failed: {error}" if row is end else row.text,
            )
            for row in (*given_up, end)
        ]

    def _report(self, error: Exception, what: str) -> None:
        self._errors.append(error)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # called outside any loop; `errors` has it
        loop.call_exception_handler({"message": what, "exception": error})

    # Time ------------------------------------------------------------------------------

    def _rearm(self) -> None:
        """Have one timer at or before the session's deadline; it looks again when it fires."""
        connection = self._connection
        if connection is None:
            return
        deadline = self._session.deadline
        if deadline is None:
            return
        if self._timer is not None:
            if self._timer_at <= deadline:
                return
            self._timer.cancel()
        if connection.paused and self._session.replaying:
            self._timer = None
            return  # writable() takes the replay up again
        self._timer_at = deadline
        delay = (deadline - self._now()) / times.NANOSECONDS
        delay = min(max(delay, 0.0), _WAKE_SECONDS)
        self._timer = connection.loop.call_later(delay, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        deadline = self._session.deadline
        if deadline is not None and deadline <= self._now():
            self._input(self._session.tick)
        else:
            self._rearm()
