"""asyncfix's run: its client and its server on one event loop, its journal in memory."""

from __future__ import annotations

import asyncio
import logging
import socket
import time

from asyncfix import FIXMessage, FMsg, FTag, Journaler
from asyncfix.connection import ConnectionState
from asyncfix.connection_client import AsyncFIXClient
from asyncfix.connection_server import AsyncFIXDummyServer
from asyncfix.protocol import FIXProtocol44

from tests.bench.orders import FIELDS, WARM_UP, names

_AT_ONCE = 16
_LOG = logging.getLogger("asyncfix")


class _Server(AsyncFIXDummyServer):  # type: ignore[misc]  # it brings no types
    def __init__(self, port: int) -> None:
        super().__init__(
            FIXProtocol44(), "SELL", "BUY", Journaler(), "127.0.0.1", port, logger=_LOG
        )
        self.got: list[str] = []
        self.expected = 0
        self.done = asyncio.Event()

    async def on_connect(self) -> None:
        pass

    async def on_message(self, msg: FIXMessage) -> None:
        self.got.append(msg[FTag.ClOrdID])
        if len(self.got) == self.expected:
            self.done.set()


class _Client(AsyncFIXClient):  # type: ignore[misc]  # it brings no types
    def __init__(self, port: int) -> None:
        super().__init__(
            FIXProtocol44(), "BUY", "SELL", Journaler(), "127.0.0.1", port, logger=_LOG
        )
        self.up = asyncio.Event()

    async def on_connect(self) -> None:
        await self.send_msg(_logon())

    async def on_state_change(self, connection_state: ConnectionState) -> None:
        if connection_state == ConnectionState.ACTIVE:
            self.up.set()

    async def on_message(self, msg: FIXMessage) -> None:
        pass


def measure(count: int) -> float:
    """Orders per CPU second."""
    _LOG.setLevel(logging.ERROR)
    return asyncio.run(_measure(count))


def _logon() -> FIXMessage:
    return FIXMessage(FMsg.LOGON, {FTag.EncryptMethod: 0, FTag.HeartBtInt: 30})


async def _measure(count: int) -> float:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server, client = _Server(port), _Client(port)
    serving = asyncio.create_task(server.connect())
    await asyncio.sleep(0.2)
    await client.connect()
    await asyncio.wait_for(client.up.wait(), 10)

    async def exchange(orders: list[str]) -> None:
        server.got.clear()
        server.done.clear()
        server.expected = len(orders)
        for sent, name in enumerate(orders, 1):
            await client.send_msg(FIXMessage(FMsg.NEWORDERSINGLE, {**FIELDS, 11: name}))
            # Its decoder loses messages that the end of a read of 4096 bytes cuts in two.
            while sent % _AT_ONCE == 0 and len(server.got) < sent:
                await asyncio.sleep(0)
        await asyncio.wait_for(server.done.wait(), 120)
        assert server.got == orders

    await exchange(names(WARM_UP))
    orders = names(count)
    begin = time.process_time()
    await exchange(orders)
    seconds = time.process_time() - begin
    serving.cancel()
    return count / seconds
