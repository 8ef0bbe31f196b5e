"""The source's server dies under an unload, or its backends do: the run recovers, and nothing false is ever reused."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from published import published_rows, rows_under
from runs import act_after_chunk, fill, newest, run_here

import flows.unload_erp
from erp.cluster import processes
from erp.server import EmbeddedServer
from tasks.storage import open_area
from tasks.unload import cut
from tasks.unload.snapshot import HeldSnapshot, held_snapshot
from tasks.unload.source import Source

pytestmark = [pytest.mark.campaign, pytest.mark.usefixtures("prefect_server")]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut, "LEAST_CHUNK_BLOCKS", 4)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server that a test may kill, with the source's tables in database `erp`."""
    server = EmbeddedServer(tmp_path / "postgres")
    server.start()
    server.create_database("erp")
    fill(server.dsn())
    yield server
    server.remove()


def kill(server: EmbeddedServer) -> None:
    """All processes of the server die at once, as with the machine's power; then it is started again."""
    for pid in processes(server.data_dir.resolve()):
        with suppress(ProcessLookupError):  # the others end by themselves when the first one dies
            os.kill(pid, signal.SIGKILL)
    server.start()


def assert_published(dsn: str, storage: Path) -> None:
    area = open_area(str(storage))
    assert published_rows(area, newest(area)) == rows_under(dsn, "small")


def insert(dsn: str, word: str, *, synchronous: str = "on") -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(f"SET synchronous_commit = {synchronous}")
        connection.execute(f"INSERT INTO small.lessons SELECT i, '{word}' FROM generate_series(1, 40) i")


def test_run_outlives_its_server(
    server: EmbeddedServer, prefect_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = tmp_path / "staging"
    act_after_chunk(monkeypatch, 5, lambda: kill(server))
    report = run_here(server.dsn(), storage)
    assert [table.chunks_cached for table in report.tables] == [0, 0, 0], "a server that was restarted is another one"
    assert_published(server.dsn(), storage)


def test_transactions_lost_in_a_crash_are_not_published_in_the_place_of_later_ones(
    server: EmbeddedServer, prefect_server: str, tmp_path: Path
) -> None:
    """A crash gives the numbers of lost transactions, and the places of their rows, to the next ones."""
    storage = tmp_path / "staging"
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        # What is committed asynchronously stays in memory for longer than a run takes that does not wait for it.
        connection.execute("ALTER SYSTEM SET wal_writer_delay = '3s'")
        connection.execute("SELECT pg_reload_conf()")
    run_here(server.dsn(), storage, trust_restart=True)
    for turn in range(2):
        insert(server.dsn(), f"unloaded {turn}", synchronous="off")
        run_here(server.dsn(), storage, trust_restart=True)
        assert_published(server.dsn(), storage)
        insert(server.dsn(), f"lost, maybe, {turn}", synchronous="off")
        kill(server)
        insert(server.dsn(), f"in their place {turn}")
        report = run_here(server.dsn(), storage, trust_restart=True)
        assert_published(server.dsn(), storage)
        assert {table.table: table.chunks_run for table in report.tables}["small.students"] == 0


def test_lost_snapshot_is_taken_again(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(database)
    holders: list[int] = []

    @contextmanager
    def watched(source: Source) -> Iterator[HeldSnapshot]:
        with held_snapshot(source) as snapshot:
            holders.append(snapshot.connection.info.backend_pid)
            yield snapshot

    def terminate() -> None:
        with psycopg.connect(database) as connection:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", [holders[-1]])
            connection.execute("UPDATE small.lessons SET room = 'after the first snapshot' WHERE id % 20 = 0")

    monkeypatch.setattr(flows.unload_erp, "held_snapshot", watched)
    act_after_chunk(monkeypatch, 3, terminate)
    report = run_here(database, tmp_path / "staging")
    assert len(holders) == 2, "one snapshot lost, one more taken"
    assert sum(table.chunks_cached for table in report.tables) >= 1, "what was finished before is not read again"
    assert_published(database, tmp_path / "staging")
