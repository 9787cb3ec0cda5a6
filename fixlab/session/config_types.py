"""What each kind of setting may hold: by its annotation, so that a new setting is checked too.

A value of another type would be taken for something it is not: `reset_on_logon="N"` is true.
What plainly means the same, such as a list for a set or a whole number of numpy, is taken and
kept as the annotation says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from numbers import Integral, Real
from typing import Any, NamedTuple

from fixlab.dictionary.checks import Checks
from fixlab.dictionary.dictionary import Dictionary
from fixlab.errors import ConfigError, MessageError
from fixlab.session.schedule import Schedule
from fixlab.wire.message import Message
from fixlab.wire.tags import LOGON

# Settings whose values may be a secret, so that no error shows them.
_SECRET = frozenset({"username", "password", "logon_fields"})
_SHOWN_MAX = 60  # characters of a value that an error shows


class Kind(NamedTuple):
    """One kind of setting."""

    words: str  # what it must be
    exact: frozenset[type]  # classes whose values are kept as they are
    taken: Callable[[Any], object]  # what else is kept; raises TypeError or ValueError


def _instance(cls: type) -> Callable[[Any], object]:
    def taken(value: object) -> object:
        if not isinstance(value, cls):
            raise TypeError
        return value

    return taken


def _whole(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError
    return int(value)


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError
    return float(value)


def _two_whole(value: object) -> tuple[int, int]:
    if not isinstance(value, tuple | list):
        raise TypeError
    first, second = value
    return _whole(first), _whole(second)


def _texts(value: object) -> frozenset[str]:
    # A text is a collection of texts itself, but "AE" is one type rather than two.
    if not isinstance(value, frozenset | set | list | tuple):
        raise TypeError
    if not all(isinstance(one, str) for one in value):
        raise TypeError
    return frozenset(value)


def _fields(value: object) -> tuple[tuple[int, str], ...]:
    if isinstance(value, Mapping):
        value = tuple(value.items())
    if not isinstance(value, tuple | list):
        raise TypeError
    pairs = [(tag, content) for tag, content in value]
    # As a message writes them, so that True is "Y" and what cannot travel is found.
    written = Message(LOGON, pairs).fields[1:]
    return tuple([(tag, content.decode("latin-1")) for tag, content in written])


def _kind(words: str, cls: type) -> Kind:
    return Kind(words, frozenset({cls}), _instance(cls))


_NONE: frozenset[type] = frozenset()
_KINDS = {
    "str": _kind("text (str)", str),
    "bool": _kind("True or False", bool),
    "int": Kind("a whole number (int)", frozenset({int}), _whole),
    "float": Kind("a number", frozenset({int, float}), _number),
    "frozenset[str]": Kind("a set of texts", _NONE, _texts),
    "tuple[int, int]": Kind("two whole numbers, a least and a most", _NONE, _two_whole),
    "tuple[tuple[int, str], ...]": Kind(
        'pairs of tag and value, or a mapping such as {1000: "text"}', _NONE, _fields
    ),
    "Checks": _kind("Checks(...)", Checks),
    "Schedule": _kind(
        'a Schedule, such as Schedule(start="08:00:00", end="17:00:00")', Schedule
    ),
    "Dictionary": _kind(
        'a Dictionary, such as Dictionary.from_quickfix_xml("FIX44.xml")', Dictionary
    ),
}


def kind_of(annotation: str) -> Kind | None:
    """The kind of a setting; None for a choice among words, which is checked as such."""
    base = annotation.removesuffix(" | None")
    kind = _KINDS.get(base)
    if kind is None or base == annotation:
        return kind
    return Kind(f"{kind.words}, or None", kind.exact | {type(None)}, kind.taken)


def taken(name: str, kind: Kind, value: object) -> object:
    """`value` as the setting `name` keeps it; raises `ConfigError` for another kind."""
    try:
        return kind.taken(value)
    except MessageError as error:
        raise ConfigError(f"{name}: {error}") from None
    except (TypeError, ValueError, OverflowError):
        raise ConfigError(f"{name} must be {kind.words}, found {_shown(name, value)}") from None


def _shown(name: str, value: object) -> str:
    if name in _SECRET:
        return f"a value of type {type(value).__name__}"
    text = repr(value)
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."
