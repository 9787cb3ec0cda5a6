"""FaultyStore: a store on a disk that fails, fills up, tears writes or forgets them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn

from fixlab.errors import StoreError
from fixlab.faults.dice import Dice
from fixlab.faults.plan import StoreFaults, Strike
from fixlab.stores.base import Store

_TAIL_MAX = 10_000  # calls that may be lost with the process: a disk writes back in the end
_NUMBERS = ("next_out", "observed_in")

_Call = tuple[str, tuple[object, ...]]


class FaultyStore:
    """A `Store` whose commits go wrong.

    Parameters: `store`, which holds what is kept; `faults`, and `dice` that decide on them;
    `sleep`, called with seconds when a commit is slow: `time.sleep`, or what moves a simulated
    clock.

    A commit that fails raises `StoreError` and drops the open step. What was committed before
    stays as it was, also when a write is torn. `crash()` is the end of the process: what was
    said to be kept, and was not, is gone.
    """

    def __init__(
        self, store: Store, faults: StoreFaults, dice: Dice, sleep: Callable[[float], object]
    ) -> None:
        self.store = store
        self._faults, self._dice, self._sleep = faults, dice, sleep
        self._commits = 0
        self._full = False
        # What was called, so that a part of it can be left out, or all of it done once more.
        self._step: list[_Call] = []  # since the last commit
        self._tail: list[_Call] = []  # before it, said to be kept and not yet kept

    def heal(self) -> None:
        """Nothing goes wrong any more: a full disk has room, the next commit keeps all."""
        self._faults, self._full = StoreFaults(), False

    # The numbers and messages -----------------------------------------------------------

    def next_out(self) -> int:
        """Allocate and return NextNumOut, and advance it by one."""
        self._step.append(("next_out", ()))
        return self.store.next_out()

    def peek_out(self) -> int:
        """NextNumOut, allocating nothing."""
        return self.store.peek_out()

    def observed_in(self, seq: int) -> None:
        """Record that `seq` and all below it were processed; a lower `seq` is no news."""
        self._step.append(("observed_in", (seq,)))
        self.store.observed_in(seq)

    def current_in(self) -> int:
        """NextNumIn: one past the highest number observed."""
        return self.store.current_in()

    def reset(self, now: int | None = None) -> None:
        """Both counters back to 1, stored messages dropped; `now` dates the new epoch (ns)."""
        self._step.append(("reset", (now,)))
        self.store.reset(now)

    def save_sent(self, seq: int, raw: bytes) -> None:
        """Keep the wire bytes of a message sent under `seq`; a second save replaces it."""
        self._step.append(("save_sent", (seq, raw)))
        self.store.save_sent(seq, raw)

    def sent(self, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        """Stored messages from `begin` to `end`, both inclusive, ascending."""
        return self.store.sent(begin, end)

    @property
    def epoch(self) -> int | None:
        """When both counters last went back to 1 (ns, UTC); None when that is not known."""
        return self.store.epoch

    # Commits ----------------------------------------------------------------------------

    def commit(self) -> None:
        """Keep the step, unless it goes wrong; raises `StoreError` when it is seen to."""
        self._commits += 1
        if self._full or self._strike("full"):
            self._full = True
            self._fail("no space left on the device")
        if self._strike("fail"):
            self._fail("the disk did not write it")
        if strike := self._strike("torn"):
            self._tear(strike)
        if strike := self._strike("slow"):
            self._sleep(self._dice.amount(strike) * self._faults.slow_seconds)
        step, self._step = self._step, []
        if self._strike("lose_tail") and len(self._tail) + len(step) <= _TAIL_MAX:
            self._tail += step  # the inner store has it as an open step; reads see it
            return
        self.store.commit()
        self._tail.clear()

    def rollback(self) -> None:
        """Drop what was not committed, or said to be."""
        self._step.clear()
        self.store.rollback()
        self._redo(self._tail)

    def crash(self) -> None:
        """The process dies: what was not kept is gone, whatever was said of it."""
        self._step.clear()
        self._tail.clear()
        self.store.rollback()

    def close(self) -> None:
        """Release files; what was not committed is dropped. Closing twice is harmless."""
        try:
            if self._step or self._tail:
                self.rollback()
            if self._tail:
                self.store.commit()  # an orderly end gives the disk time to write
        finally:
            self._tail.clear()
            self.store.close()

    def _tear(self, strike: Strike) -> NoReturn:
        """Keep the numbers without the messages, or the messages without the numbers."""
        step, self._step = self._step, []
        self.rollback()
        if self._dice.amount(strike) < 0.5:
            kept, what = [call for call in step if call[0] in _NUMBERS], "numbers"
        else:
            kept, what = self._new_messages(step), "messages"
        if any(name == "reset" for name, _ in step):
            kept, what = [], "nothing"  # a half of a reset would take what was committed
        self._redo(kept)
        self.store.commit()
        self._tail.clear()
        raise StoreError(f"commit {self._commits} was torn on purpose: it kept {what} only")

    def _new_messages(self, step: Iterable[_Call]) -> list[_Call]:
        """What the step saves under numbers that no committed message has."""
        first = self.store.peek_out()
        return [
            (name, args)
            for name, args in step
            if name == "save_sent" and isinstance(args[0], int) and args[0] >= first
        ]

    def _redo(self, calls: Iterable[_Call]) -> None:
        for name, args in calls:
            getattr(self.store, name)(*args)

    def _fail(self, why: str) -> NoReturn:
        self.rollback()
        raise StoreError(f"commit {self._commits} failed on purpose: {why}")

    def _strike(self, fault: str) -> Strike | None:
        return self._dice.strike(fault, getattr(self._faults, fault), self._commits)

    def __repr__(self) -> str:
        return f"FaultyStore({self.store!r})"
