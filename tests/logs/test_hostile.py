"""Logs made to hurt: time stays linear, memory bounded, and the result clear."""

from __future__ import annotations

import io
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from fixlab.logs import _names, _pairs
from fixlab.logs._records import RECORD_MAX
from fixlab.logs._sources import Source
from fixlab.logs.read import Log, _read
from tests.logs.compare import log_of
from tests.logs.test_log import sent

MB = 1 << 20
START = b"8=FIX.4.4\x019=1000000\x0135=D\x01"


class Endless(io.RawIOBase):
    """A file of a piece said again and again, which nobody has in memory."""

    def __init__(self, piece: bytes, size: int) -> None:
        self._piece = piece * (MB // len(piece) + 1)
        self._left = size

    def readinto(self, into: Any) -> int:
        data = self._piece[: min(len(into), self._left)]
        into[: len(data)] = data
        self._left -= len(data)
        return len(data)


def peak_of(piece: bytes, size: int) -> tuple[Log, int]:
    """The log of such a file, and the memory that reading took at most."""
    source = Source("a.log", "a.log", lambda: Endless(piece, size), None)
    log_of(piece)  # what is imported or built once does not count
    tracemalloc.start()
    try:
        log = _read([source], (), (), MB)
        return log, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("piece", [b"x", b"\x00", b"a|b=", b"8=FIX", b"no end "])
def test_a_line_without_end_is_read_in_pieces(piece: bytes) -> None:
    log, peak = peak_of(piece, 60 * MB)
    assert len(log) == 0
    assert log.files["text_bytes"].iloc[0] + log.files["around_bytes"].iloc[0] == 60 * MB
    # The pieces of a line of delimiters have arrays of their own.
    assert peak < 80 * MB


def test_a_message_without_end_is_a_row_for_each_piece() -> None:
    log, peak = peak_of(b"35=D\x01" + b"11=xxxxxxxxxx\x01" * 1000, 20 * MB)
    assert set(log.frame["defect"]) == {"fragment"}
    assert len(log) <= 21
    assert int(log.frame["length"].max()) <= RECORD_MAX
    assert peak < 80 * MB


BAD: dict[str, Callable[[int], bytes]] = {
    "starts only": lambda size: START * (size // len(START)),
    "starts on lines": lambda size: (START + b"\n") * (size // len(START)),
    "starts with bars": lambda s: START.replace(b"\x01", b"|") * (s // len(START)),
    "starts in two bytes": lambda s: START.replace(b"\x01", b"^A") * (s // len(START)),
    "trailers only": lambda size: b"10=000\x01" * (size // 7),
    "line ends only": lambda size: b"\n" * size,
    "delimiters only": lambda size: b"\x01" * size,
    "wrapped without end": lambda size: START + b"11=x\x01\n" * (size // 6),
    "nested, one trailer": lambda size: START * (size // len(START)) + b"10=000\x01",
    "all garbled": lambda size: (
        b"8=FIX.4.4\x019=5\x0135=D\x0134=1\x0110=999\x01\n" * (size // 36)
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_time_grows_with_the_size_and_no_faster(name: str) -> None:
    def cost(size: int) -> float:
        data = BAD[name](size)
        begin = time.process_time()
        log = log_of(data)
        used = time.process_time() - begin
        assert int(log.files["bytes"].iloc[0]) == len(data)
        return used

    cost(MB // 8)
    small, large = min(cost(MB // 8) for _ in range(2)), cost(MB)
    # Eight times the size: a quadratic reader would take 64 times as long.
    assert large < 24 * small + 0.3


def test_more_comp_ids_than_are_kept_read_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_pairs, "PAIRS_MAX", 100)
    many = b"".join(sent(n, f"P{n}", "US") + b"\n" for n in range(1, 1001))
    log = log_of(many)
    assert len(log) == 1000
    assert log.frame["sender"].nunique() == 101
    assert (log.frame["sender"] == "…").sum() == 900
    assert "more distinct values than are kept in session" in log.notes[0]


def test_texts_beyond_the_limit_are_one_and_said() -> None:
    names = _names.Names(3)
    codes = [names.code(b"%d" % n) for n in range(10)]
    assert codes[:3] == [1, 2, 3]
    assert len(set(codes)) == 4
    assert names.overflowed
