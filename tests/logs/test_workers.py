"""Several processes read what one reads, wherever they are started from, and end."""

from __future__ import annotations

import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from fixlab import redact
from fixlab.errors import ConfigError, LogFormatError, StateError
from fixlab.logs import _names, _segments, _workers
from fixlab.logs.read import Log, read_log
from tests.bench import made_logs
from tests.logs.made import Maker

COUNT = 8_000


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(_segments.parts_of, "__defaults__", (1 << 19,))
    yield
    _workers.end_idle()


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_logs.write(tmp_path_factory.mktemp("logs") / "made.log", COUNT, "quickfix")


def assert_same(one: Log, other: Log) -> None:
    assert_frame_equal(one.frame, other.frame)
    assert_frame_equal(one.files, other.files)
    assert_frame_equal(one.sessions, other.sessions)
    assert one.summary == other.summary
    assert one.raw(COUNT // 3) == other.raw(COUNT // 3)


def test_two_processes_read_what_one_reads(path: Path) -> None:
    whole = read_log(path, tags=[11, 44])
    assert_same(read_log(path, tags=[11, 44], workers=2), whole)
    before = [worker._process.pid for worker in _workers._idle]
    assert len(before) == 1
    # It waits for more work, and gets it.
    assert_same(read_log(path, tags=[11, 44], workers=2), whole)
    assert [worker._process.pid for worker in _workers._idle] == before
    _workers.end_idle()
    with pytest.raises(ProcessLookupError):
        os.kill(before[0], 0)


def test_files_of_all_kinds_in_one_folder(tmp_path: Path, path: Path) -> None:
    data = path.read_bytes()
    (tmp_path / "a.log").write_bytes(data)
    (tmp_path / "b.log.gz").write_bytes(gzip.compress(data[: len(data) // 3]))
    (tmp_path / "c.log").write_bytes(data.decode("latin-1").encode("utf-16"))
    (tmp_path / "d.log").write_bytes(Maker(1).log(300))
    (tmp_path / "e.log").write_bytes(b"")
    assert_same(read_log(tmp_path, workers=3), read_log(tmp_path))


def test_the_same_into_parquet(tmp_path: Path, path: Path) -> None:
    one = read_log(path, tags=[11], to_parquet=tmp_path / "one.parquet")
    two = read_log(path, tags=[11], to_parquet=tmp_path / "two.parquet", workers=2)
    assert_same(two, one)


def test_more_texts_than_are_kept_are_those_that_one_process_keeps(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_names.Names.__init__, "__defaults__", (2,))
    whole = read_log(path)
    assert any("more distinct values" in note for note in whole.notes) or whole.notes == ()
    assert_same(read_log(path, workers=2), whole)


def test_tags_that_are_hidden_here_are_hidden_there(tmp_path: Path) -> None:
    from fixlab.wire.message import encode

    body = b"35=5\x0134=%d\x0149=A\x0152=20260105-09:00:00\x0156=B\x0158=x 11=SECRET-%05d\x01"
    lines = [encode(b"FIX.4.4", body % (i, i)) + b"\n" for i in range(1, 20_000)]
    (tmp_path / "a.log").write_bytes(b"".join(lines))
    assert "SECRET" in str(read_log(tmp_path, workers=2).frame["text"].iloc[-1])
    redact.hide(11)
    try:
        frame = read_log(tmp_path, workers=2).frame
        assert "SECRET" not in "".join(frame["text"].cat.categories)
    finally:
        redact.reveal(11)


def test_what_cannot_be_read_is_said_as_by_one_process(tmp_path: Path, path: Path) -> None:
    (tmp_path / "a.log").write_bytes(path.read_bytes())
    (tmp_path / "b.pcap").write_bytes(b"\xd4\xc3\xb2\xa1\x02")
    with pytest.raises(LogFormatError) as one:
        read_log(tmp_path)
    with pytest.raises(LogFormatError) as two:
        read_log(tmp_path, workers=2)
    assert str(one.value) == str(two.value)
    assert _workers._idle == []


def test_a_worker_that_dies_is_an_error_and_leaves_nothing_behind(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    died: list[int] = []
    read = _workers._Worker.read

    def killed(self: _workers._Worker, *arguments: object) -> object:
        died.append(self._process.pid)
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        return read(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(_workers._Worker, "read", killed)
    # This process leaves all of it to the other one.
    taken = _workers._Work.taken
    monkeypatch.setattr(
        _workers._Work, "taken", lambda self, wait: taken(self, wait=True) if wait else None
    )
    with pytest.raises(StateError, match="a worker of read_log died: it ended with -9"):
        read_log(path, workers=2)
    assert len(died) == 1
    assert _workers._idle == []


def test_a_script_without_a_guard_and_with_threads_reads_as_well(
    tmp_path: Path, path: Path
) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, threading\n"
        "threading.Thread(target=threading.Event().wait, args=(2,)).start()\n"
        "import fixlab\n"
        "from fixlab.logs import _segments\n"
        "_segments.parts_of.__defaults__ = (1 << 19,)\n"
        "print(len(fixlab.read_log(sys.argv[1], workers=2)))\n"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script), str(path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"PYTHONPATH": root},
    )
    assert (done.stdout, done.stderr) == (f"{COUNT}\n", "")


def test_a_worker_ends_when_who_gave_it_work_is_gone(tmp_path: Path, path: Path) -> None:
    script = (
        "import os, sys, fixlab\n"
        "from fixlab.logs import _segments, _workers\n"
        "_segments.parts_of.__defaults__ = (1 << 19,)\n"
        "fixlab.read_log(sys.argv[1], workers=2)\n"
        "print(len(_workers._idle), flush=True)\n"
        "os._exit(3)\n"
    )
    # It holds the other end of this pipe, so this returns only when it has ended as well.
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)],
        capture_output=True,
        text=True,
        timeout=_workers.IDLE_SECONDS,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "1\n", "")


@pytest.mark.parametrize("workers", [0, -1])
def test_a_number_of_workers_that_is_none_is_refused(path: Path, workers: int) -> None:
    with pytest.raises(ConfigError, match="workers"):
        read_log(path, workers=workers)
