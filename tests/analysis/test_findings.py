"""Findings as people and programs use them: table, words, evidence; and hostile logs."""

from __future__ import annotations

import html
import random
import re
from pathlib import Path

import pandas as pd
import pytest

import fixlab
from fixlab.analysis import ledger, resends
from fixlab.analysis._case import Case
from fixlab.analysis.findings import Findings, analyze
from fixlab.errors import ConfigError, FixLabError, SchemaError
from fixlab.frames import FINDINGS, MESSAGES, check, empty
from fixlab.logs import read as reading
from fixlab.logs._sources import sources
from fixlab.logs.read import read_log
from fixlab.rules import RULES
from fixlab.wire.message import encode
from tests.analysis.logged import read, script, write
from tests.analysis.planted import LOGON, LOGON_LOGOUT, PLANTS
from tests.tools.make_dispute_log import LOG

FILLED_OVER = LOGON + (
    "1 > D 2\n2 > D 3 lost\n3 > D 4\n3.1 < 2 2 7=3 16=3\n3.2 > 4 3 dup 123=Y 36=4\n"
    "9 > D 5\n10 > 5 6\n10.1 < 5 3"
)


def found_in(
    folder: Path, text: str, *, ours: str = "BUY", style: str = "prefixed"
) -> Findings:
    return analyze(read(folder, script(text)[ours], style, ours=ours))


def test_the_table_keeps_its_schema_and_names_rules_that_exist(tmp_path: Path) -> None:
    found = found_in(tmp_path, FILLED_OVER)
    table = check(found.table, FINDINGS)
    assert list(table.columns) == FINDINGS.names
    assert set(table["rule"].astype("str")) <= set(RULES)
    told = table.set_index("code").loc["APP_MSG_FILLED_OVER"]
    assert (told["side"], told["begin_seq_no"], told["msg_seq_num"]) == ("BUY", 3, 3)


def test_each_code_cites_a_rule_that_exists() -> None:
    from fixlab.analysis._codes import CODES, FOLLOWS

    assert tuple(CODES) == FINDINGS["code"].categories
    assert {code.rule for code in CODES.values()} <= set(RULES)
    assert set(FOLLOWS) | {code for codes in FOLLOWS.values() for code in codes} <= set(CODES)


def test_sch_02_where_the_log_leaves_logons_out_numbers_may_have_begun_anew(
    tmp_path: Path,
) -> None:
    orders = b"".join(
        line + b"\n" for line in LOG.read_bytes().split(b"\n") if b"\x0111=" in line
    )
    (tmp_path / "orders.log").write_bytes(orders)
    table = analyze(fixlab.read_log(tmp_path / "orders.log")).table
    again = table[table["code"] == "DUPLICATE_NOT_FLAGGED"]
    assert list(again["begin_seq_no"]) == [2, 2]
    assert again["side"].isna().all()
    assert set(again["severity"]) == {"risk"}
    assert again["summary"].str.endswith("or began anew: the log leaves Logons out.").all()


def test_a_healthy_log_is_plainly_called_so(tmp_path: Path) -> None:
    found = found_in(tmp_path, LOGON_LOGOUT)
    assert found.faults == 0
    assert "Nothing wrong" in found.summary()
    assert repr(found) == "<Findings 0 faults, 0 risks, 0 notes>"


def test_a_log_without_messages_is_nothing_to_tell() -> None:
    found = analyze(empty(MESSAGES))
    assert len(found) == 0
    assert "no messages" in found.summary()


def test_the_summary_says_who_what_when_and_what_to_do(tmp_path: Path) -> None:
    found = found_in(tmp_path, FILLED_OVER)
    (at,) = found.table.index[found.table["code"] == "APP_MSG_FILLED_OVER"]
    lines = found.summary().split("\n")
    assert lines[0].endswith(", 2026-01-05 09:00:00.000 to 09:00:10.100 UTC.")
    assert lines[1] == "No rule is broken as far as this log shows, but 1 risk."
    assert lines[2] == "1 number was missing: 1 gap-filled."
    assert lines[3] == f"Application messages were filled over instead of replayed: [{at}]."
    assert lines[5] == "APP_MSG_FILLED_OVER, a risk, the doing of BUY:"
    assert lines[6] == (
        f"  [{at}] 09:00:03.200, row {found.evidence(at).rows[-1]}: BUY filled over "
        "NewOrderSingle(D) with MsgSeqNum(34) 3, which SELL had asked for."
    )
    assert lines[7].startswith("  Rule RSP-01: Application messages are replayed")
    assert lines[8].startswith("  What to do: Reconcile these business messages")


def test_a_number_in_the_summary_is_that_of_evidence_and_page(tmp_path: Path) -> None:
    found = analyze(fixlab.read_log(LOG))
    told = re.findall(r"^  \[(\d+)\] .*row (\d+): (.*)$", found.summary(), re.MULTILINE)
    roots = found.table["caused_by"].isna()
    assert sorted(int(number) for number, _, _ in told) == found.table.index[roots].tolist()
    page = tmp_path / "page.html"
    found.to_html(page)
    articles = dict(
        re.findall(
            r'<article id="finding-(\d+)" .*?</span> (.*?) <small>', page.read_text("utf-8")
        )
    )
    for number, row, summary in told:
        assert found.table["summary"].loc[int(number)] == summary
        assert int(row) in found.evidence(int(number)).rows
        assert html.unescape(articles[number]) == f"{number}. {summary}"


def test_what_follows_is_told_with_the_root_by_its_number() -> None:
    told = analyze(fixlab.read_log(LOG)).summary()
    assert "  From this follows: SEQ_GAP [4]." in told
    assert "  From this follows: LOGON_REFUSED [7]." in told
    assert "VENUE's MsgSeqNum(34) 63 to 65, which it had asked for already" in told


def test_findings_of_one_kind_are_one_paragraph(tmp_path: Path) -> None:
    lines = []
    for i in range(7):
        at, lost = 10 * i, 3 + 2 * i
        lines += [
            f"{at + 2} > D {lost} lost",
            f"{at + 3} > D {lost + 1}",
            f"{at + 3.1:.1f} < 2 {2 + i} 7={lost} 16={lost}",
            f"{at + 3.2:.1f} > 4 {lost} dup 123=Y 36={lost + 1}",
        ]
    told = found_in(tmp_path, LOGON + "1 > D 2\n" + "\n".join(lines)).summary()
    assert told.count("APP_MSG_FILLED_OVER") == 1
    assert "APP_MSG_FILLED_OVER, 7 risks, the doing of BUY:" in told
    assert told.count("BUY filled over NewOrderSingle(D) with MsgSeqNum(34) ") == 5
    assert "… and 2 more of it: see `table`." in told


def test_what_the_log_cannot_tell_is_said(tmp_path: Path) -> None:
    middle = "\n".join(["0 > 0 40", "0.5 < 0 70", "1 > 0 41", "2 < 0 71"])
    log = read(tmp_path, script(middle)["BUY"], "prefixed")
    late = "The log begins with MsgSeqNum(34) 40 of BUY, 70 of SELL; what came before is not"
    assert late in analyze(log).summary()
    known = analyze(log, expected_start={"BUY": 40, "SELL": 70}).summary()
    assert "The log begins" not in known
    alone = [line for line in script(LOGON_LOGOUT)["BUY"] if line.out]
    found = analyze(read(tmp_path, alone, "quickfix"))
    found.to_html(page := tmp_path / "page.html")
    for told in (found.summary(), page.read_text("utf-8")):
        assert "The log shows one side only" in told


def test_a_silence_behind_a_logout_is_none(tmp_path: Path) -> None:
    lines = LOGON + "1 > D 2\n2 > 5 3\n3000 > 5 4 58=low"
    alone = [line for line in script(lines)["BUY"] if line.out]
    assert not len(analyze(read(tmp_path, alone, "quickfix")).table)


def test_the_first_numbers_that_the_caller_knows_reach_all_frames(tmp_path: Path) -> None:
    middle = "\n".join(["0 > 0 40", "0.5 < 0 70", "1 > 0 41", "2 < 0 71"])
    log = read(tmp_path, script(middle)["BUY"], "prefixed")
    assert len(analyze(log).ledger) == 0
    starts = {"SELL": 67}
    found = analyze(log, expected_start=starts)
    assert found.ledger["begin_seq_no"].tolist() == [67, 68, 69]
    assert found.gaps[["begin_seq_no", "end_seq_no"]].to_numpy().tolist() == [[67, 69]]
    pd.testing.assert_frame_equal(found.ledger, ledger(log, expected_start=starts))
    pd.testing.assert_frame_equal(found.resends, resends(log, expected_start=starts))
    only = found.only(found.table["session"].iloc[0])
    assert len(only.gaps) == 1
    assert len(only.ledger) == 3
    assert "3 numbers were missing" in found.summary()


def test_evidence_is_the_lines_of_the_log(tmp_path: Path) -> None:
    found = found_in(tmp_path, FILLED_OVER)
    at = found.table.index[found.table["code"] == "APP_MSG_FILLED_OVER"][0]
    shown = found.evidence(int(at))
    assert "34=3|52=20260105-09:00:02.000|11=ORD-3" in shown.lines[0]
    assert "123=Y|36=4" in shown.lines[1]


def test_evidence_masks_what_is_secret(tmp_path: Path) -> None:
    found = found_in(tmp_path, LOGON_LOGOUT.replace("> A 1", "> A 1 553=me 554=hush"))
    at = found.table.index[found.table["code"] == "SECRET_IN_LOG"][0]
    assert "554=" in str(found.evidence(int(at)))
    assert "hush" not in str(found.evidence(int(at)))


def test_a_frame_without_its_file_still_has_evidence(tmp_path: Path) -> None:
    log = read(tmp_path, script(FILLED_OVER)["BUY"], "prefixed")
    found = analyze(log.frame)
    assert found.table.equals(analyze(log).table)
    assert "new_seq_no=4" in str(found.evidence(len(found) - 1)) or len(found) > 1


def test_a_consequence_names_its_root_and_is_no_further_fault(tmp_path: Path) -> None:
    text = LOGON + "1 > D 2\n2 > D 3 sum\n3 > D 4\n3.1 < 2 2 7=3 16=3\n3.2 > D 3 dup\n4 > D 5"
    table = found_in(tmp_path, text).table
    root = table.index[table["code"] == "CHECKSUM_BAD"][0]
    gap = table[table["code"] == "SEQ_GAP"].iloc[0]
    assert gap["caused_by"] == root
    assert (table["severity"] == "fault").sum() == 1


HOSTILE = "58=\x1b[31m<script>alert(1)</script>\u202e"


@pytest.mark.parametrize("style", ["prefixed", "quickfix"])
def test_escapes_in_text_are_harmless(tmp_path: Path, style: str) -> None:
    text = LOGON.replace("< A 1", f"< 5 1 {HOSTILE}")
    found = found_in(tmp_path, text.encode("utf-8").decode("latin-1"), style=style)
    assert "LOGON_REFUSED" in repr(found)
    for shown in (
        repr(found),
        found.summary(),
        str(found.evidence(0)),
        *found.table["summary"],
    ):
        assert "\x1b" not in shown
        assert "\u202e" not in shown
    for page in (found._repr_html_(), found.evidence(0)._repr_html_()):
        assert "<script>" not in page
        assert "\x1b" not in page


@pytest.mark.parametrize("block_bytes", [64, 300, 1000])
def test_any_split_into_blocks_gives_the_same_findings(
    tmp_path: Path, block_bytes: int
) -> None:
    for plant in PLANTS[::6]:
        lines = plant.make()[plant.keepers[0]][:400]
        path = tmp_path / "FIX.4.4-BUY-SELL.messages.current.log"
        path.write_text(write(lines, "prefixed"), encoding="latin-1", newline="")
        whole = analyze(fixlab.read_log(path), **plant.options)
        split = reading._read(sources(path), (), frozenset(), block_bytes)
        pd.testing.assert_frame_equal(analyze(split, **plant.options).table, whole.table)


def test_arbitrary_bytes_raise_nothing_but_a_fixlab_error(tmp_path: Path) -> None:
    rng = random.Random(20260105)
    whole = write(script(FILLED_OVER)["BUY"], "raw").encode("latin-1")
    path = tmp_path / "any.log"
    for _ in range(60):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 30)):
            at = rng.randrange(len(data))
            if rng.random() < 0.5:
                data[at] = rng.choice(b"0123456789=\x01|AD\xff\x00-")
            else:
                data[at:at] = data[rng.randrange(len(data)) :][: rng.randrange(80)]
        path.write_bytes(data)
        try:
            found = analyze(fixlab.read_log(path))
            found.summary()
            [found.evidence(i) for i in range(len(found))]
        except FixLabError:
            continue


def test_the_callers_mistakes_say_what_was_expected(tmp_path: Path) -> None:
    log = read(tmp_path, script(LOGON_LOGOUT)["BUY"], "prefixed")
    with pytest.raises(ConfigError, match="expected one of"):
        analyze(log, expected_start={"NOBODY": 3})
    with pytest.raises(SchemaError, match="frame"):
        analyze([1, 2])


def test_expected_start_tells_of_what_came_before_the_log(tmp_path: Path) -> None:
    log = read(tmp_path, script("0 > D 7\n1 > D 8\n2 < 8 4")["SELL"], "prefixed", ours="SELL")
    assert "SEQ_GAP" not in set(analyze(log).table["code"])
    table = analyze(log, expected_start={"BUY": 5}).table
    gap = table[table["code"] == "SEQ_GAP"].iloc[0]
    assert (gap["begin_seq_no"], gap["end_seq_no"]) == (5, 6)


def test_the_frames_behind_the_findings(tmp_path: Path) -> None:
    found = found_in(tmp_path, FILLED_OVER, ours="SELL")
    log = read(tmp_path, script(FILLED_OVER)["SELL"], "prefixed", ours="SELL")
    assert found.gaps.equals(fixlab.gaps(log))
    assert found.ledger.equals(fixlab.ledger(log))
    assert found.resends.equals(fixlab.resends(log))
    assert len(found.intervals.columns)


def hidden(count: int, *, sign: str = "sum") -> str:
    """A session in whose log all of BUY's orders but the last ones are damaged."""
    orders = "\n".join(f"{1 + n / 100:.2f} > D {n} {sign}" for n in range(2, count + 2))
    return f"{LOGON}{orders}\n"


def test_many_damaged_messages_that_nobody_missed_are_one_finding(tmp_path: Path) -> None:
    lost, after = 302, "20 > D {}\n20.1 < 2 2 7={} 16={}\n20.2 > D {} dup\n21 > D {}"
    text = hidden(300) + f"19 > D {lost} sum\n" + after.format(303, lost, lost, lost, 304)
    table = found_in(tmp_path, text).table
    damage = table[table["code"] == "CHECKSUM_BAD"]
    assert damage["severity"].tolist() == ["info", "fault"]
    many, one = damage.iloc[0], damage.iloc[1]
    assert (many["begin_seq_no"], many["end_seq_no"]) == (2, 301)
    assert many["summary"].startswith("300 of 305 messages of BUY are damaged (check_sum)")
    assert many["by"] == "BUY"
    assert pd.isna(many["side"])
    # Beyond all that is told one by one, this one was missed, and is told.
    assert (one["begin_seq_no"], one["side"]) == (lost, "BUY")


def test_a_few_damaged_messages_are_told_one_by_one(tmp_path: Path) -> None:
    table = found_in(tmp_path, hidden(3) + "9 > D 5").table
    assert table[table["code"] == "CHECKSUM_BAD"]["begin_seq_no"].tolist() == [2, 3, 4]


def test_what_is_cut_all_through_is_not_searched_again_for_each_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wires = [
        encode(b"FIX.4.4", b"35=D\x0134=%d\x0149=BUY\x0156=SELL\x0158=x\x01" % number)[:-7]
        for number in range(1, 1_000)
    ]
    path = tmp_path / "a.log"
    path.write_bytes(b"\n".join(wires + [wires[4].replace(b"34=5", b"34=")] * 200))
    steps = 0
    first_after = Case.first_after

    def counted(self: Case, session: str, row: int, *, whole: bool = False) -> int | None:
        nonlocal steps
        steps += 1
        return first_after(self, session, row, whole=whole)

    monkeypatch.setattr(Case, "first_after", counted)
    table = analyze(read_log(path)).table
    assert table["summary"].str.contains("999 of ").sum() == 1
    assert (table["code"] == "GARBLED").sum() > 50
    assert steps < 3 * 200


def test_a_message_cut_off_where_the_log_ends_is_told_so() -> None:
    found = analyze(fixlab.read_log(LOG.parent / "odd_lines.log"))
    told = found.table.set_index("code")["summary"]
    assert told["GARBLED"].endswith("The log ends in the middle of it.")
    assert told["CHECKSUM_BAD"].endswith("CheckSum(10) is not the sum of its bytes. Nobody "
                                         "missed it: the logger masks or rewrites it, or "
                                         "nobody checks.")  # fmt: skip
