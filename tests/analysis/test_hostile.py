"""What a peer writes into a message reaches no terminal and no page as more than text."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import fixlab
from fixlab.analysis import analyze, gaps, intervals, ledger, reconcile, replay, resends
from fixlab.cli import _main
from fixlab.logs.read import Log
from fixlab.times import NANOSECONDS, format_utc
from fixlab.wire.message import encode
from tests.analysis.logged import T0, Line, Logs, read

EVIL = (
    b"<script>alert(1)</script>",
    b"<img src=x onerror=alert(1)>",
    b"'\"><svg/onload=alert(1)>",
    b"</pre></table><h1>",
    b"\x1b[2J\x1b]0;owned\x07",
    b"\x9b31m",
    b"\xe2\x80\xaeoverride",
    b"\r\x1b[1A\x1b[2Koverwritten",
    b"&lt;script&gt;",
    b"554=hunter2",
    b"a\x00b\x08c",
)
# Any of these in a page or on a terminal would act.
MARKUP = ("<script>alert", "<img src=x", "<svg/onload", "</pre></table><h1>")
CONTROL = ("\x1b", "\x07", "\x9b", "\u202e", "\x00", "\x08", "\r")


def evil_logs(evil: bytes) -> Logs:
    """Two sides of a session with a lost order, and `evil` in each text that is shown."""
    logs: Logs = {"BUY": [], "SELL": []}

    def add(second: int, way: str, fields: bytes, *, lost: bool = False) -> None:
        sender, target = ("BUY", "SELL") if way == ">" else ("SELL", "BUY")
        time = T0 + second * NANOSECONDS
        kind, _, rest = fields.partition(b"\x01")
        head = b"49=%b\x0152=%b\x0156=%b\x01" % (
            sender.encode(),
            format_utc(time, 3),
            target.encode(),
        )
        number, _, rest = rest.partition(b"\x01")
        data = encode(b"FIX.4.4", b"\x01".join((kind, number, head + rest)))
        logs[sender].append(Line(time, True, data))
        if not lost:
            logs[target].append(Line(time, False, data))

    logon = b"98=0\x01108=30\x01"
    add(0, ">", b"35=A\x0134=1\x01" + logon)
    add(0, "<", b"35=A\x0134=1\x01" + logon)
    add(1, ">", b"35=D\x0134=2\x0111=%b\x01" % evil)
    add(2, "<", b"35=3\x0134=2\x0145=2\x0158=%b\x01" % evil)
    add(3, "<", b"35=1\x0134=3\x01112=%b\x01" % evil)
    add(4, ">", b"35=0\x0134=3\x01112=%bx\x01" % evil)  # answers another one
    add(5, ">", b"35=D\x0134=4\x0111=A\x01", lost=True)
    add(6, ">", b"35=D\x0134=5\x0111=B\x0158=%b\x01" % evil)
    add(20, ">", b"35=D\x0134=6\x0111=B\x01")
    add(
        40,
        "<",
        b"35=5\x0134=9\x0158=MsgSeqNum too low, expecting 9 but received 3 %b\x01" % evil,
    )
    kind = b"x" if evil.startswith(b"554") else evil.replace(b"\r", b"")
    add(41, ">", b"35=%b\x0134=7\x0158=%b\x01" % (kind, evil))
    return logs


def both(folder: Path, evil: bytes) -> tuple[Log, Log]:
    logs, found = evil_logs(evil), []
    for side in ("BUY", "SELL"):
        place = folder / side
        place.mkdir()
        found.append(read(place, logs[side], "quickfix", ours=side))
    return found[0], found[1]


def is_only_text(*shown: str, page: bool = False) -> None:
    for text in shown:
        for sign in CONTROL:
            assert sign not in text, (sign, text[max(text.find(sign) - 80, 0) :][:200])
        assert "hunter2" not in text
        for markup in MARKUP if page else ():
            assert markup not in text, text[max(text.find(markup) - 80, 0) :][:200]


@pytest.mark.parametrize("evil", EVIL)
def test_findings_and_logs_show_it_as_text(tmp_path: Path, evil: bytes) -> None:
    log, _ = both(tmp_path, evil)
    found = analyze(log)
    assert len(found.table) > 1
    is_only_text(repr(log), repr(found), found.summary(), *map(repr, log.sessions["session"]))
    is_only_text(log._repr_html_(), found._repr_html_(), log.frame.to_html(), page=True)
    for view in (gaps, ledger, resends, intervals):
        is_only_text(view(log).to_html(), page=True)
    is_only_text(found.table.to_html(), page=True)
    for i in range(len(found)):
        evidence: Any = found.evidence(i)
        is_only_text(repr(evidence), *evidence.lines)
        if hasattr(evidence, "_repr_html_"):
            is_only_text(evidence._repr_html_(), page=True)
    for row in range(len(log)):
        is_only_text(str(log.decode(row)), repr(log.message(row)))
        is_only_text(log.decode(row)._repr_html_(), page=True)
    page = tmp_path / "page.html"
    found.to_html(page, about={"Ticket": evil.decode("latin-1")})
    is_only_text(page.read_text("utf-8"), page=True)


@pytest.mark.parametrize("evil", EVIL)
def test_columns_of_tags_show_it_as_text(tmp_path: Path, evil: bytes) -> None:
    both(tmp_path, evil)
    log = fixlab.read_log(tmp_path / "BUY", tags=(58, 11, 112))
    is_only_text(log.frame.to_string())
    is_only_text(log.frame.to_html(), page=True)


@pytest.mark.parametrize("evil", EVIL)
def test_the_command_prints_it_as_text(
    tmp_path: Path, evil: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    both(tmp_path, evil)
    page = tmp_path / "page.html"
    code = _main.main(["analyze", str(tmp_path / "BUY"), "--report", str(page)])
    assert code in (0, 1)
    out = capsys.readouterr()
    assert "BUY" in out.out
    is_only_text(out.out, out.err)
    is_only_text(page.read_text("utf-8"), page=True)


@pytest.mark.parametrize("evil", EVIL)
def test_two_logs_and_a_replay_show_it_as_text(tmp_path: Path, evil: bytes) -> None:
    ours, theirs = both(tmp_path, evil)
    joined = reconcile(ours, theirs)
    assert joined.lost["msg_seq_num"].tolist() == [4]
    is_only_text(repr(joined), str(joined.clock))
    is_only_text(joined._repr_html_(), joined.table.to_html(), page=True)
    played = replay(ours, side="BUY")
    assert len(played)
    is_only_text(repr(played), *(repr(step) for step in played.steps()))
    is_only_text(played._repr_html_(), played.table.to_html(), page=True)


@pytest.mark.parametrize("evil", EVIL)
def test_what_changed_on_its_way_is_shown_as_text(tmp_path: Path, evil: bytes) -> None:
    logs = evil_logs(b"good")
    line = logs["SELL"][2]
    content = line.data[line.data.index(b"35=") : line.data.rindex(b"10=")]
    changed = encode(b"FIX.4.4", content.replace(b"11=good", b"11=" + evil))
    logs["SELL"][2] = line._replace(data=changed)
    found = []
    for side in ("BUY", "SELL"):
        (tmp_path / side).mkdir()
        found.append(read(tmp_path / side, logs[side], "quickfix", ours=side))
    joined = reconcile(*found)
    assert joined.changed["msg_seq_num"].tolist() == [2]
    (difference,) = joined.differences(int(joined.changed.index[0]))
    assert difference.tag == 11
    is_only_text(repr(difference), str(difference.arrived))


def test_thousands_of_sessions_cost_memory_for_those_that_are(tmp_path: Path) -> None:
    count = 2_000
    path = tmp_path / "many.log"
    with path.open("wb") as file:
        for i in range(count):
            for sender, target in ((b"P%d" % i, b"US"), (b"US", b"P%d" % i)):
                body = b"35=0\x0134=2\x0149=%b\x0152=20260105-09:00:00\x0156=%b\x01"
                file.write(encode(b"FIX.4.4", body % (sender, target)) + b"\n")
    log = fixlab.read_log(path)
    assert len(log.sessions) == count
    assert len(log.frame)
    tracemalloc.start()
    try:
        for view in (gaps, ledger, resends, intervals):
            view(log)
        found = analyze(log)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Pairs of all sessions with all senders would be 4 million.
    assert peak < 66 << 20
    assert f"and {count - 3:,} more sessions" in found.summary()
