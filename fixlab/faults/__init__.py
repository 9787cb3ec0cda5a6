"""Faults: what may go wrong at one end of a session: on its link, in its messages, its store.

The same `Faults` break a simulated end and a live one.
"""

from fixlab.faults.plan import Faults, LinkFaults, PeerFaults, StoreFaults, When

__all__ = ["Faults", "LinkFaults", "PeerFaults", "StoreFaults", "When"]
