"""The page of a report: clear, complete, harmless, and the same every time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fixlab.conformance import CASES, Entry, Report, Verdict
from fixlab.conformance.page import page, section_of
from fixlab.rules import RULES
from tests.conformance import samples
from tests.pages import Outline


def test_the_heading_says_how_it_went() -> None:
    outline = Outline(page(samples.report()))
    assert outline.words["h1"] == ["✗ 1 of 4 mandatory cases failed, 1 could not be played"]
    assert outline.words["title"][0].startswith("FIX session tests: 1 of 4 mandatory cases")
    assert [ref for tag, name, ref in outline.attributes if name == "href"][:2] == [
        "#case-2g",
        "#case-12",
    ]


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        ({"2b": Verdict.PASS, "2g": Verdict.LENIENT}, "✓ All 2 mandatory cases passed"),
        ({"2b": Verdict.PASS}, "✓ The 1 mandatory case passed"),
        ({"2b": Verdict.PASS, "2g": Verdict.SKIP}, "✓ The 1 mandatory case passed"),
        ({"2b": Verdict.FAIL}, "✗ 1 of 1 mandatory case failed"),
        (
            {"2b": Verdict.PASS, "2g": Verdict.BLOCKED},
            "? 1 of 2 mandatory cases could not be played",
        ),
        ({"X-12": Verdict.FAIL}, "– No mandatory case was played"),
        ({}, "– No mandatory case was played"),
    ],
)
def test_the_words_of_the_heading(verdicts: dict[str, Verdict], words: str) -> None:
    results = [samples.result(ref, verdict) for ref, verdict in verdicts.items()]
    outline = Outline(page(Report(results, samples.CASES)))
    assert outline.words["h1"] == [words]


def test_every_case_has_a_row_in_its_section() -> None:
    text = page(samples.report())
    outline = Outline(text)
    sections = re.findall(r'scope="rowgroup">([^<]*)', text)
    assert sections == [
        "Connection and Logon",
        "Standard header",
        "Logout",
        "Messages that are rejected",
        "Supplementary cases, not in the FIX document",
        "Further cases",
    ]
    for ref in samples.CASES:
        assert ref in outline.words["th"] + outline.words["a"]
    assert "Not played: needs the hook app-down" in outline.words["small"]


def test_every_case_of_the_fix_document_has_a_section() -> None:
    assert section_of("1B-c/seq") == "Connection and Logon"
    assert section_of("2S") == "Connection and Logon"
    assert section_of("20") == "PossResend and simultaneous ResendRequests"
    assert {section_of(ref) for ref in CASES} >= {section_of(ref) for ref in ("2b", "X-01")}
    assert "Further cases" not in {section_of(ref) for ref in CASES}


def test_what_differed_is_told_with_its_rule_and_transcript() -> None:
    text = page(samples.report())
    articles = re.findall(r'<article id="([^"]*)" class="([^"]*)">(.*?)</article>', text)
    assert [(name, kind) for name, kind, _ in articles] == [
        ("case-2g", "fail"),
        ("case-12", "blocked"),
        ("case-X-2d-12", "lenient"),
    ]
    told = articles[0][2]
    assert "Reject with 45=2, 371=122, 373=1 within 5 s" in told
    assert "line 2: <code>&lt; 35=3|45=2|371=122|373=1 5s</code>" in told
    assert f"HDR-08 {RULES['HDR-08'].title}." in told
    assert RULES["HDR-08"].expected in told
    for name in ("Logon", "NewOrderSingle", "Reject"):
        assert f"<td>{name}</td>" in told
    assert told.count("<tr ") == 6


def test_links_lead_to_what_is_there() -> None:
    outline = Outline(page(samples.report()))
    names = {value for _, name, value in outline.attributes if name == "id"}
    links = {value for _, name, value in outline.attributes if name == "href"}
    assert links == {f"#{name}" for name in names}


def test_nothing_off_the_wire_or_from_the_caller_is_obeyed() -> None:
    plain = set(Outline(page(samples.report())).tags)
    hostile = "<img src=x onerror=alert(1)>\"'&\x1b[2J\u202e"
    text = page(samples.report(hostile), about={hostile: hostile, "Tested by": hostile})
    outline = Outline(text)
    assert set(outline.tags) == plain
    assert "script" not in plain
    assert "img" not in plain
    assert text.isprintable() or all(c.isprintable() or c == "\n" for c in text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_lgn_26_secrets_are_masked_wherever_they_stand() -> None:
    text = page(samples.report("554=hunter2|"), about={"554=hunter2|": "925=hunter2|1=1"})
    assert "hunter2" not in text
    assert "554=***" in text


def test_it_needs_nothing_else_and_has_no_clock() -> None:
    text = page(samples.report(), about={"Time": "2026-11-25 09:00 UTC"})
    outline = Outline(text)
    loads = {"src", "srcset", "data", "action", "poster"}
    assert not [one for one in outline.attributes if one[1] in loads]
    assert not re.search(r"https?:|url\(|@import", text)
    assert text == page(samples.report(), about={"Time": "2026-11-25 09:00 UTC"})
    assert "2026-11-25 09:00 UTC" in outline.words["dd"]


def test_a_report_writes_its_page(tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    samples.report().to_html(path, about={"Tested by": "the desk"})
    assert path.read_text("utf-8") == page(samples.report(), about={"Tested by": "the desk"})


def test_a_long_transcript_is_cut() -> None:
    entries = tuple(Entry(n, 1, "<", f"8=FIX.4.4|35=0|34={n}|") for n in range(1000))
    one = samples.result("2g", Verdict.FAIL, rule="HDR-08", transcript=entries)
    text = page(Report([one], samples.CASES))
    assert "34=299|" in text
    assert "34=300|" not in text
    assert "700 more lines" in text


def test_a_rule_that_nobody_knows_and_a_version_of_ones_own() -> None:
    one = samples.result("2g", Verdict.FAIL, rule="OUR-1", transcript=samples.LOGON)
    text = page(Report([one], samples.CASES))
    assert "<dd>OUR-1</dd>" in text
