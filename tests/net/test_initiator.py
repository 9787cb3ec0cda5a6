"""An Initiator against peers that are absent, silent, unfriendly or gone."""

import asyncio
import re
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixlab.errors import ConfigError, ConnectError, StateError
from fixlab.net import initiator as initiator_module
from fixlab.net.acceptor import Acceptor
from fixlab.net.initiator import Initiator
from fixlab.session.config import SessionConfig
from fixlab.session.events import Ended, Established, Event, Received, RoundTrip
from fixlab.session.schedule import Schedule
from fixlab.session.session import Session
from fixlab.session.transitions import Role, SessionState
from fixlab.stores.memory import MemoryStore
from fixlab.times import SystemClock, parse_start
from tests.net.peers import (
    BUY,
    SELL,
    RawPeer,
    RawServer,
    free_port,
    order,
    raw_server,
    run,
    wire,
)

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


def test_lgn_28_a_peer_that_never_answers_times_out() -> None:
    async def story() -> None:
        async with raw_server() as server:
            buy = Initiator(QUICK, port=server.port)
            with pytest.raises(ConnectError, match=r"the Logon was not answered; check that a"):
                async with buy:
                    pass
            assert buy.attempts == 1
            assert "LGN-28" in set(buy.journal.to_frame().rule)

    run(story())


def test_lgo_10_a_refused_logon_gives_the_peers_words() -> None:
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


def test_dsc_05_reconnects_are_paced_counted_and_end_with_a_reason() -> None:
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


async def breaks_each_session(server: RawServer, buy: Initiator, acceptor: Session) -> None:
    """Take the next Logon, and break the connection as soon as the session is up."""
    peer = await server.peers.get()
    await answer_logon(peer, acceptor)
    await buy.wait_established()
    await peer.close()
    acceptor.disconnected(SystemClock().now())
    await buy.wait_until(lambda s: s.state is SessionState.DISCONNECTED)


def test_dsc_05_a_session_that_stays_up_starts_the_count_anew() -> None:
    async def story() -> None:
        async with raw_server() as server:
            acceptor = Session(SELL, Role.ACCEPTOR)
            buy = Initiator(
                BUY,
                port=server.port,
                reconnect_seconds=0.02,
                reconnects_max=2,
                steady_seconds=0,
            )
            entering = asyncio.create_task(buy.connect())
            for _ in range(5):
                await breaks_each_session(server, buy, acceptor)
            await entering
            assert buy.attempts == 5
            assert buy.reconnecting
            await buy.close()

    run(story())


def test_dsc_05_a_peer_that_breaks_each_session_is_not_called_for_ever() -> None:
    async def story() -> None:
        async with raw_server() as server:
            loop = asyncio.get_running_loop()
            acceptor = Session(SELL, Role.ACCEPTOR)
            buy = Initiator(BUY, port=server.port, reconnect_seconds=0.05, reconnects_max=3)
            entering = asyncio.create_task(buy.connect())
            await breaks_each_session(server, buy, acceptor)
            begun = loop.time()
            for _ in range(3):
                await breaks_each_session(server, buy, acceptor)
            await entering
            # Waits of 1, 2 and 4 times reconnect_seconds, although each Logon was answered.
            assert loop.time() - begun >= 0.35
            assert not buy.reconnecting
            assert buy.attempts == 4
            assert buy.reason.startswith("gave up after 3 attempts to reconnect")
            # Asked to, it goes on, and counts from the start.
            connecting = asyncio.create_task(buy.connect())
            await breaks_each_session(server, buy, acceptor)
            await connecting
            assert buy.reconnecting
            await buy.close()

    run(story())


def test_dsc_05_what_this_side_cuts_is_not_held_against_the_peer() -> None:
    async def story() -> None:
        async with (
            Acceptor(SELL) as venue,
            Initiator(BUY, port=venue.port, reconnect_seconds=0.01, reconnects_max=1) as buy,
        ):
            for attempts in range(1, 5):
                await buy.wait_established()
                assert buy.attempts == attempts
                buy.cut()

    run(story())


def test_dsc_07_sent_just_before_the_loss_leaves_again_only_when_asked_for() -> None:
    async def story() -> None:
        async with raw_server() as server:
            buy = Initiator(BUY, port=server.port, reconnect_seconds=0.01)
            entering = asyncio.create_task(buy.connect())
            await answer_logon(await server.peers.get(), Session(SELL, Role.ACCEPTOR))
            await entering
            for n in range(3):
                await buy.send(order(n))
            buy.cut()

            peer = await server.peers.get()
            assert (await peer.read())[34] == "5"
            peer.writer.write(wire(SELL, "A", 2, "98=0|108=30|"))
            await buy.wait_established()
            buy.test_request()
            assert (await peer.read()).msg_type == "1", "nothing is sent again unasked"
            peer.writer.write(wire(SELL, "2", 3, "7=2|16=0|"))
            again = [await peer.read() for _ in range(3)]
            assert [(m.msg_type, m[34], m[43]) for m in again] == [
                ("D", "2", "Y"),
                ("D", "3", "Y"),
                ("D", "4", "Y"),
            ]
            buy.cut()
            await buy.close()

    run(story())


class AnyTime:
    """A clock that runs, and can be set."""

    def __init__(self, start: str) -> None:
        self.offset = parse_start(start) - SystemClock().now()
        self._clock = SystemClock()

    def now(self) -> int:
        return self._clock.now() + self.offset

    def set(self, moment: str) -> None:
        self.offset += parse_start(moment) - self.now()


def test_sch_05_a_session_is_brought_back_when_its_schedule_opens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(initiator_module, "_LOOK_SECONDS", 0.01)
    schedule = Schedule(start="09:00:00", end="17:00:00")
    clock = AnyTime("2026-01-05T16:59:59.5")
    buyer = replace(BUY, schedule=schedule)
    made: list[Initiator] = []
    numbers: list[int] = []

    def note(event: Event) -> None:
        if isinstance(event, Established):
            numbers.append(made[0].session.next_out)

    async def story() -> None:
        async with Acceptor(replace(SELL, schedule=schedule), clock=clock) as venue:
            buy = Initiator(
                buyer,
                port=venue.port,
                clock=clock,
                reconnect_seconds=0.01,
                reconnects_max=1,
                on_event=note,
            )
            made.append(buy)
            async with buy:
                await buy.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
                attempts = buy.attempts
                await asyncio.sleep(0.1)
                assert (buy.attempts, buy.reconnecting) == (attempts, True)
                clock.set("2026-01-06T08:59:59.9")
                await buy.wait_established(timeout_seconds=5)
                # SCH-02: another day, another session.
                assert numbers == [2, 2]
                clock.set("2026-01-06T18:00:00")
            with pytest.raises(ConnectError, match=r"outside its schedule, .* in 54,000 s"):
                await Initiator(buyer, port=venue.port, clock=clock).connect()

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


def test_lgo_08_a_logout_that_is_never_confirmed_ends_in_its_time() -> None:
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
        ({"port": 5, "steady_seconds": -1.0}, "steady_seconds must be at least 0"),
        ({"port": 5, "events_max": 0}, "events_max must be at least 1"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, float], found: str) -> None:
    with pytest.raises(ConfigError, match=found):
        Initiator(BUY, **settings)  # type: ignore[arg-type]


# Fail-over hosts ------------------------------------------------------------------------------


def test_dsc_05_each_host_is_tried_once_in_turn_until_one_logs_on() -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue:
            dead = free_port()
            buy = Initiator(
                BUY, port=dead, more_hosts=[("127.0.0.1", dead), ("127.0.0.1", venue.port)]
            )
            async with buy:
                assert buy.attempts == 3
                await buy.send(order(1))
            (sell,) = venue.sessions.values()
            assert (await sell.next_event(Received)).message[11] == "ORD-1"

    run(story())


def test_dsc_05_when_no_host_will_do_each_says_why() -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue:
            dead = free_port()
            stranger = replace(BUY, sender_comp_id="EVIL")
            more = [("no-such-host.invalid", 1), ("127.0.0.1", venue.port)]
            buy = Initiator(stranger, port=dead, more_hosts=more)
            with pytest.raises(ConnectError) as caught:
                async with buy:
                    pass
            first, second, third = re.split(r"; (?=127\.0\.0\.1:|no-such)", str(caught.value))
            assert first.startswith(f"127.0.0.1:{dead}: connection refused")
            assert second.startswith("no-such-host.invalid:1: unknown host")
            assert third.startswith(f"127.0.0.1:{venue.port}: ")
            assert "check BeginString" in third
            assert buy.reason == str(caught.value)
            assert buy.attempts == 3

    run(story())


def test_dsc_05_a_lost_connection_is_brought_back_at_the_next_host_round_robin() -> None:
    async def story() -> None:
        async with raw_server() as one, raw_server() as two:
            acceptor = Session(SELL, Role.ACCEPTOR)
            buy = Initiator(
                BUY,
                port=one.port,
                more_hosts=[("127.0.0.1", two.port)],
                reconnect_seconds=0.01,
                reconnects_max=4,
            )
            asking = asyncio.create_task(buy.connect())
            for server in (one, two, one, two, one):
                peer = await server.peers.get()
                await answer_logon(peer, acceptor)
                await asking
                await buy.wait_established()
                await peer.close()
                acceptor.disconnected(SystemClock().now())
                await buy.wait_until(lambda session: session.state is not SessionState.ACTIVE)
            # And no more of them than one host alone would get.
            with pytest.raises(ConnectError, match="gave up after 4 attempts to reconnect"):
                await buy.next_event(RoundTrip)
            assert buy.attempts == 5
            assert one.peers.empty()
            assert two.peers.empty()
            await buy.close()

    run(story())


@pytest.mark.parametrize(
    "more",
    ["backup", [("backup",)], ["ab"], [("backup", 0)], [("", 1)], [(1, 2)], [("a", "1")]],
)
def test_what_is_no_list_of_hosts_and_ports_is_refused(more: Any) -> None:
    with pytest.raises(ConfigError, match=r"more_hosts must|port must be 1 to 65535"):
        Initiator(BUY, port=1, more_hosts=more)


def test_the_hosts_and_limits_of_a_cfg_are_an_initiators(tmp_path: Path) -> None:
    async def story() -> None:
        async with Acceptor(SELL) as venue:
            path = tmp_path / "fund.cfg"
            path.write_text(
                f"[SESSION]\nConnectionType=initiator\nBeginString=FIX.4.4\nSenderCompID=BUY\n"
                f"TargetCompID=SELL\nHeartBtInt=30\nNonStopSession=Y\n"
                f"SocketConnectHost=127.0.0.1\nSocketConnectPort={free_port()}\n"
                f"SocketConnectHost1=127.0.0.1\nSocketConnectPort1={venue.port}\n"
                f"SocketConnectTimeout=2\n"
            )
            (found,) = SessionConfig.from_cfg(path)
            assert found.host is not None
            assert found.connect_seconds == 2.0
            async with Initiator(
                found.config,
                host=found.host,
                port=found.port,
                more_hosts=found.more_hosts,
                connect_seconds=found.connect_seconds,
                reconnect_seconds=found.reconnect_seconds,
            ) as buy:
                assert buy.attempts == 2

    run(story())
