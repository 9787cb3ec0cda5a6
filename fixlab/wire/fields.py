"""Splitting the bytes of one message into fields, exactly: data fields may contain SOH and `=`.

Only framed messages come here. What cannot be a field is kept, as tag 0, and reported as a
`Defect`; nothing raises, because a peer's fault is data.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from fixlab.wire.tags import LENGTH_TO_DATA, SOH

Field = tuple[int, bytes]

_OTHER_BYTES = bytes(set(range(256)) - set(b"=\x01"))
_DATA_TO_LENGTH = {data: length for length, data in LENGTH_TO_DATA.items()}
# Tags of data fields and of their lengths: a message with one of them is split exactly.
_EXACT_TAGS = frozenset(b"%d" % tag for pair in LENGTH_TO_DATA.items() for tag in pair)
SIGNATURE_LENGTH = 93
SECURE_DATA_LENGTH = 90
_TAG = re.compile(rb"[1-9][0-9]{0,9}")
# A length that needs more digits than this exceeds every message there can be.
_LENGTH = re.compile(rb"[0-9]{1,10}")


class _TagNumbers(dict[bytes, int]):
    """Tag numbers by their digits; a lookup is far quicker than reading the digits again."""

    def __missing__(self, digits: bytes) -> int:
        if not _TAG.fullmatch(digits):
            raise ValueError("not a tag")
        number = int(digits)
        if len(self) < 4096:  # a peer may make up any tag
            self[digits] = number
        return number


_number_of = _TagNumbers()


class Defect(NamedTuple):
    """Why a field is not one: the rule it breaks, the tag (0 if none can be read), in words."""

    rule: str
    tag: int
    reason: int  # SessionRejectReason(373)
    text: str


def split_fields(
    raw: bytes, *, empty_ok: bool = False
) -> tuple[tuple[Field, ...], Defect | None]:
    """All fields of `raw` in wire order, and the first defect found in them (REJ-22).

    With `empty_ok` a field without a value is none (REJ-07).
    """
    # One separator of each kind in turn, and none of them side by side: then one split gives
    # tags and values in turn as well.
    separators = raw.translate(None, _OTHER_BYTES)
    if separators == b"=\x01" * (len(separators) // 2) and b"=\x01" not in raw:
        flat = raw.replace(SOH, b"=").split(b"=")
        tags = flat[:-1:2]
        if _EXACT_TAGS.isdisjoint(tags) and raw[-1:] == SOH:
            try:
                return tuple(
                    zip(map(_number_of.__getitem__, tags), flat[1::2], strict=True)
                ), None
            except ValueError:
                pass  # one of them is no tag
    return _split_exactly(raw, empty_ok)


def _split_exactly(raw: bytes, empty_ok: bool) -> tuple[tuple[Field, ...], Defect | None]:
    """The same, one field at a time: for data fields, and for what is not well formed."""
    fields: list[Field] = []
    defect: Defect | None = None
    position, end, previous = 0, len(raw), 0
    while position < end:
        stop = raw.find(SOH, position)
        if stop < 0:
            stop = end
            defect = defect or Defect("FRM-11", 0, 0, "the last field does not end with SOH")
        tag_bytes, equals, value = raw[position:stop].partition(b"=")
        position = stop + 1
        if not equals or not _TAG.fullmatch(tag_bytes):
            fields.append((0, raw[position - 1 - len(tag_bytes + equals + value) : stop]))
            defect = defect or _no_field(previous, cut=not equals)
            continue
        tag = int(tag_bytes)
        if not value and not empty_ok:
            defect = defect or Defect("REJ-07", tag, 4, "Tag specified without a value")
        length_tag = _DATA_TO_LENGTH.get(tag)
        if length_tag not in (None, previous):
            assert length_tag is not None
            # DAT-01: nobody can tell where this data ends.
            text = f"data field {tag} without its length {length_tag} directly before it"
            defect = defect or Defect("DAT-01", length_tag, 1, text)
        fields.append((tag, value))
        previous = tag
        data_tag = LENGTH_TO_DATA.get(tag)
        if data_tag is None or not raw.startswith(b"%d=" % data_tag, position):
            continue
        start = position + len(b"%d=" % data_tag)
        stop = start + int(value) if _LENGTH.fullmatch(value) else -1
        if stop < start or raw[stop : stop + 1] != SOH:
            # The data is then split at the next SOH, like any other value.
            wrong = Defect(
                "DAT-03",
                tag,
                8 if tag == SIGNATURE_LENGTH else 5,
                f"the length does not end the data field {data_tag}",
            )
            defect = defect or wrong
            continue
        fields.append((data_tag, raw[start:stop]))
        position, previous = stop + 1, data_tag
    return tuple(fields), defect


def _no_field(previous: int, *, cut: bool) -> Defect:
    """What is wrong with bytes between two SOH that are no field, behind field `previous`."""
    if cut and previous:
        # FRM-12, REJ-14: without "=" it can only be the rest of the value before it.
        text = f"the value of tag {previous} holds a field delimiter, SOH"
        return Defect("FRM-12", previous, 17, text)
    return Defect("FRM-11", 0, 0, "a field does not start with a tag")
