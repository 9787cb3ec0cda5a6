"""The reader beside the slow reference reader, on millions of generated records.

    python tests/bench/exactness.py [--records 2000000] [--seed 1] [--processes 1]
    python tests/bench/exactness.py --again SEED

Each log is made of a seed: its style, its block size, the damage in it and, of every fourth,
limits so small that it reaches them, and of every fourth, values that were hidden. Prints what
was compared and each seed that differs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parents[2]))

from fixlab.logs import _blocks, _records, _scan
from tests.bench.measure import machine
from tests.logs.compare import differences_of, log_of
from tests.logs.made import Maker

_LINES = 400
_BLOCKS = (777, 4_096, 20_000, *(1 << 20,) * 7)  # small ones take long


class Compared(NamedTuple):
    """One log: its rows by defect, and what the readers do not agree on."""

    seed: int
    size: int
    defects: Counter[str]
    found: list[str]


def compared(seed: int) -> Compared:
    """Make the log of a seed and read it both ways."""
    rng = random.Random(f"exactness/{seed}")
    maker = Maker(rng.randrange(1 << 60))
    small, headed = seed % 4 == 0, seed % 4 == 1
    if headed:
        maker.headed = 0.15
    if seed % 4 == 2:
        maker.hidden = 0.6
    data = maker.log(_LINES)
    block = rng.choice(_BLOCKS)
    limits: dict[str, float] = {}
    if small:
        limits = {"RECORD_MAX": 2_000, "QUOTED_MAX": 400}
    if headed:  # application messages are read by their headers, however few there are
        limits = {"_LEFT_MAX": 1.0, "_LINES_MIN": 1}
    with ExitStack() as changed:
        for module in (_records, _scan, _blocks):
            for name in limits.keys() & vars(module).keys():
                changed.enter_context(patch.object(module, name, limits[name]))
        log = log_of(data, block_bytes=block)
        found = differences_of(log, data)
    defects = Counter(log.frame["defect"].astype("str"))
    return Compared(seed, len(data), defects, found)


def main(arguments: list[str]) -> int:
    """Compare; the number of logs that differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("--records", type=int, default=2_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--again", type=int, metavar="SEED")
    given = parser.parse_args(arguments)
    if given.again is not None:
        print(compared(given.again))
        return 0
    begun, records, size, logs, bad = time.monotonic(), 0, 0, 0, 0
    defects: Counter[str] = Counter()
    with multiprocessing.get_context("spawn").Pool(given.processes) as pool:
        seeds = range(given.seed, given.seed + given.records)
        for each in pool.imap_unordered(compared, seeds):
            logs, size = logs + 1, size + each.size
            records += each.defects.total()
            defects += each.defects
            if each.found:
                bad += 1
                print(f"seed {each.seed}: {'; '.join(each.found)}", flush=True)
            if records >= given.records:
                pool.terminate()
                break
    print(f"{machine()}\n{records:,} records of {logs:,} logs, {size / 1e6:,.0f} MB, from seed "
          f"{given.seed}, in {time.monotonic() - begun:,.0f} s: {bad} logs differ")  # fmt: skip
    for name, count in defects.most_common():
        print(f"  {name or 'valid'}: {count:,}")
    return bad


class _Plain(argparse.RawDescriptionHelpFormatter):
    pass


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
