"""Files of all kinds: compressed, rotated, in other encodings, cut short, not there."""

from __future__ import annotations

import bz2
import gc
import gzip
import lzma
import os
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from backports import zstd
from pandas.testing import assert_frame_equal

import fixlab as fx
from fixlab.errors import ConfigError, LogFormatError
from fixlab.logs import _sources
from fixlab.times import format_utc, parse_start
from fixlab.wire.message import encode

START = parse_start("2026-01-05T09:00:00")
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": lambda data: bz2.compress(data, 1),
    "xz": lzma.compress,
    "zst": zstd.compress,
}


def message(
    number: int, *, sender: str = "BUY", target: str = "SELL", text: str = "x"
) -> bytes:
    time = format_utc(START + number * 10**9)
    body = f"35=D|34={number}|49={sender}|52={time.decode()}|56={target}|58={text}|"
    return encode(b"FIX.4.4", body.replace("|", "\x01").encode("latin-1"))


def lines(*numbers: int) -> bytes:
    return b"".join(message(number) + b"\n" for number in numbers)


def numbers(log: fx.Log) -> list[int]:
    return [int(n) for n in log.frame["msg_seq_num"]]


@pytest.mark.parametrize("kind", PACKERS)
def test_compressed_files_read_as_what_they_hold(tmp_path: Path, kind: str) -> None:
    plain, packed = tmp_path / "a.log", tmp_path / "b.log"
    plain.write_bytes(lines(*range(1, 2000)))
    # What it is shows in its bytes: the name does not say so.
    packed.write_bytes(PACKERS[kind](plain.read_bytes()))
    log, other = fx.read_log(plain), fx.read_log(packed)
    assert_frame_equal(other.frame.drop(columns="file"), log.frame.drop(columns="file"))
    assert other.raw(1000) == log.raw(1000) == message(1001)


@pytest.mark.parametrize("kind", PACKERS)
def test_parts_put_end_to_end_are_all_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.log.{kind}"
    path.write_bytes(PACKERS[kind](lines(1, 2)) + PACKERS[kind](lines(3)))
    assert numbers(fx.read_log(path)) == [1, 2, 3]


@pytest.mark.parametrize("kind", PACKERS)
def test_a_compressed_file_cut_short_gives_what_is_there_and_says_so(
    tmp_path: Path, kind: str
) -> None:
    path = tmp_path / f"a.log.{kind}"
    noise = b"".join(message(n, text=os.urandom(40).hex()) + b"\n" for n in range(1, 4_000))
    whole = PACKERS[kind](noise)
    path.write_bytes(whole[: len(whole) * 2 // 3])
    log = fx.read_log(path)
    assert 0 < len(log) < 4_000
    assert numbers(log)[:100] == list(range(1, 101))
    assert "ends in the middle of compressed data" in log.notes[0]
    assert log.files["problem"].iloc[0] in log.notes[0]


def test_damage_in_a_compressed_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.log.gz"
    packed = bytearray(gzip.compress(lines(*range(1, 5000))))
    half = len(packed) // 2
    packed[half : half + 100] = b"\xff" * 100
    path.write_bytes(packed)
    assert "damaged in its first" in fx.read_log(path).notes[0]


def test_a_bomb_is_refused_before_it_goes_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_sources, "EXPANSION_FREE", 1 << 22)
    path = tmp_path / "a.log.gz"
    path.write_bytes(gzip.compress(bytes(1 << 26)))
    with pytest.raises(LogFormatError, match=r"a\.log\.gz expands more than 500-fold"):
        fx.read_log(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_other_encodings_are_recognised(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.log"
    text = lines(*range(1, 50)).decode("ascii").replace("\x01", "|")
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    path.write_bytes((mark + text).encode(encoding))
    log = fx.read_log(path)
    assert numbers(log) == list(range(1, 50))
    assert log.frame["valid"].all()
    assert log.message(7)[34] == "8"


def test_a_surrogate_pair_cut_by_a_block_stays_one(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    body = "35=D|34=1|49=BUY|52=20260105-09:00:00|56=SELL|58=" + "😀" * 70_000 + "|"
    wire = encode(b"FIX.4.4", body.replace("|", "\x01").encode())
    path.write_bytes(wire.decode().encode("utf-16"))
    assert fx.read_log(path).frame["valid"].tolist() == [True]


def test_rotated_files_are_read_in_the_order_of_their_times(tmp_path: Path) -> None:
    (tmp_path / "x.log").write_bytes(lines(7, 8))
    (tmp_path / "x.log.1").write_bytes(lines(4, 5, 6))
    (tmp_path / "x.log.2.gz").write_bytes(gzip.compress(lines(1, 2, 3)))
    (tmp_path / "x.event.log").write_bytes(b"Created session\n")
    for where in (tmp_path, str(tmp_path / "x*"), sorted(tmp_path.iterdir())):
        log = fx.read_log(where)
        assert numbers(log) == [1, 2, 3, 4, 5, 6, 7, 8]
        assert log.files["file"].tolist()[-1] == "x.event.log"
    assert [log.raw(i) for i in (0, 3, 7)] == [message(1), message(4), message(8)]
    assert log.frame["file"].astype(str).tolist()[::3] == ["x.log.2.gz", "x.log.1", "x.log"]


def test_a_store_beside_the_logs_is_no_log(tmp_path: Path) -> None:
    (tmp_path / "FIX.4.4-BUY-SELL.messages.current.log").write_bytes(lines(1))
    (tmp_path / "FIX.4.4-BUY-SELL.body").write_bytes(message(1))
    (tmp_path / ".hidden").write_bytes(message(1))
    assert len(fx.read_log(tmp_path)) == 1


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "a.log").write_bytes(lines(number))
    log = fx.read_log([tmp_path / "1", tmp_path / "2"])
    assert log.frame["file"].nunique() == 2
    assert log.raw(1) == message(2)


def test_urls_are_read_with_fsspec(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(lines(1, 2))
    log = fx.read_log(f"file://{path}")
    assert numbers(log) == [1, 2]
    assert log.raw(1) == message(2)


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file, folder or pattern"):
        fx.read_log(tmp_path / "nope.log")
    with pytest.raises(ConfigError, match=r"expected log files in the folder .* found none"):
        fx.read_log(tmp_path)
    with pytest.raises(ConfigError, match="cannot be opened"):
        fx.read_log("nosuchprotocol://x/y.log")


def test_a_file_that_changed_since_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(lines(1, 2))
    log = fx.read_log(path)
    path.write_bytes(b"gone")
    with pytest.raises(ConfigError, match=r"a\.log has changed: expected \d+ bytes at"):
        log.raw(1)
    path.unlink()
    with pytest.raises(ConfigError, match="cannot be read"):
        log.raw(1)


def test_an_empty_file_is_an_empty_log(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"")
    log = fx.read_log(path)
    assert len(log) == 0
    assert "0 rows" in repr(log)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("workers", [1, 2])
def test_what_comes_through_a_pipe_is_read_as_often_as_needed(
    tmp_path: Path, pack: Callable[[bytes], bytes], workers: int
) -> None:
    path = tmp_path / "a.log"
    os.mkfifo(path)
    data = pack(lines(*range(1, 2_000)))
    writer = threading.Thread(target=path.write_bytes, args=(data,))
    writer.start()
    log = fx.read_log(path, workers=workers)
    writer.join()
    assert numbers(log) == list(range(1, 2_000))
    assert log.raw(1000) == message(1001)  # of which the pipe itself has nothing any more


def test_the_copy_of_a_pipe_goes_with_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = tmp_path / "copies"
    copies.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(copies))
    path = tmp_path / "a.log"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(lines(1),))
    writer.start()
    log = fx.read_log(path)
    writer.join()
    (copy,) = copies.iterdir()
    assert copy.stat().st_mode & 0o077 == 0
    del log
    gc.collect()
    assert not list(copies.iterdir())
