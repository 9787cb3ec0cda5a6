"""Rows of a part of a log as they travel: columns, and the texts that their codes stand for.

Whoever reads a part in another process packs it so, without pandas; `Rows.join` puts parts
together again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fixlab.logs._columns import DENSE, Block, Book
from fixlab.logs._pairs import OF_PAIRS, PAIRS_MAX, Counts, Pairs

# What is kept of a block's columns, and the pair of each row instead of the rest.
KEPT = {name: dtype for name, dtype in DENSE.items() if name not in OF_PAIRS}
KEPT["pair"] = np.int32

Sparse = tuple[npt.NDArray[Any], npt.NDArray[Any]]


@dataclass(slots=True)
class Packed:
    """Columns of some rows. Codes are places in `texts`; rows count from 0."""

    dense: dict[str, npt.NDArray[Any]]
    sparse: dict[str, Sparse]
    extra: dict[int, tuple[npt.NDArray[Any], list[bytes]]]
    texts: dict[str, list[bytes]]
    pairs: Counts
    overflowed: bool  # there were more distinct texts than are kept

    def __len__(self) -> int:
        return len(self.dense["offset"])


class Packer:
    """Takes the blocks of one part, in order."""

    def __init__(self, tags: Sequence[int]) -> None:
        self.book = Book()
        self._pairs = Pairs(self.book, PAIRS_MAX)
        self._tags = tags
        self._blocks: list[Block] = []
        self._pair: list[npt.NDArray[np.int32]] = []

    def add(self, block: Block) -> None:
        """Rows that follow those before."""
        if len(block):
            self._pair.append(self._pairs.add(block))
            self._blocks.append(block)

    def packed(self) -> Packed:
        """All of them."""
        blocks, book = self._blocks, self.book
        dense = {
            name: _joined([block.dense[name] for block in blocks], dtype)
            for name, dtype in KEPT.items()
            if name != "pair"
        }
        dense["pair"] = _joined(self._pair, np.int32)
        starts = np.cumsum([0, *map(len, blocks)])[:-1].tolist()
        sparse: dict[str, Sparse] = {}
        for name in dict.fromkeys(name for block in blocks for name in block.sparse):
            rows, values = zip(
                *(
                    (block.sparse[name][0] + start, block.sparse[name][1])
                    for block, start in zip(blocks, starts, strict=True)
                    if name in block.sparse
                ),
                strict=True,
            )
            sparse[name] = np.concatenate(rows), np.concatenate(values)
        extra = {}
        for tag in self._tags:
            parts = [
                (block.extra[tag], start)
                for block, start in zip(blocks, starts, strict=True)
                if tag in block.extra
            ]
            extra[tag] = (
                _joined([rows + start for (rows, _), start in parts], np.int32),
                [text for (_, texts), _ in parts for text in texts],
            )
        return Packed(
            dense,
            sparse,
            extra,
            {name: names.texts for name, names in book.by_name.items()},
            self._pairs.counts(),
            self._pairs.overflowed or book.full,
        )


def _joined(parts: Sequence[npt.NDArray[Any]], dtype: Any) -> npt.NDArray[Any]:
    if len(parts) == 1:
        return parts[0].astype(dtype, copy=False)
    return np.concatenate([np.empty(0, dtype), *parts])
