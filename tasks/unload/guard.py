"""The guard against heaps that are rewritten, and catalogs that are changed, under an older snapshot.

TRUNCATE, rewriting ALTERs, VACUUM FULL and the like are not transactional for snapshots taken before them, and output
functions follow the newest catalog whatever the snapshot. So every read first locks the heap against DDL, then
compares; and asks for the schema id once more when it has read, while the lock still holds.
"""

import contextlib
from collections.abc import Iterator, Sequence

import psycopg
from psycopg import sql

from tasks.errors import (
    CatalogChanged,
    ChunkNotRead,
    RepriseError,
    SourceRefused,
    SourceUnavailable,
    TableRewritten,
)
from tasks.unload.queries import query
from tasks.unload.source import LOCK_TIMEOUT_MS, Connection, Row, Source, one_row, reconnect, snapshot_transaction
from tasks.unload.tables import Heap, heap_schema


def lock_of(heap: Heap) -> sql.Composed:
    """The statement that keeps DDL away from a heap until the transaction ends; readers and writers go on."""
    return query("lock_heap", heap=heap.identifier)


def comparison_of(heap: Heap) -> sql.Composed:
    """The statement whose row `require_same_heap` judges; to be run under the lock."""
    name = heap.identifier.as_string()
    return query("heap_now", name=sql.Literal(name), heap=sql.Literal(heap.oid))


def require_same_heap(heap: Heap, row: Row) -> None:
    """Raises CatalogChanged or TableRewritten unless name, disk and snapshot all mean the planned heap."""
    if row["named"] != heap.oid:
        raise CatalogChanged(
            f'table "{heap.full_name}" was renamed or replaced after the run had planned it: run again'
        )
    if not row["current"] == row["seen"] == heap.filenode:
        raise TableRewritten(
            f'table "{heap.full_name}" was rewritten (TRUNCATE, ALTER, VACUUM FULL …) after the snapshot: '
            f"filenode {row['current']} now, {row['seen']} in the snapshot, {heap.filenode} in the plan: "
            "run again when that is over"
        )


def lock_and_compare(connection: Connection, heap: Heap) -> None:
    """Lock the heap in the current transaction and make sure that it is the planned one.

    Raises CatalogChanged, TableRewritten, SourceUnavailable (somebody else holds a conflicting lock).
    """
    connection.execute(lock_of(heap))
    require_same_heap(heap, one_row(connection, comparison_of(heap)))


def require_same_catalog(connection: Connection, heap: Heap) -> None:
    """Raises CatalogChanged unless the newest catalog describes the heap as the plan does.

    Waits for no lock for longer than the lock timeout: a reader whose lock others wait behind may be waiting for us.
    """
    with snapshot_transaction(connection, None):
        found = heap_schema(connection, heap.oid)
    if found.id != heap.schema_id:
        raise CatalogChanged(f'table "{heap.full_name}" was altered after the run had planned it: run again')


def require_same_heaps(connection: Connection, heaps: Sequence[Heap]) -> None:
    """The last look before the manifest. Raises TableRewritten."""
    wanted = {heap.oid: heap for heap in heaps}
    for row in connection.execute(query("current_filenodes", heaps=sql.Literal(list(wanted)))):
        heap = wanted[row["oid"]]
        if row["filenode"] != heap.filenode:
            raise TableRewritten(
                f'table "{heap.full_name}" was rewritten or dropped while the run was reading: run again'
            )


def explained(error: psycopg.Error, heap: Heap) -> RepriseError:
    """What PostgreSQL's error on a heap means for the run."""
    reason = " ".join(str(error).split())
    match error:
        case psycopg.errors.LockNotAvailable():
            waited = f"waited {LOCK_TIMEOUT_MS / 1000:.0f} s"
            return SourceUnavailable(f'table "{heap.full_name}" is locked by somebody\'s DDL: {waited}: run again')
        case psycopg.errors.UndefinedTable() | psycopg.errors.InvalidSchemaName() | psycopg.errors.UndefinedColumn():
            return CatalogChanged(f'table "{heap.full_name}" was dropped or altered under the run: {reason}: run again')
        case psycopg.errors.InsufficientPrivilege():
            remedy = "grant the role SELECT on it, and BYPASSRLS where a row-level policy applies"
            return SourceRefused(f'table "{heap.full_name}" may not be read: {reason}: {remedy}')
        case _:
            return ChunkNotRead(f'table "{heap.full_name}": {reason}')


@contextlib.contextmanager
def explaining(heap: Heap) -> Iterator[None]:
    """Turn psycopg's errors inside the block into ours."""
    try:
        yield
    except psycopg.Error as error:
        raise explained(error, heap) from error


def why_read_failed(source: Source, snapshot: str, heap: Heap, reason: str) -> RepriseError:
    """Find out over a fresh connection why a read of a heap broke off; `reason` is the reader's own word.

    The reader gives no SQLSTATE, and its messages come in the server's language.
    """
    try:
        with contextlib.closing(reconnect(source)) as connection:
            with explaining(heap), snapshot_transaction(connection, snapshot):
                lock_and_compare(connection, heap)
            require_same_catalog(connection, heap)
    except RepriseError as error:
        return error
    return ChunkNotRead(f'table "{heap.full_name}": the read broke off: {reason}: run again')
