"""All that is drawn before the first lesson."""

from dataclasses import dataclass

import numpy as np

from erp.careers import Companies, draw_companies
from erp.draws import Bools, Floats, stream
from erp.intake import Enrolments, Events, draw_enrolments, draw_events
from erp.model import MODEL
from erp.people import Students, draw_students
from erp.reference import Reference, read_reference
from erp.staff import Professors, draw_professors
from erp.timetable import SEMESTER_SUBJECTS, SUBJECTS_A_LEVEL


@dataclass(frozen=True, kw_only=True)
class School:
    """A demonstration school before its first lesson.

    unlinked:       the students whose contact at an event does not carry their id.
    subject_effect: points, by level and subject of the level.
    expected_grade: points, by student: all of `GradeModel` but subject, exam and noise.
    """

    seed: int
    scale: float
    reference: Reference
    companies: Companies
    professors: Professors
    events: Events
    enrolments: Enrolments
    students: Students
    unlinked: Bools
    subject_effect: Floats
    expected_grade: Floats


def draw_school(scale: float, seed: int) -> School:
    """Draw the school of this scale and seed; only the arrays of students grow with the scale."""
    reference = read_reference()
    events = draw_events(seed, scale, reference.campuses)
    enrolments = draw_enrolments(seed, scale, reference.campuses, events)
    students = draw_students(seed, enrolments, reference)
    luck = stream(seed, "unlinked").random(len(students))
    return School(
        seed=seed,
        scale=scale,
        reference=reference,
        companies=draw_companies(seed, scale, reference),
        professors=draw_professors(seed, scale, reference),
        events=events,
        enrolments=enrolments,
        students=students,
        unlinked=(enrolments.event >= 0) & (luck < MODEL.dirt.unlinked),
        subject_effect=_subject_effects(seed),
        expected_grade=_expected_grades(reference, students),
    )


def _subject_effects(seed: int) -> Floats:
    """Normal effects, centred within level and semester, so that levels do not differ on average."""
    shape = (5, SUBJECTS_A_LEVEL // SEMESTER_SUBJECTS, SEMESTER_SUBJECTS)
    effects = stream(seed, "subjects").normal(0.0, MODEL.grades.subject_sd, shape)
    effects -= effects.mean(axis=2, keepdims=True)
    return effects.reshape(5, SUBJECTS_A_LEVEL)


def _expected_grades(reference: Reference, students: Students) -> Floats:
    # An effect of 0 after the last: index -1, for unknown institutions and regions.
    institution = np.append(reference.institution_effect, 0.0)[students.institution]
    region = np.append(reference.region_effect, 0.0)[students.home]
    return np.asarray(MODEL.grades.intercept + institution + region + students.ability, dtype=np.float64)
