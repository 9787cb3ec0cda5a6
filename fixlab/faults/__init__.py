"""Faults: what may go wrong at one end of a session: on its link, in its messages, its store.

The same `Faults` break a simulated end and a live one.
"""

from fixlab.faults.end import FaultyEnd
from fixlab.faults.link import FaultyLink, Passage, Piece
from fixlab.faults.peer import FaultyPeer
from fixlab.faults.plan import Faults, LinkFaults, PeerFaults, StoreFaults, Strike, When
from fixlab.faults.store import FaultyStore

__all__ = [
    "Faults",
    "FaultyEnd",
    "FaultyLink",
    "FaultyPeer",
    "FaultyStore",
    "LinkFaults",
    "Passage",
    "PeerFaults",
    "Piece",
    "StoreFaults",
    "Strike",
    "When",
]
