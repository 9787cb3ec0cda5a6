"""replay() of many simulated engines that keep their rules: nobody is blamed for anything.

Known settings, settings read off the log, and logs that begin in the middle. What only a
setting explains that no log shows is told with low confidence, and with its name.
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
    "a schedule, and Logons that are refused on either side of its end": ("read", 2051),
    "one that asks for the same at every early message": ("read", 2059),
    "numbers that begin anew after a cut, and messages queued before the Logon": ("read", 2103),
    "one that begins anew after a Logout, and asks for all": ("read", 2157),
    "numbers that begin anew after a cut, and a request for all": ("read", 2382),
    "one that never probes": ("read", 2179),
    "one that fills over all": ("read", 2057),
    "a first 789 that tells what the log does not": ("cut", 2059),
    "a request for what came behind something before the log": ("cut", 4002),
    "the next part of what was missing before the log": ("cut", 8039),
    "a reset that nobody answered, and numbers queued behind it": ("cut", 8042),
    "an answer at the beginning, and a Logout much later": ("cut", 2151),
    "a reset in session at the beginning": ("cut", 648),
}


def explained(config: SessionConfig, summary: str) -> bool:
    """Whether the setting that a deviation names is what explains it."""
    name = summary.rpartition("(no deviation with ")[2].rstrip(")")
    return {
        "check_silence=False": not config.check_silence,
        "persist_messages=False or other gap_fill_types": (
            bool(config.gap_fill_types - ADMIN_TYPES) or not config.persist_messages
        ),
        "redundant_requests=True": config.redundant_requests,
        "reset_on_logout or reset_on_disconnect": (
            config.reset_on_logout or config.reset_on_disconnect
        ),
    }[name]


def played(folder: Path, how: str, seed: int) -> int:
    """Play both sides of a seed; how many messages were judged."""
    lab, logs = logs_of(MIX(seed))
    messages = 0
    for end in (lab.initiator, lab.acceptor):
        config = end.session.config
        lines: list[Line] = logs[config.sender_comp_id]
        if how == "cut" and len(lines) > 5:
            lines = lines[random.Random(f"cut/{seed}").randrange(1, len(lines) - 3) :]
        if not lines:
            continue
        side = config.sender_comp_id
        log = read(folder, lines, "prefixed", ours=side)
        if how == "config":
            found = replay(log, side=side, config=config)
            assert told(found) == [], (how, seed, side, found)
        else:
            found = replay(log, side=side, profile=config.profile)
            table = found.table
            assert set(table["confidence"]) <= {"low"}, (how, seed, side, found)
            unexplained = [s for s in table["summary"] if not explained(config, s)]
            assert unexplained == [], (how, seed, side, found)
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
    assert played(tmp_path, how, seed) > 0
