"""What the warehouse keeps, on an S3 server over HTTP. (Spark's own part on S3 needs a cluster.)"""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from tasks.storage import StorageArea, open_area
from tasks.warehouse.build import BuildReceipt, Output, TableMismatch, is_intact, written_table
from tasks.warehouse.publication import (
    Publication,
    WarehouseTable,
    latest_publication,
    publish,
    read_publication,
    snapshot_date,
)

NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.fixture
def area(moto_s3: str) -> StorageArea:
    return open_area(f"{moto_s3}/warehouse")


def write_table(area: StorageArea, tmp_path: Path, rows: int) -> None:
    """Two files of a table, as Spark leaves them, beside what Spark leaves too."""
    for part in range(2):
        with duckdb.connect() as database:
            database.sql(f"FROM range({rows})").write_parquet(str(tmp_path / "part"))
        area.put_file(tmp_path / "part", f"data/tables/key/try/grades/part-{part}.parquet")
    area.put("data/tables/key/try/grades/_SUCCESS", b"")


def table_of(area: StorageArea, rows: int) -> WarehouseTable:
    output = Output(name="erp.grades", subfolder="grades", rows=rows)
    return written_table(output, area, build_folder="data/tables/key/try", manifest="m")


def test_rows_and_bytes_are_those_of_the_files(area: StorageArea, tmp_path: Path) -> None:
    write_table(area, tmp_path, rows=3)
    table = table_of(area, rows=6)
    assert (table.rows, len(table.files)) == (6, 2)
    assert table.bytes == sum(area.size(file.path) or 0 for file in table.files)
    with pytest.raises(TableMismatch, match=r"table erp\.grades: Spark wrote 6 rows, manifest m says 7"):
        table_of(area, rows=7)


def test_a_receipt_is_intact_until_a_file_is_cut(area: StorageArea, tmp_path: Path) -> None:
    write_table(area, tmp_path, rows=3)
    receipt = BuildReceipt(key="key", tables=(table_of(area, rows=6),), seconds=1.0)
    assert is_intact(receipt, area)
    area.put(receipt.tables[0].files[1].path, b"PAR1")
    assert not is_intact(receipt, area)


def test_a_publication_is_read_back(area: StorageArea, tmp_path: Path) -> None:
    write_table(area, tmp_path, rows=3)
    table = table_of(area, rows=6)
    publication = Publication(snapshot_date=snapshot_date(NOON), snapshot_at=NOON, manifest="m", tables=(table,))
    assert latest_publication(area) is None
    publish(area, publication)
    assert read_publication(area, NOON.date()) == latest_publication(area) == publication
