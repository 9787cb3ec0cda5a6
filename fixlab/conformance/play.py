"""Playing one case without any I/O: a generator that says what to do and is told what came.

It yields an `Action` and is sent a `Turn`: the time, and what has happened since. A target does
the actions, on a virtual clock or on sockets; all that is decided is decided here, so that both
kinds of targets decide alike.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import NamedTuple

from fixlab import times
from fixlab.conformance import notation
from fixlab.conformance.matching import match
from fixlab.conformance.matching import shown as shown_value
from fixlab.conformance.model import Case, CaseResult, Entry, Verdict, shown
from fixlab.conformance.notation import Line, Mode, Step, parse_line
from fixlab.conformance.scope import NoNumberError, Scope, to_int
from fixlab.conformance.writing import raw_bytes, write, write_fields
from fixlab.session.transitions import Role
from fixlab.wire.framer import Framer, Garbled
from fixlab.wire.message import Message
from fixlab.wire.tags import HEARTBEAT, LOGON, LOGOUT, MSG_TYPE_NAMES, TEST_REQUEST

_NOTICE_SECONDS = 0.2  # for the counterparty to notice that the runner has closed
_OPERATOR_SECONDS = 0.1  # an operator is slower than what is on its way
_GOODBYE_SECONDS = 3.0  # for its Logout, when the case is over
_MESSAGES_MAX = 10_000  # that a counterparty may send in one case
_BYTES_MAX = 1 << 24
_ENTRIES_MAX = 2_000  # of a transcript


# What the player asks for, and what it is told ----------------------------------------------


class Open(NamedTuple):
    """Connect to the counterparty; answered by `Opened` or `Closed`."""

    connection: int


class Accept(NamedTuple):
    """From now on the counterparty may connect; answered by `Opened`, some time."""

    connection: int


class Write(NamedTuple):
    """Send bytes, each piece in a write of its own."""

    connection: int
    pieces: tuple[bytes, ...]


class Shut(NamedTuple):
    """Close a connection; nothing of it is told any more."""

    connection: int


class Call(NamedTuple):
    """Have an operator or a hook do something; `Turn.problem` says what was in the way."""

    hook: str
    number: int


class Wait(NamedTuple):
    """Come back when something has happened, at the latest at `until` (ns)."""

    until: int


Action = Open | Accept | Write | Shut | Call | Wait


class Opened(NamedTuple):
    """A connection is up."""

    connection: int
    time: int


class Arrived(NamedTuple):
    """Bytes came in."""

    connection: int
    time: int
    data: bytes


class Closed(NamedTuple):
    """The counterparty has closed, or a connection could not be made."""

    connection: int
    time: int
    why: str = ""


class Turn(NamedTuple):
    """The time, and what happened since the last turn, in order."""

    now: int
    events: tuple[Opened | Arrived | Closed, ...] = ()
    problem: str = ""


Play = Generator[Action, Turn, CaseResult]
_Part = Generator[Action, Turn, None]


# Inside -------------------------------------------------------------------------------------


class _MissedError(Exception):
    """A line did not hold: what it expected, and what there was instead."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(found)
        self.expected, self.found = expected, found


class _SkippedError(Exception):
    """The counterparty turns out not to be set up for this case."""


class _Item(NamedTuple):
    """What came over a connection: a message, what is none, or the end (None)."""

    time: int
    what: Message | Garbled | None
    silent: int = 0  # ns since the message before it, by SendingTime(52) of both


@dataclass(slots=True)
class _Wire:
    """One connection of the runner."""

    framer: Framer
    inbox: deque[_Item]
    up: bool = False  # open on both sides, as far as is known
    logon_sent: bool = False
    logon_came: bool = False


_LOGON = {
    Role.ACCEPTOR: ("! CONNECT", "> 35=A|34=1|98=0|108=$hb", "< 35=A|34=1|98=0|108=$hb 5s"),
    Role.INITIATOR: (
        "<< CONNECT 60s",
        "< 35=A|34=1|98=0|108=* 10s -> $hb",
        "> 35=A|34=1|98=0|108=$hb",
    ),
}
_RESET_ANSWER = "> 35=A|34=1|98=0|108=$hb|141=Y"


def logon_lines(role: Role) -> tuple[Line, ...]:
    """The lines that bring a session up with a system under test of this role."""
    return tuple([parse_line(text, "logon") for text in _LOGON[role]])


class Player:
    """Plays one case in one `Scope`."""

    def __init__(self, case: Case, scope: Scope) -> None:
        self.case = case
        self.scope = scope
        self.now = scope.began
        self.mark = scope.began  # when the last line was done: times of a line count from here
        self.entries: list[Entry] = []
        self._wires: dict[int, _Wire] = {}
        self._opened: set[int] = set()
        self._why: dict[int, str] = {}  # why a connection ended, or never came up
        self._got = False  # whether the last `<?` did
        self._keepalive_at: int | None = None
        self._lenient: tuple[Line, int, str, str] | None = None
        self._forbidden: tuple[Line, int, str, str] | None = None
        self._messages = self._bytes = 0
        self._last_sent: int | None = None  # SendingTime(52) of the counterparty's last message
        self._peer_reset = False  # the counterparty's Logon asked for 141=Y

    def play(self) -> Play:
        """The whole case; its result is the generator's."""
        number, line, blocked = 0, None, True
        try:
            logon = logon_lines(self.scope.role) if self.case.logon else ()
            for line in logon:
                if self._peer_reset and isinstance(line.step, notation.Send):
                    line = parse_line(_RESET_ANSWER, "logon")
                yield from self._line(line, 0)
            for number, line in enumerate(self.case.lines, 1):
                blocked = number <= len(self.case.setup)
                yield from self._line(line, number)
            yield from self._look()
        except _MissedError as miss:
            assert line is not None
            if blocked:
                result = self._result(Verdict.BLOCKED, line, number, miss.expected, miss.found)
            else:
                # What was forbidden came first; the rest may only follow from it.
                missed = (line, number, miss.expected, miss.found)
                result = self._result(Verdict.FAIL, *(self._forbidden or missed))
        except _SkippedError as why:
            result = self._result(Verdict.SKIP, None, 0, "", str(why))
        else:
            result = self._verdict()
        try:
            yield from self._goodbye()
        except _MissedError:
            pass  # a flood to the very end; the verdict stands
        return replace(result, transcript=tuple(self.entries))

    def _verdict(self) -> CaseResult:
        if self._forbidden is not None:
            return self._result(Verdict.FAIL, *self._forbidden)
        if self._lenient is not None:
            return self._result(Verdict.LENIENT, *self._lenient)
        return self._result(Verdict.PASS, None, 0, "", "")

    def _result(
        self, verdict: Verdict, line: Line | None, number: int, expected: str, found: str
    ) -> CaseResult:
        rule = ""
        if line is not None and verdict is not Verdict.BLOCKED:
            rule = line.rule or self.case.rules[0]
        return CaseResult(
            ref=self.case.ref,
            verdict=verdict,
            begin_string=self.scope.begin_string,
            role=self.scope.role,
            rule=rule,
            line=number or None,
            script=line.text if line is not None else "",
            expected=expected,
            found=found,
            seconds=(self.now - self.scope.began) / times.NANOSECONDS,
        )

    # Lines -------------------------------------------------------------------------------

    def _line(self, line: Line, number: int) -> _Part:
        try:
            yield from self._play_line(line, number)
        except NoNumberError as error:
            raise _MissedError("a number to go on from", str(error)) from None

    def _play_line(self, line: Line, number: int) -> _Part:
        yield from self._look()
        states = {"got": self._got, "open": self._is_open(1)}
        condition = line.condition
        if condition is not None and not self.scope.holds(condition, self.now, states):
            return
        try:
            yield from self._step(line.step, line.connection)
        except _MissedError as miss:
            mode = getattr(line.step, "mode", Mode.MUST)
            if mode is Mode.MUST:
                raise
            if mode is Mode.SHOULD and self._lenient is None:
                self._lenient = (line, number, miss.expected, miss.found)
            self._got = False
        else:
            if isinstance(line.step, notation.Expect | notation.AwaitClose):
                self._got = True

    def _step(self, step: Step, connection: int) -> _Part:
        match step:
            case notation.Send():
                yield from self._send(step, connection)
            case notation.SendRaw():
                raw = raw_bytes(step.text, self.scope)
                yield from self._write(connection, (raw,), "RAW ")
            case notation.Expect():
                yield from self._expect(step, connection)
            case notation.Quiet():
                yield from self._quiet(step, connection)
            case notation.AwaitClose():
                yield from self._await_close(step, connection)
            case notation.Cover():
                yield from self._cover(step, connection)
            case notation.AwaitConnect():
                yield from self._await_connect(step.seconds, connection)
            case notation.Connect():
                yield from self._connect(connection)
            case notation.Close():
                yield from self._close(connection)
            case notation.Operate():
                yield from self._operate(step)
            case notation.KeepAlive():
                self._beat()
            case notation.Forbid():
                pass  # looked at whenever a message comes

    # Doing -------------------------------------------------------------------------------

    def _do(self, action: Action) -> _Part:
        turn = yield action
        self._take(turn)
        if turn.problem:
            raise _MissedError("", turn.problem)

    def _look(self) -> _Part:
        """Take notice of what has come, without waiting."""
        yield from self._do(Wait(self.now))

    def _send(self, step: notation.Send, connection: int) -> _Part:
        pieces = [write(template, self.scope, self.now) for template in step.messages]
        if step.trickle:
            whole = pieces[0]
            trickle = tuple([whole[at : at + 1] for at in range(len(whole))])
            yield from self._write(connection, trickle, "TRICKLE ")
        else:
            yield from self._write(connection, (b"".join(pieces),), "")

    def _write(self, connection: int, pieces: tuple[bytes, ...], how: str) -> _Part:
        wire = self._wires.get(connection)
        if wire is None or not wire.up:
            raise _MissedError("an open connection to send on", "the connection is closed")
        raw = b"".join(pieces)
        wire.logon_sent = wire.logon_sent or b"\x0135=A\x01" in raw
        self._enter(connection, ">", how + shown(raw))
        yield from self._do(Write(connection, pieces))
        self.mark = self.now

    def _connect(self, connection: int) -> _Part:
        if self.scope.role is Role.INITIATOR:
            yield from self._await_connect(notation.CONNECT_SECONDS, connection)
            return
        self._begin(connection)
        yield from self._do(Open(connection))
        if connection not in self._opened:
            raise _MissedError("a connection", self._why.get(connection) or "nobody answers")
        self.mark = self.now

    def _await_connect(self, seconds: float, connection: int) -> _Part:
        self._begin(connection)
        yield from self._do(Accept(connection))
        until = self.now + times.seconds(seconds)
        while connection not in self._opened:
            if self.now >= until:
                raise _MissedError(f"a connection within {seconds:g} s", "none")
            yield from self._do(Wait(until))
        self.mark = self.now

    def _begin(self, connection: int) -> None:
        self._wires[connection] = _Wire(Framer(), deque())
        self._opened.discard(connection)
        self.scope.values["expected"] = str(self.scope.next_in)

    def _close(self, connection: int) -> _Part:
        wire = self._wires.get(connection)
        if wire is not None and wire.up:
            self._enter(connection, "!", "the runner closes the connection")
            wire.up = False
            wire.inbox.clear()
            yield from self._do(Shut(connection))
            yield from self._pause(_NOTICE_SECONDS)
        self.mark = self.now

    def _operate(self, step: notation.Operate) -> _Part:
        what = f"{step.hook} {step.count}" if step.count else step.hook
        yield from self._pause(_OPERATOR_SECONDS)
        self._enter(1, "!", f"operator: {what}")
        yield from self._do(Call(step.hook, step.count))
        self.mark = self.now

    def _pause(self, seconds: float) -> _Part:
        until = self.now + times.seconds(seconds)
        while self.now < until:
            yield from self._do(Wait(until))

    def _beat(self) -> None:
        heartbeat = to_int(self.scope.value("$hb", self.now)) or 1
        self._keepalive_at = self.now + times.seconds(heartbeat)

    def _goodbye(self) -> _Part:
        """End what is still open, in order and for at most a few seconds."""
        self._keepalive_at = None
        for connection, wire in sorted(self._wires.items()):
            if not wire.up:
                continue
            if wire.logon_sent and wire.logon_came and self._is_open(connection):
                yield from self._say(connection, [(35, "5")])
                until = self.now + times.seconds(_GOODBYE_SECONDS)
                while self.now < until and not self._said_goodbye(wire):
                    yield from self._do(Wait(until))
            wire.up = False
            yield from self._do(Shut(connection))

    def _said_goodbye(self, wire: _Wire) -> bool:
        return any(
            item.what is None
            or (isinstance(item.what, Message) and item.what.msg_type == LOGOUT)
            for item in wire.inbox
        )

    # Waiting -----------------------------------------------------------------------------

    def _await_item(self, connection: int, until: int) -> Generator[Action, Turn, _Item | None]:
        """The next thing on a connection, left where it is; None when nothing came in time."""
        wire = self._wires.get(connection)
        if wire is None:
            raise _MissedError("a connection", "there is none")
        while not wire.inbox:
            if self.now >= until or not wire.up:
                return None
            beat = self._keepalive_at
            yield from self._do(Wait(until if beat is None else min(until, beat)))
            if beat is not None and self.now >= beat:
                yield from self._say(connection, [(35, "0")])
                self._beat()
        item = wire.inbox[0]
        return None if item.time > until else item

    def _say(self, connection: int, fields: list[tuple[int, str]]) -> _Part:
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

    def _expect(self, step: notation.Expect, connection: int) -> _Part:
        pattern = self.scope.pattern(step.pattern, self.now)
        expected = "|".join(map(str, pattern))
        until = self.mark + times.seconds(step.latest)
        while True:
            item = yield from self._await_item(connection, until)
            if item is None:
                raise _MissedError(expected, self._nothing(connection, step.latest))
            if not isinstance(item.what, Message):
                raise _MissedError(expected, self._other(item))
            message = item.what
            found = match(message, pattern)
            if not found.why:
                break
            if not (yield from self._passes(connection, message)):
                raise _MissedError(expected, f"{_name(message)}: {found.why}")
            self._wires[connection].inbox.popleft()
        if step.earliest:
            self._check_early(step, expected, item)
        self._wires[connection].inbox.popleft()
        self.mark = max(self.mark, item.time)
        if step.keep_as:
            self.scope.kept[step.keep_as] = self._unshifted(message, step.keep_tag)
        if found.tolerated and self._lenient is None:
            self._note_tolerated(step, expected, found.tolerated)

    def _check_early(self, step: notation.Expect, expected: str, item: _Item) -> None:
        """Not before: counted from the last line, or from what it had sent before this.

        Both clocks count, the runner's and the counterparty's own: a runner that is late itself
        would blame it on the other.
        """
        waited = max(item.time - self.mark, item.silent) / times.NANOSECONDS
        if waited < step.earliest:
            raise _MissedError(
                f"{expected} not before {step.earliest:g} s", f"it came after {waited:.1f} s"
            )

    def _note_tolerated(self, step: notation.Expect, expected: str, found: str) -> None:
        for number, line in enumerate(self.case.lines, 1):
            if line.step is step:
                self._lenient = (line, number, expected, found)

    def _unshifted(self, message: Message, tag: int) -> str:
        """A value to keep; numbers count as the script counts."""
        value = message[tag]
        number, shifted = to_int(value), to_int(self.scope.shifted_in(tag, value))
        if number is None or shifted is None:
            return value
        return str(2 * number - shifted)

    def _quiet(self, step: notation.Quiet, connection: int) -> _Part:
        until = self.mark + times.seconds(step.seconds)
        expected = f"nothing for {step.seconds:g} s"
        while True:
            item = yield from self._await_item(connection, until)
            if item is None:
                if not self._wires[connection].up:
                    raise _MissedError(expected, "the connection is closed")
                self.mark = self.now
                return
            if not isinstance(item.what, Message):
                raise _MissedError(expected, self._other(item))
            if not (yield from self._passes(connection, item.what)):
                raise _MissedError(expected, _name(item.what))
            self._wires[connection].inbox.popleft()

    def _await_close(self, step: notation.AwaitClose, connection: int) -> _Part:
        until = self.mark + times.seconds(step.latest)
        expected = f"the connection to be closed within {step.latest:g} s"
        while True:
            item = yield from self._await_item(connection, until)
            if item is None:
                raise _MissedError(expected, "it stayed open")
            if item.what is None:
                break
            if not isinstance(item.what, Message):
                raise _MissedError(expected, self._other(item))
            if not (yield from self._passes(connection, item.what)):
                raise _MissedError(expected, _name(item.what))
            self._wires[connection].inbox.popleft()
        waited = (item.time - self.mark) / times.NANOSECONDS
        if 0 < step.earliest > waited:
            raise _MissedError(f"a close after {step.earliest:g} s", f"after {waited:.1f} s")
        self.mark = max(self.mark, item.time)

    def _cover(self, step: notation.Cover, connection: int) -> _Part:
        """Repeats and gap fills, each where the one before it ended."""
        first, last = (
            to_int(self.scope.value(one, self.now)) or 0 for one in (step.begin, step.end)
        )
        due, until = first + self.scope.shift_in, self.mark + times.seconds(step.seconds)
        end = last + self.scope.shift_in
        expected = f"numbers {due} to {end}, resent or gap-filled"
        while due <= end:
            item = yield from self._await_item(connection, until)
            if item is None:
                raise _MissedError(expected, f"nothing from {due} on")
            if not isinstance(item.what, Message):
                raise _MissedError(expected, self._other(item))
            message = item.what
            filled = message.msg_type == "4" and message.get(123) == "Y"
            repeated = message.get(43) == "Y"
            if not (filled or repeated) or message.number != due:
                raise _MissedError(expected, f"{_name(message)} where {due} was due")
            self._wires[connection].inbox.popleft()
            new = to_int(message.get(36)) if filled else None
            due = due + 1 if new is None else max(due + 1, new)
        self.mark = self.now

    def _nothing(self, connection: int, seconds: float) -> str:
        wire = self._wires[connection]
        if not wire.inbox and not wire.up:
            return "the connection is closed"
        return f"nothing within {seconds:g} s"

    def _other(self, item: _Item) -> str:
        if isinstance(item.what, Garbled):
            return f"bytes that are no message: {item.what.reason}"
        return "the connection was closed"

    # What comes --------------------------------------------------------------------------

    def _take(self, turn: Turn) -> None:
        self.now = max(self.now, turn.now)
        for event in turn.events:
            wire = self._wires.get(event.connection)
            if wire is None:
                continue
            if isinstance(event, Opened):
                wire.up = True
                self._opened.add(event.connection)
                self._enter(event.connection, "!", "connected", event.time)
            elif isinstance(event, Arrived):
                self._arrived(wire, event)
            elif wire.up or event.connection not in self._opened:
                wire.up = False
                self._why[event.connection] = event.why
                wire.inbox.append(_Item(event.time, None))
                why = f" ({event.why})" if event.why else ""
                self._enter(event.connection, "!", f"closed{why}", event.time)

    def _arrived(self, wire: _Wire, event: Arrived) -> None:
        if not wire.up:
            return  # the runner has closed it: nobody reads this any more
        self._bytes += len(event.data)
        for what in wire.framer.feed(event.data):
            self._messages += 1
            if isinstance(what, Garbled):
                wire.inbox.append(_Item(event.time, what))
                raw = f": {shown(what.raw)}" if what.raw else ""
                text = f"no message ({what.rule}: {what.reason}){raw}"
                self._enter(event.connection, "<", text, event.time)
                continue
            wire.inbox.append(_Item(event.time, what, self._silent(what)))
            self._enter(event.connection, "<", shown(what.raw or b""), event.time)
            self._note_message(wire, what)
        if self._messages > _MESSAGES_MAX or self._bytes > _BYTES_MAX:
            wire.inbox.clear()
            raise _MissedError(
                f"at most {_MESSAGES_MAX:,} messages and {_BYTES_MAX >> 20} MiB in one case",
                f"{self._messages:,} messages, {self._bytes:,} bytes",
            )

    def _silent(self, message: Message) -> int:
        """How long the counterparty had sent nothing before, by its own clock."""
        sent = times.parse_utc((message.get(52) or "").encode("latin-1"))
        before, self._last_sent = self._last_sent, sent
        return 0 if sent is None or before is None else sent - before

    def _note_message(self, wire: _Wire, message: Message) -> None:
        """What the runner learns from any message: numbers, Logon, what was forbidden."""
        number, new = message.number, to_int(message.get(36))
        if message.msg_type == LOGON and number is not None:
            self._adopt_number(number)
        if message.msg_type == "4" and new is not None:
            self.scope.next_in = new - self.scope.shift_in
        elif number is not None and message.get(43) != "Y":
            self.scope.next_in = number - self.scope.shift_in + 1
        if message.msg_type == LOGON:
            wire.logon_came = True
            self._note_logon(message)
        for at, line in enumerate(self.case.lines, 1):
            if isinstance(line.step, notation.Forbid) and self._forbidden is None:
                pattern = self.scope.pattern(line.step.pattern, self.now)
                if not match(message, pattern).why:
                    never = f"never {'|'.join(map(str, pattern))}"
                    self._forbidden = (line, at, never, _name(message))

    def _adopt_number(self, number: int) -> None:
        """The first Logon of an initiator that goes on with its numbers.

        It may have tried to connect since they were last agreed on, which uses numbers up.
        """
        scope = self.scope
        if scope.adopts and number > scope.shift_in + scope.next_in:
            scope.shift_in = number - scope.next_in
        scope.adopts = False

    def _note_logon(self, message: Message) -> None:
        if self.scope.role is not Role.INITIATOR:
            return
        if message.get(141) == "Y" and message.number == 1:
            self._peer_reset = True
            self.scope.reset()
        needed = self.case.heartbeat_seconds
        if needed is not None and message.get(108) != str(needed):
            found = shown_value(108, message.get(108) or "absent")
            raise _SkippedError(f"needs HeartBtInt(108) {needed}, its Logon has {found}")

    def _is_open(self, connection: int) -> bool:
        wire = self._wires.get(connection)
        return wire is not None and wire.up

    def _enter(self, connection: int, sign: str, text: str, time: int | None = None) -> None:
        if len(self.entries) >= _ENTRIES_MAX:
            if len(self.entries) == _ENTRIES_MAX:
                self.entries.append(Entry(0.0, connection, "!", "and more that is not kept"))
            return
        passed = ((self.now if time is None else time) - self.scope.began) / times.NANOSECONDS
        self.entries.append(Entry(round(passed, 6), connection, sign, text))


def _name(message: Message) -> str:
    """A message in a few words."""
    kind = message.msg_type
    name = MSG_TYPE_NAMES.get(kind)
    shown_kind = shown_value(35, kind)
    text = f"{name}({shown_kind})" if name else f"35={shown_kind}"
    number = message.get(34)
    text += f" 34={shown_value(34, number)}" if number is not None else ""
    reason = message.get(58)
    return f"{text}, {shown_value(58, reason)!r}" if reason else text
