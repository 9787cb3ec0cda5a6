"""Live targets: a counterparty behind a socket, in real time."""

from __future__ import annotations

import asyncio
import os
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Literal, get_args

from fixlab.conformance._stage import Place, Stage, Wire
from fixlab.conformance.agreeing import Agreement
from fixlab.conformance.model import Case, CaseResult, Entry, Need, Verdict
from fixlab.conformance.play import Player
from fixlab.conformance.profile import Profile
from fixlab.conformance.scope import Scope
from fixlab.conformance.targets import HOOKS, Hook, Identity
from fixlab.errors import ConfigError, ConnectError
from fixlab.net._arguments import check_port, check_tls
from fixlab.net.tls import explain
from fixlab.redact import printable
from fixlab.session.config import BEGIN_STRINGS
from fixlab.session.transitions import Role
from fixlab.times import SystemClock
from fixlab.wire.tags import SENDER_COMP_ID, TARGET_COMP_ID

# One identity for all cases; several, each used by one case at a time; or a function that gives
# each case its own.
Identities = tuple[str, str] | Iterable[tuple[str, str]] | Callable[[Case], tuple[str, str]]
# How numbers start over before a case, as agreed. "fresh": the counterparty does so by itself,
# or each case has an identity never used before; "logon": by a Logon with 141=Y; "continue":
# never, cases go on from the numbers there are; "operator": by the hook "reset".
Reset = Literal["fresh", "logon", "continue", "operator"]

_PARALLEL_MAX = 200
_IDENTITIES_MAX = 1_000


class _Live(ABC):
    """What both kinds of live targets have in common."""

    role: Role

    def __init__(
        self,
        *,
        identities: Identities,
        begin_string: str,
        reset: Reset,
        hooks: Mapping[str, Hook] | None,
        pause_seconds: float,
        parallel: int | None,
    ) -> None:
        _check(begin_string, reset, hooks or {}, pause_seconds)
        self.begin_string = begin_string
        self._identities = identities if callable(identities) else None
        pool = [] if callable(identities) else _pool(identities)
        self.parallel = (len(pool) or 1) if parallel is None else parallel
        if not 1 <= self.parallel <= _PARALLEL_MAX:
            raise ConfigError(f"parallel must be 1 to {_PARALLEL_MAX}, found {parallel}")
        if pool:
            self.parallel = min(self.parallel, len(pool))
        self._pool = [Place(identity) for identity in pool]
        self._free: asyncio.Queue[Place] | None = None
        self._reset = reset
        self._hooks = dict(hooks or {})
        self.hooks = frozenset(self._hooks)
        self._pause_seconds = pause_seconds
        self._clock = SystemClock()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self}>"

    def identity_of(self, case: Case) -> Identity:
        """The CompIDs of runner and target, or the first ones of several."""
        if self._identities is not None:
            return _identity(self._identities(case))
        return self._pool[0].identity

    async def open(self) -> None:
        """Be ready for cases."""
        self._free = asyncio.Queue()
        for place in self._pool:
            self._free.put_nowait(place)

    async def close(self) -> None:
        """No more cases; twice is harmless."""
        self._free = None

    async def play_live(self, case: Case, profile: Profile) -> CaseResult:
        """Play one case; whatever the counterparty does, it is over in a bounded time."""
        if self._reset == "logon" and Need.RESET in profile.forbidden:
            raise ConfigError('reset="logon" sends 141=Y, which the profile forbids')
        if self._identities is not None:
            place = Place(self.identity_of(case))
            return await self._play(place, case, profile)
        assert self._free is not None, "open() comes first"
        place = await self._free.get()
        try:
            return await self._play(place, case, profile)
        finally:
            if self._free is not None:
                self._free.put_nowait(place)

    async def _play(self, place: Place, case: Case, profile: Profile) -> CaseResult:
        stage = Stage(
            place,
            self._connect,
            self._expect,
            self._hooks,
            clock=self._clock,
            pause_seconds=self._pause_seconds,
        )
        scope = Scope(
            case.ref, self.begin_string, self.role, place.identity, profile, self._clock.now()
        )
        if case.heartbeat_seconds is not None and self.role is Role.ACCEPTOR:
            scope.values["hb"] = str(case.heartbeat_seconds)
        try:
            why, entries = await self._start_over(stage, scope)
            if why:
                return self._blocked(case, why, entries)
            scope.began = self._clock.now()
            result = await stage.drive(Player(case, scope).play())
        finally:
            await stage.close()
            self._left(stage)
            place.next_out = scope.shift_out + scope.next_out
        if Need.APP_DOWN in case.needs and "app-up" in self.hooks:
            why = await stage.call("app-up", 0)
            if why:  # the verdict stands; whoever reads it should know of this
                found = f"{result.found}; {why}" if result.found else why
                result = replace(result, found=found)
        return result

    async def _start_over(self, stage: Stage, scope: Scope) -> tuple[str, list[Entry]]:
        """Bring the numbers where the script can count from; why that failed, and how."""
        if self._reset == "operator":
            return await stage.call("reset", 0), []
        if self._reset == "fresh":
            return "", []
        scope.next_out = stage.place.next_out
        agreement = Agreement(scope, reset=self._reset == "logon")
        why = await stage.drive(agreement.agree())
        scope.adopts = self.role is Role.INITIATOR
        return why, agreement.entries

    def _blocked(self, case: Case, why: str, entries: list[Entry]) -> CaseResult:
        return CaseResult(
            ref=case.ref,
            verdict=Verdict.BLOCKED,
            begin_string=self.begin_string,
            role=self.role,
            found=why,
            transcript=tuple(entries),
        )

    @abstractmethod
    async def _connect(self, wire: Wire) -> str:
        """Open a connection for `wire`; why that failed, or ""."""

    @abstractmethod
    def _expect(self, stage: Stage, connection: int) -> None:
        """The next connection of the stage's identity is its own."""

    @abstractmethod
    def _left(self, stage: Stage) -> None:
        """The stage expects no connection any more."""


class LiveTarget(_Live):
    """An acceptor under test, which the runner connects to.

    ```python
    target = LiveTarget("uat.example.com", 9880, identities=("ME", "VENUE"), reset="logon")
    report = run(target, cases=["2b", "4b"], resume="venue.jsonl")
    ```

    Parameters: `host`, `port`; `identities`, the CompIDs of runner and target: one pair, a list
    of pairs that are used side by side, or a function that gives each `Case` its own;
    `begin_string`; `reset`, how numbers start over, see `Reset`; `hooks`, what stands in for an
    operator, see `HOOKS`; `pause_seconds`, the least time between two connections of one
    identity; `parallel`, the most cases at once (None: as many as there are pairs);
    `connect_seconds`, the limit for TCP and TLS; `tls`, a client's `ssl.SSLContext`, and
    `tls_server_name`, the name its certificate must be for (None: `host`).

    Raises `ConfigError` for what cannot work.
    """

    role = Role.ACCEPTOR

    def __init__(
        self,
        host: str,
        port: int,
        *,
        identities: Identities,
        begin_string: str = "FIX.4.4",
        reset: Reset = "logon",
        hooks: Mapping[str, Hook] | None = None,
        pause_seconds: float = 1.0,
        parallel: int | None = None,
        connect_seconds: float = 10.0,
        tls: ssl.SSLContext | None = None,
        tls_server_name: str | None = None,
    ) -> None:
        super().__init__(
            identities=identities,
            begin_string=begin_string,
            reset=reset,
            hooks=hooks,
            pause_seconds=pause_seconds,
            parallel=parallel,
        )
        check_port(port, 1)
        check_tls(tls, "client_context()")
        self.host, self.port = host, port
        self._connect_seconds = connect_seconds
        self._tls, self._tls_server_name = tls, tls_server_name

    def __str__(self) -> str:
        return f"acceptor at {self.host}:{self.port}, {self.begin_string}"

    async def _connect(self, wire: Wire) -> str:
        loop = asyncio.get_running_loop()
        name = (self._tls_server_name or self.host) if self._tls else None
        try:
            async with asyncio.timeout(self._connect_seconds):
                await loop.create_connection(
                    lambda: wire, self.host, self.port, ssl=self._tls, server_hostname=name
                )
        except TimeoutError:
            return f"no connection within {self._connect_seconds:g} s"
        except (OSError, UnicodeError) as error:
            return f"no connection ({printable(_words(error))})"
        return ""

    def _expect(self, stage: Stage, connection: int) -> None:
        raise AssertionError("an acceptor does not connect")

    def _left(self, stage: Stage) -> None:
        pass


class ListeningTarget(_Live):
    """Initiators under test, which connect to the runner.

    It listens on `port` of `host` while cases are played; 0 takes a free port. Parameters are
    those of `LiveTarget`; `tls` is a server's `ssl.SSLContext`. The hook `connect`, when there
    is one, is called when a case waits for a connection. With several identities a connection
    is given to a case by the CompIDs of its first message; one that nobody waits for is closed.
    """

    role = Role.INITIATOR

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        identities: Identities,
        begin_string: str = "FIX.4.4",
        reset: Reset = "logon",
        hooks: Mapping[str, Hook] | None = None,
        parallel: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__(
            identities=identities,
            begin_string=begin_string,
            reset=reset,
            hooks=hooks,
            pause_seconds=0.0,
            parallel=parallel,
        )
        check_port(port, 0)
        check_tls(tls, "server_context()")
        self.host, self.port = host, port
        self._tls = tls
        self._name = f"initiators at port {port}" if port else "initiators"
        self._server: asyncio.Server | None = None
        self._waiting: dict[Stage, int] = {}  # and the connection that each waits for
        # Connections that have not said who they are, oldest first.
        self._guests: dict[Wire, None] = {}

    def __str__(self) -> str:
        return f"{self._name}, {self.begin_string}"

    async def open(self) -> None:
        """Listen; `port` is then the one in use. Raises `ConnectError` when it cannot."""
        await super().open()
        loop = asyncio.get_running_loop()
        try:
            self._server = await loop.create_server(
                self._came, self.host, self.port, ssl=self._tls
            )
        except OSError as error:
            raise ConnectError(
                f"{self.host}:{self.port}: cannot listen ({error.strerror or error})"
            ) from None
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop to listen, and close who has not said what it wants."""
        await super().close()
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for guest in list(self._guests):
            guest.abort()
        self._guests.clear()

    async def _connect(self, wire: Wire) -> str:
        raise AssertionError("the runner only listens")

    def _expect(self, stage: Stage, connection: int) -> None:
        self._waiting[stage] = connection

    def _left(self, stage: Stage) -> None:
        self._waiting.pop(stage, None)

    def _came(self) -> Wire:
        guest = Wire(self._on_guest)
        self._guests[guest] = None
        if len(self._guests) > _PARALLEL_MAX:
            # The oldest has had most time to say who it is.
            oldest = next(iter(self._guests))
            del self._guests[oldest]
            oldest.abort()
        return guest

    def _on_guest(self, guest: Wire) -> None:
        """A connection is up, has said something, or is gone: whose is it?"""
        if guest not in self._guests:
            guest.abort()
            return
        stage = self._stage_of(guest)
        if stage is not None:
            self._guests.pop(guest, None)
            stage.adopt(guest, self._waiting.pop(stage))
        elif guest.gone or guest.first is not None or guest.overlong:
            self._guests.pop(guest, None)
            guest.abort()

    def _stage_of(self, guest: Wire) -> Stage | None:
        if guest.gone:
            return None
        if len(self._pool) == 1:
            return next(iter(self._waiting), None)
        if guest.first is None:
            return None
        named = (guest.first.get(TARGET_COMP_ID), guest.first.get(SENDER_COMP_ID))
        for stage in self._waiting:
            if stage.place.identity == named:
                return stage
        return None


def _words(error: OSError | UnicodeError) -> str:
    if isinstance(error, ssl.SSLError):
        return explain(error)
    number = getattr(error, "errno", None) or 0
    return os.strerror(number) if number > 0 else str(error)


def _pool(identities: tuple[str, str] | Iterable[tuple[str, str]]) -> list[Identity]:
    every = list(identities)
    if len(every) == 2 and all(isinstance(one, str) for one in every):
        return [_identity((every[0], every[1]))]
    pool = [_identity(one) for one in every]
    if not pool or len(pool) > _IDENTITIES_MAX or len(set(pool)) < len(pool):
        raise ConfigError(
            f"identities are 1 to {_IDENTITIES_MAX} different pairs of CompIDs, the runner's "
            f"first, found {len(pool)}"
        )
    return pool


def _identity(pair: object) -> Identity:
    if (
        not isinstance(pair, tuple)
        or len(pair) != 2
        or not all(isinstance(one, str) and one.isascii() and one.isprintable() for one in pair)
        or not all(pair)
    ):
        raise ConfigError(
            f"an identity is the runner's and the target's CompID, found {pair!r}"
        )
    return Identity(*pair)


def _check(
    begin_string: str, reset: str, hooks: Mapping[str, Hook], pause_seconds: float
) -> None:
    if begin_string not in BEGIN_STRINGS:
        raise ConfigError(
            f"begin_string must be one of {', '.join(BEGIN_STRINGS)}, found {begin_string!r}"
        )
    if reset not in get_args(Reset):
        raise ConfigError(f"reset must be one of {', '.join(get_args(Reset))}, found {reset!r}")
    if reset == "logon" and begin_string == "FIX.4.0":
        raise ConfigError("FIX.4.0 has no ResetSeqNumFlag(141); choose another reset")
    unknown = sorted(set(hooks) - set(HOOKS))
    if unknown:
        raise ConfigError(f"hooks are {', '.join(HOOKS)}; found {', '.join(unknown)}")
    if reset == "operator" and "reset" not in hooks:
        raise ConfigError('reset="operator" needs the hook "reset"')
    if not 0 <= pause_seconds <= 3600:
        raise ConfigError(f"pause_seconds must be 0 to 3600, found {pause_seconds}")
