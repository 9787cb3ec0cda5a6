"""Sound sessions over bad links: whatever the network does, no side is called at fault."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixlab.analysis.findings import analyze
from tests.analysis import sound
from tests.analysis.logged import read, script

# Seeds that once had a wrong fault, and some more of each kind of log.
SEEDS = (0, 1, 2, 3, 15, 53, 56, 59, 65, 141, 160, 196, 204, 228, 239, 293, 377, 381, 397, 1105)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_side_is_at_fault(tmp_path: Path, seed: int) -> None:
    for case, found in sound.cases(seed, tmp_path):
        roots = found.table[found.table["caused_by"].isna()]
        wrong = roots[roots["severity"] == "fault"]
        assert not len(wrong), f"{case}\n{found.summary()}"


# What a sweep once called a fault, as short as it can be told.
SOUND = {
    "resets that cross speak of numbers that begin anew": (
        "0 > A 1 789=1\n0.1 < A 1 789=2\n1 > D 2\n1.1 < 8 2\n"
        "2 > A 1 141=Y 789=1\n2 < A 1 141=Y 789=1\n7 > 0 2\n7.1 < 0 2\n"
        "20 > A 3 789=3\n20.1 < A 3 789=3\n20.2 < 4 2 dup 123=Y 36=4\n21 > D 4\n"
    ),
    "what a Logon shows to be missing comes because of 789, be it late (LGN-24)": (
        "0 > A 1 789=1\n0.1 < A 1 789=2\n60 > A 2 789=2\n60.1 < A 4 789=3\n61 > D 3\n"
        "66 > 0 4\n71 > 0 5\n72 < 8 2 dup\n72.1 < 4 3 dup 123=Y 36=5\n73 < 8 5\n"
    ),
    "a Logon with a low number is in the new ones, after a reset": (
        "0 < A 1\n0.1 > A 1\n1 < D 2\n1.1 < D 3\n1.2 < D 4\n2 > A 1 141=Y\n"
        "90 < A 3\n90.1 > A 1 141=Y\n"
    ),
    "a Logon whose answer was lost, and a Logout over what came instead": (
        "0 > A 1 789=1\n0.1 < A 1 789=2\n1 > D 2\n1.1 < 8 2\n12 > A 3 789=3\n"
        "12.3 < 4 3 dup 123=Y 36=5\n12.3 > 5 4\n14 > A 5 789=3\n14.1 < A 5 789=6\n"
    ),
    "a Logon that comes too late to answer a reset": (
        "0 < A 1 789=1\n0.1 > A 1 789=2\n1 > D 2\n2 > A 1 141=Y 789=1\n90 < A 6 789=3\n"
        "90.1 > A 1 141=Y 789=1\n"
    ),
    "a TestRequest that waits for what was asked for again": (
        "0 > A 1\n0.1 < A 1\n1 < 8 4\n1.1 > 2 2 7=2 16=3\n1.2 < 8 5\n60 > A 3\n60.1 < A 6\n"
        "60.2 > 2 4 7=2 16=3\n60.3 < 8 2 dup\n60.4 < 8 3 dup\n60.5 > 2 5 7=4 16=5\n"
        "61 < 1 7 112=X\n66 > 0 6\n76 > 0 7\n80 < 5 8\n80.1 > 5 8\n"
    ),
}


@pytest.mark.parametrize("why", SOUND)
def test_nobody_is_at_fault_in(tmp_path: Path, why: str) -> None:
    log = read(tmp_path, script(SOUND[why])["BUY"], "prefixed")
    assert analyze(log).faults == 0, analyze(log).summary()


def test_a_logon_that_was_cut_is_not_the_first_number_of_a_log(tmp_path: Path) -> None:
    lines = script(
        "0 > A 1 789=1\n1 > A 2 789=1\n1.1 < A 1 789=1\n1.2 > 4 1 dup 123=Y 36=3\n2 > D 3\n"
    )["SELL"]
    lines[0] = lines[0]._replace(data=lines[0].data[:-2])
    found = analyze(read(tmp_path, lines, "prefixed", ours="SELL"))
    assert found.faults == 0, found.summary()


def test_one_side_alone_does_not_show_that_a_low_logon_was_wrong(tmp_path: Path) -> None:
    lines = script("0 < A 1\n1 < D 2\n2 < D 3\n3 < D 4\n40 < A 3\n")["BUY"]
    found = analyze(read(tmp_path, lines, "prefixed"))
    assert found.faults == 0, found.summary()
    assert "SEQ_TOO_LOW" in set(found.table["code"])


def test_a_logon_behind_a_cut_one_is_not_garbled_where_no_line_ends(tmp_path: Path) -> None:
    lines = script(
        "0 < A 1\n1 < A 3\n1.1 > A 1\n1.1 > 2 2 7=1 16=0\n2 < 4 1 dup 123=Y 36=4\n3 < D 4\n"
    )["BUY"]
    lines[0] = lines[0]._replace(data=lines[0].data[:-2])
    found = analyze(read(tmp_path, lines, "raw"))
    assert found.faults == 0, found.summary()
