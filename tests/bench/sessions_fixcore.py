"""fixcore-engine's run: SocketInitiator and SocketAcceptor on one event loop."""

from __future__ import annotations

import asyncio
import socket
import time

from fixcore.application import Application
from fixcore.log.base import Log, LogFactory
from fixcore.message.message import Message
from fixcore.session.session_id import SessionID
from fixcore.session.session_settings import SessionSettings
from fixcore.store.factory import MemoryStoreFactory
from fixcore.transport import SocketAcceptor, SocketInitiator

from tests.bench.orders import FIELDS, WARM_UP, names

_SETTINGS = """\
[DEFAULT]
ConnectionType={role}
HeartBtInt=30
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
SocketAcceptHost=127.0.0.1
SocketAcceptPort={port}
[SESSION]
BeginString=FIX.4.4
SenderCompID={sender}
TargetCompID={target}
"""


class _NoLog(Log):  # type: ignore[misc]  # it brings no types
    def on_incoming(self, message: str) -> None:
        pass

    def on_outgoing(self, message: str) -> None:
        pass

    def on_event(self, text: str) -> None:
        pass


class _NoLogs(LogFactory):  # type: ignore[misc]  # it brings no types
    def create(self, session_id: SessionID) -> Log:
        return _NoLog()


class _Reader(Application):  # type: ignore[misc]  # it brings no types
    def __init__(self) -> None:
        self.got: list[str] = []
        self.expected = 0
        self.done = asyncio.Event()
        self.up = asyncio.Event()

    def on_logon(self, session_id: SessionID) -> None:
        self.up.set()

    def from_app(self, message: Message, session_id: SessionID) -> None:
        self.got.append(message.get_field(11))
        if len(self.got) == self.expected:
            self.done.set()


def measure(count: int) -> float:
    """Orders per CPU second."""
    return asyncio.run(_measure(count))


def _settings(role: str, sender: str, target: str, port: int) -> SessionSettings:
    text = _SETTINGS.format(role=role, sender=sender, target=target, port=port)
    return SessionSettings.from_string(text)


def _order(name: str) -> Message:
    message = Message()
    message.header.set(35, "D")
    for tag, value in FIELDS.items():
        message.set_field(tag, value)
    message.set_field(11, name)
    return message


async def _measure(count: int) -> float:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    reader, writer = _Reader(), _Reader()
    store, log = MemoryStoreFactory(), _NoLogs()
    acceptor = SocketAcceptor(_settings("acceptor", "SELL", "BUY", port), reader, store, log)
    initiator = SocketInitiator(_settings("initiator", "BUY", "SELL", port), writer, store, log)
    async with acceptor, initiator:
        await asyncio.wait_for(writer.up.wait(), 10)
        (session,) = initiator.sessions.values()

        async def exchange(orders: list[str]) -> None:
            reader.got.clear()
            reader.done.clear()
            reader.expected = len(orders)
            for name in orders:
                await session.send_app(_order(name))
            await asyncio.wait_for(reader.done.wait(), 120)
            assert reader.got == orders

        await exchange(names(WARM_UP))
        orders = names(count)
        begin = time.process_time()
        await exchange(orders)
        return count / (time.process_time() - begin)
