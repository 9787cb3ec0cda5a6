"""The fast reader, the exact reader and the slow reference agree, on whatever comes."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from fixlab.errors import FixLabError
from fixlab.logs import _records, _scan
from fixlab.wire.message import checksum, encode
from tests.logs.compare import differences, log_of
from tests.logs.made import DELIMITERS, Maker

SEEDS = range(40)
LINES = 100


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that these logs reach, so that what happens there is compared as well."""
    monkeypatch.setattr(_records, "RECORD_MAX", 2_000)
    monkeypatch.setattr(_records, "QUOTED_MAX", 400)


@pytest.mark.parametrize("seed", SEEDS)
def test_all_rows_equal_those_of_the_reference_reader(seed: int) -> None:
    assert differences(Maker(seed).log(LINES)) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_blocks_of_any_size_give_the_rows_of_the_reference(seed: int) -> None:
    size = random.Random(seed).choice((300, 777, 4_096, 20_000))
    assert differences(Maker(1_000 + seed).log(LINES), size) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_messages_in_which_values_were_hidden(seed: int) -> None:
    maker = Maker(5_000 + seed)
    maker.hidden = 0.8
    maker.trouble /= 4
    assert differences(maker.log(LINES), random.Random(seed).choice((777, 20_000))) == []


@pytest.mark.parametrize("mark", [b"\x01", b"|"])
@pytest.mark.parametrize("near", [-1, 0, 1])
def test_a_length_that_leads_to_the_trailer_of_another(mark: bytes, near: int) -> None:
    first, second = (
        encode(b"FIX.4.4", b"35=D\x0134=%d\x0158=x\x01" % number)[:-7] for number in (1, 2)
    )
    begin = first.index(b"35=")
    trailer = b"10=123\x01\n"
    length = len(first) - begin + len(trailer) + len(second) + near
    both = re.sub(rb"9=[0-9]+", b"9=%d" % length, first, count=1) + trailer + second
    # That of all of it, as if the first message held the second one, with its line end.
    both += b"10=%03d\x01\n" % checksum(both)
    others = (encode(b"FIX.4.4", b"35=0\x0134=%d\x01" % n) + b"\n" for n in range(3, 40))
    data = (both + b"".join(others)).replace(b"\x01", mark)
    assert differences(data) == []
    right = near == 0 and mark == b"\x01"  # a bar before a line end is text, and counts as one
    assert (log_of(data).frame["defect"].iloc[0] == "") == right


@pytest.mark.parametrize("between", [b"", b" x", b"\x01x"])
@pytest.mark.parametrize("length", [b"5", b"40", b"60", b"x"])
def test_a_line_with_two_trailers(length: bytes, between: bytes) -> None:
    wire = encode(b"FIX.4.4", b"35=D\x0134=1\x0149=A\x0156=B\x0158=some words\x01")
    wire = re.sub(rb"9=[0-9]+", b"9=" + length, wire) + b"10=123" + between
    assert differences((wire + b"\n") * 20) == []


@pytest.mark.parametrize("cut", range(1, 12))
@pytest.mark.parametrize("mark", [b"\x01", b"|"])
@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_message_cut_in_its_trailer_hides_nothing_behind_it(
    cut: int, mark: bytes, end: bytes
) -> None:
    wires = [encode(b"FIX.4.4", b"35=0\x0134=%d\x01" % number) for number in range(1, 300)]
    text = b"".join(wire[:-cut] + wire + end for wire in wires).replace(b"\x01", mark)
    assert differences(text) == []
    # A last delimiter that is missing is no damage.
    found = log_of(text).frame["valid"].sum()
    assert found == len(wires) * (2 if cut == 1 else 1)


@pytest.mark.parametrize("size", [*range(4_094, 4_100), 6_000])
@pytest.mark.parametrize("stripped", [False, True])
def test_of_a_message_with_a_defect_the_beginning_counts(size: int, stripped: bool) -> None:
    def wire(padding: int) -> bytes:
        body = b"35=2\x0134=1\x0149=A\x0156=B\x0158=%b\x017=5\x0116=0\x01" % (b"x" * padding)
        text = encode(b"FIX.4.4", body)[:-4] + b"000\x01"
        return text[:-1] if stripped else text

    text = wire(3_000 + size - len(wire(3_000)))
    assert len(text) == size
    assert differences((text + b"\n") * 20) == []


def test_texts_that_end_with_zeros_are_others() -> None:
    words = (b"", b"SELL", b"SELLSEL", b"SELLSELL", b"SELLSELLSELLSELL")
    texts = [word + zeros for word in words for zeros in (b"", b"\x00", b"\x00\x00")]
    data = b"".join(
        encode(b"FIX.4.4", b"35=%b\x0134=1\x0149=%b\x0152=x\x0156=B\x01" % (kind, text)) + b"\n"
        for kind in (b"0", b"D")
        for text in (*texts, *texts[::-1])
    )
    assert differences(data) == []


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_at_the_limits_of_what_is_read(seed: int) -> None:
    size = random.Random(seed).choice((300, 777, 4_096, 1 << 20))
    assert differences(Maker(2_000 + seed).log(LINES), size) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_when_application_messages_are_read_by_their_headers(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_scan, "_LEFT_MAX", 1.0)
    monkeypatch.setattr(_scan, "_LINES_MIN", 1)
    maker = Maker(4_000 + seed)
    maker.mark, maker.headed = b"\x01" if seed % 2 else b"|", 0.15
    maker.glued = 0.1 * (seed % 5 == 0)
    data = maker.log(LINES)
    assert differences(data) == []
    assert differences(data, random.Random(seed).choice((300, 4_096, 20_000))) == []


@pytest.mark.parametrize(
    "before", [b"8=FIX.4.4|9=5|", b"35=D\x01", b"10=123\x01", b"x=1 ", b"8=FIX.4.4\x01", b"a "]
)
def test_what_stands_before_messages_may_look_like_one(before: bytes) -> None:
    body = b"35=D\x0134=%d\x0149=A\x0152=20260105-09:00:00\x0156=B\x0111=x\x0158=8=FIX.4.4|\x01"
    data = b"".join(before + encode(b"FIX.4.4", body % i) + b"\n" for i in range(10, 60))
    assert differences(data) == []


@pytest.mark.parametrize("seed", range(10))
def test_any_split_into_blocks_gives_the_same_frame(seed: int) -> None:
    data = Maker(3_000 + seed).log(LINES)
    whole = log_of(data, tags=(11, 58)).frame
    for size in (1_000, 3_333, 65_536):
        assert_frame_equal(log_of(data, block_bytes=size, tags=(11, 58)).frame, whole)


@pytest.mark.parametrize("mark", [b"\x01", b"|"])
@pytest.mark.parametrize("text", [b"a", b"a|b", b"a|5=b", b"|", b"a|12345678901=b", b"=|\x01"])
def test_texts_with_bars_in_lines_with_any_prefix(mark: bytes, text: bytes) -> None:
    rng = random.Random(f"{mark!r}/{text!r}")
    lines = []
    for i in range(400):
        head = b"35=%b\x0134=%d\x0149=A\x0152=20260105-09:00:00.%03d\x0156=B\x01"
        wire = encode(b"FIX.4.4", head % (rng.choice((b"D", b"0", b"8")), i, i))
        if wire[20:22] != b"0\x01" and i % 3 == 0:
            body = wire[wire.index(b"35=") : -7] + b"11=x\x0158=%b\x0140=2\x01" % text
            wire = encode(b"FIX.4.4", body)
        prefix = b"x" * rng.randrange(20) + b" "
        lines.append(prefix + wire.replace(b"\x01", mark) + b"\n")
        if i % 5 == 0:
            lines.append(rng.choice((b"\n", b"some text\n", b"a=b\n", b"|\n", b"35=D|x\n")))
    assert differences(b"".join(lines)) == []


@pytest.mark.parametrize("mark", [b"|", b"^A"])
def test_a_delimiter_that_is_soh_among_others(mark: bytes) -> None:
    wire = encode(b"FIX.4.4", b"35=4\x0134=7\x0149=A\x0152=x\x0156=B\x0136=9\x01123=Y\x01")
    parts = wire.split(b"\x01")
    for i in range(1, len(parts)):
        odd = mark.join(parts[:i]) + b"\x01" + mark.join(parts[i:])
        lines = [wire.replace(b"\x01", mark), odd] * 20
        assert differences(b"".join(line + b"\n" for line in lines)) == []


@pytest.mark.parametrize("size", range(20, 140))
def test_headers_of_any_length(size: int) -> None:
    head = b"35=D\x0134=%d\x0149=A\x0152=20260105-09:00:00\x0156=B\x0150=%b\x0197=Y\x0111=x\x01"
    wires = [encode(b"FIX.4.4", head % (i, b"x" * size)) for i in range(10, 40)]
    assert differences(b"".join(wire + b"\n" for wire in wires)) == []


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("mark", [b"\x01", b"|", b"^A"])
@pytest.mark.parametrize("more", [b"", b" a=b"])
@pytest.mark.parametrize("size", [1_990, 1_998, 1_999, 2_000, 2_001, 5_000])
def test_text_longer_than_what_is_read_at_once(mark: bytes, more: bytes, size: int) -> None:
    body = b"35=D\x0134=%d\x0149=A\x0152=20260105-09:00:00\x0156=B\x0111=x\x01"
    lines = [
        encode(b"FIX.4.4", body % i).replace(b"\x01", mark) + b"\n" for i in range(100, 200)
    ]
    text = b"x" * (size - len(more)) + more
    assert differences(b"".join([*lines[:50], text + b"\n", *lines[50:]])) == []
    assert differences(b"".join([*lines[:50], text, *lines[50:]])) == []


PIECES = st.sampled_from(
    (
        *(b"8=FIX.4.4", b"8=FIXT.1.1", b"9=5", b"9=61", b"35=0", b"34=1", b"10=000", b"10=161"),
        *(b"\n", b"\r\n", b" ", b"95=3", b"96=abc", b"49=A", b"56=B", b"52=20260105-09:00:00"),
    )
)


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(DELIMITERS),
    st.lists(st.one_of(PIECES, st.binary(max_size=8), st.just(b"MARK")), max_size=60),
)
def test_any_sequence_of_pieces_reads_as_in_the_reference(
    mark: bytes, parts: list[bytes]
) -> None:
    data = b"".join(mark if part == b"MARK" else part + mark for part in parts)
    if not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b", b"BZh")) and 0 not in data:
        assert differences(data, 300) == []


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=2_000))
def test_arbitrary_bytes_raise_nothing_but_a_fixlab_error(data: bytes) -> None:
    try:
        log = log_of(data, tags=(58, 38, 60, 43, 554))
    except FixLabError:
        return
    places = log.files.iloc[0]
    parts = places["row_bytes"] + places["around_bytes"] + places["text_bytes"]
    assert parts == places["bytes"]
    assert log.summary
    for row in range(len(log)):
        log.decode(row)
