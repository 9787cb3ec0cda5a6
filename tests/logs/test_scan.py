"""The fast way is the one that is taken: what is in order never goes to the exact reader."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from fixlab.logs._columns import Block
from fixlab.logs._fields import Codes8
from fixlab.logs._pieces import Pieces
from fixlab.logs._records import Record
from fixlab.logs._scan import Scanner
from fixlab.logs._words import Bools, Bytes, Ints, Words
from tests.bench.made_logs import STYLES, line, messages
from tests.logs.compare import differences, log_of


@pytest.fixture
def exactly(monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    """Collects what the exact reader had to read."""
    read: list[Record] = []
    slow = Scanner._slow

    def collecting(self: Scanner, records: Sequence[Record], base: int) -> Block:
        read.extend(records)
        return slow(self, records, base)

    monkeypatch.setattr(Scanner, "_slow", collecting)
    return read


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b""])
@pytest.mark.parametrize("style", STYLES)
def test_lines_in_order_are_read_at_once(style: str, end: bytes, exactly: list[Record]) -> None:
    made = [line(now, wire, style) for now, wire in messages(3_000)]
    if style == "events" and not end:
        return  # text on the line of a message is its rest
    log = log_of(b"".join(text.removesuffix(b"\n") + end for text in made), block_bytes=50_000)
    assert len(log) == 3_000
    assert log.frame["valid"].all()
    # Of lines that never end the last message of a block may have to be looked at.
    assert len(exactly) <= (0 if end else 30)


def test_what_is_odd_alone_is_read_exactly(exactly: list[Record]) -> None:
    made = [line(now, wire, "soh") for now, wire in messages(1_000)]
    made[500] = made[500].replace(b"10=", b"10=x", 1)
    log = log_of(b"".join(made))
    assert len(log) == 1_000
    assert 1 <= len(exactly) <= 2


@pytest.mark.parametrize(
    ("style", "stars", "defect"),
    [
        *((style, b"", "body_length") for style in ("soh", "bar", "quickfix", "events")),
        *((style, b"*" * 12, "check_sum") for style in STYLES),
    ],
)
def test_a_log_in_which_values_were_hidden_is_read_at_once(
    style: str, stars: bytes, defect: str, exactly: list[Record]
) -> None:
    made = [
        line(now, re.sub(rb"(\x0111=)ORD-[0-9]*", rb"\g<1>" + stars, wire), style)
        for now, wire in messages(300)
    ]
    log = log_of(b"".join(made))
    found = log.frame["defect"].value_counts()
    assert found[defect] + found[""] == len(log) == 300
    assert found[defect] > 270
    assert len(exactly) <= 2
    assert differences(b"".join(made)) == []


def varied(style: str, count: int) -> bytes:
    """A log whose lines begin with texts of different lengths."""
    return b"".join(
        b"[thread-%d] " % (8 + i % 5) + line(now, wire, style)
        for i, (now, wire) in enumerate(messages(count))
    )


@pytest.mark.parametrize("style", ["soh", "bar", "quickfix", "events"])
def test_bodies_of_application_messages_are_not_cut(
    style: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: list[int] = []
    whole = Pieces.cut

    def counting(
        self: Pieces, view: Bytes, words: Words, begin: int, end: int
    ) -> tuple[Ints, Ints, Bools, Codes8]:
        cut.append(end - begin)
        return whole(self, view, words, begin, end)

    monkeypatch.setattr(Pieces, "cut", counting)
    data = varied(style, 2_000)
    assert len(log_of(data)) == 2_000
    assert sum(cut) < 0.1 * len(data)
    cut.clear()
    assert len(log_of(data, tags=(11,))) == 2_000
    assert sum(cut) >= len(data)
