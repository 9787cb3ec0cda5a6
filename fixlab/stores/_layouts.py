"""The file layouts of the QuickFIX family: what each file holds, read without changing it.

All four engines keep a body (messages end to end), an index of it, the two counters and the
time at which both were 1. They differ in how these are written:

========== ============================ ============================== =======================
layout     `.header`                    counters                       `.session`
========== ============================ ============================== =======================
quickfix   `seq,offset,size ` as text   `.seqnums`, `out : in`         `YYYYMMDD-HH:MM:SS`
quickfixn  the same, one a line         `.seqnums`, two blanks behind  the same, with ms
quickfixj  16 bytes each, big endian    `.senderseqnums` and           Java's writeUTF
                                        `.targetseqnums`, writeUTF; or
                                        both in `.seqnums`, `out:in`
quickfixgo `seq,offset,size` a line     the same two files, 19 digits  RFC 3339
========== ============================ ============================== =======================
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from fixlab.errors import ConfigError, StoreError
from fixlab.times import parse_utc

# What a file of a store may end in; a store is all files of one prefix.
SUFFIXES = (".body", ".header", ".seqnums", ".senderseqnums", ".targetseqnums", ".session")

_ENTRY = re.compile(rb"(\d{1,20}),(\d{1,18}),(\d{1,10}) ")
_LINE_ENTRY = re.compile(rb"(\d{1,20}),(\d{1,18}),(\d{1,10})\r?\n")
NUMBER_MAX = 2**63 - 1  # SEQ-16: counters and times have 64 bits, in frames too
# Python reads no number of thousands of digits.
_NUMBER = re.compile(rb"[0-9]{1,20}")
_COUNTERS = re.compile(rb"(\d{1,20}) : (\d{1,20})\s*")
_BLOCK = 1 << 20  # bytes of an index that are read at a time
_BINARY_ENTRY = struct.Struct(">iqi")
_UNSAFE = re.compile(r"[^A-Za-z0-9.\-]")  # what QuickFIX/J writes as "_" in a file's name
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Layout(StrEnum):
    """Whose way of writing a store it is."""

    QUICKFIX = "quickfix"  # C++, and the Python and Ruby bindings
    QUICKFIXJ = "quickfixj"
    QUICKFIXJ_CACHED = "quickfixj_cached"  # its CachedFileStore: both counters in one file
    QUICKFIXN = "quickfixn"
    QUICKFIXGO = "quickfixgo"
    FIXLAB = "fixlab"  # SQLiteStore
    SQL = "sql"  # the tables `sessions` and `messages` of QuickFIX


@dataclass(slots=True)
class Entries:
    """An index in the order of its file: three columns, and where reading had to stop."""

    seqs: array[int]
    offsets: array[int]
    sizes: array[int]
    good: int  # bytes of the file up to the last whole entry
    rest: bytes  # what follows them: b"" in a sound file


def read_entries(data: bytes) -> Entries:
    """The entries of a C++ index, `seq,offset,size ` each."""
    found = Entries(array("q"), array("q"), array("q"), 0, data)
    while found.good < len(data):
        # In blocks, since the numbers of a block need many times its memory for a moment.
        end = data.rfind(b" ", found.good, found.good + _BLOCK) + 1
        numbers = _plain_numbers(data[found.good : end])
        if not numbers:
            return _matched_entries(_ENTRY, data, found)
        found.seqs.extend(numbers[0::3])
        found.offsets.extend(numbers[1::3])
        found.sizes.extend(numbers[2::3])
        found.good = end
    found.rest = b""
    return found


def read_line_entries(data: bytes) -> Entries:
    """The entries of a .NET or Go index, one a line."""
    return _matched_entries(
        _LINE_ENTRY, data, Entries(array("q"), array("q"), array("q"), 0, b"")
    )


def read_binary_entries(data: bytes) -> Entries:
    """The entries of a Java index: int32, int64 and int32 each, big endian."""
    good = len(data) - len(data) % _BINARY_ENTRY.size
    rows = list(_BINARY_ENTRY.iter_unpack(data[:good]))
    seqs, offsets, sizes = (
        array("q", column) for column in (zip(*rows, strict=True) if rows else ((), (), ()))
    )
    return Entries(seqs, offsets, sizes, good, data[good:])


def _plain_numbers(data: bytes) -> array[int] | None:
    """All numbers of sound entries, at the speed of C; None when there is any doubt."""
    skeleton = data.translate(None, b"0123456789")
    count = len(skeleton) // 3
    if skeleton != b",, " * count or b"  " in data or b",," in data or b" ," in data:
        return None
    try:
        return array("q", map(int, data.replace(b" ", b",").split(b",")[:-1]))
    except (ValueError, OverflowError):
        return None  # an empty number, or one beyond 64 bits


def _matched_entries(pattern: re.Pattern[bytes], data: bytes, entries: Entries) -> Entries:
    """`entries` with those that follow; stops at the first that is none."""
    while found := pattern.match(data, entries.good):
        seq = int(found[1])
        if seq >= 1 << 63:
            break
        entries.seqs.append(seq)
        entries.offsets.append(int(found[2]))
        entries.sizes.append(int(found[3]))
        entries.good = found.end()
    entries.rest = data[entries.good :]
    return entries


def read_counters(data: bytes) -> tuple[int, int] | None:
    """NextNumOut and NextNumIn of `.seqnums` as C++ and .NET write it; None when unreadable.

    Numbers padded with zeros must have one width: a file that was cut short would otherwise
    be read as a smaller number.
    """
    found = _COUNTERS.fullmatch(data)
    if found is None:
        return None
    first, second = found[1], found[2]
    padded = first[:1] == b"0" or second[:1] == b"0"
    if padded and (len(first) != len(second) or len(first) not in (10, 20)):
        return None
    return _both(int(first), int(second))


def counter_width(data: bytes) -> int:
    """How many digits a `.seqnums` has: 10 up to QuickFIX 1.15, 20 from 1.16."""
    found = _COUNTERS.fullmatch(data)
    return 10 if found is not None and len(found[1]) == len(found[2]) == 10 else 20


def write_counters(next_out: int, next_in: int, width: int) -> bytes:
    """`.seqnums` with `width` digits, or with 20 where these do not hold the numbers."""
    if max(next_out, next_in) >= 10**width:
        width = 20
    return b"%0*d : %0*d" % (width, next_out, width, next_in)


def read_utf(data: bytes) -> bytes | None:
    """The text that Java's `writeUTF` wrote at the start of a file; None when cut short."""
    if len(data) < 2:
        return None
    size = int.from_bytes(data[:2], "big")
    return data[2 : 2 + size] if len(data) >= 2 + size else None


def read_number(text: bytes | None) -> int | None:
    """A counter that stands alone; None when it is none."""
    if text is None or not _NUMBER.fullmatch(text := text.strip(b"\r\n")):
        return None
    number = int(text)
    return number if 1 <= number <= NUMBER_MAX else None


def read_created(text: bytes | None) -> int | None:
    """The time (ns) in a `.session`: a UTCTimestamp or, from Go, RFC 3339. None if neither."""
    if not text:
        return None
    text = text.strip()
    if (time := parse_utc(text)) is not None:
        return sane_time(time)
    try:
        moment = datetime.fromisoformat(text.decode("ascii"))
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    return sane_time((moment - EPOCH) // timedelta(microseconds=1) * 1_000)


def sane_time(time: int | None) -> int | None:
    """A time (ns) from 1970 on that 64 bits hold; None for any other, which is damage."""
    return time if time is not None and 0 <= time <= NUMBER_MAX else None


def read_java_counters(data: bytes) -> tuple[int, int] | None:
    """NextNumOut and NextNumIn of the `.seqnums` of QuickFIX/J's CachedFileStore."""
    first, _, second = (read_utf(data) or b"").partition(b":")
    next_out, next_in = read_number(first), read_number(second)
    return None if next_out is None or next_in is None else (next_out, next_in)


def _both(next_out: int, next_in: int) -> tuple[int, int] | None:
    return (
        (next_out, next_in) if all(1 <= n <= NUMBER_MAX for n in (next_out, next_in)) else None
    )


# Names --------------------------------------------------------------------------------------


def prefix_of(session: str | Iterable[str]) -> str:
    """The file prefix of a session, as C++ names it: `FIX.4.4-BUY-SELL`, qualifier behind.

    Takes a `Session.id` (`FIX.4.4:BUY->SELL`, `/qualifier` behind it), the parts
    (BeginString, SenderCompID, TargetCompID and perhaps SessionQualifier), or the prefix
    itself. Raises `ConfigError` for what is neither, or cannot be a file's name.
    """
    if not isinstance(session, Iterable):
        raise ConfigError(
            f"session must be text such as FIX.4.4:BUY->SELL, or its parts, found a "
            f"{type(session).__name__}; of a SessionConfig, give its session_id"
        )
    prefix = _from_text(session) if isinstance(session, str) else _from_parts(session)
    if not prefix or "/" in prefix or "\\" in prefix or "\0" in prefix:
        raise ConfigError(f"session {session!r} cannot be part of a file's name")
    return prefix


def _from_text(session: str) -> str:
    begin_string, colon, names = session.partition(":")
    if not colon:
        return session
    if names.count("->") != 1:
        raise ConfigError(
            f"expected a session such as FIX.4.4:BUY->SELL, found {session!r}; give the parts "
            f"instead: (begin_string, sender_comp_id, target_comp_id)"
        )
    sender, _, rest = names.partition("->")
    target, _, qualifier = rest.partition("/")
    return _from_parts([begin_string, sender, target, *([qualifier] if qualifier else [])])


def _from_parts(session: Iterable[str]) -> str:
    parts = [part for part in session if part]
    if len(parts) not in (3, 4):
        raise ConfigError(
            f"expected (begin_string, sender_comp_id, target_comp_id) and perhaps a qualifier, "
            f"found {parts!r}"
        )
    return "-".join(parts)


def session_of(prefix: str) -> str:
    """`Session.id` that a prefix stands for, or the prefix where its dashes are ambiguous."""
    parts = prefix.split("-")
    if len(parts) not in (3, 4) or not all(parts):
        return prefix
    qualifier = f"/{parts[3]}" if len(parts) == 4 else ""
    return f"{parts[0]}:{parts[1]}->{parts[2]}{qualifier}"


@lru_cache(maxsize=256)
def belongs(prefix: str, begin_string: str, sender: str, target: str) -> bool:
    """Whether messages of this BeginString(8) and these CompIDs can be those of the prefix.

    Java, .NET and Go put SubIDs and LocationIDs into the name, and Java replaces characters.
    """
    for clean in (lambda text: text, lambda text: _UNSAFE.sub("_", text)):
        begin, own, peer = (re.escape(clean(name)) for name in (begin_string, sender, target))
        if re.fullmatch(rf"{begin}-{own}(_.*)?-{peer}([_-].*)?", clean(prefix)):
            return True
    return False


# Finding ------------------------------------------------------------------------------------


def prefixes_in(folder: Path) -> list[str]:
    """The prefixes of all stores in a folder, sorted; one needs an index or counters."""
    found = {
        entry.name.removesuffix(suffix)
        for entry in folder.iterdir()
        for suffix in (".header", ".seqnums", ".senderseqnums")
        if entry.name.endswith(suffix) and entry.is_file()
    }
    return sorted(found - {""})


def read_file(path: Path) -> bytes | None:
    """All bytes of a file; None when there is none. Raises `StoreError` when unreadable."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}") from error


def layout_of(folder: Path, prefix: str) -> Layout:
    """Which engine's layout the files of a prefix have; C++ when they are all empty."""
    if (folder / f"{prefix}.senderseqnums").exists():
        # Java writes a byte count before the digits, and its first byte is 0.
        start = _start(folder / f"{prefix}.senderseqnums", 1)
        created = _start(folder / f"{prefix}.session", 1)
        java = b"\0" in (start, created) or _start(folder / f"{prefix}.header", 1) == b"\0"
        return Layout.QUICKFIXJ if java else Layout.QUICKFIXGO
    counters = _start(folder / f"{prefix}.seqnums", 64)
    if counters[:1] == b"\0" and counters[1:2] > b"\0":  # a file of zeros is a lost one
        return Layout.QUICKFIXJ_CACHED
    # One line is enough to tell: no entry is longer.
    if b"\n" in _start(folder / f"{prefix}.header", 64):
        return Layout.QUICKFIXN
    return Layout.QUICKFIXN if counters.endswith(b"  ") else Layout.QUICKFIX


def _start(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise StoreError(f"{path}: cannot be read: {error.strerror or error}") from error
