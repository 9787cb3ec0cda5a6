"""The order in which QuickFIX and its ports write fields.

Behind BeginString(8), BodyLength(9) and MsgType(35) come the header's tags ascending, then the
body's; an entry of a repeating group keeps the order of the dictionary. A data field stays
behind the field that tells its length (DAT-01).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fixlab import facts
from fixlab.dictionary.definitions import Block, GroupDef
from fixlab.wire.fields import Field
from fixlab.wire.tags import LENGTH_TO_DATA

_NESTING_MAX = 16  # groups within groups; published dictionaries stay below 6

# HDR-15: the one group of the header, whatever dictionary there is.
HEADER_GROUPS: Mapping[int, Block] = {627: Block(tags=(628, 629, 630))}


class _Unit(NamedTuple):
    """Fields that stay together: one, a length and its data, or a count and its entries."""

    tag: int
    fields: list[Field]


def ascending(fields: Sequence[Field], groups: Mapping[int, Block]) -> list[Field]:
    """`fields` of one section by tag; `groups`, by the tag of their count, keep together."""
    units: list[_Unit] = []
    position = 0
    while position < len(fields):
        unit, position = _unit(fields, position, groups, 0)
        units.append(unit)
    units.sort(key=lambda unit: unit.tag)
    return [field for unit in units for field in unit.fields]


def _unit(
    fields: Sequence[Field], position: int, groups: Mapping[int, Block], depth: int
) -> tuple[_Unit, int]:
    """The unit at `position`, and where the next one starts."""
    tag, _ = field = fields[position]
    position += 1
    group = groups.get(tag)
    if group is not None and depth < _NESTING_MAX:
        entries, position = _entries(fields, position, group, depth + 1)
        return _Unit(tag, [field, *entries]), position
    data = LENGTH_TO_DATA.get(tag)
    if data is not None and position < len(fields) and fields[position][0] == data:
        return _Unit(tag, [field, fields[position]]), position + 1
    return _Unit(tag, [field]), position


def _entries(
    fields: Sequence[Field], position: int, group: Block, depth: int
) -> tuple[list[Field], int]:
    """The entries of `group` from `position` on, each in dictionary order."""
    found: list[Field] = []
    while position < len(fields) and fields[position][0] in group.places:
        entry: list[_Unit] = []
        seen: set[int] = set()
        # A tag that the entry has already starts the next one.
        while position < len(fields):
            tag = fields[position][0]
            if tag not in group.places or tag in seen:
                break
            seen.add(tag)
            unit, position = _unit(fields, position, group.groups, depth)
            entry.append(unit)
        entry.sort(key=lambda unit: group.places[unit.tag])
        found += [field for unit in entry for field in unit.fields]
    return found, position


def may_hold_groups(fields: Sequence[Field]) -> bool:
    """Whether a body may have repeating groups, as far as can be told without a dictionary."""
    tags = [tag for tag, _ in fields]
    return len(set(tags)) < len(tags) or any(map(_counts_entries, tags))


def _counts_entries(tag: int) -> bool:
    # Count fields, and no others, are called NoLegs, NoPartyIDs and so on.
    name = facts.field_name(tag) or ""
    return name.startswith("No") and name[2:3].isupper()


def body_groups(
    groups: Mapping[int, GroupDef] | None, fields: Sequence[Field]
) -> Mapping[int, Block] | None:
    """The groups by which to sort a body, or None when it must keep its order.

    `groups` are those of the dictionary, None without one: who sorted a group unknown here by
    tag would write another message.
    """
    if groups:
        return groups
    return None if may_hold_groups(fields) else {}
