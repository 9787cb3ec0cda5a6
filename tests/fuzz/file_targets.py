"""Stores of every layout that were damaged on their disk, and what a log makes of bytes."""

from __future__ import annotations

import itertools
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing, suppress
from functools import cache
from pathlib import Path

from fixlab import redact
from fixlab.errors import StoreError
from fixlab.net.message_log import MessageLog
from fixlab.sql import SQLStore
from fixlab.stores._columns import SQLITE_ERRORS
from fixlab.stores.base import Store
from fixlab.stores.quickfix import FileStore
from fixlab.stores.sqlite import SQLiteStore
from fixlab.surgeon import inspect, plan_edit
from fixlab.times import format_utc
from tests.fuzz.fuzzing import NUMBERS, TOKENS, Case, Part, Played, bent, plain
from tests.fuzz.streams import broken, samples
from tests.fuzz.wire_targets import stream
from tests.session.script import NOW, config
from tests.stores.layouts import (
    PREFIX,
    SESSION,
    history,
    write_quickfix,
    write_quickfixgo,
    write_quickfixj,
    write_quickfixn,
    write_sql,
)

Files = dict[str, bytes]

_MAGIC = b"SQLite format 3\x00"
_SQLITE = "store.sqlite"
_LOCK = f"{PREFIX}.lock"
_RESET = f"{PREFIX}.reset"
_TOKENS = (
    *NUMBERS, b" : ", b",", b" ", b"\n", b"\r\n", b"\x00\x00", b"\x00\x05", b"1,0,9 ",
    b"6,0,76\n", b"99999999999999999999 : 1", b"20260105-09:30:00",
    b"9999-12-31T23:59:59+23:59", b"0001-01-01T00:00:00Z", b"\x7f\xff\xff\xff",
    b"\xff\xff\xff\xff", b"2026-01-05", b"\x80",
    b"fixlab reset 6 8 1 1  20260105-09:30:00 0 0\n", *TOKENS[:10],
)  # fmt: skip
# What a person with a database tool may do to a store.
_STATEMENTS = (
    "UPDATE state SET next_out = 'abc'", "UPDATE state SET next_in = x'ff'",
    "UPDATE state SET next_out = 1e300", "UPDATE state SET next_out = 9223372036854775807",
    "UPDATE state SET epoch = 'soon'", "UPDATE state SET epoch = -5",
    "UPDATE state SET epoch = 9223372036854775807", "UPDATE state SET session = x'00ff'",
    "UPDATE state SET session = 17", "DELETE FROM state", "DROP TABLE state", "DROP TABLE sent",
    "DELETE FROM sent", "UPDATE sent SET raw = 'text' WHERE seq = 2",
    "UPDATE sent SET raw = 5 WHERE seq = 2", "UPDATE sent SET raw = x'' WHERE seq = 2",
    "UPDATE sent SET seq = -5 WHERE seq = 2",
    "INSERT INTO sent VALUES (9223372036854775807, x'')",
    "UPDATE sessions SET outgoing_seqnum = 'x'", "UPDATE sessions SET incoming_seqnum = NULL",
    "UPDATE sessions SET creation_time = '0001-01-01 00:00:00+14:00'",
    "UPDATE sessions SET creation_time = x'ff'", "UPDATE sessions SET beginstring = NULL",
    "UPDATE sessions SET sendercompid = 5", "UPDATE sessions SET session_qualifier = x'ff'",
    "UPDATE messages SET message = x'ff' WHERE msgseqnum = 2", "DROP TABLE messages",
    "UPDATE messages SET message = NULL", "UPDATE messages SET msgseqnum = 'x'",
    "UPDATE messages SET msgseqnum = 1e300", "UPDATE messages SET message = '\u0661'",
    "INSERT INTO sessions SELECT * FROM sessions", "DROP TABLE sessions",
    "CREATE TABLE extra (x)", "PRAGMA user_version = 7", "PRAGMA application_id = 9",
    "PRAGMA journal_mode = WAL", "PRAGMA page_size = 65536", "VACUUM",
    "CREATE TABLE state (session, next_out, next_in, epoch)", "CREATE TABLE sent (seq, raw)",
    "CREATE VIEW state AS SELECT 1", "CREATE TABLE sessions (beginstring)",
)  # fmt: skip


@cache
def _bases() -> dict[str, Files]:
    """The files of sound stores, by layout."""
    writers: dict[str, Callable[[Path], None]] = {
        "quickfix": lambda folder: write_quickfix(folder, history(5), 6, 8),
        "quickfix10": lambda folder: write_quickfix(folder, history(2), 3, 8, width=10),
        "quickfixj": lambda folder: write_quickfixj(folder, history(5), 6, 8),
        "cached": lambda folder: write_quickfixj(folder, history(5), 6, 8, cached=True),
        "quickfixn": lambda folder: write_quickfixn(folder, history(5), 6, 8),
        "quickfixgo": lambda folder: write_quickfixgo(folder, history(5), 6, 8),
        "sql": lambda folder: write_sql(folder / _SQLITE, history(5), 6, 8),
        "fixlab": _write_fixlab,
        "killed": _write_killed,
    }
    found = {}
    for name, write in writers.items():
        with tempfile.TemporaryDirectory() as place:
            write(Path(place))
            found[name] = {path.name: path.read_bytes() for path in Path(place).iterdir()}
    return found


def _write_fixlab(folder: Path) -> None:
    with SQLiteStore(folder / _SQLITE, session=SESSION) as store:
        _use(store)


def _write_killed(folder: Path) -> None:
    """A FileStore as a killed process leaves it: with its lock, and a reset not finished."""
    with FileStore(folder, PREFIX, now=NOW) as store:
        _use(store)
        left = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name, content in left.items():
        (folder / name).write_bytes(content)
    journal = b"fixlab reset %d %d 1 1 %b %b 0 0\n"
    time = format_utc(NOW, 0)
    (folder / _RESET).write_bytes(journal % (store_numbers(left), 8, time, time))


def store_numbers(files: Files) -> int:
    """NextNumOut of the files of a FileStore."""
    return int(files[f"{PREFIX}.seqnums"].split(b" : ")[0])


def _use(store: Store) -> None:
    """A few steps, as a session makes them."""
    for seq, raw in history(4):
        assert store.next_out() == seq
        store.save_sent(seq, raw)
        store.observed_in(seq + 2)
        store.commit()


_HOWS = ("open", "open", "open", "inspect", "inspect", "plan", "plan", "sql_store")


class StoreTarget:
    """Damaged stores: opened and used, inspected and planned, or refused with `StoreError`."""

    name = "stores"
    bytes_max = 48 << 20
    bound = "frames of what is there; files here have up to 300 KB"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "store"

    def make(self, chance: random.Random) -> Case:
        layout = chance.choice(sorted(_bases()))
        how = chance.choice(_HOWS)
        ops: list[Part] = [("base", layout), ("how", how)]
        for _ in range(chance.choice((1, 1, 2, 3))):
            ops.append(self._damage(layout, chance))
        return tuple(ops)

    def _damage(self, layout: str, chance: random.Random) -> Part:
        files = _bases()[layout]
        name = chance.choice(sorted(files))
        size = len(files[name])
        at = chance.randrange(size + 1)
        if _SQLITE in files and chance.random() < 0.5:
            return ("sql", chance.choice(_STATEMENTS))
        match chance.randrange(9):
            case 0 | 1:
                return ("cut", name, at)
            case 2 | 3:
                return ("put", name, at, chance.choice((1, 1, 4)), chance.choice(_TOKENS))
            case 4:
                return ("flip", name, at, chance.randrange(1, 256))
            case 5:
                return ("delete", name)
            case 6:
                return ("swap", name, chance.choice(sorted(files)))
            case 7:
                other = _bases()[chance.choice(sorted(_bases()))]
                source = chance.choice(sorted(other))
                return ("file", chance.choice((name, source)), other[source][: 1 << 12])
            case _:
                return ("rename", name, chance.choice((_LOCK, _RESET, "x.header", _SQLITE)))

    def bend(self, part: Part, chance: random.Random) -> Part:
        assert isinstance(part, tuple)
        if part[0] == "how":
            return ("how", chance.choice(_HOWS))
        if part[0] in ("file", "put") and chance.random() < 0.7:
            return (*part[:-1], bent(part[-1], chance, _TOKENS))
        return self._damage(chance.choice(sorted(_bases())), chance)

    def play(self, case: Case) -> Played:
        folder = self._folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        layout = next((part[1] for part in case if part[0] == "base"), "quickfix")
        for name, content in _bases()[str(layout)].items():
            (folder / name).write_bytes(content)
        for part in case:
            assert isinstance(part, tuple)
            _apply(folder, part)
        how = next((part[1] for part in case if part[0] == "how"), "inspect")
        if how in ("open", "sql_store"):
            return Played(frozenset(_opened(folder, sql=how == "sql_store")))
        return Played(frozenset(_inspected(folder) if how == "inspect" else _planned(folder)))


def _apply(folder: Path, part: Part) -> None:
    """One act of damage; of a file that is not there it does nothing."""
    name, *rest = part
    if name == "sql":
        if (folder / _SQLITE).exists():
            with (
                suppress(*SQLITE_ERRORS),
                closing(sqlite3.connect(folder / _SQLITE)) as database,
            ):
                database.execute(str(rest[0]))
                database.commit()
        return
    if name in ("base", "how"):
        return
    path = folder / str(rest[0])
    if name == "file":
        path.write_bytes(bytes(rest[1]))
        return
    if not path.exists():
        return
    content = path.read_bytes()
    match name:
        case "cut":
            path.write_bytes(content[: int(rest[1])])
        case "put":
            at, over = int(rest[1]), int(rest[2])
            path.write_bytes(content[:at] + bytes(rest[3]) + content[at + over :])
        case "flip":
            at = min(int(rest[1]), max(0, len(content) - 1))
            flipped = bytes([content[at] ^ int(rest[2])]) if content else b""
            path.write_bytes(content[:at] + flipped + content[at + 1 :])
        case "delete":
            path.unlink()
        case "swap" if (folder / str(rest[1])).exists():
            other = folder / str(rest[1])
            path.write_bytes(other.read_bytes())
            other.write_bytes(content)
        case "rename":
            path.replace(folder / str(rest[1]))


def _open(folder: Path, *, sql: bool) -> Store:
    if sql:
        names = ("FIX.4.4", "BUY", "SELL")
        return SQLStore(f"sqlite:///{folder / _SQLITE}", names)
    if (folder / _SQLITE).exists():
        return SQLiteStore(folder / _SQLITE, session=SESSION)
    return FileStore(folder, PREFIX, now=NOW)


def _opened(folder: Path, *, sql: bool) -> set[str]:
    """Open, read, go on, close, open again: the numbers never go back."""
    features = set[str]()
    with closing(_open(folder, sql=sql)) as store:
        repr(store)
        numbers = store.peek_out(), store.current_in()
        assert all(type(number) is int and number >= 1 for number in numbers), numbers
        assert store.epoch is None or type(store.epoch) is int
        try:
            stored = list(store.sent(1, 1 << 62))
            assert all(type(raw) is bytes for _, raw in stored)
            assert [seq for seq, _ in stored] == sorted({seq for seq, _ in stored})
            features.add(f"{len(stored)} stored")
        except StoreError as error:
            features.add(plain(str(error)))
        try:
            seq = store.next_out()
            store.save_sent(seq, b"raw")
            store.observed_in(numbers[1])
            store.commit()
        except StoreError as error:
            features.add(plain(str(error)))
            return features
    with closing(_open(folder, sql=sql)) as store:
        assert (store.peek_out(), store.current_in()) == (numbers[0] + 1, numbers[1] + 1)
        assert dict(store.sent(seq, seq)) == {seq: b"raw"}
    return features


def _inspected(folder: Path) -> set[str]:
    found = inspect(folder)
    told = f"{found}{found!r}{found._repr_html_()}"
    assert told.replace("\n", "").isprintable()
    features = {f"{row.level} {row.code}" for row in found.problems.itertuples()}
    for row in range(min(len(found), 3)):
        with suppress(StoreError):
            assert found.message(row).isprintable()
    return features | {str(layout) for layout in found.sessions["layout"]}


def _planned(folder: Path) -> set[str]:
    plan = plan_edit(folder, next_out=3, next_in=9, session=SESSION)
    told = f"{plan}{plan!r}{plan._repr_html_()}"
    assert told.replace("\n", "").isprintable()
    features = {f"{row.counter} {row.effect} {row.rule}" for row in plan.table.itertuples()}
    try:
        plan.apply()
    except StoreError as error:
        return features | {plain(str(error))}
    again = inspect(plan.path, session=SESSION)
    assert list(again.sessions["next_out"])[:1] == [3]
    assert list(again.sessions["next_in"])[:1] == [9]
    return features | {"applied"}


# Logs -------------------------------------------------------------------------------------

_SECRET = b"hunter2-S3CRET"


class LogTarget:
    """Any bytes to a log: the same lines whatever the split, no secret, nothing kept."""

    name = "message_log"
    bytes_max = 16 << 20
    bound = "message_bytes_max 64 KiB, 64 KiB of a stretch, and lines not written yet"

    def __init__(self, folder: Path) -> None:
        self._folders = folder / "whole", folder / "cut"

    def make(self, chance: random.Random) -> Case:
        data = stream(chance)
        if chance.random() < 0.5:
            data += (
                chance.choice((b"\x01554=%b\x01", b"95=14\x0196=%b\x01", b"554=%b|")) % _SECRET
            )
            data += stream(chance)
        cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice((0, 1, 4))))
        edges = [0, *cuts, len(data)]
        return tuple(data[a:b] for a, b in itertools.pairwise(edges))

    def bend(self, part: Part, chance: random.Random) -> Part:
        assert isinstance(part, bytes)
        if chance.random() < 0.2:
            return chance.choice(samples())
        return broken(part, chance) if part else part

    def play(self, case: Case) -> Played:
        pieces = [part for part in case if isinstance(part, bytes)]
        logged = [
            self._logged(folder, given)
            for folder, given in zip(self._folders, ([b"".join(pieces)], pieces), strict=True)
        ]
        assert logged[0] == logged[1], "the split matters"
        return Played(frozenset({f"{min(logged[0].count(b' : '), 9)} {b'***' in logged[0]}"}))

    def _logged(self, folder: Path, pieces: list[bytes]) -> bytes:
        made = config(message_bytes_max=1 << 16)
        shutil.rmtree(folder, ignore_errors=True)
        log = MessageLog(folder, made)
        for piece in pieces:
            log.received(piece, NOW)
            assert log._framer.waiting <= (1 << 16) + len(piece)
            assert len(log._broken) <= 1 << 16
        log.ended("over", NOW)
        assert log.error is None
        content = log.messages_path.read_bytes()
        assert content == redact.mask(content) or b"***" in content
        for tag in (b"554=", b"925="):
            assert b"\x01" + tag + _SECRET not in content
        return content
