"""Schedule: when a session lasts. Pure functions of a time; no clock is read here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A daily or weekly window in a time zone (SCH-01)."""

    start: str
    end: str
    start_day: str | None = None
    end_day: str | None = None
    weekdays: tuple[str, ...] | None = None
    time_zone: str = "UTC"
