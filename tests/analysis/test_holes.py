from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fixlab.analysis._holes import Hole, Holes, Ranges

RANGES = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 6)), max_size=20)


@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 40), st.integers(0, 6))))
def test_holes_are_a_set_of_numbers(steps: list[tuple[bool, int, int]]) -> None:
    holes, model = Holes(), set[int]()
    for add, begin, length in steps:
        end, numbers = begin + length, set(range(begin, begin + length + 1))
        assert holes.count_in(begin, end) == len(model & numbers)
        inside = holes.inside(begin, end)
        assert {n for h in inside for n in range(h.begin, h.end + 1)} == model & numbers
        if add and not model & numbers:
            holes.add(Hole(begin, end, asked=False, connection=0))
            model |= numbers
        elif not add:
            taken = holes.take(begin, end)
            assert {n for h in taken for n in range(h.begin, h.end + 1)} == model & numbers
            model -= numbers
        assert holes.count == len(model)
        assert bool(holes) == bool(model)
        if model:
            assert (holes.first, holes.last) == (min(model), max(model))


@given(ranges=RANGES, begin=st.integers(0, 40), length=st.integers(0, 6))
def test_ranges_touch_what_shares_a_number(
    ranges: list[tuple[int, int]], begin: int, length: int
) -> None:
    spans = [(low, low + size) for low, size in ranges]
    expected = any(low <= begin + length and begin <= high for low, high in spans)
    assert Ranges(spans).touch(begin, begin + length) == expected
