"""A QuickFIX engine in a process of its own: commands come on stdin, reports leave on stdout.

Its threads and its crashes cannot reach the tests that way. Each line is one JSON array, whose
second element names the session. An initiator's sessions stay away until they are told to come.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

import quickfix

ORDER = {21: "1", 38: "100", 40: "2", 44: "10", 54: "1", 55: "ACME"}

_lock = threading.Lock()


def order_fields(begin_string: str) -> dict[int, str]:
    """What a version's dictionary asks of an order, ClOrdID(11) aside."""
    if begin_string == "FIX.4.0":
        return ORDER
    return ORDER | {60: "20260105-09:00:00"}  # TransactTime came with FIX.4.1


def tell(*report: object) -> None:
    with _lock:
        sys.stdout.write(json.dumps(report) + "\n")
        sys.stdout.flush()


class Application(quickfix.Application):  # type: ignore[misc]
    def onCreate(self, session_id: Any) -> None: ...  # noqa: N802

    def onLogon(self, session_id: Any) -> None:  # noqa: N802
        tell("logon", session_id.toString())

    def onLogout(self, session_id: Any) -> None:  # noqa: N802
        tell("logout", session_id.toString())

    def toAdmin(self, message: Any, session_id: Any) -> None: ...  # noqa: N802

    def fromAdmin(self, message: Any, session_id: Any) -> None: ...  # noqa: N802

    def toApp(self, message: Any, session_id: Any) -> None: ...  # noqa: N802

    def fromApp(self, message: Any, session_id: Any) -> None:  # noqa: N802
        value = quickfix.StringField(11)
        message.getField(value)
        tell("order", session_id.toString(), value.getValue())


def send_orders(name: str, session_id: Any, count: int, prefix: str, pause: float) -> None:
    for n in range(count):
        message = quickfix.Message()
        message.getHeader().setField(35, "D")
        message.setField(11, f"{prefix}-{n}")
        for tag, text in order_fields(session_id.getBeginString().getValue()).items():
            message.setField(tag, text)
        quickfix.Session.sendToTarget(message, session_id)
        if pause:
            time.sleep(pause)
    tell("sent", name, count)


def send_reset(session_id: Any) -> None:
    """A Logon with ResetSeqNumFlag(141)=Y while logged on."""
    message = quickfix.Message()
    message.getHeader().setField(35, "A")
    fields = {98: "0", 108: "30", 141: "Y"}
    if session_id.getBeginString().getValue() == "FIXT.1.1":
        fields[1137] = "9"
    for tag, text in fields.items():
        message.setField(tag, text)
    quickfix.Session.sendToTarget(message, session_id)


def obey(command: str, name: str, session_id: Any, arguments: list[Any]) -> None:
    session = quickfix.Session.lookupSession(session_id)
    if command == "send":
        # A pause must not keep other commands waiting.
        threading.Thread(target=send_orders, args=(name, session_id, *arguments)).start()
    elif command == "skip":
        session.setNextSenderMsgSeqNum(session.getExpectedSenderNum() + arguments[0])
        tell("skipped", name)
    elif command == "reset":
        send_reset(session_id)
    elif command == "logon":
        session.logon()
    elif command == "logout":
        session.logout()  # it leaves, and stays away, at its next tick
        tell("leaving", name)
    elif command == "numbers":
        ours, theirs = session.getExpectedSenderNum(), session.getExpectedTargetNum()
        tell("numbers", name, ours, theirs)
    else:
        raise ValueError(f"unknown command {command!r}")


def main(role: str, path: str) -> None:
    settings = quickfix.SessionSettings(path)
    application = Application()
    kind = quickfix.SocketAcceptor if role == "acceptor" else quickfix.SocketInitiator
    engine = kind(
        application,
        quickfix.FileStoreFactory(settings),
        settings,
        quickfix.FileLogFactory(settings),
    )
    sessions = {session_id.toString(): session_id for session_id in engine.getSessions()}
    if role == "initiator":
        for session_id in sessions.values():
            quickfix.Session.lookupSession(session_id).logout()
    engine.start()
    tell("ready", "")
    for line in sys.stdin:
        command, name, *arguments = json.loads(line)
        if command == "stop":
            break
        obey(command, name, sessions[name], arguments)
    # Its files are flushed with every message, and now and then its own way down crashes.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
