"""split_fields: exact fields, data with SOH, and one defect named instead of an exception."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixlab.wire.fields import split_fields
from fixlab.wire.tags import LENGTH_TO_DATA


@pytest.mark.parametrize(("length_tag", "data_tag"), sorted(LENGTH_TO_DATA.items()))
def test_dat_01_02_data_may_hold_soh_and_equals(length_tag: int, data_tag: int) -> None:
    raw = b"%d=6\x01%d=a\x01b=\x01c\x0158=x\x01" % (length_tag, data_tag)
    fields, defect = split_fields(raw)
    assert fields == ((length_tag, b"6"), (data_tag, b"a\x01b=\x01c"), (58, b"x"))
    assert defect is None


@pytest.mark.parametrize("length", [b"0", b"1", b"4", b"99", b"x", b"-3", b"99999999999"])
def test_dat_03_a_wrong_length_is_a_defect_and_the_rest_is_still_read(length: bytes) -> None:
    fields, defect = split_fields(b"95=%b\x0196=abc\x0158=x\x01" % length)
    assert fields == ((95, length), (96, b"abc"), (58, b"x"))
    assert defect is not None
    assert (defect.rule, defect.tag, defect.reason) == ("DAT-03", 95, 5)


@pytest.mark.parametrize("first", [b"95=3\x0158=x\x01", b"58=x\x01"])
def test_dat_01_data_without_its_length_directly_before_it_is_a_defect(first: bytes) -> None:
    fields, defect = split_fields(first + b"96=abc\x01")
    assert fields[-2:] == ((58, b"x"), (96, b"abc"))
    assert defect is not None
    assert (defect.rule, defect.tag, defect.reason) == ("DAT-01", 95, 1)


def test_dat_03_the_length_of_a_signature_has_a_reason_of_its_own() -> None:
    _, defect = split_fields(b"93=9\x0189=abc\x01")
    assert defect is not None
    assert (defect.rule, defect.tag, defect.reason) == ("DAT-03", 93, 8)


@pytest.mark.parametrize(
    "field", [b"=5", b"0=x", b"007=x", b"-1=x", b"1 1=x", b"12345678901=x", b"a=b"]
)
def test_frm_11_what_is_no_field_is_kept_as_tag_0(field: bytes) -> None:
    fields, defect = split_fields(b"35=D\x01" + field + b"\x0158=x\x01")
    assert fields == ((35, b"D"), (0, field), (58, b"x"))
    assert defect is not None
    assert (defect.rule, defect.reason) == ("FRM-11", 0)


@pytest.mark.parametrize("rest", [b"", b"x", b"a b", b"12"])
def test_frm_12_what_has_no_equals_sign_is_the_rest_of_a_value(rest: bytes) -> None:
    fields, defect = split_fields(b"35=D\x0158=a\x01" + rest + b"\x01")
    assert fields == ((35, b"D"), (58, b"a"), (0, rest))
    assert defect is not None
    assert (defect.rule, defect.tag, defect.reason) == ("FRM-12", 58, 17)


def test_rej_07_an_empty_value_may_be_allowed_and_hides_no_other_defect() -> None:
    assert split_fields(b"35=D\x0158=\x01", empty_ok=True)[1] is None
    _, defect = split_fields(b"35=D\x0158=\x01=x\x01", empty_ok=True)
    assert defect is not None
    assert defect.rule == "FRM-11"


def test_frm_11_the_last_field_ends_with_soh_too() -> None:
    fields, defect = split_fields(b"35=D\x0158=x")
    assert fields == ((35, b"D"), (58, b"x"))
    assert defect is not None
    assert defect.rule == "FRM-11"


def test_rej_07_an_empty_value_is_a_defect_of_its_tag() -> None:
    fields, defect = split_fields(b"35=D\x0158=\x01")
    assert fields[1] == (58, b"")
    assert defect is not None
    assert (defect.rule, defect.tag, defect.reason) == ("REJ-07", 58, 4)


def test_rej_22_the_first_defect_is_the_one_named() -> None:
    _, defect = split_fields(b"35=D\x0158=\x01x\x0195=9\x0196=a\x01")
    assert defect is not None
    assert defect.rule == "REJ-07"


@given(st.binary(max_size=60))
def test_any_bytes_split_and_nothing_is_lost(raw: bytes) -> None:
    fields, _ = split_fields(raw)
    joined = b"".join(
        value + b"\x01" if tag == 0 else b"%d=%b\x01" % (tag, value) for tag, value in fields
    )
    assert joined == (raw if raw.endswith(b"\x01") or not raw else raw + b"\x01")
