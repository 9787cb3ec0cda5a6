"""UnsummedFramer: CheckSum(10) is not looked at, all else is as strict as ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixlab.wire.framer import Framer, Garbled, LooseFramer, UnsummedFramer, framer_kind
from fixlab.wire.message import Message, encode

ONE = encode(b"FIX.4.4", b"35=D\x0134=2\x0111=A\x01")
TWO = encode(b"FIX.4.4", b"35=0\x0134=3\x01")


def with_sum(raw: bytes, value: bytes) -> bytes:
    return raw[:-4] + value + b"\x01"


def found(data: bytes, framer: Framer | None = None) -> list[str]:
    return [
        item.rule if isinstance(item, Garbled) else item.msg_type
        for item in (framer or UnsummedFramer()).feed(data)
    ]


@pytest.mark.parametrize("value", [b"000", b"001", b"255"])
def test_frm_04_any_sum_is_taken(value: bytes) -> None:
    broken = with_sum(ONE, value)
    (first, second) = UnsummedFramer().feed(broken + TWO)
    assert isinstance(first, Message)
    assert isinstance(second, Message)
    assert (first.raw, second.raw) == (broken, TWO)
    assert found(broken + TWO, Framer()) == ["FRM-04", "0"]


def test_frm_03_frm_05_length_and_trailer_must_be_right() -> None:
    assert found(ONE.replace(b"\x019=", b"\x019=1") + TWO * 10)[0] == "FRM-03"
    assert found(with_sum(ONE, b"256") + TWO) == ["FRM-03", "0"]
    assert found(with_sum(ONE, b"0a1") + TWO) == ["FRM-03", "0"]
    assert found(b"junk" + TWO) == ["FRM-07", "0"]


@given(st.lists(st.sampled_from([ONE, TWO, with_sum(ONE, b"001"), b"8=", b"10=000\x01"])))
def test_any_split_gives_the_same(parts: list[bytes]) -> None:
    data = b"".join(parts)
    framer, bits = UnsummedFramer(), []
    for position in range(len(data)):
        bits += found(data[position : position + 1], framer)
    assert bits == found(data)


def test_frm_03_frm_04_the_checks_choose_the_framer() -> None:
    assert framer_kind(check_length=True, check_checksum=True) is Framer
    assert framer_kind(check_length=True, check_checksum=False) is UnsummedFramer
    assert framer_kind(check_length=False, check_checksum=True) is LooseFramer
    assert framer_kind(check_length=False, check_checksum=False) is LooseFramer
