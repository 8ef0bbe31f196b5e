"""Recruiting events, and the enrolments that they and everything else bring: `IntakeModel`."""

from dataclasses import dataclass

import numpy as np

from erp.draws import Bools, Days, Floats, Ints, Strings, stream, weighted
from erp.model import MODEL
from erp.reference import Campuses
from erp.times import MINUTES_A_DAY, MONTHS, month_start

KINDS = np.array(["open_day", "fair", "webinar"], dtype=object)
EVENTS_AT_SCALE_1 = (900, 600, 900)
STUDENTS_AT_SCALE_1 = 10_000
EVENT_SEASON = np.array([1.5, 1.6, 1.7, 1.2, 1.0, 0.8, 0.3, 0.3, 0.6, 1.0, 1.0, 1.0])  # January to December
WEEKDAY = np.array([5, 4, 1])  # open days on Saturdays, fairs from Friday, webinars on Tuesdays
STARTS = np.array([9 * 60 + 30, 9 * 60, 18 * 60])  # minutes since midnight
LASTS = np.array([8 * 60, MINUTES_A_DAY + 9 * 60, 75])
COST_EUR = np.array([1800.0, 4200.0, 160.0])
FIRST_MONTH = 8  # September, counted from 0
CONTACT_MONTHS = 6


@dataclass(frozen=True, kw_only=True)
class Events:
    """Recruiting events in order of time; number i has id i + 1. kind and campus are indices, months count from 0."""

    kind: Ints
    campus: Ints
    month: Ints
    day: Days

    def __len__(self) -> int:
        return len(self.kind)


@dataclass(frozen=True, kw_only=True)
class Enrolments:
    """Signatures in order of time; number i is the student with id i + 1.

    event:  the event visited by the student, or -1.
    caused: whether that event brought the enrolment; else the student would have come anyway.
    """

    campus: Ints
    day: Days
    minute: Ints
    event: Ints
    caused: Bools
    intercept: float

    def __len__(self) -> int:
        return len(self.campus)


def draw_events(seed: int, scale: float, campuses: Campuses) -> Events:
    """Hold events at the open campuses, more at large ones and in spring; at least one of each kind."""
    rng = stream(seed, "events")
    calendar = (np.arange(MONTHS) + FIRST_MONTH) % 12
    weight = _open_months(campuses) * np.sqrt(campuses.bac_holders)[:, None] * EVENT_SEASON[calendar]
    kind, campus, month = [], [], []
    for number, expected in enumerate(EVENTS_AT_SCALE_1):
        count = max(1, int(rng.poisson(expected * scale)))
        cell = weighted(rng, weight.ravel(), count)
        kind.append(np.full(count, number))
        campus.append(cell // MONTHS)
        month.append(cell % MONTHS)
    kinds, months = np.concatenate(kind), np.concatenate(month)
    first = month_start(months)
    weekday = (first.astype(np.int64) + 3) % 7
    days = first + (WEEKDAY[kinds] - weekday) % 7 + 7 * rng.integers(0, 4, len(kinds))
    order = np.argsort(days, kind="stable")
    return Events(kind=kinds[order], campus=np.concatenate(campus)[order], month=months[order], day=days[order])


def draw_enrolments(seed: int, scale: float, campuses: Campuses, events: Events) -> Enrolments:
    """Draw each campus's enrolments month by month, organic and incremental."""
    rng = stream(seed, "enrolments")
    relative, intercept = _organic_weights(campuses, events, scale)
    organic = rng.poisson(np.exp(intercept) * relative).ravel()
    cell = np.repeat(np.arange(organic.size), organic)
    brought = rng.poisson(_per_event(events))
    event = np.concatenate([np.full(len(cell), -1), np.repeat(np.arange(len(events)), brought)])
    caused = event >= 0
    campus = np.where(caused, events.campus[event], np.concatenate([cell // MONTHS, np.zeros(brought.sum(), np.int64)]))
    month = np.where(
        caused, events.month[event] + 1, np.concatenate([cell % MONTHS, np.zeros(brought.sum(), np.int64)])
    )
    first = month_start(month)
    days = first + (rng.random(len(month)) * (month_start(month + 1) - first).astype(np.int64)).astype(np.int64)
    minutes = rng.integers(9 * 60, 18 * 60, len(month))
    visited = _visited_anyway(rng, campus, month, events)
    event = np.where(caused, event, visited)
    order = np.lexsort((minutes, days))
    return Enrolments(
        campus=campus[order],
        day=days[order],
        minute=minutes[order],
        event=event[order],
        caused=caused[order],
        intercept=intercept,
    )


def event_times(kind: Ints) -> tuple[Ints, Ints]:
    """Minutes since midnight at which events of these kinds start, and how many minutes they last."""
    return STARTS[kind], LASTS[kind]


def event_names(kind: Ints, city: Strings) -> Strings:
    """What the events are called."""
    words = np.array(
        ["Journée portes ouvertes de ", "Salon de l'étudiant de ", "Webinaire du campus de "], dtype=object
    )
    return np.asarray(words[kind] + city, dtype=object)


def _open_months(campuses: Campuses) -> Floats:
    return (np.arange(MONTHS) >= campuses.opened[:, None]).astype(np.float64)


def _per_event(events: Events) -> Floats:
    """Enrolments that each event brings on average; those of the last month come after the data."""
    rates = np.array([MODEL.intake.incremental[kind] for kind in KINDS])
    return np.where(events.month + 1 < MONTHS, rates[events.kind], 0.0)


def _organic_weights(campuses: Campuses, events: Events, scale: float) -> tuple[Floats, float]:
    """Organic means of all campus-months up to a factor, and the logarithm of that factor."""
    model = MODEL.intake
    size = model.bac_holders * np.log(campuses.bac_holders / 10_000) + model.competitors * np.log1p(
        campuses.competitors
    )
    months = np.arange(MONTHS)
    season = np.array(model.season)[(months + FIRST_MONTH) % 12]
    course = np.exp(model.growth_per_year * months / 12) * season
    relative = _open_months(campuses) * np.exp(size)[:, None] * course
    expected = sum(count * model.incremental[kind] for kind, count in zip(KINDS, EVENTS_AT_SCALE_1, strict=True))
    return relative, float(np.log((STUDENTS_AT_SCALE_1 - expected) * scale / relative.sum()))


def _visited_anyway(rng: np.random.Generator, campus: Ints, month: Ints, events: Events) -> Ints:
    """For a share of the enrolments, an event of the campus in the six months before; -1 for the others."""
    order = np.argsort(events.campus * 1000 + events.month, kind="stable")
    keys = (events.campus * 1000 + events.month)[order]
    first = np.searchsorted(keys, campus * 1000 + np.maximum(month - CONTACT_MONTHS, 0))
    count = np.searchsorted(keys, campus * 1000 + month) - first
    chosen = first + (rng.random(len(campus)) * count).astype(np.int64)
    visits = (rng.random(len(campus)) < MODEL.intake.contacted_share) & (count > 0)
    return np.where(visits, order[np.minimum(chosen, len(order) - 1)], -1)
