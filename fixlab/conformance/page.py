"""A report as one HTML page to attach to a ticket or to print (see `fixlab.pages`).

The same report always gives the same page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from fixlab import __version__, pages
from fixlab.conformance.model import Case, CaseResult, Entry, Level, Verdict
from fixlab.conformance.page_style import STYLE
from fixlab.conformance.side_by_side import message_name
from fixlab.pages import text as _text

_LINES_MAX = 300  # of a transcript; the rest is counted
_MSG_TYPE = re.compile(r"(?:^|\|)35=([^|]*)")
_SIGNS = {
    Verdict.PASS: "✓",
    Verdict.LENIENT: "≈",
    Verdict.FAIL: "✗",
    Verdict.SKIP: "–",
    Verdict.BLOCKED: "?",
}
_ARROWS = {">": "→", "<": "←", "!": "•"}
# What the first digits of a reference id stand for, in the order of the FIX test cases.
_SECTIONS = (
    (r"1B|1S|2S", "Connection and Logon"),
    (r"2", "Standard header"),
    (r"3", "Standard trailer"),
    (r"[4-9]", "Heartbeat, TestRequest, Reject, ResendRequest"),
    (r"10", "SequenceReset, gap fill"),
    (r"11", "SequenceReset, reset"),
    (r"12|13", "Logout"),
    (r"14", "Messages that are rejected"),
    (r"15|16|17|18", "Field order, queueing, encryption, routing"),
    (r"19|20", "PossResend and simultaneous ResendRequests"),
    (r"X", "Supplementary cases, not in the FIX document"),
)
_OTHER = "Further cases"
_KEY = "→ the tests sent, ← the counterparty sent; seconds since the case began."


class Report(Protocol):
    """What a page needs of `fixlab.conformance.Report`, which has it made."""

    target: str

    @property
    def counts(self) -> dict[str, int]: ...
    @property
    def passed(self) -> bool: ...
    def case(self, ref: str) -> Case: ...
    def __iter__(self) -> Iterator[CaseResult]: ...
    def __len__(self) -> int: ...


def page(report: Report, *, about: Mapping[str, str] | None = None) -> str:
    """`report` as a page of HTML.

    `about` are rows of its heading that only the caller knows, such as `{"Tested by": "...",
    "Time": "..."}`: a page has no clock of its own.
    """
    parts = [
        _headline(report),
        _counts(report),
        _facts(report, about or {}),
        "<h2>All cases</h2>",
        _table(report),
        *_details(report),
        f"<footer>Made by fixlab {_text(__version__)}. Rules and cases: FIX session layer test "
        "cases of June 2020, and fixlab's own (X). Secrets are masked.</footer>",
    ]
    title = f"FIX session tests: {_words(report)}"
    return pages.document(title, "\n".join(parts), style=STYLE)


# Heading ------------------------------------------------------------------------------


def _words(report: Report) -> str:
    """What became of it, in one sentence without a full stop."""
    mandatory = [one for one in report if report.case(one.ref).level is Level.MANDATORY]
    played = [one for one in mandatory if one.verdict is not Verdict.SKIP]
    bad = {
        verdict: sum(one.verdict is verdict for one in played)
        for verdict in (Verdict.FAIL, Verdict.BLOCKED)
    }
    total = f"{len(played)} mandatory case{'s' * (len(played) != 1)}"
    if not played:
        return "no mandatory case was played"
    if bad[Verdict.FAIL]:
        more = f", {bad[Verdict.BLOCKED]} could not be played" if bad[Verdict.BLOCKED] else ""
        return f"{bad[Verdict.FAIL]} of {total} failed{more}"
    if bad[Verdict.BLOCKED]:
        return f"{bad[Verdict.BLOCKED]} of {total} could not be played"
    return f"all {total} passed" if len(played) > 1 else f"the {total} passed"


def _headline(report: Report) -> str:
    words = _words(report)
    verdict = Verdict.PASS
    if not report.passed:
        verdict = Verdict.FAIL if " failed" in words else Verdict.BLOCKED
    elif words.startswith("no "):
        verdict = Verdict.SKIP
    failed = [one for one in report if one.verdict in (Verdict.FAIL, Verdict.BLOCKED)]
    links = ", ".join(f'<a href="#{_anchor(one.ref)}">{_text(one.ref)}</a>' for one in failed)
    what = f'<p class="which">Failed or not reached: {links}</p>' if failed else ""
    return (
        f'<header class="{verdict.lower()}"><p class="kind">FIX session tests</p>'
        f"<h1>{_SIGNS[verdict]} {_text(words[:1].upper() + words[1:])}</h1>{what}</header>"
    )


def _counts(report: Report) -> str:
    chips = "".join(
        f'<li class="{name.lower()}"><b>{count}</b> {_SIGNS[Verdict(name)]} {name}</li>'
        for name, count in report.counts.items()
    )
    return f'<ul class="counts">{chips}</ul>'


def _facts(report: Report, about: Mapping[str, str]) -> str:
    rows = {
        "Counterparty": report.target,
        "Its role": _listed(one.role.value for one in report),
        "Version": _listed(one.begin_string for one in report),
        **about,
    }
    return pages.facts(rows)


def _listed(values: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(values))


# All cases ----------------------------------------------------------------------------


def _table(report: Report) -> str:
    groups: dict[str, list[CaseResult]] = {}
    for one in report:
        groups.setdefault(section_of(one.ref), []).append(one)
    order = [title for _, title in _SECTIONS] + [_OTHER]
    bodies = "".join(
        f'<tbody><tr class="group"><th colspan="5" scope="rowgroup">{_text(title)}</th></tr>'
        + "".join(_row(one, report.case(one.ref)) for one in groups[title])
        + "</tbody>"
        for title in order
        if title in groups
    )
    return (
        '<table class="list"><thead><tr><th scope="col">Case</th><th scope="col">What it '
        'tests</th><th scope="col">Level</th><th scope="col">Rules</th><th scope="col">Verdict'
        f"</th></tr></thead>{bodies}</table>"
    )


def section_of(ref: str) -> str:
    """The section that a case belongs to, by its reference id."""
    found = re.match(r"1B|1S|2S|X|\d+", ref)
    if found is None:
        return _OTHER
    for pattern, title in _SECTIONS:
        if re.fullmatch(pattern, found[0]):
            return title
    return _OTHER


def _row(result: CaseResult, case: Case) -> str:
    ref = _text(result.ref)
    if _explained(result):
        ref = f'<a href="#{_anchor(result.ref)}">{ref}</a>'
    note = ""
    if result.verdict is Verdict.SKIP and result.found:
        note = f"<small>Not played: {_text(result.found)}</small>"
    return (
        f'<tr><th scope="row">{ref}</th><td>{_text(case.title)}{note}</td>'
        f"<td>{case.level.name.lower()}</td>"
        f'<td class="rule">{_ids(result, case)}</td>'
        f"<td>{_chip(result.verdict)}</td></tr>"
    )


def _ids(result: CaseResult, case: Case) -> str:
    """The rule that was broken, or those that held; an id does not break at its hyphen."""
    rules = (result.rule,) if result.rule else case.rules
    return ", ".join(f"<span>{_text(rule)}</span>" for rule in rules)


def _chip(verdict: Verdict) -> str:
    return f'<span class="chip {verdict.lower()}">{_SIGNS[verdict]} {verdict}</span>'


# What did not hold --------------------------------------------------------------------


def _explained(result: CaseResult) -> bool:
    return result.verdict in (Verdict.FAIL, Verdict.BLOCKED, Verdict.LENIENT)


def _details(report: Report) -> Iterator[str]:
    told = [one for one in report if _explained(one)]
    if told:
        yield "<h2>What differed, and how it went</h2>"
        yield f'<p class="key">{_KEY}</p>'
    for one in told:
        yield _detail(one, report.case(one.ref))


def _detail(result: CaseResult, case: Case) -> str:
    step = f" (line {result.line}: <code>{_text(result.script)}</code>)" if result.line else ""
    rows = {
        "Expected": f"{_text(result.expected)}{step}" if result.expected else "",
        "Why" if result.verdict is Verdict.BLOCKED else "What came": _text(result.found),
        "Rule": pages.rule(result.rule or (case.rules[0] if case.rules else "")),
    }
    heading = f"{_chip(result.verdict)} {_text(result.ref)} {_text(case.title)}"
    name, kind = _anchor(result.ref), result.verdict.lower()
    return pages.article(name, kind, heading, rows, _transcript(result))


def _transcript(result: CaseResult) -> str:
    shown = result.transcript[:_LINES_MAX]
    rows = "".join(_line(entry, result.begin_string) for entry in shown)
    left = len(result.transcript) - len(shown)
    if left:
        rows += f'<tr><td></td><td></td><td colspan="2">{left} more lines</td></tr>'
    return f'<table class="wire"><tbody>{rows}</tbody></table>' if rows else ""


def _line(entry: Entry, version: str) -> str:
    kinds = {">": "sent", "<": "received"}
    where = f" [{entry.connection}]" if entry.connection != 1 else ""
    return (
        f'<tr class="{kinds.get(entry.direction, "act")}"><td>{entry.seconds:.3f}</td>'
        f"<td>{_ARROWS.get(entry.direction, '')}{where}</td>"
        f"<td>{_text(_name_of(entry, version))}</td>"
        f"<td>{pages.wire(entry.text)}</td></tr>"
    )


def _name_of(entry: Entry, version: str) -> str:
    found = _MSG_TYPE.search(entry.text)
    if found is None or entry.direction not in "<>":
        return ""
    return message_name(found[1], version) or ""


def _anchor(ref: str) -> str:
    return pages.anchor("case", ref)
