"""Sweep: 10,000 seeds hold every invariant; what it returns; how it ends."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from fixlab.errors import ConfigError
from fixlab.frames import RUNS, check
from fixlab.session.recovering import Recovering
from fixlab.sim import Scenario, scenarios, sweep
from fixlab.sim._pool import run_one

ROOT = Path(__file__).parents[2]
SEEDS = 10_000
CODE = """
import hashlib
from fixlab.sim import scenarios, sweep
digest = hashlib.sha256()
for seed in range(0, 60):
    lab, violation = scenarios.anything(seed).play(seed)
    assert violation is None, violation
    digest.update(lab.journal.to_frame().to_csv().encode())
    digest.update(lab.fates().to_csv().encode())
print(digest.hexdigest())
print(hashlib.sha256(sweep(seeds=120, progress=False).to_csv().encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    """10,000 runs of anything, on all cores."""
    return sweep(scenarios.anything, SEEDS, progress=False)


class TestTenThousand:
    def test_every_invariant_holds(self, runs: pd.DataFrame) -> None:
        assert list(runs["seed"]) == list(range(SEEDS))
        failed = runs[~runs["ok"]]
        assert failed.empty, failed[["seed", "invariant", "rule", "text"]].head(10).to_string()

    def test_they_went_through_enough_to_say_so(self, runs: pd.DataFrame) -> None:
        sums = runs[["link", "peer", "store", "gaps", "delivered", "lost"]].sum()
        for family in ("link", "peer", "store"):
            assert sums[family] > SEEDS / 8, "faults of that family hardly struck"
        assert sums["gaps"] > SEEDS
        assert sums["delivered"] > 5 * SEEDS
        assert runs["agreed"].mean() > 0.9
        assert sums["lost"] > 0

    def test_each_order_is_accounted_for(self, runs: pd.DataFrame) -> None:
        settled = runs[runs["agreed"]]
        open_orders = settled["sent"] - settled["delivered"] - settled["lost"]
        # Where only one end resets alone, nothing is promised to its orders.
        assert (open_orders > 0).mean() < 0.05


class TestFrame:
    def test_it_has_the_schema_and_the_order_of_the_seeds(self) -> None:
        runs = sweep(seeds=[5, 3, 9], workers=1)
        assert list(check(runs, RUNS)["seed"]) == [5, 3, 9]

    def test_workers_change_nothing(self) -> None:
        one = sweep(seeds=90, workers=1, progress=False)
        three = sweep(seeds=90, workers=3, progress=False)
        assert_frame_equal(one, three)

    def test_a_scenario_is_played_with_each_seed(self) -> None:
        scenario = scenarios.anything(4)
        runs = sweep(scenario, range(10, 13), workers=1)
        assert list(runs["messages"]) == [scenario.run(seed).messages for seed in (10, 11, 12)]

    def test_the_same_in_two_processes_whatever_the_hash_seed(self) -> None:
        found = []
        for seed in ("1", "2"):
            done = subprocess.run(
                [sys.executable, "-c", CODE],
                cwd=ROOT,
                env=os.environ | {"PYTHONHASHSEED": seed},
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            assert done.returncode == 0, done.stderr
            found.append(done.stdout)
        assert found[0] == found[1]


class TestEnding:
    @pytest.fixture
    def broken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Recovering, "_request_missing", lambda session: None)

    @pytest.mark.usefixtures("broken")
    def test_it_stops_at_the_first_failure_on_request(self) -> None:
        all_runs = sweep(seeds=60, workers=1)
        first = int(all_runs[~all_runs["ok"]]["seed"].iloc[0])
        assert not all_runs["ok"].all()
        runs = sweep(seeds=60, workers=1, stop_at_first=True)
        assert list(runs["seed"]) == list(range(first + 1))
        assert_frame_equal(
            runs[["seed", "ok", "text"]], all_runs.head(first + 1)[["seed", "ok", "text"]]
        )

    def test_an_interrupt_gives_what_is_done(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def interrupted(scenario: Scenario, seed: int) -> object:
            if seed == 7:
                raise KeyboardInterrupt
            return run_one(scenario, seed)

        monkeypatch.setattr("fixlab.sim.sweeping.run_one", interrupted)
        runs = sweep(seeds=range(40), workers=1, progress=False)
        assert list(runs["seed"]) == list(range(5))  # whole chunks

    def test_what_a_maker_raises_comes_out_and_ends_the_workers(self) -> None:
        # `divmod` is a function that other processes find, and makes no scenario.
        with pytest.raises(TypeError, match="divmod"):
            sweep(divmod, seeds=100, workers=2)  # type: ignore[arg-type]

    def test_a_function_that_no_other_process_finds_is_refused(self) -> None:
        with pytest.raises(ConfigError, match="workers=1 any will do"):
            sweep(lambda seed: scenarios.anything(seed), seeds=100, workers=2)


class TestMistakes:
    @pytest.mark.parametrize("seeds", [0, -1, True, [], ["x"], [1.5], None])
    def test_seeds_that_cannot_work(self, seeds: object) -> None:
        with pytest.raises(ConfigError, match="seeds must be"):
            sweep(seeds=seeds)  # type: ignore[arg-type]

    @pytest.mark.parametrize("workers", [0, True, 1.5])
    def test_workers_that_cannot_work(self, workers: object) -> None:
        with pytest.raises(ConfigError, match="workers must be"):
            sweep(seeds=3, workers=workers)  # type: ignore[arg-type]


class TestProgress:
    @pytest.fixture
    def bars(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
        told: list[int] = []

        class Bar:
            def update(self, count: int) -> None:
                told.append(count)

            def close(self) -> None:
                told.append(-1)

        monkeypatch.setattr("fixlab.sim.sweeping._bar", lambda total: Bar())
        return iter([told])

    def test_it_counts_each_run_and_is_closed(self, bars: Iterator[list[int]]) -> None:
        told = next(bars)
        sweep(seeds=30, workers=1)
        assert told[-1] == -1
        assert sum(told[:-1]) == 30

    def test_nothing_is_written_where_nobody_looks(self) -> None:
        code = "from fixlab import sweep; sweep(seeds=12, workers=1)"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
        )
        assert (done.stdout, done.stderr) == ("", "")


def test_a_script_without_a_guard_works(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text("from fixlab import sweep\nprint(len(sweep(seeds=60, workers=2)))\n")
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "60\n"


def test_a_worker_loads_neither_pandas_nor_pictures() -> None:
    code = (
        "import sys, fixlab.sim._pool as pool\n"
        "from fixlab.sim import scenarios\n"
        "pool.run_one(scenarios.anything, 3)\n"
        "print({'pandas', 'matplotlib', 'numpy', 'tqdm'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout == "set()\n"
