"""The manifest: the list of receipts that make one snapshot of a source. What is in no manifest does not exist.

An area keeps its manifests as `manifests/<id>.json`; `latest/<dataset>.json` names the newest one of a dataset
(one schema of one source).
"""

import hashlib
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tasks.chunks import Receipt
from tasks.errors import ManifestBroken
from tasks.storage import StorageArea, read_bytes

FORMAT: Literal[1] = 1
MANIFESTS = "manifests"
LATEST = "latest"
LONGEST_NAME = 63  # PostgreSQL's own limit; three of them, with their hashes, make a file name of 255 bytes at most


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class Column(_Value):
    """A column as the source declares it, and the type that carries it in the files.

    as_text: the file type gave way to text, since a value was met that it cannot hold.
    """

    name: str
    postgres_type: str
    file_type: str
    nullable: bool
    as_text: bool


class ChunkEntry(Receipt):
    """A receipt and where its rows lay: blocks first_block to end_block (None: open) of a heap."""

    heap: str
    first_block: int
    end_block: int | None


class HeapEntry(_Value):
    """One heap of a table (a partitioned table has several): its storage and how it was cut."""

    name: str
    filenode: int
    schema_id: str
    chunk_blocks: int


class TableEntry(_Value):
    """A table of the snapshot: its columns, and the files that hold its rows."""

    schema_name: str = Field(alias="schema")
    name: str
    columns: tuple[Column, ...]
    rows: int
    bytes: int
    heaps: tuple[HeapEntry, ...]
    chunks: tuple[ChunkEntry, ...]

    @property
    def full_name(self) -> str:
        return f"{self.schema_name}.{self.name}"


class SourceEntry(_Value):
    """Which server and database the snapshot shows."""

    name: str
    database: str
    system_identifier: str
    timeline: int
    server_version: int


class Manifest(_Value):
    """The exact image of all unloaded tables at one instant (`snapshot_at`, UTC)."""

    format: Literal[1] = FORMAT
    id: str
    dataset: str
    snapshot_at: datetime
    source: SourceEntry
    tables: tuple[TableEntry, ...]

    def table(self, name: str) -> TableEntry:
        """The table of that name, with or without its schema. Raises ManifestBroken when there is none."""
        for table in self.tables:
            if name in {table.name, table.full_name}:
                return table
        known = ", ".join(table.full_name for table in self.tables)
        raise ManifestBroken(f"manifest {self.id} has no table {name!r}; it has: {known}")


class LatestEntry(_Value):
    """Points to the newest manifest of a dataset."""

    manifest: str
    snapshot_at: datetime


def safe_name(name: str) -> str:
    """A file name for any name, of 72 characters at most: letters, digits and `_` stay; changed ones get a hash."""
    kept = re.sub(r"[^A-Za-z0-9_]", "_", name)[:LONGEST_NAME]
    return kept if kept == name else f"{kept}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def dataset_name(*, source: str, database: str, schema: str) -> str:
    """The name under which all snapshots of one schema of one source follow each other."""
    return ".".join(safe_name(part) for part in (source, database, schema))


def manifest_id(*, dataset: str, snapshot_at: datetime) -> str:
    """An id that sorts by the snapshot's time, e.g. `20261120T010203.123456Z-1a2b3c4d`."""
    digest = hashlib.sha256(dataset.encode()).hexdigest()[:8]
    return f"{snapshot_at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{digest}"


def manifest_path(manifest: str) -> str:
    """Where a manifest lies in its area."""
    return f"{MANIFESTS}/{manifest}.json"


def publish_manifest(area: StorageArea, manifest: Manifest) -> str:
    """Write a manifest in one put, then let `latest` point to it, unless a newer one came first. Safe to repeat.

    Returns the manifest's path. Raises StorageRefused, StorageUnavailable.
    """
    path = manifest_path(manifest.id)
    area.put(path, manifest.model_dump_json(indent=1).encode())
    latest = latest_entry(area, manifest.dataset)
    if latest is None or latest.snapshot_at <= manifest.snapshot_at:
        entry = LatestEntry(manifest=manifest.id, snapshot_at=manifest.snapshot_at)
        area.put(f"{LATEST}/{manifest.dataset}.json", entry.model_dump_json().encode())
    return path


def latest_entry(area: StorageArea, dataset: str) -> LatestEntry | None:
    """Which manifest is the newest of a dataset; None when none was published."""
    path = f"{LATEST}/{dataset}.json"
    if area.size(path) is None:
        return None
    return _parse(area, path, LatestEntry.model_validate_json)


def latest_manifest(area: StorageArea, dataset: str | None = None) -> Manifest | None:
    """The newest manifest of a dataset, or of the whole area; None when there is none."""
    if dataset is not None:
        entry = latest_entry(area, dataset)
    else:
        pointers = (path.removeprefix(f"{LATEST}/").removesuffix(".json") for path in area.list(LATEST))
        entries = [entry for entry in (latest_entry(area, name) for name in pointers) if entry is not None]
        entry = max(entries, key=lambda entry: entry.snapshot_at, default=None)
    return None if entry is None else read_manifest(area, entry.manifest)


def read_manifest(area: StorageArea, manifest: str) -> Manifest:
    """One manifest by its id. Raises ManifestBroken when it is absent or unreadable."""
    return _parse(area, manifest_path(manifest), Manifest.model_validate_json)


def list_manifests(area: StorageArea) -> Iterator[str]:
    """Ids of all manifests of an area, oldest first."""
    for path in area.list(MANIFESTS):
        if path.endswith(".json"):
            yield path.removeprefix(f"{MANIFESTS}/").removesuffix(".json")


T = TypeVar("T")


def _parse(area: StorageArea, path: str, parse: Callable[[bytes], T]) -> T:
    try:
        return parse(read_bytes(area, path))
    except FileNotFoundError as error:
        raise ManifestBroken(
            f"{area.uri}/{path} does not exist: list what there is with `reprise manifest ls`; "
            f"delete what in {LATEST}/ points to it"
        ) from error
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        remedy = f"delete it, and what in {LATEST}/ points to it; then unload again"
        raise ManifestBroken(f"{area.uri}/{path} is not a manifest of format {FORMAT}: {reason}: {remedy}") from error
