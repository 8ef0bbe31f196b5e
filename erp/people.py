"""Who the students are: what is drawn for each of them before the first lesson."""

from dataclasses import dataclass

import numpy as np

from erp.draws import Bools, Days, Floats, Ints, logistic, stream, weighted
from erp.intake import Enrolments
from erp.model import MODEL
from erp.reference import Names, Reference
from erp.times import academic_year

ENTRY_LEVEL_WEIGHT = np.array([54.0, 9.0, 14.0, 19.0, 4.0])
STOPS_AT_BACHELOR = 0.2
HOME_IS_NEAR = 0.72
UNKNOWN_HOME = 0.02
UNKNOWN_INSTITUTION = 0.015
FEMALE_SHARE = 0.24
NEITHER_SHARE = 0.004
ATTENDANCE_LOGIT_MEAN = 1.9
ATTENDANCE_LOGIT_SD = 0.8


@dataclass(frozen=True, kw_only=True)
class Students:
    """All students, one array a property; number i has id i + 1. Names, homes, institutions: indices (-1: unknown).

    gender:      0 female, 1 male, 2 neither.
    entry_level, exit_level: 1 to 5, the levels of the first and of the last planned year.
    graduation:  planned date.
    attendance:  chance to attend a lesson.
    ability:     points that this student's grades lie above the average.
    """

    campus: Ints
    first_name: Ints
    last_name: Ints
    gender: Ints
    born: Days
    home: Ints
    institution: Ints
    entry_level: Ints
    exit_level: Ints
    join: Days
    join_year: Ints
    graduation: Days
    away: Bools
    attendance: Floats
    ability: Floats

    def __len__(self) -> int:
        return len(self.campus)


def draw_students(seed: int, enrolments: Enrolments, reference: Reference) -> Students:
    """Draw what the enrolled students bring with them and what they plan."""
    rng = stream(seed, "students")
    size = len(enrolments)
    entry = weighted(rng, ENTRY_LEVEL_WEIGHT, size) + 1
    leaves_at_bachelor = (entry <= 3) & (rng.random(size) < STOPS_AT_BACHELOR)
    exit_level = np.where(leaves_at_bachelor, 3, 5)
    join = _join_dates(rng, enrolments.day)
    join_year = academic_year(join)
    gender = np.where(rng.random(size) < FEMALE_SHARE, 0, 1)
    first_name, last_name = draw_names(rng, reference.names, gender == 0)
    home = _homes(rng, reference, enrolments.campus)
    return Students(
        campus=enrolments.campus,
        first_name=first_name,
        last_name=last_name,
        gender=np.where(rng.random(size) < NEITHER_SHARE, 2, gender),
        born=_birthdays(rng, join_year, entry),
        home=home,
        institution=_institutions(rng, reference, entry),
        entry_level=entry,
        exit_level=exit_level,
        join=join,
        join_year=join_year,
        graduation=_graduations(rng, join_year + exit_level - entry),
        away=(home >= 0) & (home != reference.campuses.region[enrolments.campus]),
        attendance=logistic(rng.normal(ATTENDANCE_LOGIT_MEAN, ATTENDANCE_LOGIT_SD, size)),
        ability=rng.normal(0.0, MODEL.grades.student_sd, size),
    )


def draw_names(rng: np.random.Generator, names: Names, female: Bools) -> tuple[Ints, Ints]:
    """First and last names by their frequencies, as indices."""
    women = weighted(rng, names.first_weight * names.is_female, len(female))
    men = weighted(rng, names.first_weight * (1 - names.is_female), len(female))
    return np.where(female, women, men), weighted(rng, names.last_weight, len(female))


def draw_home_regions(rng: np.random.Generator, reference: Reference, campus: Ints) -> Ints:
    """Regions where people come from: mostly the campus's own, else by the number of bac holders."""
    anywhere = weighted(rng, reference.region_bac_holders, len(campus))
    return np.where(rng.random(len(campus)) < HOME_IS_NEAR, reference.campuses.region[campus], anywhere)


def _homes(rng: np.random.Generator, reference: Reference, campus: Ints) -> Ints:
    return np.where(rng.random(len(campus)) < UNKNOWN_HOME, -1, draw_home_regions(rng, reference, campus))


def _institutions(rng: np.random.Generator, reference: Reference, entry_level: Ints) -> Ints:
    institution = np.full(len(entry_level), -1)
    for level in range(1, 6):
        here = entry_level == level
        institution[here] = weighted(rng, reference.institution_weight[level - 1], int(here.sum()))
    return np.where(rng.random(len(entry_level)) < UNKNOWN_INSTITUTION, -1, institution)


def _join_dates(rng: np.random.Generator, signed: Days) -> Days:
    """First days at school: signed from February to August, in September or October; later, at the next intake."""
    month = signed.astype("datetime64[M]")
    number = month.astype(np.int64) % 12 + 1
    year = month.astype("datetime64[Y]").astype("datetime64[M]")
    spring = (number >= 2) & (number <= 8)
    late = spring & (rng.random(len(signed)) < 0.15)
    intake = np.select([late | (number == 9), spring, number == 1], [9, 8, 1], default=13)  # months after January
    days = np.where(intake == 8, 12, 10)
    first: Days = (year + intake).astype("datetime64[D]")
    return first + (rng.random(len(signed)) * days).astype(np.int64)


def _birthdays(rng: np.random.Generator, join_year: Ints, entry_level: Ints) -> Days:
    years_behind = np.minimum(rng.geometric(0.62, len(join_year)) - 1, 12)
    born_in = join_year - 17 - entry_level - years_behind
    january: Days = (born_in - 1970).astype("datetime64[Y]").astype("datetime64[D]")
    return january + rng.integers(0, 365, len(join_year))


def _graduations(rng: np.random.Generator, exit_year: Ints) -> Days:
    july: Days = ((exit_year + 1 - 1970) * 12 + 6).astype("datetime64[M]").astype("datetime64[D]")
    return july + rng.integers(0, 20, len(exit_year))
