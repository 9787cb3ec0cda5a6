"""A log that is still being written: its new rows as they come."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import pandas as pd

from fixlab.errors import ConfigError
from fixlab.logs._blocks import Feed
from fixlab.logs._columns import Book
from fixlab.logs._frame import Rows
from fixlab.logs._sides import Pair, Side, sides
from fixlab.logs._sources import is_plain
from fixlab.logs._style import SNIFF_BYTES, START, sniff

POLL_SECONDS = 0.2  # how often a file that has nothing new is looked at
_READ_BYTES = 1 << 20


class FollowedLog:
    """The rows of a growing log: `async for frame in followed`, from the file's beginning.

    Each frame has schema `messages`; its index goes on from the one before. A file that is
    replaced or cut to nothing, as rotation does, is read to its end, and then the new one from
    its beginning. A message that is not complete yet waits. What is known of the direction may
    grow: rows that came before keep what was known then.

    It ends when it is closed: `async with`, or `close()`. Raises `ConfigError` when the file
    cannot be read.
    """

    def __init__(self, path: Path, tags: Sequence[int], ours: Collection[str]) -> None:
        self.path = path
        self._tags, self._ours = tags, ours
        self._file: BinaryIO | None = None
        self._closed = False
        self._head = b""  # until it shows the style
        self._feed: Feed | None = None
        self._book = Book()
        self._rows = Rows(self._book, tags)
        self._decided: dict[Pair, Side] = {}
        self._count = 0
        self._open()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> pd.DataFrame:
        while not self._closed:
            frame = self._more()
            if frame is not None:
                return frame
            await asyncio.sleep(POLL_SECONDS)
        raise StopAsyncIteration

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; who waits for rows is told that there are no more."""
        self._closed = True
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        try:
            self._file = self.path.open("rb", buffering=0)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read: {error.strerror}") from None
        self._feed, self._head = None, b""

    def _more(self) -> pd.DataFrame | None:
        """New rows, if what was written since has some; reads at most 1 MiB."""
        assert self._file is not None
        try:
            data = self._file.read(_READ_BYTES)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read: {error.strerror}") from None
        if data:
            self._take(data, last=False)
        elif self._replaced():
            self._take(b"", last=True)
            self._file.close()
            self._open()
        return self._frame()

    def _take(self, data: bytes, *, last: bool) -> None:
        if self._feed is None:
            self._head += data
            if not is_plain(self._head):
                self.close()
                raise ConfigError(
                    f"{self.path} is compressed, a capture or in UTF-16; only a "
                    "plain file can be followed"
                )
            if START.search(self._head) is None and len(self._head) < SNIFF_BYTES and not last:
                return
            self._feed = Feed(sniff(self._head[:SNIFF_BYTES]), self._book, self._tags)
            data, self._head = self._head, b""
        for block in self._feed.push(data, last=last):
            self._rows.add(block, 0)

    def _replaced(self) -> bool:
        """Whether the path now leads to another file, or to one that was cut."""
        assert self._file is not None
        try:
            now = self.path.stat()
        except OSError:
            return False  # between the renaming and the new file
        here = os.fstat(self._file.fileno())
        return now.st_ino != here.st_ino or now.st_size < self._file.tell()

    def _frame(self) -> pd.DataFrame | None:
        if len(self._rows) == 0:
            return None
        found = sides(self._rows.pairs.seen(), self._ours, [self.path.name])
        # What was once known stays, so that a session never changes its name back.
        self._decided = {**found, **{p: s for p, s in self._decided.items() if s.source}}
        frame = self._rows.frame([self.path.name], self._decided)
        frame.index = pd.RangeIndex(self._count, self._count + len(frame))
        self._count += len(frame)
        return frame
