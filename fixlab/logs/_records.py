"""The exact reader: cuts any bytes into messages, stretches that should be one, and text.

It decides what a log says; `_scan` must come to the same result on the lines that it takes.
A decision looks at most `RECORD_MAX` bytes ahead and never depends on where a buffer ends.
"""

from __future__ import annotations

import re
from functools import cache
from typing import NamedTuple

from fixlab.logs._style import (
    NOTHING,
    PREFIX_MAX,
    START,
    START_BYTES_MAX,
    Said,
    Style,
    is_bare,
    said,
)
from fixlab.wire.message import checksum
from fixlab.wire.tags import SOH

# FRM-13: the largest message read, and the largest piece of a line without one, in bytes.
RECORD_MAX = 1 << 20
# The largest message that may quote the start of another one: each of many starts, one inside
# the other, would else cost the sum of all that follows.
QUOTED_MAX = 1 << 14
_TRAILER_BYTES = 6  # "10=" and three digits; the last delimiter is often stripped
_BEHIND_DIVIDER = rb"(?=[0-9]{1,10}=|\Z)"
_SIGN = re.compile(rb"35=|10=[0-9]{3}")  # of a message
_LINE_END = re.compile(rb"\r?\n[ \t]*")


class Record(NamedTuple):
    """A message, or a stretch that should be one."""

    start: int
    end: int
    defect: str
    wire: bytes  # with SOH between the fields, lines joined
    body_length: int | None
    check_sum: int | None
    said: Said


class Tally:
    """Bytes and lines that belong to no row: every byte of a file is counted once."""

    __slots__ = ("around_bytes", "text_bytes", "text_lines")

    def __init__(self) -> None:
        self.around_bytes = 0  # before and behind messages, in their lines
        self.text_bytes = 0  # lines without a message
        self.text_lines = 0

    def add(self, other: Tally) -> None:
        self.around_bytes += other.around_bytes
        self.text_bytes += other.text_bytes
        self.text_lines += other.text_lines


class Reader:
    """Reads on from where it stands. Between calls it stands between two messages."""

    __slots__ = ("_above", "_clear", "_fragment", "_style", "in_line", "tally")

    def __init__(self, style: Style) -> None:
        self._style = style
        self._fragment = _fragment(style.delimiter)
        self.tally = Tally()
        self.in_line = False  # whether a row or a piece of text came before in this line
        self._above = b""  # the line before this one, if it was text and the style wants it
        self._clear = 0  # up to here there is no line end, from where it stands

    def read(
        self, data: bytes | bytearray, position: int, end: int, *, last: bool, until: int
    ) -> tuple[int, list[Record]]:
        """Rows from `position` on, and where it stopped: at or behind `until`, or before what
        cannot be decided without bytes behind `end`. `last` says that there are none.
        """
        found: list[Record] = []
        self._clear = 0
        while position < until:
            after = self._step(data, position, end, last, found)
            if after < 0:
                break
            position = after
        return position, found

    @property
    def standing(self) -> tuple[bool, bytes]:
        """What decides, with the bytes from here on, how they are read."""
        return self.in_line, self._above

    @standing.setter
    def standing(self, standing: tuple[bool, bytes]) -> None:
        self.in_line, self._above = standing

    def began(self) -> None:
        """Stand at the beginning of a line; others have read what is before it."""
        self.in_line, self._above = False, b""

    def _step(
        self,
        data: bytes | bytearray,
        position: int,
        end: int,
        last: bool,
        found: list[Record],
    ) -> int:
        """One piece of text, and the message behind it if it stands in the same line."""
        limit = min(position + RECORD_MAX, end)
        known = last or end >= position + RECORD_MAX + START_BYTES_MAX
        line_end = self._line_end(data, position, limit)
        if line_end < 0 and not known:
            # Many messages may stand in one line, so the first of them need not wait for it.
            start = START.search(data, position, limit)
            if start is None or start.end() + 2 > end:
                return -1
        else:
            stop = limit if line_end < 0 else line_end
            if stop + START_BYTES_MAX > end and not last and line_end >= 0:
                return -1
            start = START.search(data, position, min(stop + START_BYTES_MAX, end))
            if start is not None and start.start() >= stop:
                start = None
            if start is None:
                return self._text(data, position, stop, line_end >= 0, found)
        record = _record_at(data, start, end, last)
        if record is None:
            return -1
        prefix = bytes(data[position : min(start.start(), position + PREFIX_MAX)])
        if start.start() > position:
            self._no_message(data, position, start.start(), found)
        if is_bare(prefix) and self._above and not self.in_line:
            prefix = self._above
        found.append(record._replace(said=said(prefix, self._style)))
        self.in_line, self._above = data[record.end - 1] != 10, b""
        return record.end

    def _line_end(self, data: bytes | bytearray, position: int, limit: int) -> int:
        """The first line end in [position, limit), or -1; none of it is looked at twice."""
        at = max(position, self._clear)
        if at >= limit:
            return -1
        line_end = data.find(b"\n", at, limit)
        self._clear = limit if line_end < 0 else line_end
        return line_end

    def _text(
        self,
        data: bytes | bytearray,
        begin: int,
        end: int,
        line_ended: bool,
        found: list[Record],
    ) -> int:
        """Text up to the end of its line, or as much of it as is taken at once."""
        stop = end + line_ended
        if self._is_fragment(data, begin, end):
            self._no_message(data, begin, end, found)
            self.tally.around_bytes += line_ended
            self._above = b""
        elif self.in_line:
            self.tally.around_bytes += stop - begin
            self._above = b""
        else:
            self.tally.text_bytes += stop - begin
            self.tally.text_lines += 1
            if self._style.two_lines:
                self._above = bytes(data[begin : min(end, begin + PREFIX_MAX)])
        self.in_line = not line_ended
        return stop

    def _is_fragment(self, data: bytes | bytearray, begin: int, end: int) -> bool:
        # `search` would not see a sign at the very beginning, with no delimiter before it.
        return (
            _SIGN.match(data, begin, end) is not None
            or self._fragment.search(data, begin, end) is not None
        )

    def _no_message(
        self, data: bytes | bytearray, begin: int, end: int, found: list[Record]
    ) -> None:
        """Text in a line that has a row: what surrounds a message, or the rest of one."""
        if not self._is_fragment(data, begin, end):
            self.tally.around_bytes += end - begin
            return
        stop = end
        while stop > begin and data[stop - 1] == 13:
            stop -= 1
        self.tally.around_bytes += end - stop
        wire = to_wire(bytes(data[begin:stop]), self._style.delimiter)
        found.append(Record(begin, stop, "fragment", wire, None, None, NOTHING))


@cache
def _fragment(delimiter: bytes) -> re.Pattern[bytes]:
    """Text that holds MsgType(35) or CheckSum(10) was part of a message."""
    return re.compile(rb"%b(?:35=|10=[0-9]{3})" % re.escape(delimiter))


@cache
def _trailer(delimiter: bytes) -> re.Pattern[bytes]:
    mark = re.escape(delimiter)
    # Cut after its second digit, what looks like the third one begins the next message.
    number = rb"([0-9]{2}(?!8=FIX)[0-9])"
    return re.compile(rb"%b10=%b(?:%b|(?![0-9])|(?=8=FIX))" % (mark, number, mark))


@cache
def _length(delimiter: bytes) -> re.Pattern[bytes]:
    mark = re.escape(delimiter)
    divides = b"" if delimiter == SOH else _BEHIND_DIVIDER
    return re.compile(rb"%b9=([0-9]{1,10})%b%b" % (mark, mark, divides))


@cache
def _divider(delimiter: bytes) -> re.Pattern[bytes]:
    """A delimiter that divides: a field comes behind it, or the end. A bar may be text."""
    return re.compile(re.escape(delimiter) + _BEHIND_DIVIDER)


def to_wire(text: bytes, delimiter: bytes) -> bytes:
    """The bytes that went over the wire, for those that were logged."""
    return text if delimiter == SOH else _divider(delimiter).sub(SOH, text)


class _NeedsMoreError(Exception):
    """More bytes are needed to decide."""


def _record_at(
    data: bytes | bytearray, start: re.Match[bytes], end: int, last: bool
) -> Record | None:
    """The row that begins with `start`; None when more bytes are needed to tell."""
    try:
        return _measured(data, start, end, last) or _unmeasured(data, start, end, last)
    except _NeedsMoreError:
        return None


def _measured(
    data: bytes | bytearray, start: re.Match[bytes], end: int, last: bool
) -> Record | None:
    """The message whose BodyLength(9) leads to a CheckSum(10); None if it does not."""
    delimiter = start[2]
    length = _length(delimiter).match(data, start.start(2), end)
    if length is None:
        if end < start.start(2) + 48 and not last:
            raise _NeedsMoreError
        return None
    promised = int(length[1])
    window = start.start() + RECORD_MAX
    if promised > RECORD_MAX:
        return None
    if len(delimiter) == 1:
        trailer = length.end() + promised - 1
    else:
        found = _trailer_after(data, length.end(), promised, delimiter, (end, window, last))
        if found is None:
            return None
        trailer = found
    # Only where no delimiter ends the message does what follows tell whether it ends there.
    behind = trailer + len(delimiter) + _TRAILER_BYTES
    needed = behind + (0 if data.startswith(delimiter, behind) else 6) + len(delimiter)
    if end < min(needed, window) and not last:
        raise _NeedsMoreError
    match = _trailer(delimiter).match(data, trailer, min(end, window))
    if match is None:
        return None
    holds_another = START.search(data, start.start() + 1, match.end()) is not None
    if holds_another and match.end() - start.start() > QUOTED_MAX:
        return None
    wire = to_wire(bytes(data[start.start() : match.end()]), delimiter)
    if not wire.endswith(SOH):
        wire += SOH
    content = wire[:-7]
    if len(content) - _head_bytes(wire) != promised:
        return None
    written = int(match[1])
    if checksum(content) != written:
        if holds_another:
            return None  # it swallowed another: the length was wrong
        defect = "check_sum"
    else:
        defect = "" if wire.startswith(b"35=", _head_bytes(wire)) else "field_order"
    return Record(start.start(), match.end(), defect, wire, promised, written, NOTHING)


def _head_bytes(wire: bytes) -> int:
    return wire.index(SOH, wire.index(SOH) + 1) + 1


def _trailer_after(
    data: bytes | bytearray,
    body: int,
    promised: int,
    delimiter: bytes,
    bounds: tuple[int, int, bool],
) -> int | None:
    """Where CheckSum(10) begins when a delimiter takes more bytes than SOH does."""
    end, window, last = bounds
    extra = len(delimiter) - 1
    following = START.search(data, body, min(end, window))
    if following is not None:
        window = min(window, max(following.start(), body + QUOTED_MAX))
    divider = _divider(delimiter)
    counted, dividers = body, 0
    sign, limit = delimiter + b"10=", min(end, window)
    at = data.find(sign, body, limit)
    while at >= 0:
        if _trailer(delimiter).match(data, at, limit):
            part = bytes(data[counted:at]) + sign
            dividers += sum(1 for _ in divider.finditer(part))
            counted = at + len(delimiter)
            length = counted - body - dividers * extra
            if length == promised:
                return at
            if length > promised:
                return None
        at = data.find(sign, at + 1, limit)
    if end < window and not last and end - body < (promised + 16) * len(delimiter):
        raise _NeedsMoreError
    return None


def _unmeasured(
    data: bytes | bytearray, start: re.Match[bytes], end: int, last: bool
) -> Record:
    """The row that begins with `start` when BodyLength(9) does not say where it ends."""
    delimiter, begin = start[2], start.start()
    window = min(begin + RECORD_MAX, end)
    known = last or end >= begin + RECORD_MAX + START_BYTES_MAX
    following = START.search(data, begin + 1, window)
    stop = following.start() if following else window
    trailer = _trailer(delimiter).search(data, start.start(2), stop)
    sure = trailer is not None and trailer.end() + len(delimiter) <= end - START_BYTES_MAX
    if following is None and not known and not sure:
        raise _NeedsMoreError
    line_end = data.find(b"\n", start.end(), stop)
    length = _length(delimiter).match(data, start.start(2), stop)
    promised = int(length[1]) if length else None
    if trailer and not 0 <= line_end < trailer.start():
        text = bytes(data[begin : trailer.end()])
        defect = "field_order" if promised is None else "body_length"
        if promised is not None and promised > RECORD_MAX:
            defect = "too_long"
        return Record(
            begin,
            trailer.end(),
            defect,
            to_wire(text, delimiter),
            promised,
            int(trailer[1]),
            NOTHING,
        )
    if trailer:
        joined = _joined(bytes(data[begin : trailer.end()]))
        if joined is not None:
            return joined._replace(start=begin, end=trailer.end())
    too_long = (promised or 0) > RECORD_MAX or (stop == begin + RECORD_MAX and line_end < 0)
    if line_end >= 0:
        stop = line_end
    while stop > start.end() and data[stop - 1] == 13:
        stop -= 1
    text = bytes(data[begin:stop])
    defect = "too_long" if too_long else "truncated"
    return Record(begin, stop, defect, to_wire(text, delimiter), promised, None, NOTHING)


def _joined(text: bytes) -> Record | None:
    """A message that a logger has wrapped over several lines, if that makes it right."""
    whole = _LINE_END.sub(b"", text)
    start = START.match(whole)
    record = _measured(whole, start, len(whole), True) if start else None
    if record is None or record.defect or record.end != len(whole):
        return None
    return record
