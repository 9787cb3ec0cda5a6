"""`fixlab analyze`: real files, exit codes for CI, nothing hostile or secret on the way out."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from fixlab.cli import _analyze, main
from fixlab.logs.read import Log, read_log
from tests.analysis.reported import log_of
from tests.pages import Outline
from tests.tools.make_dispute_log import LOG

ROOT = Path(__file__).parents[1]
HEALTHY = (
    "8=FIX.4.4|9=0|35=A|34=1|49=US|56=THEM|98=0|108=30|10=0|",
    "8=FIX.4.4|9=0|35=A|34=1|49=THEM|56=US|98=0|108=30|10=0|",
    "8=FIX.4.4|9=0|35=D|34=2|49=US|56=THEM|11=A|10=0|",
    "8=FIX.4.4|9=0|35=5|34=3|49=US|56=THEM|10=0|",
    "8=FIX.4.4|9=0|35=5|34=2|49=THEM|56=US|10=0|",
)


def analyze(*words: object) -> int:
    return main(["analyze", *map(str, words)])


def healthy(folder: Path, *more: str) -> Path:
    log_of(folder, *HEALTHY[:-2], *more, *HEALTHY[-2:], name="healthy.log", framed=True)
    return folder / "healthy.log"


# A log and a page -----------------------------------------------------------------------


def test_it_says_who_did_what_and_writes_a_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "out.html"
    assert analyze(LOG, "--report", page, "--by", "Ann <desk>") == 1
    out, error = capsys.readouterr()
    assert error == ""  # and no bar where nobody looks
    assert out.startswith("FIX.4.4:VENUE->FIRM: 258 messages, 2026-01-05 09:30:00.013 to ")
    for words in (
        "SEQ_TOO_LOW, a fault of FIRM:",
        "APP_MSG_FILLED_OVER, a risk",
        "RESEND_STORM",
    ):
        assert words in out
    assert out.endswith(f"page: {page}\n")
    outline = Outline(page.read_text("utf-8"))
    assert outline.words["h1"] == ["✗ 1 fault, by FIRM; 2 risks"]
    assert "Ann <desk>" in outline.words["dd"]
    assert str(ROOT) not in page.read_text("utf-8")


def test_on_a_terminal_lines_break_between_words_and_hang(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    analyze(LOG)
    whole = capsys.readouterr().out
    monkeypatch.setattr(_analyze, "terminal_width", lambda: 80)
    analyze(LOG)
    broken = capsys.readouterr().out
    assert max(map(len, whole.splitlines())) > 80 >= max(map(len, broken.splitlines()))
    assert "expects 101, 61 too low" in broken
    assert "\n      sides by agreement.\n" in broken
    assert broken.split() == whole.split()


def test_files_patterns_and_folders_are_one_log(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Rotated in the middle of the morning, the older part compressed.
    lines = LOG.read_bytes().splitlines(keepends=True)
    (tmp_path / "venue.log.1.gz").write_bytes(gzip.compress(b"".join(lines[:100])))
    (tmp_path / "venue.log").write_bytes(b"".join(lines[100:]))
    analyze(LOG)
    whole = capsys.readouterr().out
    for where in (
        (tmp_path,),
        (tmp_path / "venue.log*",),
        (tmp_path / "venue.log", tmp_path / "venue.log.1.gz"),
    ):
        assert analyze("--ours", "VENUE", *where) == 1
        assert capsys.readouterr().out == whole


@pytest.mark.parametrize(
    ("fail_on", "codes"), [("fault", (0, 0, 1)), ("risk", (0, 1, 1)), ("never", (0, 0, 0))]
)
def test_what_the_exit_code_means(
    fail_on: str, codes: tuple[int, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fine, storm = tmp_path / "fine", tmp_path / "storm"
    for folder in (fine, storm):
        folder.mkdir()
    lines = LOG.read_bytes().splitlines(keepends=True)
    (storm / LOG.name).write_bytes(b"".join(lines[:200]))  # before FIRM lost its store
    for where, code in zip((healthy(fine), storm, LOG), codes, strict=True):
        assert analyze(where, "--fail-on", fail_on) == code, where
    assert "Nothing wrong" in capsys.readouterr().out


def test_fault_is_what_it_fails_on_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert analyze(LOG) == analyze(LOG, "--fail-on", "fault") == 1


def test_where_the_log_begins_in_the_middle_the_first_number_can_be_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_of(
        tmp_path,
        "8=FIX.4.4|9=0|35=D|34=12|49=US|56=THEM|11=A|10=0|",
        "8=FIX.4.4|9=0|35=8|34=9|49=THEM|56=US|11=A|10=0|",
        name="tail.log",
        framed=True,
    )
    path = tmp_path / "tail.log"
    analyze(path)
    assert "10 to 11" not in capsys.readouterr().out
    analyze(path, "--expect-start", "US=10", "--expect-start", "THEM=9")
    assert "10 to 11" in capsys.readouterr().out


def test_one_session_of_several(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / LOG.name).write_bytes(LOG.read_bytes())
    healthy(tmp_path)
    page = tmp_path / "out.html"
    assert analyze(tmp_path, "--session", "FIX.4.4:US->THEM", "--report", page) == 0
    assert "FIRM" not in capsys.readouterr().out
    assert "FIRM" not in page.read_text("utf-8")


# What must not happen ---------------------------------------------------------------------


def test_lgn_26_secrets_and_escapes_reach_neither_terminal_nor_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log_of(
        tmp_path,
        "8=FIX.4.4|9=0|35=A|34=1|49=US|56=THEM|98=0|108=30|553=ann|554=hunter2|10=0|",
        "8=FIX.4.4|9=0|35=5|34=1|49=THEM|56=US|58=no\x1b]0;x\x07 554=hunter2 <b>\u202e|10=0|",
        name="a\x1b[31m.log",
        framed=True,
    )
    page = tmp_path / "out.html"
    analyze(tmp_path / "a\x1b[31m.log", "--report", page)
    out, error = capsys.readouterr()
    text = page.read_text("utf-8")
    for told in (out, error, text):
        assert "hunter2" not in told
        assert all(c.isprintable() or c == "\n" for c in told)
    assert "554=***" in text
    assert "<b>no" not in text
    assert "SECRET_IN_LOG" in out


def test_a_file_that_cannot_be_read_to_its_end_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = gzip.compress(LOG.read_bytes())
    (tmp_path / "cut.log.gz").write_bytes(packed[: len(packed) // 2])
    page = tmp_path / "out.html"
    analyze(tmp_path / "cut.log.gz", "--report", page)
    out, error = capsys.readouterr()
    assert error == ""
    assert " messages, " in out
    told = "cut.log.gz ends in the middle of compressed data"
    assert f"\n  {told}" in out
    assert told in page.read_text("utf-8")


def test_a_log_given_twice_makes_no_fault_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    analyze(LOG)
    once = capsys.readouterr().out
    data = LOG.read_bytes()
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / LOG.name).write_bytes(data)
    (logs / f"{LOG.name}.1.gz").write_bytes(gzip.compress(data))
    (logs / "as of ten.log").write_bytes(data[: len(data) // 2])
    page = tmp_path / "out.html"
    assert analyze(logs, logs / LOG.name, "--report", page) == 1
    out = capsys.readouterr().out
    note = (
        f"{LOG.name}.1.gz, as of ten.log are left out: all that is in them stands in "
        f"{LOG.name} as well."
    )
    assert [line for line in out.split("\n") if line not in once.split("\n")] == [
        f"  {note}",
        f"page: {page}",
    ]
    assert note in page.read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.log"], "there is no file, folder or pattern 'nowhere.log'"),
        ([""], "there is no file, folder or pattern ''"),
        (["*.txt"], "expected files of the pattern '*.txt', found none"),
        (["bare"], "expected log files in the folder 'bare', found none"),
        (
            ["store"],
            "expected log files in the folder 'store', found 2 store files and 1 folder",
        ),
        (
            ["other.log"],
            "no FIX message in other.log: found 20 bytes, 1 of their lines other text, "
            "expected messages that begin as 8=FIX.4.4|9=",
        ),
        (["empty.log"], "no FIX message in empty.log: found no bytes at all"),
        (["packed.gz"], "; packed.gz ends in the middle of compressed data"),
        (["a" * 300], "cannot be read: File name too long"),
        (["healthy.log", "--session", "FIX.4.4:A->B"], "no session 'FIX.4.4:A->B' in the log"),
        (["healthy.log", "--expect-start", "NOBODY=1"], "NOBODY"),
        (["healthy.log", "--ours", "YOU"], "'YOU'; expected one of ['THEM', 'US']"),
        (["nowhere.log", "--report", "no/page.html"], "there is no folder 'no' to write"),
        (["nowhere.log", "--report", "bare"], "a file to write, 'bare' is a folder"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(
    words: list[str],
    told: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    healthy(tmp_path)
    Path("other.log").write_text("nothing of the kind\n", encoding="utf-8")
    Path("empty.log").touch()
    Path("packed.gz").write_bytes(gzip.compress(b"nothing at all\n")[:-9])
    Path("bare").mkdir()
    Path("store/sub").mkdir(parents=True)
    Path("store/A-B.body").touch()
    Path("store/A-B.seqnums").touch()
    assert analyze(*words) == 2
    _, error = capsys.readouterr()
    assert error.startswith("fixlab analyze: ")
    assert told in error
    assert error.count("\n") == 1


def test_workers_are_those_of_the_reader(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[object] = []

    def noted(*words: Any, **options: Any) -> Log:
        asked.append(options["workers"])
        log: Log = read_log(*words, **options)
        return log

    monkeypatch.setattr(_analyze, "read_log", noted)
    assert analyze(LOG) == analyze(LOG, "--workers", 2) == 1
    assert asked == [1, 2]
    with pytest.raises(SystemExit):
        analyze(LOG, "--workers", 0)
    assert "expected a number from 1, found '0'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "start", ["VENUE", "VENUE=0", "VENUE=x", "=3", "VENUE=9223372036854775808"]
)
def test_a_wrong_command_line_is_2(start: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        analyze(LOG, "--expect-start", start)
    assert ended.value.code == 2
    assert "expected ID=N, such as VENUE=1" in capsys.readouterr().err


def test_ctrl_c_is_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_analyze, "analyze", interrupted)
    assert analyze(LOG) == 130
    assert capsys.readouterr().err == "fixlab analyze: interrupted\n"
