"""fixcore's process: commands come on stdin, reports leave on stdout."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from pathlib import Path
from typing import Any

from fixcore.application import Application
from fixcore.log.base import Log, LogFactory
from fixcore.message.message import Message
from fixcore.session.session import Session
from fixcore.session.session_id import SessionID
from fixcore.session.session_settings import SessionSettings
from fixcore.store.factory import MemoryStoreFactory
from fixcore.transport import SocketAcceptor, SocketInitiator

from fixlab.engines._child import Desk, commands, order_fields, tell


class _NoLog(Log):  # type: ignore[misc]  # it brings no types
    def on_incoming(self, message: str) -> None: ...

    def on_outgoing(self, message: str) -> None: ...

    def on_event(self, text: str) -> None: ...


class _NoLogs(LogFactory):  # type: ignore[misc]  # it brings no types
    def create(self, session_id: SessionID) -> Log:
        return _NoLog()


class _Application(Application):  # type: ignore[misc]  # it brings no types
    """Reports orders; with an echoing desk it also answers them."""

    def __init__(self, engine: _Engine, desk: Desk) -> None:
        self._engine = engine
        self._desk = desk

    def on_logon(self, session_id: SessionID) -> None:
        tell("logon", name_of(session_id))

    def on_logout(self, session_id: SessionID) -> None:
        tell("logout", name_of(session_id))

    def from_app(self, message: Message, session_id: SessionID) -> None:
        """It has no way to say that a message is unsupported: BusinessMessageReject is ours."""
        name, number = name_of(session_id), message.header.get_or(34)
        if self._desk.echo and message.msg_type != "D":
            self._engine.send(name, "j", {45: number, 372: message.msg_type, 380: "3"})
            return
        body = self._desk.answer(name, fields_of(message))
        if body is not None:
            self._engine.send(name, "D", body)


class _Engine:
    """The sessions of one role, on this process's event loop."""

    def __init__(self, role: str, path: str, desk: Desk) -> None:
        self.settings = SessionSettings.from_string(Path(path).read_text(encoding="utf-8"))
        self.names = {name_of(one): one for one in self.settings.session_ids}
        kind = SocketAcceptor if role == "acceptor" else SocketInitiator
        self._away: dict[SessionID, dict[str, str]] = {}
        if role == "initiator":  # each comes once it is told to
            for one in self.settings.session_ids:
                self._away[one] = self.settings.get_section(one)
                self.settings.remove_session(one)
        self._transport = kind(
            self.settings, _Application(self, desk), MemoryStoreFactory(), _NoLogs()
        )
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until stdin ends or says stop."""
        loop = asyncio.get_running_loop()
        over = asyncio.Event()

        def read() -> None:
            for command, name, arguments in commands():
                loop.call_soon_threadsafe(self.obey, command, name, arguments)
            loop.call_soon_threadsafe(over.set)

        async with self._transport:
            threading.Thread(target=read, daemon=True).start()
            tell("ready", "")
            await over.wait()
            # What a session still had in mind is of no interest.
            os._exit(0)

    def obey(self, command: str, name: str, arguments: list[Any]) -> None:
        """Do what one line asks for."""
        session_id = self.names[name]
        session: Session | None = self._transport.sessions.get(session_id)
        if command == "logon":
            self._transport.add_session(session_id, self._away.pop(session_id))
            return
        assert session is not None, f"{name} has not been told to log on"
        if command == "send":
            count, prefix, pause = arguments
            self._start(self._send_orders(name, count, prefix, pause))
        elif command == "logout":
            self._start(session.send_logout())
            tell("leaving", name)
        elif command == "numbers":
            store = session._store  # it has no public way to ask
            tell(
                "numbers",
                name,
                store.next_sender_msg_seq_num(),
                store.next_target_msg_seq_num(),
            )
        else:
            raise ValueError(f"unknown command {command!r}")

    def send(self, name: str, msg_type: str, body: dict[int, str]) -> None:
        """Send one message soon; what cannot be sent is dropped, as fixcore has it."""
        self._start(self._transport.sessions[self.names[name]].send_app(_made(msg_type, body)))

    async def _send_orders(self, name: str, count: int, prefix: str, pause: float) -> None:
        session_id = self.names[name]
        sent = 0
        try:
            for n in range(count):
                body = order_fields(session_id.begin_string) | {11: f"{prefix}-{n}"}
                await self._transport.sessions[session_id].send_app(_made("D", body))
                sent += 1
                await asyncio.sleep(pause)
        finally:  # it takes nothing while it is not logged on
            tell("sent", name, sent)

    def _start(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = task.exception()
        if error is not None:
            print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)


def _made(msg_type: str, body: dict[int, str]) -> Message:
    message = Message()
    message.header.set(35, msg_type)
    for tag, value in body.items():
        message.set_field(tag, value)
    return message


def fields_of(message: Message) -> list[tuple[int, str]]:
    """All fields of a message, groups spelled out."""
    texts = message.encode().decode("latin-1").split("\x01")[:-1]
    pairs = [text.partition("=") for text in texts]
    return [(int(tag), value) for tag, _, value in pairs]


def name_of(session_id: SessionID) -> str:
    """As QuickFIX writes it: `FIX.4.4:QF->LAB`."""
    return f"{session_id.begin_string}:{session_id.sender_comp_id}->{session_id.target_comp_id}"


def main(role: str, path: str, echo: str = "") -> None:
    """Run with the configuration at `path` until stdin ends or says stop."""
    asyncio.run(_Engine(role, path, Desk(echo=bool(echo))).run())


if __name__ == "__main__":
    main(*sys.argv[1:])
