"""The plan: all chunks of a snapshot, each with the key of its content."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import duckdb

from tasks.chunks import Receipt, content_key
from tasks.errors import ManifestBroken, StorageUnavailable
from tasks.manifest import Manifest, dataset_name, latest_manifest, safe_name
from tasks.storage import StorageArea, read_bytes
from tasks.unload.cut import CutHeap, Fingerprint, Range, cut, fingerprints
from tasks.unload.snapshot import SnapshotRef, wait_for_fence
from tasks.unload.source import SESSION, Connection, Source
from tasks.unload.tables import Heap, Table, find_tables, left_out, with_text
from tasks.unload.types import MAPPING_VERSION, ColumnPlan

#: Raise it when the layout of chunk files changes for another reason than a newer writer.
FILE_FORMAT = {"format": "parquet", "codec": "zstd", "writer": f"duckdb {duckdb.__version__}", "version": 1}
SALT_BITS = 31

#: Columns that are carried as text whatever their type: (table's full name, column).
TextColumns = frozenset[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """A range of heap blocks of one table, and what it holds.

    table: full name of the table.  rows: how many the fingerprint counted.
    key: hash of everything that the file's bytes depend on.  path: of the file, relative to the area.
    is_cacheable: whether a receipt under this key may serve a later run.
    """

    table: str
    heap: Heap
    range: Range
    rows: int
    key: str
    path: str
    is_cacheable: bool

    def is_of(self, receipt: Receipt) -> bool:
        """Whether a receipt speaks of this chunk."""
        return (receipt.key, receipt.path, receipt.rows) == (self.key, self.path, self.rows)

    def __str__(self) -> str:
        end = "" if self.range.end is None else self.range.end - 1
        return f"{self.heap.full_name} blocks {self.range.first}-{end}"


@dataclass(frozen=True, kw_only=True)
class TablePlan:
    """A table, how its heaps were cut, and its chunks in the order of heaps and blocks."""

    table: Table
    heaps: tuple[CutHeap, ...]
    chunks: tuple[Chunk, ...]


@dataclass(frozen=True, kw_only=True)
class UnloadPlan:
    """Everything that one snapshot of one schema needs; `left_out` are relations of it that are not unloaded."""

    dataset: str
    snapshot: SnapshotRef
    tables: tuple[TablePlan, ...]
    left_out: tuple[str, ...]


def make_plan(
    *,
    source: Source,
    connection: Connection,
    snapshot: SnapshotRef,
    schema: str,
    area: StorageArea,
    text_columns: TextColumns,
    workers: int,
) -> UnloadPlan:
    """Plan the unload of a schema under a snapshot; `connection` must be the one that holds it. Reads no column.

    Chunk sizes and text columns of the last manifest are kept. Raises SourceRefused, ReplanError, RetryableError.
    """
    dataset = dataset_name(source=source.name, database=snapshot.server.database, schema=schema)
    last = latest_manifest(area, dataset)
    tables = with_text(find_tables(connection, schema), text_columns | _text_columns_of(last))
    heaps = cut(connection, tables, _chunk_sizes_of(last))
    taken = fingerprints(
        source=source, snapshot=snapshot.name, salt=salt_of(area, dataset), heaps=heaps, workers=workers
    )
    by_oid = {cut_heap.heap.oid: cut_heap for cut_heap in heaps}
    keys = KeyMaker(area=area.uri, snapshot=snapshot, may_cache=wait_for_fence(source, snapshot))
    plans = []
    for table in tables:
        cut_heaps = tuple(by_oid[heap.oid] for heap in table.heaps)
        chunks = tuple(
            keys.chunk(table, cut_heap, block_range, fingerprint)
            for cut_heap in cut_heaps
            for block_range, fingerprint in zip(cut_heap.ranges, taken[cut_heap.heap.oid], strict=True)
        )
        plans.append(TablePlan(table=table, heaps=cut_heaps, chunks=chunks))
    return UnloadPlan(dataset=dataset, snapshot=snapshot, tables=tuple(plans), left_out=left_out(connection, schema))


@dataclass(frozen=True, kw_only=True)
class KeyMaker:
    """Makes chunks of ranges: the one place that decides what a content key is made of."""

    area: str
    snapshot: SnapshotRef
    may_cache: bool

    def chunk(self, table: Table, cut_heap: CutHeap, block_range: Range, fingerprint: Fingerprint) -> Chunk:
        """The chunk of a range, its key and its file's path."""
        heap = cut_heap.heap
        is_cacheable = self.may_cache and heap.is_cacheable
        key = content_key(
            server=self.snapshot.server.key_parts(),
            table=table.full_name,
            heap=[heap.oid, heap.full_name, heap.filenode, heap.schema_id],
            blocks=[block_range.first, block_range.end],
            fingerprint=[fingerprint.rows, fingerprint.hash],
            columns=_described(table.columns),
            file=FILE_FORMAT,
            mapping=MAPPING_VERSION,
            session=SESSION,
            area=self.area,
            # What no later run may reuse gets a name of its own.
            only_for=None if is_cacheable else [self.snapshot.name, self.snapshot.taken_at.isoformat()],
        )
        return Chunk(
            table=table.full_name,
            heap=heap,
            range=block_range,
            rows=fingerprint.rows,
            key=key,
            path=f"data/{safe_name(table.schema)}.{safe_name(table.name)}/{key}.parquet",
            is_cacheable=is_cacheable,
        )


def _described(columns: Iterable[ColumnPlan]) -> list[list[str]]:
    return [[column.name, column.file_type] for column in columns]


def salt_of(area: StorageArea, dataset: str) -> int:
    """The number, 31 bits, that keys a dataset's fingerprints; made at random for the first run of an area.

    It keeps people who may write to the source from making two contents with one fingerprint; it lies with the files
    that it protects, so that any host with the area finds the receipts again.
    """
    path = f"salts/{dataset}"
    area.put(path, str(secrets.randbits(SALT_BITS)).encode(), only_if_absent=True)
    try:
        text = read_bytes(area, path).decode(errors="replace")
    except FileNotFoundError as error:  # S3 said that somebody else is putting it
        raise StorageUnavailable(f"{area.uri}/{path} is being made by another run: run again") from error
    if not (text.isascii() and text.isdigit()) or int(text) >= 2**SALT_BITS:
        raise ManifestBroken(f"{area.uri}/{path} is damaged: delete it; the next run then reads every chunk again")
    return int(text)


def _chunk_sizes_of(last: Manifest | None) -> dict[str, int]:
    tables = last.tables if last else ()
    return {heap.name: heap.chunk_blocks for table in tables for heap in table.heaps}


def _text_columns_of(last: Manifest | None) -> TextColumns:
    """What an earlier run found no exact type for stays text: readers see one type from night to night."""
    tables = last.tables if last else ()
    return frozenset((table.full_name, column.name) for table in tables for column in table.columns if column.as_text)
