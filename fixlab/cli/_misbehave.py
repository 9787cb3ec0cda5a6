"""`--misbehave`: faults as people write them on a command line, and what each of them is."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from difflib import get_close_matches
from typing import Any, NamedTuple

from fixlab.errors import ConfigError
from fixlab.faults.plan import Faults, LinkFaults, Occasion, PeerFaults, StoreFaults, Strike

_TITLES = {
    "link": "On the line (@N: the Nth write)",
    "peer": "In what it says (@N: the message with MsgSeqNum N)",
    "store": "On its disk (@N: the Nth commit)",
}
_HOW = """\
Faults for --misbehave, with commas between them: drop=0.05,skip=@7+12,no-poss-dup
NAME is always, NAME=0.05 a chance, NAME=@7+12 exactly then (@7x2: the second time 7 comes),
NAME-seconds=5 a setting; --seed N draws other chances."""
_AT = re.compile(r"([0-9]{1,18})(?:x([0-9]{1,9}))?")


class Entry(NamedTuple):
    """A fault, or a setting in seconds, by its name on the command line."""

    family: str
    field: str
    about: str

    @property
    def seconds(self) -> bool:
        return self.field.endswith("_seconds")


def catalogue() -> dict[str, Entry]:
    """All names, in the order of the families and their fields."""
    return {_name(entry.field): entry for entry in _entries()}


def faults_of(text: str) -> Faults:
    """The faults that `text` asks for; raises `ConfigError` with near matches for a typo."""
    known = catalogue()
    given: dict[str, dict[str, Any]] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, equals, value = part.partition("=")
        entry = known.get(name)
        if entry is None:
            raise ConfigError(_unknown(name, list(known)))
        family = given.setdefault(entry.family, {})
        if entry.field in family:
            raise ConfigError(f"--misbehave names {name} twice")
        family[entry.field] = _value(name, entry, value) if equals else _always(name, entry)
    if not given:
        raise ConfigError("--misbehave names no fault; --misbehave help lists them")
    return Faults(
        link=LinkFaults(**given.get("link", {})),
        peer=PeerFaults(**given.get("peer", {})),
        store=StoreFaults(**given.get("store", {})),
    )


def help_text() -> str:
    """All names, a line each."""
    lines = [_HOW]
    family = ""
    for name, entry in catalogue().items():
        if entry.family != family:
            family = entry.family
            lines += ["", _TITLES[family]]
        about = re.sub(r"`(\w+)`", lambda found: _name(found[1]), entry.about)
        lines.append(f"  {name:<24} {about}")
    return "\n".join(lines)


def told(strike: Strike) -> str:
    """A strike in words, and how to ask for the same again."""
    name = _name(strike.fault)
    nth = f"x{strike.nth}" if strike.nth > 1 else ""
    return f"{name}=@{strike.occasion}{nth}: {catalogue()[name].about}"


def _entries() -> Iterator[Entry]:
    for family in fields(Faults):
        for each in fields(family.default):  # type: ignore[arg-type]
            yield Entry(family.name, each.name, each.metadata["about"])


def _name(field: str) -> str:
    return field.replace("_", "-")


def _unknown(name: str, names: list[str]) -> str:
    near = get_close_matches(name, names, n=3)
    # A part of a name, such as "gap-fill", is often too far from the whole to be close.
    near += [each for each in names if name and name in each and each not in near][:5]
    hint = f"did you mean {', '.join(near)}? " if near else ""
    return f"--misbehave: no fault is called {name!r}; {hint}--misbehave help lists them"


def _always(name: str, entry: Entry) -> float:
    if entry.seconds:
        raise ConfigError(f"--misbehave: {name} needs a number of seconds, as in {name}=5")
    return 1.0


def _value(name: str, entry: Entry, value: str) -> float | list[Occasion]:
    if value.startswith("@") and not entry.seconds:
        return [_occasion(name, each) for each in value[1:].split("+")]
    try:
        return float(value)
    except ValueError:
        wanted = "a number of seconds" if entry.seconds else "a chance such as 0.05, or @4+5"
        raise ConfigError(f"--misbehave: {name} takes {wanted}, found {value!r}") from None


def _occasion(name: str, text: str) -> Occasion:
    found = _AT.fullmatch(text)
    if found is None:
        raise ConfigError(f"--misbehave: {name}=@ takes numbers such as 4+5, found {text!r}")
    return int(found[1]), int(found[2] or 1)
