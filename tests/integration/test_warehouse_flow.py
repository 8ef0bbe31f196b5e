"""The warehouse from a staging area, by real Spark under a real Prefect server: what is published and built again."""

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from warehouse_staging import CHUNKS, NOON, make_staging

from flows.build_warehouse import build_warehouse
from tasks.errors import ManifestBroken, StorageRefused
from tasks.manifest import Manifest, publish_manifest
from tasks.spark_job import SparkJobFailed
from tasks.storage import open_area
from tasks.warehouse.build import TableMismatch
from tasks.warehouse.publication import Publication, latest_publication, publication_path, read_publication

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory, prefect_server: str) -> tuple[Path, Path, Publication]:
    """A staging area, the warehouse built from it, and its publication; not to be changed."""
    folder = tmp_path_factory.mktemp("école {1}, 50%")
    make_staging(folder / "staging")
    return folder / "staging", folder / "warehouse", build(folder / "staging", folder / "warehouse")


@pytest.fixture
def staging(school: tuple[Path, Path, Publication], tmp_path: Path) -> Path:
    return shutil.copytree(school[0], tmp_path / "staging")


@pytest.fixture
def warehouse(school: tuple[Path, Path, Publication], tmp_path: Path) -> Path:
    """A copy of the warehouse that was built."""
    return shutil.copytree(school[1], tmp_path / "warehouse")


def build(staging: Path, warehouse: Path, manifest: str | None = None) -> Publication:
    return build_warehouse(storage=str(staging), warehouse=str(warehouse), manifest=manifest)


def rows_of(warehouse: Path, publication: Publication, table: str) -> list[tuple[object, ...]]:
    (files,) = ([str(warehouse / file.path) for file in t.files] for t in publication.tables if t.name == table)
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        return database.read_parquet(files).order("ALL").fetchall()


def publish_changed(staging: Path, manifest: Manifest, name: str, **changes: object) -> None:
    """Publish the manifest again with another entry for one table."""
    tables = tuple(table.model_copy(update=changes) if table.name == name else table for table in manifest.tables)
    publish_manifest(open_area(str(staging)), manifest.model_copy(update={"tables": tables}))


def data_files(warehouse: Path) -> Iterator[Path]:
    return (path.relative_to(warehouse) for path in (warehouse / "data").rglob("*.parquet"))


def test_the_publication_names_the_eleven_tables_and_students_with_all_their_rows(
    school: tuple[Path, Path, Publication],
) -> None:
    _, warehouse, publication = school
    copies = {f"erp.{name}": sum(chunks) for name, chunks in CHUNKS.items()}
    assert {table.name: table.rows for table in publication.tables} == copies | {"students": 5}
    assert publication.snapshot_date == date(2026, 11, 20)
    assert {Path(file.path) for table in publication.tables for file in table.files} == set(data_files(warehouse))
    area = open_area(str(warehouse))
    assert read_publication(area, date(2026, 11, 20)) == publication
    assert latest_publication(area) == publication


def test_the_tables_hold_what_the_chunks_hold(school: tuple[Path, Path, Publication]) -> None:
    staging, warehouse, publication = school
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        for name, chunks in CHUNKS.items():
            if any(chunks):
                found = database.read_parquet(sorted(map(str, (staging / f"data/erp.{name}").iterdir()))).order("ALL")
                assert rows_of(warehouse, publication, f"erp.{name}") == found.fetchall()
    assert rows_of(warehouse, publication, "erp.apprenticeships") == []


def test_students_carry_their_indicators(school: tuple[Path, Path, Publication]) -> None:
    _, warehouse, publication = school
    rows = rows_of(warehouse, publication, "students")
    assert [(row[0], *row[-5:]) for row in rows] == [
        (1, Decimal("1.000000"), 0.0, 0, True, 1),
        (2, Decimal("2.000000"), 0.0, 0, True, 2),
        (3, Decimal("3.000000"), 0.0, 0, True, 3),
        (4, None, 0.0, 0, False, None),
        (5, None, 0.0, 0, False, None),
    ]


def test_a_second_run_builds_nothing_and_publishes_the_same(staging: Path, warehouse: Path) -> None:
    record = warehouse / publication_path(date(2026, 11, 20))
    before, files = record.read_bytes(), set(data_files(warehouse))
    build(staging, warehouse)
    assert record.read_bytes() == before
    assert set(data_files(warehouse)) == files


def test_a_damaged_file_is_built_again_and_its_table_alone(
    staging: Path, warehouse: Path, school: tuple[Path, Path, Publication]
) -> None:
    before = {table.name: table for table in school[2].tables}
    victim = warehouse / before["students"].files[0].path
    victim.write_bytes(victim.read_bytes()[:-10])

    publication = build(staging, warehouse)

    after = {table.name: table for table in publication.tables}
    assert after.pop("students").folder != before.pop("students").folder
    assert after == before
    assert rows_of(warehouse, publication, "students") == rows_of(school[1], school[2], "students")
    assert latest_publication(open_area(str(warehouse))) == publication


def test_a_later_snapshot_takes_the_days_place_and_an_older_one_never_takes_it_back(
    staging: Path, warehouse: Path
) -> None:
    area = open_area(str(warehouse))
    noon = make_staging(staging)
    evening = make_staging(staging, snapshot_at=NOON + timedelta(hours=6))
    yesterday = make_staging(staging, snapshot_at=NOON - timedelta(days=1))

    assert build(staging, warehouse).manifest == evening.id, "the newest manifest is the default"
    assert build(staging, warehouse, noon.id).manifest == evening.id, "what stands for the day is later"
    assert build(staging, warehouse, yesterday.id).manifest == yesterday.id

    latest = latest_publication(area)
    assert latest is not None
    assert latest.manifest == evening.id
    older = read_publication(area, date(2026, 11, 19))
    assert older is not None
    assert older.tables == latest.tables, "equal content is built once"


def test_the_day_is_the_one_in_utc(staging: Path, warehouse: Path) -> None:
    late = make_staging(staging, snapshot_at=NOON.replace(hour=23, minute=59, second=59))
    assert build(staging, warehouse, late.id).snapshot_date == date(2026, 11, 20)


def test_a_table_with_other_rows_than_its_manifest_publishes_nothing(staging: Path, tmp_path: Path) -> None:
    publish_changed(staging, make_staging(staging), "subjects", rows=4)
    with pytest.raises(TableMismatch, match=r"table erp\.subjects: Spark wrote 3 rows, manifest .* says 4"):
        build(staging, tmp_path / "other")
    assert not (tmp_path / "other" / "publications").exists()


def test_a_column_that_the_erp_lost_is_named_and_publishes_nothing(staging: Path, tmp_path: Path) -> None:
    manifest = make_staging(staging)
    (chunk,) = manifest.table("subjects").chunks
    file = staging / chunk.path
    with duckdb.connect() as database:
        database.read_parquet(str(file)).project("* EXCLUDE (ects)").write_parquet(str(tmp_path / "narrow"))
    (tmp_path / "narrow").replace(file)
    changed = chunk.model_copy(update={"bytes": file.stat().st_size})
    publish_changed(staging, manifest, "subjects", chunks=(changed,))
    with pytest.raises(SparkJobFailed, match="ContractBroken: table subjects lacks ects"):
        build(staging, tmp_path / "other")
    assert not (tmp_path / "other" / "publications").exists()


def test_a_storage_without_manifest_says_to_unload_first(tmp_path: Path) -> None:
    with pytest.raises(ManifestBroken, match="has no manifest: unload the ERP into it first"):
        build(tmp_path / "empty", tmp_path / "warehouse")


def test_an_unreadable_manifest_is_named(staging: Path, warehouse: Path) -> None:
    (staging / "manifests" / "broken.json").write_text("{")
    with pytest.raises(ManifestBroken, match=r"manifests/broken\.json is not a manifest"):
        build(staging, warehouse, "broken")


def test_a_missing_chunk_is_named_before_spark_starts(staging: Path, tmp_path: Path) -> None:
    lost = next((staging / "data" / "erp.grades").iterdir())
    lost.unlink()
    with pytest.raises(ManifestBroken, match=rf"1 of 13 files are gone .* first file://.*{lost.name}: unload again"):
        build(staging, tmp_path / "other")
    assert not (tmp_path / "other" / "data").exists()


def test_a_warehouse_that_cannot_be_written_is_named_before_spark_starts(staging: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageRefused, match="give a folder that this user may write"):
        build(staging, tmp_path / "file" / "warehouse")
