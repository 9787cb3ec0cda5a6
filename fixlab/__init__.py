"""fixlab explores the FIX session layer from a notebook.

Every name below loads on first use, so `import fixlab` is quick and pulls in neither pandas
nor matplotlib. Start with `Loopback`: two sessions, one virtual clock, one journal.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fixlab import conformance, panels, plots, sim, spread, stores
    from fixlab.analysis import gaps, intervals, ledger, reconcile, replay, resends
    from fixlab.analysis.findings import Findings, analyze
    from fixlab.dictionary import Dictionary, explain
    from fixlab.errors import FixLabError
    from fixlab.faults import Faults, LinkFaults, PeerFaults, StoreFaults
    from fixlab.journal import Journal
    from fixlab.logs.read import FollowedLog, Log, read_log
    from fixlab.net.acceptor import Acceptor
    from fixlab.net.initiator import Initiator
    from fixlab.rules import RULES
    from fixlab.session.config import SessionConfig
    from fixlab.session.schedule import Schedule
    from fixlab.session.session import Session
    from fixlab.session.transitions import Role, SessionState, Transition, TransitionKind
    from fixlab.sim.loopback import Loopback
    from fixlab.sim.scenario import Scenario
    from fixlab.sim.sweeping import sweep
    from fixlab.stores.base import Store
    from fixlab.stores.memory import MemoryStore
    from fixlab.stores.quickfix import FileStore
    from fixlab.stores.sqlite import SQLiteStore
    from fixlab.times import VirtualClock
    from fixlab.wire.message import Message

__version__ = "0.1.0"

__all__ = [
    "RULES",
    "Acceptor",
    "Dictionary",
    "Faults",
    "FileStore",
    "Findings",
    "FixLabError",
    "FollowedLog",
    "Initiator",
    "Journal",
    "LinkFaults",
    "Log",
    "Loopback",
    "MemoryStore",
    "Message",
    "PeerFaults",
    "Role",
    "SQLiteStore",
    "Scenario",
    "Schedule",
    "Session",
    "SessionConfig",
    "SessionState",
    "Store",
    "StoreFaults",
    "Transition",
    "TransitionKind",
    "VirtualClock",
    "analyze",
    "conformance",
    "explain",
    "gaps",
    "intervals",
    "ledger",
    "panels",
    "plots",
    "read_log",
    "reconcile",
    "replay",
    "resends",
    "sim",
    "spread",
    "stores",
    "sweep",
]

# Where each name lives; the packages are not here, since they are their own home.
_HOMES = {
    "Acceptor": "net.acceptor",
    "Dictionary": "dictionary",
    "Faults": "faults",
    "FileStore": "stores.quickfix",
    "Findings": "analysis.findings",
    "FixLabError": "errors",
    "FollowedLog": "logs.read",
    "Initiator": "net.initiator",
    "Journal": "journal",
    "LinkFaults": "faults",
    "Log": "logs.read",
    "Loopback": "sim.loopback",
    "MemoryStore": "stores.memory",
    "Message": "wire.message",
    "PeerFaults": "faults",
    "RULES": "rules",
    "Role": "session.transitions",
    "SQLiteStore": "stores.sqlite",
    "Scenario": "sim.scenario",
    "Schedule": "session.schedule",
    "Session": "session.session",
    "SessionConfig": "session.config",
    "SessionState": "session.transitions",
    "Store": "stores.base",
    "StoreFaults": "faults",
    "Transition": "session.transitions",
    "TransitionKind": "session.transitions",
    "VirtualClock": "times",
    "analyze": "analysis.findings",
    "explain": "dictionary",
    "gaps": "analysis",
    "intervals": "analysis",
    "ledger": "analysis",
    "read_log": "logs.read",
    "reconcile": "analysis",
    "replay": "analysis",
    "resends": "analysis",
    "sweep": "sim.sweeping",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'fixlab' has no attribute {name!r}")
    if name not in _HOMES:
        return import_module(f"fixlab.{name}")
    value: object = getattr(import_module(f"fixlab.{_HOMES[name]}"), name)
    globals()[name] = value  # the next use does not come here again
    return value


def __dir__() -> list[str]:
    # What completion offers: the public names, and none of the imports that serve this file.
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
