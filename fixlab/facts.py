"""Names of fields, messages and enumerated values in FIX 4.0 to 5.0SP2 and FIXT.1.1.

The names come from a packaged table that is read on first use. `version` is a BeginString such
as "FIX.4.4", or "FIX.5.0", "FIX.5.0SP1", "FIX.5.0SP2" for what FIXT.1.1 carries:

* None asks for the latest version that knows the name;
* "FIXT.1.1" asks the transport first and then every version that it carries;
* "FIX.5.0" and its service packs know the transport's names too.

All functions return None for what no such version knows, and raise `ConfigError` for a version
that is none of `VERSIONS`.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple, NoReturn

from fixlab.errors import ConfigError

VERSIONS: Final = (
    "FIX.4.0",
    "FIX.4.1",
    "FIX.4.2",
    "FIX.4.3",
    "FIX.4.4",
    "FIX.5.0",
    "FIX.5.0SP1",
    "FIX.5.0SP2",
    "FIXT.1.1",
)


def field_name(tag: int, version: str | None = None) -> str | None:
    """Name of field `tag`, such as "Side" for 54."""
    order = _order(version)
    entry = _entry(tag)
    return None if entry is None else _first(entry.names, order)


def field_tag(name: str) -> int | None:
    """Tag of the field that any version calls `name`; case counts."""
    return _tags_by_name().get(name)


def message_name(msg_type: str, version: str | None = None) -> str | None:
    """Name of a MsgType(35), such as "NewOrderSingle" for "D"."""
    order = _order(version)
    return _first(_types().get(msg_type, ()), order)


def enum_name(tag: int, value: str, version: str | None = None) -> str | None:
    """Name of one enumerated value of `tag`, such as "BUY" for 54 and "1"."""
    order = _order(version)
    entry = _entry(tag)
    return None if entry is None else _first(entry.values.get(value, ()), order)


def is_defined_type(msg_type: str, version: str) -> bool:
    """Whether `version` defines the MsgType(35); user-defined types are not (HDR-06)."""
    return message_name(msg_type, version) is not None


class _Variant(NamedTuple):
    """A name, and the versions that use it as bits in the order of `VERSIONS`."""

    name: str
    versions: int


class _Entry(NamedTuple):
    """What the table has on one field."""

    names: tuple[_Variant, ...]
    values: dict[str, tuple[_Variant, ...]]


def _search_orders() -> dict[str | None, tuple[int, ...]]:
    bits = {version: 1 << place for place, version in enumerate(VERSIONS)}
    transport = bits["FIXT.1.1"]
    latest_first = tuple(bits[version] for version in VERSIONS[-2::-1])
    orders: dict[str | None, tuple[int, ...]] = {None: (*latest_first, transport)}
    for version in VERSIONS:
        orders[version] = (bits[version],)
        if version.startswith("FIX.5"):
            # Its session messages and header are the transport's.
            orders[version] += (transport,)
    orders["FIXT.1.1"] = (transport, *latest_first)
    return orders


_ORDERS = _search_orders()


def _order(version: str | None) -> tuple[int, ...]:
    order = _ORDERS.get(version)
    return _unknown_version(version) if order is None else order


def _unknown_version(version: object) -> NoReturn:
    raise ConfigError(f"a version is one of {', '.join(VERSIONS)}, found {version!r}")


def _first(variants: tuple[_Variant, ...], order: tuple[int, ...]) -> str | None:
    for bit in order:
        for name, versions in variants:
            if versions & bit:
                return name
    return None


# The table ---------------------------------------------------------------------------------
#
# One line a field, and a `!` before one of a message, parts divided by tabs:
#     54 <tab> Side/ff <tab> 1=BUY <tab> 2=SELL
# Behind a slash stand the versions in hexadecimal; a value without them has those of the
# field. A line is split on its first use: few programs ask for more than a hundred fields.


@cache
def _lines() -> dict[str, str]:
    table = Path(__file__).with_name("_facts.txt").read_text(encoding="ascii")
    lines = {}
    for line in table.splitlines():
        if line[0] != "#":
            key, _, rest = line.partition("\t")
            lines[key] = rest
    return lines


_entries: dict[int, _Entry] = {}  # of known tags only, so its size is bounded


def _entry(tag: int) -> _Entry | None:
    entry = _entries.get(tag)
    if entry is None:
        line = _lines().get(str(tag))
        if line is None:
            return None
        entry = _entries[tag] = _parse(line)
    return entry


def _parse(line: str) -> _Entry:
    first, *rest = line.split("\t")
    names = tuple(_variant(text, 0) for text in first.split(" "))
    every = 0
    for variant in names:
        every |= variant.versions
    values = {}
    for part in rest:
        value, _, variants = part.rpartition("=")
        values[value] = tuple(_variant(text, every) for text in variants.split(" "))
    return _Entry(names, values)


def _variant(text: str, default: int) -> _Variant:
    name, slash, versions = text.partition("/")
    return _Variant(name, int(versions, 16) if slash else default)


@cache
def _types() -> dict[str, tuple[_Variant, ...]]:
    return {
        key[1:]: tuple(_variant(text, 0) for text in line.split(" "))
        for key, line in _lines().items()
        if key[0] == "!"
    }


@cache
def _tags_by_name() -> dict[str, int]:
    name = re.compile(r"([^ /]+)/[0-9a-f]+")
    return {
        found: int(tag)
        for tag, line in _lines().items()
        if tag[0] != "!"
        for found in name.findall(line.partition("\t")[0])
    }
