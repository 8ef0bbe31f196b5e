"""Whether the files of a manifest still are what it says."""

import hashlib
from collections.abc import Iterator
from tempfile import SpooledTemporaryFile

from pyarrow import parquet

from tasks.chunks import Receipt
from tasks.manifest import Manifest, TableEntry
from tasks.storage import StorageArea

PIECE = 1 << 20
IN_MEMORY = 64 << 20


def differences(area: StorageArea, manifest: Manifest) -> Iterator[str]:
    """Read every file and say what differs, one sentence a file or table; nothing when all is well."""
    for table in manifest.tables:
        yield from (
            f"{table.full_name}: {area.uri}/{chunk.path}: {what}"
            for chunk in table.chunks
            for what in _check(area, chunk)
        )
        yield from _check_totals(table)


def _check(area: StorageArea, chunk: Receipt) -> Iterator[str]:
    try:
        stream = area.open(chunk.path)
    except FileNotFoundError:
        yield "the file is missing"
        return
    digest = hashlib.sha256()
    with stream, SpooledTemporaryFile(max_size=IN_MEMORY) as copy:
        while piece := stream.read(PIECE):
            digest.update(piece)
            copy.write(piece)
        size = copy.tell()
        if size != chunk.bytes:
            yield f"has {size:,} bytes, {chunk.bytes:,} were written"
        elif digest.hexdigest() != chunk.sha256:
            yield f"has sha256 {digest.hexdigest()}, {chunk.sha256} was written"
        else:
            copy.seek(0)
            rows = parquet.ParquetFile(copy).metadata.num_rows
            if rows != chunk.rows:
                yield f"has {rows:,} rows, the manifest says {chunk.rows:,}"


def _check_totals(table: TableEntry) -> Iterator[str]:
    rows = sum(chunk.rows for chunk in table.chunks)
    if rows != table.rows:
        yield f"{table.full_name}: its files have {rows:,} rows, the manifest says {table.rows:,}"
