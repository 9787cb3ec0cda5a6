"""Logs of many sessions at once: troubles of the planted logs, each between two sides."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from fixlab.wire.message import checksum
from tests.analysis import planted
from tests.analysis.logged import Line, write

_TRAILER = re.compile(rb"\x0110=([0-9]{3})\x01\Z")


def lines_of(plants: Sequence[planted.Plant], keeper: str = "BUY") -> list[Line]:
    """The lines of all plants in the order of their times, each with CompIDs of its own."""
    lines = [
        line._replace(data=_renamed(line.data, place))
        for place, plant in enumerate(plants)
        for line in plant.make()[keeper]
    ]
    return sorted(lines, key=lambda line: line.time)


def _renamed(data: bytes, place: int) -> bytes:
    found = _TRAILER.search(data)
    sound = found is not None and int(found[1]) == checksum(data[:-7])
    data = re.sub(rb"(?<=\x01(?:49|56)=)BUY(?=\x01)", b"B%02d" % place, data)
    data = re.sub(rb"(?<=\x01(?:49|56)=)SELL(?=\x01)", b"S%03d" % place, data)
    if sound:
        data = b"%b10=%03d\x01" % (data[:-7], checksum(data[:-7]))
    return data


def some_plants(seed: int, count: int) -> list[planted.Plant]:
    """Different ones, which take no long time to make."""
    rng = random.Random(seed)
    return rng.sample([p for p in planted.PLANTS if p.code != "RESEND_HUGE"], count)


def log_of(seed: int, count: int, style: str) -> bytes:
    """A log with so many sessions."""
    return write(lines_of(some_plants(seed, count)), style).encode("latin-1")
