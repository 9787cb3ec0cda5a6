"""FaultyLink: what becomes of a write, and when."""

import pytest

from fixlab.faults import FaultyLink, LinkFaults, Passage, Piece
from fixlab.faults.dice import Dice
from fixlab.times import NANOSECONDS

NOW = 1_000 * NANOSECONDS


def link(seed: int = 0, **faults: object) -> FaultyLink:
    return FaultyLink(LinkFaults(**faults), Dice(seed, "BUY", "link"))  # type: ignore[arg-type]


def test_without_faults_a_write_passes_at_once_and_whole() -> None:
    assert link().write(b"abc", NOW) == Passage((Piece(NOW, b"abc"),))
    assert link().rest(NOW) == Passage()


def test_a_delay_holds_up_all_that_follows() -> None:
    made = link(delay=[2], delay_seconds=5)
    times = [made.write(b"x", NOW + n).pieces[0].time for n in range(4)]
    assert times[0] == NOW
    assert NOW + 1 < times[1] < NOW + 1 + 5 * NANOSECONDS
    assert times[1] == times[2] == times[3]
    assert made.write(b"x", times[3] + 1).pieces[0].time == times[3] + 1


def test_jitter_touches_every_write_and_keeps_the_order() -> None:
    made = link(jitter_seconds=1)
    times = [made.write(b"x", NOW).pieces[0].time for _ in range(50)]
    assert times == sorted(times)
    assert len(set(times)) == 50
    assert times[0] - NOW < NANOSECONDS


def test_a_stall_lasts_as_long_as_it_says() -> None:
    made = link(stall=[1], stall_seconds=45)
    for _ in range(2):
        assert made.write(b"x", NOW).pieces[0].time == NOW + 45 * NANOSECONDS


def test_a_fragmented_write_arrives_byte_by_byte() -> None:
    made = link(fragment=[1])
    pieces = made.write(b"abcd", NOW).pieces
    assert [piece.data for piece in pieces] == [b"a", b"b", b"c", b"d"]
    assert sorted({piece.time for piece in pieces}) == [piece.time for piece in pieces]
    assert made.write(b"x", NOW).pieces[0].time == pieces[-1].time
    long = link(fragment=1.0).write(b"x" * 100_000, NOW).pieces
    assert len(long) == 1_001, "a long write does not take for ever"
    assert sum(len(piece.data) for piece in long) == 100_000


def test_a_coalesced_write_waits_for_the_next() -> None:
    made = link(coalesce=1.0)
    assert made.write(b"ab", NOW) == Passage()
    assert made.write(b"cd", NOW + 9) == Passage((Piece(NOW + 9, b"abcd"),))
    assert made.write(b"ef", NOW + 10) == Passage()
    assert made.rest(NOW + 11) == Passage((Piece(NOW + 11, b"ef"),))
    assert made.rest(NOW + 12) == Passage()
    assert link(coalesce=1.0).write(b"x" * (1 << 20), NOW).pieces, "what waits is bounded"


@pytest.mark.parametrize("seed", range(20))
def test_a_cut_loses_the_end_of_a_write_and_all_behind_it(seed: int) -> None:
    made = link(seed, cut=[2])
    assert made.write(b"abc", NOW).cut is None
    passage = made.write(b"defgh", NOW)
    assert passage.cut == NOW
    got = b"".join(piece.data for piece in passage.pieces)
    assert b"defgh".startswith(got)
    assert got != b"defgh"
    assert made.write(b"more", NOW) == Passage()
    made.connected()
    assert made.write(b"again", NOW) == Passage((Piece(NOW, b"again"),))


def test_half_open_lets_nothing_through_until_the_next_connection() -> None:
    made = link(half_open=[2], coalesce=[1])
    assert made.write(b"a", NOW) == Passage()
    assert made.write(b"b", NOW) == Passage()
    assert made.half_open
    assert made.rest(NOW) == Passage()
    made.heal()
    assert made.half_open, "TCP does not come back"
    made.connected()
    assert made.write(b"c", NOW) == Passage((Piece(NOW, b"c"),))


def test_a_healed_link_still_keeps_the_order() -> None:
    made = link(stall=1.0)
    late = made.write(b"a", NOW).pieces[0].time
    made.heal()
    assert made.write(b"b", NOW).pieces == (Piece(late, b"b"),)


def test_every_byte_arrives_once_and_in_order_whatever_strikes() -> None:
    shy = {"delay": 0.3, "fragment": 0.3, "coalesce": 0.3, "stall": 0.2, "jitter_seconds": 1}
    for seed in range(30):
        made = link(seed, **shy)
        writes = [bytes([65 + n]) * (n + 1) for n in range(26)]
        pieces = [
            piece for n, data in enumerate(writes) for piece in made.write(data, n).pieces
        ]
        pieces += made.rest(100).pieces
        assert b"".join(piece.data for piece in pieces) == b"".join(writes)
        times = [piece.time for piece in pieces]
        assert times == sorted(times)
