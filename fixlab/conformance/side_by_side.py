"""Two aligned transcripts as text and as HTML; all off the wire is masked and escaped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from textwrap import wrap

from fixlab import facts, redact
from fixlab.conformance import tints
from fixlab.conformance.alignment import Pair, fields_of, parting
from fixlab.conformance.model import CaseResult, Entry

_COLUMN = 45  # characters of each side
_NOISE = frozenset(
    (8, 9, 10, 35, 49, 52, 56)
)  # the same in every message, or never of interest


@dataclass(frozen=True, slots=True, repr=False)
class SideBySide:
    """What two counterparties did in one case; `str()` and a notebook show both, line by line.

    `=` marks lines that say the same, times, ids and texts aside, `≠` those that differ, and
    `»` the first of these. `~` stands at messages of both sides that crossed on their way.
    """

    title: str
    names: tuple[str, str]
    results: tuple[CaseResult, CaseResult]
    pairs: tuple[Pair, ...]

    def __str__(self) -> str:
        lines = [self.title, *self._columns(" ", *self._heads())]
        for mark, left, right in self._rows():
            lines += self._columns(mark, left, right)
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        heads = "".join(f'<th style="{_CELL}">{_html(head)}</th>' for head in self._heads())
        rows = "".join(
            f'<tr style="{_STYLES[row[0]]}">'
            + "".join(f'<td style="{_CELL}">{_html(cell)}</td>' for cell in row)
            + "</tr>"
            for row in self._rows()
        )
        return (
            f"<p><b>{redact.escape(self.title)}</b></p><table><thead><tr><th></th>{heads}</tr>"
            f"</thead><tbody>{rows}</tbody></table>"
        )

    def _heads(self) -> tuple[str, str]:
        left, right = (
            f"{name}: {result.verdict}" + (f" ({result.rule})" if result.rule else "")
            for name, result in zip(self.names, self.results, strict=True)
        )
        return left, right

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        at = parting(self.pairs)
        for n, pair in enumerate(self.pairs):
            mark = "=" if pair.same else "~" if pair.crossed else "≠"
            mark = "»" if n == at else mark
            yield (
                mark,
                line_of(pair.left, self.results[0].begin_string),
                line_of(pair.right, self.results[1].begin_string),
            )

    def _columns(self, mark: str, left: str, right: str) -> Iterator[str]:
        sides = (
            wrap(text, _COLUMN, subsequent_indent="    ", break_on_hyphens=False)
            for text in (left, right)
        )
        for n, (one, other) in enumerate(zip_longest(*sides, fillvalue="")):
            yield f"{mark if n == 0 else ' '} {one:<{_COLUMN}}  {other}".rstrip()


def line_of(entry: Entry | None, begin_string: str) -> str:
    """An entry in one line: time, direction, name of the message and the fields of interest."""
    if entry is None:
        return ""
    second = "[2] " if entry.connection == 2 else ""
    head = f"{entry.seconds:.3f} {second}{entry.direction}"
    fields = fields_of(entry.text)
    if not fields:
        return f"{head} {redact.mask(entry.text)}"
    name = message_name(dict(fields)[35], begin_string) or f"35={dict(fields)[35]}"
    rest = "|".join(f"{tag}={value}" for tag, value in fields if tag not in _NOISE)
    return f"{head} {name} {redact.mask(rest).replace('|', ' ')}".rstrip()


def message_name(msg_type: str, begin_string: str) -> str | None:
    """Name of a MsgType(35) in the version of a session, if it has one."""
    known = begin_string if begin_string in facts.VERSIONS else None
    return facts.message_name(msg_type, known)


_CELL = "text-align:left;vertical-align:top;font-family:monospace;overflow-wrap:anywhere"
_STYLES = {
    "=": "",
    "~": "",
    "≠": "font-weight:bold",
    "»": tints.DIFFERS,
}


def _html(text: str) -> str:
    return redact.escape(text)
