"""The buttons of a session panel: what each does, when it makes no sense, and how it is told.

Each is one call on one end; which class that end has makes no difference here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from fixlab.panels._ends import End, EndView, connect_of
from fixlab.panels._view import next_messages
from fixlab.session.transitions import Role, SessionState
from fixlab.wire.message import Message


class Input(NamedTuple):
    """What a button works with: the end it drives, its own field, and the panel's part."""

    end: End
    view: EndView
    value: Any
    order: Callable[[], Message]  # the next order to send
    pass_time: Callable[[float], None]  # virtual time, in seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """One button: what it does, in words and in one library call."""

    label: str
    group: str
    tip: str  # one sentence, with the rule it shows
    call: Callable[[Input], object]
    told: Callable[[Input, object], str]
    blocked: Callable[[EndView], str]  # why it makes no sense now, or ""
    field: str = ""  # "count", "seconds" or "message": the field beside the button
    passes_time: bool = True  # on a loopback, time is let pass behind it


# When a button makes no sense --------------------------------------------------------------


def _not_connectable(view: EndView) -> str:
    if not view.connects:
        return f"{view.name} is an acceptor: it waits until its peer connects (LGN-01)"
    if view.state is not SessionState.DISCONNECTED:
        return f"{view.name} is connected already, it is {view.state}"
    return ""


def _not_active(view: EndView) -> str:
    if view.state is not SessionState.ACTIVE:
        return f"{view.name} is not logged on, it is {view.state}"
    return ""


def _not_sending(view: EndView) -> str:
    if view.state is SessionState.RESET_SENT:
        return "a reset is under way (LGN-19)"
    return ""


def _not_connected(view: EndView) -> str:
    if view.state is SessionState.DISCONNECTED:
        return f"{view.name} has no connection"
    return ""


def _not_resettable(view: EndView) -> str:
    if view.begin_string == "FIX.4.0":
        return "FIX.4.0 has no ResetSeqNumFlag(141)"
    if view.gap is not None:
        return "a gap is open, and a reset would lose what is missing (LGN-19)"
    if view.state is SessionState.DISCONNECTED and view.role is Role.INITIATOR:
        return ""
    return _not_active(view)


def _never(view: EndView) -> str:
    return ""


# What a button does ------------------------------------------------------------------------


def _connect(given: Input) -> object:
    connect = connect_of(given.end)
    assert connect is not None, "_not_connectable asked"
    return connect()


def _told_sent(given: Input, number: object) -> str:
    if given.view.state is SessionState.ACTIVE:
        return f"{given.view.name} sent MsgSeqNum {number}."
    return f"{given.view.name} stored MsgSeqNum {number}; it leaves once the peer asks for it."


VERBS = (
    Verb(
        label="connect & log on",
        group="session",
        tip="Connects and exchanges Logon(A); a Logon numbered too high shows what was lost "
        "before (LGN-01, LGN-10)",
        call=_connect,
        told=lambda given, _: f"{given.view.name} is connected and logged on.",
        blocked=_not_connectable,
    ),
    Verb(
        label="log out",
        group="session",
        tip="Sends Logout(5) and waits for its answer; the numbers stay as they are (LGO-01)",
        call=lambda given: given.end.logout(),
        told=lambda given, _: f"{given.view.name} asked to log out.",
        blocked=_not_active,
    ),
    Verb(
        label="reset",
        group="session",
        tip="Restarts the numbers of both sides at 1 with ResetSeqNumFlag(141)=Y (LGN-19)",
        call=lambda given: given.end.reset(),
        told=lambda given, _: (
            f"{given.view.name} started a reset."
            if given.view.state is SessionState.ACTIVE
            else f"The next Logon of {given.view.name} will reset both sides."
        ),
        blocked=_not_resettable,
    ),
    Verb(
        label="send order",
        group="traffic",
        tip="Sends a NewOrderSingle(D) under the next number; without a connection it is "
        "stored and leaves later (SEQ-01, SCH-07)",
        call=lambda given: given.end.send(given.order()),
        told=_told_sent,
        blocked=_not_sending,
    ),
    Verb(
        label="send TestRequest",
        group="traffic",
        tip="Sends TestRequest(1), which the peer must answer with a Heartbeat(0) (HBT-03)",
        call=lambda given: given.end.test_request(),
        told=lambda given, _: f"{given.view.name} sent a TestRequest.",
        blocked=_not_active,
    ),
    Verb(
        label="lose next",
        group="trouble",
        tip="Loses the next messages this end sends; the peer notices the gap with the one "
        "behind them and asks for a resend (SEQ-05, RRQ-01)",
        call=lambda given: given.end.lose_next(given.value),
        told=lambda given, _: (
            f"{given.view.name} will lose its {next_messages(given.value)}, whatever comes."
        ),
        blocked=_never,
        field="count",
        passes_time=False,  # else a Heartbeat might be what is lost
    ),
    Verb(
        label="skip numbers",
        group="trouble",
        tip="Uses up numbers without sending anything; there is nothing to resend, so the "
        "gap is filled with a SequenceReset(4) (SEQ-15, RSP-11)",
        call=lambda given: given.end.skip(given.value),
        told=lambda given, _: f"{given.view.name} skipped {given.value} of its numbers.",
        blocked=_not_sending,
        field="count",
    ),
    Verb(
        label="cut",
        group="trouble",
        tip="Breaks the connection without a Logout; what is on the way is lost, the numbers "
        "go on with the next Logon (DSC-03, DSC-04)",
        call=lambda given: given.end.cut(),
        told=lambda given, _: "The connection is cut.",
        blocked=_not_connected,
    ),
    Verb(
        label="advance",
        group="time",
        tip="Lets virtual time pass: Heartbeats fall due, silence is noticed (HBT-01, HBT-04)",
        call=lambda given: given.pass_time(given.value),
        told=lambda given, _: f"{given.value:g} s passed.",
        blocked=_never,
        field="seconds",
        passes_time=False,
    ),
    Verb(
        label="send message",
        group="own message",
        tip="Sends the message in the field; the session adds header and trailer (FRM-14)",
        call=lambda given: given.end.send(Message.parse(given.value)),
        told=_told_sent,
        blocked=_not_sending,
        field="message",
    ),
)
