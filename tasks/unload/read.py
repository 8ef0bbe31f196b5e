"""Reading one chunk out of PostgreSQL into a Parquet file, by DuckDB's postgres extension."""

import contextlib
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
from psycopg import sql

from tasks.errors import RowCountMismatch, ValueNotExact
from tasks.unload.guard import comparison_of, lock_of, require_same_heap
from tasks.unload.plan import FILE_FORMAT, Chunk
from tasks.unload.queries import query
from tasks.unload.source import Source, opening
from tasks.unload.tables import Heap
from tasks.unload.types import ColumnPlan

#: What PostgreSQL's dates and timestamps span, in the file's units; DuckDB keeps infinities outside of it, and a
#: timestamp too late for 64 bits comes out before it.
EXACT_SPANS = {
    "DATE": (-2_440_588, 2_145_042_905),  # days from 1970: Julian day 0 to 5874897-12-31
    "TIMESTAMP": (-210_866_803_200_000_000, 2**63 - 2),  # microseconds
    "TIMESTAMP WITH TIME ZONE": (-210_866_803_200_000_000, 2**63 - 2),
}


class ChunkReader:
    """One session with the source under an imported snapshot; dear to open (0.15 s), so kept for many chunks."""

    def __init__(self, source: Source, snapshot: str) -> None:
        self._snapshot = snapshot
        self._duckdb = duckdb.connect(config={"threads": 1, "autoinstall_known_extensions": False})
        try:
            extension = files("duckdb_extension_postgres_scanner") / "extensions" / f"v{version('duckdb')}"
            self._run(sql.SQL("LOAD {}").format(str(extension / "postgres_scanner.duckdb_extension")))
            self._attach(source)
        except BaseException:
            self._duckdb.close()
            raise

    def _attach(self, source: Source) -> None:
        options: sql.Composable = sql.SQL("TYPE postgres, READ_ONLY")
        if source.password is not None:  # in a secret, which errors do not quote, rather than in the DSN
            self._run(sql.SQL("CREATE SECRET source (TYPE postgres, PASSWORD {})").format(source.password))
            options = sql.SQL("TYPE postgres, READ_ONLY, SECRET source")
        self._run(sql.SQL("ATTACH {} AS source ({})").format(source.conninfo, options))

    def close(self) -> None:
        """End the session."""
        self._duckdb.close()

    @contextlib.contextmanager
    def locked(self, heap: Heap) -> Iterator[None]:
        """A transaction under the snapshot in which nobody can rewrite the heap, which is the planned one.

        Raises CatalogChanged, TableRewritten, duckdb.Error.
        """
        self._duckdb.execute("BEGIN")
        try:
            self._execute(opening(self._snapshot))
            self._execute(lock_of(heap))
            named, current, seen = self._fetch(comparison_of(heap))
            require_same_heap(heap, {"named": named, "current": current, "seen": seen})
            yield
        except BaseException:
            with contextlib.suppress(duckdb.Error):  # the error that brought us here says more
                self._duckdb.execute("ROLLBACK")
            raise
        self._duckdb.execute("COMMIT")

    def write_parquet(self, chunk: Chunk, columns: tuple[ColumnPlan, ...], file: Path) -> None:
        """Write the chunk's rows to a new file; to be called inside `locked`.

        Raises RowCountMismatch, ValueNotExact, duckdb.Error.
        """
        remote = query("rows_of_chunk", columns=_sent(columns), heap=chunk.heap.identifier, **chunk.range.tids)
        copy = sql.SQL(
            "COPY (SELECT {columns} FROM postgres_query('source', {remote})) TO {file} "
            "(FORMAT parquet, COMPRESSION zstd{dictionary}, KV_METADATA {{{metadata}}})"
        ).format(
            columns=_typed(columns),
            remote=remote.as_string(),
            file=str(file),
            dictionary=_dictionary(columns),
            metadata=_metadata(chunk),
        )
        (written,) = self._run(copy).fetchall()[0]
        if written != chunk.rows:
            raise RowCountMismatch(f'table "{chunk.table}", {chunk}: wrote {written} rows of {chunk.rows}')
        _require_exact(chunk, columns, file)

    def _run(self, statement: sql.Composed) -> duckdb.DuckDBPyConnection:
        """DuckDB quotes literals and identifiers as PostgreSQL does, so the same composition serves."""
        return self._duckdb.execute(statement.as_string())

    def _execute(self, statement: sql.Composed) -> None:
        self._run(sql.SQL("CALL postgres_execute('source', {})").format(statement.as_string()))

    def _fetch(self, statement: sql.Composed) -> tuple[Any, ...]:
        rows = self._run(sql.SQL("FROM postgres_query('source', {})").format(statement.as_string())).fetchall()
        row: tuple[Any, ...] = rows[0]
        return row


def _sent(columns: Iterable[ColumnPlan]) -> sql.Composed:
    """The select list for PostgreSQL; plain names on the way, since the reader folds case."""
    return sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(column.expression, sql.Identifier(f"c{number}"))
        for number, column in enumerate(columns)
    )


def _typed(columns: Iterable[ColumnPlan]) -> sql.Composed:
    """The select list that gives columns their names and file types; a cast that would lose a value fails."""
    return sql.SQL(", ").join(
        sql.SQL("CAST({} AS {}) AS {}").format(
            sql.Identifier(f"c{number}"), sql.SQL(column.file_type), sql.Identifier(column.name)
        )
        for number, column in enumerate(columns)
    )


def _dictionary(columns: Iterable[ColumnPlan]) -> sql.SQL:
    """The option that turns dictionaries off where a column is a float: they make one value of 0.0 and -0.0."""
    has_floats = any(column.file_type in {"FLOAT", "DOUBLE"} for column in columns)
    return sql.SQL(", DICTIONARY_SIZE_LIMIT 0" if has_floats else "")


def _metadata(chunk: Chunk) -> sql.Composed:
    end = "" if chunk.range.end is None else chunk.range.end
    entries = {
        "reprise.format": str(FILE_FORMAT["version"]),
        "reprise.table": chunk.table,
        "reprise.heap": chunk.heap.full_name,
        "reprise.blocks": f"{chunk.range.first}-{end}",
        "reprise.key": chunk.key,
    }
    return sql.SQL(", ").join(sql.SQL("{}: {}").format(name, value) for name, value in entries.items())


def _require_exact(chunk: Chunk, columns: tuple[ColumnPlan, ...], file: Path) -> None:
    """Look for infinities and overflows in the file's own statistics, which cost nothing to read."""
    metadata = pq.read_metadata(file)
    for number, column in enumerate(columns):
        span = EXACT_SPANS.get(column.file_type)
        groups = (metadata.row_group(group).column(number) for group in range(metadata.num_row_groups))
        if span and not all(_lies_in(span, group) for group in groups):
            raise value_not_exact(chunk, column.name)


def _lies_in(span: tuple[int, int], group: pq.ColumnChunkMetaData) -> bool:
    statistics = group.statistics
    if statistics is None or statistics.min_raw is None or statistics.max_raw is None:
        return statistics is not None and statistics.null_count == group.num_values
    return span[0] <= int(statistics.min_raw) and int(statistics.max_raw) <= span[1]


def value_not_exact(chunk: Chunk, column: str) -> ValueNotExact:
    """The error that makes the run carry a column as text."""
    return ValueNotExact(
        f'table "{chunk.table}", column "{column}", {chunk}: holds a value that its file type cannot hold exactly',
        table=chunk.table,
        column=column,
    )
