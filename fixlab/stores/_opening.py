"""Opening a C++ QuickFIX store: what a killed owner left is tidied, the rest is read.

Nothing is written before it is sure that the store can be read: a store that is damaged in a
way no crash explains is refused, and left as it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fixlab.errors import StoreError
from fixlab.stores._index import Index
from fixlab.stores._layouts import (
    Entries,
    counter_width,
    read_counters,
    read_entries,
    read_file,
    write_counters,
)

NOTE_BYTES = 160
_CREATED_BYTES_MAX = 40  # any time is shorter; keeps the note within its length
# Python reads no number of thousands of digits, and no counter has more than 20.
_N = rb"(\d{1,20})"
_NOTE = re.compile(rb" ".join([_N] * 4) + rb" (\S*) *\n")
_JOURNAL = re.compile(
    rb"fixlab reset " + rb" ".join([_N] * 4) + rb" (\S*) (\S*) " + _N + b" " + _N + b"\n"
)
_REPAIR = "say what they are with fixlab.stores.plan_edit, or bring the files back from a copy"


@dataclass(frozen=True, slots=True)
class Paths:
    """The files of one store: QuickFIX's four and two of fixlab's own."""

    folder: Path
    prefix: str

    def _file(self, suffix: str) -> Path:
        return self.folder / f"{self.prefix}.{suffix}"

    @property
    def base(self) -> Path:
        """The folder and the prefix: names the store in messages."""
        return self.folder / self.prefix

    @property
    def body(self) -> Path:
        """All stored messages, end to end."""
        return self._file("body")

    @property
    def header(self) -> Path:
        """The index of the body."""
        return self._file("header")

    @property
    def seqnums(self) -> Path:
        """NextNumOut and NextNumIn."""
        return self._file("seqnums")

    @property
    def session(self) -> Path:
        """When both counters were last 1."""
        return self._file("session")

    @property
    def lock(self) -> Path:
        """Held by the owner; there only while a store is open, or after a crash."""
        return self._file("lock")

    @property
    def journal(self) -> Path:
        """A reset that is under way: there for a moment, or after a crash."""
        return self._file("reset")

    @property
    def unfinished(self) -> Path:
        """The journal while it is being written; nobody ever reads it."""
        return self._file("reset-part")


@dataclass(frozen=True, slots=True)
class Note:
    """What the owner last committed: tells a step that was cut short from a whole one."""

    next_out: int
    next_in: int
    header_size: int
    body_size: int
    created: bytes

    def encode(self) -> bytes:
        """The note as text of constant length."""
        text = b"%d %d %d %d %b" % (
            self.next_out,
            self.next_in,
            self.header_size,
            self.body_size,
            self.created,
        )
        return text.ljust(NOTE_BYTES - 1) + b"\n"

    @classmethod
    def parse(cls, text: bytes) -> Note | None:
        """The note in `text`; None when there is none, or only a part of it."""
        found = _NOTE.fullmatch(text)
        if found is None:
            return None
        next_out, next_in, header_size, body_size = map(int, found.groups()[:4])
        return cls(next_out, next_in, header_size, body_size, found[5])


@dataclass(frozen=True, slots=True)
class Journal:
    """A reset step in full: the counters before it, and all four files after it."""

    old: tuple[int, int]
    old_created: bytes
    new: tuple[int, int]
    created: bytes
    header: bytes
    body: bytes

    def encode(self) -> bytes:
        """The journal's bytes."""
        head = b"fixlab reset %d %d %d %d %b %b %d %d\n" % (
            *self.old,
            *self.new,
            self.old_created,
            self.created,
            len(self.header),
            len(self.body),
        )
        return head + self.header + self.body

    @classmethod
    def parse(cls, text: bytes) -> Journal | None:
        """The journal in `text`; None when it is not whole."""
        found = _JOURNAL.match(text)
        if found is None:
            return None
        old_out, old_in, new_out, new_in = map(int, found.groups()[:4])
        middle = found.end() + int(found[7])
        if len(text) != middle + int(found[8]):
            return None
        return cls(
            old=(old_out, old_in),
            new=(new_out, new_in),
            old_created=found[5],
            created=found[6],
            header=text[found.end() : middle],
            body=text[middle:],
        )


@dataclass(slots=True)
class Contents:
    """What the files of a store hold."""

    next_out: int
    next_in: int
    width: int  # digits of a counter
    created: bytes
    index: Index
    header_size: int
    body_size: int
    is_new: bool  # the files are empty or missing: nothing was ever stored


def read_contents(paths: Paths, note: Note | None) -> Contents:
    """What the files hold after the traces of a crash are tidied away.

    Raises `StoreError` when the counters are unreadable, or the index is damaged otherwise
    than at its end.
    """
    counters = read_file(paths.seqnums) or b""
    header = read_file(paths.header) or b""
    created = read_created_text(paths)
    body_size = _size(paths.body)
    is_new = not (counters or header or created or body_size)
    numbers = (1, 1) if is_new else read_counters(counters)
    entries = read_entries(header)
    # One incomplete entry is what a crash leaves; more behind it is not.
    words = entries.rest.split()
    if len(words) > 1 or (words and entries.rest[:1].isspace()):
        raise StoreError(
            f"{paths.header}: is damaged at byte {entries.good}: expected entries such as "
            f"'3,163,77 ', found {entries.rest[:24]!r}. Bring it back from a copy"
        )
    if numbers is None:
        raise _unreadable(paths, counters, max(entries.seqs, default=0))
    kept = _without_torn_step(entries, numbers, created, note, len(header), body_size)
    if kept is not None:
        header_size, body_size = kept
        entries = read_entries(header[:header_size])
        _cut(paths.body, body_size)
    header_size = _whole_entries(header, entries, body_size)
    if header_size < len(header):
        _cut(paths.header, header_size)
    return Contents(
        *numbers,
        width=counter_width(counters),
        created=created,
        index=Index.of(entries, body_size),
        header_size=header_size,
        body_size=body_size,
        is_new=is_new,
    )


def finish_reset(paths: Paths, write: Callable[[Path, bytes], None]) -> bool:
    """Finish a reset that a crash interrupted, unless the store has moved on since.

    Returns whether there was one to finish. The journal goes only with the next note, so that
    a crash in here is no other than the first.
    """
    text = read_file(paths.journal)
    if text is None:
        return False
    journal = Journal.parse(text)
    counters = read_file(paths.seqnums) or b""
    now = (read_counters(counters), read_created_text(paths))
    # Between the two states only these are possible: the counters go before the time.
    under_way = journal is not None and now in (
        (journal.old, journal.old_created),
        (journal.new, journal.old_created),
        (journal.new, b""),
        (journal.new, journal.created),
    )
    if journal is not None and under_way:
        apply_reset(paths, journal, counter_width(counters), write)
    return under_way


def apply_reset(
    paths: Paths, journal: Journal, width: int, write: Callable[[Path, bytes], None]
) -> None:
    """Put the files into the state after the reset, in an order QuickFIX can read throughout.

    The index goes first: without it nothing of the body is read.
    """
    write(paths.header, b"")
    write(paths.body, journal.body)
    write(paths.header, journal.header)
    write(paths.seqnums, write_counters(*journal.new, width))
    write(paths.session, journal.created)


def _without_torn_step(
    entries: Entries,
    numbers: tuple[int, int],
    created: bytes,
    note: Note | None,
    header_size: int,
    body_size: int,
) -> tuple[int, int] | None:
    """Sizes of index and body before a step that the last owner could not finish, if any.

    Its messages never left, so their numbers are free, and must not be answered with them.
    The counters are written last: while they are those of the note, and all entries behind
    it carry numbers not yet given out, those entries belong to such a step.
    """
    if (
        note is None
        or numbers != (note.next_out, note.next_in)
        or created != note.created
        or note.header_size > header_size
        or note.body_size > body_size
        or (note.header_size, note.body_size) == (header_size, body_size)
    ):
        return None
    size = entries.good
    for seq, offset, length in zip(
        reversed(entries.seqs),
        reversed(entries.offsets),
        reversed(entries.sizes),
        strict=True,
    ):
        if size <= note.header_size:
            break
        size -= len(b"%d,%d,%d " % (seq, offset, length))
        if seq < note.next_out or offset < note.body_size:
            return None
    return (note.header_size, note.body_size) if size == note.header_size else None


def _whole_entries(header: bytes, entries: Entries, body_size: int) -> int:
    """Bytes of the index up to the last entry whose message the body holds."""
    size = entries.good
    for offset, length in zip(reversed(entries.offsets), reversed(entries.sizes), strict=True):
        if offset + length <= body_size:
            break
        size = header.rfind(b" ", 0, size - 1) + 1
    return size


def _unreadable(paths: Paths, counters: bytes, highest: int) -> StoreError:
    about = f"; the highest stored number is {highest}" if highest else ""
    found = repr(counters[:48]) if counters else "nothing"
    return StoreError(
        f"{paths.seqnums}: the counters cannot be read: found {found}, expected such as "
        f"'0000000004 : 0000000007'{about}. To start at 1 could use numbers twice, so {_REPAIR}"
    )


def read_created_text(paths: Paths) -> bytes:
    """What stands first in `.session`, as QuickFIX reads it; b"" when there is nothing."""
    words = (read_file(paths.session) or b"").split(maxsplit=1)
    return words[0][:_CREATED_BYTES_MAX] if words else b""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}") from error


def _cut(path: Path, size: int) -> None:
    if _size(path) > size:
        os.truncate(path, size)
