"""run(): cases against a target, one after the other or several at once, and a dry run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from fixlab.conformance.catalogue import CASES
from fixlab.conformance.model import Case, CaseResult, Need, Verdict
from fixlab.conformance.profile import Profile
from fixlab.conformance.report import Report, header, read_lines, to_line
from fixlab.conformance.targets import LivePlayed, MemoryPlayed, Target
from fixlab.errors import ConfigError, StateError

Progress = Callable[[CaseResult], object]
CasesGiven = Mapping[str, Case] | Iterable[str | Case] | str | None


def run(
    target: Target,
    *,
    cases: CasesGiven = None,
    profile: Profile | None = None,
    resume: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Play `cases` against `target`; whatever it does, each case gets a verdict.

    Parameters: `cases`, ids or `Case`s, or what `parse_cases()` returned (None: the whole
    catalogue; those of the other role or another version are left out); `profile`, what was
    agreed with the counterparty; `resume`, a file to which each result is added as it comes:
    what it has already is not played again; `progress`, called with each new `CaseResult`.

    A live target in a running event loop, such as a notebook's, raises `StateError`: use
    `await arun(...)` there. Also raises `ConfigError` for an unknown case, and for a `resume`
    file of another target.
    """
    if isinstance(target, LivePlayed):
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(
                arun(target, cases=cases, profile=profile, resume=resume, progress=progress)
            )
        raise StateError("run() of a live target blocks an event loop; use: await arun(...)")
    raise NotImplementedError


async def arun(
    target: Target,
    *,
    cases: CasesGiven = None,
    profile: Profile | None = None,
    resume: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """`run()` for a live target in a running event loop, such as a notebook's."""
    raise NotImplementedError


def dry_run(target: Target, *, cases: CasesGiven = None, profile: Profile | None = None) -> str:
    """What would be sent to `target`, case by case; nothing is."""
    raise NotImplementedError
