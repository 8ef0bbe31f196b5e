"""A source named by a Prefect block: it is found, its password works, and its password is nowhere to be read."""

import logging
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from prefect.client.orchestration import get_client
from prefect_sqlalchemy import AsyncSqlAlchemyConnector, ConnectionComponents, SqlAlchemyConnector, SyncDriver
from unloading import assert_published, chunks_run, execute, manifests, unload

from deployments.processes import free_port
from erp.server import EmbeddedServer
from tasks.errors import SourceRefused
from tasks.unload.source import source_of

pytestmark = pytest.mark.usefixtures("prefect_server")

PASSWORD = "tr0uv%@/:é'x"  # not one character may get lost on the way through URLs


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedServer]:
    """A server that asks for passwords on TCP, with the role `secretive` and its table."""
    server = EmbeddedServer(tmp_path_factory.mktemp("guarded") / "postgres", port=free_port())
    server.start()
    rules = server.data_dir.resolve() / "pg_hba.conf"
    rules.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
    password = PASSWORD.replace("'", "''")
    execute(
        server.dsn("postgres"),
        f"CREATE ROLE secretive LOGIN PASSWORD '{password}'",
        "CREATE TABLE t AS SELECT 1 AS id",
        "GRANT SELECT ON t TO secretive",
        "SELECT pg_reload_conf()",
    )
    yield server
    server.remove()


def save_connector(name: str, server: EmbeddedServer, password: str = PASSWORD) -> str:
    components = ConnectionComponents(
        driver=SyncDriver.POSTGRESQL_PSYCOPG2,
        username="secretive",
        password=password,
        host="127.0.0.1",
        port=server.port,
        database="postgres",
    )
    SqlAlchemyConnector(connection_info=components).save(name, overwrite=True)
    return f"sqlalchemy-connector/{name}"


def test_a_connector_block_serves_and_keeps_its_password(
    guarded: EmbeddedServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = save_connector("guarded", guarded)
    with caplog.at_level(logging.DEBUG):
        report = unload(source, tmp_path)
        assert chunks_run(unload(source, tmp_path)) == {"public.t": 0}
    assert_published(guarded.dsn("postgres"), tmp_path)
    assert PASSWORD not in caplog.text
    assert PASSWORD not in report.model_dump_json()
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or PASSWORD.encode() not in path.read_bytes(), path
    assert PASSWORD not in everything_prefect_keeps()


def test_a_block_may_hold_a_url_and_arguments_for_the_driver(guarded: EmbeddedServer, tmp_path: Path) -> None:
    url = f"postgresql+psycopg://secretive:{quote(PASSWORD, safe='')}@127.0.0.1:{guarded.port}/postgres"
    block = SqlAlchemyConnector(connection_info=url, connect_args={"application_name": "night", "connect_timeout": 3})
    block.save("by-url", overwrite=True)
    source = source_of("sqlalchemy-connector/by-url")
    assert source.password == PASSWORD
    assert "application_name=night" in source.conninfo
    assert "connect_timeout=3" in source.conninfo
    unload("sqlalchemy-connector/by-url", tmp_path)
    assert_published(guarded.dsn("postgres"), tmp_path)


def test_an_async_connector_block_names_the_same_database() -> None:
    block = AsyncSqlAlchemyConnector(connection_info="postgresql+asyncpg://reader:pw@erp.example:6543/school")
    block.save("by-async", overwrite=True)
    source = source_of("async-sqlalchemy-connector/by-async")
    assert (source.name, source.password) == ("erp.example:6543/school", "pw")


def everything_prefect_keeps() -> str:
    """Flow runs, task runs, logs and artifacts, as the server gives them to anybody who asks."""
    with get_client(sync_client=True) as client:
        answers = [
            client.request("POST", f"/{kind}/filter", json={})
            for kind in ("flow_runs", "task_runs", "logs", "artifacts", "variables")
        ]
    assert all(answer.status_code == 200 for answer in answers)
    return "".join(answer.text for answer in answers)


def test_a_wrong_password_is_refused_and_not_said(guarded: EmbeddedServer, tmp_path: Path) -> None:
    source = save_connector("mistaken", guarded, "wr0ng-secret")
    with pytest.raises(SourceRefused, match=r"password authentication failed.*user and password") as caught:
        unload(source, tmp_path)
    assert "wr0ng-secret" not in str(caught.value)
    assert manifests(tmp_path) == []
    unload(save_connector("mistaken", guarded), tmp_path)
    assert_published(guarded.dsn("postgres"), tmp_path)


def test_no_password_is_refused(guarded: EmbeddedServer, tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match=r"no password supplied.*user and password"):
        unload(f"postgresql://secretive@127.0.0.1:{guarded.port}/postgres", tmp_path)


def test_the_password_may_come_from_the_environment(
    guarded: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    unload(f"postgresql://secretive@127.0.0.1:{guarded.port}/postgres", tmp_path)
    assert_published(guarded.dsn("postgres"), tmp_path)
