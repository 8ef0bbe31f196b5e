"""Bad input: one error that names the fact and the remedy, no manifest, and the next good run works."""

import resource
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from psycopg.conninfo import make_conninfo
from unloading import assert_published, execute, make_retries_quick, manifests, unload

from deployments.processes import free_port
from erp.server import EmbeddedServer
from tasks.errors import ManifestBroken, SourceRefused, SourceUnavailable, StorageRefused

pytestmark = pytest.mark.usefixtures("prefect_server")

TABLE = ("CREATE TABLE t AS SELECT 1 AS id",)


def as_reader(dsn: str) -> str:
    """The database as a role that owns nothing."""
    execute(
        dsn,
        "DO $$ BEGIN CREATE ROLE plain_reader LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$",
    )
    return make_conninfo(dsn, user="plain_reader")


def assert_refused(
    kind: type[Exception], message: str, dsn: str, storage: Path | str, source: str | None = None, **options: str
) -> None:
    """The unload fails so, publishes nothing, and the same area serves the next good run."""
    with pytest.raises(kind, match=message) as caught:
        unload(source or dsn, storage, **options)
    assert "\n" not in str(caught.value), "an error is one line"
    assert manifests(storage) == []
    unload(dsn, storage)
    assert_published(dsn, storage)


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("host=no.such.host.invalid dbname=x", SourceRefused, "cannot be reached: .*no.such.host.invalid.*check host"),
        ("host=127.0.0.1 port=1 dbname=x", SourceUnavailable, "[Cc]onnection refused.*run again.* check host and port"),
        ("host=/no/such/folder dbname=x", SourceRefused, "/no/such/folder.*check host"),
        ("host=127.0.0.1 port=abc dbname=x", SourceRefused, 'integer value "abc".*check host, port'),
        ("nonsense", SourceRefused, "is no DSN.*write postgresql://user@host:port/database"),
        ("", SourceRefused, "is no DSN.*write postgresql://user@host:port/database"),
        ("postgresql://u:secret%ZZ@localhost/erp", SourceRefused, "is no DSN.*special characters as %XX"),
        ("postgresql://u:pa/ssecret@localhost/erp", SourceRefused, "is no DSN.*special characters as %XX"),
        ("postgresql://u:p@secret@localhost/erp", SourceRefused, "is no DSN.*special characters as %XX"),
        ("postgresql://u@localhost/erp?sslpassword=secret", SourceRefused, "has an sslpassword.*save a block"),
        ("mysql://root@localhost/erp", SourceRefused, "is no DSN.*write postgresql://user@host:port/database"),
        ("postgresql://u:secret@localhost/erp", SourceRefused, "has a password.*PGPASSWORD or a password file"),
        ("host=localhost password=secret", SourceRefused, "has a password.*PGPASSWORD or a password file"),
        ("sqlalchemy-connector/none", SourceRefused, "knows no such block: save it, or give a DSN"),
        ("sqlalchemy-connector/", SourceRefused, "knows no such block: save it, or give a DSN"),
    ],
)
def test_a_source_that_is_none(database: str, tmp_path: Path, source: str, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message) as caught:
        unload(source, tmp_path)
    assert "\n" not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_does_not_exist(database: str, tmp_path: Path) -> None:
    execute(database, *TABLE)
    wrong = make_conninfo(database, dbname="no_such_database")
    assert_refused(SourceRefused, 'database "no_such_database" does not exist.*check host', database, tmp_path, wrong)


def test_a_schema_that_does_not_exist(database: str, tmp_path: Path) -> None:
    execute(database, *TABLE)
    message = "the database has no schema 'nowhere': name one that it has"
    assert_refused(SourceRefused, message, database, tmp_path, source_schema="nowhere")


def test_a_schema_without_tables(database: str, tmp_path: Path) -> None:
    execute(database, *TABLE, "CREATE SCHEMA bare")
    message = "schema 'bare' has no tables: name another schema"
    assert_refused(SourceRefused, message, database, tmp_path, source_schema="bare")


def test_a_schema_that_may_not_be_used(database: str, tmp_path: Path) -> None:
    execute(database, *TABLE, "REVOKE USAGE ON SCHEMA public FROM public")
    message = "schema 'public' may not be read by plain_reader: GRANT USAGE ON SCHEMA public TO plain_reader"
    assert_refused(SourceRefused, message, database, tmp_path, as_reader(database))


def test_a_table_that_may_not_be_read(database: str, tmp_path: Path) -> None:
    execute(database, *TABLE)
    message = 'table "public.t" may not be read by plain_reader: GRANT SELECT ON public.t TO plain_reader'
    assert_refused(SourceRefused, message, database, tmp_path, as_reader(database))


def test_a_table_of_which_only_some_columns_may_be_read(database: str, tmp_path: Path) -> None:
    reader = as_reader(database)
    execute(database, "CREATE TABLE t (id int, secret int)", "GRANT SELECT (id) ON t TO plain_reader")
    assert_refused(SourceRefused, 'table "public.t" may not be read by plain_reader', database, tmp_path, reader)


def test_a_server_that_does_not_say_who_it_is(database: str, tmp_path: Path) -> None:
    reader = as_reader(database)
    execute(
        database,
        *TABLE,
        "GRANT SELECT ON t TO plain_reader",
        "REVOKE EXECUTE ON FUNCTION pg_control_system FROM public",
    )
    message = r"permission denied for function pg_control_system: GRANT EXECUTE ON FUNCTION .* TO plain_reader"
    assert_refused(SourceRefused, message, database, tmp_path, reader)


def test_a_role_that_may_not_connect_often_enough(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_retries_quick(monkeypatch)
    execute(
        database,
        *TABLE,
        "CREATE ROLE lonely_reader LOGIN CONNECTION LIMIT 1",
        "GRANT SELECT ON t TO lonely_reader",
    )
    try:
        message = "takes no connection now: .*too many connections for role.*run again later"
        assert_refused(SourceUnavailable, message, database, tmp_path, make_conninfo(database, user="lonely_reader"))
    finally:
        execute(database, "DROP OWNED BY lonely_reader", "DROP ROLE lonely_reader")


def test_a_policy_that_would_hide_rows(database: str, tmp_path: Path) -> None:
    reader = as_reader(database)
    execute(
        database,
        *TABLE,
        "GRANT SELECT ON t TO plain_reader",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY",
        "CREATE POLICY none ON t USING (false)",
    )
    message = 'table "public.t" may not be read: .*row-level security policy .*: grant the role .* BYPASSRLS'
    assert_refused(SourceRefused, message, database, tmp_path, reader)


def test_a_file_in_place_of_the_storage_folder(database: str, tmp_path: Path) -> None:
    execute(database, *TABLE)
    storage = tmp_path / "staging"
    storage.write_text("a file")
    with pytest.raises(StorageRefused, match=r"staging: .*: give a folder that this user may write, then run again"):
        unload(database, storage)
    assert storage.read_text() == "a file"
    storage.unlink()
    unload(database, storage)
    assert_published(database, storage)


@pytest.mark.parametrize("reference", ["", "ftp://host/folder", "s3:///prefix", "s3-bucket/none"])
def test_a_storage_that_is_none(database: str, tmp_path: Path, reference: str) -> None:
    with pytest.raises(StorageRefused, match=r"storage '.*': give a folder|names no bucket|knows no such block"):
        unload(database, reference)


def test_a_disk_that_fills_up_in_the_middle_of_a_chunk(database: str, tmp_path: Path) -> None:
    # The limit on this process's files stands in for the disk's end: the write stops in the middle all the same.
    execute(
        database, "CREATE TABLE t AS SELECT i, md5(i::text) || md5((-i)::text) AS x FROM generate_series(1, 50000) i"
    )
    with (
        largest_file(500_000),
        pytest.raises(StorageRefused, match=r"storage file:.*File too large: make room there, then run again"),
    ):
        unload(database, tmp_path)
    assert manifests(tmp_path) == []
    assert list(tmp_path.rglob("*.parquet")) == []
    unload(database, tmp_path)
    assert_published(database, tmp_path)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_server_older_than_14(database: str, tmp_path: Path) -> None:
    # No old server can be had here: what speaks is a stand-in that greets as one, which is all that we ask it.
    with (
        server_that_says("13.14") as port,
        pytest.raises(SourceRefused, match=r"is PostgreSQL 13: .* need 14 or newer"),
    ):
        unload(f"postgresql://reader@127.0.0.1:{port}/erp?sslmode=disable&gssencmode=disable", tmp_path)
    assert manifests(tmp_path) == []


@contextmanager
def server_that_says(version: str) -> Iterator[int]:
    """The port of something that greets in PostgreSQL's protocol, and then hears no question."""

    def message(kind: bytes, body: bytes) -> bytes:
        return kind + struct.pack("!I", len(body) + 4) + body

    def greet() -> None:
        client, _ = listener.accept()
        with client:
            (length,) = struct.unpack("!I", client.recv(4))
            client.recv(length - 4)
            parameters = {"server_version": version, "client_encoding": "UTF8", "standard_conforming_strings": "on"}
            client.sendall(message(b"R", struct.pack("!I", 0)))
            for name, value in parameters.items():
                client.sendall(message(b"S", f"{name}\0{value}\0".encode()))
            client.sendall(message(b"Z", b"I"))
            client.recv(1024)  # its goodbye

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=greet)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_a_server_that_is_away_and_comes_back(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "postgres", port=free_port())
    server.start()
    try:
        dsn = server.dsn("postgres")
        execute(dsn, *TABLE)
        unload(dsn, tmp_path / "staging")
        server.stop()
        with pytest.raises((SourceRefused, SourceUnavailable), match="check host"):
            unload(dsn, tmp_path / "staging")
        assert len(manifests(tmp_path / "staging")) == 1
        server.start()
        unload(dsn, tmp_path / "staging")
        assert_published(dsn, tmp_path / "staging")
    finally:
        server.remove()


@pytest.mark.parametrize("content", ["", '{"format": 2}'])
@pytest.mark.parametrize("folder", ["latest", "manifests"])
def test_a_damaged_manifest_is_named_with_its_remedy(database: str, tmp_path: Path, folder: str, content: str) -> None:
    execute(database, *TABLE)
    unload(database, tmp_path)
    (damaged,) = (tmp_path / folder).iterdir()
    damaged.write_text(content)
    with pytest.raises(ManifestBroken, match=rf"{damaged.name} .*delete .*latest/") as caught:
        unload(database, tmp_path)
    assert "\n" not in str(caught.value)
    for pointer in (tmp_path / "latest").iterdir():
        pointer.unlink()
    unload(database, tmp_path)
    assert_published(database, tmp_path)


def test_a_damaged_salt_is_named_with_its_remedy(database: str, tmp_path: Path) -> None:
    execute(database, *TABLE)
    unload(database, tmp_path)
    (damaged,) = (tmp_path / "salts").iterdir()
    damaged.write_text("")
    with pytest.raises(ManifestBroken, match=r"is damaged: delete it; the next run then reads every chunk again"):
        unload(database, tmp_path)
    damaged.unlink()
    unload(database, tmp_path)
    assert_published(database, tmp_path)


def test_a_failed_unload_is_a_failed_run(database: str, tmp_path: Path) -> None:
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter

    from flows.unload_erp import unload_erp

    state = unload_erp(database, str(tmp_path), "nowhere", return_state=True)
    assert state.is_failed()
    assert "the database has no schema 'nowhere'" in state.message
    with get_client(sync_client=True) as client:
        (run,) = client.read_flow_runs(
            flow_run_filter=FlowRunFilter.model_validate({"id": {"any_": [state.state_details.flow_run_id]}})
        )
    assert run.state is not None
    assert run.state.is_failed()
