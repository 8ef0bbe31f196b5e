"""Unload again: only chunks whose content changed are read out, and what is published is always what the source has."""

import os
import shutil
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.settings import PREFECT_API_URL, PREFECT_HOME, temporary_settings
from unloading import (
    assert_published,
    chunks_run,
    execute,
    manifests,
    newest,
    snapshot_of_files,
    statements_logged,
    the_table,
    unload,
)

from deployments.server import leased_server
from tasks.manifest import read_manifest
from tasks.storage import open_area
from tasks.verify import differences

pytestmark = pytest.mark.usefixtures("prefect_server")

# Four rows a block: 20,000 rows are 5,000 blocks, which is three chunks.
WIDE = (
    "CREATE TABLE wide (id int, body text)",
    "ALTER TABLE wide ALTER body SET STORAGE PLAIN",
    "INSERT INTO wide SELECT i, rpad(md5(i::text), 2000, 'x') FROM generate_series(1, 20000) i",
)
SMALL = (
    "CREATE TABLE small (id int, name text)",
    "INSERT INTO small VALUES (1, 'Zoé'), (2, ''), (3, NULL)",
)


def test_a_second_unload_reads_no_row_and_changes_no_file(database: str, tmp_path: Path) -> None:
    execute(database, *SMALL)
    with statements_logged(database) as log:
        first = unload(database, tmp_path)
        assert "COPY" in log()
        before = snapshot_of_files(tmp_path)
        second = unload(database, tmp_path)
        assert "COPY" not in log()
    assert chunks_run(first) == {"public.small": 1}
    assert chunks_run(second) == {"public.small": 0}
    assert snapshot_of_files(tmp_path) == before
    assert len(manifests(tmp_path)) == 2
    assert second.snapshot_at > first.snapshot_at
    assert the_table(second, "public.small").files == the_table(first, "public.small").files
    assert_published(database, tmp_path)


def test_only_chunks_with_changed_rows_run(database: str, tmp_path: Path) -> None:
    execute(database, *WIDE, *SMALL)
    assert chunks_run(unload(database, tmp_path)) == {"public.small": 1, "public.wide": 3}
    assert_published(database, tmp_path)

    # Full blocks have no room: the ten new versions go to the end, so the first and the last chunk differ.
    execute(database, "UPDATE wide SET body = 'changed' WHERE id <= 10")
    updated = the_table(unload(database, tmp_path), "public.wide")
    assert (updated.chunks, updated.chunks_run, updated.chunks_cached) == (3, 2, 1)
    assert_published(database, tmp_path)

    execute(database, "DELETE FROM wide WHERE id BETWEEN 10000 AND 10009")
    deleted = the_table(unload(database, tmp_path), "public.wide")
    assert (deleted.rows, deleted.chunks_run, deleted.chunks_cached) == (19_990, 1, 2)
    assert_published(database, tmp_path)

    execute(database, "INSERT INTO wide VALUES (20001, 'new')")
    inserted = the_table(unload(database, tmp_path), "public.wide")
    assert (inserted.rows, inserted.chunks_run, inserted.chunks_cached) == (19_991, 1, 2)
    assert_published(database, tmp_path)


def test_a_rolled_back_change_is_no_change(database: str, tmp_path: Path) -> None:
    execute(database, *SMALL)
    unload(database, tmp_path)
    execute(
        database, "DO $$ BEGIN UPDATE small SET name = 'x'; RAISE EXCEPTION 'no'; EXCEPTION WHEN OTHERS THEN END $$"
    )
    assert chunks_run(unload(database, tmp_path)) == {"public.small": 0}
    assert_published(database, tmp_path)


def test_a_new_and_a_dropped_table_come_and_go(database: str, tmp_path: Path) -> None:
    execute(database, *SMALL)
    unload(database, tmp_path)
    execute(database, "CREATE TABLE other AS SELECT 1 AS one")
    assert chunks_run(unload(database, tmp_path)) == {"public.other": 1, "public.small": 0}
    execute(database, "DROP TABLE small")
    assert chunks_run(unload(database, tmp_path)) == {"public.other": 0}
    assert_published(database, tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE small ADD COLUMN age int DEFAULT 7",
        "ALTER TABLE small DROP COLUMN name",
        "ALTER TABLE small RENAME name TO nom",
        "ALTER TABLE small ALTER id TYPE bigint",
        "VACUUM FULL small",
    ],
)
def test_an_altered_table_is_read_again(database: str, tmp_path: Path, change: str) -> None:
    execute(database, *SMALL)
    unload(database, tmp_path)
    execute(database, change)
    assert chunks_run(unload(database, tmp_path)) == {"public.small": 1}
    assert_published(database, tmp_path)


def test_vacuum_and_freeze_alone_cost_nothing(database: str, tmp_path: Path) -> None:
    execute(database, *SMALL)
    unload(database, tmp_path)
    execute(database, "VACUUM FREEZE small")
    assert chunks_run(unload(database, tmp_path)) == {"public.small": 0}
    assert_published(database, tmp_path)


def test_old_manifests_still_show_their_snapshot(database: str, tmp_path: Path) -> None:
    execute(database, *SMALL)
    unload(database, tmp_path)
    execute(database, "DELETE FROM small WHERE id = 1")
    unload(database, tmp_path)
    area = open_area(str(tmp_path))
    first, second = (read_manifest(area, name) for name in manifests(tmp_path))
    assert newest(tmp_path) == second
    assert [first.table("small").rows, second.table("small").rows] == [3, 2]
    assert [*differences(area, first), *differences(area, second)] == []


def test_a_deleted_and_a_truncated_file_are_read_again(database: str, tmp_path: Path) -> None:
    execute(database, *SMALL, "CREATE TABLE other AS SELECT 1 AS one", "CREATE TABLE third AS SELECT 3 AS three")
    unload(database, tmp_path)
    (small,) = (tmp_path / "data/public.small").iterdir()
    (other,) = (tmp_path / "data/public.other").iterdir()
    small.unlink()
    other.write_bytes(other.read_bytes()[:-1])
    assert chunks_run(unload(database, tmp_path)) == {"public.other": 1, "public.small": 1, "public.third": 0}
    assert_published(database, tmp_path)
    assert chunks_run(unload(database, tmp_path)) == {"public.other": 0, "public.small": 0, "public.third": 0}


@pytest.mark.parametrize("part", ["data", "receipts", "salts", "manifests latest"])
def test_a_half_deleted_area_heals(database: str, tmp_path: Path, part: str) -> None:
    execute(database, *SMALL)
    unload(database, tmp_path)
    for folder in part.split():
        shutil.rmtree(tmp_path / folder)
    # Manifests are not needed to find receipts; without one of the others the chunk runs again.
    assert chunks_run(unload(database, tmp_path)) == {"public.small": 0 if part == "manifests latest" else 1}
    assert_published(database, tmp_path)
    assert chunks_run(unload(database, tmp_path)) == {"public.small": 0}


def test_a_damaged_receipt_makes_its_chunk_run_again(database: str, tmp_path: Path) -> None:
    execute(database, *SMALL)
    unload(database, tmp_path)
    (receipt,) = (tmp_path / "receipts").iterdir()
    receipt.write_bytes(receipt.read_bytes()[:100])
    assert chunks_run(unload(database, tmp_path)) == {"public.small": 1}
    assert_published(database, tmp_path)


def test_two_areas_each_get_all_files(database: str, tmp_path: Path) -> None:
    execute(database, *SMALL)
    unload(database, tmp_path / "one")
    assert chunks_run(unload(database, tmp_path / "two")) == {"public.small": 1}
    for area in ("one", "two"):
        assert_published(database, tmp_path / area)
        assert chunks_run(unload(database, tmp_path / area)) == {"public.small": 0}


def test_two_schemas_share_an_area(database: str, tmp_path: Path) -> None:
    execute(database, *SMALL, "CREATE SCHEMA école", "CREATE TABLE école.small AS SELECT 4 AS id")
    unload(database, tmp_path)
    assert_published(database, tmp_path)
    unload(database, tmp_path, source_schema="école")
    assert_published(database, tmp_path, "école")
    assert chunks_run(unload(database, tmp_path)) == {"public.small": 0}
    assert chunks_run(unload(database, tmp_path, source_schema="école")) == {"école.small": 0}


@pytest.mark.campaign
def test_receipts_need_nothing_of_the_prefect_server_that_saw_them(database: str, tmp_path: Path) -> None:
    execute(database, *SMALL)
    unload(database, tmp_path / "staging")
    with (
        leased_server(os.environ, home=Path(os.environ["REPRISE_HOME"]), folder=tmp_path / "other") as server,
        temporary_settings({PREFECT_API_URL: server.api_url, PREFECT_HOME: tmp_path / "home"}),
    ):
        assert chunks_run(unload(database, tmp_path / "staging")) == {"public.small": 0}
        with get_client(sync_client=True) as client:
            assert len(client.read_flow_runs()) == 1, "the run went to the other server"
    assert_published(database, tmp_path / "staging")


def test_a_receipt_under_another_chunk_s_key_is_not_believed(database: str, tmp_path: Path) -> None:
    execute(database, "CREATE TABLE a AS SELECT 1 AS i", "CREATE TABLE b AS SELECT 2 AS i UNION SELECT 3")
    unload(database, tmp_path)
    first, second = (newest(tmp_path).table(name).chunks[0].key for name in ("a", "b"))
    record = (tmp_path / "receipts" / first).read_text()
    (tmp_path / "receipts" / second).write_text(record.replace(f'"storage_key":"{first}"', f'"storage_key":"{second}"'))
    assert chunks_run(unload(database, tmp_path)) == {"public.a": 0, "public.b": 1}
    assert_published(database, tmp_path)
