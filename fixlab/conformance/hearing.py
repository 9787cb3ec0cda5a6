"""Hearing: what came over the connections of a case, kept in order and within bounds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

from fixlab import times
from fixlab.conformance.actions import Arrived, Opened, Turn
from fixlab.conformance.matching import shown as shown_value
from fixlab.conformance.model import Entry, shown
from fixlab.conformance.scope import Scope, to_int
from fixlab.session.transitions import Role
from fixlab.wire.framer import Framer, Garbled
from fixlab.wire.message import Message
from fixlab.wire.tags import LOGON, MSG_TYPE_NAMES

_MESSAGES_MAX = 10_000  # that a counterparty may send in one case
_BYTES_MAX = 1 << 24
_ENTRIES_MAX = 2_000  # of a transcript


class MissedError(Exception):
    """Something did not hold: what was expected, and what there was instead."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(found)
        self.expected, self.found = expected, found


class Item(NamedTuple):
    """What came over a connection: a message, what is none, or the end (None)."""

    time: int
    what: Message | Garbled | None
    silent: int = 0  # ns since the message before it, by SendingTime(52) of both


@dataclass(slots=True)
class Channel:
    """One connection of the runner."""

    framer: Framer
    inbox: deque[Item]
    up: bool = False  # open on both sides, as far as is known
    logon_sent: bool = False
    logon_came: bool = False


class Hearing:
    """Takes in what a target tells, in one `Scope`."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.now = scope.began
        self.entries: list[Entry] = []
        self._channels: dict[int, Channel] = {}
        self._opened: set[int] = set()
        self._why: dict[int, str] = {}  # why a connection ended, or never came up
        self._messages = self._bytes = 0
        self._last_sent: int | None = None  # SendingTime(52) of the counterparty's last message
        self._peer_reset = False  # the counterparty's Logon asked for 141=Y

    def _take(self, turn: Turn) -> None:
        self.now = max(self.now, turn.now)
        for event in turn.events:
            channel = self._channels.get(event.connection)
            if channel is None:
                continue
            if isinstance(event, Opened):
                channel.up = True
                self._opened.add(event.connection)
                self._enter(event.connection, "!", "connected", event.time)
            elif isinstance(event, Arrived):
                self._arrived(channel, event)
            elif channel.up or event.connection not in self._opened:
                channel.up = False
                self._why[event.connection] = event.why
                channel.inbox.append(Item(event.time, None))
                why = f" ({event.why})" if event.why else ""
                self._enter(event.connection, "!", f"closed{why}", event.time)

    def _arrived(self, channel: Channel, event: Arrived) -> None:
        if not channel.up:
            return  # the runner has closed it: nobody reads this any more
        self._bytes += len(event.data)
        for what in channel.framer.feed(event.data):
            self._messages += 1
            if isinstance(what, Garbled):
                channel.inbox.append(Item(event.time, what))
                raw = f": {shown(what.raw)}" if what.raw else ""
                text = f"no message ({what.rule}: {what.reason}){raw}"
                self._enter(event.connection, "<", text, event.time)
                continue
            channel.inbox.append(Item(event.time, what, self._silent(what)))
            self._enter(event.connection, "<", shown(what.raw or b""), event.time)
            self._note_message(channel, what)
        if self._messages > _MESSAGES_MAX or self._bytes > _BYTES_MAX:
            channel.inbox.clear()
            raise MissedError(
                f"at most {_MESSAGES_MAX:,} messages and {_BYTES_MAX >> 20} MiB in one case",
                f"{self._messages:,} messages, {self._bytes:,} bytes",
            )

    def _silent(self, message: Message) -> int:
        """How long the counterparty had sent nothing before, by its own clock."""
        sent = times.parse_utc((message.get(52) or "").encode("latin-1"))
        before, self._last_sent = self._last_sent, sent
        return 0 if sent is None or before is None else sent - before

    def _note_message(self, channel: Channel, message: Message) -> None:
        """What the runner learns from any message: numbers, and whether a Logon came."""
        number, new = message.number, to_int(message.get(36))
        if message.msg_type == LOGON:
            channel.logon_came = True
            self._note_logon(message, number)
        if message.msg_type == "4" and new is not None:
            self.scope.next_in = new - self.scope.shift_in
        elif number is not None and message.get(43) != "Y":
            self.scope.next_in = number - self.scope.shift_in + 1
        self._heard(message)

    def _note_logon(self, message: Message, number: int | None) -> None:
        scope = self.scope
        if scope.adopts and number is not None and number > scope.shift_in + scope.next_in:
            # An initiator that goes on with its numbers may have tried to connect since they
            # were last agreed on, which uses them up.
            scope.shift_in = number - scope.next_in
        scope.adopts = False
        if scope.role is Role.INITIATOR and message.get(141) == "Y" and number == 1:
            self._peer_reset = True
            scope.reset()

    def _heard(self, message: Message) -> None:
        """A message came; for those who look at all of them."""

    def _is_open(self, connection: int) -> bool:
        channel = self._channels.get(connection)
        return channel is not None and channel.up

    def _enter(self, connection: int, sign: str, text: str, time: int | None = None) -> None:
        if len(self.entries) >= _ENTRIES_MAX:
            if len(self.entries) == _ENTRIES_MAX:
                self.entries.append(Entry(0.0, connection, "!", "and more that is not kept"))
            return
        passed = ((self.now if time is None else time) - self.scope.began) / times.NANOSECONDS
        self.entries.append(Entry(round(passed, 6), connection, sign, text))


def name_of(message: Message) -> str:
    """A message in a few words."""
    kind = message.msg_type
    name = MSG_TYPE_NAMES.get(kind)
    shown_kind = shown_value(35, kind)
    text = f"{name}({shown_kind})" if name else f"35={shown_kind}"
    number = message.get(34)
    text += f" 34={shown_value(34, number)}" if number is not None else ""
    reason = message.get(58)
    return f"{text}, {shown_value(58, reason)!r}" if reason else text


def other_than_a_message(item: Item) -> str:
    """What came where a message was expected, in a few words."""
    if isinstance(item.what, Garbled):
        return f"bytes that are no message: {item.what.reason}"
    return "the connection was closed"
