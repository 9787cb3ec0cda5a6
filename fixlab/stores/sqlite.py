"""SQLiteStore: one file, one owner, one transaction a step.

A step is gathered in memory and written as one transaction by `commit()`, so a process killed
at any point leaves whole steps in the file and nothing else. The file is held with SQLite's
exclusive lock from opening to closing: two sessions can never allocate the same number.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from fixlab.errors import ConfigError, StoreError
from fixlab.stores._columns import SQLITE_ERRORS

Durability = Literal["process", "power"]

# SQLite's `synchronous` for what the user wants to survive. In WAL mode NORMAL hands each
# commit to the operating system, which outlives the process; FULL also waits for the disk.
_SYNCHRONOUS = {"process": "NORMAL", "power": "FULL"}

_APPLICATION_ID = 0x4649584C  # "FIXL": tells a store from any other SQLite file
_SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    session TEXT,
    next_out INTEGER NOT NULL CHECK (next_out >= 1),
    next_in INTEGER NOT NULL CHECK (next_in >= 1),
    epoch INTEGER
);
CREATE TABLE sent (seq INTEGER PRIMARY KEY, raw BLOB NOT NULL);
INSERT INTO state VALUES (1, NULL, 1, 1, NULL);
"""
_INTEGER_MAX = 2**63 - 1  # the largest key SQLite has
# SQLite would take a shorter file for an empty one and write over it. Only its size is looked
# at: to open and close the file here would drop this process's lock on it.
_DATABASE_BYTES_MIN = 512
_NOT_A_DATABASE = (
    "is not an SQLite database, or its beginning is damaged; expected a fixlab store. Choose "
    "another path, or bring the file back from a copy"
)
# What is read at a time for a replay, which bounds its memory: messages, and their bytes.
_READ_CHUNK = 256
_READ_BYTES = 1 << 18


class SQLiteStore:
    """A store in one SQLite file, created when it does not exist.

    Parameters: `path` of the file; `durability`, "process" (what was committed survives a
    killed process) or "power" (it also survives a power cut, at the price of a disk flush a
    step); `session`, the `Session.id` that the file belongs to: the first one given is kept,
    and opening the file for another one fails.

    Raises `ConfigError` for an unknown `durability`, and `StoreError` when the file cannot be
    used: in use elsewhere, not a store or corrupt, written by another version, read-only, in a
    folder that does not exist, on a full disk, or of another session. The message says what to
    do.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        durability: Durability = "process",
        session: str | None = None,
    ) -> None:
        if durability not in _SYNCHRONOUS:
            raise ConfigError(f'durability must be "process" or "power", found {durability!r}')
        self.path = Path(path).absolute()
        self._out = self._in = 1
        self._epoch: int | None = None
        self._session: str | None = None
        self._step: dict[int, bytes] = {}
        self._was_reset = False
        self._changed = False
        self._closed = True
        self._check_place()
        # No waiting for a lock: its holder keeps it for as long as it lives.
        self._db = _connect(self.path)
        try:
            self._open(_SYNCHRONOUS[durability], session)
        except BaseException:
            self._db.close()
            raise
        self._closed = False

    @property
    def session(self) -> str | None:
        """The `Session.id` that the file belongs to, or None."""
        return self._session

    @property
    def epoch(self) -> int | None:
        """The time (ns) of the last reset; None without one, or when it had no time."""
        return self._epoch

    def next_out(self) -> int:
        """Allocate and return NextNumOut, and advance it by one."""
        if self._closed:
            raise self._closed_error()
        seq = self._out
        self._out = seq + 1
        self._changed = True
        return seq

    def peek_out(self) -> int:
        """NextNumOut, allocating nothing."""
        if self._closed:
            raise self._closed_error()
        return self._out

    def observed_in(self, seq: int) -> None:
        """Record that `seq` and all below it were processed; a lower `seq` is no news."""
        if self._closed:
            raise self._closed_error()
        if seq >= self._in:
            self._in = seq + 1
            self._changed = True

    def current_in(self) -> int:
        """NextNumIn: one past the highest number observed."""
        if self._closed:
            raise self._closed_error()
        return self._in

    def reset(self, now: int | None = None) -> None:
        """Both counters back to 1, stored messages dropped; `now` dates the new epoch (ns)."""
        if self._closed:
            raise self._closed_error()
        self._out = self._in = 1
        self._epoch = now
        self._step.clear()
        self._was_reset = self._changed = True

    def save_sent(self, seq: int, raw: bytes) -> None:
        """Keep the wire bytes of a message sent under `seq`; a second save replaces it."""
        if self._closed:
            raise self._closed_error()
        self._step[seq] = raw
        self._changed = True

    def sent(self, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Stored messages from `begin` to `end`, both inclusive, ascending.

        Read in chunks while iterating, so a long replay needs little memory. Raises
        `StoreError` when the file cannot be read.
        """
        if self._closed:
            raise self._closed_error()
        return self._walk(begin, end)

    def commit(self) -> None:
        """End of a step: all that was changed since the last commit is now durable.

        Raises `StoreError` when it cannot be written. The step is then undone as a whole, in
        the file and in this object, and the message tells the numbers it went back to.
        """
        if self._closed:
            raise self._closed_error()
        if not self._changed:
            return
        try:
            self._write_step()
        except (*SQLITE_ERRORS, OverflowError) as error:
            raise self._undo(error) from error
        self._step.clear()
        self._was_reset = self._changed = False

    def rollback(self) -> None:
        """Go back to the last commit, as a crash does."""
        if self._closed:
            raise self._closed_error()
        if self._changed:
            try:
                self._load()
            except SQLITE_ERRORS as error:
                raise self._error(error) from error

    def close(self) -> None:
        """Release the file; what was not committed is dropped. Twice is harmless."""
        if self._closed:
            return
        self._closed = True
        self._step.clear()
        # The note goes first: once the lock is gone, it may be the next owner's.
        self._owner_note().unlink(missing_ok=True)
        self._db.close()

    def _walk(self, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        position, end = max(begin, 0), min(end, _INTEGER_MAX)
        while position <= end:
            found, whole = self._stored(position, end)
            last = end if whole else max(found)
            found.update(
                (seq, raw) for seq, raw in self._step.items() if position <= seq <= last
            )
            for seq in sorted(found):
                yield seq, found[seq]
            position = last + 1

    def _stored(self, begin: int, end: int) -> tuple[dict[int, bytes], bool]:
        """The first messages of the range that were committed and not reset away since.

        And whether that is all of them.
        """
        if self._closed:
            raise self._closed_error()
        if self._was_reset:
            return {}, True
        found: dict[int, bytes] = {}
        size = 0
        try:
            # SQLite reads a row when it is asked for, so what is left behind costs nothing.
            with closing(
                self._db.execute(
                    "SELECT seq, raw FROM sent WHERE seq BETWEEN ? AND ? ORDER BY seq",
                    (begin, end),
                )
            ) as rows:
                for seq, raw in rows:
                    if not isinstance(raw, bytes):
                        kind = type(raw).__name__
                        raise sqlite3.DatabaseError(f"message {seq} is {kind}, not bytes")
                    found[seq] = raw
                    size += len(raw)
                    if len(found) == _READ_CHUNK or size >= _READ_BYTES:
                        return found, False
        except SQLITE_ERRORS as error:
            raise self._error(error) from error
        return found, True

    def _write_step(self) -> None:
        execute = self._db.execute
        execute("BEGIN IMMEDIATE")
        if self._was_reset:
            execute("DELETE FROM sent")
        if self._step:
            self._db.executemany(
                "INSERT OR REPLACE INTO sent VALUES (?, ?)", self._step.items()
            )
        execute(
            "UPDATE state SET next_out = ?, next_in = ?, epoch = ?",
            (self._out, self._in, self._epoch),
        )
        execute("COMMIT")

    def _undo(self, error: Exception) -> StoreError:
        """Undo the step after a failed commit; the error to raise about it."""
        why = self._explain(error)
        try:
            # A failure may have ended the transaction by itself.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._load()
        except SQLITE_ERRORS as second:
            self.close()
            return StoreError(
                f"{self.path}: the step was not stored, and the store had to close: {why} "
                f"(then: {second}). Open it again to go on from the last commit"
            )
        return StoreError(
            f"{self.path}: the step was not stored and is undone as a whole: {why}. The store "
            f"is back at its last commit, NextNumOut {self._out} and NextNumIn {self._in}; "
            "send nothing of this step, drop the connection and log on again"
        )

    def _load(self) -> None:
        """Take the state from the file; forgets the uncommitted step."""
        row = self._db.execute("SELECT session, next_out, next_in, epoch FROM state").fetchone()
        if row is None:
            raise sqlite3.DatabaseError("the row that holds the counters is missing")
        session, *numbers, epoch = row
        # SQLite keeps anything in any column, and a damaged row may read as anything.
        if not all(isinstance(number, int) and number >= 1 for number in numbers):
            raise sqlite3.DatabaseError(f"the counters are no numbers from 1: {numbers!r}")
        if not (epoch is None or (isinstance(epoch, int) and epoch >= 0)):
            raise sqlite3.DatabaseError(f"the time of the last reset is none: {epoch!r}")
        if not (session is None or isinstance(session, str)):
            raise sqlite3.DatabaseError(f"the name of the session is no text: {session!r}")
        self._session, (self._out, self._in), self._epoch = session, numbers, epoch
        self._step.clear()
        self._was_reset = self._changed = False

    def _open(self, synchronous: str, session: str | None) -> None:
        try:
            self._lock(synchronous)
            self._check_schema()
            self._load()
            if session is not None and self._session is None:
                self._db.execute("UPDATE state SET session = ?", (session,))
                self._session = session
            self._db.execute("COMMIT")
        except SQLITE_ERRORS as error:
            raise self._error(error) from error
        if session is not None and session != self._session:
            raise StoreError(
                f"{self.path}: holds the numbers of session {self._session}, but was opened "
                f"for {session}. Give each session a file of its own"
            )
        try:
            self._owner_note().write_text(f"{os.getpid()}\n", encoding="ascii")
        except OSError as error:
            raise StoreError(f"{self._owner_note()}: cannot be written: {error}") from error

    def _lock(self, synchronous: str) -> None:
        """Become the only owner; leaves a transaction open."""
        execute = self._db.execute
        # Set before the file is first read: SQLite then keeps its lock until closing, also
        # against other connections of this process, and needs no shared memory file.
        execute("PRAGMA locking_mode = EXCLUSIVE")
        execute("BEGIN EXCLUSIVE")
        self._check_identity()
        execute("COMMIT")
        mode = execute("PRAGMA journal_mode = WAL").fetchone()[0]
        if mode != "wal":
            raise StoreError(f"{self.path}: needs write-ahead logging, got {mode!r}")
        execute(f"PRAGMA synchronous = {synchronous}")
        execute("BEGIN IMMEDIATE")

    def _check_identity(self) -> None:
        """Refuse another program's file before anything of it is changed."""
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        application = self._db.execute("PRAGMA application_id").fetchone()[0]
        if tables and application != _APPLICATION_ID:
            raise StoreError(
                f"{self.path}: is an SQLite database, but not a fixlab store (application_id "
                f"{application:#x}, expected {_APPLICATION_ID:#x}). Choose another path"
            )
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        if tables and version != _SCHEMA_VERSION:
            raise StoreError(
                f"{self.path}: has schema version {version}, expected {_SCHEMA_VERSION}. Open "
                "it with the fixlab that wrote it, or choose another path"
            )

    def _check_schema(self) -> None:
        """Create the tables of a new file, within the open transaction."""
        if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return
        for statement in _SCHEMA.split(";\n"):
            self._db.execute(statement)
        self._db.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
        self._db.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")

    def _check_place(self) -> None:
        """Say plainly what SQLite would only call unable to open."""
        folder = self.path.parent
        if not folder.is_dir():
            raise StoreError(f"{self.path}: folder {folder} does not exist; create it first")
        if self.path.is_dir():
            raise StoreError(f"{self.path}: is a folder; expected the path of a file")
        if self.path.exists() and 0 < self.path.stat().st_size < _DATABASE_BYTES_MIN:
            raise StoreError(f"{self.path}: {_NOT_A_DATABASE}")
        if self.path.exists() and not os.access(self.path, os.R_OK | os.W_OK):
            raise StoreError(
                f"{self.path}: is read-only for this user; give write permission or choose "
                "another path"
            )
        if not os.access(folder, os.W_OK | os.X_OK):
            raise StoreError(
                f"{self.path}: folder {folder} is read-only for this user; give write "
                "permission or choose another path"
            )

    def _owner_note(self) -> Path:
        """A small file that names the owner's process; the lock itself is SQLite's."""
        return self.path.with_name(self.path.name + "-owner")

    def _owner(self) -> str:
        try:
            pid = int(self._owner_note().read_text(encoding="ascii"))
        except (OSError, ValueError):
            return "by another program"
        if pid == os.getpid():
            return "by another SQLiteStore of this very process; close() that one first"
        return f"by process {pid}; close the store there, or end that process"

    def _error(self, error: Exception) -> StoreError:
        return StoreError(f"{self.path}: {self._explain(error)}")

    def _explain(self, error: Exception) -> str:
        """What an error of SQLite means here, and what to do."""
        code = getattr(error, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return f"is in use {self._owner()}"
        if primary == sqlite3.SQLITE_FULL:
            return f"no room left to write ({error}); free some and go on"
        if primary == sqlite3.SQLITE_NOTADB:
            return _NOT_A_DATABASE
        if primary == sqlite3.SQLITE_CORRUPT or isinstance(error, UnicodeDecodeError):
            return (
                f"is corrupt ({error}); bring the file back from a copy, or choose another path"
            )
        if primary == sqlite3.SQLITE_READONLY:
            return f"is read-only ({error}); give write permission or choose another path"
        if primary == sqlite3.SQLITE_IOERR:
            return f"the disk failed, is full, or sets a limit ({error})"
        if isinstance(error, OverflowError):
            return f"a number is too large for the file; at most {_INTEGER_MAX} fits"
        return f"SQLite says: {error}"

    def _closed_error(self) -> StoreError:
        return StoreError(f"{self.path}: the store is closed; open it again to go on")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        if self._closed:
            return f"SQLiteStore({self.path.name!r}, closed)"
        return f"SQLiteStore({self.path.name!r}, next_out={self._out}, next_in={self._in})"


def _connect(path: Path) -> sqlite3.Connection:
    try:
        return sqlite3.connect(path, timeout=0.0, isolation_level=None, check_same_thread=False)
    except SQLITE_ERRORS as error:
        raise StoreError(f"{path}: cannot be opened: {error}") from error
