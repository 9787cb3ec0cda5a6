"""Link: bytes arrive late, in pieces and in order; only a cut loses them."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixlab.sim.link import Arrival, Link

MILLISECOND = 1_000_000
DATA = b"8=FIX.4.4|9=5|35=0|10=161|"


def link(seed: int = 1, *, pieces_max: int = 3) -> Link:
    return Link(Random(seed), delay_seconds=0.01, pieces_max=pieces_max)


def drained(one: Link) -> list[Arrival]:
    arrivals = []
    while one.next_arrival is not None:
        arrivals.append(one.take())
    return arrivals


def test_nothing_is_in_flight_at_first() -> None:
    assert link().next_arrival is None


def test_data_arrives_between_half_and_one_and_a_half_times_the_delay() -> None:
    for seed in range(50):
        one = link(seed)
        one.write(DATA, 1_000)
        arrivals = drained(one)
        assert b"".join(a.data or b"" for a in arrivals) == DATA
        for arrival in arrivals:
            assert 5 * MILLISECOND <= arrival.time - 1_000 <= 15 * MILLISECOND
            assert (arrival.time - 1_000) % MILLISECOND == 0


def test_data_is_cut_into_several_pieces_at_times_and_never_into_more_than_allowed() -> None:
    counts = set()
    for seed in range(50):
        one = link(seed)
        one.write(DATA, 0)
        counts.add(len(drained(one)))
    assert counts == {1, 2, 3}


def test_one_piece_is_the_whole() -> None:
    one = link(pieces_max=1)
    one.write(DATA, 0)
    assert [arrival.data for arrival in drained(one)] == [DATA]


def test_the_end_of_the_stream_comes_behind_what_is_in_flight() -> None:
    one = link()
    one.write(DATA, 0)
    one.close(0)
    arrivals = drained(one)
    assert arrivals[-1].data is None
    assert all(arrival.data for arrival in arrivals[:-1])


def test_a_cut_loses_what_is_in_flight_and_says_how_much() -> None:
    one = link()
    one.write(DATA, 0)
    one.close(0)
    assert one.cut() == len(DATA)
    assert one.next_arrival is None
    assert one.cut() == 0


def test_a_very_short_delay_still_takes_time() -> None:
    # Otherwise two ends could answer each other for ever without the clock moving.
    one = Link(Random(1), delay_seconds=1e-9)
    one.write(b"x", 7)
    assert one.next_arrival == 8


@given(
    st.integers(0, 1_000),
    st.lists(st.tuples(st.binary(min_size=1, max_size=40), st.integers(0, 20)), max_size=20),
)
def test_the_stream_arrives_whole_and_in_order(
    seed: int, writes: list[tuple[bytes, int]]
) -> None:
    one = link(seed)
    now = 0
    for data, milliseconds in writes:
        now += milliseconds * MILLISECOND
        one.write(data, now)
    arrivals = drained(one)
    assert b"".join(a.data or b"" for a in arrivals) == b"".join(data for data, _ in writes)
    assert [a.time for a in arrivals] == sorted(a.time for a in arrivals)


@pytest.mark.parametrize("seed", [0, 9])
def test_the_same_seed_gives_the_same_arrivals(seed: int) -> None:
    one, other = link(seed), link(seed)
    for each in (one, other):
        each.write(DATA, 0)
        each.write(DATA, 5 * MILLISECOND)
    assert drained(one) == drained(other)
