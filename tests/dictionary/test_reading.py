"""Reading dictionary files: what they define, and hostile ones refused in words."""

import os
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fixlab.dictionary import Dictionary, reading
from fixlab.errors import DictionaryError, FixLabError
from tests.dictionary.published import SMALL, VERSIONS, published, published_path, small


def refused(path: Path) -> str:
    with pytest.raises(DictionaryError) as caught:
        Dictionary.from_quickfix_xml(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("version", "fields", "messages"),
    [
        ("FIX.4.0", 138, 27),
        ("FIX.4.1", 206, 28),
        ("FIX.4.2", 405, 46),
        ("FIX.4.3", 635, 68),
        ("FIX.4.4", 912, 93),
        ("FIXT.1.1", 6028, 156 + 8),
    ],
)
def test_the_published_ones_are_read(version: str, fields: int, messages: int) -> None:
    dictionary = published(version)
    assert dictionary.version == version
    assert len(dictionary.fields) == fields
    assert len(dictionary.messages) == messages
    assert dictionary.header.tags[:3] == (8, 9, 35)
    assert {8, 9, 35, 49, 56, 34, 52} <= dictionary.header.required
    assert 10 in dictionary.trailer.required


def test_components_are_resolved_and_their_groups_kept(tmp_path: Path) -> None:
    dictionary = Dictionary.from_quickfix_xml(small(tmp_path))
    order = dictionary.messages["D"]
    assert order.name == "NewOrderSingle"
    assert not order.admin
    assert order.tags == (11, 453, 54)
    assert order.required == {11}  # the group is required in a component that is not
    group = order.groups[453]
    assert (group.count, group.delimiter, group.tags) == (453, 448, (448, 452))
    assert group.required == {448}
    assert dictionary.fields[54].values == {"1": "BUY", "2": "SELL"}


def test_a_required_component_brings_required_fields(tmp_path: Path) -> None:
    path = small(tmp_path, 'name="Parties" required="N"', 'name="Parties" required="Y"')
    assert Dictionary.from_quickfix_xml(path).messages["D"].required == {11, 453}


def test_groups_within_groups() -> None:
    parties = published("FIX.4.4").group_order("D")[453]
    assert parties.tags == (448, 447, 452, 802)
    assert parties.groups[802].tags == (523, 803)
    assert published("FIX.4.4").group_order("zz") == {}


def test_a_field_listed_twice_may_stand_in_either_place() -> None:
    # FIX.4.3 lists OwnershipType(517) of RegistrationInstructions twice.
    message = published("FIX.4.3").messages["o"]
    assert 517 in message.loose
    assert message.tags.count(517) == 1


HOSTILE = [
    ('major="4"', 'major="four"', "<fix>", "a number is expected"),
    ('major="4" ', "", "<fix>", "a number is expected"),
    ('type="FIX"', 'type="FOX"', "<fix>", "'FOX'"),
    ("<fix ", "<fax ", "<fax>", "starts with <fix>"),
    ("</fix>", "", "not well-formed", ""),
    ('name="ClOrdID" required="Y"', 'required="Y"', "<field>", 'attribute "name"'),
    ('name="ClOrdID" required="Y"', 'name="Clord" required="Y"', "'Clord'", "not defined"),
    ('name="ClOrdID" required="Y"', 'name="ClOrdID" required="x"', "'ClOrdID'", "'x'"),
    ('<component name="Parties" required', '<component name="P" required', "'P'", "not def"),
    ('number="11"', 'number="8"', "'ClOrdID'", "tag 8, which BeginString has"),
    ('number="11"', 'number="0"', "'ClOrdID'", "1 to"),
    ('number="11"', 'number="99999999999"', "'ClOrdID'", "a number"),
    ('number="11"', 'number="-1"', "'ClOrdID'", "a number"),
    ('number="11"', 'number="²"', "'ClOrdID'", "a number"),
    ('number="11" name="ClOrdID"', 'number="11" name="MsgType"', "'MsgType'", "name of"),
    ('name="ClOrdID" type="STRING"', 'name="ClOrdID"', "'ClOrdID'", 'attribute "type"'),
    ('enum="1"', 'enum=""', "<value>", 'attribute "enum"'),
    ('enum="1"', 'enum="&#8364;"', "<value>", "no FIX name"),
    ('msgtype="D"', "", "'NewOrderSingle'", 'attribute "msgtype"'),
    ('msgcat="app"', 'msgcat="both"', "'NewOrderSingle'", "'both'"),
    ("<messages>", "<messages/><messages>", "<messages>", "twice"),
    ('<field name="PartyID" required="Y"/><field name="PartyRole" required="N"/>', "",
     "'NoPartyIDs'", "no fields"),
    ('<field name="PartyID" required="Y"/>', '<component name="Parties"/>', "'Parties'",
     "contains itself"),
    ('<value enum="1" description="BUY"/>', '<group name="x"/>', "<group", "<value> is exp"),
    ('<field name="ClOrdID" required="Y"/>', "<oops/>", "<oops>", "<component> or"),
    ('<field name="ClOrdID" required="Y"/>',
     '<field name="ClOrdID"><value enum="1"/></field>', "<value>", "nothing is expected"),
    ('<component name="Parties">', '<component name="Parties"/><component name="Parties">',
     "'Parties'", "already"),
    ('<field name="CheckSum" required="Y"/></trailer>', "</trailer><trailer/>",
     "<trailer>", "twice"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "element", "said"), HOSTILE)
def test_what_contradicts_itself_is_refused_with_its_place(
    tmp_path: Path, old: str, new: str, element: str, said: str
) -> None:
    text = refused(small(tmp_path, old, new))
    assert element in text
    assert said in text
    assert "line " in text


def test_a_header_is_needed(tmp_path: Path) -> None:
    head = SMALL[SMALL.index(" <header>") : SMALL.index(" <messages>")]
    assert "<header>" in refused(small(tmp_path, head, ""))


def test_without_fields_or_messages_it_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.xml"
    path.write_text('<fix type="FIX" major="4" minor="4"/>')
    assert "<fields>" in refused(path)


def test_an_entity_bomb_does_not_go_off(tmp_path: Path) -> None:
    entities = "".join(
        f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "boom"}">' for n in range(12)
    )
    path = tmp_path / "bomb.xml"
    path.write_text(f"<!DOCTYPE fix [{entities}]><fix>&e11;</fix>")
    assert "declares the entity" in refused(path)


def test_a_default_of_an_attribute_is_not_copied_into_every_element(tmp_path: Path) -> None:
    path = tmp_path / "large.xml"
    fields = "".join(f'<field number="{n}" name="F{n}"/>' for n in range(1, 200))
    path.write_text(
        f"<!DOCTYPE fix [<!ATTLIST field type CDATA \"INT\" extra CDATA '{'x' * 10_000}'>]>"
        f'<fix major="4" minor="4"><messages/><fields>{fields}</fields></fix>',
        encoding="ascii",
    )
    tracemalloc.start()
    try:
        assert 'needs the attribute "type"' in refused(path)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_an_outside_entity_is_not_fetched(tmp_path: Path) -> None:
    path = tmp_path / "outside.xml"
    path.write_text('<!DOCTYPE fix [<!ENTITY x SYSTEM "file:///etc/hostname">]><fix>&x;</fix>')
    assert "declares the entity" in refused(path)


def test_the_size_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "huge.xml"
    with path.open("wb") as file:
        file.truncate(reading.FILE_BYTES_MAX + 1)
    tracemalloc.start()
    assert "at most" in refused(path)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def nested(kind: str, depth: int) -> str:
    return f'<{kind} name="NoPartyIDs">' * depth + f"</{kind}>" * depth


def test_nesting_is_bounded(tmp_path: Path) -> None:
    old = '<field name="ClOrdID" required="Y"/>'
    assert "deeper" in refused(small(tmp_path, old, nested("group", 5000)))


def test_a_chain_of_components_is_bounded(tmp_path: Path) -> None:
    # Listed from the end of the chain, so that each is resolved before it is needed.
    chain = "".join(
        f'<component name="C{n}"><group name="NoPartyIDs"><field name="PartyID"/>'
        f'<component name="C{n + 1}"/></group></component>'
        for n in reversed(range(1000))
    )
    last = '<component name="C1000"><field name="PartyRole"/></component>'
    path = small(tmp_path, "<components>", f"<components>{last}{chain}")
    assert "levels deep" in refused(path)
    forward = "".join(
        f'<component name="C{n}"><component name="C{n + 1}"/></component>' for n in range(1000)
    )
    path = small(tmp_path, "<components>", f"<components>{forward}{last}")
    assert "deeper" in refused(path)


def test_components_that_double_again_and_again_are_harmless(tmp_path: Path) -> None:
    # 2**40 fields if each were written out; but they are all the same two.
    doubling = "".join(
        f'<component name="C{n}"><component name="C{n + 1}"/><component name="C{n + 1}"/>'
        "</component>"
        for n in range(40)
    )
    last = '<component name="C40"><field name="PartyRole"/></component>'
    path = small(tmp_path, "<components>", f"<components>{doubling}{last}")
    assert len(Dictionary.from_quickfix_xml(path).messages) == 1


def test_what_is_resolved_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_RESOLVED_MAX", 1000)
    many = '<component name="Parties"/>' * 2000
    path = small(tmp_path, '<component name="Parties" required="N"/>', many)
    assert "past 1,000" in refused(path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    assert "no file" in refused(tmp_path)
    assert "cannot read" in refused(tmp_path / "none.xml")
    pipe = tmp_path / "pipe.xml"
    os.mkfifo(pipe)
    assert "no file" in refused(pipe)
    with pytest.raises(DictionaryError, match="cannot read"):
        Dictionary.from_quickfix_xml("a\0b.xml")


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"8=FIX.4.4", b"<?xml version='1.0' encoding='nope'?><fix/>"]
)
def test_what_is_no_xml_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.xml"
    path.write_bytes(content)
    refused(path)


def test_a_long_name_is_cut_in_the_message(tmp_path: Path) -> None:
    text = refused(small(tmp_path, 'name="ClOrdID" req', f'name="{"x" * 100_000}" req'))
    assert len(text) < 1000


TOKENS = st.sampled_from(
    [
        '"',
        "<",
        ">",
        "/>",
        "Y",
        "N",
        "name=",
        "group",
        "field",
        "component",
        "8",
        "&x;",
        "\0",
        "é",
    ]
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.integers(0, len(SMALL)), st.integers(0, 60), st.lists(TOKENS, max_size=4))
def test_a_damaged_file_is_read_or_refused(
    tmp_path: Path, start: int, length: int, tokens: list[str]
) -> None:
    path = tmp_path / "damaged.xml"
    damaged = SMALL[:start] + " ".join(tokens) + SMALL[start + length :]
    path.write_text(damaged, encoding="utf-8")
    try:
        reading.read(path)
    except FixLabError as error:
        said = str(error)
    else:
        said = "damaged.xml is sound all the same"
    assert "damaged.xml" in said


def test_every_version_has_a_published_dictionary() -> None:
    assert {published_path(version).exists() for version in VERSIONS} == {True}
