"""The log files of live sessions: what went over the wire, masked, and why things happened."""

from __future__ import annotations

import asyncio
import errno
import os
import re
from dataclasses import replace
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixlab import redact
from fixlab.errors import ConfigError
from fixlab.net.acceptor import Acceptor, template
from fixlab.net.initiator import Initiator
from fixlab.net.message_log import MessageLog
from fixlab.session.config import SessionConfig
from fixlab.session.events import Received
from fixlab.session.transitions import SessionState
from fixlab.wire.message import Message, encode
from tests.net.peers import (
    BUY,
    SELL,
    free_port,
    logon_bytes,
    order,
    raw_client,
    raw_server,
    run,
    wire,
)

NOW = 1_700_000_000_123_456_789
STAMP = rb"20\d{6}-\d\d:\d\d:\d\d\.\d{9} : "
SECRET = replace(BUY, username="ann", password="hush", logon_fields=((925, "hush2"),))


def messages(folder: Path, prefix: str) -> list[bytes]:
    """The messages of a log, without their times; each line must have one."""
    return lines(folder / f"{prefix}.messages.current.log")


def events(folder: Path, prefix: str) -> list[str]:
    return [text.decode() for text in lines(folder / f"{prefix}.event.current.log")]


def lines(path: Path) -> list[bytes]:
    found = path.read_bytes().split(b"\n")
    assert found.pop() == b""
    for line in found:
        assert re.match(STAMP, line), line
    return [re.sub(STAMP, b"", line, count=1) for line in found]


def log_of(folder: Path, config: SessionConfig = BUY) -> MessageLog:
    return MessageLog(folder, config)


# Over real sockets -------------------------------------------------------------------------


def test_both_ends_log_the_same_messages_as_they_went_over_the_wire(tmp_path: Path) -> None:
    buys, sells = tmp_path / "buy", tmp_path / "sell"

    async def story() -> None:
        async with (
            Acceptor(SELL, log_path=sells) as venue,
            Initiator(BUY, port=venue.port, log_path=str(buys)) as buy,
        ):
            (sell,) = venue.sessions.values()
            await sell.wait_established()
            for number in range(3):  # leave in one write
                await buy.send(order(number))
            for _ in range(3):
                await sell.next_event(Received)
            await sell.send(Message("8", [(37, 1), (95, 3), (96, b"a\x01b")]))
            await buy.next_event(Received)
            await buy.logout()
            await sell.wait_until(lambda s: s.state is SessionState.DISCONNECTED)

    run(story())
    ours, theirs = messages(buys, "FIX.4.4-BUY-SELL"), messages(sells, "FIX.4.4-SELL-BUY")
    assert sorted(ours) == sorted(theirs)
    assert ours == theirs  # one speaks at a time here
    types = [re.search(rb"\x0135=(.)", raw) for raw in ours]
    assert [found and found[1] for found in types] == [*b"A A D D D 8 5 5".split()]
    clear = [raw for raw in ours if b"96=" not in raw]
    assert len(clear) == 7
    for raw in clear:
        head, tail = raw[: raw.rindex(b"10=")], raw[-4:-1]
        assert sum(head) % 256 == int(tail)
    assert [raw for raw in ours if b"\x0195=3\x0196=***\x01" in raw]


def test_the_log_of_a_session_is_what_a_raw_peer_read_and_wrote(tmp_path: Path) -> None:
    async def story() -> list[bytes]:
        seen = []
        async with Acceptor(SELL, log_path=tmp_path) as venue, raw_client(venue.port) as peer:
            seen.append(logon_bytes())
            peer.writer.write(seen[-1])
            seen.append((await peer.read()).raw or b"")
            test = wire(BUY, "1", 2, "112=a|")
            news = wire(BUY, "B", 3, "148=x|33=1|58=y|")
            for part in (test[:20], test[20:] + news[:-3], news[-3:]):  # cut, and two in one
                peer.writer.write(part)
                await asyncio.sleep(0.02)
            seen += [test, (await peer.read()).raw or b"", news]
            (sell,) = venue.sessions.values()
            await sell.next_event(Received)
        return seen

    seen = run(story())
    logged = messages(tmp_path, "FIX.4.4-SELL-BUY")
    assert logged[:5] == seen
    assert [re.search(rb"35=5", raw) is not None for raw in logged[5:]] == [True]


def test_a_lost_message_is_not_in_the_log_and_the_gap_is_an_event(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            Acceptor(SELL, log_path=tmp_path / "sell") as venue,
            Initiator(BUY, port=venue.port, log_path=tmp_path / "buy") as buy,
        ):
            (sell,) = venue.sessions.values()
            await sell.wait_established()
            buy.lose_next(1)
            await buy.send(order(1))
            await buy.flush()
            await buy.send(order(2))
            for _ in range(2):
                await sell.next_event(Received)
            buy.reset()
            await buy.wait_until(lambda s: s.state is SessionState.RESET_SENT)
            await buy.wait_until(lambda s: s.state is SessionState.ACTIVE)

    run(story())
    ours = messages(tmp_path / "buy", "FIX.4.4-BUY-SELL")
    first = [raw for raw in ours if b"11=ORD-1\x01" in raw]
    assert len(first) == 1
    assert b"\x0143=Y\x01" in first[0]
    assert ours == messages(tmp_path / "sell", "FIX.4.4-SELL-BUY")
    told = "\n".join(events(tmp_path / "sell", "FIX.4.4-SELL-BUY"))
    for words in (
        r"session up, NextNumIn 2, NextNumOut 2",
        r"gap: 2 to 2 are missing.* \([A-Z]{3}-\d\d\)",
        r"asked the peer to resend 2 to ",
        r"gap closed: 2 to 2",
        r"both numbers back at 1",
        r"ended: the peer logged out \(LGO-02\)",
    ):
        assert re.search(rf"^{words}", told, re.M), (words, told)


def test_a_second_connection_appends(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            Acceptor(SELL) as venue,
            Initiator(BUY, port=venue.port, reconnect_seconds=0.02, log_path=tmp_path) as buy,
        ):
            buy.cut()
            await buy.wait_established()
        assert buy.log is not None
        assert buy.log.error is None

    run(story())
    logons = [raw for raw in messages(tmp_path, "FIX.4.4-BUY-SELL") if b"\x0135=A\x01" in raw]
    assert [raw.count(b"\x0149=BUY\x01") for raw in logons] == [1, 0, 1, 0]
    told = events(tmp_path, "FIX.4.4-BUY-SELL")
    assert sum(text.startswith("connecting to 127.0.0.1:") for text in told) == 2
    assert sum(text.startswith("session up") for text in told) == 2
    assert any(text.startswith("ended: cut on this side") for text in told)


def test_a_password_never_gets_to_the_log(tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            Acceptor(SECRET.mirrored(), log_path=tmp_path) as venue,
            Initiator(SECRET, port=venue.port, log_path=tmp_path) as buy,
        ):
            redact.hide(58)
            await buy.send(Message("D", {11: "A", 58: "hush3"}))
            (sell,) = venue.sessions.values()
            await sell.next_event(Received)

    try:
        run(story())
    finally:
        redact.reveal(58)
    assert len(list(tmp_path.iterdir())) == 4
    for path in tmp_path.iterdir():
        assert b"hush" not in path.read_bytes()
    for prefix in ("FIX.4.4-BUY-SELL", "FIX.4.4-SELL-BUY"):
        text = b"".join(messages(tmp_path, prefix))
        assert b"\x01553=ann\x01554=***\x01925=***\x01" in text
        assert b"\x0158=***\x01" in text


def test_a_caller_whose_name_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "log"
    folder.parent.mkdir()
    evil = SessionConfig(sender_comp_id="../../EVIL", target_comp_id="SELL")

    async def story() -> None:
        allowed = template(sender_comp_id="SELL")
        async with Acceptor(approve=allowed, log_path=folder) as venue:
            async with raw_client(venue.port) as peer:
                peer.writer.write(logon_bytes(evil))
                assert await peer.closed() == b""
            (refused,) = venue.refused
            assert "cannot be part of a file's name" in refused.reason
            assert not venue.sessions
            async with Initiator(BUY, port=venue.port):  # others get in
                pass

    run(story())
    assert {path.name.split(".mess")[0].split(".ev")[0] for path in folder.iterdir()} == {
        "FIX.4.4-SELL-BUY"
    }
    assert {path.name for path in tmp_path.rglob("*") if path.is_file()} == {
        path.name for path in folder.iterdir()
    }


def test_a_full_disk_stops_the_log_and_not_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk(FileIO):
        """Takes four bytes, as the last ones of a disk, then nothing."""

        def write(self, content: Any) -> int:
            if self.tell() >= 4:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(content[:4])

    monkeypatch.setattr("fixlab.net.message_log.FileIO", FullDisk)

    async def story() -> None:
        async with (
            Acceptor(SELL) as venue,
            Initiator(BUY, port=venue.port, log_path=tmp_path) as buy,
        ):
            (sell,) = venue.sessions.values()
            for number in range(3):
                await buy.send(order(number))
                await sell.next_event(Received)
            assert buy.log is not None
            assert buy.log.error is not None
            assert buy.log.error.errno == errno.ENOSPC
            assert "stopped" in repr(buy.log)
            assert buy.state is SessionState.ACTIVE
            assert not buy.errors

    run(story())


def test_a_connection_that_fails_is_an_event(tmp_path: Path) -> None:
    async def story() -> None:
        buy = Initiator(BUY, port=free_port(), log_path=tmp_path)
        with pytest.raises(Exception, match="refused"):
            await buy.connect()
        await buy.close()

    run(story())
    first, last = events(tmp_path, "FIX.4.4-BUY-SELL")
    assert first.startswith("connecting to 127.0.0.1:")
    assert re.match(r"ended: 127\.0\.0\.1:\d+: connection refused; check", last)


def test_garbled_bytes_are_logged_as_they_came(tmp_path: Path) -> None:
    async def story() -> tuple[bytes, bytes]:
        async with raw_server() as server:
            buy = Initiator(BUY, port=server.port, log_path=tmp_path, reconnects_max=0)
            connecting = asyncio.create_task(buy.connect())
            peer = await server.peers.get()
            await peer.read()
            peer.writer.write(wire(SELL, "A", 1, "98=0|108=30|"))
            await connecting
            broken = wire(SELL, "0", 2).replace(b"10=", b"10=9")
            peer.writer.write(broken + wire(SELL, "0", 2) + b"8=FIX.4.4\x019=5")
            await buy.wait_until(lambda s: s.next_in == 3)
            await peer.close()
            await buy.wait_until(lambda s: s.state is SessionState.DISCONNECTED)
            await buy.close()
        return broken, b"8=FIX.4.4\x019=5"

    broken, cut = run(story())
    logged = messages(tmp_path, "FIX.4.4-BUY-SELL")
    assert logged[2] == broken
    assert logged[-1] == cut
    assert [raw for raw in logged[3:-1] if b"\x0135=0\x0134=2\x0149=SELL" in raw]
    assert any(
        text.startswith("garbled bytes") for text in events(tmp_path, "FIX.4.4-BUY-SELL")
    )


def test_each_session_may_have_a_folder_of_its_own_or_none(tmp_path: Path) -> None:
    other = replace(SELL, target_comp_id="OTHER")
    folders = {SELL.session_id: tmp_path / "one"}
    venue = Acceptor([SELL, other], log_path=lambda config: folders.get(config.session_id))
    logs = [session.log for session in venue.sessions.values()]
    assert logs[0] is not None
    assert logs[0].messages_path.parent == tmp_path / "one"
    assert logs[1] is None
    assert [path.name for path in tmp_path.iterdir()] == ["one"]


# The log alone -----------------------------------------------------------------------------


def test_the_line_is_the_one_that_quickfix_writes(tmp_path: Path) -> None:
    log = log_of(tmp_path, replace(BUY, session_qualifier="2"))
    raw = wire(BUY, "0", 7)
    log.sent(raw, NOW)
    log.event("two\nlines 554=hush", NOW + 1)
    log.flush()
    log.close()
    assert log.messages_path.name == "FIX.4.4-BUY-SELL-2.messages.current.log"
    assert log.messages_path.read_bytes() == (b"20231114-22:13:20.123456789 : " + raw + b"\n")
    assert log.events_path.name == "FIX.4.4-BUY-SELL-2.event.current.log"
    assert log.events_path.read_bytes() == (
        b"20231114-22:13:20.123456790 : two\\nlines 554=***\n"
    )


@given(st.data())
def test_however_the_bytes_are_cut_none_is_lost_and_none_comes_twice(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    item = st.one_of(
        st.integers(1, 9).map(lambda n: wire(SELL, "0", n)),
        st.integers(1, 9).map(lambda n: wire(SELL, "0", n).replace(b"\x0110=", b"\x0110=9")),
        st.binary(max_size=12).filter(lambda raw: b"8" not in raw),
    )
    stream = b"".join(data.draw(st.lists(item, max_size=6)))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    folder = tmp_path_factory.mktemp("log")
    log = log_of(folder)
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        log.received(stream[begin:end], NOW)
    log.ended("done", NOW)
    stamp = b"20231114-22:13:20.123456789 : "
    text = log.messages_path.read_bytes()
    assert b"".join(part.removesuffix(b"\n") for part in text.split(stamp)) == stream


def test_a_secret_in_a_broken_message_that_comes_in_pieces_is_masked(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    logon = encode(b"FIX.4.4", b"35=A\x0134=1\x01554=hush-hush\x0158=x\x01")
    broken = logon.replace(b"\x019=", b"\x019=x")
    middle = broken.index(b"hush") + 2
    for part in (broken[:middle], broken[middle : middle + 3], broken[middle + 3 :]):
        log.received(part, NOW)
        log.flush()
    log.received(logon, NOW)
    log.ended("done", NOW)
    text = log.messages_path.read_bytes()
    assert b"sh" not in text
    assert text.count(b"554=***") == 2


def test_endless_garbage_fills_neither_memory_nor_disk(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    for _ in range(100):
        log.received(b"x" * 10_000, NOW)
    log.ended("done", NOW)
    assert log.messages_path.stat().st_size < 70_000


def test_a_line_that_a_crash_cut_short_is_ended_first(tmp_path: Path) -> None:
    path = tmp_path / "FIX.4.4-BUY-SELL.messages.current.log"
    path.write_bytes(b"20231114-22:13:20.123456789 : 8=FI")
    log = log_of(tmp_path)
    log.sent(wire(BUY, "0", 7), NOW)
    log.close()
    assert [raw[:8] for raw in lines(path)] == [b"8=FI", b"8=FIX.4."]


def test_a_folder_that_cannot_be_used_is_said_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    long = replace(BUY, target_comp_id="T" * 300)
    for folder, config in (
        (tmp_path / "file", BUY),
        (tmp_path / "no" / "where", BUY),
        (tmp_path / "x\0y", BUY),
        (tmp_path, long),
    ):
        with pytest.raises(ConfigError, match="no log can be written there"):
            MessageLog(folder, config)
    with pytest.raises(ConfigError, match="cannot be part of a file's name"):
        MessageLog(tmp_path, replace(BUY, target_comp_id="../up"))
    with pytest.raises(ConfigError, match="no log can be written there"):
        Initiator(BUY, port=1, log_path=tmp_path / "file")
    with pytest.raises(ConfigError, match="no log can be written there"):
        Acceptor(approve=template(), log_path=tmp_path / "file")


def test_an_error_is_kept_and_nothing_more_is_logged(tmp_path: Path) -> None:
    log = log_of(tmp_path)
    log.sent(wire(BUY, "0", 1), NOW)
    log.flush()
    assert log._files is not None
    log._files[0].close()  # as if somebody else had closed it
    log.sent(wire(BUY, "0", 2), NOW)
    log.flush()
    first = log.error
    assert first is not None
    log.sent(wire(BUY, "0", 3), NOW)
    log.received(wire(SELL, "0", 3), NOW)
    log.event("more", NOW)
    log.ended("done", NOW)
    assert log.error is first
    assert len(lines(log.messages_path)) == 1
    assert lines(log.events_path) == []
