"""A QuickFIX engine with many sessions, as the tests see it: one process for all of them."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from fixlab.wire.framer import Framer
from fixlab.wire.message import Message

CHILD = Path(__file__).with_name("engine.py")
STEP_SECONDS = 10.0  # what anything may take that is waited for
_START_SECONDS = 30.0  # with dictionaries to load, on a busy machine
_POLL_SECONDS = 0.003
VERSIONS = ("FIX.4.0", "FIX.4.2", "FIX.4.4", "FIXT.1.1")

_DEFAULT = """[DEFAULT]
ConnectionType={role}
NonStopSession=Y
FileStorePath={folder}/store
FileLogPath={folder}/log
HeartBtInt=30
ReconnectInterval=0
LogonTimeout=5
LogoutTimeout=2
SocketNodelay=Y
SocketReuseAddress=Y
AllowedRemoteAddresses=127.0.0.1
SocketAcceptPort={port}
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
"""
_SESSION = """[SESSION]
BeginString={begin_string}
SenderCompID=QF
TargetCompID={name}
"""


class Spec(NamedTuple):
    """One session of the engine; `settings` are further lines of its `.cfg`."""

    begin_string: str
    name: str  # fixlab's CompID, and what the session is for
    settings: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        return f"{self.begin_string}:QF->{self.name}"


class Engine:
    """The engine's process; it can be killed and started again on the same files."""

    def __init__(self, role: str, folder: Path, specs: Iterable[Spec]) -> None:
        self.role = role
        self.folder = folder
        self.peers = {spec.id: Peer(self, spec) for spec in specs}
        # Bound and never listening: nobody else gets the port, whoever listens next does.
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", 0))
        self.port: int = self._held.getsockname()[1]
        self._process: subprocess.Popen[str] | None = None
        self._listening: threading.Thread | None = None

    def start(self) -> None:
        """Start it, with what its files say."""
        self.folder.mkdir(exist_ok=True)
        text = _DEFAULT.format(role=self.role, folder=self.folder, port=self.port)
        for spec in (peer.spec for peer in self.peers.values()):
            text += _SESSION.format(begin_string=spec.begin_string, name=spec.name)
            text += "".join(f"{line}\n" for line in spec.settings)
        path = self.folder / "engine.cfg"
        path.write_text(text)
        self._process = subprocess.Popen(
            [sys.executable, str(CHILD), self.role, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        ready = threading.Event()
        self._listening = threading.Thread(target=self._listen, args=(self._process, ready))
        self._listening.start()
        if not ready.wait(_START_SECONDS):
            code = self._process.poll()
            self.kill()
            raise AssertionError(f"QuickFIX did not start with {path}, exit code {code}")

    def _listen(self, process: subprocess.Popen[str], ready: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            kind, name, *rest = json.loads(line)
            if kind == "ready":
                ready.set()
            else:
                self.peers[name].hear(kind, rest)

    def tell(self, *command: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def kill(self) -> None:
        """SIGKILL: nothing is said, nothing is tidied up."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        assert self._listening is not None
        self._listening.join()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            pipe.close()

    def stop(self) -> None:
        """End it; fails when it has crashed, or does not listen any more."""
        assert self._process is not None
        self.tell("stop", "")
        deadline = time.monotonic() + STEP_SECONDS
        while self._process.poll() is None and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
        ended = self._process.poll()
        self.kill()
        self._held.close()
        assert ended == 0, f"QuickFIX ended with {ended}"


class Peer:
    """One session of the engine: what it reports, and its files."""

    def __init__(self, engine: Engine, spec: Spec) -> None:
        self.engine = engine
        self.spec = spec
        self.orders: list[str] = []
        self.logons = 0
        self.logouts = 0
        self._replies: dict[str, list[Any]] = {}
        self._files = f"{spec.begin_string}-QF-{spec.name}"

    def hear(self, kind: str, rest: list[Any]) -> None:
        """A report; called on the listening thread."""
        if kind == "order":
            self.orders.append(rest[0])
        elif kind == "logon":
            self.logons += 1
        elif kind == "logout":
            self.logouts += 1
        else:
            self._replies[kind] = rest

    def tell(self, command: str, *arguments: object) -> None:
        self.engine.tell(command, self.spec.id, *arguments)

    async def reply(self, kind: str) -> list[Any]:
        await until(lambda: kind in self._replies, f"QuickFIX to report {kind!r}")
        return self._replies.pop(kind)

    async def send(self, count: int, prefix: str, pause: float = 0.0) -> None:
        """So many orders, numbered and stored when this returns."""
        self.tell("send", count, prefix, pause)
        await self.reply("sent")

    async def skip(self, count: int) -> None:
        self.tell("skip", count)
        await self.reply("skipped")

    async def leave(self) -> None:
        """Have it log out within a second, and stay away once this returns."""
        self.tell("logout")
        await self.reply("leaving")

    async def numbers(self) -> tuple[int, int]:
        """NextNumOut and NextNumIn."""
        self.tell("numbers")
        ours, theirs = await self.reply("numbers")
        return ours, theirs

    def stored_numbers(self) -> tuple[int, int]:
        """NextNumOut and NextNumIn, from its store's file."""
        text = (self.engine.folder / "store" / f"{self._files}.seqnums").read_text()
        found = re.fullmatch(r"0*(\d+) : 0*(\d+)\s*", text)
        assert found, text
        return int(found[1]), int(found[2])

    def log(self) -> list[Message]:
        """Its message log, both directions, in its order."""
        raw = b"".join(line.partition(b" : ")[2] for line in self._lines("messages"))
        messages = Framer().feed(raw)
        assert all(isinstance(message, Message) for message in messages)
        return [message for message in messages if isinstance(message, Message)]

    def texts(self) -> str:
        """Both of its logs, as people read them."""
        lines = [*self._lines("messages"), b"", *self._lines("event")]
        return b"\n".join(lines).replace(b"\x01", b"|").decode("latin-1")

    def _lines(self, which: str) -> list[bytes]:
        path = self.engine.folder / "log" / f"{self._files}.{which}.current.log"
        return path.read_bytes().splitlines() if path.exists() else []


async def until(
    done: Callable[[], bool], awaited: str, *, seconds: float = STEP_SECONDS
) -> None:
    """Return once `done()`; asked every few milliseconds, for it may hold on another thread."""
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, f"waited {seconds:g} s for {awaited}"
        await asyncio.sleep(_POLL_SECONDS)
