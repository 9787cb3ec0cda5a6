"""`fixlab certify`: the FIX session test cases against a counterparty, one line a case."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Mapping

from fixlab import redact, times
from fixlab.cli._certify_plan import Plan, plan_of
from fixlab.conformance import CASES, CaseResult, Report, Verdict, dry_run
from fixlab.conformance import run as play
from fixlab.errors import FixLabError, StateError
from fixlab.session.transitions import Role

OK, FAILED, NOTHING, INTERRUPTED = 0, 1, 2, 130
_HOPELESS = 3  # cases in a row, from the first, that were blocked: nobody is there
_LINE_MAX = 300  # characters of a line
_BAD = (Verdict.FAIL, Verdict.BLOCKED)
_TOLD = (*_BAD, Verdict.LENIENT)


def run(arguments: argparse.Namespace) -> int:
    """Play the cases; 0, 1 or 2 as `fixlab certify --help` says, 130 after Ctrl-C."""
    try:
        plan = plan_of(arguments)
        if arguments.dry_run:
            print(dry_run(plan.target, cases=plan.cases, profile=plan.profile))
            return OK
        report, interrupted = _play(arguments, plan)
        if arguments.report is not None:
            report.to_html(arguments.report, about=_about(arguments))
    except BrokenPipeError:
        raise  # who reads the output has seen enough
    except (FixLabError, OSError) as error:
        print(f"fixlab certify: {_shown(str(error))}", file=sys.stderr)
        return NOTHING
    _summary(report)
    if arguments.report is not None:
        print(f"page: {arguments.report}")
    if interrupted:
        hint = (
            " Run it again to go on." if arguments.resume else " --resume FILE keeps results."
        )
        print(f"fixlab certify: interrupted.{hint}", file=sys.stderr)
        return INTERRUPTED
    return exit_code(report, arguments.fail_on)


def exit_code(report: Report, fail_on: str) -> int:
    """What `--fail-on` makes of a report."""
    verdicts = {one.verdict for one in report}
    if verdicts <= {Verdict.SKIP}:
        return NOTHING
    if fail_on == "mandatory":
        return OK if report.passed else FAILED
    bad = _TOLD if fail_on == "lenient" else _BAD
    return FAILED if verdicts.intersection(bad) else OK


# Playing ------------------------------------------------------------------------------


class _NobodyError(StateError):
    """The first cases could not be played at all: the rest would only knock in vain."""


class _Voice:
    """Says what became of each case, as it comes; gives up when nothing can be played."""

    def __init__(self) -> None:
        self.results: list[CaseResult] = []

    def on_result(self, result: CaseResult) -> None:
        self.results.append(result)
        print(_line(result), flush=True)
        first = self.results[:_HOPELESS]
        if len(self.results) == _HOPELESS and {one.verdict for one in first} == {
            Verdict.BLOCKED
        }:
            raise _NobodyError(
                f"gave up, the first {_HOPELESS} cases could not be played: {result.found}"
            )


def _play(arguments: argparse.Namespace, plan: Plan) -> tuple[Report, bool]:
    voice = _Voice()
    if plan.target.role is Role.INITIATOR:
        print(f"waiting for {arguments.target} at {arguments.listen}", flush=True)
    try:
        report = play(
            plan.target,
            cases=plan.cases,
            profile=plan.profile,
            resume=arguments.resume,
            progress=voice.on_result,
        )
    except KeyboardInterrupt:
        # What was played so far is worth its page.
        return Report(voice.results, CASES, target=str(plan.target)), True
    return report, False


def _about(arguments: argparse.Namespace) -> Mapping[str, str]:
    profile = "" if arguments.profile is None else str(arguments.profile)
    return {
        "CompIDs": f"{arguments.sender} → {arguments.target}",
        "Tested by": arguments.by or "",
        "Time": times.format_utc(times.SystemClock().now(), 0).decode() + " UTC",
        "Profile": profile,
    }


# Words --------------------------------------------------------------------------------


def _line(result: CaseResult) -> str:
    head = f"{result.ref:<8} {result.verdict:<8} {CASES[result.ref].title}"
    if result.verdict not in _TOLD:
        return _shown(head)
    why = f"expected {result.expected}; {result.found}" if result.expected else result.found
    rule = f"{result.rule} " if result.rule else ""
    return _shown(f"{head} | {rule}{why}")


def _summary(report: Report) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in report.counts.items() if count)
    mandatory = [one for one in report if report.case(one.ref).level == "M"]
    bad = [one.ref for one in mandatory if one.verdict in _BAD]
    print(f"\n{len(report)} cases: {counts}")
    skipped = Counter(one.found for one in report if one.verdict is Verdict.SKIP)
    for why, count in skipped.items():
        print(_shown(f"  {count} not played: {why}"))
    if bad:
        print(_shown(f"mandatory and not passed: {', '.join(bad)}"))
    elif any(one.verdict is not Verdict.SKIP for one in mandatory):
        print("all mandatory cases that were played passed")


def _shown(text: str) -> str:
    """One line; secrets masked, nothing that a terminal would obey."""
    text = redact.printable(redact.mask(text))
    return text if len(text) <= _LINE_MAX else f"{text[:_LINE_MAX]}…"
