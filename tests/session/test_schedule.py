"""Schedule: windows of a wall clock in a zone, held against a clock read every quarter hour."""

import pickle
import zoneinfo
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fixlab.errors import ConfigError
from fixlab.session import schedule as schedule_module
from fixlab.session.schedule import DAYS, Schedule
from fixlab.times import NANOSECONDS, format_utc, parse_start

QUARTER = timedelta(minutes=15)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NEW_YORK = Schedule(start="09:00:00", end="17:00:00", time_zone="America/New_York")


def ns(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(seconds=1) * NANOSECONDS


def shown(window: tuple[int, int] | None) -> tuple[str, str] | None:
    """A window as UTC texts without seconds, such as `20260105-09:00`."""
    if window is None:
        return None
    return format_utc(window[0], 0).decode()[:-3], format_utc(window[1], 0).decode()[:-3]


def window_at(schedule: Schedule, text: str) -> tuple[str, str] | None:
    return shown(schedule.window(parse_start(text)))


# 2026-01-05 is a Monday.
TABLE = [
    # A daily window is one session a day.
    ({"start": "09:00:00", "end": "17:00:00"}, "2026-01-05T08:59:59.999999", None),
    (
        {"start": "09:00:00", "end": "17:00:00"},
        "2026-01-05T09:00:00",
        ("20260105-09:00", "20260105-17:00"),
    ),
    (
        {"start": "09:00:00", "end": "17:00:00"},
        "2026-01-05T16:59:59.999999",
        ("20260105-09:00", "20260105-17:00"),
    ),
    ({"start": "09:00:00", "end": "17:00:00"}, "2026-01-05T17:00:00", None),
    # Over midnight.
    (
        {"start": "22:00:00", "end": "06:00:00"},
        "2026-01-05T05:00:00",
        ("20260104-22:00", "20260105-06:00"),
    ),
    (
        {"start": "22:00:00", "end": "06:00:00"},
        "2026-01-05T23:00:00",
        ("20260105-22:00", "20260106-06:00"),
    ),
    ({"start": "22:00:00", "end": "06:00:00"}, "2026-01-05T12:00:00", None),
    # Weekdays name the day on which a window begins.
    (
        {"start": "22:00:00", "end": "06:00:00", "weekdays": ("Mon", "fri")},
        "2026-01-10T05:00:00",
        ("20260109-22:00", "20260110-06:00"),
    ),
    (
        {"start": "22:00:00", "end": "06:00:00", "weekdays": ("Mon", "fri")},
        "2026-01-05T05:00:00",
        None,
    ),
    # Weekly, within a week and over its end.
    (
        {"start": "08:00:00", "end": "17:00:00", "start_day": "Mo", "end_day": "Friday"},
        "2026-01-07T03:00:00",
        ("20260105-08:00", "20260109-17:00"),
    ),
    (
        {"start": "08:00:00", "end": "17:00:00", "start_day": "Mo", "end_day": "Friday"},
        "2026-01-10T12:00:00",
        None,
    ),
    (
        {"start": "17:00:00", "end": "16:00:00", "start_day": "Sun", "end_day": "Fri"},
        "2026-01-05T00:00:00",
        ("20260104-17:00", "20260109-16:00"),
    ),
    (
        {"start": "17:00:00", "end": "16:00:00", "start_day": "Fri", "end_day": "Sun"},
        "2026-01-10T00:00:00",
        ("20260109-17:00", "20260111-16:00"),
    ),
    # One day a week, and all of the week but an hour.
    (
        {"start": "08:00:00", "end": "09:00:00", "start_day": "Mon", "end_day": "Mon"},
        "2026-01-05T08:30:00",
        ("20260105-08:00", "20260105-09:00"),
    ),
    (
        {"start": "08:00:00", "end": "09:00:00", "start_day": "Mon", "end_day": "Mon"},
        "2026-01-06T08:30:00",
        None,
    ),
    (
        {"start": "09:00:00", "end": "08:00:00", "start_day": "Mon", "end_day": "Mon"},
        "2026-01-12T07:59:59",
        ("20260105-09:00", "20260112-08:00"),
    ),
]


@pytest.mark.parametrize(("settings_", "time", "expected"), TABLE)
def test_sch_01_a_session_is_one_window(
    settings_: dict[str, str], time: str, expected: tuple[str, str] | None
) -> None:
    schedule = Schedule(**settings_)  # type: ignore[arg-type]
    assert window_at(schedule, time) == expected
    assert schedule.is_open(parse_start(time)) is (expected is not None)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("2026-01-05T09:00:00", "2026-01-05T16:59:59", True),
        ("2026-01-05T16:59:59", "2026-01-05T09:00:00", True),
        ("2026-01-05T10:00:00", "2026-01-06T10:00:00", False),
        ("2026-01-05T10:00:00", "2026-01-05T17:00:00", False),  # b lies in none
        ("2026-01-05T08:00:00", "2026-01-05T10:00:00", False),  # a lies in none
        ("2026-01-05T20:00:00", "2026-01-05T20:00:00", False),  # neither does
    ],
)
def test_sch_02_a_new_window_is_a_new_session(a: str, b: str, same: bool) -> None:
    daily = Schedule(start="09:00:00", end="17:00:00")
    assert daily.same_session(parse_start(a), parse_start(b)) is same


def test_sch_02_a_weekly_session_is_the_same_all_week() -> None:
    weekly = Schedule(start="08:00:00", end="17:00:00", start_day="Mon", end_day="Fri")
    monday, friday = parse_start("2026-01-05T09:00:00"), parse_start("2026-01-09T16:00:00")
    assert weekly.same_session(monday, friday)
    assert not weekly.same_session(monday, parse_start("2026-01-12T09:00:00"))


def test_sch_03_equal_ends_last_a_day_and_roll_over_once() -> None:
    always = Schedule(start="17:00:00", end="17:00:00", time_zone="America/New_York")
    before = parse_start("2026-01-05T21:59:59.999999")
    roll_over = parse_start("2026-01-05T22:00:00")
    assert always.is_open(before)
    assert always.is_open(roll_over)
    assert always.next_close(before) == roll_over == always.next_open(before)
    assert not always.same_session(before, roll_over)
    assert always.same_session(roll_over, roll_over + 86_399 * NANOSECONDS)
    assert not always.same_session(roll_over, roll_over + 86_400 * NANOSECONDS)


def test_sch_03_equal_ends_on_one_day_last_a_week() -> None:
    weekly = Schedule(start="00:00:00", end="00:00:00", start_day="Sun", end_day="Sun")
    assert window_at(weekly, "2026-01-06T12:00:00") == ("20260104-00:00", "20260111-00:00")


@pytest.mark.parametrize(("day", "hours"), [("2026-03-08", 23), ("2026-11-01", 25)])
def test_sch_03_the_days_of_a_change_roll_over_once_too(day: str, hours: int) -> None:
    # 01:30 comes twice in November; 02:30 is skipped in March.
    for time in ("00:00:00", "01:30:00", "02:30:00", "12:00:00"):
        schedule = Schedule(start=time, end=time, time_zone="America/New_York")
        noon = parse_start(f"{day}T12:00:00-05:00")
        lasted: dict[tuple[int, int], None] = {}
        for minutes in range(-36 * 60, 36 * 60):
            window = schedule.window(noon + minutes * 60 * NANOSECONDS)
            assert window is not None
            lasted[window] = None
        ends = list(lasted)
        assert all(a[1] == b[0] for a, b in pairwise(ends))
        inner = [round((end - begin) / NANOSECONDS / 3600, 2) for begin, end in ends]
        odd = [hours_ for hours_ in inner if hours_ != 24]
        # The hour that a skipped 02:30 costs is shared by the days on both sides.
        expected = [23.5, 23.5] if (day, time) == ("2026-03-08", "02:30:00") else [hours]
        assert odd == expected


def test_sch_05_the_next_times_to_close_and_to_open() -> None:
    schedule = Schedule(start="09:00:00", end="17:00:00", weekdays=("Mon", "Fri"))
    monday = parse_start("2026-01-05T10:00:00")
    evening, friday = parse_start("2026-01-05T17:00:00"), parse_start("2026-01-09T09:00:00")
    assert schedule.next_close(monday) == evening
    assert schedule.next_open(monday) == friday
    assert schedule.next_close(evening) is None
    assert schedule.next_open(evening) == friday
    assert schedule.next_open(friday - 1) == friday
    # At an opening, the next one is another.
    assert schedule.next_open(friday) == parse_start("2026-01-12T09:00:00")


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        # Winter, both days of change (Sundays), summer.
        ("2026-01-05T15:00:00", ("20260105-14:00", "20260105-22:00")),
        ("2026-03-08T15:00:00", ("20260308-13:00", "20260308-21:00")),
        ("2026-07-06T15:00:00", ("20260706-13:00", "20260706-21:00")),
        ("2026-10-31T15:00:00", ("20261031-13:00", "20261031-21:00")),
        ("2026-11-01T15:00:00", ("20261101-14:00", "20261101-22:00")),
    ],
)
def test_sch_10_local_hours_keep_their_utc_meaning(
    time: str, expected: tuple[str, str]
) -> None:
    assert window_at(NEW_YORK, time) == expected


@pytest.mark.parametrize(
    ("start", "end", "time", "expected"),
    [
        # 02:30 is skipped: the window begins, or ends, with the change at 07:00 UTC.
        ("02:30:00", "09:00:00", "2026-03-08T07:00:00", ("20260308-07:00", "20260308-13:00")),
        ("02:30:00", "09:00:00", "2026-03-08T06:59:59", None),
        ("00:00:00", "02:30:00", "2026-03-08T06:59:59", ("20260308-05:00", "20260308-07:00")),
        # Skipped whole: that day has no session.
        ("02:15:00", "02:45:00", "2026-03-08T07:00:00", None),
        # 01:30 comes twice: the first counts, for the begin and for the end.
        ("01:30:00", "09:00:00", "2026-11-01T05:30:00", ("20261101-05:30", "20261101-14:00")),
        ("01:30:00", "09:00:00", "2026-11-01T06:15:00", ("20261101-05:30", "20261101-14:00")),
        ("00:00:00", "01:30:00", "2026-11-01T05:29:00", ("20261101-04:00", "20261101-05:30")),
        ("00:00:00", "01:30:00", "2026-11-01T06:15:00", None),
    ],
)
def test_sch_10_a_time_that_is_skipped_or_comes_twice(
    start: str, end: str, time: str, expected: tuple[str, str] | None
) -> None:
    schedule = Schedule(start=start, end=end, time_zone="America/New_York")
    assert window_at(schedule, time) == expected


def test_sch_10_a_zone_that_skips_a_day_skips_its_session() -> None:
    # Samoa had no 30 December 2011, a Friday.
    daily = Schedule(start="09:00:00", end="17:00:00", time_zone="Pacific/Apia")
    thursday_night = parse_start("2011-12-30T04:00:00")
    assert shown(daily.window(daily.next_open(thursday_night))) == (
        "20111230-19:00",
        "20111231-03:00",
    )
    weekly = replace(daily, start_day="Fri", end_day="Fri")
    assert shown(weekly.window(weekly.next_open(thursday_night))) == (
        "20120105-19:00",
        "20120106-03:00",
    )


def test_sch_10_midnight_may_come_twice() -> None:
    # In Havana clocks went from 01:00 back to 00:00 on 1 November 2026.
    schedule = Schedule(start="00:00:00", end="00:00:00", time_zone="America/Havana")
    first = parse_start("2026-11-01T04:00:00")
    for minutes in range(0, 25 * 60, 5):
        assert schedule.window(first + minutes * 60 * NANOSECONDS) == (
            first,
            first + 25 * 3600 * NANOSECONDS,
        )


def test_sch_10_a_change_may_lead_back_to_the_day_before() -> None:
    # In St. John's clocks went from 00:01 on 7 November 2010 back to 23:01 on the sixth.
    schedule = Schedule(start="00:00:00", end="00:00:00", time_zone="America/St_Johns")
    midnight = parse_start("2010-11-07T02:30:00")
    for minutes in range(0, 25 * 60, 5):
        window = replace(schedule).window(midnight + minutes * 60 * NANOSECONDS)
        assert window == (midnight, midnight + 25 * 3600 * NANOSECONDS)


# Zones with changes at odd times and by odd amounts, and some with none.
ZONES = (
    "UTC",
    "America/New_York",
    "America/Havana",
    "America/Sao_Paulo",
    "Australia/Lord_Howe",
    "Europe/London",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Pacific/Apia",
    "Africa/Casablanca",
)
TIMES = st.builds(
    lambda hour, quarter: f"{hour:02}:{15 * quarter:02}:00",
    # Early hours are where clocks change.
    st.one_of(st.integers(0, 3), st.integers(0, 23)),
    st.integers(0, 3),
)
DAY = st.sampled_from(DAYS)
SCHEDULES = st.one_of(
    st.builds(Schedule, start=TIMES, end=TIMES, time_zone=st.sampled_from(ZONES)),
    st.builds(
        Schedule,
        start=TIMES,
        end=TIMES,
        weekdays=st.lists(DAY, min_size=1, max_size=7).map(tuple),
        time_zone=st.sampled_from(ZONES),
    ),
    st.builds(
        Schedule,
        start=TIMES,
        end=TIMES,
        start_day=DAY,
        end_day=DAY,
        time_zone=st.sampled_from(ZONES),
    ),
)
# A quarter of an hour between 2000 and 2037; a third of them near a change in some zone.
QUARTERS = st.one_of(
    st.datetimes(datetime(2000, 1, 1), datetime(2037, 1, 1)),  # noqa: DTZ001
    st.builds(
        lambda day, hours: datetime.fromisoformat(day) + timedelta(hours=hours),
        st.sampled_from(
            ["2026-03-08", "2026-11-01", "2011-12-30", "2018-11-04", "2019-02-17", "2026-04-05"]
        ),
        st.integers(-40, 40),
    ),
).map(lambda moment: moment.replace(minute=0, second=0, microsecond=0, tzinfo=UTC))


@cache
def wall_clock(zone: str, since: datetime, quarters: int) -> list[tuple[int, datetime]]:
    """(ns, highest wall time so far) at every quarter of an hour."""
    found, highest = [], datetime.min  # noqa: DTZ901
    for step in range(quarters):
        moment = since + step * QUARTER
        highest = max(highest, moment.astimezone(zoneinfo.ZoneInfo(zone)).replace(tzinfo=None))
        found.append((ns(moment), highest))
    return found


def windows_by_watching(schedule: Schedule, around: datetime) -> list[tuple[int, int]]:
    """Every window near `around`, found by looking at the zone's clock each quarter hour."""
    clock = wall_clock(schedule.time_zone, around - timedelta(days=18), 36 * 96)

    def first_reading(wall: datetime) -> int | None:
        if wall <= clock[0][1]:
            return None
        return next((time for time, highest in clock if highest >= wall), None)

    found = []
    day = clock[0][1].date()
    while day <= clock[-1][1].date():
        weekly = schedule.start_day is not None
        begins = (
            DAYS[day.weekday()] == schedule.start_day
            if weekly
            else schedule.weekdays is None or DAYS[day.weekday()] in schedule.weekdays
        )
        if begins:
            start = datetime.fromisoformat(f"{day} {schedule.start}")
            end = datetime.fromisoformat(f"{day} {schedule.end}")
            while end <= start or (weekly and DAYS[end.weekday()] != schedule.end_day):
                end += timedelta(days=1)
            begin_time, end_time = first_reading(start), first_reading(end)
            if begin_time is not None and end_time is not None and begin_time < end_time:
                found.append((begin_time, end_time))
        day += timedelta(days=1)
    return found


@settings(max_examples=80, deadline=None)
@given(schedule=SCHEDULES, around=QUARTERS, nanoseconds=st.integers(-1, 1))
@example(
    schedule=Schedule(start="02:15:00", end="02:45:00", time_zone="America/New_York"),
    around=datetime(2026, 3, 8, 7, tzinfo=UTC),
    nanoseconds=0,
)
def test_sch_01_the_windows_are_those_that_a_watcher_of_the_clock_sees(
    schedule: Schedule, around: datetime, nanoseconds: int
) -> None:
    windows = windows_by_watching(schedule, around)
    now = ns(around) + nanoseconds
    lasting = next((pair for pair in windows if pair[0] <= now < pair[1]), None)
    assert schedule.window(now) == lasting
    assert schedule.is_open(now) is (lasting is not None)
    assert schedule.next_close(now) == (lasting[1] if lasting else None)
    assert schedule.next_open(now) == next(begin for begin, _ in windows if begin > now)
    assert schedule.same_session(now, now) is (lasting is not None)


@settings(max_examples=30, deadline=None)
@given(schedule=SCHEDULES, around=QUARTERS, steps=st.lists(st.integers(-400, 400), max_size=12))
def test_sch_10_an_answer_never_depends_on_the_question_before(
    schedule: Schedule, around: datetime, steps: list[int]
) -> None:
    now = ns(around)
    for step in steps:
        now += step * 15 * 60 * NANOSECONDS
        assert schedule.window(now) == replace(schedule).window(now)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"start": "9:00:00"}, "start must be a time of day HH:MM:SS, found '9:00:00'"),
        ({"end": "24:00:00"}, "end must be a time of day"),
        ({"end": "09:00:60"}, "end must be a time of day"),
        ({"end": "09:00:0\u0663"}, "end must be a time of day"),
        ({"end": None}, "end must be a time of day"),
        ({"start_day": "Mon"}, "needs start_day and end_day"),
        ({"end_day": "Mon"}, "needs start_day and end_day"),
        ({"start_day": "M", "end_day": "Fri"}, "start_day must be a day such as Monday"),
        ({"start_day": "Mon", "end_day": "Frei"}, "end_day must be a day"),
        ({"start_day": "Mon", "end_day": "Fri", "weekdays": ("Mon",)}, "daily schedule"),
        ({"weekdays": ()}, "weekdays must name one day or more"),
        ({"weekdays": "Mon"}, "weekdays must be a tuple of days"),
        ({"weekdays": ("Mon", "")}, "weekdays must be a day"),
        ({"time_zone": "Mars/Olympus"}, "time_zone must be an IANA name"),
        ({"time_zone": "America"}, "time_zone must be an IANA name"),
        ({"time_zone": "../../etc/passwd"}, "time_zone must be an IANA name"),
        ({"time_zone": ""}, "time_zone must be an IANA name"),
        ({"time_zone": None}, "time_zone must be an IANA name"),
    ],
)
def test_a_schedule_that_cannot_work_is_refused(wrong: dict[str, object], message: str) -> None:
    right: dict[str, object] = {"start": "09:00:00", "end": "17:00:00"}
    with pytest.raises(ConfigError, match=message):
        Schedule(**(right | wrong))  # type: ignore[arg-type]


def test_without_a_time_zone_database_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def not_found(name: str) -> zoneinfo.ZoneInfo:
        raise zoneinfo.ZoneInfoNotFoundError(name)

    monkeypatch.setattr(schedule_module, "ZoneInfo", not_found)
    monkeypatch.setattr(schedule_module, "available_timezones", set)
    with pytest.raises(ConfigError, match="tzdata"):
        Schedule(start="09:00:00", end="17:00:00", time_zone="America/New_York")
    # UTC needs none.
    assert Schedule(start="00:00:00", end="12:00:00").is_open(0)


@pytest.mark.parametrize("now", [-1, parse_start("9999-12-01T00:00:00"), 1 << 80])
def test_a_time_without_a_date_is_refused(now: int) -> None:
    with pytest.raises(ConfigError, match="outside the years 1970 to 9999"):
        NEW_YORK.window(now)
    with pytest.raises(ConfigError, match="outside the years 1970 to 9999"):
        NEW_YORK.next_open(now)


@pytest.mark.parametrize("text", ["1970-01-01T00:00:00", "9999-10-31T23:59:59"])
def test_the_first_and_the_last_time_have_an_answer(text: str) -> None:
    now = parse_start(text)
    assert NEW_YORK.window(now) is None
    assert NEW_YORK.next_open(now) > now


def test_a_schedule_is_a_value() -> None:
    one = Schedule(start="09:00:00", end="17:00:00", weekdays=("fr", "MON", "Monday"))
    assert one == Schedule(start="09:00:00", end="17:00:00", weekdays=("Monday", "Friday"))
    one.window(parse_start("2026-01-05T10:00:00"))
    assert pickle.loads(pickle.dumps(one)) == one == replace(one)
    assert hash(one) == hash(replace(one))
    assert repr(one) == (
        "Schedule(start='09:00:00', end='17:00:00', start_day=None, end_day=None, "
        "weekdays=('Monday', 'Friday'), time_zone='UTC')"
    )
