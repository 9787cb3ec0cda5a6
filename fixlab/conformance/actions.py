"""What a player asks for, and what it is told: the seam between cases and targets."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple


class Open(NamedTuple):
    """Connect to the counterparty; answered by `Opened` or `Closed`."""

    connection: int


class Accept(NamedTuple):
    """From now on the counterparty may connect; answered by `Opened`, some time."""

    connection: int


class Write(NamedTuple):
    """Send bytes, each piece in a write of its own."""

    connection: int
    pieces: tuple[bytes, ...]


class Shut(NamedTuple):
    """Close a connection; nothing of it is told any more."""

    connection: int


class Call(NamedTuple):
    """Have an operator or a hook do something; `Turn.problem` says what was in the way."""

    hook: str
    number: int


class Wait(NamedTuple):
    """Come back when something has happened, at the latest at `until` (ns)."""

    until: int


Action = Open | Accept | Write | Shut | Call | Wait


class Opened(NamedTuple):
    """A connection is up."""

    connection: int
    time: int


class Arrived(NamedTuple):
    """Bytes came in."""

    connection: int
    time: int
    data: bytes


class Closed(NamedTuple):
    """The counterparty has closed, or a connection could not be made."""

    connection: int
    time: int
    why: str = ""


class Turn(NamedTuple):
    """The time, and what happened since the last turn, in order."""

    now: int
    events: tuple[Opened | Arrived | Closed, ...] = ()
    problem: str = ""


Part = Generator[Action, Turn, None]  # of what a player does
