"""DryRun: what a run would send, case by case."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from html import escape

from fixlab import times
from fixlab.conformance import notation
from fixlab.conformance.model import Case, CaseResult, shown
from fixlab.conformance.notation import Line
from fixlab.conformance.play import logon_lines
from fixlab.conformance.profile import Profile
from fixlab.conformance.scope import Scope
from fixlab.conformance.targets import Identity, Target
from fixlab.conformance.writing import raw_bytes, write

_TIME = times.parse_start("2026-01-05T09:00:00")  # stands for the time of the run
_KEPT = "2"  # stands for what only the counterparty can tell


class DryRun:
    """The scripts with the messages they would send; shown as text."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return f"<pre>{escape(self._text)}</pre>"


def describe(
    target: Target,
    identity_of: Callable[[Case], Identity],
    profile: Profile,
    cases: Iterable[tuple[Case, CaseResult | None]],
) -> DryRun:
    """What would happen in each case; with a result it would be skipped."""
    blocks = [f"Against {target}. Times, and values marked ?, will be others."]
    for case, skip in cases:
        head = f"{case.ref} {case.title} ({case.level})"
        if skip is not None:
            blocks.append(f"{head}\n    SKIP: {skip.found}")
            continue
        scope = Scope(
            case.ref, target.begin_string, target.role, identity_of(case), profile, _TIME
        )
        if case.heartbeat_seconds is not None:
            scope.values["hb"] = str(case.heartbeat_seconds)
        lines = (*(logon_lines(target.role) if case.logon else ()), *case.lines)
        blocks.append("\n".join([head, *(f"    {text}" for text in _shown(lines, scope))]))
    return DryRun("\n".join(blocks))


def _shown(lines: Iterable[Line], scope: Scope) -> Iterator[str]:
    """Each line; where it sends, with the message instead of its template."""
    unknown = ["$expected"]  # names whose values only the counterparty can tell
    for line in lines:
        step, text = line.step, line.text
        condition = line.condition
        if condition is not None and condition.left == "$role":
            if not scope.holds(condition, _TIME, {}):
                continue
            condition, text = None, text[text.index(": ") + 2 :]
        if isinstance(step, notation.Expect) and step.keep_as not in ("", "hb"):
            scope.kept[step.keep_as] = _KEPT
            unknown.append(f"${step.keep_as}")
        how = ""
        if isinstance(step, notation.SendRaw):
            raw, how = raw_bytes(step.text, scope), "RAW "
        elif isinstance(step, notation.Send):
            raw = b"".join([write(template, scope, _TIME) for template in step.messages])
            how = "TRICKLE " if step.trickle else "BATCH " if len(step.messages) > 1 else ""
        else:
            yield text
            continue
        doubt = (
            " ?" if any(re.search(rf"\{name}(?![a-z0-9])", text) for name in unknown) else ""
        )
        before = text[: text.index(": ") + 2] if condition is not None else ""
        second = "[2] " if line.connection == 2 else ""
        yield f"{before}{second}> {how}{shown(raw)}{doubt}"
