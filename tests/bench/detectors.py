"""What should notice a defect of the core: simulated sessions from seeds, and test cases.

`python -m tests.bench.detectors PLACE SEEDS` lets both look at the package in the folder PLACE
and prints what they found, as JSON; `tests/bench/mutations.py` calls it.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterable
from functools import partial
from types import FrameType
from typing import TypeVar

import fixlab
from fixlab.conformance import Profile, Verdict
from fixlab.sim import scenarios
from tests.conformance.sut import played

_CPU_SECONDS_MAX = 20.0  # for one seed, or for all cases of a role; sound, it is under one


T = TypeVar("T")


class _HangError(BaseException):
    """A run that does not come to its end."""


def first_failure(seeds: Iterable[int]) -> tuple[int, str] | None:
    """The first seed whose simulation breaks an invariant, and which; None when none does."""
    for seed in seeds:
        try:
            outcome = _in_time(partial(scenarios.anything(seed).run, seed))
        except _HangError:
            return seed, f"hangs: more than {_CPU_SECONDS_MAX:g} s of CPU"
        if not outcome.ok:
            return seed, f"{outcome.invariant}: {' '.join(outcome.text.split())}"
    return None


def failing_case() -> tuple[str, str] | None:
    """The first conformance case that fails, and what it says; None when none does.

    FIX.4.4 in both roles, and FIX.4.0, whose Rejects and infinity are others; 4.4 once more
    with NextExpectedMsgSeqNum(789) in use.
    """
    runs = (("FIX.4.4", False), ("FIX.4.0", False), ("FIX.4.4", True))
    for begin_string, next_expected in runs:
        for role in ("acceptor", "initiator"):
            profile = Profile(next_expected=next_expected)
            try:
                report = _in_time(
                    partial(
                        played,
                        role=role,
                        begin_string=begin_string,
                        profile=profile,
                        next_expected=next_expected,
                    )
                )
            except _HangError:
                return "all", f"hang: more than {_CPU_SECONDS_MAX:g} s of CPU"
            for result in report:
                bad = result.verdict in (Verdict.FAIL, Verdict.BLOCKED, Verdict.LENIENT)
                if bad:
                    return result.ref, f"{result.rule} expected {result.expected}"
    return None


def _in_time(run: Callable[[], T]) -> T:
    before = signal.signal(signal.SIGPROF, _on_alarm)
    signal.setitimer(signal.ITIMER_PROF, _CPU_SECONDS_MAX)
    try:
        return run()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _on_alarm(number: int, frame: FrameType | None) -> None:
    raise _HangError


def main(place: str, seeds: int) -> None:
    """Look at the package in `place`, which must be the one that was imported."""
    assert fixlab.__file__.startswith(place), f"{fixlab.__file__} is not in {place}"
    seed, by_seed = first_failure(range(seeds)) or (None, "")
    case, by_case = failing_case() or (None, "")
    print(json.dumps([seed, by_seed, case, by_case]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
