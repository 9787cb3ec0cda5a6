"""One file, block by block, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from fixlab.logs._columns import Block, Book
from fixlab.logs._records import RECORD_MAX, Reader, Tally
from fixlab.logs._scan import FRONT, Scanner
from fixlab.logs._sources import Source, Stream, opened
from fixlab.logs._style import SNIFF_BYTES, Style, sniff
from fixlab.logs._words import PADDING
from fixlab.times import parse_utc
from fixlab.wire.message import Message

# Large enough that NumPy's cost per call vanishes, and its arrays still fit a cache.
BLOCK_BYTES = 1 << 20
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
    scanner = Scanner(account.style, book, tags)
    # What waits for more bytes is never longer than one record and what tells its end.
    size = FRONT + max(block_bytes, 4096) + RECORD_MAX + 4096 + PADDING
    buffer = bytearray(size + -size % 8)
    view = memoryview(buffer)
    given, fill, base = 0, FRONT, -FRONT
    while True:
        room = min(block_bytes, size - PADDING - fill)
        assert room > 0, "a block took nothing of what was there"
        if given < len(head):
            got = min(room, len(head) - given)
            view[fill : fill + got] = head[given : given + got]
            given += got
            if given == len(head):
                head = bytearray()
                given = 0
        else:
            got = stream.readinto(view[fill : fill + room])
        fill += got
        account.bytes += got
        position, block = scanner.scan(buffer, FRONT, fill, base=base, last=got == 0)
        account.rows += len(block)
        account.defects += int((block.dense["defect"] != 0).sum())
        account.row_bytes += int(block.dense["length"].sum(dtype="int64"))
        yield block
        if got == 0:
            break
        rest = fill - position
        view[FRONT : FRONT + rest] = view[position:fill]
        base += position - FRONT
        fill = FRONT + rest
    account.tally = scanner.tally
