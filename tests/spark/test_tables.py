from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

from spark.contracts import ContractBroken
from spark.tables import write_tables

GRADES = """
SELECT n AS id, 1 AS student_id, '1MATH' AS subject_id, 2024::smallint AS academic_year, 'final' AS exam,
    12.25::decimal(5, 2) AS grade, DATE '0044-03-15' AS graded_on,
    TIMESTAMPTZ '2024-03-31 01:30:00.123456Z' AS updated_at FROM range(1, 3) t(n)
"""
SUBJECTS = (
    "SELECT '1MATH' AS id, '' AS name, 1::smallint AS level, 3::smallint AS ects, NULL::timestamptz AS updated_at"
)


def test_tables_become_typed_parquet_with_every_value_as_it_was(spark: SparkSession, tmp_path: Path) -> None:
    sources = {"grades": str(tmp_path / "g.parquet"), "subjects": str(tmp_path / "s.parquet")}
    duckdb.sql(GRADES).write_parquet(sources["grades"])
    duckdb.sql(SUBJECTS).write_parquet(sources["subjects"])

    write_tables(spark, sources, (tmp_path / "out {1}").as_uri())

    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        grades = database.sql(f"FROM '{tmp_path}/out {{1}}/grades/*.parquet' ORDER BY id")
        assert [str(kind) for kind in grades.types] == [
            "BIGINT", "INTEGER", "VARCHAR", "SMALLINT", "VARCHAR", "DECIMAL(5,2)", "DATE", "TIMESTAMP WITH TIME ZONE",
        ]  # fmt: skip
        moment = datetime(2024, 3, 31, 1, 30, 0, 123456, tzinfo=UTC)
        same = (1, "1MATH", 2024, "final", Decimal("12.25"), date(44, 3, 15), moment)
        assert grades.fetchall() == [(1, *same), (2, *same)]
        assert database.sql(f"FROM '{tmp_path}/out {{1}}/subjects/*.parquet'").fetchall() == [("1MATH", "", 1, 3, None)]


def test_a_broken_contract_writes_nothing_at_all(spark: SparkSession, tmp_path: Path) -> None:
    sources = {"subjects": str(tmp_path / "s.parquet"), "grades": str(tmp_path / "s.parquet")}
    duckdb.sql(SUBJECTS).write_parquet(sources["subjects"])
    with pytest.raises(ContractBroken, match="table grades lacks student_id"):
        write_tables(spark, sources, (tmp_path / "out").as_uri())
    assert not (tmp_path / "out").exists()


def test_an_output_that_exists_is_never_written_over(spark: SparkSession, tmp_path: Path) -> None:
    source = {"subjects": str(tmp_path / "s.parquet")}
    duckdb.sql(SUBJECTS).write_parquet(source["subjects"])
    write_tables(spark, source, (tmp_path / "out").as_uri())
    with pytest.raises(Exception, match="PATH_ALREADY_EXISTS"):
        write_tables(spark, source, (tmp_path / "out").as_uri())
