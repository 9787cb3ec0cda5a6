"""A report: a frame, transcripts, and a file that a later run goes on from."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from fixlab.conformance import CASES, CaseResult, Entry, Report, Verdict
from fixlab.errors import ConfigError, LogFormatError
from fixlab.frames import REPORT, check
from fixlab.session.transitions import Role
from tests.conformance.sut import played

REFS = ["2b", "2g", "17c", "18b"]


@pytest.fixture(scope="module")
def report() -> Report:
    return played(REFS, imitates="quickfix")


def hostile(text: str) -> Report:
    result = CaseResult(
        ref="2b",
        verdict=Verdict.FAIL,
        begin_string="FIX.4.4",
        role=Role.ACCEPTOR,
        rule="RRQ-01",
        line=2,
        expected="35=2",
        found=text,
        transcript=(Entry(0.5, 1, "<", text),),
    )
    return Report([result], CASES)


def test_the_table_has_the_schema_and_a_row_for_each_case(report: Report) -> None:
    table = check(report.table, REPORT)
    assert list(table["ref"]) == REFS
    assert list(table["verdict"]) == ["PASS", "FAIL", "SKIP", "FAIL"]
    assert list(table["line"].isna()) == [True, False, True, False]
    assert table["rule"][1] == "HDR-08"
    assert table["found"][2] == "encryption inside FIX is not supported"


def test_counts_have_every_verdict(report: Report) -> None:
    assert report.counts == {"PASS": 1, "LENIENT": 0, "FAIL": 2, "SKIP": 1, "BLOCKED": 0}
    assert not report.passed
    assert repr(report).endswith(": 4 cases, PASS 1, FAIL 2, SKIP 1>")


def test_an_optional_case_does_not_decide() -> None:
    assert played(["18b", "2b"]).passed


def test_a_result_is_found_by_its_case(report: Report) -> None:
    assert report["2g"].rule == "HDR-08"
    assert report.case("2g") is CASES["2g"]
    with pytest.raises(KeyError, match="no result of case '2a'"):
        report["2a"]


def test_a_transcript_has_times_and_directions(report: Report) -> None:
    first, second = report.transcript("2b").splitlines()[:2]
    assert first == "   0.000 ! connected"
    assert second.startswith("   0.000 > 8=FIX.4.4|9=")


def test_everything_off_the_wire_is_escaped_and_masked() -> None:
    shown = hostile("<script>alert(1)</script>|554=hunter2|")._repr_html_()
    assert "<script>" not in shown
    assert "hunter2" not in shown
    assert "&lt;script&gt;" in shown


def test_in_a_notebook_what_did_not_pass_stands_out(report: Report) -> None:
    marked = re.findall(r'style="text-align:left;[^"]+">(\w+)<', report._repr_html_())
    assert marked == ["FAIL", "SKIP", "FAIL"]


def test_a_report_comes_back_from_its_file(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    report.to_json(path)
    again = Report.from_json(path)
    assert again.results == report.results
    assert again.target == report.target
    pd.testing.assert_frame_equal(again.table, report.table)
    pd.testing.assert_frame_equal(again.transitions("2b"), report.transitions("2b"))


def test_a_last_line_that_was_cut_off_is_left_out(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    report.to_json(path)
    path.write_bytes(path.read_bytes()[:-40])
    assert [result.ref for result in Report.from_json(path)] == REFS[:-1]


@pytest.mark.parametrize("text", ["", "{}", "[]", "no json", '{"format": "other"}'])
def test_another_file_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(text)
    with pytest.raises(LogFormatError, match=r"other.jsonl: expected a file that run\("):
        Report.from_json(path)


def test_a_line_that_is_no_result_is_named(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    report.to_json(path)
    lines = path.read_text().splitlines()
    record = json.loads(lines[2]) | {"verdict": "MAYBE"}
    path.write_text("\n".join([*lines[:2], json.dumps(record), *lines[3:]]))
    with pytest.raises(LogFormatError, match=r"report.jsonl, line 3: no result .*MAYBE"):
        Report.from_json(path)


def test_results_of_unknown_cases_are_refused(report: Report) -> None:
    with pytest.raises(ConfigError, match="results of unknown cases: Z-1"):
        Report([replace(report["2b"], ref="Z-1")], CASES)
