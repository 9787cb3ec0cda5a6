"""explain: names, meanings and groups; and nothing that must stay secret or is markup."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixlab import redact
from fixlab.dictionary import explain
from fixlab.errors import ConfigError, MessageError
from fixlab.wire.display import ROWS_MAX
from fixlab.wire.message import Message, encode
from tests.dictionary.published import published, wire

PARTIES = [(453, 2), (448, "A"), (452, 1), (802, 1), (523, "s"), (448, "B"), (5001, "own")]


def test_a_message_without_a_dictionary() -> None:
    message = wire("FIX.4.2", "35=D|11=A-1|22=1|54=1|18=1 G|9999=x|")
    shown = explain(message)
    assert shown.title == "NewOrderSingle(D)"
    assert repr(shown) == "<Explained NewOrderSingle(D): 13 fields>"
    meanings = {row.tag: (row.name, row.value, row.meaning) for row in shown.rows}
    assert meanings[35] == ("MsgType", "D", "NewOrderSingle")
    assert meanings[22] == ("IDSource", "1", "CUSIP")  # as FIX.4.2 calls it
    assert meanings[18] == ("ExecInst", "1 G", "NOT_HELD, ALL_OR_NONE")
    assert meanings[9999] == ("", "x", "")
    assert {row.level for row in shown.rows} == {0}


def test_the_table_in_plain_text() -> None:
    assert str(explain(Message("D", {11: "A-1", 54: 1, 9999: "x"}))).splitlines() == [
        "NewOrderSingle(D)",
        " tag  name     value  meaning",
        "  35  MsgType  D      NewOrderSingle",
        "  11  ClOrdID  A-1",
        "  54  Side     1      BUY",
        "9999           x",
    ]


def test_a_dictionary_indents_groups() -> None:
    message = Message("D", [(11, "A"), *PARTIES, (54, 1), (38, 5)])
    shown = explain(message, published("FIX.4.4"))
    levels = [(row.tag, row.level) for row in shown.rows]
    assert levels == [
        (35, 0),
        (11, 0),
        (453, 0),
        (448, 1),
        (452, 1),
        (802, 1),
        (523, 2),
        (448, 1),
        (5001, 1),  # nobody knows it, so it stays where it is
        (54, 0),
        (38, 0),
    ]
    assert "\n523      PartySubID " in "\n" + str(shown).replace(" 523", "523")


def test_the_hops_of_the_header_are_a_group_too() -> None:
    head = "34=2|49=ME|52=20260105-09:00:00|56=YOU|"
    message = wire("FIX.4.4", f"35=0|{head}627=1|628=A|112=T|")
    levels = {row.tag: row.level for row in explain(message, published("FIX.4.4")).rows}
    assert (levels[627], levels[628], levels[112], levels[10]) == (0, 1, 0, 0)


def secrets(message: Message) -> list[str]:
    shown = explain(message)
    return [str(shown), shown._repr_html_(), repr(shown), str(message), repr(message)]


def test_lgn_26_secrets_are_masked() -> None:
    message = Message(
        "A", [(553, "joe"), (554, "hunter2"), (95, 9), (96, "hunter2\x01="), (925, "hunter2")]
    )
    for text in secrets(message):
        assert "hunter" not in text
    assert "***" in str(explain(message))
    quoted = Message("5", {58: "refused 554=hunter2"})
    assert "hunter" not in str(explain(quoted))


def test_lgn_26_what_is_left_of_a_broken_secret_is_masked() -> None:
    # DAT-03: the length is wrong, so what follows may still be the secret.
    for secret in (
        b"95=2\x0196=hun\x01ter2\x0158=hunter2\x01",
        b"95=3\x0196=hun\x01ter2\x0158=hunter2\x01",
        b"95=2\x0196=hun\x0158=hunter2\x01",
        b"96=hun\x01ter2\x0158=hunter2\x01",
        b"554=x\x01hunter2\x01",
    ):
        message = Message.from_wire(encode(b"FIX.4.4", b"35=A\x01" + secret))
        for text in (str(message), message._repr_html_(), repr(message)):
            assert "ter2" not in text
        assert message.fields[-1][1].decode() in str(message)  # CheckSum ends it


def test_lgn_26_hidden_tags_are_masked() -> None:
    redact.hide(1)
    try:
        assert "secret-account" not in str(explain(Message("D", {1: "secret-account"})))
    finally:
        redact.reveal(1)


def test_hostile_text_is_escaped() -> None:
    message = Message("<b>", {58: '<img src=x onerror="alert(1)">\x1b[31m\u00ad\x85'})
    page = explain(message)._repr_html_()
    assert "<img" not in page
    assert "<b>" not in page
    assert "&lt;img" in page
    for text in (page, str(explain(message))):
        assert not set(text) & set("\x1b\u00ad\x85")


def test_an_endless_message_is_cut() -> None:
    shown = explain(Message("B", [(58, f"line {n}") for n in range(5000)]))
    assert len(shown.rows) == 5001
    assert f"and {5001 - ROWS_MAX:,} more" in str(shown)
    assert len(shown._repr_html_()) < 300_000
    assert len(str(explain(Message("B", {58: "x" * 100_000})))) < 1000


def test_a_version_that_does_not_exist_is_no_reason_to_fail() -> None:
    message = Message.from_wire(encode(b"FIX.9.9", b"35=D\x0154=1\x01"))
    assert "BUY" in str(explain(message))


@given(st.binary(max_size=80))
def test_anything_can_be_explained(content: bytes) -> None:
    message = Message.from_wire(encode(b"FIX.4.4", b"35=" + content + b"\x01"))
    for shown in (explain(message), explain(message, published("FIX.4.4"))):
        text = str(shown)
        assert all(c.isprintable() or c == "\n" for c in text)
        assert len(shown.rows) == len(message.fields)
        assert text.count("\n") == len(shown.rows) + 1


@pytest.mark.parametrize("message", ["8=FIX.4.4|35=0|", b"8=FIX.4.4", None])
def test_what_is_no_message_is_refused_with_the_way_to_make_one(message: Any) -> None:
    with pytest.raises(MessageError, match=r"needs a Message, found .*Message\.parse\(text\)"):
        explain(message)


def test_what_is_no_dictionary_is_refused_with_the_way_to_read_one() -> None:
    name: Any = "FIX44.xml"
    with pytest.raises(ConfigError, match=r"found str; .*from_quickfix_xml"):
        explain(Message("0"), name)
