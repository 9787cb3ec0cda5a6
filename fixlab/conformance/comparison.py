"""compare(): the same cases against several engines, and where these part."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import combinations
from typing import Any, NamedTuple

import pandas as pd

from fixlab import frames, redact
from fixlab.conformance import tints
from fixlab.conformance._run import arun, run
from fixlab.conformance.alignment import Pair, align, fields_of, parting
from fixlab.conformance.model import Case, CaseResult, Entry, Verdict
from fixlab.conformance.planning import CasesGiven
from fixlab.conformance.profile import Profile
from fixlab.conformance.report import Report
from fixlab.conformance.side_by_side import SideBySide, line_of
from fixlab.conformance.targets import MemoryPlayed, Target
from fixlab.errors import ConfigError, StateError

_PLAYED = (Verdict.PASS, Verdict.LENIENT, Verdict.FAIL)
_OWN = ("ref", "title", "level")


def compare(
    cases: CasesGiven = None,
    *,
    engines: Mapping[str, Target | Report],
    profile: Profile | None = None,
) -> Comparison:
    """Play `cases` against each of `engines`, and see where they part.

    `engines` are targets by name, all of one role and version: fixlab under a profile
    (`SessionTarget`), a real engine (`EngineTarget`), a counterparty (`LiveTarget`), or the
    `Report` of an earlier run. Live ones run at the same time. `cases` and `profile` are those
    of `run()`.

    Raises `ConfigError` for fewer than two engines, or of different roles or versions, and what
    `run()` raises; in a running event loop `StateError`: use `await acompare(...)` there.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(acompare(cases, engines=engines, profile=profile))
    raise StateError("compare() blocks an event loop; use: await acompare(...)")


async def acompare(
    cases: CasesGiven = None,
    *,
    engines: Mapping[str, Target | Report],
    profile: Profile | None = None,
) -> Comparison:
    """`compare()` in a running event loop, such as a notebook's."""
    _check(engines)

    reports: dict[str, Report] = {}
    live: dict[str, Target] = {}
    for name, engine in engines.items():
        if isinstance(engine, Report):
            reports[name] = engine
        elif isinstance(engine, MemoryPlayed):
            # Virtual time needs the processor, real time must not wait for it: one by one.
            reports[name] = await asyncio.to_thread(run, engine, cases=cases, profile=profile)
        else:
            live[name] = engine
    runs = [arun(engine, cases=cases, profile=profile) for engine in live.values()]
    reports |= zip(live, await asyncio.gather(*runs), strict=True)
    return Comparison({name: reports[name] for name in engines})


def _check(engines: Mapping[str, Target | Report]) -> None:
    if len(engines) < 2:
        raise ConfigError(f"compare() needs two engines or more, found {len(engines)}")
    targets = {name: one for name, one in engines.items() if not isinstance(one, Report)}
    for what in ("role", "begin_string"):
        found = {name: str(getattr(one, what)) for name, one in targets.items()}
        if len(set(found.values())) > 1:
            told = ", ".join(f"{name}: {value}" for name, value in found.items())
            raise ConfigError(f"engines are compared in one {what}, found {told}")


class Parting(NamedTuple):
    """Where two engines part in one case; a row of `Comparison.differences`."""

    ref: str
    first: str
    second: str
    verdict_first: str
    verdict_second: str
    rule: str
    step: int | None
    line_first: str
    line_second: str
    tags: str


class Comparison:
    """What several engines did in the same cases.

    `table` has one row a case and each engine's verdict; `differences` one row for each two
    engines and each case in which they part, schema `differences`; `transcript(ref)` shows two
    of them side by side; `reports` are the runs by name.
    """

    def __init__(self, reports: Mapping[str, Report]) -> None:
        if len(reports) < 2:
            raise ConfigError(f"a comparison needs two reports or more, found {len(reports)}")
        taken = [name for name in reports if name in _OWN]
        if taken:
            raise ConfigError(f"an engine cannot be called {taken[0]!r}: a column is")
        self.reports = dict(reports)

    @cached_property
    def _cases(self) -> dict[str, Case]:
        """Every case of any report, in the order of the first that has it."""
        return {one.ref: report.case(one.ref) for report in self._each() for one in report}

    def _each(self) -> Iterator[Report]:
        yield from self.reports.values()

    def _result(self, name: str, ref: str) -> CaseResult | None:
        return next((one for one in self.reports[name] if one.ref == ref), None)

    @cached_property
    def table(self) -> pd.DataFrame:
        """`ref`, `title`, `level`, then a column of verdicts for each engine.

        A verdict is missing (NaN) where an engine has no result of the case.
        """
        cases = self._cases.values()
        columns: dict[str, Any] = {
            "ref": [case.ref for case in cases],
            "title": [case.title for case in cases],
            "level": pd.Categorical(
                [case.level.value for case in cases], categories=["M", "O", "R"]
            ),
        }
        for name, report in self.reports.items():
            found = {one.ref: one.verdict.value for one in report}
            columns[name] = pd.Categorical(
                [found.get(ref) for ref in self._cases], categories=list(frames.VERDICTS)
            )
        return pd.DataFrame(columns)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """One row for each two engines and each case in which they part; schema `differences`.

        Cases that one of the two did not play are left out.
        """
        rows = [
            row
            for ref in self._cases
            for first, second in combinations(self.reports, 2)
            if (row := self._parting(ref, first, second)) is not None
        ]
        values: dict[str, Any] = {
            name: [getattr(row, name) for row in rows] for name in Parting._fields
        }
        values["step"] = [frames.MISSING if step is None else step for step in values["step"]]
        return frames.build(frames.DIFFERENCES, values)

    def _parting(self, ref: str, first: str, second: str) -> Parting | None:
        one, other = self._result(first, ref), self._result(second, ref)
        if one is None or other is None:
            return None
        if one.verdict not in _PLAYED or other.verdict not in _PLAYED:
            return None
        pairs = self._pairs(ref, one, other)
        at = parting(pairs)
        if at is None and one.verdict is other.verdict:
            return None
        pair = None if at is None else pairs[at]
        return Parting(
            ref=ref,
            first=first,
            second=second,
            verdict_first=one.verdict.value,
            verdict_second=other.verdict.value,
            rule=one.rule or other.rule or self._cases[ref].rules[0],
            step=None if at is None else at + 1,
            line_first="" if pair is None else line_of(pair.left, one.begin_string),
            line_second="" if pair is None else line_of(pair.right, other.begin_string),
            tags="" if pair is None else " ".join(map(str, pair.tags)),
        )

    def transcript(
        self, ref: str, first: str | None = None, second: str | None = None
    ) -> SideBySide:
        """What two engines did in the case `ref`, side by side; by default the first two.

        Raises `KeyError` for an engine or a case that is not there.
        """
        names = list(self.reports)
        first = names[0] if first is None else first
        second = next(name for name in names if name != first) if second is None else second
        results = (self.reports[first][ref], self.reports[second][ref])
        return SideBySide(
            f"{ref} {self._cases[ref].title}",
            (first, second),
            results,
            self._pairs(ref, *results),
        )

    def _pairs(self, ref: str, one: CaseResult, other: CaseResult) -> tuple[Pair, ...]:
        case = self._cases[ref]
        return align(_played(one, case), _played(other, case))

    def __repr__(self) -> str:
        return (
            f"<Comparison of {', '.join(self.reports)}: {len(self._cases)} cases, "
            f"{len(self.differences)} differences>"
        )

    def _repr_html_(self) -> str:
        left = 'style="text-align:left"'
        heads = "".join(f"<th {left}>{redact.escape(str(name))}</th>" for name in self.table)
        rows = "".join(
            "<tr>" + "".join(map(_cell, row)) + "</tr>"
            for row in self.table.itertuples(index=False)
        )
        return (
            f"<p>{redact.escape(repr(self))}</p>"
            f'<div style="max-height:32em;overflow:auto"><table><thead><tr>{heads}</tr></thead>'
            f"<tbody>{rows}</tbody></table></div>"
        )


def _played(result: CaseResult, case: Case) -> tuple[Entry, ...]:
    """What belongs to the case: how the runner takes leave afterwards says nothing about it."""
    entries = result.transcript
    if any(line.text.startswith("> 35=5|") for line in case.lines):
        return entries
    for at in range(len(entries) - 1, -1, -1):
        if entries[at].direction == ">":
            leaves = dict(fields_of(entries[at].text)).get(35) == "5"
            return entries[:at] if leaves else entries
    return entries


def _cell(value: object) -> str:
    text = "" if value != value else str(value)
    return tints.cell(redact.escape(text), text)
