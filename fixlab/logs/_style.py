"""How a log writes messages: the delimiter, and what its lines say before a message.

A style is read from the first bytes of a file and then holds for all of it, so that how the
file is cut into blocks can never matter.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import islice
from typing import NamedTuple

from fixlab.times import NANOSECONDS, parse_utc

SNIFF_BYTES = 1 << 20
PREFIX_MAX = 256  # bytes at the beginning of a prefix that are looked at
_SNIFF_MESSAGES = 200  # at the beginnings of lines that tell the style
_SNIFF_STARTS = 2_000
_SNIFF_LINE = 4_096  # bytes before a message that are its line's

# The ways to write SOH that `redact` knows as well, and one field a line.
DELIMITERS = (
    *(b"\x01", b"|", b"^A", b"\\x01", b"\\u0001", b"<SOH>"),
    *("\u2401".encode(), b"\n", b"\r\n"),
)
# A message starts with a BeginString(8) of a defined form (FRM-02) and a delimiter.
START = re.compile(
    rb"8=(FIXT?\.[0-9]\.[0-9])(\x01|\||\^A|\\x01|\\u0001|<SOH>|\xe2\x90\x81|\r?\n(?=9=))"
)
START_BYTES_MAX = 18

_STAMP = re.compile(
    rb"([0-9]{4})([-/]?)([0-9]{2})\2([0-9]{2})([-T _])"
    rb"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:([.,])([0-9]{1,9}))?(Z|[+-][0-9]{2}:?[0-9]{2})?"
)
# Words and arrows that loggers use; an arrow between two CompIDs is none of them.
_MARKER = re.compile(
    rb"(?i)(?<![a-z0-9])(?:"
    rb"(incoming|inbound|received|recv|rcvd|receive|fromapp|fromadmin|rx|in)"
    rb"|(outgoing|outbound|sent|sending|send|toapp|toadmin|tx|out)"
    rb")(?![a-z0-9])"
    rb"|(?<![a-z0-9<>=-])(?:(<-+|<=+|<<+)|(-+>|=+>|>>+))(?![a-z0-9<>=-])"
)
NO_MARK, IN, OUT = 0, 1, 2


class Stamp(NamedTuple):
    """Where the time stands in a prefix, and how it is written."""

    offset: int
    date_mark: bytes  # between year, month and day: b"", b"-" or b"/"
    day_mark: bytes  # between day and hour
    fraction_mark: bytes
    digits: int  # of the fraction
    zone: bytes


class Style(NamedTuple):
    """What the beginning of a file says about all of it."""

    delimiter: bytes = b"\x01"
    stamp: Stamp | None = None
    marked: bool = False  # prefixes say which way a message went
    two_lines: bool = False  # what belongs before a message stands in the line before


class Said(NamedTuple):
    """What a prefix says: the time in ns or None, and the way the message went."""

    time: int | None = None
    mark: int = NO_MARK


NOTHING = Said()


def sniff(data: bytes) -> Style:
    """The style of a log that begins with `data`."""
    delimiters: Counter[bytes] = Counter()
    stamps: Counter[Stamp] = Counter()
    marked = two_lines = seen = 0
    for found in islice(START.finditer(data), _SNIFF_STARTS):
        delimiters[found[2]] += 1
        low = max(found.start() - _SNIFF_LINE, 0)
        line = max(data.rfind(b"\n", low, found.start()) + 1, low)
        prefix = data[line : found.start()]
        if START.search(prefix):
            continue  # a message in the same line has it
        seen += 1
        if is_bare(prefix) and line:
            above = data[data.rfind(b"\n", 0, line - 1) + 1 : line - 1]
            if _STAMP.search(above[:PREFIX_MAX]) and not START.search(above):
                two_lines += 1
                prefix = above
        stamp = _STAMP.search(prefix[:PREFIX_MAX])
        if stamp:
            stamps[_layout(stamp)] += 1
        marked += mark_of(prefix) != NO_MARK
        if seen >= _SNIFF_MESSAGES:
            break
    return Style(
        delimiters.most_common(1)[0][0] if delimiters else b"\x01",
        stamps.most_common(1)[0][0] if stamps else None,
        marked * 2 > seen,
        two_lines * 2 > seen,
    )


def is_bare(prefix: bytes) -> bool:
    """Whether a prefix says nothing, so that the line before it may."""
    return len(prefix) <= 8 and not any(byte > 47 for byte in prefix)


def said(prefix: bytes, style: Style) -> Said:
    """What `prefix` says, of the things that this style has at all."""
    time = stamp_of(prefix) if style.stamp is not None else None
    return Said(time, mark_of(prefix) if style.marked else NO_MARK)


def stamp_of(prefix: bytes) -> int | None:
    """The first time in a prefix, in ns; UTC unless it says otherwise."""
    found = _STAMP.search(prefix[:PREFIX_MAX])
    if found is None:
        return None
    year, _, month, day, _, hour, minute, second, _, fraction, zone = found.groups()
    time = parse_utc(b"%b%b%b-%b:%b:%b" % (year, month, day, hour, minute, second))
    if time is None:
        return None
    time += int((fraction or b"").ljust(9, b"0")) - zone_ns(zone or b"")
    return time if abs(time) < 1 << 63 else None


@cache
def zone_ns(zone: bytes) -> int:
    """How far a zone such as `+01:00` is ahead of UTC, in ns."""
    if len(zone) < 5:
        return 0
    hours, minutes = int(zone[1:3]), int(zone[-2:])
    ahead = (hours * 60 + minutes) * 60 * NANOSECONDS
    return -ahead if zone[:1] == b"-" else ahead


def _layout(stamp: re.Match[bytes]) -> Stamp:
    return Stamp(
        stamp.start(),
        stamp[2],
        stamp[5],
        stamp[9] or b"",
        len(stamp[10] or b""),
        stamp[11] or b"",
    )


def mark_of(prefix: bytes) -> int:
    """Which way a prefix says that the message went."""
    mark = NO_MARK
    for found in _MARKER.finditer(prefix[:PREFIX_MAX]):  # the last is nearest to the message
        mark = IN if found[1] or found[3] else OUT
    return mark
