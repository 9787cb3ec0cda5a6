"""Data types of FIX: which bytes are a value of each (REJ-09).

Types not listed here hold any text: STRING, and those whose values are agreed lists, such as
CURRENCY or EXCHANGE, since venues trade more currencies than ISO has names for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Final

from fixlab.times import parse_utc

Check = Callable[[bytes], object]  # truthy for a value of the type

# Several values, divided by single spaces.
MULTIPLE: Final = frozenset({"MULTIPLEVALUESTRING", "MULTIPLESTRINGVALUE", "MULTIPLECHARVALUE"})
# Any bytes; the field before it says how many.
DATA: Final = frozenset({"DATA", "XMLDATA"})

_TIME = rb"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9]|60)(?:\.[0-9]{1,12})?"
_ZONE = rb"(?:Z|[+-](?:0[0-9]|1[0-4])(?::[0-5][0-9])?)?"
_TZ_TIME = re.compile(
    rb"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::(?:[0-5][0-9]|60)(?:\.[0-9]{1,12})?)?" + _ZONE
)
_MONTH = re.compile(rb"[0-9]{4}(?:0[1-9]|1[0-2])(?:w[1-5])?")
_NUMBER = re.compile(rb"[0-9]+").fullmatch
_FLOAT = re.compile(rb"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)").fullmatch
_DAYS = frozenset(b"%d" % day for day in range(1, 32)) | {b"%02d" % day for day in range(1, 10)}


def is_date(value: bytes) -> bool:
    """Whether `value` is a day that exists, as YYYYMMDD."""
    if len(value) != 8 or not value.isdigit():
        return False
    try:
        date(int(value[:4]), int(value[4:6]), int(value[6:]))
    except ValueError:
        return False
    return True


def _is_timestamp(value: bytes) -> bool:
    return parse_utc(value) is not None


def _is_month_year(value: bytes) -> bool:
    return _MONTH.fullmatch(value) is not None or is_date(value)


def _is_tz_timestamp(value: bytes) -> bool:
    return (
        value[8:9] == b"-" and is_date(value[:8]) and _TZ_TIME.fullmatch(value, 9) is not None
    )


def _are_characters(value: bytes) -> bool:
    return all(len(part) == 1 for part in value.split(b" "))


_CHECKS: Mapping[str, Check] = {
    **dict.fromkeys(("LENGTH", "NUMINGROUP", "SEQNUM", "TAGNUM"), _NUMBER),
    **dict.fromkeys(
        ("FLOAT", "PRICE", "QTY", "QUANTITY", "AMT", "PRICEOFFSET", "PERCENTAGE"), _FLOAT
    ),
    **dict.fromkeys(("UTCTIMESTAMP", "TIME"), _is_timestamp),
    **dict.fromkeys(("UTCTIMEONLY", "LOCALMKTTIME"), re.compile(_TIME).fullmatch),
    **dict.fromkeys(("UTCDATE", "UTCDATEONLY", "LOCALMKTDATE", "DATE"), is_date),
    "INT": re.compile(rb"-?[0-9]+").fullmatch,
    "CHAR": re.compile(rb".", re.DOTALL).fullmatch,
    "BOOLEAN": frozenset({b"Y", b"N"}).__contains__,
    "MONTHYEAR": _is_month_year,
    "DAYOFMONTH": _DAYS.__contains__,
    "MULTIPLECHARVALUE": _are_characters,
    "TZTIMEONLY": _TZ_TIME.fullmatch,
    "TZTIMESTAMP": _is_tz_timestamp,
}


def format_check(type_name: str, version: str) -> Check | None:
    """The check of one type, or None when it holds any text.

    Before FIX.4.2 a CHAR is any text.
    """
    if type_name == "CHAR" and version in ("FIX.4.0", "FIX.4.1"):
        return None
    return _CHECKS.get(type_name)
