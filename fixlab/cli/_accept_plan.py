"""What the command line of `fixlab accept` asks for: sessions, stores, TLS, one port."""

from __future__ import annotations

import argparse
import re
import ssl
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from fixlab import redact
from fixlab.cli._accept_options import PORT
from fixlab.cli._misbehave import faults_of
from fixlab.dictionary import Dictionary
from fixlab.errors import ConfigError
from fixlab.faults.plan import NO_FAULTS, Faults
from fixlab.net.acceptor import template
from fixlab.net.caller import Approve, Caller
from fixlab.net.tls import server_context
from fixlab.session.config import CfgSession, SessionConfig
from fixlab.session.transitions import Role
from fixlab.stores.base import Store
from fixlab.stores.quickfix import FileStore
from fixlab.stores.sqlite import SQLiteStore

HOST = "127.0.0.1"  # a practice counterparty is for this machine unless --host says otherwise
_SQLITE = (".sqlite", ".sqlite3", ".db")
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9_+.]+://")
_NAMES = ("begin_string", "sender_comp_id", "target_comp_id")

StoreFactory = Callable[[SessionConfig], Store]
LogFolders = Callable[[SessionConfig], Path | None]


class Plan(NamedTuple):
    """What to listen for."""

    host: str
    port: int
    sessions: tuple[SessionConfig, ...]
    approve: Approve | None  # when callers may be others than those of `sessions`
    store: StoreFactory | None  # None: in memory
    log: Path | LogFolders | None  # where the log files are; None: nowhere
    tls: ssl.SSLContext | None
    whom: str  # for the first line
    notes: tuple[str, ...]  # to be said before it listens
    faults: Faults = NO_FAULTS
    seed: int = 0  # decides on their chances


def plan_of(arguments: argparse.Namespace) -> Plan:
    """Raises `FixLabError` or `OSError` for what cannot work, in a line that says why."""
    if arguments.misbehave is None:
        return _plan_of(arguments)
    faults, seed = faults_of(arguments.misbehave), arguments.seed
    plan = _plan_of(arguments)
    note = f"misbehaving on purpose: {arguments.misbehave}, seed {seed}"
    return plan._replace(faults=faults, seed=seed, notes=(*plan.notes, note))


def _plan_of(arguments: argparse.Namespace) -> Plan:
    settings: dict[str, Any] = {}
    if arguments.dictionary is not None:
        first, *rest = arguments.dictionary
        settings["dictionary"] = Dictionary.from_quickfix_xml(first, application=rest or None)
        settings["validation"] = "strict"
    if arguments.cfg is not None:
        return _plan_of_cfg(arguments, settings)
    if arguments.profile is not None:
        settings["profile"] = arguments.profile
    return _plan_of_options(arguments, settings)


# Without a cfg ------------------------------------------------------------------------


def _plan_of_options(arguments: argparse.Namespace, settings: dict[str, Any]) -> Plan:
    asked = {
        "--sender": arguments.sender or "*",
        "--target": arguments.target or "*",
        "--version": arguments.version or "*",
    }
    sender, target, version = asked.values()
    if version.startswith("FIX.5"):
        settings["default_appl_ver_id"] = version
        version = "FIXT.1.1"
    settings |= {
        "sender_comp_id": sender,
        "target_comp_id": target,
        "begin_string": version,
    }
    anyone = "*" in sender + target + version
    sessions: tuple[SessionConfig, ...] = ()
    if anyone:
        fixed = [f"{option} {name}" for option, name in asked.items() if name != "*"]
        whom = f"callers that fit {', '.join(fixed)}" if fixed else "anyone"
    else:
        sessions = (SessionConfig(**settings),)
        whom = sessions[0].session_id
    return Plan(
        arguments.host or HOST,
        PORT if arguments.port is None else arguments.port,
        sessions,
        template(**settings) if anyone else None,
        store_of(arguments.store or "memory", several=anyone),
        arguments.log,
        _tls_of_options(arguments),
        whom,
        (),
    )


def _tls_of_options(arguments: argparse.Namespace) -> ssl.SSLContext | None:
    if arguments.tls_cert is None:
        if arguments.tls_key is not None or arguments.tls_client_ca is not None:
            raise ConfigError("--tls-key and --tls-client-ca need --tls-cert")
        return None
    return server_context(
        certificate=arguments.tls_cert,
        key=arguments.tls_key,
        client_ca=arguments.tls_client_ca,
    )


def store_of(where: str, *, several: bool) -> StoreFactory | None:
    """What `--store` means: a function that opens the store of a session, or None for memory.

    Raises `ConfigError` when one file would have to hold several sessions.
    """
    if where == "memory":
        return None
    if where.startswith("files:"):
        return lambda config: FileStore(where.removeprefix("files:"), config.session_id)
    if _URL.match(where):
        from fixlab.sql import SQLStore  # needs SQLAlchemy, which not everybody has

        return lambda config: SQLStore(where, config)
    path = Path(where)
    if path.suffix.lower() in _SQLITE or path.is_file():
        if several:
            raise ConfigError(
                f"--store {where} is one file, which holds one session; give a folder, or say "
                f"with --sender, --target and --version which session it is"
            )
        return lambda config: SQLiteStore(path)
    return lambda config: SQLiteStore(_file_in(path, config))


def _file_in(folder: Path, config: SessionConfig) -> Path:
    """The file of a session, such as `FIX.4.4-VENUE-FUND.sqlite`; no two have the same."""
    folder.mkdir(parents=True, exist_ok=True)
    # CompIDs are a caller's words: nothing in them may lead out of the folder.
    parts = [quote(getattr(config, name), safe="").replace("-", "%2D") for name in _NAMES]
    return folder / ("-".join(parts) + ".sqlite")


# With a cfg ---------------------------------------------------------------------------


def _plan_of_cfg(arguments: argparse.Namespace, settings: dict[str, Any]) -> Plan:
    path = arguments.cfg
    for option in ("sender", "target", "version"):
        if getattr(arguments, option) is not None:
            raise ConfigError(f"--cfg says who may log on; leave out --{option}, or --cfg")
    found = SessionConfig.from_cfg(path, profile=arguments.profile or "spec")
    entries = _on_one_port(path, found, arguments.port)
    sessions = tuple(replace(e.config, **settings) for e in entries if not e.template)
    patterns = tuple(replace(e.config, **settings) for e in entries if e.template)
    for entry in entries:
        redact.hide(*entry.secret_tags)
    names = ", ".join(config.session_id for config in (*sessions, *patterns))
    if arguments.store is not None:
        store = store_of(arguments.store, several=len(sessions) > 1 or bool(patterns))
    else:
        store = _stores_of(entries)
    port = entries[0].port if arguments.port is None else arguments.port
    return Plan(
        arguments.host or entries[0].host or HOST,
        port,
        sessions,
        _approve_of(patterns) if patterns else None,
        store,
        _logs_of(entries) if arguments.log is None else arguments.log,
        _tls_of_options(arguments) or _tls_of_cfg(path, entries),
        names,
        tuple(dict.fromkeys(f"ignored: {line}" for e in entries for line in e.ignored)),
    )


def _on_one_port(
    path: Path, found: Iterable[CfgSession], wanted: int | None
) -> tuple[CfgSession, ...]:
    """The file's acceptor sessions that share a port: all of them, or those of `--port`."""
    entries = tuple(entry for entry in found if entry.role is Role.ACCEPTOR)
    if not entries:
        raise ConfigError(
            f"{path} has no session with ConnectionType=acceptor; to play the counterparty of "
            f"an initiator, give --sender its TargetCompID and --target its SenderCompID"
        )
    ports = {entry.port for entry in entries}
    if wanted in ports:
        return tuple(entry for entry in entries if entry.port == wanted)
    if len(ports) > 1:
        raise ConfigError(
            f"{path} has sessions on ports {', '.join(map(str, sorted(ports)))}; "
            f"choose one of them with --port"
        )
    return entries


def _approve_of(patterns: tuple[SessionConfig, ...]) -> Approve:
    """AcceptorTemplate: whoever fits one of the sessions, `*` standing for any text."""
    made = [
        template(**{f.name: getattr(config, f.name) for f in fields(config) if f.init})
        for config in patterns
    ]

    def approve(caller: Caller) -> SessionConfig | None:
        return next(filter(None, (one(caller) for one in made)), None)

    return approve


def _stores_of(entries: tuple[CfgSession, ...]) -> StoreFactory | None:
    """FileStorePath: QuickFIX's own files, so that fixlab goes on where the engine stopped."""
    folders = {entry.config.session_id: entry.store_path for entry in entries}
    if not any(folders.values()):
        return None
    of_templates = next((entry.store_path for entry in entries if entry.template), None)

    def make(config: SessionConfig) -> Store:
        folder = folders.get(config.session_id, of_templates)
        if folder is None:
            raise ConfigError(
                f"{config.session_id} has no FileStorePath, as other sessions of the file do"
            )
        return FileStore(folder, config.session_id)

    return make


def _logs_of(entries: tuple[CfgSession, ...]) -> LogFolders:
    """FileLogPath: QuickFIX's own log files; a session without it keeps none."""
    folders = {entry.config.session_id: entry.log_path for entry in entries}
    of_templates = next((entry.log_path for entry in entries if entry.template), None)
    return lambda config: folders.get(config.session_id, of_templates)


def _tls_of_cfg(path: Path, entries: tuple[CfgSession, ...]) -> ssl.SSLContext | None:
    tls = entries[0].tls
    if any(entry.tls != tls for entry in entries):
        raise ConfigError(f"{path} has sessions on one port with different TLS settings")
    if tls is None:
        return None
    if tls.certificate is None:
        raise ConfigError(f"{path} asks for TLS without a certificate; give --tls-cert")
    return server_context(
        certificate=tls.certificate,
        key=tls.private_key,
        password=tls.password,
        client_ca=tls.authorities if tls.client_certificate else None,
    )
