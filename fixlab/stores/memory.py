"""MemoryStore: plain integers and dicts, the uncommitted step kept apart from the rest."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Self

from fixlab.errors import ConfigError


class MemoryStore:
    """A store that lives as long as its process; the counters may be seeded.

    Parameters: `next_out` and `next_in` are the first numbers to be sent and expected.
    Raises `ConfigError` when one of them is not a whole number of at least 1.

    Messages are kept until `reset()`, because the peer may ask for any of them. Closing drops
    the uncommitted step and nothing else, so a later session may go on with the same object.
    """

    __slots__ = (
        "_before_reset",
        "_committed_in",
        "_committed_out",
        "_epoch",
        "_epoch_before",
        "_in",
        "_out",
        "_sent",
        "_step",
    )

    def __init__(self, next_out: int = 1, next_in: int = 1) -> None:
        for name, value in (("next_out", next_out), ("next_in", next_in)):
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(
                    f"{name} must be a whole number of at least 1, found {value!r}"
                )
        self._out = self._committed_out = next_out
        self._in = self._committed_in = next_in
        self._sent: dict[int, bytes] = {}
        self._step: dict[int, bytes] = {}
        # Set while a reset waits for its commit: the committed messages it will drop.
        self._before_reset: dict[int, bytes] | None = None
        self._epoch: int | None = None
        self._epoch_before: int | None = None

    @property
    def epoch(self) -> int | None:
        """The time (ns) of the last reset; None without one, or when it had no time."""
        return self._epoch

    def next_out(self) -> int:
        """Allocate and return NextNumOut, and advance it by one."""
        seq = self._out
        self._out = seq + 1
        return seq

    def peek_out(self) -> int:
        """NextNumOut, allocating nothing."""
        return self._out

    def observed_in(self, seq: int) -> None:
        """Record that `seq` and all below it were processed; a lower `seq` is no news."""
        if seq >= self._in:
            self._in = seq + 1

    def current_in(self) -> int:
        """NextNumIn: one past the highest number observed."""
        return self._in

    def reset(self, now: int | None = None) -> None:
        """Both counters back to 1, stored messages dropped; `now` dates the new epoch (ns)."""
        if self._before_reset is None:
            self._before_reset = self._sent
            self._epoch_before = self._epoch
        self._sent = {}
        self._step = {}
        self._out = self._in = 1
        self._epoch = now

    def save_sent(self, seq: int, raw: bytes) -> None:
        """Keep the wire bytes of a message sent under `seq`; a second save replaces it."""
        self._step[seq] = raw

    def sent(self, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Stored messages from `begin` to `end`, both inclusive, ascending.

        A message saved or dropped while the iterator is in use may or may not be among them.
        """
        sent, step = self._sent, self._step
        seqs: Iterator[int] | range
        if end - begin < len(sent) + len(step):
            seqs = range(begin, end + 1)
        else:
            # A range wider than all that is stored, such as up to 10**30: go by the messages.
            seqs = iter(sorted(seq for seq in sent.keys() | step.keys() if begin <= seq <= end))
        for seq in seqs:
            raw = self._step.get(seq)
            if raw is None:
                raw = self._sent.get(seq)
            if raw is not None:
                yield seq, raw

    def commit(self) -> None:
        """End of a step: all that was changed since the last commit now survives a rollback."""
        if self._step:
            self._sent.update(self._step)
            self._step.clear()
        self._before_reset = None
        self._committed_out = self._out
        self._committed_in = self._in

    def rollback(self) -> None:
        """Go back to the last commit, as a crash does."""
        self._step.clear()
        if self._before_reset is not None:
            self._sent = self._before_reset
            self._epoch = self._epoch_before
            self._before_reset = None
        self._out = self._committed_out
        self._in = self._committed_in

    def close(self) -> None:
        """Drop what was not committed; what was committed stays. Twice is harmless."""
        self.rollback()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        messages = len(self._sent.keys() | self._step.keys())
        return f"MemoryStore(next_out={self._out}, next_in={self._in}, messages={messages})"
