"""A client that runs each task at once, here: what is asked of it, in any order."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable
from typing import Any


class Future:
    """A result, pickled as on its way between machines."""

    def __init__(self, value: Any) -> None:
        self._text = pickle.dumps(value, protocol=5)

    def result(self) -> Any:
        return pickle.loads(self._text)


def _here(value: Any) -> Any:
    if isinstance(value, Future):
        return value.result()
    if isinstance(value, list):
        return [_here(each) for each in value]
    return pickle.loads(pickle.dumps(value, protocol=5))


class Here:
    """The part of `distributed.Client` that is used."""

    def __init__(self, threads: int = 2) -> None:
        self._threads = threads

    def submit(
        self, task: Callable[..., Any], *arguments: Any, pure: bool, **named: Any
    ) -> Future:
        assert not pure
        return Future(task(*map(_here, arguments), **{k: _here(v) for k, v in named.items()}))

    def map(
        self, task: Callable[..., Any], each: Iterable[Any], *, pure: bool, **named: Any
    ) -> list[Future]:
        return [self.submit(task, one, pure=pure, **named) for one in each]

    def gather(self, futures: Iterable[Future]) -> list[Any]:
        return [future.result() for future in futures]

    def scatter(self, value: Any, *, broadcast: bool) -> Future:
        return Future(value)

    def nthreads(self) -> dict[str, int]:
        return {"here": self._threads}
