"""Logs read in parts by several processes: the same as by one."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from fixlab.logs._blocks import Account
from fixlab.logs._columns import Book
from fixlab.logs._frame import Rows
from fixlab.logs._log import Log, captures_of, log_from, log_of, sides_of
from fixlab.logs._pairs import Pairs
from fixlab.logs._parquet import GROUP_ROWS, Writer, load
from fixlab.logs._progress import counted
from fixlab.logs._segments import Segment, parts_of, read, settled
from fixlab.logs._sources import Source
from fixlab.logs._tags import name_of
from fixlab.logs._workers import Workers

ROWS_EXPECTED_MAX = 1 << 24  # that room is made for before they are there


def read_apart(
    found: Sequence[Source],
    tags: Sequence[int],
    ours: Collection[str],
    workers: int,
    path: Path | None,
    *,
    progress: bool,
) -> Log | None:
    """The same by several processes; None when that does not pay, or would not be the same.

    Of more distinct texts than are kept, which ones are depends on where blocks begin.
    """
    parts = [part for i, source in enumerate(found) for part in parts_of(i, source)]
    if len(parts) < 2:
        return None
    with Workers(min(workers, len(parts)) - 1) as pool:

        def segments(tags: Sequence[int]) -> Iterator[Segment]:
            return settled(pool.read(parts, tags), partial(read, tags=tags))

        if path is not None:
            return _apart_to(path, segments, found, tags, ours, progress=progress)
        return joined(segments(tags), found, tags, ours, progress=progress)


def joined(
    segments: Iterable[Segment],
    found: Sequence[Source],
    tags: Sequence[int],
    ours: Collection[str],
    *,
    progress: bool = False,
) -> Log | None:
    """The log of all segments, which are settled; None as in `read_apart`."""
    rows = Rows(Book(), tags)
    accounts = [Account(source.name) for source in found]
    with counted(found, shown=progress) as advance:
        for segment in segments:
            if segment.packed.overflowed:
                return None
            source, account = found[segment.part.file], accounts[segment.part.file]
            account.add(segment.account)
            advance(_stored_bytes(segment, source))
            if account.rows == len(segment.packed) and source.size and account.bytes:
                promised = int(1.1 * account.rows * source.size / account.bytes)
                rows.expect(min(promised, ROWS_EXPECTED_MAX) + account.rows)
            rows.join(segment.packed, segment.part.file)
    if rows.book.full or rows.pairs.overflowed:
        return None
    return log_from(found, accounts, rows, ours)


def _stored_bytes(segment: Segment, source: Source) -> int:
    return segment.account.bytes if segment.part.style is not None else source.size or 0


def _apart_to(
    path: Path,
    segments: Callable[[Sequence[int]], Iterator[Segment]],
    found: Sequence[Source],
    tags: Sequence[int],
    ours: Collection[str],
    *,
    progress: bool,
) -> Log | None:
    """As `_read_to`."""
    book, accounts = Book(), [Account(source.name) for source in found]
    seen = Pairs(book)
    with counted(found, shown=progress) as advance:
        for segment in segments(()):
            if segment.packed.overflowed:
                return None
            source = found[segment.part.file]
            accounts[segment.part.file].add(segment.account)
            advance(_stored_bytes(segment, source))
            codes = book.adopt(segment.packed.texts)
            seen.take(segment.packed.pairs, codes["begins"], codes["comp_ids"])
    if book.full or seen.overflowed:
        return None
    names = [source.name for source in found]
    decided = sides_of(found, accounts, seen, ours)
    rows = Rows(Book(), tags)
    writer = Writer(path)
    try:
        with counted(found, shown=progress) as advance:
            for segment in segments(tags):
                source = found[segment.part.file]
                advance(_stored_bytes(segment, source))
                rows.join(segment.packed, segment.part.file)
                if len(rows) >= GROUP_ROWS:
                    writer.write(rows.frame(names, decided, captures_of(accounts)))
        writer.write(rows.frame(names, decided, captures_of(accounts)))
    finally:
        writer.close()
    columns = [name_of(tag) for tag in tags]
    return log_of(found, accounts, book, seen, ours, lambda: load(path, columns))
