"""Acceptor: listens, finds out who calls, and gives each configured session its connection."""

from __future__ import annotations

import asyncio
import inspect
import os
import ssl
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType, TracebackType
from typing import NamedTuple, Self

from fixlab.errors import ConfigError, ConnectError, FixLabError, StateError
from fixlab.faults.end import FaultyEnd
from fixlab.faults.plan import NO_FAULTS, Faults, Strike
from fixlab.journal import Journal
from fixlab.net._arguments import check_port, check_tls
from fixlab.net.caller import Admit, Approve, Caller, Incoming, shown, template
from fixlab.net.driver import Driver
from fixlab.net.message_log import log_folder
from fixlab.net.tls import identity_error
from fixlab.redact import printable
from fixlab.session.config import SessionConfig
from fixlab.session.events import Event
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState
from fixlab.stores.base import Store
from fixlab.times import Clock
from fixlab.wire.message import Message
from fixlab.wire.tags import LOGON, MSG_TYPE_NAMES

__all__ = ["AcceptedSession", "Acceptor", "Caller", "Refused", "template"]

_REFUSED_MAX = 1_000  # records kept of connections that were refused
_REASON_MAX = 400  # characters kept of a reason, which may quote a stranger
_ANONYMOUS_MAX = 256  # enough for a venue whose sessions all come back at once
_BACKLOG = 1_024  # connections that the system keeps until the loop takes them
_LOGON_SECONDS = 10.0  # for a first message, when no configured session says otherwise

StoreFactory = Callable[[SessionConfig], Store]
LogPath = str | os.PathLike[str]
SessionKey = tuple[str, str, str]  # BeginString and both CompIDs, the caller's first


class Refused(NamedTuple):
    """A connection that was closed without a word, and why."""

    rule: str
    reason: str
    address: str = ""  # where it came from


class AcceptedSession(Driver):
    """The acceptor's end of one session, over all its connections."""

    caller: Caller | None = None  # who is, or was last, connected
    began = False  # whether it was ever logged on
    on_over: Callable[[AcceptedSession], None] | None = None  # a connection has ended

    def _note_state(self, events: tuple[Event, ...]) -> None:
        super()._note_state(events)
        self.began = self.began or self.state is SessionState.ACTIVE

    def _after_end(self) -> None:
        super()._after_end()
        if self.on_over is not None:
            self.on_over(self)

    def forget(self) -> None:
        """Close the store of a session that never began; its connection is over."""
        assert self._connection is None
        self._closed = True
        self._session.store.close()
        if self._log is not None:
            self._log.close()
        self._wake()


class Acceptor:
    """Listens on TCP for the sessions it is configured for, and for those it may make.

    ```python
    async with Acceptor(config) as venue:
        sell = venue.sessions[config.session_id]
        await sell.wait_established()

    async with Acceptor(approve=template(sender_comp_id="VENUE")) as venue: ...
    ```

    Parameters: `configs`, any number, each seen from this side; `host` and `port` to listen on
    (0 takes a free one, see `port`); `store`, for one session, or a function that makes one for
    a config (None: in memory), closed with the acceptor; `journal`, shared by all sessions;
    `log_path`, the folder in which each session keeps its log files (see `MessageLog`), or a
    function that gives one for a config, or None;
    `on_event`, called with `Session.id` and event, otherwise as in `Driver`; `on_refused`,
    called with each `Refused`; `tls`, a server's `ssl.SSLContext`, see
    `fixlab.net.tls.server_context()`; `tls_identities`, for each CompID of a caller the names
    or fingerprints that its certificate must have one of (TLS-03): whoever shows another, or
    calls itself otherwise, is refused like a stranger; `faults`, what goes wrong at each
    session on purpose, to test its peer with, and the `seed` that decides on their chances, for
    each session by itself (see `Driver.struck`); `on_strike`, called with `Session.id` and each
    `Strike`.

    **Who may log on.** A caller is known by the BeginString(8) and CompIDs of its first
    message. For one that no configured session fits, `approve` is asked: it returns the
    `SessionConfig` of a new session, or None to refuse; `template()` makes one out of patterns.
    At most `sessions_max` sessions are made so; those that logged on once stay, with their
    numbers, until the acceptor is closed. `admit` is asked about each Logon that is otherwise
    good, and may return a reason to refuse it with a Logout (LGN-26). Both are given a
    `Caller`; like `on_event` they must be quick, and a caller is refused when one raises.

    **Who may not.** A stranger, a second connection of a session, what is not FIX and a failed
    TLS handshake are closed without a word (LGN-06, LGN-07, FRM-08, TLS-01) and noted in
    `refused`. So is who has not sent a whole first message, 16 KiB at most, in the least
    `logon_timeout_seconds`, TLS handshake and all (LGN-28), however busily it drips bytes; and
    when more than `anonymous_max` (256, or twice the configured sessions) are at that, the
    oldest. A bare connect and close is no event at all.

    Raises `ConfigError` for two configs of one session, and what `store` raises.
    """

    def __init__(
        self,
        configs: SessionConfig | Iterable[SessionConfig] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        store: Store | StoreFactory | None = None,
        journal: Journal | None = None,
        log_path: LogPath | Callable[[SessionConfig], LogPath | None] | None = None,
        approve: Approve | None = None,
        admit: Admit | None = None,
        on_event: Callable[[str, Event], object] | None = None,
        on_refused: Callable[[Refused], object] | None = None,
        tls: ssl.SSLContext | None = None,
        tls_identities: Mapping[str, str | Iterable[str]] | None = None,
        anonymous_max: int | None = None,
        sessions_max: int = 1_000,
        faults: Faults = NO_FAULTS,
        seed: int = 0,
        on_strike: Callable[[str, Strike], object] | None = None,
        clock: Clock | None = None,
        events_max: int = 10_000,
        write_bytes_max: int = 1 << 26,
        stall_seconds: float = 30.0,
        exit_seconds: float = 2.0,
    ) -> None:
        known = _listed(configs)
        if anonymous_max is None:
            anonymous_max = max(_ANONYMOUS_MAX, 2 * len(known))
        _check(known, store, approve, port)
        check_tls(tls, "server_context()")
        _check_limits(anonymous_max=anonymous_max, sessions_max=sessions_max)
        _check_hooks(approve=approve, admit=admit, on_refused=on_refused, on_strike=on_strike)
        FaultyEnd(faults, seed=seed, end="")  # to say at once what is wrong with them
        self._faults, self._seed, self._on_strike = faults, seed, on_strike
        if tls_identities is not None and (tls is None or not tls.verify_mode):
            raise ConfigError(
                "tls_identities needs certificates of the callers; give "
                "tls=fixlab.net.tls.server_context(..., client_ca=...)"
            )
        self._host, self._wanted_port, self._tls = host, port, tls
        self._tls_identities = tls_identities
        self._store, self._approve, self._admit = store, approve, admit
        if not (log_path is None or callable(log_path)):
            log_folder(
                log_path
            )  # to say at once, rather than to callers, what is wrong with it
        self._log_path = log_path
        self._on_event, self._on_refused = on_event, on_refused
        self._journal = Journal() if journal is None else journal
        self._anonymous_max, self._sessions_max = anonymous_max, sessions_max
        self._exit_seconds = exit_seconds
        self._driver_settings = partial(
            AcceptedSession,
            journal=self._journal,
            clock=clock,
            events_max=events_max,
            write_bytes_max=write_bytes_max,
            stall_seconds=stall_seconds,
            exit_seconds=exit_seconds,
        )
        self._logon_seconds = min(
            (config.logon_timeout_seconds for config in known), default=_LOGON_SECONDS
        )
        self._anonymous: dict[Incoming, None] = {}  # oldest first
        self._refused: deque[Refused] = deque(maxlen=_REFUSED_MAX)
        self._refused_count = 0
        self._made: dict[AcceptedSession, None] = {}  # for callers, oldest first
        self._server: asyncio.Server | None = None
        self._closed = False
        self._sessions: dict[str, AcceptedSession] = {}
        self._by_key: dict[SessionKey, AcceptedSession] = {}
        try:
            for config in known:
                self._open(config)
        except BaseException:
            for session in self._sessions.values():
                session.session.store.close()
            raise

    def _open(self, config: SessionConfig) -> AcceptedSession:
        """A session with its store, ready for its first connection."""
        store = self._store
        kept = store if store is None or isinstance(store, Store) else store(config)
        told = self._on_event
        faulty = self._faulty(config)
        try:
            admit = None if self._admit is None else partial(self._ask, config.session_id)
            session = Session(config, Role.ACCEPTOR, faulty.store(kept), admit=admit)
            log_path = self._log_path
            driver = self._driver_settings(
                session,
                log_path=log_path(config) if callable(log_path) else log_path,
                on_event=None if told is None else partial(told, session.id),
                faulty=faulty,
            )
        except BaseException:
            if kept is not None:
                kept.close()
            raise
        self._sessions[session.id] = self._by_key[_key(config)] = driver
        return driver

    def _faulty(self, config: SessionConfig) -> FaultyEnd:
        session_id = config.session_id

        def note(strike: Strike) -> None:
            assert self._on_strike is not None
            try:
                self._on_strike(session_id, strike)
            except Exception as error:  # noqa: BLE001
                self._report(error, f"{session_id}: on_strike raised")

        hook = None if self._on_strike is None else note
        return FaultyEnd(self._faults, seed=self._seed, end=session_id, on_strike=hook)

    @property
    def port(self) -> int:
        """The port it listens on; raises `StateError` while it does not listen."""
        if self._server is None or not self._server.sockets:
            raise StateError("the acceptor does not listen; enter it with `async with`")
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def sessions(self) -> Mapping[str, AcceptedSession]:
        """Each session, configured or made, by its `Session.id`, connected or not."""
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
                lambda: Incoming(self, loop, self._tls),
                self._host,
                self._wanted_port,
                backlog=_BACKLOG,
            )
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            number = getattr(error, "errno", None) or 0
            if number > 0:
                why = os.strerror(number)  # asyncio's own words repeat the address
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

        All sessions at once, each waiting `exit_seconds` for its Logout to be confirmed; who
        calls meanwhile is turned away. Closing twice is harmless.
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
            if endings:
                await asyncio.wait(endings, timeout=2 * self._exit_seconds)
            gone = [caller.gone for caller in callers]
            if gone:
                await asyncio.wait(gone, timeout=self._exit_seconds)

    # Who calls -------------------------------------------------------------------------

    def came(self, incoming: Incoming) -> None:
        """A connection nobody knows anything about yet."""
        if self._closed:
            incoming.abort()
            return
        self._anonymous[incoming] = None
        incoming.limit(self._logon_seconds)
        if len(self._anonymous) > self._anonymous_max:
            # The oldest has had most time to say who it is; a newcomer may be about to.
            oldest = next(iter(self._anonymous))
            self.refuse(oldest, "LGN-28", "made room: too many connections without a Logon")

    def left(self, incoming: Incoming) -> None:
        """A caller is gone, or known from now on."""
        self._anonymous.pop(incoming, None)

    def refuse(self, incoming: Incoming, rule: str, reason: str) -> None:
        """DSC-01: close without a word; an answer would use up a number of somebody else."""
        reason = printable(reason[:_REASON_MAX])
        refused = Refused(rule, reason, incoming.address)
        self._refused.append(refused)
        self._refused_count += 1
        incoming.abort()
        if self._on_refused is not None:
            try:
                self._on_refused(refused)
            except Exception as error:  # noqa: BLE001
                self._report(error, "on_refused raised")

    def route(self, incoming: Incoming, first: Message, data: bytes) -> None:
        """Give the connection to the session that its first message names."""
        caller = incoming.caller(first)
        if self._tls_identities is not None:
            # TLS-03: before the session hears of it; a Logout would use up its number.
            why = identity_error(
                caller.sender_comp_id, incoming.identities, self._tls_identities
            )
            if why:
                self.refuse(incoming, "TLS-03", why)
                return
        driver = self._by_key.get(caller[:3])
        if driver is None:
            try:
                driver = self._make(caller)
            except FixLabError as error:
                self.refuse(incoming, "LGN-06", f"{error}: {shown(caller)}")
                return
        if driver.connection is not None:
            # LGN-07, DSC-06: also when the old connection is dead and nobody knows it yet.
            self.refuse(incoming, "LGN-07", f"{driver.id} is {driver.state} on a connection")
            return
        driver.caller = caller
        incoming.hand_over(driver, data)

    def _make(self, caller: Caller) -> AcceptedSession:
        """A session for a caller that no configured one fits, if it is approved.

        Raises `FixLabError` with the reason when it is not.
        """
        if self._approve is None:
            raise StateError("no session for the caller")
        if caller.logon.msg_type != LOGON:
            name = MSG_TYPE_NAMES.get(caller.logon.msg_type, "message")
            raise StateError(f"first message not a Logon but a {name}")
        if len(self._made) >= self._sessions_max:
            self._make_room()
        try:
            config = self._approve(caller)
            if config is None:
                raise StateError("not approved")
            if _key(config) != caller[:3]:
                raise ConfigError(
                    f"approve() gave {config.session_id}, which is not the caller's"
                )
            if config.session_id in self._sessions:
                # CompIDs may hold an arrow: A->B to C reads as A to B->C does.
                raise ConfigError(f"another session is called {config.session_id} already")
            driver = self._open(config)
        except (StateError, ConfigError):
            raise  # such as CompIDs that no session can have
        except Exception as error:
            # A caller must not be able to stop the acceptor; whoever runs it hears of it.
            self._report(error, "a session could not be made for a caller")
            raise StateError(f"a session could not be made ({error})") from error
        self._made[driver] = None
        driver.on_over = self._on_over
        return driver

    def _ask(self, session_id: str, logon: Message) -> str | None:
        """Why `admit` refuses a Logon, or None; without its answer nobody gets in."""
        caller = self._sessions[session_id].caller
        assert caller is not None, "route() noted who calls"
        assert self._admit is not None
        try:
            refusal = self._admit(caller._replace(logon=logon))
            if refusal is not None and not isinstance(refusal, str):
                raise TypeError(
                    f"admit() must return None or why it refuses, found {refusal!r}"
                )
        except Exception as error:  # noqa: BLE001
            self._report(error, f"{session_id}: admit raised")
            return "Logon cannot be checked at the moment"
        return refusal

    def _on_over(self, driver: AcceptedSession) -> None:
        """A made session that used no number goes: who never logs on leaves nothing behind."""
        session = driver.session
        if not (driver.closed or driver.began or session.next_in > 1 or session.next_out > 1):
            self._forget(driver)

    def _make_room(self) -> None:
        """Forget a made session that never began, such as one refused for its password."""
        for driver in self._made:
            if not driver.began and driver.connection is None:
                self._forget(driver)
                return
        raise StateError(f"no room: {self._sessions_max} sessions were made (sessions_max)")

    def _forget(self, driver: AcceptedSession) -> None:
        del self._made[driver], self._sessions[driver.id]
        del self._by_key[_key(driver.session.config)]
        driver.forget()

    def _report(self, error: Exception, what: str) -> None:
        asyncio.get_running_loop().call_exception_handler(
            {"message": f"acceptor: {what}", "exception": error}
        )


def _listed(configs: SessionConfig | Iterable[SessionConfig]) -> tuple[SessionConfig, ...]:
    if isinstance(configs, SessionConfig):
        return (configs,)
    known = tuple(configs) if isinstance(configs, Iterable) else (configs,)
    for config in known:
        if not isinstance(config, SessionConfig):
            raise ConfigError(f"an acceptor needs SessionConfigs, found {config!r}")
    return known


def _check(
    known: tuple[SessionConfig, ...],
    store: Store | StoreFactory | None,
    approve: Approve | None,
    port: int,
) -> None:
    if not known and approve is None:
        raise ConfigError(
            "an acceptor needs at least one SessionConfig, or `approve`, found neither"
        )
    ids = {config.session_id for config in known}
    if min(len(ids), len({_key(config) for config in known})) < len(known):
        raise ConfigError(
            f"each session may be configured once, found "
            f"{', '.join(config.session_id for config in known)}"
        )
    if isinstance(store, Store) and (len(known) > 1 or approve is not None):
        raise ConfigError(
            f"one store cannot serve {'many' if approve else len(known)} sessions; give a "
            f"function that makes a store for a SessionConfig"
        )
    if not (store is None or callable(store) or isinstance(store, Store)):
        raise ConfigError(
            f"store must be a Store, a function that makes one for a SessionConfig, or None, "
            f"found {store!r}"
        )
    check_port(port, 0)


def _check_limits(**limits: int) -> None:
    for name, value in limits.items():
        if value < 1:
            raise ConfigError(f"{name} must be at least 1, found {value}")


def _check_hooks(**hooks: Callable[..., object] | None) -> None:
    for name, hook in hooks.items():
        if inspect.iscoroutinefunction(hook):
            raise ConfigError(f"{name} must be a plain function, found a coroutine one")


def _key(config: SessionConfig) -> SessionKey:
    return config.begin_string, config.target_comp_id, config.sender_comp_id
