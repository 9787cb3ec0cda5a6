"""The journal: what a row costs when it is recorded, and when the frame is asked for."""

from __future__ import annotations

import time

from fixlab.journal import Journal
from fixlab.session.transitions import Transition
from fixlab.sim.loopback import Loopback
from fixlab.wire.message import Message
from tests.bench.measure import Row, interleaved, table
from tests.bench.orders import FIELDS

_ROWS = 100_000


class _Tape:
    """Stands in for a journal and keeps each step's transitions as they came."""

    def __init__(self) -> None:
        self.steps: list[tuple[Transition, ...]] = []

    def extend(self, transitions: tuple[Transition, ...]) -> None:
        self.steps.append(transitions)

    def __len__(self) -> int:
        return sum(map(len, self.steps))


def run() -> None:
    """Print the table."""
    steps = _steps()
    found = interleaved(
        {
            "extend(), sealing included": lambda: _extend(steps)[0],
            "to_frame()": lambda: _to_frame(steps),
            "tail(10)": lambda: _tail(steps),
        }
    )
    rows = [
        Row(name, f"{value * 1e6:.2f} us" + ("" if name.startswith("tail") else " a row"))
        for name, value in found.items()
    ]
    notes = f"{_ROWS:,} rows of a session with losses, one extend() a step. CPU time."
    table("Journal", notes, rows)


def _steps() -> list[tuple[Transition, ...]]:
    lab = Loopback(seed=1)
    tape = _Tape()
    lab.journal = tape  # type: ignore[assignment]  # all that a loopback asks of it
    lab.logon()
    while len(tape.steps) < _ROWS // 3:
        lab.initiator.lose_next(1)
        for _ in range(50):
            lab.initiator.send(Message("D", FIELDS))
        lab.run(seconds=1)
    once = [step for step in tape.steps if step]
    steps: list[tuple[Transition, ...]] = []
    rows = 0
    while rows < _ROWS:
        step = once[len(steps) % len(once)]
        steps.append(step)
        rows += len(step)
    return steps


def _extend(steps: list[tuple[Transition, ...]]) -> tuple[float, Journal]:
    journal = Journal()
    begin = time.process_time()
    for step in steps:
        journal.extend(step)
    return (time.process_time() - begin) / len(journal), journal


def _to_frame(steps: list[tuple[Transition, ...]]) -> float:
    _, journal = _extend(steps)
    begin = time.process_time()
    frame = journal.to_frame()
    return (time.process_time() - begin) / len(frame)


def _tail(steps: list[tuple[Transition, ...]]) -> float:
    _, journal = _extend(steps)
    begin = time.process_time()
    for _ in range(20):
        journal.tail(10)
    return (time.process_time() - begin) / 20
