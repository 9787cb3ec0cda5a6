from __future__ import annotations

import errno
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixlab.errors import ConfigError, StoreError
from fixlab.session.config import SessionConfig
from fixlab.stores import FileStore, _opening
from fixlab.stores._index import Index
from fixlab.stores._layouts import (
    prefix_of,
    read_counters,
    read_entries,
    read_number,
    session_of,
)
from fixlab.stores._lock import Lock
from fixlab.stores._opening import Journal, Note
from tests.stores.layouts import (
    CREATED,
    PREFIX,
    SESSION,
    history,
    write_quickfix,
    write_quickfixgo,
    write_quickfixj,
    write_quickfixn,
)

ROOT = Path(__file__).parents[2]
CHILD = Path(__file__).with_name("quickfix_child.py")
SUFFIXES = ("body", "header", "seqnums", "session")


def files(folder: Path, prefix: str = PREFIX) -> dict[str, bytes]:
    """The bytes of all files in a folder, by what they end in."""
    return {
        path.name.removeprefix(f"{prefix}."): path.read_bytes() for path in folder.iterdir()
    }


def send(store: FileStore, raw: bytes) -> int:
    seq = store.next_out()
    store.save_sent(seq, raw)
    return seq


def all_of(store: FileStore) -> list[tuple[int, bytes]]:
    return list(store.sent(1, 10**30))


# --- the bytes --------------------------------------------------------------------------


def test_the_files_are_quickfixs_byte_for_byte(tmp_path: Path) -> None:
    with FileStore(tmp_path, SESSION, now=CREATED + 999) as store:
        for raw in (b"a" * 83, b"b" * 80, b"c" * 77):
            send(store, raw)
        store.observed_in(6)
        store.commit()
    assert files(tmp_path) == {
        "body": b"a" * 83 + b"b" * 80 + b"c" * 77,
        "header": b"1,0,83 2,83,80 3,163,77 ",
        "seqnums": b"00000000000000000004 : 00000000000000000007",
        "session": b"20260105-09:30:00",
    }


def test_an_open_store_has_a_lock_beside_its_files(tmp_path: Path) -> None:
    with FileStore(tmp_path, SESSION) as store:
        assert set(files(tmp_path)) == {*SUFFIXES, "lock"}
        store.reset(now=CREATED)
        store.commit()
        assert set(files(tmp_path)) == {*SUFFIXES, "lock"}
    assert set(files(tmp_path)) == {*SUFFIXES}


def test_ten_digits_stay_ten_digits(tmp_path: Path) -> None:
    write_quickfix(tmp_path, history(3), 4, 7, width=10)
    with FileStore(tmp_path, SESSION) as store:
        assert (store.peek_out(), store.current_in()) == (4, 7)
        send(store, b"four")
        store.commit()
        assert files(tmp_path)["seqnums"] == b"0000000005 : 0000000007"
        store.reset(now=CREATED)
        store.commit()
        assert files(tmp_path)["seqnums"] == b"0000000001 : 0000000001"
        store.observed_in(10**10)
        store.commit()
    assert files(tmp_path)["seqnums"] == b"%020d : %020d" % (1, 10**10 + 1)


def test_a_reset_begins_all_four_files_anew(tmp_path: Path) -> None:
    write_quickfix(tmp_path, history(40), 41, 30)
    with FileStore(tmp_path) as store:
        assert store.epoch == CREATED
        store.reset(now=CREATED + 60 * 10**9 + 5)
        send(store, b"one")
        store.commit()
        assert store.epoch == CREATED + 60 * 10**9
    assert files(tmp_path) == {
        "body": b"one",
        "header": b"1,0,3 ",
        "seqnums": b"00000000000000000002 : 00000000000000000001",
        "session": b"20260105-09:31:00",
    }


def test_a_message_saved_again_gets_a_later_entry(tmp_path: Path) -> None:
    with FileStore(tmp_path, SESSION) as store:
        send(store, b"old")
        store.commit()
        store.save_sent(1, b"newer")
        store.commit()
    assert files(tmp_path)["header"] == b"1,0,3 1,3,5 "
    with FileStore(tmp_path) as store:
        assert all_of(store) == [(1, b"newer")]


@pytest.mark.parametrize("durability", ["process", "power"])
def test_what_was_committed_is_there_again(tmp_path: Path, durability: Any) -> None:
    with FileStore(tmp_path, SESSION, durability=durability) as store:
        send(store, b"before")
        store.commit()
        store.save_sent(1, b"again")  # no number moves
        store.commit()
        store.reset(now=CREATED)
        send(store, b"one")
        store.observed_in(6)
        store.commit()
        send(store, b"never committed")
    with FileStore(tmp_path, durability=durability) as store:
        assert (store.peek_out(), store.current_in(), store.epoch) == (2, 7, CREATED)
        assert all_of(store) == [(1, b"one")]


# --- the engine itself ------------------------------------------------------------------


class QuickFix:
    """QuickFIX's own store, driven line by line."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, *command: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


@contextmanager
def quickfix(folder: Path) -> Iterator[QuickFix]:
    with subprocess.Popen(
        [sys.executable, CHILD, folder, "FIX.4.4", "BUY", "SELL", "20260105", "093000"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        engine = QuickFix(process)
        engine("numbers")  # the answer says that the store is there
        yield engine
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(timeout=20) == 0


def test_the_same_history_gives_the_same_bytes_as_quickfix(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    draw = random.Random(5)
    with quickfix(theirs) as engine, FileStore(ours, SESSION, now=CREATED) as store:
        for step in range(200):
            kind = draw.choice(["send", "send", "send", "next_in", "again", "reset"])
            if kind == "send":
                raw = "x" * draw.randrange(1, 300)
                engine("send", raw)
                send(store, raw.encode())
            elif kind == "next_in":
                engine("next_in", store.current_in() + 3)
                store.observed_in(store.current_in() + 2)
            elif kind == "again" and store.peek_out() > 1:
                engine("set", 1, "again")
                store.save_sent(1, b"again")
            elif kind == "reset" and step % 10 == 0:
                engine("reset", "20260106", "100000")
                store.reset(now=CREATED + (24 * 60 + 30) * 60 * 10**9)
            store.commit()
            if step % 20 == 0:
                assert {k: v for k, v in files(ours).items() if k != "lock"} == files(theirs)
    assert files(ours) == files(theirs)


def test_quickfix_and_fixlab_take_turns_on_one_store(tmp_path: Path) -> None:
    sent: list[str] = []
    for turn in range(3):
        with quickfix(tmp_path) as engine:
            assert engine("numbers") == [len(sent) + 1, 10 * turn + 1]
            assert engine("get", 1, 99) == sent
            for n in range(3):
                sent.append(f"quickfix {turn} {n}")
                engine("send", sent[-1])
            engine("next_in", 10 * turn + 6)
        with FileStore(tmp_path) as store:
            assert (store.peek_out(), store.current_in()) == (len(sent) + 1, 10 * turn + 6)
            assert all_of(store) == [(n, raw.encode()) for n, raw in enumerate(sent, 1)]
            for n in range(4):
                sent.append(f"fixlab {turn} {n}")
                send(store, sent[-1].encode())
            store.observed_in(10 * turn + 10)
            store.commit()


def test_quickfix_takes_a_store_without_a_creation_time(tmp_path: Path) -> None:
    with FileStore(tmp_path, SESSION) as store:
        send(store, b"one")
        store.commit()
    assert files(tmp_path)["session"] == b""
    with quickfix(tmp_path) as engine:
        assert engine("get", 1, 9) == ["one"]


# --- what a crash leaves ----------------------------------------------------------------


def committed_store(folder: Path) -> tuple[list[tuple[int, bytes]], int, int]:
    messages = list(history(5))
    write_quickfix(folder, messages, 6, 9)
    return messages, 6, 9


def cut_at_each_byte(folder: Path, suffix: str) -> Iterator[int]:
    """The same store again and again, one of its files cut short."""
    committed_store(folder)
    whole = files(folder)
    for size in range(len(whole[suffix])):
        for name, content in whole.items():
            cut = content[:size] if name == suffix else content
            (folder / f"{PREFIX}.{name}").write_bytes(cut)
        yield size


@pytest.mark.parametrize("suffix", ["body", "header", "session"])
def test_a_file_cut_at_any_byte_loses_no_number_and_no_whole_message(
    tmp_path: Path, suffix: str
) -> None:
    messages, next_out, next_in = committed_store(tmp_path)
    entries = files(tmp_path)["header"].split(b" ")
    for size in cut_at_each_byte(tmp_path, suffix):
        with FileStore(tmp_path) as store:
            assert (store.peek_out(), store.current_in()) == (next_out, next_in)
            found = dict(store.sent(1, 99))
            send(store, b"six")
            store.commit()
        for seq, raw in messages:
            there = {
                "body": size >= sum(len(before) for n, before in messages if n <= seq),
                "header": size >= len(b" ".join(entries[:seq])) + 1,
                "session": True,
            }
            assert (found.get(seq) == raw) == there[suffix]
        with FileStore(tmp_path) as store:
            assert store.peek_out() == next_out + 1
            assert all_of(store) == [*found.items(), (6, b"six")]


def test_counters_cut_at_any_byte_are_refused_and_left_as_they_are(tmp_path: Path) -> None:
    for _ in cut_at_each_byte(tmp_path, "seqnums"):
        before = files(tmp_path)
        with pytest.raises(StoreError, match="the counters cannot be read"):
            FileStore(tmp_path)
        assert files(tmp_path) == before


@given(
    st.lists(st.binary(min_size=1, max_size=30), min_size=1, max_size=4),
    st.floats(0, 1, exclude_max=True),
)
@settings(max_examples=60, deadline=None)
def test_a_step_torn_at_any_byte_is_gone_as_a_whole(step: list[bytes], share: float) -> None:
    """As a killed process leaves it: body, index and counters are written in this order."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with FileStore(folder, SESSION, now=CREATED) as store:
            for seq in range(1, 4):
                send(store, b"m%d" % seq)
            store.observed_in(2)
            store.commit()
            before, lock = files(folder), (folder / f"{PREFIX}.lock").read_bytes()
            for raw in step:
                send(store, raw)
            store.commit()
            after = files(folder)
        cut_at = int(share * sum(len(after[s]) - len(before[s]) for s in ("body", "header")))
        torn = dict(before)
        for suffix in ("body", "header"):
            new = after[suffix][len(before[suffix]) :]
            torn[suffix] = before[suffix] + new[:cut_at]
            cut_at = max(cut_at - len(new), 0)
        for suffix in SUFFIXES:
            (folder / f"{PREFIX}.{suffix}").write_bytes(torn[suffix])
        (folder / f"{PREFIX}.lock").write_bytes(lock)
        with FileStore(folder) as store:
            assert (store.peek_out(), store.current_in()) == (4, 3)
            assert all_of(store) == [(1, b"m1"), (2, b"m2"), (3, b"m3")]
        assert files(folder) == {k: v for k, v in before.items() if k != "lock"}


def test_a_whole_step_is_kept_though_its_note_was_not_written(tmp_path: Path) -> None:
    with FileStore(tmp_path, SESSION) as store:
        send(store, b"one")
        store.commit()
        lock = (tmp_path / f"{PREFIX}.lock").read_bytes()
        send(store, b"two")
        store.commit()
    (tmp_path / f"{PREFIX}.lock").write_bytes(lock)
    with FileStore(tmp_path) as store:
        assert (store.peek_out(), all_of(store)) == (3, [(1, b"one"), (2, b"two")])


def test_what_quickfix_wrote_after_a_crash_of_ours_is_kept(tmp_path: Path) -> None:
    with FileStore(tmp_path, SESSION, now=CREATED) as store:
        send(store, b"one")
        store.commit()
        lock = (tmp_path / f"{PREFIX}.lock").read_bytes()
    with quickfix(tmp_path) as engine:
        engine("set", 1, "again")  # the counters stay as they were
    (tmp_path / f"{PREFIX}.lock").write_bytes(lock)
    with FileStore(tmp_path) as store:
        assert all_of(store) == [(1, b"again")]


def reset_states(folder: Path) -> tuple[dict[str, bytes], dict[str, bytes], bytes]:
    """Files before and after a step with a reset in it, and its journal."""
    with FileStore(folder, SESSION, now=CREATED) as store:
        for seq in range(1, 4):
            send(store, b"old %d" % seq)
        store.commit()
        before = files(folder)
        store.reset(now=CREATED + 10**9)
        send(store, b"logon")
        store.commit()
    journal = Journal(
        old=(4, 1),
        old_created=b"20260105-09:30:00",
        new=(2, 1),
        created=b"20260105-09:30:01",
        header=b"1,0,5 ",
        body=b"logon",
    )
    return before, files(folder), journal.encode()


def test_a_reset_killed_at_any_point_is_finished(tmp_path: Path) -> None:
    before, after, journal = reset_states(tmp_path)
    stages = [("header", b""), ("body", b""), ("body", after["body"])]
    stages += [(suffix, after[suffix]) for suffix in ("header", "seqnums", "session")]
    state = {suffix: before[suffix] for suffix in SUFFIXES}
    for suffix, content in [("header", before["header"]), *stages]:
        state[suffix] = content
        for name, held in state.items():
            (tmp_path / f"{PREFIX}.{name}").write_bytes(held)
        (tmp_path / f"{PREFIX}.reset").write_bytes(journal)
        with FileStore(tmp_path) as store:
            assert (store.peek_out(), all_of(store)) == (2, [(1, b"logon")])
        assert files(tmp_path) == after


@pytest.mark.parametrize("cut", [0, 5, 40, -1])
def test_a_journal_that_is_not_whole_means_no_reset(tmp_path: Path, cut: int) -> None:
    before, _, journal = reset_states(tmp_path)
    for suffix in SUFFIXES:
        (tmp_path / f"{PREFIX}.{suffix}").write_bytes(before[suffix])
    (tmp_path / f"{PREFIX}.reset").write_bytes(journal[:cut])
    with FileStore(tmp_path) as store:
        assert store.peek_out() == 4
    assert set(files(tmp_path)) == {*SUFFIXES}


def test_a_journal_that_was_never_finished_is_tidied_away(tmp_path: Path) -> None:
    with FileStore(tmp_path, SESSION):
        pass
    (tmp_path / f"{PREFIX}.reset-part").write_bytes(b"fixlab reset 1")
    with FileStore(tmp_path):
        assert set(files(tmp_path)) == {*SUFFIXES, "lock"}


@pytest.mark.parametrize("suffix", ["reset", "lock"])
def test_a_note_of_thousands_of_digits_is_none(tmp_path: Path, suffix: str) -> None:
    with FileStore(tmp_path, SESSION) as store:
        send(store, b"one")
        store.commit()
    long = b"9" * 5_000
    text = {"reset": b"fixlab reset %b 1 1 1 a b 0 0\n", "lock": b" " * 24 + b"%b 1 1 1 \n"}
    (tmp_path / f"{PREFIX}.{suffix}").write_bytes(text[suffix] % long)
    with FileStore(tmp_path) as store:
        assert all_of(store) == [(1, b"one")]


def test_whatever_ends_an_opening_lets_go_of_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("fixlab.stores.quickfix.read_contents", interrupted)
        with pytest.raises(KeyboardInterrupt):
            FileStore(tmp_path, SESSION)
    with FileStore(tmp_path, SESSION) as store:
        assert store.peek_out() == 1


def test_a_lock_that_cannot_be_written_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Lock, "_write", full)
        with pytest.raises(StoreError, match=r"\.lock: cannot be written: No space left"):
            FileStore(tmp_path, SESSION)
    FileStore(tmp_path, SESSION).close()


def test_a_journal_is_no_news_once_the_store_has_moved_on(tmp_path: Path) -> None:
    _, _, journal = reset_states(tmp_path)
    with FileStore(tmp_path) as store:
        send(store, b"two")
        store.commit()
    (tmp_path / f"{PREFIX}.reset").write_bytes(journal)
    with FileStore(tmp_path) as store:
        assert all_of(store) == [(1, b"logon"), (2, b"two")]


HURRIED = """
import sys
from fixlab.stores import FileStore
store = FileStore(sys.argv[1], "FIX.4.4:BUY->SELL")
while True:
    for _ in range(3):
        seq = store.next_out()
        store.save_sent(seq, b"%d" % seq)
    store.observed_in(seq)
    store.commit()
    print(seq, flush=True)
"""


def test_a_process_killed_at_any_point_reuses_no_number_it_told(tmp_path: Path) -> None:
    told = 0
    for lines in (1, 7, 20, 50):
        with subprocess.Popen(
            [sys.executable, "-c", HURRIED, tmp_path],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            for _ in range(lines):
                told = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=30)
            told = max([told, *map(int, process.stdout.read().split("\n")[:-1])])
        with FileStore(tmp_path) as store:
            last = store.peek_out() - 1
            assert last >= told
            assert last % 3 == 0, "a step of three messages is stored whole or not at all"
            assert store.current_in() == last + 1
            assert all_of(store) == [(n, b"%d" % n) for n in range(1, last + 1)]


# --- damage that no crash explains ------------------------------------------------------


@pytest.mark.parametrize(
    "counters",
    [
        b"",
        b"0000000004 : 000000000",
        b"0000000004",
        b"4 :",
        b"0 : 1",
        b"1 : 0",
        b"\0" * 43,
        b"x",
    ],
)
def test_unreadable_counters_are_refused(tmp_path: Path, counters: bytes) -> None:
    write_quickfix(tmp_path, history(3), 4, 7)
    (tmp_path / f"{PREFIX}.seqnums").write_bytes(counters)
    with pytest.raises(StoreError, match=r"the highest stored number is 3. .*plan_edit"):
        FileStore(tmp_path)
    assert set(files(tmp_path)) == {*SUFFIXES}, "and no lock stays behind"


def test_an_index_damaged_in_its_middle_is_refused(tmp_path: Path) -> None:
    write_quickfix(tmp_path, history(3), 4, 7)
    header = tmp_path / f"{PREFIX}.header"
    damaged = header.read_bytes().replace(b" 2,", b" x,")
    header.write_bytes(damaged)
    with pytest.raises(StoreError, match=r"header: is damaged at byte 7: .* found b'x,"):
        FileStore(tmp_path)
    assert header.read_bytes() == damaged


@pytest.mark.parametrize(
    ("write", "layout"),
    [
        (write_quickfixj, "quickfixj"),
        (lambda *a: write_quickfixj(*a, cached=True), "quickfixj_cached"),
        (write_quickfixn, "quickfixn"),
        (write_quickfixgo, "quickfixgo"),
    ],
)
def test_a_store_of_another_engine_is_refused_and_untouched(
    tmp_path: Path, write: Any, layout: str
) -> None:
    write(tmp_path, history(3), 4, 7)
    before = files(tmp_path)
    with pytest.raises(StoreError, match=f"layout {layout}, which fixlab only reads"):
        FileStore(tmp_path)
    assert files(tmp_path) == before


def test_a_body_that_shrinks_behind_our_back_is_noticed(tmp_path: Path) -> None:
    write_quickfix(tmp_path, history(3), 4, 7)
    with FileStore(tmp_path) as store:
        os.truncate(tmp_path / f"{PREFIX}.body", 100)
        with pytest.raises(StoreError, match=r"message 2 should be .* bytes at offset"):
            all_of(store)


# --- one owner --------------------------------------------------------------------------


def test_a_second_store_in_this_process_is_refused(tmp_path: Path) -> None:
    with FileStore(tmp_path, SESSION) as store:
        with pytest.raises(StoreError, match=r"another FileStore of this very process; close"):
            FileStore(tmp_path, SESSION)
        FileStore(tmp_path, "FIX.4.4:BUY->OTHER").close()
        assert send(store, b"one") == 1
        store.commit()
    with FileStore(tmp_path, SESSION) as store:
        assert store.next_out() == 2


OPENS = """
import sys
from fixlab.errors import StoreError
from fixlab.stores import FileStore
try:
    with FileStore(sys.argv[1]) as store:
        print("opened", store.peek_out())
except StoreError as error:
    print(error)
"""


def outcome(code: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout


def test_a_second_process_is_refused_and_told_who_has_it(tmp_path: Path) -> None:
    with FileStore(tmp_path, SESSION) as store:
        printed = outcome(OPENS, tmp_path)
        assert f"is in use by process {os.getpid()}; close the store there" in printed
        send(store, b"one")
        store.commit()
    assert outcome(OPENS, tmp_path) == "opened 2\n"


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = FileStore(tmp_path, SESSION)
    send(store, b"one")
    store.commit()
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
    assert repr(store) == "FileStore('FIX.4.4-BUY-SELL', closed)"


# --- where it lies ----------------------------------------------------------------------


def test_the_folder_is_made_but_none_above_it(tmp_path: Path) -> None:
    FileStore(tmp_path / "store", SESSION).close()
    assert (tmp_path / "store" / f"{PREFIX}.seqnums").exists()
    with pytest.raises(StoreError, match=r"folder .*missing does not exist; create it first"):
        FileStore(tmp_path / "missing" / "store", SESSION)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "store").touch()
    with pytest.raises(StoreError, match="is a file; expected the folder"):
        FileStore(tmp_path / "store", SESSION)


def test_without_a_session_the_folder_must_hold_one_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"holds no store; say which session, as in FIX\.4\.4"):
        FileStore(tmp_path)
    write_quickfix(tmp_path, history(3), 4, 4)
    with FileStore(tmp_path) as store:
        assert (store.session, store.path) == (SESSION, tmp_path / PREFIX)
    write_quickfix(tmp_path, history(3), 4, 4, prefix="FIX.4.2-A-B")
    with pytest.raises(StoreError, match=r"holds 2 stores \(FIX.4.2-A-B, FIX.4.4-BUY-SELL\)"):
        FileStore(tmp_path)


@pytest.mark.parametrize(
    ("session", "prefix"),
    [
        ("FIX.4.4:BUY->SELL", "FIX.4.4-BUY-SELL"),
        ("FIX.4.4:BUY->SELL/Q1", "FIX.4.4-BUY-SELL-Q1"),
        ("FIX.4.4-BUY-SELL", "FIX.4.4-BUY-SELL"),
        (("FIXT.1.1", "A-1", "B"), "FIXT.1.1-A-1-B"),
        (("FIX.4.2", "A", "B", "Q"), "FIX.4.2-A-B-Q"),
    ],
)
def test_a_session_names_its_files_as_in_quickfix(session: Any, prefix: str) -> None:
    assert prefix_of(session) == prefix


@pytest.mark.parametrize("session", ["FIX.4.4:A/../B->C/D", "FIX.4.4:A", "", "a/b", ("A", "B")])
def test_a_session_that_cannot_be_a_file_name_is_refused(tmp_path: Path, session: Any) -> None:
    with pytest.raises(ConfigError):
        FileStore(tmp_path, session)
    assert not list(tmp_path.iterdir())


def test_a_config_is_no_session(tmp_path: Path) -> None:
    config: Any = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL", password="hunter2")
    with pytest.raises(ConfigError, match="of a SessionConfig, give its session_id") as caught:
        FileStore(tmp_path, config)
    assert "hunter2" not in str(caught.value)
    with FileStore(tmp_path, config.session_id) as store:
        assert store.session == SESSION


def test_a_name_too_long_for_a_file_says_so(tmp_path: Path) -> None:
    long = "B" * 3000
    with pytest.raises(StoreError, match=r"has 3,013 characters, too many for a") as caught:
        FileStore(tmp_path, ("FIX.4.4", long, "SELL"))
    assert long not in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_prefix_with_more_dashes_stays_a_prefix() -> None:
    assert session_of("FIX.4.4-A-B-C") == "FIX.4.4:A->B/C"
    assert session_of("FIX.4.4-A-B-C-D") == "FIX.4.4-A-B-C-D"


def test_an_unknown_durability_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match='"process" or "power", found \'hope\''):
        FileStore(tmp_path, SESSION, durability="hope")  # type: ignore[arg-type]


READ_ONLY = """
import os, sys
from fixlab.errors import StoreError
from fixlab.stores import FileStore
if os.geteuid() == 0:
    os.setuid(65534)  # permissions do not bind root
try:
    FileStore(sys.argv[1], "FIX.4.4:BUY->SELL")
except StoreError as error:
    print(error)
"""


def test_a_read_only_folder_is_refused() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_quickfix(folder, history(3), 4, 4)
        folder.chmod(0o555)
        printed = outcome(READ_ONLY, folder)
        folder.chmod(0o755)
    assert "give write permission, or choose another folder" in printed


# --- commits that fail ------------------------------------------------------------------

LIMITED = """
import resource, signal, sys
from fixlab.errors import StoreError
from fixlab.stores import FileStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with FileStore(sys.argv[1], "FIX.4.4:BUY->SELL") as store:
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    try:
        while True:
            seq = store.next_out()
            store.save_sent(seq, b"%d" % seq + b"x" * 5_000)
            store.commit()
    except StoreError as error:
        print(store.peek_out(), len(list(store.sent(1, seq))), seq)
        print(error)
    store.reset(now=0)
    store.save_sent(store.next_out(), b"x" * 300_000)
    try:
        store.commit()
    except StoreError as error:
        print(store.peek_out(), error)
"""


def test_a_full_disk_keeps_every_step_that_was_committed(tmp_path: Path) -> None:
    numbers, step, reset = outcome(LIMITED, tmp_path).splitlines()
    following, stored, failed = map(int, numbers.split())
    assert following == failed == stored + 1
    assert "the step was not stored and is undone as a whole" in step
    assert f"is back at its last commit, NextNumOut {failed}" in step
    assert reset.startswith(f"{failed} ")
    assert set(files(tmp_path)) == {*SUFFIXES}
    with FileStore(tmp_path) as store:
        assert store.peek_out() == failed
        assert [seq for seq, _ in all_of(store)] == list(range(1, failed))


def test_a_reset_that_cannot_be_finished_is_finished_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FileStore(tmp_path, SESSION, now=CREATED)
    send(store, b"old")
    store.commit()
    store.reset(now=CREATED)
    send(store, b"logon")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("fixlab.stores.quickfix.apply_reset", fail)
        with pytest.raises(
            StoreError, match=r"stored, but not finished: .*Open the store again"
        ):
            store.commit()
    with FileStore(tmp_path) as store:
        assert (store.peek_out(), all_of(store)) == (2, [(1, b"logon")])


def test_a_number_too_large_for_the_file_is_named(tmp_path: Path) -> None:
    with FileStore(tmp_path, SESSION) as store:
        store.observed_in(10**30)
        with pytest.raises(StoreError, match="a number is too large for the file"):
            store.commit()
        assert store.current_in() == 1
        with pytest.raises(StoreError, match=r"stored under a number from 1 to .*, found 0"):
            store.save_sent(0, b"")
        store.commit()


def test_a_replay_ends_when_its_messages_are_dropped(tmp_path: Path) -> None:
    write_quickfix(tmp_path, history(5), 6, 6)
    with FileStore(tmp_path) as store:
        replay = store.sent(1, 9)
        assert next(replay)[0] == 1
        store.reset(now=CREATED)
        send(store, b"logon")
        store.commit()
        assert list(replay) == []


def test_repr_is_short_and_without_folder(tmp_path: Path) -> None:
    with FileStore(tmp_path, SESSION) as store:
        assert repr(store) == "FileStore('FIX.4.4-BUY-SELL', next_out=1, next_in=1)"


# --- the parts --------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.integers(1, 200_000), st.integers(0, 99), st.integers(0, 99))),
    st.integers(0, 200_000),
    st.integers(0, 200_000),
)
def test_an_index_is_a_dict_in_order(
    entries: list[tuple[int, int, int]], begin: int, end: int
) -> None:
    index, expected = Index(), dict[int, tuple[int, int]]()
    for seq, offset, size in entries:
        index.put(seq, offset, size)
        expected[seq] = (offset, size)
    assert len(index) == len(expected)
    assert index.highest() == max(expected, default=0)
    for bounds in ((begin, end), (-(10**30), 10**30)):
        inside = sorted(seq for seq in expected if bounds[0] <= seq <= bounds[1])
        assert list(index.numbers(*bounds)) == inside
    assert all(index.get(seq) == place for seq, place in expected.items())
    assert index.get(begin) == expected.get(begin)
    text = b"".join(b"%d,%d,%d " % entry for entry in entries)
    assert list(Index.of(read_entries(text), 198).numbers(1, 10**9)) == sorted(expected)


@given(st.binary(max_size=60) | st.text(alphabet="0123456789, ", max_size=60).map(str.encode))
def test_any_bytes_are_read_as_entries_up_to_the_first_that_is_none(data: bytes) -> None:
    found = read_entries(data)
    triples = zip(found.seqs, found.offsets, found.sizes, strict=True)
    text = b"".join(b"%d,%d,%d " % triple for triple in triples)
    assert read_entries(text).seqs == found.seqs
    assert data[found.good :] == found.rest
    assert len(data[: found.good].split(b" ")) == len(found.seqs) + 1


def test_a_large_index_is_read_in_blocks_with_the_same_result() -> None:
    count = 140_000
    text = b"".join(b"%d,%d,%d " % (seq, seq * 10, 10) for seq in range(1, count + 1))
    assert len(text) > 2 << 20
    found = read_entries(text + b"9,9")
    assert list(found.seqs) == list(range(1, count + 1))
    assert (found.good, found.rest) == (len(text), b"9,9")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (b"0000000004 : 0000000007", (4, 7)),
        (b"%020d : %020d  " % (4, 7), (4, 7)),
        (b"4 : 7\n", (4, 7)),
        (b"0000000004 : 7", None),
        (b"0004 : 0007", None),
        (b"-1 : 7", None),
        (b"%020d : %020d" % (2**63 - 1, 1), (2**63 - 1, 1)),
        (b"%020d : %020d" % (1, 2**63), None),  # no frame holds it
    ],
)
def test_counters_are_read_or_not_at_all(text: bytes, numbers: tuple[int, int] | None) -> None:
    assert read_counters(text) == numbers


@pytest.mark.parametrize("text", [b"1" * 5_000, b"%d" % 2**63, b"0", b"\xb2", b"", None])
def test_a_lone_counter_that_is_none(text: bytes | None) -> None:
    assert read_number(text) is None


@pytest.mark.parametrize(
    "text",
    [b"00010101-00:00:00", b"19691231-23:59:59", b"99991231-00:00:00", b"0001-01-01T00:00:00Z"],
)
def test_a_creation_time_that_64_bits_do_not_hold_is_unknown(
    tmp_path: Path, text: bytes
) -> None:
    write_quickfix(tmp_path, history(2), 3, 3)
    (tmp_path / f"{PREFIX}.session").write_bytes(text)
    with FileStore(tmp_path) as store:
        assert store.epoch is None


@given(
    st.tuples(*[st.integers(0, 10**20 - 1)] * 4), st.sampled_from([b"", b"20260105-09:30:00"])
)
def test_a_note_comes_back_and_keeps_its_length(
    numbers: tuple[int, int, int, int], created: bytes
) -> None:
    note = Note(*numbers, created)
    assert len(note.encode()) == _opening.NOTE_BYTES
    assert Note.parse(note.encode()) == note
    assert Note.parse(note.encode()[:-1]) is None
