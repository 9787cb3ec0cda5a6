"""Whether a message fits a pattern, and why not. Pure functions of both."""

from __future__ import annotations

from dataclasses import dataclass

from fixlab.conformance.notation import Matcher, Pattern
from fixlab.redact import MASKED, SECRET_TAGS, printable
from fixlab.wire.message import Message

_VALUE_MAX = 60  # characters of a value that a reason quotes


@dataclass(frozen=True, slots=True)
class Match:
    """What a pattern says of a message: `why` it does not fit, "" when it does."""

    why: str = ""
    tolerated: str = ""  # the difference that makes the case LENIENT


def match(message: Message, pattern: Pattern) -> Match:
    """Compare field by field; the first that does not fit is the reason."""
    tolerated = ""
    for one in pattern:
        found = message.get(one.tag)
        if _fits(found, one):
            continue
        if found is not None and found in one.tolerated:
            tolerated = tolerated or f"{one.tag} is {shown(one.tag, found)}"
            continue
        return Match(_reason(found, one))
    return Match("", tolerated)


def _fits(found: str | None, one: Matcher) -> bool:
    if one.kind == "!":
        return found is None
    if found is None:
        return one.kind == "?="
    if one.kind == "*":
        return found != ""
    if one.kind == "~":
        return any(value.lower() in found.lower() for value in one.values)
    return found in one.values


def _reason(found: str | None, one: Matcher) -> str:
    what = "absent" if found is None else shown(one.tag, found)
    if one.kind == "!":
        return f"{one.tag} is {what}, expected none"
    if one.kind == "*":
        return f"{one.tag} is {what}"
    verb = "to contain " if one.kind == "~" else ""
    return f"{one.tag} is {what}, expected {verb}{' or '.join(one.values)}"


def shown(tag: int, value: str) -> str:
    """A value as a reason quotes it: short, visible, secrets masked."""
    if tag in SECRET_TAGS:
        return MASKED
    text = printable(value)
    return text if len(text) <= _VALUE_MAX else f"{text[:_VALUE_MAX]}…"
