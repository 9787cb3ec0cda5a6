"""What became of each message of two logs, and how long it was on its way."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from fixlab.analysis._changes import changed
from fixlab.analysis._clocks import UNKNOWN, Clock, estimate
from fixlab.analysis._matching import Joined
from fixlab.analysis._two_logs import ABSENT, Side
from fixlab.frames import FATES_OF_TWO, MISSING

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

_LATENCY_QUANTILE = 0.99  # of all latencies: what was on its way when a log ends is not lost


def clock_of(first: Side, second: Side, at: Ints, there: Ints, outward: Bools) -> Clock:
    timed = timed_of(first, second, at, there)
    if not timed.any():
        return UNKNOWN
    return estimate(first.time[at[timed]], second.time[there[timed]], outward[timed])


def latencies_of(
    first: Side, second: Side, joined: Joined, outward: Bools, clock: Clock
) -> npt.NDArray[np.float64]:
    latency = np.full(len(outward), np.nan)
    timed = timed_of(first, second, joined.first, joined.second)
    if clock.known and timed.any():
        ours, theirs = first.time[joined.first[timed]], second.time[joined.second[timed]]
        way = theirs - ours - clock.offsets(ours)
        latency[timed] = np.where(outward[timed], way, -way) / 1e6
    return latency


def by_our_clock(ours: Ints, theirs: Ints, clock: Clock) -> Ints:
    if not clock.known:
        return np.where(ours != MISSING, ours, theirs)
    known = np.where(theirs != MISSING, theirs, 0)
    back = (known - clock.offsets(known)).astype(np.int64)
    return np.where(ours != MISSING, ours, np.where(theirs != MISSING, back, MISSING))


def fates_of(
    first: Side,
    second: Side,
    joined: Joined,
    outward: Bools,
    clock: Clock,
    latency: npt.NDArray[np.float64],
) -> npt.NDArray[np.int8]:
    code = {fate: position for position, fate in enumerate(FATES_OF_TWO)}
    at, there = joined.first, joined.second
    both = (at != ABSENT) & (there != ABSENT)
    fate = np.full(len(at), code["arrived"], np.int8)
    fate[np.flatnonzero(both)[changed(first, second, at[both], there[both])]] = code["changed"]
    departed = np.where(outward, at != ABSENT, there != ABSENT)
    known = latency[~np.isnan(latency)]
    margin = float(np.quantile(known, _LATENCY_QUANTILE)) * 1e6 if len(known) else 0.0
    # Where a clock was set in between, nobody knows the offset any better.
    unsure = clock.uncertainty_ms * 1e6 if np.isfinite(clock.uncertainty_ms) else 0.0
    for side, other, places, sign in (
        (first, second, at, 1.0),
        (second, first, there, -1.0),
    ):
        mine = (places != ABSENT) & ~both
        moved = side.time[places[mine]]
        if clock.known:
            moved = moved + (sign * clock.offsets(moved)).astype(np.int64)
        left = departed[mine]
        session = side.session[places[mine]]
        covered = _covered(other, session, moved, left, (margin, unsure))
        copied = joined.copy[mine] & ~left
        fate[mine] = np.where(
            copied,
            code["doubled"],
            np.where(~covered, code["uncovered"], np.where(left, code["lost"], code["unsent"])),
        )
    return fate


def _covered(
    other: Side, session: Ints, time: Ints, left: Bools, margins: tuple[float, float]
) -> Bools:
    """Whether the other log was being kept when a message was to arrive, or to leave."""
    margin, unsure = margins
    begin = np.full(len(other.names), np.iinfo(np.int64).max)
    end = np.full(len(other.names), MISSING)
    dated = other.time != MISSING
    np.minimum.at(begin, other.session[dated], other.time[dated])
    np.maximum.at(end, other.session[dated], other.time[dated])
    since = np.where(left, time, time - margin) - unsure
    until = np.where(left, time + margin, time) + unsure
    inside: Bools = (since >= begin[session]) & (until <= end[session]) & (time != MISSING)
    return inside


def timed_of(first: Side, second: Side, at: Ints, there: Ints) -> Bools:
    """Which messages both logs stamped themselves."""
    both: Bools = (at != ABSENT) & (there != ABSENT)
    both &= picked(first.own_time, at).astype(np.bool_)
    both &= picked(second.own_time, there).astype(np.bool_)
    return both


def picked(values: npt.NDArray[Any], at: Ints) -> npt.NDArray[Any]:
    """Values at these positions; whatever stands last where there is none."""
    return values[at] if len(values) else np.zeros(len(at), values.dtype)
