"""Log.messages(): many messages at once are those that message() gives one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from fixlab.errors import ConfigError
from fixlab.logs.read import read_log
from tests.logs.made import Maker


@pytest.mark.parametrize("seed", range(20))
def test_messages_of_any_style_are_read_as_one_by_one(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(Maker(seed).log(60))
    log = read_log(path)
    one_by_one = [log.message(row).raw for row in range(len(log))]
    assert [message.raw for message in log.messages()] == one_by_one
    some = list(range(0, len(log), 3))
    assert [message.raw for message in log.messages(some)] == [one_by_one[i] for i in some]


def test_a_file_that_shrank_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    path.write_bytes(Maker(1).log(60))
    log = read_log(path)
    path.write_bytes(b"")
    with pytest.raises(ConfigError, match=r"x\.log has changed"):
        list(log.messages())
