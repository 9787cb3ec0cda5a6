"""A message that stands in two files of a log counts once, whatever looks at the log."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fixlab
from fixlab.analysis._once import once, repeated_rows
from fixlab.logs.read import Log, read_log
from tests.tools.make_dispute_log import LOG

LINES = LOG.read_bytes().splitlines(keepends=True)
STORM = 150  # in the middle of equal messages of one millisecond
ROWS = {"noticed_row", "requested_row", "ended_row", "row"}

Part = Sequence[bytes]


def of_files(folder: Path, *parts: Part) -> Log:
    """Names that say which side kept them, as that of the log does."""
    folder.mkdir(exist_ok=True)
    for i, part in enumerate(parts):
        (folder / f"{LOG.stem}.{i}.log").write_bytes(b"".join(part))
    return read_log(folder)


def assert_as_whole(folder: Path, log: Log) -> None:
    whole = of_files(folder / "whole", LINES)
    found, expected = fixlab.analyze(log), fixlab.analyze(whole)
    columns = [name for name in expected.table.columns if name != "caused_by"]
    pd.testing.assert_frame_equal(found.table[columns], expected.table[columns])
    for i in range(len(expected)):
        assert found.evidence(i).lines == expected.evidence(i).lines
    for view in (fixlab.gaps, fixlab.ledger, fixlab.resends, fixlab.intervals):
        made, wanted = view(log), view(whole)
        names = [name for name in wanted.columns if name not in ROWS]
        pd.testing.assert_frame_equal(made[names], wanted[names])
    assert found.summary().startswith(expected.summary().split("\n")[0])


@pytest.mark.parametrize(
    "parts",
    [
        [LINES, LINES[180:]],
        [LINES[100:], LINES[: STORM + 3]],
        [LINES[:STORM], LINES[100:]],
        [LINES[3::5], LINES],
        [LINES[:90], LINES[90:], [b"# exported\n", *LINES]],
        [LINES[:120], LINES[60:200], LINES[190:], LINES[55:130:3]],
        [[b"# exported\n", *LINES], LINES],
        [LINES[1:252], LINES],
        [LINES[::2], LINES, LINES[1::2]],
    ],
    ids=[
        *("end", "overlap", "cut in a storm", "extract", "all and parts", "four", "banner"),
        *("all but the ends", "torn in two"),
    ],
)
def test_files_that_overlap_are_one_log(tmp_path: Path, parts: list[Part]) -> None:
    assert_as_whole(tmp_path, of_files(tmp_path / "parts", *parts))


@pytest.mark.parametrize("seed", range(4))
def test_any_two_pieces_that_overlap(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    begin, end = sorted(chance.sample(range(1, len(LINES)), 2))
    parts = [LINES[:end], LINES[begin:]]
    chance.shuffle(parts)
    assert_as_whole(tmp_path, of_files(tmp_path / "parts", *parts))


def test_what_was_left_out_is_said_and_rows_keep_their_places(tmp_path: Path) -> None:
    log = of_files(tmp_path / "parts", LINES, LINES[200:])
    found = fixlab.analyze(log)
    count = len(LINES) - 200
    note = f"{count} rows stand in another file of the log as well, and count once"
    assert found.notes == (note,)
    assert f"\n  {note}.\n" in found.summary()
    assert len(log) == len(found.messages) == len(LINES) + count
    page = tmp_path / "page.html"
    found.to_html(page)
    assert note in page.read_text("utf-8")
    assert len(fixlab.replay(log).table) == len(fixlab.replay(read_log(LOG)).table)


def test_frm_04_damage_in_two_files_is_told_once(tmp_path: Path) -> None:
    spoilt = [*LINES]
    spoilt[210] = spoilt[210].replace(b"\x0110=", b"\x0110=9")
    spoilt[220] = spoilt[220][:60] + b"\n"
    bad = {"CHECKSUM_BAD", "BODYLENGTH_BAD", "GARBLED"}
    expected, found = (
        [code for code in fixlab.analyze(log).table["code"] if code in bad]
        for log in (
            of_files(tmp_path / "one", spoilt),
            of_files(tmp_path / "two", spoilt, spoilt[205:]),
        )
    )
    assert found == expected
    assert len(expected) == 2


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda line: line, "rotated"),
        (lambda line: line.replace(b"09:3", b"09:4", 1), "another time in the log"),
        (
            lambda line: line[line.index(b"8=FIX") :].replace(b"\x0152=", b"\x019999="),
            "no time",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_may_have_come_twice_is_no_copy(
    tmp_path: Path, change: Callable[[bytes], bytes], why: str
) -> None:
    # The first 60 lines of the session, in a file that has line 50 as well; or twice in one.
    again = [] if why == "rotated" else [change(LINES[50])]
    log = of_files(tmp_path, [*LINES[:51], LINES[50]], [*LINES[51:60], *again])
    assert repeated_rows(log.frame) is None


def test_what_has_no_time_is_no_copy(tmp_path: Path) -> None:
    bare = LINES[50][LINES[50].index(b"8=FIX") :].replace(b"\x0152=", b"\x019999=")
    log = of_files(tmp_path, [*LINES[:60], bare], [*LINES[40:80], bare])
    repeated = repeated_rows(log.frame)
    assert repeated is not None
    assert int(repeated.sum()) == 20
    assert not repeated[log.frame["time"].isna().to_numpy()].any()


def test_once_is_done_once(tmp_path: Path) -> None:
    log = of_files(tmp_path, LINES[:STORM], LINES[100:])
    first = once(log.frame)
    assert first.repeated is not None
    assert int(first.repeated.sum()) == STORM - 100
    for part in (first.frame, first.frame[first.frame["session"] != ""]):
        assert once(part).repeated is None
    assert np.array_equal(log.frame["session"], read_log(tmp_path).frame["session"])
