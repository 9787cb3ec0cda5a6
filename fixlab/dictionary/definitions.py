"""What a dictionary defines: fields, and blocks of them (header, message, group entry)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class FieldDef:
    """One field: its tag, name and type, and the values it may take."""

    tag: int
    name: str
    type: str  # as the dictionary writes it, in capitals: "INT", "UTCTIMESTAMP", ...
    values: Mapping[str, str] = field(default_factory=dict)  # value -> its name; empty: any
    other_values: bool = False  # whether values that are not listed are allowed too


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Block:
    """Fields that stand together, components resolved.

    `tags` is in dictionary order, a group by the field that counts its entries. A tag that the
    dictionary lists twice has its first place there and is among `loose`.
    """

    tags: tuple[int, ...] = ()
    required: frozenset[int] = frozenset()
    groups: Mapping[int, GroupDef] = field(default_factory=dict)  # by count field
    loose: frozenset[int] = frozenset()
    places: Mapping[int, int] = field(init=False, repr=False)  # tag -> index in `tags`

    def __post_init__(self) -> None:
        places = {tag: place for place, tag in enumerate(self.tags)}
        object.__setattr__(self, "places", places)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class GroupDef(Block):
    """One entry of a repeating group; it starts with the delimiter (FRM-14)."""

    count: int  # tag of the field that says how many entries follow

    @property
    def delimiter(self) -> int:
        """Tag that starts every entry."""
        return self.tags[0]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MessageDef(Block):
    """The body of one type of message."""

    name: str
    msg_type: str
    admin: bool  # whether it belongs to the session itself
