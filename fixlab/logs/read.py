"""read_log(): any FIX log into a frame, and Log, which holds both."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, overload

import pandas as pd

from fixlab import frames, redact
from fixlab.dictionary import Dictionary, explain
from fixlab.dictionary.explanation import Explained
from fixlab.errors import ConfigError
from fixlab.frames import LOG_FILES, LOG_SESSIONS
from fixlab.logs._blocks import BLOCK_BYTES, Account, first_time
from fixlab.logs._capture import records_of
from fixlab.logs._columns import Book
from fixlab.logs._contents import Span, contents, wire_of
from fixlab.logs._follow import FollowedLog
from fixlab.logs._frame import Rows
from fixlab.logs._pairs import Pairs
from fixlab.logs._parquet import GROUP_ROWS, Writer, load
from fixlab.logs._progress import counted, watched
from fixlab.logs._segments import Segment, blocks_of, parts_of, read, settled
from fixlab.logs._sides import CONFIDENCE, Pair, Seen, Side, sides
from fixlab.logs._sources import Source, Where, opened, sources
from fixlab.logs._tags import checked, name_of
from fixlab.logs._workers import Workers
from fixlab.wire.message import Message

__all__ = ["FollowedLog", "Log", "read_log"]

HTML_ROWS = 10
_ROWS_EXPECTED_MAX = 1 << 24  # that room is made for before they are there


class Log:
    """A log that was read: `frame` has one row a message. Whatever takes a frame takes a Log.

    - `frame`: schema `fixlab.frames.MESSAGES`, and a column for each tag asked for.
    - `files`: one row a file, schema `LOG_FILES`: what became of each of its bytes.
    - `sessions`: one row a session, schema `LOG_SESSIONS`: which side kept the log, and why.
    - `message(i)`, `decode(i)`, `raw(i)`: the whole message in row `i`, read from its file.
    """

    def __init__(
        self,
        load: Callable[[], pd.DataFrame],
        found: Sequence[Source],
        accounts: Sequence[Account],
        pairs: dict[Pair, tuple[Seen, Side]],
        notes: Sequence[str],
    ) -> None:
        self.files = _files(accounts)
        self.sessions = _sessions(pairs)
        self.pairs = pairs  # who sent to whom, what was seen of it and what that says
        self.notes = tuple(notes)  # what the reader should know of the reading, in words
        self._load = load
        self._sources = {source.name: source for source in found}
        self._accounts = {account.name: account for account in accounts}

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row a message; of a log in Parquet, all of that file is loaded on first use."""
        return self._load()

    def raw(self, row: int) -> bytes:
        """The bytes of a row as the file has them, secrets masked.

        Raises `ConfigError` when there is no such row, or the file is no longer there or has
        changed.
        """
        return redact.mask(self._bytes(row))

    def message(self, row: int) -> Message:
        """The message in a row, its delimiters turned into SOH. Raises as `raw` does.

        What shows it masks secrets. A row that is not valid gives what can be read of it.
        """
        raw = self._bytes(row)
        account = self._accounts[str(self.frame["file"].iloc[row])]
        return Message.from_wire(wire_of(raw, account.style.delimiter))

    def messages(self, rows: Sequence[int] | None = None) -> Iterator[Message]:
        """The messages of `rows`, or of all, which ascend: each file is read once.

        Raises `ConfigError` when a file is no longer there or has changed.
        """
        frame = self.frame
        chosen = range(len(frame)) if rows is None else rows
        file = frame["file"].cat.codes.to_numpy()
        names = [str(name) for name in frame["file"].cat.categories]
        offset, length = frame["offset"].to_numpy(), frame["length"].to_numpy()
        for code, group in groupby(chosen, lambda row: int(file[row])):
            account = self._accounts[names[code]]
            spans = (Span(int(offset[row]), int(length[row])) for row in group)
            for raw in contents(self._sources[names[code]], account, spans):
                yield Message.from_wire(wire_of(raw, account.style.delimiter))

    def decode(self, row: int, dictionary: Dictionary | None = None) -> Explained:
        """The message in a row field by field, with names and meanings. Raises as `raw` does.

        Names are those of `dictionary`, or else of the specification.
        """
        return explain(self.message(row), dictionary)

    def __len__(self) -> int:
        return int(self.files["rows"].sum())

    @property
    def summary(self) -> str:
        """What was read, in a few lines."""
        files = self.files
        bad = int(files["defects"].sum())
        size = int(files["bytes"].sum())
        lines = [
            f"{len(self):,} rows, {bad:,} with a defect, from {_files_of(len(files))}, "
            f"{size:,} bytes:",
            f"  {int(files['row_bytes'].sum()):,} in rows, "
            f"{int(files['around_bytes'].sum()):,} around them, "
            f"{int(files['text_bytes'].sum()):,} in {int(files['text_lines'].sum()):,} lines "
            "of other text",
        ]
        shown = self.sessions.head(HTML_ROWS)
        for name, out, into, unknown, source, confidence in shown.itertuples(index=False):
            way = f"{out:,} out, {into:,} in" if source else f"{unknown:,} either way"
            why = f" ({source})" if source else ""
            lines.append(f"  {name!s}: {way}; confidence in that: {confidence!s}{why}")
        if len(self.sessions) > len(shown):
            lines.append(f"  … and {len(self.sessions) - len(shown):,} more sessions")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return f"<Log {self.summary}>"

    def _repr_html_(self) -> str:
        table = self.frame.head(HTML_ROWS).to_html(max_cols=20, escape=True)
        return f"<pre>{redact.escape_lines(self.summary)}</pre>{table}"

    def _bytes(self, row: int) -> bytes:
        if not -len(self) <= row < len(self):
            raise ConfigError(f"expected a row from 0 to {len(self) - 1}, found {row}")
        name = str(self.frame["file"].iloc[row])
        offset, length = (
            int(self.frame["offset"].iloc[row]),
            int(self.frame["length"].iloc[row]),
        )
        found = bytes_at(self._sources[name], self._accounts[name], offset, length)
        if len(found) < length:
            raise ConfigError(
                f"{name} has changed: expected {length} bytes at {offset}, found {len(found)}"
            )
        return found


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
    read in the order of the times in them, so rotated ones need no care.

    Parameters
    - `tags`: each adds a column, named and typed as the specification has the field. That
      reads about half as fast: without it the bodies of application messages are left out.
    - `ours`: CompIDs of the side that kept the log. Without it the direction is taken from
      words in the lines, names of files, CompIDs or times; `direction_from` says which.
    - `to_parquet`: write the rows to this file as they are read, in memory that does not grow
      with them, and load them only when `frame` is asked for. All files are read twice.
    - `follow`: wait for what is written to one plain file, `async for frame in ...`.
    - `progress`: a bar while it lasts, on a terminal or in a notebook.
    - `workers`: processes that read, this one among them; the result is the same. Pays from
      some 100 MB on, or with several compressed files. For several machines see `spread`.

    Returns a `Log`, whose `frame` has schema `fixlab.frames.MESSAGES`: rows in the order of
    the file. What should be a message and is not right is a row with `valid=False` and its
    `defect`; each byte is accounted for in `files`. A line longer than 1 MiB without a message
    is read in pieces of that size, and a longer message is a defect. Of more than 65,536
    distinct CompIDs, all further ones read "…". With `follow` it is a `FollowedLog`.
    Of an application message, flags and OrigSendingTime(122) are read in its header, up to the
    first field that no header has, and columns of session messages are empty; those are of
    session messages, BusinessMessageReject and UserRequest.

    Raises `ConfigError` when a file cannot be found or read, or an argument is wrong;
    `LogFormatError` for a compressed file that expands without end, or a damaged capture;
    `StateError` when a worker dies.

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
    found = in_reading_order(sources(path))
    if workers > 1:
        path_to = None if to_parquet is None else Path(to_parquet)
        log = _read_apart(found, chosen, own, workers, path_to, progress=progress)
        if log is not None:
            return log
    if to_parquet is not None:
        return _read_to(Path(to_parquet), found, chosen, own, progress=progress)
    return _read(found, chosen, own, BLOCK_BYTES, progress=progress)


def in_reading_order(found: list[Source]) -> list[Source]:
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
                    rows.expect(min(promised, _ROWS_EXPECTED_MAX) + len(block))
                rows.add(block, i)
    return _log(found, accounts, rows, ours)


def _log(
    found: Sequence[Source], accounts: Sequence[Account], rows: Rows, ours: Collection[str]
) -> Log:
    names = [source.name for source in found]
    decided = sides_of(found, accounts, rows.pairs, ours)
    frame = rows.frame(names, decided, _which(accounts))
    return log_of(found, accounts, rows.book, rows.pairs, ours, lambda: frame)


def sides_of(
    found: Sequence[Source], accounts: Sequence[Account], seen: Pairs, ours: Collection[str]
) -> dict[Pair, Side]:
    """The session and direction of each pair, from all that was seen of them."""
    pairs = _decided(seen, ours, [source.name for source in found], accounts)
    return {pair: side for pair, (_, side) in pairs.items()}


def log_of(
    found: Sequence[Source],
    accounts: Sequence[Account],
    book: Book,
    seen: Pairs,
    ours: Collection[str],
    load: Callable[[], pd.DataFrame],
) -> Log:
    """A log of what was seen, whose frame `load` gives."""
    pairs = _decided(seen, ours, [source.name for source in found], accounts)
    return Log(load, found, accounts, pairs, _notes(accounts, book, seen))


def _read_apart(
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
    """The log of all segments, which are settled; None as in `_read_apart`."""
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
                rows.expect(min(promised, _ROWS_EXPECTED_MAX) + account.rows)
            rows.join(segment.packed, segment.part.file)
    if rows.book.full or rows.pairs.overflowed:
        return None
    return _log(found, accounts, rows, ours)


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
    pairs = _decided(seen, ours, names, accounts)
    decided = {pair: side for pair, (_, side) in pairs.items()}
    rows = Rows(Book(), tags)
    writer = Writer(path)
    try:
        with counted(found, shown=progress) as advance:
            for segment in segments(tags):
                source = found[segment.part.file]
                advance(_stored_bytes(segment, source))
                rows.join(segment.packed, segment.part.file)
                if len(rows) >= GROUP_ROWS:
                    writer.write(rows.frame(names, decided, _which(accounts)))
        writer.write(rows.frame(names, decided, _which(accounts)))
    finally:
        writer.close()
    columns = [name_of(tag) for tag in tags]
    return Log(
        lambda: load(path, columns), found, accounts, pairs, _notes(accounts, book, seen)
    )


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
    pairs = _decided(seen, ours, names, accounts)
    decided = {pair: side for pair, (_, side) in pairs.items()}
    rows = Rows(Book(), tags)
    writer = Writer(path)
    try:
        with watched(found, shown=progress) as files:
            for i, source in enumerate(files):
                account = Account(source.name)
                for block in blocks_of(source, rows.book, tags, account, BLOCK_BYTES):
                    rows.add(block, i)
                    if len(rows) >= GROUP_ROWS:
                        writer.write(rows.frame(names, decided, _which(accounts)))
        writer.write(rows.frame(names, decided, _which(accounts)))
    finally:
        writer.close()
    columns = [name_of(tag) for tag in tags]
    notes = _notes(accounts, book, seen)
    return Log(lambda: load(path, columns), found, accounts, pairs, notes)


def _which(accounts: Sequence[Account]) -> list[int]:
    return [i for i, account in enumerate(accounts) if account.captured]


def _decided(
    pairs: Pairs, ours: Collection[str], names: Sequence[str], accounts: Sequence[Account]
) -> dict[Pair, tuple[Seen, Side]]:
    seen = pairs.seen()
    all_captured = all(account.captured for account in accounts)
    found = sides(seen, ours, names, captured=all_captured)
    return {pair: (seen[pair], found[pair]) for pair in seen}


def _notes(accounts: Sequence[Account], book: Book, pairs: Pairs) -> list[str]:
    notes = [f"{each.name} {each.problem}" for each in accounts if each.problem]
    notes += [
        f"more distinct values than are kept in {names}: all further ones read …"
        for names in (*book.overflowed, *(["session"] if pairs.overflowed else []))
    ]
    return notes


def bytes_at(source: Source, account: Account, offset: int, length: int) -> bytes:
    """Some bytes of a file, as many of them as there are."""
    if account.captured:
        rows = records_of(source, Account(account.name))
        return next((row.wire[:length] for row in rows if row.start == offset), b"")
    stream = opened(source)
    try:
        return stream.read_at(offset, length)
    finally:
        stream.close()


def _files(accounts: Sequence[Account]) -> pd.DataFrame:
    columns: dict[str, Any] = {
        "file": [each.name for each in accounts],
        "bytes": [each.bytes for each in accounts],
        "rows": [each.rows for each in accounts],
        "defects": [each.defects for each in accounts],
        "row_bytes": [each.row_bytes for each in accounts],
        "around_bytes": [each.tally.around_bytes for each in accounts],
        "text_bytes": [each.tally.text_bytes for each in accounts],
        "text_lines": [each.tally.text_lines for each in accounts],
        "delimiter": [ascii(each.style.delimiter.decode())[1:-1] for each in accounts],
        "problem": [redact.printable(each.problem) for each in accounts],
    }
    return frames.build(LOG_FILES, columns)


def _sessions(pairs: dict[Pair, tuple[Seen, Side]]) -> pd.DataFrame:
    counts: dict[str, dict[str, int]] = {}
    source: dict[str, str] = {}
    for seen, side in pairs.values():
        of_session = counts.setdefault(side.session, {"": 0, "in": 0, "out": 0})
        of_session[side.direction] += seen.rows
        source[side.session] = side.source
    names = [name for name in counts if name]
    return frames.build(
        LOG_SESSIONS,
        {
            "session": names,
            "out_messages": [counts[name]["out"] for name in names],
            "in_messages": [counts[name]["in"] for name in names],
            "unknown_messages": [counts[name][""] for name in names],
            "direction_from": [source[name] for name in names],
            "confidence": [CONFIDENCE[source[name]] for name in names],
        },
    )


def _files_of(count: int) -> str:
    return "one file" if count == 1 else f"{count:,} files"
