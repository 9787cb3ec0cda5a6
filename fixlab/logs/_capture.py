"""Captures (pcap, pcapng): each direction of each TCP connection into rows.

dpkt reads the container and the headers; the bytes of a connection are put in order, and the
exact reader cuts them. The time of a row is that of the packet which completed the message.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from fixlab.errors import LogFormatError
from fixlab.logs._blocks import Account
from fixlab.logs._columns import Block, Book, block_of
from fixlab.logs._records import Reader, Record
from fixlab.logs._sources import Source, Stream, opened, optional
from fixlab.logs._style import IN, NO_MARK, OUT, START, Said, Style
from fixlab.logs._tcp import Flow
from fixlab.logs._words import INT64_MAX

CONNECTIONS_MAX = 4_096  # open at once; the one that was quiet the longest is given up
_OTHER_BYTES = 1 << 16  # without a message after which a connection is no FIX session
_READ_MAX = 1 << 26  # the largest block of a capture
_BLOCK_ROWS = 4_096
_STYLE = Style()
_NULL, _ETHERNET, _SLL, _SLL2 = 0, 1, 113, 276
_RAW_IP = (12, 14, 101, 228, 229)
_UNREADABLE = (struct.error, ValueError, IndexError, TypeError, KeyError, AttributeError)


class Segment(NamedTuple):
    """What a packet carries of TCP."""

    time: int  # ns
    source: tuple[bytes, int]
    target: tuple[bytes, int]
    number: int
    syn: bool
    ack: bool
    ended: bool  # FIN or RST
    data: bytes


class _File:
    """A stream as the file that dpkt reads from; a hostile length gets an answer."""

    name = "capture"

    def __init__(self, stream: Stream, path: str) -> None:
        self._stream, self._path = stream, path

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _READ_MAX:
            raise LogFormatError(
                f"{self._path}: found a block of {size:,} bytes, expected at most {_READ_MAX:,}"
            )
        found = bytearray(size)
        return bytes(found[: self._stream.readinto(memoryview(found))])


class _Side:
    """One direction of a connection."""

    def __init__(self) -> None:
        self.flow = Flow()
        self.reader = Reader(_STYLE)
        self.waiting = bytearray()
        self.is_fix = False
        self.given_up = False


def captured(
    source: Source, book: Book, tags: Sequence[int], account: Account
) -> Iterator[Block]:
    """The rows of a capture in blocks, in the order in which messages were complete.

    Their places count the rows' own bytes, put end to end.
    """
    records: list[Record] = []
    for record in records_of(source, account):
        records.append(record)
        if len(records) == _BLOCK_ROWS:
            yield _counted(block_of(records, 0, book, tags), account)
            records = []
    yield _counted(block_of(records, 0, book, tags), account)


def _counted(block: Block, account: Account) -> Block:
    account.count(block)
    return block


def records_of(source: Source, account: Account) -> Iterator[Record]:
    """The rows of a capture one by one."""
    stream = opened(source)
    try:
        rows = _Connections(account)
        place = 0
        for segment in _segments(stream, source, rows):
            for record in rows.take(segment):
                size = record.end - record.start
                yield record._replace(start=place, end=place + size)
                place += size
        for record in rows.finish():
            size = record.end - record.start
            yield record._replace(start=place, end=place + size)
            place += size
        account.problem = "; ".join([part for part in (stream.problem, rows.problem) if part])
    finally:
        stream.close()


class _Connections:
    """All connections of a capture."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._open: dict[tuple[Any, Any], _Side] = {}
        self._callers: dict[frozenset[tuple[bytes, int]], tuple[bytes, int]] = {}
        self.unread = 0  # packets that are no TCP, or not whole
        self.cut = ""  # why the capture ends early
        self._missing = self._repeated = self._other = 0

    @property
    def problem(self) -> str:
        """What was not read, in words."""
        parts = [
            (self._missing, "bytes of TCP are missing"),
            (self._repeated, "bytes of TCP came again and were dropped"),
            (self._other, "bytes of connections without FIX were passed over"),
            (self.unread, "packets are no TCP or not whole"),
        ]
        said = [f"{count:,} {what}" for count, what in parts if count]
        return "; ".join([*said, self.cut] if self.cut else said)

    def take(self, segment: Segment) -> list[Record]:
        """What a segment completes."""
        key = segment.source, segment.target
        side = self._open.pop(key, None)
        found: list[Record] = []
        if segment.syn:
            if side is not None and side.flow.opened(segment.number):
                found += self._finish(side, segment, key)
                side = None
            if not segment.ack:
                self._callers[frozenset(key)] = segment.source
        side = side or _Side()
        self._open[key] = side  # the last one is the latest
        if segment.syn:
            side.flow.start(segment.number)
        number = (segment.number + segment.syn) % (1 << 32)
        found += self._read(side, side.flow.take(number, segment.data), segment.time, key)
        if segment.ended:
            found += self._finish(self._open.pop(key), segment, key)
        if len(self._open) > CONNECTIONS_MAX:
            oldest = next(iter(self._open))
            found += self._finish(self._open.pop(oldest), segment, oldest)
            self._callers.pop(frozenset(oldest), None)
        return found

    def finish(self) -> list[Record]:
        """What is left when the capture ends."""
        found: list[Record] = []
        for key in list(self._open):
            found += self._finish(self._open.pop(key), None, key)
        return found

    def _finish(
        self, side: _Side, segment: Segment | None, key: tuple[Any, Any]
    ) -> list[Record]:
        time = segment.time if segment else None
        found = self._read(side, side.flow.finish(), time, key)
        found += self._cut(side, time, key)
        self._missing += side.flow.missing
        self._repeated += side.flow.repeated
        return found

    def _read(
        self, side: _Side, parts: Sequence[bytes], time: int | None, key: tuple[Any, Any]
    ) -> list[Record]:
        found: list[Record] = []
        for part in parts:
            if not part:  # bytes are missing: what waits for them is all there is of it
                found += self._cut(side, time, key)
                continue
            if side.given_up:
                self._other += len(part)
                continue
            self._account.bytes += len(part)
            side.waiting += part
            if not side.is_fix:
                side.is_fix = START.search(side.waiting) is not None
                if not side.is_fix and len(side.waiting) > _OTHER_BYTES:
                    self._give_up(side)
                    continue
            end = len(side.waiting)
            position, records = side.reader.read(
                side.waiting, 0, end, last=False, until=end if side.is_fix else 0
            )
            found += self._said(records, time, key)
            del side.waiting[:position]
        self._tally(side)
        return found

    def _give_up(self, side: _Side) -> None:
        self._account.bytes -= len(side.waiting)
        self._other += len(side.waiting)
        side.waiting, side.given_up = bytearray(), True

    def _cut(self, side: _Side, time: int | None, key: tuple[Any, Any]) -> list[Record]:
        if not side.is_fix:
            self._give_up(side)
            return []
        end = len(side.waiting)
        _, records = side.reader.read(side.waiting, 0, end, last=True, until=end)
        side.waiting.clear()
        side.reader.began()
        self._tally(side)
        return self._said(records, time, key)

    def _tally(self, side: _Side) -> None:
        self._account.tally.add(side.reader.tally)
        side.reader.tally = type(side.reader.tally)()

    def _said(
        self, records: Sequence[Record], time: int | None, key: tuple[Any, Any]
    ) -> list[Record]:
        caller = self._callers.get(frozenset(key))
        mark = NO_MARK if caller is None else OUT if caller == key[0] else IN
        if time is not None and time > INT64_MAX:
            time = None  # a damaged clock, beyond what a time in ns can be
        return [record._replace(said=Said(time, mark)) for record in records]


def _segments(stream: Stream, source: Source, rows: _Connections) -> Iterator[Segment]:
    dpkt = optional("dpkt", "reading captures")
    file = _File(stream, source.path)
    unreadable = (dpkt.Error, *_UNREADABLE)
    try:
        first = stream.peek(4)
        kind = optional("dpkt.pcapng" if first == b"\n\r\r\n" else "dpkt.pcap", "captures")
        reader = kind.Reader(file)
        # Times as exact as they are written.
        reader._divisor = Decimal(reader._divisor)
        link = reader.datalink()
        packets = iter(reader)
    except unreadable as error:
        raise LogFormatError(f"{source.path} is no capture that can be read: {error}") from None
    while True:
        try:
            time, data = next(packets)
        except StopIteration:
            return
        except unreadable as error:
            rows.cut = f"the capture ends early: {error}"
            return
        try:
            segment = _segment(dpkt, link, int(time * 1_000_000_000), data)
        except unreadable:
            segment = None
        if segment is None:
            rows.unread += 1
        else:
            yield segment


def _segment(dpkt: Any, link: int, time: int, data: bytes) -> Segment | None:
    """What a packet carries of TCP; None for any other packet, and a part of one."""
    ip = _ip(dpkt, link, data)
    if isinstance(ip, dpkt.ip.IP) and (ip.mf or ip.offset):
        return None
    tcp = getattr(ip, "data", None)
    if not isinstance(tcp, dpkt.tcp.TCP):
        return None
    payload = bytes(tcp.data)
    # A short packet is padded on Ethernet: its length says where it ends.
    if isinstance(ip, dpkt.ip.IP) and ip.len:
        payload = payload[: max(ip.len - (ip.hl << 2) - (tcp.off << 2), 0)]
    return Segment(
        time,
        (bytes(ip.src), tcp.sport),
        (bytes(ip.dst), tcp.dport),
        tcp.seq,
        bool(tcp.flags & dpkt.tcp.TH_SYN),
        bool(tcp.flags & dpkt.tcp.TH_ACK),
        bool(tcp.flags & (dpkt.tcp.TH_FIN | dpkt.tcp.TH_RST)),
        payload,
    )


def _ip(dpkt: Any, link: int, data: bytes) -> Any:
    if link == _ETHERNET:
        return dpkt.ethernet.Ethernet(data).data
    if link == _NULL:
        return dpkt.loopback.Loopback(data).data
    if link == _SLL:
        return dpkt.sll.SLL(data).data
    if link == _SLL2:
        return dpkt.sll2.SLL2(data).data
    if link in _RAW_IP:
        return dpkt.ip6.IP6(data) if data[:1] and data[0] >> 4 == 6 else dpkt.ip.IP(data)
    return None
