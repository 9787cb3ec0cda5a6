"""The bar that shows how far a log has been read: it ends where the files end."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
import tqdm.auto

from fixlab.logs.read import read_log

LINE = (
    b"20260105-09:00:00.000 : 8=FIX.4.4\x019=5\x0135=0\x0134=1\x0149=A\x0156=B\x0110=000\x01\n"
)


class Bar:
    """What is told to a bar."""

    made: list[Bar]

    def __init__(self, **settings: Any) -> None:
        self.total = settings["total"]
        self.n = 0
        self.closed = False
        Bar.made.append(self)

    def update(self, count: int) -> None:
        assert count > 0
        self.n += count

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *error: object) -> None:
        self.closed = True


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> list[Bar]:
    Bar.made = []
    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    return Bar.made


def write(folder: Path) -> int:
    """Some files, one of them compressed; returns their size."""
    (folder / "a.log").write_bytes(LINE * 30_000)  # more than one block
    (folder / "b.log.gz").write_bytes(gzip.compress(b"# no copy\n" + LINE * 50_000))
    return sum(path.stat().st_size for path in folder.iterdir())


def test_it_counts_the_bytes_of_the_files_as_they_are_stored(
    tmp_path: Path, bars: list[Bar]
) -> None:
    size = write(tmp_path)
    log = read_log(tmp_path, progress=True)
    assert [(bar.total, bar.n, bar.closed) for bar in bars] == [(size, size, True)]
    assert len(log) == 80_000
    log.raw(0)  # later reading moves nothing
    assert bars[0].n == size


def test_into_parquet_there_is_one_for_each_pass(tmp_path: Path, bars: list[Bar]) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "logs").mkdir()
    size = write(tmp_path / "logs")
    read_log(tmp_path / "logs", to_parquet=tmp_path / "rows.parquet", progress=True)
    assert [(bar.total, bar.n) for bar in bars] == [(size, size)] * 2


def test_there_is_none_unless_asked_for(tmp_path: Path, bars: list[Bar]) -> None:
    write(tmp_path)
    read_log(tmp_path)
    assert bars == []
