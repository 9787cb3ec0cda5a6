"""How far two clocks are apart, and how fast they part, from the times of messages both ways.

A message that leaves at `a` by one clock and arrives at `b` by the other gives b - a: the
offset, and the way. The quickest messages of a while tell the offset best, for their way is
the shortest; those of both directions bound it from two sides. Slow ones and single wrong
times say nothing, so they have no weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fixlab.times import NANOSECONDS

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_WINDOWS = 32  # stretches of time of which each gives one offset
_WINDOW_MIN = 10 * NANOSECONDS  # a drift within less is noise
_SPAN_MIN = 60 * NANOSECONDS  # shorter logs tell no drift


@dataclass(frozen=True, slots=True)
class Clock:
    """The second log's clock by the first one's; NaN where the logs cannot tell.

    At a time t of the first clock, the second one shows t + offset + drift * (t - middle).
    """

    offset_ms: float  # in the middle of what both logs cover
    drift_ppm: float  # how much faster the second clock runs, in millionths
    uncertainty_ms: float  # half of the shortest way there and back; NaN: one direction only
    pairs: int  # messages that both logs have with a time of their own
    middle: int  # ns

    @property
    def known(self) -> bool:
        """Whether there is an offset at all."""
        return bool(np.isfinite(self.offset_ms))

    def offsets(self, time: Ints) -> Floats:
        """The offset in ns at each time of the first clock."""
        drift = self.drift_ppm if np.isfinite(self.drift_ppm) else 0.0
        since = (time - self.middle).astype(np.float64)
        return np.asarray(self.offset_ms * 1e6 + drift * 1e-6 * since, np.float64)

    def __str__(self) -> str:
        if not self.known:
            return "clocks: not known, the logs have no times of their own for one message"
        drift = "" if not np.isfinite(self.drift_ppm) else f", drift {self.drift_ppm:+.2f} ppm"
        sure = (
            " (one direction only: the way is in it)"
            if not np.isfinite(self.uncertainty_ms)
            else f" ± {self.uncertainty_ms:.3f} ms"
        )
        return (
            f"clocks: theirs is {self.offset_ms:+.3f} ms{sure} off ours{drift}, "
            f"from {self.pairs:,} messages"
        )


UNKNOWN = Clock(np.nan, np.nan, np.nan, 0, 0)


def estimate(ours: Ints, theirs: Ints, there: npt.NDArray[np.bool_]) -> Clock:
    """The clock from times of the same messages; `there`: it went from us to them."""
    if not len(ours):
        return UNKNOWN
    begin, end = int(ours.min()), int(ours.max())
    middle, difference = begin + (end - begin) // 2, theirs - ours
    both_ways = bool(there.any() and not there.all())
    drift = np.nan
    if end - begin >= _SPAN_MIN:
        drift = _drift(ours, difference, there, (begin, end))
    # With the drift out of the way, the quickest of all times count.
    level = difference - (0.0 if np.isnan(drift) else drift) * (ours - middle)
    if not both_ways:
        # One bound only: an arrival is never before its departure.
        offset = float(level.min()) if there.all() else float(level.max())
        return Clock(offset / 1e6, drift * 1e6, np.nan, len(ours), middle)
    high, low = float(level[there].min()), float(level[~there].max())
    return Clock((high + low) / 2e6, drift * 1e6, abs(high - low) / 2e6, len(ours), middle)


def _drift(
    time: Ints, difference: Ints, there: npt.NDArray[np.bool_], span: tuple[int, int]
) -> float:
    """Slope of the offset: the median of those between any two windows (Theil and Sen)."""
    begin, end = span
    windows = int(min(_WINDOWS, max(2, (end - begin) // _WINDOW_MIN)))
    window = ((time - begin) * windows // (end - begin + 1)).astype(np.int64)
    slopes = []
    for way, quickest in ((there, np.minimum), (~there, np.maximum)):
        if not way.any():
            continue
        bound = np.full(windows, np.nan)
        quickest_of = quickest.reduceat
        order = np.argsort(window[way], kind="stable")
        of, value = window[way][order], difference[way][order].astype(np.float64)
        starts = np.flatnonzero(np.r_[True, of[1:] != of[:-1]])
        bound[of[starts]] = quickest_of(value, starts)
        # When the quickest one was on its way, not the middle of its window.
        at = np.full(windows, np.nan)
        is_quickest = value == bound[of]
        at[of[is_quickest]] = time[way][order][is_quickest] - begin
        seen = np.flatnonzero(~np.isnan(bound))
        first, second = np.triu_indices(len(seen), 1)
        if len(first):
            first, second = seen[first], seen[second]
            slopes.append((bound[second] - bound[first]) / (at[second] - at[first]))
    return float(np.median(np.concatenate(slopes))) if slopes else np.nan
