"""How far the reading of files has come, as a bar on a terminal or in a notebook."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from fixlab.logs._sources import File, Source

_DELAY_SECONDS = 0.5  # no bar for what is over at once


@contextmanager
def watched(found: Sequence[Source], *, shown: bool) -> Iterator[Sequence[Source]]:
    """The same files, which move a bar as they are read."""
    if not shown:
        yield found
        return
    with _bar(found) as bar:
        yield [_watched(source, bar) for source in found]


@contextmanager
def counted(found: Sequence[Source], *, shown: bool) -> Iterator[Callable[[int], None]]:
    """The same bar, for who reads in parts: it is told how many more bytes were read."""
    if not shown:
        yield lambda count: None
        return
    with _bar(found) as bar:

        def advance(count: int) -> None:
            if count:
                bar.update(count)

        yield advance


def _bar(found: Sequence[Source]) -> Any:
    from tqdm.auto import tqdm  # here: it takes a moment, and is not always shown

    sizes = [source.size for source in found]
    total = None if None in sizes else sum(size or 0 for size in sizes)
    # None: none where nobody looks, such as a log file; notebooks always show it.
    return tqdm(
        total=total, unit="B", unit_scale=True, delay=_DELAY_SECONDS, disable=None, leave=False
    )


def _watched(source: Source, bar: Any) -> Source:
    reached = [0]  # bytes of this file that the bar knows of

    def open_() -> File:
        return _Watched(source.open(), bar, reached)

    return replace(source, open=open_)


class _Watched:
    """A file that says how far it has been read; what was read before counts once."""

    def __init__(self, file: File, bar: Any, reached: list[int]) -> None:
        self._file, self._bar, self._reached = file, bar, reached
        self._at = 0
        self.seekable, self.close = file.seekable, file.close

    def readinto(self, into: memoryview, /) -> int:
        got = self._file.readinto(into) or 0
        self._at += got
        if self._at > self._reached[0]:
            self._bar.update(self._at - self._reached[0])
            self._reached[0] = self._at
        return got

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at = self._file.seek(offset, whence)
        return self._at
