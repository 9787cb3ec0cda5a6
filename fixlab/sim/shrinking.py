"""`shrink()`: of a run that fails, the fewest steps and faults that still do; `explain()`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from fixlab.errors import ConfigError
from fixlab.faults import Strike
from fixlab.session.config import SessionConfig
from fixlab.sim.scenario import Scenario

_TRIES_MAX = 1_000  # runs that a shrinking may take: some seconds
_KEPT = ("sender_comp_id", "target_comp_id", "begin_string", "default_appl_ver_id")
T = TypeVar("T")


def shrink(
    scenario: Scenario | Callable[[int], Scenario], seed: int, *, tries_max: int = _TRIES_MAX
) -> Scenario:
    """The smallest scenario found that breaks the same invariant with the same seed.

    Faults by chance become exact ones: those that happened, and of these the ones it takes.
    Then steps, faults and settings are left out as long as the invariant stays broken.

    Parameters: `scenario` as for `sweep()`; `seed`, one that fails; `tries_max` bounds the
    runs that it takes.
    Raises `ConfigError` when the run does not fail.
    """
    made = scenario if isinstance(scenario, Scenario) else scenario(seed)
    return _Shrinking(made, seed, tries_max).smallest()


class _Shrinking:
    """One search; each try is a run."""

    def __init__(self, scenario: Scenario, seed: int, tries_max: int) -> None:
        self._seed, self._left = seed, tries_max
        self._best = scenario
        self._wanted = scenario.run(seed).invariant
        if not self._wanted:
            raise ConfigError(f"seed {seed} breaks no invariant: there is nothing to shrink")

    def smallest(self) -> Scenario:
        self._fix_faults()
        before = None
        while before != self._best and self._left > 0:
            before = self._best
            self._drop_steps()
            self._drop_faults()
            self._drop_settings()
        return self._best

    def _fails(self, scenario: Scenario) -> bool:
        """Whether `scenario` fails alike; then it is the best so far."""
        if self._left <= 0:
            return False
        self._left -= 1
        if scenario.run(self._seed).invariant != self._wanted:
            return False
        self._best = scenario
        return True

    def _fix_faults(self) -> None:
        lab, _ = self._best.play(self._seed)
        self._fails(self._with_strikes(lab.initiator.struck, lab.acceptor.struck))

    def _with_strikes(self, one: Sequence[Strike], two: Sequence[Strike]) -> Scenario:
        best = self._best
        return replace(
            best,
            initiator_faults=best.initiator_faults.exactly(one),
            acceptor_faults=best.acceptor_faults.exactly(two),
        )

    def _drop_steps(self) -> None:
        self._reduce(list(self._best.steps), lambda kept: replace(self._best, steps=kept))

    def _drop_faults(self) -> None:
        lab, _ = self._best.play(self._seed)
        told = [(end, s) for end, each in lab._ends.items() for s in each.struck]

        def with_these(kept: tuple[tuple[Any, Strike], ...]) -> Scenario:
            parts = [[s for end, s in kept if end is role] for role in lab._ends]
            return self._with_strikes(*parts)

        self._reduce(told, with_these)

    def _reduce(self, parts: list[T], make: Callable[[tuple[T, ...]], Scenario]) -> None:
        """Leave out runs of parts, the longest first, while it fails alike without them."""
        size = len(parts)
        while size and parts:
            at = 0
            while at < len(parts):
                rest = parts[:at] + parts[at + size :]
                if self._fails(make(tuple(rest))):
                    parts = rest
                else:
                    at += size
            size //= 2

    def _drop_settings(self) -> None:
        for name in ("initiator", "acceptor"):
            config = getattr(self._best, name)
            if config is None:
                continue
            for each in fields(SessionConfig):
                if each.name not in _KEPT:
                    self._drop_setting(name, each.name)

    def _drop_setting(self, end: str, setting: str) -> None:
        config: SessionConfig = getattr(self._best, end)
        default = config._default(next(f for f in fields(config) if f.name == setting))
        if getattr(config, setting) == default:
            return
        try:
            if setting == "profile":
                smaller = config.imitating(str(default))
            else:
                less: dict[str, Any] = {setting: default}
                smaller = replace(config, **less)
            changed: dict[str, Any] = {end: smaller}
            self._fails(replace(self._best, **changed))
        except ConfigError:
            pass  # another setting needs it


def explain(
    scenario: Scenario | Callable[[int], Scenario], seed: int, *, messages_max: int = 40
) -> str:
    """A run in plain text: what it broke, its last messages, its last rows."""
    from fixlab.plots import ladder_text  # here: the pictures are above this layer, and heavy

    made = scenario if isinstance(scenario, Scenario) else scenario(seed)
    lab, violation = made.play(seed)
    rows = lab.journal.tail(4 * messages_max)
    last = rows.tail(_ROWS_TOLD)[["time", *_COLUMNS]]
    told = last.assign(time=last["time"].dt.strftime("%H:%M:%S.%f")).to_string(index=False)
    why = "every invariant held" if violation is None else str(violation)
    return f"{why}\n\n{ladder_text(rows, messages_max=messages_max)}\n\n{told}"


_ROWS_TOLD = 12
_COLUMNS = (
    *("session", "kind", "state", "next_in", "next_out", "msg_type", "msg_seq_num"),
    *("begin_seq_no", "end_seq_no", "rule", "text"),
)
