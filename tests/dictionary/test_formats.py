"""Data types: what is a value of each, and what is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixlab.dictionary.formats import _CHECKS, format_check

CASES = {
    "INT": (["0", "-5", "00023", "9" * 20], ["", "+5", "1.0", "a", "- 5", " 5", "²"]),
    "LENGTH": (["0", "15"], ["-1", "1.5", "x", "1 "]),
    "SEQNUM": (["1", "0001"], ["-1", "1e3", "x"]),
    "NUMINGROUP": (["0", "2"], ["-1", "two", "1.0"]),
    "PRICE": (["1", "-1.5", "0.0001", ".5", "5.", "00023.230"], ["1e5", "+1", ".", "-", "1,5"]),
    "QTY": (["100", "100.5"], ["1_000", "nan", "inf"]),
    "AMT": (["-3.14"], ["--3"]),
    "PERCENTAGE": ([".05"], ["5%"]),
    "FLOAT": (["23.23"], ["0x10"]),
    "CHAR": (["a", "1", " ", "\xe9"], ["ab", ""]),
    "BOOLEAN": (["Y", "N"], ["y", "1", "YES"]),
    "UTCTIMESTAMP": (
        [
            "20260131-09:30:05",
            "20260131-09:30:05.1",
            "20260131-09:30:05.123",
            "20260131-09:30:05.123456",
            "20260131-09:30:05.123456789",
            "20260131-09:30:05.123456789012",
            "20261231-23:59:60",
            "20240229-00:00:00",
        ],
        [
            "20260131-09:30",
            "20260131 09:30:05",
            "20260229-00:00:00",
            "20260131-24:00:00",
            "20260131-09:30:61",
            "20260131-09:30:05.",
            "20260131-09:30:05.1234567890123",
            "2026-01-31T09:30:05",
            "20260131-09:30:05Z",
        ],
    ),
    "UTCTIMEONLY": (["09:30:05", "23:59:60", "09:30:05.123456789"], ["9:30:05", "24:00:00"]),
    "UTCDATEONLY": (["20260131"], ["20260132", "2026-01-31", "26013100"]),
    "LOCALMKTDATE": (["20240229"], ["20260229", "20260131 "]),
    "DATE": (["20260131"], ["0131"]),
    "LOCALMKTTIME": (["16:00:00"], ["16:00"]),
    "MONTHYEAR": (["202601", "20260131", "202601w2"], ["202613", "202601w6", "2026"]),
    "DAYOFMONTH": (["1", "01", "31"], ["0", "32", "001"]),
    "MULTIPLECHARVALUE": (["a", "a b c"], ["ab", "a  b", "a "]),
    "TZTIMEONLY": (
        ["07:39Z", "02:39-05", "15:39+08", "13:09+05:30", "07:39:00.123Z", "07:39"],
        ["7:39Z", "07:39+5", "07:39+15", "07:39z"],
    ),
    "TZTIMESTAMP": (
        ["20260131-07:39Z", "20260131-02:39-05", "20260131-13:09:01.5+05:30"],
        ["20260131 07:39Z", "20260132-07:39Z", "07:39Z"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_rej_09_values_of_each_type(name: str) -> None:
    check = format_check(name, "FIX.4.4")
    assert check is not None
    good, bad = CASES[name]
    for text in good:
        assert check(text.encode("latin-1")), text
    for text in bad:
        assert not check(text.encode("latin-1")), text


@pytest.mark.parametrize(
    "name", ["STRING", "CURRENCY", "EXCHANGE", "COUNTRY", "DATA", "XMLDATA", "NEWFANGLED"]
)
def test_types_of_any_text(name: str) -> None:
    assert format_check(name, "FIX.4.4") is None


def test_before_4_2_a_char_is_any_text() -> None:
    assert format_check("CHAR", "FIX.4.0") is format_check("CHAR", "FIX.4.1") is None
    assert format_check("CHAR", "FIX.4.2") is not None


@given(st.binary(max_size=30))
def test_any_bytes_can_be_looked_at(value: bytes) -> None:
    for check in _CHECKS.values():
        check(value)
