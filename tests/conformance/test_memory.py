"""fixlab itself in the test cases, in memory: every version, both roles, every profile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fixlab.conformance import CASES, Level, Profile, Report, Verdict
from fixlab.frames import TRANSITIONS, check
from fixlab.session.profiles import PROFILES
from tests.conformance.sut import case_of, played
from tests.dictionary.published import VERSIONS

ROLES = ("initiator", "acceptor")


def disconnects(session: Any, garbled: object) -> None:
    session._disconnect("FRM-06", "broken on purpose")


ENCRYPTED = ["14n", *(f"17{letter}" for letter in "cdefghij")]


def of(report: Report, *verdicts: Verdict) -> list[str]:
    return [result.ref for result in report if result.verdict in verdicts]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("begin_string", VERSIONS)
def test_fixlab_passes_every_case_but_that_of_addressing(begin_string: str, role: str) -> None:
    report = played(role=role, begin_string=begin_string)
    # HDR-10: what was agreed on third parties the application knows, not the session.
    assert of(report, Verdict.FAIL, Verdict.BLOCKED, Verdict.LENIENT) == ["18b"]
    assert CASES["18b"].level is Level.OPTIONAL
    assert report.passed
    expected = [ref for ref in ENCRYPTED if begin_string != "FIXT.1.1"]
    if role == "acceptor" and begin_string in ("FIX.4.4", "FIXT.1.1"):
        expected += ["X-14", "X-15"]
    assert of(report, Verdict.SKIP) == expected


def test_together_all_mandatory_cases_but_the_encrypted_one_are_played() -> None:
    mandatory = {ref for ref, case in CASES.items() if case.level is Level.MANDATORY}
    passed: set[str] = set()
    for role in ROLES:
        passed |= set(of(played(role=role), Verdict.PASS))
    assert mandatory - passed == {"14n"}


@pytest.mark.parametrize("begin_string", ["FIX.4.4", "FIXT.1.1"])
def test_with_789_in_use_its_cases_pass_too(begin_string: str) -> None:
    report = played(
        role="acceptor",
        begin_string=begin_string,
        profile=Profile(next_expected=True),
        next_expected=True,
    )
    assert {"X-13", "X-14", "X-15"} <= set(of(report, Verdict.PASS))
    assert of(report, Verdict.FAIL, Verdict.BLOCKED, Verdict.LENIENT) == []


@pytest.mark.parametrize("role", ROLES)
def test_the_quickfix_profile_deviates_where_quickfix_does(role: str) -> None:
    report = played(role=role, imitates="quickfix")
    differ = {
        result.ref
        for result in report
        if CASES[result.ref].quickfix not in (None, result.verdict)
        and result.verdict is not Verdict.SKIP
    }
    assert differ == set()


@pytest.mark.parametrize("name", sorted(PROFILES))
@pytest.mark.parametrize("role", ROLES)
def test_every_profile_gets_through_all_cases(name: str, role: str) -> None:
    report = played(role=role, imitates=name)
    assert of(report, Verdict.BLOCKED) == []
    assert report["2b"].verdict is Verdict.PASS


def test_artio_takes_longer_to_probe_than_the_case_allows() -> None:
    found = played(["6"], imitates="artio")["6"]
    assert (found.verdict, found.rule, found.line) == (Verdict.FAIL, "HBT-04", 1)


def test_a_logout_may_take_as_long_as_was_agreed() -> None:
    quick = Profile(logout_timeout_seconds=1)
    found = played(["13b"], profile=quick)["13b"]
    assert (found.verdict, found.found) == (Verdict.FAIL, "it stayed open")
    assert found.expected == "the connection to be closed within 3 s"
    assert played(["13b"], profile=quick, logout_timeout_seconds=1.0).passed
    slow = Profile(logout_timeout_seconds=30)
    assert played(["13b"], profile=slow, logout_timeout_seconds=25.0).passed


def test_the_same_run_gives_the_same_report() -> None:
    one, other = played(), played()
    assert one.results == other.results
    assert one.table.equals(other.table)


def test_a_session_that_checks_too_little_fails_with_the_rule_it_breaks() -> None:
    refs = ["2o", "2k", "14a", "2q"]
    report = played(refs, sending_time_tolerance_seconds=None, validation="off")
    assert report["2o"].verdict is Verdict.FAIL
    assert (report["2o"].rule, report["2o"].line) == ("HDR-04", 2)
    assert report["14a"].rule == "REJ-04"
    assert report["2q"].verdict is Verdict.FAIL
    assert report["2k"].verdict is Verdict.PASS
    assert not report.passed


def test_transitions_of_the_session_come_with_each_case() -> None:
    report = played(["2b"])
    frame = check(report.transitions("2b"), TRANSITIONS)
    assert "GAP_OPENED" in set(frame["kind"])
    assert "RRQ-01" in set(frame["rule"])


def test_the_transcript_has_both_directions_and_both_connections() -> None:
    text = played(["1S-b"]).transcript("1S-b")
    assert "[2] > 8=FIX.4.4" in text
    assert "[2] ! closed" in text


def test_a_case_of_ones_own_runs_like_any_other() -> None:
    case = case_of("> 35=1|34=2|112=mine\n< 35=0|112=yours  # HBT-03")
    found = played([case])["T-1"]
    assert (found.verdict, found.rule, found.line) == (Verdict.FAIL, "HBT-03", 2)
    assert found.found == "Heartbeat(0) 34=2: 112 is mine, expected yours"


# A session broken on purpose: what to replace, by what, and the cases that must see it.
BROKEN: list[tuple[str, Callable[..., object], set[str]]] = [
    ("fixlab.session.inbound.check_sending_time", lambda *given: None, {"2o"}),
    ("fixlab.session.inbound.check_poss_dup", lambda *given: None, {"2f", "2g"}),
    (
        "fixlab.session.session.Session._on_garbled",
        disconnects,
        {"2d", "2m", "2t", "3b", "X-22"},
    ),
    ("fixlab.session.session.Session._on_low", lambda *given: None, {"2c", "10d"}),
    ("fixlab.session.session.Session._on_early", lambda *given: None, {"2b", "10a", "X-27"}),
    ("fixlab.session.session.Session._on_second_logon", lambda *given: None, {"X-12", "X-10"}),
    (
        "fixlab.session.core.Core._reject",
        lambda *given: None,
        {"2q", "14a", "14b", "14h", "X-04"},
    ),
    ("fixlab.session.ending.Ending._answer_logout", lambda *given: None, {"13b", "X-07"}),
]


@pytest.mark.parametrize(("name", "instead", "seen"), BROKEN)
def test_a_broken_session_is_caught(
    name: str, instead: Callable[..., object], seen: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(name, instead)
    report = played()
    assert seen <= set(of(report, Verdict.FAIL, Verdict.LENIENT))
    # And what has nothing to do with it still passes.
    assert report["3a"].verdict is Verdict.PASS
