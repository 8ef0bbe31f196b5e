"""How tables are cut into ranges of heap blocks, and what identifies the content of each range."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from psycopg import sql

from tasks.unload.guard import explaining, lock_and_compare, require_same_catalog
from tasks.unload.pool import Pool
from tasks.unload.queries import query
from tasks.unload.source import Connection, Source, one_row, reconnect, snapshot_transaction
from tasks.unload.tables import Heap, Table, count_blocks

LEAST_CHUNK_BLOCKS = 2_048  # 16 MiB
MOST_CHUNKS = 256
#: A heap keeps the chunk size of its last manifest until it has outgrown it by this factor.
OUTGROWN = 8
#: Blocks that are fingerprinted under one lock: a fraction of a second, so that DDL never waits long for us.
BLOCKS_PER_LOCK = 16_384
END_OF_HEAP = 2**32 - 1


@dataclass(frozen=True, kw_only=True)
class Range:
    """Blocks first to end of a heap, counted from 0 in the server's pages (8 KiB); `end` None: all that follow."""

    first: int
    end: int | None

    @property
    def tids(self) -> dict[str, sql.Literal]:
        """The range as the row addresses that bound it."""
        end = END_OF_HEAP if self.end is None else self.end
        return {"first": sql.Literal(f"({self.first},0)"), "end": sql.Literal(f"({end},0)")}


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """Identity of the row versions of a range under a snapshot: how many, and the xor of their hashes."""

    rows: int
    hash: int


@dataclass(frozen=True, kw_only=True)
class CutHeap:
    """A heap, the size of its chunks in blocks, and its ranges."""

    heap: Heap
    chunk_blocks: int
    ranges: tuple[Range, ...]


def chunk_blocks_for(*, blocks: int, kept: int | None) -> int:
    """Chunk size of a heap: a power of two, at least 16 MiB, at most 256 chunks; the kept one unless outgrown."""
    if kept is not None and blocks <= kept * MOST_CHUNKS * OUTGROWN:
        return kept
    size = LEAST_CHUNK_BLOCKS
    while size * MOST_CHUNKS < blocks:
        size *= 2
    return size


def ranges_of(*, blocks: int, chunk_blocks: int) -> tuple[Range, ...]:
    """Ranges that cover a heap's blocks once; the last one is open-ended, so an empty heap has one, too."""
    starts = range(0, max(blocks, 1), chunk_blocks)
    ends = [*starts[1:], None]
    return tuple(Range(first=first, end=end) for first, end in zip(starts, ends, strict=True))


def cut(connection: Connection, tables: Iterable[Table], kept: Mapping[str, int]) -> tuple[CutHeap, ...]:
    """Cut all heaps of the tables; `kept` has the chunk sizes of the last manifest by the heap's full name.

    Raises CatalogChanged, SourceUnavailable; the connection's transaction goes on.
    """
    heaps = []
    for table in tables:
        for heap in table.heaps:
            with explaining(heap), connection.transaction():  # a savepoint
                blocks = count_blocks(connection, heap)
            size = chunk_blocks_for(blocks=blocks, kept=kept.get(heap.full_name))
            heaps.append(CutHeap(heap=heap, chunk_blocks=size, ranges=ranges_of(blocks=blocks, chunk_blocks=size)))
    return tuple(heaps)


def fingerprints(
    *, source: Source, snapshot: str, salt: int, heaps: Iterable[CutHeap], workers: int
) -> dict[int, list[Fingerprint]]:
    """Fingerprints of all ranges, in their order, by the heap's oid; taken over `workers` connections side by side.

    Raises CatalogChanged, TableRewritten, SourceUnavailable, ChunkNotRead.
    """
    portions = [(cut_heap.heap, portion) for cut_heap in heaps for portion in _portions(cut_heap)]
    found: dict[int, list[Fingerprint]] = {heap.oid: [] for heap, _ in portions}
    with Pool(lambda: reconnect(source)) as connections, ThreadPoolExecutor(max_workers=workers) as threads:

        def take(portion: tuple[Heap, tuple[Range, ...]]) -> list[Fingerprint]:
            with connections.lend() as connection, explaining(portion[0]):
                # What the snapshot shows of the catalog has newest names in it (an expression's columns), and thus may
                # equal that of another time; a chunk that is a hit is not read, so nobody would look again.
                require_same_catalog(connection, portion[0])
                return _fingerprints(connection, snapshot, salt, *portion)

        for (heap, _), taken in zip(portions, threads.map(take, portions), strict=True):
            found[heap.oid] += taken
    return found


def _portions(cut_heap: CutHeap) -> Iterator[tuple[Range, ...]]:
    size = max(1, BLOCKS_PER_LOCK // cut_heap.chunk_blocks)
    for start in range(0, len(cut_heap.ranges), size):
        yield cut_heap.ranges[start : start + size]


def _fingerprints(
    connection: Connection, snapshot: str, salt: int, heap: Heap, ranges: tuple[Range, ...]
) -> list[Fingerprint]:
    with snapshot_transaction(connection, snapshot):
        lock_and_compare(connection, heap)
        statements = (query("fingerprint", heap=heap.identifier, salt=sql.Literal(salt), **r.tids) for r in ranges)
        rows = [one_row(connection, statement) for statement in statements]
    return [Fingerprint(rows=row["rows"], hash=row["hash"]) for row in rows]
