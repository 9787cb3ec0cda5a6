"""Simulated sessions: how much virtual time, how many messages and seeds a core plays a second.

Four scenarios. Idle sessions that only beat show what an hour costs; busy ones what a message
costs; the mix of `scenarios.anything` what a seed of a sweep costs, with all checkers on. The
loopback is measured with its checkers and without: the ratio is what checking costs.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial

from fixlab.session.config import SessionConfig
from fixlab.sim import Loopback, scenarios, sweep
from fixlab.wire.message import Message
from tests.bench.measure import Row, interleaved, rate, table

_SEEDS = 300
_SWEPT = 1_000
_HOURS = 4
_MESSAGES = 4_000
_CONFIG = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")


def run() -> None:
    """Print the table."""
    runs: dict[str, Callable[[], float]] = {}
    for name, check in (("unchecked", False), ("checked", True)):
        runs[f"idle, {name}"] = partial(_idle, check=check)
        runs[f"busy, {name}"] = partial(_busy, check=check)
    runs["seeds"] = partial(_seeds)
    found = interleaved(runs, rounds=3)
    rows = [
        Row(
            f"session-hours on one core, {kind}",
            f"{_HOURS / found[f'idle, {kind}']:,.0f}/s",
            f"{found[f'idle, {kind}'] / found['idle, unchecked']:.2f}x",
        )
        for kind in ("unchecked", "checked")
    ]
    rows += [
        Row(
            f"messages on one core, {kind}",
            rate(_MESSAGES / found[f"busy, {kind}"]),
            f"{found[f'busy, {kind}'] / found['busy, unchecked']:.2f}x",
        )
        for kind in ("unchecked", "checked")
    ]
    rows.append(
        Row("seeds of anything on one core, checked", rate(_SEEDS / found["seeds"]), "", "")
    )
    taken = _timed(lambda: sweep(scenarios.anything, _SWEPT, progress=False), time.perf_counter)
    rows.append(
        Row(
            f"sweep of {_SWEPT:,} seeds, all {os.cpu_count()} cores",
            f"{taken:.1f} s",
            "",
            "30 s on 2 cores",
        )
    )
    table("Simulation", "Two sessions, 30 s heartbeats; the ratio is time to unchecked.", rows)


def _timed(work: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Seconds of CPU, which is what a core gives; other processes do not count."""
    begin = clock()
    work()
    return clock() - begin


def _idle(*, check: bool) -> float:
    lab = Loopback(config=_CONFIG, check=check)
    lab.logon()
    return _timed(lambda: lab.run(seconds=_HOURS * 3_600))


def _busy(*, check: bool) -> float:
    lab = Loopback(config=_CONFIG, check=check)
    lab.logon()

    def talk() -> None:
        for n in range(_MESSAGES // 2):
            for end in (lab.initiator, lab.acceptor):
                end.send(Message("D", {11: n, 55: "ACME", 54: 1, 38: 100}))
            lab.run(seconds=0.1)

    return _timed(talk)


def _seeds() -> float:
    return _timed(lambda: [scenarios.anything(seed).run(seed) for seed in range(_SEEDS)])
