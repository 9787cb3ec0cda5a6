"""Acceptor: listens, finds out who calls, and gives each configured session its connection."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self

from fixlab import redact
from fixlab.errors import ConfigError, ConnectError, StateError
from fixlab.journal import Journal
from fixlab.net.connection import Connection, no_delay
from fixlab.net.driver import Driver
from fixlab.session.config import SessionConfig
from fixlab.session.events import Event
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState
from fixlab.stores.base import Store
from fixlab.times import Clock
from fixlab.wire.framer import Framer, Garbled
from fixlab.wire.message import Message
from fixlab.wire.tags import SENDER_COMP_ID, TARGET_COMP_ID

_LOGON_BYTES_MAX = 1 << 14  # before it is known who calls; a Logon has a few hundred bytes
_REFUSED_MAX = 1_000  # records kept of connections that were refused
_NAME_MAX = 64  # characters kept of a CompID that is not ours
_BACKLOG = 100

StoreFactory = Callable[[SessionConfig], Store]


class Refused(NamedTuple):
    """A connection that was closed without a word, and why."""

    rule: str
    reason: str


class AcceptedSession(Driver):
    """The acceptor's end of one session, over all its connections."""


class Acceptor:
    """Listens on TCP for the sessions it is configured for.

    ```python
    async with Acceptor(config) as venue:
        sell = venue.sessions[config.session_id]
        await sell.wait_established()
    ```

    Parameters: `configs`, one or more, each seen from this side; `host` and `port` to listen
    on (0 takes a free one, see `port`); `store`, for one session, or a function that makes one
    for a config (None: in memory), closed with the acceptor; `journal`, shared by all
    sessions; `on_event`, called with `Session.id` and event, otherwise as in `Driver`; `tls`,
    a server's `ssl.SSLContext`; `anonymous_max`, connections that have not said yet who they
    are.

    A caller is known by the BeginString(8) and CompIDs of its first message. A stranger, a
    second connection of a session, and what is not FIX are closed without a word (LGN-06,
    LGN-07, FRM-08) and noted in `refused`. Who says nothing is closed after
    `logon_timeout_seconds`; when more than `anonymous_max` say nothing, the oldest goes.

    Raises `ConfigError` for two configs of one session, and what `store` raises.
    """

    def __init__(
        self,
        configs: SessionConfig | Iterable[SessionConfig],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        store: Store | StoreFactory | None = None,
        journal: Journal | None = None,
        on_event: Callable[[str, Event], object] | None = None,
        tls: ssl.SSLContext | None = None,
        anonymous_max: int = 32,
        clock: Clock | None = None,
        events_max: int = 10_000,
        stall_seconds: float = 30.0,
        exit_seconds: float = 2.0,
    ) -> None:
        known = (configs,) if isinstance(configs, SessionConfig) else tuple(configs)
        if not known:
            raise ConfigError("an acceptor needs at least one SessionConfig, found none")
        if len({config.session_id for config in known}) < len(known):
            raise ConfigError(
                f"each session may be configured once, found "
                f"{', '.join(config.session_id for config in known)}"
            )
        if isinstance(store, Store) and len(known) > 1:
            raise ConfigError(
                f"one store cannot serve {len(known)} sessions; give a function that makes a "
                f"store for a SessionConfig"
            )
        if anonymous_max < 1:
            raise ConfigError(f"anonymous_max must be at least 1, found {anonymous_max}")
        if not 0 <= port < 65_536:
            raise ConfigError(f"port must be 0 to 65535, found {port}")
        self._host, self._wanted_port, self._tls = host, port, tls
        self._journal = Journal() if journal is None else journal
        self._anonymous_max = anonymous_max
        self._exit_seconds = exit_seconds
        self._logon_seconds = min(config.logon_timeout_seconds for config in known)
        self._anonymous: dict[_Caller, None] = {}  # oldest first
        self._refused: deque[Refused] = deque(maxlen=_REFUSED_MAX)
        self._refused_count = 0
        self._server: asyncio.Server | None = None
        self._closed = False
        self._sessions: dict[str, AcceptedSession] = {}
        opened: list[Store] = []
        try:
            for config in known:
                kept = store if store is None or isinstance(store, Store) else store(config)
                opened += [] if kept is None else [kept]
                session = Session(config, Role.ACCEPTOR, kept)
                self._sessions[session.id] = AcceptedSession(
                    session,
                    journal=self._journal,
                    on_event=None if on_event is None else partial(on_event, session.id),
                    clock=clock,
                    events_max=events_max,
                    stall_seconds=stall_seconds,
                    exit_seconds=exit_seconds,
                )
        except BaseException:
            for kept in opened:
                kept.close()
            raise
        self._by_caller = {
            (c.begin_string, c.target_comp_id, c.sender_comp_id): self._sessions[c.session_id]
            for c in known
        }

    @property
    def port(self) -> int:
        """The port it listens on; raises `StateError` while it does not listen."""
        if self._server is None or not self._server.sockets:
            raise StateError("the acceptor does not listen; enter it with `async with`")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def sessions(self) -> Mapping[str, AcceptedSession]:
        """Each configured session by its `Session.id`, connected or not."""
        return MappingProxyType(self._sessions)

    @property
    def journal(self) -> Journal:
        """The transitions of all sessions."""
        return self._journal

    @property
    def refused(self) -> tuple[Refused, ...]:
        """The last connections that were refused, oldest first; at most 1,000 are kept."""
        return tuple(self._refused)

    @property
    def refused_count(self) -> int:
        """How many connections were refused so far."""
        return self._refused_count

    def __repr__(self) -> str:
        active = sum(s.state is SessionState.ACTIVE for s in self._sessions.values())
        return (
            f"<Acceptor of {len(self._sessions)} sessions, {active} active, "
            f"{self._refused_count} connections refused>"
        )

    async def __aenter__(self) -> Self:
        try:
            await self.listen()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def listen(self) -> None:
        """Start to listen; raises `ConnectError` when the address cannot be used."""
        if self._closed or self._server is not None:
            raise StateError("an acceptor listens once; make a new one")
        loop = asyncio.get_running_loop()
        try:
            server = await loop.create_server(
                lambda: _Caller(self, loop),
                self._host,
                self._wanted_port,
                ssl=self._tls,
                backlog=_BACKLOG,
            )
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConnectError(
                f"{self._host}:{self._wanted_port}: cannot listen ({why}); "
                f"choose another address, or port=0 for a free one"
            ) from None
        if self._closed:
            server.close()
            raise StateError("the acceptor was closed before it listened; make a new one")
        self._server = server

    async def close(self) -> None:
        """Stop listening, log out of every session, close transports and stores.

        Bounded by `exit_seconds`. Closing twice is harmless.
        """
        if self._closed:
            return
        self._closed = True
        server, self._server = self._server, None
        if server is not None:
            server.close()
        callers = tuple(self._anonymous)
        for caller in callers:
            caller.abort()
        endings = [asyncio.ensure_future(s.close()) for s in self._sessions.values()]
        try:
            await asyncio.gather(*endings)
        finally:
            # Interrupted: each still closes its own transport and store, within its bound.
            await asyncio.wait(endings, timeout=2 * self._exit_seconds)
            gone = [caller.gone for caller in callers]
            if gone:
                await asyncio.wait(gone, timeout=self._exit_seconds)

    # Who calls -------------------------------------------------------------------------

    def came(self, caller: _Caller) -> None:
        """A connection nobody knows anything about yet."""
        if self._closed:
            caller.abort()
            return
        self._anonymous[caller] = None
        caller.limit(self._logon_seconds)
        if len(self._anonymous) > self._anonymous_max:
            # The oldest has had most time to say who it is; a newcomer may be about to.
            oldest = next(iter(self._anonymous))
            self.refuse(oldest, "LGN-28", "made room: too many connections without a Logon")

    def left(self, caller: _Caller) -> None:
        """A caller is gone, or known from now on."""
        self._anonymous.pop(caller, None)

    def refuse(self, caller: _Caller, rule: str, reason: str) -> None:
        """DSC-01: close without a word; an answer would use up a number of somebody else."""
        self._refused.append(Refused(rule, reason))
        self._refused_count += 1
        caller.abort()

    def route(self, caller: _Caller, first: Message, data: bytes) -> None:
        """Give the connection to the session that its first message names."""
        names = tuple(
            redact.printable((first.get(tag) or "")[:_NAME_MAX])
            for tag in (8, SENDER_COMP_ID, TARGET_COMP_ID)
        )
        driver = self._by_caller.get(
            (
                first.get(8) or "",
                first.get(SENDER_COMP_ID) or "",
                first.get(TARGET_COMP_ID) or "",
            )
        )
        if driver is None:
            self.refuse(
                caller,
                "LGN-06",
                f"no session for BeginString {names[0]!r}, SenderCompID {names[1]!r}, "
                f"TargetCompID {names[2]!r}",
            )
        elif driver.connection is not None:
            # LGN-07, DSC-06: also when the old connection is dead and nobody knows it yet.
            self.refuse(caller, "LGN-07", f"{driver.id} is {driver.state} on a connection")
        else:
            caller.hand_over(driver, data)


class _Caller(asyncio.Protocol):
    """A connection until its first message tells whose it is."""

    def __init__(self, acceptor: Acceptor, loop: asyncio.AbstractEventLoop) -> None:
        self.gone = loop.create_future()
        self._acceptor = acceptor
        self._loop = loop
        self._framer = Framer(_LOGON_BYTES_MAX)
        self._data = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        no_delay(transport)
        self._acceptor.came(self)

    def limit(self, seconds: float) -> None:
        """Say who you are within so many seconds (LGN-28)."""
        self._timer = self._loop.call_later(seconds, self._on_timer, seconds)

    def data_received(self, data: bytes) -> None:
        self._data += data
        for item in self._framer.feed(data):
            if isinstance(item, Garbled):
                reason = f"not FIX before the Logon: {item.reason}"
                self._acceptor.refuse(self, "FRM-08", reason)
            else:
                self._acceptor.route(self, item, bytes(self._data))
            return  # what follows belongs to whom the first message named

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        if not self.gone.done():
            self.gone.set_result(None)

    def abort(self) -> None:
        """Close at once; nothing is owed to a stranger."""
        self._leave()
        assert self._transport is not None
        self._transport.abort()

    def hand_over(self, driver: Driver, data: bytes) -> None:
        """The transport belongs to `driver` from now on, with all that came over it."""
        self._leave()
        transport = self._transport
        assert transport is not None
        connection = Connection(driver, self._loop)
        transport.set_protocol(connection)
        connection.take(transport)
        self.gone.set_result(None)
        driver.attach(connection, data)

    def _on_timer(self, seconds: float) -> None:
        self._acceptor.refuse(self, "LGN-28", f"no Logon within {seconds:g} s")

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._acceptor.left(self)
