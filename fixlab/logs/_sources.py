"""Files to read: found by path, list, glob, folder or URL; expanded and decoded as they come.

What a file is shows in its first bytes, never in its name.
"""

from __future__ import annotations

import bz2
import codecs
import glob
import lzma
import os
import shutil
import tempfile
import weakref
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from importlib import import_module
from io import FileIO
from pathlib import Path
from typing import Any, Protocol

from fixlab.errors import ConfigError, LogFormatError

Where = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]

_CHUNK = 1 << 18  # bytes read from a file, and the most that comes out of one expansion
# A log shrinks ten- to fiftyfold. What expands more than this, and is large, is a bomb.
EXPANSION_MAX = 500
EXPANSION_FREE = 1 << 28  # bytes out that nobody asks about
FILES_MAX = 100_000
_DAMAGE = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)
# Files that stand beside logs and are none: a store holds its messages as well.
_STORE_SUFFIXES = (
    *(".body", ".header", ".seqnums", ".session", ".senderseqnums", ".targetseqnums"),
    *(".sqlite", ".sqlite-wal", ".sqlite-shm"),
)


class File(Protocol):
    """What is asked of an open file."""

    def readinto(self, into: memoryview, /) -> int | None: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def seekable(self) -> bool: ...
    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Source:
    """A file to read: its name in the frame, and how to open it, also in another process."""

    name: str
    path: str
    open: Callable[[], File]
    size: int | None  # of the file as it is stored
    notes: tuple[str, ...] = ()  # what was left out because this file has it


def sources(where: Where) -> list[Source]:
    """The files that `where` means, in the order of their names.

    Raises `ConfigError` when there are none, or one cannot be found.
    """
    if isinstance(where, str | os.PathLike):
        found = _found(os.fspath(where))
    else:
        found = [source for each in where for source in _found(os.fspath(each))]
    if not found:
        raise ConfigError("expected a log file, a folder or pattern of some, found none")
    if len(found) > FILES_MAX:
        raise ConfigError(f"expected at most {FILES_MAX:,} files, found {len(found):,}")
    unique: dict[str, Source] = {}
    for source in found:
        unique.setdefault(os.path.realpath(source.path), source)
    return named(list(unique.values()))


def named(found: Sequence[Source]) -> list[Source]:
    """Files with the shortest names that tell them apart."""
    short = {Path(source.path).name for source in found}
    # Names say enough, and a folder is nobody's business.
    enough = len(short) == len(found)
    return [replace(s, name=Path(s.path).name if enough else s.path) for s in found]


def _found(where: str) -> list[Source]:
    if "://" in where:
        return _remote(where)
    path = Path(where)
    try:
        if where and path.is_dir():
            return _in_folder(path)
        if where and path.exists():
            return [_local(path)]
    except OSError as error:
        raise ConfigError(f"{where} cannot be read: {error.strerror}") from None
    if not glob.has_magic(where):
        raise ConfigError(f"there is no file, folder or pattern {where!r}")
    names = [Path(name) for name in sorted(glob.glob(where)) if Path(name).is_file()]
    if not names:
        raise ConfigError(f"expected files of the pattern {where!r}, found none")
    return [_local(name) for name in names]


def _in_folder(path: Path) -> list[Source]:
    inside = sorted(path.iterdir())
    logs = [
        each
        for each in inside
        if each.is_file() and not each.name.startswith(".") and not _is_store(each.name)
    ]
    if not logs:
        stored = sum(_is_store(each.name) for each in inside)
        folders = sum(each.is_dir() for each in inside)
        found = [
            f"{count} {what}{'s' if count > 1 else ''}"
            for count, what in ((stored, "store file"), (folders, "folder"))
            if count
        ]
        raise ConfigError(
            f"expected log files in the folder {str(path)!r}, found "
            + (" and ".join(found) or "none")
        )
    return [_local(each) for each in logs]


def _is_store(name: str) -> bool:
    return name.endswith(_STORE_SUFFIXES)


def _local(path: Path) -> Source:
    if path.is_fifo():
        return Source(str(path), str(path), _Piped(path), None)
    size = path.stat().st_size if path.is_file() else None
    return Source(str(path), str(path), partial(_open_local, path), size)


class _Piped:
    """Opens what comes through a pipe as often as it is asked: a copy of it is kept in a file.

    The copy is there as long as this is, and only for this user.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._copy: Path | None = None

    def __call__(self) -> File:
        return _open_local(self.copied())

    def copied(self) -> Path:
        """Where the copy is; the first call waits until the pipe has ended."""
        if self._copy is None:
            handle, name = tempfile.mkstemp(prefix="fixlab-")
            weakref.finalize(self, Path(name).unlink, missing_ok=True)
            with open(handle, "wb") as copy, _open_local(self._path) as pipe:
                shutil.copyfileobj(pipe, copy, _CHUNK)
            self._copy = Path(name)
        return self._copy

    def __reduce__(self) -> Any:
        # Another process opens the copy, which stays that of this one.
        return partial, (_open_local, self.copied())


def _open_local(path: Path) -> FileIO:
    try:
        return path.open("rb", buffering=0)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None


def _remote(where: str) -> list[Source]:
    fsspec = optional("fsspec", f"reading {where.partition('://')[0]}:// URLs")
    try:
        files = fsspec.open_files(where, "rb")
    except (ValueError, ImportError, OSError) as error:
        raise ConfigError(f"{where!r} cannot be opened: {error}") from None
    return [_remote_file(file) for file in files]


def _remote_file(file: Any) -> Source:
    return Source(str(file.path), str(file.path), partial(_open_remote, file), None)


def _open_remote(file: Any) -> File:
    try:
        opened: File = file.open()
    except (ValueError, OSError) as error:
        raise ConfigError(f"{file.path!r} cannot be opened: {error}") from None
    return opened


def optional(module: str, purpose: str) -> Any:
    """A module that is not always installed."""
    try:
        return import_module(module)
    except ImportError:
        raise ConfigError(
            f"{purpose} needs the package {module}: pip install 'fixlab[logs]'"
        ) from None


# The bytes of one file --------------------------------------------------------------------


@dataclass(slots=True)
class Stream:
    """The bytes of a log: expanded, and in one byte a character where they were in two."""

    path: str
    chunks: Iterator[bytes]
    close: Callable[[], None]
    file: File | None = None  # when the stream is just the bytes of that file
    problem: str = ""  # why the bytes ended before they should have
    _rest: memoryview = field(default_factory=lambda: memoryview(b""))

    def readinto(self, into: memoryview) -> int:
        """Fill `into` from the front; 0 at the end."""
        filled = 0
        while filled < len(into):
            got = self._more(into[filled:])
            if not got:
                break
            filled += got
        return filled

    def _more(self, into: memoryview) -> int:
        if self.file is not None:
            return _read(self.file, into, self.path)
        if not len(self._rest):
            self._rest = memoryview(next(self.chunks, b""))
        size = min(len(self._rest), len(into))
        into[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def peek(self, size: int) -> bytes:
        """The next bytes, which are still to be read."""
        head = bytearray(size)
        got = self.readinto(memoryview(head))
        if self.file is not None:
            self.file.seek(-got, os.SEEK_CUR)
        else:
            self.chunks = _with(bytes(head[:got]) + bytes(self._rest), self.chunks)
            self._rest = memoryview(b"")
        return bytes(head[:got])

    def skip(self, offset: int) -> None:
        """Go to `offset`, in a file from anywhere, in other streams from the beginning."""
        if self.file is not None:
            self.file.seek(offset)
            return
        skipped = memoryview(bytearray(min(offset, _CHUNK)))
        while offset and (got := self.readinto(skipped[:offset])):
            offset -= got

    def read_at(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` on, of a stream that was not read yet."""
        self.skip(offset)
        found = bytearray(length)
        return bytes(found[: self.readinto(memoryview(found))])


def opened(source: Source) -> Stream:
    """The bytes of `source` from its beginning. Raises `ConfigError` if it cannot be read."""
    file = source.open()
    stream = Stream(source.path, iter(()), file.close)
    chunks = _chunks(file, source)
    head = next(chunks, b"")
    chunks = _with(head, chunks)
    plain = True
    for magic, decompressor in _COMPRESSED.items():
        if head.startswith(magic):
            chunks = _expanded(chunks, decompressor, source, stream)
            head, plain = next(chunks, b""), False
            chunks = _with(head, chunks)
            break
    encoding = _encoding(head)
    stream.chunks = _decoded(chunks, encoding) if encoding else chunks
    if plain and not encoding and file.seekable():
        file.seek(0)
        stream.file = file
    return stream


def is_plain(head: bytes) -> bool:
    """Whether a file with this beginning is read as it is."""
    return not head.startswith((*_COMPRESSED, *CAPTURES)) and not _encoding(head)


def is_capture(source: Source) -> bool:
    """Whether a file holds packets, compressed or not."""
    stream = opened(source)
    try:
        head = bytearray(4)
        stream.readinto(memoryview(head))
    finally:
        stream.close()
    return bytes(head) in CAPTURES


def _with(head: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if head:
        yield head
        yield from chunks


def _chunks(file: File, source: Source) -> Iterator[bytes]:
    chunk = bytearray(_CHUNK)
    while got := _read(file, memoryview(chunk), source.path):
        yield bytes(chunk[:got])


def _read(file: File, into: memoryview, path: str) -> int:
    try:
        return file.readinto(into) or 0
    except OSError as error:
        raise LogFormatError(f"{path} cannot be read: {error}") from None


class _Decompressor(Protocol):
    """What zlib, bz2 and lzma have in common, under one name each."""

    def feed(self, data: bytes) -> bytes: ...
    @property
    def hungry(self) -> bool: ...
    @property
    def done(self) -> bool: ...
    @property
    def unused(self) -> bytes: ...


class _Gzip:
    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, _CHUNK)

    @property
    def hungry(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def done(self) -> bool:
        return self._inner.eof

    @property
    def unused(self) -> bytes:
        return self._inner.unused_data


class _Other:
    """bz2 and lzma, which are alike."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def feed(self, data: bytes) -> bytes:
        expanded: bytes = self._inner.decompress(data, _CHUNK)
        return expanded

    @property
    def hungry(self) -> bool:
        return bool(self._inner.needs_input)

    @property
    def done(self) -> bool:
        return bool(self._inner.eof)

    @property
    def unused(self) -> bytes:
        return bytes(self._inner.unused_data)


# pcap in either order of bytes, with micro- and nanoseconds, and pcapng.
CAPTURES = (
    *(b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d"),
    b"\n\r\r\n",
)


def _zstandard() -> _Decompressor:
    # Python has it from 3.14 on; this is the same for older ones.
    zstd = optional("backports.zstd", "reading zst files")
    return _Other(zstd.ZstdDecompressor())


_COMPRESSED: dict[bytes, Callable[[], _Decompressor]] = {
    b"\x1f\x8b": _Gzip,
    b"BZh": lambda: _Other(bz2.BZ2Decompressor()),
    b"\xfd7zXZ\x00": lambda: _Other(lzma.LZMADecompressor()),
    b"\x28\xb5\x2f\xfd": _zstandard,
}


def _expanded(
    chunks: Iterator[bytes],
    decompressor: Callable[[], _Decompressor],
    source: Source,
    stream: Stream,
) -> Iterator[bytes]:
    """What compressed bytes hold, also several files put end to end.

    Damage and a missing end are noted in the stream, behind what could be read.
    """
    inner, begun = decompressor(), False
    taken = given = 0
    for chunk in chunks:
        taken += len(chunk)
        data = chunk
        while data or (begun and not inner.hungry):
            begun = True
            try:
                expanded = inner.feed(data)
            except _DAMAGE as error:
                stream.problem = f"damaged in its first {taken:,} bytes: {error}"
                return
            given += len(expanded)
            if given > max(EXPANSION_FREE, taken * EXPANSION_MAX):
                raise LogFormatError(
                    f"{source.path} expands more than {EXPANSION_MAX}-fold, {taken:,} bytes to "
                    f"{given:,} so far: that is no log; expand it first if it is one"
                )
            if expanded:
                yield expanded
            data = b""
            if inner.done:
                # Another part may follow, or zeros that fill a tape's block.
                data, inner, begun = inner.unused.lstrip(b"\x00"), decompressor(), False
    if begun:
        stream.problem = f"ends in the middle of compressed data, after {taken:,} bytes"


def _encoding(head: bytes) -> str:
    """The encoding of text in two bytes a character, or "" for what has one."""
    if head.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le"
    if head.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be"
    # Without a mark at its beginning, ASCII in UTF-16 has a zero in each second byte.
    sample = head[:200]
    if len(sample) >= 20 and not any(sample[1::2]) and all(sample[::2]):
        return "utf-16-le"
    if len(sample) >= 20 and not any(sample[::2]) and all(sample[1::2]):
        return "utf-16-be"
    return ""


def _decoded(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Text in UTF-8, which is what nearly all logs with other than ASCII are in."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    first = True
    for chunk in chunks:
        text = decoder.decode(chunk)
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        if text:
            yield text.encode("utf-8", "replace")
    if text := decoder.decode(b"", True):
        yield text.encode("utf-8", "replace")
