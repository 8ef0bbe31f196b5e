"""Dates of the school, checked against the standard library's calendars."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from erp.times import academic_year, add_months, monday_from, months_between, paris_to_utc


def days(*dates: str) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    return np.array(dates, dtype="datetime64[D]")


def test_paris_time_is_the_time_zone_databases() -> None:
    first = date(2016, 9, 1)
    calendar = [first + timedelta(days=n) for n in range(3653)]
    wanted = [
        datetime(d.year, d.month, d.day, 9, 30, tzinfo=ZoneInfo("Europe/Paris")).astimezone(UTC).replace(tzinfo=None)
        for d in calendar
    ]
    got = paris_to_utc(np.array(calendar, dtype="datetime64[D]"), np.full(len(calendar), 9 * 60 + 30))
    assert got.astype(datetime).tolist() == wanted


def test_academic_year_starts_in_september() -> None:
    assert academic_year(days("2019-08-31", "2019-09-01", "2020-01-15")).tolist() == [2018, 2019, 2019]


def test_months_keep_the_day_and_cross_years() -> None:
    assert add_months(days("2019-11-03", "2020-02-28"), 3).tolist() == [date(2020, 2, 3), date(2020, 5, 28)]
    assert months_between(days("2019-11-03"), days("2020-02-01")).tolist() == [3]


def test_monday_from_a_monday_is_that_day() -> None:
    assert monday_from(np.datetime64("2026-09-14")) == np.datetime64("2026-09-14")
    assert monday_from(np.datetime64("2026-09-15")) == np.datetime64("2026-09-21")
