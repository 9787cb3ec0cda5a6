"""How verdicts stand out in a notebook's tables, in light and in dark.

Only weights, and tints that let any background through.
"""

from __future__ import annotations

from collections.abc import Mapping

_BAD = "font-weight:bold;background:#d9304f4d"
_OPEN = "opacity:0.55"
DIFFERS = "font-weight:bold;background:#e8a0004d"

# By verdict; what passed is left as it is.
TINTS: Mapping[str, str] = {
    "FAIL": _BAD,
    "BLOCKED": _BAD,
    "LENIENT": DIFFERS,
    "SKIP": _OPEN,
}


def cell(text: str, verdict: str = "") -> str:
    """A cell of a table; `text` is HTML already."""
    tint = TINTS.get(verdict, "")
    style = f"text-align:left;{tint}" if tint else "text-align:left"
    return f'<td style="{style}">{text}</td>'
