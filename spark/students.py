"""Writes the table `students` of the warehouse: every student of the ERP, with indicators.

    spark-submit students.py --students URI --grades URI --attendances URI --audiences URI --output-uri URI

(where the project is not installed, with `--py-files` and a zip of the package `spark`).

Each URI is what `spark.sources` understands. One row a student; the ERP's columns, then

average_grade        decimal(9,6): mean of the grades that are not NULL, rounded half up at the sixth decimal; NULL
                     without such a grade. Sums are exact, so that no order of rows changes it.
attendance_rate      double, 0 to 1: lessons recorded `present` or `late`, over all lessons recorded (an excused absence
                     counts as a lesson); NULL without a record.
absences             bigint: lessons recorded `absent`; excused ones do not count.
recruited_at_event   boolean: a contact of the student was taken at an event.
recruiting_event_id  int: the event of the first such contact, by `collected_at`, then by the contact's id.

A contact that carries a student_id is that student's, as the ERP says. One without is the student's whose personal or
school e-mail is the contact's, trimmed and in lower case; empty ones match nobody, a shared one all who share it.
"""

import argparse

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F  # noqa: N812  # the name that Spark's own documentation gives it

from spark.contracts import ERP
from spark.session import open_session
from spark.sources import path_of, read_table

SOURCES = ("students", "grades", "attendances", "audiences")


def main() -> None:
    """Parse the command line and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in SOURCES:
        parser.add_argument(f"--{name}", metavar="URI", required=True)
    parser.add_argument("--output-uri", metavar="URI", required=True, help="folder to write, which must not exist yet")
    arguments = vars(parser.parse_args())
    spark = open_session("students")
    tables = {name: read_table(spark, arguments[name], name) for name in SOURCES}
    students_with_indicators(**tables).write.parquet(path_of(arguments["output_uri"]))
    print("progress: wrote students", flush=True)


def students_with_indicators(
    *, students: DataFrame, grades: DataFrame, attendances: DataFrame, audiences: DataFrame
) -> DataFrame:
    """Every student once, in the order of ids."""
    wide = (
        students.join(grades_by_student(grades), on="id", how="left")
        .join(attendance_by_student(attendances), on="id", how="left")
        .join(recruitment_by_student(students, audiences), on="id", how="left")
    )
    return wide.select(
        *ERP["students"],
        "average_grade",
        "attendance_rate",
        F.coalesce("absences", F.lit(0)).cast("bigint").alias("absences"),
        F.col("recruiting_event_id").isNotNull().alias("recruited_at_event"),
        "recruiting_event_id",
    ).orderBy("id")


def grades_by_student(grades: DataFrame) -> DataFrame:
    """`id` of each student with a grade row, and `average_grade`."""
    # Spark divides the exact sum at 23 decimals before it rounds at 6: no second rounding can tell the difference.
    return grades.groupBy(F.col("student_id").alias("id")).agg(
        F.avg("grade").cast("decimal(9,6)").alias("average_grade")
    )


def attendance_by_student(attendances: DataFrame) -> DataFrame:
    """`id` of each student with a recorded lesson, `attendance_rate` and `absences`."""
    attended = F.count_if(F.col("status").isin("present", "late"))
    return attendances.groupBy(F.col("student_id").alias("id")).agg(
        (attended / F.count("*")).alias("attendance_rate"),
        F.count_if(F.col("status") == "absent").alias("absences"),
    )


def recruitment_by_student(students: DataFrame, audiences: DataFrame) -> DataFrame:
    """`id` of each student whom a contact recruited, and `recruiting_event_id`."""
    contacts = audiences.select(
        F.col("student_id").alias("id"),
        cleaned("email").alias("mail"),
        F.struct("collected_at", "id", "event_id").alias("contact"),
    )
    by_id = contacts.where("id IS NOT NULL").select("id", "contact")
    by_mail = contacts_by_mail(contacts.where("id IS NULL"), students)
    return by_id.unionByName(by_mail).groupBy("id").agg(F.min("contact")["event_id"].alias("recruiting_event_id"))


def contacts_by_mail(contacts: DataFrame, students: DataFrame) -> DataFrame:
    """`id` of a student and the first `contact` under one of the student's e-mails.

    An e-mail's contacts are reduced to the first before the join: thousands of contacts and of students under one
    e-mail multiply nothing.
    """
    first = contacts.groupBy("mail").agg(F.min("contact").alias("contact"))
    return first.join(mailboxes(students), on="mail", how="inner").select("id", "contact")


def mailboxes(students: DataFrame) -> DataFrame:
    """`mail` and `id`, once for each e-mail of a student."""
    addresses = F.array(cleaned("email"), cleaned("personal_email"))
    return students.select(F.explode(addresses).alias("mail"), "id").where("mail IS NOT NULL").distinct()


def cleaned(email: str) -> Column:
    """The e-mail as two systems agree on it: no white space around, lower case; NULL when nothing is left."""
    address = F.regexp_replace(F.lower(email), r"^[\s\u00A0]+|[\s\u00A0]+$", "")
    return F.when(address != "", address)


if __name__ == "__main__":
    main()
