"""Report: the results of a run, as a frame, as transcripts, and on disk."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from fixlab import frames, redact
from fixlab.conformance import tints
from fixlab.conformance.model import Case, CaseResult, Entry, Verdict
from fixlab.errors import ConfigError, LogFormatError
from fixlab.journal import Journal
from fixlab.session.transitions import Role, SessionState, Transition, TransitionKind

if TYPE_CHECKING:
    import os

_FORMAT = "fixlab-conformance-1"
_BAD = (Verdict.FAIL, Verdict.BLOCKED)


class Report:
    """What became of each case, in the order in which they were to be played.

    `table` is a frame of schema `report`; `transcript(ref)` is what went over the wire,
    `transitions(ref)` what fixlab's own session decided, if it was the one under test; `counts`
    has the number of each verdict. `report[ref]` is the `CaseResult`, `report.case(ref)` its
    case. Everything off the wire is masked already.
    """

    def __init__(
        self, results: Iterable[CaseResult], cases: Mapping[str, Case], *, target: str = ""
    ) -> None:
        self._results = {result.ref: result for result in results}
        unknown = [ref for ref in self._results if ref not in cases]
        if unknown:
            raise ConfigError(f"results of unknown cases: {', '.join(unknown)}")
        self._cases = {ref: cases[ref] for ref in self._results}
        self.target = target  # what was tested, in words

    @property
    def results(self) -> tuple[CaseResult, ...]:
        """All results."""
        return tuple(self._results.values())

    def __getitem__(self, ref: str) -> CaseResult:
        try:
            return self._results[ref]
        except KeyError:
            raise KeyError(f"no result of case {ref!r} in this report") from None

    def __iter__(self) -> Iterator[CaseResult]:
        return iter(self._results.values())

    def __len__(self) -> int:
        return len(self._results)

    def case(self, ref: str) -> Case:
        """The case that the result `ref` is about."""
        _ = self[ref]
        return self._cases[ref]

    @property
    def counts(self) -> dict[str, int]:
        """How many cases have each verdict; all five are there."""
        found = Counter(result.verdict for result in self)
        return {verdict.value: found[verdict] for verdict in Verdict}

    @property
    def passed(self) -> bool:
        """Whether no mandatory case failed or was blocked."""
        return not any(
            result.verdict in _BAD and self._cases[result.ref].level == "M" for result in self
        )

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row a case, schema `report`."""
        cases = [self._cases[result.ref] for result in self]
        values: dict[str, Any] = {
            "ref": [result.ref for result in self],
            "title": [case.title for case in cases],
            "level": [case.level.value for case in cases],
            "role": [result.role.value for result in self],
            "begin_string": [result.begin_string for result in self],
            "verdict": [result.verdict.value for result in self],
            "rule": [result.rule for result in self],
            "line": [frames.MISSING if result.line is None else result.line for result in self],
            "script": [result.script for result in self],
            "expected": [result.expected for result in self],
            "found": [result.found for result in self],
            "seconds": [result.seconds for result in self],
        }
        return frames.build(frames.REPORT, values)

    def transcript(self, ref: str) -> str:
        """What was sent (>) and received (<) in a case, with the seconds since it began."""
        return "\n".join(entry.line for entry in self[ref].transcript)

    def transitions(self, ref: str) -> pd.DataFrame:
        """What fixlab's session under test decided, schema `transitions`; empty for others."""
        journal = Journal()
        journal.extend(self[ref].transitions)
        return journal.to_frame()

    def __repr__(self) -> str:
        counts = ", ".join(f"{name} {count}" for name, count in self.counts.items() if count)
        about = f" of {self.target}" if self.target else ""
        return f"<Report{about}: {len(self)} cases{', ' if counts else ''}{counts}>"

    def _repr_html_(self) -> str:
        columns = ("ref", "title", "level", "verdict", "rule", "expected", "found")
        head = "".join(f'<th style="text-align:left">{name}</th>' for name in columns)
        body = "".join(self._html_row(result) for result in self)
        return (
            f"<p>{redact.escape(repr(self))}</p>"
            '<div style="max-height:32em;overflow:auto"><table>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def _html_row(self, result: CaseResult) -> str:
        case = self._cases[result.ref]
        verdict = result.verdict.value
        told = (
            *((result.ref, ""), (case.title, ""), (case.level.value, ""), (verdict, verdict)),
            *((result.rule, ""), (result.expected, ""), (result.found, "")),
        )
        row = "".join(
            tints.cell(redact.escape(redact.mask(text[:_CELL_MAX])), tint)
            for text, tint in told
        )
        return f"<tr>{row}</tr>"

    def to_html(
        self, path: str | os.PathLike[str], *, about: Mapping[str, str] | None = None
    ) -> None:
        """Write the report to `path` as one page of HTML that needs nothing else.

        `about` are rows of its heading that only the caller knows, such as
        `{"Tested by": "..."}`, or a time. Secrets are masked.
        """
        from fixlab.conformance.page import page  # here: most reports are never pages

        Path(path).write_text(page(self, about=about), encoding="utf-8")

    # On disk -----------------------------------------------------------------------------

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write all results to `path`, one JSON object a line; `run(resume=path)` reads it."""
        lines = [header(self.target), *(to_line(result) for result in self)]
        Path(path).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")

    @classmethod
    def from_json(
        cls, path: str | os.PathLike[str], cases: Mapping[str, Case] | None = None
    ) -> Report:
        """The report that `to_json()` or `run(resume=...)` wrote to `path`.

        `cases` are those that were played; None: the catalogue. A last line that was cut off is
        left out. Raises `LogFormatError` for a file that is no such report.
        """
        from fixlab.conformance.catalogue import CASES

        known = CASES if cases is None else cases
        target, results = read_lines(path)
        return cls(results, known, target=target)


_CELL_MAX = 400  # characters of a cell in a notebook's table


def header(target: str) -> str:
    """The first line of a file of results."""
    return json.dumps({"format": _FORMAT, "target": target})


def to_line(result: CaseResult) -> str:
    """A result as one line of JSON."""
    record = {name: getattr(result, name) for name in _PLAIN}
    record["transcript"] = [list(entry) for entry in result.transcript]
    record["transitions"] = [list(row) for row in result.transitions]
    return json.dumps(record)


_PLAIN = (
    *("ref", "verdict", "begin_string", "role", "rule", "line", "script"),
    *("expected", "found", "seconds"),
)


def read_lines(path: str | os.PathLike[str]) -> tuple[str, list[CaseResult]]:
    """What was tested, and the results in the file `path`; see `Report.from_json`."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LogFormatError(f"{path}: cannot be read ({error})") from None
    try:
        first = json.loads(lines[0]) if lines else {}
        known = first.get("format") == _FORMAT
    except (ValueError, AttributeError):
        known = False
    if not known:
        raise LogFormatError(f"{path}: expected a file that run(resume=...) wrote")
    results = []
    for number, line in enumerate(lines[1:], 2):
        try:
            results.append(_from_record(json.loads(line)))
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break  # the run ended while this line was written: the case is played again
            raise LogFormatError(f"{path}, line {number}: no result ({error})") from None
    return str(first.get("target", "")), results


def _from_record(record: dict[str, Any]) -> CaseResult:
    plain = {name: record[name] for name in _PLAIN}
    plain["verdict"], plain["role"] = Verdict(plain["verdict"]), Role(plain["role"])
    return CaseResult(
        **plain,
        transcript=tuple([Entry(*entry) for entry in record["transcript"]]),
        transitions=tuple([_transition(row) for row in record["transitions"]]),
    )


def _transition(values: list[Any]) -> Transition:
    row = Transition(*values)
    return row._replace(
        kind=TransitionKind(row.kind),
        state_before=SessionState(row.state_before),
        state=SessionState(row.state),
    )
