"""Draft: a message that is being changed; and framing that is not true to its message."""

from __future__ import annotations

from fixlab.wire.fields import Field
from fixlab.wire.message import TRAILERS, Message, checksum, encode
from fixlab.wire.tags import BEGIN_STRING, MSG_TYPE


class Draft:
    """The fields of a message, to be changed in place; `raw()` writes 8, 9 and 10 anew."""

    def __init__(self, message: Message) -> None:
        (_, begin_string), _, *fields, _ = message.fields
        self.begin_string = begin_string
        self.fields: list[Field] = fields  # from MsgType(35) to before CheckSum(10)

    def __getitem__(self, tag: int) -> bytes:
        return next((value for each, value in self.fields if each == tag), b"")

    def __contains__(self, tag: int) -> bool:
        return any(each == tag for each, _ in self.fields)

    def number(self, tag: int) -> int:
        """The value of `tag` as a number; 0 when it is absent or none."""
        text = self[tag]
        return int(text) if text.isdigit() and len(text) <= 18 else 0

    @property
    def msg_type(self) -> str:
        """MsgType(35)."""
        return self.fields[0][1].decode("latin-1")

    def put(self, tag: int, value: bytes | int, *, behind: int = MSG_TYPE) -> None:
        """Change the first `tag`, or add it behind `behind`, or at the end without one."""
        written = value if isinstance(value, bytes) else b"%d" % value
        tags = [each for each, _ in self.fields]
        if tag in tags:
            self.fields[tags.index(tag)] = (tag, written)
        else:
            place = tags.index(behind) + 1 if behind in tags else len(tags)
            self.fields.insert(place, (tag, written))

    def remove(self, *tags: int) -> None:
        """Leave out all fields with these tags."""
        self.fields = [field for field in self.fields if field[0] not in tags]

    def become(self, msg_type: str, body: list[Field]) -> None:
        """Another type and body under the same header; no trace of a replay is kept."""
        kept = [field for field in self.fields if field[0] in _PLAIN_HEADER]
        self.fields = [(MSG_TYPE, msg_type.encode("latin-1")), *kept, *body]

    def raw(self) -> bytes:
        """Wire bytes, with the right BodyLength(9) and CheckSum(10)."""
        content = b"".join([b"%d=%b\x01" % field for field in self.fields])
        return encode(self.begin_string, content)


# What a message of the session itself has in its header: number, address and time.
_PLAIN_HEADER = frozenset({34, 49, 50, 52, 56, 57, 142, 143, 369})


def with_bad_check_sum(raw: bytes) -> bytes:
    """`raw` with a CheckSum(10) that is one too high."""
    return raw[:-7] + TRAILERS[(checksum(raw[:-7]) + 1) & 0xFF]


def with_bad_body_length(raw: bytes) -> bytes:
    """`raw` with a BodyLength(9) that is one too high; its CheckSum(10) is right."""
    head, length, rest = raw.split(b"\x01", 2)
    framed = b"%b\x019=%d\x01%b" % (head, int(length[2:]) + 1, rest[:-7])
    return framed + TRAILERS[checksum(framed)]


def with_bad_begin_string(raw: bytes) -> bytes:
    """`raw` with the BeginString(8) of another version; 9 and 10 are right."""
    message = Message.from_wire(raw)
    draft = Draft(message)
    draft.begin_string = b"FIX.4.2" if message.get(BEGIN_STRING) != "FIX.4.2" else b"FIX.4.4"
    return draft.raw()


def garbled(raw: bytes, amount: float) -> bytes:
    """`raw` with one byte changed; `amount`, from 0 up to 1, says which and how."""
    # Both out of one number: its first digits are the place, those behind them the change.
    place, rest = divmod(amount * len(raw), 1.0)
    at = int(place)
    changed = raw[at] ^ (1 + int(rest * 255))
    return raw[:at] + bytes([changed]) + raw[at + 1 :]
