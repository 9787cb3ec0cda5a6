"""Everything that takes input from strangers is fed a million inputs that are wrong.

    python tests/bench/fuzz.py [--inputs 1000000] [--seed 1] [--only framer,session,...]
    python tests/bench/fuzz.py --again TARGET "CASE"

Prints one line a target, and for each way to fail the smallest case that still does; `--again`
plays such a case once more. Every batch of inputs follows from the seed and its number alone,
whatever the machine; its batches are shared among the processors.
"""

from __future__ import annotations

import argparse
import ast
import multiprocessing
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.measure import machine
from tests.fuzz.fuzzing import (
    CPU_SECONDS_MAX,
    Failure,
    Tally,
    Target,
    fuzz,
    reduced,
    trial,
)
from tests.fuzz.targets import TARGETS

_BATCH = 10_000
_BATCH_SECONDS_MAX = 3_600.0  # of the clock: a batch that does not come back ends the run
_HEADS = (
    *("target", "inputs", "errors raised", "behaviours", "slowest", "steps"),
    *("peak memory", "failed"),
)


class Batch(NamedTuple):
    """A number of inputs to one target."""

    target: str
    seed: str
    inputs: int


class Done(NamedTuple):
    """A batch, and the smallest case for each way to fail in it."""

    batch: Batch
    tally: Tally
    failures: list[Failure]


@contextmanager
def target_of(name: str) -> Iterator[Target]:
    """A target with a folder of its own, in memory where the machine has such a place."""
    place = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=place) as folder:
        yield TARGETS[name].make(Path(folder))


def run(batch: Batch) -> Done:
    """One batch, in a process of its own."""
    warnings.simplefilter("error")
    with target_of(batch.target) as target:
        tally = fuzz(target, batch.seed, batch.inputs)
        ways = {failure.what: failure for failure in reversed(tally.failures)}
        smallest = [
            Failure(what, reduced(target, one.case, what), one.number)
            for what, one in ways.items()
        ]
    return Done(batch, tally, smallest)


def batches(names: list[str], inputs: int, seed: int) -> list[Batch]:
    """All inputs, shared out by the targets' shares; the slowest targets first."""
    whole = sum(TARGETS[name].share for name in names)
    found = []
    for name in sorted(names, key=list(TARGETS).index, reverse=True):
        left = -(-inputs * TARGETS[name].share // whole)
        number = 0
        while left > 0:
            found.append(Batch(name, f"{seed}.{number}", min(left, _BATCH)))
            left, number = left - _BATCH, number + 1
    return found


def main(arguments: list[str]) -> int:
    """Run; the number of ways to fail."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default=",".join(TARGETS))
    parser.add_argument("--again", nargs=2, metavar=("TARGET", "CASE"))
    given = parser.parse_args(arguments)
    if given.again:
        return _again(*given.again)
    names = given.only.split(",")
    if unknown := set(names) - TARGETS.keys():
        parser.error(f"no such target: {', '.join(unknown)}; there are {', '.join(TARGETS)}")
    begun, results = time.monotonic(), list[Done]()
    waiting = batches(names, given.inputs, given.seed)
    with multiprocessing.get_context("spawn").Pool(maxtasksperchild=8) as pool:
        arriving = pool.imap_unordered(run, waiting)
        for _ in waiting:
            results.append(arriving.next(_BATCH_SECONDS_MAX))
            shown = 100 * len(results) // len(waiting)
            if shown // 10 > 100 * (len(results) - 1) // len(waiting) // 10:
                print(f"{shown} % of {len(waiting)} batches", file=sys.stderr, flush=True)
    print(f"{machine()}\nseed {given.seed}, {time.monotonic() - begun:,.0f} s")
    return _told(names, results)


class _Plain(argparse.RawDescriptionHelpFormatter):
    pass


def _again(name: str, case: str) -> int:
    with target_of(name) as target:
        found = trial(target, ast.literal_eval(case), weigh=True)
    print(found.failure or found.error or "nothing wrong")
    print(f"{found.bytes_most:,} bytes at the peak; {sorted(found.played.features)}")
    return bool(found.failure)


# What is printed --------------------------------------------------------------------------


def _told(names: list[str], results: list[Done]) -> int:
    lines: list[tuple[str, ...]] = [_HEADS]
    bounds, ways = list[str](), dict[tuple[str, str], tuple[Done, Failure]]()
    total = 0
    for name in names:
        of_it = sorted((done for done in results if done.batch.target == name), key=_number)
        tally = Tally(name, "")
        for done in of_it:
            tally.add(done.tally)
            for failure in done.failures:
                ways.setdefault((name, failure.what), (done, failure))
        with target_of(name) as target:
            lines.append(_line(tally, target))
            bounds.append(f"  {name}: {target.bytes_max >> 20} MiB: {target.bound}")
        total += tally.inputs
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip())
    print(
        f"{total:,} inputs. Bounds: {CPU_SECONDS_MAX:g} s of CPU an input, and memory at its "
        f"peak beside four times the input's own size:"
    )
    print("\n".join(bounds))
    for (name, what), (done, failure) in ways.items():
        print(f"\n{name}: {what}\n  seed {done.batch.seed}, input {failure.number}; again with")
        print(f'  python tests/bench/fuzz.py --again {name} "{failure.case!r}"')
    print(f"{len(ways)} ways to fail")
    return len(ways)


def _number(done: Done) -> int:
    return int(done.batch.seed.partition(".")[2])


def _line(tally: Tally, target: Target) -> tuple[str, ...]:
    errors = ", ".join(f"{name} {count:,}" for name, count in sorted(tally.errors.items()))
    size = f"{tally.slowest_bytes / 1024:,.1f} KiB"
    return (
        tally.target,
        f"{tally.inputs:,}",
        errors or "none",
        f"{len(tally.features):,}",
        f"{tally.cpu_ms_most:,.0f} ms for {size} (seed {tally.seed}, {tally.slowest:,})",
        f"{tally.steps_most:,}" if tally.steps_most else "",
        f"{tally.bytes_most / (1 << 20):,.1f} of {target.bytes_max >> 20} MiB",
        f"{tally.failed:,}",
    )


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
