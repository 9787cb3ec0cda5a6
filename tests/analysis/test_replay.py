"""replay(): a log beside what fixlab's session would have done, step by step."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixlab.analysis import replay
from fixlab.analysis._replay import Replay
from fixlab.errors import ConfigError, FixLabError
from fixlab.frames import FINDINGS, REPLAY, check
from fixlab.session.config import SessionConfig
from fixlab.sim import Loopback
from fixlab.sim.endpoint import Endpoint
from fixlab.sim.scenario import VERBS, Scenario
from fixlab.sim.scenarios import of
from tests.analysis.logged import Line, Logs, Side, read, script

# What makes an engine break its rules, rather than only live through trouble.
BREAKING = {"crash", "skip", "lose", "stall"}
MIX = of(families=("calls", "link"))
UP = "0 > A 1\n0.1 < A 1\n"


def played(folder: Path, text: str, side: str = "SELL", **options: object) -> Replay:
    log = read(folder, script(UP + text)[side], "prefixed", ours=side)
    return replay(log, side=side, **options)  # type: ignore[arg-type]


def told(found: Replay) -> list[tuple[str, str, int]]:
    table = found.table
    return list(
        zip(
            table["kind"].astype(str),
            table["rule"].astype(str),
            table["row"].tolist(),
            strict=True,
        )
    )


# Who conforms ------------------------------------------------------------------------------


def logs_of(scenario: Scenario) -> tuple[Loopback, Logs]:
    """What both sessions read and wrote, before any link could lose it."""
    lab = Loopback(
        seed=1,
        start=scenario.start,
        config=scenario.initiator,
        acceptor_config=scenario.acceptor,
        initiator_faults=scenario.initiator_faults,
        acceptor_faults=scenario.acceptor_faults,
    )
    logs: Logs = {}
    for end in (lab.initiator, lab.acceptor):
        lines: list[Line] = []
        logs[end.session.config.sender_comp_id] = lines
        tap(end, Side(lab.clock.now, lines))
    for name, *rest in scenario.steps:
        if name in BREAKING:
            continue
        verb, target = VERBS[str(name)], lab
        if verb.of_end:
            target = getattr(lab, str(rest.pop(0)))
        try:
            verb.do(target, *rest)
        except FixLabError:
            continue  # it makes no sense in the state that it meets
    return lab, logs


def tap(end: Endpoint, side: Side) -> None:
    write, arrive = end._write, end._arrive

    def wrote(data: bytes) -> None:
        side.add(data, out=True)
        write(data)

    def came(data: bytes | None, now: int) -> None:
        if data is not None:
            side.add(data, out=False)
        arrive(data, now)

    end._write = wrote  # type: ignore[method-assign]
    end._arrive = came  # type: ignore[method-assign]


@pytest.mark.parametrize("block", range(6))
def test_a_session_that_conforms_never_deviates(tmp_path: Path, block: int) -> None:
    messages = 0
    for seed in range(20 * block, 20 * block + 20):
        lab, logs = logs_of(MIX(seed))
        for end in (lab.initiator, lab.acceptor):
            config = end.session.config
            lines = logs[config.sender_comp_id]
            if not lines:
                continue
            messages += len(lines)
            log = read(tmp_path, lines, "prefixed", ours=config.sender_comp_id)
            found = replay(log, side=config.sender_comp_id, config=config)
            assert told(found) == [], (seed, config.sender_comp_id, found)
    assert messages > 100


# Who does not --------------------------------------------------------------------------------

WRONG = {
    "a gap that is not asked for": (
        "1 > D 2\n2 > D 4\n10 > D 5\n11 < 8 2\n12 > D 6\n35 > D 7\n36 < 8 3\n60 > D 8\n",
        ("missing", "RRQ-01", 3),
    ),
    "a request from the wrong number": (
        "1 > D 2\n2 > D 5\n2.1 < 2 2 7=4 16=0\n2.2 > D 4 dup\n2.3 > D 5 dup\n12 > D 6\n",
        ("different", "RRQ-01", 4),
    ),
    "a request for what is there": (
        "1 > D 2\n10 > D 3\n11 < 2 2 7=2 16=0\n11.1 > D 2 dup\n11.2 > D 3 dup\n",
        ("unexpected", "RRQ-01", 4),
    ),
    "another TestReqID": (
        "1 > 1 2 112=PING\n1.1 < 0 2 112=PONG\n12 > D 3\n",
        ("different", "HBT-03", 3),
    ),
    "a TestRequest that is not answered": (
        "1 > 1 2 112=PING\n12 > D 3\n13 < 8 2\n",
        ("missing", "HBT-03", 2),
    ),
    "an answer that is late": (
        "1 > 1 2 112=PING\n12 < 0 2 112=PING\n13 > D 3\n",
        ("late", "HBT-03", 3),
    ),
    "a number that is skipped": ("1 < 8 2\n2 < 8 4\n3 < 8 5\n", ("number", "SEQ-01", 3)),
    "a number that is used twice": (
        "1 < 8 2\n2 < 8 2\n3 < 8 3\n",
        ("number", "SEQ-01", 3),
    ),
    "a replay without PossDupFlag": (
        "1 < 8 2\n2 > 2 2 7=2 16=2\n2.1 < 8 2\n10 > D 3\n11 < 8 3\n",
        ("different", "RSP-01", 4),
    ),
    "a request that is not answered": (
        "1 < 8 2\n2 > 2 2 7=2 16=2\n10 > D 3\n11 < 8 3\n",
        ("missing", "RSP-01", 3),
    ),
    "an order that is filled over": (
        "1 < 8 2\n2 > 2 2 7=2 16=2\n2.1 < 4 2 dup 123=Y 36=3\n10 > D 3\n11 < 8 3\n",
        ("different", "RSP-09", 4),
    ),
    "a Heartbeat that is resent": (
        "1 < 0 2\n2 > 2 2 7=2 16=2\n2.1 < 0 2 dup\n10 > D 3\n11 < 8 3\n",
        ("unexpected", "RSP-02", 4),
    ),
    "a low number that is taken": (
        "1 > D 2\n2 > D 2\n10 > D 3\n11 < 8 2\n12 > D 4\n",
        ("missing", "SEQ-03", 3),
    ),
    "an order behind the own Logout": (
        "1 < 5 2\n2 < 8 3\n3 > 5 2\n",
        ("unexpected", "LGO-04", 3),
    ),
    "a silence without Heartbeat": (
        "29 > D 2\n45 > D 3\n46 < 8 2\n",
        ("missing", "HBT-01", 3),
    ),
    "a reset in place of the answer": (
        "1 < 8 2\n2 > 2 2 7=2 16=0\n2.1 < 4 3 36=9\n10 > D 3\n11 < 8 9\n",
        ("different", "SQR-11", 4),
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_one_trouble_is_told_once_with_its_rule(tmp_path: Path, name: str) -> None:
    text, expected = WRONG[name]
    found = played(tmp_path, text)
    assert told(found) == [expected], found
    assert found.table["side"].tolist() == ["SELL"]
    assert len(check(found.table, REPLAY)) == len(found) == 1
    assert list(found.findings.columns) == FINDINGS.names


def test_what_is_due_when_the_log_ends_is_held_against_nobody(tmp_path: Path) -> None:
    assert told(played(tmp_path, "1 > 1 2 112=PING\n")) == []
    assert told(played(tmp_path, "1 > 1 2 112=PING\n20 > A 3\n20.1 < A 2\n")) == []


def test_the_profile_decides_what_is_right(tmp_path: Path) -> None:
    # FRM-09: QuickFIX closes without a word where the texts ask for a Logout.
    text = "1 > D 2\n2 < 8 2\n3 > 4 3 123=Y 36=3\n20 > D 3\n21 < 8 3\n"
    assert told(played(tmp_path, text)) == [("missing", "SQR-06", 4)]
    assert told(played(tmp_path, text, profile="quickfix")) == []


def test_a_log_may_begin_in_the_middle(tmp_path: Path) -> None:
    text = "0 > D 70\n1 < 8 40\n2 > D 71\n3 > D 73\n3.1 < 2 41 7=72 16=0\n3.2 > D 72 dup\n"
    text += "3.3 > D 73 dup\n10 < 8 42\n11 < 8 44\n"
    log = read(tmp_path, script(text)["SELL"], "prefixed", ours="SELL")
    found = replay(log)
    assert told(found) == [("number", "SEQ-01", 8)]
    assert found.table["confidence"].tolist() == ["medium"]


def test_a_log_may_begin_within_a_recovery(tmp_path: Path) -> None:
    # SEQ-07: the TestRequest was held before the log begins, and is answered behind the gap.
    text = "0 > D 7 dup\n9 > D 9 dup\n9.1 > 4 10 dup 123=Y 36=12\n9.2 < 0 14 112=X\n"
    log = read(tmp_path, script(text + "9.3 > D 16\n15 > D 17\n")["SELL"], "prefixed")
    assert told(replay(log, side="SELL")) == []


def test_a_gap_may_be_asked_for_before_the_log(tmp_path: Path) -> None:
    # What is dropped needs no answer; the request at the end tells what was missing all along.
    text = "0 < 0 8\n9 > 0 8\n14 > 1 9 112=T\n24 < 0 9\n43 > 0 10\n"
    text += "57 > A 14\n57.1 < A 10\n57.2 < 2 11 7=2 16=0\n"
    log = read(tmp_path, script(text)["SELL"], "prefixed", ours="SELL")
    assert told(replay(log, profile="artio")) == []


def test_a_reset_that_comes_much_later_does_not_answer_one(tmp_path: Path) -> None:
    text = "3 < A 1 141=Y\n44 > A 1 141=Y\n44.1 < A 1 141=Y\n74 < 0 2\n74.1 > 0 2\n"
    assert told(played(tmp_path, text + "75 > D 3\n76 < 8 3\n")) == []


def test_what_a_setting_would_explain_is_unsure_and_names_it(tmp_path: Path) -> None:
    text, expected = WRONG["an order that is filled over"]
    read_off = played(tmp_path, text)
    given = played(
        tmp_path, text, config=SessionConfig(sender_comp_id="SELL", target_comp_id="BUY")
    )
    assert told(read_off) == told(given) == [expected]
    assert read_off.table["confidence"].tolist() == ["low"]
    assert "no deviation with persist_messages=False" in read_off.table["summary"].iloc[0]
    assert given.table["confidence"].tolist() == ["high"]
    assert "no deviation with" not in given.table["summary"].iloc[0]


def test_what_was_lost_on_its_way_is_no_fault_of_who_asks(tmp_path: Path) -> None:
    text = "1 > D 2 lost\n2 > D 3\n2.1 < 2 2 7=2 16=0\n2.2 > D 2 dup\n2.3 > D 3 dup\n9 > D 4\n"
    log = read(tmp_path, script(UP + text)["BUY"], "prefixed")
    assert told(replay(log, side="SELL")) == []


def test_a_log_that_leaves_heartbeats_out_has_no_faults(tmp_path: Path) -> None:
    assert told(played(tmp_path, "1 < 8 2\n65 < 8 5\n66 < 8 6\n67 > D 2\n")) == []
    found = played(tmp_path, "1 < 8 2\n65 < 8 5\n66 < 8 8\n67 > D 2\n")
    assert told(found) == [("number", "SEQ-01", 4)]


def test_steps_show_what_is_owed(tmp_path: Path) -> None:
    found = played(tmp_path, "1 > 1 2 112=PING\n1.1 < 0 2 112=PING\n")
    steps = list(found.steps())
    assert [step.row for step in steps] == [0, 1, 2, 3]
    assert steps[2].expected == ("Heartbeat, TestReqID(112) PING",)
    assert steps[2].received is not None
    assert steps[3].expected == ()
    assert steps[3].sent is not None
    assert (steps[3].next_in, steps[3].next_out) == (3, 3)


def test_a_page_shows_no_markup_of_the_wire(tmp_path: Path) -> None:
    found = played(tmp_path, "1 > 1 2 112=PING\n1.1 < 0 2 112=<b>\n12 > D 3\n")
    assert "<b>" not in found._repr_html_()
    assert "no deviation" in repr(played(tmp_path, "1 > D 2\n"))


def test_mistakes_of_the_caller_are_named(tmp_path: Path) -> None:
    log = read(tmp_path, script(UP)["SELL"], "prefixed", ours="SELL")
    with pytest.raises(ConfigError, match="no session to play: expected one of NOBODY"):
        replay(log, side="NOBODY")
    with pytest.raises(ConfigError, match="profile must be one of"):
        replay(log, profile="fast")
    with pytest.raises(ConfigError, match="needs the messages themselves"):
        replay(log.frame)  # type: ignore[arg-type]
    other = SessionConfig(sender_comp_id="A", target_comp_id="B")
    with pytest.raises(ConfigError, match="expected one of SELL to BUY"):
        replay(log, config=other)


def test_numbers_far_ahead_cost_no_more_than_near_ones(tmp_path: Path) -> None:
    # A store that goes number by number would take minutes.
    text = "1 < 8 4611686018427387000\n2 > 2 2 7=1 16=0\n2.1 < 4 1 dup 123=Y 36=9\n9 > D 3\n"
    text += "10 > D 4611686018427387000\n11 > D 4\n40 < 8 10\n"
    assert len(played(tmp_path, text)) > 0
