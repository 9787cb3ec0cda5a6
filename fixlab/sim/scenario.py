"""Scenario: two sessions, what goes wrong, and what is done to them, as plain data.

`run(seed)` plays it from the first step to agreement, with all checkers on, and always the
same way for the same seed. Its `repr` is code that makes it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, NamedTuple

from fixlab import times
from fixlab.errors import ConfigError, FixLabError, StateError, StoreError, Violation
from fixlab.faults import Faults, Strike
from fixlab.session.config import SessionConfig
from fixlab.session.transitions import Role, Transition
from fixlab.sim.endpoint import Endpoint
from fixlab.sim.fates import Fate
from fixlab.sim.loopback import START, Loopback
from fixlab.wire.message import Message

if TYPE_CHECKING:
    from fixlab.journal import Journal

Step = tuple[str | int | float, ...]

_CRASHED = "internal"  # not one of the checkers' invariants: the session's own assertions
_TEXT_MAX = 600
_LAST_SECONDS = 2.0  # for the order that each end sends once all has healed
_OPEN = (Fate.DELIVERED, Fate.WAITING, Fate.UNKNOWN)


class Outcome(NamedTuple):
    """What one run came to: a row of the `runs` frame."""

    seed: int
    ok: bool
    invariant: str
    rule: str
    session: str
    text: str
    agreed: bool
    seconds: float
    messages: int
    link: int
    peer: int
    store: int
    gaps: int
    sent: int
    delivered: int
    lost: int


class _Verb(NamedTuple):
    """A step: whether it names an end first, how many numbers follow, what it does."""

    of_end: bool
    numbers: int
    do: Callable[..., object]


def _send(end: Endpoint, count: float) -> None:
    for _ in range(int(count)):
        number = len(end._lab._ledger.orders(end.session.role)) + 1
        end.send(Message("D", {11: f"{end.session.role}-{number}", 55: "ACME", 38: 100}))


def _connect(lab: Loopback) -> None:
    if all(end.session.state.value == "DISCONNECTED" for end in lab._ends.values()):
        lab._connect()


def _roll(lab: Loopback, after: float) -> None:
    """Time passes until so many seconds behind the end of the schedule."""
    schedule = lab.initiator.session.config.schedule
    now = lab.clock.now()
    if schedule is not None:
        close = schedule.next_close(now) or now
        if close - now <= _ROLL_MAX:
            lab.run(seconds=(close - now) / times.NANOSECONDS + after)


_ROLL_MAX = times.seconds(4_000)  # of a session that goes on beating: longer takes too long

VERBS: dict[str, _Verb] = {
    "logon": _Verb(False, 0, lambda lab: lab.logon()),
    "connect": _Verb(False, 0, _connect),  # begins a connection, and does not wait for it
    "run": _Verb(False, 1, lambda lab, seconds: lab.run(seconds=seconds)),
    "roll": _Verb(False, 1, _roll),
    "cut": _Verb(False, 0, lambda lab: lab.cut()),
    "half_open": _Verb(False, 0, lambda lab: lab.half_open()),
    "half_cut": _Verb(True, 0, lambda end: end._lab.half_open(noticed_by=end.session.role)),
    "crash": _Verb(True, 0, lambda end: end._lab.crash(end.session.role)),
    "stall": _Verb(True, 1, lambda end, seconds: end.stall(seconds)),
    "send": _Verb(True, 1, _send),
    "lose": _Verb(True, 1, lambda end, count: end.lose_next(int(count))),
    "skip": _Verb(True, 1, lambda end, count: end.skip(int(count))),
    "test_request": _Verb(True, 0, lambda end: end.test_request()),
    "logout": _Verb(True, 0, lambda end: end.logout("enough")),
    "reset": _Verb(True, 0, lambda end: end.reset()),
    "sequence_reset": _Verb(
        True, 1, lambda end, above: end.sequence_reset(end.session.next_out + int(above))
    ),
}


class _NoJournal:
    """Stands in for a journal where nobody will look at it."""

    def extend(self, transitions: Iterable[Transition]) -> None:
        """Keep nothing."""


@dataclass(frozen=True, kw_only=True, repr=False)
class Scenario:
    """Two sessions, the faults of both, and steps; frozen, comparable, and code as its `repr`.

    ```python
    Scenario(
        initiator=SessionConfig(sender_comp_id="BUY", target_comp_id="SELL"),
        steps=(("logon",), ("lose", "initiator", 1), ("send", "initiator", 3), ("run", 5)),
    ).run(seed=7)
    ```

    Parameters: `initiator`, its config; `acceptor`, None mirrors it; `steps`, each a tuple of a
    verb, the end that it is for, and a number, as `VERBS` has them; the faults of both ends;
    `start` and `delay_seconds` as in `Loopback`.

    A step that makes no sense in the state that it meets is passed over, since it is the faults
    that decide what it meets. After the last step all faults end, and both ends must agree.

    Raises `ConfigError` for a step that is none.
    """

    initiator: SessionConfig
    acceptor: SessionConfig | None = None
    steps: tuple[Step, ...] = ()
    initiator_faults: Faults = field(default_factory=Faults)
    acceptor_faults: Faults = field(default_factory=Faults)
    start: str = START
    delay_seconds: float = 0.01

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", tuple(tuple(step) for step in self.steps))
        for step in self.steps:
            _check_step(step)

    def run(self, seed: int = 0) -> Outcome:
        """Play it with `seed`; the `Outcome` says whether every invariant held."""
        quiet: Journal = _NoJournal()  # type: ignore[assignment]  # a lab only extends it
        lab, violation, why = self._play(seed, quiet)
        return _outcome(lab, violation, why)

    def play(self, seed: int = 0) -> tuple[Loopback, Violation | None]:
        """Play it with `seed`, and keep all: the loopback as it then is, and what it broke."""
        from fixlab.journal import Journal  # here: a worker of a sweep does without pandas

        lab, violation, _ = self._play(seed, Journal())
        return lab, violation

    def as_code(self, seed: int = 0) -> str:
        """A script that plays it again."""
        return (
            "from fixlab import SessionConfig\n"
            "from fixlab.faults import Faults, LinkFaults, PeerFaults, StoreFaults\n"
            "from fixlab.session.schedule import Schedule\n"
            "from fixlab.sim import Scenario\n\n"
            f"scenario = {self!r}\n"
            f"print(scenario.run(seed={seed}))\n"
        )

    # Inside ------------------------------------------------------------------------------

    def _play(self, seed: int, journal: Journal) -> tuple[Loopback, Violation | None, str]:
        lab = Loopback(
            seed=seed,
            start=self.start,
            config=self.initiator,
            acceptor_config=self.acceptor,
            journal=journal,
            delay_seconds=self.delay_seconds,
            initiator_faults=self.initiator_faults,
            acceptor_faults=self.acceptor_faults,
            check=True,
        )
        try:
            for step in self.steps:
                _do(lab, step)
            why = _heal(lab)
        except Violation as violation:
            return lab, violation, ""
        except Exception as error:  # noqa: BLE001  # whatever it is, the session raised it
            return lab, _crash_of(lab, error), ""
        return lab, None, why

    def __repr__(self) -> str:
        told = [f"initiator={config_code(self.initiator)}"]
        if self.acceptor is not None:
            told.append(f"acceptor={config_code(self.acceptor)}")
        for name in ("initiator_faults", "acceptor_faults"):
            if getattr(self, name) != Faults():
                told.append(f"{name}={getattr(self, name)!r}")
        told += [
            f"{name}={getattr(self, name)!r}"
            for name, default in (("start", START), ("delay_seconds", 0.01))
            if getattr(self, name) != default
        ]
        if self.steps:
            steps = "".join(f"        {step!r},\n" for step in self.steps)
            told.append(f"steps=(\n{steps}    )")
        return "Scenario(\n" + "".join(f"    {each},\n" for each in told) + ")"


def config_code(config: SessionConfig) -> str:
    """Code that makes `config` again, but for its secrets, its dictionary and what is default.

    Unlike its `repr` it does not depend on the order in which a set is kept.
    """
    told = []
    for each in fields(config):
        value = getattr(config, each.name)
        if not each.repr or value == config._default(each):
            continue
        told.append(f"{each.name}={sorted(value) if isinstance(value, frozenset) else value!r}")
    return f"SessionConfig({', '.join(told)})"


def _check_step(step: Step) -> None:
    verb = VERBS.get(str(step[0])) if step else None
    if verb is None:
        raise ConfigError(f"a step begins with one of {', '.join(VERBS)}, found {step!r}")
    given = list(step[1:])
    if verb.of_end and (not given or given.pop(0) not in tuple(Role)):
        raise ConfigError(f"{step[0]} needs an end, initiator or acceptor, found {step!r}")
    good = all(isinstance(n, int | float) and not isinstance(n, bool) and n >= 0 for n in given)
    if len(given) != verb.numbers or not good:
        raise ConfigError(
            f"{step[0]} takes {verb.numbers} numbers of 0 or more, found {step!r}"
        )


def _do(lab: Loopback, step: Step) -> None:
    verb, arguments = VERBS[str(step[0])], list(step[1:])
    subject = lab._end(str(arguments.pop(0))) if verb.of_end else lab
    try:
        verb.do(subject, *arguments)
    except (StateError, StoreError):
        pass  # it makes no sense in this state, or the store fails as it was told to


def _heal(lab: Loopback) -> str:
    """All faults end; why both ends cannot agree, where their configs do not let them."""
    checkers = lab._checkers
    assert checkers is not None, "a scenario is played with checkers"
    try:
        lab.heal()
    except StateError as error:
        old = lab.initiator.session.config.begin_string == "FIX.4.0"
        if old or not lab._apart() or not checkers.agrees() or checkers.refused():
            return str(error)
        # An end counts beyond what was ever sent to it: an operator starts both over.
        lab.initiator.reset()
        lab.heal()
    for end in lab._ends.values():
        _do(lab, ("send", end.session.role, 1))
    lab.run(seconds=_LAST_SECONDS)
    checkers.settled()
    return ""


def _crash_of(lab: Loopback, error: Exception) -> Violation:
    """An exception that should never leave a session, as a violation."""
    trace, where = error.__traceback__, ""
    while trace is not None:
        code = trace.tb_frame.f_code
        where = f"{code.co_name}, line {trace.tb_lineno}"
        trace = trace.tb_next
    if isinstance(error, FixLabError):
        found = f"{type(error).__name__}: {error}"
    else:
        found = f"{type(error).__name__} in {where}: {error}"
    return Violation(
        invariant=_CRASHED,
        sentence="A session raises nothing, whatever comes in.",
        found=found,
        rule="",
        session=lab.initiator.id,
        time=lab.clock.now(),
        row=None,
        seed=lab.seed,
    )


def _count(struck: Iterable[Strike], family: str) -> int:
    return sum(strike.family == family for strike in struck)


def _outcome(lab: Loopback, violation: Violation | None, why: str) -> Outcome:
    ends = list(lab._ends.values())
    struck = [strike for end in ends for strike in end.struck]
    kinds = [verdict.fate for verdict in lab._verdicts()]
    checkers = lab._checkers
    assert checkers is not None, "a scenario is played with checkers"
    return Outcome(
        seed=lab.seed,
        ok=violation is None,
        invariant=violation.invariant if violation else "",
        rule=violation.rule if violation else "",
        session=violation.session if violation else "",
        text=(violation.found if violation else why)[:_TEXT_MAX],
        agreed=violation is None and not why,
        seconds=(lab.clock.now() - lab._start) / times.NANOSECONDS,
        messages=sum(written for written, _ in checkers.written().values()),
        link=_count(struck, "link"),
        peer=_count(struck, "peer"),
        store=_count(struck, "store"),
        gaps=sum(end.session._recovery.ordinal for end in ends),
        sent=len(kinds),
        delivered=kinds.count(Fate.DELIVERED),
        lost=sum(kind not in _OPEN for kind in kinds),
    )
