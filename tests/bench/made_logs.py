"""Seeded logs of any size: two sides, orders, reports, some admin messages."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path

from fixlab.times import NANOSECONDS, format_utc, parse_start
from fixlab.wire.message import encode

_START = parse_start("2026-01-05T09:00:00")
_ACCOUNT = re.compile(rb"(\x011=)[^\x01]*")
STYLES = ("soh", "bar", "quickfix", "caret", "events")


def messages(count: int, seed: int = 1) -> Iterator[tuple[int, bytes]]:
    """Time in ns and wire bytes of each message; about 286 bytes on average."""
    rng = random.Random(f"{seed}/messages")
    numbers = {b"BUYSIDE": 0, b"VENUE": 0}
    now = _START
    for i in range(count):
        now += rng.randrange(20_000, 2_000_000)
        from_us = rng.random() < 0.4
        sender, target = (b"BUYSIDE", b"VENUE") if from_us else (b"VENUE", b"BUYSIDE")
        numbers[sender] += 1
        text = format_utc(now, 3)
        head = b"34=%d\x0149=%b\x0152=%b\x0156=%b\x01" % (numbers[sender], sender, text, target)
        if rng.random() < 0.02:
            content = b"35=0\x01" + head
        elif from_us:
            content = (
                b"35=D\x01%b11=ORD-%08d\x011=ACCOUNT-%03d\x0121=1\x0155=SYM%03d\x0148=US%010d"
                b"\x0122=4\x01207=XNAS\x0154=%d\x0160=%b\x0138=%d\x0140=2\x0144=%d.%02d\x01"
                b"59=0\x0115=USD\x01109=CLIENT-%04d\x0147=A\x01"
            ) % (
                *(head, i, i % 997, i % 500, i % 500, 1 + i % 2, text),
                *(100 * rng.randrange(1, 90), rng.randrange(10, 900), i % 100, i % 7919),
            )
        else:
            content = (
                b"35=8\x01%b37=VEN-%010d\x0111=ORD-%08d\x0117=EX-%010d\x01150=F\x0139=1\x01"
                b"1=ACCOUNT-%03d\x0155=SYM%03d\x0148=US%010d\x0122=4\x0154=%d\x0138=%d\x01"
                b"44=%d.%02d\x0132=%d\x0131=%d.%02d\x01151=%d\x0114=%d\x016=%d.%02d\x0160=%b\x01"
                b"15=USD\x0130=XNAS\x01"
            ) % (
                *(head, i, i, i, i % 997, i % 500, i % 500, 1 + i % 2, 900),
                *(rng.randrange(10, 900), i % 100, 100, rng.randrange(10, 900), i % 100),
                *(800, 100, rng.randrange(10, 900), i % 100, text),
            )
        yield now, encode(b"FIX.4.4", content)


def write(path: Path, count: int, style: str = "soh", seed: int = 1) -> Path:
    """A log of `count` messages in `path`, if it is not there yet."""
    if path.exists():
        return path
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        for now, wire in messages(count, seed):
            file.write(line(now + NANOSECONDS // 100_000, wire, style))
    part.rename(path)
    return path


def line(now: int, wire: bytes, style: str) -> bytes:
    """One message as a logger of that style writes it."""
    if style == "bar":
        return wire.replace(b"\x01", b"|") + b"\n"
    if style == "hidden":
        return _ACCOUNT.sub(b"\\1***", wire) + b"\n"
    if style == "caret":
        return wire.replace(b"\x01", b"^A") + b"\n"
    stamp = format_utc(now, 9)
    if style == "quickfix":
        return stamp + b" : " + wire + b"\n"
    if style == "events":
        way = b"OUT" if b"\x0149=BUYSIDE\x01" in wire else b"IN"
        text = b"2026-01-05 %b,%b [main] INFO engine.Log - " % (stamp[9:17], stamp[18:21])
        bars = wire.replace(b"\x01", b"|")
        return text + way + b" " + bars + b"\n" + text + b"processed in 12 us\n"
    return wire + b"\n"
