"""RULES: what a FIX session must do, by rule id.

Every decision that fixlab records names its rule; `RULES["SEQ-05"]` says what that rule asks
for and where it stands. Ids are fixlab's own and never renumbered: FRM framing, DAT data
fields, HDR header, LGN logon, SEQ sequence numbers, RRQ sending a ResendRequest, RSP answering
one, SQR SequenceReset, HBT Heartbeat and TestRequest, REJ Reject, LGO Logout, DSC disconnect,
SCH schedule, PRS PossDup and PossResend, TLS.

References: `TC n` is a FIX session test case, `V2` is FIX 4.4 Volume 2 (errata of 2003), `SL`
is the FIX Session Layer specification of November 2020, `FIXS` is FIX-over-TLS 1.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from html import escape
from pathlib import Path
from textwrap import fill


class Level(StrEnum):
    """How binding a rule is."""

    MUST = "MUST"  # mandatory in the texts, or a mandatory test case
    SHOULD = "SHOULD"  # recommended
    MAY = "MAY"  # allowed
    OPT = "OPT"  # part of an optional feature
    ENG = "ENG"  # not in the texts: what engines do, or fixlab's own choice


@dataclass(frozen=True, slots=True, repr=False)
class Rule:
    """One rule of the session layer; `str()` explains it in full."""

    id: str
    title: str
    level: Level
    versions: str  # "all", or the versions of FIX it holds for
    expected: str  # what must happen, in one or two sentences
    reference: str  # where it stands; the module says what the abbreviations mean

    def __str__(self) -> str:
        about = f"{self.id} {self.title} ({self.level}, versions: {self.versions})"
        expected = fill(self.expected, 88, initial_indent="  ", subsequent_indent="  ")
        return f"{about}\n{expected}\n  Source: {self.reference}"

    def __repr__(self) -> str:
        return f"<Rule {self.id} {self.level}: {self.title}. {self.expected}>"

    def _repr_html_(self) -> str:
        return (
            f"<p><b>{self.id} {escape(self.title)}</b> "
            f"<small>{self.level} · versions: {escape(self.versions)}</small><br>"
            f"{escape(self.expected)}<br>"
            f"<small>Source: {escape(self.reference)}</small></p>"
        )


# The first three letters of an id, and what its rules are about.
GROUPS = {
    "FRM": "Framing and garbled messages",
    "DAT": "Data fields",
    "HDR": "Header",
    "LGN": "Logon",
    "SEQ": "Sequence numbers",
    "RRQ": "Sending a ResendRequest",
    "RSP": "Answering a ResendRequest",
    "SQR": "SequenceReset",
    "HBT": "Heartbeat and TestRequest",
    "REJ": "Reject",
    "LGO": "Logout",
    "DSC": "Disconnect",
    "SCH": "Schedule, reset and queueing",
    "PRS": "PossDup and PossResend",
    "TLS": "TLS",
}


class Rules(Mapping[str, Rule]):
    """All rules by id, in the order of the catalogue; read from the package on first use."""

    __slots__ = ("_loaded",)

    def __init__(self) -> None:
        self._loaded: dict[str, Rule] | None = None

    def _rules(self) -> dict[str, Rule]:
        if self._loaded is None:
            table = Path(__file__).with_name("_rules.txt").read_text(encoding="utf-8")
            self._loaded = {rule.id: rule for rule in _parse(table)}
        return self._loaded

    def __getitem__(self, rule_id: str) -> Rule:
        try:
            return self._rules()[rule_id]
        except KeyError:
            raise KeyError(self._unknown(rule_id)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules())

    def __len__(self) -> int:
        return len(self._rules())

    def __repr__(self) -> str:
        return f'<RULES: {len(self)} rules of the FIX session layer; try RULES["SEQ-05"]>'

    def _repr_html_(self) -> str:
        """One table under a heading for each group, scrolled rather than a page long."""
        rows = []
        for group, title in GROUPS.items():
            rows.append(f'<tr><th colspan="{len(_HEADS)}" {_LEFT}>{group} {title}</th></tr>')
            rows += [_html_row(rule) for rule in self.values() if rule.id.startswith(group)]
        heads = "".join(f"<th {_LEFT}>{name}</th>" for name in _HEADS)
        return (
            f'<div style="max-height:32em;overflow:auto"><table><thead><tr>{heads}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table></div>"
        )

    def _unknown(self, rule_id: object) -> str:
        # Imported here: only a mistake needs it, and importing fixlab stays cheap.
        from difflib import get_close_matches

        wanted = str(rule_id).strip().upper()
        near = get_close_matches(wanted, self._rules(), n=3, cutoff=0.6)
        hint = f"did you mean {', '.join(near)}?" if near else 'ids look like "SEQ-05"'
        return f"no rule {rule_id!r}; {hint}"


_HEADS = ("rule", "level", "versions", "title", "what must happen", "source")
_LEFT = 'style="text-align:left"'


def _html_row(rule: Rule) -> str:
    cells = (rule.id, rule.level, rule.versions, rule.title, rule.expected, rule.reference)
    # Ids break at their hyphen in a narrow cell, so the first cell does not wrap.
    first, *rest = [escape(cell) for cell in cells]
    left = "".join(f"<td {_LEFT}>{cell}</td>" for cell in rest)
    return f'<tr><td style="text-align:left;white-space:nowrap">{first}</td>{left}</tr>'


def _parse(table: str) -> Iterator[Rule]:
    # Two lines a rule, "#" starts a remark: the table is package data, so it is trusted.
    lines = [line for line in table.splitlines() if line and not line.startswith("#")]
    for head, expected in zip(lines[::2], lines[1::2], strict=True):
        rule_id, level, versions, title, reference = head.split(" | ")
        yield Rule(rule_id, title, Level(level), versions, expected.strip(), reference)


RULES = Rules()
