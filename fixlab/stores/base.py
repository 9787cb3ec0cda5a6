"""The Store protocol: five verbs for the numbers, five for what a resend and a crash need.

Crash contract. A session's step runs the input, its events are handed over, `commit()` makes
the step durable, and only then do its bytes leave. So a crash before the commit leaves nothing
on the wire that is not stored, and a crash after it loses only bytes that a ResendRequest
brings back. Until `commit()`, reads of the same store object see the uncommitted step.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, runtime_checkable


@runtime_checkable
class Store(Protocol):
    """Where a session keeps its two counters and the messages it sent. Counters start at 1."""

    def next_out(self) -> int:
        """Allocate and return NextNumOut, and advance it by one (SEQ-15: it is used now)."""
        ...

    def peek_out(self) -> int:
        """NextNumOut, allocating nothing."""
        ...

    def observed_in(self, seq: int) -> None:
        """Record that `seq` and all below it were processed; a lower `seq` is no news."""
        ...

    def current_in(self) -> int:
        """NextNumIn: one past the highest number observed."""
        ...

    def reset(self, now: int | None = None) -> None:
        """Both counters back to 1, stored messages dropped; `now` dates the new epoch (ns)."""
        ...

    def save_sent(self, seq: int, raw: bytes) -> None:
        """Keep the wire bytes of a message sent under `seq`; a second save replaces it."""
        ...

    def sent(self, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Stored messages from `begin` to `end`, both inclusive, ascending."""
        ...

    def commit(self) -> None:
        """End of a step: all that was changed since the last commit is now durable."""
        ...

    def rollback(self) -> None:
        """Drop what was not committed: a failed commit, or a step that must not count."""
        ...

    @property
    def epoch(self) -> int | None:
        """When both counters last went back to 1 (ns, UTC); None when that is not known.

        A schedule compares it with the session's window (SCH-02).
        """
        ...

    def close(self) -> None:
        """Release files; what was not committed is dropped. Closing twice is harmless."""
        ...
