"""A fuzzer without instruments: inputs by mutation, kept when a target behaves in a new way.

A *case* is a tuple of parts: bytes, or an operation as a tuple that begins with its name. It is
plain data, so `repr` of it is the reproducer. A *target* plays a case and returns what it did
as a set of features (kinds and rules of rows, error texts without their figures). A case that
shows a feature nobody showed before joins the corpus, and later cases are made of it: that
steers towards deep states as coverage would, and costs nothing.

All of it follows from the seed: the corpus lives as long as one batch of inputs.
"""

from __future__ import annotations

import gc
import random
import re
import signal
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NamedTuple, Protocol

from fixlab.errors import FixLabError

Part = bytes | tuple[Any, ...]
Case = tuple[Part, ...]

CPU_SECONDS_MAX = 2.0  # for one input; the largest have about 300 KB
_CORPUS_MAX = 1_000
_PARTS_MAX = 60
_WEIGHED_EVERY = 256  # so many inputs, and one of them is weighed; of the largest every fourth
_LARGE = 50_000
_FAILURES_MAX = 20  # kept of one batch


class HangError(BaseException):
    """An input took longer than `CPU_SECONDS_MAX`; no handler of the library may catch it."""


class Played(NamedTuple):
    """What a target did with a case."""

    features: frozenset[str]
    steps: int = 0  # in the target's own unit, bounded by itself


class Target(Protocol):
    """Something that takes input from strangers."""

    name: str
    bytes_max: int  # what one input may add to the memory at its peak: the stated bound
    bound: str  # where that bound comes from, in words

    def make(self, chance: random.Random) -> Case:
        """A case made from nothing."""

    def bend(self, part: Part, chance: random.Random) -> Part:
        """The same part with something wrong."""

    def play(self, case: Case) -> Played:
        """Feed it in and check what must hold.

        A `FixLabError` that comes out is what the target may raise; all else is a failure.
        """


@dataclass
class Failure:
    """A case that a target did not stand."""

    what: str
    case: Case
    number: int


@dataclass
class Tally:
    """What a number of inputs came to."""

    target: str
    seed: str
    inputs: int = 0
    errors: Counter[str] = field(default_factory=Counter)  # FixLabErrors, by type
    features: set[str] = field(default_factory=set)
    steps_most: int = 0
    cpu_ms_most: float = 0.0
    slowest: int = 0  # number of the input that took it
    slowest_bytes: int = 0
    bytes_most: int = 0
    cpu_seconds: float = 0.0
    failures: list[Failure] = field(default_factory=list)
    failed: int = 0

    def add(self, other: Tally) -> None:
        """Take in another batch of the same target."""
        self.inputs += other.inputs
        self.errors += other.errors
        self.features |= other.features
        self.steps_most = max(self.steps_most, other.steps_most)
        if other.cpu_ms_most > self.cpu_ms_most:
            self.cpu_ms_most, self.slowest = other.cpu_ms_most, other.slowest
            self.seed, self.slowest_bytes = other.seed, other.slowest_bytes
        self.bytes_most = max(self.bytes_most, other.bytes_most)
        self.cpu_seconds += other.cpu_seconds
        self.failures += other.failures
        self.failed += other.failed


def fuzz(target: Target, seed: int | str, count: int) -> Tally:
    """`count` inputs to one target."""
    chance = random.Random(f"{target.name}/{seed}")
    tally, corpus = Tally(target.name, str(seed)), [target.make(chance)]
    begun = time.process_time()
    for number in range(count):
        case = _next_case(target, corpus, chance)
        weigh = number % (4 if size_of(case) > _LARGE else _WEIGHED_EVERY) == 0
        before = time.process_time()
        found = trial(target, case, weigh=weigh)
        spent = (time.process_time() - before) * 1_000
        tally.inputs += 1
        if not weigh and spent > tally.cpu_ms_most:
            tally.cpu_ms_most, tally.slowest = spent, number
            tally.slowest_bytes = size_of(case)
        tally.bytes_most = max(tally.bytes_most, found.bytes_most)
        tally.steps_most = max(tally.steps_most, found.played.steps)
        if found.error:
            tally.errors[found.error] += 1
        if found.failure:
            tally.failed += 1
            if len(tally.failures) < _FAILURES_MAX:
                tally.failures.append(Failure(found.failure, case, number))
        elif not tally.features >= found.played.features:
            tally.features |= found.played.features
            if len(corpus) < _CORPUS_MAX:
                corpus.append(case)
            else:
                corpus[chance.randrange(_CORPUS_MAX)] = case
    tally.cpu_seconds = time.process_time() - begun
    return tally


def _next_case(target: Target, corpus: list[Case], chance: random.Random) -> Case:
    how = chance.random()
    if how < 0.25:
        return target.make(chance)
    # The latest finds lead further than the first ones.
    case = chance.choice(corpus[-50:] if how < 0.5 else corpus)
    for _ in range(chance.choice((1, 1, 1, 2, 3, 6))):
        case = _mutated(target, case, chance.choice(corpus), chance)
    return case[:_PARTS_MAX]


def _mutated(target: Target, case: Case, other: Case, chance: random.Random) -> Case:
    """One structural change: of a part, or of the order and number of parts."""
    parts = list(case)
    if not parts:
        return other
    at = chance.randrange(len(parts))
    match chance.randrange(8):
        case 0:
            del parts[at]
        case 1:
            parts.insert(at, chance.choice(parts))
        case 2 if other:
            parts.insert(at, chance.choice(other))
        case 3 if other:
            parts[at:] = other[chance.randrange(len(other)) :]
        case 4:
            with_ = chance.randrange(len(parts))
            parts[at], parts[with_] = parts[with_], parts[at]
        case _:
            parts[at] = target.bend(parts[at], chance)
    return tuple(parts)


# One input --------------------------------------------------------------------------------


class Trial(NamedTuple):
    """How one case went; `failure` is "" when it went well."""

    played: Played
    error: str  # the FixLabError that came out, by type
    failure: str
    bytes_most: int


def trial(target: Target, case: Case, *, weigh: bool = False) -> Trial:
    """Play one case within its bounds of time and, if it is weighed, of memory."""
    played, error, failure, bytes_most = Played(frozenset()), "", "", 0
    if weigh:
        gc.collect()
        tracemalloc.start()
    before = signal.signal(signal.SIGPROF, _on_alarm)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS_MAX * (20 if weigh else 1))
    try:
        played = target.play(case)
    except FixLabError as found:
        error = type(found).__name__
        played = Played(frozenset({f"{error} {plain(str(found))}"}))
    except HangError:
        failure = f"HangError: more than {CPU_SECONDS_MAX:g} s of CPU"
    except Exception as found:  # noqa: BLE001 - whatever it is, it is what is looked for
        failure = f"{type(found).__name__} at {_place(found)}: {plain(str(found))}"
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
        if weigh:
            bytes_most = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
    if not failure and bytes_most > target.bytes_max + 4 * size_of(case):
        failure = f"MemoryError: {bytes_most:,} bytes, more than {target.bytes_max:,}"
    return Trial(played, error, failure, bytes_most)


def _on_alarm(number: int, frame: FrameType | None) -> None:
    raise HangError


def _place(error: BaseException) -> str:
    """The innermost function of the library itself that an error passed through."""
    trace, place = error.__traceback__, "?"
    while trace is not None:
        code = trace.tb_frame.f_code
        if "fixlab/" in code.co_filename.rpartition("/tests/")[2]:
            place = f"{code.co_filename.rpartition('fixlab/')[2]}:{trace.tb_lineno}"
        elif "/tests/" in code.co_filename and isinstance(error, AssertionError):
            place = f"{code.co_name}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


_FIGURES = re.compile(r"[0-9]+|'[^']*'|b?\"[^\"]*\"|/\S+")


def plain(text: str) -> str:
    """A text without what differs from input to input: figures, quoted values and paths."""
    return _FIGURES.sub("#", text[:2_000])[:100]


def size_of(case: Case) -> int:
    """Bytes of a case, as far as they are given in full."""
    return sum(len(part) if isinstance(part, bytes) else len(repr(part)) for part in case)


# Reducing ---------------------------------------------------------------------------------

_REDUCTIONS_MAX = 2_000


def reduced(target: Target, case: Case, failure: str) -> Case:
    """The case with all left out that can be, while it still fails the same way."""
    wanted, left = failure.partition(":")[0], _REDUCTIONS_MAX

    def still(smaller: Case) -> bool:
        nonlocal left
        left -= 1
        # The reducer may be asked about memory or time as well; neither is repeated exactly.
        found = trial(target, smaller, weigh=wanted == "MemoryError").failure
        return found.partition(":")[0] == wanted

    again = True
    while again and left > 0:
        again = False
        for smaller in _smaller(case):
            if left <= 0:
                break
            if still(smaller):
                case, again = smaller, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    yield from _without_spans(case)
    for at, part in enumerate(case):
        for less in _smaller_part(part):
            yield (*case[:at], less, *case[at + 1 :])


def _smaller_part(part: Part) -> Iterator[Part]:
    if isinstance(part, bytes):
        yield from _without_spans(part)
        return
    for at, value in enumerate(part):
        if isinstance(value, bytes | str) and at and len(value) > 1:
            for less in _without_spans(value):
                yield (*part[:at], less, *part[at + 1 :])


def _without_spans(whole: Any) -> Iterator[Any]:
    """A sequence without a half, a quarter, ... of it, down to single elements."""
    size = max(1, len(whole) // 2)
    while whole:
        for start in range(0, len(whole), size):
            yield whole[:start] + whole[start + size :]
        if size == 1 or len(whole) // size > 64:
            return
        size //= 2


# Bytes ------------------------------------------------------------------------------------

NUMBERS = (
    b"0", b"-1", b"-0", b"+1", b"00", b"01", b"1.0", b"1e9", b" 1", b"1 ", b"\xd9\xa1",
    b"\xb2", b"4294967296", b"2147483648", b"9223372036854775807", b"9223372036854775808",
    b"18446744073709551616", b"9" * 18, b"9" * 19, b"9" * 40, b"1" * 5_000, b"NaN", b"",
)  # fmt: skip
TOKENS = (
    b"\x01", b"=", b"\x01\x01", b"|", b"\x00", b"\xff", b"\r\n", b"\n", b"\x1b[2J",
    b"\xe2\x80\xae", b"<b>", b"&amp;", b"%s", b"{}", b"../", b"\x0110=000\x01", b"'", b'"',
    b"8=FIX.4.4\x01", b"8=FIX.4.4\x019=5\x0135=", b"9=99999\x01", b"35=A\x01", b"34=1\x01",
    b"95=5\x0196=", b"554=", b"43=Y\x01", b"\x01" * 40,
)  # fmt: skip
_NUMBER = re.compile(rb"[0-9]+")
_GROWN_MAX = 300_000


def bent(data: bytes, chance: random.Random, tokens: tuple[bytes, ...] = TOKENS) -> bytes:
    """Bytes with one thing wrong."""
    if not data:
        return chance.choice(tokens)
    at = chance.randrange(len(data))
    end = min(len(data), at + chance.choice((1, 2, 5, 20, 100)))
    match chance.randrange(11):
        case 0:
            return data[:at] + bytes([chance.randrange(256)]) + data[at + 1 :]
        case 1:
            return data[:at] + data[end:]
        case 2:
            return data[:end] + data[at:]
        case 3:
            return data[:at]
        case 4 | 5:
            return data[:at] + chance.choice(tokens) + data[at:]
        case 6 | 7:
            return _with_number(data, chance)
        case 8:
            to = chance.randrange(len(data))
            return data[:to] + data[at:end] + data[to:]
        case 9 if chance.random() < 0.05:
            times = min(chance.choice((50, 1_000, 20_000)), _GROWN_MAX // (end - at))
            return data[:at] + data[at:end] * times + data[end:]
        case _:
            return data[:at] + chance.choice(tokens) + data[end:]


def _with_number(data: bytes, chance: random.Random) -> bytes:
    found = [*_NUMBER.finditer(data, 0, 20_000)]
    if not found:
        return data
    one = chance.choice(found)
    value = int(one[0][:18])
    near = (b"%d" % (value + 1), b"%d" % max(0, value - 1), b"%d" % (value * 2))
    put = chance.choice(NUMBERS if chance.random() < 0.6 else near)
    return data[: one.start()] + put + data[one.end() :]


def bend_with(
    tokens: tuple[bytes, ...],
) -> Callable[[Any, Part, random.Random], Part]:
    """A `bend` for targets whose byte parts are text of some kind."""

    def bend(_: object, part: Part, chance: random.Random) -> Part:
        return bent(part, chance, tokens) if isinstance(part, bytes) else part

    return bend
