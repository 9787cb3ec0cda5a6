"""QuickFIX's process: commands come on stdin, reports leave on stdout."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Any

import quickfix

from fixlab.engines._child import Desk, commands, order_fields, tell


class Application(quickfix.Application):  # type: ignore[misc]  # it brings no types
    """Reports orders; with `echo` it also answers them."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def onCreate(self, session_id: Any) -> None: ...  # noqa: N802

    def onLogon(self, session_id: Any) -> None:  # noqa: N802
        tell("logon", session_id.toString())

    def onLogout(self, session_id: Any) -> None:  # noqa: N802
        tell("logout", session_id.toString())

    def toAdmin(self, message: Any, session_id: Any) -> None: ...  # noqa: N802

    def fromAdmin(self, message: Any, session_id: Any) -> None: ...  # noqa: N802

    def toApp(self, message: Any, session_id: Any) -> None: ...  # noqa: N802

    def fromApp(self, message: Any, session_id: Any) -> None:  # noqa: N802
        texts = [field.partition("=") for field in message.toString().split("\x01")[:-1]]
        fields = [(int(tag), value) for tag, _, value in texts]
        if self._desk.echo and (35, "D") not in fields:
            raise quickfix.UnsupportedMessageType
        body = self._desk.answer(session_id.toString(), fields)
        if body is not None:
            answer = quickfix.Message()
            answer.getHeader().setField(35, "D")
            for tag, value in body.items():
                answer.setField(tag, value)
            quickfix.Session.sendToTarget(answer, session_id)


def send_orders(name: str, session_id: Any, count: int, prefix: str, pause: float) -> None:
    """So many orders, numbered and stored when it reports that they are sent."""
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
    """Do what one line asks for."""
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


def main(role: str, path: str, echo: str = "") -> None:
    """Run with the configuration at `path` until stdin ends or says stop."""
    settings = quickfix.SessionSettings(path)
    application = Application(Desk(echo=bool(echo)))
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
    for command, name, arguments in commands():
        obey(command, name, sessions[name], arguments)
    # Its files are flushed with every message, and now and then its own way down crashes.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
