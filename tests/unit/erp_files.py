"""A generated ERP as tables that SQL can be asked about."""

from pathlib import Path
from typing import Any

import duckdb
import numpy.typing as npt

from erp.tables import TABLES

TEXTS = {"home_region_code": "VARCHAR", "region_code": "VARCHAR", "department_code": "VARCHAR", "siren": "VARCHAR"}


class ErpFiles:
    """The CSV files of a folder as DuckDB views of the same names; times are local to Paris."""

    def __init__(self, folder: Path) -> None:
        self._connection = duckdb.connect()
        self._connection.execute("SET TimeZone = 'Europe/Paris'")
        for table in (*TABLES, "truth_links"):
            # sample_size=-1: the type of a column is that of all its values.
            rows = self._connection.read_csv(str(folder / f"{table}.csv"), sample_size=-1)
            texts = {column: kind for column, kind in TEXTS.items() if column in rows.columns}
            rows = self._connection.read_csv(str(folder / f"{table}.csv"), sample_size=-1, dtype=texts)
            self._connection.register(table, rows.to_arrow_table())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows of a query."""
        return self._connection.sql(sql).fetchall()

    def value(self, sql: str) -> Any:
        """The only value of a query."""
        ((value,),) = self.rows(sql)
        return value

    def columns(self, sql: str) -> dict[str, npt.NDArray[Any]]:
        """The columns of a query as arrays."""
        return dict(self._connection.sql(sql).fetchnumpy())
