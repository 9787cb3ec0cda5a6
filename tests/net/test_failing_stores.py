"""Full disks, locked and corrupt stores, under live sessions."""

import asyncio
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixlab.errors import StateError, StoreError
from fixlab.net.acceptor import Acceptor
from fixlab.net.initiator import Initiator
from fixlab.session.events import Received
from fixlab.session.transitions import SessionState
from fixlab.stores.memory import MemoryStore
from fixlab.stores.sqlite import SQLiteStore
from tests.net.peers import BUY, SELL, order, run


class FailingStore(MemoryStore):
    """A store on a disk that can be full, or unreadable."""

    __slots__ = ("full", "unreadable")

    def __init__(self) -> None:
        super().__init__()
        self.full = self.unreadable = False

    def commit(self) -> None:
        if self.full:
            self.rollback()
            raise StoreError("orders.sqlite: no room left to write; free some and go on")
        super().commit()

    def sent(self, begin: int, end: int) -> Iterator[tuple[int, bytes]]:
        if self.unreadable:
            raise StoreError("orders.sqlite: is corrupt; bring it back from a copy")
        return super().sent(begin, end)


def test_on_a_full_disk_nothing_leaves_and_what_was_accepted_survives() -> None:
    store = FailingStore()

    async def story() -> None:
        async with Acceptor(SELL) as venue:
            (sell,) = venue.sessions.values()
            async with Initiator(BUY, port=venue.port, store=store) as buy:
                assert await buy.send(order(1)) == 2
                await sell.next_event(Received)
                store.full = True
                await asyncio.sleep(0.01)
                with pytest.raises(StoreError, match="no room left"):
                    await buy.send(order(2))
                assert buy.state is SessionState.DISCONNECTED
                assert "no room left" in buy.reason
                assert not buy.reconnecting
                with pytest.raises(StoreError, match="no room left"):
                    await buy.send(order(3))
                with pytest.raises(StoreError, match="no room left"):
                    buy.skip(1)
                with pytest.raises(StoreError, match="no room left"):
                    await buy.connect()
                await sell.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
                assert sell.session.next_in == 3

                store.full = False
                await buy.connect()
                assert await buy.send(order(4)) == 4  # 3 is the Logon
                assert (await sell.next_event(Received)).message[11] == "ORD-4"
                assert len(buy.errors) == 1  # of the failed connect()

    run(story())


def test_sends_of_one_turn_that_could_not_be_stored_are_told_later() -> None:
    store = FailingStore()

    async def story() -> None:
        async with (
            Acceptor(SELL) as venue,
            Initiator(BUY, port=venue.port, store=store) as buy,
        ):
            (sell,) = venue.sessions.values()
            assert await buy.send(order(1)) == 2
            store.full = True
            assert await buy.send(order(2)) == 3  # the same turn: not stored yet
            with pytest.raises(StoreError):
                await buy.flush()
            assert buy.state is SessionState.DISCONNECTED
            assert [str(error) for error in buy.errors] == []
            assert (await sell.next_event(Received)).message[11] == "ORD-1"

            store.full = False
            await buy.connect()
            assert await buy.send(order(3)) == 4
            store.full = True
            buy.send_nowait(order(4))
            await asyncio.sleep(0.01)
            assert len(buy.errors) == 1
            with pytest.raises(StoreError):
                await buy.send(order(5))
            store.full = False
            assert (await sell.next_event(Received)).message[11] == "ORD-3"
            assert sell.session.next_in == 5

    run(story(), reports=1)


def test_seq_13_the_journal_never_tells_of_messages_that_did_not_leave() -> None:
    store = FailingStore()

    async def story() -> None:
        async with (
            Acceptor(SELL) as venue,
            Initiator(BUY, port=venue.port, store=store) as buy,
        ):
            (sell,) = venue.sessions.values()
            await buy.send(order(1))
            store.full = True
            await buy.send(order(2))  # the same turn as order(1): not stored yet
            with pytest.raises(StoreError):
                await buy.flush()
            with pytest.raises(StoreError):
                await buy.send(order(3))
            await sell.next_event(Received)
            last = buy.journal.tail(1).iloc[0]
            assert (last["kind"], last["state_before"], last["state"]) == (
                "STATE",
                "ACTIVE",
                "DISCONNECTED",
            )
            assert (last["next_in"], last["next_out_before"], last["next_out"]) == (2, 3, 3)
            assert last["text"].startswith("the store failed: orders.sqlite: no room left")

            store.full = False
            await buy.connect()
            await buy.send(order(4))
            await sell.next_event(Received)
        rows = buy.journal.to_frame()
        # Each number once, and every change of NextNumOut follows on the one before it.
        assert rows.loc[rows.kind == "SENT", "msg_seq_num"].tolist() == [1, 2, 3, 4, 5]
        assert rows.next_out_before.tolist()[1:] == rows.next_out.tolist()[:-1]
        assert rows.next_in_before.tolist()[1:] == rows.next_in.tolist()[:-1]

    run(story())


def test_seq_13_a_gap_of_an_undone_step_leaves_no_row() -> None:
    store = FailingStore()

    async def story() -> None:
        async with (
            Acceptor(SELL, store=store) as venue,
            Initiator(BUY, port=venue.port, reconnect_seconds=0.05) as buy,
        ):
            (sell,) = venue.sessions.values()
            await sell.wait_established()
            store.full = True
            buy.lose_next(1)
            await buy.send(order(1))
            await buy.send(order(2))  # shows the gap, but the request for it cannot be stored
            await sell.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
            assert (
                venue.journal.to_frame().kind.isin(["GAP_OPENED", "GAP_ABANDONED"]).sum() == 0
            )
            store.full = False
            await sell.wait_until(lambda s: s.next_in >= 5)
        kinds = venue.journal.to_frame().kind.tolist()
        assert kinds.count("GAP_OPENED") == kinds.count("GAP_CLOSED") == 1

    run(story(), reports=1)


def test_an_acceptor_with_a_full_disk_takes_the_message_once_there_is_room() -> None:
    store = FailingStore()

    async def story() -> None:
        async with Acceptor(SELL, store=store) as venue:
            (sell,) = venue.sessions.values()
            async with Initiator(BUY, port=venue.port, reconnect_seconds=0.05) as buy:
                await buy.send(order(1))
                await sell.next_event(Received)
                store.full = True
                await buy.send(order(2))
                await sell.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
                with pytest.raises(StoreError):
                    await sell.send(order(9))
                store.full = False
                await sell.wait_until(lambda s: s.next_in >= 5)
                # It was told before the commit failed, and is told again: never not at all.
                got = [(await sell.next_event(Received)).message[11] for _ in range(2)]
                assert got == ["ORD-2", "ORD-2"]
                assert sell.session.next_in == store.current_in()
                assert len(sell.errors) == 1
                await sell.send(order(3))
                await buy.next_event(Received)

    run(story(), reports=1)


def test_a_store_that_cannot_be_read_ends_the_connection_not_the_session() -> None:
    store = FailingStore()

    async def story() -> None:
        async with (
            Acceptor(SELL) as venue,
            Initiator(BUY, port=venue.port, store=store) as buy,
        ):
            (sell,) = venue.sessions.values()
            store.unreadable = True
            buy.lose_next(1)
            await buy.send(order(1))
            await buy.send(order(2))  # shows the gap, is asked for what is before it
            await buy.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
            assert "is corrupt" in buy.reason
            store.unreadable = False
            await buy.connect()
            got = [(await sell.next_event(Received)).message[11] for _ in range(2)]
            assert got == ["ORD-1", "ORD-2"]

    run(story(), reports=1)


def test_a_real_file_that_hits_a_size_limit(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    async def story() -> int:
        async with Acceptor(SELL) as venue:
            (sell,) = venue.sessions.values()
            async with Initiator(BUY, port=venue.port, store=SQLiteStore(path)) as buy:
                accepted = 0

                async def fill() -> None:
                    nonlocal accepted
                    for n in range(5_000):
                        await buy.send(order(n))
                        await buy.flush()
                        accepted += 1

                resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
                try:
                    with pytest.raises(StoreError, match=r"orders\.sqlite"):
                        await fill()
                finally:
                    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
                assert 0 < accepted < 5_000
                await buy.connect()
                await buy.send(order(accepted))
                got = [
                    (await sell.next_event(Received)).message[11] for _ in range(accepted + 1)
                ]
                assert got == [f"ORD-{n}" for n in range(accepted + 1)]
                return buy.session.next_out

    next_out = run(story())
    with SQLiteStore(path) as store:
        # The Logout came on top.
        assert store.peek_out() == next_out + 1


def test_a_store_in_use_is_told_before_anything_connects(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"

    async def story() -> None:
        async with Acceptor(SELL) as venue:
            async with Initiator(BUY, port=venue.port, store=SQLiteStore(path)) as buy:
                with pytest.raises(StoreError, match="is in use"):
                    Initiator(BUY, port=venue.port, store=SQLiteStore(path))
                assert buy.state is SessionState.ACTIVE
            # Leaving released it: the cell can be run again, and goes on from there.
            async with Initiator(BUY, port=venue.port, store=SQLiteStore(path)) as buy:
                assert buy.session.next_out == 4

    run(story())


def test_stores_are_released_when_connecting_fails(tmp_path: Path) -> None:
    path = tmp_path / "orders.sqlite"

    async def story() -> None:
        for _ in range(2):
            with pytest.raises(ConnectionError):
                async with Initiator(BUY, port=1, store=SQLiteStore(path)):
                    pass

    run(story())


def test_an_acceptor_makes_one_store_for_each_config_and_releases_them(
    tmp_path: Path,
) -> None:
    opened: list[SQLiteStore] = []

    def make(config: object) -> SQLiteStore:
        if len(opened) == 2:
            raise StateError("no third one")
        opened.append(SQLiteStore(tmp_path / f"{len(opened)}.sqlite"))
        return opened[-1]

    async def story() -> None:
        async with Acceptor([SELL, BUY], store=make):
            pass

    run(story())
    assert [repr(store) for store in opened] == [
        "SQLiteStore('0.sqlite', closed)",
        "SQLiteStore('1.sqlite', closed)",
    ]
    del opened[1]
    with pytest.raises(StateError, match="no third one"):
        Acceptor([SELL, BUY], store=make)
    assert repr(opened[1]) == "SQLiteStore('1.sqlite', closed)"
