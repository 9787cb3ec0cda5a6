"""Orders between two sessions over loopback TCP, against other engines doing the same.

Run by itself with the name of a contender and a count, it measures that one in this process
and prints messages per CPU second.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib import import_module
from math import nan
from pathlib import Path
from typing import NamedTuple

from tests.bench.measure import Row, installed, interleaved, rate, table, times

ROOT = Path(__file__).parents[2]
_NOTES = """\
172-byte orders one way over 127.0.0.1, both ends in one process on one CPU, a new process for
each run; each order is built from text, sent, stored in memory, received in order, and its
ClOrdID(11) read by the application. Messages per CPU second of the whole process, median of
five interleaved runs. fixlab records its journal at both ends; the others write no message log.
quickfix: SocketInitiator and SocketAcceptor, MemoryStore, no data dictionary, bursts of 5,000.
fixcore: its MemoryStore, no dictionary. asyncfix: its journal in memory, which it cannot do
without, and 16 orders at a time, since it loses messages that a read cuts in two."""


class Contender(NamedTuple):
    """An engine: which package brings it, how many orders it gets, and what is hoped for.

    `goal` is what fixlab's rate over its own is to be. fixlab's other runs have none.
    """

    package: str | None
    orders: int
    goal: float | None
    module: str
    measure: str = "measure"


CONTENDERS = {
    "fixlab": Contender(None, 60_000, None, "sessions_fixlab"),
    "quickfix": Contender("quickfix-tls", 40_000, 3.0, "sessions_quickfix"),
    "fixcore": Contender("fixcore-engine", 30_000, 3.5, "sessions_fixcore"),
    "asyncfix": Contender("asyncfix", 8_000, 15.0, "sessions_asyncfix"),
    "sqlite": Contender(None, 40_000, None, "sessions_fixlab", "measure_sqlite"),
    "unrecorded": Contender(None, 60_000, None, "sessions_fixlab", "measure_unrecorded"),
}


def run() -> None:
    """Print the table."""
    runs: dict[str, Callable[[], float]] = {}
    skipped = []
    for name, contender in CONTENDERS.items():
        if contender.package is None or installed(contender.package):
            runs[name] = partial(_in_child, name, contender.orders)
        else:
            skipped.append(Row(name, "skipped: not installed"))
    found = interleaved(runs)
    rows = [_row(name, found) for name in found]
    table("Sessions over TCP", _NOTES, [*rows, *skipped])


def _row(name: str, found: dict[str, float]) -> Row:
    own, value, goal = found["fixlab"], found[name], CONTENDERS[name].goal
    if name == "sqlite":
        label, ratio, wanted = "fixlab on SQLiteStore", value / own, ">= 60 % of memory"
        return Row(label, rate(value), f"{ratio:.0%}", wanted)
    if name == "unrecorded":
        share = 1 - own / value
        return Row("fixlab, no journal", rate(value), f"{share:.0%}", "journal <= 15 % of time")
    if goal is None:
        return Row(name, rate(value))
    return Row(name, rate(value), times(own / value), f"fixlab >= {goal:g}x")


def _in_child(name: str, orders: int) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.sessions", name, str(orders)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    if done.returncode or not done.stdout:
        # A benchmark is no test: it says so, and the others go on.
        print(f"{name} failed:\n{done.stderr}", file=sys.stderr)
        return nan
    return float(done.stdout.split()[-1])


def main() -> None:
    """Measure one contender in this process."""
    name, orders = sys.argv[1:]
    if hasattr(os, "sched_setaffinity"):
        # On one CPU threads cannot fight for Python's lock, which burns time and varies a lot;
        # QuickFIX, which has several, is twice as fast this way.
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    contender = CONTENDERS[name]
    measure = getattr(import_module(f"tests.bench.{contender.module}"), contender.measure)
    print(measure(int(orders)), flush=True)
    # The figure is out; QuickFIX at times crashes when it is taken down.
    os._exit(0)


if __name__ == "__main__":
    main()
