"""Simulation: two sessions in one process, on links that can fail, in virtual time.

`Loopback` is for one story at a time; a `Scenario` is such a story as data, `sweep` plays it
with many seeds, and `shrink` reduces one that fails.
"""

from __future__ import annotations

from fixlab.sim import scenarios
from fixlab.sim.loopback import Loopback
from fixlab.sim.scenario import Outcome, Scenario

__all__ = ["Loopback", "Outcome", "Scenario", "scenarios"]
