"""The embedded PostgreSQL server: started anywhere, by anybody, found by everybody, killed, copied, removed."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from deployments.processes import free_port
from erp.account import substitute_folder
from erp.cluster import processes, read_postmaster
from erp.errors import ErpError
from erp.server import EmbeddedServer

START = """
import sys
from pathlib import Path
from erp.server import EmbeddedServer
EmbeddedServer(Path(sys.argv[1])).start()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(tmp_path / "data")
    yield server
    server.remove()


def ask(dsn: str, question: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


def postmaster(server: EmbeddedServer) -> int:
    running = read_postmaster(server.data_dir.resolve())
    assert running is not None
    return running.pid


def account_of(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def test_started_server_answers_and_starting_again_changes_nothing(server: EmbeddedServer) -> None:
    server.start()
    pid = postmaster(server)
    server.start()
    assert postmaster(server) == pid
    assert ask(server.dsn("postgres"), "SELECT lower('ÉLÈVE')") == "élève"


def test_server_outlives_the_process_that_started_it(server: EmbeddedServer) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", START, server.data_dir], check=True)
    assert server.is_running()
    assert ask(server.dsn("postgres"), "SELECT 1") == 1


def test_processes_that_start_it_at_once_start_one_server(server: EmbeddedServer) -> None:
    starting = [subprocess.Popen([sys.executable, "-c", START, server.data_dir]) for _ in range(3)]
    assert [process.wait(60) for process in starting] == [0, 0, 0]
    assert ask(server.dsn("postgres"), "SELECT 1") == 1


def test_stopped_server_is_gone_and_stopping_again_does_nothing(server: EmbeddedServer) -> None:
    server.start()
    with psycopg.connect(server.dsn("postgres")):  # an open connection does not hold it
        server.stop()
    assert processes(server.data_dir.resolve()) == []
    assert not server.is_running()
    server.stop()
    with pytest.raises(ErpError, match="does not run; start it first"):
        server.dsn()


def test_server_killed_at_once_starts_again_with_what_was_committed(server: EmbeddedServer) -> None:
    server.start()
    with psycopg.connect(server.dsn("postgres")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(postmaster(server), signal.SIGKILL)
    server.start()
    assert ask(server.dsn("postgres"), "SELECT answer FROM kept") == 42


def test_copy_of_a_running_servers_data_is_a_server_of_its_own(server: EmbeddedServer, tmp_path: Path) -> None:
    server.start()
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        connection.execute("CREATE TABLE here AS SELECT 'original' AS place")
        connection.execute("CHECKPOINT")
    copy = EmbeddedServer(tmp_path / "copy")
    # postmaster.pid comes along and names a PostgreSQL process that is alive.
    shutil.copytree(server.data_dir, copy.data_dir, ignore=shutil.ignore_patterns(".s.PGSQL.*"))
    try:
        assert not copy.is_running()
        copy.start()
        with psycopg.connect(copy.dsn("postgres")) as connection:
            connection.execute("UPDATE here SET place = 'copy'")
        assert ask(server.dsn("postgres"), "SELECT place FROM here") == "original"
        copy.stop()
        assert server.is_running()
    finally:
        copy.remove()


@pytest.mark.parametrize(
    "folder", ["é" * 40 + "/" + "x" * 80, "with spaces, 'quotes' and \"more\"", "$HOME and `backquotes` & co"]
)
def test_any_path_will_do(tmp_path: Path, folder: str) -> None:
    server = EmbeddedServer(tmp_path / folder / "data")
    try:
        server.start()
        assert ask(server.dsn("postgres"), "SELECT 1") == 1
    finally:
        server.remove()
    assert list(server.data_dir.parent.iterdir()) == []


def test_folder_with_something_else_in_it_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(ErpError, match="is not empty and no PostgreSQL data directory"):
        EmbeddedServer(folder).start()
    assert (folder / "thesis.txt").read_text() == "years of work"
    assert not substitute_folder(folder).exists()


def test_readers_may_use_tcp_and_the_superuser_may_not(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "data", port=free_port())
    try:
        server.start()
        with psycopg.connect(server.dsn("postgres")) as connection:
            connection.execute("CREATE ROLE somebody LOGIN")
        assert ask(server.dsn("postgres", "somebody", tcp=True), "SELECT host(inet_server_addr())") == "127.0.0.1"
        with pytest.raises(psycopg.OperationalError, match="rejects connection"):
            psycopg.connect(server.dsn("postgres", tcp=True))
        with pytest.raises(ErpError, match="stop it and start again"):
            EmbeddedServer(server.data_dir, port=free_port()).start()
    finally:
        server.remove()


def test_taken_port_is_named(server: EmbeddedServer, tmp_path: Path) -> None:
    other = EmbeddedServer(tmp_path / "other", port=free_port())
    try:
        other.start()
        with pytest.raises(ErpError, match="Address already in use"):
            EmbeddedServer(server.data_dir, port=other.port).start()
    finally:
        other.remove()


def test_no_variable_of_the_caller_leads_astray(
    server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("PGDATA", "PGPORT", "PGHOST", "PGUSER", "PGDATABASE"):
        monkeypatch.setenv(name, "nonsense")
    monkeypatch.setenv("LC_ALL", "xx_XX.UTF-8")
    server.start()
    assert ask(server.dsn("postgres"), "SELECT current_user") == "postgres"


def test_remove_leaves_nothing(server: EmbeddedServer, tmp_path: Path) -> None:
    server.start()
    server.remove()
    assert list(tmp_path.iterdir()) == []
    assert not substitute_folder(server.data_dir).exists()


def test_closed_folder_will_do_also_when_its_data_is_deleted_under_the_server(tmp_path: Path) -> None:
    """Only its owner may enter: when that is root, the server's account may not."""
    tmp_path.chmod(0o700)
    server = EmbeddedServer(tmp_path / "data")
    try:
        server.start()
        assert ask(server.dsn("postgres"), "SELECT 1") == 1
        assert account_of(postmaster(server)) != 0
        shutil.rmtree(server.data_dir.resolve())
        server.data_dir.unlink(missing_ok=True)
        server.start()
        assert ask(server.dsn("postgres"), "SELECT 1") == 1
    finally:
        server.remove()
    assert processes(server.data_dir.resolve()) == []
