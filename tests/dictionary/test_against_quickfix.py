"""The same messages before QuickFIX's own validation: it must never be the stricter one.

Its Python binding validates against a dictionary without a session. It names the first fault by
the class of an exception, and looks at less of the entries of a group than the rules ask.
"""

import random
from functools import cache

import pytest
import quickfix

from fixlab.dictionary import Checks, Violation, validate
from tests.dictionary.published import order, published, published_path, wire

# QuickFIX's defaults; what only fixlab checks is off.
CHECKS = Checks(user_defined_fields=True, conditional_fields=False, message_encoding=False)
RULES = {
    "RepeatedTag": "REJ-11",
    "TagNotDefinedForMessage": "REJ-06",
    "RequiredTagMissing": "REJ-05",
    "IncorrectDataFormat": "REJ-09",
    "InvalidTagNumber": "REJ-04",
    "IncorrectTagValue": "REJ-08",
    "NoTagValue": "REJ-07",
    "RepeatingGroupCountMismatch": "REJ-12",
}
GROUP_TAGS = ("78=", "453=", "802=")
TAGS = (3999, 5001, 38, 58, 112, 15, 18, 44, 99, 10_000)
VALUES = ("1", "x", "-1", "1.5", "", "z z", "20260105-09:00:00", "N", "USD")


def texts(version: str, *, groups: bool) -> list[str]:
    """Valid messages to damage."""
    plain = ["35=1|112=T|", "35=0|", order(version), order(version, "40=2|44=9|59=0|")]
    if not groups:
        return plain
    parties = "453=1|448=A|447=D|452=1|"
    if version == "FIX.4.4":
        parties += "802=1|523=s|803=1|"
    return [order(version, "78=2|79=a|80=5|79=b|80=5|"), order(version, parties)]


def damaged(text: str, dice: random.Random, *, times: int) -> str:
    parts = text.strip("|").split("|")
    for _ in range(times):
        place = dice.randrange(1, len(parts)) if len(parts) > 1 else 0
        kind = dice.choice(("drop", "add", "change", "repeat", "swap"))
        if kind == "drop" and len(parts) > 2:
            del parts[place]
        elif kind == "add" or not place:
            parts.append(f"{dice.choice(TAGS)}={dice.choice(VALUES)}")
        elif kind == "change":
            parts[place] = f"{parts[place].partition('=')[0]}={dice.choice(VALUES)}"
        elif kind == "repeat":
            parts.append(parts[place])
        else:
            other = dice.randrange(1, len(parts))
            parts[place], parts[other] = parts[other], parts[place]
    return "|".join(parts) + "|"


@cache
def quickfix_rules(version: str) -> quickfix.DataDictionary:
    return quickfix.DataDictionary(str(published_path(version)))


def verdicts(version: str, text: str) -> tuple[Violation | None, str]:
    """What fixlab finds, and the name of QuickFIX's exception ("" for none)."""
    message = wire(version, text)
    assert message.raw is not None
    rules = quickfix_rules(version)
    try:
        theirs = quickfix.Message(message.raw.decode("latin-1"), rules, False)
        rules.validate(theirs)
    except quickfix.FIXException as error:
        return validate(message, published(version), CHECKS), type(error).__name__
    return validate(message, published(version), CHECKS), ""


@pytest.mark.parametrize("version", ["FIX.4.0", "FIX.4.2", "FIX.4.3", "FIX.4.4"])
def test_one_fault_is_the_same_fault_to_both(version: str) -> None:
    dice = random.Random(f"one/{version}")
    seen = set()
    for _ in range(100):
        text = damaged(dice.choice(texts(version, groups=False)), dice, times=1)
        ours, theirs = verdicts(version, text)
        assert (ours.rule if ours else "") == RULES.get(theirs, theirs), text
        seen.add(theirs)
    assert len(seen) >= 5  # the messages were worth the while


@pytest.mark.parametrize("version", ["FIX.4.2", "FIX.4.3", "FIX.4.4"])
def test_what_quickfix_refuses_is_never_accepted(version: str) -> None:
    dice = random.Random(f"many/{version}")
    for _ in range(100):
        text = damaged(dice.choice(texts(version, groups=True)), dice, times=2)
        ours, theirs = verdicts(version, text)
        assert ours is not None or not theirs, (text, theirs)
        if ours is not None and not theirs:
            # Only in the entries of a group does QuickFIX look at less.
            assert any(tag in text for tag in GROUP_TAGS), (text, ours)
