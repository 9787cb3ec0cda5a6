"""The messages of many rows, each file read once and in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from fixlab.errors import ConfigError
from fixlab.logs._blocks import Account
from fixlab.logs._capture import records_of
from fixlab.logs._records import Reader, to_wire
from fixlab.logs._sources import Source, Stream, opened
from fixlab.logs._style import Style
from fixlab.wire.tags import SOH

_WINDOW = 1 << 20  # bytes read at a time


class Span(NamedTuple):
    """Where a message stands in its file."""

    offset: int
    length: int


def wire_of(raw: bytes, delimiter: bytes) -> bytes:
    """The bytes that went over the wire, for those that were logged."""
    if delimiter == SOH and raw.startswith(b"8=FIX") and b"\n" not in raw:
        wire = raw
    else:
        _, records = Reader(Style(delimiter)).read(raw, 0, len(raw), last=True, until=1)
        wire = records[0].wire if records else to_wire(raw, delimiter)
    return wire if wire.endswith(SOH) else wire + SOH


def contents(source: Source, account: Account, spans: Iterable[Span]) -> Iterator[bytes]:
    """The logged bytes of each span, whose offsets ascend.

    Raises `ConfigError` when the file is no longer there, or is shorter than it was.
    """
    if account.captured:
        yield from _captured(source, account, spans)
        return
    stream = opened(source)
    try:
        yield from _read(stream, source, spans)
    finally:
        stream.close()


def _read(stream: Stream, source: Source, spans: Iterable[Span]) -> Iterator[bytes]:
    start, window = 0, b""  # `window` begins at `start`
    for offset, length in spans:
        while start + len(window) < offset + length:
            # What stands before the span is not needed any more.
            passed = min(offset - start, len(window))
            start, window = start + passed, window[passed:]
            more = bytearray(_WINDOW)
            got = stream.readinto(memoryview(more))
            if not got:
                raise ConfigError(f"{source.name} has changed: nothing at {offset + length}")
            window += bytes(more[:got])
        yield window[offset - start : offset - start + length]


def _captured(source: Source, account: Account, spans: Iterable[Span]) -> Iterator[bytes]:
    records = records_of(source, Account(account.name))
    for span in spans:
        found = next((one for one in records if one.start == span.offset), None)
        if found is None:
            raise ConfigError(f"{source.name} has changed: no message at {span.offset}")
        yield found.wire[: span.length]
