"""An Acceptor against strangers, floods, garbage and second connections."""

import asyncio
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixlab.errors import ConfigError, ConnectError, StateError
from fixlab.net.acceptor import Acceptor
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.session.events import Ended, Received
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState
from fixlab.stores.memory import MemoryStore
from fixlab.times import SystemClock
from tests.net.peers import BUY, SELL, RawPeer, logon_bytes, order, raw_client, run, wire

STRANGER = SessionConfig(sender_comp_id="EVIL", target_comp_id="SELL")


@pytest.mark.parametrize(
    ("data", "rule", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "FRM-08", "HTTP's GET"),
        (b"\x00\xff garbage", "FRM-08", "start no message"),
        (b"8=FIX.4.4\x019=9999999999\x0135=A\x01", "FRM-08", "9999999999 exceeds"),
        (b"8=FIX.4.4\x019=20000\x0135=A\x01", "FRM-08", "20000 exceeds"),
        (logon_bytes(STRANGER), "LGN-06", "SenderCompID 'EVIL'"),
        (logon_bytes().replace(b"FIX.4.4", b"FIX.4.2"), "FRM-08", "CheckSum"),
    ],
)
def test_frm_08_lgn_06_dsc_01_who_is_no_configured_peer_is_closed_without_a_word(
    data: bytes, rule: str, reason: str
) -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue, Initiator(BUY, port=venue.port) as buy:
            async with raw_client(venue.port) as peer:
                peer.writer.write(data)
                assert await peer.closed() == b""
            (refused,) = venue.refused
            assert refused.rule == rule
            assert reason in refused.reason
            # Who is logged on notices nothing, and no number was used.
            (sell,) = venue.sessions.values()
            assert (sell.session.next_in, sell.session.next_out) == (2, 2)
            await buy.send(order(1))
            assert (await sell.next_event(Received)).message[11] == "ORD-1"

    run(story())


def test_lgn_07_a_second_connection_is_closed_and_the_first_untouched() -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue, Initiator(BUY, port=venue.port) as buy:
            (sell,) = venue.sessions.values()
            with pytest.raises(ConnectError, match="logged on already"):
                async with Initiator(BUY, port=venue.port):
                    pass
            assert [refused.rule for refused in venue.refused] == ["LGN-07"]
            await buy.send(order(1))
            assert (await sell.next_event(Received)).message[11] == "ORD-1"
            assert buy.attempts == 1

    run(story())


def test_dsc_06_a_dead_but_open_connection_blocks_its_session_until_hbt_05() -> None:
    config = SessionConfig(
        sender_comp_id="SELL", target_comp_id="BUY", disconnect_wait_seconds=0.1
    )
    caller = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL", heartbeat_seconds=1)

    async def story() -> None:
        async with Acceptor(config) as venue, raw_client(venue.port) as dead:
            (sell,) = venue.sessions.values()
            dead.writer.write(logon_bytes(caller))  # and then never reads nor writes again
            await sell.wait_established()
            with pytest.raises(ConnectError):
                async with Initiator(caller, port=venue.port):
                    pass
            ended = await sell.next_event(Ended, timeout_seconds=6)
            assert not ended.clean
            assert "HBT-05" in set(venue.journal.to_frame().rule)
            await sell.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
            store = MemoryStore(next_out=sell.session.next_in, next_in=1)
            async with Initiator(caller, port=venue.port, store=store):
                assert sell.state is SessionState.ACTIVE

    run(story())


def test_lgn_02_the_first_message_must_be_a_logon() -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue, raw_client(venue.port) as peer:
            peer.writer.write(wire(BUY, "0", 1))
            assert await peer.closed() == b""
            (sell,) = venue.sessions.values()
            assert sell.reason == "first message not a Logon but Heartbeat"
            assert sell.session.next_in == 1

    run(story())


def test_lgn_28_who_says_nothing_is_closed_in_time() -> None:
    config = SessionConfig(
        sender_comp_id="SELL", target_comp_id="BUY", logon_timeout_seconds=0.1
    )

    async def story() -> None:
        async with Acceptor(config) as venue, raw_client(venue.port) as peer:
            assert await peer.closed() == b""
            assert [r.reason for r in venue.refused] == ["no Logon within 0.1 s"]

    run(story())


def test_lgn_28_slow_and_many_strangers_are_bounded_and_harm_nobody() -> None:
    config = SessionConfig(
        sender_comp_id="SELL", target_comp_id="BUY", logon_timeout_seconds=0.5
    )

    async def story() -> None:
        async with Acceptor(config, anonymous_max=4) as venue:
            clients = [
                RawPeer(*await asyncio.open_connection("127.0.0.1", venue.port))
                for _ in range(20)
            ]
            drip = logon_bytes()
            for position in range(10):
                for client in clients:
                    client.writer.write(drip[position : position + 1])
                await asyncio.sleep(0.005)
            # The flood is at its height, and a real peer gets in.
            async with Initiator(BUY, port=venue.port) as buy:
                assert buy.state is SessionState.ACTIVE
                while venue.refused_count < 20:
                    await asyncio.sleep(0.02)
            for client in clients:
                assert await client.closed() == b""
                await client.close()
            reasons = {refused.reason.split(":")[0] for refused in venue.refused}
            assert reasons == {"made room", "no Logon within 0.5 s"}

    run(story())


@settings(max_examples=12, deadline=None)
@given(st.lists(st.integers(1, 400), max_size=6))
def test_a_conversation_cut_into_any_pieces_reads_the_same(cuts: list[int]) -> None:
    now = SystemClock().now()
    caller = Session(BUY, Role.INITIATOR)
    data = caller.connected(now).data
    acceptor = Session(SELL, Role.ACCEPTOR)
    acceptor.connected(now)
    caller.receive(acceptor.receive(data, now).data, now)
    data += b"".join(caller.send(order(n), now).data for n in range(3))
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]

    async def story() -> None:
        async with Acceptor(SELL) as venue, raw_client(venue.port) as peer:
            (sell,) = venue.sessions.values()
            for begin, end in itertools.pairwise(edges):
                peer.writer.write(data[begin:end])
                await peer.writer.drain()
                await asyncio.sleep(0.001)
            got = [await sell.next_event(Received, timeout_seconds=5) for _ in range(3)]
            assert [event.msg_seq_num for event in got] == [2, 3, 4]
            assert (await peer.read()).msg_type == "A"
            sell.cut()

    run(story())


def test_several_sessions_share_one_port_and_one_journal() -> None:
    configs = [
        SessionConfig(sender_comp_id="SELL", target_comp_id=name, begin_string=version)
        for name, version in (("A", "FIX.4.2"), ("B", "FIX.4.4"), ("B", "FIXT.1.1"))
    ]
    heard: list[str] = []

    async def story() -> None:
        async with Acceptor(configs, on_event=lambda name, _: heard.append(name)) as venue:
            for config in configs:
                async with Initiator(config.mirrored(), port=venue.port) as buy:
                    await buy.send(order(1))
                    sell = venue.sessions[config.session_id]
                    await sell.wait_until(lambda session: session.next_in == 3)
        assert set(venue.journal.to_frame().session) == set(heard) == set(venue.sessions)

    run(story())


def test_seq_13_a_session_lives_on_in_its_store_after_the_acceptor() -> None:
    store = MemoryStore()

    async def story() -> None:
        for number in (2, 5):
            async with (
                Acceptor(SELL, store=store) as venue,
                Initiator(BUY, port=venue.port, store=callers) as buy,
            ):
                (sell,) = venue.sessions.values()
                await sell.wait_established()
                assert await sell.send(order(number)) == number
                await buy.next_event(Received)

    callers = MemoryStore()
    run(story())


def test_addresses_and_configs_that_cannot_work_are_refused() -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue:
            taken = venue.port
            with pytest.raises(ConnectError, match=f"127.0.0.1:{taken}: cannot listen"):
                async with Acceptor(SELL, port=taken):
                    pass
            with pytest.raises(StateError, match="listens once"):
                await venue.listen()
        with pytest.raises(StateError, match="does not listen"):
            _ = venue.port

    run(story())
    with pytest.raises(ConfigError, match="at least one"):
        Acceptor([])
    with pytest.raises(ConfigError, match="may be configured once"):
        Acceptor([SELL, SELL])
    with pytest.raises(ConfigError, match="one store cannot serve 2 sessions"):
        Acceptor([SELL, BUY], store=MemoryStore())


def test_closing_logs_everybody_out() -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue:
            buy = Initiator(BUY, port=venue.port)
            await buy.connect()
        await buy.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
        ended = await buy.next_event(Ended)
        assert ended.clean
        assert not buy.reconnecting
        await buy.close()

    run(story())


def test_dsc_01_an_address_that_is_not_allowed_is_refused_before_it_says_a_word() -> None:
    async def story() -> None:
        async with (
            Acceptor(SELL, allowed_addresses=["10.0.0.0/8", "::1"]) as venue,
            raw_client(venue.port) as peer,
        ):
            assert await peer.closed() == b""
            (refused,) = venue.refused
            assert refused.rule == "DSC-01"
            assert refused.reason == "its address is not among allowed_addresses"
            assert refused.address.startswith("127.0.0.1:")
            assert refused.message is None
            (sell,) = venue.sessions.values()
            assert (sell.session.next_in, sell.session.next_out) == (1, 1)

    run(story())


@pytest.mark.parametrize("word", ["127.0.0.0/8", "127.0.0.1", "localhost"])
def test_dsc_01_an_address_that_is_allowed_comes_in(word: str) -> None:
    async def story() -> None:
        async with (
            Acceptor(SELL, allowed_addresses=["10.0.0.0/8", word]) as venue,
            Initiator(BUY, port=venue.port),
        ):
            assert venue.refused == ()

    run(story())


def test_a_name_without_an_address_keeps_an_acceptor_from_listening() -> None:
    async def story() -> None:
        with pytest.raises(ConnectError, match="allowed_addresses: unknown host"):
            async with Acceptor(SELL, allowed_addresses=["no-such-host.invalid"]):
                pass

    run(story())


def test_lgn_06_lgn_07_a_refusal_shows_the_message_without_its_secrets() -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue, Initiator(BUY, port=venue.port):
            stranger = SessionConfig(
                sender_comp_id="EVIL", target_comp_id="SELL", username="me", password="hunter2"
            )
            for config in (stranger, BUY):
                async with raw_client(venue.port) as peer:
                    peer.writer.write(logon_bytes(config))
                    await peer.closed()
            first, second = venue.refused
            assert (first.rule, second.rule) == ("LGN-06", "LGN-07")
            assert first.message is not None
            assert second.message is not None
            assert (first.message[49], second.message[49]) == ("EVIL", "BUY")
            assert "hunter2" not in repr(venue.refused)
            assert "553=me" in repr(first)

    run(story())
