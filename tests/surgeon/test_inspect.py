from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixlab import stores
from fixlab.errors import ConfigError, StoreError
from fixlab.frames import STORE_LAYOUTS, STORE_PROBLEMS, STORED, STORES, check
from fixlab.stores import FileStore, SQLiteStore
from fixlab.stores._layouts import Layout
from fixlab.surgeon import Inspection, inspect
from fixlab.wire.message import encode
from tests.stores.layouts import (
    CREATED,
    PREFIX,
    SESSION,
    Messages,
    history,
    message,
    write_quickfix,
    write_quickfixgo,
    write_quickfixj,
    write_quickfixn,
    write_sql,
)


def write_fixlab(path: Path, messages: Messages, next_out: int, next_in: int) -> None:
    with SQLiteStore(path, session=SESSION) as store:
        store.reset(now=CREATED)
        for seq, raw in messages:
            store.save_sent(seq, raw)
        while store.peek_out() < next_out:
            store.next_out()
        store.observed_in(next_in - 1)
        store.commit()


WRITERS: dict[str, Callable[[Path, Messages, int, int], None]] = {
    "quickfix": write_quickfix,
    "quickfixj": write_quickfixj,
    "quickfixj_cached": lambda *given: write_quickfixj(*given, cached=True),
    "quickfixn": write_quickfixn,
    "quickfixgo": write_quickfixgo,
    "fixlab": lambda folder, *given: write_fixlab(folder / "session.db", *given),
    "sql": lambda folder, *given: write_sql(folder / "quickfix.db", *given),
}


def codes(found: Inspection) -> list[tuple[str, str, Any, Any]]:
    columns = found.problems[["level", "code", "begin_seq_no", "end_seq_no"]]
    return list(columns.astype(object).itertuples(index=False, name=None))


def test_the_layouts_of_the_frame_are_those_there_are() -> None:
    assert tuple(Layout) == STORE_LAYOUTS


@pytest.mark.parametrize("layout", WRITERS)
def test_every_layout_gives_the_same_frames(tmp_path: Path, layout: str) -> None:
    WRITERS[layout](tmp_path, history(5), 6, 9)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    found = inspect(tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before
    check(found.table, STORED)
    check(found.sessions, STORES)
    check(found.problems, STORE_PROBLEMS)
    assert found.problems.empty
    assert found.ok
    (row,) = found.sessions.to_dict("records")
    assert row == {
        "session": SESSION,
        "layout": layout,
        "next_out": 6,
        "next_in": 9,
        "created": pd.Timestamp("2026-01-05 09:30", tz="UTC"),
        "messages": 5,
        "application": 3,
        "first": 1,
        "last": 5,
        "holes": 0,
        "problems": 0,
    }
    assert list(found.table["msg_seq_num"]) == [1, 2, 3, 4, 5]
    assert list(found.table["msg_type"]) == ["A", "D", "D", "0", "D"]
    assert list(found.table["admin"]) == [True, False, False, True, False]
    assert list(found.table["name"])[:2] == ["Logon", "NewOrderSingle"]
    assert found.table["valid"].all()
    assert found.table["sending_time"][1] == pd.Timestamp("2026-01-05 09:30:02", tz="UTC")
    assert found.raw(3) == history(5)[3][1]


def test_the_facade_names_the_same_functions() -> None:
    assert stores.inspect is inspect
    assert "inspect" in dir(stores)
    with pytest.raises(AttributeError, match=r"'fixlab\.stores' has no attribute 'inspekt'"):
        _ = stores.inspekt


def test_a_folder_may_hold_many_stores(tmp_path: Path) -> None:
    write_quickfix(tmp_path, history(3), 4, 4)
    other = [(1, message(1, "A", names="49=A|56=B"))]
    write_quickfix(tmp_path, other, 2, 2, prefix="FIX.4.4-A-B")
    write_sql(tmp_path / "quickfix.db", history(2), 3, 3)
    found = inspect(tmp_path)
    assert list(found.sessions["session"]) == ["FIX.4.4:A->B", SESSION, SESSION]
    assert found.ok
    assert len(found) == 6
    one = inspect(tmp_path, session="FIX.4.4-A-B")
    assert list(one.table["session"]) == ["FIX.4.4:A->B"]
    with pytest.raises(ConfigError, match=r"no store of session FIX\.4\.4:X->Y; found FIX"):
        inspect(tmp_path, session="FIX.4.4:X->Y")


@pytest.mark.parametrize("name", [PREFIX, f"{PREFIX}.seqnums", f"{PREFIX}.body"])
def test_a_file_or_the_prefix_names_one_store(tmp_path: Path, name: str) -> None:
    write_quickfix(tmp_path, history(3), 4, 4)
    write_quickfix(tmp_path, [], 1, 1, prefix="FIX.4.4-A-B")
    assert list(inspect(tmp_path / name).sessions["session"]) == [SESSION]


def test_a_path_without_a_store_says_what_is_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"holds no store; expected files .* nothing"):
        inspect(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(StoreError, match=r"found notes\.txt"):
        inspect(tmp_path)
    with pytest.raises(StoreError, match=r"notes\.txt: is no store; expected a folder"):
        inspect(tmp_path / "notes.txt")
    with pytest.raises(StoreError, match="there is no such file or folder"):
        inspect(tmp_path / "missing")
    with closing(sqlite3.connect(tmp_path / "other.db")) as database:
        database.execute("CREATE TABLE theirs (x)")
    with pytest.raises(StoreError, match=r"holds no store: .* found \['theirs'\]"):
        inspect(tmp_path / "other.db")


def test_a_store_of_fixlab_in_use_says_so(tmp_path: Path) -> None:
    with (
        SQLiteStore(tmp_path / "session.db"),
        pytest.raises(StoreError, match="is in use; close the store there"),
    ):
        inspect(tmp_path)


def test_an_open_file_store_can_be_looked_at(tmp_path: Path) -> None:
    with FileStore(tmp_path, SESSION, now=CREATED) as store:
        store.save_sent(store.next_out(), message(1, "A"))
        store.commit()
        found = inspect(tmp_path)
        assert codes(found) == [("note", "unfinished", pd.NA, pd.NA)]
        assert len(found) == 1


# --- what does not fit ------------------------------------------------------------------


@pytest.mark.parametrize("layout", WRITERS)
def test_problems_of_the_messages_are_found_in_every_layout(
    tmp_path: Path, layout: str
) -> None:
    bad = bytearray(message(6))
    bad[-2] ^= 1
    stored = [
        (1, message(1, "A")),
        (2, message(3)),  # another number inside
        (5, message(5, names="49=BUY|56=OTHER")),
        (6, bytes(bad)),
        (7, b"\x01554=hunter2\x01 no message"),
        (9, message(9)),
        (10, message(10)),
    ]
    WRITERS[layout](tmp_path, stored, 9, 3)
    found = inspect(tmp_path)
    assert codes(found) == [
        ("error", "other_number", 2, 2),
        ("error", "other_session", 5, 5),
        ("error", "garbled", 6, 6),
        ("error", "garbled", 7, 7),
        ("error", "stored_ahead", 9, 10),
        ("warning", "hole", 3, 4),
        ("warning", "hole", 8, 8),
    ]
    assert not found.ok
    assert list(found.table["valid"]) == [True, False, False, False, False, True, True]
    assert found.table["defect"][1] == "MsgSeqNum(34) is 3, stored under 2"
    assert found.table["defect"][2] == "is of session FIX.4.4:BUY->OTHER"
    assert "CheckSum(10) is" in found.table["defect"][3]
    assert found.sessions["holes"][0] == 3
    for shown in (str(found), found._repr_html_(), found.problems.to_string()):
        assert "hunter2" not in shown


def test_a_body_that_is_too_short_is_found(tmp_path: Path) -> None:
    write_quickfix(tmp_path, history(5), 6, 6)
    body = tmp_path / f"{PREFIX}.body"
    body.write_bytes(body.read_bytes()[:200])
    assert codes(inspect(tmp_path)) == [
        ("error", "body_short", 3, 5),
        ("warning", "hole", 3, 5),
    ]


@pytest.mark.parametrize(
    ("suffix", "content", "problem"),
    [
        ("seqnums", b"0000000004 : 00", ("error", "counters_unreadable", pd.NA, pd.NA)),
        ("session", b"", ("warning", "created_unknown", pd.NA, pd.NA)),
        ("session", b"20260105-09:30:04", ("error", "created_late", 1, 2)),
    ],
)
def test_a_file_that_cannot_be_right_is_found(
    tmp_path: Path, suffix: str, content: bytes, problem: tuple[Any, ...]
) -> None:
    write_quickfix(tmp_path, history(5), 6, 6)
    (tmp_path / f"{PREFIX}.{suffix}").write_bytes(content)
    found = inspect(tmp_path)
    assert str(codes(found)) == str([problem])
    if suffix == "seqnums":
        assert found.sessions["next_out"].isna().all()
        assert "NextNumOut unreadable" in str(found)


@pytest.mark.parametrize(
    ("tail", "level"), [(b"6,4", "warning"), (b"6,x,7 7,1,1 ", "error"), (b"\0" * 9, "warning")]
)
def test_a_damaged_index_is_found(tmp_path: Path, tail: bytes, level: str) -> None:
    write_quickfix(tmp_path, history(5), 6, 6)
    with (tmp_path / f"{PREFIX}.header").open("ab") as file:
        file.write(tail)
    found = inspect(tmp_path)
    assert [(row[0], row[1]) for row in codes(found)] == [(level, "index_damaged")]
    assert len(found) == 5


def test_replaced_messages_and_leftover_bytes_are_notes(tmp_path: Path) -> None:
    write_quickfix(tmp_path, [*history(3), (3, message(3, "8"))], 4, 4)
    with (tmp_path / f"{PREFIX}.body").open("ab") as file:
        file.write(b"8=FIX.4")
    found = inspect(tmp_path)
    assert [row[:2] for row in codes(found)] == [("note", "replaced"), ("note", "unindexed")]
    assert list(found.table["msg_type"]) == ["A", "D", "8"]
    assert found.ok


def test_a_store_that_keeps_no_messages_is_a_note(tmp_path: Path) -> None:
    write_quickfix(tmp_path, [], 9, 4)
    found = inspect(tmp_path)
    assert codes(found)[0][:2] == ("note", "nothing_stored")
    assert found.sessions["holes"][0] == 0
    assert len(found) == 0


def test_subids_and_replaced_characters_in_a_name_are_no_problem(tmp_path: Path) -> None:
    names = "49=B U|56=SELL|50=DESK"
    prefix = "FIX.4.4-B_U_DESK-SELL"
    write_quickfix(tmp_path, [(1, message(1, "A", names=names))], 2, 2, prefix=prefix)
    assert inspect(tmp_path).problems.empty


@given(st.lists(st.binary(max_size=80), max_size=6), st.binary(max_size=60))
@settings(max_examples=50, deadline=None)
def test_any_bytes_are_shown_and_never_raise(
    tmp_path_factory: pytest.TempPathFactory, raws: list[bytes], header: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    write_quickfix(folder, list(enumerate(raws, 1)), len(raws) + 1, 1)
    with (folder / f"{PREFIX}.header").open("ab") as file:
        file.write(header)
    try:
        found = inspect(folder)
    except StoreError:
        return
    check(found.table, STORED)
    assert "<script" not in found._repr_html_()
    assert all(len(line) <= 100 for line in str(found).splitlines())


# --- showing ----------------------------------------------------------------------------


def test_it_reads_well(tmp_path: Path) -> None:
    write_quickfix(tmp_path, history(5), 6, 9)
    found = inspect(tmp_path)
    assert repr(found) == f"<Inspection of {tmp_path.name}: 1 session, 5 messages, 0 problems>"
    assert found.to_frame() is found.table
    text = str(found)
    assert text.startswith(
        f"{SESSION} (layout quickfix)\n"
        "  NextNumOut 6, NextNumIn 9; both were 1 at 20260105-09:30:00\n"
        "  5 messages stored, 1 to 5, 3 of them for a resend; 0 numbers without a message\n"
    )
    assert "4            0         Heartbeat       2026-01-05 09:30:04" in text
    assert text.endswith("Problems\n  none")


def test_messages_are_shown_with_secrets_masked_and_html_escaped(tmp_path: Path) -> None:
    secret = message(1, "A", body="554=hunter2|58=<script>|")
    hostile = message(2, "<script>")
    write_quickfix(tmp_path, [(1, secret), (2, hostile)], 3, 3)
    found = inspect(tmp_path)
    assert "554=***|" in found.message(0)
    assert "hunter2" not in found.message(0)
    assert found.raw(0) == secret
    page = found._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    with pytest.raises(ConfigError, match="expected a row from 0 to 1, found 2"):
        found.message(2)


def test_text_of_an_engine_is_read_as_its_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "quickfix.db"
    raw = encode(
        b"FIX.4.4", "35=D\x0134=1\x0149=BUY\x0156=SELL\x0158=\u65e5\u672c\x01".encode()
    )
    write_sql(path, [(1, raw)], 2, 1)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE messages SET message = ?", (raw.decode(),))
        database.commit()
    found = inspect(path)
    assert found.raw(0) == raw
    assert found.ok


@pytest.mark.parametrize("row", [("1", "NULL"), ("1", "7"), ("1.5", "'x'"), ("'one'", "x'00'")])
def test_a_row_that_is_no_message_is_named(tmp_path: Path, row: tuple[str, str]) -> None:
    path = tmp_path / "quickfix.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE TABLE sessions (beginstring, sendercompid, targetcompid, creation_time,"
            " incoming_seqnum, outgoing_seqnum);"
            "CREATE TABLE messages (beginstring, sendercompid, targetcompid, msgseqnum,"
            " message);"
            "INSERT INTO sessions VALUES ('FIX.4.4', 'BUY', 'SELL', NULL, 1, 2);"
            f"INSERT INTO messages VALUES ('FIX.4.4', 'BUY', 'SELL', {row[0]}, {row[1]});"
        )
    with pytest.raises(StoreError, match="expected a whole number, and text or bytes"):
        inspect(path)


def test_counters_of_a_database_that_are_no_numbers_are_an_error(tmp_path: Path) -> None:
    path = tmp_path / "session.db"
    with closing(sqlite3.connect(path)) as database:
        database.executescript(
            "CREATE TABLE state (session, next_out, next_in, epoch);"
            "CREATE TABLE sent (seq, raw);"
            "INSERT INTO state VALUES (5, 'many', NULL, 'then');"
        )
    found = inspect(path)
    assert not found.ok
    assert "counters_unreadable" in [code for _, code, _, _ in codes(found)]


@pytest.mark.parametrize("digits", [b"1" * 5_000, b"%d" % 2**63])
def test_a_counter_of_go_that_is_far_too_large_is_unreadable(
    tmp_path: Path, digits: bytes
) -> None:
    write_quickfixgo(tmp_path, history(3), 4, 4)
    (tmp_path / f"{PREFIX}.senderseqnums").write_bytes(digits)
    found = inspect(tmp_path)
    assert ("error", "counters_unreadable", pd.NA, pd.NA) in codes(found)


@pytest.mark.parametrize("time", ["0001-01-01 00:00:00+14:00", "9999-12-31 23:59:59-14:00"])
def test_a_time_that_no_frame_holds_is_unknown(tmp_path: Path, time: str) -> None:
    path = tmp_path / "quickfix.db"
    write_sql(path, history(1), 2, 1)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE sessions SET creation_time = ?", (time,))
        database.commit()
    assert codes(inspect(path))[0][1] == "created_unknown"


def test_a_message_from_the_year_1_is_shown(tmp_path: Path) -> None:
    raw = encode(b"FIX.4.4", b"35=D\x0134=1\x0149=BUY\x0156=SELL\x0152=00010101-00:00:00\x01")
    write_quickfix(tmp_path, [(1, raw)], 2, 1)
    found = inspect(tmp_path)
    assert len(found) == 1
    assert "created_late" in [code for _, code, _, _ in codes(found)]
