"""An Initiator against peers that are absent, silent, unfriendly or gone."""

import asyncio
import ssl

import pytest

from fixlab.errors import ConfigError, ConnectError, StateError
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.session.events import Ended, Established
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState
from fixlab.stores.memory import MemoryStore
from fixlab.times import SystemClock
from tests.net.peers import BUY, SELL, RawPeer, free_port, order, raw_server, run, wire

QUICK = SessionConfig(sender_comp_id="BUY", target_comp_id="SELL", logon_timeout_seconds=0.2)


async def answer_logon(peer: RawPeer, session: Session) -> None:
    """Play the acceptor's part with a session core."""
    now = SystemClock().now()
    session.connected(now)
    logon = await peer.read()
    peer.writer.write(session.receive(logon.raw or b"", now).data)


def test_refused_connections_say_where_and_what_to_check() -> None:
    port = free_port()

    async def story() -> None:
        with pytest.raises(ConnectError) as caught:
            async with Initiator(BUY, port=port):
                pass
        assert str(caught.value) == (
            f"127.0.0.1:{port}: connection refused; check that the acceptor is running and "
            f"listens there"
        )

    run(story())


def test_an_unknown_host_is_told() -> None:
    async def story() -> None:
        with pytest.raises(ConnectError, match="unknown host"):
            async with Initiator(BUY, host="no-such-host.invalid", port=1):
                pass

    run(story())


def test_a_peer_that_never_answers_times_out() -> None:
    async def story() -> None:
        async with raw_server() as server:
            buy = Initiator(QUICK, port=server.port)
            with pytest.raises(ConnectError, match=r"the Logon was not answered; check that a"):
                async with buy:
                    pass
            assert buy.attempts == 1
            assert "LGN-28" in set(buy.journal.to_frame().rule)

    run(story())


def test_a_refused_logon_gives_the_peers_words() -> None:
    async def story() -> None:
        async with raw_server() as server:
            asking = asyncio.create_task(Initiator(BUY, port=server.port).__aenter__())
            peer = await server.peers.get()
            await peer.read()
            peer.writer.write(wire(SELL, "5", 1, "58=unknown user <b>|"))
            with pytest.raises(ConnectError, match="Logon refused: unknown user <b>"):
                await asking

    run(story())


def test_a_peer_that_closes_without_a_word_gives_a_hint_on_the_comp_ids() -> None:
    async def story() -> None:
        async with raw_server() as server:
            asking = asyncio.create_task(Initiator(BUY, port=server.port).__aenter__())
            peer = await server.peers.get()
            await peer.read()
            await peer.close()
            with pytest.raises(ConnectError, match=r"check BeginString FIX\.4\.4, "):
                await asking

    run(story())


def test_reconnects_are_paced_counted_and_end_with_a_reason() -> None:
    async def story() -> None:
        async with raw_server() as server:
            loop = asyncio.get_running_loop()
            acceptor = Session(SELL, Role.ACCEPTOR)
            buy = Initiator(BUY, port=server.port, reconnect_seconds=0.05, reconnects_max=3)
            entering = asyncio.create_task(buy.connect())
            peer = await server.peers.get()
            await answer_logon(peer, acceptor)
            await entering

            begun = loop.time()
            await peer.close()
            for _ in range(3):
                peer = await server.peers.get()
                await peer.close()
            assert isinstance(await buy.next_event(), Established)
            for _ in range(4):
                assert isinstance(await buy.next_event(timeout_seconds=5), Ended)
            with pytest.raises(ConnectError, match="gave up after 3 attempts"):
                await buy.next_event(timeout_seconds=5)
            # Waits of 1, 2 and 4 times reconnect_seconds.
            assert loop.time() - begun >= 0.35
            assert buy.attempts == 4
            assert not buy.reconnecting
            assert "the connection was lost because: the peer closed" in buy.reason
            await asyncio.sleep(0.1)
            assert server.peers.empty()
            # A message accepted meanwhile has its number, and waits for the next connection.
            assert await buy.send(order(1)) == buy.session.next_out - 1
            await buy.close()

    run(story())


def test_an_established_session_starts_the_count_anew() -> None:
    async def story() -> None:
        async with raw_server() as server:
            acceptor = Session(SELL, Role.ACCEPTOR)
            buy = Initiator(BUY, port=server.port, reconnect_seconds=0.02, reconnects_max=2)
            entering = asyncio.create_task(buy.connect())
            for _ in range(5):
                peer = await server.peers.get()
                await answer_logon(peer, acceptor)
                await buy.wait_established()
                await peer.close()
                acceptor.disconnected(SystemClock().now())
                await buy.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
            await entering
            assert buy.attempts == 5
            await buy.close()

    run(story())


def test_connect_takes_the_place_of_the_wait_for_the_next_attempt() -> None:
    async def story() -> None:
        async with raw_server() as server:
            acceptor = Session(SELL, Role.ACCEPTOR)
            buy = Initiator(BUY, port=server.port, reconnect_seconds=60, exit_seconds=0.1)
            entering = asyncio.create_task(buy.connect())
            await answer_logon(await server.peers.get(), acceptor)
            await entering
            buy.cut()
            acceptor.disconnected(SystemClock().now())
            entering = asyncio.create_task(buy.connect())
            await answer_logon(await server.peers.get(), acceptor)
            await entering
            assert buy.state is SessionState.ACTIVE
            assert not buy.reconnecting
            await buy.close()

    run(story())


def test_a_logout_that_is_never_confirmed_ends_in_its_time() -> None:
    config = SessionConfig(
        sender_comp_id="BUY", target_comp_id="SELL", logout_timeout_seconds=0.1
    )

    async def story() -> None:
        async with raw_server() as server:
            buy = Initiator(config, port=server.port)
            entering = asyncio.create_task(buy.connect())
            await answer_logon(await server.peers.get(), Session(SELL, Role.ACCEPTOR))
            await entering
            await buy.logout()
            assert buy.reason == "the Logout was not confirmed"
            assert not buy.reconnecting
            with pytest.raises(StateError, match="needs an ACTIVE session"):
                await buy.logout()
            await buy.close()

    run(story())


def test_leaving_does_not_wait_long_for_a_silent_peer() -> None:
    async def story() -> None:
        async with raw_server() as server:
            buy = Initiator(BUY, port=server.port, exit_seconds=0.1)
            entering = asyncio.create_task(buy.connect())
            await answer_logon(await server.peers.get(), Session(SELL, Role.ACCEPTOR))
            await entering
            await buy.close()
            assert buy.state is SessionState.DISCONNECTED

    run(story(), seconds=3)


def test_cancelled_while_connecting_leaves_nothing_open() -> None:
    async def story() -> None:
        async with raw_server() as server:
            store = MemoryStore()
            buy = Initiator(BUY, port=server.port, store=store)
            entering = asyncio.create_task(buy.__aenter__())
            peer = await server.peers.get()
            await peer.read()
            entering.cancel()
            with pytest.raises(asyncio.CancelledError):
                await entering
            assert await peer.closed() == b""
            assert store.peek_out() == 2  # the Logon has left, so its number is used

    run(story())


def test_sends_wait_for_a_peer_that_does_not_read_and_it_is_dropped() -> None:
    async def story() -> None:
        async with raw_server() as server:
            buy = Initiator(BUY, port=server.port, stall_seconds=0.3, reconnects_max=0)
            entering = asyncio.create_task(buy.connect())
            peer = await server.peers.get()
            await answer_logon(peer, Session(SELL, Role.ACCEPTOR))
            await entering
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
            sent = 0

            async def flood() -> None:
                nonlocal sent
                text = "x" * 8_000
                message = order(1)
                message = type(message)("D", {11: "BIG", 58: text})
                for _ in range(5_000):
                    await buy.send(message)
                    sent += 1
                    if buy.connection is None:
                        return

            flooding = asyncio.create_task(flood())
            await asyncio.sleep(0.2)
            stopped_at = sent
            await asyncio.sleep(0.05)
            assert sent == stopped_at, "send() waits"
            assert 0 < sent < 5_000
            await asyncio.wait_for(flooding, 5)
            assert "the peer does not read" in buy.reason
            assert buy.state is SessionState.DISCONNECTED
            await buy.close()

    run(story())


def test_tls_against_a_plain_peer_is_told() -> None:
    async def story() -> None:
        async with raw_server() as server:
            context = ssl.create_default_context()
            asking = asyncio.create_task(
                Initiator(BUY, port=server.port, tls=context).__aenter__()
            )
            peer = await server.peers.get()
            await peer.reader.read(100)
            peer.writer.write(b"8=FIX.4.4\x01this is no TLS record, and long enough\x01")
            with pytest.raises(ConnectError, match="TLS failed"):
                await asking

    run(story())


@pytest.mark.parametrize(
    ("settings", "found"),
    [
        ({"port": 0}, "port must be 1 to 65535, found 0"),
        ({"port": 5, "reconnect_seconds": 0.0}, "must be positive"),
        ({"port": 5, "reconnects_max": -1}, "reconnects_max must be at least 0"),
        ({"port": 5, "events_max": 0}, "events_max must be at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, float], found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        Initiator(BUY, **settings)  # type: ignore[arg-type]
