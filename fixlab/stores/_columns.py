"""Messages in a column of a SQL table that holds bytes or, as QuickFIX makes it, text."""

from __future__ import annotations

import sqlite3

# What a damaged SQLite file raises: the words of an error may quote a name that is no text.
SQLITE_ERRORS = (sqlite3.Error, UnicodeDecodeError)


def text_of(raw: bytes) -> str:
    """`raw` for a text column, so that `bytes_of` gives it back exactly.

    QuickFIX hands its bytes to the database as they are, so what is UTF-8 has become those
    characters. The same is written here where that can be undone; Latin-1 always can.
    """
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
    return text if bytes_of(text, binary=False) == raw else raw.decode("latin-1")


def bytes_of(value: str | bytes | memoryview, *, binary: bool) -> bytes:
    """The bytes of a message that a column holds as bytes or as text."""
    if not isinstance(value, str):
        data = bytes(value)
        if binary:
            return data
        try:
            text = data.decode("utf-8")  # a text column of a database without an encoding
        except UnicodeDecodeError:
            return data
    else:
        text = value
    utf_8 = text.encode("utf-8", "surrogatepass")
    if text.isascii() or _is_whole(utf_8):
        return utf_8
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return utf_8


def _is_whole(raw: bytes) -> bool:
    """Whether BodyLength(9) says that the message ends where it does."""
    _, _, rest = raw.partition(b"\x019=")
    digits, _, body = rest.partition(b"\x01")
    return digits.isdigit() and len(body) == int(digits[:10]) + len(b"10=000\x01")
