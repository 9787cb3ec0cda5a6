"""Times: exact both ways, truncated never rounded, and clocks that never go back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixlab.errors import ConfigError
from fixlab.times import (
    NANOSECONDS,
    SystemClock,
    VirtualClock,
    format_utc,
    parse_start,
    parse_utc,
    seconds,
)

MOMENT = 1_767_603_600 * NANOSECONDS  # 2026-01-05 09:00:00
LAST = 253_402_300_799 * NANOSECONDS + 999_999_999  # the last nanosecond of the year 9999


@pytest.mark.parametrize(
    ("digits", "text"),
    [
        (0, b"20260105-09:00:00"),
        (3, b"20260105-09:00:00.123"),
        (6, b"20260105-09:00:00.123999"),
        (9, b"20260105-09:00:00.123999999"),
    ],
)
def test_fractions_are_truncated_not_rounded(digits: int, text: bytes) -> None:
    assert format_utc(MOMENT + 123_999_999, digits) == text


@pytest.mark.parametrize(
    ("now", "text"),
    [(0, b"19700101-00:00:00.000"), (LAST, b"99991231-23:59:59.999")],
)
def test_the_ends_of_the_range_can_be_written(now: int, text: bytes) -> None:
    assert format_utc(now) == text


@pytest.mark.parametrize("now", [-1, LAST + 1, 10**30, -(10**30)])
def test_times_outside_the_range_say_so(now: int) -> None:
    with pytest.raises(ConfigError, match=str(now)):
        format_utc(now)


def test_a_refused_time_leaves_the_next_answer_right() -> None:
    with pytest.raises(ConfigError):
        format_utc(-NANOSECONDS)
    assert format_utc(MOMENT) == b"20260105-09:00:00.000"
    assert parse_utc(b"garbage") is None
    assert parse_utc(b"20260105-09:00:00") == MOMENT


@given(st.integers(0, LAST))
def test_nine_digits_come_back_exactly(now: int) -> None:
    assert parse_utc(format_utc(now, 9)) == now


@given(st.integers(0, LAST), st.integers(0, 9))
def test_writing_agrees_with_datetime(now: int, digits: int) -> None:
    second, fraction = divmod(now, NANOSECONDS)
    whole = datetime.fromtimestamp(second, UTC).strftime("%Y%m%d-%H:%M:%S")
    expected = f"{whole}.{fraction:09}"[: 18 + digits] if digits else whole
    assert format_utc(now, digits).decode() == expected


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        (b"20260105-09:00:00.5", 500_000_000),
        (b"20260105-09:00:00.123456789999", 123_456_789),
        (b"20260105-08:59:60", 0),
    ],
)
def test_parses_fractions_and_leap_seconds(text: bytes, nanoseconds: int) -> None:
    assert parse_utc(text) == MOMENT + nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"20260105",
        b"20260105-09:00",
        b"20260105 09:00:00",
        b"20260105-09-00-00",
        b"20261305-09:00:00",
        b"20260230-09:00:00",
        b"20260105-24:00:00",
        b"20260105-09:60:00",
        b"20260105-09:00:61",
        b"00000105-09:00:00",
        b"20260105-09:00:00.",
        b"20260105-09:00:00,5",
        b"20260105-09:00:00.5Z",
        b"20260105-09:00:00.1234567890123",
        b"+2026105-09:00:00",
        b"2026\xb2105-09:00:00",
    ],
)
def test_what_is_no_timestamp_is_none(text: bytes) -> None:
    assert parse_utc(text) is None


@given(st.binary(max_size=40))
def test_parsing_any_bytes_never_raises(text: bytes) -> None:
    result = parse_utc(text)
    assert result is None or isinstance(result, int)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-05T09:00:00", MOMENT),
        ("2026-01-05T09:00:00.000001", MOMENT + 1_000),
        ("2026-01-05T10:00:00+01:00", MOMENT),
        ("2026-01-05", MOMENT - 9 * 3_600 * NANOSECONDS),
    ],
)
def test_a_start_is_utc_unless_it_says_otherwise(text: str, expected: int) -> None:
    assert parse_start(text) == expected


def test_a_start_that_is_no_time_is_refused_with_an_example() -> None:
    with pytest.raises(ConfigError, match=r"2026-01-05T09:00:00, found 'tomorrow'"):
        parse_start("tomorrow")


def test_seconds_are_whole_nanoseconds() -> None:
    assert seconds(1.5) == 1_500_000_000
    assert seconds(0.1) == 100_000_000
    assert isinstance(seconds(2), int)


def test_a_virtual_clock_moves_only_when_told_and_only_forward() -> None:
    clock = VirtualClock(MOMENT)
    assert clock.now() == clock.now() == MOMENT
    clock.advance_to(MOMENT)
    clock.advance_to(MOMENT + 5)
    assert clock.now() == MOMENT + 5
    with pytest.raises(ConfigError, match="cannot go back"):
        clock.advance_to(MOMENT)
    assert clock.now() == MOMENT + 5
    assert repr(clock) == "VirtualClock(20260105-09:00:00.000000005)"


def test_the_system_clock_does_not_follow_a_step_of_the_wall_clock(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = SystemClock()
    before = clock.now()
    monkeypatch.setattr("fixlab.times.time.time_ns", lambda: 0)
    after = clock.now()
    assert before <= after < before + 60 * NANOSECONDS
