"""Keep secrets and hostile text out of notebooks, logs and error messages.

`mask` hides the values of secret tags in raw FIX text, `printable` makes invisible characters
visible, `escape` makes text safe inside HTML. Wire bytes become text as Latin-1, which maps
each byte to one character, so lengths keep their meaning.
"""

from __future__ import annotations

import html
import re
from functools import cache
from typing import overload

from fixlab.errors import ConfigError

# LGN-26: Password, NewPassword, RawData (of a Logon), EncryptedPassword, EncryptedNewPassword.
SECRET_TAGS = frozenset({554, 925, 96, 1402, 1404})
MASKED = "***"

# The length field that stands before each secret that may hold any byte (DAT-01).
_LENGTH_TAGS = {96: 95, 1402: 1401, 1404: 1403}
# Ways in which logs and messages write SOH; the order matters only without a field before.
_DELIMITERS = ("\x01", "^A", "\\x01", "\\u0001", "<SOH>", "\u2401", "|")
_ANY_DELIMITER = "|".join(map(re.escape, _DELIMITERS))

_hidden: set[int] = set()


def hide(*tags: int) -> None:
    """Treat `tags` as secret from now on, in this whole process.

    Their values end where the next field begins. Raises `ConfigError` for what is no tag.
    """
    _hidden.update(_checked(tags))


def hidden() -> frozenset[int]:
    """What `hide` was told: for another process that shows things in the place of this one."""
    return frozenset(_hidden)


def reveal(*tags: int) -> None:
    """Undo `hide` for `tags`. Raises `ConfigError` for `SECRET_TAGS`, which stay hidden."""
    for tag in _checked(tags):
        if tag in SECRET_TAGS:
            raise ConfigError(f"tag {tag} holds a secret by its definition and stays hidden")
    _hidden.difference_update(tags)


@overload
def mask(text: str) -> str: ...
@overload
def mask(text: bytes) -> bytes: ...
def mask(text: str | bytes) -> str | bytes:
    """`text` with the values of secret tags replaced by `***`; the type stays what it was.

    Fields may be divided by SOH, `|`, `^A` and other spellings of SOH. A data field is hidden
    for at least the length that the field before it declares. When a length is missing or
    wrong, or a message is cut short, too much is hidden rather than too little.
    """
    if isinstance(text, bytes):
        return _mask(text.decode("latin-1")).encode("latin-1")
    return _mask(text)


def printable(text: str | bytes) -> str:
    r"""`text` with control characters, bidi overrides and lone surrogates as visible escapes.

    SOH becomes `\x01`, a line end `\n`, a right-to-left override `\u202e`.
    """
    if isinstance(text, bytes):
        text = text.decode("latin-1")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def escape(text: str | bytes) -> str:
    """`printable` text, safe inside HTML elements and quoted attributes."""
    return html.escape(printable(text), quote=True)


def escape_lines(text: str) -> str:
    """The same for text of several lines, which stay lines."""
    return "\n".join(map(escape, text.split("\n")))


def _checked(tags: tuple[int, ...]) -> tuple[int, ...]:
    for tag in tags:
        if not isinstance(tag, int) or isinstance(tag, bool) or tag < 1:
            raise ConfigError(f"a tag is a whole number from 1, found {tag!r}")
    return tags


@cache
def _field_start(tags: frozenset[int]) -> re.Pattern[str]:
    # A secret may stand anywhere, also behind a log's prefix or quoted within a Text(58), so
    # only a digit before the tag says that it is another tag. Two spellings of SOH end in
    # digits, which belong to no tag.
    names = "|".join(map(str, sorted(tags, reverse=True)))
    return re.compile(
        r"(?:(?<![0-9])(?<!\\x)(?<!\\u)|(?<=\\x01)|(?<=\\u0001))"
        r"(?:(?P<length_tag>[0-9]{1,9})=(?P<length>[0-9]{1,9})"
        rf"(?P<length_end>{_ANY_DELIMITER}))?0*(?P<tag>{names})="
    )


@cache
def _value_end(delimiter: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(delimiter)}(?=[0-9]+=|[\r\n]|\Z)")


@cache
def _trailer(delimiter: str) -> re.Pattern[str]:
    mark = re.escape(delimiter)
    return re.compile(rf"{mark}(?=10=[0-9]{{3}}(?:{mark}|\s|\Z))")


def _mask(text: str) -> str:
    start_of_field = _field_start(SECRET_TAGS | _hidden)
    found = start_of_field.search(text)
    if found is None:
        return text
    # Looked for once: a text may hold very many secrets, and a peer may have written it.
    usual = next((mark for mark in _DELIMITERS if mark in text), "\x01")
    parts = []
    position = 0
    while found is not None:
        parts += [text[position : found.end()], MASKED]
        position = _end_of_value(text, found, usual)
        found = start_of_field.search(text, position)
    return "".join([*parts, text[position:]])


def _end_of_value(text: str, found: re.Match[str], usual: str) -> int:
    start, tag = found.end(), int(found["tag"])
    delimiter = _delimiter_at(text, found, usual)
    if tag not in _LENGTH_TAGS:
        return _first(_value_end(delimiter), text, start)
    if found["length"] is not None and int(found["length_tag"]) == _LENGTH_TAGS[tag]:
        end = start + int(found["length"])
        if _value_end(delimiter).match(text, end):
            return end
        start = min(end, len(text))
    # DAT-03: the length cannot be trusted, so whatever looks like a field may be part of the
    # secret; only the trailer is surely none.
    return _first(_trailer(delimiter), text, start)


def _first(pattern: re.Pattern[str], text: str, start: int) -> int:
    found = pattern.search(text, start)
    return found.start() if found else len(text)


def _delimiter_at(text: str, found: re.Match[str], usual: str) -> str:
    """The delimiter of the field that was found; `usual` where none stands beside it."""
    if found["length_end"]:
        return found["length_end"]
    for delimiter in _DELIMITERS:
        if text.endswith(delimiter, 0, found.start()):
            return delimiter
    return usual
