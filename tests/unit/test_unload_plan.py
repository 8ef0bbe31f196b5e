"""The content key: what it must depend on, and what it must not."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tasks.errors import ManifestBroken
from tasks.storage import FolderArea
from tasks.unload.cut import CutHeap, Fingerprint, Range
from tasks.unload.plan import Chunk, KeyMaker, salt_of
from tasks.unload.snapshot import ServerIdentity, SnapshotRef
from tasks.unload.tables import Heap, Table, with_text
from tasks.unload.types import ColumnPlan

SERVER = ServerIdentity(
    source="erp",
    version=180_000,
    system_identifier="7",
    timeline=1,
    started_at="2026-11-20T00:00:00+00:00",
    database="school",
    database_oid=5,
    role="reader",
)
SNAPSHOT = SnapshotRef(name="0-1", taken_at=datetime(2026, 11, 20, tzinfo=UTC), fence="0/1", server=SERVER)
HEAP = Heap(oid=10, schema="erp", name="grades", filenode=20, schema_id="s", is_cacheable=True)
COLUMN = ColumnPlan(
    name="value",
    declared="integer",
    nullable=True,
    builtin="int4",
    modifier=-1,
    domain_over=None,
    output=("pg_catalog", "int4out"),
)
TABLE = Table(schema="erp", name="grades", columns=(COLUMN,), heaps=(HEAP,))


def chunk(
    *,
    area: str = "file:///staging",
    snapshot: SnapshotRef = SNAPSHOT,
    may_cache: bool = True,
    table: Table = TABLE,
    heap: Heap = HEAP,
    chunk_blocks: int = 2_048,
    block_range: Range = Range(first=0, end=None),  # noqa: B008  # frozen
    fingerprint: Fingerprint = Fingerprint(rows=3, hash=99),  # noqa: B008  # frozen
) -> Chunk:
    cut_heap = CutHeap(heap=heap, chunk_blocks=chunk_blocks, ranges=(block_range,))
    return KeyMaker(area=area, snapshot=snapshot, may_cache=may_cache).chunk(table, cut_heap, block_range, fingerprint)


def other_server(**changes: Any) -> SnapshotRef:
    return replace(SNAPSHOT, server=replace(SERVER, **changes))


def other_column(**changes: Any) -> Table:
    return replace(TABLE, columns=(replace(COLUMN, **changes),))


@pytest.mark.parametrize(
    "change",
    [
        {"area": "file:///other"},
        {"snapshot": other_server(source="other")},
        {"snapshot": other_server(system_identifier="8")},
        {"snapshot": other_server(timeline=2)},
        {"snapshot": other_server(started_at="2026-11-21T00:00:00+00:00")},
        {"snapshot": other_server(database="other")},
        {"snapshot": other_server(database_oid=6)},
        {"snapshot": other_server(role="other")},
        {"table": replace(TABLE, name="marks")},
        {"heap": replace(HEAP, oid=11)},
        {"heap": replace(HEAP, filenode=21)},
        {"heap": replace(HEAP, schema_id="t")},
        {"heap": replace(HEAP, name="grades_2024")},
        {"block_range": Range(first=0, end=2_048)},
        {"block_range": Range(first=2_048, end=None)},
        {"fingerprint": Fingerprint(rows=4, hash=99)},
        {"fingerprint": Fingerprint(rows=3, hash=98)},
        {"table": other_column(name="grade")},
        {"table": other_column(as_text=True)},
        {"may_cache": False},
        {"heap": replace(HEAP, is_cacheable=False)},
    ],
)
def test_a_key_changes_with_what_the_file_depends_on(change: dict[str, Any]) -> None:
    assert chunk(**change).key != chunk().key


@pytest.mark.parametrize(
    "change",
    [
        {"snapshot": replace(SNAPSHOT, name="0-2", taken_at=datetime(2026, 11, 21, tzinfo=UTC), fence="0/2")},
        {"snapshot": other_server(version=180_001)},
        {"chunk_blocks": 4_096},
        {"table": other_column(nullable=False)},
    ],
)
def test_a_key_does_not_change_with_the_run(change: dict[str, Any]) -> None:
    assert chunk(**change).key == chunk().key


def test_what_may_not_be_cached_has_a_key_of_this_snapshot_alone() -> None:
    other = replace(SNAPSHOT, name="0-2")
    assert not chunk(may_cache=False).is_cacheable
    assert chunk(may_cache=False).key != chunk(may_cache=False, snapshot=other).key


def test_a_chunk_is_called_by_its_table_and_blocks() -> None:
    assert str(chunk(block_range=Range(first=0, end=2_048))) == "erp.grades blocks 0-2047"
    assert str(chunk(block_range=Range(first=2_048, end=None))) == "erp.grades blocks 2048-"
    assert chunk().path == f"data/erp.grades/{chunk().key}.parquet"


def test_columns_are_made_text_by_table_and_name() -> None:
    marks = replace(TABLE, name="marks")
    grades, others = with_text((TABLE, marks), frozenset({("erp.grades", "value"), ("erp.grades", "none")}))
    assert [column.file_type for column in grades.columns] == ["VARCHAR"]
    assert [column.file_type for column in others.columns] == ["INTEGER"]


def test_a_salt_is_made_once_for_each_dataset(tmp_path: Any) -> None:
    area = FolderArea(root=tmp_path)
    assert salt_of(area, "one") == salt_of(area, "one")
    assert 0 <= salt_of(area, "one") < 2**31
    assert salt_of(area, "one") != salt_of(area, "two")  # wrong once in two thousand million times


@pytest.mark.parametrize("damage", [b"", b"x", b"-1", b"1.5", str(2**31).encode(), "²".encode(), b"\xff", b"12\n"])
def test_a_damaged_salt_is_refused(tmp_path: Any, damage: bytes) -> None:
    area = FolderArea(root=tmp_path)
    area.put("salts/one", damage)
    with pytest.raises(ManifestBroken, match="salts/one is damaged: delete it"):
        salt_of(area, "one")
