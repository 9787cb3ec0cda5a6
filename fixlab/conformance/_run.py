"""run(): cases against a target, one after the other or several at once, and a dry run."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

from fixlab.conformance.dry import DryRun, describe
from fixlab.conformance.model import Case, CaseResult, Verdict
from fixlab.conformance.planning import CasesGiven, chosen, skipped
from fixlab.conformance.profile import Profile
from fixlab.conformance.report import Report, header, read_lines, to_line
from fixlab.conformance.targets import (
    Addressed,
    Identity,
    LivePlayed,
    MemoryPlayed,
    Target,
)
from fixlab.errors import ConfigError, FixLabError, StateError

Progress = Callable[[CaseResult], object]


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
    catalogue, less what is about the other role or another version); `profile`, what was
    agreed with the counterparty; `resume`, a file to which each result is added as it comes:
    what it has already is not played again; `progress`, called with each new `CaseResult`.

    A live target in a running event loop, such as a notebook's, raises `StateError`: use
    `await arun(...)` there. Raises `ConfigError` for an unknown case, for a name that nothing
    in a case of yours has set, and for a `resume` file of another target.
    """
    if isinstance(target, MemoryPlayed):
        plan = _Plan(target, cases, profile, resume, progress)
        for case in plan.waiting:
            plan.add(target.play(case, plan.profile))
        return plan.report()
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(
            arun(target, cases=cases, profile=profile, resume=resume, progress=progress)
        )
    raise StateError("a live target in a running event loop: use `await arun(...)`")


async def arun(
    target: Target,
    *,
    cases: CasesGiven = None,
    profile: Profile | None = None,
    resume: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """`run()` in a running event loop, such as a notebook's.

    Cancelled or interrupted, it closes its connections; what is in the `resume` file is kept.
    """
    if isinstance(target, MemoryPlayed):
        return run(target, cases=cases, profile=profile, resume=resume, progress=progress)
    if not isinstance(target, LivePlayed):
        raise ConfigError(f"expected a target to play cases against, found {target!r}")
    plan = _Plan(target, cases, profile, resume, progress)
    waiting = iter(plan.waiting)

    async def work(target: LivePlayed) -> None:
        # All workers take from one iterator: each case is played once.
        for case in waiting:
            plan.add(await target.play_live(case, plan.profile))

    await target.open()
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(target.parallel, len(plan.waiting))):
                group.create_task(work(target))
    except* FixLabError as errors:
        raise errors.exceptions[0] from None
    finally:
        await target.close()
    return plan.report()


class _Plan:
    """What is to be played, and what has become of it so far."""

    def __init__(
        self,
        target: Target,
        cases: CasesGiven,
        profile: Profile | None,
        resume: str | os.PathLike[str] | None,
        progress: Progress | None,
    ) -> None:
        self.profile = Profile() if profile is None else profile
        self._name = str(target)
        self._cases = chosen(cases, target)
        self._path = None if resume is None else Path(resume)
        self._progress = progress
        self._results = {} if self._path is None else self._resumed(self._path)
        self.waiting: list[Case] = []
        for case in self._cases.values():
            if case.ref in self._results:
                continue
            skip = skipped(case, target, self.profile)
            if skip is None:
                self.waiting.append(case)
            else:
                self._results[case.ref] = skip

    def _resumed(self, path: Path) -> dict[str, CaseResult]:
        """What the file has already, which is begun when there is none."""
        if not path.exists():
            path.write_text(f"{header(self._name)}\n", encoding="utf-8")
            return {}
        name, results = read_lines(path)
        if name != self._name:
            raise ConfigError(f"{path} has results of {name}, expected {self._name}")
        # Of a case that was blocked nothing is known: it is played again.
        return {
            result.ref: result
            for result in results
            if result.ref in self._cases and result.verdict is not Verdict.BLOCKED
        }

    def add(self, result: CaseResult) -> None:
        """A case is over."""
        self._results[result.ref] = result
        if self._path is not None:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{to_line(result)}\n")
        if self._progress is not None:
            self._progress(result)

    def report(self) -> Report:
        """The report, in the order of the cases."""
        results = [self._results[ref] for ref in self._cases if ref in self._results]
        return Report(results, self._cases, target=self._name)


def dry_run(
    target: Target, *, cases: CasesGiven = None, profile: Profile | None = None
) -> DryRun:
    """What `run()` would send to `target`, case by case, and what it would skip; nothing is.

    Raises `ConfigError` as `run()` does.
    """
    profile = Profile() if profile is None else profile
    known = target.identity_of if isinstance(target, Addressed) else _nobody
    planned = [
        (case, skipped(case, target, profile)) for case in chosen(cases, target).values()
    ]
    return describe(target, known, profile, planned)


def _nobody(case: Case) -> Identity:
    return Identity("RUNNER", "TARGET")
