"""explain: a message field by field, with names, meanings and its groups indented."""

from __future__ import annotations

from collections.abc import Iterator

from fixlab.dictionary.definitions import Block, GroupDef
from fixlab.dictionary.dictionary import Dictionary
from fixlab.errors import ConfigError, MessageError
from fixlab.wire.display import Names, Row, VersionNames, as_html, as_text, describe, title_of
from fixlab.wire.message import Message
from fixlab.wire.tags import APPL_VER_ID, BEGIN_STRING


class Explained:
    """A message in words: `print` it, or show it in a notebook; `rows` for a program."""

    __slots__ = ("rows", "title")

    def __init__(self, title: str, rows: tuple[Row, ...]) -> None:
        self.title = title  # "NewOrderSingle(D)"
        self.rows = rows  # level, tag, name, value, meaning; secrets are masked

    def __str__(self) -> str:
        return as_text(self.title, self.rows)

    def __repr__(self) -> str:
        return f"<Explained {self.title}: {len(self.rows)} fields>"

    def _repr_html_(self) -> str:
        return as_html(self.title, self.rows)


def explain(message: Message, dictionary: Dictionary | None = None) -> Explained:
    """What each field of `message` is called and means.

    Names are those of `dictionary`, else of the version in BeginString(8). A dictionary also
    knows the repeating groups, whose entries are then indented. Nothing is checked: what stands
    where it should not is shown where it stands.

    Raises `MessageError` for what is no `Message`, `ConfigError` for what is no `Dictionary`.
    """
    if not isinstance(message, Message):
        raise MessageError(
            f"explain() needs a Message, found {type(message).__name__}; make one of text with "
            f"Message.parse(text), of bytes with Message.from_wire(raw)"
        )
    if dictionary is not None and not isinstance(dictionary, Dictionary):
        raise ConfigError(
            f"dictionary must be a Dictionary, found {type(dictionary).__name__}; read its "
            f"file with Dictionary.from_quickfix_xml(path)"
        )
    names: Names
    if dictionary is None:
        names, levels = VersionNames(message.get(BEGIN_STRING)), None
    else:
        # FIXT: ApplVerID(1128) says which version the body is of (HDR-12).
        chosen = dictionary.applications.get(message.get(APPL_VER_ID) or "", dictionary)
        names, levels = chosen, list(_levels(message, chosen))
    rows = describe(message.fields, names, levels)
    return Explained(title_of(message.msg_type, names), tuple(rows))


def _levels(message: Message, dictionary: Dictionary) -> Iterator[int]:
    """How many groups each field stands in."""
    blocks: list[Block] = [dictionary.header, dictionary.trailer]
    if (body := dictionary.messages.get(message.msg_type)) is not None:
        blocks.append(body)
    top = {tag for block in blocks for tag in block.places}
    groups = {tag: group for block in blocks for tag, group in block.groups.items()}
    entered: list[GroupDef] = []
    for tag, _ in message.fields:
        within = [depth for depth, group in enumerate(entered, 1) if tag in group.places]
        if within:
            del entered[within[-1] :]
        elif tag in top:
            entered.clear()
        # What no block knows stays where it is: it may be a venue's own field of the entry.
        yield len(entered)
        if (group := (entered[-1].groups if entered else groups).get(tag)) is not None:
            entered.append(group)
