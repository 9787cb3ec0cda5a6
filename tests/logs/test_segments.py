"""Any split of a log into parts, merged in any order, reads as one reader does."""

from __future__ import annotations

import codecs
import io
import itertools
import random
from collections.abc import Sequence
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from fixlab.analysis.findings import analyze
from fixlab.logs import _records, _segments
from fixlab.logs._apart import joined
from fixlab.logs._blocks import Account, Standing, blocks
from fixlab.logs._columns import Book
from fixlab.logs._pairs import Pairs
from fixlab.logs._segments import Part, Segment, merged, parts_of, read, settled
from fixlab.logs._sources import Source
from fixlab.logs._style import SNIFF_BYTES, sniff
from fixlab.logs.read import Log, _read
from tests.analysis import planted
from tests.analysis.logged import STYLES, write
from tests.logs.made import DELIMITERS, Maker

TAGS = (11, 58)


def source_of(data: bytes, name: str = "made.log") -> Source:
    return Source(name, name, lambda: io.BytesIO(data), len(data))


def parts_at(data: bytes, places: Sequence[int], file: int = 0) -> list[Part]:
    """Parts that begin wherever it is said, which most often is in the middle of something."""
    source, style = source_of(data, f"{file}.log"), sniff(data[:SNIFF_BYTES])
    begins = sorted({0, *(place for place in places if place < len(data))})
    return [
        Part(file, source, Standing(begin), end, style)
        for begin, end in zip(begins, [*begins[1:], None], strict=True)
    ]


def folded(segments: list[Segment], rng: random.Random) -> list[Segment]:
    """All of them merged: in any order, any two neighbours of it first."""
    pieces = [[segment] for segment in segments]
    rng.shuffle(pieces)
    while len(pieces) > 1:
        at = rng.randrange(len(pieces) - 1)
        pieces[at : at + 2] = [merged(pieces[at], pieces[at + 1])]
    return pieces[0]


def assert_same(one: Log | None, other: Log) -> None:
    assert one is not None
    assert_frame_equal(one.frame, other.frame)
    assert_frame_equal(one.files, other.files)
    assert_frame_equal(one.sessions, other.sessions)
    assert one.notes == other.notes


def read_apart(parts: Sequence[Part], rng: random.Random, block_bytes: int = 1 << 20) -> Log:
    segments = folded([read(part, TAGS, block_bytes) for part in parts], rng)
    found = list({part.file: part.source for part in parts}.values())
    log = joined(settled(segments, partial(read, tags=TAGS)), found, TAGS, ())
    assert log is not None
    return log


def whole_of(parts: Sequence[Part]) -> Log:
    found = list({part.file: part.source for part in parts}.values())
    return _read(found, TAGS, (), 1 << 20)


@pytest.fixture
def small_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_records, "RECORD_MAX", 2_000)
    monkeypatch.setattr(_records, "QUOTED_MAX", 400)


@pytest.mark.parametrize("seed", range(40))
def test_any_split_of_a_garbled_log_gives_the_same(seed: int) -> None:
    rng = random.Random(seed)
    data = Maker(7_000 + seed).log(100)
    places = [rng.randrange(len(data) + 1) for _ in range(rng.choice((1, 3, 20)))]
    parts = parts_at(data, places)
    block_bytes = rng.choice((300, 4_096, 1 << 20))
    assert_same(read_apart(parts, rng, block_bytes), whole_of(parts))


@pytest.mark.usefixtures("small_limits")
@pytest.mark.parametrize("seed", range(40))
def test_the_same_at_the_limits_of_what_is_read(seed: int) -> None:
    rng = random.Random(seed)
    data = Maker(8_000 + seed).log(100)
    parts = parts_at(data, [rng.randrange(len(data) + 1) for _ in range(12)])
    assert_same(read_apart(parts, rng, 777), whole_of(parts))


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(DELIMITERS),
    st.integers(0, 10**6),
    st.lists(st.integers(0, 4_000), max_size=8),
    st.integers(0, 10**6),
)
def test_any_places_and_any_order_give_the_same(
    mark: bytes, seed: int, places: list[int], order: int
) -> None:
    maker = Maker(seed)
    maker.mark = mark
    parts = parts_at(maker.log(20), places)
    assert_same(read_apart(parts, random.Random(order)), whole_of(parts))


@pytest.mark.parametrize("seed", range(12))
def test_files_are_told_apart_and_put_in_order(seed: int) -> None:
    rng = random.Random(seed)
    logs = [Maker(9_000 + 10 * seed + i).log(40) for i in range(3)]
    parts = [
        part
        for file, data in enumerate(logs)
        for part in parts_at(data, [rng.randrange(len(data) + 1) for _ in range(4)], file)
    ]
    assert_same(read_apart(parts, rng), whole_of(parts))


@pytest.mark.parametrize("style", STYLES)
def test_findings_of_planted_logs_are_the_same(style: str) -> None:
    rng = random.Random(style)
    for plant in planted.PLANTS[::9]:
        data = write(plant.make()["BUY"], style).encode("latin-1")
        parts = parts_at(data, [rng.randrange(len(data) + 1) for _ in range(5)])
        apart, whole = read_apart(parts, rng), whole_of(parts)
        assert_same(apart, whole)
        assert analyze(apart).summary() == analyze(whole).summary()


@pytest.mark.parametrize("mark", DELIMITERS)
def test_parts_begin_where_records_do(mark: bytes) -> None:
    # Otherwise nearly all would have to be read twice.
    maker = Maker(5)
    maker.mark, maker.trouble, maker.glued, maker.end = mark, 0.0, 0.0, b"\n"
    data = maker.log(400)
    parts = parts_of(0, source_of(data), 4_096)
    assert len(parts) > 5
    segments = [read(part, ()) for part in parts]
    for one, other in itertools.pairwise(segments):
        assert one.left == other.part.at


def test_parts_of_a_log_with_times_in_lines_of_their_own_begin_there() -> None:
    maker = Maker(1)
    maker.trouble, maker.glued, maker.end, maker.mark = 0.0, 0.0, b"\n", b"|"
    maker.prefix = maker._prefixes()[7]
    data = maker.log(400)
    assert sniff(data[:SNIFF_BYTES]).two_lines
    segments = [read(part, ()) for part in parts_of(0, source_of(data), 4_096)]
    assert len(segments) > 5
    for one, other in itertools.pairwise(segments):
        assert one.left == other.part.at


def test_what_has_to_be_read_from_its_beginning_is_one_part() -> None:
    data = Maker(3).log(200)
    text = codecs.BOM_UTF16_LE + data.decode("latin-1").encode("utf-16-le")
    for each in (text, b"x" * 100_000):
        (part,) = parts_of(0, source_of(each), 4_096)
        rng = random.Random(0)
        assert_same(read_apart([part], rng), whole_of([part]))


def test_a_line_over_several_parts_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_segments, "_LOOK_BYTES", 500)
    data = Maker(3).log(50) + b"z" * 20_000 + b"\n" + Maker(4).log(50)
    parts = parts_of(0, source_of(data), 2_000)
    assert 3 < len(parts) < len(data) // 2_000
    assert_same(read_apart(parts, random.Random(1)), whole_of(parts))


def test_a_file_that_was_cut_meanwhile_ends_where_it_ends() -> None:
    data = Maker(11).log(200)
    short = data[: len(data) // 2]
    parts = [
        part._replace(source=source_of(short, "0.log"))
        for part in parts_at(data, range(0, len(data), 1_000))
    ]
    assert_same(read_apart(parts, random.Random(1)), whole_of(parts))


@pytest.mark.parametrize("seed", range(6))
def test_all_that_is_seen_of_pairs_adds_up(seed: int) -> None:
    rng = random.Random(seed)
    data = Maker(7_000 + seed).log(100)
    book, other = Book(), Book()
    whole, added = Pairs(book), Pairs(other)
    for block in blocks(source_of(data), book, (), Account("made.log")):
        whole.add(block)
    parts = parts_at(data, [rng.randrange(len(data) + 1) for _ in range(5)])
    for segment in settled([read(part, ()) for part in parts], partial(read, tags=())):
        codes = other.adopt(segment.packed.texts)
        added.take(segment.packed.pairs, codes["begins"], codes["comp_ids"])
    assert added.seen() == whole.seen()
