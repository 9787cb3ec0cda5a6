"""One line of a script becomes one typed step, or an error that says what is wrong."""

import pytest

from fixlab.conformance.notation import (
    AwaitClose,
    AwaitConnect,
    Close,
    Condition,
    Connect,
    Cover,
    Expect,
    Forbid,
    KeepAlive,
    Matcher,
    Mode,
    Mutation,
    Operate,
    Quiet,
    Send,
    SendRaw,
    Step,
    Template,
    parse_line,
)
from fixlab.errors import ConfigError


def template(*fields: tuple[int, str], mutations: tuple[Mutation, ...] = ()) -> Template:
    return Template(fields, mutations)


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("> 35=0|34=2", Send((template((35, "0"), (34, "2")),))),
        ("> 35=1|112=", Send((template((35, "1"), (112, "")),))),
        ("> 35=D|$order(38=abc)", Send((template((35, "D"), (0, "$order(38=abc)")),))),
        ("> 35=3|58=a<SOH>b", Send((template((35, "3"), (58, "a\x01b")),))),
        (
            "> 35=1 {9:-10} {10:+1}",
            Send(
                (template((35, "1"), mutations=(Mutation("9", "-10"), Mutation("10", "+1"))),)
            ),
        ),
        (
            "> 35=1 {10:strip0}{no34}{order:asis}",
            Send(
                (
                    template(
                        (35, "1"),
                        mutations=(
                            Mutation("10", "strip0"),
                            Mutation("no", "34"),
                            Mutation("order", "asis"),
                        ),
                    ),
                )
            ),
        ),
        ("> RAW 8=$bs|x", SendRaw("8=$bs|x")),
        ("> BATCH 35=0 ; 35=1", Send((template((35, "0")), template((35, "1"))))),
        ("> TRICKLE 35=0", Send((template((35, "0")),), trickle=True)),
        ("< 35=0", Expect((Matcher(35, "=", ("0",)),), Mode.MUST, 0, 5)),
        ("<? 35=0", Expect((Matcher(35, "=", ("0",)),), Mode.MAY, 0, 1.2)),
        ("<~ 58~too low 2s", Expect((Matcher(58, "~", ("too low",)),), Mode.SHOULD, 0, 2)),
        ("< 112! 1.5-3.5s", Expect((Matcher(112, "!"),), Mode.MUST, 1.5, 3.5)),
        ("< 34=* 10s -> $n", Expect((Matcher(34, "*"),), Mode.MUST, 0, 10, 34, "n")),
        ("< 34=* -> $n 10s", Expect((Matcher(34, "*"),), Mode.MUST, 0, 10, 34, "n")),
        ("< 371?={49,56}", Expect((Matcher(371, "?=", ("49", "56")),), Mode.MUST, 0, 5)),
        ("< 373={18,~5}", Expect((Matcher(373, "=", ("18",), ("5",)),), Mode.MUST, 0, 5)),
        ("<! 35=4", Forbid((Matcher(35, "=", ("4",)),))),
        ("< NONE 1s", Quiet(1)),
        ("< CLOSE 0-12s", AwaitClose(Mode.MUST, 0, 12)),
        ("<? CLOSE 3s", AwaitClose(Mode.MAY, 0, 3)),
        ("< CLOSE ack", AwaitClose(Mode.MUST, 0, 0, ack=True)),
        ("< RANGE 3..$n+1 covered 5s", Cover("3", "$n+1", 5)),
        ("<< CONNECT 60s", AwaitConnect(60)),
        ("! CONNECT", Connect()),
        ("! CLOSE", Close()),
        ("! KEEPALIVE", KeepAlive()),
        ("! OPERATOR app-send 2", Operate("app-send", 2)),
    ],
)
def test_a_line_is_a_step(line: str, step: Step) -> None:
    parsed = parse_line(line, "here")
    assert parsed.step == step
    assert parsed.text == line
    assert (parsed.connection, parsed.condition, parsed.rule) == (1, None, "")


def test_a_line_may_have_a_condition_a_connection_and_a_rule() -> None:
    line = parse_line("if $n > $expected: [2] < 35=0  # RRQ-01", "here")
    assert line.condition == Condition("$n", ">", "$expected")
    assert (line.connection, line.rule) == (2, "RRQ-01")
    assert line.text == "if $n > $expected: [2] < 35=0"
    assert parse_line("if not got: > 35=0", "here").condition == Condition("got", "is not")
    assert parse_line("[2] CONNECT", "here").step == Connect()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("35=0", "a line starts with one of > < <~"),
        ("> 34=2", "needs 35="),
        ("> 35=0|x", "expected tag=value, .order or .body, found 'x'"),
        ("> 35=0|34={2,3}", "for a choice of numbers write two lines"),
        ("> 35=0 {8:+1}", r"expected \{9:\+n\}.*found \{8:\+1\}"),
        ("< ", "expected a pattern, NONE or CLOSE"),
        ("< 35", "expected f=v, f=.*found '35'"),
        ("< 35=0 -> $x", "-> keeps the value of a field written as f="),
        ("< 35=0 700s", "a time is at most 600s"),
        ("< 35=0 3-2s", "its end not before its start"),
        ("! JUMP", "expected CONNECT, CLOSE, KEEPALIVE or OPERATOR, found 'JUMP'"),
        ("if $n ~ 3: > 35=0", "expected got, open or a comparison"),
    ],
)
def test_an_error_says_what_was_expected_and_where(line: str, message: str) -> None:
    with pytest.raises(ConfigError, match=f"^mine, line 7: .*{message}"):
        parse_line(line, "mine, line 7")
