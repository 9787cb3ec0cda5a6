"""What the bits of a block say of its bytes, beside the same said one byte after the other."""

from __future__ import annotations

import re

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fixlab.logs._bits import Bits, counted, lowest, places_of

FRONT = 16
TEXT_BAR = re.compile(rb"\|(?![0-9]{1,10}=|\n)")
PIECES = st.sampled_from(
    [b"|", b"=", b"\n", b"|9=", b"|10=", b"a|b", b"0", b"12", b"0123456789", b"\r", b"x" * 50]
)


def view_of(text: bytes) -> np.typing.NDArray[np.uint8]:
    return np.frombuffer(bytes(FRONT) + text + bytes(64), np.uint8)


@given(st.lists(PIECES, max_size=60).map(b"".join), st.sampled_from([0x7C, 0x3D, 10]))
def test_bits_stand_where_the_byte_does(text: bytes, byte: int) -> None:
    bits = Bits().of(view_of(text), FRONT, FRONT + len(text), byte)
    assert places_of(bits).tolist() == [i for i, each in enumerate(text) if each == byte]
    ends = np.arange(len(text) + 1) + FRONT
    found = counted(bits, FRONT).within(np.full(len(ends), FRONT), ends)
    assert found.tolist() == [text[:i].count(byte) for i in range(len(text) + 1)]


@settings(max_examples=400)
@given(st.lists(PIECES, max_size=80).map(lambda pieces: b"".join(pieces) + b"\n"))
@example(b"|" + b"1" * 130 + b"=\n")
@example(b"x" * 63 + b"|1=\n")
@example(b"x" * 60 + b"|12345678901=\n")
@example(b"x" * 60 + b"|1234567890=\n")
def test_each_line_with_a_bar_that_is_text_is_in_doubt(text: bytes) -> None:
    size = len(text)
    view, bits = view_of(text), Bits()
    bars = bits.bars(view, FRONT, FRONT + size, bits.of(view, FRONT, FRONT + size, 10))
    begin = FRONT
    for line in text.split(b"\n")[:-1]:
        line += b"\n"
        ends = np.array([begin + len(line)])
        sure = bool(bars.divide(np.array([begin]), ends)[0])
        assert sure == (TEXT_BAR.search(line) is None)
        begin += len(line)


def test_bits_of_several_stretches() -> None:
    text = (b"x" * 1_000 + b"|") * 2_500
    bits = Bits().of(view_of(text), FRONT, FRONT + len(text), 0x7C)
    assert places_of(bits).tolist() == list(range(1_000, len(text), 1_001))


def test_the_lowest_bit_of_none_is_behind_all() -> None:
    words = np.array([0, 1, 6, 1 << 63], np.uint64)
    assert lowest(words).tolist() == [64, 0, 1, 63]
