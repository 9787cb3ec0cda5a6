"""Logs of real engines, read, analysed and reconciled: what is found is what was forced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import fixlab as fx
from tests.analysis.engine_logs import STORIES, Stage, play

pytest.importorskip("quickfix")

Faults = set[tuple[str, str]]  # code, and the side at fault
NONE: Faults = set()


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    yield from play(tmp_path_factory.mktemp("engines"))


def own(code: str, name: str) -> Faults:
    return {(code, name)}


# What must be found at severity fault, in the log of the side called as its story, and in
# QuickFIX's; nothing else may be.
FAULTS: dict[str, tuple[Faults, Faults]] = {
    **dict.fromkeys(STORIES, (NONE, NONE)),
    # The wire doubled it, which only the log of who got it twice can show.
    "Q-TWICE": (NONE, own("DUPLICATE_NOT_FLAGGED", "Q-TWICE")),
    "Q-SUM": (NONE, own("CHECKSUM_BAD", "Q-SUM")),
    "L-SUM": (NONE, own("CHECKSUM_BAD", "L-SUM")),
    **{
        name: (own(code, name), own(code, name))
        for name, code in (
            ("L-REUSED", "DUPLICATE_NOT_FLAGGED"),
            ("L-UNFLAG", "REPLAY_NOT_FLAGGED"),
            ("L-NOORIG", "POSSDUP_NO_ORIG"),
            ("L-LOW", "SEQ_TOO_LOW"),
            ("R-LOWERED", "RESET_BACKWARDS"),
        )
    },
}
# Codes beside them that must be told: of risks and infos.
TOLD: dict[str, tuple[set[str], set[str]]] = {
    **{
        name: ({"SEQ_GAP"}, {"SEQ_GAP"})
        for name in ("Q-LOST", "Q-BACK", "Q-SUM", "L-LOST", "L-BACK", "L-SUM")
    },
    # Only the log of who filled it over has the order.
    "L-FILLED": ({"SEQ_GAP", "APP_MSG_FILLED_OVER"}, {"SEQ_GAP"}),
    "Q-CUT": ({"ENDED_WITHOUT_LOGOUT", "SEQ_GAP"}, {"ENDED_WITHOUT_LOGOUT", "SEQ_GAP"}),
    "L-CUT": ({"ENDED_WITHOUT_LOGOUT", "SEQ_GAP"}, {"ENDED_WITHOUT_LOGOUT", "SEQ_GAP"}),
    "Q-TWICE": ({"SEQ_TOO_LOW"}, set()),
    "L-COMPID": ({"SESSION_REJECT"}, {"SESSION_REJECT"}),
    "L-NOORIG": ({"SESSION_REJECT"}, {"SESSION_REJECT"}),
    "L-LOW": ({"LOGON_REFUSED"}, {"LOGON_REFUSED"}),
    "L-SKIP": ({"SEQ_GAP"}, {"SEQ_SKIPPED"}),
    "L-SILENT": ({"HEARTBEAT_MISSING"}, {"HEARTBEAT_MISSING"}),
    "R-LOWERED": (set(), {"SESSION_REJECT"}),
}
# What the wire did to which message.
FATES = {
    "Q-LOST": [("Q-LOST", 4, "lost")],
    "Q-BACK": [("QF", 4, "lost")],
    "Q-SUM": [("Q-SUM", 4, "changed")],
    "L-LOST": [("L-LOST", 4, "lost")],
    "L-BACK": [("QF", 4, "lost")],
    "L-SUM": [("L-SUM", 4, "changed")],
    "L-FILLED": [("L-FILLED", 4, "lost")],
    "L-NOORIG": [("L-NOORIG", 4, "lost")],
    **{name: [] for name in ("Q-CLEAN", "L-CLEAN", "L-LOW", "L-RESET", "L-SKIP")},
}


def faults(table: Any) -> Faults:
    roots = table[(table["severity"] == "fault") & table["caused_by"].isna()]
    return set(zip(roots["code"].astype(str), roots["side"].fillna(""), strict=True))


@pytest.mark.parametrize("name", STORIES)
def test_findings_are_what_was_forced(stage: Stage, name: str) -> None:
    logs = stage.logs(name)
    assert set(logs) == ({"QF"} if name.startswith("R-") else {name, "QF"})
    for keeper, path in logs.items():
        side = int(keeper == "QF")
        log = fx.read_log(path)
        assert set(log.frame["direction_from"].astype(str)) <= {"file_name", "comp_ids", ""}
        found = fx.analyze(log)
        assert faults(found.table) == FAULTS[name][side], f"{keeper}'s log\n{found.summary()}"
        told = set(found.table["code"].astype(str))
        assert told >= TOLD.get(name, (set(), set()))[side], f"{keeper}'s log: {told}"


@pytest.mark.parametrize("name", FATES)
def test_both_logs_tell_what_the_wire_did(stage: Stage, name: str) -> None:
    logs = {keeper: fx.read_log(path) for keeper, path in stage.logs(name).items()}
    found = fx.reconcile(logs[name], logs["QF"]).table
    odd = found[found["fate"] != "arrived"]
    fates = list(
        zip(
            odd["sender"].astype(str),
            odd["msg_seq_num"].tolist(),
            odd["fate"].astype(str),
            strict=True,
        )
    )
    assert fates == FATES[name]


def test_what_was_in_flight_when_the_line_was_cut_is_lost(stage: Stage) -> None:
    for name in ("Q-CUT", "L-CUT"):
        logs = {keeper: fx.read_log(path) for keeper, path in stage.logs(name).items()}
        found = fx.reconcile(logs[name], logs["QF"]).table
        assert set(found["fate"].astype(str)) == {"arrived", "lost"}
        lost = found[found["fate"] == "lost"]
        assert (name, 4) in set(
            zip(lost["sender"].astype(str), lost["msg_seq_num"], strict=True)
        )


def test_a_message_that_came_twice_is_doubled(stage: Stage) -> None:
    logs = {keeper: fx.read_log(path) for keeper, path in stage.logs("Q-TWICE").items()}
    found = fx.reconcile(logs["Q-TWICE"], logs["QF"]).table
    doubled = found[found["fate"] == "doubled"]
    assert doubled["msg_seq_num"].tolist() == [4]
    assert doubled["sender"].astype(str).tolist() == ["Q-TWICE"]
