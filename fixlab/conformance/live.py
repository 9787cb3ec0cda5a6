"""Live targets: a counterparty behind a socket, in real time."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Mapping
from typing import Literal

from fixlab.conformance.model import Case, CaseResult
from fixlab.conformance.profile import Profile
from fixlab.conformance.targets import Hook, Identity
from fixlab.session.transitions import Role

# One identity for all cases; a pool of them, each used by one case at a time; or a function that
# gives each case its own.
Identities = tuple[str, str] | Iterable[tuple[str, str]] | Callable[[Case], tuple[str, str]]
# How numbers start over before a case, as agreed: "fresh": the counterparty does so by itself
# (or each case has an identity never used before); "logon": a Logon with 141=Y and a Logout;
# "continue": never, cases go on from the numbers there are; "operator": the hook "reset".
Reset = Literal["fresh", "logon", "continue", "operator"]


class LiveTarget:
    """An acceptor under test, which the runner connects to.

    Parameters: `host`, `port`; `begin_string`; `identities`, (runner's CompID, target's CompID),
    a list of such pairs, or a function that gives one for a `Case`; `reset`, see `Reset`;
    `hooks`, what stands in for an operator, see `HOOKS`; `pause_seconds`, the least time between
    two connections of one identity; `parallel`, the most cases played at once; `tls`, a client's
    `ssl.SSLContext`.
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
        parallel: int = 1,
        connect_seconds: float = 10.0,
        tls: ssl.SSLContext | None = None,
        tls_server_name: str | None = None,
    ) -> None:
        self.host, self.port = host, port
        self.begin_string = begin_string
        self.parallel = parallel
        self.hooks: frozenset[str] = frozenset(hooks or {})

    async def open(self) -> None:
        """Nothing to do: each case connects."""

    async def close(self) -> None:
        """Close what is open."""

    async def play_live(self, case: Case, profile: Profile) -> CaseResult:
        """Play one case."""
        raise NotImplementedError


class ListeningTarget:
    """Initiators under test, which connect to the runner; it listens on `host` and `port`.

    Parameters as of `LiveTarget`; `tls` is a server's `ssl.SSLContext`. Several cases at once
    are told apart by the CompIDs of the first message.
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
        pause_seconds: float = 0.0,
        parallel: int = 1,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.host, self.port = host, port
        self.begin_string = begin_string
        self.parallel = parallel
        self.hooks: frozenset[str] = frozenset(hooks or {})

    async def open(self) -> None:
        """Listen; `port` is then the port in use."""

    async def close(self) -> None:
        """Stop to listen, close what is open."""

    async def play_live(self, case: Case, profile: Profile) -> CaseResult:
        """Play one case, once the counterparty connects."""
        raise NotImplementedError
