"""read_log(): any FIX log into a frame."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Literal, overload

from fixlab.errors import ConfigError
from fixlab.logs._apart import ROWS_EXPECTED_MAX, read_apart
from fixlab.logs._blocks import BLOCK_BYTES, Account, first_time
from fixlab.logs._columns import Book
from fixlab.logs._copies import without_copies
from fixlab.logs._follow import FollowedLog
from fixlab.logs._frame import Rows
from fixlab.logs._log import Log, captures_of, log_from, log_of, sides_of
from fixlab.logs._pairs import Pairs
from fixlab.logs._parquet import GROUP_ROWS, Writer, load
from fixlab.logs._progress import watched
from fixlab.logs._segments import blocks_of
from fixlab.logs._sources import Source, Where, named, sources
from fixlab.logs._tags import checked, name_of

__all__ = ["FollowedLog", "Log", "read_log"]


@overload
def read_log(
    path: Where,
    *,
    tags: Iterable[int] = (),
    ours: str | Collection[str] = (),
    to_parquet: str | os.PathLike[str] | None = None,
    follow: Literal[False] = False,
    progress: bool = False,
    workers: int = 1,
) -> Log: ...
@overload
def read_log(
    path: str | os.PathLike[str],
    *,
    tags: Iterable[int] = (),
    ours: str | Collection[str] = (),
    follow: Literal[True],
) -> FollowedLog: ...
def read_log(
    path: Where,
    *,
    tags: Iterable[int] = (),
    ours: str | Collection[str] = (),
    to_parquet: str | os.PathLike[str] | None = None,
    follow: bool = False,
    progress: bool = False,
    workers: int = 1,
) -> Log | FollowedLog:
    r"""Read any FIX log or capture: a file, some of them, a pattern, a folder, an fsspec URL.

    Messages may be divided by SOH, `|`, `^A`, `\x01`, `\u0001`, `<SOH>`, the picture of SOH, or
    line ends; have any text before and behind them, share a line or span several, between
    lines of other text; in files that are compressed (gz, bz2, xz, zst) or in UTF-16. Captures
    (pcap, pcapng) are put in order, each direction of each connection for itself. Files are
    read in the order of the times in them, so rotated ones need no care. A file that is given
    twice is read once, and one that another begins with, byte for byte, such as a copy made
    while that was growing, not at all: `notes` says so.

    Parameters
    - `tags`: each adds a column, named and typed as the specification has the field. That
      reads about half as fast: without it the bodies of application messages are left out.
    - `ours`: CompIDs of the side that kept the log. Without it the direction is taken from
      words in the lines, names of files, CompIDs or times; `direction_from` says which.
    - `to_parquet`: write the rows to this file as they are read, in memory that does not grow
      with them, and load them only when `frame` is asked for. All files are read twice.
    - `follow`: wait for what is written to one plain file, `async for frame in ...`.
    - `progress`: a bar while it lasts, on a terminal or in a notebook.
    - `workers`: processes that read, this one among them; the result is the same. To start one
      takes as long as to read some 100 MB; it then waits half a minute for the next call. For
      several machines see `fixlab.spread`.

    Returns a `Log`, whose `frame` has schema `fixlab.frames.MESSAGES` (print that to see what
    each column holds): rows in the order of the file. What should be a message and is not
    right is a row with `valid=False` and its `defect`; each byte is accounted for in `files`. A
    line longer than 1 MiB without a message is read in pieces of that size, and a longer
    message is a defect. Of more than 65,536 distinct CompIDs, all further ones read "…". With
    `follow` it is a `FollowedLog`.
    Of an application message, flags and OrigSendingTime(122) are read in its header, up to the
    first field that no header has, and columns of session messages are empty; those are of
    session messages, BusinessMessageReject and UserRequest.

    Raises `ConfigError` when a file cannot be found or read, or an argument is wrong;
    `LogFormatError` for a compressed file that expands without end, or a damaged capture;
    `StateError` when a worker dies.

    For example, orders that were sent after ten o'clock:

        log = fixlab.read_log("venue.log", tags=[11, 55])
        orders = log.frame[(log.frame["msg_type"] == "D") & (log.frame["time"].dt.hour >= 10)]
        orders[["time", "sender", "msg_seq_num", "ClOrdID", "Symbol"]]

    Source: FRM-01 to FRM-07, FRM-13, DAT-01 to DAT-03.
    """
    chosen = checked(tags)
    own = frozenset((ours,) if isinstance(ours, str) else ours)
    if follow:
        if to_parquet is not None or workers > 1 or not isinstance(path, str | os.PathLike):
            raise ConfigError(
                "follow=True takes the path of one file, no to_parquet and no workers"
            )
        return FollowedLog(Path(path), chosen, own)
    if workers < 1:
        raise ConfigError(f"expected workers from 1 on, found {workers}")
    found = to_read(path)
    if workers > 1:
        path_to = None if to_parquet is None else Path(to_parquet)
        log = read_apart(found, chosen, own, workers, path_to, progress=progress)
        if log is not None:
            return log
    if to_parquet is not None:
        return _read_to(Path(to_parquet), found, chosen, own, progress=progress)
    return _read(found, chosen, own, BLOCK_BYTES, progress=progress)


def to_read(path: Where) -> list[Source]:
    """The files to read, in the order in which they are read."""
    return _in_order(named(without_copies(sources(path))))


def _in_order(found: list[Source]) -> list[Source]:
    """Files by the first time in them; those without keep their place behind the others."""
    if len(found) < 2:
        return found
    times = [first_time(source) for source in found]
    order = sorted(range(len(found)), key=lambda i: (times[i] is None, times[i] or 0, i))
    return [found[i] for i in order]


def _read(
    found: Sequence[Source],
    tags: Sequence[int],
    ours: Collection[str],
    block_bytes: int,
    *,
    progress: bool = False,
) -> Log:
    book = Book()
    rows = Rows(book, tags)
    accounts = [Account(source.name) for source in found]
    with watched(found, shown=progress) as files:
        for i, (source, account) in enumerate(zip(files, accounts, strict=True)):
            for block in blocks_of(source, book, tags, account, block_bytes):
                if account.rows == len(block) and source.size and account.bytes:
                    # As many as the first block promises, and some more.
                    promised = int(1.1 * account.rows * source.size / account.bytes)
                    rows.expect(min(promised, ROWS_EXPECTED_MAX) + len(block))
                rows.add(block, i)
    return log_from(found, accounts, rows, ours)


def _read_to(
    path: Path,
    found: Sequence[Source],
    tags: Sequence[int],
    ours: Collection[str],
    *,
    progress: bool,
) -> Log:
    """The same into a Parquet file: who is who takes a look at all rows before the first."""
    book = Book()
    seen = Pairs(book)
    accounts = [Account(source.name) for source in found]
    with watched(found, shown=progress) as files:
        for source, account in zip(files, accounts, strict=True):
            for block in blocks_of(source, book, (), account, BLOCK_BYTES):
                seen.add(block)
    names = [source.name for source in found]
    decided = sides_of(found, accounts, seen, ours)
    rows = Rows(Book(), tags)
    writer = Writer(path)
    try:
        with watched(found, shown=progress) as files:
            for i, source in enumerate(files):
                account = Account(source.name)
                for block in blocks_of(source, rows.book, tags, account, BLOCK_BYTES):
                    rows.add(block, i)
                    if len(rows) >= GROUP_ROWS:
                        writer.write(rows.frame(names, decided, captures_of(accounts)))
        writer.write(rows.frame(names, decided, captures_of(accounts)))
    finally:
        writer.close()
    columns = [name_of(tag) for tag in tags]
    return log_of(found, accounts, book, seen, ours, lambda: load(path, columns))
