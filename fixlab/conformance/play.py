"""Playing one case without any I/O: a generator that says what to do and is told what came.

It yields an `Action` and is sent a `Turn`: the time, and what has happened since. A target does
the actions, on a virtual clock or on sockets; all that is decided is decided here, so that both
kinds of targets decide alike.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from typing import NamedTuple

from fixlab import times
from fixlab.conformance import notation
from fixlab.conformance.actions import Action, Part, Turn
from fixlab.conformance.hearing import Item, MissedError, name_of, other_than_a_message
from fixlab.conformance.matching import match, shown
from fixlab.conformance.model import Case, CaseResult, Verdict
from fixlab.conformance.notation import Line, Mode, Step, parse_line
from fixlab.conformance.scope import NoNumberError, Scope, to_int
from fixlab.conformance.talking import HookError, Talking
from fixlab.conformance.writing import raw_bytes, write
from fixlab.session.transitions import Role
from fixlab.wire.message import Message
from fixlab.wire.tags import LOGON

_ACK_MARGIN_SECONDS = 2.0  # for a counterparty that waits the whole LogoutAckThreshold
_AFTERMATH_SECONDS = 0.2  # so long the runner listens on after a line that did not hold

Play = Generator[Action, Turn, CaseResult]


class _SkippedError(Exception):
    """The counterparty turns out not to be set up for this case."""


class _Miss(NamedTuple):
    """A line that did not hold: which one, what it expected and what there was instead."""

    line: Line | None
    number: int
    expected: str
    found: str


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


class Player(Talking):
    """Plays one case in one `Scope`."""

    def __init__(self, case: Case, scope: Scope) -> None:
        super().__init__(scope)
        self.case = case
        self._got = False  # whether the last `<?` did
        self._lenient: _Miss | None = None  # the first that is tolerated
        self._forbidden: _Miss | None = None  # the first that must not have come

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
        except MissedError as error:
            miss = _Miss(line, number, error.expected, error.found)
            # What was forbidden came first; the rest may only follow from it.
            result = self._result(Verdict.FAIL, self._forbidden or miss)
            if blocked:
                result = self._result(Verdict.BLOCKED, miss)
        except HookError as error:
            result = self._result(Verdict.BLOCKED, _Miss(line, number, "", str(error)))
        except _SkippedError as error:
            result = self._result(Verdict.SKIP, _Miss(None, 0, "", str(error)))
        else:
            result = self._verdict()
        try:
            if result.verdict is Verdict.FAIL:
                # What it sends next belongs to what it did, in whichever segment it comes.
                yield from self._pause(_AFTERMATH_SECONDS)
            yield from self._goodbye()
        except MissedError:
            pass  # a flood to the very end; the verdict stands
        return replace(result, transcript=tuple(self.entries))

    def _verdict(self) -> CaseResult:
        if self._forbidden is not None:
            return self._result(Verdict.FAIL, self._forbidden)
        if self._lenient is not None:
            return self._result(Verdict.LENIENT, self._lenient)
        return self._result(Verdict.PASS, _Miss(None, 0, "", ""))

    def _result(self, verdict: Verdict, miss: _Miss) -> CaseResult:
        line, rule = miss.line, ""
        if line is not None and verdict is not Verdict.BLOCKED:
            rule = line.rule or self.case.rules[0]
        return CaseResult(
            ref=self.case.ref,
            verdict=verdict,
            begin_string=self.scope.begin_string,
            role=self.scope.role,
            rule=rule,
            line=miss.number or None,
            script="" if line is None else line.text,
            expected=miss.expected,
            found=miss.found,
            seconds=(self.now - self.scope.began) / times.NANOSECONDS,
        )

    # Lines -------------------------------------------------------------------------------

    def _line(self, line: Line, number: int) -> Part:
        try:
            yield from self._play_line(line, number)
        except NoNumberError as error:
            raise MissedError("a number to go on from", str(error)) from None

    def _play_line(self, line: Line, number: int) -> Part:
        yield from self._look()
        states = {"got": self._got, "open": self._is_open(1)}
        condition = line.condition
        if condition is not None and not self.scope.holds(condition, self.now, states):
            return
        try:
            yield from self._step(line.step, line.connection)
        except MissedError as miss:
            mode = getattr(line.step, "mode", Mode.MUST)
            if mode is Mode.MUST:
                raise
            if mode is Mode.SHOULD and self._lenient is None:
                self._lenient = _Miss(line, number, miss.expected, miss.found)
            self._got = False
        else:
            if isinstance(line.step, notation.Expect | notation.AwaitClose):
                self._got = True

    def _step(self, step: Step, connection: int) -> Part:
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
                yield from self._operate(step.hook, step.count)
            case notation.KeepAlive():
                self._beat()
            case notation.Forbid():
                pass  # looked at whenever a message comes

    def _send(self, step: notation.Send, connection: int) -> Part:
        pieces = [write(template, self.scope, self.now) for template in step.messages]
        if step.trickle:
            whole = pieces[0]
            trickle = tuple([whole[at : at + 1] for at in range(len(whole))])
            yield from self._write(connection, trickle, "TRICKLE ")
        else:
            yield from self._write(connection, (b"".join(pieces),), "")

    def _expect(self, step: notation.Expect, connection: int) -> Part:
        pattern = self.scope.pattern(step.pattern, self.now)
        expected = "|".join(map(str, pattern))
        until = self.mark + times.seconds(step.latest)
        while True:
            item = yield from self._await_item(connection, until)
            if item is None:
                raise MissedError(expected, self._nothing(connection, step.latest))
            if not isinstance(item.what, Message):
                raise MissedError(expected, other_than_a_message(item))
            message = item.what
            found = match(message, pattern)
            if not found.why:
                break
            if not (yield from self._passes(connection, message)):
                raise MissedError(expected, f"{name_of(message)}: {found.why}")
            self._channels[connection].inbox.popleft()
        if step.earliest:
            self._check_early(step, expected, item)
        self._channels[connection].inbox.popleft()
        self.mark = max(self.mark, item.time)
        if step.keep_as:
            self.scope.kept[step.keep_as] = self._unshifted(message, step.keep_tag)
        if found.tolerated and self._lenient is None:
            self._note_tolerated(step, expected, found.tolerated)

    def _check_early(self, step: notation.Expect, expected: str, item: Item) -> None:
        """Not before: counted from the last line, or from what it had sent before this.

        Both clocks count, the runner's and the counterparty's own: a runner that is late itself
        would blame it on the other.
        """
        waited = max(item.time - self.mark, item.silent) / times.NANOSECONDS
        if waited < step.earliest:
            raise MissedError(
                f"{expected} not before {step.earliest:g} s", f"it came after {waited:.1f} s"
            )

    def _note_tolerated(self, step: notation.Expect, expected: str, found: str) -> None:
        for number, line in enumerate(self.case.lines, 1):
            if line.step is step:
                self._lenient = _Miss(line, number, expected, found)

    def _unshifted(self, message: Message, tag: int) -> str:
        """A value to keep; numbers count as the script counts."""
        value = message[tag]
        number, shifted = to_int(value), to_int(self.scope.shifted_in(tag, value))
        if number is None or shifted is None:
            return value
        return str(2 * number - shifted)

    def _quiet(self, step: notation.Quiet, connection: int) -> Part:
        until = self.mark + times.seconds(step.seconds)
        expected = f"nothing for {step.seconds:g} s"
        while True:
            item = yield from self._await_item(connection, until)
            if item is None:
                if not self._channels[connection].up:
                    raise MissedError(expected, "the connection is closed")
                self.mark = self.now
                return
            if not isinstance(item.what, Message):
                raise MissedError(expected, other_than_a_message(item))
            if not (yield from self._passes(connection, item.what)):
                raise MissedError(expected, name_of(item.what))
            self._channels[connection].inbox.popleft()

    def _await_close(self, step: notation.AwaitClose, connection: int) -> Part:
        latest = step.latest
        if step.ack:
            latest = self.scope.profile.logout_timeout_seconds + _ACK_MARGIN_SECONDS
        until = self.mark + times.seconds(latest)
        expected = f"the connection to be closed within {latest:g} s"
        while True:
            item = yield from self._await_item(connection, until)
            if item is None:
                raise MissedError(expected, "it stayed open")
            if item.what is None:
                break
            if not isinstance(item.what, Message):
                raise MissedError(expected, other_than_a_message(item))
            if not (yield from self._passes(connection, item.what)):
                raise MissedError(expected, name_of(item.what))
            self._channels[connection].inbox.popleft()
        waited = (item.time - self.mark) / times.NANOSECONDS
        if 0 < step.earliest > waited:
            raise MissedError(f"a close after {step.earliest:g} s", f"after {waited:.1f} s")
        self.mark = max(self.mark, item.time)

    def _cover(self, step: notation.Cover, connection: int) -> Part:
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
                raise MissedError(expected, f"nothing from {due} on")
            if not isinstance(item.what, Message):
                raise MissedError(expected, other_than_a_message(item))
            message = item.what
            filled = message.msg_type == "4" and message.get(123) == "Y"
            repeated = message.get(43) == "Y"
            if not (filled or repeated) or message.number != due:
                raise MissedError(expected, f"{name_of(message)} where {due} was due")
            self._channels[connection].inbox.popleft()
            new = to_int(message.get(36)) if filled else None
            due = due + 1 if new is None else max(due + 1, new)
        self.mark = self.now

    def _nothing(self, connection: int, seconds: float) -> str:
        channel = self._channels[connection]
        if not channel.inbox and not channel.up:
            return "the connection is closed"
        return f"nothing within {seconds:g} s"

    # What comes --------------------------------------------------------------------------

    def _heard(self, message: Message) -> None:
        """Every message: may it come, and is the counterparty set up for the case?"""
        needed = self.case.heartbeat_seconds
        logon = message.msg_type == LOGON and self.scope.role is Role.INITIATOR
        if logon and needed is not None and message.get(108) != str(needed):
            found = shown(108, message.get(108) or "absent")
            raise _SkippedError(f"needs HeartBtInt(108) {needed}, its Logon has {found}")
        for number, line in enumerate(self.case.lines, 1):
            if isinstance(line.step, notation.Forbid) and self._forbidden is None:
                pattern = self.scope.pattern(line.step.pattern, self.now)
                if not match(message, pattern).why:
                    never = f"never {'|'.join(map(str, pattern))}"
                    self._forbidden = _Miss(line, number, never, name_of(message))
