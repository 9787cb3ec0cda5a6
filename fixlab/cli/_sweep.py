"""`fixlab sweep`: simulated sessions by the thousand, broken on purpose, all checkers on."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from fixlab.cli._numbers import count

if TYPE_CHECKING:
    import pandas as pd

    from fixlab.sim.scenarios import Mix

ABOUT = """\
Plays simulated sessions in virtual time, one for each seed: versions, options, profiles and
faults of links, engines and stores, drawn from the seed. After each step invariants are
checked, and once nothing fails any more both ends must agree, with every message accounted for.

A seed always gives the same run. --shrink reduces the first failure of each kind to the fewest
steps and faults and prints it as Python code.

Exit code: 0 every invariant held, 1 one was broken, 2 bad usage."""

_SHOWN_MAX = 20  # failures that are listed
_SHRUNK_MAX = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of the command."""
    add = parser.add_argument
    add("--seeds", type=count, default=1_000, metavar="N", help="runs (default: 1000)")
    add(
        "--from", dest="first", type=int, default=0, metavar="N", help="first seed (default: 0)"
    )
    for name, what in (
        ("family", "family of faults: calls, link, peer, store"),
        ("version", "version, such as FIX.4.2 or FIX.5.0SP2"),
        ("profile", "behaviour: spec, quickfix, quickfixj, quickfixn, artio"),
    ):
        add(
            f"--{name}",
            action="append",
            metavar="NAME",
            help=f"{what}; may be given again (default: all)",
        )
    add("--workers", type=count, metavar="N", help="processes (default: one a core)")
    add("--stop-at-first", action="store_true", help="end with the first seed that fails")
    add("--shrink", action="store_true", help="reduce failures and print code for them")
    add("--explain", action="store_true", help="tell the first failure message by message")


def run(arguments: argparse.Namespace) -> int:
    """Sweep, and say how it went."""
    # Frames and sessions take a moment to load, and `fixlab --help` needs none.
    from fixlab.sim import sweep

    scenario = _scenarios(arguments)
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    begin = time.perf_counter()
    runs = sweep(
        scenario,
        seeds,
        workers=arguments.workers,
        stop_at_first=arguments.stop_at_first,
    )
    _say_rate(runs, time.perf_counter() - begin)
    failed = runs[~runs["ok"]]
    if failed.empty:
        print("every invariant held")
        return 0
    _say_failures(failed)
    if arguments.shrink:
        _say_shrunk(scenario, failed)
    if arguments.explain:
        from fixlab.sim import explain

        print(f"\n{explain(scenario, int(failed['seed'].iloc[0]))}")
    return 1


def _scenarios(arguments: argparse.Namespace) -> Mix:
    from fixlab.sim import scenarios

    given = {
        "versions": arguments.version,
        "profiles": arguments.profile,
        "families": arguments.family,
    }
    return scenarios.of(**{name: value for name, value in given.items() if value})


def _say_rate(runs: pd.DataFrame, seconds: float) -> None:
    totals = runs[["messages", "link", "peer", "store", "gaps", "sent", "delivered", "lost"]]
    n = {name: int(total) for name, total in totals.sum().items()}
    hours = float(runs["seconds"].sum()) / 3_600
    print(
        f"{len(runs):,} runs in {seconds:.1f} s, {len(runs) / seconds:,.0f} a second: "
        f"{hours:,.0f} session-hours, {n['messages']:,} messages\n"
        f"faults: {n['link']:,} of links, {n['peer']:,} of peers, {n['store']:,} of stores; "
        f"{n['gaps']:,} gaps\n"
        f"orders: {n['sent']:,} sent, {n['delivered']:,} delivered, {n['lost']:,} lost for a "
        f"stated reason; both ends agreed in {int(runs['agreed'].sum()):,} runs"
    )


def _say_failures(failed: pd.DataFrame) -> None:
    print(f"{len(failed):,} runs broke an invariant:")
    shown = failed.head(_SHOWN_MAX)
    for seed, invariant, rule, text in zip(
        shown["seed"], shown["invariant"], shown["rule"], shown["text"], strict=True
    ):
        print(f"  seed {seed}: {invariant} {rule}: {text[:200]}")
    if len(failed) > _SHOWN_MAX:
        print(f"  and {len(failed) - _SHOWN_MAX:,} more")


def _say_shrunk(scenario: Mix, failed: pd.DataFrame) -> None:
    from fixlab.sim import shrink

    kinds = failed.drop_duplicates(["invariant", "rule"]).head(_SHRUNK_MAX)
    for seed, invariant in zip(kinds["seed"], kinds["invariant"], strict=True):
        small = shrink(scenario, int(seed))
        print(f"\n# {invariant}, seed {seed}\n{small.as_code(int(seed))}", end="")
