"""The text of a QuickFIX `.cfg` file: sections, settings, and what of it is neither."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from fixlab import redact
from fixlab.errors import ConfigError

BYTES_MAX: Final = 1 << 20  # of a file; a thousand sessions take about a third of it
_SHOWN_MAX = 60  # characters of a key or a value in a message
_LINE_END = re.compile(r"\r\n|\r|\n")
# As the C++ engine reads them: a hyphen belongs to a bare name, a bracket may stay open.
_REFERENCE = re.compile(
    r"\\(?P<escaped>.)|\$(?:\((?P<round>[^)]*)\)?|\{(?P<curly>[^}]*)\}?|(?P<bare>[\w-]+))",
    re.ASCII | re.DOTALL,
)
_ESCAPES = {"t": "\t", "r": "\r", "n": "\n"}


class Setting(NamedTuple):
    """One `Key=Value`, and where it stands."""

    key: str
    value: str
    line: int
    section: str  # "[DEFAULT]" or "[SESSION]"


@dataclass(slots=True)
class Section:
    """A section of a file: its header's line, and its settings by upper-case key."""

    name: str
    line: int
    settings: dict[str, Setting] = field(default_factory=dict)


def text_of(path: Path) -> str:
    """The text of the file at `path`, UTF-8 or else Latin-1; raises `ConfigError`."""
    try:
        with path.open("rb") as file:
            data = file.read(BYTES_MAX + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    if len(data) > BYTES_MAX:
        raise ConfigError(f"{path}: longer than {BYTES_MAX} bytes, which is no .cfg file")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(f"{path}: found UTF-16, expected UTF-8 or Latin-1")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def sections(
    path: Path, text: str, environment: Mapping[str, str] | None
) -> tuple[dict[str, Setting], list[Section], list[str]]:
    """Settings of `[DEFAULT]`, the sessions, and what of the file belongs to neither."""
    default: Section | None = None
    sessions: list[Section] = []
    stray: list[str] = []
    section: Section | None = None
    for number, raw in enumerate(_LINE_END.split(text), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            section = Section(line.upper(), number)
            if section.name == "[DEFAULT]":
                if default is not None:
                    raise ConfigError(
                        f"{path}, line {number}: found a second [DEFAULT], expected one; the "
                        f"first stands in line {default.line}"
                    )
                default = section
            elif section.name == "[SESSION]":
                sessions.append(section)
            else:
                stray.append(f"{shown(line)} (line {number}): neither [DEFAULT] nor [SESSION]")
            continue
        key, equals, value = line.partition("=")
        key = key.strip()
        if not equals or not key:
            stray.append(f"line {number}: not Key=Value")
        elif section is None:
            stray.append(f"{shown(key)} (line {number}): stands before the first section")
        else:
            where = f"{path}, line {number}, {section.name} {shown(key)}"
            value = _resolved(value.strip(), environment, where)
            section.settings[key.upper()] = Setting(key, value, number, section.name)
    if not sessions:
        raise ConfigError(f"{path}: found no [SESSION], expected at least one")
    return ({} if default is None else default.settings), sessions, stray


def _resolved(value: str, environment: Mapping[str, str] | None, where: str) -> str:
    """`value` with its variables replaced and its escapes undone."""
    if environment is None:
        return value

    def replaced(found: re.Match[str]) -> str:
        escaped = found["escaped"]
        if escaped is not None:
            return _ESCAPES.get(escaped, escaped)
        name = found["round"] or found["curly"] or found["bare"] or ""
        if name not in environment:
            raise ConfigError(
                f"{where}: found the variable {shown(name)!r}, which the environment lacks; "
                f"write \\$ for a dollar sign"
            )
        return environment[name]

    return _REFERENCE.sub(replaced, value)


def place(setting: Setting) -> str:
    """Where a setting stands, such as `HeartBtInt (line 3, [DEFAULT])`."""
    return f"{shown(setting.key)} (line {setting.line}, {setting.section})"


def shown(text: str) -> str:
    """Text of a file, fit for a message: visible, short, without the fields that are secret."""
    text = redact.printable(redact.mask(text))
    return text if len(text) <= _SHOWN_MAX else f"{text[:_SHOWN_MAX]}..."
