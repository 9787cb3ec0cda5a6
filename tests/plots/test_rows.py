"""What the sheets ask of many rows at once, against the same in plain Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixlab.frames import MISSING
from fixlab.plots._resends import _joined
from fixlab.plots._rows import Strip, _sliced, firsts, foremost, paired

SMALL = st.integers(-2, 3)
ANY = st.one_of(SMALL, st.integers(-(2**62), 2**62), st.just(MISSING))


def ordinals(rows: list[Any]) -> list[int]:
    order = list(dict.fromkeys(rows))
    return [order.index(row) for row in rows]


@given(st.lists(st.tuples(ANY, SMALL, ANY), max_size=30), st.booleans())
@settings(max_examples=80)
def test_rows_alike_have_one_ordinal(rows: list[tuple[int, int, int]], ordered: bool) -> None:
    rows = sorted(rows) if ordered else rows
    columns = np.array(rows, np.int64).reshape(-1, 3).T
    found = paired(*columns)
    assert found.tolist() == ordinals(rows)
    assert firsts(found).tolist() == [rows.index(row) for row in dict.fromkeys(rows)]


@given(st.lists(st.tuples(st.booleans(), SMALL, ANY), min_size=1), st.integers(1, 12))
@settings(max_examples=80)
def test_the_foremost_are_those_that_a_sort_puts_first(
    rows: list[tuple[bool, int, int]], count: int
) -> None:
    columns = [np.array(column) for column in zip(*rows, strict=True)]

    def key(column: np.ndarray[Any, Any]) -> Callable[[Any], Any]:
        return lambda at: column[at]

    found = foremost(count, len(rows), *(key(column) for column in columns))
    ranked = sorted(range(len(rows)), key=lambda i: rows[i])
    assert found.tolist() == sorted(ranked[:count])


@given(st.lists(st.integers(0, 12), max_size=20), st.booleans())
@settings(max_examples=80)
def test_a_request_joins_the_one_that_covers_it_and_so_on(
    covers: list[int], gapless: bool
) -> None:
    request = [7 + i * (1 if gapless else 2) for i in range(len(covers))]
    covered = [
        request[c] if c < i else (3 if c == 12 else MISSING) for i, c in enumerate(covers)
    ]
    due: list[int] = []
    for i, number in enumerate(covered):
        due.append(due[request.index(number)] if number in request[:i] else 100 + i)
    arrays = [np.array(each, np.int64) for each in (request, covered)]
    assert _joined(np.arange(len(covers)) + 100, *arrays).tolist() == due


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 2, 0, 3, 1]])
def test_a_strip_counts_each_time_once_and_none_that_is_missing(order: list[int]) -> None:
    times, amounts = np.array([MISSING, 10, 19, 20, 40]), np.array([1, 2, 4, 8, 16])
    strip = Strip("", times[order], [("", amounts[order]), ("", np.zeros(5, np.int64))])
    sums = _sliced(strip, np.array([10, 20, 30, 40]))
    assert [each.tolist() for each in sums] == [[6, 8, 16], [0, 0, 0]]
