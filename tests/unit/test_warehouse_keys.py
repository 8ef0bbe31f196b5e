import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from spark.contracts import ERP
from spark.students import SOURCES
from tasks.errors import ManifestBroken
from tasks.manifest import ChunkEntry, Manifest, SourceEntry, TableEntry
from tasks.storage import open_area
from tasks.warehouse.build import ERP_TABLES, SPARK, STUDENTS_SOURCES, BuildReceipt, builds_of, is_intact
from tasks.warehouse.publication import DataFile, WarehouseTable


def manifest_with(
    content: dict[str, str] | None = None, *, tables: tuple[str, ...] = ERP_TABLES, id_: str = "m"
) -> Manifest:
    """A manifest of one chunk a table; `content` says what is in the chunks that are special."""
    return Manifest(
        id=id_,
        dataset="erp",
        snapshot_at=datetime(2026, 11, 20, tzinfo=UTC),
        source=SourceEntry(name="s", database="d", system_identifier="1", timeline=1, server_version=180000),
        tables=tuple(table_with(name, (content or {}).get(name, "plain")) for name in tables),
    )


def table_with(name: str, content: str) -> TableEntry:
    digest = hashlib.sha256(content.encode()).hexdigest()
    chunk = ChunkEntry(
        path=f"data/{name}", rows=1, bytes=1, sha256=digest, key=digest, heap=name, first_block=0, end_block=None
    )
    return TableEntry(schema="erp", name=name, columns=(), rows=1, bytes=1, heaps=(), chunks=(chunk,))


def keys(manifest: Manifest, version: str = "3.5.6") -> dict[str, str]:
    return {build.name: build.key for build in builds_of(manifest, version)}


def test_the_builds_know_the_tables_and_scripts_of_the_spark_side() -> None:
    assert set(ERP_TABLES) == set(ERP)
    assert STUDENTS_SOURCES == SOURCES
    assert all((SPARK / f"{build.name}.py").is_file() for build in builds_of(manifest_with(), "3.5.6"))


def test_equal_content_has_equal_keys_in_every_manifest() -> None:
    assert keys(manifest_with(id_="today")) == keys(manifest_with(id_="yesterday"))


def test_a_changed_chunk_changes_the_keys_of_the_builds_that_read_it() -> None:
    before, grades, events = (
        keys(manifest_with()),
        keys(manifest_with({"grades": "new"})),
        keys(manifest_with({"events": "new"})),
    )
    assert grades["tables"] != before["tables"]
    assert grades["students"] != before["students"]
    assert events["tables"] != before["tables"]
    assert events["students"] == before["students"]


def test_a_receipt_is_intact_while_all_its_files_are_there_with_their_sizes(tmp_path: Path) -> None:
    area = open_area(str(tmp_path))
    files = (DataFile(path="data/a.parquet", bytes=3), DataFile(path="data/b.parquet", bytes=0))
    table = WarehouseTable(name="t", folder="data", rows=1, bytes=3, files=files)
    receipt = BuildReceipt(key="k", tables=(table,), seconds=1.0)
    area.put("data/a.parquet", b"abc")
    assert not is_intact(receipt, area), "an empty file that is absent is absent"
    area.put("data/b.parquet", b"")
    assert is_intact(receipt, area)
    area.put("data/a.parquet", b"ab")
    assert not is_intact(receipt, area)


def test_another_spark_changes_every_key() -> None:
    before, after = keys(manifest_with()), keys(manifest_with(), "3.5.7")
    assert not set(before.values()) & set(after.values())


def test_a_manifest_without_a_table_of_the_erp_is_refused_by_name() -> None:
    with pytest.raises(ManifestBroken, match="'audiences'"):
        builds_of(manifest_with(tables=ERP_TABLES[:-1]), "3.5.6")
