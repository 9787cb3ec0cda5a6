"""What a log gives of its rows is what stands in the file; and Parquet gives back the frame."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from fixlab import redact
from fixlab.logs import _parquet, read
from fixlab.logs._style import sniff
from fixlab.logs.read import Log, read_log
from tests.logs import reference
from tests.logs.made import Maker

SEEDS = range(24)
LINES = 60


def made(folder: Path, seed: int, *, lines: int = LINES) -> tuple[bytes, Path]:
    """A log of a seed, every fourth compressed."""
    data = Maker(7_000 + seed).log(lines)
    path = folder / f"{seed}.log"
    path.write_bytes(gzip.compress(data) if seed % 4 == 3 else data)
    return data, path


def pieces(log: Log, data: bytes) -> list[bytes]:
    """The bytes of each row, by its place."""
    places = zip(log.frame["offset"].tolist(), log.frame["length"].tolist(), strict=True)
    return [data[offset : offset + length] for offset, length in places]


@pytest.mark.parametrize("seed", SEEDS)
def test_raw_messages_and_decode_give_the_bytes_of_the_file(tmp_path: Path, seed: int) -> None:
    data, path = made(tmp_path, seed)
    log = read_log(path)
    expected, mark = pieces(log, data), sniff(data).delimiter
    assert [log.raw(row) for row in range(len(log))] == [redact.mask(one) for one in expected]
    messages = list(log.messages())
    assert len(messages) == len(expected)
    for row in range(len(log)):
        one = log.message(row)
        assert one.fields == messages[row].fields
        assert one.raw == messages[row].raw
        if bool(log.frame["valid"].iloc[row]):
            tags = [line.tag for line in log.decode(row).rows]
            assert tags == [tag for tag, _ in one.fields]
            if b"\n" not in expected[row].rstrip():
                # By a hand of its own: the reference reader's.
                wire = reference.wire_of(expected[row], mark)
                assert one.raw == (wire if wire.endswith(b"\x01") else wire + b"\x01")
            assert str(log.frame["msg_type"].iloc[row]) == one.msg_type
            number = log.frame["msg_seq_num"].iloc[row]
            # What no int64 holds is the largest one in a frame, and none in a message.
            assert number is pd.NA or int(number) in (one.number, 2**63 - 1)
    chosen = range(0, len(log), 3)
    assert [m.raw for m in log.messages(chosen)] == [messages[row].raw for row in chosen]


@pytest.mark.parametrize("seed", SEEDS)
def test_parquet_gives_back_the_frame(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "GROUP_ROWS", (7, 50, _parquet.GROUP_ROWS)[seed % 3])
    data, path = made(tmp_path, seed)
    tags = (11, 58, 38, 60) if seed % 2 else ()
    direct = read_log(path, tags=tags)
    stored = read_log(path, tags=tags, to_parquet=tmp_path / "rows.parquet")
    assert_frame_equal(stored.frame, direct.frame, check_categorical=False)
    for name in direct.frame.columns:
        assert stored.frame[name].dtype.kind == direct.frame[name].dtype.kind, name
    assert stored.summary == direct.summary
    assert_frame_equal(stored.files, direct.files)
    assert_frame_equal(stored.sessions, direct.sessions)
    assert pieces(stored, data) == pieces(direct, data)


def test_a_log_in_parquet_reads_its_messages_too(tmp_path: Path) -> None:
    data, path = made(tmp_path, 1)
    log = read_log(path, to_parquet=tmp_path / "rows.parquet")
    assert [log.raw(row) for row in range(len(log))] == [
        redact.mask(one) for one in pieces(log, data)
    ]
