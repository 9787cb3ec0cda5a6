"""FileStore: the file store of C++ QuickFIX, read and written byte for byte.

Four files a session: `.body` (messages end to end), `.header` (`seq,offset,size ` each),
`.seqnums` (`NextNumOut : NextNumIn`) and `.session` (when both were 1). A store that QuickFIX
wrote goes on in fixlab, and back. While it is open, `.lock` beside them keeps a second
FileStore out; QuickFIX takes no lock, so never let both run on one store.

**Crash safety.** A commit writes body, then index, then counters, so that

- killed behind the body, some bytes have no entry: nobody reads them;
- killed within the index, its last entry is incomplete: it is cut off at the next opening;
- killed before the counters, messages are stored under numbers not given out yet. The note
  in `.lock` tells where the last whole step ended, and the next opening goes back to it.
  QuickFIX itself would write over them, as its own crashes leave the same;
- the counters are one write of constant length over the old ones, and with them the step
  counts: no number that `commit()` returned for is ever given out again.

A step with a reset in it replaces all four files. It is first written to `.reset` as a whole,
which takes its name at once, and finished from there by the next opening.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from heapq import merge
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from fixlab.errors import ConfigError, StoreError
from fixlab.stores._index import Index
from fixlab.stores._layouts import (
    NUMBER_MAX,
    SUFFIXES,
    Layout,
    layout_of,
    prefix_of,
    prefixes_in,
    read_created,
    session_of,
    write_counters,
)
from fixlab.stores._lock import Lock
from fixlab.stores._opening import (
    Contents,
    Journal,
    Note,
    Paths,
    apply_reset,
    finish_reset,
    read_contents,
)
from fixlab.times import NANOSECONDS, format_utc

Durability = Literal["process", "power"]


class FileStore:
    """A store in the files of C++ QuickFIX, in `folder`; made when there is none yet.

    Parameters: `session`, a `Session.id` (`FIX.4.4:BUY->SELL`), its parts (BeginString,
    SenderCompID, TargetCompID and perhaps SessionQualifier) or QuickFIX's file prefix
    (`FIX.4.4-BUY-SELL`), own side first; left out, the folder must hold exactly one store.
    `durability`, "process" (what was committed survives a killed process, as in QuickFIX) or
    "power" (it also survives a power cut, at the price of disk flushes a step). `now` (ns)
    dates a store that is made; without it, its creation time stays empty until a reset.

    The time of a reset is kept in whole seconds, as QuickFIX does. The counters keep the
    width they were found with, 10 digits (up to QuickFIX 1.15) or 20.

    Raises `ConfigError` for a session that cannot be a file's name, and `StoreError` when the
    files cannot be used: in use by another FileStore, of another engine's layout, damaged,
    read-only, on a full disk, of too long a name. The message says what to do.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        session: str | Iterable[str] | None = None,
        *,
        durability: Durability = "process",
        now: int | None = None,
    ) -> None:
        if durability not in ("process", "power"):
            raise ConfigError(f'durability must be "process" or "power", found {durability!r}')
        self._flush = durability == "power"
        self._closed = True
        place = Path(folder).absolute()
        prefix = _only_prefix(place) if session is None else prefix_of(session)
        _make_folder(place)
        _check_length(place, prefix)
        self._paths = Paths(place, prefix)
        self._out = self._in = 1
        self._created = b""
        self._epoch: int | None = None
        self._committed = (self._out, self._in, self._created)
        self._width = 20  # digits of a counter
        self._header_size = self._body_size = 0
        self._index = Index()
        self._generation = 0  # how many resets were committed: replays of before it end
        self._step: dict[int, bytes] = {}
        self._was_reset = self._changed = False
        layout = layout_of(place, prefix)
        if layout is not Layout.QUICKFIX:
            raise StoreError(
                f"{self._paths.base}: is a store of layout {layout}, which fixlab only reads "
                f"(fixlab.stores.inspect); expected one of C++ QuickFIX"
            )
        self._lock = Lock(self._paths.lock)
        try:
            self._open(now)
        except BaseException as error:
            self._lock.release(keep=bool(self._lock.left))
            if isinstance(error, OSError):  # a StoreError is one, too
                raise self._as_store_error(error) from error
            raise
        self._closed = False

    @property
    def path(self) -> Path:
        """The folder and the prefix, to which QuickFIX adds `.body` and so on."""
        return self._paths.base

    @property
    def session(self) -> str:
        """`Session.id` of the store; its prefix where the dashes in it are ambiguous."""
        return session_of(self._paths.prefix)

    @property
    def epoch(self) -> int | None:
        """When both counters were last 1 (ns, whole seconds); None when that is not known."""
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
        self._created = b"" if now is None else format_utc(now, 0)
        self._epoch = None if now is None else now // NANOSECONDS * NANOSECONDS
        self._out = self._in = 1
        self._step.clear()
        self._was_reset = self._changed = True

    def save_sent(self, seq: int, raw: bytes) -> None:
        """Keep the wire bytes of a message sent under `seq`; a second save replaces it.

        Raises `StoreError` for a number that the files cannot hold.
        """
        if self._closed:
            raise self._closed_error()
        if not 1 <= seq <= NUMBER_MAX:
            raise StoreError(
                f"{self.path}: a message is stored under a number from 1 to {NUMBER_MAX}, "
                f"found {seq}"
            )
        self._step[seq] = raw
        self._changed = True

    def sent(self, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Stored messages from `begin` to `end`, both inclusive, ascending.

        Read one by one while iterating, so a long replay needs little memory. Raises
        `StoreError` when the body cannot be read.
        """
        if self._closed:
            raise self._closed_error()
        return self._walk(begin, end)

    def commit(self) -> None:
        """End of a step: all that was changed since the last commit is now durable.

        Raises `StoreError` when it cannot be written. The step is then undone as a whole, in
        the files and in this object, and the message tells the numbers it went back to.
        """
        if self._closed:
            raise self._closed_error()
        if not self._changed:
            return
        if max(self._out, self._in) > NUMBER_MAX:
            raise self._undo(f"a number is too large for the file; {NUMBER_MAX} still fits")
        try:
            if self._was_reset:
                self._write_reset()
            else:
                self._write_step()
                self._settle()
        except OSError as error:
            if self._closed:
                raise self._as_store_error(error) from error
            raise self._undo(error.strerror or str(error)) from error

    def rollback(self) -> None:
        """Go back to the last commit, as a crash does."""
        if self._closed:
            raise self._closed_error()
        self._out, self._in, self._created = self._committed
        self._epoch = read_created(self._created)
        self._step.clear()
        self._was_reset = self._changed = False

    def close(self) -> None:
        """Release the files; what was not committed is dropped. Twice is harmless."""
        if not self._closed:
            self._close(keep_note=False)

    # Reading ---------------------------------------------------------------------------

    def _walk(self, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        generation = self._generation
        stored = iter(()) if self._was_reset else self._index.numbers(begin, end)
        waiting = sorted(seq for seq in self._step if begin <= seq <= end)
        last = 0
        for seq in merge(stored, waiting):
            if self._closed:
                raise self._closed_error()
            raw = self._step.get(seq)
            if raw is None and generation == self._generation:
                raw = self._read(seq)
            # None: dropped while this replay was under way.
            if raw is not None and seq > last:
                yield seq, raw
            last = seq

    def _read(self, seq: int) -> bytes | None:
        """A committed message; None when there is none of that number."""
        place = self._index.get(seq)
        if place is None:
            return None
        offset, size = place
        try:
            raw = _read(self._body, offset, size)
        except OSError as error:
            raise self._as_store_error(error) from error
        if len(raw) < size:
            raise StoreError(
                f"{self._paths.body}: message {seq} should be {size} bytes at offset {offset}, "
                f"found {len(raw)}; was the file changed by another program?"
            )
        return raw

    # Writing ---------------------------------------------------------------------------

    def _write_step(self) -> None:
        if self._step:
            entries, offset = [], self._body_size
            for seq, raw in self._step.items():
                entries.append(b"%d,%d,%d " % (seq, offset, len(raw)))
                offset += len(raw)
            _write(self._body, self._body_size, b"".join(self._step.values()))
            _write(self._header, self._header_size, b"".join(entries))
            if self._flush:
                _sync(self._body.fileno())
                _sync(self._header.fileno())
        if (self._out, self._in) != self._committed[:2]:
            _write(self._seqnums, 0, write_counters(self._out, self._in, self._width))
            if self._flush:
                _sync(self._seqnums.fileno())

    def _write_reset(self) -> None:
        entries, offset = [], 0
        for seq, raw in self._step.items():
            entries.append(b"%d,%d,%d " % (seq, offset, len(raw)))
            offset += len(raw)
        journal = Journal(
            old=self._committed[:2],
            old_created=self._committed[2],
            new=(self._out, self._in),
            created=self._created,
            header=b"".join(entries),
            body=b"".join(self._step.values()),
        )
        unfinished = self._paths.unfinished
        try:
            self._write_file(unfinished, journal.encode())
            unfinished.replace(self._paths.journal)
        except OSError:
            with suppress(OSError):
                unfinished.unlink()
            raise
        # From here on the step counts: the next opening would finish it.
        try:
            self._sync_folder()
            apply_reset(self._paths, journal, self._width, self._write_file)
            self._body_size = self._header_size = 0
            self._index = Index()
            self._generation += 1
            # The note of before would call the new step a torn one, so the journal, which
            # makes it void, goes after it.
            self._settle()
            self._paths.journal.unlink()
        except OSError as error:
            self._close(keep_note=True)
            raise StoreError(
                f"{self.path}: the reset is stored, but not finished: "
                f"{error.strerror or error}. Open the store again to finish it"
            ) from error

    def _settle(self) -> None:
        """The files hold the step: now this object does, too."""
        for seq, raw in self._step.items():
            size = len(raw)
            self._index.put(seq, self._body_size, size)
            self._header_size += len(b"%d,%d,%d " % (seq, self._body_size, size))
            self._body_size += size
        self._step.clear()
        numbers_moved = (self._out, self._in) != self._committed[:2]
        self._committed = (self._out, self._in, self._created)
        self._was_reset = self._changed = False
        # A step that moves no number counts by its note alone.
        self._note(flush=self._flush and not numbers_moved)

    def _note(self, *, flush: bool = False) -> None:
        # Should it not be written, the old note stays: it names other counters, or an older
        # end of the index that no longer fits, so it is passed over.
        with suppress(OSError):
            self._lock.note(
                Note(
                    self._out, self._in, self._header_size, self._body_size, self._created
                ).encode(),
                flush=flush,
            )

    def _undo(self, why: str) -> StoreError:
        """Undo the step after a failed commit; the error to raise about it."""
        try:
            self._seqnums_back()
            self._header.truncate(self._header_size)
            self._body.truncate(self._body_size)
        except OSError as second:
            self._close(keep_note=True)
            return StoreError(
                f"{self.path}: the step was not stored, and the store had to close: {why} "
                f"(then: {second}). Open it again to go on from the last commit"
            )
        self.rollback()
        return StoreError(
            f"{self.path}: the step was not stored and is undone as a whole: {why}. The store "
            f"is back at its last commit, NextNumOut {self._out} and NextNumIn {self._in}; "
            "send nothing of this step, drop the connection and log on again"
        )

    def _seqnums_back(self) -> None:
        _write(self._seqnums, 0, write_counters(*self._committed[:2], self._width))

    # Opening and closing ---------------------------------------------------------------

    def _open(self, now: int | None) -> None:
        paths = self._paths
        note = Note.parse(self._lock.left)
        if finish_reset(paths, self._write_file):
            note = None  # it is of before the reset
        contents = read_contents(paths, note)
        self._out, self._in = contents.next_out, contents.next_in
        self._width, self._created = contents.width, contents.created
        self._index = contents.index
        self._header_size, self._body_size = contents.header_size, contents.body_size
        if contents.is_new:
            self._create(contents, now)
        self._epoch = read_created(self._created)
        self._committed = (self._out, self._in, self._created)
        files = (paths.body, paths.header, paths.seqnums)
        missing = [path for path in files if not path.exists()]
        for path in missing:
            path.touch()  # PersistMessages=N leaves stores without messages
        if missing:
            self._sync_folder()
        opened: list[FileIO] = []
        try:
            for path in files:
                opened.append(FileIO(path, "r+b"))
        except OSError:
            for file in opened:
                file.close()
            raise
        self._body, self._header, self._seqnums = opened
        self._note()
        paths.journal.unlink(missing_ok=True)
        paths.unfinished.unlink(missing_ok=True)

    def _create(self, contents: Contents, now: int | None) -> None:
        self._created = b"" if now is None else format_utc(now, 0)
        self._write_file(self._paths.body, b"")
        self._write_file(self._paths.header, b"")
        # The time goes last: a store with a time has its counters, or is damaged.
        self._write_file(self._paths.seqnums, write_counters(1, 1, contents.width))
        self._write_file(self._paths.session, self._created)
        self._sync_folder()

    def _close(self, *, keep_note: bool) -> None:
        self._closed = True
        self._step.clear()
        try:
            for file in (self._body, self._header, self._seqnums):
                file.close()
        finally:
            self._lock.release(keep=keep_note)

    def _write_file(self, path: Path, content: bytes) -> None:
        """Replace what a file holds, in place: it may be open."""
        with FileIO(path, "r+b" if path.exists() else "xb") as file:
            _write(file, 0, content)
            file.truncate(len(content))
            if self._flush:
                os.fsync(file.fileno())

    def _sync_folder(self) -> None:
        """Make new names survive a power cut, where folders can be flushed."""
        if self._flush and os.name == "posix":
            folder = os.open(self._paths.folder, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)

    def _as_store_error(self, error: OSError) -> StoreError:
        if isinstance(error, StoreError):
            return error
        where = error.filename or self.path
        hint = (
            "; give write permission, or choose another folder"
            if isinstance(error, PermissionError)
            else ""
        )
        return StoreError(f"{where}: {error.strerror or error}{hint}")

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
        name = self._paths.prefix
        if self._closed:
            return f"FileStore({name!r}, closed)"
        return f"FileStore({name!r}, next_out={self._out}, next_in={self._in})"


def _only_prefix(folder: Path) -> str:
    """The prefix of the one store in a folder."""
    found = prefixes_in(folder) if folder.is_dir() else []
    if len(found) == 1:
        return found[0]
    what = f"{len(found)} stores ({', '.join(found[:8])})" if found else "no store"
    raise StoreError(f"{folder}: holds {what}; say which session, as in FIX.4.4:BUY->SELL")


def _make_folder(folder: Path) -> None:
    """Make the folder of the store, but none above it: that would be a slip of the pen."""
    if not folder.parent.is_dir():
        raise StoreError(f"{folder}: folder {folder.parent} does not exist; create it first")
    if folder.exists() and not folder.is_dir():
        raise StoreError(f"{folder}: is a file; expected the folder that holds the store")
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be made: {error.strerror or error}") from error


def _check_length(folder: Path, prefix: str) -> None:
    """Say plainly when no file of the store can have its name."""
    try:
        os.stat(folder / f"{prefix}{max(SUFFIXES, key=len)}")
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise StoreError(
                f"{folder}: the session's name has {len(prefix):,} characters, too many for a "
                f"file's name; keep it in a SQLiteStore"
            ) from error


def _write(file: FileIO, offset: int, content: bytes) -> None:
    """Write all of `content` at `offset`; `OSError` when there is no room for it."""
    file.seek(offset)
    written = file.write(content)
    # A disk that fills up takes a part; the next write then says why.
    while written is not None and written < len(content):
        more = file.write(content[written:])
        written = None if more is None else written + more


def _read(file: FileIO, offset: int, size: int) -> bytes:
    """Up to `size` bytes from `offset`; fewer when the file ends before."""
    file.seek(offset)
    raw = file.read(size) or b""
    while len(raw) < size and (more := file.read(size - len(raw))):
        raw += more
    return raw


# What is needed to read the content again, and nothing else, where the system can tell.
_sync = getattr(os, "fdatasync", os.fsync)
