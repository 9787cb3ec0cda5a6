"""What the tests play cases against: fixlab, with the published dictionary."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any, TypeVar

from fixlab import times
from fixlab.conformance import Profile, Report, SessionTarget, run
from fixlab.conformance.actions import (
    Accept,
    Arrived,
    Closed,
    Open,
    Opened,
    Shut,
    Turn,
    Wait,
    Write,
)
from fixlab.conformance.catalogue import parse_cases
from fixlab.conformance.model import Case
from fixlab.conformance.play import Player
from fixlab.conformance.scope import Scope
from fixlab.conformance.targets import Identity
from fixlab.session.config import SessionConfig
from fixlab.session.transitions import Role
from fixlab.wire.message import encode
from tests.dictionary.published import published

T = TypeVar("T")

START = times.parse_start("2026-01-05T09:00:00")
ME = Identity("ME", "SUT")
# Addressing is agreed upon, so that cases about it are played.
PROFILE = Profile(addressing=("OBO", "DLV"))


def config(begin_string: str = "FIX.4.4", **settings: Any) -> SessionConfig:
    """The session under test, with the published dictionary of its version."""
    return SessionConfig(
        sender_comp_id="SUT",
        target_comp_id="ME",
        begin_string=begin_string,
        dictionary=published(begin_string),
        **settings,
    )


def played(
    cases: Any = None,
    *,
    role: str = "acceptor",
    begin_string: str = "FIX.4.4",
    profile: Profile = PROFILE,
    imitates: str = "spec",
    **settings: Any,
) -> Report:
    """The report of these cases against fixlab in memory; it `imitates` an engine."""
    target = SessionTarget(config(begin_string, profile=imitates, **settings), role)
    return run(target, cases=cases, profile=profile)


def case_of(script: str, *, head: str = "pre: LOGON", role: str = "any") -> Case:
    """A case of this script."""
    text = f"ref: T-1   level: R   role: {role}   versions: all   rules: SEQ-02   {head}"
    return parse_cases(f"{text}\n{script}")["T-1"]


def scope_of(case: Case, role: Role = Role.ACCEPTOR, begin_string: str = "FIX.4.4") -> Scope:
    return Scope(case.ref, begin_string, role, ME, PROFILE, START)


def wire(text: str, begin_string: str = "FIX.4.4") -> bytes:
    """What a counterparty sends: `35=0|34=2|`, with the rest of the header filled in."""
    kind, _, rest = text.partition("|")
    head = f"{kind}|49=SUT|52=20260105-09:00:00|56=ME|{rest}"
    return encode(begin_string.encode(), head.replace("|", "\x01").encode("latin-1"))


class Puppet:
    """A counterparty without a mind: `says` is asked what to send when something happens.

    It is given "open" or what the runner has written, and returns bytes, or None to close.
    """

    def __init__(self, says: Callable[[bytes], bytes | None]) -> None:
        self._says = says
        self.now = START
        self._events: list[Any] = []

    def drive(self, play: Generator[Any, Turn, T]) -> T:
        """Do what the player asks; a wait in vain takes its time at once."""
        try:
            action = next(play)
            while True:
                action = play.send(self._perform(action))
        except StopIteration as done:
            result: T = done.value
            return result

    def _perform(self, action: Any) -> Turn:
        match action:
            case Open(connection) | Accept(connection):
                self._events.append(Opened(connection, self.now))
                self._answer(connection, b"open")
            case Write(connection, pieces):
                self._answer(connection, b"".join(pieces))
            case Shut(_):
                pass
            case Wait(until):
                if not self._events:
                    self.now = max(self.now, until)
        events, self._events = tuple(self._events), []
        return Turn(self.now, events)

    def _answer(self, connection: int, data: bytes) -> None:
        self.now += 1_000_000
        answer = self._says(data)
        if answer is None:
            self._events.append(Closed(connection, self.now))
        elif answer:
            self._events.append(Arrived(connection, self.now, answer))


def against(
    puppet: Callable[[bytes], bytes | None], case: Case, role: Role = Role.ACCEPTOR
) -> Any:
    """The result of a case against such a counterparty."""
    return Puppet(puppet).drive(Player(case, scope_of(case, role)).play())
