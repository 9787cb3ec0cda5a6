"""Sessions in which nobody is at fault, over links that lose, cut, delay and die.

What both engines read and wrote is their logs. Each seed draws a version, options that engines
differ in and that all conform, faults of the links, and what is done; always the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from fixlab.analysis.findings import Findings, analyze
from fixlab.errors import FixLabError, StateError
from fixlab.faults import Faults, LinkFaults
from fixlab.session.config import SessionConfig
from fixlab.session.profiles import PROFILES
from fixlab.sim import Loopback
from fixlab.sim.endpoint import Endpoint
from fixlab.sim.scenario import VERBS
from tests.analysis.logged import STYLES, Line, Logs, Side, read, tap_what_comes

VERSIONS = ("FIX.4.0", "FIX.4.2", "FIX.4.4", "FIXT.1.1")
_ENDS = ("initiator", "acceptor")
_OPTIONS: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("resend_range", ("open", "exact")),
    ("resend_chunk_max", (None, 2, 5)),
    ("early_messages", ("hold", "drop")),
    ("resend_timeout_seconds", (None, 5, 30)),
    ("replay_batch_max", (1, 1000)),
    ("held_max", (3, 10_000)),
)
_LINKS = (
    LinkFaults(),
    LinkFaults(delay=0.1),
    LinkFaults(jitter_seconds=3.0),
    LinkFaults(fragment=0.3, coalesce=0.2),
    LinkFaults(cut=0.04),
    LinkFaults(cut=0.15),
    LinkFaults(half_open=0.03),
    LinkFaults(stall=0.03, cut=0.03),
    LinkFaults(delay=0.1, cut=0.05, half_open=0.02, coalesce=0.1),
)
_STEPS = (
    *("send",) * 6, *("run",) * 4, *("short",) * 3, *("logon",) * 3, "connect", "test_request",
    "logout", *("lose",) * 2, "cut", "half_open", "half_cut", "reset",
)  # fmt: skip


class Case(NamedTuple):
    """One log of one seed."""

    seed: int
    keeper: str
    sides: str  # "both", or "in" or "out" alone
    style: str
    next_expected: bool
    version: str

    def __str__(self) -> str:
        used = " 789" if self.next_expected else ""
        return f"{self.seed} {self.version}{used} {self.keeper} {self.sides} {self.style}"


def play(
    seed: int, *, version: str = "", profile: str = "spec", other_profile: str = ""
) -> tuple[SessionConfig, Logs]:
    """The logs of one seed; the acceptor may have a profile of its own."""
    chance = Random(f"sound/{seed}")
    both: dict[str, Any] = {"begin_string": chance.choice(VERSIONS)}
    both["heartbeat_seconds"] = chance.choice((5, 30))
    wants = chance.random() < 0.5
    if version:
        both["begin_string"] = version
    if wants and both["begin_string"] in VERSIONS[2:]:
        both["next_expected"] = True
    if both["begin_string"] == "FIXT.1.1":
        both["default_appl_ver_id"] = "FIX.5.0SP2"
    # A replay that is slow makes messages late.
    both["sending_time_tolerance_seconds"] = None
    own = [
        {name: chance.choice(values) for name, values in _OPTIONS if chance.random() < 0.2}
        for _ in _ENDS
    ]
    profiles = (profile, other_profile or profile)
    for settings, name in zip(own, profiles, strict=True):
        if settings.get("early_messages", PROFILES[name].early_messages) == "drop":
            settings.pop("resend_range", None)
    config = SessionConfig(
        sender_comp_id="BUY", target_comp_id="SELL", profile=profiles[0], **(both | own[0])
    )
    other = SessionConfig(
        sender_comp_id="SELL",
        target_comp_id="BUY",
        profile=profiles[1],
        **(both | own[1]),
    )
    if chance.random() < 0.1 and both["begin_string"] != "FIX.4.0":
        config = replace(config, reset_on_logon=True)
    lab = Loopback(
        seed=seed,
        config=config,
        acceptor_config=other,
        initiator_faults=Faults(link=chance.choice(_LINKS)),
        acceptor_faults=Faults(link=chance.choice(_LINKS)),
        delay_seconds=chance.choice((0.01, 0.01, 0.2)),
    )
    logs = {end.session.config.sender_comp_id: tap(lab, end) for end in lab._ends.values()}
    used = {"send", "run", "short", "logon"} | {s for s in _STEPS if chance.random() < 0.4}
    if both["begin_string"] == "FIX.4.0":
        used.discard("reset")
    kinds = [step for step in _STEPS if step in used]
    _do(lab, ("logon",))
    for _ in range(chance.randint(3, 30)):
        _do(lab, _step(chance, chance.choice(kinds)))
    if chance.random() < 0.5:
        try:
            lab.heal()
            lab.run(seconds=1)
        except StateError:
            pass
    return config, logs


def _step(chance: Random, kind: str) -> tuple[str | float, ...]:
    end = chance.choice(_ENDS)
    if kind in ("logon", "connect", "cut", "half_open"):
        return (kind,)
    if kind == "run":
        return (kind, chance.choice((0.5, 3, 11, 31, 80)))
    if kind == "short":
        return ("run", chance.choice((0.004, 0.01, 0.02, 0.05)))
    if kind in ("send", "lose"):
        return (kind, end, chance.randint(1, 5))
    return (kind, end)


def _do(lab: Loopback, step: tuple[str | float, ...]) -> None:
    verb, rest = VERBS[str(step[0])], list(step[1:])
    subject: Any = lab._end(str(rest.pop(0))) if verb.of_end else lab
    try:
        verb.do(subject, *rest)
    except FixLabError:
        pass  # it makes no sense in the state that it meets


def tap(lab: Loopback, end: Endpoint) -> list[Line]:
    """What the session of `end` reads and writes, before any link could lose it."""
    lines: list[Line] = []
    side = Side(lab.clock.now, lines)
    write = end._write

    def wrote(data: bytes) -> None:
        side.add(data, out=True)
        write(data)

    end._write = wrote  # type: ignore[method-assign]
    tap_what_comes(end, side)
    return lines


def cases(seed: int, folder: Path, **options: Any) -> Iterator[tuple[Case, Findings]]:
    """Each log of a seed, analysed: either side's, whole and one direction of it only."""
    config, logs = play(seed, **options)
    style = STYLES[seed % len(STYLES)]
    for keeper, lines in logs.items():
        for sides in ("both", "out", "in"):
            chosen = [line for line in lines if sides == "both" or line.out == (sides == "out")]
            if not chosen:
                continue
            log = read(folder, chosen, style, ours=keeper)
            yield (
                Case(seed, keeper, sides, style, config.next_expected, config.begin_string),
                analyze(log),
            )
