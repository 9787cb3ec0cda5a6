"""replay() and reconcile() of a log, beside the time in which it is read, in one run."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from fixlab.analysis import reconcile, replay
from fixlab.logs.read import Log, read_log
from tests.bench import made_logs
from tests.bench.measure import Row, interleaved, table, times

REPLAYED, RECONCILED = 20_000, 100_000
_NOTES = """\
A made-up session of orders and reports, both sides in one log with times; the second log of
reconcile() is the same one, seen by the other side. CPU time; ratio: how many times as long as
read_log takes for the same messages."""


def run() -> None:
    """Print the table."""
    folder = Path(os.environ.get("FIXLAB_BENCH", tempfile.gettempdir())) / "fixlab-bench"
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for count, name in ((REPLAYED, "replay"), (RECONCILED, "reconcile")):
        path = made_logs.write(folder / f"quickfix-{count}.log", count, "quickfix")
        ours, theirs = read_log(path, ours="BUYSIDE"), read_log(path, ours="VENUE")
        assert len(ours.frame) == len(theirs.frame) == count
        took = interleaved(
            {
                "read_log": lambda path=path: _timed(lambda: read_log(path).frame),  # type: ignore[misc]
                name: lambda ours=ours, theirs=theirs, name=name: _timed(  # type: ignore[misc]
                    lambda: _played(ours) if name == "replay" else _joined(ours, theirs)
                ),
            },
            3,
        )
        base = took["read_log"]
        rows.append(Row(f"read_log, {count:,} messages", f"{count / base:,.0f}/s"))
        figure = f"{count / took[name]:,.0f}/s"
        rows.append(Row(f"{name}, {count:,} messages", figure, times(took[name] / base)))
    table("Replaying and reconciling", _NOTES, rows)


def _played(log: Log) -> None:
    assert len(replay(log)) < len(log)


def _joined(ours: Log, theirs: Log) -> None:
    assert len(reconcile(ours, theirs).table) == len(ours)


def _timed(call: Callable[[], object]) -> float:
    begin = time.process_time()
    call()
    return time.process_time() - begin
