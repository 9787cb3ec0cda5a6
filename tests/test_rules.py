"""RULES explains each rule, refuses none it knows, and helps with the ones it does not."""

import copy
import pickle
import re
import subprocess
import sys

import pytest

from fixlab.rules import GROUPS, RULES, Level, Rule


def test_there_are_207_rules_with_every_part_filled() -> None:
    assert len(RULES) == len(list(RULES)) == 207
    for rule_id, rule in RULES.items():
        assert rule.id == rule_id
        assert re.fullmatch(r"[A-Z]{3}-\d\d", rule_id)
        assert rule.title
        assert rule.versions
        assert rule.reference


def test_groups_are_numbered_without_holes_in_catalogue_order() -> None:
    groups: dict[str, list[int]] = {}
    for rule_id in RULES:
        group, number = rule_id.split("-")
        groups.setdefault(group, []).append(int(number))
    assert list(groups) == list(GROUPS)
    for group, numbers in groups.items():
        first = 0 if group == "HDR" else 1
        assert numbers == list(range(first, first + len(numbers))), group


def test_expectations_are_one_or_two_sentences() -> None:
    for rule in RULES.values():
        assert rule.expected[0].isupper(), rule.id
        assert rule.expected.endswith("."), rule.id
        assert 1 <= len(re.findall(r"\.(?= [A-Z]|$)", rule.expected)) <= 2, rule.id


def test_a_rule_explains_itself() -> None:
    rule = RULES["SEQ-05"]
    assert (rule.title, rule.level, rule.versions) == ("Number too high", Level.MUST, "all")
    for text in (str(rule), repr(rule), rule._repr_html_()):
        assert "SEQ-05" in text
        assert "MUST" in text
        assert "Number too high" in text
        assert "ResendRequest" in text
    assert "Source: TC 2b" in str(rule)
    assert "\n" not in repr(rule)
    assert max(map(len, str(rule).splitlines())) <= 88


def test_html_of_a_rule_is_escaped() -> None:
    rule = Rule("XXX-01", "a < b", Level.ENG, "<all>", "x & y.", '"z"')
    assert "a &lt; b" in rule._repr_html_()
    assert "&lt;all&gt;" in rule._repr_html_()
    assert "x &amp; y." in rule._repr_html_()


def test_the_table_has_a_row_for_each_rule_and_a_short_repr() -> None:
    table = RULES._repr_html_()
    assert table.count("<tr>") == 1 + len(GROUPS) + 207
    assert [f">{rule_id}</td>" in table for rule_id in RULES] == [True] * 207
    assert table.index("RSP Answering a ResendRequest") < table.index(">RSP-01</td>")
    assert len(repr(RULES)) < 96
    assert "207" in repr(RULES)


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [("SEQ-5", "SEQ-05"), ("seq-05", "SEQ-05"), ("SEQ-99", "SEQ-0"), ("???", "ids look like")],
)
def test_an_unknown_id_names_close_matches(wrong: str, hint: str) -> None:
    with pytest.raises(KeyError) as caught:
        RULES[wrong]
    assert wrong in str(caught.value)
    assert hint in str(caught.value)


def test_get_and_in_work_as_in_any_mapping() -> None:
    assert "SEQ-05" in RULES
    assert "SEQ-5" not in RULES
    assert RULES.get("SEQ-5") is None


def test_neither_the_mapping_nor_a_rule_can_be_changed() -> None:
    with pytest.raises(TypeError):
        RULES["SEQ-05"] = RULES["SEQ-04"]  # type: ignore[index]
    with pytest.raises(AttributeError):
        RULES["SEQ-05"].title = "x"  # type: ignore[misc]


def test_rules_survive_copying_and_pickling() -> None:
    rule = RULES["SEQ-05"]
    assert pickle.loads(pickle.dumps(rule)) == copy.deepcopy(rule) == rule


def test_importing_the_module_reads_no_table() -> None:
    code = "import fixlab.rules as r; print(r.RULES._loaded)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "None"
