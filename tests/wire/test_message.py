"""Message: built from values or read from bytes, immutable, and never showing a secret."""

import gc
import subprocess
import sys
from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixlab.errors import MessageError
from fixlab.wire.fields import split_fields
from fixlab.wire.framer import Framer
from fixlab.wire.message import Message, _shapes, encode
from fixlab.wire.tags import HEADER_TAGS, LENGTH_TO_DATA, SESSION_TAGS, TRAILER_TAGS

ORDER = {11: "A-1", 55: "ACME", 54: 1, 38: Decimal("100"), 44: 101.25, 114: True}


def fields_of(message: Message) -> str:
    """What `message` brings to the wire, bars for SOH."""
    return b"".join(message.sections()).decode("latin-1").replace("\x01", "|")


def test_values_are_written_as_fix_writes_them() -> None:
    assert fields_of(Message("D", ORDER)) == "11=A-1|55=ACME|54=1|38=100|44=101.25|114=Y|"
    assert fields_of(Message("D", [(58, b"\xe9"), (43210, False)])) == "58=\xe9|43210=N|"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000"),
        (-0.5, "-0.5"),
        (Decimal("1E+3"), "1000"),
        (Decimal("1.50"), "1.50"),
        (0, "0"),
    ],
)
def test_numbers_have_no_exponent(value: object, text: str) -> None:
    assert Message("D", {44: value})[44] == text


class Word(str):
    """Text of a kind that writes itself otherwise, as members of an enumeration do."""

    def __str__(self) -> str:
        return f"Word({self!r})"


TEXTS = st.text(st.sampled_from("aZ0 =\x01\xe9\u20ac"), max_size=4)


@given(st.lists(st.tuples(st.sampled_from([11, 58, 95, 96, 115, 7001]), TEXTS), max_size=5))
def test_text_is_written_the_same_when_a_number_came_before(
    pairs: list[tuple[int, str]],
) -> None:
    def written(pairs: Iterable[tuple[int, object]]) -> object:
        try:
            return Message("D", pairs).fields
        except MessageError as error:
            return str(error)

    _shapes.clear()
    first, words = written(pairs), written((tag, Word(text)) for tag, text in pairs)
    written((tag, 1) for tag, _ in pairs)  # from here on values are looked at one by one
    assert first == words == written(pairs) == written((t, Word(text)) for t, text in pairs)


def test_a_float_of_another_library_is_a_float() -> None:
    class Odd(float):
        def __repr__(self) -> str:
            return f"odd.float64({float(self)})"

    assert Message("D", {44: Odd(1.5)})[44] == "1.5"


def test_repeats_and_order_are_kept() -> None:
    message = Message("V", [(146, 2), (55, "A"), (55, "B"), (263, 1)])
    assert message.fields == ((35, b"V"), (146, b"2"), (55, b"A"), (55, b"B"), (263, b"1"))
    assert message.values(55) == ("A", "B")
    assert message[55] == "A"
    assert message.get(9999) is None
    assert message.get(9999, "none") == "none"
    assert 263 in message
    assert 264 not in message
    assert "55" not in message
    assert len(message) == 5


def test_a_missing_tag_names_itself_and_the_message() -> None:
    with pytest.raises(KeyError, match=r"tag 41 is not in this MsgType D"):
        Message("D", ORDER)[41]
    raw = encode(b"FIX.4.4", b"35=0\x0134=1\x01")
    with pytest.raises(KeyError, match=r"tag 112 is not in this Heartbeat\(0\)"):
        Message.from_wire(raw)[112]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({0: "x"}, "positive int"),
        ({-5: "x"}, "positive int"),
        ({10**10: "x"}, "positive int"),
        ({"55": "x"}, "positive int, found '55'"),
        ({58: ""}, "tag 58 has no value"),
        ({58: "a\x01b"}, "tag 58 holds an SOH"),
        ([(95, 2), (96, "a\x01b")], "tag 96 holds an SOH"),
        ([(96, "a\x01b"), (95, 3)], "tag 96 holds an SOH"),
        ({58: "\u20ac"}, "tag 58 holds '\u20ac'"),
        ([(11, "x"), (58, "ab\u20ac")], "tag 58 holds '\u20ac'"),
        ({44: float("nan")}, "must be finite"),
        ({44: Decimal("-Infinity")}, "must be finite"),
        ({44: None}, "found NoneType"),
        ({44: [1]}, "found list"),
        ({34: 5, 49: "ME"}, "the session itself writes tags 34, 49"),
    ],
)
def test_what_cannot_be_written_is_refused_in_words(
    fields: Iterable[tuple[int, object]], said: str
) -> None:
    with pytest.raises(MessageError, match=said):
        Message("D", fields)


@pytest.mark.parametrize("msg_type", ["", "D E", "D\x01", "\xe9", "D\n", 5, None])
def test_a_msg_type_is_visible_ascii(msg_type: object) -> None:
    with pytest.raises(MessageError, match=r"MsgType\(35\)"):
        Message(msg_type)  # type: ignore[arg-type]


@pytest.mark.parametrize("tag", sorted(SESSION_TAGS))
def test_what_the_session_writes_is_refused(tag: int) -> None:
    with pytest.raises(MessageError, match=f"tags {tag};"):
        Message("D", {tag: "1"})


def test_it_never_changes() -> None:
    message = Message("D", ORDER)
    with pytest.raises(AttributeError):
        message.fields = ()  # type: ignore[misc]
    with pytest.raises(AttributeError):
        message.extra = 1  # type: ignore[attr-defined]
    assert {message: 1}[Message("D", ORDER)] == 1


def test_equal_when_the_fields_are_equal() -> None:
    assert Message("D", {11: 5}) == Message("D", [(11, "5")]) == Message.parse("35=D|11=5|")
    assert Message("D", {11: 5}) != Message("8", {11: 5})
    assert Message("D", [(1, 1), (2, 2)]) != Message("D", [(2, 2), (1, 1)])
    assert Message("D", {11: 5}) != "35=D|11=5|"


def test_frm_14_header_and_trailer_fields_move_to_their_sections() -> None:
    message = Message("D", [(11, "A"), (50, "DESK"), (93, 3), (89, "x\x01y"), (58, "t")])
    assert message.sections() == (b"50=DESK\x01", b"11=A\x0158=t\x0193=3\x0189=x\x01y\x01")
    assert Message("D", {11: "A"}).sections() == (b"", b"11=A\x01")


def test_parse_reads_what_people_write() -> None:
    assert Message.parse("35=D|11=A-1|55=ACME") == Message("D", {11: "A-1", 55: "ACME"})
    wire = Message.parse("8=FIX.4.4|9=5|35=0|10=161|")
    assert wire.raw is not None
    assert wire.msg_type == "0"


@pytest.mark.parametrize("text", ["", "D", "55=ACME|", "35=D|x|", "35=D|58=|", "35=D|34=1|"])
def test_parse_says_what_is_wrong(text: str) -> None:
    with pytest.raises(MessageError):
        Message.parse(text)


def test_lgn_26_no_secret_is_shown() -> None:
    message = Message("A", {98: 0, 553: "joe", 554: "hunter2", 925: "hunter3"})
    for shown in (str(message), repr(message), message._repr_html_()):
        assert "hunter" not in shown
        assert "joe" in shown
    with pytest.raises(MessageError) as caught:
        Message.parse("35=A|554=hunter2|58=|")
    assert "hunter2" not in str(caught.value)


def test_hostile_text_is_escaped_where_it_is_shown() -> None:
    message = Message("B", {58: "<img src=x onerror=alert(1)>\n\x1b[31m\x7f"})
    assert "<img" not in message._repr_html_()
    for shown in (str(message), repr(message), message._repr_html_()):
        assert not set(shown) & set("\x1b\x7f")
    assert "\n" not in repr(message)
    assert len(str(message).splitlines()) == 4  # title, heads, two fields: no line of its own


def test_a_long_message_has_a_short_repr() -> None:
    assert len(repr(Message("B", {58: "x" * 100_000}))) < 500


def test_the_wire_layer_needs_the_standard_library_only() -> None:
    code = (
        "import sys, fixlab.wire.framer, fixlab.session.session;"
        "bad = {'pandas', 'numpy', 'matplotlib', 'ipywidgets'} & set(sys.modules);"
        "sys.exit(str(bad) if bad else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


# Properties ---------------------------------------------

_DATA = frozenset(LENGTH_TO_DATA.values())
TAGS = st.integers(1, 50_000).filter(
    lambda tag: (
        tag not in SESSION_TAGS | HEADER_TAGS | TRAILER_TAGS | _DATA | set(LENGTH_TO_DATA)
    )
)
TEXTS = st.text(
    st.characters(min_codepoint=1, max_codepoint=255, exclude_characters="\x01"), min_size=1
)
PLAIN = st.tuples(TAGS, TEXTS).map(lambda pair: [pair])
DATA = st.tuples(
    st.sampled_from(sorted(set(LENGTH_TO_DATA) - {93, 90, 212})), st.binary(min_size=1)
).map(lambda pair: [(pair[0], str(len(pair[1]))), (LENGTH_TO_DATA[pair[0]], pair[1])])
FIELDS = st.lists(st.one_of(PLAIN, PLAIN, DATA), max_size=6).map(
    lambda parts: [field for part in parts for field in part]
)


@given(FIELDS)
def test_dat_04_what_is_encoded_is_read_back(fields: list[tuple[int, str | bytes]]) -> None:
    built = Message("U7", fields)
    header, body = built.sections()
    raw = encode(b"FIX.4.4", b"35=U7\x01" + header + body)
    (found,) = Framer(1 << 20).feed(raw)
    assert isinstance(found, Message)
    assert found.defect is None
    assert found.raw == raw
    assert found.fields[2:-1] == built.fields
    assert Message("U7", found.fields[3:-1]) == built
    assert hash(Message("U7", found.fields[3:-1])) == hash(built)


@given(st.binary(max_size=80))
def test_reading_never_raises(content: bytes) -> None:
    message = Message.from_wire(encode(b"FIX.4.4", b"35=" + content + b"\x01"))
    assert isinstance(message.msg_type, str)
    _ = message.fields, message.defect, message.number, str(message), repr(message)
    _ = message.get(58), message.values(58), message._repr_html_()


@given(st.binary(max_size=80), st.booleans())
def test_what_is_read_is_the_same_in_any_order(content: bytes, framed: bool) -> None:
    raw = encode(b"FIX.4.4", b"35=" + content + b"\x01") if framed else b"8=" + content
    fields = Message.from_wire(raw).fields
    message = Message.from_wire(raw)
    assert message.get(8) == fields[0][1].decode("latin-1")
    defect = message.defect
    assert message.fields == fields
    assert message.defect == defect == split_fields(raw)[1]


def test_of_a_message_that_was_only_checked_the_bytes_are_kept() -> None:
    message = Message.from_wire(encode(b"FIX.4.4", b"35=D\x0111=A\x01"))
    assert message.defect is None
    assert message.get(8) == "FIX.4.4"
    assert not any(isinstance(kept, tuple) for kept in gc.get_referents(message))
