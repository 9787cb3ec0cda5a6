"""Transcripts side by side, and where engines part: fixlab's profiles, and reports by hand."""

from __future__ import annotations

import asyncio
import re
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixlab import SessionConfig
from fixlab.conformance import Entry, Report, SessionTarget, Verdict
from fixlab.conformance.alignment import align, parting
from fixlab.conformance.comparison import Comparison, acompare, compare
from fixlab.errors import ConfigError, StateError
from fixlab.frames import DIFFERENCES, check
from tests.conformance import samples

HEAD = "49=A|52=20261125-09:00:00|56=B|"


def entry(text: str, seconds: float = 0.0, connection: int = 1) -> Entry:
    """`> 35=0|34=2` becomes an entry with a header and a trailer."""
    direction, _, body = text.partition(" ")
    if body.startswith("35="):
        kind, _, rest = body.partition("|")
        body = f"8=FIX.4.4|9=70|{kind}|{HEAD}{rest}|10=123|"
    return Entry(seconds, connection, direction, body)


def entries(*texts: str) -> list[Entry]:
    return [entry(text, n / 10) for n, text in enumerate(texts)]


# Alignment ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("< 35=5|34=2|58=too low", "< 35=5|34=2|58=MsgSeqNum too low, expecting 3"),
        ("< 35=1|34=2|112=abc", "< 35=1|34=2|112=xyz"),
        ("< 35=D|34=2|43=Y|122=20261125-09:00:00|11=a", "< 35=D|34=2|43=Y|122=1|11=b"),
        ("> 35=D|34=2|11=a|60=1", "> 35=D|34=2|11=b|60=2"),
        ("! closed", "! closed (Connection reset by peer)"),
        ("> TRICKLE 8=FIX.4.4|9=7|35=1|49=A|", "> TRICKLE 8=FIX.4.4|9=8|35=1|49=ABC|"),
    ],
)
def test_times_ids_and_texts_make_no_difference(left: str, right: str) -> None:
    (pair,) = align([entry(left, 1.0)], [entry(right, 2.0)])
    assert pair.same
    assert parting([pair]) is None


@pytest.mark.parametrize(
    ("left", "right", "tags"),
    [
        ("< 35=3|34=2|45=2|371=56|373=9", "< 35=3|34=2|45=2|373=9", (371,)),
        ("< 35=3|34=2|45=2|373=15", "< 35=3|34=2|45=2|373=16", (373,)),
        ("< 35=5|34=2|58=text", "< 35=5|34=2", (58,)),
        ("< 35=0|34=2|112=A", "< 35=0|34=3|112=A", (34,)),
        ("< 35=3|34=2|45=2", "< 35=5|34=2", (35,)),
    ],
)
def test_fields_that_matter_differ(left: str, right: str, tags: tuple[int, ...]) -> None:
    (pair,) = align([entry(left)], [entry(right)])
    assert not pair.same
    assert pair.tags == tags
    assert parting([pair]) == 0


def test_what_one_of_them_did_more_stands_alone() -> None:
    left = entries("> 35=A|34=1", "< 35=A|34=1", "< 35=2|34=2|7=2|16=0", "< 35=0|34=3|112=X")
    right = entries("> 35=A|34=1", "< 35=A|34=1", "< 35=0|34=3|112=X", "! closed")
    pairs = align(left, right)
    shape = [(pair.left is not None, pair.right is not None) for pair in pairs]
    assert shape == [(True, True), (True, True), (True, False), (True, True), (False, True)]
    assert parting(pairs) == 2


def test_messages_that_cross_are_a_matter_of_time() -> None:
    """The runner writes on while an answer is on its way: which came first says nothing."""
    asked, answered = ("> 35=1|34=2", "> 35=1|34=3"), ("< 35=0|34=2|112=a", "< 35=0|34=3|112=b")
    left = entries(asked[0], answered[0], asked[1], answered[1])
    right = entries(*asked, *answered)
    pairs = align(left, right)
    assert parting(pairs) is None
    assert [pair.crossed for pair in pairs].count(True) == 2
    # Two answers in another order are another matter.
    swapped = entries(*asked, "< 35=2|34=2|7=2|16=0", "< 35=4|34=1|36=2")
    other = entries(*asked, "< 35=4|34=1|36=2", "< 35=2|34=2|7=2|16=0")
    assert parting(align(swapped, other)) == 2
    # So is an answer that never comes, although its question does.
    assert parting(align(left, entries(*asked, answered[0]))) is not None


def test_another_connection_is_not_the_same() -> None:
    one, other = entry("! closed"), entry("! closed", connection=2)
    assert [pair.same for pair in align([one], [other])] == [False, False]


def test_hbt_01_a_heartbeat_more_or_less_is_a_matter_of_time() -> None:
    beat = "< 35=0|34=2"
    few, many = entries("! connected"), entries("! connected", beat)
    assert parting(align(few, many)) is None
    assert parting(align(many, few)) is None
    more = entries("! connected", beat, beat)
    assert parting(align(few, more)) == 1
    assert parting(align(entries("! connected", beat, "! closed"), few)) == 2


def test_nothing_beside_nothing() -> None:
    assert align([], []) == ()
    assert parting([]) is None


TEXTS = st.lists(
    st.sampled_from(["< 35=0|34=2", "< 35=3|34=2|373=1", "> 35=1|34=2", "! closed", "< ?"]),
    max_size=12,
)


@given(TEXTS, TEXTS)
def test_every_entry_stands_in_one_pair_and_in_order(left: list[str], right: list[str]) -> None:
    ours, theirs = entries(*left), entries(*right)
    pairs = align(ours, theirs)
    assert [pair.left for pair in pairs if pair.left] == ours
    assert [pair.right for pair in pairs if pair.right] == theirs
    assert all(pair.left or pair.right for pair in pairs)
    mirrored = align(theirs, ours)
    assert sum(pair.same for pair in mirrored) == sum(pair.same for pair in pairs)
    assert (parting(align(ours, ours))) is None


# Comparing ----------------------------------------------------------------------------


def target(profile: str) -> SessionTarget:
    return SessionTarget(
        SessionConfig(sender_comp_id="VENUE", target_comp_id="LAB", profile=profile)
    )


@cache
def profiles() -> Comparison:
    return compare(
        ["2b", "2g", "2k", "6"], engines={"spec": target("spec"), "qf": target("quickfix")}
    )


def test_the_table_has_each_verdict() -> None:
    table = profiles().table
    assert list(table.columns) == ["ref", "title", "level", "spec", "qf"]
    assert list(table.ref) == ["2b", "2g", "2k", "6"]
    assert list(table.spec) == ["PASS"] * 4
    assert list(table.qf) == ["PASS", "FAIL", "PASS", "PASS"]


def test_the_differences_name_step_rule_and_both_lines() -> None:
    found = check(profiles().differences, DIFFERENCES)
    assert list(found.ref) == ["2g", "2k", "6"]
    assert list(found.rule) == ["HDR-08", "HDR-02", "HBT-04"]
    assert list(found.verdict_first) == ["PASS"] * 3
    # Two pass with both, and yet what these wrote is not the same.
    assert list(found.verdict_second) == ["FAIL", "PASS", "PASS"]
    assert list(found.tags) == ["35", "371", ""]
    assert "< Reject 34=2 45=2" in str(found.line_first[0])
    assert "< NewOrderSingle 34=2" in str(found.line_second[0])
    assert found.line_second[2] == ""


def test_two_transcripts_side_by_side() -> None:
    shown = profiles().transcript("2k")
    lines = str(shown).splitlines()
    assert lines[0].startswith("2k ")
    assert lines[1].split() == ["spec:", "PASS", "qf:", "PASS"]
    marked = [line for line in lines if line.startswith("»")]
    assert len(marked) == 1
    assert marked[0].count("Reject 34=2 45=2") == 2
    assert max(map(len, lines)) <= 96
    html = shown._repr_html_()
    assert html.count("<tr ") == sum(line[0] in "=≠»" for line in lines)


def test_no_wire_text_is_obeyed_and_no_secret_shown() -> None:
    hostile = "< 35=3|34=2|58=<img src=x onerror=alert(1)>\\x1b[2J|554=hunter2"
    one = samples.result("2g", Verdict.FAIL, transcript=tuple(entries(hostile)))
    other = samples.result("2g", Verdict.PASS, transcript=())
    comparison = Comparison(
        {"<b>one": Report([one], samples.CASES), "other": Report([other], samples.CASES)}
    )
    shown = comparison.transcript("2g")
    texts = (str(shown), shown._repr_html_(), comparison._repr_html_())
    for text in texts:
        assert "hunter2" not in text
    for text in texts[1:]:
        assert "<img" not in text
        assert "<b>one" not in text
    assert "hunter2" not in comparison.differences.to_string()


def test_in_a_notebook_what_failed_stands_out() -> None:
    one = Report([samples.result("2g", Verdict.PASS)], samples.CASES)
    other = Report([samples.result("2g", Verdict.FAIL)], samples.CASES)
    html = Comparison({"one": one, "other": other})._repr_html_()
    assert re.findall(r'<td style="text-align:left;[^"]+">(\w+)<', html) == ["FAIL"]


def test_how_the_runner_takes_leave_is_no_part_of_a_case() -> None:
    def report(*more: str) -> Report:
        texts = ("> 35=0|34=5", "< 35=2|34=2|7=2|16=0", "> 35=5|34=2", "< 35=5|34=3", *more)
        one = samples.result("2b", Verdict.PASS, transcript=tuple(entries(*texts)))
        return Report([one], samples.CASES)

    assert Comparison({"a": report(), "b": report("! closed")}).differences.empty


def test_a_verdict_alone_can_differ() -> None:
    reports = {
        verdict: Report([samples.result("2b", verdict)], samples.CASES)
        for verdict in (Verdict.PASS, Verdict.FAIL, Verdict.SKIP, Verdict.BLOCKED)
    }
    found = Comparison({str(name): report for name, report in reports.items()}).differences
    assert [(row.first, row.second) for row in found.itertuples()] == [("PASS", "FAIL")]
    assert found.step.isna().all()
    assert list(found.rule) == ["SEQ-05"]


def test_reports_of_different_cases() -> None:
    one = Report([samples.result("2b", Verdict.PASS)], samples.CASES)
    other = Report([samples.result("2g", Verdict.PASS)], samples.CASES)
    comparison = Comparison({"a": one, "b": other})
    assert list(comparison.table.ref) == ["2b", "2g"]
    assert list(comparison.table.a.isna()) == [False, True]
    assert comparison.differences.empty
    assert repr(comparison) == "<Comparison of a, b: 2 cases, 0 differences>"
    with pytest.raises(KeyError, match="2b"):
        comparison.transcript("2b")


def test_a_mistake_says_what_is_expected() -> None:
    spec = target("spec")
    with pytest.raises(ConfigError, match="two engines or more, found 1"):
        compare(engines={"spec": spec})
    other = SessionTarget(spec.config, "initiator")
    with pytest.raises(ConfigError, match="in one role, found a: acceptor, b: initiator"):
        compare(engines={"a": spec, "b": other})
    with pytest.raises(ConfigError, match="called 'ref'"):
        compare(["2b"], engines={"ref": spec, "b": spec})


def test_in_a_notebook_it_is_awaited() -> None:
    async def story() -> Comparison:
        with pytest.raises(StateError, match="await acompare"):
            compare(["2b"], engines={"a": target("spec"), "b": target("spec")})
        return await acompare(["2b"], engines={"a": target("spec"), "b": target("spec")})

    assert asyncio.run(story()).differences.empty
