"""Each rule stands in the catalogue, at its decision in the code, and in the name of a test.

What fixlab does not do is listed in `LEFT_OUT` with its reason, and in DEVIATIONS.md for users.
"""

import re
from pathlib import Path

import pytest

from fixlab.rules import RULES

ROOT = Path(__file__).parents[1]
_GROUPS = "|".join(sorted({rule_id[:3] for rule_id in RULES}))
_ID = re.compile(rf"\b(?:{_GROUPS})-\d\d\b")
_TEST_NAME = re.compile(r"^ *(?:async )?def (test_\w+)", re.MULTILINE)
_ID_IN_NAME = re.compile(rf"(?<![a-z])({_GROUPS.lower()})_(\d\d)(?!\d)")

# Rule -> why no line of fixlab decides it.
LEFT_OUT = {
    "RSP-20": "ApplLevelRecoveryIndicator(1744), of a later extension pack; no engine sends it",
    "REJ-17": "fixlab encrypts nothing inside FIX, so no encrypted field can differ (TLS-04)",
}


def read_all(folder: str) -> str:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files, folder
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def ids_in_code() -> set[str]:
    return set(_ID.findall(read_all("fixlab")))


def ids_in_test_names() -> set[str]:
    names = " ".join(_TEST_NAME.findall(read_all("tests")))
    return {f"{group.upper()}-{number}" for group, number in _ID_IN_NAME.findall(names)}


CLAIMED = [rule_id for rule_id in RULES if rule_id not in LEFT_OUT]
IN_CODE, IN_TESTS = ids_in_code(), ids_in_test_names()


@pytest.mark.parametrize("rule_id", CLAIMED)
def test_a_claimed_rule_is_decided_in_the_code_and_named_by_a_test(rule_id: str) -> None:
    missing = [
        place
        for place, found in (("the code", IN_CODE), ("the name of a test", IN_TESTS))
        if rule_id not in found
    ]
    assert not missing, f"{RULES[rule_id]!r} is not in {' nor in '.join(missing)}"


def test_no_code_and_no_test_cites_a_rule_that_does_not_exist() -> None:
    assert IN_CODE - set(RULES) == set()
    assert IN_TESTS - set(RULES) == set()


def test_what_is_left_out_is_told_to_users_with_the_same_ids() -> None:
    text = (ROOT / "DEVIATIONS.md").read_text(encoding="utf-8")
    told = set(re.findall(rf"^\| ((?:{_GROUPS})-\d\d) \|", text, re.MULTILINE))
    assert told == set(LEFT_OUT)
    assert set(LEFT_OUT) <= set(RULES)
    assert all(len(reason) > 20 for reason in LEFT_OUT.values())
