"""From blocks of rows to one `messages` frame, column by column.

Blocks are let go of as soon as their column is part of the frame, so that both never stand in
memory at once.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
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
    narrowest,
    renamed,
)
from fixlab.logs._columns import DENSE, NARROW_MISSING, SECRET, SPARSE, Block, Book
from fixlab.logs._names import Names
from fixlab.logs._sides import Pair, Seen, Side, sides
from fixlab.logs._tags import typed

_DIRECTIONS = MESSAGES["direction"].categories or ()
_LAGS_MAX = 10_000  # rows of a pair whose lags are looked at
_DENSE_KEYS_MAX = 1 << 22  # combinations that a table is made for


class Rows:
    """Blocks of any number of files, until they become a frame."""

    def __init__(self, book: Book, tags: Sequence[int] = ()) -> None:
        self.book = book
        self._tags = tuple(tags)
        self._dense: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in DENSE}
        self._sparse: dict[str, list[tuple[npt.NDArray[Any], npt.NDArray[Any]]]] = {}
        self._extra: dict[int, list[tuple[npt.NDArray[Any], list[bytes]]]] = {}
        self._files: list[tuple[int, int]] = []  # file, rows
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, block: Block, file: int) -> None:
        """Rows that follow those before."""
        if len(block) == 0:
            return
        for name, column in block.dense.items():
            self._dense[name].append(column)
        for name, (rows, values) in block.sparse.items():
            self._sparse.setdefault(name, []).append((rows + self._count, values))
        for tag, (rows, texts) in block.extra.items():
            self._extra.setdefault(tag, []).append((rows + self._count, texts))
        if self._files and self._files[-1][0] == file:
            self._files[-1] = (file, self._files[-1][1] + len(block))
        else:
            self._files.append((file, len(block)))
        self._count += len(block)

    def frame(
        self, names: Sequence[str], ours: Collection[str], time_source: str = "log"
    ) -> tuple[pd.DataFrame, dict[Pair, tuple[Seen, Side]]]:
        """The frame, and what was seen of each pair. What was added is used up."""
        pair_of_row, pairs = self._pairs()
        found = self._seen(pair_of_row, pairs)
        decided = sides(found, ours, names)
        values: dict[str, Any] = self._sides(pair_of_row, pairs, decided)
        del pair_of_row
        book = self.book
        values["sender"] = _named(self._take("sender"), book.comp_ids)
        values["target"] = _named(self._take("target"), book.comp_ids)
        values["msg_type"] = _named(self._take("msg_type"), book.msg_types)
        self._dense["begin"].clear()
        self._dense["mark"].clear()
        values |= self._times(time_source)
        values["msg_seq_num"] = self._take("msg_seq_num")
        for name in (*SPARSE.values(), "orig_sending_time"):
            values[name] = self._spread(name, MISSING, np.int64)
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
        return frame, {pair: (found[pair], decided[pair]) for pair in found}

    # Columns -------------------------------------------------------------------------------

    def _take(self, name: str) -> npt.NDArray[Any]:
        parts = self._dense[name]
        whole = np.concatenate(parts) if parts else np.empty(0, DENSE[name])
        parts.clear()
        return whole

    def _times(self, source: str) -> dict[str, Any]:
        time, sending = self._take("time"), self._take("sending_time")
        stamped = time != MISSING
        time_from = np.full(len(time), TIME_SOURCES.index("sending_time"), np.int8)
        time_from[sending == MISSING] = 0
        time_from[stamped] = TIME_SOURCES.index(source)
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

    # Pairs ---------------------------------------------------------------------------------

    def _pairs(self) -> tuple[npt.NDArray[np.int32], list[Pair]]:
        """For each row the position of its pair; the pairs stand in order of occurrence."""
        book = self.book
        width = len(book.comp_ids.texts)
        pair_of_row = np.empty(self._count, np.int32)
        known: dict[int, int] = {}
        size = len(book.begins.texts) * width * width
        table = np.full(size, -1, np.int32) if size <= _DENSE_KEYS_MAX else None
        at = 0
        parts = (self._dense[name] for name in ("begin", "sender", "target"))
        for begin, sender, target in zip(*parts, strict=True):
            key = (begin.astype(np.int64) * width + sender) * width + target
            out = pair_of_row[at : at + len(key)]
            at += len(key)
            if table is not None:
                out[:] = table[key]
                while len(new := np.flatnonzero(out < 0)):
                    first = int(key[new[0]])
                    table[first] = known.setdefault(first, len(known))
                    out[new] = table[key[new]]
            else:
                distinct, where, which = np.unique(key, return_index=True, return_inverse=True)
                for i in np.argsort(where):
                    known.setdefault(int(distinct[i]), len(known))
                codes = [known[int(each)] for each in distinct]
                out[:] = np.array(codes, np.int32)[which]
        texts = [text.decode() for text in book.comp_ids.texts]
        begins = [text.decode() for text in book.begins.texts]
        pairs = [
            Pair(
                begins[key // width // width],
                texts[key // width % width],
                texts[key % width],
            )
            for key in known
        ]
        return pair_of_row, pairs

    def _seen(
        self, pair_of_row: npt.NDArray[np.int32], pairs: Sequence[Pair]
    ) -> dict[Pair, Seen]:
        count = len(pairs)
        rows = np.bincount(pair_of_row, minlength=count)
        marks = np.zeros((3, count), np.int64)
        at = 0
        for mark in self._dense["mark"]:
            part = pair_of_row[at : at + len(mark)]
            at += len(mark)
            for way in (1, 2):
                if (chosen := mark == way).any():
                    marks[way] += np.bincount(part[chosen], minlength=count)
        seen = {
            pair: Seen(int(rows[i]), int(marks[1, i]), int(marks[2, i]))
            for i, pair in enumerate(pairs)
        }
        if count <= 256:
            self._lags(pair_of_row, list(seen.values()))
        return seen

    def _lags(self, pair_of_row: npt.NDArray[np.int32], seen: Sequence[Seen]) -> None:
        lags: list[list[npt.NDArray[np.int64]]] = [[] for _ in seen]
        counts = [0] * len(seen)
        at = 0
        for time, sending in zip(self._dense["time"], self._dense["sending_time"], strict=True):
            part = pair_of_row[at : at + len(time)]
            at += len(time)
            if min(counts, default=0) >= _LAGS_MAX:
                break
            good = (time != MISSING) & (sending != MISSING)
            if not good.any():
                continue
            lag, part = time[good] - sending[good], part[good]
            for i in np.unique(part):
                if counts[i] < _LAGS_MAX:
                    lags[i].append(lag[part == i])
                    counts[i] += len(lags[i][-1])
        for one, parts in zip(seen, lags, strict=True):
            if parts:
                all_lags = np.concatenate(parts)
                one.lag = int(np.median(all_lags))
                one.spread = int(np.median(np.abs(all_lags - one.lag)))

    def _sides(
        self,
        pair_of_row: npt.NDArray[np.int32],
        pairs: Sequence[Pair],
        decided: dict[Pair, Side],
    ) -> dict[str, pd.Categorical]:
        names = sorted({side.session for side in decided.values()})
        place = {name: i for i, name in enumerate(names)}
        three = [decided[pair] for pair in pairs]
        session = np.array([place[side.session] for side in three], narrowest(len(names)))
        direction = np.array([_DIRECTIONS.index(side.direction) for side in three], np.int8)
        source = np.array([DIRECTION_SOURCES.index(side.source) for side in three], np.int8)
        return {
            "session": categorical(session[pair_of_row], names),
            "direction": categorical(direction[pair_of_row], _DIRECTIONS),
            "direction_from": categorical(source[pair_of_row], DIRECTION_SOURCES),
        }


def _named(codes: npt.NDArray[Any], names: Names) -> pd.Categorical:
    return renamed(codes, [text.decode() for text in names.texts])
