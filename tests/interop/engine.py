"""A QuickFIX engine in a process of its own: commands come on stdin, reports leave on stdout.

Its threads and its crashes cannot reach the tests that way. Each line is one JSON array.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import quickfix

SETTINGS = """[DEFAULT]
ConnectionType={role}
NonStopSession=Y
UseDataDictionary=N
FileStorePath={folder}/store
FileLogPath={folder}/log
HeartBtInt=30
ReconnectInterval=1
LogoutTimeout=2
SocketNodelay=Y
SocketReuseAddress=Y
AllowedRemoteAddresses=127.0.0.1
{address}
[SESSION]
BeginString={begin_string}
SenderCompID=QF
TargetCompID=LAB
{version}
"""

_lock = threading.Lock()


def tell(*report: object) -> None:
    with _lock:
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()


class Application(quickfix.Application):  # type: ignore[misc]
    def onCreate(self, session_id: Any) -> None:  # noqa: N802
        self.session_id = session_id

    def onLogon(self, session_id: Any) -> None:  # noqa: N802
        tell("logon")

    def onLogout(self, session_id: Any) -> None:  # noqa: N802
        tell("logout")

    def toAdmin(self, message: Any, session_id: Any) -> None: ...  # noqa: N802

    def fromAdmin(self, message: Any, session_id: Any) -> None: ...  # noqa: N802

    def toApp(self, message: Any, session_id: Any) -> None: ...  # noqa: N802

    def fromApp(self, message: Any, session_id: Any) -> None:  # noqa: N802
        value = quickfix.StringField(11)
        message.getField(value)
        tell("order", value.getValue())


def send_orders(application: Application, count: int, prefix: str, pause: float) -> None:
    for n in range(count):
        message = quickfix.Message()
        message.getHeader().setField(35, "D")
        for tag, text in ((11, f"{prefix}-{n}"), (55, "ACME"), (54, "1"), (38, "100")):
            message.setField(tag, text)
        quickfix.Session.sendToTarget(message, application.session_id)
        time.sleep(pause)
    tell("sent", count)


def main(role: str, port: str, folder: str, begin_string: str) -> None:
    address = (
        f"SocketAcceptPort={port}"
        if role == "acceptor"
        else f"SocketConnectHost=127.0.0.1\nSocketConnectPort={port}"
    )
    version = "DefaultApplVerID=FIX.5.0SP2" if begin_string == "FIXT.1.1" else ""
    path = Path(folder) / "engine.cfg"
    path.write_text(
        SETTINGS.format(
            role=role,
            folder=folder,
            address=address,
            begin_string=begin_string,
            version=version,
        )
    )
    settings = quickfix.SessionSettings(str(path))
    application = Application()
    kind = quickfix.SocketAcceptor if role == "acceptor" else quickfix.SocketInitiator
    engine = kind(
        application,
        quickfix.FileStoreFactory(settings),
        settings,
        quickfix.FileLogFactory(settings),
    )
    engine.start()
    tell("ready")
    for line in sys.stdin:
        command, *arguments = json.loads(line)
        session = quickfix.Session.lookupSession(application.session_id)
        if command == "send":
            threading.Thread(target=send_orders, args=(application, *arguments)).start()
        elif command == "skip":
            session.setNextSenderMsgSeqNum(session.getExpectedSenderNum() + arguments[0])
            tell("skipped")
        elif command == "logout":
            session.logout()
        elif command == "numbers":
            tell("numbers", session.getExpectedSenderNum(), session.getExpectedTargetNum())
        else:
            break
    engine.stop()
    tell("stopped")


if __name__ == "__main__":
    main(*sys.argv[1:])
