"""Times as integers: nanoseconds since the Unix epoch, UTC, and their UTCTimestamp text.

Sessions never read a clock; they are given `now`. The two clocks here are for the drivers:
`SystemClock` for live sessions, `VirtualClock` for simulations.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

from fixlab.errors import ConfigError

NANOSECONDS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# One entry each: messages come in bursts that share a second, so the last answer is the next
# one. Values are pure functions of their keys, so it never matters who filled them.
_text_of_second: tuple[int, bytes] = (-1, b"")
_second_of_text: tuple[bytes, int] = (b"", 0)


def seconds(value: float) -> int:
    """A duration in seconds as whole nanoseconds."""
    return round(value * NANOSECONDS)


def format_utc(now: int, digits: int = 3) -> bytes:
    """UTCTimestamp text of `now` with 0 to 9 fractional digits, truncated, never rounded up.

    Raises `ConfigError` for times outside the years 1970 to 9999.
    """
    global _text_of_second
    second, fraction = divmod(now, NANOSECONDS)
    cached_second, text = _text_of_second
    if second != cached_second:
        try:
            moment = _EPOCH + timedelta(seconds=second)
        except OverflowError:
            raise ConfigError(
                f"time {now} ns is outside the years a UTCTimestamp can express"
            ) from None
        if second < 0:
            raise ConfigError(f"time {now} ns lies before 1970")
        text = moment.strftime("%Y%m%d-%H:%M:%S").encode("ascii")
        _text_of_second = (second, text)
    if digits == 3:
        return b"%b.%03d" % (text, fraction // 1_000_000)
    if digits == 0:
        return text
    return b"%b.%0*d" % (text, digits, fraction // 10 ** (9 - digits))


def parse_utc(text: bytes) -> int | None:
    """Nanoseconds of a UTCTimestamp, or None when the text is not one.

    Takes `YYYYMMDD-HH:MM:SS` with nothing, or a dot and 1 to 12 digits, behind it; digits
    past the ninth are dropped. Second 60 (a leap second) is the next minute's first.
    """
    global _second_of_text
    head = text[:17]
    cached_head, second = _second_of_text
    if head != cached_head:
        if not (
            len(head) == 17
            and head[8:9] == b"-"
            and head[11:12] == head[14:15] == b":"
            and (head[:8] + head[9:11] + head[12:14] + head[15:17]).isdigit()
        ):
            return None
        try:
            whole = datetime(
                int(head[:4]),
                int(head[4:6]),
                int(head[6:8]),
                int(head[9:11]),
                int(head[12:14]),
                tzinfo=UTC,
            )
        except ValueError:
            return None
        if (leap := int(head[15:17])) > 60:
            return None
        second = (whole - _EPOCH) // timedelta(seconds=1) + leap
        _second_of_text = (head, second)
    if len(text) == 17:
        return second * NANOSECONDS
    digits = text[18:]
    if text[17:18] != b"." or not digits.isdigit() or len(digits) > 12:
        return None
    return second * NANOSECONDS + int(digits[:9].ljust(9, b"0"))


def parse_start(text: str) -> int:
    """Nanoseconds of an ISO 8601 time such as `2026-01-05T09:00:00`; UTC unless it says so.

    Raises `ConfigError` when the text is not a time.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"expected an ISO 8601 time such as 2026-01-05T09:00:00, found {text!r}"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * NANOSECONDS + delta.microseconds * 1_000


class Clock(Protocol):
    """Anything that tells the time in nanoseconds since the Unix epoch, UTC."""

    def now(self) -> int: ...


class SystemClock:
    """UTC now, advancing steadily: a step of the wall clock never fires or starves a timer."""

    def __init__(self) -> None:
        self._offset = time.time_ns() - time.monotonic_ns()

    def now(self) -> int:
        return time.monotonic_ns() + self._offset


class VirtualClock:
    """A clock that stands still until it is moved, for simulations and tests."""

    def __init__(self, start: int) -> None:
        self._now = start

    def now(self) -> int:
        return self._now

    def advance_to(self, time_ns: int) -> None:
        """Move to `time_ns`; raises `ConfigError` when that would go back."""
        if time_ns < self._now:
            raise ConfigError(f"a clock at {self._now} cannot go back to {time_ns}")
        self._now = time_ns

    def __repr__(self) -> str:
        return f"VirtualClock({format_utc(self._now, 9).decode()})"
