"""What the runner sends: right messages, and wrong ones exactly as wrong as asked for."""

import re

import pytest

from fixlab.conformance import Profile
from fixlab.conformance.notation import template
from fixlab.conformance.scope import Scope
from fixlab.conformance.writing import raw_bytes, write
from fixlab.errors import ConfigError
from fixlab.session.transitions import Role
from fixlab.wire.framer import Framer, Garbled
from fixlab.wire.message import Message
from tests.conformance.sut import ME, START
from tests.dictionary.published import VERSIONS, published


def scope(begin_string: str = "FIX.4.4", profile: Profile | None = None) -> Scope:
    return Scope("T-1", begin_string, Role.ACCEPTOR, ME, profile or Profile(), START)


def written(text: str, where: Scope | None = None) -> str:
    raw = write(template(text), where or scope(), START)
    return raw.decode("latin-1").replace("\x01", "|")


def framed(text: str) -> list[Message | Garbled]:
    return Framer().feed(write(template(text), scope(), START))


def test_the_header_is_filled_in_and_stands_first() -> None:
    assert written("35=1|112=a|43=Y|34=7") == (
        "8=FIX.4.4|9=59|35=1|34=7|49=ME|52=20260105-09:00:00.000|56=SUT|43=Y|112=a|10=137|"
    )


def test_an_explicit_field_overrides() -> None:
    text = written("8=$otherbs|35=1|49=NOBODY|52=$now-200")
    assert text.startswith("8=FIX.4.3|")
    assert "|49=NOBODY|52=20260105-08:56:40.000|" in text


def test_without_a_number_the_next_one_is_taken() -> None:
    where = scope()
    assert [re.findall("34=([0-9]+)", written("35=0", where)) for _ in "ab"] == [["1"], ["2"]]
    written("35=0|34=9", where)
    assert "34=10|" in written("35=1", where)
    written("35=0|34=3|43=Y", where)
    written("35=4|34=11|36=20", where)
    assert where.next_out == 20


def test_a_new_number_is_used_up_whether_flagged_as_a_repeat_or_not() -> None:
    where = scope()
    written("35=D|34=1|43=Y", where)  # case 2g: a repeat that never was a first time
    assert where.next_out == 2
    written("35=D|34=1|43=Y", where)
    written("35=D|34=5|43=Y", where)
    assert where.next_out == 2


@pytest.mark.parametrize(
    "text", ["35=0", "35=D|$order", "35=H|$body", "35=1|112=a {order:asis}"]
)
def test_an_unspoiled_message_is_framed(text: str) -> None:
    (message,) = framed(text)
    assert isinstance(message, Message)
    assert message.defect is None


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("35=1|112=a {9:-10}", "FRM-03"),
        ("35=1|112=a {10:+1}", "FRM-04"),
        ("34=2|35=1|112=a {order:asis}", "FRM-01"),
    ],
)
def test_a_spoiled_message_is_garbled_as_asked_for(text: str, rule: str) -> None:
    found = framed(text)
    assert [one.rule for one in found if isinstance(one, Garbled)] == [rule]


def test_a_leading_zero_of_the_checksum_is_left_out() -> None:
    assert re.search(r"\|10=[0-9]{1,2}\|$", written("35=1|112=$pad {10:strip0}"))


def test_a_tag_can_be_left_out() -> None:
    assert "|34=" not in written("35=1|112=a {no34}")
    assert "1137=9" in written("35=A|98=0", scope("FIXT.1.1"))
    assert "1137" not in written("35=A|98=0 {no1137}", scope("FIXT.1.1"))


def test_written_order_is_kept() -> None:
    text = written("35=1|34=2|49=$me|112=bad|52=$now|56=$you {order:asis}")
    assert re.findall(r"\b(\d+)=", text) == [
        "8",
        "9",
        "35",
        "34",
        "49",
        "112",
        "52",
        "56",
        "10",
    ]


def test_numbers_are_shifted_by_whose_they_are() -> None:
    where = scope()
    where.shift_out, where.shift_in = 10, 100
    assert "34=12|" in written("35=4|34=2|36=6", where)
    assert "36=16|" in written("35=4|34=2|36=6", where)
    assert "7=102|16=0|" in written("35=2|34=3|7=2|16=0", where)
    assert "45=101|" in written("35=3|34=3|45=1", where)
    assert where.shifted_in(45, "1") == "11"
    assert where.shifted_in(34, "1") == "101"
    assert where.shifted_in(16, "999999") == "999999"


def test_to_the_end_is_written_as_the_version_does() -> None:
    assert "16=0|" in written("35=2|34=3|7=2|16=0", scope("FIX.4.2"))
    assert "16=999999|" in written("35=2|34=3|7=2|16=0", scope("FIX.4.1"))


def test_a_reset_ends_the_shift() -> None:
    where = scope()
    where.shift_out = where.shift_in = 50
    assert "34=1|" in written("35=A|34=1|141=Y", where)
    assert where.shift_out == where.shift_in == 0


def test_with_789_in_use_each_logon_says_what_is_expected() -> None:
    where = scope(profile=Profile(next_expected=True))
    where.next_in = 5
    assert "789=5|" in written("35=A|34=1", where)
    assert "789=1|" in written("35=A|34=1|141=Y", where)
    assert "789=3|" in written("35=A|34=1|789=3", where)


def test_raw_bytes_are_left_alone() -> None:
    assert raw_bytes("8=$bs|9=5|x<SOH>", scope("FIX.4.2")) == b"8=FIX.4.2\x019=5\x01x\x01"


@pytest.mark.parametrize("begin_string", VERSIONS)
def test_the_usual_order_is_valid_in_each_version(begin_string: str) -> None:
    from fixlab.dictionary import Checks, validate

    where = scope(begin_string)
    for text in ("35=D|$order", "35=H|$body"):
        message = Message.from_wire(write(template(text), where, START))
        assert validate(message, published(begin_string), Checks()) is None


def test_orders_have_ids_of_their_own_and_a_field_may_be_changed() -> None:
    first, second = written("35=D|$order"), written("35=D|$order2(38=abc)")
    ids = [re.findall(r"\|11=([^|]+)\|", text) for text in (first, second)]
    assert ids[0] != ids[1]
    assert scope().value("$id2", START) == ids[1][0]
    assert "|38=abc|" in second
    assert "|99=1|" in written("35=D|$order(99=1)")


def test_a_name_that_nothing_has_set_is_the_callers_mistake() -> None:
    with pytest.raises(ConfigError, match=r"case T-1: nothing has set \$never"):
        written("35=1|112=$never")
