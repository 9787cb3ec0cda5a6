"""replay() of many simulated engines that keep their rules: nobody is blamed for anything.

Known settings, settings read off the log, and logs that begin in the middle.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from fixlab.analysis import replay
from fixlab.session.config import SessionConfig
from fixlab.wire.tags import ADMIN_TYPES
from tests.analysis.logged import Line, read
from tests.analysis.test_replay import MIX, logs_of, told

# Seeds that once blamed somebody, and why.
KNOWN = {
    "a reset by who cannot reset in session": ("config", 882),
    "early messages of which one is kept": ("read", 10),
    "numbers used up before both begin anew": ("read", 103),
    "a profile that never asks again, and an engine that does": ("read", 176),
    "numbers that begin anew after a Logout, with 789": ("read", 291),
    "a reset in session that is tried again": ("read", 566),
    "ranges that an engine asks for, of a profile that drops": ("read", 588),
    "a Logon that goes back and is refused": ("read", 610),
    "a reset that goes down with its Logon": ("read", 814),
    "a reset that nobody answered, and a Logon without": ("read", 797),
    "numbers that begin anew after a cut": ("read", 646),
    "an answer at the beginning, and a Logon right behind it": ("cut", 16),
    "an answer at the beginning, and a Logon much later": ("cut", 79),
    "a refusal right at the beginning": ("cut", 147),
    "numbers that begin anew behind a cut beginning": ("cut", 208),
    "a log that begins within an answer to a request": ("cut", 275),
    "789 that speaks of what came before the log": ("cut", 532),
    "a request about what came before the log": ("cut", 576),
    "a first number that nothing tells but a request": ("cut", 626),
    "a silence that began before the log": ("cut", 638),
    "a reset in session at the beginning": ("cut", 648),
}


def departs(config: SessionConfig) -> bool:
    """Whether a setting departs from the rules in a way that no log can excuse."""
    fills_over = bool(config.gap_fill_types - ADMIN_TYPES)
    return fills_over or not (config.check_silence and config.persist_messages)


def played(folder: Path, how: str, seed: int, *, all_of: bool = False) -> int:
    """Play both sides of a seed; how many messages were judged."""
    lab, logs = logs_of(MIX(seed))
    messages = 0
    for end in (lab.initiator, lab.acceptor):
        config = end.session.config
        lines: list[Line] = logs[config.sender_comp_id]
        if how == "cut" and len(lines) > 5:
            lines = lines[random.Random(f"cut/{seed}").randrange(1, len(lines) - 3) :]
        if not lines or (departs(config) and not all_of):
            continue
        side = config.sender_comp_id
        log = read(folder, lines, "prefixed", ours=side)
        if how == "config":
            found = replay(log, side=side, config=config)
        else:
            found = replay(log, side=side, profile=config.profile)
        assert told(found) == [], (how, seed, side, found)
        messages += len(lines)
    return messages


@pytest.mark.parametrize("how", ["read", "cut"])
@pytest.mark.parametrize("block", range(3))
def test_who_conforms_is_blamed_for_nothing(tmp_path: Path, how: str, block: int) -> None:
    seeds = range(2_000 + 12 * block, 2_012 + 12 * block)
    assert sum(played(tmp_path, how, seed) for seed in seeds) > 50


@pytest.mark.parametrize("why", KNOWN)
def test_what_once_was_a_false_alarm(tmp_path: Path, why: str) -> None:
    how, seed = KNOWN[why]
    assert played(tmp_path, how, seed, all_of=True) > 0
