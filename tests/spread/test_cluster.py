"""A real cluster of two processes reads and looks at logs as this process does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import distributed
import pytest
from pandas.testing import assert_frame_equal

import fixlab
from fixlab import redact, spread
from fixlab.analysis.findings import analyze
from fixlab.errors import LogFormatError
from fixlab.logs.read import read_log
from tests.logs.made import Maker
from tests.spread.mixed import log_of


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_what_two_processes_find_is_what_this_one_finds(tmp_path: Path, client: Any) -> None:
    (tmp_path / "a.log").write_bytes(log_of(5, 10, "quickfix"))
    (tmp_path / "b.log").write_bytes(Maker(77).log(150))
    log = read_log(tmp_path, tags=[11])
    # Without `client` it is the one that was made last.
    spread_log = spread.read(tmp_path, tags=[11], part_bytes=10_000)
    assert_frame_equal(spread_log.log.frame, log.frame)
    for name in ("gaps", "ledger", "resends", "intervals"):
        assert_frame_equal(getattr(spread_log, name)(), getattr(fixlab, name)(log))
    one, other = spread_log.analyze(), analyze(log)
    assert_frame_equal(one.table, other.table)
    assert one.summary() == other.summary()
    assert one.evidence(3) == other.evidence(3)
    # Both had a share of the work, in processes of their own.
    pids = set(client.run(os.getpid).values())
    assert len(pids) == 2
    assert os.getpid() not in pids
    held = client.has_what()
    assert all(len(keys) for keys in held.values())


def test_what_cannot_be_read_is_the_same_error(tmp_path: Path, client: Any) -> None:
    (tmp_path / "a.pcap").write_bytes(b"\xd4\xc3\xb2\xa1\x02")
    with pytest.raises(LogFormatError) as one:
        spread.read(tmp_path, client=client)
    with pytest.raises(LogFormatError) as other:
        read_log(tmp_path)
    assert str(one.value) == str(other.value)


def test_tags_that_are_hidden_here_are_hidden_there(tmp_path: Path, client: Any) -> None:
    data = log_of(5, 4, "quickfix").replace(b"\x0158=", b"\x0158=11=S ")
    (tmp_path / "a.log").write_bytes(data)
    redact.hide(11)
    try:
        one = spread.read(tmp_path, client=client, part_bytes=10_000).log.frame
        assert_frame_equal(one, read_log(tmp_path).frame)
        assert "11=***" in " ".join(one["text"].cat.categories)
    finally:
        redact.reveal(11)
