from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fixlab.errors import ConfigError, StoreError
from fixlab.stores import SQLiteStore

ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.db"


def send(store: SQLiteStore, raw: bytes) -> int:
    seq = store.next_out()
    store.save_sent(seq, raw)
    return seq


def child(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process that runs `code` with `arguments` in sys.argv[1:]."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def outcome(code: str, *arguments: object) -> str:
    """What a process that runs `code` prints."""
    with child(code, *arguments) as process:
        printed, _ = process.communicate(timeout=30)
    assert process.returncode == 0, printed
    return printed


# --- what stays -------------------------------------------------------------------------


@pytest.mark.parametrize("durability", ["process", "power"])
def test_numbers_messages_and_epoch_persist(path: Path, durability: str) -> None:
    with SQLiteStore(path, durability=durability) as store:  # type: ignore[arg-type]
        store.reset(now=42)
        assert send(store, b"one") == 1
        store.observed_in(6)
        store.commit()
    with SQLiteStore(path) as store:
        assert (store.peek_out(), store.current_in(), store.epoch) == (2, 7, 42)
        assert list(store.sent(1, 9)) == [(1, b"one")]


def test_closing_drops_what_was_not_committed(path: Path) -> None:
    with SQLiteStore(path) as store:
        send(store, b"one")
        store.commit()
        send(store, b"two")
    with SQLiteStore(path) as store:
        assert (store.peek_out(), list(store.sent(1, 9))) == (2, [(1, b"one")])


def test_closing_leaves_one_file(path: Path) -> None:
    with SQLiteStore(path) as store:
        send(store, b"one")
        store.commit()
    assert [entry.name for entry in path.parent.iterdir()] == ["session.db"]


KILLED = """
import sys
from fixlab.stores import SQLiteStore
store = SQLiteStore(sys.argv[1])
for n in range(1, 6):
    store.save_sent(store.next_out(), b"m%d" % n)
    store.observed_in(n)
    store.commit()
store.save_sent(store.next_out(), b"lost")
store.save_sent(1, b"lost too")
store.observed_in(99)
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_killed_process_leaves_whole_steps(path: Path) -> None:
    with child(KILLED, path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=30)
    with SQLiteStore(path) as store:
        assert (store.peek_out(), store.current_in()) == (6, 6)
        assert list(store.sent(1, 99)) == [(n, b"m%d" % n) for n in range(1, 6)]


HURRIED = """
import sys
from fixlab.stores import SQLiteStore
store = SQLiteStore(sys.argv[1])
while True:
    for _ in range(3):
        seq = store.next_out()
        store.save_sent(seq, b"%d" % seq)
    store.observed_in(seq)
    store.commit()
    print(seq, flush=True)
"""


def test_a_process_killed_at_any_point_reuses_no_number_it_told(path: Path) -> None:
    told = 0
    for lines in (1, 7, 20):
        with child(HURRIED, path) as process:
            assert process.stdout is not None
            for _ in range(lines):
                told = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=30)
            told = max([told, *map(int, process.stdout.read().split("\n")[:-1])])
        with SQLiteStore(path) as store:
            last = store.peek_out() - 1
            assert last >= told
            assert last % 3 == 0, "a step of three messages is stored whole or not at all"
            assert store.current_in() == last + 1
            assert list(store.sent(1, last)) == [(n, b"%d" % n) for n in range(1, last + 1)]


# --- one owner --------------------------------------------------------------------------


def test_a_second_store_in_this_process_is_refused(path: Path) -> None:
    with SQLiteStore(path) as store:
        with pytest.raises(
            StoreError, match=r"another SQLiteStore of this very process; close"
        ):
            SQLiteStore(path)
        assert send(store, b"one") == 1
        store.commit()
    with SQLiteStore(path) as store:
        assert store.next_out() == 2


OPENS = """
import sys
from fixlab.errors import StoreError
from fixlab.stores import SQLiteStore
try:
    with SQLiteStore(sys.argv[1]) as store:
        print("opened", store.peek_out())
except StoreError as error:
    print(error)
"""


def test_a_second_process_is_refused_and_told_who_has_it(path: Path) -> None:
    with SQLiteStore(path) as store:
        printed = outcome(OPENS, path)
        assert f"{path}: is in use by process {os.getpid()}; close the store there" in printed
        send(store, b"one")
        store.commit()
    assert outcome(OPENS, path) == "opened 2\n"


def test_a_file_locked_by_another_program_is_refused(path: Path) -> None:
    SQLiteStore(path).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="is in use by another program"):
            SQLiteStore(path)
    SQLiteStore(path).close()


def test_no_other_connection_gets_at_an_open_store(path: Path) -> None:
    with (
        SQLiteStore(path),
        closing(sqlite3.connect(path, timeout=0)) as other,
        pytest.raises(sqlite3.OperationalError, match="locked"),
    ):
        other.execute("UPDATE state SET next_out = 99")


def test_a_closed_store_says_so(path: Path) -> None:
    store = SQLiteStore(path)
    replay = store.sent(1, 9)
    store.close()
    for use in (
        store.next_out,
        store.peek_out,
        store.current_in,
        store.commit,
        store.reset,
        store.rollback,
        lambda: store.observed_in(1),
        lambda: store.save_sent(1, b""),
        lambda: store.sent(1, 2),
        lambda: list(replay),
    ):
        with pytest.raises(StoreError, match="the store is closed; open it again"):
            use()
    assert repr(store) == "SQLiteStore('session.db', closed)"


# --- one session ------------------------------------------------------------------------


def test_a_store_remembers_its_session(path: Path) -> None:
    with SQLiteStore(path) as store:
        assert store.session is None
    with SQLiteStore(path, session="FIX.4.4:A->B") as store:
        assert store.session == "FIX.4.4:A->B"
    with SQLiteStore(path) as store:
        assert store.session == "FIX.4.4:A->B"
    SQLiteStore(path, session="FIX.4.4:A->B").close()


def test_a_store_of_another_session_is_refused(path: Path) -> None:
    SQLiteStore(path, session="FIX.4.4:A->B").close()
    message = "numbers of session FIX.4.4:A->B, but was opened for FIX.4.4:A->C"
    with pytest.raises(StoreError, match=message):
        SQLiteStore(path, session="FIX.4.4:A->C")
    SQLiteStore(path).close()  # and the refused attempt holds no lock


# --- files that are no store ------------------------------------------------------------


def test_an_unknown_durability_is_refused(path: Path) -> None:
    with pytest.raises(ConfigError, match='"process" or "power", found \'hope\''):
        SQLiteStore(path, durability="hope")  # type: ignore[arg-type]
    assert not path.exists()


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="missing does not exist; create it first"):
        SQLiteStore(tmp_path / "missing" / "session.db")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder; expected the path of a file"):
        SQLiteStore(tmp_path)


@pytest.mark.parametrize("content", [b"not a database, but long enough to be one" * 20, b"x"])
def test_a_file_that_is_no_database_is_refused_and_untouched(
    path: Path, content: bytes
) -> None:
    path.write_bytes(content)
    with pytest.raises(StoreError, match="is not an SQLite database"):
        SQLiteStore(path)
    assert path.read_bytes() == content


def test_an_empty_file_becomes_a_store(path: Path) -> None:
    path.touch()
    with SQLiteStore(path) as store:
        assert store.next_out() == 1


def test_another_programs_database_is_refused_and_untouched(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (x)")
        other.commit()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="is an SQLite database, but not a fixlab store"):
        SQLiteStore(path)
    assert path.read_bytes() == before


def test_another_schema_version_is_refused(path: Path) -> None:
    SQLiteStore(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA user_version = 7")
    with pytest.raises(StoreError, match="has schema version 7, expected 1"):
        SQLiteStore(path)


def test_missing_counters_are_corruption(path: Path) -> None:
    SQLiteStore(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute("DELETE FROM state")
        other.commit()
    with pytest.raises(StoreError, match="the row that holds the counters is missing"):
        SQLiteStore(path)


def test_damaged_pages_are_corruption(path: Path) -> None:
    with SQLiteStore(path) as store:
        for _ in range(500):
            send(store, b"x" * 200)
        store.commit()
    with path.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xa5" * 4096 * 20)
    with SQLiteStore(path) as store:
        assert store.peek_out() == 501
        with pytest.raises(StoreError, match=r"is corrupt .*bring the file back from a copy"):
            list(store.sent(1, 500))


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("next_out", "'abc'", r"counters are no numbers from 1: \['abc', 1\]"),
        ("next_in", "x'ff'", "counters are no numbers from 1"),
        ("next_out", "1e300", "counters are no numbers from 1"),
        ("epoch", "'soon'", "the time of the last reset is none: 'soon'"),
        ("epoch", "-5", "the time of the last reset is none: -5"),
        ("session", "x'00ff'", "the name of the session is no text"),
    ],
)
def test_a_state_that_no_store_wrote_is_refused(
    path: Path, column: str, value: str, said: str
) -> None:
    SQLiteStore(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute(f"UPDATE state SET {column} = {value}")
        other.commit()
    with pytest.raises(StoreError, match=said):
        SQLiteStore(path)


def test_a_stored_message_that_is_no_bytes_is_refused_when_it_is_read(path: Path) -> None:
    with SQLiteStore(path) as store:
        send(store, b"raw")
        store.commit()
    with closing(sqlite3.connect(path)) as other:
        other.execute("UPDATE sent SET raw = 5")
        other.commit()
    with SQLiteStore(path) as store, pytest.raises(StoreError, match="message 1 is int"):
        list(store.sent(1, 1))


def test_a_damaged_name_that_is_no_text_is_corruption(path: Path) -> None:
    SQLiteStore(path).close()
    content = path.read_bytes()
    # SQLite quotes the statement in its error, and Python cannot read that as text.
    assert content.count(b"CREATE TABLE sent") == 1
    path.write_bytes(content.replace(b"CREATE TABLE sent", b"CR\xf8ATE TABLE sent"))
    with pytest.raises(StoreError, match=r"is corrupt .*bring the file back from a copy"):
        SQLiteStore(path)


READ_ONLY = """
import os, sys
from fixlab.errors import StoreError
from fixlab.stores import SQLiteStore
if os.geteuid() == 0:
    os.setuid(65534)  # permissions do not bind root
try:
    SQLiteStore(sys.argv[1])
except StoreError as error:
    print(error)
"""


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that another user may enter, which `tmp_path` is not."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def test_a_read_only_file_is_refused(public_folder: Path) -> None:
    path = public_folder / "session.db"
    SQLiteStore(path).close()
    path.chmod(0o444)
    assert "session.db: is read-only for this user" in outcome(READ_ONLY, path)


def test_a_read_only_folder_is_refused(public_folder: Path) -> None:
    path = public_folder / "session.db"
    public_folder.chmod(0o555)
    assert f"folder {public_folder} is read-only for this user" in outcome(READ_ONLY, path)


# --- commits that fail ------------------------------------------------------------------


def full_disk(store: SQLiteStore) -> None:
    """Let the file grow no further; SQLite then fails as on a full disk."""
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_disk_undoes_the_step_as_a_whole(path: Path) -> None:
    with SQLiteStore(path) as store:
        send(store, b"one")
        store.observed_in(1)
        store.commit()
        full_disk(store)
        send(store, b"x" * 100_000)
        store.observed_in(2)
        with pytest.raises(StoreError, match="no room left") as caught:
            store.commit()
        assert "back at its last commit, NextNumOut 2 and NextNumIn 2" in str(caught.value)
        assert (store.peek_out(), store.current_in()) == (2, 2)
        assert list(store.sent(1, 9)) == [(1, b"one")]
        # Room again: the same store goes on.
        store._db.execute("PRAGMA max_page_count = 100000")
        assert send(store, b"y" * 100_000) == 2
        store.commit()
    with SQLiteStore(path) as store:
        assert (store.peek_out(), store.current_in()) == (3, 2)
        assert list(store.sent(1, 9)) == [(1, b"one"), (2, b"y" * 100_000)]


def test_a_full_disk_undoes_a_reset(path: Path) -> None:
    with SQLiteStore(path) as store:
        send(store, b"one")
        store.commit()
        full_disk(store)
        store.reset(now=1)
        send(store, b"x" * 100_000)
        with pytest.raises(StoreError, match="no room left"):
            store.commit()
        assert (store.peek_out(), store.epoch) == (2, None)
        assert list(store.sent(1, 9)) == [(1, b"one")]


LIMITED = """
import resource, signal, sys
from fixlab.errors import StoreError
from fixlab.stores import SQLiteStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with SQLiteStore(sys.argv[1]) as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    try:
        while True:
            seq = store.next_out()
            store.save_sent(seq, b"%d" % seq + b"x" * 5_000)
            store.commit()
    except StoreError as error:
        print(store.peek_out(), len(list(store.sent(1, seq))), seq)
        print(error)
"""


def test_a_file_size_limit_keeps_every_step_that_was_committed(path: Path) -> None:
    printed, message = outcome(LIMITED, path).split("\n", 1)
    following, stored, failed = map(int, printed.split())
    assert following == failed == stored + 1
    assert "the step was not stored and is undone as a whole" in message
    with SQLiteStore(path) as store:
        assert store.peek_out() == failed
        assert [seq for seq, _ in store.sent(1, 10**6)] == list(range(1, failed))


def test_a_number_too_large_for_the_file_is_named(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.observed_in(10**30)
        with pytest.raises(StoreError, match="a number is too large for the file"):
            store.commit()
        assert store.current_in() == 1
        store.commit()


def test_a_replay_reads_few_large_messages_ahead(path: Path) -> None:
    with SQLiteStore(path) as store:
        for size in [*[300_000] * 40, *[1] * 600]:
            send(store, b"x" * size)
        store.commit()
        tracemalloc.start()
        try:
            sizes = [len(raw) for _, raw in store.sent(1, 640)]
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert sizes == [300_000] * 40 + [1] * 600
        assert peak < 2_000_000
        # One that is not read to its end keeps nothing open.
        next(store.sent(1, 640))
        send(store, b"y")
        store.commit()
        assert list(store.sent(640, 641)) == [(640, b"x"), (641, b"y")]


def test_a_step_that_changed_nothing_is_not_written(path: Path) -> None:
    with SQLiteStore(path) as store:
        store.observed_in(0)
        full_disk(store)
        before = store._db.total_changes
        store.commit()
        assert store._db.total_changes == before


def test_repr_is_short_and_without_folder(path: Path) -> None:
    with SQLiteStore(path) as store:
        assert repr(store) == "SQLiteStore('session.db', next_out=1, next_in=1)"
