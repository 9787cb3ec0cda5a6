"""Encode, frame and decode one order, against simplefix."""

from __future__ import annotations

import time
from collections.abc import Callable

from fixlab.session.config import SessionConfig
from fixlab.session.outbound import Composer
from fixlab.times import parse_start
from fixlab.wire.framer import Framer
from fixlab.wire.message import Message
from tests.bench.measure import Row, installed, interleaved, rate, table, times
from tests.bench.orders import FIELDS, names

_COUNT = 5_000
_NOW = parse_start("2026-01-05T09:00:00")
_CONFIG = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")


def run() -> None:
    """Print the table."""
    size = len(_encoded(Message("D", FIELDS), 1_000, Composer(_CONFIG)))
    notes = (
        f"A {size}-byte order: built from a dict of text, given its header and checksum, cut "
        "out of a\nstream and checked; then all fields decoded to (tag, bytes), or only "
        "ClOrdID(11) read. CPU time.\nsimplefix gets its SendingTime ready-made and does not "
        "check the checksum."
    )
    runs: dict[str, Callable[[], float]] = {
        "fixlab, all fields": lambda: _fixlab(lambda m: len(m.fields)),
        "fixlab, one field": lambda: _fixlab(lambda m: len(m[11])),
    }
    if installed("simplefix"):
        runs["simplefix, all fields"] = _simplefix
    found = interleaved(runs)
    base = found.get("simplefix, all fields")
    rows = [
        Row(
            name,
            rate(value),
            times(value / base) if base else "",
            ">= 10x simplefix" if name == "fixlab, all fields" else "",
        )
        for name, value in found.items()
    ]
    if base is None:
        rows.append(Row("simplefix", "skipped: not installed"))
    table("Codec", notes, rows)


def _encoded(message: Message, number: int, composer: Composer) -> bytes:
    header, body = message.sections()
    return composer.message(message.msg_type.encode(), number, header, body, _NOW + number)


def _fixlab(read: Callable[[Message], int]) -> float:
    composer, framer = Composer(_CONFIG), Framer()
    orders = names(_COUNT)
    begin = time.process_time()
    for number, name in enumerate(orders, 1):
        raw = _encoded(Message("D", {**FIELDS, 11: name}), number, composer)
        (message,) = framer.feed(raw)
        assert isinstance(message, Message)
        read(message)
    return _COUNT / (time.process_time() - begin)


def _simplefix() -> float:
    import simplefix

    parser = simplefix.FixParser()
    orders = names(_COUNT)
    begin = time.process_time()
    for number, name in enumerate(orders, 1):
        out = simplefix.FixMessage()
        out.append_pair(8, "FIX.4.4")
        out.append_pair(35, "D")
        out.append_pair(34, number)
        out.append_pair(49, "BUY")
        out.append_pair(52, "20260105-09:00:00.000")
        out.append_pair(56, "SELL")
        for tag, value in {**FIELDS, 11: name}.items():
            out.append_pair(tag, value)
        parser.append_buffer(out.encode())
        message = parser.get_message()
        assert message is not None
        assert len(message.pairs) == 8 + len(FIELDS)
    return _COUNT / (time.process_time() - begin)
