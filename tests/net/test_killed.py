"""Both ends of a live session are killed at random moments, and new processes go on."""

from pathlib import Path

import pytest

from tests.bench.crashes import crash

KILLS = 10  # the command beside `crash` does hundreds


@pytest.mark.parametrize("store", ["sqlite", "files"])
def test_seq_13_killed_at_any_moment_nothing_is_lost_and_no_number_used_twice(
    store: str, tmp_path: Path
) -> None:
    figures = crash(tmp_path, store=store, kills=KILLS, seed=3)
    assert sum(figures.kills.values()) >= KILLS
    assert min(figures.kills.values()) > 0, "each end was killed at least once"
    assert min(figures.orders.values()) > 0
    assert figures.connections > 1
    assert figures.resent > 0, "some orders were lost on the wire and came again"
    assert figures.stores_checked > 2, "more than the two at the end"
