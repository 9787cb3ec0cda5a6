"""Finding out where the numbers of both sides stand, by a Logon, a TestRequest and a Logout.

Against a counterparty that does not start over before each case, one connection goes ahead of
it: with ResetSeqNumFlag(141)=Y where that was agreed, otherwise with the numbers as they are. A
gap of the counterparty is gap-filled; a Logout over a number too low says which one it expects.
"""

from __future__ import annotations

import re
from collections.abc import Generator

from fixlab import times
from fixlab.conformance.actions import Action, Part, Turn
from fixlab.conformance.hearing import MissedError, name_of, other_than_a_message
from fixlab.conformance.notation import CONNECT_SECONDS
from fixlab.conformance.scope import Scope, to_int
from fixlab.conformance.talking import HookError, Talking
from fixlab.session.transitions import Role
from fixlab.wire.message import Message

_TRIES = 3  # connections until both sides agree
_SECONDS = 10.0  # for each answer
_EXPECTING = re.compile(r"expect(?:ing|ed)[^0-9]{0,20}([0-9]{1,18})", re.IGNORECASE)
_TEST_REQ_ID = "NUMBERS"

_Answer = Generator[Action, Turn, bool]


class Agreement(Talking):
    """One conversation that ends with `scope` knowing both sides' next numbers."""

    def __init__(self, scope: Scope, *, reset: bool) -> None:
        super().__init__(scope)
        self._reset = reset
        self._refusal = ""  # what came instead of an answer

    def agree(self) -> Generator[Action, Turn, str]:
        """Why the numbers could not be found out; "" when `scope` is shifted to them."""
        why = ""
        for _ in range(_TRIES):
            try:
                if (yield from self._try()):
                    scope = self.scope
                    scope.shift_out, scope.shift_in = scope.next_out - 1, scope.next_in - 1
                    scope.next_out = scope.next_in = 1
                    return ""
                why = f"found {self._refusal}"
            except MissedError as miss:
                why = f"expected {miss.expected}, found {miss.found}"
            except HookError as error:
                why = str(error)
            yield from self._close(1)
        return f"the numbers could not be agreed on: {why}"

    def _try(self) -> _Answer:
        acceptor = self.scope.role is Role.ACCEPTOR
        if acceptor:
            yield from self._connect(1)
            yield from self._send_logon()
        else:
            yield from self._await_connect(CONNECT_SECONDS, 1)
        logon = yield from self._message()
        if logon.msg_type != "A":
            self._learn(logon)
            return False
        if not acceptor:
            yield from self._send_logon()
        yield from self._say(1, [(35, "1"), (112, _TEST_REQ_ID)])
        if not (yield from self._until("0")):
            return False
        yield from self._say(1, [(35, "5")])
        yield from self._until("5")
        yield from self._close(1)
        return True

    def _send_logon(self) -> Part:
        logon = [(35, "A"), (98, "0"), (108, self.scope.value("$hb", self.now))]
        if self._reset or self._peer_reset:
            self.scope.next_out = 1
            logon.append((141, "Y"))
        yield from self._say(1, logon)

    def _until(self, msg_type: str) -> _Answer:
        """Answer ResendRequests until the answer comes; False when a Logout comes instead."""
        until = self.now + times.seconds(_SECONDS)
        while True:
            message = yield from self._message(until)
            if message.msg_type == "2":
                yield from self._fill(message)
            elif message.msg_type == msg_type:
                if msg_type != "0" or message.get(112) == _TEST_REQ_ID:
                    return True
            elif message.msg_type == "5":
                self._learn(message)
                return False

    def _fill(self, request: Message) -> Part:
        """Nothing is resent: what was sent before were test cases."""
        begin, after = to_int(request.get(7)), self.scope.next_out
        if begin is not None and begin < after:
            stamp = self.scope.timestamp(self.now)
            header = [(35, "4"), (34, str(begin)), (43, "Y"), (122, stamp)]
            yield from self._say(1, [*header, (123, "Y"), (36, str(after))])

    def _message(self, until: int | None = None) -> Generator[Action, Turn, Message]:
        if until is None:
            until = self.now + times.seconds(_SECONDS)
        item = yield from self._await_item(1, until)
        if item is None:
            raise MissedError("an answer", f"nothing within {_SECONDS:g} s")
        if not isinstance(item.what, Message):
            raise MissedError("an answer", other_than_a_message(item))
        self._channels[1].inbox.popleft()
        return item.what

    def _learn(self, message: Message) -> None:
        """Remember what came instead; a Logout may say which number it expects."""
        self._refusal = name_of(message)
        found = _EXPECTING.search(message.get(58) or "")
        if found is not None and int(found[1]) > 0:
            self.scope.next_out = int(found[1])
