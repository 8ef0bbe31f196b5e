"""Copying one chunk: lock, compare, read, look at the catalog again, publish."""

import contextlib
import hashlib
from collections.abc import Iterator

import duckdb
from psycopg import sql

from tasks.chunks import Receipt
from tasks.errors import StorageRefused
from tasks.storage import StorageArea, scratch_of
from tasks.unload.guard import explaining, lock_and_compare, require_same_catalog, why_read_failed
from tasks.unload.plan import Chunk
from tasks.unload.pool import Pool
from tasks.unload.queries import query
from tasks.unload.read import ChunkReader, value_not_exact
from tasks.unload.source import Connection, Source, one_row, reconnect, snapshot_transaction
from tasks.unload.tables import Heap
from tasks.unload.types import ColumnPlan


class Readers:
    """The sessions of a run that read chunks under its snapshot: as many as chunks are in flight."""

    def __init__(self, source: Source, snapshot: str) -> None:
        self.source = source
        self.snapshot = snapshot
        self._readers = Pool(lambda: ChunkReader(source, snapshot))
        self._lookouts: Pool[Connection] = Pool(lambda: reconnect(source))

    @contextlib.contextmanager
    def reading(self, heap: Heap) -> Iterator[ChunkReader]:
        """A reader inside a transaction that has locked the heap; when the block ends, the catalog is looked at again.

        Raises CatalogChanged, TableRewritten, SourceUnavailable, ChunkNotRead; duckdb.Error where the read fails.
        """
        with self._readers.lend() as reader, reader.locked(heap):
            yield reader
            with self._lookouts.lend() as lookout, explaining(heap):
                require_same_catalog(lookout, heap)

    def close(self) -> None:
        """End the idle sessions."""
        self._readers.close()
        self._lookouts.close()


def copy_chunk(*, chunk: Chunk, columns: tuple[ColumnPlan, ...], readers: Readers, area: StorageArea) -> Receipt:
    """Copy one chunk into its file in the area; safe to repeat, since the file's bytes are a function of its key.

    Raises RetryableError, ReplanError, RowCountMismatch, StorageRefused; then nothing was published.
    """
    with scratch_of(area) as folder:
        file = folder / "chunk.parquet"
        try:
            with readers.reading(chunk.heap) as reader:
                reader.write_parquet(chunk, columns, file)
        except duckdb.Error as error:
            reason = " ".join(str(error).split())
            if str(file) in reason:
                raise StorageRefused(f"storage {area.uri}: {reason}: make room there, then run again") from error
            if isinstance(error, duckdb.ConversionException):
                _require_no_nan(chunk, columns, readers)
            raise why_read_failed(readers.source, readers.snapshot, chunk.heap, reason) from error
        with file.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        size = file.stat().st_size
        area.put_file(file, chunk.path)
    return Receipt(path=chunk.path, rows=chunk.rows, bytes=size, sha256=sha256, key=chunk.key)


def _require_no_nan(chunk: Chunk, columns: tuple[ColumnPlan, ...], readers: Readers) -> None:
    """Raises ValueNotExact if a numeric column of the chunk holds NaN, the one text of it that is no DECIMAL."""
    connection, heap = reconnect(readers.source), chunk.heap
    with contextlib.closing(connection), explaining(heap), snapshot_transaction(connection, readers.snapshot):
        lock_and_compare(connection, heap)
        for column in columns:
            if not column.file_type.startswith("DECIMAL"):
                continue
            name = sql.Identifier(column.name)
            if one_row(connection, query("has_nan", heap=heap.identifier, column=name, **chunk.range.tids))["found"]:
                raise value_not_exact(chunk, column.name)
