"""Findings in words, the way a colleague writes them: who did what and when, and what to do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pandas as pd

from fixlab import redact
from fixlab.analysis._case import Extent
from fixlab.analysis._report_tables import FILLED_OVER, Times, by_side, sums, unrecovered

_PARAGRAPHS_MAX = 20
_LINES_MAX = 5  # of one paragraph
_NOTES_MAX = 20
_NUMBERS_MAX = 6  # of findings, beside a code that follows
_KEY = "[n] is the number of a finding: here, in evidence(n) and on the page of to_html."


class Letter(NamedTuple):
    """What a letter is about.

    `table` is a frame of findings and `rows` the position of each one's message; `extent`
    and `ledger` are those of the sessions named; `notes` what else to say about the log.
    """

    table: pd.DataFrame
    rows: Sequence[int]
    extent: Extent
    ledger: pd.DataFrame
    sessions: Sequence[str]
    notes: Sequence[str]

    def text(self) -> str:
        """All of it."""
        return "\n".join(_told(self))


def _told(letter: Letter) -> Iterator[str]:
    times = Times.of(letter.extent)
    yield _about(letter, times)
    yield _verdict(letter)
    if len(letter.ledger):
        yield sums(letter.ledger)
        yield from _filled_over(letter.table)
    findings = letter.table.to_dict("records")
    roots = [i for i, each in enumerate(findings) if pd.isna(each["caused_by"])]
    follow: dict[int, list[int]] = {}
    for i, each in enumerate(findings):
        if not pd.isna(each["caused_by"]):
            follow.setdefault(int(each["caused_by"]), []).append(i)
    alike = [
        one
        for severity in ("fault", "risk")
        for one in _alike([i for i in roots if findings[i]["severity"] == severity], findings)
    ]
    for numbers in alike[:_PARAGRAPHS_MAX]:
        yield ""
        yield from _paragraph(letter, findings, numbers, follow, times)
    if len(alike) > _PARAGRAPHS_MAX:
        yield ""
        yield f"… and {len(alike) - _PARAGRAPHS_MAX:,} more kinds: see `table`."
    infos = [i for i in roots if findings[i]["severity"] == "info"]
    if infos or letter.notes:
        yield ""
        yield "What else to know:"
        for i in infos[:_NOTES_MAX]:
            yield _line(letter, findings, i, times, where=_where(letter, findings[i]))
        if len(infos) > _NOTES_MAX:
            yield f"  … and {len(infos) - _NOTES_MAX:,} more: see `table`."
        yield from (f"  {_plain(note)}" for note in letter.notes)
    if roots:
        yield ""
        yield _KEY


def _filled_over(table: pd.DataFrame) -> Iterator[str]:
    """That not all of what was gap-filled could be left out, by the findings that say so."""
    found = table.index[table["code"] == "APP_MSG_FILLED_OVER"].tolist()
    if found:
        yield f"{FILLED_OVER}: {_numbers(found)}."


def _about(letter: Letter, times: Times) -> str:
    names = letter.sessions
    shown = ", ".join(_plain(name) for name in names[:3]) or "No session"
    more = f" and {len(names) - 3:,} more sessions" if len(names) > 3 else ""
    when = times.span(letter.extent)
    said = f", {when} UTC" if when else ""
    return f"{shown}{more}: {_many(letter.extent.rows, 'message')}{said}."


def _verdict(letter: Letter) -> str:
    severity = letter.table["severity"]
    faults, risks = letter.table[severity == "fault"], int((severity == "risk").sum())
    if len(faults):
        also = f"; {_many(risks, 'risk')}" if risks else ""
        return f"{_many(len(faults), 'fault')}, {_plain(by_side(faults))}{also}."
    if risks:
        return f"No rule is broken as far as this log shows, but {_many(risks, 'risk')}."
    if gone := unrecovered(letter.ledger):
        return (
            f"No rule is broken as far as this log shows, but {_many(gone, 'number')} lost or "
            "open."
        )
    if letter.extent.rows:
        return "Nothing wrong: no rule is broken as far as this log shows."
    return "Nothing to tell: the log has no messages."


def _alike(found: Sequence[int], findings: Sequence[Mapping[Any, Any]]) -> list[list[int]]:
    """Findings of one code, side, session and confidence together, in order of their first."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for i in found:
        each = findings[i]
        side = None if pd.isna(each["side"]) else each["side"]
        key = (each["code"], side, each["session"], each["confidence"])
        groups.setdefault(key, []).append(i)
    return list(groups.values())


def _paragraph(
    letter: Letter,
    findings: Sequence[Mapping[Any, Any]],
    numbers: Sequence[int],
    follow: Mapping[int, Sequence[int]],
    times: Times,
) -> Iterator[str]:
    first = findings[numbers[0]]
    yield f"{first['code']}, {_whose(first, len(numbers))}{_where(letter, first)}:"
    for i in numbers[:_LINES_MAX]:
        yield _line(letter, findings, i, times)
    if len(numbers) > _LINES_MAX:
        yield f"  … and {len(numbers) - _LINES_MAX:,} more of it: see `table`."
    yield f"  Rule {first['rule']}: {first['expected']}"
    yield f"  What to do: {first['advice']}"
    led = [j for i in numbers for j in follow.get(i, ())]
    if led:
        yield f"  From this follows: {_led(led, findings)}."


def _whose(finding: Mapping[Any, Any], count: int) -> str:
    side, severity = finding["side"], finding["severity"]
    what = f"a {severity}" if count == 1 else f"{count:,} {severity}s"
    if pd.isna(side):
        who = ", laid to neither side"
    else:
        who = f" of {_plain(side)}" if severity == "fault" else f", the doing of {_plain(side)}"
    sure = finding["confidence"]
    return f"{what}{who}" + (f" ({sure} confidence)" if sure != "high" else "")


def _where(letter: Letter, finding: Mapping[Any, Any]) -> str:
    named = len(letter.sessions) > 1 and finding["session"]
    return f", in {_plain(finding['session'])}" if named else ""


def _line(
    letter: Letter,
    findings: Sequence[Mapping[Any, Any]],
    i: int,
    times: Times,
    *,
    where: str = "",
) -> str:
    time = times.told(findings[i]["time"])
    when = f"{time}, " if time else ""
    return f"  [{i}] {when}row {letter.rows[i]}{where}: {_plain(findings[i]['summary'])}"


def _led(numbers: Sequence[int], findings: Sequence[Mapping[Any, Any]]) -> str:
    """The codes that follow, each with the numbers of its findings."""
    of_code: dict[str, list[int]] = {}
    for i in sorted(numbers):
        of_code.setdefault(str(findings[i]["code"]), []).append(i)
    return "; ".join(f"{code} {_numbers(found)}" for code, found in of_code.items())


def _numbers(found: Sequence[int]) -> str:
    more = f" and {len(found) - _NUMBERS_MAX:,} more" if len(found) > _NUMBERS_MAX else ""
    return " ".join(f"[{i}]" for i in found[:_NUMBERS_MAX]) + more


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _plain(text: str) -> str:
    return redact.printable(redact.mask(text))
