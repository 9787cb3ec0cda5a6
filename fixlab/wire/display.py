"""Showing a message: names and meanings beside tags and values, secrets masked (LGN-26).

`describe` turns fields into rows, `as_text` and `as_html` turn rows into tables. The names come
from whatever knows them: the specification, or a counterparty's dictionary.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from fixlab import facts, redact
from fixlab.wire.fields import Field
from fixlab.wire.tags import CHECK_SUM, LENGTH_TO_DATA, MSG_TYPE

ROWS_MAX = 500  # a table with more is no longer read by anyone, and slows a notebook down
_VALUE_MAX = 200  # characters of one value
_HEADS = ("tag", "name", "value", "meaning")
_DATA_TO_LENGTH = {data: length for length, data in LENGTH_TO_DATA.items()}


class Names(Protocol):
    """What knows the names of fields, messages and values."""

    def field_name(self, tag: int) -> str | None: ...
    def message_name(self, msg_type: str) -> str | None: ...
    def enum_name(self, tag: int, value: str) -> str | None: ...


class VersionNames:
    """The specification's names: those of `version` first, then those of any version."""

    def __init__(self, version: str | None) -> None:
        # A peer may claim any BeginString(8).
        self._version = version if version in facts.VERSIONS else None

    def field_name(self, tag: int) -> str | None:
        return facts.field_name(tag, self._version) or facts.field_name(tag)

    def message_name(self, msg_type: str) -> str | None:
        return facts.message_name(msg_type, self._version) or facts.message_name(msg_type)

    def enum_name(self, tag: int, value: str) -> str | None:
        return facts.enum_name(tag, value, self._version) or facts.enum_name(tag, value)


class Row(NamedTuple):
    """One field as it is shown; all text is printable, secrets are `***`."""

    level: int  # 0, or how many repeating groups it stands in
    tag: int  # 0 for bytes that are no field
    name: str
    value: str
    meaning: str  # of an enumerated value, or the name of a MsgType(35)


def describe(
    fields: Sequence[Field], names: Names, levels: Iterable[int] | None = None
) -> list[Row]:
    """A row for each field, indented by `levels` if they are given."""
    depth = [0] * len(fields) if levels is None else levels
    return [
        Row(level, tag, names.field_name(tag) or "" if tag else "", shown, meaning)
        for (tag, _), (shown, meaning), level in zip(
            fields, _shown(fields, names), depth, strict=True
        )
    ]


def _shown(fields: Sequence[Field], names: Names) -> Iterable[tuple[str, str]]:
    """Value and meaning of each field, without what must stay secret."""
    hidden = False  # whether the field before was a secret, whose rest would follow as tag 0
    cut = False  # whether a secret of unknown length has begun (DAT-03): only CheckSum ends it
    before: Field = (0, b"")
    for tag, value in fields:
        text = value.decode("latin-1")
        if (cut and tag != CHECK_SUM) or (hidden and tag == 0):
            cut = cut or before[0] in _DATA_TO_LENGTH  # its length has lied
            yield redact.MASKED, ""
        else:
            line = redact.mask(f"{tag}={text}")
            hidden = line == f"{tag}={redact.MASKED}"
            if hidden and tag in _DATA_TO_LENGTH:
                announced = before == (_DATA_TO_LENGTH[tag], b"%d" % len(value))
                cut = not announced
            shown = redact.printable(line.partition("=")[2])
            if len(shown) > _VALUE_MAX:
                shown = f"{shown[:_VALUE_MAX]}… ({len(value):,} bytes)"
            yield shown, "" if hidden else _meaning(tag, text, names)
        before = tag, value


def _meaning(tag: int, value: str, names: Names) -> str:
    if len(value) > _VALUE_MAX:
        return ""
    if tag == MSG_TYPE:
        return names.message_name(value) or ""
    one = names.enum_name(tag, value)
    if one is not None or " " not in value:
        return one or ""
    # Some fields hold several values, divided by spaces.
    many = [names.enum_name(tag, part) for part in value.split(" ")]
    return ", ".join([name or "?" for name in many]) if any(many) else ""


def as_text(title: str, rows: Sequence[Row]) -> str:
    """A table in plain text: tag, name, value, meaning."""
    cells = [_HEADS, *(_cells(row) for row in rows[:ROWS_MAX])]
    tag_width, name_width, value_width = (
        max(len(line[column]) for line in cells) for column in range(3)
    )
    value_width = min(value_width, 40)  # one long value is no reason to push meanings away
    lines = [
        f"{tag:>{tag_width}}  {name:<{name_width}}  {value:<{value_width}}  {meaning}".rstrip()
        for tag, name, value, meaning in cells
    ]
    return "\n".join([title, *lines, *_rest(rows)])


def as_html(title: str, rows: Sequence[Row]) -> str:
    """The same table for a notebook; everything that came off the wire is escaped."""
    heads = "".join(f'<th style="text-align:left">{head}</th>' for head in _HEADS)
    body = "".join(
        "<tr>"
        f"<td>{row.tag or ''}</td>"
        f'<td style="text-align:left;padding-left:{0.5 + 1.5 * row.level}em">'
        f"{redact.escape(row.name)}</td>"
        f'<td style="text-align:left"><code>{redact.escape(row.value)}</code></td>'
        f'<td style="text-align:left">{redact.escape(row.meaning)}</td>'
        "</tr>"
        for row in rows[:ROWS_MAX]
    )
    return (
        f"<table><caption>{redact.escape(title)}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
        + "".join(f"<p>{redact.escape(line)}</p>" for line in _rest(rows))
    )


def _cells(row: Row) -> tuple[str, str, str, str]:
    return str(row.tag or ""), "  " * row.level + row.name, row.value, row.meaning


def _rest(rows: Sequence[Row]) -> list[str]:
    more = len(rows) - ROWS_MAX
    return [f"… and {more:,} more fields"] if more > 0 else []


def title_of(msg_type: str, names: Names) -> str:
    """`NewOrderSingle(D)`, or `MsgType U7` for a type without a name."""
    name = names.message_name(msg_type)
    kind = redact.printable(msg_type[:_VALUE_MAX])
    return redact.printable(f"{name}({kind})" if name else f"MsgType {kind}")
