"""TrailerFramer: a message ends at the next CheckSum(10), whatever its length says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixlab.wire.framer import Framer, Garbled
from fixlab.wire.message import Message, checksum, encode
from fixlab.wire.trailer_framer import TrailerFramer

ONE = encode(b"FIX.4.4", b"35=D\x0134=2\x0111=A\x01")
TWO = encode(b"FIX.4.4", b"35=0\x0134=3\x01")
DATA = encode(b"FIX.4.4", b"35=D\x0134=2\x0195=14\x0196=a\x0110=000\x018=FIX\x01")
CUT = b"8=FIX.4.4\x019=20\x0135=1\x0134=2\x01112=trunc\x01"


def short_sum() -> bytes:
    """A message whose sum is below 100, without its leading zero."""
    for n in range(1_000):
        raw = encode(b"FIX.4.4", b"35=1\x0134=2\x01112=%d\x01" % n)
        if checksum(raw[:-7]) in range(10, 100):
            return raw[:-4] + raw[-3:]
    raise AssertionError("no sum of a thousand is short")


SHORT = short_sum()


def found(data: bytes, framer: Framer | None = None) -> list[str]:
    return [
        item.rule if isinstance(item, Garbled) else item.msg_type
        for item in (framer or TrailerFramer()).feed(data)
    ]


def test_frm_03_what_is_good_is_read_as_ever() -> None:
    stream = ONE + DATA + TWO
    assert [item.raw for item in TrailerFramer().feed(stream)] == [ONE, DATA, TWO]
    assert all(isinstance(item, Message) for item in TrailerFramer().feed(stream))


def test_frm_06_a_message_that_was_cut_off_takes_the_next_one_with_it() -> None:
    assert found(CUT + ONE + TWO) == ["FRM-03", "0"]
    assert found(CUT.replace(b"9=20", b"9=70") + ONE + TWO * 2) == ["FRM-03", "0"]
    assert found(CUT + ONE + TWO, Framer()) == ["FRM-03", "D", "0"]


def test_frm_03_a_length_too_short_costs_that_message_alone() -> None:
    assert found(ONE.replace(b"9=15", b"9=5") + TWO) == ["FRM-03", "0"]


def test_frm_05_a_sum_of_two_digits_is_taken_when_it_is_right() -> None:
    assert found(SHORT + TWO) == ["1", "0"]
    assert found(SHORT, Framer()) == []
    wrong = SHORT[:-3] + b"%02d\x01" % ((int(SHORT[-3:-1]) + 1) % 100)
    assert found(wrong + TWO) == ["FRM-04", "0"]
    assert found(ONE[:-4] + b"0x1\x01" + TWO) == ["FRM-05", "0"]


def test_frm_07_bytes_behind_a_message_spoil_the_next_one() -> None:
    assert found(ONE + b"58=x\x01" + TWO + TWO) == ["D", "FRM-07", "FRM-02", "0"]
    assert found(b"junk" + TWO) == ["FRM-07", "0"]


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"8=FIX.4.4\x0135=0\x019=0\x0110=000\x01", "FRM-03"),
        (b"8=FIX.4.4\x019=5\x0134=0\x0110=000\x01", "FRM-01"),
        (b"8=FIX.4.4\x019=abc\x0135=0\x01", "FRM-03"),
        (b"8=FIX.4.4\x019=99999\x0135=0\x01", "FRM-13"),
        (b"8=" + b"x" * 300, "FRM-13"),
        (b"8=FIX.4.4\x019=5\x0135=0\x01" + b"x" * 300, "FRM-13"),
        (b"8=FIX.4.4\x019=5\x0135=0\x0110=" + b"0" * 300, "FRM-13"),
        (b"GET / HTTP/1.1", "FRM-07"),
    ],
)
def test_what_is_broken_has_its_rule_and_does_not_wait(data: bytes, rule: str) -> None:
    framer = TrailerFramer(256)
    assert found(data, framer) == [rule]
    assert framer.waiting < 256


@given(
    st.lists(
        st.sampled_from(
            [ONE, TWO, DATA, SHORT, CUT, b"8=", b"\x019=", b"\x0110=000\x01", b"8", b"x"]
        )
    ),
    st.sampled_from([60, 80, 1 << 20]),
    st.sampled_from([1, 2, 7]),
)
def test_any_split_gives_the_same(parts: list[bytes], limit: int, size: int) -> None:
    data = b"".join(parts)
    whole, framer, bits = TrailerFramer(limit), TrailerFramer(limit), list[str]()
    expected = found(data, whole)
    for position in range(0, len(data), size):
        bits += found(data[position : position + size], framer)
        assert framer.waiting < limit
    assert bits == expected
    assert (framer.waiting, framer.idle) == (whole.waiting, whole.idle)
