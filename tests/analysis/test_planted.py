"""Planted faults: each finding is made on purpose, and must be found; controls find nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from fixlab.analysis.findings import Findings, analyze
from fixlab.frames import FINDING_CODES
from tests.analysis.logged import read
from tests.analysis.planted import CONTROLS, PLANTS, Plant

# Codes for which there is no plant yet: none may be hidden, so the test names them.
UNPLANTED: tuple[str, ...] = ()


class Case(NamedTuple):
    plant: Plant
    keeper: str
    style: str
    found: Findings


def cases(plant: Plant, folder: Path) -> Iterator[Case]:
    """A plant as its sides logged it, in each style, analysed."""
    logs = plant.make()
    for keeper in plant.keepers:
        for style in plant.styles:
            log = read(folder, logs[keeper], style, ours=keeper)
            yield Case(plant, keeper, style, analyze(log, **plant.options))


def missed(case: Case) -> list[str]:
    """What should have been found."""
    table = case.found.table
    same = table[table["code"] == case.plant.code]
    if not len(same):
        return [f"{case.plant} {case.keeper} {case.style}: missed {case.plant.code}"]
    sides = same["side"].fillna("").tolist()
    if case.plant.side not in sides:
        return [f"{case.plant} {case.keeper} {case.style}: side {sides}"]
    return []


def alarms(case: Case) -> list[str]:
    """Roots that are faults or risks, and are not the trouble that was planted."""
    table = case.found.table
    wrong = table[
        (table["severity"] != "info")
        & table["caused_by"].isna()
        & ~table["code"].isin([case.plant.code, *case.plant.also])
    ]
    where = f"{case.plant.code} {case.plant.name} {case.keeper} {case.style}"
    return [
        f"{where}: {code} ({side}) {summary}"
        for code, side, summary in zip(
            wrong["code"], wrong["side"], wrong["summary"], strict=True
        )
    ]


def test_recall_and_false_alarms(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tried: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    problems: list[str] = []
    for plant in (*PLANTS, *CONTROLS):
        for case in cases(plant, tmp_path):
            name = plant.code or "(controls)"
            lacking = missed(case) if plant.code else []
            false = alarms(case)
            problems += lacking + false
            tried[name][0] += 1
            tried[name][1] += not lacking
            tried[name][2] += len(false)
    with capsys.disabled():
        print(f"\n{'code':<24}{'logs':>6}{'recall':>9}{'false alarms':>14}")
        for name, (logs, found, false_alarms) in sorted(tried.items()):
            recall = f"{found / logs:.0%}" if name != "(controls)" else ""
            print(f"{name:<24}{logs:>6}{recall:>9}{false_alarms:>14}")
    assert not problems, "\n".join(problems)


def test_each_code_is_planted() -> None:
    planted = {plant.code for plant in PLANTS}
    assert sorted(set(FINDING_CODES) - planted) == sorted(UNPLANTED)
