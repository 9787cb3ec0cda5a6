"""A log that is given twice, as a copy or under another name, is read once and it is said."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

import fixlab as fx
from fixlab.logs import _copies
from fixlab.logs._sources import Source
from tests.logs.test_sources import lines, numbers

ALL = lines(*range(1, 60))  # longer than what is looked at first
NOTE = "{} is left out: all that is in it stands in {} as well"


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.parametrize(
    "made",
    [
        lambda data: data,
        gzip.compress,
        lambda data: data[: len(data) // 2],
        lambda data: data[: data.index(b"\n", 3000) + 70],
        lambda data: lines(1),
        lambda data: gzip.compress(data)[:-12],
        lambda data: data.decode().encode("utf-16"),
    ],
    ids=["equal", "packed", "half", "cut in a message", "tiny", "cut packed", "other encoding"],
)
@pytest.mark.parametrize("names", [("a.log", "a.log.1"), ("b.log", "a.log")])
def test_a_copy_or_the_beginning_of_a_log_is_left_out(
    tmp_path: Path, names: tuple[str, str], made: Callable[[bytes], bytes]
) -> None:
    whole, copy = names
    log = fx.read_log(written(tmp_path, {whole: ALL, copy: made(ALL)}))
    assert numbers(log) == list(range(1, 60))
    if log.files["file"].tolist() == [copy]:  # of equal ones the first stays
        whole, copy = copy, whole
    assert log.files["file"].tolist() == [whole]
    assert log.notes == (NOTE.format(copy, whole),)
    assert log.notes[0] in log.summary


@pytest.mark.parametrize(
    "other",
    [
        lines(60),
        ALL[:3000] + lines(60),
        ALL[:-8] + b"\x0110=000\n",
        ALL[1:],
        b"",
    ],
    ids=["another", "parts at the end", "another end", "not the beginning", "empty"],
)
def test_all_else_is_read(tmp_path: Path, other: bytes) -> None:
    log = fx.read_log(written(tmp_path, {"a.log": ALL, "b.log": other}))
    assert sorted(log.files["file"]) == ["a.log", "b.log"]
    assert log.notes == ()


def test_many_copies_are_one_note_and_only_the_longest_is_read(tmp_path: Path) -> None:
    sizes = [3000, len(ALL), 100, 5000, 3000, 1024]
    log = fx.read_log(
        written(tmp_path, {f"{i}.log": ALL[:size] for i, size in enumerate(sizes)})
    )
    assert log.files["file"].tolist() == ["1.log"]
    assert log.notes == (
        "0.log, 2.log, 3.log and 2 more are left out: "
        "all that is in them stands in 1.log as well",
    )


def test_files_that_begin_alike_are_not_all_compared_with_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    compare = _copies._beginning

    def noted(one: Source, other: Source) -> Source | None:
        compared.append(one)
        return compare(one, other)

    monkeypatch.setattr(_copies, "_beginning", noted)
    banner = b"# all of our logs begin with it\n" * 50
    files = {f"{i:02}.log": banner + lines(i + 1) for i in range(40)}
    assert len(fx.read_log(written(tmp_path, files))) == 40
    assert 40 < len(compared) < 40 * _copies._COMPARED_MAX


def test_the_same_file_by_another_way_is_nothing_to_tell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, {"logs/a.log": ALL})
    (tmp_path / "link.log").symlink_to(tmp_path / "logs" / "a.log")
    monkeypatch.chdir(tmp_path)
    log = fx.read_log(["logs", "logs/a.log", "./logs/../logs/a.log", tmp_path / "logs/a.log"])
    assert numbers(log) == list(range(1, 60))
    assert log.files["file"].tolist() == ["a.log"]
    assert log.notes == ()
    assert len(fx.read_log(["link.log", "logs"])) == 59


def test_copies_of_one_name_are_told_by_their_folders_alone(tmp_path: Path) -> None:
    written(tmp_path, {"x/ours/a.log": ALL, "x/again/a.log": ALL})
    log = fx.read_log([tmp_path / "x/ours", tmp_path / "x/again"])
    assert log.notes == (NOTE.format("again/a.log", "ours/a.log"),)
    assert log.files["file"].tolist() == ["a.log"]


def test_to_parquet_and_workers_read_the_same(tmp_path: Path) -> None:
    written(tmp_path / "logs", {"a.log": ALL, "a.log.1": ALL[:4000]})
    whole = fx.read_log(tmp_path / "logs")
    for log in (
        fx.read_log(tmp_path / "logs", workers=2),
        fx.read_log(tmp_path / "logs", to_parquet=tmp_path / "a.parquet"),
    ):
        assert log.notes == whole.notes != ()
        assert len(log) == len(log.frame) == 59
