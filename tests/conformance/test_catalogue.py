"""The catalogue is complete, consistent, and says so when it is not."""

import re

import pytest

from fixlab.conformance import CASES, Level, Verdict, parse_cases
from fixlab.conformance.catalogue import Cases
from fixlab.errors import ConfigError
from fixlab.rules import RULES
from fixlab.session.transitions import Role

HEAD = "ref: T-1   level: R   role: any   versions: all   rules: SEQ-02   pre: LOGON"
SCRIPT = "> 35=1|34=2|112=a\n< 35=0|112=a"


def refs(level: Level) -> list[str]:
    return [ref for ref, case in CASES.items() if case.level is level]


def test_all_85_reference_ids_and_30_of_our_own_are_there() -> None:
    assert len(refs(Level.MANDATORY)) == 71
    assert len(refs(Level.OPTIONAL)) == 14
    assert refs(Level.RECOMMENDED) == [f"X-{number:02}" for number in range(1, 31)]
    assert set("abcdefghijklmnopqrst") == {
        ref[1] for ref in CASES if re.fullmatch("2[a-t]", ref)
    }


@pytest.mark.parametrize("ref", list(CASES))
def test_a_case_has_a_title_rules_and_something_that_can_fail(ref: str) -> None:
    case = CASES[ref]
    assert case.title
    assert case.script
    assert all(rule in RULES for rule in case.rules)
    assert all(line.rule == "" or line.rule in RULES for line in case.lines)
    assert str(case).count("\n") >= len(case.lines)


@pytest.mark.parametrize("ref", list(CASES))
def test_a_rule_of_a_case_is_one_that_the_session_decides(ref: str) -> None:
    assert CASES[ref].rules[0] in RULES


def test_what_quickfix_did_is_known_for_nearly_all() -> None:
    unknown = [ref for ref, case in CASES.items() if case.quickfix is None]
    assert unknown == ["14l", "14n", *(f"17{letter}" for letter in "cdefghij")]
    assert sum(case.quickfix is Verdict.FAIL for case in CASES.values()) == 17


def test_initiators_and_acceptors_have_cases_of_their_own() -> None:
    only = {role: [r for r, c in CASES.items() if c.role is role] for role in Role}
    assert only[Role.INITIATOR] == [
        *("1B-a", "1B-b", "1B-c", "1B-d", "1B-e"),
        *("X-25", "X-26", "X-29"),
    ]
    assert "1S-b" in only[Role.ACCEPTOR]


def test_an_unknown_id_says_which_are_near() -> None:
    with pytest.raises(KeyError, match="no test case '2B'; did you mean"):
        CASES["2B"]


def test_a_notebook_shows_a_table_with_everything_escaped() -> None:
    cases = parse_cases(f"{HEAD}\ntitle: <b>&\n{SCRIPT}")
    assert isinstance(cases, Cases)
    assert "&lt;b&gt;&amp;" in cases._repr_html_()
    assert "<b>&" not in cases["T-1"]._repr_html_()
    assert CASES._repr_html_().count("<tr>") == len(CASES) + 1


def test_cases_of_ones_own_are_read_as_the_catalogue_is() -> None:
    text = f"# mine\n\n{HEAD}\ntitle: Mine\nneeds: app, stop\n! CLOSE\n---\n{SCRIPT}  # HBT-03"
    case = parse_cases(text)["T-1"]
    assert (case.title, case.logon, case.heartbeat_seconds) == ("Mine", True, None)
    assert [line.text for line in case.setup] == ["! CLOSE"]
    assert case.script[1].rule == "HBT-03"
    assert sorted(case.needs) == ["app", "stop"]


def test_the_header_may_say_which_versions_and_heartbeat() -> None:
    text = HEAD.replace("all", "4.2+, 4.0").replace("LOGON", "CONNECT hb=2")
    case = parse_cases(f"{text}\n{SCRIPT}")["T-1"]
    assert case.versions == ("FIX.4.0", "FIX.4.2", "FIX.4.3", "FIX.4.4", "FIXT.1.1")
    assert (case.logon, case.heartbeat_seconds) == (False, 2)
    assert case.setup[0].text == "! CONNECT"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (HEAD, "> 35=1", "mine, line 1: a case starts with `ref:`"),
        ("level: R   ", "", r"mine, line 1: the case has no level"),
        ("level: R", "level: Z", r"line 1 \(case T-1\): level is one of M, O, R, found 'Z'"),
        ("role: any", "role: both", "role is one of I, A, any, found 'both'"),
        ("versions: all", "versions: 5.0", "versions are all, 4.2.*found '5.0'"),
        ("rules: SEQ-02", "rules: SEQ-99", "no rule 'SEQ-99'"),
        ("pre: LOGON", "pre: LOGGED", "pre is one of NONE, CONNECT, LOGON.*found 'LOGGED'"),
        ("pre: LOGON", "pre: LOGON   colour: red", "expected ref, title.*found 'colour'"),
        ("pre: LOGON", "pre: LOGON   needs: tea", "needs is one of app.*found 'tea'"),
        ("pre: LOGON", "pre: LOGON   level: M", "level comes twice"),
        ("ref: T-1", "ref: T 1", "a ref is letters"),
        (SCRIPT, "", "the case has no script"),
        (SCRIPT, f"{SCRIPT}\n---\n{SCRIPT}\n---", "a case has one line `---`"),
        (SCRIPT, f"{SCRIPT}\n{HEAD}\n{SCRIPT}", "case T-1 comes twice"),
        ("< 35=0", "<< 35=0", r"mine, line 3 \(case T-1\): behind << stands CONNECT"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(old: str, new: str, message: str) -> None:
    text = f"{HEAD}\n{SCRIPT}"
    assert old in text
    with pytest.raises(ConfigError, match=message):
        parse_cases(text.replace(old, new, 1), name="mine")
