"""The order that every benchmark sends: the same for everybody, 172 bytes on the wire."""

from __future__ import annotations

FIELDS: dict[int, str] = {
    11: "ORD-0000001",
    21: "1",
    38: "1000",
    15: "USD",
    40: "2",
    44: "101.25000",
    54: "1",
    55: "ACME",
    59: "0",
    60: "20260105-09:00:00.000",
}


WARM_UP = 1_000  # orders that are sent before the clock starts


def names(count: int) -> list[str]:
    """ClOrdID(11) of each order."""
    return [f"ORD-{n:07d}" for n in range(count)]
