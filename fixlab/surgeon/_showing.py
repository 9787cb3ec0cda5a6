"""Frames as short tables for a terminal and a notebook, and counts in words."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pandas as pd

from fixlab.facts import message_name
from fixlab.redact import escape, printable

_WIDTH = 98  # columns of a terminal that a table may take
# Columns of words, which read well in several lines; the others are only cut when they must.
# The widths are what is left to each of them.
_WORDS = {"what": 12, "where": 12, "text": 12, "defect": 12, "session": 24}


def text(frame: pd.DataFrame) -> str:
    """A frame as a table of at most 98 columns; words that do not fit go to further lines."""
    if not len(frame):
        return "  none"
    columns = [str(name) for name in frame.columns]
    rows = [[cell(value) for value in row] for row in frame.itertuples(index=False)]
    widths = [max(len(name), *(len(row[i]) for row in rows)) for i, name in enumerate(columns)]
    _narrow(widths, columns, _WIDTH - 2 * len(columns))
    lines = []
    for row in [columns, *rows]:
        wrapped = [_wrapped(value, width) for value, width in zip(row, widths, strict=True)]
        for line in range(max(map(len, wrapped))):
            cells = (
                (value[line] if line < len(value) else "").ljust(width)
                for value, width in zip(wrapped, widths, strict=True)
            )
            lines.append(("  " + "  ".join(cells)).rstrip())
    return "\n".join(lines)


def html(frame: pd.DataFrame) -> str:
    """A frame as an HTML table, escaped."""
    heads = "".join(f"<th>{escape(str(name))}</th>" for name in frame.columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell(value))}</td>" for value in row) + "</tr>"
        for row in frame.itertuples(index=False)
    )
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def cell(value: Any) -> str:
    """A value of a frame in short; nothing for what is missing."""
    if value is pd.NA or value is pd.NaT or value != value:
        return ""
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return printable(str(value))


def with_ranges(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` with one column `numbers` for `begin_seq_no` and `end_seq_no`."""
    ranges = [
        "" if begin is pd.NA else range_of(begin, end)
        for begin, end in zip(frame["begin_seq_no"], frame["end_seq_no"], strict=True)
    ]
    shown = frame.drop(columns="end_seq_no").rename(columns={"begin_seq_no": "numbers"})
    shown["numbers"] = ranges
    return shown


def range_of(begin: int, end: int) -> str:
    """`212 to 260`, or the one number."""
    return str(begin) if begin == end else f"{begin} to {end}"


def count_of(number: int, noun: str) -> str:
    """`1 order`, `2 orders`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def counted_types(kinds: Counter[str]) -> str:
    """`31 NewOrderSingle (35=D), 2 OrderCancelRequest (35=F)`: the most frequent first."""
    parts = [
        f"{count:,} {message_name(kind) or 'message'} (35={kind})"
        for kind, count in sorted(kinds.items(), key=lambda item: (-item[1], item[0]))
    ]
    return ", ".join([*parts[:4], *(["others"] if parts[4:] else [])])


def _narrow(widths: list[int], columns: list[str], total: int) -> None:
    """Take from the widest column of words, then from the widest of all, until they fit."""
    while sum(widths) > total:
        words = [i for i, name in enumerate(columns) if widths[i] > _WORDS.get(name, widths[i])]
        widest = max(words or range(len(widths)), key=widths.__getitem__)
        widths[widest] -= 1


def _wrapped(value: str, width: int) -> list[str]:
    """`value` in lines of at most `width`, broken at blanks where there are any."""
    lines, line = [], ""
    for word in value.split(" "):
        if line and len(line) + 1 + len(word) > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}" if line else word
        while len(line) > width:
            lines.append(line[:width])
            line = line[width:]
    return [*lines, line]
