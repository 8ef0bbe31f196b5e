"""The job against the same questions asked in SQL, of thousands of generated rows with dirt in them."""

from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

from spark.sources import read_table
from spark.students import SOURCES, students_with_indicators

# 400 students, of whom many share an e-mail; contacts by id, by untidy e-mail, by neither.
SCHOOL = """
CREATE MACRO dice(n, sides, salt) AS (hash(n * 1000 + salt) % sides)::int;
CREATE TABLE students AS SELECT
    n::int AS id, 'Zoé' AS first_name, 'NA' AS last_name, format('s{}@ecole.fr', n) AS email,
    CASE dice(n, 4, 1) WHEN 0 THEN NULL WHEN 1 THEN '' ELSE format(' Mail{}@Mail.fr', dice(n, 150, 2)) END
        AS personal_email,
    'F' AS gender, DATE '2000-02-29' AS date_of_birth, '11' AS home_region_code, NULL::text AS origin_institution,
    NULL::text AS origin_diploma, 1::smallint AS entry_level, 1::smallint AS campus_id, 'BSC' AS promotion,
    DATE '2024-01-01' + dice(n, 300, 3) AS join_date, NULL::date AS left_date, NULL::text AS left_reason,
    NULL::text AS next_school, NULL::date AS hired_at, NULL::int AS hired_company_id, NULL::text AS hired_contract,
    TIMESTAMPTZ '2024-01-01 00:00:00.123456Z' AS created_at, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS updated_at
FROM range(400) t(n);
CREATE TABLE grades AS SELECT
    n AS id, (dice(n, 20, 4) * dice(n, 19, 5))::int AS student_id, '1MATH' AS subject_id,
    2024::smallint AS academic_year, 'final' AS exam,
    CASE WHEN dice(n, 10, 6) > 0 THEN (dice(n, 10001, 7) / 100)::decimal(5, 2) END AS grade,
    DATE '2024-01-01' AS graded_on, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS updated_at
FROM range(20000) t(n);
CREATE TABLE attendances AS SELECT
    n AS lesson_id, dice(n, 390, 8) AS student_id, TIMESTAMPTZ '2024-01-01 00:00:00Z' AS recorded_at,
    ['present', 'late', 'excused', 'absent'][1 + dice(n, 4, 9)] AS status
FROM range(20000) t(n);
CREATE TABLE audiences AS SELECT
    n AS id, dice(n, 60, 10) AS event_id, NULL::text AS first_name, NULL::text AS last_name,
    CASE dice(n, 6, 11) WHEN 0 THEN NULL WHEN 1 THEN ' ' WHEN 2 THEN upper(format('s{}@ecole.fr', dice(n, 400, 12)))
        ELSE format('mail{}@mail.FR ', dice(n, 200, 13)) END AS email,
    NULL::text AS phone, NULL::text AS home_region_code, NULL::text AS current_institution,
    NULL::smallint AS target_level, true AS consent_marketing,
    TIMESTAMPTZ '2024-01-01 12:00:00Z' + INTERVAL 1 DAY * dice(n, 300, 14) AS collected_at,
    NULL::timestamptz AS last_contact_at, NULL::date AS applied_on, NULL::date AS admitted_on,
    CASE WHEN dice(n, 5, 15) = 0 THEN dice(n, 400, 16) END AS student_id,
    TIMESTAMPTZ '2024-01-01 00:00:00Z' AS updated_at
FROM range(500) t(n);
"""

EXPECTED = """
WITH link AS (
    SELECT a.*, s.id AS student FROM audiences a JOIN students s
    ON CASE WHEN a.student_id IS NOT NULL THEN s.id = a.student_id
       ELSE trim(a.email) <> '' AND lower(trim(a.email)) IN (lower(trim(s.email)), lower(trim(s.personal_email))) END
), hundredths AS (
    SELECT student_id, sum(grade * 100)::hugeint AS total, count(grade) AS n FROM grades GROUP BY student_id
)
SELECT s.*,
    -- round(total / 100 / n, 6), half up, in whole numbers
    (SELECT (((total * 20000 + n) // (2 * n)) / 1000000)::decimal(9, 6)
     FROM hundredths h WHERE h.student_id = s.id AND n > 0),
    (SELECT sum((status IN ('present', 'late'))::int) / count(*) FROM attendances t WHERE t.student_id = s.id),
    (SELECT count(*) FROM attendances t WHERE t.student_id = s.id AND status = 'absent'),
    EXISTS (FROM link WHERE student = s.id),
    (SELECT arg_min(event_id, (collected_at, link.id)) FROM link WHERE student = s.id)
FROM students s ORDER BY s.id
"""


@pytest.fixture
def oracle() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(SCHOOL)
    return connection


def test_the_job_agrees_with_sql_to_the_last_digit(
    spark: SparkSession, oracle: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for name in SOURCES:
        oracle.table(name).write_parquet(str(tmp_path / f"{name}.parquet"))
    tables = {name: read_table(spark, f"{tmp_path}/{name}.parquet", name) for name in SOURCES}
    students_with_indicators(**tables).write.parquet(f"{tmp_path}/students")

    found = oracle.sql(f"SELECT * FROM '{tmp_path}/students/*.parquet' ORDER BY id").fetchall()
    expected = oracle.sql(EXPECTED).fetchall()

    assert found == expected
    assert 100 < sum(row[-2] for row in found) < 300, "the data has students recruited and not"
