"""Framer: the same messages from any split of the stream, and nothing from what is none."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixlab.wire.framer import Framer, Garbled
from fixlab.wire.message import Message, checksum, encode


def frame(text: str, begin_string: str = "FIX.4.4") -> bytes:
    return encode(begin_string.encode(), text.replace("|", "\x01").encode("latin-1"))


ONE = frame("35=0|34=1|49=A|56=B|52=20260105-09:00:00|")
TWO = frame("35=D|34=2|49=A|56=B|52=20260105-09:00:00|11=X|")
THREE = frame("35=D|34=3|49=A|56=B|52=20260105-09:00:00|95=5|96=a\x01=\x01b|")


def feed(data: bytes, message_bytes_max: int = 1 << 20) -> list[str | bytes]:
    """Bytes of each message found, rule of each broken stretch."""
    found = Framer(message_bytes_max).feed(data)
    return [item.rule if isinstance(item, Garbled) else item.raw or b"" for item in found]


def wrong_sum(raw: bytes) -> bytes:
    return raw[:-4] + b"%03d\x01" % ((int(raw[-4:-1]) + 1) % 256)


def test_messages_come_out_as_they_went_in() -> None:
    assert feed(ONE + TWO + THREE) == [ONE, TWO, THREE]
    assert feed(b"") == []


def bad_length(raw: bytes, by: int) -> bytes:
    body = int(raw.split(b"\x01")[1][2:])
    broken = raw.replace(b"\x019=%d\x01" % body, b"\x019=%d\x01" % (body + by))
    return broken[:-7] + b"10=%03d\x01" % checksum(broken[:-7])


@pytest.mark.parametrize(
    ("rule", "broken"),
    [
        ("FRM-01", b"8=FIX.4.4\x019=5\x0134=2\x0135=0\x01"),
        ("FRM-02", b"8=FIX44\x019=5\x0135=0\x01"),
        ("FRM-02", b"8=FIX.44\x019=5\x0135=0\x01"),
        ("FRM-02", b"8=FOX.4.4\x019=5\x0135=0\x01"),
        ("FRM-03", b"8=FIX.4.4\x0135=0\x0134=2\x01"),
        ("FRM-03", b"8=FIX.4.4\x019=\x0135=0\x0134=2\x01"),
        ("FRM-03", b"8=FIX.4.4\x019=-5\x0135=0\x0134=2\x01"),
        ("FRM-03", b"8=FIX.4.4\x019=x\x0135=0\x0134=2\x01"),
        ("FRM-03", b"8=FIX.4.4\x019=12345678901\x0135=0\x0134=2\x01"),
        ("FRM-03", bad_length(TWO, -1)),
        ("FRM-03", bad_length(TWO, 1)),
        ("FRM-04", wrong_sum(TWO)),
        ("FRM-07", b"58=x\x01"),
        ("FRM-07", b"\x16\x03\x01\x02\x00"),
        ("FRM-07", b"GET / HTTP/1.1\r\n\r\n"),
        ("FRM-13", b"8=FIX.4.4\x019=9999999999\x0135=0\x01"),
    ],
)
def test_frm_01_frm_02_frm_03_frm_04_frm_07_frm_13_what_is_broken_is_named_once(
    rule: str, broken: bytes
) -> None:
    assert feed(ONE + broken + TWO + THREE) == [ONE, rule, TWO, THREE]


def test_frm_05_the_checksum_has_three_digits_and_ends_the_message() -> None:
    value = int(ONE[-4:-1])
    for trailer in (b"10=%d\x01", b"10=%04d\x01", b"10=+%03d\x01"):
        broken = ONE[:-7] + trailer % value
        if broken != ONE:
            assert feed(broken + TWO) == ["FRM-03", TWO]


def test_frm_03_a_length_too_large_does_not_swallow_what_follows() -> None:
    swallowing = ONE.replace(b"\x019=", b"\x019=1", 1)  # at least a hundred bytes too many
    assert feed(swallowing + TWO * 5) == ["FRM-03", *[TWO] * 5]


def test_frm_03_a_length_that_ends_with_another_message_costs_only_its_own() -> None:
    content = ONE[ONE.index(b"35=") :] + TWO
    swallowing = b"8=FIX.4.4\x019=%d\x01" % (len(content) - 7) + content
    assert feed(swallowing + ONE) == ["FRM-03", TWO, ONE]


def nested(size: int) -> bytes:
    """Starts inside starts: each promises a message up to the last trailer, none adds up."""
    tail = b"\x0110=001\x018=FIX.4.4\x019=9" + b"\x01x" * 8 + b"\x0110=000\x01"
    form = b"8=FIX.4.4\x019=%07d\x0135=x"
    unit = len(form % 0) + 2
    count = (size - len(tail)) // unit
    parts = []
    for i in range(count):
        start = form % ((count - i) * unit + len(tail) - unit - 1)
        parts.append(start + bytes([(-sum(start) - 1) % 256]) + b"\x01")
    return b"".join(parts) + tail


def test_frm_13_starts_inside_starts_cost_a_bounded_number_of_sums(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    summed = 0

    def counting(content: bytes) -> int:
        nonlocal summed
        summed += len(content)
        return checksum(content)

    monkeypatch.setattr("fixlab.wire.framer.checksum", counting)
    stream = nested(50_000)
    assert feed(stream + ONE, 50_000) == ["FRM-03", ONE]
    assert 50_000 < summed <= 17 * 50_000
    framer = Framer(3_000)
    stream = nested(3_000) + ONE
    found = [item for i in range(len(stream)) for item in framer.feed(stream[i : i + 1])]
    assert found == Framer(3_000).feed(stream)


def test_frm_07_a_message_cut_short_costs_only_itself() -> None:
    for length in range(1, len(TWO)):
        got = feed(TWO[:length] + ONE * 4)
        assert got[-1] == ONE, (length, got)
        assert got.count(ONE) == 4, (length, got)
        assert len(got) == 5, (length, got)


def test_frm_07_a_start_inside_a_good_data_field_is_data() -> None:
    holder = frame(f"35=B|34=1|95={len(ONE)}|96={ONE.decode('latin-1')}|")
    assert feed(holder + TWO) == [holder, TWO]


def test_frm_13_a_giant_length_is_refused_at_once_and_nothing_is_kept() -> None:
    framer = Framer(256)
    found = framer.feed(b"8=FIX.4.4\x019=99999999\x0135=D\x01" + b"58=x\x01" * 1000)
    assert [type(item) for item in found] == [Garbled]
    assert framer.waiting < 64
    assert framer.feed(ONE)[-1] == Message.from_wire(ONE)


def test_frm_13_the_largest_message_accepted_is_exactly_the_limit() -> None:
    for limit, expected in ((len(TWO), [TWO]), (len(TWO) - 1, ["FRM-13"])):
        assert feed(TWO, limit) == expected


def test_a_broken_stretch_says_what_it_looks_like() -> None:
    def reason(data: bytes) -> str:
        found = Framer().feed(data)[0]
        assert isinstance(found, Garbled)
        return found.reason

    assert "TLS" in reason(b"\x16\x03\x01\x02\x00\x01")
    assert "HTTP" in reason(b"GET / HTTP/1.1\r\n")


def test_frm_04_a_wrong_sum_keeps_the_bytes_and_a_broken_stretch_does_not() -> None:
    (found,) = Framer().feed(wrong_sum(TWO))
    assert isinstance(found, Garbled)
    assert found.raw == wrong_sum(TWO)
    (found,) = Framer().feed(b"x" * 10_000)
    assert isinstance(found, Garbled)
    assert found.raw == b""


def test_idle_says_whether_the_next_byte_starts_a_message() -> None:
    framer = Framer()
    seen = []
    for piece in (b"", ONE[:5], ONE[5:], b"junk", ONE):
        framer.feed(piece)
        seen.append(framer.idle)
    assert seen == [True, False, True, False, True]


@pytest.mark.parametrize("size", [1, 100, 255, 256, 257, 65_521, 300_000])
def test_frm_04_the_sum_is_exact_at_every_size(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    for content in (data[:size], b"\xff" * size):
        assert checksum(content) == sum(content) % 256


# Properties ---------------------------------------------

GOOD = st.sampled_from([ONE, TWO, THREE, frame("35=D|34=9|58=8=FIX.4.4|", "FIXT.1.1")])
STARTS = [
    b"8",
    b"8=",
    b"8=FIX.4.4\x01",
    b"8=FIX.4.4\x019=",
    b"8=FIX.4.4\x019=12",
    b"\x0110=000",
]
TROUBLE = st.one_of(
    st.binary(max_size=12),
    st.sampled_from([*STARTS, b"8=FIX.4.4\x019=30\x0135=", b"8=FIX.4.4\x019=900\x0135=D\x01"]),
    st.sampled_from([b"8=FIX.4.4\x019=999999999\x0135=D\x01", b"10=123\x018=FIX.4.4\x019=1"]),
    st.sampled_from([nested(300), nested(1000)]),
    st.sampled_from([bad_length(TWO, 3), bad_length(TWO, -3), bad_length(TWO, 60)]),
    GOOD.map(wrong_sum),
    st.tuples(GOOD, st.integers(0, 90)).map(lambda pair: pair[0][: pair[1]]),
    st.tuples(GOOD, st.integers(0, 90)).map(lambda pair: pair[0][pair[1] :]),
)
STREAM = st.lists(st.one_of(GOOD, TROUBLE), max_size=8).map(b"".join)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(edges)]


@settings(max_examples=500, deadline=None)
@given(STREAM, st.lists(st.integers(0, 700), max_size=8), st.sampled_from([100, 300, 1 << 20]))
def test_any_split_gives_the_same_list(stream: bytes, cuts: list[int], limit: int) -> None:
    whole = Framer(limit).feed(stream)
    framer = Framer(limit)
    assert [item for part in pieces(stream, cuts) for item in framer.feed(part)] == whole
    framer = Framer(limit)
    byte_by_byte = [item for i in range(len(stream)) for item in framer.feed(stream[i : i + 1])]
    assert byte_by_byte == whole


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=20), GOOD), max_size=6), st.binary(max_size=20))
def test_every_message_amid_other_bytes_is_found(
    parts: list[tuple[bytes, bytes]], tail: bytes
) -> None:
    # "8=FIX" alone could not be told from a message; any other bytes can.
    parts = [(junk.replace(b"8=", b"??").rstrip(b"8"), good) for junk, good in parts]
    stream = b"".join(junk + good for junk, good in parts) + tail.replace(b"8=", b"??")
    assert [x for x in feed(stream) if isinstance(x, bytes)] == [good for _, good in parts]


@settings(max_examples=200, deadline=None)
@given(STREAM, st.integers(1, 50))
def test_memory_is_bounded_by_the_largest_message(stream: bytes, size: int) -> None:
    framer = Framer(100)
    for start in range(0, len(stream), size):
        framer.feed(stream[start : start + size])
        assert framer.waiting <= 100 + size
