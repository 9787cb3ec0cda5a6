"""SessionTarget: a fixlab session under test, in this process, on a virtual clock."""

from __future__ import annotations

from dataclasses import replace
from heapq import heappop, heappush
from itertools import count

from fixlab import times
from fixlab.conformance.actions import (
    Accept,
    Action,
    Arrived,
    Call,
    Closed,
    Open,
    Opened,
    Shut,
    Turn,
    Wait,
    Write,
)
from fixlab.conformance.application import EchoApplication, order_to_send
from fixlab.conformance.model import Case, CaseResult
from fixlab.conformance.play import Player
from fixlab.conformance.profile import Profile
from fixlab.conformance.scope import Scope
from fixlab.conformance.targets import HOOKS, Identity
from fixlab.session.config import SessionConfig
from fixlab.session.core import Output
from fixlab.session.events import Received
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState, Transition
from fixlab.stores.memory import MemoryStore
from fixlab.wire.framer import Framer

_START = times.parse_start("2026-01-05T09:00:00")  # a Monday morning, UTC
_DELAY = times.seconds(0.005)  # each way


class SessionTarget:
    """A fixlab session with an application that echoes orders, in memory.

    Parameters: `config`, seen from the session under test; the runner is its target_comp_id.
    `role`, which end of the connection it is. Each case gets a session of its own, with a
    fresh store. Where the config says nothing of `supported_types`, they are the order's
    alone. Its hooks stop the session, have the application send, and take it down.
    """

    def __init__(self, config: SessionConfig, role: Role | str = Role.ACCEPTOR) -> None:
        self.config = config
        self.role = Role(role)
        self.begin_string = config.begin_string
        self.hooks = frozenset(HOOKS)

    def play(self, case: Case, profile: Profile) -> CaseResult:
        """Play one case from a fresh session; the result has its transitions."""
        return _Stage(self.config, self.role, case, profile).play()

    def identity_of(self, case: Case) -> Identity:
        """The CompIDs of runner and session."""
        return Identity(self.config.target_comp_id, self.config.sender_comp_id)

    def __str__(self) -> str:
        return f"fixlab as {self.role}, {self.begin_string}, profile {self.config.profile}"

    def __repr__(self) -> str:
        return f"<SessionTarget {self}>"


class _Stage:
    """One case on its virtual clock: the player on one side, the session on the other."""

    def __init__(self, config: SessionConfig, role: Role, case: Case, profile: Profile) -> None:
        heartbeat = case.heartbeat_seconds
        config = replace(
            config,
            heartbeat_seconds=profile.heartbeat_seconds if heartbeat is None else heartbeat,
            supported_types=config.supported_types or frozenset({profile.order_type}),
        )
        self._session = Session(config, role, MemoryStore())
        self._application = EchoApplication()
        identity = Identity(config.target_comp_id, config.sender_comp_id)
        scope = Scope(case.ref, config.begin_string, role, identity, profile, _START)
        if heartbeat is not None:
            scope.values["hb"] = str(heartbeat)
        self._player = Player(case, scope)
        self._now = _START
        self._rows: list[Transition] = []
        self._sent: list[bytes] = []  # of the step under way
        self._busy = False
        self._order = count()  # keeps what is due at the same time in its order
        # What is on its way to the session: a connection's bytes, or None for its end.
        self._to_session: list[tuple[int, int, int, bytes | None]] = []
        self._to_runner: list[tuple[int, int, Opened | Arrived | Closed]] = []
        self._connection: int | None = None  # which one is the session's
        self._strangers: dict[int, Framer] = {}  # connections that have not said who they are
        self._awaited: int | None = None  # the runner waits for an initiator to connect
        self._own_orders = 0

    def play(self) -> CaseResult:
        play = self._player.play()
        try:
            action = next(play)
            while True:
                action = play.send(self._perform(action))
        except StopIteration as done:
            result: CaseResult = done.value
        return replace(result, transitions=tuple(self._rows))

    # What the player asks for ------------------------------------------------------------

    def _perform(self, action: Action) -> Turn:
        match action:
            case Open(connection):
                self._open(connection)
                return Turn(self._now, (Opened(connection, self._now),))
            case Accept(connection):
                self._awaited = connection
            case Write(connection, pieces):
                for piece in pieces:
                    self._toward_session(connection, piece)
            case Shut(connection):
                self._toward_session(connection, None)
                kept = [e for e in self._to_runner if e[2].connection != connection]
                self._to_runner = kept  # a sorted list stays a heap
            case Call(hook, number):
                self._operate(hook, number)
            case Wait(until):
                return self._wait(until)
        return Turn(self._now)

    def _open(self, connection: int) -> None:
        if self._session.state is SessionState.DISCONNECTED:
            self._connection = connection
            self._apply(self._session.connected(self._now))
        else:
            self._strangers[connection] = Framer()

    def _toward_session(self, connection: int, data: bytes | None) -> None:
        entry = (self._now + _DELAY, next(self._order), connection, data)
        heappush(self._to_session, entry)

    def _operate(self, hook: str, number: int) -> None:
        if hook == "stop" and self._session.state is SessionState.ACTIVE:
            self._apply(self._session.logout(self._now))
        elif hook == "app-send":
            for _ in range(number):
                self._own_orders += 1
                now = times.format_utc(self._now).decode()
                order = order_to_send(self._session.config.begin_string, self._own_orders, now)
                self._apply(self._session.send(order, self._now))
        elif hook in ("app-down", "app-up"):
            self._application.down = hook == "app-down"

    # Time --------------------------------------------------------------------------------

    def _wait(self, until: int) -> Turn:
        """Let things happen until one reaches the runner, or `until` has come."""
        while True:
            if self._to_runner and self._to_runner[0][0] <= self._now:
                return Turn(self._now, self._due())
            self._come_back()
            due = self._next_time()
            if due is None or due > until:
                self._now = max(self._now, until)
                return Turn(self._now)
            self._now = max(self._now, due)
            self._happen()

    def _due(self) -> tuple[Opened | Arrived | Closed, ...]:
        events = []
        while self._to_runner and self._to_runner[0][0] <= self._now:
            events.append(heappop(self._to_runner)[2])
        return tuple(events)

    def _next_time(self) -> int | None:
        waits = [self._session.deadline]
        waits += [self._to_session[0][0]] if self._to_session else []
        waits += [self._to_runner[0][0]] if self._to_runner else []
        return min((wait for wait in waits if wait is not None), default=None)

    def _happen(self) -> None:
        """One thing at the session: arrivals go before deadlines."""
        if self._to_session and self._to_session[0][0] <= self._now:
            _, _, connection, data = heappop(self._to_session)
            if connection in self._strangers:
                self._on_stranger(connection, data)
            elif connection == self._connection:
                session = self._session
                if data is None:
                    self._connection = None
                    self._apply(session.disconnected(self._now))
                else:
                    self._apply(session.receive(data, self._now))
            return
        deadline = self._session.deadline
        if deadline is not None and deadline <= self._now:
            self._apply(self._session.tick(self._now))

    def _come_back(self) -> None:
        """An initiator that is awaited connects, once it is over with the connection before."""
        if self._awaited is None or self._session.state is not SessionState.DISCONNECTED:
            return
        connection, self._awaited = self._awaited, None
        self._connection = connection
        self._toward_runner(Opened(connection, self._now + _DELAY))
        self._apply(self._session.connected(self._now))

    def _on_stranger(self, connection: int, data: bytes | None) -> None:
        """LGN-07: a second connection is closed without a word once it has said who it is."""
        if data is None or self._strangers[connection].feed(data):
            del self._strangers[connection]
            self._toward_runner(Closed(connection, self._now + _DELAY))

    # What the session does ---------------------------------------------------------------

    def _toward_runner(self, event: Opened | Arrived | Closed) -> None:
        heappush(self._to_runner, (event.time, next(self._order), event))

    def _apply(self, output: Output) -> None:
        """Hand a step over: rows, events, commit, bytes; in this order (see Store)."""
        self._rows += output.transitions
        self._sent.append(output.data)
        if self._busy:
            return  # the application sends within a step: its bytes leave behind the step's
        self._busy = True
        for event in output.events:
            if isinstance(event, Received):
                for answer in self._application.answers(event.message):
                    self._apply(self._session.send(answer, self._now))
        self._busy = False
        self._session.store.commit()
        data, self._sent = b"".join(self._sent), []
        connection = self._connection
        if connection is None:
            return
        if data:
            self._toward_runner(Arrived(connection, self._now + _DELAY, data))
        if output.disconnect is not None:
            self._connection = None
            # Behind the bytes, as with TCP: who reads them does not know yet that it is over.
            self._toward_runner(Closed(connection, self._now + _DELAY + 1))
