"""What the unload's tests share: to run it, and to hold what it published against what the source says itself."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg import sql

from flows.unload_erp import unload_erp
from tasks.manifest import Manifest, TableEntry, latest_manifest, list_manifests
from tasks.storage import open_area
from tasks.unload.report import TableReport, UnloadReport
from tasks.unload.source import MANNERS
from tasks.unload.unload import plan_unload, publish_unload, unload_chunk

ORACLE_SESSION = (
    "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; "
    "SET lc_monetary = 'C'"
)


def unload(source: str, storage: Path | str, **options: Any) -> UnloadReport:
    """Unload the schema `public`, or the one that the options name."""
    return unload_erp(source=source, storage=str(storage), **{"source_schema": "public", **options})


def execute(dsn: str, *statements: str) -> None:
    """Run statements as the superuser, each in a transaction of its own."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def the_table(report: UnloadReport, name: str) -> TableReport:
    (table,) = [table for table in report.tables if table.table == name]
    return table


def chunks_run(report: UnloadReport) -> dict[str, int]:
    """How many chunks were read out of the source, by table."""
    return {table.table: table.chunks_run for table in report.tables}


def newest(storage: Path | str) -> Manifest:
    manifest = latest_manifest(open_area(str(storage)))
    assert manifest is not None, f"{storage} has no manifest"
    return manifest


def manifests(storage: Path | str) -> list[str]:
    return list(list_manifests(open_area(str(storage))))


def files_of(storage: Path | str, table: TableEntry) -> list[str]:
    uri = open_area(str(storage)).uri
    folder = str(storage) if uri.startswith("file:") else uri
    return [f"{folder}/{chunk.path}" for chunk in table.chunks]


def published_rows(storage: Path | str, table: str, *, what: str = "*") -> list[tuple[Any, ...]]:
    """The rows of a table as its files have them, in their order."""
    files = files_of(storage, newest(storage).table(table))
    if not files:  # a partitioned table without a leaf
        return []
    with duckdb.connect() as connection:
        quoted = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        return connection.execute(f"SELECT {what} FROM read_parquet([{quoted}])").fetchall()


def assert_published(dsn: str, storage: Path | str, schema: str = "public") -> None:
    """The newest manifest has all tables of the schema, with exactly the rows that the source has now."""
    manifest = newest(storage)
    with psycopg.connect(dsn) as connection:
        connection.execute(ORACLE_SESSION)
        names = connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p') "
            "AND NOT relispartition AND relpersistence <> 't'",
            [sql.Identifier(schema).as_string()],
        )
        assert {table.name for table in manifest.tables} == {name for (name,) in names}
        for table in manifest.tables:
            theirs = Counter(map(repr, _source_rows(connection, table)))
            ours = Counter(map(repr, published_rows(storage, table.full_name, what=_file_columns(table))))
            assert ours - theirs == Counter(), f"{table.full_name}: rows that the source has not"
            assert theirs - ours == Counter(), f"{table.full_name}: rows that only the source has"
            assert table.rows == theirs.total()


def _source_rows(connection: psycopg.Connection[Any], table: TableEntry) -> Iterator[tuple[Any, ...]]:
    # concat() gives what a type's output function gives, where a cast to text would strip char(n).
    ways = {
        "VARCHAR": "CASE WHEN num_nulls({column}) = 0 THEN concat({column}) END",
        "TIMESTAMP WITH TIME ZONE": "(extract(epoch FROM {column}) * 1000000)::bigint",
    }
    columns = sql.SQL(", ").join(
        sql.SQL(ways.get(column.file_type, "{column}")).format(column=sql.Identifier(column.name))
        for column in table.columns
    )
    is_partitioned = [heap.name for heap in table.heaps] != [table.full_name]
    only = sql.SQL("" if is_partitioned else "ONLY")
    name = sql.Identifier(table.schema_name, table.name)
    with connection.cursor(name="rows") as cursor:
        cursor.execute(sql.SQL("SELECT {} FROM {} {}").format(columns, only, name))
        yield from cursor


def _file_columns(table: TableEntry) -> str:
    # DuckDB without its extension for time zones can do little with a TIMESTAMPTZ but count its microseconds.
    return ", ".join(
        f"epoch_us({name})" if column.file_type == "TIMESTAMP WITH TIME ZONE" else name
        for column in table.columns
        for name in ['"' + column.name.replace('"', '""') + '"']
    )


def snapshot_of_files(folder: Path) -> dict[str, tuple[int, int]]:
    """Every data file with its inode and the time of its last change."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*.parquet")
    }


@contextmanager
def statements_logged(dsn: str) -> Iterator[Callable[[], str]]:
    """Have the server log every statement of new sessions in this database; the call gives the log since the last."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute("SELECT current_database(), current_setting('data_directory')").fetchone()
        assert row is not None
        database, log = sql.Identifier(row[0]), Path(row[1], "server.log")
        connection.execute(sql.SQL("ALTER DATABASE {} SET log_statement = 'all'").format(database))
        with log.open(encoding="utf-8") as stream:
            stream.seek(0, 2)
            yield stream.read
        connection.execute(sql.SQL("ALTER DATABASE {} RESET log_statement").format(database))


def make_retries_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same number of retries, without the pauses between them."""
    for task in (plan_unload, unload_chunk, publish_unload):
        monkeypatch.setattr(task, "retry_delay_seconds", [0.01, 0.01, 0.01])


def make_lock_timeout(monkeypatch: pytest.MonkeyPatch, milliseconds: int) -> None:
    monkeypatch.setitem(MANNERS, "lock_timeout", str(milliseconds))
