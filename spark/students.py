"""Writes the table `students` of the warehouse: every student of the ERP, with indicators.

    spark-submit students.py --students URI --grades URI --attendances URI --audiences URI --output-uri URI

Each URI is what `spark.sources` understands. One row a student; the ERP's columns, then

average_grade        decimal(9,6): mean of the grades that are not NULL, rounded half up at the sixth decimal; NULL
                     without such a grade. Sums are exact, so that no order of rows changes it.
attendance_rate      double, 0 to 1: lessons recorded `present` or `late`, over all lessons recorded (an excused absence
                     counts as a lesson); NULL without a record.
absences             bigint: lessons recorded `absent`; excused ones do not count.
recruited_at_event   boolean: a contact of the student was taken at an event on or before the day of joining (UTC).
recruiting_event_id  int: the event of the first such contact, by `collected_at`, then by the contact's id.

A contact that carries a student_id is that student's. One without is the student's whose personal or school e-mail
is the contact's, trimmed and in lower case; empty ones match nobody. A contact recruits one student at most: where
several share an e-mail, the one who joined first on or after the contact's day (then the one with the lowest id).
"""

import argparse

from pyspark.sql import Column, DataFrame, Window
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
        "student_id",
        cleaned("email").alias("mail"),
        F.to_date("collected_at").alias("day"),
        F.struct("collected_at", "id", "event_id").alias("contact"),
    )
    by_id = contacts_by_id(contacts.where("student_id IS NOT NULL"), students)
    by_mail = contacts_by_mail(contacts.where("student_id IS NULL"), students)
    return by_id.unionByName(by_mail).groupBy("id").agg(F.min("contact")["event_id"].alias("recruiting_event_id"))


def contacts_by_id(contacts: DataFrame, students: DataFrame) -> DataFrame:
    """`id` of a student and `contact`, for the contacts that carry the student's id."""
    joined = students.select("id", "join_date")
    met = (F.col("student_id") == F.col("id")) & (F.col("day") <= F.col("join_date"))
    return contacts.join(joined, on=met, how="inner").select("id", "contact")


def contacts_by_mail(contacts: DataFrame, students: DataFrame) -> DataFrame:
    """`id` of a student and `contact`, for the contacts that share the student's e-mail.

    A contact goes to the next student to join under its e-mail. That is read off one sorted list an e-mail, and not
    from a join, because a join multiplies where an e-mail has many contacts and many students.
    """
    joins = mailboxes(students).withColumn("contact", F.lit(None).cast(contacts.schema["contact"].dataType))
    ours = contacts.join(joins, on="mail", how="left_semi")  # most contacts never join; one e-mail may have a million
    both = joins.unionByName(ours.selectExpr("mail", "day", "NULL AS id", "contact"))
    # Newest first; on one day students stand before contacts, and the student with the lowest id comes last of them.
    newest_first = Window.partitionBy("mail").orderBy(F.desc("day"), F.desc_nulls_last("id"))
    next_to_join = F.last("id", ignorenulls=True).over(newest_first.rowsBetween(Window.unboundedPreceding, 0))
    given = both.withColumn("id", next_to_join)
    return given.where("id IS NOT NULL AND contact IS NOT NULL").select("id", "contact")


def mailboxes(students: DataFrame) -> DataFrame:
    """`mail`, `day` of joining and `id`, once for each e-mail of a student."""
    addresses = F.array(cleaned("email"), cleaned("personal_email"))
    boxes = students.select(F.explode(addresses).alias("mail"), F.col("join_date").alias("day"), "id")
    return boxes.where("mail IS NOT NULL").distinct()


def cleaned(email: str) -> Column:
    """The e-mail in the form that two systems agree on: trimmed, lower case; NULL when nothing is left."""
    address = F.trim(F.lower(email))
    return F.when(address != "", address)


if __name__ == "__main__":
    main()
