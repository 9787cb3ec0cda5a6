"""Journal: the transitions of any number of sessions, kept in typed columns.

New rows wait value by value, which costs a session next to nothing; each few thousand of them
are sealed into one block of NumPy columns. A frame is the blocks put end to end. Strings are
kept per block, so what a hostile peer makes up goes when its rows go.
"""

from __future__ import annotations

import struct
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab import frames
from fixlab.errors import ConfigError
from fixlab.frames import MISSING, TRANSITIONS
from fixlab.redact import escape, mask
from fixlab.session.transitions import Transition

BLOCK_ROWS = 1024  # large enough that NumPy's cost per call vanishes, a pause of 1 ms
STRING_MAX = 1_000  # characters kept of a string: a Text(58) may be as long as a message
HTML_ROWS = 10  # rows that a notebook shows of a journal

_INT64_MAX = int(np.iinfo(np.int64).max)

_NUMBERS = ("time", "step", "next_in_before", "next_in", "next_out_before", "next_out")
_OPTIONAL = ("msg_seq_num", "begin_seq_no", "end_seq_no", "gap")
_CLOSED = ("kind", "state_before", "state")
_OPEN = ("session", "msg_type", "rule")
# Columns of few distinct values: looked up together, since their combinations are few too.
_FEW = (*_CLOSED, *_OPEN, "poss_dup")
_WIDTH = len(Transition._fields)

_CODES = {
    name: {value: code for code, value in enumerate(TRANSITIONS[name].categories or ())}
    for name in _CLOSED
}


class Journal:
    """Collects transitions; `to_frame()` gives them as the `transitions` frame.

    Parameters: `rows_max` bounds the rows kept; the oldest are dropped first and counted in
    `dropped`. None keeps all, at about 100 bytes a row.

    Raises `ConfigError` when `rows_max` is below 1.
    """

    def __init__(self, *, rows_max: int | None = None) -> None:
        if rows_max is not None and rows_max < 1:
            raise ConfigError(f"rows_max must be None or at least 1, found {rows_max}")
        self._rows_max = rows_max
        # Values end to end, not rows: a row that waits as an object is one that the garbage
        # collector visits again and again.
        self._pending: list[Any] = []
        self._blocks: deque[_Block] = deque()
        self._sealed = 0  # rows in the blocks
        self._forgotten = 0  # rows in blocks that the bound let go
        rows = BLOCK_ROWS if rows_max is None else min(BLOCK_ROWS, rows_max)
        self._block_values = rows * _WIDTH

    @property
    def rows_max(self) -> int | None:
        """The most rows kept, or None."""
        return self._rows_max

    @property
    def dropped(self) -> int:
        """How many rows were lost to `rows_max`, oldest first."""
        return self._forgotten + self._stored() - len(self)

    def append(self, transition: Transition) -> None:
        """Add one transition."""
        self.extend((transition,))

    def extend(self, transitions: Iterable[Transition]) -> None:
        """Add transitions, in the order in which they came about."""
        pending = self._pending
        for transition in transitions:
            pending += transition
        if len(pending) >= self._block_values:
            self._seal()

    def to_frame(self) -> pd.DataFrame:
        """All rows that are kept, as a frame of schema `transitions`; the frame is yours."""
        return self.tail(len(self))

    def tail(self, n: int = HTML_ROWS) -> pd.DataFrame:
        """The last `n` rows, fewer when there are fewer, as a frame of schema `transitions`.

        Costs by `n`, not by the length of the journal. Raises `ConfigError` when `n` is
        negative.
        """
        if n < 0:
            raise ConfigError(f"n must be at least 0, found {n}")
        wanted = min(n, len(self))
        start = len(self) - wanted
        blocks: list[_Block] = []
        pending = self._pending[max(len(self._pending) - wanted * _WIDTH, 0) :]
        if pending and wanted:
            blocks.append(_Block.of(pending))
            wanted -= len(pending) // _WIDTH
        for block in reversed(self._blocks):
            if wanted <= 0:
                break
            blocks.append(block.last(wanted))
            wanted -= len(blocks[-1])
        if not blocks:
            return frames.empty(TRANSITIONS)
        blocks.reverse()
        frame = _joined(blocks)
        frame.index = pd.RangeIndex(start, start + len(frame))
        return frame

    def __len__(self) -> int:
        stored = self._stored()
        return stored if self._rows_max is None else min(stored, self._rows_max)

    def __bool__(self) -> bool:
        return True  # a journal without rows is still a journal: `journal or Journal()`

    def __repr__(self) -> str:
        if self._rows_max is None:
            return f"Journal({len(self):,} rows)"
        return (
            f"Journal({len(self):,} rows, {self.dropped:,} dropped, "
            f"rows_max={self._rows_max:,})"
        )

    def _repr_html_(self) -> str:
        columns = TRANSITIONS.names
        head = "".join(f"<th>{name}</th>" for name in columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{_shown(cell)}</td>" for cell in row) + "</tr>"
            for row in self.tail().itertuples(index=False)
        )
        return (
            f"<p>{escape(repr(self))}; the last {min(len(self), HTML_ROWS)}:</p>"
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        )

    def _stored(self) -> int:
        return self._sealed + len(self._pending) // _WIDTH

    def _seal(self) -> None:
        """Turn what waits into blocks, and let go of blocks that the bound has passed."""
        size = self._block_values
        whole = len(self._pending) - len(self._pending) % size
        for start in range(0, whole, size):
            self._blocks.append(_Block.of(self._pending[start : start + size]))
        del self._pending[:whole]
        self._sealed += whole // _WIDTH
        if self._rows_max is None:
            return
        while self._blocks and self._stored() - len(self._blocks[0]) >= self._rows_max:
            gone = len(self._blocks.popleft())
            self._sealed -= gone
            self._forgotten += gone


@dataclass(frozen=True, slots=True)
class _Block:
    """Rows as columns. A column that is missing throughout is None and costs nothing."""

    rows: int
    numbers: dict[str, npt.NDArray[np.int64] | None]
    codes: dict[str, npt.NDArray[np.int32]]
    categories: dict[str, list[str]]  # of the open sets, in order of occurrence
    poss_dup: npt.NDArray[np.bool_]
    text: npt.NDArray[np.object_] | None

    def __len__(self) -> int:
        return self.rows

    @classmethod
    def of(cls, values: Sequence[Any]) -> _Block:
        """A block of the values of whole transitions, end to end."""
        rows = len(values) // _WIDTH
        columns = {name: values[at::_WIDTH] for at, name in enumerate(Transition._fields)}
        # Most of the few-valued columns hold one value throughout. For the others, one pass
        # gives each new combination the next code and looks the rest up.
        first = {name: columns[name][0] for name in _FEW}
        varying = [name for name in _FEW if columns[name].count(first[name]) < rows]
        table: defaultdict[Any, int] = defaultdict(count().__next__)
        keys = zip(*(columns[name] for name in varying), strict=True)
        which = np.fromiter(map(table.__getitem__, keys), np.intp)
        distinct = {name: (value,) for name, value in first.items()}
        distinct |= zip(varying, zip(*table, strict=True), strict=True)

        def spread(values: Sequence[int], dtype: type) -> npt.NDArray[Any]:
            if len(values) == 1:
                return np.full(rows, values[0], dtype)
            return np.array(values, dtype)[which]

        numbers: dict[str, npt.NDArray[np.int64] | None] = {
            name: _integers(columns[name]) for name in _NUMBERS
        }
        numbers |= {name: _optional(columns[name]) for name in _OPTIONAL}
        codes = {}
        categories = {}
        for name in _CLOSED:
            known = _CODES[name]
            codes[name] = spread([known[value] for value in distinct[name]], np.int32)
        for name in _OPEN:
            shown = [_clipped(value) for value in distinct[name]]
            found = {value: code for code, value in enumerate(dict.fromkeys(shown))}
            codes[name] = spread([found[value] for value in shown], np.int32)
            categories[name] = list(found)
        poss_dup = spread(distinct["poss_dup"], np.bool_)
        return cls(rows, numbers, codes, categories, poss_dup, _texts(columns["text"]))

    def last(self, n: int) -> _Block:
        if n >= self.rows:
            return self
        start = self.rows - n
        return _Block(
            n,
            {k: None if v is None else v[start:] for k, v in self.numbers.items()},
            {k: v[start:] for k, v in self.codes.items()},
            self.categories,
            self.poss_dup[start:],
            None if self.text is None else self.text[start:],
        )


def _integers(values: Sequence[int]) -> npt.NDArray[np.int64]:
    layout = f"{len(values)}q"
    try:
        packed = struct.pack(layout, *values)  # twice as fast as NumPy takes them
    except struct.error:
        # SEQ-16: a peer may write any number of digits; the far end of int64 is far enough.
        packed = struct.pack(layout, *[min(max(v, MISSING), _INT64_MAX) for v in values])
    return np.frombuffer(packed, np.int64)


def _optional(values: Sequence[int | None]) -> npt.NDArray[np.int64] | None:
    missing = values.count(None)
    if missing == len(values):
        return None
    if missing == 0:
        return _integers(cast(Sequence[int], values))
    return _integers([MISSING if value is None else value for value in values])


def _texts(values: Sequence[str]) -> npt.NDArray[np.object_] | None:
    if values.count("") == len(values):
        return None
    texts = np.empty(len(values), np.object_)
    # LGN-26: a text may quote a field with a secret; it is hidden before anything can show it.
    texts[:] = [_clipped(mask(text) if "=" in text else text) for text in values]
    return texts


def _clipped(text: str) -> str:
    return text if len(text) <= STRING_MAX else f"{text[: STRING_MAX - 1]}…"


def _joined(blocks: Sequence[_Block]) -> pd.DataFrame:
    values: dict[str, Any] = {
        name: _stacked([block.numbers[name] for block in blocks], blocks)
        for name in (*_NUMBERS, *_OPTIONAL)
    }
    for name in _CLOSED:
        codes = np.concatenate([block.codes[name] for block in blocks])
        values[name] = frames.categorical(codes, TRANSITIONS[name].categories or ())
    for name in _OPEN:
        values[name] = _merged(name, blocks)
    values["poss_dup"] = np.concatenate([block.poss_dup for block in blocks])
    values["text"] = np.concatenate(
        [np.full(len(b), "", np.object_) if b.text is None else b.text for b in blocks]
    )
    return frames.build(TRANSITIONS, values)


def _stacked(
    parts: Sequence[npt.NDArray[np.int64] | None], blocks: Sequence[_Block]
) -> npt.NDArray[np.int64]:
    whole = np.empty(sum(map(len, blocks)), np.int64)
    position = 0
    for part, block in zip(parts, blocks, strict=True):
        whole[position : position + len(block)] = MISSING if part is None else part
        position += len(block)
    return whole


def _merged(name: str, blocks: Sequence[_Block]) -> pd.Categorical:
    """One categorical out of the blocks' own codes: categories that occur, sorted."""
    union = sorted(set().union(*(block.categories[name] for block in blocks)))
    position = {value: code for code, value in enumerate(union)}
    codes = np.concatenate(
        [
            np.array([position[value] for value in block.categories[name]], np.int32)[
                block.codes[name]
            ]
            for block in blocks
        ]
    )
    occurs = np.zeros(len(union), np.bool_)
    occurs[codes] = True
    if not occurs.all():
        # A block of which only the end is wanted knows values that are no longer there.
        codes = (np.cumsum(occurs) - 1)[codes]
        union = [value for value, kept in zip(union, occurs, strict=True) if kept]
    return frames.categorical(codes, union)


def _shown(cell: object) -> str:
    return "" if cell is pd.NA else escape(str(cell))
