"""FaultyEnd: all that goes wrong at one end of a session, and what of it has happened."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from fixlab.errors import ConfigError
from fixlab.faults.dice import Dice
from fixlab.faults.link import FaultyLink
from fixlab.faults.peer import FaultyPeer
from fixlab.faults.plan import Faults, LinkFaults, StoreFaults, Strike
from fixlab.faults.store import FaultyStore
from fixlab.stores.base import Store
from fixlab.stores.memory import MemoryStore

_STRUCK_MAX = 1_000_000  # kept for `struck`; the oldest go first


class FaultyEnd:
    """The three families at one end, each with dice of its own, and one list of their strikes.

    Parameters: `faults`; `seed`, a whole number; `end`, what tells this end from others of the
    same seed, such as its role or `Session.id`; `on_strike`, called with each `Strike`.

    `peer` goes between the session and its wire, `link` (None without faults of the link)
    between the wire and the peer, and `store()` wraps the session's store.
    """

    def __init__(
        self,
        faults: Faults,
        *,
        seed: int,
        end: str,
        on_strike: Callable[[Strike], object] | None = None,
    ) -> None:
        if not isinstance(faults, Faults):
            raise ConfigError(f"faults must be Faults(...), found {faults!r}")
        if isinstance(seed, bool) or not isinstance(seed, int):
            raise ConfigError(f"seed must be a whole number, found {seed!r}")
        self.faults = faults
        self._seed, self._end, self._on_strike = seed, end, on_strike
        self._struck: deque[Strike] = deque(maxlen=_STRUCK_MAX)
        self._store: FaultyStore | None = None
        self.peer = FaultyPeer(faults.peer, self._dice("peer"))
        self.link: FaultyLink | None = None
        if faults.link != LinkFaults():
            self.link = FaultyLink(faults.link, self._dice("link"))

    @property
    def struck(self) -> tuple[Strike, ...]:
        """What happened so far, in order; `faults.exactly(struck)` repeats it."""
        return tuple(self._struck)

    def store(
        self, store: Store | None, sleep: Callable[[float], object] = time.sleep
    ) -> Store:
        """`store` (None: one in memory) with this end's faults; itself when it has none."""
        kept = MemoryStore() if store is None else store
        if self.faults.store == StoreFaults():
            return kept
        self._store = FaultyStore(kept, self.faults.store, self._dice("store"), sleep)
        return self._store

    def connected(self) -> None:
        """A new connection is about to begin."""
        self.peer.connected()
        if self.link is not None:
            self.link.connected()

    def heal(self) -> None:
        """Nothing goes wrong any more, at this end."""
        self.peer.heal()
        for part in (self.link, self._store):
            if part is not None:
                part.heal()

    def _dice(self, family: str) -> Dice:
        return Dice(self._seed, self._end, family, self._note)

    def _note(self, strike: Strike) -> None:
        self._struck.append(strike)
        if self._on_strike is not None:
            self._on_strike(strike)
