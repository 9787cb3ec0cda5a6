"""Initiator: connects, logs on, and comes back within limits when the connection is lost."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from types import TracebackType
from typing import Self

from fixlab.errors import (
    ConfigError,
    ConnectError,
    FixLabError,
    MessageError,
    StateError,
    StoreError,
)
from fixlab.journal import Journal
from fixlab.net.connection import Connection
from fixlab.net.driver import Driver
from fixlab.session.config import SessionConfig
from fixlab.session.events import Event
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState
from fixlab.stores.base import Store
from fixlab.times import Clock

_BACKOFF_FACTOR = 2.0
_BACKOFF_SECONDS_MAX = 60.0  # or `reconnect_seconds`, when that is longer


class Initiator(Driver):
    """A live session that connects to a counterparty.

    ```python
    async with Initiator(config, port=9880) as buy:
        number = await buy.send(order)
    ```

    Entering connects once and logs on, or raises `ConnectError` with what happened and what to
    check. Leaving logs out and closes transport and store. In between, a connection that is
    lost is tried again after `reconnect_seconds`, then after twice that and so on, at most
    `reconnects_max` times in a row (DSC-05); each attempt uses up a number. After a Logout,
    whoever asked for it, only `connect()` connects again.

    Parameters: `config` of this side; `host` and `port` of the peer; `store`, closed with the
    initiator (None: in memory); `journal` and `on_event`, see `Driver`; `tls`, a client's
    `ssl.SSLContext`; `connect_seconds`, the limit for TCP and TLS.
    """

    def __init__(
        self,
        config: SessionConfig,
        *,
        host: str = "127.0.0.1",
        port: int,
        store: Store | None = None,
        journal: Journal | None = None,
        on_event: Callable[[Event], object] | None = None,
        tls: ssl.SSLContext | None = None,
        connect_seconds: float = 10.0,
        reconnect_seconds: float = 5.0,
        reconnects_max: int = 10,
        clock: Clock | None = None,
        events_max: int = 10_000,
        stall_seconds: float = 30.0,
        exit_seconds: float = 2.0,
    ) -> None:
        if not 0 < port < 65_536:
            raise ConfigError(f"port must be 1 to 65535, found {port}")
        if reconnect_seconds <= 0 or connect_seconds <= 0:
            raise ConfigError(
                f"reconnect_seconds and connect_seconds must be positive, found "
                f"{reconnect_seconds} and {connect_seconds}"
            )
        if reconnects_max < 0:
            raise ConfigError(f"reconnects_max must be at least 0, found {reconnects_max}")
        super().__init__(
            Session(config, Role.INITIATOR, store),
            journal=journal,
            on_event=on_event,
            clock=clock,
            events_max=events_max,
            stall_seconds=stall_seconds,
            exit_seconds=exit_seconds,
        )
        self._host = host
        self._port = port
        self._tls = tls
        self._connect_seconds = connect_seconds
        self._reconnect_seconds = reconnect_seconds
        self._reconnects_max = reconnects_max
        self._attempts = 0
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
        connection = Connection(self, asyncio.get_running_loop())
        try:
            await self._open(connection)
            await self._until(
                lambda: self._connection is not connection or self.state is SessionState.ACTIVE,
                None,  # the session's own logon_timeout_seconds bounds it (LGN-28)
                "the Logon exchange",
            )
            if self._connection is connection:
                return
            if self._closed:
                raise StateError(f"{self.id} was closed while it connected")
            if isinstance(self._failure, StoreError):
                raise self._failure
            raise self._no(self._reason, self._hint())
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
        loop = connection.loop
        try:
            async with asyncio.timeout(self._connect_seconds):
                await loop.create_connection(
                    lambda: connection, self._host, self._port, ssl=self._tls
                )
        except TimeoutError:
            raise self._no(
                f"no answer within {self._connect_seconds:g} s",
                "check the address, and that no firewall drops the packets",
            ) from None
        except ConnectionRefusedError:
            raise self._no(
                "connection refused", "check that the acceptor is running and listens there"
            ) from None
        except (socket.gaierror, UnicodeError) as error:
            why = getattr(error, "strerror", None) or error
            raise self._no(f"unknown host ({why})", "check the host name") from None
        except ssl.SSLError as error:
            raise self._no(
                f"TLS failed ({error.reason or error})",
                "check that the peer speaks TLS there, and its certificate",
            ) from None
        except OSError as error:
            raise self._no(
                f"cannot connect ({error.strerror or error})", "check the address"
            ) from None

    def _no(self, what: str, hint: str) -> ConnectError:
        return ConnectError(f"{self._host}:{self._port}: {what}; {hint}")

    def _hint(self) -> str:
        """What to check when the connection came up and the Logon did not."""
        config = self._session.config
        ended = self._ended
        if ended is not None and ended.rule == "DSC-03":
            # DSC-01: whom it does not know, an acceptor drops without a word.
            return (
                f"peers do so to a session they do not know or that is logged on already: "
                f"check BeginString {config.begin_string}, SenderCompID "
                f"{config.sender_comp_id} and TargetCompID {config.target_comp_id}"
            )
        if ended is not None and ended.rule == "LGN-28":
            return "check that a FIX acceptor listens there, and whether it expects TLS"
        return "the peer's side may log more"

    # Coming back -----------------------------------------------------------------------

    def _after_end(self) -> None:
        super()._after_end()
        if not self._keep_up or self._closed or self._connecting or self._retrying is not None:
            return
        clean = self._ended is not None and self._ended.clean
        if clean or self._failure is not None or self._reconnects_max == 0:
            self._keep_up = False
            return
        self._retrying = asyncio.get_running_loop().create_task(
            self._retry(), name=f"fixlab reconnect {self.id}"
        )

    async def _retry(self) -> None:
        """DSC-05: paced, backing off, and not for ever."""
        delay = self._reconnect_seconds
        first_reason = self._reason
        established = False
        try:
            for _ in range(self._reconnects_max):
                await asyncio.sleep(delay)
                try:
                    await self._attempt()
                    established = True
                    return
                except ConnectError:
                    longest = max(_BACKOFF_SECONDS_MAX, self._reconnect_seconds)
                    delay = min(delay * _BACKOFF_FACTOR, longest)
            self._keep_up = False
            self._reason = (
                f"gave up after {self._reconnects_max} attempts to reconnect, the last: "
                f"{self._reason}; the connection was lost because: {first_reason}"
            )
        except StoreError:
            self._keep_up = False  # it is in `errors` and in `reason`
        finally:
            self._retrying = None
            self._wake()
            if established and self._connection is None:
                # And lost again before this task had its turn.
                self._after_end()

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
