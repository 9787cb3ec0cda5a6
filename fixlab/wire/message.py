"""Message: one immutable FIX message, built from fields or read from the wire.

Text and bytes meet as Latin-1, one character a byte, so that reading never fails and a length
counted in characters is one counted in bytes (DAT-04).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from numbers import Integral
from typing import Any, Self
from zlib import adler32

from fixlab import redact
from fixlab.errors import MessageError
from fixlab.wire import display
from fixlab.wire.fields import Defect, Field, split_fields
from fixlab.wire.tags import (
    HEADER_TAGS,
    LENGTH_TO_DATA,
    MSG_TYPE_NAMES,
    SESSION_TAGS,
    TRAILER_TAGS,
)

FieldsGiven = Mapping[int, object] | Iterable[tuple[int, object]]

# What ends a message, by its CheckSum(10): built once, 256 of them.
TRAILERS = tuple(b"10=%03d\x01" % checksum for checksum in range(256))
_MSG_TYPE = re.compile(r"[!-~]+")
_types_seen: set[str] = set()  # MsgTypes found good before
_TYPES_MAX = 1024
_PLAIN_VALUES = frozenset({str, int})  # FIX writes them as Python does; a bool is neither
# A field that may be the length of a data field; it also takes some that are not.
_LENGTH = re.compile(
    rb"\x01(?:9[035]|212|3[456][0-9]|445|6(?:18|21|64)|[12][0-9]{3}|4[0-9]{4})="
)
_DATA_TAGS = frozenset(LENGTH_TO_DATA.values())


def checksum(content: bytes) -> int:
    """Sum of all bytes modulo 256, as CheckSum(10) wants it (FRM-04)."""
    # Adler-32 started at 0 holds the byte sum modulo 65521 in its low half and runs at the
    # speed of C. Up to 256 bytes the sum stays below 65521, so it is exact.
    if len(content) <= 256:
        return adler32(content, 0) & 0xFF
    return (
        sum(adler32(content[i : i + 256], 0) & 0xFFFF for i in range(0, len(content), 256))
        & 0xFF
    )


def encode(begin_string: bytes, content: bytes) -> bytes:
    """Wire bytes of a message whose fields from `35=` to the last SOH are `content`.

    Puts BeginString(8) and BodyLength(9) before it and CheckSum(10) behind it.
    """
    head = b"8=%b\x019=%d\x01%b" % (begin_string, len(content), content)
    return head + TRAILERS[checksum(head)]


@dataclass(slots=True)
class Shape:
    """What the tags of a message say about it, worked out once for each list of tags."""

    template: str  # all fields, a %s where each value goes
    pieces: list[str]  # the template, cut at each %s, with "" in the places of the values
    plain: bool  # body tags only: no header, trailer or data field among them
    texts: bool = True  # all values have been str so far: only what is tried first


_shapes: dict[tuple[int, ...], Shape] = {}
_SHAPES_MAX = 1024


def _shape_of(tags: tuple[int, ...]) -> Shape:
    for tag in tags:
        if type(tag) is not int or not 0 < tag < 10**10:
            raise MessageError(f"a tag must be a positive int, found {tag!r}")
    if (taken := sorted(SESSION_TAGS.intersection(tags))) != []:
        names = ", ".join(map(str, taken))
        raise MessageError(
            f"the session itself writes tags {names}; leave them out of the message's fields"
        )
    special = HEADER_TAGS | TRAILER_TAGS | _DATA_TAGS
    template = "".join([f"{tag}=%s\x01" for tag in tags])
    pieces = [piece for before in template.split("%s") for piece in (before, "")][:-1]
    shape = Shape(template, pieces, special.isdisjoint(tags))
    if len(_shapes) >= _SHAPES_MAX:
        _shapes.clear()
    _shapes[tags] = shape
    return shape


class Message:
    """One FIX message: a MsgType(35) and ordered fields, repeats kept. It never changes.

    Built from `fields`, a mapping or pairs of tag and value (str, int, Decimal, float, bool
    as Y or N, or bytes), it is what an application sends; the session adds header and
    trailer. Read from the wire it keeps the exact bytes in `raw`, and `fields` then runs from
    BeginString(8) to CheckSum(10). Messages are equal when their fields are equal.

    Raises `MessageError` for a tag that is no positive int or belongs to the session, an
    empty value, or an SOH in a value that is not a data field announced by its length.
    """

    __slots__ = ("_body", "_defect", "_fields", "_plain", "_raw", "_type")

    _raw: bytes | None
    _type: str | None
    _body: bytes
    _plain: bool
    _fields: tuple[Field, ...] | None
    _defect: Defect | None  # not set before somebody asks

    def __init__(self, msg_type: str, fields: FieldsGiven = ()) -> None:
        # Asking a dict for its class first spares the common case an abstract-class check.
        if fields.__class__ is dict or isinstance(fields, Mapping):
            tags: tuple[int, ...] = tuple(fields)
            values: tuple[Any, ...] = tuple(fields.values())
        else:
            pairs = [(tag, value) for tag, value in fields]
            tags, values = tuple([tag for tag, _ in pairs]), tuple([v for _, v in pairs])
        shape = _shapes.get(tags) or _shape_of(tags)
        if msg_type not in _types_seen:
            _check_type(msg_type)
        if shape.texts:
            # Joining takes text only, and needs no look at each value's type before it.
            pieces = shape.pieces.copy()
            pieces[1::2] = values
            try:
                body = "".join(pieces)
            except TypeError:
                shape.texts = False
                body = _filled(shape.template, values)
        else:
            body = _filled(shape.template, values)
        if "=\x01" in body or body.count("\x01") != len(tags):
            _check_values(tags, values)
        try:
            self._body = body.encode("latin-1")
        except UnicodeEncodeError as error:
            raise MessageError(
                f"the value of tag {_tag_at(tags, values, error.start)} holds "
                f"{body[error.start]!r}, which has no single byte in Latin-1; give it as bytes"
            ) from None
        self._raw = None
        self._type = msg_type
        self._plain = shape.plain
        self._fields = None

    @classmethod
    def from_wire(cls, raw: bytes, *, plain: bool = False) -> Self:
        """The message whose exact bytes are `raw`, already framed; reads nothing yet.

        `plain` promises that all fields are well formed and none is a length of a data field,
        so that a tag can be looked for without reading what stands before it.
        """
        message = cls.__new__(cls)
        message._raw = raw
        message._plain = plain
        message._type = message._fields = None
        return message

    @classmethod
    def parse(cls, text: str) -> Self:
        """A message written as people read it: `35=D|11=A-1|`, bars for SOH.

        Without BeginString(8) it is one to send. With it, it is taken as from the wire, and
        must be complete. Raises `MessageError` saying what is wrong.
        """
        wire = text.strip().replace("|", "\x01").encode("latin-1", "replace")
        if not wire.endswith(b"\x01"):
            wire += b"\x01"
        fields, defect = split_fields(wire)
        if defect is not None:
            raise MessageError(f"not a FIX message: {defect.text} in {redact.mask(text)!r}")
        if fields[0][0] == 8:
            return cls.from_wire(wire)
        if fields[0][0] != 35:
            raise MessageError(f"a message to send starts with 35=, found {fields[0][0]}=")
        return cls(fields[0][1].decode("latin-1"), fields[1:])

    # Reading ---------------------------------------------------------------------------

    @property
    def raw(self) -> bytes | None:
        """The exact bytes, when the message came from the wire."""
        return self._raw

    @property
    def msg_type(self) -> str:
        """MsgType(35)."""
        if self._type is None:
            # FRM-01 makes it the third field of every framed message.
            assert self._raw is not None
            parts = self._raw.split(b"\x01", 3)
            self._type = parts[2][3:].decode("latin-1") if len(parts) > 2 else ""
        return self._type

    @property
    def fields(self) -> tuple[Field, ...]:
        """Tag and value bytes in wire order; a tag of 0 marks bytes that are no field."""
        if self._fields is None:
            if self._raw is None:
                body, self._defect = split_fields(self._body)
                self._fields = ((35, self.msg_type.encode("latin-1")), *body)
            else:
                self._fields, self._defect = split_fields(self._raw)
        return self._fields

    @property
    def defect(self) -> Defect | None:
        """The first fault in the fields' syntax, or None (FRM-11, REJ-07, DAT-03)."""
        # The fields are not kept: a session asks this of messages of which then thousands may
        # wait, and a tuple for each field would be many times what the bytes take.
        if not hasattr(self, "_defect"):
            _, self._defect = split_fields(self._body if self._raw is None else self._raw)
        return self._defect

    def values(self, tag: int) -> tuple[str, ...]:
        """All values of `tag` in wire order; empty when it does not occur."""
        return tuple([value.decode("latin-1") for t, value in self.fields if t == tag])

    def get(self, tag: int, default: str | None = None) -> str | None:
        """First value of `tag`, or `default`."""
        value = self._first(tag)
        return default if value is None else value.decode("latin-1")

    def __getitem__(self, tag: int) -> str:
        value = self._first(tag)
        if value is None:
            name = MSG_TYPE_NAMES.get(self.msg_type)
            kind = f"{name}({self.msg_type})" if name else f"MsgType {self.msg_type}"
            raise KeyError(f"tag {tag} is not in this {kind}")
        return value.decode("latin-1")

    def __contains__(self, tag: object) -> bool:
        return isinstance(tag, int) and self._first(tag) is not None

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)

    def _first(self, tag: int) -> bytes | None:
        raw = self._raw
        if raw is not None and tag != 8:
            # Most readers want a field or two, which is no reason to split the message.
            key = b"\x01%d=" % tag
            start = raw.find(key)
            if start < 0:
                return None
            # Unless a data field stands before it, in which the same bytes may occur (DAT-02).
            if self._plain or not _LENGTH.search(raw, 0, start + 1):
                start += len(key)
                return raw[start : raw.find(b"\x01", start)]
        elif raw is not None and raw.startswith(b"8="):
            end = raw.find(b"\x01")
            return raw[2:end] if end > 0 else raw[2:]
        return next((value for t, value in self.fields if t == tag), None)

    @property
    def number(self) -> int | None:
        """MsgSeqNum(34), or None when it is absent or not a number."""
        text = self._first(34)
        return int(text) if text and text.isdigit() and len(text) <= 18 else None

    # Writing ---------------------------------------------------------------------------

    def sections(self) -> tuple[bytes, bytes]:
        """Header fields and the rest of a message to send, as wire bytes (FRM-14).

        Raises `MessageError` for a message that came from the wire.
        """
        if self._raw is not None:
            raise MessageError(
                "this message came from the wire, with another session's header; build a new "
                "one: Message(msg_type, fields)"
            )
        if self._plain:
            return b"", self._body
        header: list[bytes] = []
        body: list[bytes] = []
        trailer: list[bytes] = []
        for tag, value in self.fields[1:]:
            section = header if tag in HEADER_TAGS else trailer if tag in TRAILER_TAGS else body
            section.append(b"%d=%b\x01" % (tag, value))
        return b"".join(header), b"".join(body + trailer)

    # Identity and display --------------------------------------------------------------

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return self.fields == other.fields

    def __hash__(self) -> int:
        return hash(self.fields)

    def __str__(self) -> str:
        """A table of all fields with their names and meanings, secrets masked."""
        names = display.VersionNames(self._begin_string())
        title = display.title_of(self.msg_type, names)
        return display.as_text(title, display.describe(self.fields, names))

    def __repr__(self) -> str:
        """Name of the message and its fields in one line, bars for SOH, secrets masked."""
        # The bytes themselves: joining the fields anew could make a field of what is none, and
        # then it would no longer be seen as the rest of a secret.
        wire = self._raw
        if wire is None:
            wire = b"35=%b\x01%b" % (self.msg_type.encode("latin-1"), self._body)
        text = redact.printable(redact.mask(wire.decode("latin-1")).replace("\x01", "|"))
        name = display.VersionNames(self._begin_string()).message_name(self.msg_type)
        shown = text if len(text) <= 400 else text[:400] + "..."
        return f"Message({name}: {shown})" if name else f"Message({shown})"

    def _repr_html_(self) -> str:
        names = display.VersionNames(self._begin_string())
        title = display.title_of(self.msg_type, names)
        return display.as_html(title, display.describe(self.fields, names))

    def _begin_string(self) -> str | None:
        return None if self._raw is None else self.get(8)


def _check_type(msg_type: object) -> None:
    if not isinstance(msg_type, str) or not _MSG_TYPE.fullmatch(msg_type):
        raise MessageError(f"MsgType(35) must be visible ASCII text, found {msg_type!r}")
    if len(_types_seen) < _TYPES_MAX:
        _types_seen.add(msg_type)


def _filled(template: str, values: tuple[object, ...]) -> str:
    """`template` with the values in it, whatever their types."""
    if _PLAIN_VALUES.issuperset(map(type, values)):
        return template % values
    return template % tuple([_text(value) for value in values])


def _text(value: object) -> str:
    """A value that is not a str, as FIX writes it."""
    if value is True:
        return "Y"
    if value is False:
        return "N"
    if isinstance(value, Integral):  # NumPy's integers are, though they are no int
        return str(int(value))
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, float | Decimal):
        # FIX floats have no exponent and no NaN or infinity.
        # A subclass such as NumPy's float64 may write itself otherwise.
        exact = Decimal(float.__repr__(value)) if isinstance(value, float) else value
        if not exact.is_finite():
            raise MessageError(f"a FIX number must be finite, found {value!r}")
        return f"{exact:f}"
    if isinstance(value, str):
        return str.__str__(value)  # an enumeration that is a str writes itself otherwise
    raise MessageError(
        f"a value must be str, int, float, Decimal, bool or bytes, found {type(value).__name__}"
    )


def _check_values(tags: tuple[int, ...], values: tuple[object, ...]) -> None:
    """Raise for an empty value, or an SOH that no length announces (FRM-11, DAT-01)."""
    previous_tag, previous = 0, ""
    for tag, value in zip(tags, map(_text, values), strict=True):
        if not value:
            raise MessageError(f"tag {tag} has no value; leave the field out instead")
        announced = LENGTH_TO_DATA.get(previous_tag) == tag and previous == str(len(value))
        if "\x01" in value and not announced:
            raise MessageError(
                f"the value of tag {tag} holds an SOH; only a data field may, directly after "
                f"its length field, with the length of its value"
            )
        previous_tag, previous = tag, value


def _tag_at(tags: tuple[int, ...], values: tuple[object, ...], offset: int) -> int:
    """Tag of the field in which character `offset` of the joined fields lies."""
    for tag, value in zip(tags, values, strict=True):
        offset -= len(f"{tag}={_text(value)}\x01")
        if offset < 0:
            return tag
    raise AssertionError("offset lies behind the last field")
