"""A file that grows: its rows come as they are written, across rotation."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

import fixlab as fx
from fixlab.errors import ConfigError
from fixlab.frames import MESSAGES, check
from fixlab.logs import _follow
from tests.logs.test_sources import lines, message


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_follow, "POLL_SECONDS", 0.001)


async def taken(followed: fx.FollowedLog, count: int) -> pd.DataFrame:
    """The next `count` rows."""
    parts: list[pd.DataFrame] = []
    async with asyncio.timeout(10):
        while sum(len(part) for part in parts) < count:
            parts.append(await anext(followed))
    return pd.concat(parts)


def test_rows_come_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "a.log"

    async def run() -> None:
        path.write_bytes(b"")
        async with fx.read_log(path, follow=True, tags=[58]) as followed:
            with path.open("ab", buffering=0) as file:
                file.write(lines(1)[:40])
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(anext(followed), 0.05)
                file.write(lines(1)[40:] + lines(2))
                first = await taken(followed, 2)
                file.write(b"an event\n" + lines(3))
                second = await taken(followed, 1)
        check(first, MESSAGES)
        assert first["msg_seq_num"].tolist() == [1, 2]
        assert first["Text"].tolist() == ["x", "x"]
        assert (second["msg_seq_num"].tolist(), second.index.tolist()) == ([3], [2])

    asyncio.run(run())


@pytest.mark.parametrize("how", ["renamed", "cut"])
def test_rotation_is_followed(tmp_path: Path, how: str) -> None:
    path = tmp_path / "a.log"

    async def run() -> None:
        path.write_bytes(lines(1, 2, 3))
        async with fx.read_log(path, follow=True) as followed:
            await taken(followed, 3)
            if how == "renamed":
                path.rename(tmp_path / "a.log.1")
                await asyncio.sleep(0.01)
            path.write_bytes(lines(4).replace(b"\x01", b"|"))
            after = await taken(followed, 1)
        assert after["msg_seq_num"].tolist() == [4]
        assert after["offset"].tolist() == [0]

    asyncio.run(run())


def test_what_was_followed_equals_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    whole = b"".join(message(n) + b"\n" for n in range(1, 500))

    async def run() -> pd.DataFrame:
        path.write_bytes(whole[:10])
        followed = fx.read_log(path, follow=True)
        with path.open("ab", buffering=0) as file:
            file.write(whole[10:9_999])
            parts = [await taken(followed, 50)]
            file.write(whole[9_999:])
            parts.append(await taken(followed, 499 - len(parts[0])))
        followed.close()
        with pytest.raises(StopAsyncIteration):
            await anext(followed)
        return pd.concat(parts)

    found = asyncio.run(run())
    assert_frame_equal(check(found, MESSAGES), fx.read_log(path).frame)


def test_only_a_plain_file_can_be_followed(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    with pytest.raises(ConfigError, match="cannot be read"):
        fx.read_log(path, follow=True)
    with pytest.raises(ConfigError, match="follow=True takes the path of one file"):
        fx.read_log([path], follow=True)  # type: ignore[call-overload]
    path.write_bytes(b"\x1f\x8b" + bytes(50))

    async def run() -> None:
        with pytest.raises(ConfigError, match="only a plain file can be followed"):
            await anext(fx.read_log(path, follow=True))

    asyncio.run(run())
