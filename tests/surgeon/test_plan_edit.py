from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fixlab.errors import ConfigError, StoreError
from fixlab.frames import STORE_EDIT, STORED, check
from fixlab.rules import RULES
from fixlab.sql import SQLStore
from fixlab.stores import FileStore, SQLiteStore
from fixlab.surgeon import EditPlan, inspect, plan_edit
from fixlab.surgeon._apply import editor_of
from fixlab.surgeon._sources import find
from tests.stores.layouts import (
    PREFIX,
    SESSION,
    history,
    message,
    write_quickfix,
    write_quickfixj,
    write_sql,
)
from tests.surgeon.test_inspect import write_fixlab


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store of 260 messages: a Logon, 194 orders and 65 Heartbeats."""
    write_quickfix(tmp_path, history(260), 261, 301)
    return tmp_path


def rows(plan: EditPlan) -> list[tuple[Any, ...]]:
    columns = ["counter", "effect", "begin_seq_no", "end_seq_no", "rule"]
    return [tuple(row) for row in plan.table[columns].itertuples(index=False)]


def text_of(plan: EditPlan, effect: str) -> str:
    (found,) = plan.table.loc[plan.table["effect"] == effect, "text"]
    return str(found)


# --- what it says -----------------------------------------------------------------------


def test_seq_03_a_lowered_next_out_makes_the_peer_log_out(folder: Path) -> None:
    plan = plan_edit(folder, next_out=212)
    check(plan.table, STORE_EDIT)
    check(plan.affected, STORED)
    assert (plan.before, plan.after) == ((261, 301), (212, 301))
    assert rows(plan) == [
        ("next_out", "stops", 212, 260, "SEQ-03"),
        ("next_out", "note", 212, 260, "SEQ-15"),
        ("next_out", "lost", 212, 260, "RSP-01"),
    ]
    assert list(plan.table["count"]) == [49, 49, 49]
    assert "expects 261, will see MsgSeqNum too low (212)" in text_of(plan, "stops")
    assert text_of(plan, "lost").endswith("36 NewOrderSingle (35=D).")
    assert list(plan.affected["msg_seq_num"]) == list(range(212, 261))


def test_seq_05_a_raised_next_out_makes_the_peer_ask(tmp_path: Path) -> None:
    # An earlier edit left messages behind; 220 to 229 are missing.
    stored = [(seq, raw) for seq, raw in history(260) if not 220 <= seq < 230]
    write_quickfix(tmp_path, stored, 212, 301)
    plan = plan_edit(tmp_path, next_out=261)
    assert rows(plan) == [
        ("next_out", "asked", 212, 260, "SEQ-05"),
        ("next_out", "resent", 212, 260, "RSP-01"),
        ("next_out", "filled", 212, 260, "RSP-02"),
    ]
    assert "too high (261) and ask for 212 to 260" in text_of(plan, "asked")
    orders = sum(b"35=D" in raw for seq, raw in stored if seq >= 212)
    admin = sum(b"35=0" in raw for seq, raw in stored if seq >= 212)
    assert f"{orders} application messages in the store" in text_of(plan, "resent")
    assert (
        text_of(plan, "filled") == f"{49 - orders} numbers will be gap-filled: {admin} of "
        f"admin messages and 10 without a stored message."
    )


def test_rrq_01_a_lowered_next_in_asks_for_what_was_processed(folder: Path) -> None:
    plan = plan_edit(folder, next_in=212)
    assert rows(plan) == [
        ("next_in", "asked", 212, 300, "RRQ-01"),
        ("next_in", "twice", 212, 300, "SEQ-11"),
    ]
    assert "we will ask for 212 to 300 with a ResendRequest" in text_of(plan, "asked")


def test_seq_03_a_raised_next_in_never_asks_for_what_lies_between(folder: Path) -> None:
    plan = plan_edit(folder, next_in=310)
    assert rows(plan) == [
        ("next_in", "stops", 301, 309, "SEQ-03"),
        ("next_in", "lost", 301, 309, "RRQ-01"),
    ]
    assert "Messages 301 to 309 of the peer will never be asked for" in text_of(plan, "lost")


def test_sch_06_both_at_1_is_a_reset_by_one_side(folder: Path) -> None:
    plan = plan_edit(folder, next_out=1, next_in=1)
    assert rows(plan)[-1] == ("next_out", "note", 1, 1, "SCH-06")


def test_no_change_has_no_consequence(folder: Path) -> None:
    plan = plan_edit(folder, next_out=261)
    assert plan.table.empty
    assert str(plan).endswith("Nothing changes.")


@pytest.mark.parametrize("numbers", [(1, 1), (5, 400), (400, 5), (260, 300), (262, 302)])
def test_every_rule_it_names_is_a_rule(folder: Path, numbers: tuple[int, int]) -> None:
    plan = plan_edit(folder, next_out=numbers[0], next_in=numbers[1])
    assert set(plan.table["rule"]) <= set(RULES)
    assert all(len(line) <= 100 for line in str(plan).splitlines())
    assert plan.to_frame() is plan.table


def test_it_reads_well(folder: Path) -> None:
    plan = plan_edit(folder, next_out=212, session=SESSION)
    assert repr(plan) == (
        f"<EditPlan for {SESSION}: NextNumOut 261 -> 212, NextNumIn stays 301, 3 consequences>"
    )
    assert str(plan).startswith(
        f"{SESSION} in {PREFIX}\n  NextNumOut 261 -> 212\n  NextNumIn stays 301\n"
    )
    assert "<td>212 to 260</td><td>SEQ-03</td>" in plan._repr_html_()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "nothing to change: give next_out or next_in"),
        ({"next_out": 0}, "next_out must be a whole number from 1, found 0"),
        ({"next_in": True}, "next_in must be a whole number from 1, found True"),
        ({"next_in": "7"}, "next_in must be a whole number from 1, found '7'"),
        ({"next_out": 5, "session": "FIX.4.4:A->B"}, "no store of session FIX.4.4:A->B"),
    ],
)
def test_a_plan_that_makes_no_sense_is_refused(
    folder: Path, given: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        plan_edit(folder, **given)


def test_one_of_several_stores_must_be_named(folder: Path) -> None:
    write_quickfix(folder, [(1, message(1, names="49=A|56=B"))], 2, 2, prefix="FIX.4.4-A-B")
    with pytest.raises(ConfigError, match=r"holds 2 stores; say which session, one of FIX"):
        plan_edit(folder, next_out=5)
    assert plan_edit(folder, next_out=5, session="FIX.4.4:A->B").before == (2, 2)


# --- what it does -----------------------------------------------------------------------


def test_apply_writes_the_counters_and_keeps_a_copy(folder: Path) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    backup = plan_edit(folder, next_out=212, next_in=7).apply()
    assert backup == folder / f"{PREFIX}.backup-1"
    assert {path.name: path.read_bytes() for path in backup.iterdir()} == before
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert after == before | {f"{PREFIX}.seqnums": b"%020d : %020d" % (212, 7)}
    with FileStore(folder) as store:
        assert (store.peek_out(), store.current_in()) == (212, 7)
    assert plan_edit(folder, next_out=213).apply().name == f"{PREFIX}.backup-2"
    assert len(inspect(folder).sessions) == 1, "a backup is no store of its own"


def test_apply_keeps_ten_digits(tmp_path: Path) -> None:
    write_quickfix(tmp_path, history(5), 6, 6, width=10)
    plan_edit(tmp_path, next_out=9).apply()
    assert (tmp_path / f"{PREFIX}.seqnums").read_bytes() == b"0000000009 : 0000000006"


def test_unreadable_counters_are_repaired_with_both_numbers(tmp_path: Path) -> None:
    write_quickfix(tmp_path, history(5), 6, 6)
    (tmp_path / f"{PREFIX}.seqnums").write_bytes(b"00000")
    with pytest.raises(ConfigError, match="so both next_out and next_in are needed"):
        plan_edit(tmp_path, next_out=6)
    plan = plan_edit(tmp_path, next_out=6, next_in=9)
    assert rows(plan) == [
        ("next_out", "note", 6, 6, "SEQ-13"),
        ("next_in", "note", 9, 9, "SEQ-13"),
    ]
    assert "NextNumOut unreadable -> 6" in str(plan)
    plan.apply()
    with FileStore(tmp_path) as store:
        assert (store.peek_out(), store.current_in()) == (6, 9)


def test_apply_works_on_a_store_of_fixlab(tmp_path: Path) -> None:
    path = tmp_path / "session.db"
    write_fixlab(path, history(5), 6, 9)
    backup = plan_edit(path, next_out=3, next_in=4).apply()
    assert backup == tmp_path / "session.db.backup-1"
    with SQLiteStore(path) as store:
        assert (store.peek_out(), store.current_in(), store.session) == (3, 4, SESSION)
        assert len(list(store.sent(1, 99))) == 5
    with SQLiteStore(backup) as store:
        assert (store.peek_out(), store.current_in()) == (6, 9)
        assert list(store.sent(1, 99)) == history(5)


def test_lost_counters_of_a_store_of_fixlab_are_repaired(tmp_path: Path) -> None:
    path = tmp_path / "session.db"
    write_fixlab(path, history(5), 6, 9)
    with closing(sqlite3.connect(path)) as database:
        database.execute("DELETE FROM state")
        database.commit()
    plan_edit(path, next_out=6, next_in=9).apply()
    with SQLiteStore(path) as store:
        assert (store.peek_out(), store.current_in()) == (6, 9)


def test_a_store_in_use_is_not_changed(folder: Path, tmp_path: Path) -> None:
    plan = plan_edit(folder, next_out=212)
    with (
        FileStore(folder) as store,
        pytest.raises(StoreError, match="another FileStore of this very process"),
    ):
        plan.apply()
    assert store.path == folder / PREFIX
    path = tmp_path / "session.db"
    write_fixlab(path, history(5), 6, 9)
    plan = plan_edit(path, next_out=3)
    with SQLiteStore(path) as used, pytest.raises(StoreError, match="is in use"):
        plan.apply()
    assert not list(tmp_path.glob("*.backup-*"))
    with SQLiteStore(path) as used:
        assert used.peek_out() == 6


def test_a_store_that_moved_on_is_not_changed(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "session.db"
    write_fixlab(path, history(5), 6, 9)
    plans = [plan_edit(folder / PREFIX, next_out=212), plan_edit(path, next_out=3)]
    for store in (FileStore(folder), SQLiteStore(path)):
        with store:
            store.observed_in(500)
            store.commit()
    for plan in plans:
        with pytest.raises(StoreError, match="was changed since the plan was made; plan again"):
            plan.apply()
    assert not list(tmp_path.glob("*.backup-*"))
    assert not list(tmp_path.glob("*.lock"))


def test_a_plan_is_applied_once(folder: Path) -> None:
    plan = plan_edit(folder, next_out=212)
    plan.apply()
    with pytest.raises(StoreError, match="was changed since"):
        plan.apply()


def test_a_store_whose_owner_was_killed_is_tidied_first(folder: Path) -> None:
    store = FileStore(folder)
    lock = (folder / f"{PREFIX}.lock").read_bytes()
    store.close()
    (folder / f"{PREFIX}.lock").write_bytes(lock)
    plan = plan_edit(folder, next_out=212)
    with pytest.raises(StoreError, match=r"its last owner was killed\. Open and close it once"):
        plan.apply()
    FileStore(folder).close()
    plan_edit(folder, next_out=212).apply()


def test_a_layout_that_is_only_read_says_so(tmp_path: Path) -> None:
    write_quickfixj(tmp_path, history(5), 6, 9)
    plan = plan_edit(tmp_path, next_out=3)
    assert rows(plan)[0][1] == "stops"
    with pytest.raises(
        StoreError, match=r"only reads stores of layout quickfixj; .*NextNumOut 3"
    ):
        plan.apply()


def test_the_copy_of_a_database_is_no_second_store_of_its_folder(tmp_path: Path) -> None:
    write_fixlab(tmp_path / "session.db", history(3), 4, 4)
    backup = plan_edit(tmp_path, next_out=9).apply()
    assert plan_edit(tmp_path, next_out=4).before == (9, 4)
    assert inspect(backup).sessions["next_out"].tolist() == [4]


# Tables of QuickFIX -------------------------------------------------------------------------


def counters(path: Path) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as database:
        return database.execute(
            "SELECT targetcompid, outgoing_seqnum, incoming_seqnum, creation_time "
            "FROM sessions ORDER BY targetcompid"
        ).fetchall()


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """Two sessions in the tables that QuickFIX makes, with no key; one has messages."""
    path = tmp_path / "quickfix.db"
    write_sql(path, history(5), 6, 9)
    change(
        path,
        "INSERT INTO sessions VALUES ('FIX.4.4', 'BUY', 'OTHER', NULL, '2026-01-05', 20, 10)",
    )
    return path


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_apply_changes_one_row_of_the_tables_of_quickfix(tables: Path, mode: str) -> None:
    change(tables, f"PRAGMA journal_mode = {mode}")
    before = counters(tables)
    backup = plan_edit(tables, next_out=3, session=SESSION).apply()
    assert backup == tables.with_name("quickfix.db.backup-1")
    assert counters(backup) == before
    first, second = counters(tables)
    assert first == before[0]
    assert second == ("SELL", 3, 9, before[1][3])
    assert inspect(tables, session=SESSION).table["msg_seq_num"].tolist() == [1, 2, 3, 4, 5]
    plan_edit(tables, next_in=7, session="FIX.4.4:BUY->OTHER").apply()
    assert [row[1:3] for row in counters(tables)] == [(10, 7), (3, 9)]


def test_a_sql_store_goes_on_from_what_was_applied(tmp_path: Path) -> None:
    url, path = f"sqlite:///{tmp_path / 's.db'}", tmp_path / "s.db"
    with SQLStore(url, ("FIX.4.4", "BUY", "SELL")) as store:
        store.save_sent(store.next_out(), b"1")
        store.commit()
    plan_edit(path, next_out=60).apply()
    with SQLStore(url, ("FIX.4.4", "BUY", "SELL")) as store:
        assert (store.peek_out(), store.current_in()) == (60, 1)
        assert list(store.sent(1, 99)) == [(1, b"1")]
        plan_edit(path, next_out=70).apply()
        store.next_out()
        with pytest.raises(StoreError, match="the database holds NextNumOut 70"):
            store.commit()


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "BEGIN; SELECT * FROM sessions"])
def test_tables_in_use_are_not_changed(tables: Path, statement: str) -> None:
    plan = plan_edit(tables, next_out=3, session=SESSION)
    with closing(sqlite3.connect(tables, isolation_level=None)) as other:
        for part in statement.split(";"):
            other.execute(part).fetchone()
        with pytest.raises(StoreError, match="is in use"):
            plan.apply()
    assert counters(tables)[1][1:3] == (6, 9)
    assert not list(tables.parent.glob("*.backup-*"))
    plan.apply()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sessions SET incoming_seqnum = 10 WHERE targetcompid = 'SELL'",
        "DELETE FROM messages WHERE msgseqnum = 5",
        "DELETE FROM sessions WHERE targetcompid = 'SELL'",
    ],
)
def test_tables_that_moved_on_are_not_changed(tables: Path, statement: str) -> None:
    plan = plan_edit(tables, next_out=3, session=SESSION)
    change(tables, statement)
    before = counters(tables)
    with pytest.raises(StoreError, match="was changed since the plan was made; plan again"):
        plan.apply()
    assert counters(tables) == before
    assert not list(tables.parent.glob("*.backup-*"))


def test_a_row_that_is_gone_before_the_plan_is_made_is_not_written(tables: Path) -> None:
    (source,) = find(tables, SESSION)
    change(tables, "DELETE FROM sessions WHERE targetcompid = 'SELL'")
    with pytest.raises(StoreError, match=r"expected one row of FIX.4.4:BUY->SELL .* found 0"):
        editor_of(source).apply((3, 9))
    assert not list(tables.parent.glob("*.backup-*"))


def test_another_session_of_the_tables_may_move_on(tables: Path) -> None:
    plan = plan_edit(tables, next_out=3, session=SESSION)
    change(tables, "UPDATE sessions SET incoming_seqnum = 21 WHERE targetcompid = 'OTHER'")
    plan.apply()
    assert [row[1:3] for row in counters(tables)] == [(10, 21), (3, 9)]


def test_counters_of_the_tables_that_are_no_numbers_are_repaired(tables: Path) -> None:
    change(tables, "UPDATE sessions SET outgoing_seqnum = 'x' WHERE targetcompid = 'SELL'")
    plan_edit(tables, next_out=6, next_in=9, session=SESSION).apply()
    assert counters(tables)[1][1:3] == (6, 9)


def test_a_url_is_refused_without_its_password(tmp_path: Path) -> None:
    url = "postgresql+psycopg://u:s3cr3t@127.0.0.1:1/db"
    for look in (inspect, lambda path: plan_edit(path, next_out=3)):
        with pytest.raises(ConfigError, match=r"begins with postgresql\+psycopg:") as caught:
            look(url)
        assert "s3cr3t" not in str(caught.value)


def test_the_counters_keep_their_permissions(folder: Path) -> None:
    counters = folder / f"{PREFIX}.seqnums"
    counters.chmod(0o640)
    before = stat.S_IMODE(counters.stat().st_mode)
    plan_edit(folder, next_in=302).apply()
    assert stat.S_IMODE(counters.stat().st_mode) == before


def test_names_that_a_terminal_would_obey_are_made_visible(tmp_path: Path) -> None:
    path = tmp_path / "quickfix.db"
    write_sql(path, [], 2, 1)
    with closing(sqlite3.connect(path)) as database:
        database.execute("UPDATE sessions SET targetcompid = ?", ("<i>\x1b[2J",))
        database.commit()
    plan = plan_edit(path, next_out=9)
    shown = (str(plan), repr(plan), str(inspect(path)), repr(inspect(path)))
    assert not any("\x1b" in text for text in shown)
    assert "<i>" not in plan._repr_html_() + inspect(path)._repr_html_()


def test_a_message_under_the_highest_number_leaves_room_for_a_plan(tmp_path: Path) -> None:
    most = 2**63 - 1
    write_quickfix(tmp_path, [(most, message(most))], 2, 1)
    (tmp_path / f"{PREFIX}.seqnums").write_bytes(b"damaged")
    plan = plan_edit(tmp_path, next_out=3, next_in=9)
    assert ("next_out", "stops", 3, most - 1, "SEQ-03") in rows(plan)
