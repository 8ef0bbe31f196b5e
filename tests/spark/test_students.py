from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from erp_rows import rows_of
from pyspark.sql import DataFrame, Row, SparkSession

from spark.contracts import ERP
from spark.students import (
    attendance_by_student,
    grades_by_student,
    recruitment_by_student,
    students_with_indicators,
)

JOINED = date(2024, 9, 2)
MAY = datetime(2024, 5, 4, 10, 0, tzinfo=UTC)
JUNE = datetime(2024, 6, 8, 10, 0, tzinfo=UTC)

Rows = list[dict[str, Any]]


@pytest.fixture
def school(spark: SparkSession) -> "School":
    return School(spark)


class School:
    """Runs the job, or one part of it, on rows that a test has in view; answers by student id."""

    def __init__(self, spark: SparkSession) -> None:
        self.spark = spark

    def students(self, *rows: dict[str, Any]) -> DataFrame:
        filled = (
            {"personal_email": None, "join_date": JOINED, "email": f"s{row['id']}@ecole.fr"} | row for row in rows
        )
        return rows_of(self.spark, "students", *filled)

    def contacts(self, *rows: dict[str, Any]) -> DataFrame:
        plain = {"student_id": None, "email": None, "collected_at": MAY}
        return rows_of(self.spark, "audiences", *(plain | {"id": n} | row for n, row in enumerate(rows, 1)))

    def everything(self, *, students: Rows, grades: Rows, lessons: Rows, contacts: Rows) -> list[Row]:
        return students_with_indicators(
            students=self.students(*students),
            grades=rows_of(self.spark, "grades", *grades),
            attendances=rows_of(self.spark, "attendances", *lessons),
            audiences=self.contacts(*contacts),
        ).collect()

    def recruited(self, students: Rows, contacts: Rows) -> dict[int, int]:
        """Event by student, for those who were recruited."""
        rows = recruitment_by_student(self.students(*students), self.contacts(*contacts)).collect()
        events = {row.id: row.recruiting_event_id for row in rows}
        assert len(events) == len(rows), "one row a student"
        return events


def test_each_student_comes_out_once_in_the_order_of_ids_with_all_columns_and_the_indicators(school: School) -> None:
    nobody, someone = school.everything(
        students=[{"id": 2, "last_name": "L'Hôte"}, {"id": 1}],
        grades=[{"student_id": 2, "grade": Decimal("12.50")}, {"student_id": 2, "grade": Decimal("13.00")}],
        lessons=[{"student_id": 2, "status": "present"}, {"student_id": 2, "status": "absent"}],
        contacts=[{"student_id": 2, "event_id": 7}, {"student_id": 2, "event_id": 8}, {"email": "s2@ecole.fr"}],
    )
    assert list(someone.asDict()) == [
        *ERP["students"],
        "average_grade",
        "attendance_rate",
        "absences",
        "recruited_at_event",
        "recruiting_event_id",
    ]
    assert (someone.id, someone.last_name) == (2, "L'Hôte")
    assert someone[-5:] == (Decimal("12.750000"), 0.5, 1, True, 7)
    assert nobody.id == 1
    assert nobody[-5:] == (None, None, 0, False, None), "no record: no average, no rate, no absence"


def test_no_students_give_no_rows(school: School) -> None:
    assert school.everything(students=[], grades=[], lessons=[], contacts=[]) == []


def test_the_average_is_exact_rounds_half_up_at_the_sixth_decimal_and_leaves_missing_grades_out(
    school: School,
) -> None:
    cases: dict[str | None, list[str | None]] = {
        "0.003333": ["0.01", "0.00", "0.00"],
        "0.006667": ["0.01", "0.01", "0.00"],
        "0.000003": ["0.01"] + ["0.00"] * 3999,  # 0.0000025, a half: up
        "0.000002": ["0.01"] + ["0.00"] * 4000,
        "100.000000": ["100.00"] * 3,
        "10.010000": ["10.01", None],
        None: [None, None],
    }
    grades = [
        {"student_id": student, "grade": None if grade is None else Decimal(grade)}
        for student, given in enumerate(cases.values())
        for grade in given
    ]
    rows = grades_by_student(rows_of(school.spark, "grades", *grades)).collect()
    assert {row.id: row.average_grade for row in rows} == {
        student: None if average is None else Decimal(average) for student, average in enumerate(cases)
    }


def test_late_is_present_and_an_excused_absence_lowers_the_rate_but_is_no_absence(school: School) -> None:
    lessons = [{"student_id": 1, "status": s} for s in ("present", "late", "excused", "absent", "absent")]
    (row,) = attendance_by_student(rows_of(school.spark, "attendances", *lessons)).collect()
    assert row == (1, 0.4, 2)


def test_a_contact_with_the_students_id_recruits_whatever_its_email_says(school: School) -> None:
    contacts = [{"student_id": 1, "email": "s2@ecole.fr", "event_id": 7}]
    assert school.recruited([{"id": 1}, {"id": 2}], contacts) == {1: 7}


def test_a_contact_without_an_id_is_found_by_its_cleaned_email(school: School) -> None:
    students = [{"id": 1, "personal_email": " Zoé@Mail.fr"}, {"id": 2}, {"id": 3}]
    contacts = [{"email": "ZOÉ@MAIL.FR  ", "event_id": 7}, {"email": " s2@ecole.fr", "event_id": 8}]
    assert school.recruited(students, contacts) == {1: 7, 2: 8}


def test_nothing_matches_an_empty_email(school: School) -> None:
    students = [{"id": 1, "personal_email": None}, {"id": 2, "personal_email": ""}, {"id": 3, "personal_email": "  "}]
    assert school.recruited(students, [{"email": None}, {"email": ""}, {"email": "   "}]) == {}


def test_the_first_contact_wins_then_the_lowest_id(school: School) -> None:
    contacts = [
        {"id": 10, "student_id": 1, "event_id": 10, "collected_at": JUNE},
        {"id": 21, "email": "s1@ecole.fr", "event_id": 21, "collected_at": MAY},
        {"id": 20, "student_id": 1, "event_id": 20, "collected_at": MAY},
    ]
    assert school.recruited([{"id": 1}], contacts) == {1: 20}


def test_students_who_share_an_email_share_its_contacts(school: School) -> None:
    family = "famille@mail.fr"
    students = [
        {"id": 1, "personal_email": family},
        {"id": 2, "personal_email": f"\t{family.upper()}\u00a0"},
        {"id": 3},
    ]
    assert school.recruited(students, [{"email": family, "event_id": 7}]) == {1: 7, 2: 7}


def test_an_email_shared_by_thousands_multiplies_nothing(school: School) -> None:
    everybody = "contact@lycee.fr"
    students = [{"id": n, "personal_email": everybody} for n in range(1, 3001)]
    contacts = [{"email": everybody, "event_id": n} for n in range(1, 3001)]
    assert school.recruited(students, contacts) == dict.fromkeys(range(1, 3001), 1)
