"""`fixlab store`: the same on a terminal, for people who have never heard of frames."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixlab.cli import main
from fixlab.stores import FileStore
from tests.stores.layouts import PREFIX, SESSION, history, message, write_quickfix


def test_it_shows_a_sound_store(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_quickfix(tmp_path, history(40), 41, 9)
    assert main(["store", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith(f"{SESSION} (layout quickfix)\n  NextNumOut 41, NextNumIn 9;")
    assert "Messages, the last 12 of 40" in out
    assert max(map(len, out.splitlines())) <= 100
    assert err == ""


def test_a_store_that_contradicts_itself_exits_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_quickfix(tmp_path, [*history(40), (45, message(46))], 41, 9)
    assert main(["store", str(tmp_path)]) == 1
    out, _ = capsys.readouterr()
    assert "error  other_number  45" in out
    assert max(map(len, out.splitlines())) <= 100


def test_it_plans_and_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_quickfix(tmp_path, history(40), 41, 9)
    assert main(["store", str(tmp_path), "--next-out", "12"]) == 0
    out, _ = capsys.readouterr()
    assert "SEQ-03" in out
    assert out.endswith("Nothing was changed; add --apply to do it.\n")
    with FileStore(tmp_path) as store:
        assert store.peek_out() == 41


def test_it_applies(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_quickfix(tmp_path, history(40), 41, 9)
    given = ["store", str(tmp_path), "--session", SESSION, "--next-out", "12", "--next-in", "3"]
    assert main([*given, "--apply"]) == 0
    out, _ = capsys.readouterr()
    assert out.endswith(f"Done. The store as it was is in {tmp_path / PREFIX}.backup-1\n")
    with FileStore(tmp_path) as store:
        assert (store.peek_out(), store.current_in()) == (12, 3)


@pytest.mark.parametrize(
    ("given", "code", "says"),
    [
        (["store", "{}/missing"], 1, "there is no such file or folder; expected a store"),
        (["store", "{}"], 1, "holds no store; expected files such as"),
        (["store", "postgresql+psycopg://u:s3cr3t@127.0.0.1:1/db"], 1, "found a URL that"),
        (["store", "sqlite:///s3cr3t.db", "--next-in", "3"], 1, "begins with sqlite:. A store"),
        (["store", "{}", "--apply"], 2, "--apply needs --next-out or --next-in"),
        (["store", "{}", "--next-out", "0"], 2, "a number is a whole one from 1, found '0'"),
        (["store"], 2, "the following arguments are required: PATH"),
    ],
)
def test_a_mistake_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], code: int, says: str
) -> None:
    arguments = [argument.format(tmp_path) for argument in given]
    try:
        assert main(arguments) == code
    except SystemExit as ended:
        assert ended.code == code  # noqa: PT017
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err.splitlines()[-1]
    assert "Traceback" not in err
    assert "s3cr3t" not in err
