"""Who calls an acceptor: what it says of itself, and a connection until that is known."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from fixlab import redact
from fixlab.errors import ConfigError
from fixlab.net.connection import no_delay
from fixlab.net.driver import Driver
from fixlab.net.tls import Handshake, identities
from fixlab.session.config import BEGIN_STRINGS, SessionConfig
from fixlab.wire.framer import Framer, Garbled
from fixlab.wire.message import Message
from fixlab.wire.tags import DEFAULT_APPL_VER_ID, SENDER_COMP_ID, TARGET_COMP_ID

_LOGON_BYTES_MAX = 1 << 14  # before it is known who calls; a Logon has a few hundred bytes
_NAME_MAX = 64  # characters shown of a CompID that a stranger made up


class Caller(NamedTuple):
    """Who asks to log on: what its first message and its connection say. Names as on the wire.

    Only `certificate` and `address` are more than a claim.
    """

    begin_string: str
    sender_comp_id: str  # the caller's own CompID
    target_comp_id: str  # whom it wants to reach: this side's CompID
    address: str  # "127.0.0.1:51234"
    certificate: Mapping[str, Any] | None  # as `ssl.SSLSocket.getpeercert()`, when it gave one
    logon: Message  # its repr masks passwords


Approve = Callable[[Caller], SessionConfig | None]
Admit = Callable[[Caller], str | None]


def template(
    *,
    sender_comp_id: str = "*",
    target_comp_id: str = "*",
    begin_string: str = "*",
    **settings: Any,
) -> Approve:
    """An `approve` of `Acceptor`: whoever fits the patterns gets a session.

    ```python
    Acceptor(approve=template(sender_comp_id="VENUE", target_comp_id="FUND-*"))
    ```

    Parameters: `sender_comp_id` of this side, `target_comp_id` of the caller and
    `begin_string`, in which `*` stands for any text; `settings` are `SessionConfig`'s. A FIXT
    session without `default_appl_ver_id` takes the caller's.

    Raises `ConfigError` when the settings can make no session of any version that fits.
    """
    patterns = tuple(map(_pattern, (begin_string, target_comp_id, sender_comp_id)))
    fitting = [version for version in BEGIN_STRINGS if patterns[0].fullmatch(version)]
    if not fitting:
        raise ConfigError(
            f"begin_string must be * or fit one of {', '.join(BEGIN_STRINGS)}, "
            f"found {begin_string!r}"
        )
    errors = [error for version in fitting if (error := _try(version, settings))]
    if len(errors) == len(fitting):
        raise ConfigError(f"no session can be made of this template: {errors[-1]}")

    def approve(caller: Caller) -> SessionConfig | None:
        if not all(p.fullmatch(name) for p, name in zip(patterns, caller[:3], strict=True)):
            return None
        return _config(
            settings,
            begin_string=caller.begin_string,
            sender_comp_id=caller.target_comp_id,
            target_comp_id=caller.sender_comp_id,
            version=caller.logon.get(DEFAULT_APPL_VER_ID),
        )

    return approve


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL)


def _config(
    settings: Mapping[str, Any],
    *,
    begin_string: str,
    sender_comp_id: str,
    target_comp_id: str,
    version: str | None = None,
) -> SessionConfig:
    # Only FIXT has a DefaultApplVerID (LGN-25); a template may be for other versions as well.
    chosen = settings.get("default_appl_ver_id") or version
    return SessionConfig(
        **{
            **settings,
            "begin_string": begin_string,
            "sender_comp_id": sender_comp_id,
            "target_comp_id": target_comp_id,
            "default_appl_ver_id": chosen if begin_string == "FIXT.1.1" else None,
        }
    )


def _try(version: str, settings: Mapping[str, Any]) -> str:
    """Why no session of this version can be made with these settings; "" when one can."""
    try:
        _config(settings, begin_string=version, sender_comp_id="A", target_comp_id="B")
    except (ConfigError, TypeError) as error:
        return str(error)
    return ""


class Door(Protocol):
    """What an incoming connection needs of the acceptor."""

    def came(self, incoming: Incoming) -> None:
        """A connection nobody knows anything about yet."""

    def left(self, incoming: Incoming) -> None:
        """The connection is gone, or known from now on."""

    def refuse(self, incoming: Incoming, rule: str, reason: str) -> None:
        """Close it without a word."""

    def route(self, incoming: Incoming, first: Message, data: bytes) -> None:
        """Its first message says whose it is; `data` is all that came over it."""


class Incoming(asyncio.Protocol):
    """A connection from its first byte, or TLS handshake, until its first message."""

    def __init__(
        self, door: Door, loop: asyncio.AbstractEventLoop, tls: ssl.SSLContext | None
    ) -> None:
        self.gone = loop.create_future()  # done when it is closed, or somebody else's
        self._door = door
        self._loop = loop
        self._tls = tls
        self._framer = Framer(_LOGON_BYTES_MAX)
        self._data = bytearray()
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._handshake: asyncio.Task[None] | None = None
        self._refused = False

    # The connection ---------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        no_delay(transport)
        if self._tls is not None:
            transport.pause_reading()  # TLS-01: from the first byte
            self._handshake = self._loop.create_task(self._secure(transport, self._tls))
        self._door.came(self)

    def limit(self, seconds: float) -> None:
        """Say who you are within so many seconds, the TLS handshake included (LGN-28)."""
        self._timer = self._loop.call_later(seconds, self._on_timer, seconds)

    def data_received(self, data: bytes) -> None:
        self._data += data
        if self._handshake is not None:
            return  # decrypted already, but its transport is not ours yet
        for item in self._framer.feed(data):
            if isinstance(item, Garbled):
                self._door.refuse(self, "FRM-08", f"not FIX before the Logon: {item.reason}")
            else:
                self._door.route(self, item, bytes(self._data))
            return  # what follows belongs to whom the first message named

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        if not self.gone.done():
            self.gone.set_result(None)

    def abort(self) -> None:
        """Close at once; nothing is owed to a stranger."""
        self._refused = True  # also when it is the very turn in which its handshake ends
        self._leave()
        assert self._transport is not None
        self._transport.abort()

    def hand_over(self, driver: Driver, data: bytes) -> None:
        """The transport belongs to `driver` from now on, with all that came over it."""
        self._leave()
        transport = self._transport
        assert transport is not None
        connection = driver.new_connection(self._loop)
        transport.set_protocol(connection)
        connection.take(transport)
        self.gone.set_result(None)
        driver.attach(connection, data)

    # TLS --------------------------------------------------------------------------------

    async def _secure(self, transport: asyncio.Transport, tls: ssl.SSLContext) -> None:
        """The handshake happens here, so that who stalls in it counts as anonymous."""
        secured: asyncio.Transport | None = None
        handshake = Handshake(tls, transport.write)
        try:
            secured = await self._loop.start_tls(transport, self, handshake, server_side=True)
        except ssl.SSLError:
            if not self.gone.done():
                self._door.refuse(self, "TLS-01", f"TLS failed: {handshake.explain()}")
        except OSError:
            pass  # the connection went away; a bare probe does so, and that is no event
        if secured is None:
            # asyncio tells the protocol of no end that comes within the handshake.
            transport.abort()
            self.connection_lost(None)
            return
        self._handshake = None
        self._transport = secured
        if self.gone.done() or self._refused:
            secured.abort()
        elif self._data:
            early, self._data = bytes(self._data), bytearray()
            self.data_received(early)

    # Who it is --------------------------------------------------------------------------

    @property
    def address(self) -> str:
        """Where the connection comes from."""
        peer = self._transport.get_extra_info("peername") if self._transport else None
        if not isinstance(peer, tuple):
            return ""
        return f"[{peer[0]}]:{peer[1]}" if ":" in peer[0] else f"{peer[0]}:{peer[1]}"

    @property
    def identities(self) -> tuple[str, ...]:
        """What its certificate proves: names and fingerprint (TLS-03)."""
        assert self._transport is not None
        secured = self._transport.get_extra_info("ssl_object")
        return () if secured is None else identities(secured)

    def caller(self, logon: Message) -> Caller:
        """Who it is, by its first message and its certificate."""
        assert self._transport is not None
        return Caller(
            logon.get(8) or "",
            logon.get(SENDER_COMP_ID) or "",
            logon.get(TARGET_COMP_ID) or "",
            self.address,
            self._transport.get_extra_info("peercert") or None,
            logon,
        )

    def _on_timer(self, seconds: float) -> None:
        what = "no Logon" if self._handshake is None else "no TLS handshake and Logon"
        self._door.refuse(self, "LGN-28", f"{what} within {seconds:g} s")

    def _leave(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._door.left(self)


def shown(caller: Caller) -> str:
    """A stranger's claims, fit for a message: short and visible."""
    names = [redact.printable(name[:_NAME_MAX]) for name in caller[:3]]
    return f"BeginString {names[0]!r}, SenderCompID {names[1]!r}, TargetCompID {names[2]!r}"
