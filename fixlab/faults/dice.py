"""Dice: decide at each occasion whether a fault strikes, and remember those that did.

Every decision is drawn by itself, from the seed and the name of what is decided. So no fault
moves another one, and a run with some of its faults taken out keeps all others where they were.
"""

from __future__ import annotations

from collections import Counter
from hashlib import blake2b
from typing import NamedTuple

from fixlab.faults.plan import When

_UNIT = 2.0**-64


class Strike(NamedTuple):
    """A fault that happened."""

    family: str  # "link", "peer" or "store"
    fault: str  # the field of that family, such as "drop"
    occasion: int  # MsgSeqNum, or the ordinal of a write or commit


class Dice:
    """The decisions of one family at one end.

    Parameters: `seed`; `end`, a name that tells this end's draws from the other's; `family`.
    """

    def __init__(self, seed: int, end: str, family: str) -> None:
        self._stream = f"{seed}/{end}/{family}"
        self._family = family
        self._seen: Counter[tuple[str, int]] = Counter()
        self.struck: list[Strike] = []

    def strikes(self, fault: str, when: When, occasion: int) -> bool:
        """Whether `fault` happens at `occasion`: by chance, or because that one is listed.

        A listed occasion strikes once, and once more for each time that it is listed again.
        """
        if not when:
            return False
        seen = self._seen[fault, occasion]
        self._seen[fault, occasion] += 1
        if isinstance(when, float | int):
            hit = self.draw(fault, occasion, seen) < when
        else:
            hit = sum(each == occasion for each in when) > seen
        if hit:
            self.struck.append(Strike(self._family, fault, occasion))
        return hit

    def draw(self, what: str, occasion: int, nth: int = 0) -> float:
        """A number from 0 up to 1 that only depends on the seed and what it is for."""
        name = f"{self._stream}/{what}/{occasion}/{nth}".encode()
        return int.from_bytes(blake2b(name, digest_size=8).digest(), "big") * _UNIT
