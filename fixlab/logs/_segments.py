"""Logs in parts that are read apart and put together again, in whatever order they come.

A part is a stretch of one file, or all of one that has to be read from its beginning: what is
compressed, in UTF-16 or a capture. It has the rows that begin in it, to whatever end. Where one
begins is a guess, at the beginning of a line with a message; a segment, which is a part that
was read, says where it really stood at both ends. Where two that follow each other agree, they
read as one would have; where they do not, the second one is read again from where the first one
stood. So any division gives the same rows, also of messages over many lines.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

from fixlab.logs._blocks import BLOCK_BYTES, Account, Feed, Standing, blocks
from fixlab.logs._capture import captured
from fixlab.logs._columns import Block, Book
from fixlab.logs._packed import Packed, Packer
from fixlab.logs._sources import CAPTURES, Source, Stream, is_capture, opened
from fixlab.logs._style import SNIFF_BYTES, START, Style, sniff

PART_BYTES = 1 << 24
_LOOK_BYTES = 1 << 16  # from where a part might begin, for the beginning of a line


class Part(NamedTuple):
    """A stretch of a file: from where the reader should stand, to before `end`."""

    file: int  # its place among the files
    source: Source
    at: Standing = Standing()
    end: int | None = None  # None: the end of the file
    style: Style | None = None  # None: all of the file, read from its beginning

    @property
    def key(self) -> tuple[int, int]:
        """Its place among all parts."""
        return self.file, self.at.position


@dataclass(slots=True)
class Segment:
    """A part that was read: its rows, and where the reader stood behind the last one."""

    part: Part
    account: Account
    packed: Packed
    left: Standing | None  # None: the file ended


def parts_of(file: int, source: Source, part_bytes: int = PART_BYTES) -> list[Part]:
    """The parts of a file, of about so many bytes, in order.

    Raises `ConfigError` when it cannot be read.
    """
    whole = [Part(file, source)]
    if source.size is not None and source.size <= part_bytes:
        return whole
    stream = opened(source)
    try:
        if stream.file is None:
            return whole
        size = stream.file.seek(0, 2)
        if size <= part_bytes:
            return whole
        head = bytes(_bytes_at(stream, 0, SNIFF_BYTES))
        if head.startswith(CAPTURES):
            return whole
        style = sniff(head)
        places = [0]
        for nominal in range(part_bytes, size, part_bytes):
            place = _beginning(_bytes_at(stream, nominal, _LOOK_BYTES), style)
            if place is not None and nominal + place > places[-1]:
                places.append(nominal + place)
    finally:
        stream.close()
    ends = [*places[1:], None]
    return [
        Part(file, source, Standing(place), end, style)
        for place, end in zip(places, ends, strict=True)
    ]


def _bytes_at(stream: Stream, offset: int, length: int) -> bytearray:
    stream.skip(offset)
    data = bytearray(length)
    return data[: stream.readinto(memoryview(data))]


def _beginning(text: bytearray, style: Style) -> int | None:
    """Where a line begins that most likely begins a record; None when no line does."""
    first = text.find(b"\n") + 1
    if first == 0:
        return None
    low = first
    if style.two_lines:
        # What belongs to a message stands in the line before it.
        low = text.find(b"\n", first) + 1 or len(text)
    starts = START.finditer(text, low)
    found = next((start for start in starts if start[2] == style.delimiter), None)
    if found is None:
        return first
    line = text.rfind(b"\n", 0, found.start()) + 1
    return text.rfind(b"\n", 0, line - 1) + 1 if style.two_lines else line


def blocks_of(
    source: Source,
    book: Book,
    tags: Sequence[int],
    account: Account,
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[Block]:
    """The rows of a whole file, log or capture, in blocks."""
    account.captured = is_capture(source)
    if account.captured:
        return captured(source, book, tags, account)
    return blocks(source, book, tags, account, block_bytes)


def read(part: Part, tags: Sequence[int], block_bytes: int = BLOCK_BYTES) -> Segment:
    """Read a part. Raises `ConfigError` and `LogFormatError` as `read_log` does."""
    account = Account(part.source.name)
    packer = Packer(tags)
    if part.style is None:
        for block in blocks_of(part.source, packer.book, tags, account, block_bytes):
            packer.add(block)
        return Segment(part, account, packer.packed(), None)
    account.style = part.style
    feed = Feed(part.style, packer.book, tags, block_bytes)
    feed.stand(part.at)
    stream = opened(part.source)
    try:
        stream.skip(part.at.position)
        for block in _stretch(stream, feed, part):
            account.count(block)
            packer.add(block)
    finally:
        stream.close()
    left = feed.standing
    account.tally = feed.tally
    account.bytes = left.position - part.at.position
    ended = part.end is None or left.position < part.end
    return Segment(part, account, packer.packed(), None if ended else left)


def _stretch(stream: Stream, feed: Feed, part: Part) -> Iterator[Block]:
    """The blocks of a part."""
    place, end = part.at.position, part.end
    while end is None or place < end:
        room = feed.room() if end is None else feed.room()[: end - place]
        got = stream.readinto(room)
        place += got
        yield feed.scan(got, last=got == 0)
        if got == 0:
            return
    # What begins before the end may need bytes behind it to be read.
    while feed.standing.position < end:
        got = stream.readinto(feed.room())
        yield feed.step(got, last=got == 0, until=end)
        if got == 0:
            return


def merged(one: Iterable[Segment], other: Iterable[Segment]) -> list[Segment]:
    """Segments of two collections in order: whichever is merged with which, and when."""
    return list(heapq.merge(one, other, key=lambda segment: segment.part.key))


class Ends(Protocol):
    """A segment, or what tells where it began and where its reader stood behind it."""

    @property
    def part(self) -> Part: ...
    @property
    def left(self) -> Standing | None: ...


Either = TypeVar("Either", bound=Ends)


def settled(segments: Iterable[Either], again: Callable[[Part], Either]) -> Iterator[Either]:
    """Segments in order of their keys, each as if one reader had come from those before.

    `again` reads a part that was begun in the wrong place.
    """
    before: Either | None = None
    for segment in segments:
        if before is not None and before.part.file == segment.part.file:
            stood = before.left
            if stood is None:
                continue  # the file is shorter than it was
            if stood != segment.part.at:
                segment = again(segment.part._replace(at=stood))
        yield segment
        before = segment
