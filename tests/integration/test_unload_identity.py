"""Which server it is: equal histories are no equal content, and a restart is trusted only when the operator says so."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from unloading import assert_published, chunks_run, execute, unload

from erp.server import EmbeddedServer

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server of the test's own with one small table."""
    server = EmbeddedServer(tmp_path / "postgres")
    server.start()
    execute(server.dsn("postgres"), "CREATE TABLE t (id int, name text)", "INSERT INTO t VALUES (1, 'a'), (2, 'b')")
    yield server
    server.remove()


@pytest.fixture
def twin(server: EmbeddedServer, tmp_path: Path) -> Iterator[EmbeddedServer]:
    """A server that was started on a copy of the other one's data folder."""
    server.stop()
    twin = EmbeddedServer(tmp_path / "twin")
    shutil.copytree(server.data_dir, twin.data_dir)
    server.start()
    twin.start()
    yield twin
    twin.remove()


def history(server: EmbeddedServer) -> list[tuple[object, ...]]:
    with psycopg.connect(server.dsn("postgres")) as connection:
        return connection.execute(
            "SELECT system_identifier, timeline_id, ctid, xmin FROM t, pg_control_system(), pg_control_checkpoint()"
        ).fetchall()


def test_a_copied_server_with_another_history_is_another_source(
    server: EmbeddedServer, twin: EmbeddedServer, tmp_path: Path
) -> None:
    # The same row gets another value by the same transaction number on both sides: nothing inside tells them apart.
    execute(server.dsn("postgres"), "UPDATE t SET name = 'here' WHERE id = 1")
    execute(twin.dsn("postgres"), "UPDATE t SET name = 'there' WHERE id = 1")
    assert history(server) == history(twin)
    area = tmp_path / "staging"
    for one in (server, twin, server, twin):
        unload(one.dsn("postgres"), area, source_name="erp")
        assert_published(one.dsn("postgres"), area)


def test_two_servers_share_an_area(server: EmbeddedServer, twin: EmbeddedServer, tmp_path: Path) -> None:
    area = tmp_path / "staging"
    for one, expected in ((server, 1), (twin, 1), (server, 0), (twin, 0)):
        assert chunks_run(unload(one.dsn("postgres"), area)) == {"public.t": expected}
        assert_published(one.dsn("postgres"), area)
    assert len(list((area / "latest").iterdir())) == 2


def test_a_restart_is_not_trusted_unless_the_operator_does(server: EmbeddedServer, tmp_path: Path) -> None:
    doubting, trusting = tmp_path / "doubting", tmp_path / "trusting"
    unload(server.dsn("postgres"), doubting)
    unload(server.dsn("postgres"), trusting, trust_restart=True)
    server.stop()
    server.start()
    assert chunks_run(unload(server.dsn("postgres"), doubting)) == {"public.t": 1}
    assert chunks_run(unload(server.dsn("postgres"), trusting, trust_restart=True)) == {"public.t": 0}
    assert_published(server.dsn("postgres"), doubting)
    assert_published(server.dsn("postgres"), trusting)
