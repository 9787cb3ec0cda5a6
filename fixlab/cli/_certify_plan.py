"""What the command line of `fixlab certify` asks for: a target and what was agreed with it."""

from __future__ import annotations

import argparse
import getpass
import os
import ssl
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from fixlab.conformance.live import ListeningTarget, LiveTarget
from fixlab.conformance.profile import Profile
from fixlab.errors import ConfigError
from fixlab.net.tls import client_context, server_context
from fixlab.session.config import SessionConfig

PASSWORD = "FIXLAB_PASSWORD"
_TUPLES = ("app_types", "addressing")


class Plan(NamedTuple):
    """What to play, against whom."""

    target: LiveTarget | ListeningTarget
    profile: Profile
    cases: list[str] | None


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Raises `FixLabError` or `OSError` for what cannot work, in a line that says why."""
    if (arguments.address is None) == (arguments.listen is None):
        raise ConfigError("say where it listens, HOST:PORT, or where to wait for it, --listen")
    config = _session_of(arguments)
    return Plan(_target_of(arguments, config), _profile_of(arguments, config), arguments.cases)


# The target ---------------------------------------------------------------------------


def _session_of(arguments: argparse.Namespace) -> SessionConfig:
    """The runner's end; what makes no session is found here."""
    version = {"begin_string": arguments.version}
    if arguments.version.startswith("FIX.5"):
        version = {"begin_string": "FIXT.1.1", "default_appl_ver_id": arguments.version}
    return SessionConfig(
        sender_comp_id=arguments.sender, target_comp_id=arguments.target, **version
    )


def _target_of(
    arguments: argparse.Namespace, config: SessionConfig
) -> LiveTarget | ListeningTarget:
    identity = (config.sender_comp_id, config.target_comp_id)
    if arguments.listen is not None:
        host, port = _address(arguments.listen, "--listen", default="127.0.0.1")
        return ListeningTarget(
            port,
            host=host,
            identities=identity,
            begin_string=config.begin_string,
            reset=arguments.reset,
            tls=_server_tls(arguments),
        )
    host, port = _address(arguments.address, "HOST:PORT")
    return LiveTarget(
        host,
        port,
        identities=identity,
        begin_string=config.begin_string,
        reset=arguments.reset,
        pause_seconds=arguments.pause,
        tls=_client_tls(arguments),
        tls_server_name=arguments.tls_name,
    )


def _address(text: str, name: str, default: str = "") -> tuple[str, int]:
    """Host and port of `venue.example:9880`, `[::1]:9880` or, with a default, `9880`."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or default
    if not (host and port.isascii() and port.isdigit() and 1 <= int(port) <= 65_535):
        expected = "[HOST:]PORT" if default else "HOST:PORT, such as venue.example:9880"
        raise ConfigError(f"{name} is {text!r}, expected {expected}")
    return host, int(port)


def _client_tls(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    given = (arguments.tls_ca, arguments.tls_cert, arguments.tls_key, arguments.tls_name)
    if not arguments.tls and not any(given):
        return None
    return client_context(
        ca=arguments.tls_ca, certificate=arguments.tls_cert, key=arguments.tls_key
    )


def _server_tls(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    if arguments.tls_name:
        raise ConfigError("--tls-name is the acceptor's; leave it out with --listen")
    if arguments.tls_cert is None:
        if arguments.tls or arguments.tls_ca or arguments.tls_key:
            raise ConfigError("TLS with --listen needs --tls-cert")
        return None
    return server_context(
        certificate=arguments.tls_cert, key=arguments.tls_key, client_ca=arguments.tls_ca
    )


# What was agreed ----------------------------------------------------------------------


def _profile_of(arguments: argparse.Namespace, config: SessionConfig) -> Profile:
    settings = {} if arguments.profile is None else read_profile(arguments.profile)
    if arguments.dictionary is not None:
        settings["dictionary"] = arguments.dictionary == "yes"
    if config.default_appl_ver_id is not None:
        settings.setdefault("default_appl_ver_id", config.default_appl_ver_id)
    if arguments.username is not None:
        if not arguments.dry_run:
            settings["logon_fields"] = ((553, arguments.username), (554, _password()))
        else:
            settings["logon_fields"] = ((553, arguments.username), (554, "secret"))
    try:
        return Profile(**settings)
    except TypeError as error:
        raise ConfigError(f"{arguments.profile}: {error}") from None


def read_profile(path: Path) -> dict[str, Any]:
    """The fields of a `Profile` in a TOML file; raises `ConfigError` for what is none."""
    try:
        found: Mapping[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML file ({error})") from None
    # A password has no place in a file that is passed around.
    known = {one.name: one for one in fields(Profile) if one.name != "logon_fields"}
    settings: dict[str, Any] = {}
    for name, value in found.items():
        if name not in known:
            raise ConfigError(f"{path}: no setting {name!r}; there are {', '.join(known)}")
        settings[name] = _checked(path, name, value, Profile())
    return settings


def _checked(path: Path, name: str, value: Any, usual: Profile) -> Any:
    """A value of the type that the setting has; a list of texts where it has several."""
    default = getattr(usual, name)
    if isinstance(default, (tuple, frozenset)) or name in _TUPLES:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise ConfigError(f"{path}: {name} is a list of texts, found {value!r}")
        return frozenset(value) if isinstance(default, frozenset) else tuple(value)
    kinds: tuple[type, ...] = (str,) if default is None else (type(default),)
    if kinds == (float,):
        kinds = (float, int)
    if type(value) not in kinds:
        raise ConfigError(f"{path}: {name} is such as {default!r}, found {value!r}")
    return value


def _password() -> str:
    """From the environment, else asked for: a command line can be read by everybody."""
    found = os.environ.get(PASSWORD)
    if found is None:
        if not sys.stdin.isatty():
            raise ConfigError(f"--username needs a password; put it into {PASSWORD}")
        found = getpass.getpass("Password(554): ")
    if not found:
        raise ConfigError("the password is empty")
    return found
