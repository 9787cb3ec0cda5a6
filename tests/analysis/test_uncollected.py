from __future__ import annotations

import gc
from contextlib import suppress
from pathlib import Path

import pytest

from fixlab.analysis import _finds_damage
from fixlab.analysis._case import Case
from fixlab.analysis._uncollected import uncollected
from fixlab.analysis.findings import analyze
from tests.analysis.logged import read, script
from tests.analysis.planted import LOGON_LOGOUT


def test_the_collector_rests_within_and_works_again_behind() -> None:
    assert gc.isenabled()
    with suppress(KeyError), uncollected():
        assert not gc.isenabled()
        raise KeyError
    assert gc.isenabled()


def test_who_has_switched_it_off_finds_it_off() -> None:
    gc.disable()
    try:
        with uncollected():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_an_analysis_leaves_it_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    defects = _finds_damage.defects

    def watched(case: Case) -> list[object]:
        seen.append(gc.isenabled())
        return list(defects(case))

    monkeypatch.setattr(_finds_damage, "defects", watched)
    analyze(read(tmp_path, script(LOGON_LOGOUT)["BUY"], "prefixed"))
    assert seen == [False]
    assert gc.isenabled()
