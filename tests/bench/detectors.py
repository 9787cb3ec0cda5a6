"""What should notice a defect of the core: schedules made up from seeds, and fixed cases.

`python -m tests.bench.detectors PLACE SEEDS` lets both look at the package in the folder PLACE
and prints what they found, as JSON; `tests/bench/mutations.py` calls it.
"""

from __future__ import annotations

import json
import random
import signal
import sys
from collections.abc import Iterable
from types import FrameType

import fixlab
from tests.session.duel import draw, fails, play

_CPU_SECONDS_MAX = 20.0  # for one seed; a sound one takes a hundredth of a second


class _HangError(BaseException):
    """A schedule that does not come to its end."""


def first_failure(seeds: Iterable[int]) -> tuple[int, str] | None:
    """The first seed whose schedule goes wrong, and what it says; None when none does."""
    # The random schedules of tests/session stand in for the sweep of fixlab.sim.
    for seed in seeds:
        found = _in_time(seed)
        if found is not None:
            return seed, found
    return None


def failing_case() -> tuple[str, str] | None:
    """The first conformance case that fails, and what it says; None when none does.

    There are no cases in this tree yet.
    """
    return None


def _in_time(seed: int) -> str | None:
    before = signal.signal(signal.SIGPROF, _on_alarm)
    signal.setitimer(signal.ITIMER_PROF, _CPU_SECONDS_MAX)
    try:
        scenario = draw(random.Random(seed))
        if fails(scenario) is None:
            return None
        return _words(seed)
    except _HangError:
        return f"hangs: more than {_CPU_SECONDS_MAX:g} s of CPU"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def _words(seed: int) -> str:
    """What a schedule that fails says: the check that noticed it, or the error."""
    try:
        play(draw(random.Random(seed)))
    except Exception as error:  # noqa: BLE001 - any of them is what was looked for
        trace, where = error.__traceback__, ""
        while trace is not None:
            where, trace = trace.tb_frame.f_code.co_name, trace.tb_next
        return f"{type(error).__name__} in {where}: {' '.join(str(error).split())[:200]}"
    return "fails once, then not: it is not deterministic"


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
