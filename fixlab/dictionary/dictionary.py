"""Dictionary: what one counterparty's dictionary files define, ready to be asked."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Self

from fixlab import facts
from fixlab.dictionary.checks import Checks
from fixlab.dictionary.definitions import Block, FieldDef, GroupDef, MessageDef
from fixlab.errors import DictionaryError

if TYPE_CHECKING:
    from fixlab.dictionary.reading import Parsed

PathLike = str | os.PathLike[str]

# ApplVerID(1128) of the versions that FIXT carries (HDR-12).
APPL_VER_IDS = {version: str(code) for code, version in enumerate(facts.VERSIONS[:-1], 2)}

# Files read before, by what `stat` says of them: sessions and notebook cells name the same
# few dictionaries again and again. One that changed on disk is read anew.
_Key = tuple[str, int, int]
_read_before: dict[_Key, Parsed] = {}
_READ_BEFORE_MAX = 16
_NO_GROUPS: Mapping[int, GroupDef] = MappingProxyType({})


class Dictionary:
    """Fields, messages and groups of one version of FIX, as a counterparty defines them.

    Made by `from_quickfix_xml`; it never changes. For FIXT.1.1 it joins the transport's
    dictionary with those of one or more application versions.
    """

    version: str  # BeginString: "FIX.4.4", or "FIXT.1.1"
    application_version: str  # the same, or what FIXT carries by default: "FIX.5.0SP2"
    fields: Mapping[int, FieldDef]
    messages: Mapping[str, MessageDef]  # by MsgType(35)
    header: Block
    trailer: Block
    applications: Mapping[str, Dictionary]  # FIXT: by ApplVerID(1128), this one among them

    def __init__(self, transport: Parsed, application: Parsed | None = None) -> None:
        carried = application or transport
        self.version = transport.version
        self.application_version = carried.version
        self.header, self.trailer = transport.header, transport.trailer
        if application is None:
            self.fields = MappingProxyType(dict(transport.fields))
            self.messages = MappingProxyType(dict(transport.messages))
        else:
            # Header and session messages are the transport's, and so are their fields.
            self.fields = MappingProxyType({**application.fields, **transport.fields})
            self.messages = MappingProxyType({**application.messages, **transport.messages})
        self.applications = MappingProxyType({})
        self._tags = {definition.name: tag for tag, definition in self.fields.items()}
        self._facts_version = carried.version if carried.version in facts.VERSIONS else None
        # What `validate` has worked out, by its switches.
        self._validators: dict[Checks, object] = {}
        self._latest_validator: object = None

    @classmethod
    def from_quickfix_xml(
        cls, path: PathLike, *, application: PathLike | Iterable[PathLike] | None = None
    ) -> Self:
        """The dictionary in the QuickFIX XML file at `path`.

        For FIXT.1.1 `path` is the transport's (FIXT11.xml) and `application` that of what it
        carries (FIX50SP2.xml). Several may be given: the first is the default, the others are
        for messages that name their version in ApplVerID(1128).

        A file is read once in a process, until its time or size changes.

        Raises `DictionaryError`, with file, line and element, for a file that cannot be read,
        is no such dictionary or contradicts itself, and for files that do not go together.
        """
        transport_path = Path(path)
        transport = _read(transport_path)
        if application is None:
            others = []
        elif isinstance(application, str | os.PathLike):
            others = [Path(application)]
        else:
            others = [Path(other) for other in application]
        carried = [(other, _read(other)) for other in others]
        _check_together(transport_path, transport, carried)
        if not carried:
            return cls(transport)
        joined = [cls(transport, parsed) for _, parsed in carried]
        by_code = {APPL_VER_IDS[one.application_version]: one for one in joined}
        for one in joined:
            one.applications = MappingProxyType(by_code)
        return joined[0]

    def __repr__(self) -> str:
        carried = "" if self.application_version == self.version else self.application_version
        name = f"{self.version} with {carried}" if carried else self.version
        return f"<Dictionary {name}: {len(self.fields)} fields, {len(self.messages)} messages>"

    # Names: the dictionary's own, else those of the specification ------------------------

    def field_name(self, tag: int) -> str | None:
        """Name of field `tag`."""
        definition = self.fields.get(tag)
        if definition is not None:
            return definition.name
        return facts.field_name(tag, self._facts_version) or facts.field_name(tag)

    def field_tag(self, name: str) -> int | None:
        """Tag of the field called `name`."""
        tag = self._tags.get(name)
        return facts.field_tag(name) if tag is None else tag

    def message_name(self, msg_type: str) -> str | None:
        """Name of a MsgType(35)."""
        definition = self.messages.get(msg_type)
        if definition is not None:
            return definition.name
        return facts.message_name(msg_type, self._facts_version) or facts.message_name(msg_type)

    def enum_name(self, tag: int, value: str) -> str | None:
        """Name of one enumerated value of `tag`."""
        definition = self.fields.get(tag)
        if definition is not None and (name := definition.values.get(value)) is not None:
            return name
        return facts.enum_name(tag, value, self._facts_version) or facts.enum_name(tag, value)

    def group_order(self, msg_type: str) -> Mapping[int, GroupDef]:
        """Repeating groups in the body of `msg_type`, by the tag that counts their entries.

        `tags` of a group is the order in which the fields of an entry must be written, the
        first of them starts it, and `groups` are those nested in an entry. Empty for a type
        that the dictionary does not have.
        """
        definition = self.messages.get(msg_type)
        return _NO_GROUPS if definition is None else definition.groups


def _read(path: Path) -> Parsed:
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # the latter for a path with a null in it
        raise DictionaryError(f"cannot read the dictionary {path}: {error}") from error
    key = (os.path.abspath(path), status.st_mtime_ns, status.st_size)
    parsed = _read_before.get(key)
    if parsed is None:
        # Imported here: settings import this package, and few sessions have a dictionary.
        from fixlab.dictionary.reading import read

        parsed = read(path)
        while len(_read_before) >= _READ_BEFORE_MAX:
            del _read_before[next(iter(_read_before))]
        _read_before[key] = parsed
    return parsed


def _check_together(path: Path, transport: Parsed, carried: list[tuple[Path, Parsed]]) -> None:
    if transport.version.startswith("FIX.5"):
        raise DictionaryError(
            f"{path} is an application dictionary ({transport.version}), which has no header; "
            "give the transport's (FIXT11.xml) as path and this one as application="
        )
    if not transport.header.tags:
        raise DictionaryError(f"{path} has no fields in its <header>; 8, 9, 35 are expected")
    if not carried:
        return
    if transport.version != "FIXT.1.1":
        raise DictionaryError(
            f"{path} is for {transport.version}; only that of FIXT.1.1 takes an application's"
        )
    seen: dict[str, Path] = {}
    for other, parsed in carried:
        if parsed.version not in APPL_VER_IDS:
            raise DictionaryError(
                f"{other} is for {parsed.version}; an application dictionary is for one of "
                f"{', '.join(APPL_VER_IDS)}"
            )
        if parsed.version in seen:
            raise DictionaryError(
                f"{seen[parsed.version]} and {other} are both for {parsed.version}"
            )
        seen[parsed.version] = other
