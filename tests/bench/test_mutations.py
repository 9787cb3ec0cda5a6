"""The deliberate defects still fit the core, and a few of them are looked for in each run."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from fixlab.rules import RULES
from tests.bench.defects import DEFECTS
from tests.bench.mutations import look, mutated

# Defect -> seeds within which the schedules notice it.
SOON = {
    "gap_fill_one_too_far": 10,
    "resent_without_43": 10,
    "duplicate_delivered": 40,
    "789_one_too_high": 40,
}


def test_each_defect_has_a_name_a_rule_and_a_text_of_its_own() -> None:
    assert len(DEFECTS) >= 20
    assert len({defect.name for defect in DEFECTS}) == len(DEFECTS)
    assert {defect.rule for defect in DEFECTS} <= RULES.keys()
    assert len({(defect.file, defect.new) for defect in DEFECTS}) == len(DEFECTS)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_each_defect_can_still_be_put_into_the_core(defect: object, tmp_path: Path) -> None:
    mutated(defect, tmp_path)  # type: ignore[arg-type]


def test_a_defect_that_no_longer_fits_is_told(tmp_path: Path) -> None:
    moved = dataclasses.replace(DEFECTS[0], old="no such line")
    with pytest.raises(ValueError, match=r"stands 0 times in session/recovery\.py, expected"):
        mutated(moved, tmp_path)


@pytest.mark.parametrize("name", SOON)
def test_a_defect_is_noticed(name: str) -> None:
    (defect,) = [each for each in DEFECTS if each.name == name]
    assert look(defect, SOON[name]).noticed


def test_the_core_as_it_is_has_none_of_them() -> None:
    found = look(None, 20)
    assert not found.noticed, found
