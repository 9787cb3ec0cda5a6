"""FaultyStore: commits that go wrong, on every store that fixlab has."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import fixlab.faults.store
from fixlab.errors import StoreError
from fixlab.faults import FaultyStore, StoreFaults
from fixlab.faults.dice import Dice
from fixlab.stores.base import Store
from fixlab.stores.memory import MemoryStore
from fixlab.stores.quickfix import FileStore
from fixlab.stores.sqlite import SQLiteStore
from fixlab.times import NANOSECONDS


@pytest.fixture(params=["memory", "sqlite", "file"])
def inner(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    stores: dict[str, Store] = {"memory": MemoryStore()}
    if request.param == "sqlite":
        stores["sqlite"] = SQLiteStore(tmp_path / "store.sqlite")
    elif request.param == "file":
        stores["file"] = FileStore(tmp_path, "FIX.4.4:A->B")
    store = stores[request.param]
    yield store
    store.close()


def faulty(inner: Store, seed: int = 0, **faults: object) -> FaultyStore:
    planned = StoreFaults(**faults)  # type: ignore[arg-type]
    return FaultyStore(inner, planned, Dice(seed, "BUY", "store"), lambda seconds: None)


def step(store: Store, text: str = "m", *, received: int = 0) -> int:
    """What a session does for a message that it sends, up to the commit."""
    number = store.next_out()
    store.save_sent(number, f"{text}{number}".encode())
    if received:
        store.observed_in(received)
    return number


def state(store: Store) -> tuple[int, int, dict[int, bytes]]:
    return store.peek_out(), store.current_in(), dict(store.sent(1, 1_000))


def test_it_is_a_store(inner: Store) -> None:
    store = faulty(inner)
    assert isinstance(store, Store)
    step(store, received=1)
    store.commit()
    assert state(store) == state(inner) == (2, 2, {1: b"m1"})
    store.reset(5 * NANOSECONDS)
    store.commit()
    assert (store.epoch, state(store)) == (5 * NANOSECONDS, (1, 1, {}))


def test_a_commit_that_fails_keeps_nothing_of_its_step(inner: Store) -> None:
    store = faulty(inner, fail=[2])
    step(store, received=4)
    store.commit()
    before = state(store)
    step(store, received=5)
    with pytest.raises(StoreError, match="commit 2 failed on purpose"):
        store.commit()
    assert state(store) == before
    store.rollback()
    step(store, received=5)
    store.commit()
    assert state(store) == (3, 6, {1: b"m1", 2: b"m2"})


def test_a_full_disk_stays_full_until_it_is_healed(inner: Store) -> None:
    store = faulty(inner, full=[1])
    for _ in range(3):
        step(store)
        with pytest.raises(StoreError, match="no space left on the device"):
            store.commit()
    store.heal()
    step(store)
    store.commit()
    assert state(store) == (2, 1, {1: b"m1"})


def test_a_torn_write_keeps_a_part_and_never_harms_what_was_there(inner: Store) -> None:
    seen = set()
    store = faulty(inner, torn=list(range(2, 40, 2)))
    kept: dict[int, bytes] = {}
    for n in range(1, 39):
        before = state(store)
        step(store, f"{n}-", received=before[1])
        tried = state(store)
        try:
            store.commit()
        except StoreError as error:
            words = str(error).removesuffix(" only").split()[-1]
            after = state(store)
            assert {k: v for k, v in after[2].items() if k in before[2]} == before[2]
            if words == "numbers":
                assert after == (tried[0], tried[1], before[2])
            else:
                assert words == "messages"
                assert after == (before[0], before[1], tried[2])
            seen.add(words)
            store.rollback()
            assert state(store) == after
        kept = state(store)[2]
    assert seen == {"numbers", "messages"}
    assert kept


def test_a_torn_write_does_not_replace_a_message_that_was_kept(inner: Store) -> None:
    for seed in range(8):
        store = faulty(inner, seed, torn=[2])
        number = step(store)
        store.commit()
        before = dict(store.sent(number, number))
        store.save_sent(number, b"another")
        step(store)
        with pytest.raises(StoreError):
            store.commit()
        assert dict(store.sent(number, number)) == before


def test_a_torn_reset_keeps_all_that_was_there(inner: Store) -> None:
    store = faulty(inner, torn=[2])
    step(store)
    store.commit()
    before = state(store)
    store.reset(7)
    step(store)
    with pytest.raises(StoreError, match="kept nothing"):
        store.commit()
    assert state(store) == before


def test_what_was_torn_is_so_for_the_next_process(tmp_path: Path) -> None:
    for seed in range(6):
        path = tmp_path / f"{seed}.sqlite"
        inner = SQLiteStore(path)
        store = faulty(inner, seed, torn=[2])
        for _ in range(2):
            step(store)
            try:
                store.commit()
            except StoreError:
                told = state(store)
        store.close()
        with SQLiteStore(path) as again:
            assert state(again) == told


def test_a_lost_tail_is_there_until_the_process_dies(inner: Store) -> None:
    store = faulty(inner, lose_tail=[2, 3])
    for _ in range(3):
        step(store)
        store.commit()
    assert state(store) == (4, 1, {1: b"m1", 2: b"m2", 3: b"m3"})
    step(store)
    store.rollback()
    assert state(store)[0] == 4, "a step undone takes nothing with it that was committed"
    store.crash()
    assert state(store) == (2, 1, {1: b"m1"})


def test_the_next_good_commit_keeps_the_tail(inner: Store) -> None:
    store = faulty(inner, lose_tail=[1])
    for _ in range(2):
        step(store)
        store.commit()
    store.crash()
    assert state(store) == (3, 1, {1: b"m1", 2: b"m2"})


def test_a_failed_commit_does_not_take_the_tail_with_it(inner: Store) -> None:
    store = faulty(inner, lose_tail=[1], fail=[2])
    step(store)
    store.commit()
    step(store)
    with pytest.raises(StoreError):
        store.commit()
    assert state(store) == (2, 1, {1: b"m1"})


def test_an_orderly_end_keeps_the_tail(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite"
    store = faulty(SQLiteStore(path), lose_tail=1.0)
    step(store)
    store.commit()
    step(store)
    store.close()
    store.close()
    with SQLiteStore(path) as again:
        assert state(again) == (2, 1, {1: b"m1"})


def test_a_tail_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fixlab.faults.store, "_TAIL_MAX", 10)
    store = faulty(MemoryStore(), lose_tail=1.0)
    for _ in range(100):
        step(store)
        store.commit()
    store.crash()
    assert store.peek_out() > 90


def test_a_slow_commit_takes_its_time() -> None:
    slept: list[float] = []
    planned = StoreFaults(slow=[2], slow_seconds=3)
    store = FaultyStore(MemoryStore(), planned, Dice(0, "BUY", "store"), slept.append)
    for _ in range(3):
        step(store)
        store.commit()
    assert len(slept) == 1
    assert 0 < slept[0] < 3
    assert store.peek_out() == 4


def test_a_number_that_was_torn_can_be_used_again() -> None:
    for seed in range(4):
        inner = MemoryStore()
        store = faulty(inner, seed, torn=[2])
        step(store)
        store.commit()
        step(store)
        with pytest.raises(StoreError):
            store.commit()
        number = store.next_out()
        store.save_sent(number, b"again")
        store.commit()
        assert dict(store.sent(number, number)) == {number: b"again"}
