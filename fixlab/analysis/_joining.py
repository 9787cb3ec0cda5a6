"""Rows of two logs that are one message: joins on whole columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Ints = npt.NDArray[np.int64]


def codes_of(first: Sequence[Any], second: Sequence[Any]) -> tuple[Ints, Ints]:
    """One code for each row of two tables: equal where all of the columns are equal."""
    code, split = np.zeros(len(first[0]) + len(second[0]), np.int64), len(first[0])
    for one, other in zip(first, second, strict=True):
        values, distinct = pd.factorize(np.concatenate([one, other]), use_na_sentinel=False)
        # Numbered anew at each column, so that the products stay far from overflowing.
        code, _ = pd.factorize(code * max(len(distinct), 1) + values)
    return code[:split], code[split:]


def paired(first: Ints, second: Ints) -> tuple[Ints, Ints]:
    """Positions of rows with equal codes: the k-th of the one with the k-th of the other."""
    keys = codes_of([first, nth(first)], [second, nth(second)])
    order, other = np.argsort(keys[0], kind="stable"), np.argsort(keys[1], kind="stable")
    _, at, there = np.intersect1d(
        keys[0][order], keys[1][other], assume_unique=True, return_indices=True
    )
    return order[at], other[there]


def nth(code: Ints) -> Ints:
    """Which occurrence of its code each row is, from 0."""
    order = np.argsort(code, kind="stable")
    ordered = code[order]
    starts = np.r_[True, ordered[1:] != ordered[:-1]] if len(ordered) else np.zeros(0, bool)
    begin = np.maximum.accumulate(np.where(starts, np.arange(len(ordered)), 0))
    nth = np.empty(len(ordered), np.int64)
    nth[order] = np.arange(len(ordered)) - begin
    return nth
