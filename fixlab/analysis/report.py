"""Findings as one HTML page to send to a counterparty or to print (see `fixlab.pages`).

The same findings always give the same page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from fixlab import __version__, facts, pages
from fixlab.analysis._case import Extent
from fixlab.analysis._evidence import Evidence
from fixlab.analysis._report_tables import (
    FILLED_OVER,
    Times,
    by_side,
    ledger_table,
    numbers_of,
    requests_table,
    table,
    unrecovered,
)
from fixlab.frames import nanoseconds
from fixlab.pages import text as _text

SEVERITIES = ("fault", "risk", "info")
_LISTED_MAX = 500  # findings in the list
_DETAILS_MAX = 200  # of these told in full, faults first
_LINES_MAX = 12  # of evidence
_LINE_MAX = 1_000  # characters of one
_SENDER_MAX = 24  # characters of a CompID in a column
_SIGNS = {"fault": "✗", "risk": "!", "info": "·"}
_NAMES = {"fault": "Faults", "risk": "Risks", "info": "Notes"}
_MEANINGS = {
    "fault": "a rule was broken",
    "risk": "no rule was broken, and yet it will hurt",
    "info": "what else to know",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """All that a page tells.

    `table`, `messages`, `ledger` and `resends` are frames of those schemas. A finding is called
    by its label in the index of `table`; `evidence` gives the rows of `messages` that show it,
    and the line that each is in the log.
    """

    table: pd.DataFrame
    messages: pd.DataFrame
    ledger: pd.DataFrame
    resends: pd.DataFrame
    evidence: Callable[[int], Evidence]
    session: str | None = None  # the only one that the page is about
    notes: Sequence[str] = ()  # what else to know about the findings
    figures: Sequence[tuple[str, bytes]] = ()  # title and PNG
    about: Mapping[str, str] = field(default_factory=dict)  # what only the caller knows


def page(content: Content) -> str:
    """`content` as a page of HTML."""
    own = _own_messages(content)
    times = Times.of(Extent.of(nanoseconds(own, "time")))
    parts = [
        _headline(content),
        _counts(content),
        *_filled_over(content.table),
        _facts(own, content.about, times),
        *_listed(content, times),
        *_pictures(content.figures),
        *_details(content, times),
        *ledger_table(content.ledger, times),
        *requests_table(content.resends, times),
        _FOOTER,
    ]
    return pages.document(f"FIX session log: {_words(content)}", "\n".join(parts), style=_STYLE)


# Heading ------------------------------------------------------------------------------


def _roots(found: pd.DataFrame, severity: str) -> pd.DataFrame:
    """Findings of a severity that follow from no other."""
    return found[(found["severity"] == severity) & found["caused_by"].isna()]


def _words(content: Content) -> str:
    """What was found, in one sentence without a full stop."""
    faults = _roots(content.table, "fault")
    if len(faults):
        words = f"{_many(len(faults), 'fault')}, {by_side(faults)}"
        risks = len(_roots(content.table, "risk"))
        return f"{words}; {_many(risks, 'risk')}" if risks else words
    gone = unrecovered(content.ledger)
    if gone:
        return f"no fault seen, {_many(gone, 'number')} lost or open"
    risks = len(_roots(content.table, "risk"))
    return f"no fault seen, {_many(risks, 'risk')}" if risks else "no trouble seen"


def _headline(content: Content) -> str:
    words = _words(content)
    kind = next(
        (kind for kind in SEVERITIES[:2] if len(_roots(content.table, kind))),
        "risk" if unrecovered(content.ledger) else "fine",
    )
    sign = {**_SIGNS, "fine": "✓"}[kind]
    return (
        f'<header class="{kind}"><p class="kind">FIX session log</p>'
        f"<h1>{sign} {_text(words[:1].upper() + words[1:])}</h1></header>"
    )


def _counts(content: Content) -> str:
    chips = [
        (kind, len(_roots(content.table, kind)), f"{_SIGNS[kind]} {_NAMES[kind].lower()}")
        for kind in SEVERITIES
    ]
    missing = int(content.ledger["count"].sum())
    lost = unrecovered(content.ledger)
    chips += [
        ("info", missing, "numbers missed"),
        ("risk" if lost else "info", lost, "lost or open"),
    ]
    items = "".join(
        f'<li class="{kind if count else "info"}"><b>{count:,}</b> {what}</li>'
        for kind, count, what in chips
    )
    return f'<ul class="counts">{items}</ul>'


def _filled_over(found: pd.DataFrame) -> Iterator[str]:
    """A line about what counts as recovered, and yet never came."""
    over = found.index[found["code"] == "APP_MSG_FILLED_OVER"].tolist()
    if over:
        told = set(_told_in_full(found)[:_DETAILS_MAX])
        shown = ", ".join(_link(i, told) for i in over[:_LINES_MAX])
        more = f" and {len(over) - _LINES_MAX:,} more" if len(over) > _LINES_MAX else ""
        yield f"<p>{FILLED_OVER}: see finding {shown}{more}.</p>"


def _link(i: int, told: set[int]) -> str:
    return f'<a href="#finding-{i}">{i}</a>' if i in told else f"{i}"


def _own_messages(content: Content) -> pd.DataFrame:
    messages = content.messages
    return (
        messages
        if content.session is None
        else messages[messages["session"] == content.session]
    )


def _facts(messages: pd.DataFrame, about: Mapping[str, str], times: Times) -> str:
    bad = int((~messages["valid"]).sum())
    sessions = _occurring(messages["session"])
    files = [_file_name(name) for name in _occurring(messages["file"])]
    rows = {
        "Session" if len(sessions) == 1 else "Sessions": _several(sessions),
        "Log": _several(files),
        "Messages": f"{len(messages):,}" + (f", {bad:,} of them garbled" if bad else ""),
        "Covers (UTC)": times.span(Extent.of(nanoseconds(messages, "time"))),
        **about,
    }
    return pages.facts(rows)


def _occurring(names: pd.Series) -> list[str]:
    return [name for name in names.cat.remove_unused_categories().cat.categories if name]


def _file_name(path: str) -> str:
    """Folders of one's own machine are nothing for a counterparty."""
    return path.replace("\\", "/").rpartition("/")[2]


def _several(names: Sequence[str], shown_max: int = 6) -> str:
    more = f" and {len(names) - shown_max:,} more" if len(names) > shown_max else ""
    return ", ".join(names[:shown_max]) + more


def _pictures(figures: Iterable[tuple[str, bytes]]) -> Iterator[str]:
    shown = [pages.figure(title, png) for title, png in figures]
    if shown:
        yield "<h2>Over time</h2>"
    yield from shown


# All findings -------------------------------------------------------------------------


def _order(found: pd.DataFrame) -> list[int]:
    """Labels of the findings, what is worst first."""
    severity = found["severity"].astype("str")
    return [int(i) for kind in SEVERITIES for i in found.index[severity == kind]]


def _listed(content: Content, times: Times) -> Iterator[str]:
    yield "<h2>Findings</h2>"
    found = content.table
    order = _order(found)
    if not order:
        yield "<p>None: what the log shows follows the rules.</p>"
        yield from _notes(content.notes)
        return
    told = set(_told_in_full(found)[:_DETAILS_MAX])
    shown = order[:_LISTED_MAX]
    several = content.session is None and len(_occurring(content.messages["session"])) > 1
    bodies = ""
    for kind in SEVERITIES:
        rows = [i for i in shown if found["severity"].loc[i] == kind]
        if rows:
            bodies += (
                f'<tbody><tr class="group"><th colspan="6" scope="rowgroup">{_NAMES[kind]} '
                f"<small>{_MEANINGS[kind]}</small></th></tr>"
                + "".join(_row(found, i, times, told, several=several) for i in rows)
                + "</tbody>"
            )
    yield table("findings", ("No.", "What", "By", "Time", "Numbers", "Rule"), bodies)
    if len(order) > len(shown):
        yield f'<p class="key">{len(order) - len(shown):,} more are not listed.</p>'
    yield from _notes(content.notes)


def _notes(notes: Iterable[str]) -> Iterator[str]:
    for note in notes:
        yield f'<p class="key">{_text(note)}</p>'


def _row(found: pd.DataFrame, i: int, times: Times, told: set[int], *, several: bool) -> str:
    one = found.loc[i]
    session = _text(_given(one["session"])) if several else ""
    where = f" in {session}" if session else ""
    numbers = numbers_of(one["begin_seq_no"], one["end_seq_no"]) or _given(one["msg_seq_num"])
    return (
        f'<tr class="{one["severity"]}"><th scope="row">{_link(i, told)}</th>'
        f"<td>{_text(_given(one['summary']))}<small>{_text(_given(one['code']))}"
        f"{where}{_cause(one['caused_by'], told)}</small></td>"
        f"<td>{_text(_cut(_given(one['side']), _SENDER_MAX))}</td>"
        f"<td>{times.told(one['time'])}</td>"
        f'<td>{numbers}</td><td class="rule">{_rules(one["rule"])}</td></tr>'
    )


def _cause(caused_by: object, told: set[int]) -> str:
    given = _given(caused_by)
    if not given:
        return ""
    return f", follows from {_link(int(given), told)}"


def _rules(rule: object) -> str:
    return ", ".join(f"<span>{_text(one)}</span>" for one in _split(rule))


def _split(rule: object) -> list[str]:
    return [one for one in _given(rule).replace(",", " ").split() if one]


def _given(value: object) -> str:
    """A cell as text; nothing for what is missing."""
    if value is None or value is pd.NA or value is pd.NaT or value != value:
        return ""
    return str(value)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


# Each finding -------------------------------------------------------------------------


def _told_in_full(found: pd.DataFrame) -> list[int]:
    """Labels of the findings that follow from no other; the list is enough for the rest."""
    return [i for i in _order(found) if pd.isna(found["caused_by"].loc[i])]


def _details(content: Content, times: Times) -> Iterator[str]:
    roots = _told_in_full(content.table)
    if roots:
        yield "<h2>What the log shows</h2>"
    for i in roots[:_DETAILS_MAX]:
        yield _detail(content, i, times)
    if len(roots) > _DETAILS_MAX:
        yield f'<p class="key">{len(roots) - _DETAILS_MAX:,} more are not told in full.</p>'


def _detail(content: Content, i: int, times: Times) -> str:
    one = content.table.loc[i]
    severity = _given(one["severity"])
    rows = {
        "At fault" if severity == "fault" else "By": _text(_given(one["side"])),
        "Session": _text(_given(one["session"])),
        "When": times.told(one["time"], dated=True),
        "Numbers": numbers_of(one["begin_seq_no"], one["end_seq_no"]),
        "Expected": _text(_given(one["expected"])),
        "Confidence": _text(_given(one["confidence"])),
        "Advice": _text(_given(one["advice"])),
        "Rules": "<br>".join(pages.rule(name) for name in _split(one["rule"])),
    }
    heading = (
        f'<span class="chip">{_SIGNS.get(severity, "")} {_text(severity)}</span> {i}. '
        f"{_text(_given(one['summary']))} <small>{_text(_given(one['code']))}</small>"
    )
    kind, after = _text(severity), _evidence(content, i, times)
    return pages.article(f"finding-{i}", kind, heading, rows, after)


def _evidence(content: Content, i: int, times: Times) -> str:
    shown = content.evidence(i)
    rows, before = [], None
    for at, line in zip(shown.rows[:_LINES_MAX], shown.lines, strict=False):
        if before is not None and at != before + 1:
            rows.append('<tr class="act"><td colspan="4">⋯</td></tr>')
        rows.append(_line(content.messages.iloc[at], line, times))
        before = at
    if len(shown.rows) > _LINES_MAX:
        left = _many(len(shown.rows) - _LINES_MAX, "more row")
        rows.append(f'<tr class="act"><td colspan="4">{left}</td></tr>')
    return f'<table class="wire"><tbody>{"".join(rows)}</tbody></table>' if rows else ""


def _line(row: pd.Series, line: str, times: Times) -> str:
    version = str(row["session"]).partition(":")[0]
    known = version if version in facts.VERSIONS else None
    name = facts.message_name(str(row["msg_type"]), known) or ""
    if not row["valid"]:
        name = f"{name} ({row['defect']})".strip()
    sender = _cut(str(row["sender"]), _SENDER_MAX)
    return (
        f"<tr><td>{times.told(row['time'])}</td><td>{_text(sender)} →</td>"
        f"<td>{_text(name)}</td><td>{pages.wire(_cut(line, _LINE_MAX))}</td></tr>"
    )


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[:size]}…"


_FOOTER = (
    f"<footer>Made by fixlab {_text(__version__)} from the log. Times are UTC, as the log has "
    "them. Numbers are MsgSeqNum(34). Rule ids are fixlab's; behind each rule stands its place "
    "in the FIX documents: TC is a session test case, V2 is FIX 4.4 Volume 2, SL the FIX "
    "Session Layer specification of 2020. Secrets are masked.</footer>"
)


_STYLE = """
.fault { --now: var(--bad); } .risk { --now: var(--warn); } .info { --now: var(--quiet); }
.fine { --now: var(--good); }
h3 .chip { min-width: 0; }
.findings tr:not(.group) th:first-child { width: 2.6rem; white-space: nowrap; }
.findings .group small, h3 small { display: inline; font-weight: 400; margin-left: .4rem;
  color: var(--soft); }
.findings tr:not(.group) th a, .findings tr:not(.group) th { color: var(--now); }
.findings td:nth-child(3) { width: 6rem; }
.findings td:nth-child(4) { width: 8.5rem; }
.findings td:nth-child(5) { width: 7rem; }
.findings td:nth-child(6) { width: 6rem; padding-right: 0; }
.list td { font-variant-numeric: tabular-nums; }
.gone td { color: var(--bad); font-weight: 600; }
.wire td:nth-child(1), .wire td:nth-child(2), .wire td:nth-child(3) { width: 1%;
  color: var(--soft); white-space: nowrap; }
.act td { color: var(--soft); font-style: italic; }
@media (max-width: 40rem) {
  .wide table, img { min-width: 44rem; }
  .wire td:nth-child(n) { display: block; width: auto; border: 0; padding: 0 .5rem; }
  .wire tr { display: block; padding: .2rem 0; border-bottom: 1px solid var(--line); }
  .findings th:nth-child(n+4), .findings td:nth-child(n+4) { display: none; } }
"""
