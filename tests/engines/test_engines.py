"""Real engines as processes: they start, answer, end with their parent and leave nothing."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fixlab.engines import (
    ENGINES,
    Engine,
    EngineSession,
    dictionary_files,
    dictionary_settings,
)
from fixlab.errors import ConfigError, ConnectError
from fixlab.session.config import SessionConfig
from tests.net.peers import RawPeer, raw_client, run, wire

KINDS = pytest.mark.parametrize("kind", sorted(ENGINES))
LAB = SessionConfig(sender_comp_id="LAB", target_comp_id="QF")
SESSION = EngineSession("FIX.4.4", "LAB", dictionary_settings("FIX.4.4"))
ORDER = "11={}|21=1|38=100|40=1|54=1|55=ACME|60=20260105-09:00:00|"


async def logged_on(peer: RawPeer) -> None:
    peer.writer.write(wire(LAB, "A", 1, "98=0|108=30|"))
    assert (await peer.read()).msg_type == "A"


@KINDS
def test_an_acceptor_sends_each_order_back(kind: str) -> None:
    heard: list[tuple[str, str, list[Any]]] = []
    made = Engine(kind, "acceptor", [SESSION], on_report=lambda *report: heard.append(report))
    with made as engine:

        async def story() -> None:
            async with raw_client(engine.port) as peer:
                await logged_on(peer)
                peer.writer.write(wire(LAB, "D", 2, ORDER.format("A-1")))
                answer = await peer.read()
                assert (answer.msg_type, answer[34], answer[11]) == ("D", "2", "A-1")
                assert answer[49] == "QF"

        run(story())
    assert ("order", SESSION.id, ["A-1"]) in heard
    assert heard[0] == ("logon", SESSION.id, [])


@KINDS
def test_hdr_07_another_application_message_is_unsupported(kind: str) -> None:
    with Engine(kind, "acceptor", [SESSION]) as engine:

        async def story() -> None:
            async with raw_client(engine.port) as peer:
                await logged_on(peer)
                peer.writer.write(wire(LAB, "B", 2, "148=news|33=1|58=text|"))
                answer = await peer.read()
                assert (answer.msg_type, answer[45], answer[380]) == ("j", "2", "3")

        run(story())


@KINDS
def test_prs_02_a_poss_resend_that_came_before_is_not_done_again(kind: str) -> None:
    with Engine(kind, "acceptor", [SESSION]) as engine:

        async def story() -> None:
            async with raw_client(engine.port) as peer:
                await logged_on(peer)
                for number, name, flag in ((2, "A", ""), (3, "A", "97=Y|"), (4, "B", "97=Y|")):
                    body = flag + ORDER.format(name)
                    peer.writer.write(wire(LAB, "D", number, body))
                answers = [await peer.read(), await peer.read()]
                assert [answer[11] for answer in answers] == ["A", "B"]

        run(story())


@KINDS
def test_an_initiator_comes_when_it_is_told_to(kind: str) -> None:
    sessions = [EngineSession("FIX.4.4", name) for name in ("ONE", "TWO")]
    sessions = [one._replace(settings=dictionary_settings("FIX.4.4")) for one in sessions]
    with Engine(kind, "initiator", sessions) as engine:
        with socket.create_server(("127.0.0.1", engine.port)) as server:
            server.settimeout(10)
            engine.tell("logon", sessions[1].id)
            connection, _ = server.accept()
            with connection:
                connection.settimeout(10)
                first = connection.recv(4096)
        assert b"\x0135=A\x01" in first
        assert b"\x0156=TWO\x01" in first


@KINDS
def test_many_sessions_have_numbers_of_their_own(kind: str) -> None:
    names = [f"LAB{n}" for n in range(20)]
    sessions = [EngineSession("FIX.4.4", name, ("UseDataDictionary=N",)) for name in names]
    with Engine(kind, "acceptor", sessions) as engine:

        async def one(number: int) -> None:
            config = replace(LAB, sender_comp_id=names[number])
            async with raw_client(engine.port) as peer:
                peer.writer.write(wire(config, "A", 1, "98=0|108=30|"))
                assert (await peer.read())[56] == names[number]
                peer.writer.write(wire(config, "D", 2, ORDER.format(number)))
                assert (await peer.read())[11] == str(number)

        async def story() -> None:
            await asyncio.gather(*(one(number) for number in range(len(names))))

        run(story())


@KINDS
def test_it_replies_once_it_has_done_what_it_was_asked(kind: str) -> None:
    with Engine(kind, "acceptor", [SESSION]) as engine:

        async def story() -> None:
            async with raw_client(engine.port) as peer:
                await logged_on(peer)
                assert await asyncio.to_thread(engine.ask, "send", SESSION.id, 2, "APP", 0) == [
                    2
                ]
                answers = [await peer.read(), await peer.read()]
                assert [answer[11] for answer in answers] == ["APP-0", "APP-1"]
                assert await asyncio.to_thread(engine.ask, "numbers", SESSION.id) == [4, 2]

        run(story())
        with pytest.raises(ConfigError, match=f"{engine.kind.title} has no reply to 'logon'"):
            engine.ask("logon", SESSION.id)


@pytest.mark.parametrize(("kind", "numbered"), [("quickfix", 2), ("fixcore", 0)])
def test_sch_07_what_an_application_sends_while_nobody_is_there(
    kind: str, numbered: int
) -> None:
    """QuickFIX numbers it at once; fixcore refuses it."""
    with Engine(kind, "acceptor", [SESSION]) as engine:
        sent = engine.ask("send", SESSION.id, 2, "APP", 0)
        assert engine.ask("numbers", SESSION.id) == [1 + numbered, 1]
        assert sent == [numbered]


# Life and death ----------------------------------------------------------------------------


@KINDS
def test_nothing_is_left_behind(kind: str) -> None:
    with Engine(kind, "acceptor", [SESSION]) as engine:
        port, folder = engine.port, engine.folder
        assert folder.is_dir()
        assert engine._process is not None
        child = engine._process.pid
        socket.create_connection(("127.0.0.1", port), 5).close()
    assert not folder.exists()
    assert not _alive(child)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)


@KINDS
def test_it_ends_when_its_parent_is_killed(kind: str) -> None:
    program = (
        "import sys\n"
        "from fixlab.engines import Engine, EngineSession\n"
        f"engine = Engine({kind!r}, 'acceptor', [EngineSession('FIX.4.4', 'LAB', "
        "('UseDataDictionary=N',))])\n"
        "engine.start()\n"
        "print(engine._process.pid, engine.folder, flush=True)\n"
        "sys.stdin.read()\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        pid, folder = parent.stdout.readline().split()
        assert _alive(int(pid))
        parent.kill()
    for path in sorted(Path(folder).rglob("*"), reverse=True):  # killed, it tidied up nothing
        path.unlink() if path.is_file() else path.rmdir()
    Path(folder).rmdir()
    deadline = time.monotonic() + 10
    while _alive(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(int(pid))


def _alive(pid: int) -> bool:
    """Whether it runs; one that ended and that nobody has asked about does not."""
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_crash_is_told(tmp_path: Path) -> None:
    engine = Engine("quickfix", "acceptor", [SESSION], folder=tmp_path / "engine")
    engine.start()
    assert engine._process is not None
    os.kill(engine._process.pid, signal.SIGSEGV)
    engine._process.wait(10)
    with pytest.raises(ConnectError, match=r"QuickFIX has crashed, it ended with -11"):
        engine.stop()


def test_what_keeps_it_from_starting_is_told() -> None:
    bad = SESSION._replace(settings=("UseDataDictionary=Y", "DataDictionary=/nowhere.xml"))
    wanted = r"QuickFIX did not start, it ended with 1: .*nowhere\.xml"
    with pytest.raises(ConnectError, match=wanted), Engine("quickfix", "acceptor", [bad]):
        pass


def test_what_goes_wrong_inside_is_not_hidden_by_a_crash() -> None:
    engine = Engine("quickfix", "acceptor", [SESSION])

    def use() -> None:
        with engine:
            assert engine._process is not None
            engine._process.kill()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        use()


@KINDS
def test_without_its_package_the_error_names_the_command(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    wanted = re.escape('install it with: pip install "fixlab[engines]"')
    with pytest.raises(ConfigError, match=wanted):
        Engine(kind, "acceptor", [SESSION])
    with pytest.raises(ConfigError, match=wanted):
        dictionary_files("FIX.4.4")


def test_a_mistake_says_what_is_expected() -> None:
    with pytest.raises(ConfigError, match=r"no engine 'quickfax', expected one of quickfix, "):
        Engine("quickfax", "acceptor", [])
    with pytest.raises(ConfigError, match=r"role is 'server', expected 'acceptor' or"):
        Engine("quickfix", "server", [])
    with pytest.raises(ConfigError, match=r"no dictionary of 'FIX.9.9'"):
        dictionary_files("FIX.9.9")
    engine = Engine("quickfix", "acceptor", [SESSION])
    with pytest.raises(ConnectError, match=r"QuickFIX does not run"):
        engine.ask("logout", SESSION.id)
    engine.close()


def test_the_dictionaries_are_there() -> None:
    versions = ("FIX.4.0", "FIX.4.1", "FIX.4.2", "FIX.4.3", "FIX.4.4", "FIXT.1.1")
    files = [path for version in versions for path in dictionary_files(version)]
    assert len(files) == len(set(files)) == 7
    assert all(path.is_file() for path in files)
