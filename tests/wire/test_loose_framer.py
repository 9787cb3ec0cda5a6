"""LooseFramer: a wrong length or sum is forgiven, memory and work stay bounded."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixlab.wire.framer import Framer, Garbled, LooseFramer
from fixlab.wire.message import Message
from tests.wire.test_framer import ONE, STREAM, THREE, TWO, bad_length, wrong_sum


def feed(data: bytes, message_bytes_max: int = 1 << 20) -> list[str | bytes]:
    """Bytes of each message found, rule of each broken stretch."""
    found = LooseFramer(message_bytes_max).feed(data)
    return [item.rule if isinstance(item, Garbled) else item.raw or b"" for item in found]


@pytest.mark.parametrize("broken", [wrong_sum(TWO), bad_length(TWO, -1), bad_length(TWO, 7)])
def test_frm_03_frm_04_a_wrong_length_or_sum_is_forgiven(broken: bytes) -> None:
    assert feed(ONE + broken + ONE) == [ONE, broken, ONE]


@pytest.mark.parametrize("by", [-20, -1, 1, 30, 900])
def test_frm_03_the_trailer_ends_a_message_whose_length_is_wrong(by: int) -> None:
    broken = bad_length(TWO, by)
    assert feed(broken + ONE * 20, 500) == [broken, *[ONE] * 20]


def test_frm_03_a_right_length_is_taken_at_its_word() -> None:
    raw = wrong_sum(THREE)
    assert feed(raw) == [raw]
    # Data that looks like a trailer does not end the message.
    body = b"35=B\x0134=2\x0195=9\x0196=\x0110=123\x01x\x01"
    raw = b"8=FIX.4.4\x019=%d\x01%b10=000\x01" % (len(body), body)
    assert feed(raw + ONE) == [raw, ONE]


def test_frm_03_a_message_cut_off_by_the_next_one_is_garbled() -> None:
    assert feed(bad_length(TWO, 500)[:40] + ONE, 300) == ["FRM-03", ONE]


def test_frm_13_no_trailer_within_the_largest_message_is_garbled() -> None:
    endless = b"8=FIX.4.4\x019=9\x0135=D\x01" + b"58=x\x01" * 100
    assert feed(endless + ONE, 300) == ["FRM-13", ONE]


@given(STREAM, st.lists(st.integers(0, 700), max_size=8), st.sampled_from([100, 300, 1 << 20]))
def test_any_split_gives_the_same_list(stream: bytes, cuts: list[int], limit: int) -> None:
    whole = LooseFramer(limit).feed(stream)
    framer = LooseFramer(limit)
    pieces: list[Message | Garbled] = []
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    for begin, end in itertools.pairwise(edges):
        pieces += framer.feed(stream[begin:end])
    assert [_said(item) for item in pieces] == [_said(item) for item in whole]


@given(STREAM)
def test_what_a_strict_framer_accepts_at_the_head_of_a_stream_comes_out_the_same(
    stream: bytes,
) -> None:
    for strict, loose in zip(Framer().feed(stream), LooseFramer().feed(stream), strict=False):
        if isinstance(strict, Garbled):
            break  # from here on they may differ
        assert isinstance(loose, Message)
        assert loose.raw == strict.raw


@given(STREAM, st.integers(1, 50))
@settings(max_examples=50, deadline=None)
def test_memory_is_bounded_by_the_largest_message(stream: bytes, size: int) -> None:
    framer = LooseFramer(150)
    for at in range(0, len(stream), size):
        framer.feed(stream[at : at + size])
        assert framer.waiting <= 150 + size


def test_frm_13_starts_within_starts_cost_linear_work(monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 1 << 14
    hostile = b"8=FIX.4.4\x019=1\x0135=" * 4_000
    searched = 0
    real = LooseFramer._started

    def counting(self: LooseFramer, data, start, found):  # type: ignore[no-untyped-def]
        nonlocal searched
        before = self._clear
        step = real(self, data, start, found)
        searched += max(0, self._clear - max(before, start.start()))
        return step

    monkeypatch.setattr(LooseFramer, "_started", counting)
    LooseFramer(limit).feed(hostile)
    assert searched <= 2 * len(hostile)


def _said(item: Message | Garbled) -> object:
    return item if isinstance(item, Garbled) else item.raw
