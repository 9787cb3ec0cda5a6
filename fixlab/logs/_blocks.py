"""One file, block by block, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from fixlab.logs import _records
from fixlab.logs._columns import Block, Book
from fixlab.logs._records import Reader, Tally
from fixlab.logs._scan import FRONT, Scanner
from fixlab.logs._sources import Source, Stream, opened
from fixlab.logs._style import SNIFF_BYTES, Style, sniff
from fixlab.logs._words import PADDING
from fixlab.times import parse_utc
from fixlab.wire.message import Message

# Large enough that NumPy's cost per call vanishes; the headers in it still fit a cache.
BLOCK_BYTES = 1 << 22
_BLOCK_MIN = 1 << 16
_LARGE_ARRAY = 31 << 20  # bytes: more than any in a block, less than glibc hands back always
_LOOK_BYTES = 1 << 16  # at the beginning of a file, to tell when it began


@dataclass(slots=True)
class Account:
    """What became of the bytes of a file: those of its rows, and those of none."""

    name: str
    style: Style = field(default_factory=Style)
    bytes: int = 0
    rows: int = 0
    defects: int = 0
    row_bytes: int = 0
    tally: Tally = field(default_factory=Tally)
    problem: str = ""
    captured: bool = False  # the file is a capture

    def count(self, block: Block) -> None:
        """Take in the rows of a block."""
        self.rows += len(block)
        self.defects += int((block.dense["defect"] != 0).sum())
        self.row_bytes += int(block.dense["length"].sum(dtype="int64"))

    def add(self, other: Account) -> None:
        """Take in what another part of the same file gave."""
        self.style = other.style
        self.bytes += other.bytes
        self.rows += other.rows
        self.defects += other.defects
        self.row_bytes += other.row_bytes
        self.tally.add(other.tally)
        self.problem = self.problem or other.problem
        self.captured |= other.captured


def blocks(
    source: Source,
    book: Book,
    tags: Sequence[int],
    account: Account,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Block]:
    """The rows of a file in blocks; `account` is complete behind the last one."""
    stream = opened(source)
    try:
        yield from _blocks(stream, book, tags, account, block_bytes)
    finally:
        stream.close()
    account.problem = stream.problem


def first_time(source: Source) -> int | None:
    """The first time in a file, in ns, if one of its first messages has any."""
    stream = opened(source)
    try:
        head = bytearray(_LOOK_BYTES)
        head = head[: stream.readinto(memoryview(head))]
    finally:
        stream.close()
    reader = Reader(sniff(bytes(head)))
    _, records = reader.read(head, 0, len(head), last=True, until=len(head))
    for record in records:
        if record.said.time is not None:
            return record.said.time
        sent = Message.from_wire(record.wire).get(52)
        if sent and (time := parse_utc(sent.encode("latin-1"))) is not None:
            return time
    return None


def _blocks(
    stream: Stream, book: Book, tags: Sequence[int], account: Account, block_bytes: int
) -> Iterator[Block]:
    head = bytearray(SNIFF_BYTES)
    head = head[: stream.readinto(memoryview(head))]
    account.style = sniff(bytes(head))
    if len(head) < SNIFF_BYTES:  # all that there is, unless it grows
        block_bytes = min(block_bytes, max(len(head), _BLOCK_MIN))
    feed = Feed(account.style, book, tags, block_bytes)
    given = 0
    while True:
        room = feed.room()
        if given < len(head):
            got = min(len(room), len(head) - given)
            room[:got] = head[given : given + got]
            given += got
        else:
            head, given = bytearray(), 0
            got = stream.readinto(room)
        account.bytes += got
        block = feed.scan(got, last=got == 0)
        account.count(block)
        yield block
        if got == 0:
            break
    account.tally = feed.tally


class Standing(NamedTuple):
    """A place between two steps of the reader, and all that it carries over it.

    Two readers of one file and style that ever stand the same read the same from there on.
    """

    position: int = 0
    in_line: bool = False
    above: bytes = b""


class Feed:
    """The bytes of one file, as they come, into blocks."""

    def __init__(
        self,
        style: Style,
        book: Book,
        tags: Sequence[int],
        block_bytes: int = BLOCK_BYTES,
    ) -> None:
        _keep_freed_memory()
        self._scanner = Scanner(style, book, tags)
        self._block_bytes = block_bytes
        # What waits for more bytes is never longer than one record and what tells its end.
        size = FRONT + max(block_bytes, 4096) + _records.RECORD_MAX + 4096 + PADDING
        self._buffer = bytearray(size + -size % 8)
        self._view = memoryview(self._buffer)
        self._fill, self._base = FRONT, -FRONT

    @property
    def tally(self) -> Tally:
        """What belongs to no row."""
        return self._scanner.tally

    def room(self) -> memoryview:
        """Where the next bytes are to be put, from the front."""
        size = min(self._block_bytes, len(self._view) - PADDING - self._fill)
        assert size > 0, "a block took nothing of what was there"
        return self._view[self._fill : self._fill + size]

    @property
    def standing(self) -> Standing:
        """Where it stands: before what waits for more bytes."""
        return Standing(self._base + FRONT, *self._scanner.standing)

    def stand(self, at: Standing) -> None:
        """Begin at another place than the beginning of the file."""
        self._base = at.position - FRONT
        self._scanner.standing = at.in_line, at.above

    def scan(self, got: int, *, last: bool) -> Block:
        """The rows that `got` more bytes complete; `last` says that no more come."""
        self._fill += got
        position, block = self._scanner.scan(
            self._buffer, FRONT, self._fill, base=self._base, last=last
        )
        self._passed(position)
        return block

    def step(self, got: int, *, last: bool, until: int) -> Block:
        """As `scan`, but no row that begins at or behind `until`, a place in the file."""
        self._fill += got
        position, block = self._scanner.step(
            *(self._buffer, FRONT, self._fill),
            base=self._base,
            last=last,
            until=until - self._base,
        )
        self._passed(position)
        return block

    def _passed(self, position: int) -> None:
        """Keep what is behind `position`."""
        rest = self._fill - position
        self._view[FRONT : FRONT + rest] = self._view[position : self._fill]
        self._base += position - FRONT
        self._fill = FRONT + rest

    def push(self, data: bytes, *, last: bool) -> Iterator[Block]:
        """The same for bytes that are in memory."""
        given = 0
        while given < len(data):
            room = self.room()
            got = min(len(room), len(data) - given)
            room[:got] = data[given : given + got]
            given += got
            yield self.scan(got, last=False)
        if last:
            yield self.scan(0, last=True)


def _keep_freed_memory() -> None:
    """Have the C library keep what arrays leave behind, for those of the next block.

    glibc hands large memory back as soon as it is free, and asks for it anew, page by page,
    until it has seen a large array come and go; a first read would take a sixth longer.
    """
    np.empty(_LARGE_ARRAY, np.uint8)  # never written, so it takes no memory
