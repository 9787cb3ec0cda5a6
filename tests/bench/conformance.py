"""All test cases in memory, both roles: how long they take, and how much time passes."""

from __future__ import annotations

import time

from fixlab.conformance import Profile, Report, SessionTarget
from fixlab.conformance import run as run_cases
from fixlab.session.config import SessionConfig
from tests.bench.measure import Row, interleaved, table
from tests.dictionary.published import published

_GOAL_SECONDS = 5.0
_PROFILE = Profile(addressing=("OBO", "DLV"))


def _played(role: str) -> Report:
    config = SessionConfig(
        sender_comp_id="SUT", target_comp_id="ME", dictionary=published("FIX.4.4")
    )
    return run_cases(SessionTarget(config, role), profile=_PROFILE)


def run() -> None:
    """Print the table."""
    roles = ("acceptor", "initiator")
    virtual = {role: sum(result.seconds for result in _played(role)) for role in roles}
    count = {role: len(_played(role)) for role in roles}

    def seconds(role: str) -> float:
        begin = time.process_time()
        _played(role)
        return time.process_time() - begin

    found = interleaved({role: lambda role=role: seconds(role) for role in roles})  # type: ignore[misc]
    rows = [
        Row(
            f"as {role}, {count[role]} cases",
            f"{found[role]:.2f} s",
            f"{virtual[role] / found[role]:,.0f}x real time",
        )
        for role in roles
    ]
    both = sum(found.values())
    rows.append(Row("both roles", f"{both:.2f} s", "", f"< {_GOAL_SECONDS:g} s"))
    table(
        "Conformance",
        "All test cases for FIX.4.4 against a fixlab session in memory, with the published\n"
        "dictionary (loaded before). CPU time; the ratio is virtual time to CPU time.",
        rows,
    )
