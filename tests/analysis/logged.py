"""Logs for tests: what two simulated ends wrote and read, or a script, in three styles."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fixlab.logs.read import Log, read_log
from fixlab.sim import Loopback
from fixlab.sim.endpoint import Endpoint
from fixlab.times import NANOSECONDS, format_utc, parse_start
from fixlab.wire.message import encode

T0 = parse_start("2026-01-05T09:00:00")
STYLES = ("quickfix", "prefixed", "raw")
_WHOLE = re.compile(rb"8=FIX.*?\x0110=[^\x01]*\x01", re.DOTALL)


class Line(NamedTuple):
    """One logged message."""

    time: int
    out: bool
    data: bytes


Logs = dict[str, list[Line]]  # CompID of who kept it -> its lines


def write(lines: Iterable[Line], style: str, *, ours: str = "BUY", theirs: str = "SELL") -> str:
    """The text of a log; raw has no line ends, no times and no direction."""
    parts = []
    for line in lines:
        data = line.data.decode("latin-1")
        if style == "quickfix":
            stamp = _stamp(line.time)
            parts.append(f"{stamp} : {data}\n")
        elif style == "prefixed":
            day, clock = _stamp(line.time).split("-")
            day = f"{day[:4]}-{day[4:6]}-{day[6:]}"
            way = "OUT" if line.out else "IN"
            shown = data.replace("\x01", "|")
            parts.append(f"{day} {clock} INFO [{ours}->{theirs}] {way} {shown}\n")
        else:
            parts.append(data)
    return "".join(parts)


def read(folder: Path, lines: Iterable[Line], style: str, *, ours: str = "BUY") -> Log:
    """The log of one side, written in a style and read again."""
    theirs = "SELL" if ours == "BUY" else "BUY"
    path = folder / f"FIX.4.4-{ours}-{theirs}.messages.current.log"
    if style == "raw":
        path = folder / "capture.fix"
    path.write_bytes(write(lines, style, ours=ours, theirs=theirs).encode("latin-1"))
    return read_log(path)


def _stamp(time: int) -> str:
    return format_utc(time, 3).decode()


# Simulations -------------------------------------------------------------------------------


class Side:
    """What one end wrote and read, message by message."""

    def __init__(self, now: Callable[[], int], lines: list[Line]) -> None:
        self._now, self._lines = now, lines
        self._waiting: dict[bool, bytes] = {True: b"", False: b""}

    def add(self, data: bytes, *, out: bool) -> None:
        data = self._waiting[out] + data
        at = 0
        for found in _WHOLE.finditer(data):
            between = data[at : found.start()]
            if between:
                self._lines.append(Line(self._now(), out, between))
            self._lines.append(Line(self._now(), out, found[0]))
            at = found.end()
        self._waiting[out] = data[at:]

    def flush(self) -> None:
        for out, rest in self._waiting.items():
            if rest:
                self._lines.append(Line(self._now(), out, rest))
                self._waiting[out] = b""


class Recorder:
    """Notes what both ends of a `Loopback` write and read."""

    def __init__(self, lab: Loopback) -> None:
        self.logs: Logs = {}
        self._sides = []
        for end in (lab.initiator, lab.acceptor):
            lines: list[Line] = []
            self.logs[end.session.config.sender_comp_id] = lines
            side = Side(lab.clock.now, lines)
            self._sides.append(side)
            _tap(end, side)

    def finish(self) -> Logs:
        for side in self._sides:
            side.flush()
        return self.logs


def _tap(end: Endpoint, side: Side) -> None:
    outgoing = end.loss.outgoing

    def sent(data: bytes) -> bytes:
        wire = outgoing(data)
        side.add(wire, out=True)
        return wire

    end.loss.outgoing = sent  # type: ignore[method-assign]
    tap_what_comes(end, side)


def tap_what_comes(end: Endpoint, side: Side) -> None:
    """What `end` reads goes to `side`, until its connection is lost."""
    arrive, lost = end._arrive, end._lost

    def came(data: bytes | None, now: int) -> None:
        if data is not None:
            side.add(data, out=False)
        arrive(data, now)

    def ended(now: int) -> None:
        side.flush()
        lost(now)

    end._arrive = came  # type: ignore[method-assign]
    end._lost = ended  # type: ignore[method-assign]


# Scripts -----------------------------------------------------------------------------------


def script(text: str, *, begin_string: str = "FIX.4.4", start: int = T0) -> Logs:
    """Logs of both sides from lines such as `1.5 > D 2 dup 11=A`.

    A line has seconds since `start`, who sends (`>` BUY, `<` SELL), MsgType(35),
    MsgSeqNum(34), then fields. `lost` is in its sender's log only; `dup` adds 43=Y and 122;
    `52=+9` moves SendingTime(52) by so many seconds; `sum`, `length` spoil CheckSum(10) and
    BodyLength(9). An order gets a ClOrdID(11) made of its number.
    """
    logs: Logs = {"BUY": [], "SELL": []}
    for row in filter(None, (part.strip() for part in text.splitlines())):
        when, way, msg_type, number, *words = row.split()
        time = start + round(float(when) * NANOSECONDS)
        data = _message(begin_string, way, msg_type, number, words, time)
        sender, receiver = ("BUY", "SELL") if way == ">" else ("SELL", "BUY")
        logs[sender].append(Line(time, True, data))
        if "lost" not in words:
            logs[receiver].append(Line(time, False, data))
    return logs


def _message(
    begin_string: str, way: str, msg_type: str, number: str, words: Sequence[str], time: int
) -> bytes:
    ours, theirs = ("BUY", "SELL") if way == ">" else ("SELL", "BUY")
    pairs = [word.split("=", 1) for word in words if "=" in word]
    given = {int(tag): value.replace("_", " ") for tag, value in pairs}
    shift = given.pop(52, "+0")
    sending = time + round(float(shift) * NANOSECONDS)
    fields: list[tuple[int, Any]] = [(35, msg_type), (49, ours), (56, theirs), (34, number)]
    if "dup" in words:
        fields += [(43, "Y"), (122, _stamp(time - NANOSECONDS))]
        given.pop(43, None)
    # FRM-14: fields of the header come before those of the body.
    fields += [(tag, given.pop(tag)) for tag in (43, 97, 122) if tag in given]
    fields.append((52, _stamp(sending)))
    if msg_type == "D" and 11 not in given:
        fields.append((11, f"ORD-{number}"))
    if msg_type == "A" and 108 not in given:
        fields += [(98, "0"), (108, "30")]
    fields += given.items()
    content = "".join(f"{tag}={value}\x01" for tag, value in fields)
    data = encode(begin_string.encode(), content.encode())
    if "sum" in words:
        data = data[:-4] + b"%03d\x01" % ((int(data[-4:-1]) + 7) % 256)
    if "length" in words:
        data = re.sub(rb"\x019=(\d+)", lambda m: b"\x019=%d" % (int(m[1]) + 3), data, count=1)
    return data
