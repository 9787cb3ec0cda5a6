"""Simulation: two sessions in one process, on links that can fail, in virtual time.

`Loopback` is for one story at a time; a `Scenario` is such a story as data, `scenarios` makes
them up, `sweep` plays them with many seeds, `shrink` reduces one that fails, and `explain`
tells it.
"""

from __future__ import annotations

from fixlab.sim.checkers import INVARIANTS
from fixlab.sim.loopback import Loopback
from fixlab.sim.scenario import Outcome, Scenario
from fixlab.sim.shrinking import explain, shrink
from fixlab.sim.sweeping import sweep

__all__ = [
    "INVARIANTS",
    "Loopback",
    "Outcome",
    "Scenario",
    "explain",
    "shrink",
    "sweep",
]
