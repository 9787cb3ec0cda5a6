"""Logs of which a part is missing: what is left blames nobody whom the whole does not blame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from fixlab.analysis.findings import Findings, analyze
from tests.analysis.logged import read
from tests.analysis.planted import CONTROLS, PLANTS, Plant

Faults = set[tuple[str, str]]


def faults(found: Findings, *, sure: bool = False) -> Faults:
    """Roots that are faults: code and side; `sure` leaves out those of low confidence."""
    table = found.table
    roots = table[(table["severity"] == "fault") & table["caused_by"].isna()]
    if sure:
        roots = roots[roots["confidence"] == "high"]
    return set(zip(roots["code"].astype(str), roots["side"].fillna(""), strict=True))


def parts(frame: pd.DataFrame, chance: Random) -> Iterator[tuple[str, pd.DataFrame]]:
    """The frame without its begin, without its end, of one side only, and without times."""
    at = chance.randrange(1, max(len(frame), 2))
    yield f"from row {at}", frame.iloc[at:].reset_index(drop=True)
    at = chance.randrange(1, max(len(frame), 2))
    yield f"to row {at}", frame.iloc[:at].reset_index(drop=True)
    yield "from its second row", frame.iloc[1:].reset_index(drop=True)
    sender = chance.choice(["BUY", "SELL"])
    rows = frame[frame["sender"] == sender]
    yield f"of {sender} only", rows.reset_index(drop=True)
    yield "without times", without_times(frame)


def without_times(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame as of a log that has no readable time anywhere."""
    made = frame.copy()
    for name in ("time", "sending_time"):
        made[name] = (
            pd.Series(pd.NaT, made.index).dt.tz_localize("UTC").astype(made[name].dtype)
        )
    return made


@pytest.mark.parametrize("plant", [*PLANTS, *CONTROLS], ids=str)
def test_a_part_blames_nobody_anew(tmp_path: Path, plant: Plant) -> None:
    chance = Random(f"cut/{plant}")
    logs = plant.make()
    keeper = chance.choice(plant.keepers)
    log = read(tmp_path, logs[keeper], plant.styles[0], ours=keeper)
    whole = analyze(log, **plant.options).table
    # What followed from another trouble may have lost that one.
    known = set(zip(whole["code"].astype(str), whole["side"].fillna(""), strict=True))
    for name, part in parts(log.frame, chance):
        found = analyze(part, **plant.options)
        new = faults(found, sure=True) - known
        assert not new, f"{keeper}'s log {name}\n{found.summary()}"
