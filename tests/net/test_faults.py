"""Faults on real sockets: what a misbehaving end does, and what the honest one says of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pandas as pd
import pytest

from fixlab.errors import ConfigError, ConnectError, StateError, StoreError
from fixlab.faults import Faults, LinkFaults, PeerFaults, StoreFaults, Strike
from fixlab.net.acceptor import AcceptedSession, Acceptor
from fixlab.net.initiator import Initiator
from fixlab.session.events import Received
from fixlab.session.transitions import SessionState
from fixlab.stores.memory import MemoryStore
from tests.faults.test_peer import ALL, CASES, faults
from tests.net.peers import BUY, SELL, ids, order, raw_client, run, wire

# All that waits waits less than a second.
QUICK = replace(
    BUY,
    heartbeat_seconds=1,
    disconnect_wait_seconds=0.2,
    resend_timeout_seconds=0.4,
    logout_timeout_seconds=0.4,
    logon_timeout_seconds=1.0,
)
# How many rows of the kind there are, where one would be there without the fault as well.
LEAST = {
    "request_storm": 5,
    "request_overlap": 2,
    "resend_loop": 10,
    "request_unjustified": 2,
    "gap_fill_unasked": 2,
}


def tells(frame: pd.DataFrame, told: str) -> int:
    """How many rows are of this kind and rule, and their text begins so."""
    head, _, text = told.partition(": ")
    kind, rule = head.split() if " " in head else (head, "")
    rows = frame[(frame["kind"] == kind) & frame["rule"].astype(str).str.startswith(rule)]
    return int(rows["text"].str.startswith(text).sum())


async def talk(name: str, buy: Initiator, sell: AcceptedSession) -> None:
    """What `tests.faults.duo.story()` does, live; stops when a session is over."""
    for number in (2, 3, 4):
        await sell.send(order(number))
    if name == "silent":
        return  # nothing else may end it
    await asyncio.sleep(0.05)
    sell.lose_next(3)
    await sell.send(order(5))
    await sell.send(order(6))
    sell.test_request()
    await sell.send(order(8))
    await sell.send(order(9))
    await asyncio.sleep(0.05)
    buy.lose_next(1)
    await buy.send(order(2))
    await buy.send(order(3))
    await asyncio.sleep(0.05)
    buy.test_request()


@pytest.mark.parametrize("name", ALL)
def test_the_honest_end_says_what_is_wrong(name: str) -> None:
    case = CASES[name]
    config = replace(QUICK, **dict(case.settings))
    told = case.told.replace("nothing received for 12 s", "nothing received")

    async def story() -> tuple[pd.DataFrame, tuple[Strike, ...]]:
        planned = Faults(peer=faults(name, case.when))
        async with Acceptor(config.mirrored(), faults=planned) as venue:
            (sell,) = venue.sessions.values()
            buy = Initiator(config, port=venue.port, reconnects_max=0)
            try:
                await buy.connect()
                await talk(name, buy, sell)
                if name == "reset_not_applied":
                    buy.reset()
                    await asyncio.sleep(0.1)
                    await sell.send(order(10))
            except (ConnectError, StateError):
                pass  # the fault ended it

            def seen() -> bool:
                told_often = tells(buy.journal.to_frame(), told) >= LEAST.get(name, 1)
                return told_often and sell.struck != ()

            try:
                await buy.wait_until(lambda session: seen(), timeout_seconds=5)
            except TimeoutError:
                pass  # the assertions below say more
            struck = sell.struck
            await buy.close()
            return buy.journal.to_frame(), struck

    frame, struck = run(story(), reports=None)
    assert {(strike.family, strike.fault) for strike in struck} == {("peer", name)}
    assert tells(frame, told) >= LEAST.get(name, 1), (struck, frame.to_string())


def test_an_initiator_misbehaves_as_well_and_its_journal_is_its_own_view() -> None:
    async def story() -> None:
        planned = Faults(peer=PeerFaults(drop=[3], no_orig_sending_time=[3]))
        async with (
            Acceptor(SELL) as venue,
            Initiator(BUY, port=venue.port, faults=planned, seed=5) as buy,
        ):
            (sell,) = venue.sessions.values()
            for number in (2, 3, 4):
                await buy.send(order(number))
            await sell.wait_until(lambda session: session.next_in == 5)
            assert buy.struck == (
                Strike("peer", "drop", 3),
                Strike("peer", "no_orig_sending_time", 3),
            )
            own = buy.journal.to_frame()
            assert own[own["kind"] == "SENT"]["msg_seq_num"].tolist() == [1, 2, 3, 4]
            assert tells(venue.journal.to_frame(), "REJECTED HDR-08") == 1

    run(story())


def test_without_faults_nothing_is_in_the_way() -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue, Initiator(BUY, port=venue.port) as buy:
            await buy.send(order(1))
            assert buy.struck == ()
            assert not any((buy.faulty.peer.changes_sent, buy.faulty.peer.changes_received))
            assert buy.faulty.link is None

    run(story())


def test_each_session_draws_for_itself_and_the_seed_decides() -> None:
    async def story(seed: int) -> dict[str, list[int]]:
        told: dict[str, list[int]] = {}
        configs = [replace(SELL, target_comp_id=name) for name in ("ANN", "BOB")]

        def on_strike(session_id: str, strike: Strike) -> None:
            told.setdefault(session_id, []).append(strike.occasion)

        planned = linked(fragment=0.3)
        async with Acceptor(configs, faults=planned, seed=seed, on_strike=on_strike) as venue:
            for config in configs:
                sell = venue.sessions[config.session_id]
                async with Initiator(config.mirrored(), port=venue.port):
                    await send_slowly(sell, 30)
                    assert [strike.occasion for strike in sell.struck] == told[sell.id]
        return told

    first = run(story(1), reports=None)
    assert len(first) == 2
    assert len(set(map(tuple, first.values()))) == 2
    assert run(story(1), reports=None) == first
    assert run(story(2), reports=None) != first


def test_an_error_in_on_strike_is_reported_and_the_fault_happens() -> None:
    def on_strike(session_id: str, strike: Strike) -> None:
        raise ValueError(session_id)

    async def story() -> None:
        planned = Faults(peer=PeerFaults(drop=[2]))
        async with (
            Acceptor(SELL, faults=planned, on_strike=on_strike) as venue,
            Initiator(BUY, port=venue.port) as buy,
        ):
            (sell,) = venue.sessions.values()
            await sell.send(order(2))
            await sell.send(order(3))
            assert [(await buy.next_event(Received)).poss_dup for _ in range(2)] == [
                True,
                False,
            ]

    run(story(), reports=1)


def test_healing_ends_it_all() -> None:
    async def story() -> None:
        planned = Faults(peer=PeerFaults(drop=[2, 3, 4]), link=LinkFaults(stall=[2, 3]))
        async with (
            Acceptor(SELL, faults=planned) as venue,
            Initiator(BUY, port=venue.port) as buy,
        ):
            (sell,) = venue.sessions.values()
            sell.faulty.heal()
            for number in (2, 3, 4):
                await sell.send(order(number))
            assert ids([await buy.next_event(Received) for _ in range(3)])[0] == "ORD-2"
            assert sell.struck == ()

    run(story())


@pytest.mark.parametrize("what", [{"faults": PeerFaults()}, {"seed": "x"}, {"faults": None}])
def test_what_is_no_plan_is_said_at_once(what: dict[str, object]) -> None:
    for make in (lambda: Acceptor(SELL, **what), lambda: Initiator(BUY, port=1, **what)):  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="must be"):
            make()


async def send_slowly(end: Initiator | AcceptedSession, count: int) -> None:
    """Each order in a turn of its own, so with a commit and a write of its own."""
    for number in range(count):
        await end.send(order(number))
        await asyncio.sleep(0.01)


# The store --------------------------------------------------------------------------------


def test_a_store_that_fails_ends_the_connection_and_the_numbers_stay_right() -> None:
    async def story() -> None:
        store = MemoryStore()
        planned = Faults(store=StoreFaults(fail=[4]))
        async with (
            Acceptor(SELL) as venue,
            Initiator(BUY, port=venue.port, store=store, faults=planned) as buy,
        ):
            with pytest.raises(StoreError, match="failed on purpose"):
                await send_slowly(buy, 9)
            (strike,) = buy.struck
            assert strike == Strike("store", "fail", 4)
            await buy.connect()
            await buy.send(order(9))
            (sell,) = venue.sessions.values()
            await sell.wait_until(lambda session: session.next_in == store.peek_out())

    run(story(), reports=None)


def test_a_lost_tail_shows_when_the_process_died() -> None:
    async def story() -> None:
        store, planned = MemoryStore(), Faults(store=StoreFaults(lose_tail=1.0))
        async with Acceptor(SELL) as venue:
            (sell,) = venue.sessions.values()
            buy = Initiator(BUY, port=venue.port, store=store, faults=planned)
            await buy.connect()
            await buy.send(order(2))
            await sell.wait_until(lambda session: session.next_in == 3)
            buy.cut()
            store.rollback()  # what the process had not really kept dies with it
            again = Initiator(BUY, port=venue.port, store=store)
            with pytest.raises(ConnectError, match="MsgSeqNum too low, expecting 3"):
                await again.connect()
            await again.close()

    run(story(), reports=None)


# The link ---------------------------------------------------------------------------------


def linked(**settings: object) -> Faults:
    return Faults(link=LinkFaults(**settings))  # type: ignore[arg-type]


SHAKY = {
    "fragment": linked(fragment=1.0),
    "coalesce": linked(coalesce=[2, 4, 6]),
    "delay": linked(delay=1.0, delay_seconds=0.02),
    "jitter": linked(jitter_seconds=0.02),
    "stall": linked(stall=[3], stall_seconds=0.3),
}


@pytest.mark.parametrize("name", SHAKY)
def test_what_a_link_delays_or_cuts_in_pieces_arrives_all_the_same(name: str) -> None:
    async def story() -> list[str]:
        async with (
            Acceptor(SELL, faults=SHAKY[name]) as venue,
            Initiator(BUY, port=venue.port) as buy,
        ):
            (sell,) = venue.sessions.values()
            await send_slowly(sell, 8)
            got = ids([await buy.next_event(Received) for _ in range(8)])
            # A Logout waits for what is late, also when it goes wrong itself.
            await sell.logout("that was all")
            await buy.wait_until(lambda session: session.state is SessionState.DISCONNECTED)
            assert "that was all" in buy.reason
            assert buy.journal.to_frame()["kind"].isin(["GAP_OPENED", "GARBLED"]).sum() == 0
            return got

    assert run(story()) == [f"ORD-{n}" for n in range(8)]


def test_a_stall_stalls_and_a_fragment_is_small() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        faults = linked(stall=[2], stall_seconds=0.3, fragment=[1])
        async with Acceptor(SELL, faults=faults) as venue, raw_client(venue.port) as peer:
            (sell,) = venue.sessions.values()
            peer.writer.write(wire(BUY, "A", 1, "98=0|108=30|"))
            first = await peer.reader.read(65_536)
            assert len(first) < 20
            assert (await peer.read_on(first)).msg_type == "A"
            begin = loop.time()
            await sell.send(order(2))
            await sell.send(order(3))
            assert (await peer.read())[11] == "ORD-2"
            assert loop.time() - begin > 0.29
            assert (await peer.read())[11] == "ORD-3"

    run(story())


def test_a_cut_loses_the_connection_and_recovery_brings_the_rest() -> None:
    async def story() -> None:
        async with (
            Acceptor(SELL, faults=linked(cut=[3])) as venue,
            Initiator(BUY, port=venue.port, reconnect_seconds=0.05) as buy,
        ):
            (sell,) = venue.sessions.values()
            await send_slowly(sell, 6)
            got = ids([await buy.next_event(Received) for _ in range(6)])
            assert got == [f"ORD-{n}" for n in range(6)]
            assert sell.struck == (Strike("link", "cut", 3),)
            for end in (buy, sell):
                assert (end.journal.to_frame()["rule"] == "DSC-03").sum() == 1
            assert buy.attempts == 2

    run(story())


def test_half_open_is_noticed_by_silence_only() -> None:
    async def story() -> None:
        async with (
            Acceptor(QUICK.mirrored(), faults=linked(half_open=[2])) as venue,
            Initiator(QUICK, port=venue.port, reconnects_max=0) as buy,
        ):
            (sell,) = venue.sessions.values()
            await sell.send(order(2))
            # Its own end hears nothing any more, not even a Logout, and is not told of the end.
            await buy.logout()
            assert buy.reason == "the Logout was not confirmed"
            assert sell.state is SessionState.ACTIVE
            await sell.wait_until(lambda session: session.state is SessionState.DISCONNECTED)
            rows = sell.journal.to_frame()
            rows = rows[rows["session"] == sell.id]
            assert tells(rows, "TIMED_OUT HBT-05") == 1
            # The next connection is a good one.
            await buy.connect()
            assert (await buy.next_event(Received)).message[11] == "ORD-2"

    run(story())


def test_what_waits_behind_a_fault_is_bounded() -> None:
    async def story() -> None:
        planned = linked(stall=[2], stall_seconds=30)
        async with (
            Acceptor(SELL, faults=planned, write_bytes_max=10_000) as venue,
            Initiator(BUY, port=venue.port, reconnects_max=0) as buy,
        ):
            (sell,) = venue.sessions.values()
            for number in range(200):
                await sell.send(order(number))
            await buy.wait_until(lambda session: session.state is SessionState.DISCONNECTED)
            assert "waited behind a fault of the link" in sell.reason

    run(story())


def test_closing_does_not_wait_for_what_is_stalled() -> None:
    async def story() -> float:
        loop = asyncio.get_running_loop()
        planned = linked(stall=[2], stall_seconds=30)
        async with (
            Acceptor(SELL, faults=planned, exit_seconds=0.2) as venue,
            Initiator(BUY, port=venue.port, reconnects_max=0, exit_seconds=0.2),
        ):
            (sell,) = venue.sessions.values()
            await sell.send(order(2))
            begin = loop.time()
        return loop.time() - begin

    assert run(story()) < 3
