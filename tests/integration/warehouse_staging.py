"""A staging area as an unload leaves it, with a small school in it: made by DuckDB and the manifest's own code."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from spark.contracts import ERP
from tasks.manifest import ChunkEntry, Column, Manifest, SourceEntry, TableEntry, manifest_id, publish_manifest
from tasks.storage import open_area

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)

# Rows by chunk; students, grades, attendances and audiences number their students alike, from 1.
CHUNKS = dict.fromkeys(ERP, (3,)) | {"students": (3, 2), "attendances": (4, 0, 4), "apprenticeships": ()}

VALUES = {
    "string": "'{column} ' || n",
    "date": "DATE '2025-09-01' + n::int",
    "timestamp": "TIMESTAMPTZ '2025-09-01 10:00:00.000001Z' + INTERVAL 1 DAY * n",
    "boolean": "n % 2 = 0",
}


def make_staging(folder: Path, *, snapshot_at: datetime = NOON, first_name: str = "Zoé") -> Manifest:
    """Publish a manifest of the eleven tables; equal arguments give equal files."""
    tables = tuple(_table(folder, name, first_name) for name in ERP)
    manifest = Manifest(
        id=manifest_id(dataset="erp", snapshot_at=snapshot_at),
        dataset="erp",
        snapshot_at=snapshot_at,
        source=SourceEntry(name="erp", database="erp", system_identifier="1", timeline=1, server_version=180000),
        tables=tables,
    )
    publish_manifest(open_area(str(folder)), manifest)
    return manifest


def _table(folder: Path, name: str, first_name: str) -> TableEntry:
    chunks, first = [], 1
    for rows in CHUNKS[name]:
        chunks.append(_chunk(folder, name, first, rows, first_name))
        first += rows
    return TableEntry(
        schema="erp",
        name=name,
        columns=tuple(
            Column(name=column, postgres_type=kind, file_type=kind, nullable=True, as_text=False)
            for column, kind in ERP[name].items()
        ),
        rows=sum(chunk.rows for chunk in chunks),
        bytes=sum(chunk.bytes for chunk in chunks),
        heaps=(),
        chunks=tuple(chunks),
    )


def _chunk(folder: Path, name: str, first: int, rows: int, first_name: str) -> ChunkEntry:
    columns = ", ".join(f"{_value(column, kind)} AS {column}" for column, kind in ERP[name].items())
    select = f"SELECT {columns} FROM range({first}, {first + rows}) t(n)".replace(
        "'first_name ' || n", f"'{first_name}'"
    )
    key = hashlib.sha256(select.encode()).hexdigest()
    path = f"data/erp.{name}/{key}.parquet"
    file = folder / path
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect() as database:
            database.sql(select).write_parquet(str(file))
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    return ChunkEntry(
        path=path,
        rows=rows,
        bytes=len(content),
        sha256=digest,
        key=key,
        heap=f"erp.{name}",
        first_block=0,
        end_block=None,
    )


def _value(column: str, kind: str) -> str:
    return VALUES.get(kind, f"n::{kind}").format(column=column)
