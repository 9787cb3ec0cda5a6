"""Values of the fields of messages that were cut into pieces, as columns of a block."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from fixlab.logs._columns import (
    DENSE,
    FLAGS,
    PASSWORDS,
    SECRET,
    SPARSE,
    TEXT_TYPES,
    Block,
    Book,
    Rows,
    is_secret,
)
from fixlab.logs._fields import DATA, NO_FIELD, FieldTable
from fixlab.logs._lines import Lines, Messages
from fixlab.logs._names import Names
from fixlab.logs._prefixes import Prefixes
from fixlab.logs._words import Bools, Bytes, Ints, Text, Words, numbers_at, times_at
from fixlab.vocabulary import MISSING
from fixlab.wire.tags import HEADER_TAGS

_FIXED = 4  # tags at the beginning of these that stand at fixed places in each message
_TAGS = (8, 9, 35, 10, 34, 49, 56, 52, *FLAGS, *SPARSE, 122, 112, 58, *PASSWORDS)
TAGS = (*_TAGS, *sorted(HEADER_TAGS - set(_TAGS)))
_NO_ROWS: Rows = np.empty(0, np.int32)
Reading = Callable[[Bytes, Words, Ints, Ints], Ints]


class Columns:
    """Makes blocks of messages."""

    def __init__(
        self, table: FieldTable, book: Book, prefixes: Prefixes, tags: Sequence[int]
    ) -> None:
        self._table, self._book, self._prefixes, self._tags = table, book, prefixes, tags
        self._text_types = [book.msg_types.code(name.encode()) for name in sorted(TEXT_TYPES)]

    def block(self, text: Text, lines: Lines, found: Messages, kept: Bools, base: int) -> Block:
        """The messages in the lines that are kept; `base` is added to their places."""
        view, words = text.view, text.words
        if not kept.all():
            rows = kept[found.line]
            found = found.only(rows)
        values = _Values(text, lines, found, self._table)
        book = self._book
        msg_type = values.msg_types(book.msg_types)
        values.whole = book.is_whole(msg_type)
        dense: dict[str, npt.NDArray[np.generic]] = {
            "offset": found.start + base,
            "length": (found.end - found.start).astype(np.int32),
            "defect": found.defect,
            "begin": found.begin_string,
            "body_length": found.body_length.astype(np.int32),
            "check_sum": found.check_sum.astype(np.int16),
            "msg_seq_num": values.dense(34, numbers_at),
            "sending_time": values.dense(52, times_at),
            "sender": values.names(49, book.comp_ids),
            "target": values.names(56, book.comp_ids),
            "msg_type": msg_type,
            "flags": values.flags(),
        }
        begin = lines.begin[found.line]
        dense["time"], dense["mark"] = self._prefixes.read(view, words, begin, found.start)
        sparse = {
            name: (rows, numbers_at(view, words, at, length))
            for tag, name in SPARSE.items()
            for rows, at, length in [values.said(tag)]
            if len(rows)
        }
        self._rare(text, values, dense, sparse)
        extra = {tag: values.texts(tag) for tag in self._tags}
        return Block({name: dense[name] for name in DENSE}, sparse, extra)

    def _rare(
        self,
        text: Text,
        values: _Values,
        dense: dict[str, npt.NDArray[np.generic]],
        sparse: dict[str, tuple[Rows, Ints]],
    ) -> None:
        """What few messages have, and is read with as much Python as it takes."""
        view, words = text.view, text.words
        rows, at, length = values.said(122)
        if len(rows):
            sparse["orig_sending_time"] = rows, times_at(view, words, at, length)
        rows, at, length = values.said(112)
        texts = _texts(view, at, length)
        if texts:
            sparse["test_req_id"] = rows, _codes(texts, self._book.test_req_ids)
        rows, at, length = values.of(58)
        if len(rows):
            wanted = np.isin(dense["msg_type"][rows], self._text_types)
            rows, texts = rows[wanted], _texts(view, at[wanted], length[wanted])
            if texts:
                sparse["text"] = rows, _codes(texts, self._book.texts)
        flags = dense["flags"].view(np.uint8)
        for tag in PASSWORDS:
            rows, at, length = values.said(tag)
            texts = _texts(view, at, length)
            secret = np.array([is_secret(text) for text in texts], np.bool_)
            flags[rows[secret]] |= SECRET


class _Values:
    """Where the values of each field stand, for the messages of a block."""

    def __init__(self, text: Text, lines: Lines, found: Messages, table: FieldTable) -> None:
        self._view, self._words, self._lines = text.view, text.words, lines
        self._codes, self._count = table.codes, len(found.line)
        self._third = lines.first.take(found.line) + 2
        pieces = int(lines.last[-1]) + 1
        code = lines.code[:pieces]
        # All but those that stand at the same place in each message; they wrap around.
        hits = np.flatnonzero(code - np.uint8(_FIXED + 1) < DATA - _FIXED - 1)
        order = np.argsort(code[hits], kind="stable")
        self._hits = hits[order]
        self._bounds = np.searchsorted(code[self._hits], np.arange(DATA + 1))
        row_of_line = np.full(len(lines.first), -1, np.int32)
        row_of_line[found.line] = np.arange(self._count, dtype=np.int32)
        self._row = np.repeat(row_of_line, lines.last - lines.first + 1)
        self._code = code
        self.whole = np.ones(self._count, np.bool_)  # rows of interest beyond their header

    def said(self, tag: int) -> tuple[Rows, Ints, Ints]:
        """The same as `of`, but of an application message only in its header."""
        rows, at, length = self.of(tag)
        good = self.whole[rows]
        if not good.all():
            if tag in HEADER_TAGS:
                good |= self._in_header(rows, at)
            rows, at, length = rows[good], at[good], length[good]
        return rows, at, length

    def _in_header(self, rows: Rows, at: Ints) -> Bools:
        """Whether no field of the body stands before a place in a row."""
        kind = np.ones(256, np.bool_)
        kind[[self._codes[tag] for tag in HEADER_TAGS]] = False
        kind[NO_FIELD] = False
        bodies = np.cumsum(kind[self._code])
        piece = np.searchsorted(self._lines.starts[: len(self._code)], at, "right") - 1
        inside: Bools = bodies[piece] == bodies[self._third[rows]]
        return inside

    def of(self, tag: int) -> tuple[Rows, Ints, Ints]:
        """Rows with the tag, and where its first value there begins and how long it is."""
        code = self._codes[tag]
        pieces = self._hits[self._bounds[code] : self._bounds[code + 1]]
        if len(pieces) == 0:
            return _NO_ROWS, pieces, pieces
        rows = self._row.take(pieces)
        good = rows >= 0
        good[1:] &= rows[1:] != rows[:-1]
        if not good.all():
            rows, pieces = rows[good], pieces[good]
        at = self._lines.starts.take(pieces)
        at += len(str(tag)) + 1
        return rows, at, self._lines.ends.take(pieces) - at

    def dense(self, tag: int, read: Reading) -> Ints:
        """Numbers or times of all rows; `MISSING` where the tag does not occur."""
        rows, at, length = self.of(tag)
        values = read(self._view, self._words, at, length)
        if len(rows) == self._count:
            return values
        column = np.full(self._count, MISSING, np.int64)
        column[rows] = values
        return column

    def names(self, tag: int, names: Names) -> npt.NDArray[np.int32]:
        """Codes of all rows; 0 where the tag does not occur."""
        rows, at, length = self.of(tag)
        codes = names.codes_at(self._view, self._words, at, length)
        if len(rows) == self._count:
            return codes
        column = np.zeros(self._count, np.int32)
        column[rows] = codes
        return column

    def msg_types(self, names: Names) -> npt.NDArray[np.int32]:
        """Codes of MsgType(35), the third field of each message."""
        piece = self._third
        at = self._lines.starts.take(piece) + 3
        length = self._lines.ends.take(piece) - at
        return names.codes_at(self._view, self._words, at, length)

    def flags(self) -> npt.NDArray[np.uint8]:
        """Bits of the tags whose value is Y."""
        flags = np.zeros(self._count, np.uint8)
        for tag, bit in FLAGS.items():
            rows, at, length = self.said(tag)
            yes = (self._view[at] == 0x59) & (length == 1)
            flags[rows[yes]] |= bit
        return flags

    def texts(self, tag: int) -> tuple[Rows, list[bytes]]:
        """Rows with the tag, and its value there."""
        rows, at, length = self.of(tag)
        return rows, _texts(self._view, at, length)


def _texts(view: Bytes, at: Ints, length: Ints) -> list[bytes]:
    data = memoryview(view)  # type: ignore[arg-type]
    return [
        bytes(data[begin : begin + size])
        for begin, size in zip(at.tolist(), length.tolist(), strict=True)
    ]


def _codes(texts: Sequence[bytes], names: Names) -> Ints:
    return np.array([names.code(text) for text in texts], np.int64)
