"""Pacing: at once when due, else once more when it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from fixlab.panels.base import Paced


class Handle:
    def __init__(self) -> None:
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """An event loop whose time the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.later: list[tuple[float, Callable[[], None], Handle]] = []

    def is_running(self) -> bool:
        return True

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, do: Callable[[], None]) -> Handle:
        handle = Handle()
        self.later.append((self.now + delay, do, handle))
        return handle

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [entry for entry in self.later if entry[0] <= self.now + 1e-9]
        self.later = [entry for entry in self.later if entry not in due]
        for _, do, handle in due:
            if not handle.cancelled:
                do()


def paced(loop: Loop | None, do: Callable[[], None]) -> Paced:
    return Paced(do, interval_seconds=0.1, loop=cast("asyncio.AbstractEventLoop | None", loop))


def test_the_first_request_is_done_at_once_and_the_next_ones_as_one_later() -> None:
    loop, done = Loop(), []
    pace = paced(loop, lambda: done.append(loop.now))
    for _ in range(50):
        pace.request()
    assert done == [100.0]
    loop.advance(0.05)
    assert len(done) == 1
    loop.advance(0.05)
    assert len(done) == 2
    loop.advance(10)
    assert len(done) == 2


def test_what_is_slow_is_done_less_often() -> None:
    loop, done = Loop(), []

    def slow() -> None:
        done.append(loop.now)
        loop.now += 1.0

    pace = paced(loop, slow)
    pace.request()
    pace.request()
    loop.advance(3.9)
    assert len(done) == 1
    loop.advance(0.1)
    assert len(done) == 2  # one second in five


def test_closing_forgets_what_is_still_to_be_done() -> None:
    loop, done = Loop(), []
    pace = paced(loop, lambda: done.append(loop.now))
    pace.request()
    pace.request()
    pace.close()
    loop.advance(1)
    assert len(done) == 1


def test_without_a_loop_everything_is_done_at_once() -> None:
    done = []
    pace = paced(None, lambda: done.append(1))
    pace.request()
    pace.request()
    assert len(done) == 2
