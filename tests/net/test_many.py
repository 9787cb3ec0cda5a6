"""An Acceptor with many sessions, many probes, and peers that read slowly or not at all."""

import asyncio
import os
import socket
import ssl
import time

import pytest

from fixlab.errors import ConnectError
from fixlab.net.acceptor import AcceptedSession, Acceptor, template
from fixlab.net.connection import Connection
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.session.events import Event, Received, RoundTrip
from fixlab.session.transitions import SessionState
from fixlab.wire.message import Message
from tests.net.peers import BUY, SELL, RawPeer, ids, logon_bytes, order, raw_client, run, wire


def waiting_bytes(driver: AcceptedSession) -> int:
    """What waits in memory for the peer of this session."""
    connection = driver.connection
    assert isinstance(connection, Connection)
    assert connection._transport is not None
    return connection._transport.get_write_buffer_size()


def big(number: int) -> Message:
    return Message("D", {11: f"ORD-{number}", 58: "x" * 10_000})


async def slow_client(port: int) -> RawPeer:
    """A client that takes little in advance of what it reads."""
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return RawPeer(*await asyncio.open_connection(sock=sock, limit=1 << 12))


# Many -----------------------------------------------------------------------------------


def test_200_sessions_at_once_on_one_loop() -> None:
    count, orders = 200, 5
    versions = ("FIX.4.0", "FIX.4.2", "FIX.4.4", "FIXT.1.1")
    configs = [
        SessionConfig(
            sender_comp_id="VENUE", target_comp_id=f"F{n}", begin_string=versions[n % 4]
        )
        for n in range(count)
    ]
    got: dict[str, list[str]] = {config.session_id: [] for config in configs}
    back: dict[str, list[str]] = {config.mirrored().session_id: [] for config in configs}

    def on_event(session_id: str, event: Event) -> None:
        if isinstance(event, Received):
            got[session_id].append(event.message[11])
            venue.sessions[session_id].send_nowait(Message("8", {11: event.message[11]}))

    async def trade(buy: Initiator) -> None:
        await buy.connect()
        for n in range(orders):
            await buy.send(order(n))
        for _ in range(orders):
            event = await buy.next_event(Received)
            back[buy.id].append(event.message[11])

    async def story() -> None:
        async with venue:
            begun = time.monotonic()
            buys = [Initiator(c.mirrored(), port=venue.port) for c in configs]
            await asyncio.gather(*(trade(buy) for buy in buys))
            assert (
                repr(venue) == "<Acceptor of 200 sessions, 200 active, 0 connections refused>"
            )
            await venue.close()  # all logged out at once
            for buy in buys:
                await buy.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
                assert buy.reason == "the peer logged out"
                await buy.close()
            assert time.monotonic() - begun < 10

    venue = Acceptor(configs, on_event=on_event)
    run(story(), seconds=30)
    expected = [f"ORD-{n}" for n in range(orders)]
    assert all(names == expected for names in (*got.values(), *back.values()))


def test_dsc_01_a_port_that_is_probed_a_thousand_times_stays_well() -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue, Initiator(BUY, port=venue.port) as buy:
            (sell,) = venue.sessions.values()
            loop = asyncio.get_running_loop()
            files = len(os.listdir("/proc/self/fd"))
            for n in range(1_000):
                with socket.socket() as probe:
                    probe.setblocking(False)
                    await loop.sock_connect(probe, ("127.0.0.1", venue.port))
                    if n % 2:  # by a reset, half of the time
                        probe.setsockopt(
                            socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
                        )
            await buy.send(order(1))
            assert ids([await sell.next_event(Received)]) == ["ORD-1"]
            while len(os.listdir("/proc/self/fd")) > files:  # the last are being closed
                await asyncio.sleep(0.01)
            assert repr(venue) == "<Acceptor of 1 sessions, 1 active, 0 connections refused>"

    run(story())


@pytest.mark.parametrize(("count", "configured"), [(300, True), (250, False)])
def test_lgn_28_a_venue_that_comes_up_again_gets_all_its_callers_at_once(
    count: int, configured: bool
) -> None:
    async def story() -> None:
        configs = [
            SessionConfig(sender_comp_id="VENUE", target_comp_id=f"F{n}") for n in range(count)
        ]
        known = configs if configured else ()
        async with Acceptor(known, approve=template()) as venue:
            socks = [socket.create_connection(("127.0.0.1", venue.port)) for _ in configs]
            for sock, config in zip(socks, configs, strict=True):
                sock.sendall(logon_bytes(config.mirrored()))
            for sock in socks:
                assert await asyncio.to_thread(sock.recv, 9) == b"8=FIX.4.4"
            assert venue.refused_count == 0
            assert len(venue.sessions) == count
            for session in venue.sessions.values():
                session.cut()
            for sock in socks:
                sock.close()

    run(story())


# Before the Logon -----------------------------------------------------------------------


def tls_server() -> ssl.SSLContext:
    """Enough for handshakes that never come to a certificate."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


def test_lgn_28_tls_01_a_handshake_that_stalls_is_closed_in_time() -> None:
    config = SessionConfig(
        sender_comp_id="SELL", target_comp_id="BUY", logon_timeout_seconds=0.2
    )

    async def story() -> None:
        async with Acceptor(config, tls=tls_server(), anonymous_max=3) as venue:
            clients = [
                RawPeer(*await asyncio.open_connection("127.0.0.1", venue.port))
                for _ in range(5)
            ]
            clients[4].writer.write(b"\x16\x03\x01")  # the head of a record, and no more
            for client in clients:
                assert await client.closed() == b""
                await client.close()
            reasons = sorted(refused.reason for refused in venue.refused)
            assert reasons == [
                *["made room: too many connections without a Logon"] * 2,
                *["no TLS handshake and Logon within 0.2 s"] * 3,
            ]

    run(story())


def test_tls_01_who_speaks_no_tls_is_told_apart_from_who_only_probes() -> None:
    async def story() -> None:
        async with Acceptor(SELL, tls=tls_server()) as venue:
            async with raw_client(venue.port):
                pass
            async with raw_client(venue.port) as plain:
                plain.writer.write(logon_bytes())
                await plain.closed()
            (refused,) = venue.refused
            assert refused.rule == "TLS-01"
            assert refused.reason == "TLS failed: what came is not TLS"
            assert refused.address.startswith("127.0.0.1:")

    run(story())


def test_closing_with_a_handshake_under_way_leaves_nothing_open() -> None:
    async def story() -> None:
        async with Acceptor(SELL, tls=tls_server()) as venue, raw_client(venue.port) as peer:
            peer.writer.write(b"\x16\x03\x01")
            await peer.writer.drain()
            await asyncio.sleep(0)
            await venue.close()
            assert await peer.closed() == b""

    run(story())


# Slow readers ---------------------------------------------------------------------------


def test_rsp_15_a_replay_to_a_slow_reader_takes_little_memory_and_harms_nobody() -> None:
    count = 3_000  # 30 MB to replay, many times what a socket takes

    async def story() -> None:
        async with Acceptor(
            [SELL, SessionConfig(sender_comp_id="SELL", target_comp_id="B2")]
        ) as venue:
            sell = venue.sessions[SELL.session_id]
            for n in range(count):
                sell.send_nowait(big(n))
            await sell.flush()
            slow = await slow_client(venue.port)
            slow.writer.write(logon_bytes() + wire(BUY, "2", 2, "7=1|16=0|"))
            await sell.wait_until(lambda s: s.next_in == 3)
            other = SessionConfig(sender_comp_id="B2", target_comp_id="SELL")
            async with Initiator(other, port=venue.port) as quick:
                for _ in range(20):
                    quick.test_request()
                    await quick.next_event(RoundTrip, timeout_seconds=5)
            # The replay waits, and what waits in memory is one batch, not all of it.
            assert sell.session.replaying
            assert sell.connection is not None
            assert sell.connection.paused
            assert waiting_bytes(sell) < 12_000_000
            numbers: list[int] = []
            while len(numbers) < count:
                message = await slow.read()
                if message.msg_type == "D":
                    numbers.append(int(message[34]))
            assert numbers == list(range(1, count + 1))
            await slow.close()

    run(story(), seconds=40)


def test_a_peer_that_does_not_read_its_replay_is_cut_with_a_reason() -> None:
    async def story() -> None:
        async with Acceptor(SELL, stall_seconds=0.3) as venue:
            (sell,) = venue.sessions.values()
            for n in range(2_000):
                sell.send_nowait(big(n))
            await sell.flush()
            deaf = await slow_client(venue.port)
            deaf.writer.write(logon_bytes() + wire(BUY, "2", 2, "7=1|16=0|"))
            await sell.wait_until(lambda s: s.next_in == 3)
            await sell.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
            assert sell.reason.startswith("the peer does not read: ")
            assert sell.session.next_out == 2_002  # a replay uses up no number
            await deaf.close()

    run(story())


def test_a_peer_that_reads_is_not_cut_although_more_and_more_waits_for_it() -> None:
    async def story() -> None:
        async with Acceptor(SELL, stall_seconds=0.4) as venue:
            (sell,) = venue.sessions.values()
            slow = await slow_client(venue.port)
            slow.writer.write(logon_bytes())
            await sell.wait_established()
            for n in range(1_000):
                sell.send_nowait(big(n))
            await asyncio.sleep(0)
            waited = [waiting_bytes(sell)]
            for _ in range(10):  # for a second it takes some, and is sent more than it takes
                for n in range(100):
                    sell.send_nowait(big(n))
                for _ in range(40):
                    await slow.read()
                await asyncio.sleep(0.1)
                waited.append(waiting_bytes(sell))
            assert waited[-1] > waited[0]
            assert sell.state is SessionState.ACTIVE
            sell.cut()
            await slow.close()

    run(story())


def test_no_more_than_a_limit_waits_for_a_peer() -> None:
    async def story() -> None:
        async with Acceptor(SELL, write_bytes_max=1 << 20) as venue:
            (sell,) = venue.sessions.values()
            deaf = await slow_client(venue.port)
            deaf.writer.write(logon_bytes())
            await sell.wait_established()
            sent = 0
            while sell.state is SessionState.ACTIVE:
                sell.send_nowait(big(sent))
                sent += 1
                assert sent < 10_000
                await asyncio.sleep(0)
            assert sell.reason.startswith("the peer does not read: 1,0")
            assert sell.session.next_out == sent + 2
            await deaf.close()

    run(story())


# Stopping -------------------------------------------------------------------------------


def test_lgo_01_stopping_waits_for_logouts_within_a_bound_and_takes_nobody_new() -> None:
    names = ("QUICK", "DEAF")

    async def story() -> None:
        configs = [SessionConfig(sender_comp_id="SELL", target_comp_id=name) for name in names]
        venue = Acceptor(configs, approve=template(), exit_seconds=0.5)
        await venue.listen()
        port = venue.port
        quick = Initiator(configs[0].mirrored(), port=port)
        await quick.connect()
        async with raw_client(port) as deaf, raw_client(port) as silent:
            deaf.writer.write(logon_bytes(configs[1].mirrored()))
            assert (await deaf.read()).msg_type == "A"
            begun = time.monotonic()
            closing = asyncio.create_task(venue.close())
            assert (await deaf.read()).msg_type == "5"
            with pytest.raises(ConnectError, match="connection refused"):
                await Initiator(BUY, port=port).connect()
            assert await silent.closed() == b""
            await quick.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
            assert quick.reason == "the peer logged out"
            await closing
            assert 0.4 < time.monotonic() - begun < 3
            assert await deaf.closed() == b""
        reasons = [venue.sessions[config.session_id].reason for config in configs]
        assert reasons == ["Logout confirmed", "closed on this side"]
        await quick.close()

    run(story())
