"""A message fits a pattern, or there is a reason why not."""

import pytest

from fixlab.conformance.matching import match
from fixlab.conformance.notation import Expect, Pattern, parse_line
from fixlab.wire.message import Message
from tests.conformance.sut import wire

REJECT = "35=3|34=2|45=7|371=112|373=1|58=Required tag missing|554=secret|"


def pattern(text: str) -> Pattern:
    step = parse_line(f"< {text}", "here").step
    assert isinstance(step, Expect)
    return step.pattern


def why(text: str) -> str:
    return match(Message.from_wire(wire(REJECT)), pattern(text)).why


@pytest.mark.parametrize(
    "text",
    [
        "35=3|45=7",
        "35={0,3}",
        "58~TAG MISSING",
        "371?=112",
        "372?=A",
        "380!",
        "45=*",
        "554=secret",
    ],
)
def test_it_fits(text: str) -> None:
    assert why(text) == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("35=5", "35 is 3, expected 5"),
        ("35={0,1}", "35 is 3, expected 0 or 1"),
        ("35=3|45=8", "45 is 7, expected 8"),
        ("58~too low", "58 is Required tag missing, expected to contain too low"),
        ("371?=56", "371 is 112, expected 56"),
        ("371!", "371 is 112, expected none"),
        ("380=*", "380 is absent"),
        ("380=3", "380 is absent, expected 3"),
        ("554=other", r"554 is ***, expected other"),
    ],
)
def test_the_first_field_that_does_not_fit_is_the_reason(text: str, reason: str) -> None:
    assert why(text) == reason


def test_a_tolerated_value_is_told_apart() -> None:
    found = match(Message.from_wire(wire(REJECT)), pattern("35=3|373={18,~1}"))
    assert (found.why, found.tolerated) == ("", "373 is 1")


def test_a_long_or_invisible_value_is_shown_short_and_visible() -> None:
    message = Message.from_wire(wire(f"35=3|58={'x' * 500}|"))
    assert len(match(message, pattern("58=a")).why) < 100
    message = Message.from_wire(wire("35=3|58=\x1b[2J|"))
    assert "\x1b" not in match(message, pattern("58=a")).why
