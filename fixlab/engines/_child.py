"""What the processes of all engines share: reports, commands, orders. Only Python is needed."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any

_ORDER = {21: "1", 38: "100", 40: "2", 44: "10", 54: "1", 55: "ACME"}
_SEEN_MAX = 10_000  # orders remembered a session
# No part of the order itself: the header fields that somebody sends, and the trailer.
_FRAME = frozenset((8, 9, 35, 49, 56, 34, 52, 43, 97, 122, 50, 57, 115, 128, 1128, 10))

_lock = threading.Lock()


def tell(*report: object) -> None:
    """Write one report."""
    with _lock:
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()


def commands() -> Iterator[tuple[str, str, list[Any]]]:
    """Command, session and arguments, until stdin ends (the parent is gone) or says stop."""
    for line in sys.stdin:
        command, name, *arguments = json.loads(line)
        if command == "stop":
            return
        yield command, name, arguments


def order_fields(begin_string: str) -> dict[int, str]:
    """What a version's dictionary asks of an order, ClOrdID(11) aside."""
    if begin_string == "FIX.4.0":
        return _ORDER
    return _ORDER | {60: "20260105-09:00:00"}  # TransactTime came with FIX.4.1


class Desk:
    """The application: what it answers, whatever the engine."""

    def __init__(self, *, echo: bool) -> None:
        self.echo = echo
        self._seen: dict[str, dict[str, None]] = {}

    def answer(self, session: str, fields: Iterable[tuple[int, str]]) -> dict[int, str] | None:
        """The body of the order to send back for one that came, or None; it is reported."""
        told = dict(fields)
        name = told.get(11, "")
        tell("order", session, name)
        again = self._came_before(session, name)
        # PRS-02: only the application can know that a PossResend(97) is none to be done again.
        if not self.echo or (again and told.get(97) == "Y"):
            return None
        return {tag: value for tag, value in told.items() if tag not in _FRAME}

    def _came_before(self, session: str, name: str) -> bool:
        seen = self._seen.setdefault(session, {})
        if name in seen:
            return True
        seen[name] = None
        if len(seen) > _SEEN_MAX:
            del seen[next(iter(seen))]
        return False
