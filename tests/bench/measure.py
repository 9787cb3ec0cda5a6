"""What the benchmarks share: medians of interleaved runs, the machine, one table."""

from __future__ import annotations

import gc
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

ROUNDS = 5


class Row(NamedTuple):
    """One line of a table; `ratio` is what `goal` is about, both in words where needed."""

    what: str
    figure: str
    ratio: str = ""
    goal: str = ""


def table(title: str, notes: str, rows: Iterable[Row]) -> None:
    """Print `rows` under `title`, with what exactly was compared."""
    shown = [Row("", "", "ratio", "goal"), *rows]
    widths = [max(len(row[i]) for row in shown) for i in range(4)]
    print(f"\n{title}\n{notes}")
    for row in shown:
        line = f"  {row.what:<{widths[0]}}  {row.figure:>{widths[1]}}"
        print(f"{line}  {row.ratio:>{widths[2]}}  {row.goal}".rstrip())


def machine() -> str:
    """The machine and the versions that the figures are from."""
    peers = ", ".join(
        f"{name} {found}"
        for name in (
            "simplefix",
            "quickfix-tls",
            "fixcore-engine",
            "asyncfix",
            "pandas",
            "polars",
        )
        if (found := installed(name))
    )
    return (
        f"Python {platform.python_version()} on {sys.platform} {platform.machine()}, "
        f"{os.cpu_count()} CPUs; {peers}"
    )


def installed(distribution: str) -> str | None:
    """Its version, or None."""
    try:
        return version(distribution)
    except PackageNotFoundError:
        return None


def interleaved(
    runs: Mapping[str, Callable[[], float]], rounds: int = ROUNDS
) -> dict[str, float]:
    """Median result of each run; they take turns, so that a slow moment hits all alike."""
    results: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            gc.collect()
            results[name].append(run())
    return {name: statistics.median(values) for name, values in results.items()}


def rate(per_second: float) -> str:
    """A rate as people read it."""
    return f"{per_second:,.0f}/s"


def times(ratio: float) -> str:
    """A ratio as people read it."""
    return f"{ratio:.1f}x"
