"""Writing a table's rows as CSV that COPY loads: header, ISO dates, times in UTC, an empty field for NULL."""

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
from pyarrow import csv

from erp.draws import Bools, Days, Ints, Strings
from erp.times import NEVER

# In the order in which their rows refer to each other.
TABLES = (
    "campuses",
    "companies",
    "students",
    "professors",
    "subjects",
    "lessons",
    "attendances",
    "grades",
    "apprenticeships",
    "events",
    "audiences",
)


class TableWriter:
    """One CSV file; columns and their types are those of the first batch."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None
        self.rows = 0

    def write(self, columns: Mapping[str, Any]) -> None:
        """Append rows, given as one array a column, all of the same length."""
        batch = pa.table({name: _arrow(column) for name, column in columns.items()})
        if self._writer is None:
            options = csv.WriteOptions(quoting_style="needed", batch_size=65_536)
            self._writer = csv.CSVWriter(str(self._path), batch.schema, write_options=options)
        self._writer.write_table(batch)
        self.rows += batch.num_rows

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()


def _arrow(column: Any) -> Any:
    if not isinstance(column, np.ndarray):
        return column
    if column.dtype.kind == "M" and np.datetime_data(column.dtype)[0] == "s":
        return _instants(pa.array(column))
    return pa.array(column)


def _instants(seconds: Any) -> Any:
    # As text: Arrow takes twenty times as long to write times that carry a time zone.
    return joined(seconds.cast(pa.string()), "Z")


def pick(values: Strings, index: Ints) -> Any:
    """values[index] as a column; NULL where the index is negative."""
    column: Any = pa.array(index, mask=index < 0)
    return pa.array(values, pa.string()).take(column)


def instant_or_null(seconds: Days, missing: Bools) -> Any:
    """Instants as a column; NULL where they are missing."""
    return _instants(pa.array(seconds, mask=missing))


def number_or_null(values: Any, missing: Bools) -> Any:
    """Numbers as a column; NULL where they are missing."""
    return pa.array(values, mask=missing)


def date_or_null(days: Days) -> Any:
    """Dates as a column; NULL for NEVER."""
    return pa.array(days, mask=days == NEVER)


def text_or_null(values: Any, missing: Bools) -> Any:
    """Texts as a column; NULL where they are missing."""
    return pa.compute.if_else(pa.array(missing), pa.scalar(None, pa.string()), values)


def joined(*parts: Any) -> Any:
    """Texts put together from columns and constants."""
    return pa.compute.binary_join_element_wise(*parts, "")


def digits(numbers: Ints) -> Any:
    """Numbers as texts."""
    return pa.array(numbers).cast(pa.string())
