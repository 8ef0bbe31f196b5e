"""The ten academic years, one after the other: lessons, attendances, grades and apprenticeships as they happen."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from erp import careers
from erp.draws import Bools, Days, Ints, stream
from erp.people import Students
from erp.school import School
from erp.studies import (
    EXAMS,
    STATUSES,
    Cohort,
    Progress,
    draw_dropouts,
    draw_grades,
    draw_status,
)
from erp.tables import TableWriter, date_or_null, number_or_null, pick
from erp.times import END, NEVER, YEARS, at_office_hours, day, paris_to_utc
from erp.timetable import (
    LESSONS,
    SUBJECT_OF_LESSON,
    SUBJECTS_A_LEVEL,
    Groups,
    Timetable,
    draw_timetable,
    form_groups,
)

BLOCK = 5_000  # students simulated at once: bounds the memory
NO_PROFESSOR = 0.02


@dataclass(frozen=True, kw_only=True)
class Writers:
    """Where the years write."""

    lessons: TableWriter
    attendances: TableWriter
    grades: TableWriter
    apprenticeships: TableWriter


def run_years(school: School, writers: Writers, pass_year: Callable[[int], None]) -> Progress:
    """Let all years pass, calling `pass_year` after each; returns how far the students came, graduations included."""
    size = len(school.students)
    progress = Progress(
        left=np.full(size, NEVER),
        held=np.zeros(size, np.int64),
        attended=np.zeros(size, np.int64),
        recorded=np.zeros(size, np.int64),
        host=np.full(size, -1),
        graduated=np.zeros(size, np.bool_),
    )
    for year in YEARS:
        _run_year(school, year, progress, writers)
        pass_year(year)
    progress.graduated = (progress.left == NEVER) & (school.students.graduation < END)
    progress.left = np.where(progress.graduated, school.students.graduation, progress.left)
    return progress


def _run_year(school: School, year: int, progress: Progress, writers: Writers) -> None:
    students = school.students
    last_year = students.join_year + students.exit_level - students.entry_level
    present = (students.join_year <= year) & (year <= last_year) & (progress.left > day(year, 9, 1))
    who = np.flatnonzero(present)
    if len(who) == 0:
        return
    level = students.entry_level[who] + year - students.join_year[who]
    groups = form_groups(students.campus[who], level)
    timetable = draw_timetable(stream(school.seed, "timetable", year), groups, year)
    first_lesson = writers.lessons.rows + 1
    starts = paris_to_utc(timetable.day, timetable.minute)
    _write_lessons(school, year, groups, timetable, starts, writers.lessons)
    for block in range(0, len(who), BLOCK):
        part = slice(block, block + BLOCK)
        rng = stream(school.seed, "studies", year * 10_000 + block // BLOCK)
        group = groups.of_student[part]
        cohort = _cohort(rng, school, year, who[part], level[part], group, timetable)
        draw_dropouts(rng, cohort, students, progress)
        _write_attendances(rng, cohort, students, progress, starts, first_lesson, writers.attendances)
        _write_grades(rng, cohort, school, progress, writers.grades)
        _write_apprenticeships(rng, cohort, school, progress, last_year[who[part]] == year, writers.apprenticeships)


def _cohort(
    rng: np.random.Generator, school: School, year: int, who: Ints, level: Ints, group: Ints, timetable: Timetable
) -> Cohort:
    students, reference = school.students, school.reference
    region = reference.campuses.region[students.campus[who]]
    log_odds = careers.contrat_pro_log_odds(school.scale, school.companies, reference, region, year)
    return Cohort(
        year=year,
        students=who,
        level=level,
        group=group,
        contract=careers.draw_contracts(rng, log_odds, level, students.join[who], year),
        lesson_day=timetable.day[group],
        status=draw_status(rng, students.attendance[who], LESSONS),
    )


def _write_lessons(
    school: School, year: int, groups: Groups, timetable: Timetable, starts: Days, writer: TableWriter
) -> None:
    rng = stream(school.seed, "lessons", year)
    size = starts.size
    campus = np.repeat(groups.campus, LESSONS)
    teacher = school.professors.pick(rng, campus, year)
    subject = (groups.level[:, None] - 1) * SUBJECTS_A_LEVEL + SUBJECT_OF_LESSON
    writer.write(
        {
            "id": np.arange(size) + writer.rows + 1,
            "subject_id": pick(school.reference.subject_ids, subject.ravel()),
            "campus_id": campus + 1,
            "professor_id": number_or_null(teacher, rng.random(size) < NO_PROFESSOR),
            "academic_year": np.full(size, year),
            "group_no": np.repeat(groups.number, LESSONS),
            "starts_at": starts.ravel(),
            "duration_min": timetable.duration.ravel(),
            "is_online": timetable.online.ravel(),
            "updated_at": starts.ravel() - rng.integers(1, 40 * 86_400, size).astype("timedelta64[s]"),
        }
    )


def _write_attendances(
    rng: np.random.Generator,
    cohort: Cohort,
    students: Students,
    progress: Progress,
    starts: Days,
    first_lesson: int,
    writer: TableWriter,
) -> None:
    """One row for every lesson of a student's group during the enrolment, in order of time."""
    who = cohort.students
    enrolled = (cohort.lesson_day >= students.join[who][:, None]) & (cohort.lesson_day < progress.left[who][:, None])
    progress.recorded[who] += enrolled.sum(axis=1)
    number, row = np.nonzero(enrolled.T)
    group = cohort.group[row]
    delay = rng.integers(0, 25 * 60, len(row)).astype("timedelta64[s]")
    writer.write(
        {
            "lesson_id": first_lesson + group * LESSONS + number,
            "student_id": who[row] + 1,
            "status": pick(STATUSES, cohort.status[row, number].astype(np.int64)),
            "recorded_at": starts[group, number] + delay,
        }
    )


def _write_grades(
    rng: np.random.Generator, cohort: Cohort, school: School, progress: Progress, writer: TableWriter
) -> None:
    rows = draw_grades(rng, cohort, school.students, progress, school.expected_grade, school.subject_effect)
    writer.write(
        {
            "id": np.arange(len(rows)) + writer.rows + 1,
            "student_id": rows.student + 1,
            "subject_id": pick(school.reference.subject_ids, (rows.level - 1) * SUBJECTS_A_LEVEL + rows.subject),
            "academic_year": np.full(len(rows), cohort.year),
            "exam": pick(EXAMS, rows.exam),
            "grade": number_or_null(rows.grade, rows.missing),
            "graded_on": rows.graded_on,
            "updated_at": at_office_hours(rng, rows.graded_on, 5),
        }
    )


def _write_apprenticeships(
    rng: np.random.Generator, cohort: Cohort, school: School, progress: Progress, last_year: Bools, writer: TableWriter
) -> None:
    """The contracts that were signed, internships of the others; remembers the hosts of those who will graduate."""
    year, who, left = cohort.year, cohort.students, progress.left[cohort.students]
    intern = (cohort.contract == careers.NONE) & (rng.random(len(who)) < careers.INTERNSHIP_CHANCE)
    kind = np.where(intern, careers.STAGE, cohort.contract)
    start = np.where(intern, day(year + 1, 6, 1), day(year, 10, 1))
    signed = (kind != careers.NONE) & (left > start)
    region = school.reference.campuses.region[school.students.campus[who]]
    company = careers.pick_partner(rng, school.companies, region, year)
    hosted = signed & ~intern & last_year
    progress.host[who] = np.where(hosted, company, progress.host[who])
    rows = np.flatnonzero(signed)
    kind, start, intern, left = kind[rows], start[rows], intern[rows], left[rows]
    end = np.where(intern, day(year + 1, 8, 14), day(year + 1, 8, 31))
    signed_on = start - rng.integers(3, 21, len(rows))
    pay = np.round(np.array([1150.0, 1050.0, 700.0])[kind] * (1 + 0.4 * rng.random(len(rows))), 2)
    writer.write(
        {
            "id": np.arange(len(rows)) + writer.rows + 1,
            "student_id": who[rows] + 1,
            "company_id": school.companies.ids[company[rows]],
            "kind": pick(careers.KINDS, kind),
            "signed_on": signed_on,
            "start_date": start,
            "end_date": end,
            "broken_on": date_or_null(np.where(left < end, left, NEVER)),
            "monthly_pay_eur": number_or_null(pay, rng.random(len(rows)) < 0.03),
            "updated_at": at_office_hours(rng, np.where(left < end, left, signed_on), 1),
        }
    )
