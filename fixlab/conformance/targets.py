"""Target: what a case is played against, and how its counterparty is addressed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple, Protocol, runtime_checkable

from fixlab.conformance.model import Case, CaseResult
from fixlab.conformance.profile import Profile
from fixlab.session.transitions import Role


class Identity(NamedTuple):
    """Who speaks to whom: the CompIDs of the runner and of the system under test."""

    runner: str
    target: str


# What an operator does by hand, a hook does at once: it is given whose session is meant and a
# number (how many messages to send, else 0), and may be a coroutine function. See `HOOKS`.
Hook = Callable[[Identity, int], Awaitable[object] | object]

HOOKS = {
    "connect": "an initiator under test opens its connection now",
    "reset": "both numbers go back to 1, before a case",
    "stop": "the session logs out",
    "app-send": "the application sends so many messages, connected or not",
    "app-down": "the application is no longer there for its messages",
    "app-up": "the application is there again, after the case",
}


class Target(Protocol):
    """A system under test; `run()` plays one case after the other against it."""

    @property
    def role(self) -> Role:
        """Of the system under test."""

    @property
    def begin_string(self) -> str:
        """BeginString(8) of its sessions."""

    @property
    def hooks(self) -> frozenset[str]:
        """Names of `HOOKS` that it has; a case that needs another one is SKIP."""


@runtime_checkable
class MemoryPlayed(Target, Protocol):
    """A target in this process, on a virtual clock."""

    def play(self, case: Case, profile: Profile) -> CaseResult:
        """Play one case from a fresh session."""


@runtime_checkable
class LivePlayed(Target, Protocol):
    """A target behind a socket, in real time."""

    @property
    def parallel(self) -> int:
        """How many cases may be played at once."""

    async def open(self) -> None:
        """Be ready for cases, such as by listening."""

    async def close(self) -> None:
        """Give back what `open()` took; twice is harmless."""

    async def play_live(self, case: Case, profile: Profile) -> CaseResult:
        """Play one case; waits for its turn as was agreed, and is always over in time."""


@runtime_checkable
class Addressed(Protocol):
    """A target that can say beforehand who speaks to whom."""

    def identity_of(self, case: Case) -> Identity:
        """The CompIDs that a case is played under."""
