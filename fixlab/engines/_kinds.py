"""The engines that can be started, and the dictionaries that they check messages with."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fixlab.errors import ConfigError

_FOLDER = Path(__file__).parent
_PIP = 'pip install "fixlab[engines]"'
_DEFAULT_APPL = "FIX.5.0SP2"  # what FIXT.1.1 carries here

# QuickFIX binds every interface, so it is told whom to let in.
_QUICKFIX = """\
NonStopSession=Y
FileStorePath={folder}/store
FileLogPath={folder}/log
LogonTimeout=5
LogoutTimeout=2
SocketNodelay=Y
SocketReuseAddress=Y
AllowedRemoteAddresses=127.0.0.1
"""
_FIXCORE = """\
SocketAcceptHost=127.0.0.1
"""


@dataclass(frozen=True, slots=True)
class EngineKind:
    """An engine that fixlab can start: the package that it needs, its process, its settings."""

    title: str
    module: str  # what must be installed
    child: Path  # the program of its process
    settings: str  # lines of [DEFAULT]; {folder} is the engine's own
    # What it can be told, and what it replies once it is done; "" for nothing.
    replies: Mapping[str, str]

    def require(self) -> None:
        """Raise `ConfigError`, with the command to type, when the engine is not installed."""
        if importlib.util.find_spec(self.module) is None:
            raise ConfigError(
                f"{self.title} needs the package {self.module!r}, which is not installed; "
                f"install it with: {_PIP}"
            )


ENGINES: dict[str, EngineKind] = {
    "quickfix": EngineKind(
        "QuickFIX",
        "quickfix",
        _FOLDER / "_quickfix.py",
        _QUICKFIX,
        {
            "send": "sent",
            "skip": "skipped",
            "numbers": "numbers",
            "logout": "leaving",
            "logon": "",
            "reset": "",
        },
    ),
    "fixcore": EngineKind(
        "fixcore",
        "fixcore",
        _FOLDER / "_fixcore.py",
        _FIXCORE,
        {"send": "sent", "numbers": "numbers", "logout": "leaving", "logon": ""},
    ),
}


def dictionary_files(begin_string: str) -> tuple[Path, ...]:
    """The published dictionary of a version; for FIXT.1.1 transport, then FIX.5.0SP2.

    fixcore-engine carries the files. Raises `ConfigError` when that package is missing or has
    no dictionary of `begin_string`.
    """
    if begin_string == "FIXT.1.1":
        return _xml("FIXT.1.1"), _xml(_DEFAULT_APPL)
    return (_xml(begin_string),)


def dictionary_settings(begin_string: str) -> tuple[str, ...]:
    """Settings that make an engine check each message; raises as `dictionary_files` does."""
    first, *application = dictionary_files(begin_string)
    if application:
        return (
            "UseDataDictionary=Y",
            f"DefaultApplVerID={_DEFAULT_APPL}",
            f"TransportDataDictionary={first}",
            f"AppDataDictionary={application[0]}",
        )
    return "UseDataDictionary=Y", f"DataDictionary={first}"


def _xml(version: str) -> Path:
    found = importlib.util.find_spec("fixcore")
    if found is None or found.origin is None:
        raise ConfigError(
            f"the dictionary of {version} comes with fixcore-engine, which is not installed; "
            f"install it with: {_PIP}"
        )
    path = Path(found.origin).parent / "specs" / f"{version.replace('.', '')}.xml"
    if not path.is_file():
        raise ConfigError(
            f"no dictionary of {version!r}; expected FIX.4.0 to FIX.4.4, FIXT.1.1"
        )
    return path
