"""Dice: decide at each occasion whether a fault strikes, and remember those that did.

Every decision is drawn by itself, from the seed and the name of what is decided. So no fault
moves another one, and a run with some of its faults taken out keeps all others where they were.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from hashlib import blake2b

from fixlab.faults.plan import Strike, When

_UNIT = 2.0**-64
_KEPT_MAX = 1_000_000  # occasions and strikes remembered: a misbehaving peer may run for weeks


class Dice:
    """The decisions of one family at one end.

    Parameters: `seed`; `end`, a name that tells this end's draws from the other's; `family`;
    `on_strike`, called with each `Strike` as it happens.
    """

    def __init__(
        self,
        seed: int,
        end: str,
        family: str,
        on_strike: Callable[[Strike], object] | None = None,
    ) -> None:
        self._stream = f"{seed}/{end}/{family}"
        self._family = family
        self._on_strike = on_strike
        self._seen: dict[tuple[str, int], int] = {}
        self.struck: deque[Strike] = deque(maxlen=_KEPT_MAX)

    def strike(self, fault: str, when: When, occasion: int) -> Strike | None:
        """The `Strike` when `fault` happens at `occasion`: by chance, or as it is listed."""
        if not when:
            return None
        nth = self._seen.get((fault, occasion), 0) + 1
        self._seen[fault, occasion] = nth
        if len(self._seen) > _KEPT_MAX:
            del self._seen[next(iter(self._seen))]
        if isinstance(when, float | int):
            hit = self.draw(fault, occasion, nth) < when
        else:
            hit = (occasion if nth == 1 else (occasion, nth)) in when
        if not hit:
            return None
        strike = Strike(self._family, fault, occasion, nth)
        self.struck.append(strike)
        if self._on_strike is not None:
            self._on_strike(strike)
        return strike

    def draw(self, what: str, occasion: int, nth: int = 1) -> float:
        """A number from 0 up to 1 that only depends on the seed and what it is for."""
        name = f"{self._stream}/{what}/{occasion}/{nth}".encode()
        return int.from_bytes(blake2b(name, digest_size=8).digest(), "big") * _UNIT

    def amount(self, strike: Strike) -> float:
        """How much of `strike`, from 0 up to 1; a replay with exact lists draws the same."""
        return self.draw(f"{strike.fault}/amount", strike.occasion, strike.nth)
