"""Nobody reads what a command prints: it ends quietly, as what SIGPIPE ends does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import TextIO

import pytest

from fixlab.cli import main
from tests.tools.make_dispute_log import LOG

GONE = 141


@pytest.fixture(params=[-1, 1], ids=["held back", "line by line"])
def unread(request: pytest.FixtureRequest) -> Iterator[TextIO]:
    """A pipe that nobody reads any more."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", buffering=request.param, encoding="utf-8") as stream:
        yield stream


@pytest.mark.parametrize(
    "words",
    [
        ["analyze", str(LOG)],
        ["certify", "localhost:1", "--sender", "A", "--target", "B", "--dry-run"],
        ["accept", "--misbehave", "help"],
        ["accept", "--port", "0"],
        ["sweep", "--seeds", "1", "--workers", "1"],
    ],
    ids=lambda words: f"{words[0]} {words[-1].rpartition('/')[2]}",
)
def test_each_command_ends_quietly(
    words: list[str],
    unread: TextIO,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "stdout", unread)
    assert main(words) == GONE
    assert capsys.readouterr().err == ""


def test_what_is_still_to_be_written_at_the_end_counts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert main(["--help"]) == GONE
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("unread", [1], indirect=True)  # as stderr always is
def test_errors_that_nobody_reads_end_it_quietly_too(
    monkeypatch: pytest.MonkeyPatch, unread: TextIO
) -> None:
    monkeypatch.setattr(sys, "stdout", unread)
    monkeypatch.setattr(sys, "stderr", unread)
    assert main(["store", "nowhere"]) == GONE


def test_a_process_whose_output_nobody_reads() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "fixlab", "--help"],
            stdout=writer,
            stderr=subprocess.PIPE,
            env={k: v for k, v in os.environ.items() if k != "PYTHONUNBUFFERED"},
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)
    # Nothing is left either that the interpreter could not write at its end.
    assert (done.returncode, done.stderr) == (GONE, b"")
