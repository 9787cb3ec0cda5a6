"""Writing new counters into a store: under its lock, unchanged since, and with a backup."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Protocol

from fixlab.errors import StoreError
from fixlab.redact import printable
from fixlab.stores._columns import SQLITE_ERRORS
from fixlab.stores._layouts import (
    SUFFIXES,
    Layout,
    counter_width,
    read_counters,
    read_file,
    write_counters,
)
from fixlab.stores._lock import Lock
from fixlab.surgeon._sources import BACKUP, Source, connect, database_error

_BACKUPS_MAX = 10_000

Counters = tuple[int, int]  # NextNumOut, NextNumIn


class Editor(Protocol):
    """Writes counters into one store, if it is still as it was when the editor was made."""

    def apply(self, counters: Counters) -> Path:
        """Write them, return where the backup is. `StoreError`: nothing was changed."""
        ...


def editor_of(source: Source) -> Editor:
    """The editor for a source; one for a layout that is only read says so when it is used."""
    if source.layout is Layout.QUICKFIX:
        return _FilesEditor(source.path)
    if source.layout is Layout.FIXLAB:
        return _DatabaseEditor(source.path)
    if source.layout is Layout.SQL:
        return _RowEditor(source)
    return _NoEditor(source)


class _NoEditor:
    def __init__(self, source: Source) -> None:
        self._source = source

    def apply(self, counters: Counters) -> Path:
        raise StoreError(
            f"{self._source.path}: fixlab only reads stores of layout {self._source.layout}; "
            f"change the counters with its own engine (to NextNumOut {counters[0]} and "
            f"NextNumIn {counters[1]})"
        )


class _FilesEditor:
    """The files of C++ QuickFIX, which is itself not to be running: it takes no lock."""

    def __init__(self, base: Path) -> None:
        self._base = base.absolute()
        self._seen = self._look()

    def apply(self, counters: Counters) -> Path:
        lock = Lock(self._file(".lock"))
        try:
            self._check(lock.left)
            backup = self._back_up()
            self._write(counters)
        except OSError as error:
            lock.release(keep=bool(lock.left))
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"{self._base}: cannot be changed: {error}") from error
        lock.release()
        return backup

    def _file(self, suffix: str) -> Path:
        return self._base.with_name(self._base.name + suffix)

    def _look(self) -> tuple[object, ...]:
        """What tells whether the store was used since."""
        sizes = [
            path.stat().st_size if (path := self._file(suffix)).exists() else None
            for suffix in (".body", ".header")
        ]
        return (*sizes, read_file(self._file(".seqnums")), read_file(self._file(".session")))

    def _check(self, left: bytes) -> None:
        if self._look() != self._seen:
            raise _changed(self._base)
        readable = read_counters(read_file(self._file(".seqnums")) or b"") is not None
        if readable and (left or self._file(".reset").exists()):
            raise StoreError(
                f"{self._base}: its last owner was killed. Open and close it once with "
                f"FileStore, which tidies up, then plan again"
            )

    def _back_up(self) -> Path:
        """Copy the store's files to a new folder beside them."""
        folder = _free(self._base)
        folder.mkdir()
        for suffix in SUFFIXES:
            if (path := self._file(suffix)).exists():
                shutil.copy2(path, folder / path.name)
        return folder

    def _write(self, counters: Counters) -> None:
        path = self._file(".seqnums")
        width = counter_width(read_file(path) or b"")
        unfinished = self._file(".seqnums-part")
        try:
            with unfinished.open("wb") as file:
                file.write(write_counters(*counters, width))
                file.flush()
                os.fsync(file.fileno())
            if path.exists():
                shutil.copymode(path, unfinished)  # who could write it still can
            unfinished.replace(path)  # all of it or nothing
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise


class _DatabaseEditor:
    """The file of a SQLiteStore."""

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()
        with _errors(self._path), closing(connect(self._path)) as database:
            self._seen = _look(database)

    def apply(self, counters: Counters) -> Path:
        with _errors(self._path), closing(_writing(self._path)) as database:
            database.execute("BEGIN EXCLUSIVE")
            if _look(database) != self._seen:
                raise _changed(self._path)
            backup = _copy(self._path)
            # Without a row there are no counters to change, so there is one again.
            database.execute(
                "INSERT INTO state (id, next_out, next_in) VALUES (1, ?, ?) "
                "ON CONFLICT (id) DO UPDATE SET next_out = excluded.next_out, "
                "next_in = excluded.next_in",
                counters,
            )
            database.execute("COMMIT")
        return backup


class _RowEditor:
    """A session's row in the tables of QuickFIX, in an SQLite file.

    A SQLStore that has it open holds no lock between its steps, but sees the change with its
    next one and is over. QuickFIX would not notice.
    """

    def __init__(self, source: Source) -> None:
        self._path = source.path.absolute()
        self._session = source.session
        self._mine = " AND ".join(f"{column} IS ?" for column in source.key)
        self._key = tuple(source.key.values())
        with _errors(self._path), closing(connect(self._path)) as database:
            self._seen = self._look(database)

    def apply(self, counters: Counters) -> Path:
        with _errors(self._path), closing(_writing(self._path)) as database:
            # Keeps other writers out, but lets the backup be read.
            database.execute("BEGIN IMMEDIATE")
            if self._look(database) != self._seen:
                raise _changed(self._path)
            done = database.execute(
                f"UPDATE sessions SET outgoing_seqnum = ?, incoming_seqnum = ? "
                f"WHERE {self._mine}",
                (*counters, *self._key),
            )
            if done.rowcount != 1:
                raise StoreError(
                    f"{self._path}: expected one row of {printable(self._session)} in the "
                    f"table `sessions`, found {done.rowcount}; plan again"
                )
            backup = _copy(self._path)
            try:
                database.execute("COMMIT")
            except sqlite3.Error:
                backup.unlink()
                raise
        return backup

    def _look(self, database: sqlite3.Connection) -> list[object]:
        """What tells whether the session was used since."""
        return [
            row
            for what in ("* FROM sessions", "count(*), max(msgseqnum) FROM messages")
            for row in database.execute(f"SELECT {what} WHERE {self._mine}", self._key)
        ]


def _writing(path: Path) -> sqlite3.Connection:
    """A connection that writes into a file that there is, and waits for nobody."""
    return sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=0.0, isolation_level=None
    )


def _copy(path: Path) -> Path:
    """Make the backup of a database; another connection keeps writers out meanwhile."""
    backup = _free(path)
    with closing(connect(path)) as reader, closing(sqlite3.connect(backup)) as copy:
        reader.backup(copy)
    return backup


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except SQLITE_ERRORS as error:
        raise database_error(path, error) from error


def _look(database: sqlite3.Connection) -> list[object]:
    state = database.execute("SELECT * FROM state").fetchall()
    return [*state, *database.execute("SELECT count(*), max(seq) FROM sent").fetchall()]


def _changed(path: Path) -> StoreError:
    return StoreError(f"{path}: was changed since the plan was made; plan again")


def _free(path: Path) -> Path:
    """The first free name for a backup beside `path`."""
    for number in count(1):
        backup = path.with_name(f"{path.name}{BACKUP}{number}")
        if not os.path.lexists(backup):
            return backup
        if number == _BACKUPS_MAX:
            break
    raise StoreError(f"{path}: has {_BACKUPS_MAX} backups beside it; move some away")
