"""Engine: one process with many sessions of a real engine, told what to do over its pipes.

An engine's threads and crashes cannot reach the caller that way. Each line on a pipe is one
JSON array, whose second element names the session. The process ends when its parent does, for
then its stdin ends.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, Self

from fixlab.engines._kinds import ENGINES, EngineKind
from fixlab.errors import ConfigError, ConnectError

START_SECONDS = 30.0  # with dictionaries to load, on a busy machine
STOP_SECONDS = 10.0
REPLY_SECONDS = 10.0
_WORDS_MAX = 400  # characters of its last words that an error repeats

Report = Callable[[str, str, list[Any]], None]

_DEFAULT = """\
[DEFAULT]
ConnectionType={role}
HeartBtInt=30
SocketAcceptPort={port}
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
ReconnectInterval={reconnect}
"""
_SESSION = """\
[SESSION]
BeginString={begin_string}
SenderCompID={sender}
TargetCompID={name}
"""


class EngineSession(NamedTuple):
    """One session of an engine; `settings` are further lines of its configuration."""

    begin_string: str
    name: str  # the engine's TargetCompID: the CompID of whoever talks to it
    settings: tuple[str, ...] = ()
    sender: str = "QF"  # the engine's own CompID

    @property
    def id(self) -> str:
        """As QuickFIX writes it: `FIX.4.4:QF->LAB`."""
        return f"{self.begin_string}:{self.sender}->{self.name}"


class Engine:
    """A real engine on a loopback port, with a session for each counterparty.

    Use it as a context manager, or call `start` and `stop`; `kill` and `start` continue on the
    same files. An initiator's sessions stay away until they are told to come with `logon`. With
    `echo` its application answers each NewOrderSingle with the same one, except a PossResend
    that it has seen before, and supports no other application message.

    `kind` is a key of `ENGINES`, or an `EngineKind`; `settings` are further lines of its
    `[DEFAULT]` section. `folder` holds its files, by default a temporary one that goes when the
    engine stops. `reconnect_seconds` is an initiator's pause between two attempts; QuickFIX
    with 0 tries all the time. `on_report(kind, session_id, rest)` is called on a thread of the
    engine's own with what it reports: `logon`, `logout`, `order` with its ClOrdID(11).

    Raises `ConfigError` when the engine is not installed (it names the command to type) or
    there is no such engine, and `ConnectError` when it does not start or has crashed.
    """

    def __init__(
        self,
        kind: str | EngineKind,
        role: str,
        sessions: Iterable[EngineSession],
        *,
        folder: Path | None = None,
        settings: str = "",
        reconnect_seconds: int = 1,
        echo: bool = True,
        on_report: Report | None = None,
    ) -> None:
        self.kind = engine_kind(kind)
        self.kind.require()
        if role not in ("acceptor", "initiator"):
            raise ConfigError(f"role is {role!r}, expected 'acceptor' or 'initiator'")
        self.role = role
        self.sessions = {session.id: session for session in sessions}
        self._settings = settings
        self._reconnect_seconds = reconnect_seconds
        self._echo = echo
        self._on_report = on_report
        self._own_folder = None if folder else tempfile.TemporaryDirectory(prefix="fixlab-")
        self.folder = folder or Path(self._own_folder.name if self._own_folder else ".")
        # Bound and never listening: nobody else gets the port, whoever listens next does.
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._held.bind(("127.0.0.1", 0))
        self.port: int = self._held.getsockname()[1]
        self._process: subprocess.Popen[str] | None = None
        self._listening: threading.Thread | None = None
        self._heard = threading.Condition()
        self._replies: dict[tuple[str, str], list[Any]] = {}  # the last of each kind

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if error is None:
            self.stop()
        else:  # what went wrong first matters more than how it ends
            self.close()

    # Life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Start it, with what its files say; returns once it is ready."""
        self.folder.mkdir(exist_ok=True)
        path = self.folder / "engine.cfg"
        path.write_text(self._configuration(), encoding="utf-8")
        words = self.folder / "stderr.txt"
        with words.open("w", encoding="utf-8") as stderr:
            self._process = subprocess.Popen(
                # -P: a file beside the program must not stand in for the engine's package.
                [sys.executable, "-P", str(self.kind.child), self.role, str(path)]
                + ["echo"] * self._echo,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C is the caller's to answer
            )
        first = threading.Event()
        self._ready = False
        self._listening = threading.Thread(
            target=self._listen, args=(self._process, first), daemon=True
        )
        self._listening.start()
        first.wait(START_SECONDS)
        if not self._ready:
            code = self._ended(self._process, 0 if not first.is_set() else STOP_SECONDS)
            self.kill()
            how = f"ended with {code}" if code is not None else f"took {START_SECONDS:g} s"
            raise ConnectError(f"{self.kind.title} did not start, it {how}{self._last_words()}")

    def kill(self) -> None:
        """SIGKILL: nothing is said, nothing is tidied up; `start` goes on with its files."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        assert self._listening is not None
        self._listening.join()
        for pipe in (process.stdin, process.stdout):
            assert pipe is not None
            try:
                pipe.close()
            except BrokenPipeError:
                pass  # what was still to be said to it has nobody to hear it

    def stop(self) -> None:
        """End it; raises `ConnectError` when it has crashed, or does not listen any more."""
        process = self._process
        code: int | None = 0
        if process is not None:
            self.tell("stop", "")
            code = self._ended(process, STOP_SECONDS)
        words = "" if code == 0 else self._last_words()
        self.close()
        if code is None:
            raise ConnectError(
                f"{self.kind.title} did not end within {STOP_SECONDS:g} s{words}"
            )
        if code != 0:
            raise ConnectError(f"{self.kind.title} has crashed, it ended with {code}{words}")

    def close(self) -> None:
        """Kill it, give its port back and remove a temporary folder."""
        self.kill()
        self._held.close()
        if self._own_folder is not None:
            self._own_folder.cleanup()

    @staticmethod
    def _ended(process: subprocess.Popen[str], seconds: float) -> int | None:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            return None

    # Talk ---------------------------------------------------------------------------------

    def tell(self, command: str, session_id: str, *arguments: object) -> None:
        """Have it do something, as its kind's `replies` lists; returns at once."""
        if self._process is None:
            raise ConnectError(f"{self.kind.title} does not run")
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([command, session_id, *arguments]) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it has crashed: `stop` says so, with its last words

    def ask(self, command: str, session_id: str, *arguments: object) -> list[Any]:
        """Have it do something and wait for its word that it has; returns what it replied.

        Raises `ConnectError` when no reply comes within 10 s, or it has no reply to give.
        """
        if not self.kind.replies.get(command):
            raise ConfigError(f"{self.kind.title} has no reply to {command!r}")
        key = (self.kind.replies[command], session_id)
        with self._heard:
            self._replies.pop(key, None)
            self.tell(command, session_id, *arguments)
            if not self._heard.wait_for(lambda: key in self._replies, REPLY_SECONDS):
                raise ConnectError(
                    f"{self.kind.title} did not answer {command!r} for {session_id} within "
                    f"{REPLY_SECONDS:g} s{self._last_words()}"
                )
            return self._replies.pop(key)

    def _listen(self, process: subprocess.Popen[str], first: threading.Event) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            kind, session_id, *rest = json.loads(line)
            if kind == "ready":
                self._ready = True
                first.set()
                continue
            if self._on_report is not None:
                self._on_report(kind, session_id, rest)
            if kind in self.kind.replies.values():
                with self._heard:
                    self._replies[kind, session_id] = rest
                    self._heard.notify_all()
        first.set()  # it is gone; nobody waits for it any longer

    def _configuration(self) -> str:
        text = _DEFAULT.format(
            role=self.role, port=self.port, reconnect=self._reconnect_seconds
        )
        text += self.kind.settings.format(folder=self.folder) + self._settings
        for one in self.sessions.values():
            text += _SESSION.format(
                begin_string=one.begin_string, sender=one.sender, name=one.name
            )
            text += "".join(f"{line}\n" for line in one.settings)
        return text

    def _last_words(self) -> str:
        path = self.folder / "stderr.txt"
        text = path.read_text(encoding="utf-8", errors="replace").strip()
        return f": {text[-_WORDS_MAX:].splitlines()[-1]}" if text else ""


def engine_kind(kind: str | EngineKind) -> EngineKind:
    """The kind of this name; raises `ConfigError` when there is none."""
    if isinstance(kind, EngineKind):
        return kind
    if kind not in ENGINES:
        raise ConfigError(f"no engine {kind!r}, expected one of {', '.join(ENGINES)}")
    return ENGINES[kind]
