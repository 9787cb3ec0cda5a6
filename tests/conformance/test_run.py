"""run(): which cases are played, which are not and why, and going on where it was left."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from fixlab.conformance import (
    CASES,
    CaseResult,
    ListeningTarget,
    LiveTarget,
    Need,
    Profile,
    SessionTarget,
    Verdict,
    arun,
    dry_run,
    parse_cases,
    run,
)
from fixlab.errors import ConfigError, StateError
from tests.conformance.sut import PROFILE, case_of, config, played


def target(role: str = "acceptor", begin_string: str = "FIX.4.4") -> SessionTarget:
    return SessionTarget(config(begin_string), role)


def why(ref: str, **profile: object) -> str:
    result = run(target(), cases=ref, profile=Profile(**profile))[ref]  # type: ignore[arg-type]
    assert (result.verdict is Verdict.SKIP) is bool(result.found)
    return result.found


def test_of_the_catalogue_only_what_concerns_the_target_is_played() -> None:
    report = run(target("initiator"), profile=PROFILE)
    assert {"1B-a", "2b"} <= {result.ref for result in report}
    assert not {"1S-a", "X-18"} & {result.ref for result in report}


def test_a_case_that_was_asked_for_is_told_why_it_is_not_played() -> None:
    assert why("1B-a") == "is about an initiator"
    assert why("X-18") == "is about FIX.4.0, FIX.4.1"


@pytest.mark.parametrize(
    ("ref", "profile", "reason"),
    [
        ("17c", {}, "encryption inside FIX is not supported"),
        (
            "14a",
            {"dictionary": False},
            "no dictionary checks are expected (Profile.dictionary)",
        ),
        ("8", {"app_types": ()}, "the application answers no orders (Profile.app_types)"),
        ("18a", {}, "no third-party addressing was agreed (Profile.addressing)"),
        (
            "X-14",
            {},
            "NextExpectedMsgSeqNum(789) is not in use (Profile.next_expected)",
        ),
        (
            "1S-a",
            {"next_expected": True},
            "with NextExpectedMsgSeqNum(789) a gap at Logon is not asked for (LGN-22)",
        ),
        ("2d", {"forbidden": {"garbled"}}, "the profile forbids garbled"),
        ("1S-b", {"forbidden": {Need.DUPLICATE}}, "the profile forbids duplicate"),
        ("X-09", {"forbidden": {Need.RESET}}, "the profile forbids reset"),
        ("2b", {"forbidden": {"garbled", "duplicate", "reset", "stranger"}}, ""),
    ],
)
def test_what_was_not_agreed_is_skipped(
    ref: str, profile: dict[str, object], reason: str
) -> None:
    assert why(ref, **profile) == reason


def test_without_a_hook_an_operator_is_missed() -> None:
    class Handless(SessionTarget):
        def __init__(self) -> None:
            super().__init__(config())
            self.hooks = frozenset({"stop"})

    report = run(Handless(), cases=["12", "16a", "14l"])
    assert [result.verdict for result in report] == ["PASS", "SKIP", "SKIP"]
    assert report["16a"].found == "nothing stands in for an operator: no hook app-send"


def test_cases_may_be_ids_objects_or_what_was_parsed() -> None:
    mine = case_of("> 35=1|34=2|112=a\n< 35=0|112=a")
    assert [result.ref for result in played(["2b", mine])] == ["2b", "T-1"]
    assert [result.ref for result in played("2b")] == ["2b"]
    head = "ref: A-1   level: M   role: any   versions: 4.4   rules: SEQ-02   pre: LOGON"
    assert played(parse_cases(f"{head}\n< NONE 1s"))["A-1"].verdict is Verdict.PASS


@pytest.mark.parametrize(
    ("cases", "message"),
    [
        (["2z"], "no test case '2z'"),
        (["2b", "2b"], "case 2b is given twice"),
        ([7], "cases are ids or Case objects, found 7"),
    ],
)
def test_a_wrong_list_of_cases_is_named(cases: list[object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        played(cases)


def test_a_name_that_nothing_has_set_is_the_callers_mistake() -> None:
    with pytest.raises(ConfigError, match=r"case T-1: nothing has set \$never"):
        played([case_of("> 35=1|112=$never")])


def test_what_is_done_already_is_not_played_again(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    seen: list[CaseResult] = []
    first = run(target(), cases=["2a", "2b"], resume=path, progress=seen.append)
    again = run(target(), cases=["2a", "2b", "2c"], resume=path, progress=seen.append)
    assert [result.ref for result in seen] == ["2a", "2b", "2c"]
    assert again.results[:2] == first.results
    assert again["2c"].verdict is Verdict.PASS
    assert len(path.read_text().splitlines()) == 4


def test_what_was_skipped_is_asked_again_when_the_profile_is_another(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    one = run(target(), cases="18a", resume=path)
    other = run(target(), cases="18a", resume=path, profile=PROFILE)
    assert [one["18a"].verdict, other["18a"].verdict] == ["SKIP", "PASS"]


def test_results_of_another_target_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    run(target(), cases="2a", resume=path)
    with pytest.raises(ConfigError, match=r"has results of fixlab as acceptor, .*initiator"):
        run(target("initiator"), cases="2a", resume=path)


def test_a_live_target_in_a_running_loop_is_to_be_awaited() -> None:
    async def story() -> None:
        live = LiveTarget("127.0.0.1", 1, identities=("ME", "SUT"))
        with pytest.raises(StateError, match="use `await arun"):
            run(live, cases="2a")
        assert (await arun(target(), cases="2a")).passed

    asyncio.run(story())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"identities": ("ME",)}, "an identity is the runner's and the target's CompID"),
        ({"identities": [("ME", "SUT")] * 2}, "1 to 1000 different pairs"),
        ({"identities": []}, "1 to 1000 different pairs.*found 0"),
        ({"begin_string": "FIX.5.0"}, "begin_string must be one of FIX.4.0"),
        ({"reset": "never"}, "reset must be one of fresh, logon, continue, operator"),
        ({"reset": "operator"}, 'reset="operator" needs the hook "reset"'),
        ({"begin_string": "FIX.4.0"}, "FIX.4.0 has no ResetSeqNumFlag"),
        ({"hooks": {"jump": print}}, "hooks are connect, reset.*found jump"),
        ({"parallel": 0}, "parallel must be 1 to 200, found 0"),
        ({"pause_seconds": -1}, "pause_seconds must be 0 to 3600, found -1"),
    ],
)
def test_a_target_that_cannot_work_is_refused(
    settings: dict[str, object], message: str
) -> None:
    given = {"identities": ("ME", "SUT"), **settings}
    with pytest.raises(ConfigError, match=message):
        LiveTarget("127.0.0.1", 9880, **given)  # type: ignore[arg-type]


def test_a_reset_that_the_profile_forbids_is_refused() -> None:
    live = LiveTarget("127.0.0.1", 1, identities=("ME", "SUT"), reset="logon")
    with pytest.raises(ConfigError, match="which the profile forbids"):
        run(live, cases="2a", profile=Profile(forbidden=frozenset({Need.RESET})))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heartbeat_seconds": 0}, "heartbeat_seconds must be 1 to 3600, found 0"),
        ({"logout_timeout_seconds": 0}, "logout_timeout_seconds must be above 0"),
        ({"forbidden": {"tea"}}, "forbidden may name garbled.*found tea"),
        ({"forbidden": {Need.APP}}, "forbidden may name garbled.*found app"),
    ],
)
def test_a_profile_that_cannot_work_is_refused(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        Profile(**settings)  # type: ignore[arg-type]


def test_a_dry_run_shows_what_would_be_sent_and_sends_nothing() -> None:
    live = LiveTarget("192.0.2.1", 9880, identities=("ME", "VENUE"))
    text = str(dry_run(live, cases=["2b", "16b", "X-21", "17c"]))
    assert "|35=0|34=5|49=ME|52=20260105-09:00:00.000|56=VENUE|10=" in text
    assert "< 35=2|34=2|7=2|16={0,4,999999} 5s" in text
    assert "> BATCH 8=FIX.4.4" in text
    assert "    SKIP: encryption inside FIX is not supported" in text
    assert "SKIP: nothing stands in for an operator: no hook app-send" in text
    assert str(dry_run(live, cases="2b")) == str(dry_run(live, cases="2b"))


def test_a_dry_run_marks_what_only_the_counterparty_can_tell() -> None:
    text = str(dry_run(target("initiator"), cases=["16b", "6", "1B-d"]))
    assert "$role" not in text
    assert text.count("| ?") == 2
    assert "| ?\n" in text[text.index("6 Probes") :]


@pytest.mark.parametrize("role", ["acceptor", "initiator"])
def test_every_case_can_be_shown_dry(role: str) -> None:
    profile = Profile(addressing=("OBO", "DLV"), next_expected=True)
    text = str(dry_run(target(role), cases=list(CASES), profile=profile))
    assert all(f"\n{ref} " in text for ref in CASES)


def test_a_dry_run_is_shown_escaped_in_a_notebook() -> None:
    listening = ListeningTarget(identities=("<b>", "SUT"))
    assert "&lt;b&gt;" in dry_run(listening, cases="2b")._repr_html_()
