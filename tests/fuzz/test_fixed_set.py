"""A fixed set of inputs of every fuzz target, small enough for each run of the tests.

`tests/bench/fuzz.py` feeds a million of them.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from fixlab.errors import StateError
from tests.fuzz.fuzzing import Case, Part, Played, fuzz, reduced, trial
from tests.fuzz.targets import TARGETS

INPUTS = {
    "framer": 1_500,
    "session": 800,
    "stores": 150,
    "explain": 250,
    # A frame takes milliseconds to make.
    "read_log": 200,
    "analyze": 60,
    "replay": 60,
    "reconcile": 70,
    "page": 20,
}


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_raises_hangs_or_grows(name: str, tmp_path: Path) -> None:
    target = TARGETS[name].make(tmp_path)
    tally = fuzz(target, "fixed", INPUTS.get(name, 400))
    assert not tally.failures, [(f.what, f.case) for f in tally.failures[:3]]
    assert len(tally.features) > 10, "the inputs must come to something"


class Faulty:
    """A target with every kind of fault, each behind bytes of its own."""

    name = "faulty"
    bytes_max = 1 << 20
    bound = "none"

    def make(self, chance: random.Random) -> Case:
        return (b"abc", b"%d" % chance.randrange(4), ("op", b"def"))

    def bend(self, part: Part, chance: random.Random) -> Part:
        return part

    def play(self, case: Case) -> Played:
        kept: Any = []
        if b"0" in case:
            raise StateError("refused")
        if b"1" in case:
            raise KeyError("a fault")
        if b"2" in case:
            kept = bytearray(8 << 20)
        while b"3" in case:
            pass
        return Played(frozenset({str(len(kept))}))


@pytest.mark.parametrize(
    ("byte", "error", "failure"),
    [
        (b"0", "StateError", ""),
        (b"1", "", "KeyError at ?: #"),
        (b"2", "", "MemoryError: 8,"),
        (b"3", "", "HangError: more than 0.1 s of CPU"),
        (b"4", "", ""),
    ],
)
def test_each_kind_of_failure_is_told_and_reduced(
    monkeypatch: pytest.MonkeyPatch, byte: bytes, error: str, failure: str
) -> None:
    monkeypatch.setattr("tests.fuzz.fuzzing.CPU_SECONDS_MAX", 0.1)
    case = (b"abc", byte, ("op", b"def"))
    found = trial(Faulty(), case, weigh=byte == b"2")
    assert found.error == error
    assert found.failure.startswith(failure)
    assert bool(found.failure) == bool(failure)
    if failure:
        assert reduced(Faulty(), case, found.failure) == (byte,)


def test_the_same_seed_gives_the_same_run(tmp_path: Path) -> None:
    one, two = (fuzz(TARGETS["framer"].make(tmp_path), seed, 300) for seed in ("7", "7"))
    assert one.features == two.features
    assert one.inputs == two.inputs == 300
