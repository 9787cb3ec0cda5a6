"""Benchmarks: rates and ratios of this machine, in one run. They are no tests and never fail.

    python tests/bench/run.py [PART ...]

The parts are codec, stores, import, journal, sessions, replays, simulations, conformance, logs,
gaps, plots and two_logs; all of them when none is named.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench import (
    codec,
    conformance,
    gaps,
    imports,
    journals,
    logs,
    plots,
    replays,
    sessions,
    simulations,
    stores,
    two_logs,
)
from tests.bench.measure import machine

PARTS = {
    "codec": codec.run,
    "stores": stores.run,
    "import": imports.run,
    "journal": journals.run,
    "sessions": sessions.run,
    "replays": replays.run,
    "simulations": simulations.run,
    "conformance": conformance.run,
    "logs": logs.run,
    "gaps": gaps.run,
    "plots": plots.run,
    "two_logs": two_logs.run,
}


def main(names: list[str]) -> None:
    """Run the parts named, or all."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"no such part: {', '.join(unknown)}; there are {', '.join(PARTS)}")
        return
    print(machine())
    for name in names or PARTS:
        PARTS[name]()


if __name__ == "__main__":
    main(sys.argv[1:])
