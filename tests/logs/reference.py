"""A slow reference reader of logs: plain Python over the whole text, one byte after the other.

It does what `fixlab.logs.read` promises and shares none of its code, apart from the style (how
the lines begin), the limits, and what a time or a prefix says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from fixlab.logs import _records
from fixlab.logs._style import IN, OUT, Style, said
from fixlab.redact import mask, printable
from fixlab.times import parse_utc
from fixlab.wire.tags import HEADER_TAGS, LENGTH_TO_DATA

DIGITS = b"0123456789"
DELIMITERS = (
    *(b"\x01", b"|", b"^A", b"\\x01", b"\\u0001", b"<SOH>", b"\xe2\x90\x81"),
    *(b"\n", b"\r\n"),
)
DATA_TO_LENGTH = {data: length for length, data in LENGTH_TO_DATA.items()}
INT64_MAX = 2**63 - 1
NUMBERS = {
    34: "msg_seq_num",
    7: "begin_seq_no",
    16: "end_seq_no",
    36: "new_seq_no",
    789: "next_expected",
    45: "ref_seq_num",
    108: "heart_bt_int",
}
FLAGS = {43: "poss_dup", 97: "poss_resend", 123: "gap_fill", 141: "reset"}


@dataclass
class Read:
    """Rows as dicts, and the bytes and lines that belong to none."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    around_bytes: int = 0
    text_bytes: int = 0
    text_lines: int = 0


def read(data: bytes, style: Style) -> Read:
    """All of a log."""
    result = Read()
    position, in_line, above = 0, False, b""
    while position < len(data):
        stop = min(position + _records.RECORD_MAX, len(data))
        line_end = data.find(b"\n", position, stop)
        ended = line_end >= 0
        if ended:
            stop = line_end
        start = next_start(data, position, stop, len(data))
        if start is None:
            after = stop + ended
            if is_fragment(data[position:stop], style.delimiter):
                stretch(result, data, position, stop, style)
                result.around_bytes += ended
                above = b""
            elif in_line:
                result.around_bytes += after - position
                above = b""
            else:
                result.text_bytes += after - position
                result.text_lines += 1
                above = data[position:stop][:256]
            position, in_line = after, not ended
            continue
        prefix = data[position : start[0]]
        if prefix and is_fragment(prefix, style.delimiter):
            stretch(result, data, position, start[0], style)
        else:
            result.around_bytes += len(prefix)
        bare = len(prefix) <= 8 and all(byte <= 47 for byte in prefix)
        if style.two_lines and bare and above and not in_line:
            prefix = above
        row, position = message(data, *start)
        says = said(prefix, style)
        if says.time is not None:
            row["time"] = says.time
        row["mark"] = {IN: "in", OUT: "out"}.get(says.mark, "")
        result.rows.append(row)
        in_line, above = data[position - 1 : position] != b"\n", b""
    return result


def next_start(data: bytes, low: int, high: int, end: int) -> tuple[int, bytes] | None:
    """The first place in [low, high) at which a message starts, and its delimiter."""
    at = data.find(b"8=FIX", low)
    while 0 <= at < high:
        version = data[at + 5 : at + 6] == b"T"
        dot = at + 5 + version
        text = data[dot : dot + 4]
        if (
            len(text) == 4
            and text[0:1] == text[2:3] == b"."
            and text[1] in DIGITS
            and text[3] in DIGITS
        ):
            for mark in DELIMITERS:
                if data.startswith(mark, dot + 4) and dot + 4 + len(mark) <= end:
                    line = mark.endswith(b"\n")
                    if not line or data.startswith(b"9=", dot + 4 + len(mark)):
                        return at, mark
        at = data.find(b"8=FIX", at + 1)
    return None


def is_fragment(text: bytes, mark: bytes) -> bool:
    """Whether text outside of messages holds MsgType(35) or CheckSum(10)."""
    for piece in text.split(mark):
        if piece.startswith(b"35="):
            return True
        if piece.startswith(b"10=") and len(piece) >= 6 and is_number(piece[3:6]):
            return True
    return False


def is_number(text: bytes) -> bool:
    return bool(text) and all(byte in DIGITS for byte in text)


def divides(data: bytes, at: int, mark: bytes, end: int) -> bool:
    """Whether the mark at a place divides fields: a tag or the end comes behind it."""
    if not data.startswith(mark, at):
        return False
    if mark == b"\x01":
        return True
    behind = at + len(mark)
    digits = behind
    while digits < end and digits - behind < 11 and data[digits] in DIGITS:
        digits += 1
    return behind == end or (1 <= digits - behind <= 10 and data[digits : digits + 1] == b"=")


def wire_of(text: bytes, mark: bytes) -> bytes:
    """The text with SOH between its fields."""
    parts, at = bytearray(), 0
    while at < len(text):
        if divides(text, at, mark, len(text)):
            parts.append(1)
            at += len(mark)
        else:
            parts.append(text[at])
            at += 1
    return bytes(parts)


def trailer_end(data: bytes, at: int, mark: bytes, end: int) -> int:
    """Where the CheckSum(10) ends that begins at a place, or -1."""
    if data.startswith(b"8=FIX", at + 5):
        return -1
    if data[at : at + 3] != b"10=" or not is_number(data[at + 3 : min(at + 6, end)]):
        return -1
    if at + 6 > end:
        return -1
    if data.startswith(mark, at + 6) and at + 6 + len(mark) <= end:
        return at + 6 + len(mark)
    if at + 6 < end and data[at + 6] in DIGITS and not data.startswith(b"8=FIX", at + 6):
        return -1
    return at + 6


def body_of(data: bytes, start: int, mark: bytes, end: int) -> tuple[int, int] | None:
    """BodyLength(9), and where the body begins; None unless it is the second field."""
    at = data.index(b".", start) + 4 + len(mark)
    if data[at : at + 2] != b"9=":
        return None
    digits = at + 2
    while digits < end and digits - at < 13 and data[digits] in DIGITS:
        digits += 1
    if not 1 <= digits - at - 2 <= 10 or not divides(data, digits, mark, end):
        return None
    if digits + len(mark) > end:
        return None
    return int(data[at + 2 : digits]), digits + len(mark)


def message(data: bytes, start: int, mark: bytes) -> tuple[dict[str, Any], int]:
    """The row that starts at a place, and where it ends."""
    window = min(start + _records.RECORD_MAX, len(data))
    body = body_of(data, start, mark, len(data))
    if body is not None and body[0] <= _records.RECORD_MAX:
        found = measured(data, start, mark, window, body)
        if found is not None:
            return found
    return unmeasured(data, start, mark, window, body_of(data, start, mark, window))


def measured(
    data: bytes, start: int, mark: bytes, window: int, body: tuple[int, int]
) -> tuple[dict[str, Any], int] | None:
    promised, at = body
    limit = window
    if len(mark) > 1:
        following = next_start(data, at, window, window)
        if following is not None:
            limit = min(window, max(following[0], at + _records.QUOTED_MAX))
    divided = False
    for _ in range(promised):
        divided = divides(data, at, mark, len(data))
        at += len(mark) if divided else 1
        if at > limit:
            return None
    if not divided:
        return None
    end = trailer_end(data, at, mark, limit)
    if end < 0:
        return None
    quotes = next_start(data, start + 1, end, end) is not None
    if quotes and end - start > _records.QUOTED_MAX:
        return None
    wire = wire_of(data[start:end], mark)
    wire += b"" if wire.endswith(b"\x01") else b"\x01"
    written = int(wire[-4:-1])
    fits = sum(wire[:-7]) % 256 == written
    if not fits and quotes:
        return None
    third = wire.split(b"\x01")[2]
    defect = ("" if third.startswith(b"35=") else "field_order") if fits else "check_sum"
    return row_of(start, end, defect, wire, promised, written), end


def unmeasured(
    data: bytes, start: int, mark: bytes, window: int, body: tuple[int, int] | None
) -> tuple[dict[str, Any], int]:
    following = next_start(data, start + 1, window, window)
    stop = following[0] if following else window
    head = data.index(b".", start) + 4
    trailer, end = -1, -1
    for at in range(head, stop):
        if data.startswith(mark, at):
            end = trailer_end(data[:stop], at + len(mark), mark, stop)
            if end >= 0:
                trailer = at
                break
    line_end = data.find(b"\n", head + len(mark), stop)
    if body is not None:
        body = body_of(data, start, mark, stop)
    promised = body[0] if body else None
    if trailer >= 0 and not 0 <= line_end < trailer:
        defect = "field_order" if promised is None else "body_length"
        if promised is not None and promised > _records.RECORD_MAX:
            defect = "too_long"
        written = int(data[trailer + len(mark) + 3 : trailer + len(mark) + 6])
        wire = wire_of(data[start:end], mark)
        return row_of(start, end, defect, wire, promised, written), end
    if trailer >= 0:
        whole = unwrapped(data[start:end])
        begin = next_start(whole, 0, 1, len(whole))
        inner = body_of(whole, 0, begin[1], len(whole)) if begin else None
        if begin and inner and inner[0] <= _records.RECORD_MAX:
            room = min(len(whole), _records.RECORD_MAX)
            found = measured(whole, 0, begin[1], room, inner)
            if found and not found[0]["defect"] and found[1] == len(whole):
                return {**found[0], "offset": start, "length": end - start}, end
    too_long = (promised or 0) > _records.RECORD_MAX
    too_long |= stop == start + _records.RECORD_MAX and line_end < 0
    if line_end >= 0:
        stop = line_end
    while stop > head + len(mark) and data[stop - 1] == 13:
        stop -= 1
    wire = wire_of(data[start:stop], mark)
    defect = "too_long" if too_long else "truncated"
    return row_of(start, stop, defect, wire, promised, None), stop


def unwrapped(text: bytes) -> bytes:
    """Text without its line ends and the blanks behind them."""
    first, *others = text.split(b"\n")
    lines = [first, *(line.lstrip(b" \t") for line in others)]
    ended = [line.removesuffix(b"\r") for line in lines[:-1]]
    return b"".join([*ended, lines[-1]])


def stretch(result: Read, data: bytes, begin: int, end: int, style: Style) -> None:
    """A row for the rest of a message."""
    stop = end
    while stop > begin and data[stop - 1] == 13:
        stop -= 1
    result.around_bytes += end - stop
    wire = wire_of(data[begin:stop], style.delimiter)
    result.rows.append({**row_of(begin, stop, "fragment", wire, None, None), "mark": ""})


def row_of(
    start: int, end: int, defect: str, wire: bytes, body_length: int | None, total: int | None
) -> dict[str, Any]:
    first: dict[int, bytes] = {}
    said: dict[int, bytes] = {}
    if defect and len(wire) > 4_096:
        wire = wire[: wire.rfind(b"\x01", 0, 4_096) + 1 or 4_096]
    in_header = True
    for tag, value in fields(wire):
        first.setdefault(tag, value)
        in_header = in_header and tag in HEADER_TAGS
        if in_header:
            said.setdefault(tag, value)
    msg_type = first.get(35, b"")
    if msg_type in READ_WHOLE:
        said = first
    row: dict[str, Any] = {
        "offset": start,
        "length": end - start,
        "defect": defect,
        "valid": not defect,
        "body_length": None if body_length is None else min(body_length, 2**31 - 1),
        "check_sum": total,
        "begin_string": shown(first.get(8, b"")),
        "sender": shown(first.get(49, b"")),
        "target": shown(first.get(56, b"")),
        "msg_type": shown(msg_type),
        "sending_time": time(first.get(52)),
        "orig_sending_time": time(said.get(122)),
        "test_req_id": shown(said.get(112, b"")),
        "text": shown(said.get(58, b"")) if msg_type in TEXT_TYPES else "",
        "time": None,
    }
    for tag, name in NUMBERS.items():
        row[name] = number((first if tag == 34 else said).get(tag))
    if row["heart_bt_int"] is not None:
        row["heart_bt_int"] = min(row["heart_bt_int"], 2**31 - 1)
    for tag, name in FLAGS.items():
        row[name] = said.get(tag) == b"Y"
    secrets = [said.get(tag, b"") for tag in (554, 925, 1402, 1404)]
    if msg_type == b"A":
        secrets.append(said.get(96, b""))
    row["secret"] = any(set(secret) - set(b"*xX") for secret in secrets)
    row["fields"] = first
    return row


TEXT_TYPES = (b"0", b"1", b"2", b"3", b"4", b"5", b"A", b"j")
READ_WHOLE = (b"", *TEXT_TYPES, b"BE")  # of others only the header is of interest


def fields(wire: bytes) -> list[tuple[int, bytes]]:
    """Tags and values; a data field is as long as the field before it says (DAT-02)."""
    found: list[tuple[int, bytes]] = []
    at = 0
    while at < len(wire):
        equals = at
        while equals < len(wire) and wire[equals] in DIGITS:
            equals += 1
        digits = wire[at:equals]
        stop = wire.find(b"\x01", at)
        stop = len(wire) if stop < 0 else stop
        if (
            wire[equals : equals + 1] != b"="
            or not 1 <= len(digits) <= 10
            or digits.startswith(b"0")
        ):
            at = stop + 1
            continue
        tag, begin = int(digits), equals + 1
        value = wire[begin:stop]
        found.append((tag, value))
        at = stop + 1
        data_tag = LENGTH_TO_DATA.get(tag)
        head = b"%d=" % (data_tag or 0)
        if data_tag and wire.startswith(head, at) and is_number(value) and len(value) <= 10:
            end = at + len(head) + int(value)
            if wire[end : end + 1] == b"\x01":
                found.append((data_tag, wire[at + len(head) : end]))
                at = end + 1
    return found


def number(text: bytes | None) -> int | None:
    return min(int(text), INT64_MAX) if text is not None and is_number(text) else None


def time(text: bytes | None) -> int | None:
    found = None if text is None else parse_utc(text)
    return found if found is not None and abs(found) <= INT64_MAX else None


def shown(text: bytes) -> str:
    words = text[:4000].decode("latin-1")
    words = printable(mask(words)) if "=" in words else printable(words)
    return words if len(words) <= 1000 else words[:999] + "…"
