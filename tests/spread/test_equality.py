"""What parts and groups of sessions give is what one machine gives, whatever the log."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

import fixlab
from fixlab import spread
from fixlab.analysis.findings import analyze
from fixlab.errors import ConfigError
from fixlab.logs._names import Names
from fixlab.logs.read import read_log
from fixlab.session.schedule import Schedule
from fixlab.spread import _log, _tasks
from tests.analysis.logged import STYLES
from tests.logs.made import Maker
from tests.spread.cluster import Here
from tests.spread.mixed import log_of

VIEWS = ("gaps", "ledger", "resends", "intervals")


def assert_same(
    folder: Path, part_bytes: int, tags: tuple[int, ...] = (), threads: int = 2
) -> None:
    log = read_log(folder, tags=tags)
    spread_log = spread.read(folder, client=Here(threads), tags=tags, part_bytes=part_bytes)
    assert_frame_equal(spread_log.log.frame, log.frame)
    assert_frame_equal(spread_log.log.files, log.files)
    assert_frame_equal(spread_log.log.sessions, log.sessions)
    assert spread_log.log.summary == log.summary
    for name in VIEWS:
        assert_frame_equal(getattr(spread_log, name)(), getattr(fixlab, name)(log))
    one, other = spread_log.analyze(), analyze(log)
    assert_frame_equal(one.table, other.table)
    assert one.left_out == other.left_out
    assert one.summary() == other.summary()
    for i in range(0, len(one), 7):
        assert one.evidence(i) == other.evidence(i)
    for session in one.table["session"].unique()[:3]:
        if session:
            assert one.only(session).summary() == other.only(session).summary()
            assert_frame_equal(
                one.only(session).ledger.reset_index(drop=True),
                other.only(session).ledger.reset_index(drop=True),
            )


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("seed", range(3))
def test_many_sessions_with_troubles(tmp_path: Path, seed: int, style: str) -> None:
    (tmp_path / "a.log").write_bytes(log_of(seed, 12, style))
    assert_same(tmp_path, random.Random(seed).choice((3_000, 20_000)), threads=1 + seed)


@pytest.mark.parametrize("seed", range(4))
def test_garbled_logs_of_several_files(tmp_path: Path, seed: int) -> None:
    for i in range(3):
        (tmp_path / f"{i}.log").write_bytes(Maker(500 + 10 * seed + i).log(80))
    assert_same(tmp_path, 5_000, (11, 58, 44), threads=1 + seed % 3)


def test_a_session_over_files_of_several_kinds(tmp_path: Path) -> None:
    lines = log_of(9, 6, "quickfix").splitlines(keepends=True)
    third = len(lines) // 3
    (tmp_path / "a.log.2.gz").write_bytes(gzip.compress(b"".join(lines[:third])))
    (tmp_path / "a.log.1").write_bytes(
        b"".join(lines[third : 2 * third]).decode("latin-1").encode("utf-16")
    )
    (tmp_path / "a.log").write_bytes(b"".join(lines[2 * third :]))
    assert_same(tmp_path, 4_000)


def test_files_that_overlap_and_extracts_of_them(tmp_path: Path) -> None:
    lines = log_of(4, 3, "quickfix").splitlines(keepends=True)
    half = len(lines) // 2
    for name, part in (
        ("a.log", lines[: half + 20]),
        ("b.log", lines[half:]),
        ("c.log", lines[3::2]),
    ):
        (tmp_path / name).write_bytes(b"".join(part))
    assert "count once" in analyze(read_log(tmp_path)).notes[-1]
    assert_same(tmp_path, 6_000, threads=2)


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 10**6), st.integers(500, 20_000), st.integers(1, 5))
def test_any_parts_and_any_number_of_groups(
    tmp_path: Path, seed: int, part_bytes: int, threads: int
) -> None:
    (tmp_path / "a.log").write_bytes(Maker(seed).log(80))
    assert_same(tmp_path, part_bytes, threads=threads)


@pytest.mark.parametrize("data", [b"", b"no message at all\n" * 400, b"35=D|10=123|\n" * 400])
def test_logs_without_any_session(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.log").write_bytes(data)
    assert_same(tmp_path, 1_000)


def test_damaged_messages_beyond_those_that_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fixlab.analysis import _finds_bytes, _finds_damage, findings

    for module in (_finds_bytes, _finds_damage, _log):
        monkeypatch.setattr(module, "ROWS_MAX", 7)
    monkeypatch.setattr(findings, "_SAME_MAX", 3)
    for seed in range(6):
        maker = Maker(60 + seed)
        maker.trouble, maker.hidden = (0.3, 0.0) if seed < 3 else (0.05, 0.9)
        (tmp_path / "a.log").write_bytes(maker.log(150))
        assert_same(tmp_path, 4_000)


def test_what_is_expected_and_a_schedule_are_told_to_the_workers(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(log_of(3, 5, "quickfix"))
    log = read_log(tmp_path)
    spread_log = spread.read(tmp_path, client=Here(), part_bytes=4_000)
    start = {"B00": 3, "S004": 2}
    schedule = Schedule(start="01:00:00", end="02:00:00")
    one = spread_log.analyze(expected_start=start, schedule=schedule)
    other = analyze(log, expected_start=start, schedule=schedule)
    assert_frame_equal(one.table, other.table)
    assert "OUTSIDE_WINDOW" in set(one.table["code"])
    for name in ("gaps", "ledger", "resends"):
        assert_frame_equal(
            getattr(spread_log, name)(expected_start=start),
            getattr(fixlab, name)(log, expected_start=start),
        )
    for wrong in ({"NOBODY": 1}, {"B00": 0}):
        with pytest.raises(ConfigError) as one_error:
            spread_log.analyze(expected_start=wrong)
        with pytest.raises(ConfigError) as other_error:
            analyze(log, expected_start=wrong)
        assert str(one_error.value) == str(other_error.value)


def test_rows_are_read_from_their_files(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(log_of(1, 3, "prefixed"))
    log = read_log(tmp_path)
    spread_log = spread.read(tmp_path, client=Here(), part_bytes=2_000)
    assert len(spread_log) == len(log)
    assert spread_log.raw(17) == log.raw(17)
    with pytest.raises(ConfigError, match="expected a row from 0"):
        spread_log.raw(len(log))


def test_the_page_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_bytes(log_of(1, 3, "prefixed"))
    one = spread.read(tmp_path, client=Here(), part_bytes=2_000).analyze()
    other = analyze(read_log(tmp_path))
    one.to_html(tmp_path / "one.html")
    other.to_html(tmp_path / "other.html")
    assert (tmp_path / "one.html").read_text() == (tmp_path / "other.html").read_text()


def test_more_texts_than_are_kept_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Names.__init__, "__defaults__", (4,))
    (tmp_path / "a.log").write_bytes(log_of(1, 8, "quickfix"))
    spread_log = spread.read(tmp_path, client=Here(), part_bytes=2_000)
    assert any("more distinct values" in note for note in spread_log.log.notes)
    assert len(spread_log.log.frame) == len(read_log(tmp_path))
    assert len(spread_log.analyze()) > 0


def test_without_dask_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(_log, "import_module", missing)
    with pytest.raises(ConfigError, match=r"pip install 'fixlab\[dask\]'"):
        spread.read(tmp_path)


def test_without_a_client_the_error_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="Client"):
        spread.read(tmp_path)


def test_no_task_needs_dask() -> None:
    # What is sent to workers is plain functions of this package.
    assert "distributed" not in vars(_tasks)
