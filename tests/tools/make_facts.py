"""Make fixlab/_facts.txt: the names of FIX 4.0 to 5.0SP2, from published dictionaries.

    python tests/tools/make_facts.py

reads the QuickFIX dictionaries that come with the package `fixcore-engine` (it is among the
test dependencies) and writes the table that `fixlab.facts` reads. Only facts are taken: tags,
MsgTypes, enumerated values, and what each version calls them.
"""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from fixlab.facts import VERSIONS

TABLE = Path(__file__).parents[2] / "fixlab" / "_facts.txt"
HEAD = """\
# What each version of FIX calls its fields, values and messages; see facts.py for the form.
# Made by tests/tools/make_facts.py. Do not edit.
"""

# Key -> name -> bits of the versions that use it.
Names = dict[str, dict[str, int]]


def dictionary_text(version: str) -> str:
    """The XML of the published dictionary of `version`."""
    name = version.replace(".", "") + ".xml"
    return files("fixcore").joinpath("specs", name).read_text(encoding="utf-8")


def make_table() -> str:
    """The whole text of the table."""
    fields: Names = {}
    values: dict[str, Names] = {}
    types: Names = {}
    for place, version in enumerate(VERSIONS):
        root = ElementTree.fromstring(dictionary_text(version))
        for field in root.iterfind("fields/field"):
            tag = field.attrib["number"]
            note(fields, tag, field.attrib["name"], place)
            for listed in field.iterfind("value"):
                named = values.setdefault(tag, {})
                note(named, listed.attrib["enum"], listed.attrib["description"], place)
        for message in root.iterfind("messages/message"):
            note(types, message.attrib["msgtype"], message.attrib["name"], place)
    lines = [f"!{key}\t{spell(types[key])}" for key in sorted(types, key=lambda k: (len(k), k))]
    for tag in sorted(fields, key=int):
        every = sum(fields[tag].values())
        parts = [f"{tag}\t{spell(fields[tag])}"]
        for value, names in values.get(tag, {}).items():
            parts.append(f"{checked(value)}={spell(names, every)}")
        lines.append("\t".join(parts))
    return HEAD + "\n".join(lines) + "\n"


def note(names: Names, key: str, name: str, place: int) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_]+", name):
        raise ValueError(f"{name!r} is no name that the table can hold")
    of_key = names.setdefault(key, {})
    of_key[name] = of_key.get(name, 0) | 1 << place


def checked(value: str) -> str:
    if not value or re.search(r"[\t\n=]", value):
        raise ValueError(f"{value!r} is no value that the table can hold")
    return value


def spell(names: dict[str, int], default: int = 0) -> str:
    """All names of one thing, the latest first."""
    ordered: Iterable[tuple[str, int]] = sorted(
        names.items(), key=lambda item: item[1], reverse=True
    )
    return " ".join(
        name if versions == default else f"{name}/{versions:x}" for name, versions in ordered
    )


if __name__ == "__main__":
    TABLE.write_text(make_table(), encoding="ascii", newline="\n")
    print(f"{TABLE}: {TABLE.stat().st_size:,} bytes")
