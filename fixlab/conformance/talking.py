"""Talking: connects, sends and waits, one action at a time; decides nothing about a case."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator

from fixlab import times
from fixlab.conformance.actions import Accept, Action, Call, Open, Part, Shut, Turn, Wait, Write
from fixlab.conformance.hearing import Channel, Hearing, Item, MissedError
from fixlab.conformance.model import shown
from fixlab.conformance.notation import CONNECT_SECONDS
from fixlab.conformance.scope import Scope, to_int
from fixlab.conformance.writing import write_fields
from fixlab.session.transitions import Role
from fixlab.wire.framer import Framer
from fixlab.wire.message import Message
from fixlab.wire.tags import HEARTBEAT, LOGOUT, TEST_REQUEST

_NOTICE_SECONDS = 0.2  # for the counterparty to notice that the runner has closed
_OPERATOR_SECONDS = 0.1  # an operator is slower than what is on its way
_GOODBYE_SECONDS = 3.0  # for its Logout, when the case is over


class HookError(Exception):
    """An operator, or a hook, could not do what a case needs."""


class Talking(Hearing):
    """What a runner does on its connections."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope)
        self.mark = scope.began  # when the last line was done: times of a line count from here
        self._keepalive_at: int | None = None

    def _do(self, action: Action) -> Part:
        turn = yield action
        self._take(turn)
        if turn.problem:
            raise HookError(turn.problem)

    def _look(self) -> Part:
        """Take notice of what has come, without waiting."""
        yield from self._do(Wait(self.now))

    def _write(self, connection: int, pieces: tuple[bytes, ...], how: str) -> Part:
        channel = self._channels.get(connection)
        if channel is None or not channel.up:
            raise MissedError("an open connection to send on", "the connection is closed")
        raw = b"".join(pieces)
        channel.logon_sent = channel.logon_sent or b"\x0135=A\x01" in raw
        self._enter(connection, ">", how + shown(raw))
        yield from self._do(Write(connection, pieces))
        self.mark = self.now

    def _connect(self, connection: int) -> Part:
        if self.scope.role is Role.INITIATOR:
            yield from self._await_connect(CONNECT_SECONDS, connection)
            return
        self._begin(connection)
        yield from self._do(Open(connection))
        if connection not in self._opened:
            raise MissedError("a connection", self._why.get(connection) or "nobody answers")
        self.mark = self.now

    def _await_connect(self, seconds: float, connection: int) -> Part:
        self._begin(connection)
        yield from self._do(Accept(connection))
        until = self.now + times.seconds(seconds)
        while connection not in self._opened:
            if self.now >= until:
                raise MissedError(f"a connection within {seconds:g} s", "none")
            yield from self._do(Wait(until))
        self.mark = self.now

    def _begin(self, connection: int) -> None:
        self._channels[connection] = Channel(Framer(), deque())
        self._opened.discard(connection)
        self.scope.values["expected"] = str(self.scope.next_in)

    def _close(self, connection: int) -> Part:
        channel = self._channels.get(connection)
        if channel is not None and channel.up:
            self._enter(connection, "!", "the runner closes the connection")
            channel.up = False
            channel.inbox.clear()
            yield from self._do(Shut(connection))
            yield from self._pause(_NOTICE_SECONDS)
        self.mark = self.now

    def _operate(self, hook: str, count: int) -> Part:
        yield from self._pause(_OPERATOR_SECONDS)
        self._enter(1, "!", f"operator: {hook} {count}" if count else f"operator: {hook}")
        yield from self._do(Call(hook, count))
        self.mark = self.now

    def _pause(self, seconds: float) -> Part:
        until = self.now + times.seconds(seconds)
        while self.now < until:
            yield from self._do(Wait(until))

    def _beat(self) -> None:
        heartbeat = to_int(self.scope.value("$hb", self.now)) or 1
        self._keepalive_at = self.now + times.seconds(heartbeat)

    def _goodbye(self) -> Part:
        """End what is still open, in order and for at most a few seconds."""
        self._keepalive_at = None
        for connection, channel in sorted(self._channels.items()):
            if not channel.up:
                continue
            if channel.logon_sent and channel.logon_came and self._is_open(connection):
                yield from self._say(connection, [(35, "5")])
                until = self.now + times.seconds(_GOODBYE_SECONDS)
                while self.now < until and not self._said_goodbye(channel):
                    yield from self._do(Wait(until))
            channel.up = False
            yield from self._do(Shut(connection))

    def _said_goodbye(self, channel: Channel) -> bool:
        return any(
            item.what is None
            or (isinstance(item.what, Message) and item.what.msg_type == LOGOUT)
            for item in channel.inbox
        )

    # Waiting -----------------------------------------------------------------------------

    def _await_item(self, connection: int, until: int) -> Generator[Action, Turn, Item | None]:
        """The next thing on a connection, left where it is; None when nothing came in time."""
        channel = self._channels.get(connection)
        if channel is None:
            raise MissedError("a connection", "there is none")
        while not channel.inbox:
            if self.now >= until or not channel.up:
                return None
            beat = self._keepalive_at
            yield from self._do(Wait(until if beat is None else min(until, beat)))
            if beat is not None and self.now >= beat:
                yield from self._say(connection, [(35, "0")])
                self._beat()
        item = channel.inbox[0]
        return None if item.time > until else item

    def _say(self, connection: int, fields: list[tuple[int, str]]) -> Part:
        """Send what the script does not say, such as the Heartbeats of KEEPALIVE."""
        mark = self.mark
        raw = write_fields(fields, self.scope, self.now)
        yield from self._write(connection, (raw,), "")
        self.mark = mark

    def _passes(self, connection: int, message: Message) -> Generator[Action, Turn, bool]:
        """Whether a message that nobody asked for is passed over, such as an idle Heartbeat."""
        if message.msg_type == HEARTBEAT and 112 not in message:
            return True
        if self._keepalive_at is not None and message.msg_type == TEST_REQUEST:
            yield from self._say(connection, [(35, "0"), (112, message.get(112) or "")])
            return True
        return False
