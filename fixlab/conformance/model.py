"""What a conformance test is made of: cases, verdicts, and the result of one case."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from html import escape
from typing import NamedTuple

from fixlab import redact
from fixlab.conformance.notation import Line
from fixlab.session.transitions import Role, Transition


class Verdict(StrEnum):
    """How a case ended."""

    PASS = "PASS"  # every mandatory line held
    LENIENT = "LENIENT"  # what differs is listed as tolerated
    FAIL = "FAIL"  # a mandatory line did not hold
    SKIP = "SKIP"  # profile or target do not support the case
    BLOCKED = "BLOCKED"  # the precondition was not reached: nothing is known


class Level(StrEnum):
    """How binding a case is."""

    MANDATORY = "M"  # in the FIX session test cases
    OPTIONAL = "O"  # optional there
    RECOMMENDED = "R"  # not there: ours, or a user's


class Need(StrEnum):
    """What a case asks of the counterparty beyond a session; see `Profile` and the targets."""

    APP = "app"  # its application answers an order
    DICTIONARY = "dictionary"  # it checks messages against a data dictionary
    ENCRYPTION = "encryption"  # encryption inside FIX; the runner has none
    ADDRESSING = "addressing"  # third-party addressing was agreed, or is checked
    NEXT_EXPECTED = "next-expected"  # it heeds NextExpectedMsgSeqNum(789)
    GARBLED = "garbled"  # it allows broken bytes on its port
    DUPLICATE = "duplicate"  # it allows a second connection of the same session
    RESET = "reset"  # it allows ResetSeqNumFlag(141)=Y
    STRANGER = "stranger"  # it allows an attempt under a name that is not agreed
    STOP = "stop"  # an operator, or a hook, stops it
    APP_SEND = "app-send"  # an operator, or a hook, has its application send
    APP_DOWN = "app-down"  # an operator, or a hook, takes its application down
    GAP_AT_LOGON = "gap-at-logon"  # it asks for a gap at Logon: not with 789 in use (LGN-22)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test case: its script, and what it is about; `str()` shows it in its notation."""

    ref: str  # reference id: "2b", or ours: "X-06"
    title: str
    level: Level
    role: Role | None  # of the system under test; None: either
    versions: tuple[str, ...]  # BeginStrings that it holds for
    rules: tuple[str, ...]  # of fixlab.RULES, the first is what a failure is blamed on
    logon: bool  # whether a session is brought up first
    heartbeat_seconds: int | None  # HeartBtInt(108) that it needs; None: the profile's
    setup: tuple[Line, ...]  # to reach the precondition; what fails here is BLOCKED
    script: tuple[Line, ...]
    needs: frozenset[Need]
    quickfix: Verdict | None = None  # of C++ QuickFIX 1.16 on FIX.4.4; None: never run

    @property
    def lines(self) -> tuple[Line, ...]:
        """Setup and script; a result's `line` counts them from 1."""
        return self.setup + self.script

    def __str__(self) -> str:
        roles = self.role or "either role"
        head = f"{self.ref} {self.title} ({self.level.name.lower()}, {roles})"
        logon = ["(logon)"] if self.logon else []
        setup = [line.text for line in self.setup]
        script = [f"{number:>3} {text}" for number, text in self._numbered()]
        return "\n".join([head, *(f"    {text}" for text in logon + setup), *script])

    def _numbered(self) -> list[tuple[int, str]]:
        first = len(self.setup) + 1
        return [(first + at, line.text) for at, line in enumerate(self.script)]

    def __repr__(self) -> str:
        return f"<Case {self.ref} {self.level} {', '.join(self.rules)}: {self.title}>"

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>"


class Entry(NamedTuple):
    """One thing that happened while a case was played, in the runner's view."""

    seconds: float  # since the case began
    connection: int  # 1, or 2 for a second one
    direction: str  # ">" sent, "<" received, "!" an action or an end of a connection
    text: str  # a message with bars for SOH, or words; secrets masked, visible characters only

    @property
    def line(self) -> str:
        """The entry as a line of a transcript."""
        second = "[2] " if self.connection == 2 else ""
        return f"{self.seconds:8.3f} {second}{self.direction} {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """What became of one case."""

    ref: str
    verdict: Verdict
    begin_string: str
    role: Role  # of the system under test
    rule: str = ""  # of the first line that did not hold; "" when all did
    line: int | None = None  # which line that was, from 1; see `Case.lines`
    script: str = ""  # its text
    expected: str = ""  # what it asked for
    found: str = ""  # what came instead; for SKIP and BLOCKED why
    seconds: float = 0.0  # how long it took: virtual time in memory
    transcript: tuple[Entry, ...] = ()
    # Of the session under test, where it is fixlab's own; otherwise empty.
    transitions: tuple[Transition, ...] = field(default=(), repr=False)

    def __repr__(self) -> str:
        why = f": {self.found}" if self.found else ""
        rule = f" {self.rule}" if self.rule else ""
        return f"<CaseResult {self.ref} {self.verdict}{rule}{why}>"


def shown(raw: bytes) -> str:
    """Bytes of the wire as a transcript has them: bars for SOH, masked, visible, short."""
    text = redact.printable(redact.mask(raw.decode("latin-1")).replace("\x01", "|"))
    return text if len(text) <= SHOWN_MAX else f"{text[:SHOWN_MAX]}…"


SHOWN_MAX = 2_000  # characters of a message in a transcript
