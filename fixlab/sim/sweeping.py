"""`sweep()`: a scenario played with many seeds, on all cores, each run a row of a frame."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from fixlab.errors import ConfigError
from fixlab.sim._pool import Pool, run_one
from fixlab.sim.scenario import Outcome, Scenario
from fixlab.sim.scenarios import anything

if TYPE_CHECKING:
    import pandas as pd

_CHUNK_MAX = 50  # seeds that a worker takes at a time: a third of a second
_CHUNKS_EACH = 8  # and each worker gets several, so that none waits long for the last one
_ALONE_MAX = 40  # so few runs are over before another process has started


def sweep(
    scenario: Scenario | Callable[[int], Scenario] = anything,
    seeds: int | Iterable[int] = 1_000,
    *,
    workers: int | None = None,
    stop_at_first: bool = False,
    progress: bool = True,
) -> pd.DataFrame:
    """Play `scenario` with each seed, all checkers on; a frame of schema `runs`, a row a seed.

    ```python
    runs = sweep(scenarios.anything, seeds=1_000)
    runs[~runs["ok"]]
    ```

    Parameters: `scenario`, or what makes one of a seed, such as `scenarios.anything` (the
    default) or `scenarios.of(versions="FIX.4.2")`; `seeds`, how many from 0 on, or which;
    `workers`, processes, None being one a core; `stop_at_first`, rows up to the first seed that
    fails, and none behind it; `progress`, a bar while it lasts, on a terminal or in a notebook.

    Rows are in the order of the seeds, and the same for any number of workers. An interrupt
    (Ctrl-C, or the notebook's stop) gives the rows of the runs that are done.

    Raises `ConfigError` for arguments that cannot work.
    """
    given = _checked(seeds)
    count = _worker_count(workers, len(given))
    size = max(1, min(_CHUNK_MAX, len(given) // (count * _CHUNKS_EACH)))
    chunks = [given[at : at + size] for at in range(0, len(given), size)]
    done: dict[int, list[Outcome]] = {}
    first_bad = len(chunks)

    def wanted(place: int) -> bool:
        return not stop_at_first or place < first_bad

    bar = _bar(len(given)) if progress else None
    try:
        for place, outcomes in _outcomes(scenario, chunks, count, wanted):
            done[place] = outcomes
            if bar is not None:
                bar.update(len(outcomes))
            if not all(outcome.ok for outcome in outcomes):
                first_bad = min(first_bad, place)
    except KeyboardInterrupt:
        pass  # what is done is what was asked for until now
    finally:
        if bar is not None:
            bar.close()
    found = [outcome for place in sorted(done) for outcome in done[place]]
    return to_frame(_up_to_first(found) if stop_at_first else found)


def _checked(seeds: int | Iterable[int]) -> list[int]:
    if isinstance(seeds, bool) or (isinstance(seeds, int) and seeds < 1):
        raise ConfigError(f"seeds must be at least 1, or which ones, found {seeds!r}")
    try:
        given = list(range(seeds) if isinstance(seeds, int) else seeds)
    except TypeError:
        given = []
    if not given or not all(isinstance(n, int) and not isinstance(n, bool) for n in given):
        raise ConfigError(f"seeds must be whole numbers, found {seeds!r}")
    return given


def _worker_count(workers: int | None, seeds: int) -> int:
    if workers is None:
        return 1 if seeds <= _ALONE_MAX else max(1, min(len(_cores()), seeds))
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ConfigError(f"workers must be at least 1, or None, found {workers!r}")
    return min(workers, seeds)


def _cores() -> Sequence[int]:
    if hasattr(os, "sched_getaffinity"):
        return list(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)


def _outcomes(
    scenario: Scenario | Callable[[int], Scenario],
    chunks: Sequence[Sequence[int]],
    count: int,
    wanted: Callable[[int], bool],
) -> Iterator[tuple[int, list[Outcome]]]:
    if count > 1:
        with Pool(scenario, count) as pool:
            yield from pool.outcomes(chunks, wanted)
        return
    for place, chunk in enumerate(chunks):
        if wanted(place):
            yield place, [run_one(scenario, seed) for seed in chunk]


def _up_to_first(outcomes: list[Outcome]) -> list[Outcome]:
    for at, outcome in enumerate(outcomes):
        if not outcome.ok:
            return outcomes[: at + 1]
    return outcomes


def _bar(total: int) -> Any:
    from tqdm.auto import tqdm  # here: a worker has no use for it

    # None: none where nobody looks, such as a log file; notebooks always show it.
    return tqdm(total=total, unit="run", disable=None)


def to_frame(outcomes: Sequence[Outcome]) -> pd.DataFrame:
    """Outcomes as a frame of schema `runs`."""
    from fixlab import frames  # here: a worker makes no frames

    columns = {name: [getattr(o, name) for o in outcomes] for name in Outcome._fields}
    return frames.build(frames.RUNS, columns)
