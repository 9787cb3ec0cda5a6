"""Rows while a file is read: columns of one block, and how a single record becomes one row.

Numbers that most messages lack are kept as pairs of row and value until the frame is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import numpy.typing as npt

from fixlab import redact
from fixlab.logs import _words
from fixlab.logs._names import Names
from fixlab.logs._records import Record
from fixlab.vocabulary import DEFECTS, MISSING
from fixlab.wire.fields import split_fields
from fixlab.wire.tags import ADMIN_TYPES, BUSINESS_MESSAGE_REJECT, HEADER_TAGS

Rows = npt.NDArray[np.int32]

LOOK_BYTES = 4_096  # of a row with a defect, in which fields are looked for
STRING_MAX = 1_000  # characters kept of a text, as in a journal
# Columns with a value in each row, and their dtypes.
DENSE: dict[str, Any] = {
    "offset": np.int64,
    "length": np.int32,
    "defect": np.uint8,
    "time": np.int64,  # the stamp of the log
    "mark": np.uint8,
    "begin": np.int32,  # BeginString(8), a code
    "sender": np.int32,
    "target": np.int32,
    "msg_type": np.int32,
    "msg_seq_num": np.int64,
    "sending_time": np.int64,
    "flags": np.uint8,
    "body_length": np.int32,
    "check_sum": np.int16,
}
# What a column holds where nothing is said; a code of 0 is the empty text.
EMPTY = {"time": MISSING, "msg_seq_num": MISSING, "sending_time": MISSING}
NARROW_MISSING = {"body_length": -1, "check_sum": -1}
# Tag -> column of numbers that few messages have.
SPARSE = {
    7: "begin_seq_no",
    16: "end_seq_no",
    36: "new_seq_no",
    789: "next_expected",
    45: "ref_seq_num",
    108: "heart_bt_int",
}
FLAGS = {43: 1, 97: 2, 123: 4, 141: 8}  # tag -> bit, set when the value is Y
SECRET = 16
PASSWORDS = (554, 925, 1402, 1404)
RAW_DATA = 96
TEXT_TYPES = frozenset({*ADMIN_TYPES, BUSINESS_MESSAGE_REJECT})
# Types of which more than the header is of interest: those and UserRequest, with its
# passwords. So is what has no type. The order is that of their codes.
READ_WHOLE = ("", *sorted(TEXT_TYPES), "BE")

DEFECT_CODES = {name: code for code, name in enumerate(DEFECTS)}


def shown(text: bytes) -> bytes:
    """Text as a frame may show it: no secret, no control character, not endless."""
    words = text[: 4 * STRING_MAX].decode("latin-1")
    if "=" in words:
        words = redact.mask(words)
    words = redact.printable(words)
    if len(words) > STRING_MAX:
        words = words[: STRING_MAX - 1] + "…"
    return words.encode()


@dataclass(slots=True)
class Block:
    """Rows in the order of the file. `sparse` and `extra` hold pairs of row and value."""

    dense: dict[str, npt.NDArray[Any]]
    sparse: dict[str, tuple[Rows, npt.NDArray[np.int64]]]
    extra: dict[int, tuple[Rows, list[bytes]]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.dense["offset"])


@dataclass(slots=True)
class Book:
    """The texts of a whole read, by their codes."""

    begins: Names = field(default_factory=lambda: Names(256, clean=shown))
    comp_ids: Names = field(default_factory=lambda: Names(clean=shown))
    msg_types: Names = field(default_factory=lambda: Names(4096, clean=shown))
    test_req_ids: Names = field(default_factory=lambda: Names(clean=shown))
    texts: Names = field(default_factory=lambda: Names(clean=shown))

    def __post_init__(self) -> None:
        for code, name in enumerate(READ_WHOLE):
            assert self.msg_types.code(name.encode()) == code

    def is_whole(self, msg_type: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
        """Which messages are of interest beyond their header, by the codes of their types."""
        whole: npt.NDArray[np.bool_] = msg_type < len(READ_WHOLE)
        return whole

    @property
    def by_name(self) -> dict[str, Names]:
        """All names, by what they are of."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def adopt(self, texts: Mapping[str, Sequence[bytes]]) -> dict[str, npt.NDArray[np.int64]]:
        """The codes here of all codes of another book, by the names that they are of."""
        return {
            name: np.array([names.adopt(text) for text in texts[name]], np.int64)
            for name, names in self.by_name.items()
        }

    @property
    def full(self) -> bool:
        """Whether there were more distinct texts of any kind than are kept."""
        return any(names.overflowed for names in self.by_name.values())

    @property
    def overflowed(self) -> list[str]:
        """Which columns had more distinct texts than are kept."""
        pairs = (
            ("sender, target", self.comp_ids),
            ("msg_type", self.msg_types),
            ("test_req_id", self.test_req_ids),
            ("text", self.texts),
        )
        return [name for name, names in pairs if names.overflowed]


def is_secret(value: bytes) -> bool:
    """Whether a value still tells what it should not; loggers put stars or an X for it."""
    return bool(value.strip(b"*xX"))


def block_of(records: Sequence[Record], base: int, book: Book, tags: Sequence[int]) -> Block:
    """Rows of single records; `base` is added to their places."""
    rows = [_Row(record, base, book, tags) for record in records]
    dense = {
        name: np.array([row.dense.get(name, EMPTY.get(name, 0)) for row in rows], dtype)
        for name, dtype in DENSE.items()
    }
    sparse: dict[str, tuple[Rows, npt.NDArray[np.int64]]] = {}
    names = {name for row in rows for name in row.sparse}
    for name in sorted(names):
        pairs = [(i, row.sparse[name]) for i, row in enumerate(rows) if name in row.sparse]
        at, values = zip(*pairs, strict=True)
        sparse[name] = np.array(at, np.int32), np.array(values, np.int64)
    extra: dict[int, tuple[Rows, list[bytes]]] = {}
    for tag in tags:
        found = [(i, row.extra[tag]) for i, row in enumerate(rows) if tag in row.extra]
        extra[tag] = np.array([i for i, _ in found], np.int32), [v for _, v in found]
    return Block(dense, sparse, extra)


class _Row:
    """One record as the values of its columns."""

    __slots__ = ("dense", "extra", "sparse")

    def __init__(self, record: Record, base: int, book: Book, tags: Sequence[int]) -> None:
        wire = record.wire
        if record.defect and len(wire) > LOOK_BYTES:
            # Of what is no message only the beginning can mean something.
            wire = wire[: wire.rfind(b"\x01", 0, LOOK_BYTES) + 1 or LOOK_BYTES]
        fields, _ = split_fields(wire, empty_ok=True)
        first: dict[int, bytes] = {}
        for tag, value in fields:
            first.setdefault(tag, value)
        # Of an application message only the header is of interest to the session.
        whole = first.get(35, b"").decode("latin-1") in READ_WHOLE
        said = first if whole else _header(fields)
        self.dense: dict[str, int] = {
            "offset": base + record.start,
            "length": record.end - record.start,
            "defect": DEFECT_CODES[record.defect],
            "mark": record.said.mark,
            "begin": book.begins.code(first.get(8, b"")),
            "sender": book.comp_ids.code(first.get(49, b"")),
            "target": book.comp_ids.code(first.get(56, b"")),
            "msg_type": book.msg_types.code(first.get(35, b"")),
            "msg_seq_num": _words.number(first.get(34, b"")),
            "sending_time": _words.time(first.get(52, b"")),
            "flags": sum(bit for tag, bit in FLAGS.items() if said.get(tag) == b"Y"),
            "body_length": -1,
            "check_sum": -1 if record.check_sum is None else record.check_sum,
        }
        if record.said.time is not None:
            self.dense["time"] = record.said.time
        if record.body_length is not None:
            self.dense["body_length"] = min(record.body_length, 2**31 - 1)
        self.sparse = {
            name: _words.number(said[tag]) for tag, name in SPARSE.items() if tag in said
        }
        if 122 in said:
            self.sparse["orig_sending_time"] = _words.time(said[122])
        self._texts(said, book)
        self.extra = {tag: first[tag] for tag in tags if tag in first}

    def _texts(self, first: Mapping[int, bytes], book: Book) -> None:
        msg_type = first.get(35, b"").decode("latin-1")
        if 112 in first:
            self.sparse["test_req_id"] = book.test_req_ids.code(first[112])
        if 58 in first and msg_type in TEXT_TYPES:
            self.sparse["text"] = book.texts.code(first[58])
        secrets = [first[tag] for tag in PASSWORDS if tag in first]
        if msg_type == "A" and RAW_DATA in first:
            secrets.append(first[RAW_DATA])
        if any(map(is_secret, secrets)):
            self.dense["flags"] |= SECRET


def _header(fields: Sequence[tuple[int, bytes]]) -> dict[int, bytes]:
    """The first of each field before the first one that no header has."""
    header: dict[int, bytes] = {}
    for tag, value in fields:
        if tag and tag not in HEADER_TAGS:  # 0: a piece that is no field
            break
        header.setdefault(tag, value)
    return header


def merged(blocks: Sequence[Block], tags: Sequence[int]) -> Block:
    """One block out of several, its rows in the order of their places."""
    if len(blocks) == 1:
        return blocks[0]
    dense = {name: np.concatenate([b.dense[name] for b in blocks]) for name in DENSE}
    order = np.argsort(dense["offset"], kind="stable")
    place = np.empty(len(order), np.int32)
    place[order] = np.arange(len(order), dtype=np.int32)
    starts = np.cumsum([0, *(len(block) for block in blocks)])
    sparse: dict[str, tuple[Rows, npt.NDArray[np.int64]]] = {}
    for name in sorted({name for block in blocks for name in block.sparse}):
        parts = [
            (place[block.sparse[name][0] + start], block.sparse[name][1])
            for block, start in zip(blocks, starts[:-1], strict=True)
            if name in block.sparse
        ]
        sparse[name] = (
            np.concatenate([rows for rows, _ in parts]),
            np.concatenate([values for _, values in parts]),
        )
    extra: dict[int, tuple[Rows, list[bytes]]] = {}
    for tag in tags:
        rows = np.concatenate(
            [place[b.extra[tag][0] + s] for b, s in zip(blocks, starts[:-1], strict=True)]
        )
        values = [value for block in blocks for value in block.extra[tag][1]]
        extra[tag] = rows, values
    return Block({name: column[order] for name, column in dense.items()}, sparse, extra)
