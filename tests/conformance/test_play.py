"""The player: each kind of line holds or does not, and the result says which and why."""

from collections.abc import Callable
from typing import Any

import pytest

from fixlab.conformance import Verdict
from fixlab.conformance.actions import Arrived, Turn, Wait, Write
from fixlab.conformance.agreeing import Agreement
from fixlab.conformance.play import Player
from fixlab.session.transitions import Role
from tests.conformance.sut import Puppet, against, case_of, scope_of, wire

LOGON = "35=A|34=1|98=0|108=30|"


def answering(*answers: str | None) -> Callable[[bytes], bytes | None]:
    """A counterparty that logs on, then gives one answer to each thing that it is sent."""
    left = iter(answers)

    def says(data: bytes) -> bytes | None:
        if data == b"open":
            return b""
        if b"\x0135=A\x01" in data:
            return wire(LOGON)
        answer = next(left, "")
        if answer is None:
            return None
        return b"".join([wire(one) for one in answer.split(" ") if one])

    return says


def result(script: str, *answers: str | None) -> Any:
    return against(answering(*answers), case_of(script))


TEST = "> 35=1|34=2|112=a\n"


def test_a_case_passes_when_all_lines_hold() -> None:
    found = result(f"{TEST}< 35=0|34=2|112=a -> $x".replace(" -> $x", ""), "35=0|34=2|112=a|")
    assert (found.verdict, found.rule, found.line) == (Verdict.PASS, "", None)
    lines = [entry.line.split()[1:3] for entry in found.transcript]
    assert lines[0] == ["!", "connected"]
    assert [line[0] for line in lines] == ["!", ">", "<", ">", "<", ">"]


def test_the_first_line_that_fails_is_named_with_its_rule() -> None:
    found = result(f"{TEST}< 35=0|112=a  # HBT-03\n< 35=0|112=b", "35=0|34=2|112=x|")
    assert (found.verdict, found.rule, found.line) == (Verdict.FAIL, "HBT-03", 2)
    assert found.script == "< 35=0|112=a"
    assert (found.expected, found.found) == (
        "35=0|112=a",
        "Heartbeat(0) 34=2: 112 is x, expected a",
    )


class Slow(Puppet):
    """Sends a ResendRequest 50 ms behind its answer to a TestRequest."""

    _late = b""

    def _perform(self, action: Any) -> Turn:
        if isinstance(action, Write) and b"\x0135=1\x01" in b"".join(action.pieces):
            self._late = wire("35=2|34=3|7=1|16=0|")
        elif isinstance(action, Wait) and action.until > self.now and self._late:
            self.now += 50_000_000
            self._events.append(Arrived(1, self.now, self._late))
            self._late = b""
        return super()._perform(action)


def test_after_a_failure_the_runner_listens_on_before_it_leaves() -> None:
    case = case_of(f"{TEST}< 35=0|112=a")
    puppet = Slow(answering("35=0|34=2|112=x|"))
    found = puppet.drive(Player(case, scope_of(case, Role.ACCEPTOR)).play())
    assert found.verdict is Verdict.FAIL
    told = [(e.direction, e.text.split("|")[2]) for e in found.transcript[-3:]]
    assert told == [("<", "35=0"), ("<", "35=2"), (">", "35=5")]


@pytest.mark.parametrize(
    ("line", "answer", "found"),
    [
        ("< 35=0|112=a", "", "nothing within 5 s"),
        ("< 35=0|112=a", None, "the connection was closed"),
        ("< NONE 1s", "35=0|34=2|112=a|", "Heartbeat(0) 34=2"),
        ("< NONE 1s", None, "the connection was closed"),
        ("< CLOSE 2s", "", "it stayed open"),
        ("< CLOSE 2s", "35=5|34=2|58=bye|", "Logout(5) 34=2, 'bye'"),
        ("< CLOSE 3-4s", None, "after 0.0 s"),
        ("< 35=0|112=a 3-4s", "35=0|34=2|112=a|", "it came after 0.0 s"),
        ("< RANGE 3..4 covered", "35=D|34=3|43=Y|", "nothing from 4 on"),
        ("< RANGE 3..4 covered", "35=D|34=4|43=Y|", "35=D 34=4 where 3 was due"),
        ("< 35=0|112=a\n> 35=0", "35=0|34=2|112=a|", ""),
        ("< CLOSE\n> 35=0", None, "the connection is closed"),
        ("<! 35=3\n< 35=0", "35=3|34=2|45=2| 35=0|34=3|", "Reject(3) 34=2"),
        ("<! 35=3\n<? 35=0\n< NONE 1s", "35=3|34=2|45=2|", "Reject(3) 34=2"),
        ("< 35=0|34=* -> $n\n> 35=1|112=$n+1", "35=0|34=x|", "$n is 'x', expected a number"),
    ],
)
def test_what_was_found_instead_is_said(line: str, answer: str | None, found: str) -> None:
    outcome = result(f"{TEST}{line}", answer)
    assert outcome.found == found
    assert outcome.verdict is (Verdict.FAIL if found else Verdict.PASS)


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("< 35=0|112=a", "35=0|34=2| 35=0|34=3|112=a|"),  # an idle Heartbeat is passed over
        ("<? 35=5\n< 35=0|112=a", "35=0|34=2|112=a|"),
        ("<? 35=5\n<? CLOSE 1s\nif open: < NONE 1s", ""),
        ("<? CLOSE 1s\nif open: < 35=0\nif not open: < CLOSE", None),
        ("<? 35=5\nif got: < CLOSE\nif not got: < 35=0|112=a", "35=0|34=2|112=a|"),
        ("< RANGE 3..6 covered", "35=D|34=3|43=Y| 35=4|34=4|123=Y|36=7|"),
        ("< 35=0|34=* -> $n\nif $n > 1: < NONE 1s\nif $n < 2: < CLOSE", "35=0|34=2|"),
        ("< CLOSE 0-3s", None),
        ("< NONE 1s", "35=0|34=2|"),
    ],
)
def test_what_is_allowed_passes(line: str, answer: str | None) -> None:
    found = result(f"{TEST}{line}", answer)
    assert (found.verdict, found.found) == (Verdict.PASS, "")


@pytest.mark.parametrize(
    ("lines", "answer", "line", "what"),
    [
        ("<~ 35=5 2s\n< CLOSE", None, 2, "the connection was closed"),
        ("<~ 35=5 2s\n< NONE 1s", "", 2, "nothing within 2 s"),
        ("< 35=3|373={18,~5}", "35=3|34=2|373=5|", 2, "373 is 5"),
    ],
)
def test_a_tolerated_difference_is_lenient(
    lines: str, answer: str | None, line: int, what: str
) -> None:
    found = result(f"{TEST}{lines}", answer)
    assert (found.verdict, found.line, found.found) == (Verdict.LENIENT, line, what)


def test_a_failure_outweighs_what_is_tolerated() -> None:
    found = result(f"{TEST}<~ 35=5 1s\n< CLOSE 1s", "")
    assert (found.verdict, found.line) == (Verdict.FAIL, 3)


@pytest.mark.parametrize(
    "says", [lambda data: None, lambda data: b"", lambda data: b"garbage!"]
)
def test_a_precondition_that_is_not_reached_blocks(says: Any) -> None:
    found = against(says, case_of("< NONE 1s"))
    assert (found.verdict, found.line) == (Verdict.BLOCKED, None)
    assert found.script


def test_a_line_of_the_setup_blocks_as_well() -> None:
    found = against(answering(""), case_of(f"{TEST}< 35=0|112=a\n---\n< NONE 1s"))
    assert (found.verdict, found.line) == (Verdict.BLOCKED, 2)


def test_an_initiator_with_another_heartbeat_is_not_set_up_for_the_case() -> None:
    case = case_of("< NONE 1s", head="pre: LOGON hb=2")
    found = against(lambda data: wire(LOGON) if data == b"open" else b"", case, Role.INITIATOR)
    assert (found.verdict, found.found) == (
        Verdict.SKIP,
        "needs HeartBtInt(108) 2, its Logon has 30",
    )


def test_an_initiator_that_resets_gets_its_reset() -> None:
    sent: list[bytes] = []

    def says(data: bytes) -> bytes:
        sent.append(data)
        return wire(LOGON + "141=Y|") if data == b"open" else b""

    assert against(says, case_of("< NONE 1s"), Role.INITIATOR).verdict is Verdict.PASS
    assert b"\x01141=Y\x01" in sent[1]


def test_secrets_and_invisible_characters_stay_out_of_the_transcript() -> None:
    found = result(f"{TEST}< 35=0", "35=0|34=2|554=hunter2|58=\x1b[2J|")
    text = "\n".join(entry.line for entry in found.transcript)
    assert "hunter2" not in text
    assert "\x1b" not in text
    assert "554=***" in text


def test_keepalive_beats_and_answers() -> None:
    script = "! KEEPALIVE\n< 35=0|112=late 70s"
    heard: list[bytes] = []

    def says(data: bytes) -> bytes:
        if data == b"open":
            return b""
        heard.append(data)
        if b"\x0135=A\x01" in data:
            return wire(LOGON)
        answers = {2: "35=1|34=2|112=$me|", 4: "35=0|34=3|112=late|"}
        return wire(answers[len(heard)]) if len(heard) in answers else b""

    assert against(says, case_of(script)).verdict is Verdict.PASS
    # What it asks for is given back as it is, though it reads like a name of a script.
    assert b"\x01112=$me\x01" in heard[2]


# Numbers --------------------------------------------------------------------------------


def agreed(says: Callable[[bytes], bytes | None], *, reset: bool = False) -> Any:
    scope = scope_of(case_of("< NONE 1s"))
    why = Puppet(says).drive(Agreement(scope, reset=reset).agree())
    return why, scope


def test_numbers_are_taken_from_logon_and_logout() -> None:
    def says(data: bytes) -> bytes:
        kind = data.partition(b"\x0135=")[2][:1]
        answers = {b"A": "35=A|34=41|98=0|108=30|", b"1": "35=0|34=42|112=NUMBERS|"}
        answers[b"5"] = "35=5|34=43|"
        return wire(answers[kind]) if kind in answers else b""

    why, scope = agreed(says)
    assert (why, scope.shift_out, scope.shift_in) == ("", 3, 43)


def test_a_number_too_low_is_raised_and_a_gap_is_filled() -> None:
    sent: list[bytes] = []

    def says(data: bytes) -> bytes | None:
        sent.append(data)
        if b"\x0135=A\x01" in data:
            if b"\x0134=7\x01" not in data:
                return wire("35=5|34=1|58=MsgSeqNum too low, expecting 7 but received 1|")
            return wire("35=A|34=2|98=0|108=30|") + wire("35=2|34=3|7=5|16=0|")
        if b"\x0135=1\x01" in data:
            return wire("35=0|34=4|112=NUMBERS|")
        return wire("35=5|34=5|") if b"\x0135=5\x01" in data else b""

    why, scope = agreed(says)
    assert (why, scope.shift_out, scope.shift_in) == ("", 9, 5)
    assert any(b"\x0135=4\x0134=5\x01" in data and b"\x0136=9\x01" in data for data in sent)


def test_without_an_agreement_it_says_why() -> None:
    why, _ = agreed(lambda data: b"")
    assert why == "the numbers could not be agreed on: expected an answer, found nothing " + (
        "within 10 s"
    )
