"""Logs made to hurt, at full size: peak memory, time and outcome of reading and analysing each.

    python tests/bench/hostile.py [--scale 1.0] [--only NAME,...] [--list]

Each input is made in a folder for temporary files (`FIXLAB_BENCH` names another one), goes
through a process of its own, and is deleted. A line for each step: seconds, MB of the input a
second, the highest memory so far above that before the first step, and what came of it. A step
that takes longer than `--seconds` is stopped, and told. Sizes at scale 1: lines of 2 GB,
10 million sessions.
"""

from __future__ import annotations

import argparse
import bz2
import gzip
import io
import json
import lzma
import os
import random
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.bench.measure import machine

MB = 1 << 20
GB = 1_000 * 1_000_000
_HOST = b"\x1b]0;owned\x07\x1b[2J<script>alert(1)</script><img src=x onerror=alert(1)>"
_START = b"8=FIX.4.4\x019=1000000\x0135=D\x01"


# Inputs: pieces of bytes, as many as `scale` asks for --------------------------------------


def _again(piece: bytes, size: float) -> Iterator[bytes]:
    """`piece` again and again, up to `size` bytes."""
    block = piece * (MB // len(piece) + 1)
    for _ in range(int(size) // len(block) + 1):
        yield block


def _wire(fields: bytes) -> bytes:
    head = b"8=FIX.4.4\x019=%d\x01%b" % (len(fields), fields)
    return b"%b10=%03d\x01\n" % (head, sum(head) & 255)


def _each(count: float, fields: Callable[[int], bytes]) -> Iterator[bytes]:
    """A message for each number from 1, some at a time."""
    for begin in range(1, int(count) + 1, 10_000):
        numbers = range(begin, min(begin + 10_000, int(count) + 1))
        yield b"".join(_wire(fields(i)) for i in numbers)


def _stamp(i: int) -> bytes:
    return b"20260105-%02d:%02d:%02d" % (i // 3_600_000 % 24, i // 60_000 % 60, i // 1_000 % 60)


def _admin(kind: bytes, i: int, more: bytes = b"") -> bytes:
    return b"35=%b\x0134=%d\x0149=A\x0152=%b\x0156=B\x01%b" % (kind, i, _stamp(i), more)


def _sessions(i: int) -> bytes:
    return b"35=0\x0134=%d\x0149=P%08d\x0152=%b\x0156=US\x01" % (1 + i % 3, i, _stamp(i))


def _holes(i: int) -> bytes:
    return _admin(b"D", 3 * i)


def _leap(i: int) -> bytes:
    return _admin(b"D", i if i % 1_000 else 10**15 + i * 10**9)


def _requests(i: int) -> bytes:
    return _admin(b"2", i, b"7=%d\x0116=0\x01" % (1 + i % 1_000))


def _logons(i: int) -> bytes:
    return _admin(b"A", 1, b"98=0\x01108=30\x01141=Y\x01")


def _pings(i: int) -> bytes:
    return _admin(b"1", i, b"112=%b-%d\x01" % (_HOST, i))


def _texts(i: int) -> bytes:
    return _admin(b"3", i, b"45=%d\x0158=%b %d\x01" % (i, _HOST, i))


def _noise(size: float) -> Iterator[bytes]:
    chance = random.Random(1)
    for _ in range(int(size) // MB + 1):
        yield chance.randbytes(MB)


def _bomb(compress: Callable[[bytes], bytes], size: float, part: bytes = b"\x00") -> bytes:
    """A file of `size` bytes, as parts that each expand to 64 MB."""
    whole = compress(part * (64 * MB // len(part)))
    return whole * (int(size) // (64 * MB) + 1)


def _zstd(data: bytes) -> bytes:
    from backports import zstd

    packed: bytes = zstd.compress(data, 9)
    return packed


class Input(NamedTuple):
    """A hostile file, and how far it goes: "read", or "all" for what follows as well."""

    pieces: Callable[[float], Iterator[bytes]]
    steps: str
    name: str = "hostile.log"


_LOG = _wire(_admin(b"D", 7, b"11=ORDER\x0155=SYM\x0138=100\x01"))
INPUTS: dict[str, Input] = {
    "line of x": Input(lambda s: _again(b"x", 2 * GB * s), "read"),
    "line of NUL": Input(lambda s: _again(b"\x00", 2 * GB * s), "read"),
    "line of fields": Input(lambda s: _again(b"11=xxxxxxxxxx\x01", 2 * GB * s), "read"),
    "line of messages": Input(lambda s: _again(_LOG[:-1], 2 * GB * s), "read"),
    "starts without end": Input(lambda s: _again(_START, 0.5 * GB * s), "read"),
    "line ends only": Input(lambda s: _again(b"\n", 0.5 * GB * s), "read"),
    "delimiters only": Input(lambda s: _again(b"\x01", 0.5 * GB * s), "read"),
    "trailers only": Input(lambda s: _again(b"10=000\x01", 0.1 * GB * s), "read"),
    "random bytes": Input(lambda s: _noise(1 * GB * s), "read"),
    "all garbled: sums": Input(
        lambda s: _again(_LOG.replace(b"\x0155=", b"\x0154="), 0.5 * GB * s), "all"
    ),
    "all garbled: lengths": Input(
        lambda s: _again(_LOG.replace(b"9=", b"9=1", 1), 0.1 * GB * s), "all"
    ),
    "all garbled: cut": Input(lambda s: _again(_LOG[:-12] + b"\n", 0.1 * GB * s), "all"),
    "gz bomb": Input(lambda s: iter([_bomb(gzip.compress, 20 * GB * s)]), "read"),
    "bz2 bomb": Input(lambda s: iter([_bomb(bz2.compress, 20 * GB * s)]), "read"),
    "xz bomb": Input(lambda s: iter([_bomb(lzma.compress, 20 * GB * s)]), "read"),
    "zst bomb": Input(lambda s: iter([_bomb(_zstd, 20 * GB * s)]), "read"),
    "gz of messages": Input(lambda s: iter([_bomb(gzip.compress, 2 * GB * s, _LOG)]), "read"),
    "10M sessions": Input(lambda s: _each(10_000_000 * s, _sessions), "all"),
    "10M texts with escapes": Input(lambda s: _each(10_000_000 * s, _texts), "read"),
    "1M texts with escapes": Input(lambda s: _each(1_000_000 * s, _texts), "all"),
    "1M TestRequests": Input(lambda s: _each(1_000_000 * s, _pings), "all"),
    "1M holes": Input(lambda s: _each(1_000_000 * s, _holes), "all"),
    "leaps of 10^9": Input(lambda s: _each(1_000_000 * s, _leap), "all"),
    "1M ResendRequests": Input(lambda s: _each(1_000_000 * s, _requests), "all"),
    "1M Logons that reset": Input(lambda s: _each(1_000_000 * s, _logons), "all"),
}


# One input, in a process of its own --------------------------------------------------------


def child(path: Path, steps: str) -> None:
    """Take the steps; a line of JSON for each."""
    import fixlab
    from fixlab import analysis
    from fixlab.cli import _main

    Path("/proc/self/clear_refs").write_text("5")  # from here on the peak is counted anew
    before, shared = _memory(), dict[str, Any]()

    def read() -> str:
        log = shared["log"] = fixlab.read_log(path)
        frame = log.frame
        size = int(frame.memory_usage(deep=True).sum()) // MB
        rows = f"{len(log):,} rows, {int(log.files['defects'].iloc[0]):,} with a defect"
        return f"{rows}, {len(log.sessions):,} sessions, frame {size:,} MB{_noted(log)}"

    def view(name: str) -> Callable[[], str]:
        return lambda: f"{len(getattr(analysis, name)(shared['log'])):,} rows"

    def show() -> str:
        log = shared["log"]
        shown = [repr(log), log._repr_html_(), log.frame.to_html(max_rows=60)]
        return _harmless(*shown)

    def analyze() -> str:
        shared["found"] = fixlab.analyze(shared["log"])
        return repr(shared["found"])[:70]

    def told() -> str:
        found = shared["found"]
        evidence = [repr(found.evidence(i)) for i in range(min(len(found), 50))]
        return _harmless(found.summary(), repr(found), found._repr_html_(), *evidence)

    def page() -> str:
        made = path.with_suffix(".html")
        shared["found"].to_html(made)
        text = made.read_text("utf-8")
        made.unlink()
        return _harmless(text)

    def cli() -> str:
        shared.clear()
        out, err = io.StringIO(), io.StringIO()
        with redirect_stdout(out), redirect_stderr(err):
            code = _main.main(["analyze", str(path)])
        return f"exit {code}, {_harmless(out.getvalue(), err.getvalue())}"

    everything: dict[str, Callable[[], str]] = {
        "read": read, "show": show, "gaps": view("gaps"), "ledger": view("ledger"),
        "resends": view("resends"), "intervals": view("intervals"), "analyze": analyze,
        "told": told, "page": page, "cli": cli,
    }  # fmt: skip
    wanted = everything if steps == "all" else ["read", "show"]
    for name in wanted:
        print(json.dumps({"begins": name}), flush=True)
        begin = time.perf_counter()
        try:
            outcome = everything[name]()
        except fixlab.FixLabError as error:
            outcome = f"{type(error).__name__}: {error}".replace(f"{path.parent}/", "")
            wanted = []
        took = time.perf_counter() - begin
        print(json.dumps([name, took, _memory() - before, outcome]), flush=True)
        if not wanted:
            break


def _noted(log: Any) -> str:
    return f"; note: {log.notes[0]}" if log.notes else ""


def _harmless(*texts: str) -> str:
    """The sizes of what is shown, unless something in it could act."""
    for text in texts:
        assert "\x1b" not in text, "an escape sequence"
        assert "\x07" not in text, "a bell"
    for text in texts:
        if "<table" in text or "<pre" in text:
            assert "<script>alert" not in text, "markup of the wire"
            assert "<img src=x" not in text, "markup of the wire"
    return f"{sum(map(len, texts)) / 1e3:,.0f} kB shown"


def _memory() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10
    raise AssertionError("no VmHWM")


# All of them ---------------------------------------------------------------------------------


def main(arguments: list[str]) -> int:
    """Run; how many inputs were not stood."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=_Plain)
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", default=",".join(INPUTS))
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.child:
        warnings.simplefilter("error")
        child(Path(given.child[0]), given.child[1])
        return 0
    if given.list:
        print("\n".join(INPUTS))
        return 0
    names = given.only.split(",")
    if unknown := set(names) - INPUTS.keys():
        parser.error(f"no such input: {', '.join(unknown)}; --list shows them")
    print(f"{machine()}; scale {given.scale:g}")
    place = os.environ.get("FIXLAB_BENCH")
    failed = 0
    for name in names:
        with tempfile.TemporaryDirectory(dir=place) as folder:
            path = Path(folder, INPUTS[name].name)
            with path.open("wb") as file:
                for piece in INPUTS[name].pieces(given.scale):
                    file.write(piece)
            size = path.stat().st_size
            print(f"\n{name}: {size / 1e6:,.1f} MB", flush=True)
            failed += not _stood(path, INPUTS[name].steps, size, given.seconds)
    print(f"\n{failed} not stood")
    return failed


def _stood(path: Path, steps: str, size: int, seconds: float) -> bool:
    command = [sys.executable, __file__, "--child", str(path), steps]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            out, err = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            err = f"stopped after {seconds:g} s".encode()
    begun = ""
    for line in out.decode().splitlines():
        told = json.loads(line)
        if isinstance(told, dict):
            begun = told["begins"]
            continue
        name, took, peak, outcome = told
        rate = f"{size / 1e6 / took:,.0f} MB/s" if took else ""
        print(f"  {name:<9} {took:>8.2f} s {rate:>12} {peak / 1e6:>8,.0f} MB  {outcome}")
        begun = ""
    if process.returncode or begun:
        last = err.decode().strip().splitlines()[-1:] or ["no word"]
        print(f"  {begun:<9} FAILED, exit {process.returncode}: {last[0]}")
        return False
    return True


class _Plain(argparse.RawDescriptionHelpFormatter):
    pass


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])))
