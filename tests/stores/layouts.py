"""Stores as the engines of the QuickFIX family leave them on disk, made by hand."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from fixlab.wire.message import encode

Messages = Sequence[tuple[int, bytes]]

CREATED = 1_767_605_400 * 10**9  # 20260105-09:30:00
PREFIX = "FIX.4.4-BUY-SELL"
SESSION = "FIX.4.4:BUY->SELL"


def message(
    seq: int, kind: str = "D", *, names: str = "49=BUY|56=SELL", body: str = "11=A|"
) -> bytes:
    """Wire bytes of one message, sent some seconds after `CREATED`."""
    header = f"35={kind}|34={seq}|{names}|52=20260105-09:30:{seq % 60:02d}.000|"
    return encode(b"FIX.4.4", (header + body).replace("|", "\x01").encode("latin-1"))


def history(count: int = 5) -> Messages:
    """A Logon, orders, and a Heartbeat as every fourth message."""
    kinds = ["A", *("0" if seq % 4 == 0 else "D" for seq in range(2, count + 1))]
    return [(seq, message(seq, kind)) for seq, kind in enumerate(kinds, 1)]


def index_of(messages: Messages) -> list[tuple[int, int, int]]:
    """Number, offset and size of each message in a body."""
    entries, offset = [], 0
    for seq, raw in messages:
        entries.append((seq, offset, len(raw)))
        offset += len(raw)
    return entries


def _write(folder: Path, prefix: str, files: dict[str, bytes]) -> None:
    for suffix, content in files.items():
        (folder / f"{prefix}.{suffix}").write_bytes(content)


def _utf(text: str) -> bytes:
    return len(text).to_bytes(2, "big") + text.encode("ascii")


def write_quickfix(
    folder: Path,
    messages: Messages,
    next_out: int,
    next_in: int,
    *,
    prefix: str = PREFIX,
    width: int = 20,
) -> None:
    files = {
        "body": b"".join(raw for _, raw in messages),
        "header": b"".join(b"%d,%d,%d " % entry for entry in index_of(messages)),
        "seqnums": b"%0*d : %0*d" % (width, next_out, width, next_in),
        "session": b"20260105-09:30:00",
    }
    _write(folder, prefix, files)


def write_quickfixj(
    folder: Path, messages: Messages, next_out: int, next_in: int, *, cached: bool = False
) -> None:
    files = {
        "body": b"".join(raw for _, raw in messages),
        "header": b"".join(struct.pack(">iqi", *entry) for entry in index_of(messages)),
        "session": _utf("20260105-09:30:00.000"),
    }
    if cached:
        files["seqnums"] = _utf(f"{next_out}:{next_in}")
    else:
        # A longer number stood there once: what follows the counted bytes means nothing.
        files["senderseqnums"] = _utf(str(next_out)) + b"99"
        files["targetseqnums"] = _utf(str(next_in))
    _write(folder, PREFIX, files)


def write_quickfixn(folder: Path, messages: Messages, next_out: int, next_in: int) -> None:
    files = {
        "body": b"".join(raw for _, raw in messages),
        "header": b"".join(b"%d,%d,%d\r\n" % entry for entry in index_of(messages)),
        "seqnums": b"%020d : %020d  " % (next_out, next_in),
        "session": b"20260105-09:30:00.000",
    }
    _write(folder, PREFIX, files)


def write_quickfixgo(folder: Path, messages: Messages, next_out: int, next_in: int) -> None:
    files = {
        "body": b"".join(raw for _, raw in messages),
        "header": b"".join(b"%d,%d,%d\n" % entry for entry in index_of(messages)),
        "senderseqnums": b"%019d" % next_out,
        "targetseqnums": b"%019d" % next_in,
        "session": b"2026-01-05T10:30:00+01:00",
    }
    _write(folder, PREFIX, files)


_TABLES = """
CREATE TABLE sessions (beginstring CHAR(8), sendercompid VARCHAR(64),
    targetcompid VARCHAR(64), session_qualifier VARCHAR(64), creation_time DATETIME,
    incoming_seqnum INTEGER, outgoing_seqnum INTEGER);
CREATE TABLE messages (beginstring CHAR(8), sendercompid VARCHAR(64),
    targetcompid VARCHAR(64), session_qualifier VARCHAR(64), msgseqnum INTEGER, message TEXT);
"""
_KEY = ("FIX.4.4", "BUY", "SELL", "")


def write_sql(path: Path, messages: Messages, next_out: int, next_in: int) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.executescript(_TABLES)
        database.execute(
            "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?, ?)",
            (*_KEY, "2026-01-05 09:30:00", next_in, next_out),
        )
        database.executemany(
            "INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?)",
            [(*_KEY, seq, raw.decode("latin-1")) for seq, raw in messages],
        )
        database.commit()
