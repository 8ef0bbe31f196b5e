"""One academic year of some students: their lessons, who attends, who drops out, which grades they get."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from erp.careers import CONTRAT_PRO
from erp.draws import Bools, Days, Floats, Ints, logistic
from erp.model import MODEL
from erp.people import Students
from erp.times import END, NEVER, add_months, day, months_between
from erp.timetable import SEMESTER_SUBJECTS, SUBJECTS_A_LEVEL, semester_starts

STATUSES = np.array(["present", "late", "excused", "absent"], dtype=object)
EXAMS = np.array(["continuous", "final", "resit"], dtype=object)
FINAL, RESIT = 1, 2
LATE_SHARE = 0.08  # of those who attend
EXCUSED_SHARE = 0.35  # of those who do not


@dataclass(kw_only=True)
class Progress:
    """How far the students have come; the simulation moves it on year by year.

    left:      first day not enrolled, or NEVER.
    held, attended: lessons of the student so far, and those attended.
    recorded:  attendances written.
    host:      the company of the last year's contract (index), or -1.
    graduated: set at the end.
    """

    left: Days
    held: Ints
    attended: Ints
    recorded: Ints
    host: Ints
    graduated: Bools


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """Some students in one academic year.

    students:   their indices.
    contract:   what each signs on 1 October if still enrolled.
    lesson_day: dates of the lessons of their groups, shape (students, lessons).
    status:     index into STATUSES that each would have if enrolled, same shape.
    """

    year: int
    students: Ints
    level: Ints
    group: Ints
    contract: Ints
    lesson_day: Days
    status: npt.NDArray[np.int8]


def draw_status(rng: np.random.Generator, chance: Floats, lessons: int) -> npt.NDArray[np.int8]:
    """Whether students attend lessons, each with its own chance; shape (students, lessons)."""
    luck = rng.random((len(chance), lessons), dtype=np.float32)
    limit = chance.astype(np.float32)[:, None]
    status = np.full(luck.shape, 3, np.int8)
    status[luck < limit + (1 - limit) * EXCUSED_SHARE] = 2
    status[luck < limit] = 0
    status[luck < limit * LATE_SHARE] = 1
    return status


def draw_dropouts(rng: np.random.Generator, cohort: Cohort, students: Students, progress: Progress) -> None:
    """Go through the year's months and let students leave by `DropoutModel`; moves `progress` on."""
    who, join = cohort.students, students.join[cohort.students]
    mine = cohort.lesson_day >= join[:, None]
    attended = mine & (cohort.status <= 1)
    last_day = np.minimum(students.graduation[who], END)
    day_of_month = (join - join.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64)
    for step in range(12):
        starts = add_months(np.full(len(who), day(cohort.year, 9, 1)), step) + day_of_month
        ends = add_months(starts, 1)
        month = months_between(join, starts)
        at_risk = (progress.left[who] == NEVER) & (month >= 0) & (ends <= last_day)
        before = cohort.lesson_day < starts[:, None]
        held = progress.held[who] + (mine & before).sum(axis=1)
        came = progress.attended[who] + (attended & before).sum(axis=1)
        has_contract = (cohort.contract == CONTRAT_PRO) & (step >= 1)
        chance = _hazard(month, held, came, has_contract, students.away[who])
        leaves = at_risk & (rng.random(len(who)) < chance)
        days_in = (rng.random(len(who)) * (ends - starts).astype(np.int64)).astype(np.int64)
        progress.left[who] = np.where(leaves, starts + days_in, progress.left[who])
    progress.held[who] += mine.sum(axis=1)
    progress.attended[who] += attended.sum(axis=1)


def _hazard(month: Ints, held: Ints, attended: Ints, contrat_pro: Bools, away: Bools) -> Floats:
    model = MODEL.dropout
    rate = np.where(held > 0, attended / np.maximum(held, 1), model.attendance_centre)
    return logistic(
        model.intercept
        + model.early * (month < model.early_months)
        + model.attendance * (rate - model.attendance_centre)
        + model.contrat_pro * contrat_pro
        + model.away * away
    )


@dataclass(frozen=True, kw_only=True)
class GradeRows:
    """Grades of one cohort, one array a column; student and subject (of the level) are indices."""

    student: Ints
    level: Ints
    subject: Ints
    exam: Ints
    grade: Floats
    missing: Bools
    graded_on: Days

    def __len__(self) -> int:
        return len(self.student)


def draw_grades(
    rng: np.random.Generator, cohort: Cohort, students: Students, progress: Progress, expected: Floats, effects: Floats
) -> GradeRows:
    """Grade the cohort by `GradeModel` in all exams that fall into its enrolment.

    expected: per student, all that does not depend on the exam. effects: by level and subject.
    """
    model, who = MODEL.grades, cohort.students
    shape = (len(who), SUBJECTS_A_LEVEL, len(EXAMS))
    exam_effect = np.array([0.0, model.final_effect, model.resit_effect])
    mean = expected[who][:, None, None] + effects[cohort.level - 1][:, :, None] + exam_effect
    grade = np.round(np.clip(mean + model.noise_sd * rng.standard_normal(shape), 0.0, 100.0), 2)
    missing = rng.random(shape) < model.missing_share
    on = exam_days(cohort.year)
    exists = (students.join[who][:, None, None] <= on) & (on < progress.left[who][:, None, None])
    exists[:, :, RESIT] &= exists[:, :, FINAL] & ~missing[:, :, FINAL] & (grade[:, :, FINAL] < model.resit_below)
    row, subject, exam = np.nonzero(exists)
    return GradeRows(
        student=who[row],
        level=cohort.level[row],
        subject=subject,
        exam=exam,
        grade=grade[exists],
        missing=missing[exists],
        graded_on=on[subject, exam],
    )


def exam_days(year: int) -> Days:
    """Dates of the exams by subject (of a level) and exam."""
    subject = np.arange(SUBJECTS_A_LEVEL)
    first = np.array(semester_starts(year))[subject // SEMESTER_SUBJECTS] + subject % SEMESTER_SUBJECTS
    return np.stack([first + 6 * 7, first + 13 * 7, first + 18 * 7], axis=1)
