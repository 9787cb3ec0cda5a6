"""Which rows of two logs are one message."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from fixlab.analysis._joining import codes_of, paired
from fixlab.analysis._two_logs import ABSENT, Side

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


class Joined(NamedTuple):
    """Positions in both sides, `ABSENT` where one does not have the message."""

    first: Ints
    second: Ints
    copy: Bools  # an equal message was matched already: this is one more


def joined_of(first: Side, second: Side) -> Joined:
    code = codes_of(first.key(), second.key())
    at, there = paired(*code)
    free = [np.ones(len(side.row), np.bool_) for side in (first, second)]
    free[0][at], free[1][there] = False, False
    matched = np.zeros(max((int(c.max()) for c in code if len(c)), default=0) + 1, np.bool_)
    matched[code[0][at]] = True
    # A copy of what both have is left alone; the rest may be a message that was changed.
    left = [np.flatnonzero(free[i] & ~matched[code[i]]) for i in (0, 1)]
    shifted = _by_ours(first, second, at, there)
    keys = [
        [side.session[rows], side.sender[rows], side.number[rows], side.poss_dup[rows], epoch]
        for side, rows, epoch in (
            (first, left[0], first.epoch[left[0]]),
            (second, left[1], shifted[left[1]]),
        )
    ]
    more_at, more_there = paired(*codes_of(*keys))
    at = np.r_[at, left[0][more_at]]
    there = np.r_[there, left[1][more_there]]
    free[0][at], free[1][there] = False, False
    alone = [np.flatnonzero(which) for which in free]
    return Joined(
        np.r_[at, alone[0], np.full(len(alone[1]), ABSENT)],
        np.r_[there, np.full(len(alone[0]), ABSENT), alone[1]],
        np.r_[np.zeros(len(at), np.bool_), *(matched[code[i]][alone[i]] for i in (0, 1))],
    )


def _by_ours(first: Side, second: Side, at: Ints, there: Ints) -> Ints:
    """Epochs of the second log as the first one counts: logs may begin at different times."""
    pairs = pd.DataFrame(
        {
            "session": second.session[there],
            "sender": second.sender[there],
            "epoch": second.epoch[there],
            "shift": first.epoch[at] - second.epoch[there],
        }
    )
    usual = int(pairs["shift"].median()) if len(pairs) else 0
    shift = pairs.groupby(["session", "sender", "epoch"])["shift"].median().round()
    wanted = pd.MultiIndex.from_arrays([second.session, second.sender, second.epoch])
    found = shift.reindex(wanted).fillna(usual).to_numpy(np.int64)
    ours: Ints = second.epoch + found
    return ours
