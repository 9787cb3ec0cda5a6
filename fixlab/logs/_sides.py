"""Which session a message belongs to, and which way it went, with the reason to think so."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fixlab.vocabulary import DIRECTION_SOURCES

# How sure each reason is, in words.
CONFIDENCE = {
    "": "unknown",
    "given": "certain",
    "captured": "certain",
    "logged": "high",
    "file_name": "high",
    "comp_ids": "medium",
    "timing": "low",
}
assert tuple(CONFIDENCE) == DIRECTION_SOURCES

_AGREE = 0.9  # share of the lines of one pair that must say the same
_LAGS_MIN = 10  # messages of a pair below which their lags say nothing
_LAG_MAX = 50_000_000  # ns between SendingTime(52) and the log of who sent it
_SPREAD = 3  # times as even must the lags of who keeps the log be


class Pair(NamedTuple):
    """Who sent to whom, in which version."""

    begin_string: str
    sender: str
    target: str


@dataclass(slots=True)
class Seen:
    """What a log shows of one pair."""

    rows: int = 0
    sound: int = 0  # of them without a defect
    marked_in: int = 0
    marked_out: int = 0
    lag: int | None = None  # median of time logged less SendingTime(52), in ns
    spread: int = 0  # median distance of the lags from that


class Side(NamedTuple):
    """The session and the direction of all messages of one pair."""

    session: str
    direction: str
    source: str


def sides(
    pairs: Mapping[Pair, Seen],
    ours: Collection[str],
    file_names: Sequence[str],
    *,
    captured: bool = False,
) -> dict[Pair, Side]:
    """The side of each pair; `pairs` stand in order of occurrence.

    `ours` are CompIDs of the side that kept the log; `file_names` may name the session with
    its own side first, as QuickFIX does. In what was `captured`, the side that called is ours.
    """
    own = _reasons(pairs, ours, file_names)
    if captured:
        marked = {key: (one, "captured") for key, (one, why) in own.items() if why == "logged"}
        own |= marked
    result: dict[Pair, Side] = {}
    for pair in pairs:
        version, sender, target = pair
        if not sender or not target or not version:
            result[pair] = Side("", "", "")
            continue
        key = (version, *sorted((sender, target)))
        first, source = own.get(key, ("", ""))
        if not source:
            back = result.get(Pair(version, target, sender))
            first = target if back else sender
            result[pair] = Side(f"{version}:{first}->{_other(pair, first)}", "", "")
            continue
        direction = "out" if sender == first else "in"
        result[pair] = Side(f"{version}:{first}->{_other(pair, first)}", direction, source)
    return result


def _other(pair: Pair, one: str) -> str:
    return pair.target if pair.sender == one else pair.sender


def _reasons(
    pairs: Mapping[Pair, Seen], ours: Collection[str], file_names: Sequence[str]
) -> dict[tuple[str, ...], tuple[str, str]]:
    """For each session the CompID that kept the log, and the surest reason to think so."""
    sessions: dict[tuple[str, ...], Pair] = {}
    for pair in pairs:
        if pair.sender and pair.target and pair.sender != pair.target:
            sessions.setdefault((pair.begin_string, *sorted(pair[1:])), pair)
    common = _common([pair for pair in sessions.values() if _sound(pair, pairs)])
    found: dict[tuple[str, ...], tuple[str, str]] = {}
    for key, pair in sessions.items():
        there = pairs[pair]
        back = pairs.get(Pair(pair.begin_string, pair.target, pair.sender), Seen())
        reasons = (
            ("given", _only(pair, [name for name in pair[1:] if name in ours])),
            ("logged", _marked(pair, there, back)),
            ("file_name", _named(pair, file_names)),
            ("comp_ids", _only(pair, common)),
            ("timing", _timed(pair, there, back)),
        )
        found[key] = next(((own, why) for why, own in reasons if own), ("", ""))
    return found


def _only(pair: Pair, names: Collection[str]) -> str:
    """The one side of the pair that is among `names`, if it is one."""
    those = [name for name in pair[1:] if name in names]
    return those[0] if len(those) == 1 else ""


def _sound(pair: Pair, pairs: Mapping[Pair, Seen]) -> bool:
    """Whether a message without a defect has these CompIDs: others may be damaged."""
    back = pairs.get(Pair(pair.begin_string, pair.target, pair.sender), Seen())
    return pairs[pair].sound + back.sound > 0


def _common(pairs: Sequence[Pair]) -> list[str]:
    """CompIDs that take part in each of several sessions."""
    if len(pairs) < 2:
        return []
    return [name for name in pairs[0][1:] if all(name in pair[1:] for pair in pairs)]


def _marked(pair: Pair, there: Seen, back: Seen) -> str:
    """Whose log it is, by the words in its lines."""
    out = there.marked_out + back.marked_in
    into = there.marked_in + back.marked_out
    if out + into == 0 or max(out, into) < _AGREE * (out + into):
        return ""
    return pair.sender if out > into else pair.target


def _named(pair: Pair, file_names: Sequence[str]) -> str:
    """Whose log it is, by the names of its files."""
    version, sender, target = pair
    own = {
        one
        for name in file_names
        for one, other in ((sender, target), (target, sender))
        if f"{version}-{one}-{other}." in name or f"{version}-{one}-{other}-" in name
    }
    return own.pop() if len(own) == 1 else ""


def _timed(pair: Pair, there: Seen, back: Seen) -> str:
    """Whose log it is, by the clock: what one sends one logs at once, and evenly."""
    if min(there.rows, back.rows) < _LAGS_MIN or there.lag is None or back.lag is None:
        return ""
    at_once = [
        name
        for name, seen, other in (
            (pair.sender, there, back),
            (pair.target, back, there),
        )
        if seen.lag is not None
        and 0 <= seen.lag <= _LAG_MAX
        and seen.spread * _SPREAD <= other.spread
    ]
    return at_once[0] if len(at_once) == 1 else ""
