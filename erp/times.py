"""Dates of the school: academic years, months since joining, Paris time."""

import numpy as np

from erp.draws import Days, Ints
from erp.model import END_YEAR, FIRST_YEAR

START = np.datetime64(f"{FIRST_YEAR}-09-01", "D")
END = np.datetime64(f"{END_YEAR}-09-01", "D")  # the first day that is not in the data
START_MONTH = np.datetime64(f"{FIRST_YEAR}-09", "M")
MONTHS = (END_YEAR - FIRST_YEAR) * 12
NEVER = np.datetime64("2200-01-01", "D")  # in place of a date that has not come
YEARS = range(FIRST_YEAR, END_YEAR)
MINUTES_A_DAY = 1440


def day(year: int, month: int, number: int) -> np.datetime64:
    """One date."""
    return np.datetime64(f"{year:04d}-{month:02d}-{number:02d}", "D")


def month_start(months: Ints) -> Days:
    """First days of months, counted from the first month of the data."""
    return np.asarray(START_MONTH + months, dtype="datetime64[D]")


def academic_year(days: Days) -> Ints:
    """The academic year (1 September to 31 August) of each date, by the calendar year it starts in."""
    months = days.astype("datetime64[M]").astype(np.int64) + 1970 * 12
    return np.asarray((months - 8) // 12, dtype=np.int64)


def add_months(days: Days, months: Ints | int) -> Days:
    """The same day of the month, some calendar months later; the days must be at most the 28th."""
    start = days.astype("datetime64[M]")
    shifted: Days = (start + months).astype("datetime64[D]")
    return np.asarray(shifted + (days - start.astype("datetime64[D]")))


def months_between(first: Days, last: Days) -> Ints:
    """Calendar months from the month of `first` to the month of `last`."""
    months = last.astype("datetime64[M]") - first.astype("datetime64[M]")
    return np.asarray(months, dtype=np.int64)


def paris_to_utc(days: Days, minutes: Ints) -> Days:
    """Instants in UTC (to the second) of local times in Paris, given as date and minutes since midnight (from 3:00 on).

    Summer time runs from the last Sunday of March to the last Sunday of October.
    """
    years = days.astype("datetime64[Y]")
    summer = (days >= _last_sunday(years, 3)) & (days < _last_sunday(years, 10))
    local = days.astype("datetime64[s]") + (minutes * 60).astype("timedelta64[s]")
    return np.asarray(local - np.where(summer, 7200, 3600).astype("timedelta64[s]"))


def _last_sunday(years: Days, month: int) -> Days:
    last = (years.astype("datetime64[M]") + month).astype("datetime64[D]") - 1
    weekday = (last.astype(np.int64) + 3) % 7  # 0 is Monday: 1970-01-01 was a Thursday
    return np.asarray(last - (weekday + 1) % 7)


def monday_from(date: np.datetime64) -> np.datetime64:
    """The first Monday at or after a date."""
    return date + (-(int(date.astype(np.int64)) + 3)) % 7


def at_office_hours(rng: np.random.Generator, days: Days, within: int = 1) -> Days:
    """Instants on these days, or up to `within` - 1 days later, between 8 and 16 o'clock UTC."""
    later = rng.integers(0, within, len(days))
    second = rng.integers(8 * 3600, 16 * 3600, len(days))
    return np.asarray((days + later).astype("datetime64[s]") + second.astype("timedelta64[s]"))
