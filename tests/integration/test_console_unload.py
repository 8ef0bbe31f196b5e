"""`reprise unload` and `reprise manifest`, as processes, against a real PostgreSQL and servers of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psutil
import psycopg
import pytest
from readme import commands_of_readme, run_in_shell

from deployments.environment import OWNER
from deployments.server import PrefectServer
from erp.server import EmbeddedServer

REPRISE = Path(sys.executable).with_name("reprise")


@pytest.fixture
def school(database: str) -> str:
    """A database of two tables, one of them empty."""
    with psycopg.connect(database) as connection:
        connection.execute("CREATE SCHEMA s")
        connection.execute(
            "CREATE TABLE s.students AS SELECT id, 'Élève ' || id AS name FROM generate_series(1, 1000) id"
        )
        connection.execute("CREATE TABLE s.empty (id int)")
    return database


@pytest.fixture
def configured(caller: dict[str, str], prefect_server: str) -> dict[str, str]:
    """The environment of somebody who has told Prefect which server to use."""
    return caller | {"PREFECT_API_URL": prefect_server}


def unload(source: str, storage: Path, caller: dict[str, str], *options: str) -> subprocess.CompletedProcess[str]:
    return reprise(caller, "unload", "--source", source, "--schema", "s", "--storage", str(storage), *options)


def reprise(caller: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([REPRISE, *arguments], env=caller, capture_output=True, text=True, check=False)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited for 60 s"
        time.sleep(0.02)


def own_server(home: Path) -> PrefectServer:
    """The server that a console of this home started."""
    state = home / "console" / "server.json"
    until(state.exists)
    return PrefectServer.model_validate_json(state.read_bytes())


def test_json_is_one_object_alone_on_standard_output(school: str, caller: dict[str, str], tmp_path: Path) -> None:
    done = unload(school, tmp_path / "staging", caller, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert set(report) == {"manifest", "snapshot_at", "tables"}
    tables = {table["table"]: table for table in report["tables"]}
    assert set(tables["s.students"]) == {
        "table", "rows", "chunks", "chunks_run", "chunks_cached", "bytes", "files", "seconds"
    }  # fmt: skip
    assert {name: table["rows"] for name, table in tables.items()} == {"s.students": 1000, "s.empty": 0}
    assert all(Path(unquote(urlsplit(uri).path)).is_file() for table in tables.values() for uri in table["files"])
    assert Path(unquote(urlsplit(report["manifest"]).path)).is_file()
    assert "Warning" not in done.stderr


def test_verify_finds_every_kind_of_difference(school: str, configured: dict[str, str], tmp_path: Path) -> None:
    storage = tmp_path / "staging"
    done = unload(school, storage, configured)
    assert done.returncode == 0, done.stderr
    assert any(line.split()[:2] == ["s.students", "1,000"] for line in done.stdout.splitlines())
    listed = reprise(configured, "manifest", "ls", "--storage", str(storage)).stdout
    assert listed.splitlines()[1].split()[-1] == "1,000"

    verify = ["manifest", "verify", "--storage", str(storage)]
    whole = reprise(configured, *verify)
    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout.endswith("2 files, 1,000 rows, no difference(s)\n")

    victim = min((storage / "data" / "s.students").iterdir())
    content = victim.read_bytes()
    for damaged, complaint in (
        (content[:-1], f"has {len(content) - 1:,} bytes, {len(content):,} were written"),
        (content[:100] + bytes([content[100] ^ 1]) + content[101:], "has sha256 "),
    ):
        victim.write_bytes(damaged)
        found = reprise(configured, *verify)
        assert found.returncode == 1
        assert f"s.students: {storage.as_uri()}/data/s.students/{victim.name}: {complaint}" in found.stderr
    victim.unlink()
    assert "the file is missing" in reprise(configured, *verify).stderr


def test_a_failure_is_one_message_without_traceback(configured: dict[str, str], tmp_path: Path, school: str) -> None:
    done = reprise(
        configured, "unload", "--source", school, "--schema", "no_such", "--storage", str(tmp_path / "s"), "--json"
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("reprise: ")
    assert done.stderr.count("has no schema 'no_such'") == 1


def test_a_password_shows_nowhere(
    school: str, configured: dict[str, str], home: Path, tmp_path: Path, postgres: EmbeddedServer
) -> None:
    secret = "s3cr3t-p4ssword"
    source, storage = f"{school}&password={secret}", tmp_path / "staging"
    command = [REPRISE, "unload", "--source", source, "--schema", "s", "--storage", str(storage)]
    with subprocess.Popen(
        command, env=configured, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as console:
        assert console.stdout is not None
        said = console.stdout.readline()
        shown = " ".join(psutil.Process(console.pid).cmdline())
        said += console.stdout.read()
    assert console.returncode == 0, said
    assert "--source" in shown
    assert secret not in shown + said
    server_files = (Path(os.environ[OWNER]) / "server").rglob("*")
    kept = [file for file in (*server_files, *home.rglob("*"), *storage.rglob("*")) if file.is_file()]
    assert kept
    assert not [file for file in kept if secret.encode() in file.read_bytes()]


def test_the_commands_of_the_readme_serve_any_database(school: str, configured: dict[str, str], tmp_path: Path) -> None:
    commands = commands_of_readme("reprise unload")
    for shown, real in {
        "postgresql://reader@db.example.org/erp": f"'{school}'",
        "--schema public": "--schema s",
        "/data/staging": str(tmp_path / "staging"),
    }.items():
        assert shown in commands
        commands = commands.replace(shown, real)
    done = run_in_shell(commands, configured)
    assert done.returncode == 0, done.stderr
    assert "2 files, 1,000 rows, no difference(s)" in done.stdout


@pytest.mark.campaign
def test_two_consoles_at_once_share_a_server_and_both_succeed(
    school: str, caller: dict[str, str], tmp_path: Path, home: Path
) -> None:
    command = [REPRISE, "unload", "--source", school, "--schema", "s", "--json", "--storage"]
    consoles = [
        subprocess.Popen([*command, str(tmp_path / name)], env=caller, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for name in ("a", "b")
    ]
    for console in consoles:
        output, errors = console.communicate()
        assert console.returncode == 0, errors.decode()
        assert json.loads(output)["tables"]
    until(lambda: not own_server(home).is_alive())


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_the_server_of_a_console_that_is_ended_ends_too(
    end: signal.Signals, school: str, caller: dict[str, str], home: Path, tmp_path: Path
) -> None:
    with psycopg.connect(school) as blocker:
        blocker.execute("LOCK TABLE s.students IN ACCESS EXCLUSIVE MODE")  # the unload cannot end before we look
        command = [REPRISE, "unload", "--source", school, "--schema", "s", "--storage", str(tmp_path / "staging")]
        with subprocess.Popen(command, env=caller, stderr=subprocess.PIPE, text=True) as console:
            server = own_server(home)
            assert server.is_alive()
            assert console.stderr is not None
            waiting = "SELECT 1 FROM pg_locks WHERE relation = 's.students'::regclass AND NOT granted"
            until(lambda: blocker.execute(waiting).fetchone() is not None)
            console.send_signal(end)
            errors = console.stderr.read()
    assert console.returncode == (-signal.SIGKILL if end is signal.SIGKILL else 1)
    assert end is signal.SIGKILL or errors.endswith(
        "reprise: interrupted; what was finished is kept, run the same command again to go on\n"
    )
    until(lambda: not server.is_alive())


@pytest.mark.campaign
def test_the_user_s_own_profile_is_neither_read_nor_written(
    school: str, caller: dict[str, str], home: Path, tmp_path: Path
) -> None:
    profiles = Path(caller["HOME"]) / ".prefect" / "profiles.toml"
    profiles.parent.mkdir(parents=True)
    poison = 'active = "cloud"\n[profiles.cloud]\nPREFECT_API_URL = "http://127.0.0.1:9/api"\nPREFECT_API_KEY = "k"\n'
    profiles.write_text(poison)
    before = sorted(profiles.parent.rglob("*"))
    assert unload(school, tmp_path / "staging", caller).returncode == 0
    assert profiles.read_text() == poison
    assert sorted(profiles.parent.rglob("*")) == before

    asked = unload(school, tmp_path / "staging", caller, "--use-profile")
    assert asked.returncode != 0
    assert "127.0.0.1:9" in asked.stderr


def test_an_api_that_the_environment_names_is_used(
    school: str, configured: dict[str, str], home: Path, tmp_path: Path
) -> None:
    done = unload(school, tmp_path / "staging", configured)
    assert done.returncode == 0, done.stderr
    assert configured["PREFECT_API_URL"].removesuffix("/api") in done.stderr
    assert not (home / "console" / "server.json").exists()
