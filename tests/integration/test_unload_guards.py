"""Tables that are changed under the run's snapshot: one new plan and the exact content, or one clear error."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from unloading import (
    assert_published,
    execute,
    make_lock_timeout,
    make_retries_quick,
    manifests,
    newest,
    published_rows,
    the_table,
    unload,
)

import tasks.unload.cut
import tasks.unload.unload
from tasks.errors import CatalogChanged, ChunkNotRead, SourceUnavailable, TableRewritten
from tasks.unload.copy import Readers
from tasks.unload.plan import make_plan
from tasks.unload.read import ChunkReader
from tasks.unload.unload import manifest_of

pytestmark = pytest.mark.usefixtures("prefect_server")

TABLE = (
    "CREATE TYPE mood AS ENUM ('good', 'bad')",
    "CREATE TABLE t (a int, b int, how mood)",
    "INSERT INTO t VALUES (1, 10, 'good'), (2, 20, 'bad')",
    "CREATE TABLE twin (a int, b int, how mood)",
    "INSERT INTO twin VALUES (3, 30, 'good')",
)

CHANGES = {
    "truncated": ["TRUNCATE t"],
    "truncated and filled": ["TRUNCATE t", "INSERT INTO t VALUES (4, 40, 'bad'), (5, 50, 'bad')"],
    "type changed": ["ALTER TABLE t ALTER a TYPE text USING a || '!'"],
    "vacuumed full": ["DELETE FROM t WHERE a = 1", "VACUUM FULL t"],
    "dropped": ["DROP TABLE t"],
    "replaced": ["ALTER TABLE t RENAME TO old", "ALTER TABLE twin RENAME TO t", "ALTER TABLE old RENAME TO twin"],
    "columns swapped": [
        "ALTER TABLE t RENAME a TO c",
        "ALTER TABLE t RENAME b TO a",
        "ALTER TABLE t RENAME c TO b",
    ],
    "label renamed": ["ALTER TYPE mood RENAME VALUE 'good' TO 'fine'"],
    "column dropped": ["ALTER TABLE t DROP COLUMN b"],
}


class Disturbance:
    """Runs statements from another connection, which never waits for a lock longer than a second."""

    def __init__(self, dsn: str, statements: list[str], *, times: int = 1) -> None:
        self.dsn = dsn
        self.statements = statements
        self.left = times
        self.lock = threading.Lock()  # chunks are read side by side

    def strike(self) -> None:
        with self.lock:
            if self.left > 0:
                self.left -= 1
                execute(f"{self.dsn}&options=-c%20lock_timeout%3D1s", *self.statements)

    def before(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def struck(*args: Any, **kwargs: Any) -> Any:
            self.strike()
            return call(*args, **kwargs)

        return struck


def disturb(monkeypatch: pytest.MonkeyPatch, moment: str, disturbance: Disturbance) -> None:
    """Let the disturbance strike at a moment of the run that follows."""
    match moment:
        case "before the plan":
            monkeypatch.setattr(tasks.unload.unload, "make_plan", disturbance.before(make_plan))
        case "while cutting":
            monkeypatch.setattr("tasks.unload.plan.cut", disturbance.before(tasks.unload.cut.cut))
        case "before the fingerprints":
            monkeypatch.setattr("tasks.unload.plan.fingerprints", disturbance.before(tasks.unload.cut.fingerprints))
        case "before a read":
            monkeypatch.setattr(Readers, "reading", disturbance.before(Readers.reading))
        case "before the manifest":
            monkeypatch.setattr(tasks.unload.unload, "manifest_of", disturbance.before(manifest_of))


@pytest.mark.parametrize("moment", ["before the plan", "before a read"])
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_under_the_snapshot_is_planned_again(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, moment: str
) -> None:
    execute(database, *TABLE)
    disturbance = Disturbance(database, CHANGES[change])
    disturb(monkeypatch, moment, disturbance)
    unload(database, tmp_path)
    assert disturbance.left == 0
    assert len(manifests(tmp_path)) == 1
    assert_published(database, tmp_path)


@pytest.mark.parametrize(
    ("change", "moment"),
    [("dropped", "while cutting"), ("dropped", "before the fingerprints"), ("truncated", "before the fingerprints")],
)
def test_a_change_in_the_middle_of_the_plan_is_planned_again(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, moment: str
) -> None:
    test_a_change_under_the_snapshot_is_planned_again(database, tmp_path, monkeypatch, change, moment)


def test_a_table_that_is_rewritten_each_time_ends_the_run_with_one_error(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(database, *TABLE)
    disturbance = Disturbance(database, ["TRUNCATE t"], times=100)
    disturb(monkeypatch, "before a read", disturbance)
    with pytest.raises(TableRewritten, match=r'table "public.t" was rewritten \(TRUNCATE, .*\) after the snapshot'):
        unload(database, tmp_path)
    assert manifests(tmp_path) == []
    monkeypatch.undo()
    unload(database, tmp_path)
    assert_published(database, tmp_path)


def test_a_table_that_is_altered_each_time_ends_the_run_with_one_error(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(database, *TABLE)
    add_column = "DO $$ BEGIN EXECUTE format('ALTER TABLE t ADD COLUMN %I int', gen_random_uuid()); END $$"
    disturbance = Disturbance(database, [add_column], times=100)
    disturb(monkeypatch, "before a read", disturbance)
    with pytest.raises(CatalogChanged, match=r'table "public.t(win)?" was altered after the run had planned it'):
        unload(database, tmp_path)
    assert manifests(tmp_path) == []


def test_a_table_truncated_after_its_read_is_planned_again(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(database, *TABLE)
    monkeypatch.setattr(
        tasks.unload.unload,
        "require_same_heaps",
        Disturbance(database, ["TRUNCATE t"]).before(tasks.unload.unload.require_same_heaps),
    )
    unload(database, tmp_path)
    assert len(manifests(tmp_path)) == 1
    assert_published(database, tmp_path)


def test_rows_that_others_change_meanwhile_belong_to_the_next_snapshot(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(database, *TABLE)
    changes = ["INSERT INTO t VALUES (9, 90, 'bad')", "DELETE FROM t WHERE a = 1", "UPDATE twin SET a = 7"]
    disturb(monkeypatch, "before a read", Disturbance(database, changes))
    unload(database, tmp_path)
    assert published_rows(tmp_path, "t") == [(1, 10, "good"), (2, 20, "bad")]
    assert published_rows(tmp_path, "twin") == [(3, 30, "good")]
    unload(database, tmp_path)
    assert_published(database, tmp_path)


@pytest.mark.parametrize("moment", ["before the plan", "before a read"])
def test_a_lock_that_is_let_go_costs_a_retry(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    execute(database, *TABLE)
    make_retries_quick(monkeypatch)
    make_lock_timeout(monkeypatch, 300)
    with psycopg.connect(database) as owner:
        threads: list[threading.Thread] = []

        def lock() -> None:
            owner.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
            threads.append(threading.Thread(target=lambda: (time.sleep(0.5), owner.commit())))
            threads[0].start()

        disturbance = Disturbance(database, [])
        monkeypatch.setattr(disturbance, "strike", lambda: None if threads else lock())
        disturb(monkeypatch, moment, disturbance)
        unload(database, tmp_path, workers=1)
        threads[0].join()
    assert_published(database, tmp_path)


@pytest.mark.parametrize("moment", ["before the plan", "before a read"])
def test_a_lock_that_is_kept_ends_the_run_with_one_error(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    execute(database, *TABLE)
    make_retries_quick(monkeypatch)
    make_lock_timeout(monkeypatch, 100)
    with psycopg.connect(database) as owner:
        disturbance = Disturbance(database, [])
        monkeypatch.setattr(disturbance, "strike", lambda: owner.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE"))
        disturb(monkeypatch, moment, disturbance)
        with pytest.raises(SourceUnavailable, match=r"table .public.t. is locked by somebody's DDL.*run again"):
            unload(database, tmp_path)
    assert manifests(tmp_path) == []
    monkeypatch.undo()
    unload(database, tmp_path)
    assert_published(database, tmp_path)


def test_a_backend_killed_in_the_middle_of_a_copy_costs_a_retry(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(database, "CREATE TABLE t AS SELECT i, repeat(md5(i::text), 20) AS x FROM generate_series(1, 60000) i")
    make_retries_quick(monkeypatch)
    with killer_of_copies(database, times=1) as killed:
        report = the_table(unload(database, tmp_path), "public.t")
    assert killed() == 1
    assert report.rows == 60_000
    assert_published(database, tmp_path)
    assert newest(tmp_path).table("t").rows == 60_000


def test_a_backend_killed_at_every_copy_ends_the_run_with_one_error(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(database, "CREATE TABLE t AS SELECT i, repeat(md5(i::text), 20) AS x FROM generate_series(1, 60000) i")
    make_retries_quick(monkeypatch)
    read_broke_off = pytest.raises(ChunkNotRead, match=r'table "public.t": the read broke off: .*run again')
    with killer_of_copies(database, times=100) as killed, read_broke_off:
        unload(database, tmp_path, workers=1)
    assert killed() >= 4
    assert manifests(tmp_path) == []
    unload(database, tmp_path)
    assert_published(database, tmp_path)


def test_queued_ddl_on_a_table_with_a_generated_column_waits_for_one_chunk_and_no_longer(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(database, "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED)", "INSERT INTO t VALUES (1)")
    write = ChunkReader.write_parquet
    waiting = threading.Thread(target=execute, args=(database, "ALTER TABLE t ADD COLUMN c int"))

    def write_while_ddl_waits(self: ChunkReader, *args: Any) -> None:
        write(self, *args)
        if waiting.ident is None:
            waiting.start()
            with psycopg.connect(database, autocommit=True) as connection:
                while not connection.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                    assert waiting.is_alive(), "the DDL waits for the reader"

    monkeypatch.setattr(ChunkReader, "write_parquet", write_while_ddl_waits)
    unload(database, tmp_path)
    waiting.join(timeout=30)
    assert not waiting.is_alive()
    assert published_rows(tmp_path, "t", what="a, b") == [(1, 2)]


def test_a_locked_table_with_a_generated_column_is_named_before_the_run_fails(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(database, "CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED)")
    make_retries_quick(monkeypatch)
    make_lock_timeout(monkeypatch, 100)
    with psycopg.connect(database) as owner:
        owner.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(SourceUnavailable, match=r'table "public.t" is locked by somebody\'s DDL: .*run again'):
            unload(database, tmp_path)
    unload(database, tmp_path)


@contextmanager
def killer_of_copies(dsn: str, *, times: int) -> Iterator[Callable[[], int]]:
    """While the block runs, end the server's sessions that are in the middle of a COPY; the call says how many."""
    killed, done = 0, threading.Event()

    def kill() -> None:
        nonlocal killed
        with psycopg.connect(dsn, autocommit=True) as connection:
            while killed < times and not done.is_set():
                killed += connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_progress_copy "
                    "WHERE datname = current_database() AND tuples_processed > 100 LIMIT 1"
                ).rowcount

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield lambda: killed
    finally:
        done.set()
        thread.join()
