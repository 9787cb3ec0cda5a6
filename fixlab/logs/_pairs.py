"""Pairs of CompIDs, and what the blocks of a log show of each, counted as they come."""

from __future__ import annotations

from dataclasses import fields
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fixlab.logs._columns import Block, Book
from fixlab.logs._names import OVERFLOW
from fixlab.logs._sides import Pair, Seen
from fixlab.logs._style import IN, OUT
from fixlab.vocabulary import MISSING

# Columns of a block that say no more than its pairs do.
OF_PAIRS = ("begin", "sender", "target", "mark")
_LAGS_MAX = 2_000  # of a pair that are looked at: the first
LAGGED_MAX = 256  # pairs of which that is done
PAIRS_MAX = 1 << 16  # a peer may make up any number of CompIDs
_WIDTH = 20  # bits of a code
# All but what the lags tell is a number of messages.
COUNTED = tuple(each.name for each in fields(Seen) if each.name not in ("lag", "spread"))
_NO_LAGS = np.empty(0, np.int64)


class Counts(NamedTuple):
    """What part of a log shows of its pairs, in order of occurrence, as arrays."""

    keys: npt.NDArray[np.int64]  # of codes in the book of that part
    numbers: dict[str, npt.NDArray[np.int64]]  # what `Seen` counts
    lags: list[npt.NDArray[np.int64]]


class Pairs:
    """Pairs in order of occurrence, as small integers.

    `lagged_max`: the lags of as many pairs are noted; a part of a log does not know which ones
    stand first in all of it, and notes them all.
    """

    def __init__(self, book: Book, lagged_max: int = LAGGED_MAX) -> None:
        self.pairs: list[Pair] = []
        self.overflowed = False  # the last pair then stands for all that are too many
        self._book = book
        self._lagged_max = lagged_max
        self._key_of: list[int] = []
        self._keys = np.empty(0, np.int64)  # sorted
        self._codes = np.empty(0, np.int32)
        self._seen: list[Seen] = []
        self._lags: list[list[npt.NDArray[np.int64]]] = []

    def add(self, block: Block) -> npt.NDArray[np.int32]:
        """The pair of each row."""
        begin, sender, target = (block.dense[name] for name in OF_PAIRS[:3])
        key = (begin.astype(np.int64) << 2 * _WIDTH) | (sender.astype(np.int64) << _WIDTH)
        key |= target
        codes = self._found(key)
        counts = np.bincount(codes, minlength=len(self.pairs))
        odd = block.dense["defect"] != 0
        damaged = np.bincount(codes[odd], minlength=len(self.pairs)) if odd.any() else None
        mark = block.dense["mark"]
        marked = [
            np.bincount(codes[mark == way], minlength=len(self.pairs))
            if (mark == way).any()
            else None
            for way in (IN, OUT)
        ]
        for code in np.flatnonzero(counts).tolist():
            seen = self._seen[code]
            seen.rows += int(counts[code])
            seen.sound += int(counts[code] if damaged is None else counts[code] - damaged[code])
            if marked[0] is not None:
                seen.marked_in += int(marked[0][code])
            if marked[1] is not None:
                seen.marked_out += int(marked[1][code])
        self._note_lags(block, codes)
        return codes

    def counts(self) -> Counts:
        """What was seen so far, for the pairs of a larger part to take in."""
        return Counts(
            np.array(self._key_of, np.int64),
            {
                name: np.array([getattr(seen, name) for seen in self._seen], np.int64)
                for name in COUNTED
            },
            [np.concatenate([_NO_LAGS, *parts])[:_LAGS_MAX] for parts in self._lags],
        )

    def take(
        self,
        counts: Counts,
        begins: npt.NDArray[np.int64],
        comp_ids: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.int32]:
        """Take in what follows; the code here of each pair there.

        `begins` and `comp_ids` are the codes here of the codes there.
        """
        if len(counts.keys) == 0:
            return np.empty(0, np.int32)
        mask = (1 << _WIDTH) - 1
        begin = begins[counts.keys >> 2 * _WIDTH]
        sender, target = comp_ids[counts.keys >> _WIDTH & mask], comp_ids[counts.keys & mask]
        codes = self._found(begin << 2 * _WIDTH | sender << _WIDTH | target)
        for name, column in counts.numbers.items():
            for code, count in zip(codes.tolist(), column.tolist(), strict=True):
                seen = self._seen[code]
                setattr(seen, name, getattr(seen, name) + count)
        for i, code in enumerate(codes.tolist()):
            if code < len(self._lags) and len(lags := counts.lags[i]):
                parts = self._lags[code]
                if sum(map(len, parts)) < _LAGS_MAX:
                    parts.append(lags)
        return codes

    def seen(self) -> dict[Pair, Seen]:
        """What was seen of each pair, so far."""
        for seen, parts in zip(self._seen, self._lags, strict=False):
            if parts:
                lags = np.concatenate(parts)[:_LAGS_MAX]
                seen.lag = int(np.median(lags))
                seen.spread = int(np.median(np.abs(lags - seen.lag)))
        # Texts that were too many to keep are all the same pair.
        found: dict[Pair, Seen] = {}
        for pair, seen in zip(self.pairs, self._seen, strict=True):
            found.setdefault(pair, seen)
        return found

    def _found(self, key: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        if len(self._keys):
            place = np.searchsorted(self._keys, key)
            np.minimum(place, len(self._keys) - 1, out=place)
            if (self._keys[place] == key).all():
                return self._codes[place]
            new = key[self._keys[place] != key]
        else:
            new = key
        distinct, where = np.unique(new, return_index=True)
        fresh = distinct[np.argsort(where)]
        fresh = fresh[: max(PAIRS_MAX - len(self.pairs), 0)]
        codes = np.arange(len(self.pairs), len(self.pairs) + len(fresh), dtype=np.int32)
        for each in fresh.tolist():
            self._learn(each)
        keys = np.concatenate([self._keys, fresh])
        order = np.argsort(keys)
        self._keys, self._codes = keys[order], np.concatenate([self._codes, codes])[order]
        place = np.searchsorted(self._keys, key)
        np.minimum(place, len(self._keys) - 1, out=place)
        known = self._keys[place] == key
        if known.all():
            return self._codes[place]
        if not self.overflowed:
            self.overflowed = True
            one = self._book.comp_ids.adopt(OVERFLOW)
            self._append(one << _WIDTH | one, Pair("", OVERFLOW.decode(), OVERFLOW.decode()))
        return np.where(known, self._codes[place], len(self.pairs) - 1).astype(np.int32)

    def _learn(self, key: int) -> None:
        mask = (1 << _WIDTH) - 1
        names = self._book.comp_ids.texts
        begin = self._book.begins.texts[key >> 2 * _WIDTH].decode()
        sender, target = names[key >> _WIDTH & mask].decode(), names[key & mask].decode()
        self._append(key, Pair(begin, sender, target))

    def _append(self, key: int, pair: Pair) -> None:
        self._key_of.append(key)
        self.pairs.append(pair)
        self._seen.append(Seen())
        if len(self._lags) < self._lagged_max:
            self._lags.append([])

    def _note_lags(self, block: Block, codes: npt.NDArray[np.int32]) -> None:
        time, sending = block.dense["time"], block.dense["sending_time"]
        wanted = np.zeros(len(self.pairs), np.bool_)
        wanted[: len(self._lags)] = [sum(map(len, parts)) < _LAGS_MAX for parts in self._lags]
        good = wanted[codes] & (time != MISSING) & (sending != MISSING)
        if not good.any():
            return
        lags, codes = (time - sending)[good], codes[good]
        # By pair, each in order; only as many pairs as occur here cost anything.
        order = np.argsort(codes, kind="stable")
        lags, codes = lags[order], codes[order]
        for part in np.split(np.arange(len(codes)), np.flatnonzero(np.diff(codes)) + 1):
            self._lags[int(codes[part[0]])].append(lags[part[:_LAGS_MAX]])
