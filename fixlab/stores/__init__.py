"""Where a session keeps its two counters and the messages it sent."""

from fixlab.stores.base import Store
from fixlab.stores.memory import MemoryStore
from fixlab.stores.sqlite import SQLiteStore

__all__ = ["MemoryStore", "SQLiteStore", "Store"]
