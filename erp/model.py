"""The planted truth: the parameters of every effect in the demonstration ERP, and the exact models that they belong to.

`python -m erp generate` draws from these models and writes them to truth.json, so that an analysis can be checked.
Effects of regions, institutions and competitor schools stand in reference/*.csv.
"""

from dataclasses import dataclass, field

FIRST_YEAR = 2016  # academic years are named by the calendar year in which they start
END_YEAR = 2026  # the data ends with 31 August of this year


@dataclass(frozen=True, kw_only=True)
class GradeModel:
    """A grade in points of 100, in exams 'continuous' and 'final'.

    grade = intercept + institution + region + subject + exam + student + noise, clipped to 0..100, rounded to 0.01.
    institution: of students.origin_institution; region: of students.home_region_code; 0 where that is NULL.
    subject: a normal effect drawn per seed, centred within level and semester. student, noise: normal, mean 0.
    A share of grades is missing at random. Resits exist for finals below the mark: a selected sample.
    """

    intercept: float = 60.5
    final_effect: float = -1.5
    subject_sd: float = 2.5
    student_sd: float = 6.0
    noise_sd: float = 9.0
    missing_share: float = 0.03
    resit_below: float = 50.0
    resit_effect: float = 6.0


@dataclass(frozen=True, kw_only=True)
class DropoutModel:
    """Leaving without graduating, in discrete time: one chance per student and month since joining.

    Month k = 0, 1, ... of a student runs from join_date + k calendar months to the day before join_date + (k + 1)
    months. A student is at risk in month k if enrolled at its first day and the whole month lies before the planned
    graduation and before the end of the data. logit(hazard) = intercept + early * [k < early_months]
    + attendance * (rate - attendance_centre) + contrat_pro * [a contrat_pro covers the month's first day]
    + away * [home_region_code is not NULL and differs from the campus's region].
    rate: lessons attended (present or late) of all the student's lessons before the month's first day, since joining;
    the term is 0 before the first lesson. Dropouts are rows with left_reason <> 'graduated'; left_date lies within
    month k.
    """

    intercept: float = -5.0
    early: float = 0.9
    early_months: int = 3
    attendance: float = -4.0
    attendance_centre: float = 0.85
    contrat_pro: float = -0.9
    away: float = 0.45


@dataclass(frozen=True, kw_only=True)
class IntakeModel:
    """Enrolments of a campus in a month, by students.created_at (the signature), Europe/Paris.

    Poisson with mean organic + sum over kinds of incremental[kind] * (events of that kind at that campus in the
    calendar month before, by events.starts_at, Europe/Paris). log(organic) = intercept
    + bac_holders * log(catchment_bac_holders / 10000) + competitors * log(1 + competitor_schools)
    + growth_per_year * (months since September 2016) / 12 + log(season[calendar month]), from the campus's opening
    month on. The intercept follows from the scale and stands in truth.json. contacted_share: of the organic
    enrolments, how many also visited an event of their campus in the six calendar months before (if there was one);
    visiting did not cause them.
    """

    bac_holders: float = 0.7
    competitors: float = -0.25
    growth_per_year: float = 0.04
    season: tuple[float, ...] = (0.9, 1.1, 1.5, 1.6, 1.5, 1.4, 1.0, 1.0, 0.9, 0.4, 0.35, 0.35)  # January to December
    incremental: dict[str, float] = field(default_factory=lambda: {"open_day": 1.4, "fair": 0.8, "webinar": 0.35})
    contacted_share: float = 0.18


@dataclass(frozen=True, kw_only=True)
class ContratProModel:
    """Signing a contrat_pro: one chance per academic year for each student at level 3, 4 or 5 enrolled on 1 October.

    Enrolled: join_date before 1 October, left_date NULL or after it; level = entry_level + academic years since
    joining; from planned years only (nobody is enrolled after graduating). logit(chance) = intercept
    + density * log(partners per 1000 bac holders) + level_4 * [level 4] + level_5 * [level 5].
    partners: companies with partner_since before that 1 October in the region of the campus; bac holders: the sum of
    catchment_bac_holders of the region's campuses. A contract starts on 1 October and ends on 31 August, or is broken
    when the student leaves. The intercept is that of 1500 companies, as at scale 1; truth.json gives the intercept of
    its scale, such that the share of contracts stays.
    """

    intercept: float = -2.4
    density: float = 0.8
    level_4: float = 0.4
    level_5: float = 0.7


@dataclass(frozen=True, kw_only=True)
class HireModel:
    """Days from graduation (left_date with left_reason 'graduated') to hired_at, rounded to the day, at least 1.

    log(days) = log_median + host_company * [host] + sd * noise, noise normal. Censored: hired_at is NULL when it would
    lie after the end of the data. host: a contrat_pro or apprentissage covered the day of graduation.
    host_share: of hired students with a host company, how many it hires itself.
    """

    log_median: float = 4.6
    host_company: float = -0.8
    sd: float = 0.9
    host_share: float = 0.5


@dataclass(frozen=True, kw_only=True)
class DirtModel:
    """What is wrong with the data on purpose, as shares of rows, each at random.

    unlinked: converted contacts without student_id; they match by lower(trim(audiences.email)) = lower(trim(
    students.personal_email)), which is unique. capitals, blank: audiences.email in capitals, or with a blank before.
    mixed_case: students.personal_email with capital initials. missing_email: students.personal_email NULL (never for a
    student whose contact is unlinked). unnamed_school: next_school NULL although left_reason is 'competitor'.
    """

    unlinked: float = 0.20
    capitals: float = 0.08
    blank: float = 0.06
    mixed_case: float = 0.04
    missing_email: float = 0.05
    unnamed_school: float = 0.15


@dataclass(frozen=True, kw_only=True)
class Model:
    """All planted models together."""

    grades: GradeModel = field(default_factory=GradeModel)
    dropout: DropoutModel = field(default_factory=DropoutModel)
    intake: IntakeModel = field(default_factory=IntakeModel)
    contrat_pro: ContratProModel = field(default_factory=ContratProModel)
    hire: HireModel = field(default_factory=HireModel)
    dirt: DirtModel = field(default_factory=DirtModel)


MODEL = Model()
