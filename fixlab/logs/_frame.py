"""From blocks of rows to one `messages` frame, column by column.

Blocks are let go of as soon as their column is part of the frame, so that both never stand in
memory at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab import frames
from fixlab.frames import (
    DIRECTION_SOURCES,
    MESSAGES,
    MISSING,
    TIME_SOURCES,
    categorical,
    picked,
    renamed,
)
from fixlab.logs._columns import NARROW_MISSING, SECRET, SPARSE, Block, Book
from fixlab.logs._names import Names
from fixlab.logs._packed import KEPT, Packed
from fixlab.logs._pairs import Pairs
from fixlab.logs._sides import Pair, Side
from fixlab.logs._tags import typed

# Columns of codes that few rows have, and the names that they are of.
_OF_NAMES = {"test_req_id": "test_req_ids", "text": "texts"}
_NO_SIDE = Side("", "", "")
_ROWS_MIN = 1 << 14  # room that is made at least
_DIRECTIONS = MESSAGES["direction"].categories or ()


class Rows:
    """Blocks of any number of files, until they become a frame."""

    def __init__(self, book: Book, tags: Sequence[int] = ()) -> None:
        self.book = book
        self.pairs = Pairs(book)
        self._tags = tuple(tags)
        self._dense: dict[str, npt.NDArray[Any]] = {}
        self._sparse: dict[str, list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]] = {}
        self._extra: dict[int, list[tuple[npt.NDArray[Any], list[bytes]]]] = {}
        self._files: list[tuple[int, int]] = []  # file, rows
        self._count = self._room = 0

    def __len__(self) -> int:
        return self._count

    def expect(self, rows: int) -> None:
        """Make room for as many more; what is never filled takes no memory."""
        if self._count + rows <= self._room:
            return
        self._room = self._count + rows
        for name, dtype in KEPT.items():
            column = np.empty(self._room, dtype)
            if self._count:
                column[: self._count] = self._dense[name][: self._count]
            self._dense[name] = column

    def add(self, block: Block, file: int) -> None:
        """Rows that follow those before."""
        if len(block) == 0:
            return
        begin, end = self._grown(len(block), file)
        self._dense["pair"][begin:end] = self.pairs.add(block)
        for name, column in block.dense.items():
            if name in KEPT:
                self._dense[name][begin:end] = column
        for name, (rows, values) in block.sparse.items():
            self._sparse.setdefault(name, []).append((rows + begin, values))
        for tag, (rows, texts) in block.extra.items():
            self._extra.setdefault(tag, []).append((rows + begin, texts))

    def join(self, packed: Packed, file: int) -> None:
        """The same for rows that were read elsewhere, whose codes are other ones."""
        codes = self.book.adopt(packed.texts)
        pairs = self.pairs.take(packed.pairs, codes["begins"], codes["comp_ids"])
        if len(packed) == 0:
            return
        begin, end = self._grown(len(packed), file)
        for name, column in packed.dense.items():
            into = self._dense[name][begin:end]
            if name == "pair":
                _recode(column, pairs, into)
            elif name == "msg_type":
                _recode(column, codes["msg_types"].astype(np.int32), into)
            else:
                into[:] = column
        for name, (rows, values) in packed.sparse.items():
            if name in _OF_NAMES:
                values = codes[_OF_NAMES[name]][values]
            self._sparse.setdefault(name, []).append((rows + begin, values))
        for tag, (rows, texts) in packed.extra.items():
            self._extra.setdefault(tag, []).append((rows + begin, texts))

    def _grown(self, size: int, file: int) -> tuple[int, int]:
        """Where as many more rows of a file begin and end."""
        begin, end = self._count, self._count + size
        if end > self._room:
            self.expect(max(size, self._room, _ROWS_MIN))
        if self._files and self._files[-1][0] == file:
            size += self._files.pop()[1]
        self._files.append((file, size))
        self._count = end
        return begin, end

    def frame(
        self, names: Sequence[str], decided: Mapping[Pair, Side], captures: Collection[int] = ()
    ) -> pd.DataFrame:
        """The frame; `captures` are those of the files that are. What was added is used up."""
        book = self.book
        values: dict[str, Any] = self._sides(self._take("pair"), decided)
        values["msg_type"] = _named(self._take("msg_type"), book.msg_types)
        values |= self._times(captures)
        values["msg_seq_num"] = self._take("msg_seq_num")
        for name in SPARSE.values():
            values[name] = self._numbers(name)
        values["orig_sending_time"] = self._spread("orig_sending_time", MISSING, np.int64)
        values["test_req_id"] = self._spread_names("test_req_id", book.test_req_ids)
        values["text"] = self._spread_names("text", book.texts)
        flags = self._take("flags")
        for name, bit in (
            *(("poss_dup", 1), ("poss_resend", 2), ("gap_fill", 4), ("reset", 8)),
            ("secret", SECRET),
        ):
            values[name] = (flags & bit) != 0
        for name, missing in NARROW_MISSING.items():
            values[name] = frames.narrow(self._take(name), missing, MESSAGES[name].dtype)
        defect = self._take("defect")
        values["valid"] = defect == 0
        values["defect"] = categorical(
            defect.astype(np.int8), MESSAGES["defect"].categories or ()
        )
        values["file"] = self._file_column(names)
        values["offset"] = self._take("offset")
        values["length"] = self._take("length")
        frame = frames.build(MESSAGES, values)
        for tag in self._tags:
            rows, texts = self._texts(tag)
            name, column = typed(tag, rows, texts, self._count)
            frame[name] = column
        self._files, self._count, self._room = [], 0, 0
        return frame

    # Columns -------------------------------------------------------------------------------

    def _take(self, name: str) -> npt.NDArray[Any]:
        column = self._dense.pop(name, np.empty(0, KEPT[name]))
        return column[: self._count]

    def _numbers(self, name: str) -> Any:
        """A column of numbers that few rows have; those that lack one take a byte each."""
        missing = np.ones(self._count, np.bool_)
        # Zeros under the mask: memory that was never written is none.
        column = np.zeros(self._count, np.int64)
        for rows, values in self._sparse.pop(name, ()):
            column[rows] = values
            missing[rows] = values == MISSING
        return frames.masked(column, missing, MESSAGES[name].dtype)

    def _times(self, captures: Collection[int]) -> dict[str, Any]:
        time, sending = self._take("time"), self._take("sending_time")
        stamped = time != MISSING
        time_from = np.full(len(time), TIME_SOURCES.index("sending_time"), np.int8)
        time_from[sending == MISSING] = 0
        begin = 0
        for file, count in self._files:
            source = TIME_SOURCES.index("capture" if file in captures else "log")
            rows = slice(begin, begin + count)
            time_from[rows][stamped[rows]] = source
            begin += count
        np.copyto(time, sending, where=~stamped)
        return {
            "time": time,
            "time_from": categorical(time_from, TIME_SOURCES),
            "sending_time": sending,
        }

    def _spread(self, name: str, missing: int, dtype: type[Any]) -> npt.NDArray[Any]:
        column = np.full(self._count, missing, dtype)
        for rows, values in self._sparse.pop(name, ()):
            column[rows] = values
        return column

    def _spread_names(self, name: str, names: Names) -> pd.Categorical:
        return _named(self._spread(name, 0, np.int32), names)

    def _texts(self, tag: int) -> tuple[npt.NDArray[Any], list[bytes]]:
        parts = self._extra.pop(tag, [])
        rows = [rows for rows, _ in parts] or [np.empty(0, np.int32)]
        return np.concatenate(rows), [text for _, texts in parts for text in texts]

    def _file_column(self, names: Sequence[str]) -> pd.Categorical:
        files = np.array([file for file, _ in self._files], np.int32)
        counts = np.array([count for _, count in self._files], np.int64)
        return renamed(np.repeat(files, counts), list(names))

    def _sides(
        self, pair_of_row: npt.NDArray[np.int32], decided: Mapping[Pair, Side]
    ) -> dict[str, pd.Categorical]:
        pairs = self.pairs.pairs
        three = [decided.get(pair, _NO_SIDE) for pair in pairs]
        direction = np.array([_DIRECTIONS.index(side.direction) for side in three], np.int8)
        source = np.array([DIRECTION_SOURCES.index(side.source) for side in three], np.int8)
        return {
            "session": renamed(pair_of_row, [side.session for side in three]),
            "direction": categorical(picked(direction, pair_of_row), _DIRECTIONS),
            "direction_from": categorical(picked(source, pair_of_row), DIRECTION_SOURCES),
            "sender": renamed(pair_of_row, [pair.sender for pair in pairs]),
            "target": renamed(pair_of_row, [pair.target for pair in pairs]),
        }


def _recode(column: npt.NDArray[Any], codes: npt.NDArray[np.int32], into: Any) -> None:
    if np.array_equal(codes, np.arange(len(codes))):
        into[:] = column
    else:
        np.take(codes, column, out=into, mode="clip")


def _named(codes: npt.NDArray[Any], names: Names) -> pd.Categorical:
    return renamed(codes, [text.decode() for text in names.texts])
