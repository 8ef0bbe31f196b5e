"""Real servers for the tests: Prefect, PostgreSQL and S3, each on a free port, all gone when the session ends.

Prefect is imported inside fixtures only: it reads its settings from the environment as it is imported.
"""

import os
import shutil
import sqlite3
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import boto3
import hypothesis
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from deployments.environment import OWNER, isolated_environment
from deployments.processes import free_port, locked, spawn, stop_owned
from deployments.server import leased_server
from erp.home import Home
from erp.server import EmbeddedServer

IS_XDIST_WORKER = "PYTEST_XDIST_WORKER" in os.environ
# A home of the session's own, which pytest-xdist's workers share with the process that starts them: no test meets what
# the checkout or the person at the screen has.
HOME = Path(os.environ[OWNER] if IS_XDIST_WORKER else tempfile.mkdtemp(prefix="reprise-tests-")).resolve()
FOLDER = HOME / os.environ.get("PYTEST_XDIST_WORKER", "main")
FOLDER.mkdir(exist_ok=True)
ENVIRONMENT = isolated_environment(os.environ, home=HOME, prefect_home=HOME / "prefect") | {
    "REPRISE_HOME": str(HOME),
    "TMPDIR": tempfile.gettempdir(),  # not ours alone: PostgreSQL's account, when we are root, must enter it
}
os.environ.clear()
os.environ.update(ENVIRONMENT)


# How long an example takes is the machine's affair, not the code's.
hypothesis.settings.register_profile("reprise", deadline=None)
hypothesis.settings.load_profile("reprise")


def pytest_unconfigure() -> None:
    if not IS_XDIST_WORKER:
        stop_owned(HOME)
        shutil.rmtree(HOME)


@pytest.fixture(scope="session")
def prefect_server() -> Iterator[str]:
    """The API address of a real Prefect server, used by this process and by those that tests start."""
    with leased_server(os.environ, home=HOME, folder=HOME / "server") as server:
        os.environ["PREFECT_API_URL"] = server.api_url
        from prefect.context import _temporary_global_settings_context, get_settings_context
        from prefect.settings import PREFECT_API_URL, temporary_settings

        # The global context is what Prefect's own threads see; the other one is the tests'.
        with (
            temporary_settings({PREFECT_API_URL: server.api_url}),
            _temporary_global_settings_context(get_settings_context()),
        ):
            yield server.api_url
        del os.environ["PREFECT_API_URL"]


@pytest.fixture
def home(prefect_server: str, tmp_path: Path) -> Iterator[Path]:
    """A home of the test's own, in a path with a space and an accent; what is started for it ends with the test."""
    folder = tmp_path / "chez élève"
    for prefect_home in (folder / "prefect", folder / "console" / "prefect"):
        # Making Prefect's database takes ten seconds; a copy of an existing one is as good.
        prefect_home.mkdir(parents=True)
        source, copy = HOME / "server" / "prefect" / "prefect.db", prefect_home / "prefect.db"
        with closing(sqlite3.connect(source)) as made, closing(sqlite3.connect(copy)) as wanted:
            made.backup(wanted)
    yield folder
    stop_owned(folder)
    Home(folder).remove()


@pytest.fixture
def caller(home: Path) -> dict[str, str]:
    """The environment of somebody who has configured no Prefect and works with `home`."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return environment | {"REPRISE_HOME": str(home), "HOME": str(home / "user")}


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedServer]:
    """A running PostgreSQL server without any database of ours."""
    server = EmbeddedServer(FOLDER / "postgres")
    server.start()
    yield server
    server.remove()


@pytest.fixture
def database(postgres: EmbeddedServer) -> Iterator[str]:
    """The DSN of a fresh and empty database, as its superuser."""
    name = Identifier(f"test_{uuid.uuid4().hex}")
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection:
        connection.execute(SQL("CREATE DATABASE {}").format(name))
        yield postgres.dsn(name.as_string().strip('"'))
        connection.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """The address of a server that speaks S3 over HTTP."""
    port = free_port()
    address, log, lease = f"http://127.0.0.1:{port}", FOLDER / "moto.log", FOLDER / "moto.lease"
    with locked(lease, shared=True):
        process = spawn(
            [sys.executable, "-m", "moto.server", "-p", str(port)],
            environment=os.environ,
            folder=FOLDER,
            log=log,
            lease=lease,
        )
        deadline = time.monotonic() + 60
        while not _answers(address):
            if process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the moto server did not start:\n{log.read_text()}")
            time.sleep(0.05)
        yield address
    process.wait(15)


def _answers(address: str) -> bool:
    try:
        with urlopen(f"{address}/moto-api/", timeout=2):
            return True
    except (URLError, OSError):
        return False


@pytest.fixture
def moto_s3(moto_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """The URI of a fresh bucket, reached as the `AWS_*` variables say."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    settings = {
        "AWS_ENDPOINT_URL": moto_server,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-3",
        "AWS_REGION": "eu-west-3",
        "AWS_CONFIG_FILE": str(tmp_path / "no-aws-config"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "no-aws-credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    bucket = f"reprise-{uuid.uuid4().hex}"
    boto3.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-3"})
    return f"s3://{bucket}"
