"""Bytes off the wire, and text of unknown origin: framers, fields, redaction, explanation."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

from fixlab import explain, redact
from fixlab.dictionary import Dictionary, validate
from fixlab.errors import MessageError
from fixlab.wire.framer import Framer, Garbled, LooseFramer
from fixlab.wire.message import Message
from tests.dictionary.published import published
from tests.fuzz.fuzzing import Case, Part, Played, bent, plain
from tests.fuzz.streams import broken, samples

_LIMITS = (60, 256, 2_048, 1 << 20)


def stream(chance: random.Random) -> bytes:
    """Some messages, some of them broken, and perhaps other bytes between them."""
    parts = []
    for _ in range(chance.choice((1, 1, 2, 4))):
        raw = chance.choice(samples())
        for _ in range(chance.choice((0, 0, 1, 1, 3))):
            raw = broken(raw, chance)
        parts.append(raw)
    if chance.random() < 0.2:
        parts.insert(chance.randrange(len(parts) + 1), chance.randbytes(chance.randrange(40)))
    return b"".join(parts)


class FramerTarget:
    """Both framers: the same whatever the split, nothing beyond what they may keep."""

    bytes_max = 8 << 20
    bound = "message_bytes_max 1 MiB, twice while it is cut, and its items"

    def __init__(self, kind: Callable[[int], Framer], name: str) -> None:
        self._kind, self.name = kind, name

    def make(self, chance: random.Random) -> Case:
        data = stream(chance)
        count = chance.choice((0, 1, 1, 3, 12))
        cuts = sorted(chance.randrange(len(data) + 1) for _ in range(count))
        edges = [0, *cuts, len(data)]
        pieces = [data[begin:end] for begin, end in itertools.pairwise(edges)]
        return (("limit", chance.choice(_LIMITS)), *pieces)

    def bend(self, part: Part, chance: random.Random) -> Part:
        if isinstance(part, tuple):
            return ("limit", chance.choice(_LIMITS))
        return broken(part, chance)

    def play(self, case: Case) -> Played:
        limit = max([part[1] for part in case if isinstance(part, tuple)], default=1 << 20)
        pieces = [part for part in case if isinstance(part, bytes)]
        framer, found = self._kind(limit), list[Message | Garbled]()
        for piece in pieces:
            found += framer.feed(piece)
            # What has come of the largest message, or a start that is still to be completed.
            assert framer.waiting <= max(limit, 30) + len(piece), "more waits than may"
        data = b"".join(pieces)
        whole = self._kind(limit)
        assert [*map(_said, whole.feed(data))] == [*map(_said, found)], "the split matters"
        assert (whole.waiting, whole.idle) == (framer.waiting, framer.idle)
        position = 0
        for item in found:
            if item.raw:
                position = data.find(item.raw, position)
                assert position >= 0, "bytes that did not come"
                position += len(item.raw)
        kinds = [
            f"{item.rule} {plain(item.reason)}" if isinstance(item, Garbled) else "message"
            for item in found
        ]
        pairs = [f"{one}, {two}" for one, two in itertools.pairwise(kinds)]
        return Played(frozenset([*kinds, *pairs, f"waits {min(framer.waiting, 1)}"]))


def _said(item: Message | Garbled) -> object:
    return item if isinstance(item, Garbled) else item.raw


class MessageTarget:
    """A message that was framed, or text for one: read, explained, validated, shown."""

    name = "explain"
    bytes_max = 24 << 20
    bound = "500 rows shown of a message, a Row for each field of it"

    def __init__(self) -> None:
        self._dictionary: Dictionary | None = None

    def make(self, chance: random.Random) -> Case:
        return (("dictionary", chance.random() < 0.5), stream(chance))

    def bend(self, part: Part, chance: random.Random) -> Part:
        if isinstance(part, tuple):
            return ("dictionary", not part[1])
        return broken(part, chance)

    def play(self, case: Case) -> Played:
        if self._dictionary is None:
            self._dictionary = published("FIX.4.4")
        used = self._dictionary if ("dictionary", True) in case else None
        features = set[str]()
        for raw in [part for part in case if isinstance(part, bytes)]:
            message = Message.from_wire(raw)
            explained = explain(message, used)
            texts = str(explained), explained._repr_html_(), repr(explained), repr(message)
            assert "<script" not in texts[1]
            assert texts[0].replace("\n", "").isprintable(), "what a terminal would obey"
            for tag, value in message.fields:
                secret = value.decode("latin-1")
                if tag in redact.SECRET_TAGS and len(secret) > 6 and secret.isalnum():
                    rest = raw.replace(b"%d=%b" % (tag, value), b"")
                    shown = any(secret in text for text in texts)
                    assert value in rest or not shown, f"secret of {tag} shown"
            fault = validate(message, self._dictionary)
            features.add("no fault" if fault is None else f"{fault.rule} {plain(fault.text)}")
            features.add(f"defect {message.defect and message.defect.rule}")
            try:
                Message.parse(raw.decode("latin-1").replace("\x01", "|"))
            except MessageError as error:
                features.add(plain(str(error)))
        return Played(frozenset(features))


_MARKS = ("\x01", "^A", "\\x01", "\\u0001", "<SOH>", "\u2401", "|")
_PIECES = (
    *("554=S3CRET", "925=S3CRET", "95=6", "96=S3CRET", "1402=S3CRET", "0554=S3CRET"),
    *("95=999999999", "95=-1", "58=x", "35=A", "8=FIX.4.4", "10=000", "x", "=", "55="),
)


class RedactTarget:
    """Text that may hold secrets: masked, visible, safe in a page."""

    name = "redact"
    bytes_max = 16 << 20
    bound = "a few copies of the text"

    def make(self, chance: random.Random) -> Case:
        mark = chance.choice(_MARKS)
        pieces = [chance.choice(_PIECES) for _ in range(chance.randrange(1, 12))]
        text = "".join(
            piece + (mark if chance.random() < 0.95 else chance.choice(_MARKS))
            for piece in pieces
        )
        if chance.random() < 0.05:
            text *= chance.choice((10, 1_000))
        return (text.encode("utf-8"),)

    def bend(self, part: Part, chance: random.Random) -> Part:
        assert isinstance(part, bytes)
        marks = tuple(mark.encode() for mark in (*_MARKS, *_PIECES))
        return bent(part, chance, marks)

    def play(self, case: Case) -> Played:
        features = set[str]()
        for part in case:
            assert isinstance(part, bytes)
            text = part.decode("utf-8", "surrogateescape")
            masked = redact.mask(text)
            assert redact.mask(part.decode("latin-1")).encode("latin-1") == redact.mask(part)
            shown = redact.printable(masked)
            assert shown.isprintable()
            assert not set(redact.escape(masked)) & set("<>\"'")
            # Whatever stands directly behind a secret's tag is gone.
            for tag in ("554=", "925=", "96=", "1402="):
                assert f"\x01{tag}S3CRET" not in masked
                assert f"|{tag}S3CRET" not in masked
            features.add(f"{min(masked.count('***'), 9)} {masked.count('S3CRET') > 0}")
            features.add(f"ends {masked[-4:]!r}")
        return Played(frozenset(features))


FRAMER = FramerTarget(Framer, "framer")
LOOSE_FRAMER = FramerTarget(LooseFramer, "loose_framer")
