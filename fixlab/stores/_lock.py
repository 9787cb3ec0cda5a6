"""Lock: one owner of a store's files, and a line of text that outlives a killed owner."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fixlab.errors import StoreError

_PID_BYTES = 24  # the first line: the owner's process, padded
_ATTEMPTS = 10
# Where Windows locks a byte: far behind the text, which others may then read.
_FAR = 1 << 30


class Lock:
    """An exclusive lock on a small file, held until `release()` or the end of the process.

    Raises `StoreError` when another owner holds it; the message names its process. `left` is
    the note of an owner that was killed, else b"".
    """

    __slots__ = ("_file", "left", "path")

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = self._acquire()
        try:
            self.left = os.read(self._file, 1 << 16)[_PID_BYTES:]
            self._write(0, b"%-*d\n" % (_PID_BYTES - 1, os.getpid()))
        except OSError as error:
            os.close(self._file)
            raise StoreError(f"{path}: cannot be written: {error.strerror or error}") from error

    def note(self, text: bytes, *, flush: bool = False) -> None:
        """Replace the note, always of one length; `flush` makes it outlive a power cut."""
        self._write(_PID_BYTES, text)
        if flush:
            os.fsync(self._file)

    def release(self, *, keep: bool = False) -> None:
        """Let others in; `keep` leaves the file with its note, as a killed owner does."""
        try:
            if not keep and sys.platform != "win32":
                # While the lock is held: afterwards it might be the next owner's file.
                self.path.unlink(missing_ok=True)
        finally:
            os.close(self._file)
        if not keep and sys.platform == "win32":
            try:
                self.path.unlink(missing_ok=True)
            except PermissionError:
                pass  # the next owner has it open already

    def _write(self, offset: int, text: bytes) -> None:
        os.lseek(self._file, offset, os.SEEK_SET)
        os.write(self._file, text)

    def _acquire(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        for _ in range(_ATTEMPTS):
            try:
                file = os.open(self.path, flags, 0o666)
            except OSError as error:
                raise StoreError(
                    f"{self.path}: cannot be written: {error.strerror or error}; give write "
                    f"permission, or choose another folder"
                ) from error
            try:
                _lock(file)
            except OSError as error:
                owner = self._owner(file)
                os.close(file)
                raise StoreError(f"{self.path.with_suffix('')}: is in use {owner}") from error
            # The owner before may have removed the file between our opening and locking it.
            try:
                if os.path.samestat(os.fstat(file), os.stat(self.path)):
                    return file
            except FileNotFoundError:
                pass
            os.close(file)
        raise StoreError(f"{self.path}: others keep taking the lock; try again")

    def _owner(self, file: int) -> str:
        text = os.read(file, _PID_BYTES).strip()
        if not text.isdigit():
            return "by another program"
        if int(text) == os.getpid():
            return "by another FileStore of this very process; close() that one first"
        return f"by process {int(text)}; close the store there, or end that process"


def _lock(file: int) -> None:
    """Lock without waiting; `OSError` when another has it."""
    if sys.platform == "win32":
        import msvcrt

        os.lseek(file, _FAR, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        os.lseek(file, 0, os.SEEK_SET)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
