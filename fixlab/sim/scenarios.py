"""Scenarios made up from a seed: any versions, roles, options, profiles and faults.

`anything(seed)` draws from all there is, `of(...)` from a part of it. Each scenario knows only
some kinds of steps and faults, and those more often: that makes rare neighbours frequent ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields
from random import Random
from typing import Any

from fixlab import times
from fixlab.errors import ConfigError
from fixlab.faults import Faults, LinkFaults, PeerFaults, StoreFaults
from fixlab.session.config import APPL_VER_IDS, SessionConfig
from fixlab.session.profiles import PROFILES
from fixlab.session.schedule import Schedule
from fixlab.session.transitions import Role
from fixlab.sim.loopback import START
from fixlab.sim.scenario import Scenario, Step
from fixlab.wire.tags import ADMIN_TYPES

FAMILIES = ("calls", "link", "peer", "store")  # calls: what operators and networks do by hand
VERSIONS = tuple(APPL_VER_IDS)
_OLD = ("FIX.4.0", "FIX.4.1")
_WITH_NEXT_EXPECTED = ("FIX.4.4", "FIXT.1.1")
_ENDS = tuple(role.value for role in Role)
_TIMES = (0.5, 3, 11, 31, 80)
_STALLS = (1, 11, 40, 150)
_STEPS_MAX = 24
_CHANCES = (0.02, 0.05, 0.15, 0.5)  # of a fault, where a scenario has it

_SHARED: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("resend_range", ("open", "exact")),
    ("resend_chunk_max", (None, 1, 2, 3, 5)),
    ("redundant_requests", (False, True)),
    ("early_messages", ("hold", "drop")),
    ("resend_timeout_seconds", (None, 5, 30)),
    ("persist_messages", (True, False)),
    ("gap_fill_types", (ADMIN_TYPES, ADMIN_TYPES | {"D"}, ADMIN_TYPES - {"3"})),
    ("last_processed", (False, True)),
    ("replay_batch_max", (1, 2, 1000)),
    ("held_max", (1, 3, 10_000)),
    ("poss_dup_check", ("always", "too_low", "never")),
    ("check_silence", (True, False)),
    ("logon_timeout_seconds", (1, 10)),
    ("test_req_id", (None, "TEST")),
)
_RESETS = ("reset_on_logon", "reset_on_logout", "reset_on_disconnect")


@dataclass(frozen=True, kw_only=True)
class Mix:
    """What scenarios are drawn from; calling it with a seed draws one, always the same."""

    versions: tuple[str, ...] = VERSIONS
    profiles: tuple[str, ...] = field(default_factory=lambda: tuple(PROFILES))
    families: tuple[str, ...] = FAMILIES

    def __call__(self, seed: int) -> Scenario:
        """The scenario of `seed`."""
        return _Draw(self, Random(f"scenario/{seed}")).scenario()


def anything(seed: int) -> Scenario:
    """A scenario of any versions, options, profiles and faults."""
    return _ANYTHING(seed)


def of(
    *,
    versions: Iterable[str] | str = VERSIONS,
    profiles: Iterable[str] | str = tuple(PROFILES),
    families: Iterable[str] | str = FAMILIES,
) -> Mix:
    """Scenarios of some versions, profiles and families of faults only.

    Parameters: `versions` such as `FIX.4.2` or `FIX.5.0SP2`; `profiles`, as in
    `fixlab.session.profiles.PROFILES`; `families`, of `FAMILIES`. A name is a list of one.
    Raises `ConfigError` for an unknown one, and when none is left.
    """
    return Mix(
        versions=_known("versions", versions, VERSIONS),
        profiles=_known("profiles", profiles, tuple(PROFILES)),
        families=_known("families", families, FAMILIES, empty=True),
    )


def _known(
    what: str, given: Iterable[str] | str, known: Sequence[str], *, empty: bool = False
) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    unknown = [name for name in names if name not in known]
    if unknown or not (names or empty):
        raise ConfigError(f"{what} must be some of {', '.join(known)}, found {list(names)}")
    return tuple(name for name in known if name in names)


_ANYTHING = Mix()


class _Draw:
    """One scenario in the making."""

    def __init__(self, mix: Mix, chance: Random) -> None:
        self._mix = mix
        self._chance = chance

    def scenario(self) -> Scenario:
        both = self._both()
        own = [self._own(both) for _ in _ENDS]
        if self._maybe(0.05):
            own[1]["heartbeat_range_seconds"] = (10, 60)
        faults = [self._faults() for _ in _ENDS]
        # Who does not look at check sums and addresses takes what is broken for what is meant.
        for settings, peer in zip(own, reversed(faults), strict=True):
            if peer.peer == PeerFaults() and self._maybe(0.06):
                settings["check_length_and_checksum"] = False
            if peer.peer == PeerFaults() and self._maybe(0.06):
                settings["check_comp_id"] = False
        schedule = both.get("schedule")
        return Scenario(
            initiator=SessionConfig(
                sender_comp_id="BUY", target_comp_id="SELL", **(both | own[0])
            ),
            acceptor=SessionConfig(
                sender_comp_id="SELL", target_comp_id="BUY", **(both | own[1])
            ),
            steps=self._steps(both, forgetful=any(each.store.lose_tail for each in faults)),
            initiator_faults=faults[0],
            acceptor_faults=faults[1],
            start=START if schedule is None else self._start(schedule),
        )

    def _maybe(self, likely: float) -> bool:
        return self._chance.random() < likely

    # Configs ----------------------------------------------------------------------------

    def _both(self) -> dict[str, Any]:
        chance = self._chance
        version = chance.choice(self._mix.versions)
        both: dict[str, Any] = {"begin_string": version}
        if version.startswith("FIX.5"):
            both = {"begin_string": "FIXT.1.1", "default_appl_ver_id": version}
        both["heartbeat_seconds"] = chance.choice((0, 5, 30))
        if not self._maybe(0.2):
            both["sending_time_tolerance_seconds"] = None
        if self._maybe(0.15):
            both["schedule"] = self._schedule()
        if both["begin_string"] in _WITH_NEXT_EXPECTED and self._maybe(0.25):
            both["next_expected"] = True
        if self._maybe(0.1):
            both |= {"reset_on_logout": True, "reset_on_disconnect": True}
        return both

    def _own(self, both: dict[str, Any]) -> dict[str, Any]:
        chance, begin_string = self._chance, both["begin_string"]
        own: dict[str, Any] = {}
        if self._maybe(0.6) or self._mix.profiles != tuple(PROFILES):
            own["profile"] = chance.choice(self._mix.profiles)
        for name, values in _SHARED:
            if self._maybe(0.15):
                own[name] = chance.choice(values)
        if self._maybe(0.08):
            own[chance.choice(_RESETS)] = True
        if self._maybe(0.02) and begin_string in _WITH_NEXT_EXPECTED:
            own["next_expected"] = True
        if self._maybe(0.1):
            own |= {"sender_sub_id": "DESK", "target_sub_id": "FLOOR"}
        if begin_string in _OLD:
            own.pop("last_processed", None)
        if begin_string == "FIX.4.0":
            own.pop("reset_on_logon", None)
        profile = PROFILES[own.get("profile", "spec")]
        if own.get("early_messages", profile.early_messages) == "drop":
            own.pop("resend_range", None)
        return own

    def _schedule(self) -> Schedule:
        chance = self._chance
        zone = chance.choice(("UTC", "America/New_York", "Asia/Kolkata"))
        if self._maybe(0.3):
            return Schedule(
                start="08:00:00",
                end="20:00:00",
                start_day="Monday",
                end_day="Friday",
                time_zone=zone,
            )
        start, end = chance.choice(
            (("00:00:00", "00:00:00"), ("22:00:00", "21:30:00"), ("08:00:00", "17:00:00"))
        )
        return Schedule(start=start, end=end, time_zone=zone)

    def _start(self, schedule: Schedule) -> str:
        """In the window, and mostly shortly before its end."""
        now = times.parse_start(START)
        close = schedule.next_close(now)
        if close is None:
            now = schedule.next_open(now)
            close = schedule.next_close(now) or now
        early = self._chance.choice((60, 300, 1_500, 20_000))
        text = times.format_utc(max(now, close - times.seconds(early)), 0).decode()
        return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[9:]}"

    # Faults -----------------------------------------------------------------------------

    def _faults(self) -> Faults:
        parts: dict[str, Any] = {}
        for name, kind, likely, most in (
            ("link", LinkFaults, 0.25, 2),
            ("peer", PeerFaults, 0.3, 4),
            ("store", StoreFaults, 0.15, 2),
        ):
            if name in self._mix.families and self._maybe(likely):
                parts[name] = kind(**self._some(kind, most))
        return Faults(**parts)

    def _some(self, kind: type, most: int) -> dict[str, Any]:
        names = [each.name for each in fields(kind) if not each.name.endswith("_seconds")]
        chosen = self._chance.sample(names, self._chance.randint(1, most))
        settings: dict[str, Any] = {}
        for name in chosen:
            # Two ends that make each other ask at every message would never come to rest.
            few = name.startswith("request_")
            settings[name] = self._chance.choice(_CHANCES[:2] if few else _CHANCES)
        if kind is PeerFaults and self._maybe(0.05):
            settings["clock_offset_seconds"] = self._chance.choice((-300.0, 60.0, 300.0))
        if kind is LinkFaults and self._maybe(0.1):
            settings["jitter_seconds"] = self._chance.choice((0.1, 3.0))
        return settings

    # Steps ------------------------------------------------------------------------------

    def _steps(self, both: dict[str, Any], *, forgetful: bool) -> tuple[Step, ...]:
        kinds: tuple[str, ...] = (
            *("send",) * 5, *("run",) * 4, *("short",) * 3, *("logon",) * 2, "connect",
            "test_request", "logout",
        )  # fmt: skip
        if "calls" in self._mix.families:
            kinds += (
                *("lose",) * 3, *("cut",) * 2, "half_open", "half_cut", "skip", "crash",
                "stall",
            )  # fmt: skip
            if both["begin_string"] != "FIX.4.0" and self._maybe(0.4):
                kinds += ("reset", "reset", "sequence_reset")
        if "schedule" in both:
            kinds += ("roll",)
        always = {"send", "run", "short", "logon"}
        used = always | {kind for kind in sorted(set(kinds)) if self._maybe(0.5)}
        if forgetful:
            # What a store says it keeps and does not shows only when its process dies.
            kinds += ("crash",) * 2
            used.add("crash")
        kinds = tuple(kind for kind in kinds if kind in used)
        count = self._chance.randint(0, _STEPS_MAX)
        steps = [self._step(self._chance.choice(kinds)) for _ in range(count)]
        return (("logon",), *steps) if self._maybe(0.9) else tuple(steps)

    def _step(self, kind: str) -> Step:
        chance = self._chance
        end, count = chance.choice(_ENDS), chance.randint(1, 4)
        match kind:
            case "logon" | "connect" | "cut" | "half_open":
                return (kind,)
            case "run":
                return (kind, chance.choice(_TIMES))
            case "short":  # in the middle of what is on its way
                return ("run", chance.choice((0.004, 0.01, 0.02, 0.05)))
            case "roll":
                return (kind, chance.choice((0, 1, 1_000)))
            case "stall":
                return (kind, end, chance.choice(_STALLS))
            case "half_cut" | "crash" | "test_request" | "logout" | "reset":
                return (kind, end)
            case _:
                return (kind, end, count)
