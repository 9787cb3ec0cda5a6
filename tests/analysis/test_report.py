"""The page of a log's findings: clear, complete, harmless, and the same every time."""

from __future__ import annotations

import re
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot
from pandas.testing import assert_frame_equal
from PIL import Image

from fixlab.analysis import analyze
from fixlab.analysis.report import Content, page
from fixlab.errors import ConfigError
from fixlab.logs.read import read_log
from fixlab.rules import RULES
from tests.analysis.logged import read
from tests.analysis.planted import no_heartbeats
from tests.analysis.reported import content, log_of
from tests.pages import Outline
from tests.tools.make_dispute_log import LOG

SESSION = "FIX.4.4:VENUE->FIRM"
PNG = b"\x89PNG\r\n\x1a\n"
CUT = {
    "code": "ENDED_WITHOUT_LOGOUT",
    "severity": "info",
    "confidence": "high",
    "rule": "DSC-02",
    "session": SESSION,
    "time": "2026-01-05T09:34:32.837Z",
    "summary": "The connection ended without a Logout.",
}
STORM = {
    "code": "RESEND_STORM",
    "severity": "risk",
    "confidence": "high",
    "rule": "RRQ-04",
    "side": "FIRM",
    "session": SESSION,
    "time": "2026-01-05T09:38:48.895Z",
    "msg_seq_num": 68,
    "begin_seq_no": 63,
    "end_seq_no": 65,
    "summary": "FIRM asked five times for 63 to 65.",
}
FILLED = {
    **STORM,
    "code": "APP_MSG_FILLED_OVER",
    "severity": "fault",
    "rule": "RSP-01, RSP-04",
    "side": "VENUE",
    "begin_seq_no": 32,
    "end_seq_no": 32,
    "summary": "VENUE filled over ExecutionReport 32.",
    "expected": "ExecutionReport 32 once more.",
    "advice": "Ask VENUE for it.",
    "caused_by": None,
}
LOW = {**FILLED, "side": "FIRM", "summary": "FIRM forgot its numbers.", "rule": "LGN-11"}


def dispute(*rows: dict[str, Any], **more: Any) -> Content:
    return content(read_log(LOG), *rows, **more)


def headline(*rows: dict[str, Any]) -> str:
    (words,) = Outline(page(dispute(*rows))).words["h1"]
    return words


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([CUT, STORM, FILLED, FILLED, LOW], "✗ 3 faults, 2 by VENUE, 1 by FIRM; 1 risk"),
        ([FILLED], "✗ 1 fault, by VENUE"),
        ([{**FILLED, "side": None}], "✗ 1 fault, by an unknown side"),
        # A few sides are named, the others counted.
        (
            [{**FILLED, "side": f"V{n}"} for n in (1, 2, 2, 3, 4, 4, 5)],
            "✗ 7 faults, 2 by V2, 2 by V4, 1 by V1 and 2 by 2 others",
        ),
        # A consequence is no further fault.
        ([FILLED, {**LOW, "caused_by": 0}], "✗ 1 fault, by VENUE"),
        ([CUT, STORM], "! No fault seen, 1 risk"),
        ([CUT], "✓ No trouble seen"),
        ([], "✓ No trouble seen"),
    ],
)
def test_the_heading_says_who_is_at_fault(rows: list[dict[str, Any]], words: str) -> None:
    assert headline(*rows) == words


def test_a_lost_number_is_in_the_heading_even_without_a_finding(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        "8=FIX.4.4|9=5|35=A|34=1|49=US|56=THEM|108=30|10=000|",
        "8=FIX.4.4|9=5|35=A|34=1|49=THEM|56=US|108=30|10=000|",
        "8=FIX.4.4|9=5|35=8|34=2|49=THEM|56=US|10=000|",
        "8=FIX.4.4|9=5|35=8|34=5|49=THEM|56=US|10=000|",
        framed=True,
    )
    outline = Outline(page(content(log)))
    assert outline.words["h1"] == ["! No fault seen, 2 numbers lost or open"]
    assert "2 numbers were missing: 2 still missing." in outline.words["p"]
    told = analyze(log).summary()
    assert "No rule is broken as far as this log shows, but 2 numbers lost or open." in told
    assert "3 to 4" in outline.words["td"]
    assert "never" in outline.words["td"]


def test_what_was_filled_over_is_told_beside_the_counts() -> None:
    over = "Application messages were filled over instead of replayed"
    assert over not in page(dispute(STORM))
    told = page(dispute(STORM, FILLED))
    assert f'<p>{over}: see finding <a href="#finding-1">1</a>.</p>' in told


def test_findings_stand_in_groups_the_worst_first() -> None:
    text = page(dispute(CUT, STORM, FILLED))
    assert re.findall(r'scope="rowgroup">(\w+) <small>([^<]*)', text) == [
        ("Faults", "a rule was broken"),
        ("Risks", "no rule was broken, and yet it will hurt"),
        ("Notes", "what else to know"),
    ]
    articles = re.findall(r'<article id="([^"]*)" class="([^"]*)">', text)
    assert articles == [("finding-2", "fault"), ("finding-1", "risk"), ("finding-0", "info")]


def test_a_finding_is_told_with_rules_evidence_and_cause() -> None:
    text = page(dispute(FILLED, {**STORM, "caused_by": 0}, shown=[[64, 68, 69]]))
    (first,) = re.findall(r"<article .*?</article>", text)
    for words in (
        "VENUE filled over ExecutionReport 32.",
        "<dd>2026-01-05 09:38:48.895</dd>",
        "ExecutionReport 32 once more.",
        "Ask VENUE for it.",
        f"RSP-01 {RULES['RSP-01'].title}.",
        RULES["RSP-04"].expected,
        "<td>ResendRequest</td>",
    ):
        assert words in first
    lines = re.findall(r"<td>([^<]*)</td><td>(\w+) →</td><td>(\w+)</td><td>(.*?)</td>", first)
    assert [line[:3] for line in lines] == [
        ("09:34:12.823", "VENUE", "ExecutionReport"),
        ("09:34:32.848", "FIRM", "ResendRequest"),
        ("09:34:32.848", "VENUE", "SequenceReset"),
    ]
    assert "|<wbr>11=ORD-31|<wbr>" in lines[0][3]
    assert first.count("⋯") == 1  # rows between that are not shown
    # What follows from it is in the list, and leads there.
    assert 'RESEND_STORM, follows from <a href="#finding-0">0</a>' in text


def test_a_page_about_one_session_counts_its_messages_only(tmp_path: Path) -> None:
    log_of(tmp_path, "8=FIX.4.4|9=5|35=0|34=1|49=A|56=B|10=000|", name="a.log")
    log_of(tmp_path, "8=FIX.4.4|9=5|35=0|34=1|49=C|56=D|10=000|", name="c.log")
    log = read_log(tmp_path)
    (session,) = [name for name in log.frame["session"].unique() if "A" in name]
    outline = Outline(page(content(log, session=session)))
    assert outline.words["dd"][:3] == [session, "a.log", "1, 1 of them garbled"]


def test_of_several_sessions_the_list_says_which(tmp_path: Path) -> None:
    log_of(tmp_path, "8=FIX.4.4|9=5|35=0|34=1|49=A|56=B|10=000|", name="a.log")
    log_of(tmp_path, "8=FIX.4.4|9=5|35=0|34=1|49=C|56=D|10=000|", name="c.log")
    log = read_log(tmp_path)
    session = "FIX.4.4:A->B"
    rows = ({**CUT, "session": session}, {**CUT, "session": ""})
    told = page(content(log, *rows))
    assert "<small>ENDED_WITHOUT_LOGOUT in FIX.4.4:A-&gt;B</small>" in told
    assert "<small>ENDED_WITHOUT_LOGOUT</small></td>" in told
    assert "in FIX.4.4" not in page(content(log, *rows, session=session))


def test_the_ledger_and_the_requests_have_their_tables() -> None:
    text = page(dispute())
    assert "6 numbers were missing: 3 replayed, 3 gap-filled." in text
    ledger = re.search(r'<table class="list ledger">.*?</table>', text)
    assert ledger is not None
    assert "<td>5×, first 09:38:48.895</td><td>replayed</td>" in ledger[0]
    requests = re.search(r'<table class="list requests">.*?</table>', text)
    assert requests is not None
    assert requests[0].count("<tr>") == 1 + 6


def test_neighbours_with_one_fate_share_a_row(tmp_path: Path) -> None:
    messages = ["8=FIX.4.4|9=5|35=A|34=1|49=US|56=THEM|108=30|10=000|"]
    messages += ["8=FIX.4.4|9=5|35=A|34=1|49=THEM|56=US|108=30|10=000|"]
    messages += ["8=FIX.4.4|9=5|35=8|34=9|49=THEM|56=US|10=000|"]
    messages += ["8=FIX.4.4|9=5|35=2|34=2|49=US|56=THEM|7=2|16=0|10=000|"]
    for n in range(2, 6):
        messages += [f"8=FIX.4.4|9=5|35=8|34={n}|43=Y|49=THEM|56=US|10=000|"]
    messages += ["8=FIX.4.4|9=5|35=4|34=6|43=Y|49=THEM|56=US|123=Y|36=9|10=000|"]
    text = page(content(log_of(tmp_path, *messages, framed=True)))
    ledger = re.search(r'<table class="list ledger">.*?</table>', text)
    assert ledger is not None
    rows = re.findall(
        r"<tr><td>([^<]*)</td>.*?<td>09:00:03.000</td><td>([^<]*)</td>", ledger[0]
    )
    assert rows == [("2 to 5", "replayed"), ("6 to 8", "gap-filled")]


def test_links_lead_to_what_is_there() -> None:
    outline = Outline(page(dispute(CUT, STORM, {**FILLED, "caused_by": 1})))
    names = {value for _, name, value in outline.attributes if name == "id"}
    links = {value for _, name, value in outline.attributes if name == "href"}
    assert links == {f"#{name}" for name in names}


def test_findings_write_their_page(tmp_path: Path) -> None:
    found = analyze(read_log(LOG))
    path = tmp_path / "page.html"
    found.to_html(path, about={"Ticket": "4711"})
    outline = Outline(path.read_text("utf-8"))
    assert outline.words["h1"] == ["✗ 1 fault, by FIRM; 2 risks"]
    assert "4711" in outline.words["dd"]
    for summary in found.table["summary"]:
        assert summary in outline.words["td"]
    # The order that was lost, in the line that shows it left.
    assert any("37=V-31" in word for word in outline.words["td"])


def test_a_page_of_one_session_tells_nothing_of_another(tmp_path: Path) -> None:
    (tmp_path / LOG.name).write_bytes(LOG.read_bytes())
    other = LOG.name.replace("FIRM", "MIRF")
    (tmp_path / other).write_bytes(LOG.read_bytes().replace(b"FIRM", b"MIRF"))
    found = analyze(read_log(tmp_path))
    found.only(SESSION).to_html(tmp_path / "page.html")
    text = (tmp_path / "page.html").read_text("utf-8")
    assert "MIRF" not in text
    assert Outline(text).words["h1"] == ["✗ 1 fault, by FIRM; 2 risks"]


def test_one_session_of_several_is_told_alone(tmp_path: Path) -> None:
    alone = analyze(read_log(LOG))
    (tmp_path / LOG.name).write_bytes(LOG.read_bytes())
    other = LOG.name.replace("FIRM", "FIMR")  # same letters, so lengths and sums are right
    (tmp_path / other).write_bytes(LOG.read_bytes().replace(b"FIRM", b"FIMR"))
    both = analyze(read_log(tmp_path))
    assert both.faults == 2 * alone.faults == 2
    found = both.only(SESSION)
    columns = ["code", "severity", "side", "begin_seq_no", "caused_by", "summary"]
    assert_frame_equal(found.table[columns], alone.table[columns], check_categorical=False)
    rows = re.compile("row [0-9]+")
    assert rows.sub("", found.summary()) == rows.sub("", alone.summary())
    assert len(found.ledger) == len(alone.ledger)
    # Those of a gap are the numbers of the other side, so its session reads the other way.
    assert_frame_equal(found.gaps, alone.gaps, check_categorical=False)
    assert set(found.gaps["session"]) == {"FIX.4.4:FIRM->VENUE"}
    assert [found.evidence(i).lines for i in range(len(found))] == [
        alone.evidence(i).lines for i in range(len(alone))
    ]
    with pytest.raises(ConfigError, match=r"no session 'A' in the log; expected one of FIX"):
        both.only("A")


def test_findings_are_written_with_pictures_of_what_there_is_to_see(tmp_path: Path) -> None:
    found, page_ = analyze(read_log(LOG)), tmp_path / "page.html"
    found.to_html(page_)
    text = page_.read_text("utf-8")
    assert Outline(text).words["figcaption"] == [
        "What was missing, and how it ended",
        "What was asked for again, and how it was answered",
    ]  # and no silence: the log has no Heartbeat
    assert pyplot.get_fignums() == []
    for picture in re.findall(r'src="data:image/png;base64,([^"]*)"', text):
        png = Image.open(BytesIO(b64decode(picture)))
        assert png.info.keys() <= {"dpi"}  # neither a time nor a version
        assert png.width == 1500
        alpha = np.asarray(png)[..., 3]
        assert alpha.min() == 0  # no ground of its own, so it stands on a dark page too


def test_a_page_is_the_same_whatever_plots_are_set_to_look_like(tmp_path: Path) -> None:
    found = analyze(read_log(LOG))
    found.to_html(tmp_path / "one.html")
    with matplotlib.rc_context({"font.family": "monospace", "savefig.facecolor": "red"}):
        analyze(read_log(LOG)).to_html(tmp_path / "two.html")
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_a_healthy_log_has_no_picture(tmp_path: Path) -> None:
    found = analyze(read_log(LOG).frame.iloc[:10])
    found.to_html(tmp_path / "page.html")
    assert "figure" not in Outline((tmp_path / "page.html").read_text("utf-8")).words


def test_what_a_logger_leaves_out_is_not_called_lost(tmp_path: Path) -> None:
    log = read(tmp_path, no_heartbeats()["BUY"], "quickfix")
    found = analyze(log)
    assert "the logger leaves them out" in found.summary()
    assert "missing:" not in found.summary()
    found.to_html(tmp_path / "page.html")
    outline = Outline((tmp_path / "page.html").read_text("utf-8"))
    assert outline.words["h1"] == ["✓ No trouble seen"]
    assert "What was missing, and how it ended" not in outline.words.get("figcaption", [])


def test_pictures_are_part_of_the_page() -> None:
    outline = Outline(page(dispute(figures=[("What was <missing>", PNG)])))
    (source,) = [value for _, name, value in outline.attributes if name == "src"]
    assert source.startswith("data:image/png;base64,iVBORw0KGgo")
    assert "What was <missing>" in outline.words["figcaption"]


# What must not happen -----------------------------------------------------------------


HOSTILE = "<img src=x onerror=alert(1)>\"'&\x1b[2J\u202e"


def test_nothing_off_the_wire_or_from_the_caller_is_obeyed(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        f"8=FIX.4.4|9=5|35=D|34=1|49=<b>US|56=\"'THEM|58={HOSTILE}|10=000|",
        "8=FIX.4.4|9=5|35=<script>|34=2|49=<b>US|56=\"'THEM|58=\x1b]0;title\x07|10=000|",
    )
    hostile = dict.fromkeys(("code", "rule", "side", "session", "summary"), HOSTILE)
    rows = [{**FILLED, **hostile, "expected": HOSTILE, "advice": HOSTILE}]
    text = page(content(log, *rows, shown=[[0, 1]], notes=[HOSTILE], about={HOSTILE: HOSTILE}))
    outline = Outline(text)
    plain = set(Outline(page(dispute(FILLED, shown=[[64, 68]]))).tags)
    assert set(outline.tags) <= plain
    assert not {"script", "img"} & set(outline.tags)
    assert all(c.isprintable() or c == "\n" for c in text)
    assert "\\x1b" in text


def test_lgn_26_secrets_are_masked_wherever_they_stand(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        "8=FIX.4.4|9=5|35=A|34=1|49=US|56=THEM|553=ann|554=hunter2|95=7|96=hunter2|10=000|",
        "8=FIX.4.4|9=5|35=5|34=1|49=THEM|56=US|58=bad 554=hunter2|10=000|",
    )
    row = {**FILLED, "summary": "Refused: 554=hunter2", "advice": "925=hunter2|1=1"}
    found = content(
        log, row, shown=[[0, 1]], notes=["554=hunter2"], about={"554=hunter2|": "96=hunter2"}
    )
    text = page(found)
    assert "hunter2" not in text
    assert "553=ann" in text
    assert "554=***" in text


def test_nothing_of_this_machine_is_in_it(tmp_path: Path) -> None:
    # Files of one name are told apart by their folders, which are nobody's business.
    for n, name in enumerate(("one", "two"), 1):
        folder = tmp_path / name
        folder.mkdir()
        log_of(folder, f"8=FIX.4.4|9=5|35=0|34={n}|49=US|56=THEM|10=000|", name="a.log")
    log = read_log([tmp_path / "one", tmp_path / "two"])
    text = page(content(log, FILLED, shown=[[0]]))
    assert str(tmp_path) not in text
    assert "a.log, a.log" in text


def test_it_needs_nothing_else_and_has_no_clock() -> None:
    found = dispute(CUT, FILLED, shown=[[64], [68]], figures=[("Gaps", PNG)])
    text = page(found)
    assert not re.search(r"https?:|url\(|@import|<script|<link", text)
    assert "default-src 'none'; img-src data:" in text
    again = dispute(CUT, FILLED, shown=[[64], [68]], figures=[("Gaps", PNG)])
    assert text == page(again)


def test_a_page_has_bounds(tmp_path: Path) -> None:
    log = log_of(
        tmp_path,
        *(
            f"8=FIX.4.4|9=5|35=D|34={n}|49=US|56=THEM|58={'x' * 5000}|10=000|"
            for n in range(1, 31)
        ),
    )
    rows = [CUT] * 600 + [FILLED]
    text = page(content(log, *rows, shown=[*[()] * 600, range(30)]))
    outline = Outline(text)
    assert text.count("<article") == 200
    assert text.index('id="finding-600"') < text.index('id="finding-0"')  # the fault is told
    assert "101 more are not listed." in outline.words["p"]
    assert "401 more are not told in full." in outline.words["p"]
    assert "18 more rows" in outline.words["td"]
    assert max(map(len, re.findall("x+", text))) < 1_000
    assert len(text) < 400_000
