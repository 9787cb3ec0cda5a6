"""FIX messages to start from: valid ones of every version and type, and ways to break them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

from fixlab.dictionary import Dictionary
from fixlab.dictionary.definitions import Block, FieldDef
from fixlab.dictionary.formats import DATA
from fixlab.wire.message import encode
from fixlab.wire.tags import LENGTH_TO_DATA
from tests.dictionary.published import VERSIONS, published
from tests.fuzz.fuzzing import TOKENS, bent
from tests.session.script import T0

_HEAD = (8, 9, 35, 34, 49, 56, 52, 10)
_VALUES = {
    "CHAR": b"1", "INT": b"1", "PRICE": b"1.5", "QTY": b"100", "AMT": b"10", "FLOAT": b"0.5",
    "BOOLEAN": b"Y", "UTCTIMESTAMP": T0.encode(), "UTCDATEONLY": b"20260105",
    "UTCTIMEONLY": b"09:00:00", "MONTHYEAR": b"202601", "LOCALMKTDATE": b"20260105",
    "NUMINGROUP": b"1", "SEQNUM": b"1", "LENGTH": b"3", "DATA": b"a\x01b", "COUNTRY": b"GB",
    "CURRENCY": b"EUR", "EXCHANGE": b"XLON", "DAY-OF-MONTH": b"5", "DAYOFMONTH": b"5",
    "TZTIMESTAMP": b"20260105-09:00:00Z", "TZTIMEONLY": b"09:00Z", "LANGUAGE": b"en",
    "DATE": b"20260105", "TIME": T0.encode(), "PERCENTAGE": b"0.1", "PRICEOFFSET": b"0.1",
    "UTCDATE": b"20260105", "XMLDATA": b"<a>",
}  # fmt: skip
_DATA_TO_LENGTH = {data: length for length, data in LENGTH_TO_DATA.items()}


@cache
def samples() -> tuple[bytes, ...]:
    """One message of each type of each version, with the fields that it must have, and some
    of those that it may have.
    """
    chance = random.Random("samples")
    found = []
    for version in VERSIONS:
        dictionary = published(version)
        for msg_type in dictionary.messages:
            found.append(sample(dictionary, msg_type, chance))
    return tuple(found)


def sample(dictionary: Dictionary, msg_type: str, chance: random.Random) -> bytes:
    """A message of this type, from YOU to ME, that the dictionary nearly always accepts."""
    content = f"35={msg_type}\x0134=2\x0149=YOU\x0152={T0}\x0156=ME\x01".encode()
    body = _fields(dictionary, dictionary.messages[msg_type], chance)
    return encode(dictionary.version.encode(), content + b"".join(body))


def _fields(dictionary: Dictionary, block: Block, chance: random.Random) -> Iterator[bytes]:
    for tag in block.tags:
        wanted = tag in block.required or chance.random() < 0.08
        if not wanted or tag in _HEAD or tag in _DATA_TO_LENGTH:
            continue
        group = block.groups.get(tag)
        if group is not None:
            count = chance.choice((1, 1, 2))
            yield b"%d=%d\x01" % (tag, count)
            for _ in range(count):
                first = _value(dictionary.fields[group.delimiter])
                yield b"%d=%b\x01" % (group.delimiter, first)
                for field in _fields(dictionary, group, chance):
                    if not field.startswith(b"%d=" % group.delimiter):
                        yield field
            continue
        if (data := LENGTH_TO_DATA.get(tag)) is not None:
            yield b"%d=3\x01%d=a\x01b\x01" % (tag, data)
        elif dictionary.fields[tag].type not in DATA:
            yield b"%d=%b\x01" % (tag, _value(dictionary.fields[tag]))


def _value(field: FieldDef) -> bytes:
    if field.values:
        return next(iter(field.values)).encode("latin-1")
    return _VALUES.get(field.type, b"x")


def refitted(raw: bytes) -> bytes:
    """The bytes with a BodyLength(9) and CheckSum(10) that fit, if they look like a message."""
    head, found, rest = raw.partition(b"\x019=")
    _, soh, content = rest.partition(b"\x01")
    end = content.rfind(b"\x0110=") + 1
    if not found or not soh or not end or not head.startswith(b"8="):
        return raw
    return encode(head[2:], content[:end])


def broken(raw: bytes, chance: random.Random) -> bytes:
    """A message with something wrong in it: framed well all the same, mostly."""
    how = chance.random()
    if how < 0.35:
        raw = _fields_moved(raw, chance)
    elif how < 0.5:
        raw = _length_lies(raw, chance)
    else:
        raw = bent(raw, chance, TOKENS)
    return refitted(raw) if chance.random() < 0.75 else raw


def _fields_moved(raw: bytes, chance: random.Random) -> bytes:
    fields = raw.split(b"\x01")
    at, to = chance.randrange(len(fields)), chance.randrange(len(fields))
    match chance.randrange(4):
        case 0:
            fields[at], fields[to] = fields[to], fields[at]
        case 1:
            fields.insert(to, fields[at])
        case 2:
            del fields[at]
        case _:
            fields[at] = fields[at].partition(b"=")[0] + b"=" + chance.choice(TOKENS)
    return b"\x01".join(fields)


def _length_lies(raw: bytes, chance: random.Random) -> bytes:
    """A data field whose length says something else than it has."""
    length, data = chance.choice(sorted(LENGTH_TO_DATA.items()))
    said = chance.choice((b"0", b"1", b"3", b"4", b"99", b"999999999", b"-3", b"3 ", b"x"))
    field = b"%d=%b\x01%d=a\x01b\x01" % (length, said, data)
    at = raw.find(b"\x01", chance.randrange(len(raw) + 1)) + 1
    return raw[:at] + field + raw[at:]
