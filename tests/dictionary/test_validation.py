"""validate: each rule by its id, over the published dictionaries of all versions."""

from dataclasses import fields as fields_of
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fixlab.dictionary import Checks, Dictionary, Violation, validate
from fixlab.dictionary.validation import session_reject_reason
from fixlab.wire.message import Message, encode
from tests.dictionary.published import (
    VERSIONS,
    found,
    order,
    published,
    published_path,
    small,
    wire,
)

ALL = pytest.mark.parametrize("version", VERSIONS)
LATER = pytest.mark.parametrize("version", VERSIONS[2:])  # with codes, from FIX.4.2


def verdict(violation: Violation | None) -> tuple[str, int | None, int | None]:
    assert violation is not None
    assert violation.business_reason is None
    return violation.rule, violation.reason, violation.ref_tag


def coded(version: str, code: int) -> int | None:
    """The code as REJ-03 lets this version write it."""
    highest = {"FIX.4.0": -1, "FIX.4.1": -1, "FIX.4.2": 11}.get(version, 18)
    return code if code <= highest else None


# What is well formed ------------------------------------------------------------------


@ALL
@pytest.mark.parametrize(
    "text",
    [
        "35=0|",
        "35=1|112=T|",
        "35=2|7=1|16=0|",
        "35=4|123=Y|36=9|",
        "35=5|58=bye|",
        "35=3|45=2|58=no|",
        "35=U9|9999=x|55=y|55=z|",
    ],
)
def test_good_messages_pass(version: str, text: str) -> None:
    assert found(version, text) is None


@ALL
def test_a_good_order_passes(version: str) -> None:
    assert found(version, order(version)) is None
    assert found(version, order(version, "40=2|44=10.25|")) is None
    assert found(version, order(version, "5001=venue|")) is None


@ALL
def test_a_logon_passes(version: str) -> None:
    extra = "1137=9|" if version == "FIXT.1.1" else ""
    assert found(version, f"35=A|98=0|108=30|{extra}") is None


@ALL
def test_frm_14_any_order_within_a_section_passes(version: str) -> None:
    head = "56=YOU|43=N|52=20260105-09:00:00|49=ME|34=2|"
    fields = order(version).split("|")[1:-1]
    assert found(version, f"35=D|{head}{'|'.join(reversed(fields))}|") is None


# One rule each --------------------------------------------------------------------------


@ALL
def test_rej_04_undefined_tag(version: str) -> None:
    violation = found(version, "35=0|3999=x|")
    expected = ("REJ-04", coded(version, 0), 3999)
    if version == "FIXT.1.1":  # later versions have come to use the number
        violation, expected = found(version, "35=0|4999=x|"), ("REJ-04", 0, 4999)
    assert verdict(violation) == expected


@ALL
def test_rej_04_tags_from_5000_are_the_users_own(version: str) -> None:
    assert found(version, "35=0|5001=x|") is None
    refused = found(version, "35=0|5001=x|", user_defined_fields=True)
    assert verdict(refused) == ("REJ-04", coded(version, 0), 5001)
    assert found(version, "35=0|4999=x|", allow_unknown_fields=True) is None


def test_rej_06_tags_from_40000_that_a_dictionary_has_are_not_the_users_own() -> None:
    assert 40040 in published("FIXT.1.1").fields
    assert verdict(found("FIXT.1.1", "35=0|40040=1|")) == ("REJ-06", 2, 40040)
    assert found("FIX.4.4", "35=0|40040=1|") is None


@ALL
def test_rej_05_required_tag_missing(version: str) -> None:
    assert verdict(found(version, "35=1|")) == ("REJ-05", coded(version, 1), 112)
    assert found(version, "35=1|", required_fields=False) is None


@ALL
@pytest.mark.parametrize("tag", [34, 49, 52, 56])
def test_rej_05_required_tag_missing_in_the_header(version: str, tag: int) -> None:
    head = {34: "2", 49: "ME", 52: "20260105-09:00:00", 56: "YOU"}
    del head[tag]
    content = "".join(f"{t}={v}\x01" for t, v in head.items()).encode()
    message = Message.from_wire(encode(version.encode(), b"35=0\x01" + content))
    violation = validate(message, published(version))
    assert verdict(violation) == ("REJ-05", coded(version, 1), tag)


@ALL
def test_rej_06_tag_not_for_this_message(version: str) -> None:
    assert verdict(found(version, "35=0|38=5|")) == ("REJ-06", coded(version, 2), 38)
    assert found(version, "35=0|38=5|", allow_unknown_fields=True) is None


@ALL
def test_rej_07_empty_value(version: str) -> None:
    assert verdict(found(version, "35=1|112=|")) == ("REJ-07", coded(version, 4), 112)
    assert found(version, "35=1|112=|", fields_have_values=False) is None
    empty_number = order(version, "38=|")
    assert found(version, empty_number, fields_have_values=False) is None


@ALL
def test_rej_08_value_not_in_the_list(version: str) -> None:
    text = order(version, "54=z|")
    assert verdict(found(version, text)) == ("REJ-08", coded(version, 5), 54)
    assert found(version, text, allow_unknown_enum_values=True) is None


@ALL
@pytest.mark.parametrize(("value", "good"), [("1", True), ("1 G", True), ("1 \x7f", False)])
def test_rej_08_each_of_several_values_is_looked_up(
    version: str, value: str, good: bool
) -> None:
    violation = found(version, order(version, f"18={value}|"))
    if good:
        assert violation is None
    else:
        assert verdict(violation) == ("REJ-08", coded(version, 5), 18)


@ALL
def test_rej_09_bad_format(version: str) -> None:
    text = order(version, "38=abc|")
    assert verdict(found(version, text)) == ("REJ-09", coded(version, 6), 38)


@ALL
def test_rej_10_frm_14_body_field_before_header_field(version: str) -> None:
    text = "35=1|34=2|49=ME|112=bad|52=20260105-09:00:00|56=YOU|"
    assert verdict(found(version, text)) == ("REJ-10", coded(version, 14), 52)
    assert found(version, text, fields_out_of_order=False) is None


@ALL
def test_rej_10_body_field_in_the_trailer(version: str) -> None:
    violation = found(version, "35=1|93=1|89=s|112=late|")
    assert verdict(violation) == ("REJ-10", coded(version, 14), 112)


@ALL
def test_rej_11_duplicate_tag(version: str) -> None:
    assert verdict(found(version, "35=1|112=a|112=b|")) == ("REJ-11", coded(version, 13), 112)
    header = "35=0|34=2|49=ME|52=20260105-09:00:00|56=YOU|50=x|50=y|"
    assert verdict(found(version, header)) == ("REJ-11", coded(version, 13), 50)


# Repeating groups -----------------------------------------------------------------------

ALLOCATIONS = [
    ("78=2|79=a|80=5|79=b|80=5|", None),
    ("78=1|79=a|80=5|", None),
    ("78=0|", None),
    ("78=2|79=a|80=5|", ("REJ-12", 16, 78)),
    ("78=0|79=a|80=5|", ("REJ-12", 16, 78)),
    ("78=1|79=a|79=b|", ("REJ-12", 16, 78)),
    ("78=99999999999999999999|79=a|80=5|", ("REJ-12", 16, 78)),
    ("78=1|", ("REJ-12", 16, 78)),
    ("78=1|80=5|79=a|", ("REJ-13", 15, 80)),
    ("78=1|79=a|80=5|80=6|", ("REJ-11", 13, 80)),
    ("78=x|79=a|80=5|", ("REJ-09", 6, 78)),
    ("78=1|79=a|80=x|", ("REJ-09", 6, 80)),
    ("78=1|79=a|15=USD|80=5|", ("REJ-13", 15, 80)),
    ("80=5|", ("REJ-06", 2, 80)),
    ("78=1|79=a|80=5|5001=own|", None),
    ("78=2|79=a|5001=own|80=5|79=b|80=6|", None),
]


@pytest.mark.parametrize("version", ["FIX.4.2", "FIX.4.3", "FIX.4.4", "FIXT.1.1"])
@pytest.mark.parametrize(("text", "expected"), ALLOCATIONS)
def test_rej_12_rej_13_entries_of_a_group(
    version: str, text: str, expected: tuple[str, int, int] | None
) -> None:
    violation = found(version, order(version, text))
    if expected is None:
        assert violation is None
    else:
        rule, code, tag = expected
        assert verdict(violation) == (rule, coded(version, code), tag)


PARTIES = [
    ("453=2|448=A|447=D|452=1|448=B|447=D|452=3|", None),
    ("453=1|448=A|447=D|452=1|802=2|523=s|803=1|523=t|803=2|", None),
    ("453=2|448=A|802=1|523=s|448=B|802=1|523=s|", None),
    ("453=1|448=A|802=2|523=s|", ("REJ-12", 16, 802)),
    ("453=1|448=A|802=1|803=1|523=s|", ("REJ-13", 15, 803)),
    ("453=1|448=A|452=1|447=D|", ("REJ-13", 15, 447)),
    ("453=2|448=A|802=1|523=s|", ("REJ-12", 16, 453)),
    ("453=1|448=A|802=0|452=1|", ("REJ-13", 15, 452)),
]


@pytest.mark.parametrize(("text", "expected"), PARTIES)
def test_rej_12_rej_13_groups_within_groups(
    text: str, expected: tuple[str, int, int] | None
) -> None:
    violation = found("FIX.4.4", order("FIX.4.4", text))
    assert (None if violation is None else verdict(violation)) == expected


def test_rej_13_members_in_any_order_if_allowed() -> None:
    text = order("FIX.4.4", "453=2|448=A|452=1|447=D|448=B|")
    assert verdict(found("FIX.4.4", text)) == ("REJ-13", 15, 447)
    assert found("FIX.4.4", text, allow_unordered_groups=True) is None


def test_rej_13_the_first_field_may_be_made_the_delimiter() -> None:
    text = order("FIX.4.4", "453=2|447=D|448=A|447=D|448=B|")
    assert verdict(found("FIX.4.4", text)) == ("REJ-13", 15, 447)
    assert found("FIX.4.4", text, first_field_is_delimiter=True) is None


def test_rej_05_a_required_field_is_missing_in_an_entry(tmp_path: Path) -> None:
    path = small(tmp_path, 'name="PartyRole" required="N"', 'name="PartyRole" required="Y"')
    dictionary = Dictionary.from_quickfix_xml(path)
    good = Message("D", [(11, "A"), (453, 1), (448, "P"), (452, 1)])
    assert validate(good, dictionary) is None
    bad = Message("D", [(11, "A"), (453, 2), (448, "P"), (448, "Q"), (452, 1)])
    assert verdict(validate(bad, dictionary)) == ("REJ-05", 1, 452)
    # The group is required only with its component, and that is optional.
    assert validate(Message("D", {11: "A"}), dictionary) is None


def test_rej_12_the_hops_of_the_header_are_a_group() -> None:
    head = "34=2|49=ME|52=20260105-09:00:00|56=YOU|"
    assert found("FIX.4.4", f"35=0|{head}627=2|628=A|630=5|628=B|") is None
    short = found("FIX.4.4", f"35=0|{head}627=2|628=A|")
    assert verdict(short) == ("REJ-12", 16, 627)


def test_rej_12_a_known_list_of_tags_does_not_hide_a_wrong_count() -> None:
    good = order("FIX.4.4", "78=2|79=a|80=5|79=b|80=5|")
    assert found("FIX.4.4", good) is None
    wrong = good.replace("78=2", "78=3")
    assert verdict(found("FIX.4.4", wrong)) == ("REJ-12", 16, 78)


# Delimiters in values, data, encodings -----------------------------------------------------


@ALL
def test_rej_14_frm_12_soh_in_a_value(version: str) -> None:
    violation = found(version, "35=3|45=1|58=a|b|")
    assert violation is not None
    assert violation.reason == coded(version, 17)
    assert violation.ref_tag == 58
    assert violation.rule == "FRM-12"


@LATER
def test_frm_15_encoded_text_needs_message_encoding(version: str) -> None:
    text = order(version, "354=3|355=abc|")
    assert verdict(found(version, text)) == ("FRM-15", coded(version, 1), 347)
    assert found(version, text, message_encoding=False) is None
    head = "34=2|49=ME|52=20260105-09:00:00|56=YOU|347=UTF-8|"
    assert found(version, text.replace("35=D|", f"35=D|{head}")) is None


@LATER
def test_dat_02_data_may_hold_anything(version: str) -> None:
    head = "34=2|49=ME|52=20260105-09:00:00|56=YOU|347=UTF-8|"
    body = order(version, "354=7|355=a|35=8=|").replace("35=D|", f"35=D|{head}")
    assert found(version, body) is None


# MsgType and versions ------------------------------------------------------------------


@ALL
def test_hdr_06_unknown_type(version: str) -> None:
    assert verdict(found(version, "35=zz|")) == ("HDR-06", coded(version, 11), 35)
    assert verdict(found(version, "35=d1|")) == ("HDR-06", coded(version, 11), 35)


@pytest.mark.parametrize(("version", "business"), [("FIX.4.4", 3), ("FIX.4.0", None)])
def test_hdr_07_a_type_of_the_specification_that_the_dictionary_lacks(
    tmp_path: Path, version: str, business: int | None
) -> None:
    path = small(tmp_path, 'minor="4"', f'minor="{version[-1]}"')
    dictionary = Dictionary.from_quickfix_xml(path)
    violation = validate(Message("8", {37: "x"}), dictionary)
    assert violation == Violation("HDR-07", None, business, 35, "Unsupported Message Type")


HEAD = "34=2|49=ME|52=20260105-09:00:00|56=YOU|"


def test_hdr_12_appl_ver_id_has_no_place_in_a_session_message() -> None:
    assert verdict(found("FIXT.1.1", f"35=0|{HEAD}1128=9|")) == ("HDR-12", 2, 1128)


@pytest.mark.parametrize("value", ["77", "6", "x"])
def test_hdr_12_unsupported_appl_ver_id(value: str) -> None:
    text = order("FIXT.1.1").replace("35=D|", f"35=D|{HEAD}")
    known = text.replace("56=YOU|", "56=YOU|1128=9|")
    assert found("FIXT.1.1", known) is None
    other = text.replace("56=YOU|", f"56=YOU|1128={value}|")
    violation = found("FIXT.1.1", other)
    assert violation is not None
    assert (violation.reason, violation.ref_tag) == (18, 1128)


def test_hdr_12_appl_ver_id_chooses_the_dictionary() -> None:
    dictionary = Dictionary.from_quickfix_xml(
        published_path("FIXT.1.1"),
        application=[published_path("FIX.5.0SP2"), published_path("FIX.4.2")],
    )
    text = "35=D|34=2|49=ME|52=20260105-09:00:00|56=YOU|{}11=A|21=1|55=X|54=1|40=1|{}"
    in_sp2 = wire("FIXT.1.1", text.format("", "60=20260105-09:00:00|"))
    assert validate(in_sp2, dictionary) is None
    # RptSys(1135) came later than FIX.4.2, and 4.2 requires HandlInst(21).
    in_42 = wire("FIXT.1.1", text.format("1128=4|", "60=20260105-09:00:00|"))
    assert validate(in_42, dictionary) is None
    no_21 = text.replace("21=1|", "")
    assert (
        validate(wire("FIXT.1.1", no_21.format("", "60=20260105-09:00:00|")), dictionary)
        is None
    )
    late = wire("FIXT.1.1", no_21.format("1128=4|", "60=20260105-09:00:00|"))
    assert verdict(validate(late, dictionary)) == ("REJ-05", 1, 21)
    fifth = wire("FIXT.1.1", text.format("1128=5|", "60=20260105-09:00:00|"))
    assert verdict(validate(fifth, dictionary)) == ("HDR-12", 18, 1128)


def test_hdr_01_a_dictionary_of_another_version_says_so() -> None:
    violation = validate(wire("FIX.4.2", "35=0|"), published("FIX.4.4"))
    assert violation is not None
    assert violation.rule == "HDR-01"
    assert "FIX.4.4" in violation.text


@pytest.mark.parametrize(
    ("version", "codes"),
    [
        ("FIX.4.0", {}),
        ("FIX.4.1", {}),
        ("FIX.4.2", {0: 0, 11: 11, 12: None, 17: None, 18: None}),
        ("FIX.4.3", {0: 0, 11: 11, 13: 13, 17: 17, 18: None}),
        ("FIX.4.4", {0: 0, 17: 17, 18: 99}),
        ("FIXT.1.1", {0: 0, 17: 17, 18: 18}),
    ],
)
def test_rej_03_codes_by_version(version: str, codes: dict[int, int | None]) -> None:
    for code, expected in codes.items():
        assert session_reject_reason(code, version) == expected
    if not codes:
        assert {session_reject_reason(code, version) for code in range(19)} == {None}


# Conditionally required --------------------------------------------------------------------

CONDITIONS = [
    ("40=3|", 99),
    ("40=3|99=9.5|", None),
    ("40=4|44=9|", 99),
    ("40=4|44=9|99=9.5|", None),
    ("40=2|", 44),
    ("40=2|44=9|", None),
    ("59=6|", 126),
    ("59=6|126=20260106-09:00:00|", None),
    ("59=0|", None),
]


@ALL
@pytest.mark.parametrize(("extra", "missing"), CONDITIONS)
def test_rej_16_conditionally_required(version: str, extra: str, missing: int | None) -> None:
    violation = found(version, order(version, extra))
    if missing is None:
        assert violation is None
        return
    assert violation is not None
    business = None if version in ("FIX.4.0", "FIX.4.1") else 5
    assert violation[:4] == ("REJ-16", None, business, missing)
    assert found(version, order(version, extra), conditional_fields=False) is None


def test_rej_16_a_known_list_of_tags_does_not_hide_it() -> None:
    assert found("FIX.4.4", order("FIX.4.4", "40=1|")) is None
    violation = found("FIX.4.4", order("FIX.4.4", "40=3|"))
    assert violation is not None
    assert violation.rule == "REJ-16"


# Which comes first ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        # Each has the fault of the one below it as well.
        ("35=zz|34=2|49=ME|58=a|b|52=20260105-09:00:00|56=YOU|", "FRM-12"),
        ("35=zz|34=2|49=ME|58=a|52=20260105-09:00:00|56=YOU|", "REJ-10"),
        ("35=zz|58=|", "HDR-06"),
        ("35=D|38=x|38=y|", "REJ-05"),
        (order("FIX.4.4", "38=x|38=y|3999=1|"), "REJ-09"),
        (order("FIX.4.4", "54=z|3999=1|40=3|"), "REJ-08"),
        (order("FIX.4.4", "3999=1|40=3|"), "REJ-04"),
        (order("FIX.4.4", "40=3|"), "REJ-16"),
    ],
)
def test_rej_22_the_first_in_the_order_of_the_checks(text: str, rule: str) -> None:
    violation = found("FIX.4.4", text)
    assert violation is not None
    assert violation.rule == rule


def test_lgn_26_no_value_is_repeated() -> None:
    for text in ("35=A|98=0|108=30|553=hunter2|554=hunter2|554=hunter2|", "35=0|554=hunter2|"):
        violation = found("FIX.4.4", text)
        assert violation is not None
        assert "hunter2" not in violation.text
        assert "Password(554)" in violation.text


def test_a_message_to_be_sent_needs_no_header_yet() -> None:
    dictionary = published("FIX.4.4")
    fields = {11: "A", 55: "X", 54: 1, 60: "20260105-09:00:00", 38: 5, 40: 1}
    assert validate(Message("D", fields), dictionary) is None
    assert validate(Message("D", {50: "DESK", **fields}), dictionary) is None
    assert verdict(validate(Message("D", {11: "A"}), dictionary)) == ("REJ-05", 1, 40)


def test_other_values_are_taken_where_the_dictionary_allows_them(tmp_path: Path) -> None:
    closed = Dictionary.from_quickfix_xml(small(tmp_path))
    message = Message("D", {11: "A", 54: "9"})
    assert verdict(validate(message, closed)) == ("REJ-08", 5, 54)
    (tmp_path / "open").mkdir()
    path = small(tmp_path / "open", 'type="CHAR"', 'type="CHAR" allowOtherValues="Y"')
    assert validate(message, Dictionary.from_quickfix_xml(path)) is None


def test_rej_09_a_listed_value_of_a_wrong_format_stays_wrong(tmp_path: Path) -> None:
    dictionary = Dictionary.from_quickfix_xml(small(tmp_path, 'enum="2"', 'enum="10"'))
    assert validate(Message("D", {11: "A", 54: "1"}), dictionary) is None
    # The tags are known by now; two characters are no CHAR all the same.
    two = validate(Message("D", {11: "A", 54: "10"}), dictionary)
    assert verdict(two) == ("REJ-09", 6, 54)


def test_frm_14_a_tag_of_the_header_that_a_dictionary_has_in_a_body(tmp_path: Path) -> None:
    path = small(tmp_path, '<field name="Side" req', '<field name="SenderSubID" req')
    text = path.read_text().replace(
        "<fields>", '<fields><field number="50" name="SenderSubID" type="STRING"/>'
    )
    path.write_text(text)
    dictionary = Dictionary.from_quickfix_xml(path)
    content = b"35=D\x0111=A\x0150=in the body\x01"
    message = Message.from_wire(encode(b"FIX.4.4", content))
    assert validate(message, dictionary) is None


def test_what_is_kept_of_lists_of_tags_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    from fixlab.dictionary import validation

    monkeypatch.setattr(validation, "_PLANNED_TAGS_MAX", 50)
    dictionary = Dictionary.from_quickfix_xml(published_path("FIX.4.4"))
    for tag in range(5000, 5100):
        assert validate(wire("FIX.4.4", f"35=0|{tag}=x|"), dictionary) is None
    (validator,) = dictionary._validators.values()
    assert isinstance(validator, validation._Validator)
    assert sum(len(tags) for _, tags in validator._plans) <= 50


def test_hdr_06_nothing_is_kept_of_types_that_a_peer_makes_up() -> None:
    from fixlab.dictionary import validation

    dictionary = Dictionary.from_quickfix_xml(published_path("FIX.4.4"))
    assert validate(wire("FIX.4.4", f"35=U{'x' * 1_000}|"), dictionary) is None
    (validator,) = dictionary._validators.values()
    assert isinstance(validator, validation._Validator)
    assert not validator._plans


# Whatever comes ----------------------------------------------------------------------------

DIALECT = [8, 9, 10, 11, 18, 34, 35, 40, 43, 49, 52, 56, 58, 59, 78, 79, 80, 89, 90, 91, 93, 95]
DIALECT += [96, 99, 112, 146, 354, 355, 447, 448, 452, 453, 523, 627, 628, 802, 803, 1128, 5001]
VALUES = st.one_of(
    st.sampled_from([b"1", b"2", b"0", b"3", b"Y", b"D", b"20260105-09:00:00", b"-1", b""]),
    st.binary(max_size=12),
)
TYPES = st.sampled_from([b"D", b"0", b"A", b"8", b"V", b"E", b"U1", b"zz", b"", b"AE", b"j"])
ANY_FIELDS = st.lists(
    st.tuples(st.one_of(st.sampled_from(DIALECT), st.integers(0, 50_000)), VALUES), max_size=25
)
ANY_CHECKS = st.builds(
    Checks,
    **{one.name: st.booleans() for one in fields_of(Checks)},
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(VERSIONS), TYPES, ANY_FIELDS, ANY_CHECKS)
def test_it_never_raises_and_always_says_the_same(
    version: str, kind: bytes, fields: list[tuple[int, bytes]], checks: Checks
) -> None:
    content = b"35=%b\x01" % kind + b"".join(b"%d=%b\x01" % field for field in fields)
    message = Message.from_wire(encode(version.encode(), content))
    dictionary = published(version)
    violation = validate(message, dictionary, checks)
    assert violation == validate(message, dictionary, checks)
    if violation is not None:
        assert violation.text.isprintable()
        if version in ("FIX.4.0", "FIX.4.1"):  # REJ-03
            assert violation.reason is None
            assert violation.business_reason is None


GOOD = [order("FIX.4.4"), order("FIX.4.4", "453=1|448=A|447=D|452=1|"), "35=1|112=T|"]


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(GOOD), st.integers(0, 200), VALUES)
def test_a_known_list_of_tags_says_what_the_long_way_says(
    text: str, index: int, value: bytes
) -> None:
    # Teach it the tags, then change one value: a dictionary that never saw them must agree.
    dictionary = published("FIX.4.4")
    good = wire("FIX.4.4", text)
    assert validate(good, dictionary) is None
    fields = list(good.fields)
    index %= len(fields)
    fields[index] = fields[index][0], value
    changed = Message.from_wire(b"".join(b"%d=%b\x01" % field for field in fields))
    fresh = Dictionary.from_quickfix_xml(published_path("FIX.4.4"))
    assert validate(changed, dictionary) == validate(changed, fresh)


def test_every_published_message_can_be_met_without_harm() -> None:
    for version in VERSIONS:
        dictionary = published(version)
        for msg_type in dictionary.messages:
            violation = validate(wire(version, f"35={msg_type}|"), dictionary)
            assert violation is None or violation.rule in ("REJ-05", "REJ-06")
