"""The demo's page: one HTML file that needs nothing else, neither files nor a network."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from fixlab.redact import escape
from fixlab.rules import Rule


@dataclass(frozen=True, slots=True)
class Picture:
    """A plot as PNG, with the name of its file and a title."""

    name: str
    title: str
    png: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that the demo tells; `chapters` are title, words, and the numbers afterwards."""

    seed: int
    intro: str
    chapters: Sequence[tuple[str, str, str]]
    ladder_text: str
    pictures: Sequence[Picture]
    gaps: pd.DataFrame
    transitions: pd.DataFrame
    rules: Sequence[Rule]


def page(report: Report) -> str:
    """The report as one HTML page that reads in light and in dark."""
    parts = [
        "<h1>One FIX session, broken and healed</h1>",
        f"<p>{escape(report.intro)}</p>",
        f"<p><small>Seed {report.seed}: the same seed gives the same page.</small></p>",
        _story(report.chapters),
        "<h2>Pictures</h2>",
        *map(_figure, report.pictures),
        "<h2>The messages, one a line</h2>",
        f'<pre tabindex="0">{_lines(report.ladder_text)}</pre>',
        "<h2>Gaps</h2>",
        "<p>One row for each range of numbers that an end missed.</p>",
        _table(report.gaps),
        "<h2>Rules</h2>",
        "<p>What decided, in order of appearance.</p>",
        _rules(report.rules),
        "<h2>Transitions</h2>",
        "<p>One row for each decision about a number or a state, at either end.</p>",
        f"<details><summary>{len(report.transitions)} rows</summary>"
        f"{_table(report.transitions)}</details>",
    ]
    return _PAGE.format(style=_STYLE, body="\n".join(parts))


def _story(chapters: Iterable[tuple[str, str, str]]) -> str:
    items = "\n".join(
        f"<li><b>{escape(title)}.</b> {escape(words)}<br><small>{escape(numbers)}.</small></li>"
        for title, words, numbers in chapters
    )
    return f"<h2>What happened</h2>\n<ol>\n{items}\n</ol>"


def _figure(picture: Picture) -> str:
    data = b64encode(picture.png).decode("ascii")
    title = escape(picture.title)
    return (
        f"<figure><figcaption>{title}</figcaption>"
        f'<img alt="{title}" src="data:image/png;base64,{data}"></figure>'
    )


def _lines(text: str) -> str:
    return "\n".join(map(escape, text.split("\n")))


def _table(frame: pd.DataFrame) -> str:
    heads = "".join(f"<th>{escape(str(name))}</th>" for name in frame.columns)
    rows = "\n".join(
        "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row) + "</tr>"
        for row in frame.itertuples(index=False)
    )
    return (
        f'<div class="wide" tabindex="0"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _cell(value: object) -> str:
    if value is pd.NA or value is pd.NaT or value != value:
        return ""
    if isinstance(value, pd.Timestamp):
        return value.isoformat(sep=" ", timespec="milliseconds").removesuffix("+00:00")
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)


def _rules(rules: Iterable[Rule]) -> str:
    items = "\n".join(
        f"<dt><b>{escape(rule.id)}</b> {escape(rule.title)}</dt>"
        f"<dd>{escape(rule.expected)} <small>{escape(rule.reference)}</small></dd>"
        for rule in rules
    )
    return f"<dl>\n{items}\n</dl>"


_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto;
  padding: 0 1rem; }
h1, h2 { line-height: 1.2; }
li { margin-bottom: .6rem; }
figure { margin: 1.5rem 0; }
figcaption { font-weight: 600; }
img { max-width: 100%; }
pre, .wide { overflow-x: auto; }
pre { font: 13px/1.35 ui-monospace, monospace; }
table { border-collapse: collapse; font-size: 13px; white-space: nowrap; }
th, td { padding: .15rem .6rem; text-align: left; border-bottom: 1px solid #8886; }
dd { margin: 0 0 .6rem 1.5rem; }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fixlab demo</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""
