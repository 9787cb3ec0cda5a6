"""Initiator: connects, logs on, and comes back within limits when the connection is lost."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Self

from fixlab import times
from fixlab.errors import (
    ConfigError,
    ConnectError,
    FixLabError,
    MessageError,
    StateError,
    StoreError,
)
from fixlab.faults.end import FaultyEnd
from fixlab.faults.plan import NO_FAULTS, Faults
from fixlab.journal import Journal
from fixlab.net._arguments import check_port, check_tls
from fixlab.net.connection import Connection
from fixlab.net.driver import Driver
from fixlab.net.tls import Handshake
from fixlab.session.config import SessionConfig
from fixlab.session.events import Event
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState
from fixlab.stores.base import Store
from fixlab.times import Clock

_BACKOFF_FACTOR = 2.0
_LOOK_SECONDS = 60.0  # waiting for a schedule to open: the wall clock may be set meanwhile
_BACKOFF_SECONDS_MAX = 60.0  # or `reconnect_seconds`, when that is longer


class Initiator(Driver):
    """A live session that connects to a counterparty.

    ```python
    async with Initiator(config, port=9880) as buy:
        number = await buy.send(order)
    ```

    Entering connects once and logs on, or raises `ConnectError` with what happened and what to
    check. Leaving logs out and closes transport and store. In between, a connection that is
    lost is tried again after `reconnect_seconds`, then after twice that and so on up to a
    minute, at most `reconnects_max` times in a row (DSC-05); each attempt uses up a number. The
    row ends with a session that stays up for `steady_seconds`: a peer that takes each Logon and
    then breaks the connection is not called for ever. After a Logout, whoever asked for it,
    only `connect()` connects again; but a session whose schedule has closed is brought back
    when it opens (SCH-05).

    Parameters: `config` of this side; `host` and `port` of the peer; `store`, closed with the
    initiator (None: in memory); `journal`, `log_path` and `on_event`, see `Driver`; `tls`, a
    client's `ssl.SSLContext`, see `fixlab.net.tls.client_context()`; `tls_server_name`, the
    name that the server's certificate must be for (None: `host`); `connect_seconds`, the limit
    for TCP and TLS; `faults`, what goes wrong at this end on purpose, to test the peer with,
    and the `seed` that decides on their chances (see `struck`).
    """

    def __init__(
        self,
        config: SessionConfig,
        *,
        host: str = "127.0.0.1",
        port: int,
        store: Store | None = None,
        journal: Journal | None = None,
        log_path: str | os.PathLike[str] | None = None,
        on_event: Callable[[Event], object] | None = None,
        tls: ssl.SSLContext | None = None,
        tls_server_name: str | None = None,
        connect_seconds: float = 10.0,
        reconnect_seconds: float = 5.0,
        reconnects_max: int = 10,
        steady_seconds: float = 30.0,
        faults: Faults = NO_FAULTS,
        seed: int = 0,
        clock: Clock | None = None,
        events_max: int = 10_000,
        write_bytes_max: int = 1 << 26,
        stall_seconds: float = 30.0,
        exit_seconds: float = 2.0,
    ) -> None:
        check_port(port, 1)
        check_tls(tls, "client_context()")
        if reconnect_seconds <= 0 or connect_seconds <= 0:
            raise ConfigError(
                f"reconnect_seconds and connect_seconds must be positive, found "
                f"{reconnect_seconds} and {connect_seconds}"
            )
        if reconnects_max < 0:
            raise ConfigError(f"reconnects_max must be at least 0, found {reconnects_max}")
        if steady_seconds < 0:
            raise ConfigError(f"steady_seconds must be at least 0, found {steady_seconds}")
        if tls_server_name is not None:
            _check_server_name(tls_server_name)
        faulty = FaultyEnd(faults, seed=seed, end=config.session_id)
        super().__init__(
            Session(config, Role.INITIATOR, faulty.store(store)),
            faulty=faulty,
            journal=journal,
            log_path=log_path,
            on_event=on_event,
            clock=clock,
            events_max=events_max,
            write_bytes_max=write_bytes_max,
            stall_seconds=stall_seconds,
            exit_seconds=exit_seconds,
        )
        self._host = host
        self._port = port
        self._tls = tls
        self._tls_server_name = tls_server_name
        self._connect_seconds = connect_seconds
        self._reconnect_seconds = reconnect_seconds
        self._reconnects_max = reconnects_max
        self._steady_seconds = steady_seconds
        self._attempts = 0
        self._retries = 0  # attempts to reconnect since a session last stayed up
        self._up_since: float | None = None  # when the loop's clock saw the Logon answered
        self._first_reason = ""  # why the connection was lost that those retries are about
        self._keep_up = False  # once logged on: come back when the connection is lost
        self._connecting = False
        self._retrying: asyncio.Task[None] | None = None

    @property
    def attempts(self) -> int:
        """Connections tried so far, the first included."""
        return self._attempts

    @property
    def reconnecting(self) -> bool:
        """Whether a lost connection is being brought back."""
        return self._retrying is not None

    async def __aenter__(self) -> Self:
        try:
            await self.connect()
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

    async def connect(self) -> None:
        """Connect and log on now, once; also instead of waiting for the next attempt.

        Raises `ConnectError` when it fails, `StateError` when the session is connected or
        closed, `StoreError` when the store fails.
        """
        if self._closed:
            raise StateError(f"{self.id} is closed; make a new one to go on")
        await self._stop_retrying()
        if self._connection is not None or self._connecting:
            raise StateError(f"{self.id} is {self.state}; it is connected already")
        self._keep_up = False
        seconds = self._opens_in()
        if seconds is not None:
            raise ConnectError(
                f"{self.id} is outside its schedule, which opens in {seconds:,.0f} s; "
                f"connect() then (SCH-05)"
            )
        self._retries = 0
        await self._attempt()
        self._keep_up = True

    async def close(self) -> None:
        """End it for good: Logout when logged on, close the transport, close the store.

        Bounded by `exit_seconds`; what is not over then is aborted. Closing twice is harmless.
        """
        self._keep_up = False
        try:
            await self._stop_retrying()
        finally:
            await super().close()

    async def logout(self, text: str = "") -> None:
        """Log out and return once the connection is over; it is not brought back.

        Raises `StateError` when the session is not ACTIVE.
        """
        keep_up = self._keep_up
        if self.state is SessionState.ACTIVE:
            self._keep_up = False
        try:
            await super().logout(text)
        except MessageError:
            self._keep_up = keep_up  # a text that cannot be sent: nothing has happened
            raise

    # Attempts --------------------------------------------------------------------------

    async def _attempt(self) -> None:
        """One connection up to the end of the Logon exchange."""
        self._attempts += 1
        self._connecting = True
        connection = self.new_connection(asyncio.get_running_loop())
        if self._log is not None:
            self._log.event(f"connecting to {self._host}:{self._port}", self._now())
        try:
            await self._open(connection)
            await self._until(
                lambda: self._connection is not connection or self.state is SessionState.ACTIVE,
                None,  # the session's own logon_timeout_seconds bounds it (LGN-28)
                "the Logon exchange",
            )
            if self._connection is connection:
                self._up_since = connection.loop.time()
                return
            if self._closed:
                raise StateError(f"{self.id} was closed while it connected")
            if isinstance(self._failure, StoreError):
                raise self._failure
            raise self._no(self._reason, self._hint(connection))
        except ConnectError as error:
            self._reason = str(error)
            raise
        except BaseException:
            if self._connection is connection:
                self._lose("given up on this side")
            connection.let_go(abort=True)
            raise
        finally:
            self._connecting = False

    async def _open(self, connection: Connection) -> None:
        """TCP and TLS, each failure told in words."""
        handshake = None if self._tls is None else Handshake(self._tls)
        try:
            async with asyncio.timeout(self._connect_seconds):
                await connection.loop.create_connection(
                    lambda: connection,
                    self._host,
                    self._port,
                    ssl=handshake,
                    server_hostname=None if handshake is None else self._tls_server_name,
                    ssl_handshake_timeout=None if handshake is None else self._connect_seconds,
                )
        except (OSError, UnicodeError) as error:
            if handshake is not None and handshake.begun:
                refusal = self._no(*self._tls_failed(error, handshake))
            else:
                refusal = self._no(*self._tcp_failed(error))
            if self._log is not None:
                self._log.ended(str(refusal), self._now())
            raise refusal from None

    def _tcp_failed(self, error: OSError | UnicodeError) -> tuple[str, str]:
        """What happened before there was a connection, and what to check."""
        match error:
            case TimeoutError():
                return (
                    f"no answer within {self._connect_seconds:g} s",
                    "check the address, and that no firewall drops the packets",
                )
            case ConnectionRefusedError():
                return (
                    "connection refused",
                    "check that the acceptor is running and listens there",
                )
            case socket.gaierror() | UnicodeError():
                why = getattr(error, "strerror", None) or error
                return f"unknown host ({why})", "check the host name"
            case _:
                return f"cannot connect ({error.strerror or error})", "check the address"

    def _tls_failed(
        self, error: OSError | UnicodeError, handshake: Handshake
    ) -> tuple[str, str]:
        """The same within the TLS handshake (TLS-01)."""
        if handshake.error is not None:
            return f"TLS failed: {handshake.explain()}", ""
        why = "the peer closed the connection within the handshake"
        if isinstance(error, TimeoutError):
            why = f"no handshake within {self._connect_seconds:g} s"
        return f"TLS failed: {why}", "check that the peer speaks TLS there"

    def _no(self, what: str, hint: str) -> ConnectError:
        return ConnectError(
            f"{self._host}:{self._port}: {what}" + (f"; {hint}" if hint else "")
        )

    def _hint(self, connection: Connection) -> str:
        """What to check when the connection came up and the Logon did not."""
        if isinstance(connection.error, ssl.SSLError):
            return ""  # its words say it all
        config = self._session.config
        ended = self._ended
        if ended is not None and ended.rule == "DSC-03":
            # DSC-01: whom it does not know, an acceptor drops without a word.
            return (
                f"peers do so to a session they do not know or that is logged on already: "
                f"check BeginString {config.begin_string}, SenderCompID "
                f"{config.sender_comp_id} and TargetCompID {config.target_comp_id}, and "
                + (
                    "whether the peer expects TLS"
                    if self._tls is None
                    # With TLS 1.3 a client has shaken hands before its certificate is judged.
                    else "whether the peer wants another certificate of this side"
                )
            )
        if ended is not None and ended.rule == "LGN-28":
            return "check that a FIX acceptor listens there, and whether it expects TLS"
        return "the peer's side may log more"

    # Coming back -----------------------------------------------------------------------

    def _after_end(self) -> None:
        super()._after_end()
        if not self._keep_up or self._closed or self._connecting or self._retrying is not None:
            return
        clean = self._ended is not None and self._ended.clean and self._opens_in() is None
        if clean or self._failure is not None or self._reconnects_max == 0:
            self._keep_up = False
            return
        loop = asyncio.get_running_loop()
        up_since, self._up_since = self._up_since, None
        if up_since is not None and loop.time() - up_since >= self._steady_seconds:
            self._retries = 0
        if self._retries == 0:
            self._first_reason = self._reason
        elif self._retries >= self._reconnects_max:
            self._give_up()
            return
        self._retrying = loop.create_task(self._retry(), name=f"fixlab reconnect {self.id}")

    def _cut(self, connection: Connection) -> None:
        self._retries = 0  # what this side breaks on purpose tells nothing about the peer
        super()._cut(connection)

    async def _retry(self) -> None:
        """DSC-05: paced, backing off, and not for ever."""
        established = False
        longest = max(_BACKOFF_SECONDS_MAX, self._reconnect_seconds)
        try:
            while self._retries < self._reconnects_max:
                delay = self._reconnect_seconds * _BACKOFF_FACTOR ** min(self._retries, 100)
                await asyncio.sleep(min(delay, longest))
                await self._opening()
                self._retries += 1
                try:
                    await self._attempt()
                    established = True
                    return
                except ConnectError:
                    pass  # `reason` has it
            self._give_up()
        except StoreError:
            self._keep_up = False  # it is in `errors` and in `reason`
        finally:
            self._retrying = None
            self._wake()
            if established and self._connection is None:
                # And lost again before this task had its turn.
                self._after_end()

    def _opens_in(self) -> float | None:
        """Seconds until the session's schedule opens; None while it is open, or has none."""
        self._renew_clock()
        now = self._now()
        opening = self._session.next_opening(now)
        return None if opening is None else (opening - now) / times.NANOSECONDS

    async def _opening(self) -> None:
        """SCH-05: outside the schedule an attempt would be refused, and use up a number."""
        while (seconds := self._opens_in()) is not None:
            self._retries = 0
            await asyncio.sleep(min(seconds, _LOOK_SECONDS))

    def _give_up(self) -> None:
        self._keep_up = False
        self._reason = (
            f"gave up after {self._retries} attempts to reconnect, the last: {self._reason}; "
            f"the connection was lost because: {self._first_reason}"
        )
        self._wake()

    def _report(self, error: Exception, what: str) -> None:
        if self._connecting and self._retrying is None and isinstance(error, StoreError):
            self._errors.append(error)  # connect() is about to raise it
        else:
            super()._report(error, what)

    async def _stop_retrying(self) -> None:
        task = self._retrying
        if task is None:
            return
        self._keep_up = False
        task.cancel()
        try:
            await asyncio.wait([task])
        finally:
            self._retrying = None  # a task cancelled before its first turn runs nothing at all

    def _over(self) -> FixLabError | None:
        over = super()._over()
        if over is not None:
            return over
        if self._connection is None and not self._connecting and self._retrying is None:
            return ConnectError(
                f"{self.id} is not connected: {self._reason or 'connect() was not called'}"
            )
        return None


def _check_server_name(name: str) -> None:
    """TLS-02: an empty name would switch off the check of the name, and others say so late."""
    try:
        usable = bool(name) and "\0" not in name and bool(name.encode("idna"))
    except UnicodeError:
        usable = False
    if not usable:
        raise ConfigError(f"tls_server_name must be the name of a host, found {name!r}")
