"""Rows of the ERP for tests: what a test does not say gets a plain value."""

from datetime import UTC, date, datetime
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from spark.contracts import ERP

PLAIN: dict[str, Any] = {
    "smallint": 1,
    "int": 1,
    "bigint": 1,
    "string": "x",
    "date": date(2024, 9, 2),
    "timestamp": datetime(2024, 9, 2, 8, 0, tzinfo=UTC),
    "boolean": False,
}


def rows_of(spark: SparkSession, table: str, *rows: dict[str, Any]) -> DataFrame:
    """A frame under the table's contract; columns that a row does not name get a plain value, decimals NULL."""
    contract = ERP[table]
    unknown = {column for row in rows for column in row} - set(contract)
    assert not unknown, f"{table} has no column {unknown}"
    filled = [tuple(row.get(column, PLAIN.get(kind)) for column, kind in contract.items()) for row in rows]
    return spark.createDataFrame(filled, ", ".join(f"{column} {kind}" for column, kind in contract.items()))
