"""QuickFIX and fixcore, live: the verdicts of the catalogue, and what compare() finds.

All engines are played at once, each case on a CompID of its own. X-24 waits for a minute for
the engine to hang up: conftest begins it when tests are collected, and others run meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache

import pytest

from fixlab import SessionConfig
from fixlab.conformance import (
    CASES,
    Comparison,
    EngineTarget,
    Profile,
    Report,
    SessionTarget,
    Verdict,
    arun,
    run,
)
from fixlab.dictionary import Dictionary
from fixlab.engines import dictionary_files
from fixlab.errors import ConfigError
from fixlab.session.transitions import Role

AGREED = Profile(addressing=("DESK", "VENUE"))
NEXT_EXPECTED = Profile(next_expected=True)
# What needs 789 is played with it in use, all the rest without.
WITH_789 = ("X-13", "X-14", "X-15")
RUNS = {
    "QuickFIX acceptor": (("quickfix", "acceptor"), None, AGREED),
    "QuickFIX initiator": (("quickfix", "initiator"), None, AGREED),
    "QuickFIX 789": (("quickfix", "acceptor"), WITH_789, NEXT_EXPECTED),
    "fixcore acceptor": (("fixcore", "acceptor"), None, AGREED),
}
# The runner has no encryption, and QuickFIX no way to say that an application is down.
NEVER = {"14l", "14n", *(f"17{letter}" for letter in "cdefghij")}


SLOW = ("X-24",)


def played(*, slow: bool) -> dict[str, Report]:
    """The reports of all engines, about the cases that wait or about the others."""
    refs = {name: [ref for ref in cases_of(name) if (ref in SLOW) == slow] for name in RUNS}
    names = [name for name in RUNS if refs[name]]

    async def all_at_once() -> list[Report]:
        return await asyncio.gather(
            *(
                arun(EngineTarget(*RUNS[name][0]), cases=refs[name], profile=RUNS[name][2])
                for name in names
            )
        )

    return dict(zip(names, asyncio.run(all_at_once()), strict=True))


def cases_of(name: str) -> Sequence[str]:
    (_, role), cases, _ = RUNS[name]
    return of_role(Role(role)) if cases is None else cases


@cache
def slow_ones() -> Future[dict[str, Report]]:
    """Those that wait, in a thread of their own."""
    return ThreadPoolExecutor(1).submit(played, slow=True)


@cache
def reports() -> dict[str, Report]:
    begun = slow_ones()
    quick = played(slow=False)
    slow = begun.result()
    return {name: joined([quick[name], *filter(None, [slow.get(name)])]) for name in RUNS}


def joined(parts: Sequence[Report]) -> Report:
    """One report of several about one engine."""
    results = {one.ref: one for part in parts for one in part}
    cases = {one.ref: part.case(one.ref) for part in parts for one in part}
    ordered = [results[ref] for ref in CASES if ref in results]
    return Report(ordered, cases, target=parts[0].target)


def of_role(role: Role) -> list[str]:
    return [
        ref
        for ref, case in CASES.items()
        if case.role in (None, role) and "FIX.4.4" in case.versions
    ]


def tell(report: Report, ref: str, wanted: Verdict | None) -> None:
    """Fails with the transcript when the verdict is another than the catalogue's."""
    result = report[ref]
    if ref in NEVER:
        assert result.verdict is Verdict.SKIP
    elif wanted is None:
        assert result.verdict in (Verdict.PASS, Verdict.LENIENT, Verdict.FAIL)
    else:
        told = f"{result!r}\n{report.case(ref)}\n{report.transcript(ref)}"
        assert result.verdict is wanted, told


@pytest.mark.parametrize("ref", of_role(Role.ACCEPTOR))
def test_quickfix_as_acceptor_does_what_the_catalogue_says(ref: str) -> None:
    name = "QuickFIX 789" if ref in WITH_789 else "QuickFIX acceptor"
    tell(reports()[name], ref, CASES[ref].quickfix)


@pytest.mark.parametrize("ref", of_role(Role.INITIATOR))
def test_quickfix_as_initiator_does_what_the_catalogue_says(ref: str) -> None:
    # It proposes HeartBtInt(108) itself, and never 0.
    wanted = Verdict.SKIP if ref == "X-23" else CASES[ref].quickfix
    tell(reports()["QuickFIX initiator"], ref, wanted)


def test_every_case_of_either_role_is_there() -> None:
    assert [one.ref for one in reports()["QuickFIX acceptor"]] == of_role(Role.ACCEPTOR)
    assert [one.ref for one in reports()["QuickFIX initiator"]] == of_role(Role.INITIATOR)
    assert set(of_role(Role.ACCEPTOR) + of_role(Role.INITIATOR)) >= NEVER


# Comparing ----------------------------------------------------------------------------


def in_memory(profile: str, role: str = "acceptor") -> Report:
    dictionary = Dictionary.from_quickfix_xml(*dictionary_files("FIX.4.4"))
    config = SessionConfig(
        sender_comp_id="QF",
        target_comp_id="LAB",
        dictionary=dictionary,
        validation="strict",
        profile=profile,
    )
    return run(SessionTarget(config, role), profile=AGREED)


@cache
def comparison() -> Comparison:
    return Comparison(
        {
            "spec": in_memory("spec"),
            "profile": in_memory("quickfix"),
            "QuickFIX": reports()["QuickFIX acceptor"],
            "fixcore": reports()["fixcore acceptor"],
        }
    )


# Where the order of what is heard is chance, so that only verdicts are compared, above. 16b:
# QuickFIX writes each part of a replay by itself, and the case is over with its last order: the
# gap fill behind it comes in time, or too late to be noted. 4a and 6: both sides have something
# due after the same two seconds, and QuickFIX counts in whole ones.
BY_CHANCE = {"16b", "4a", "6"}


def assert_equal(found: Comparison) -> None:
    table = found.differences
    parted = table[(table["first"] == "profile") & (table["second"] == "QuickFIX")].ref
    refs = sorted(set(parted) - BY_CHANCE)
    shown = [str(found.transcript(ref, "profile", "QuickFIX")) for ref in refs]
    assert refs == [], "\n\n".join(shown)


def test_the_profile_is_quickfix_as_acceptor() -> None:
    assert_equal(comparison())


def test_the_profile_is_quickfix_as_initiator() -> None:
    engine = reports()["QuickFIX initiator"]
    profile = in_memory("quickfix", "initiator")
    assert_equal(Comparison({"profile": profile, "QuickFIX": engine}))


def test_what_four_engines_do_with_a_repeat_without_its_time() -> None:
    table = comparison().table.set_index("ref")
    assert list(table.loc["2g", ["spec", "profile", "QuickFIX", "fixcore"]]) == [
        *("PASS", "FAIL", "FAIL", "PASS"),
    ]
    shown = str(comparison().transcript("2g", "fixcore", "QuickFIX"))
    assert "Required tag missing" in shown


def test_each_difference_names_a_line_of_both_transcripts() -> None:
    found = comparison().differences
    assert len(found) > 20
    assert found.rule.astype(str).str.fullmatch(r"[A-Z]{3}-\d\d").all()
    told = found[found.step.notna()]
    assert ((told.line_first != "") | (told.line_second != "")).all()


# What a target says -------------------------------------------------------------------


def test_an_engine_has_sessions_for_the_cases_it_was_given() -> None:
    target = EngineTarget("fixcore", cases={"2a": CASES["2a"]})
    assert run(target, cases=["2a"]).passed
    with pytest.raises(
        ConfigError, match="no session for case 2b; give EngineTarget its cases"
    ):
        run(target, cases=["2a", "2b"])
    assert run(target, cases=["2a"]).passed  # and it starts anew each time


def test_hooks_are_those_of_the_engine() -> None:
    assert EngineTarget("quickfix").hooks == {"stop", "app-send"}
    assert EngineTarget("fixcore", "initiator").hooks == {"connect", "stop", "app-send"}
    assert repr(EngineTarget("quickfix")) == "<EngineTarget QuickFIX as acceptor, FIX.4.4>"
    with pytest.raises(ConfigError, match="no engine 'artio'"):
        EngineTarget("artio")
