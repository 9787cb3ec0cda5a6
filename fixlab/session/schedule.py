"""Schedule: when a session lasts. Pure functions of a time; no clock is read here.

A `Schedule` is a daily or weekly window of a wall clock in some time zone; a session without
one never ends (`SessionConfig.schedule = None`). All times that go in or come out are
nanoseconds since the epoch, UTC (SCH-10); only the window's ends are local.

The zone's clock may be put forward or back. An end of a window falls at the first instant at
which the wall clock reads that time or a later one: a time that is skipped is the moment of
the change, a time that comes twice is its first coming. So windows stay in order, never
overlap, and each day rolls over once.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from fixlab.errors import ConfigError
from fixlab.times import NANOSECONDS

DAYS: Final = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)
_TIME_OF_DAY = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
# A window is looked for in the weeks around a time, which must be dates that Python has.
_LAST_SECOND = (datetime(9999, 11, 1, tzinfo=UTC) - _EPOCH) // _SECOND
# A weekly window ends at most 7 days after it began; one more day each way for the zone's
# changes, of which the largest skipped a whole day.
_DAYS_BACK = 9
# Two weekly windows, should the day of the first be one that the zone skipped.
_DAYS_AHEAD = 16

Window = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A daily or weekly window in a time zone; one window is one session (SCH-01).

    `start` and `end` are `HH:MM:SS` on the clock of `time_zone` (an IANA name). A window
    begins at its start and ends just before its end; an `end` that is not after `start` lies on
    a later day, and equal ones last 24 hours (SCH-03), or a week, with one roll-over.
    `start_day` and `end_day` make the window weekly. `weekdays` are the days on which daily
    windows begin; None is every day. Days are English names or the first two letters or more.

    Raises `ConfigError` for a value that cannot work. The methods raise it for times outside
    the years 1970 to 9999.
    """

    start: str
    end: str
    start_day: str | None = None
    end_day: str | None = None
    weekdays: tuple[str, ...] | None = None
    time_zone: str = "UTC"

    # What the texts above mean, and the last answer: a pure function of the rest.
    _zone: tzinfo = field(init=False, repr=False, compare=False)
    _start_second: int = field(init=False, repr=False, compare=False)
    _end_second: int = field(init=False, repr=False, compare=False)
    _begin_days: frozenset[int] = field(init=False, repr=False, compare=False)
    _days_long: int = field(init=False, repr=False, compare=False)
    _stretch: tuple[int, int, Window | None] = field(
        init=False, repr=False, compare=False, default=(0, 0, None)
    )

    def __post_init__(self) -> None:
        start, end = second_of_day("start", self.start), second_of_day("end", self.end)
        if (self.start_day is None) != (self.end_day is None):
            raise ConfigError(
                "a weekly schedule needs start_day and end_day, found "
                f"start_day={self.start_day!r} and end_day={self.end_day!r}"
            )
        if self.start_day is not None and self.end_day is not None:
            if self.weekdays is not None:
                raise ConfigError("weekdays belong to a daily schedule, found start_day too")
            first, last = (
                day_number("start_day", self.start_day),
                day_number("end_day", self.end_day),
            )
            self._set("start_day", DAYS[first])
            self._set("end_day", DAYS[last])
            days, long = frozenset({first}), (last - first) % 7
            if not long and end <= start:
                long = 7
        else:
            days, long = self._days_of_week(), int(end <= start)
        self._set("_start_second", start)
        self._set("_end_second", end)
        self._set("_begin_days", days)
        self._set("_days_long", long)
        self._set("_zone", _zone(self.time_zone))

    def is_open(self, now: int) -> bool:
        """Whether a session lasts at `now` (SCH-05)."""
        return self.window(now) is not None

    def window(self, now: int) -> Window | None:
        """Begin and end (excluded) of the session that `now` lies in; None in between."""
        since, until, window = self._stretch
        if since <= now < until:
            return window
        return self._look(now)[2]

    def same_session(self, a: int, b: int) -> bool:
        """Whether one session spans both times; False when either lies in none (SCH-02).

        A store that was made, or reset, at `a` is still that of the session at `b`.
        """
        window = self.window(a)
        return window is not None and window[0] <= b < window[1]

    def next_open(self, now: int) -> int:
        """The first time after `now` at which a session begins, also when one lasts now."""
        today = self._local_date(now)
        for ahead in range(-1, _DAYS_AHEAD):
            window = self._window_of(today + timedelta(days=ahead))
            if window is not None and window[0] > now:
                return window[0]
        # A zone would have to skip the same weekday twice running.
        raise ConfigError(f"no session begins within {_DAYS_AHEAD} days of {now} in {self!r}")

    def next_close(self, now: int) -> int | None:
        """When the session that lasts at `now` ends; None when none does (SCH-05)."""
        window = self.window(now)
        return None if window is None else window[1]

    def _look(self, now: int) -> tuple[int, int, Window | None]:
        """The stretch of time around `now` with one answer; kept, since the next asks alike."""
        today = self._local_date(now)
        closed_since = now
        for back in range(-1, _DAYS_BACK):
            window = self._window_of(today - timedelta(days=back))
            if window is not None and window[0] <= now:
                if now < window[1]:
                    stretch: tuple[int, int, Window | None] = (*window, window)
                    self._set("_stretch", stretch)
                    return stretch
                closed_since = window[1]
                break
        stretch = (closed_since, self.next_open(now), None)
        self._set("_stretch", stretch)
        return stretch

    def _window_of(self, day: date) -> Window | None:
        """The window that begins on the local date `day`, unless there is none."""
        if day.weekday() not in self._begin_days:
            return None
        begin = self._instant(day, self._start_second)
        end = self._instant(day + timedelta(days=self._days_long), self._end_second)
        # A zone may skip the whole of it.
        return (begin, end) if begin < end else None

    def _instant(self, day: date, second: int) -> int:
        """The first time at which the zone's clock reads `second` of `day`, or later."""
        local = datetime(day.year, day.month, day.day) + second * _SECOND  # noqa: DTZ001
        high = local.replace(tzinfo=self._zone).astimezone(UTC)  # fold=0: the first coming
        if self._wall(high) != local:
            # The clock skipped it: the change lies between what the offsets of before and
            # after make of it. An hour takes 12 halvings, a day 17.
            low = local.replace(tzinfo=self._zone, fold=1).astimezone(UTC)
            while high - low > _SECOND:
                middle = low + (high - low) // 2 // _SECOND * _SECOND
                if self._wall(middle) < local:
                    low = middle
                else:
                    high = middle
        return (high - _EPOCH) // _SECOND * NANOSECONDS

    def _wall(self, moment: datetime) -> datetime:
        return moment.astimezone(self._zone).replace(tzinfo=None)

    def _local_date(self, now: int) -> date:
        second = now // NANOSECONDS
        if not 0 <= second < _LAST_SECOND:
            raise ConfigError(f"time {now} ns is outside the years 1970 to 9999")
        return self._wall(_EPOCH + second * _SECOND).date()

    def _days_of_week(self) -> frozenset[int]:
        if self.weekdays is None:
            return frozenset(range(7))
        if isinstance(self.weekdays, str) or not isinstance(self.weekdays, Iterable):
            raise ConfigError(f"weekdays must be a tuple of days, found {self.weekdays!r}")
        days = frozenset(day_number("weekdays", name) for name in self.weekdays)
        if not days:
            raise ConfigError("weekdays must name one day or more, found none")
        self._set("weekdays", tuple(DAYS[day] for day in sorted(days)))
        return days

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)


def second_of_day(name: str, text: str) -> int:
    """Seconds since midnight of `HH:MM:SS`; raises `ConfigError` about `name` otherwise."""
    found = _TIME_OF_DAY.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise ConfigError(f"{name} must be a time of day HH:MM:SS, found {text!r}")
    hour, minute, second = map(int, found.groups())
    return hour * 3600 + minute * 60 + second


def day_number(name: str, text: str) -> int:
    """0 for Monday to 6, from two letters on; raises `ConfigError` about `name` otherwise."""
    if isinstance(text, str) and len(text) >= 2:
        for number, day in enumerate(DAYS):
            if day.lower().startswith(text.lower()):
                return number
    raise ConfigError(f"{name} must be a day such as Monday or Mon, found {text!r}")


def _zone(name: str) -> tzinfo:
    if name == "UTC":
        return UTC  # needs no database
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError, AttributeError):
        # The last three: a folder's name, and what is no text at all.
        hint = ""
        if not available_timezones():
            hint = "; this machine has no time zone database: install the package tzdata"
        raise ConfigError(
            f"time_zone must be an IANA name such as America/New_York, found {name!r}{hint}"
        ) from None
