"""What every page that fixlab writes has in common: its frame, its looks, its harmless letters.

A page is one HTML file to attach to a ticket or to print: no script, no network, no clock.
Everything off the wire and from the caller is masked and escaped on its way into it.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping

from fixlab import redact
from fixlab.rules import RULES


def document(title: str, body: str, *, style: str = "") -> str:
    """A whole page: `title` is text, `body` HTML, `style` what `STYLE` lacks."""
    return _PAGE.format(title=text(title), style=STYLE + style, body=body)


def text(value: str) -> str:
    """`value` as HTML: secrets masked, nothing in it obeyed."""
    return redact.escape(redact.mask(value))


def wire(value: str) -> str:
    """The fields of a message as HTML; lines may end between two of them."""
    return text(value).replace("|", "|<wbr>")


def facts(rows: Mapping[str, str]) -> str:
    """Names and values beside each other, those without a value left out."""
    items = "".join(
        f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>"
        for name, value in rows.items()
        if value
    )
    return f'<dl class="facts">{items}</dl>'


def article(name: str, kind: str, heading: str, rows: Mapping[str, str], after: str) -> str:
    """One thing told in full, all in HTML; its heading and `rows` stay together on paper."""
    return (
        f'<article id="{name}" class="{kind}"><div><h3>{heading}</h3>{_told(rows)}</div>'
        f"{after}</article>"
    )


def _told(rows: Mapping[str, str]) -> str:
    """Names, and HTML about each, one below the other; those without any are left out."""
    items = "".join(
        f"<dt>{text(name)}</dt><dd>{html}</dd>" for name, html in rows.items() if html
    )
    return f"<dl>{items}</dl>"


def rule(rule_id: str) -> str:
    """What a rule asks for and where it stands; an id that nobody knows stays an id."""
    if rule_id not in RULES:
        return text(rule_id)
    found = RULES[rule_id]
    return (
        f"<b>{found.id} {text(found.title)}.</b> {text(found.expected)} "
        f"<small>{text(found.reference)}</small>"
    )


def figure(title: str, png: bytes) -> str:
    """A picture that is part of the page."""
    data = b64encode(png).decode("ascii")
    return (
        f"<figure><figcaption>{text(title)}</figcaption>"
        f'<img alt="{text(title)}" src="data:image/png;base64,{data}"></figure>'
    )


def anchor(prefix: str, name: str) -> str:
    """A name for a link; no two names share one, whatever characters they have."""
    return f"{prefix}-" + "".join(
        c if c.isascii() and c.isalnum() else f"-{ord(c):x}-" for c in name
    )


STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --soft: #59636e; --line: #d5dbe1;
  --paper: #fff; --tint: #f5f7f9; --good: #1a7f37; --warn: #8a6100; --bad: #c2222e;
  --quiet: #59636e; --odd: #7a3fb5; }
@media screen and (prefers-color-scheme: dark) {
  :root { --ink: #e6e9ed; --soft: #9aa4af; --line: #363d46; --paper: #14171b; --tint: #1d2127;
    --good: #4cc26a; --warn: #dcae3c; --bad: #ff7b7b; --quiet: #9aa4af; --odd: #c49bf0; } }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: var(--paper);
  font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1.25rem 3rem; }
a { color: inherit; }
header { border-left: .5rem solid var(--now); padding: .25rem 0 .25rem 1rem; }
header p { margin: 0; color: var(--soft); }
h1 { margin: 0; font-size: 1.9rem; line-height: 1.25; color: var(--now); }
h1, h3, p { overflow-wrap: anywhere; }
h2 { margin: 2rem 0 .5rem; font-size: 1.25rem; }
h3 { margin: 0 0 .5rem; font-size: 1.05rem; }
.counts { display: flex; flex-wrap: wrap; gap: .5rem; margin: 1rem 0; padding: 0;
  list-style: none; }
.counts li { border: 1px solid var(--line); border-top: .25rem solid var(--now);
  border-radius: .3rem; padding: .3rem .9rem; min-width: 6.5rem; color: var(--now);
  font-size: .85rem; }
.counts b { display: block; font-size: 1.5rem; line-height: 1.2; color: var(--ink); }
.facts { display: flex; flex-wrap: wrap; gap: .5rem 2rem; margin: 1rem 0; }
.facts div { min-width: 0; }
dt { color: var(--soft); font-size: .85rem; }
dd { margin: 0 0 .4rem; overflow-wrap: anywhere; }
.facts dd { margin: 0; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; overflow-wrap: anywhere; }
.list th, .list td { padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line); }
.list thead th { color: var(--soft); font-size: .85rem; font-weight: 400; }
.list .group th { padding-top: 1rem; border-bottom: 1px solid var(--soft); }
.list small { display: block; color: var(--soft); }
.rule { color: var(--soft); font-size: .9rem; }
.rule span { white-space: nowrap; }
.chip { display: inline-block; min-width: 6.2rem; padding: 0 .5rem;
  border: 1px solid var(--now); border-radius: .3rem; color: var(--now); font-size: .8rem;
  font-weight: 600; white-space: nowrap; }
.key, footer, article small { color: var(--soft); font-size: .85rem; }
article { margin: 1rem 0; padding: .8rem 1rem; border: 1px solid var(--line);
  border-left: .3rem solid var(--now); border-radius: .3rem; }
article dl { display: grid; grid-template-columns: 6.5rem 1fr; gap: .1rem .5rem; margin: 0; }
code, .wire { font: 12.5px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; }
.wire { margin-top: .4rem; background: var(--tint); }
.wire td { padding: .1rem .5rem; border-bottom: 1px solid var(--line); }
.wide { overflow-x: auto; }
figure { margin: 1.5rem 0; overflow-x: auto; }
figcaption { font-weight: 600; }
img { max-width: 100%; }
footer { margin-top: 2rem; }
@media (max-width: 40rem) {
  article dl { grid-template-columns: 1fr; }
  h1 { font-size: 1.5rem; } }
@media print {
  @page { margin: 14mm; }
  :root { font-size: 11px; }
  body { font-size: 9pt; }
  main { max-width: none; padding: 0; }
  code, .wire { font-size: 7.5pt; }
  h2, h3, .group { break-after: avoid; }
  header, .counts, tr, article > div, figure { break-inside: avoid; }
  thead { display: table-header-group; }
  img { max-height: 240mm; }
  a { text-decoration: none; }
  .counts li, .chip, .wire, header { print-color-adjust: exact; } }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""
