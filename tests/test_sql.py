"""SQLStore on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fixlab.errors import ConfigError, StoreError
from fixlab.net.acceptor import Acceptor
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.session.events import Received
from fixlab.sql import SQLStore
from fixlab.stores import Store
from fixlab.wire.message import encode
from tests import postgres
from tests.net.peers import BUY, SELL, order, run
from tests.stores.contract import (
    MACHINE_SETTINGS,
    StoreContract,
    StoreMachine,
    messages,
    send,
)

KEY = ("FIX.4.4", "BUY", "SELL")
TIME = 1_763_800_000_123_456_000  # ns; a database keeps microseconds

# The tables as QuickFIX makes them in PostgreSQL: numbers of four bytes, messages as text.
OF_QUICKFIX = """
CREATE TABLE sessions (
    beginstring CHAR(8) NOT NULL, sendercompid VARCHAR(64) NOT NULL,
    targetcompid VARCHAR(64) NOT NULL, session_qualifier VARCHAR(64) NOT NULL,
    creation_time TIMESTAMP NOT NULL,
    incoming_seqnum INTEGER NOT NULL, outgoing_seqnum INTEGER NOT NULL,
    PRIMARY KEY (beginstring, sendercompid, targetcompid, session_qualifier));
CREATE TABLE messages (
    beginstring CHAR(8) NOT NULL, sendercompid VARCHAR(64) NOT NULL,
    targetcompid VARCHAR(64) NOT NULL, session_qualifier VARCHAR(64) NOT NULL,
    msgseqnum INTEGER NOT NULL, message TEXT NOT NULL,
    PRIMARY KEY (beginstring, sendercompid, targetcompid, session_qualifier, msgseqnum))
"""
# And as QuickFIX/J does: four more columns in every key, other number types.
OF_JAVA = """
CREATE TABLE sessions (
    beginstring CHAR(8) NOT NULL, sendercompid VARCHAR(64) NOT NULL,
    sendersubid VARCHAR(64) NOT NULL, senderlocid VARCHAR(64) NOT NULL,
    targetcompid VARCHAR(64) NOT NULL, targetsubid VARCHAR(64) NOT NULL,
    targetlocid VARCHAR(64) NOT NULL, session_qualifier VARCHAR(64) NOT NULL,
    creation_time TIMESTAMP NOT NULL,
    incoming_seqnum NUMERIC(20) NOT NULL, outgoing_seqnum NUMERIC(20) NOT NULL,
    PRIMARY KEY (beginstring, sendercompid, sendersubid, senderlocid, targetcompid,
        targetsubid, targetlocid, session_qualifier));
CREATE TABLE messages (
    beginstring CHAR(8) NOT NULL, sendercompid VARCHAR(64) NOT NULL,
    sendersubid VARCHAR(64) NOT NULL, senderlocid VARCHAR(64) NOT NULL,
    targetcompid VARCHAR(64) NOT NULL, targetsubid VARCHAR(64) NOT NULL,
    targetlocid VARCHAR(64) NOT NULL, session_qualifier VARCHAR(64) NOT NULL,
    msgseqnum NUMERIC(20) NOT NULL, message TEXT NOT NULL,
    PRIMARY KEY (beginstring, sendercompid, sendersubid, senderlocid, targetcompid,
        targetsubid, targetlocid, session_qualifier, msgseqnum))
"""

_names = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Cluster]:
    if postgres.programs() is None:
        pytest.skip("no PostgreSQL server on this machine (Debian: apt install postgresql)")
    with postgres.cluster() as running:
        yield running


@pytest.fixture(scope="session")
def postgres_url(request: pytest.FixtureRequest) -> str:
    given_url = os.environ.get("FIXLAB_TEST_POSTGRES")
    if given_url:
        return given_url
    running: postgres.Cluster = request.getfixturevalue("server")
    return running.url


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[sa.Engine]:
    """Its own empty schema in the database, for each test."""
    admin = sa.create_engine(postgres_url)
    name = f"fixlab_{os.getpid()}_{next(_names)}"
    with admin.begin() as db:
        db.execute(sa.text(f"CREATE SCHEMA {name}"))
    engine = sa.create_engine(postgres_url, connect_args={"options": f"-csearch_path={name}"})
    try:
        yield engine
    finally:
        engine.dispose()
        with admin.begin() as db:
            db.execute(sa.text(f"DROP SCHEMA {name} CASCADE"))
        admin.dispose()


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[sa.Engine]:
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'fix.db'}")
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgres"])
def engine(request: pytest.FixtureRequest) -> sa.Engine:
    found: sa.Engine = request.getfixturevalue(f"{request.param}_engine")
    return found


class TestOnSQLite(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with SQLStore(f"sqlite:///{tmp_path / 'fix.db'}", KEY) as store:
            yield store


class TestOnPostgres(StoreContract):
    @pytest.fixture
    def store(self, postgres_engine: sa.Engine) -> Iterator[Store]:
        with SQLStore(postgres_engine, KEY) as store:
            yield store


class SQLMachine(StoreMachine):
    def make(self) -> Store:
        self.folder = TemporaryDirectory()
        self.engine = sa.create_engine(f"sqlite:///{self.folder.name}/fix.db")
        return SQLStore(self.engine, KEY)

    def reopen(self) -> None:
        self.store.close()
        self.store = SQLStore(self.engine, KEY)

    def teardown(self) -> None:
        super().teardown()
        if hasattr(self, "folder"):
            self.engine.dispose()
            self.folder.cleanup()


TestSQLMachine = SQLMachine.TestCase
TestSQLMachine.settings = settings(MACHINE_SETTINGS, max_examples=15)


def statements(engine: sa.Engine, sql: str) -> None:
    with engine.begin() as db:
        for statement in sql.split(";"):
            db.execute(sa.text(statement))


# What is kept --------------------------------------------------------------------------


def test_everything_is_there_when_it_is_opened_again(engine: sa.Engine) -> None:
    with SQLStore(engine, KEY) as store:
        assert store.epoch is None
        store.reset(now=TIME)
        send(store, b"one")
        store.observed_in(6)
        store.commit()
        send(store, b"never committed")
    with SQLStore(engine, KEY) as store:
        assert (store.peek_out(), store.current_in(), store.epoch) == (2, 7, TIME)
        assert messages(store) == [(1, b"one")]
        store.reset(now=0)
        store.commit()
    with SQLStore(engine, KEY) as store:
        assert (store.peek_out(), store.current_in(), store.epoch) == (1, 1, 0)
        store.reset()
        store.commit()
    with SQLStore(engine, KEY) as store:
        assert store.epoch is None


def test_many_sessions_share_a_database(engine: sa.Engine) -> None:
    config = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL", session_qualifier="b")
    keys: list[SessionConfig | tuple[str, ...]] = [KEY, (*KEY, "a"), config]
    keys += [("FIXT.1.1", "BUY", "SELL"), ("FIX.4.4", "SELL", "BUY")]
    stores = [SQLStore(engine, key) for key in keys]
    for number, store in enumerate(stores, 1):
        for _ in range(number):
            send(store, b"%d" % number)
        store.observed_in(10 * number)
        store.commit()
    stores[1].reset()
    stores[1].commit()
    for store in stores:
        store.close()
    again = [SQLStore(engine, key) for key in keys]
    assert [store.peek_out() for store in again] == [2, 1, 4, 5, 6]
    assert [store.current_in() for store in again] == [11, 1, 31, 41, 51]
    assert messages(again[2]) == [(1, b"3"), (2, b"3"), (3, b"3")]
    assert again[2].session == "FIX.4.4:BUY->SELL/b"


def test_a_replay_reads_in_chunks(engine: sa.Engine) -> None:
    with SQLStore(engine, KEY) as store:
        for _ in range(1000):
            send(store, b"x" * 100)
        store.commit()
        asked: list[str] = []
        sa.event.listen(
            engine, "before_cursor_execute", lambda *given: asked.append(str(given[2]))
        )
        replay = store.sent(1, 1000)
        assert next(replay) == (1, b"x" * 100)
        assert len(asked) == 1
        assert "LIMIT" in asked[0]
        assert len(list(replay)) == 999
        assert len(asked) == 5
        assert len(list(store.sent(1, 1000))) == 1000
        assert len(asked) == 9


def test_a_replay_reads_few_large_messages_ahead(engine: sa.Engine) -> None:
    with SQLStore(engine, KEY) as store:
        for _ in range(40):
            send(store, b"x" * 300_000)
        for _ in range(40):
            send(store, b"y")
        store.commit()
        asked: list[str] = []
        sa.event.listen(
            engine, "before_cursor_execute", lambda *given: asked.append(str(given[2]))
        )
        found = list(store.sent(1, 80))
        assert [(seq, len(raw)) for seq, raw in found] == [
            (seq, 300_000 if seq <= 40 else 1) for seq in range(1, 81)
        ]
        # 16 at first; then one by one, until a small one comes; then 16, then the rest.
        assert len(asked) == 1 + 24 + 1 + 1 + 1


def test_a_step_is_one_transaction(engine: sa.Engine) -> None:
    with SQLStore(engine, KEY) as store:
        commits: list[object] = []
        sa.event.listen(engine, "commit", commits.append)
        for _ in range(5):
            send(store, b"x")
        store.observed_in(3)
        store.commit()
        assert len(commits) == 1
        store.commit()
        assert len(commits) == 1, "nothing was changed"


# Tables of QuickFIX --------------------------------------------------------------------


def message(text: bytes) -> bytes:
    return encode(b"FIX.4.4", b"35=B\x0134=2\x01148=" + text + b"\x01")


@pytest.mark.parametrize("tables", [OF_QUICKFIX, OF_JAVA], ids=["cpp", "java"])
def test_a_database_of_quickfix_goes_on(engine: sa.Engine, tables: str) -> None:
    statements(engine, tables)
    java = "sendersubid" in tables
    names = "beginstring, sendercompid, targetcompid, session_qualifier"
    values = "'FIX.4.4', 'BUY', 'SELL', ''"
    if java:
        names += ", sendersubid, senderlocid, targetsubid, targetlocid"
        values += ", '', '', '', ''"
    old = message("Übertrag €".encode())
    with engine.begin() as db:
        db.execute(
            sa.text(
                f"INSERT INTO sessions ({names}, creation_time, incoming_seqnum, "
                f"outgoing_seqnum) VALUES ({values}, '2025-11-22 08:26:40.000000', 12, 3)"
            )
        )
        # An engine hands over its bytes, which a database in UTF-8 takes for characters.
        db.execute(
            sa.text(
                f"INSERT INTO messages ({names}, msgseqnum, message) VALUES ({values}, 2, :raw)"
            ),
            {"raw": old.decode()},
        )
    new = [message(b"\xdcbertrag \xff"), message("€".encode()), b"no FIX \xe9", "é".encode()]
    with SQLStore(engine, KEY, create=False) as store:
        assert (store.peek_out(), store.current_in()) == (3, 12)
        assert store.epoch == 1_763_800_000_000_000_000
        assert messages(store) == [(2, old)]
        for raw in new:
            send(store, raw)
        store.commit()
    with SQLStore(engine, KEY) as store:
        assert messages(store) == [(2, old), *enumerate(new, 3)]
        assert store.peek_out() == 7
    with engine.connect() as db:
        created, text = db.execute(
            sa.text(
                "SELECT s.creation_time, m.message FROM sessions s, messages m "
                "WHERE m.msgseqnum = 4"
            )
        ).one()
    assert str(created).startswith("2025-11-22 08:26:40")
    assert "€" in text, "what is UTF-8 stands there as an engine would write it"


def test_a_nul_does_not_fit_text_of_postgres(postgres_engine: sa.Engine) -> None:
    statements(postgres_engine, OF_QUICKFIX)
    with SQLStore(postgres_engine, KEY) as store:
        send(store, b"a\x00b")
        with pytest.raises(StoreError, match=r"cannot contain NUL.*NextNumOut 1"):
            store.commit()
        send(store, b"good")
        store.commit()
        assert messages(store) == [(1, b"good")]


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=40), fix=st.booleans())
@example(raw=b"\xc3\xa9", fix=False)
@example(raw=b"\xc3\xa9", fix=True)
@example(raw=b"\xe9", fix=True)
def test_any_bytes_survive_a_text_column(
    raw: bytes, fix: bool, text_store: Callable[[], SQLStore]
) -> None:
    store = text_store()
    raw = message(raw.replace(b"\x01", b"")) if fix else raw
    store.save_sent(1, raw)
    store.commit()
    assert messages(store) == [(1, raw)]


@pytest.fixture(scope="module")
def text_store() -> Iterator[Callable[[], SQLStore]]:
    engine = sa.create_engine("sqlite://")
    statements(engine, OF_QUICKFIX)
    with SQLStore(engine, KEY) as store:
        yield lambda: store
    engine.dispose()


def test_tables_made_here_have_the_columns_of_quickfix(engine: sa.Engine) -> None:
    SQLStore(engine, KEY).close()
    found = {
        name: [column["name"] for column in sa.inspect(engine).get_columns(name)]
        for name in ("sessions", "messages")
    }
    key = ["beginstring", "sendercompid", "targetcompid", "session_qualifier"]
    assert found == {
        "sessions": [*key, "creation_time", "incoming_seqnum", "outgoing_seqnum"],
        "messages": [*key, "msgseqnum", "message"],
    }


def test_another_programs_table_is_left_alone(engine: sa.Engine) -> None:
    statements(engine, "CREATE TABLE sessions (id INTEGER, sendercompid TEXT)")
    with pytest.raises(StoreError, match=r"`sessions` is not QuickFIX's.*beginstring, target"):
        SQLStore(engine, KEY)


def test_missing_tables_are_made_only_when_wanted(engine: sa.Engine) -> None:
    with pytest.raises(StoreError, match="no table `sessions`; use create=True"):
        SQLStore(engine, KEY, create=False)
    assert not sa.inspect(engine).has_table("messages")


def test_two_rows_of_one_session_are_refused(sqlite_engine: sa.Engine) -> None:
    keyless = OF_QUICKFIX.replace(
        ",\n    PRIMARY KEY (beginstring, sendercompid, targetcompid, session_qualifier)", ""
    )
    row = "INSERT INTO sessions VALUES ('FIX.4.4','BUY','SELL','','2025-11-22 00:00:00',1,1)"
    statements(sqlite_engine, f"{keyless};{row};{row}")
    with pytest.raises(StoreError, match="has 2 rows of this session, expected one"):
        SQLStore(sqlite_engine, KEY)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("sessions SET outgoing_seqnum = NULL", "a counter is None, expected a whole number"),
        ("sessions SET outgoing_seqnum = -5", "a counter is -5, expected a whole number"),
        ("sessions SET incoming_seqnum = 0", "a counter is 0, expected a whole number"),
        ("sessions SET incoming_seqnum = 9e999", "a counter is inf, expected a whole number"),
        ("sessions SET incoming_seqnum = 1.5", "a counter is 1.5, expected a whole number"),
        ("sessions SET creation_time = x'ff'", "`creation_time` is no time"),
        ("messages SET message = NULL", "message 1 is NoneType, expected text or bytes"),
    ],
)
def test_what_no_store_wrote_is_refused(
    sqlite_engine: sa.Engine, change: str, said: str
) -> None:
    columns = "beginstring, sendercompid, targetcompid, session_qualifier"
    row = "INSERT INTO {} VALUES ('FIX.4.4','BUY','SELL','',{})"
    times = "'2025-11-22 00:00:00',1,2"
    message = row.format("messages", "1,'x'")
    # No constraints: what an administrator has made by hand.
    tables = (
        f"CREATE TABLE sessions ({columns}, creation_time DATETIME, incoming_seqnum INTEGER,"
        f" outgoing_seqnum INTEGER);CREATE TABLE messages ({columns}, msgseqnum INTEGER,"
        f" message TEXT)"
    )
    filled = f"{row.format('sessions', times)};{message}"
    statements(sqlite_engine, f"{tables};{filled};UPDATE {change}")
    with pytest.raises(StoreError, match=said):
        list(SQLStore(sqlite_engine, KEY).sent(1, 9))


# Two owners ----------------------------------------------------------------------------


def test_a_second_owner_is_noticed_before_a_number_is_used_twice(engine: sa.Engine) -> None:
    first, second = SQLStore(engine, KEY), SQLStore(engine, KEY)
    send(first, b"first")
    first.observed_in(4)
    first.commit()
    assert send(second, b"second") == 1
    with pytest.raises(
        StoreError,
        match=r"FIX.4.4:BUY->SELL: another .* wrote NextNumOut 1 and NextNumIn 1, the database "
        r"holds NextNumOut 2 and NextNumIn 5",
    ):
        second.commit()
    with pytest.raises(StoreError, match="another program"):
        second.next_out()
    assert messages(first) == [(1, b"first")]
    send(first, b"next")
    first.commit()
    second.close()
    first.close()
    with SQLStore(engine, KEY) as store:
        assert messages(store) == [(1, b"first"), (2, b"next")]


def test_a_row_that_was_deleted_is_noticed(engine: sa.Engine) -> None:
    with SQLStore(engine, KEY) as store:
        statements(engine, "DELETE FROM sessions")
        store.next_out()
        with pytest.raises(StoreError, match="has no row of this session any more"):
            store.commit()


def test_of_two_that_commit_at_once_one_wins(postgres_engine: sa.Engine) -> None:
    for round_ in range(1, 11):
        rivals = [SQLStore(postgres_engine, KEY) for _ in range(2)]
        barrier = threading.Barrier(2)
        lost: list[StoreError] = []

        def commit(
            store: SQLStore, barrier: threading.Barrier = barrier, lost: Any = lost
        ) -> None:
            send(store, b"mine")
            barrier.wait()
            try:
                store.commit()
            except StoreError as error:
                lost.append(error)

        threads = [threading.Thread(target=commit, args=(store,)) for store in rivals]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(lost) == 1
        with SQLStore(postgres_engine, KEY) as store:
            assert store.peek_out() == round_ + 1


# Failures ------------------------------------------------------------------------------


class Breaking(sqlite3.Connection):
    """A connection that breaks as a network does: before, during or after a commit."""

    when = ""

    def commit(self) -> None:
        if Breaking.when == "before":
            raise sqlite3.OperationalError("server closed the connection")
        super().commit()
        if Breaking.when == "after":
            raise sqlite3.OperationalError("server closed the connection")
        if Breaking.when == "after and down":
            Breaking.when = "down"
            raise sqlite3.OperationalError("server closed the connection")

    def cursor(self, *given: Any, **named: Any) -> Any:
        if Breaking.when == "down":
            raise sqlite3.OperationalError("could not connect")
        return super().cursor(*given, **named)


@pytest.fixture
def breaking(tmp_path: Path) -> Iterator[SQLStore]:
    engine = sa.create_engine(
        f"sqlite:///{tmp_path / 'fix.db'}", connect_args={"factory": Breaking}
    )
    with SQLStore(engine, KEY) as store:
        send(store, b"one")
        store.commit()
        send(store, b"two")
        yield store
    Breaking.when = ""
    engine.dispose()


def test_a_step_that_fails_is_undone(breaking: SQLStore) -> None:
    Breaking.when = "before"
    with pytest.raises(StoreError, match=r"the step failed: .*closed.*NextNumOut 2 and NextN"):
        breaking.commit()
    Breaking.when = ""
    assert send(breaking, b"other") == 2
    breaking.commit()
    assert messages(breaking) == [(1, b"one"), (2, b"other")]


def test_a_commit_that_happened_though_its_answer_was_lost_counts(breaking: SQLStore) -> None:
    Breaking.when = "after"
    with pytest.raises(StoreError, match="is at NextNumOut 3 and"):
        breaking.commit()
    Breaking.when = ""
    assert send(breaking, b"three") == 3
    breaking.commit()
    assert messages(breaking) == [(1, b"one"), (2, b"two"), (3, b"three")]


def test_nothing_is_numbered_until_the_database_can_be_asked(breaking: SQLStore) -> None:
    Breaking.when = "after and down"
    with pytest.raises(StoreError, match=r"may not be stored: .*next call looks again"):
        breaking.commit()
    for call in (breaking.next_out, breaking.peek_out, breaking.commit, breaking.rollback):
        with pytest.raises(StoreError, match="could not connect"):
            call()
    Breaking.when = ""
    assert breaking.next_out() == 3


def test_a_replay_that_fails_says_so(breaking: SQLStore) -> None:
    Breaking.when = "down"
    with pytest.raises(StoreError, match=r"sqlite:///.*fix.db, session .*could not connect"):
        list(breaking.sent(1, 9))


def test_a_number_too_large_is_refused(engine: sa.Engine) -> None:
    with SQLStore(engine, KEY) as store:
        store.observed_in(2**63)
        with pytest.raises(StoreError, match=r"too large|out of range"):
            store.commit()
        assert store.current_in() == 1


def test_after_closing_no_call_works(sqlite_engine: sa.Engine) -> None:
    store = SQLStore(sqlite_engine, KEY)
    assert repr(store) == "SQLStore('FIX.4.4:BUY->SELL', next_out=1, next_in=1)"
    store.close()
    assert repr(store) == "SQLStore('FIX.4.4:BUY->SELL', closed)"
    for call in (store.next_out, store.peek_out, store.current_in, store.commit, store.reset):
        with pytest.raises(StoreError, match="the store is closed"):
            call()


# Words ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("session", "words"),
    [
        (("FIX.4.4", "BUY"), "session must be a SessionConfig or"),
        (("FIX.4.4", "", "SELL"), "session must be a SessionConfig or"),
        ("FIX", "session must be a SessionConfig or"),
        (("FIX.4.4.4", "BUY", "SELL"), "beginstring has room for 8 characters"),
        (("FIX.4.4", "B" * 65, "SELL"), "sendercompid has room for 64 characters"),
    ],
)
def test_a_session_that_cannot_be_kept(session: Any, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        SQLStore("sqlite://", session)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3cret", "database must be a URL such as"),
        ("postgresql+psycopg://fix:pw@host:s3cret/db", "database must be a URL such as"),
        ("fixdb://fix:s3cret@host/db", "knows no such kind of database"),
        ("postgresql+pg8000://fix:s3cret@host/db", "driver of this database is not installed"),
    ],
)
def test_a_url_that_cannot_work(url: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        SQLStore(url, KEY)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_no_password_stands_in_an_error(postgres_url: str) -> None:
    url = sa.make_url(postgres_url)
    wrong = url.set(password="s3cret-wrong")
    in_query = url.set(password=None).update_query_dict({"password": "s3cret-wrong"})
    nobody = url.set(password="s3cret-wrong", port=1)
    missing = url.set(database="s3cret-wrong-db", password="s3cret-wrong")
    for bad in (wrong, in_query, nobody, missing):
        with pytest.raises(StoreError, match=r"postgresql://127.0.0.1:\d+/") as caught:
            SQLStore(bad, KEY)
        text = str(caught.value)
        assert "s3cret-wrong" not in text.replace("s3cret-wrong-db", "")
        assert "\n" not in text
        assert caught.value.__suppress_context__


def test_a_driver_that_quotes_the_password_is_cut_short() -> None:
    def connect() -> Any:
        raise psycopg.OperationalError("cannot connect with\noptions 'password=s3cret'")

    url = "postgresql+psycopg://fix:s3cret@host/fix"
    with pytest.raises(StoreError, match="with options 'password=\\*\\*\\*'"):
        SQLStore(sa.create_engine(url, creator=connect), KEY)


def test_no_message_stands_in_an_error(postgres_engine: sa.Engine) -> None:
    statements(postgres_engine, OF_QUICKFIX)
    statements(postgres_engine, "ALTER TABLE messages ADD CHECK (length(message) < 10)")
    with SQLStore(postgres_engine, KEY) as store:
        send(store, b"35=A\x01554=hunter2\x01")
        with pytest.raises(StoreError, match="violates check constraint") as caught:
            store.commit()
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_without_sqlalchemy_the_error_says_what_to_install() -> None:
    code = "import sys; sys.modules['sqlalchemy'] = None; import fixlab.sql"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert 'pip install "fixlab[sql]"' in done.stderr.splitlines()[-1]


# Live ----------------------------------------------------------------------------------


def test_a_live_session_goes_on_from_the_database(engine: sa.Engine) -> None:
    async def day(first: int) -> tuple[int, int]:
        async with (
            Acceptor(SELL, store=lambda config: SQLStore(engine, config)) as venue,
            Initiator(
                BUY,
                port=venue.port,
                store=SQLStore(engine, BUY),
                reconnect_seconds=0.02,
            ) as buy,
        ):
            (sell,) = venue.sessions.values()
            for n in range(first, first + 20):
                await buy.send(order(n))
                if n % 20 == 10:
                    buy.cut()
            got = [(await sell.next_event(Received)).message[11] for _ in range(20)]
            assert got == [f"ORD-{n}" for n in range(first, first + 20)]
            await buy.logout()
            return buy.session.next_out, buy.session.next_in

    one = run(day(0))
    two = run(day(20))
    assert two[0] > one[0] > 21
    with SQLStore(engine, BUY) as buy, SQLStore(engine, SELL) as sell:
        assert (buy.peek_out(), buy.current_in()) == two
        assert (sell.current_in(), sell.peek_out()) == two


def test_a_database_that_restarts(server: postgres.Cluster) -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue:
            (sell,) = venue.sessions.values()
            store = SQLStore(server.url, ("FIX.4.4", "BUY", "SELL", "restart"))
            async with Initiator(BUY, port=venue.port, store=store) as buy:
                await buy.send(order(1))
                await sell.next_event(Received)
                server.stop()
                try:
                    with pytest.raises(StoreError, match="the database says"):
                        await buy.send(order(2))
                finally:
                    server.start()
                await asyncio.sleep(0.05)
                await buy.connect()
                await buy.send(order(3))
                assert (await sell.next_event(Received)).message[11] == "ORD-3"
                assert buy.session.next_out == sell.session.next_in

    run(story(), reports=None)
