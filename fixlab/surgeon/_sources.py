"""Source: one session's store, of any layout, read without changing it."""

from __future__ import annotations

import os
import re
import sqlite3
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Literal, NamedTuple

from fixlab.errors import ConfigError, StoreError
from fixlab.redact import printable
from fixlab.stores._columns import SQLITE_ERRORS, bytes_of
from fixlab.stores._layouts import (
    EPOCH,
    SUFFIXES,
    Entries,
    Layout,
    belongs,
    layout_of,
    prefix_of,
    prefixes_in,
    read_binary_entries,
    read_counters,
    read_created,
    read_entries,
    read_file,
    read_java_counters,
    read_line_entries,
    read_number,
    read_utf,
    sane_time,
    session_of,
)

Level = Literal["error", "warning", "note"]

BACKUP = ".backup-"  # what the name of a copy ends in, before its number


class Problem(NamedTuple):
    """Something in a store that does not fit the rest; `begin` to `end` are its numbers."""

    level: Level
    code: str
    what: str
    where: str
    begin: int | None = None
    end: int | None = None


class Found(NamedTuple):
    """A stored message: its number, its place in the body (None in a database), its bytes."""

    seq: int
    offset: int | None
    raw: bytes


Belongs = Callable[[str, str, str], bool]  # BeginString(8), SenderCompID(49), TargetCompID(56)


@dataclass(slots=True, kw_only=True)
class Source:
    """One session's store as it was found; `messages(begin=0)` reads them, ascending."""

    layout: Layout
    path: Path  # of the file, or of the files without what they end in
    name: str  # what the file or the row calls the session
    session: str
    next_out: int | None
    next_in: int | None
    created: int | None
    belongs: Belongs
    key: dict[str, str] = field(default_factory=dict)  # of its row in a table `sessions`
    problems: list[Problem] = field(default_factory=list)
    messages: Callable[..., Iterator[Found]]


def find(path: Path, session: str | None = None) -> list[Source]:
    """All stores at `path`: a folder, one of a store's files, its prefix, or an SQLite file.

    Raises `StoreError` when there is none, naming what was found instead, and `ConfigError`
    when none is of `session`, or `path` is a URL.
    """
    _check_path(path)
    try:
        sources = _all(path)
    except StoreError:
        raise
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}") from error
    if session is None:
        return sources
    wanted = (session, prefix_of(session))
    chosen = [source for source in sources if {source.session, source.name} & {*wanted}]
    if not chosen:
        names = ", ".join(printable(source.session) for source in sources[:8])
        raise ConfigError(f"{path}: no store of session {session}; found {names}")
    return chosen


def _check_path(path: Path) -> None:
    """Refuse the URL of a database without repeating it, for it may hold a password."""
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+):/", path.as_posix())  # C:/ is none
    if scheme and not os.path.lexists(path):
        raise ConfigError(
            f"expected the path of a file or folder, found a URL that begins with "
            f"{scheme[1]}:. A store on a database server is looked at and changed there, in "
            f"its tables `sessions` and `messages`, while its engine is stopped; one in an "
            f"SQLite file is named by the file's path"
        )


def _all(path: Path) -> list[Source]:
    if path.is_dir():
        return _in_folder(path)
    if path.is_file() and path.suffix not in SUFFIXES:
        return _in_database(path)
    prefix = path.stem if path.suffix in SUFFIXES else path.name
    if path.parent.is_dir() and prefix in prefixes_in(path.parent):
        return [_in_files(path.parent, prefix)]
    raise StoreError(f"{path}: there is no such file or folder; expected a store")


def _in_folder(folder: Path) -> list[Source]:
    sources = [_in_files(folder, prefix) for prefix in prefixes_in(folder)]
    for path in sorted(folder.iterdir()):
        # A copy of before an edit is no store of its own; named itself, it can be looked at.
        if path.is_file() and BACKUP not in path.name and is_database(path):
            sources += _in_database(path)
    if not sources:
        names = sorted(entry.name for entry in folder.iterdir())
        found = f"{', '.join(names[:5])}{', ...' if names[5:] else ''}" if names else "nothing"
        raise StoreError(
            f"{folder}: holds no store; expected files such as FIX.4.4-BUY-SELL.seqnums or an "
            f"SQLite file, found {found}"
        )
    return sources


# Files ---------------------------------------------------------------------------------------


def _in_files(folder: Path, prefix: str) -> Source:
    layout = layout_of(folder, prefix)
    base = folder / prefix
    problems: list[Problem] = []
    next_out, next_in = _counters(base, layout, problems)
    entries = _entries(base, layout, problems)
    body = _beside(base, ".body")
    _check_entries(entries, body, _beside(base, ".header").name, problems)
    for leftover in (".reset", ".lock"):
        if (found := _beside(base, leftover)).exists():
            problems.append(
                Problem(
                    "note",
                    "unfinished",
                    "a FileStore has it open, or was killed; the next one tidies up",
                    found.name,
                )
            )
    return Source(
        layout=layout,
        path=base,
        name=prefix,
        session=session_of(prefix),
        next_out=next_out,
        next_in=next_in,
        created=_created(base, layout, problems),
        belongs=partial(belongs, prefix),
        problems=problems,
        messages=partial(_body_messages, body, entries),
    )


def _beside(base: Path, suffix: str) -> Path:
    return base.with_name(base.name + suffix)


def _counters(
    base: Path, layout: Layout, problems: list[Problem]
) -> tuple[int | None, int | None]:
    if layout in (Layout.QUICKFIXJ, Layout.QUICKFIXGO):
        return (
            _counter(_beside(base, ".senderseqnums"), layout, problems),
            _counter(_beside(base, ".targetseqnums"), layout, problems),
        )
    path = _beside(base, ".seqnums")
    data = read_file(path)
    read = read_java_counters if layout is Layout.QUICKFIXJ_CACHED else read_counters
    numbers = None if data is None else read(data)
    if numbers is None:
        problems.append(_unreadable(path, data))
        return None, None
    return numbers


def _counter(path: Path, layout: Layout, problems: list[Problem]) -> int | None:
    data = read_file(path)
    text = read_utf(data or b"") if layout is Layout.QUICKFIXJ else data
    number = read_number(text)
    if number is None:
        problems.append(_unreadable(path, data))
    return number


def _unreadable(path: Path, data: bytes | None) -> Problem:
    found = "no such file" if data is None else repr(data[:48])
    return Problem(
        "error", "counters_unreadable", f"expected the next numbers, found {found}", path.name
    )


def _created(base: Path, layout: Layout, problems: list[Problem]) -> int | None:
    path = _beside(base, ".session")
    data = read_file(path)
    java = layout in (Layout.QUICKFIXJ, Layout.QUICKFIXJ_CACHED)
    created = read_created(read_utf(data or b"") if java else data)
    if created is None:
        found = "no such file" if data is None else repr(data[:40])
        what = f"expected when both counters were 1, found {found}"
        problems.append(Problem("warning", "created_unknown", what, path.name))
    return created


def _entries(base: Path, layout: Layout, problems: list[Problem]) -> Entries:
    path = _beside(base, ".header")
    data = read_file(path) or b""
    if layout in (Layout.QUICKFIXJ, Layout.QUICKFIXJ_CACHED):
        entries = read_binary_entries(data)
    elif layout is Layout.QUICKFIX:
        entries = read_entries(data)
    else:
        entries = read_line_entries(data)
    if entries.rest:
        torn = len(entries.rest.split()) <= 1
        how = "its last entry is incomplete" if torn else "an entry is damaged"
        level: Level = "warning" if torn else "error"
        what = f"{how}: {entries.rest[:24]!r}"
        where = f"{path.name}, byte {entries.good}"
        problems.append(Problem(level, "index_damaged", what, where))
    return entries


def _check_entries(entries: Entries, body: Path, index: str, problems: list[Problem]) -> None:
    """Compare index and body; entries that reach beyond it are taken out of `entries`."""
    size = body.stat().st_size if body.exists() else 0
    whole = Entries(array("q"), array("q"), array("q"), entries.good, entries.rest)
    beyond: list[int] = []
    for seq, offset, length in zip(entries.seqs, entries.offsets, entries.sizes, strict=True):
        if offset < 0 or length < 0 or offset + length > size:
            beyond.append(seq)
            continue
        whole.seqs.append(seq)
        whole.offsets.append(offset)
        whole.sizes.append(length)
    for begin, end in runs(sorted(set(beyond))):
        what = f"the index has them behind byte {size}, where the body ends"
        problems.append(Problem("error", "body_short", what, body.name, begin, end))
    again = len(whole.seqs) - len(set(whole.seqs))
    if again:
        what = f"{again} later entries replace earlier ones of the same number"
        problems.append(Problem("note", "replaced", what, index))
    unindexed = size - sum(entries.sizes)
    if unindexed > 0:
        what = f"{unindexed} bytes of the body have no entry: a write was cut short"
        problems.append(Problem("note", "unindexed", what, body.name))
    entries.seqs, entries.offsets, entries.sizes = whole.seqs, whole.offsets, whole.sizes


def runs(seqs: Sequence[int]) -> Iterator[tuple[int, int]]:
    """The ranges of numbers that follow each other, of ascending `seqs`."""
    for _, run in groupby(enumerate(seqs), key=lambda item: item[1] - item[0]):
        numbers = [seq for _, seq in run]
        yield numbers[0], numbers[-1]


def _body_messages(body: Path, entries: Entries, begin: int = 0) -> Iterator[Found]:
    if not entries.seqs:
        return
    latest = dict(zip(entries.seqs, range(len(entries.seqs)), strict=True))
    with body.open("rb") as file:
        for seq in sorted(seq for seq in latest if seq >= begin):
            position = latest[seq]
            offset = entries.offsets[position]
            file.seek(offset)
            yield Found(seq, offset, file.read(entries.sizes[position]))


# Databases -----------------------------------------------------------------------------------

_MAGIC = b"SQLite format 3\0"
_KEYS = ("beginstring", "sendercompid", "targetcompid", "session_qualifier")


def is_database(path: Path) -> bool:
    """Whether a file is an SQLite database."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def _in_database(path: Path) -> list[Source]:
    if not is_database(path):
        raise StoreError(
            f"{path}: is no store; expected a folder, files such as FIX.4.4-BUY-SELL.seqnums, "
            f"or an SQLite file"
        )
    try:
        with closing(connect(path)) as database:
            tables = {name for (name,) in database.execute("SELECT name FROM sqlite_master")}
            if {"state", "sent"} <= tables:
                return [_of_fixlab(path, database)]
            if {"sessions", "messages"} <= tables:
                return _of_sql(path, database)
    except SQLITE_ERRORS as error:
        raise database_error(path, error) from error
    raise StoreError(
        f"{path}: is an SQLite file, but holds no store: expected the tables state and sent of "
        f"fixlab, or sessions and messages of QuickFIX, found {sorted(tables) or 'none'}"
    )


def connect(path: Path) -> sqlite3.Connection:
    """A connection that only reads, and waits for nobody."""
    # A file in WAL mode that nobody has open: said to be immutable, it is read as it is.
    # Otherwise SQLite would leave two files of its own beside it.
    beside = (path.with_name(path.name + suffix) for suffix in ("-wal", "-owner"))
    with path.open("rb") as file:
        in_wal_mode = file.read(20)[18:] == b"\x02\x02"
    alone = in_wal_mode and not any(other.exists() for other in beside)
    how = "immutable=1" if alone else "mode=ro"
    return sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True, timeout=0.0)


def database_error(path: Path, error: Exception) -> StoreError:
    """What an error of SQLite means here."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return StoreError(f"{path}: is in use; close the store there, or look at a copy")
    return StoreError(f"{path}: cannot be read: {error}")


def _of_fixlab(path: Path, database: sqlite3.Connection) -> Source:
    problems: list[Problem] = []
    row = database.execute("SELECT session, next_out, next_in, epoch FROM state").fetchone()
    session, *numbers, epoch = row or (None, None, None, None)
    session = str(session or "")
    next_out = next_in = None
    where = f"{path.name}: state"
    if row is None:
        what = "the row that holds the counters is missing"
        problems.append(Problem("error", "counters_unreadable", what, where))
    else:
        next_out, next_in = _sql_counters(numbers, where, problems)
    epoch = sane_time(epoch) if isinstance(epoch, int) else None
    if epoch is None:
        what = "no reset was recorded, so nobody knows when both counters were 1"
        problems.append(Problem("note", "created_unknown", what, where))
    found = re.fullmatch(r"([^:]*):(.*)->(.*)", session, re.DOTALL)
    names = found.groups() if found else ()
    return Source(
        layout=Layout.FIXLAB,
        path=path,
        name=session or path.name,
        session=session or path.name,
        next_out=next_out,
        next_in=next_in,
        created=epoch,
        belongs=partial(_is_session, *names) if len(names) == 3 else _is_any,
        problems=problems,
        messages=partial(
            _rows,
            path,
            "SELECT seq, raw FROM sent WHERE seq > ? ORDER BY seq LIMIT ?",
            (),
            True,
        ),
    )


def _sql_counters(
    values: Sequence[object], where: str, problems: list[Problem]
) -> tuple[int | None, int | None]:
    """NextNumOut and NextNumIn of a row; SQLite keeps anything in any column."""
    next_out, next_in = (n if isinstance(n, int) and n >= 1 else None for n in values)
    if next_out is None or next_in is None:
        what = f"expected the next numbers, found {values[0]!r} and {values[1]!r}"
        problems.append(Problem("error", "counters_unreadable", what, where))
    return next_out, next_in


def _is_any(begin_string: str, sender: str, target: str) -> bool:
    return True  # a store that was never told its session


def _is_session(
    own_begin_string: str,
    own_sender: str,
    own_target: str,
    begin_string: str,
    sender: str,
    target: str,
) -> bool:
    return (begin_string, sender) == (own_begin_string, own_sender) and (
        target == own_target or own_target.startswith(f"{target}/")  # a qualifier behind it
    )


def _of_sql(path: Path, database: sqlite3.Connection) -> list[Source]:
    columns = [name for _, name, *_ in database.execute("PRAGMA table_info(sessions)")]
    missing = [name for name in (*_KEYS[:3], "incoming_seqnum") if name not in columns]
    if missing:
        raise StoreError(f"{path}: its table sessions lacks the columns {missing}")
    # QuickFIX/J has SubIDs and LocationIDs in the key as well.
    keys = [name for name in columns if name in _KEYS or name.endswith(("subid", "locid"))]
    query = f"SELECT {', '.join(keys)}, outgoing_seqnum, incoming_seqnum, creation_time "
    # QuickFIX's column is text, that of fixlab's own tables holds bytes.
    kinds = {
        name: kind for _, name, kind, *_ in database.execute("PRAGMA table_info(messages)")
    }
    binary = kinds.get("message", "").upper() == "BLOB"
    return [
        _of_row(path, dict(zip(keys, row, strict=False)), row[len(keys) :], binary=binary)
        for row in database.execute(f"{query} FROM sessions ORDER BY {', '.join(keys)}")
    ]


def _of_row(
    path: Path, key: dict[str, str], rest: tuple[object, ...], *, binary: bool
) -> Source:
    begin_string, sender, target = (key[name] for name in _KEYS[:3])
    qualifier = key.get("session_qualifier") or ""
    session = f"{begin_string}:{sender}->{target}" + (f"/{qualifier}" if qualifier else "")
    where = f"{path.name}: sessions, {session}"
    problems: list[Problem] = []
    next_out, next_in = _sql_counters(rest[:2], where, problems)
    created = _sql_time(rest[2])
    if created is None:
        what = f"expected when both counters were 1, found {rest[2]!r}"
        problems.append(Problem("warning", "created_unknown", what, where))
    match = " AND ".join(f"{name} = ?" for name in key)
    return Source(
        layout=Layout.SQL,
        path=path,
        name=session,
        session=session,
        next_out=next_out,
        next_in=next_in,
        created=created,
        belongs=partial(_is_session, begin_string, sender, target),
        key=key,
        problems=problems,
        messages=partial(
            _rows,
            path,
            f"SELECT msgseqnum, message FROM messages WHERE {match} AND msgseqnum > ? "
            f"ORDER BY msgseqnum LIMIT ?",
            tuple(key.values()),
            binary,
        ),
    )


def _sql_time(value: object) -> int | None:
    """A creation time as databases write it: UTC without saying so."""
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return sane_time((moment - EPOCH) // timedelta(microseconds=1) * 1_000)


_CHUNK = 1_000  # messages read at a time, so that no connection stays open


def _rows(
    path: Path, query: str, key: tuple[str, ...], binary: bool, begin: int = 0
) -> Iterator[Found]:
    position = begin - 1
    while True:
        try:
            with closing(connect(path)) as database:
                rows = database.execute(query, (*key, position, _CHUNK)).fetchall()
        except SQLITE_ERRORS as error:
            raise database_error(path, error) from error
        for seq, raw in rows:
            if not isinstance(seq, int) or not isinstance(raw, str | bytes):
                raise StoreError(
                    f"{path}: a stored message has the number {seq!r} and is of type "
                    f"{type(raw).__name__}; expected a whole number, and text or bytes"
                )
            yield Found(seq, None, bytes_of(raw, binary=binary))
        if len(rows) < _CHUNK:
            return
        position = rows[-1][0]
