"""A session on an SQLiteStore against one on a MemoryStore."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from fixlab.session.config import SessionConfig
from fixlab.session.session import Session
from fixlab.session.transitions import Role
from fixlab.stores.base import Store
from fixlab.stores.memory import MemoryStore
from fixlab.stores.sqlite import SQLiteStore
from fixlab.times import parse_start
from fixlab.wire.message import Message
from tests.bench.measure import Row, interleaved, rate, table, times
from tests.bench.orders import FIELDS, names

_COUNT = 10_000
_GROUP = 100
_SYNCS = 500
_NOW = parse_start("2026-01-05T09:00:00")
_CONFIG = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL")
_NOTES = f"""\
Two sessions without a network, {_COUNT:,} orders one way, each end with a store of that kind,
committed after each message or each {_GROUP}; then the store alone, allocating numbers and
saving orders. Wall time, since disks make one wait. The base is one order appended to a file
and forced to the disk (fdatasync)."""


def run() -> None:
    """Print the table."""
    with TemporaryDirectory(prefix="fixlab-bench-") as folder:
        place = Path(folder)
        runs: dict[str, Callable[[], float]] = {
            f"{kind}, a commit each {group}": partial(_session, kind, group, place)
            for group in (1, _GROUP)
            for kind in ("MemoryStore", "SQLiteStore")
        }
        runs |= {
            f"SQLiteStore alone, a commit each {group}": partial(_alone, group, place)
            for group in (1, _GROUP)
        }
        runs["append + fdatasync"] = partial(_synced, place)
        found = interleaved(runs)
    rows = []
    for name, value in found.items():
        kind, _, when = name.partition(", ")
        grouped = when.endswith(str(_GROUP))
        ratio = goal = ""
        if kind == "SQLiteStore":
            ratio = f"{value / found[f'MemoryStore, {when}']:.0%} of memory"
            goal = ">= 60%" if grouped else ""
        elif kind == "SQLiteStore alone":
            ratio = f"{times(value / found['append + fdatasync'])} base"
            goal = ">= 30x" if grouped else ""
        rows.append(Row(name, rate(value), ratio, goal))
    table("Stores", _NOTES, rows)


def _store(kind: str, path: Path) -> Store:
    if kind == "MemoryStore":
        return MemoryStore()
    for old in path.parent.glob(f"{path.name}*"):
        old.unlink()
    return SQLiteStore(path)


def _session(kind: str, group: int, place: Path) -> float:
    one, other = (_store(kind, place / name) for name in ("one.db", "other.db"))
    buy = Session(_CONFIG, Role.INITIATOR, one)
    sell = Session(_CONFIG.mirrored(), Role.ACCEPTOR, other)
    sell.connected(_NOW)
    buy.receive(sell.receive(buy.connected(_NOW).data, _NOW).data, _NOW)
    orders = names(_COUNT)
    begin = time.perf_counter()
    for start in range(0, _COUNT, group):
        data = [
            buy.send(Message("D", {**FIELDS, 11: name}), _NOW).data
            for name in orders[start : start + group]
        ]
        one.commit()
        sell.receive(b"".join(data), _NOW)
        other.commit()
    passed = time.perf_counter() - begin
    assert sell.next_in == buy.next_out == _COUNT + 2
    one.close()
    other.close()
    return _COUNT / passed


def _alone(group: int, place: Path) -> float:
    store, raw = _store("SQLiteStore", place / "alone.db"), b"x" * 172
    begin = time.perf_counter()
    for n in range(_COUNT):
        store.save_sent(store.next_out(), raw)
        if (n + 1) % group == 0:
            store.commit()
    passed = time.perf_counter() - begin
    store.close()
    return _COUNT / passed


def _synced(place: Path) -> float:
    data = b"x" * 172
    with (place / "base").open("wb", buffering=0) as file:
        begin = time.perf_counter()
        for _ in range(_SYNCS):
            file.write(data)
            os.fdatasync(file.fileno())
        return _SYNCS / (time.perf_counter() - begin)
