"""Reading QuickFIX dictionaries: XML into fields and blocks, with hostile input in mind.

Each fault is a `DictionaryError` that says file, line and element, what was found and what was
expected. Size, nesting and the number of resolved fields are bounded, and entities, which can
make a small file grow without end, are refused.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from fixlab.dictionary.definitions import Block, FieldDef, GroupDef, MessageDef
from fixlab.errors import DictionaryError

FILE_BYTES_MAX = 32 << 20  # the largest published dictionary has 1.5 MB
_NESTING_MAX = 64  # elements, and components within components; published ones stay below 20
_GROUP_LEVELS_MAX = 32  # groups within groups; FIX 5.0 SP2 has 7
_RESOLVED_MAX = 5_000_000  # fields over all blocks; FIX 5.0 SP2 has about 50,000
_TAG_MAX = 10**9

# Element -> what may stand in it.
_MEMBERS = frozenset({"field", "group", "component"})
_CHILDREN: Mapping[str, frozenset[str]] = {
    "fix": frozenset({"header", "trailer", "messages", "components", "fields"}),
    "header": _MEMBERS,
    "trailer": _MEMBERS,
    "messages": frozenset({"message"}),
    "message": _MEMBERS,
    "group": _MEMBERS,
    "components": frozenset({"component"}),
    "component": _MEMBERS,
    "fields": frozenset({"field"}),
    "field": frozenset({"value"}),
    "value": frozenset(),
}


@dataclass(frozen=True, slots=True)
class Parsed:
    """All that one file defines."""

    version: str  # "FIX.4.4", "FIX.5.0SP2", "FIXT.1.1"
    fields: Mapping[int, FieldDef]
    messages: Mapping[str, MessageDef]
    header: Block
    trailer: Block


def read(path: Path) -> Parsed:
    """What the dictionary at `path` defines. Raises `DictionaryError`."""
    try:
        # Opening a pipe would wait for a writer, so what it is comes before what is in it.
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DictionaryError(f"{path} is no file; expected a QuickFIX dictionary")
        if status.st_size > FILE_BYTES_MAX:
            raise DictionaryError(
                f"{path} has {status.st_size:,} bytes; a QuickFIX dictionary has at most "
                f"{FILE_BYTES_MAX:,}"
            )
        content = path.read_bytes()
    except OSError as error:
        raise DictionaryError(
            f"cannot read the dictionary {path}: {error.strerror or error}"
        ) from error
    return _Resolver(path, _Tree(path).parse(content)).result()


@dataclass(slots=True)
class _Element:
    """One element of the file."""

    kind: str
    attributes: dict[str, str]
    line: int
    children: list[_Element] = field(default_factory=list)

    def __str__(self) -> str:
        name = self.attributes.get("name")
        return f"<{self.kind}>" if name is None else f"<{self.kind} name={name[:100]!r}>"


class _Tree:
    """The elements of a file, by an XML parser that refuses what a dictionary never needs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._open: list[_Element] = []
        self._root: _Element | None = None
        self._parser = expat.ParserCreate()
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.EntityDeclHandler = self._entity
        # A default from an <!ATTLIST> is copied into each element that leaves it out, so a
        # small file could fill the memory.
        self._parser.specified_attributes = True

    def parse(self, content: bytes) -> _Element:
        """The root element."""
        try:
            self._parser.Parse(content, True)
        except DictionaryError:
            raise  # from the handlers below; it is a ValueError, too
        except (expat.ExpatError, ValueError, LookupError) as error:
            # The last two come from the decoding of an encoding that the file claims.
            raise DictionaryError(f"{self._path} is not well-formed XML: {error}") from error
        assert self._root is not None, "without a root the parser has complained"
        return self._root

    def _start(self, kind: str, attributes: dict[str, str]) -> None:
        element = _Element(kind, attributes, self._parser.CurrentLineNumber)
        if len(self._open) >= _NESTING_MAX:
            fail(self._path, element, f"is nested deeper than {_NESTING_MAX} elements")
        if not self._open:
            if kind != "fix":
                fail(
                    self._path, element, "is the root; a QuickFIX dictionary starts with <fix>"
                )
            self._root = element
        else:
            parent = self._open[-1]
            allowed = self._allowed(parent)
            if kind not in allowed:
                expected = " or ".join(f"<{name}>" for name in sorted(allowed)) or "nothing"
                fail(self._path, element, f"stands in {parent}, where {expected} is expected")
            parent.children.append(element)
        self._open.append(element)

    def _allowed(self, parent: _Element) -> frozenset[str]:
        # A <field> or <component> that is a reference, not a definition, is empty.
        above = self._open[-2].kind if len(self._open) > 1 else ""
        if (parent.kind == "field" and above != "fields") or (
            parent.kind == "component" and above != "components"
        ):
            return frozenset()
        return _CHILDREN[parent.kind]

    def _end(self, kind: str) -> None:
        self._open.pop()

    def _entity(self, name: str, *_: object) -> NoReturn:
        line = self._parser.CurrentLineNumber
        raise DictionaryError(
            f"{self._path}, line {line}: declares the entity {name[:100]!r}; a dictionary "
            "needs none, and they are refused since they can grow without end"
        )


def fail(path: Path, element: _Element, what: str) -> NoReturn:
    """Raise a `DictionaryError` about one element of a file."""
    raise DictionaryError(f"{path}, line {element.line}: {element} {what}")


class _Builder:
    """A block while its members are being added."""

    def __init__(self) -> None:
        self.tags: dict[int, None] = {}
        self.required: set[int] = set()
        self.groups: dict[int, GroupDef] = {}
        self.loose: set[int] = set()

    def add(self, tag: int, *, required: bool) -> None:
        if tag in self.tags:
            self.loose.add(tag)
        self.tags[tag] = None
        if required:
            self.required.add(tag)

    def include(self, block: Block, *, required: bool) -> None:
        self.loose |= block.loose | (self.tags.keys() & block.places.keys())
        self.tags.update(dict.fromkeys(block.tags))
        self.groups.update(block.groups)
        if required:  # a field is required only if the component that brings it is, too
            self.required |= block.required


class _Resolver:
    """Turns the elements into definitions: names into tags, components into their fields."""

    def __init__(self, path: Path, root: _Element) -> None:
        self._path = path
        self._root = root
        self._sections = self._only_once(root)
        self._tags: dict[str, int] = {}
        self._components = self._named("components")
        self._resolved: dict[str, Block] = {}
        self._resolving: list[str] = []
        self._groups: list[GroupDef] = []  # keeps them alive, so that no id comes twice
        self._levels: dict[int, int] = {}  # id of a group -> levels of groups from it down
        self._total = 0

    def result(self) -> Parsed:
        """Everything that the file defines."""
        version = self._version()
        fields = self._fields()
        # A component that no message uses may still be wrong: better said than found later.
        for name, element in self._components.items():
            self._component(name, element)
        return Parsed(
            version,
            fields,
            self._messages(),
            self._section_block("header"),
            self._section_block("trailer"),
        )

    def _only_once(self, root: _Element) -> dict[str, _Element]:
        sections: dict[str, _Element] = {}
        for section in root.children:
            if section.kind in sections:
                fail(self._path, section, "stands there twice; once is expected")
            sections[section.kind] = section
        for kind in ("fields", "messages"):
            if kind not in sections:
                fail(self._path, root, f"has no <{kind}>")
        return sections

    def _version(self) -> str:
        root = self._root
        family = root.attributes.get("type", "FIX")
        if family not in ("FIX", "FIXT"):
            fail(self._path, root, f'has type={family!r}; "FIX" or "FIXT" is expected')
        major = self._number(root, "major", least=0)
        minor = self._number(root, "minor", least=0)
        version = f"{family}.{major}.{minor}"
        if "servicepack" in root.attributes:
            pack = self._number(root, "servicepack", least=0)
            version += f"SP{pack}" if pack else ""
        return version

    def _fields(self) -> dict[int, FieldDef]:
        fields: dict[int, FieldDef] = {}
        for element in self._sections["fields"].children:
            tag = self._number(element, "number", least=1)
            name = self._text(element, "name")
            if tag in fields:
                fail(self._path, element, f"defines tag {tag}, which {fields[tag].name} has")
            if name in self._tags:
                fail(self._path, element, f"has the name of tag {self._tags[name]}")
            self._tags[name] = tag
            fields[tag] = FieldDef(
                tag,
                name,
                self._text(element, "type").upper(),
                self._values(element),
                self._flag(element, "allowOtherValues"),
            )
        return fields

    def _values(self, element: _Element) -> dict[str, str]:
        values: dict[str, str] = {}
        for child in element.children:
            value = self._text(child, "enum")
            values.setdefault(value, child.attributes.get("description") or value)
        return values

    def _messages(self) -> dict[str, MessageDef]:
        messages: dict[str, MessageDef] = {}
        for element in self._sections["messages"].children:
            msg_type = self._text(element, "msgtype")
            name = self._text(element, "name")
            if msg_type in messages:
                taken = messages[msg_type].name
                fail(self._path, element, f"has msgtype={msg_type!r}, which {taken} has")
            category = element.attributes.get("msgcat", "app")
            if category not in ("admin", "app"):
                fail(self._path, element, f'has msgcat={category!r}, not "admin" or "app"')
            body = self._members(element, 0)
            messages[msg_type] = MessageDef(
                tags=tuple(body.tags),
                required=frozenset(body.required),
                groups=body.groups,
                loose=frozenset(body.loose),
                name=name,
                msg_type=msg_type,
                admin=category == "admin",
            )
        return messages

    def _named(self, kind: str) -> dict[str, _Element]:
        named: dict[str, _Element] = {}
        section = self._sections.get(kind)
        for element in section.children if section else ():
            name = self._text(element, "name")
            if name in named:
                fail(self._path, element, f"is defined in line {named[name].line} already")
            named[name] = element
        return named

    def _section_block(self, kind: str) -> Block:
        section = self._sections.get(kind)
        return _block(self._members(section, 0)) if section else Block()

    def _members(self, parent: _Element, depth: int) -> _Builder:
        builder = _Builder()
        for element in parent.children:
            name = self._text(element, "name")
            required = self._flag(element, "required")
            if element.kind == "component":
                if (component := self._components.get(name)) is None:
                    fail(self._path, element, "is not defined among the <components>")
                block = self._component(name, component, depth + 1)
                self._count(parent, len(block.tags))
                builder.include(block, required=required)
                continue
            if (tag := self._tags.get(name)) is None:
                fail(self._path, element, "is not defined among the <fields>")
            builder.add(tag, required=required)
            if element.kind == "group":
                builder.groups[tag] = self._group(element, tag, depth + 1)
        self._count(parent, len(parent.children))
        return builder

    def _count(self, element: _Element, fields: int) -> None:
        self._total += fields
        if self._total > _RESOLVED_MAX:
            fail(self._path, element, f"takes the dictionary past {_RESOLVED_MAX:,} fields")

    def _group(self, element: _Element, count: int, depth: int) -> GroupDef:
        body = self._members(element, depth)
        if not body.tags:
            fail(self._path, element, "has no fields; its first one must start each entry")
        levels = 1 + max([self._levels[id(group)] for group in body.groups.values()], default=0)
        if levels > _GROUP_LEVELS_MAX:
            fail(self._path, element, f"has groups in groups, {levels} levels deep")
        group = GroupDef(
            tags=tuple(body.tags),
            required=frozenset(body.required),
            groups=body.groups,
            loose=frozenset(body.loose),
            count=count,
        )
        self._levels[id(group)] = levels
        self._groups.append(group)
        return group

    def _component(self, name: str, element: _Element, depth: int = 0) -> Block:
        done = self._resolved.get(name)
        if done is not None:
            return done
        if name in self._resolving:
            circle = " > ".join([*self._resolving[self._resolving.index(name) :], name])
            fail(self._path, element, f"contains itself: {circle[:300]}")
        if depth > _NESTING_MAX:
            fail(self._path, element, f"is nested deeper than {_NESTING_MAX} components")
        self._resolving.append(name)
        block = self._resolved[name] = _block(self._members(element, depth))
        self._resolving.pop()
        return block

    # Attributes ----------------------------------------------------------------------

    def _text(self, element: _Element, name: str) -> str:
        value = element.attributes.get(name, "")
        if not value:
            fail(self._path, element, f'needs the attribute "{name}"')
        if not value.isprintable() or not _is_latin(value):
            fail(self._path, element, f"has {name}={value[:100]!r}, which no FIX name holds")
        return value

    def _number(self, element: _Element, name: str, *, least: int) -> int:
        value = element.attributes.get(name, "")
        if not (value.isascii() and value.isdigit() and len(value) < 11):
            fail(self._path, element, f"has {name}={value[:100]!r}; a number is expected")
        if not least <= int(value) <= _TAG_MAX:
            fail(self._path, element, f"has {name}={value}; {least} to {_TAG_MAX} is expected")
        return int(value)

    def _flag(self, element: _Element, name: str) -> bool:
        value = element.attributes.get(name, "N")
        if value.upper() not in ("Y", "N", "TRUE", "FALSE"):
            fail(self._path, element, f'has {name}={value[:100]!r}; "Y" or "N" is expected')
        return value.upper() in ("Y", "TRUE")


def _block(builder: _Builder) -> Block:
    return Block(
        tags=tuple(builder.tags),
        required=frozenset(builder.required),
        groups=builder.groups,
        loose=frozenset(builder.loose),
    )


def _is_latin(text: str) -> bool:
    return all(ord(character) < 256 for character in text)
