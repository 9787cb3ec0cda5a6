"""QuickFIX's run: its C++ SocketInitiator and SocketAcceptor through the Python binding."""

from __future__ import annotations

import socket
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import quickfix

from tests.bench.orders import FIELDS, WARM_UP, names

_AT_ONCE = 5000
# Its threads use these until the process ends; it crashes when one goes before.
_kept: list[object] = []
_SETTINGS = """\
[DEFAULT]
ConnectionType={role}
HeartBtInt=30
StartTime=00:00:00
EndTime=00:00:00
UseDataDictionary=N
ReconnectInterval=1
SocketConnectHost=127.0.0.1
SocketConnectPort={port}
SocketAcceptPort={port}
AllowedRemoteAddresses=127.0.0.1
SocketNodelay=Y
[SESSION]
BeginString=FIX.4.4
SenderCompID={sender}
TargetCompID={target}
"""


class _Reader(quickfix.Application):  # type: ignore[misc]  # it brings no types
    def __init__(self) -> None:
        super().__init__()
        self.got: list[str] = []
        self.expected = 0
        self.done = threading.Event()
        self.up = threading.Event()

    def onCreate(self, session_id: object) -> None:  # noqa: N802  # QuickFIX's names
        pass

    def onLogon(self, session_id: object) -> None:  # noqa: N802
        self.up.set()

    def onLogout(self, session_id: object) -> None:  # noqa: N802
        pass

    def toAdmin(self, message: object, session_id: object) -> None:  # noqa: N802
        pass

    def fromAdmin(self, message: object, session_id: object) -> None:  # noqa: N802
        pass

    def toApp(self, message: object, session_id: object) -> None:  # noqa: N802
        pass

    def fromApp(self, message: quickfix.Message, session_id: object) -> None:  # noqa: N802
        self.got.append(message.getField(11))
        if len(self.got) == self.expected:
            self.done.set()


def measure(count: int) -> float:
    """Orders per CPU second."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    reader, writer = _Reader(), _Reader()
    with TemporaryDirectory(prefix="fixlab-bench-") as folder:
        settings = [
            _settings(Path(folder), role, sender, target, port)
            for role, sender, target in (
                ("acceptor", "SELL", "BUY"),
                ("initiator", "BUY", "SELL"),
            )
        ]
    store = quickfix.MemoryStoreFactory()
    acceptor = quickfix.SocketAcceptor(reader, store, settings[0])
    initiator = quickfix.SocketInitiator(writer, store, settings[1])
    _kept.extend((reader, writer, store, *settings, acceptor, initiator))
    acceptor.start()
    initiator.start()
    assert writer.up.wait(20), "QuickFIX did not log on"
    session_id = quickfix.SessionID("FIX.4.4", "BUY", "SELL")

    def exchange(orders: list[str]) -> None:
        reader.got.clear()
        reader.done.clear()
        reader.expected = len(orders)
        for name in orders:
            quickfix.Session.sendToTarget(_order(name), session_id)
        assert reader.done.wait(120), "not all orders arrived"
        assert reader.got == orders

    exchange(names(WARM_UP))
    orders = names(count)
    begin = time.process_time()
    # Its queue of unsent bytes gets slow when it grows long, so it gets them in bursts.
    for start in range(0, count, _AT_ONCE):
        exchange(orders[start : start + _AT_ONCE])
    return count / (time.process_time() - begin)


def _settings(
    folder: Path, role: str, sender: str, target: str, port: int
) -> quickfix.SessionSettings:
    path = folder / f"{role}.cfg"
    path.write_text(_SETTINGS.format(role=role, sender=sender, target=target, port=port))
    return quickfix.SessionSettings(str(path))


def _order(name: str) -> quickfix.Message:
    message = quickfix.Message()
    message.getHeader().setField(35, "D")
    for tag, value in FIELDS.items():
        message.setField(tag, value)
    message.setField(11, name)
    return message
