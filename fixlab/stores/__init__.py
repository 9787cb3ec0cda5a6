"""Where a session keeps its two counters and the messages it sent.

`inspect` and `plan_edit` look into stores of fixlab and of the QuickFIX family. They make
frames, so they live in `fixlab.surgeon` and load on first use: stores need only Python itself.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from fixlab.stores.base import Store
from fixlab.stores.memory import MemoryStore
from fixlab.stores.quickfix import FileStore
from fixlab.stores.sqlite import SQLiteStore

if TYPE_CHECKING:
    from fixlab.surgeon import inspect, plan_edit

__all__ = ["FileStore", "MemoryStore", "SQLiteStore", "Store", "inspect", "plan_edit"]

_IN_SURGEON = ("inspect", "plan_edit")


def __getattr__(name: str) -> object:
    if name not in _IN_SURGEON:
        raise AttributeError(f"module 'fixlab.stores' has no attribute {name!r}")
    value: object = getattr(import_module("fixlab.surgeon"), name)
    globals()[name] = value  # the next use does not come here again
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
