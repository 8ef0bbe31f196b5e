"""What a storage area has published, read without the code under test; and what the source shows under a snapshot."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import Any

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from tasks.manifest import Manifest, TableEntry
from tasks.storage import StorageArea, read_bytes


@dataclass(frozen=True)
class Rows:
    """A table: the names of its columns, and how often it has each row."""

    columns: tuple[str, ...]
    counts: Counter[tuple[Any, ...]]


Tables = dict[str, Rows]

RELATIONS = """
SELECT relname, relkind = 'p' FROM pg_class
WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition ORDER BY relname
"""


def rows_under(dsn: str, schema: str, snapshot: str | None = None) -> Tables:
    """All tables of a schema, as an exported snapshot shows them; None: as they are now."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        if snapshot is not None:
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(snapshot))
        connection.execute("SET LOCAL TimeZone = 'UTC'")
        tables = {}
        for name, is_partitioned in connection.execute(RELATIONS, [sql.Identifier(schema).as_string()]).fetchall():
            only = sql.SQL("" if is_partitioned else "ONLY")
            cursor = connection.execute(sql.SQL("SELECT * FROM {} {}").format(only, sql.Identifier(schema, name)))
            columns = tuple(column.name for column in cursor.description or ())
            tables[name] = Rows(columns, Counter(cursor.fetchall()))
        return tables


def published_rows(area: StorageArea, manifest: Manifest) -> Tables:
    """All tables of a manifest, as their files hold them; every file is as its receipt says."""
    return {table.name: _rows_of(area, table) for table in manifest.tables}


def _rows_of(area: StorageArea, table: TableEntry) -> Rows:
    columns = tuple(column.name for column in table.columns)
    counts: Counter[tuple[Any, ...]] = Counter()
    for chunk in table.chunks:
        content = read_bytes(area, chunk.path)
        assert len(content) == chunk.bytes
        assert hashlib.sha256(content).hexdigest() == chunk.sha256
        data = pq.read_table(pa.BufferReader(content))
        assert tuple(data.column_names) == columns
        assert data.num_rows == chunk.rows
        counts.update(zip(*(column.to_pylist() for column in data.columns), strict=True))
    assert counts.total() == table.rows
    return Rows(columns, counts)
