"""Pool: runs of a scenario on all cores, each chunk of seeds in a process of its own.

The processes are plain ones that are given work through their standard input. So they do not
import the program that started them: a sweep works the same from a notebook, from a script
without a guard around its main part, and from a prompt.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from queue import Queue
from typing import BinaryIO, cast

from fixlab.errors import ConfigError, StateError
from fixlab.sim.scenario import Outcome, Scenario

Maker = Scenario | Callable[[int], Scenario]
_SERVE = "from fixlab.sim._pool import serve; serve()"


def run_one(scenario: Maker, seed: int) -> Outcome:
    """The outcome of one seed; a maker gives each seed a scenario of its own."""
    made = scenario if isinstance(scenario, Scenario) else scenario(seed)
    return made.run(seed)


def serve() -> None:
    """What a worker does: takes chunks of seeds until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who waits
    source, target = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # whatever is printed must not get among the results
    sys.path[:] = pickle.load(source)
    scenario: Maker = pickle.load(source)
    while (seeds := pickle.load(source)) is not None:
        pickle.dump(_run_all(scenario, seeds), target)
        target.flush()


def _run_all(scenario: Maker, seeds: Sequence[int]) -> list[Outcome] | Exception:
    try:
        return [run_one(scenario, seed) for seed in seeds]
    except Exception as error:  # noqa: BLE001  # whatever a maker raises is its caller's to see
        return error


class Pool:
    """Workers for one sweep; a context manager, so that none outlives it."""

    def __init__(self, scenario: Maker, workers: int) -> None:
        try:
            self._setup = pickle.dumps(sys.path) + pickle.dumps(scenario)
            if not isinstance(scenario, Scenario) and _home(scenario) == "__main__":
                raise pickle.PicklingError("it lives in __main__")
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise ConfigError(
                "several processes need a Scenario, or a function of a module that they can "
                f"import; with workers=1 any will do ({error})"
            ) from None
        self._processes = [self._start() for _ in range(workers)]

    def _start(self) -> subprocess.Popen[bytes]:
        # One core each: what NumPy would start for itself only gets in the way.
        environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-c", _SERVE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )

    def outcomes(
        self, chunks: Sequence[Sequence[int]], wanted: Callable[[int], bool]
    ) -> Iterator[tuple[int, list[Outcome]]]:
        """The outcomes of each chunk with its place, as they are done.

        `wanted` is asked before a chunk is begun. Raises what a maker raised, and `StateError`
        when a worker dies.
        """
        results: Queue[tuple[int, list[Outcome]] | Exception | None] = Queue()
        places = iter(range(len(chunks)))
        lock = threading.Lock()

        def feed(process: subprocess.Popen[bytes]) -> None:
            source, target = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
            try:
                source.write(self._setup)
                while True:
                    with lock:
                        place = next(places, None)
                    if place is None or not wanted(place):
                        break
                    pickle.dump(list(chunks[place]), source)
                    source.flush()
                    done = pickle.load(target)
                    if isinstance(done, Exception):
                        results.put(done)
                        return
                    results.put((place, done))
                pickle.dump(None, source)
                source.flush()
            except (OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
                results.put(StateError(f"a worker of the sweep died: {error!r}"))
            finally:
                results.put(None)

        for process in self._processes:
            threading.Thread(target=feed, args=(process,), daemon=True).start()
        busy = len(self._processes)
        while busy:
            result = results.get()
            if result is None:
                busy -= 1
            elif isinstance(result, Exception):
                raise result
            else:
                yield result

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    with suppress(OSError):
                        pipe.close()


def _home(maker: object) -> str:
    return getattr(maker, "__module__", type(maker).__module__)
