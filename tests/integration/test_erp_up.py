"""`python -m erp up`: what it does not find done it does, and no more, also after a kill."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from erp.home import Home

COMMAND = [sys.executable, "-W", "error", "-m", "erp"]


def erp(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "chez élève"
    yield folder
    Home(folder).remove()
    assert not (folder / "erp").exists()


def filenode(dsn: str) -> object:
    with psycopg.connect(dsn) as connection:
        return connection.execute("SELECT pg_relation_filenode('erp.students')").fetchone()


def students(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("SELECT count(*) FROM erp.students").fetchone()
    assert row is not None
    return int(row[0])


def test_up_prints_the_readers_dsn_and_a_second_up_loads_nothing(home: Path) -> None:
    first = erp("up", "--scale", "0.01", "--home", home)
    assert first.returncode == 0, first.stderr
    dsn = first.stdout.strip()
    assert dsn.startswith("postgresql://reprise_reader@/erp?")
    assert "attendances" in first.stderr
    before = filenode(dsn)
    second = erp("up", "--scale", "0.01", "--home", home)
    assert (second.returncode, second.stdout, second.stderr) == (0, first.stdout, "")
    assert filenode(dsn) == before


def test_another_scale_or_seed_is_another_erp(home: Path) -> None:
    small = erp("up", "--scale", "0.01", "--seed", "1", "--home", home)
    first = students(small.stdout.strip())
    larger = erp("up", "--scale", "0.03", "--seed", "2", "--home", home)
    assert larger.returncode == 0, larger.stderr
    assert students(larger.stdout.strip()) > 2 * first


def test_up_and_stop_leaves_no_server_and_start_finds_the_data(home: Path) -> None:
    done = erp("up", "--scale", "0.01", "--stop", "--home", home)
    assert done.returncode == 0, done.stderr
    assert erp("status", "--home", home).stdout == "stopped\n"
    started = erp("start", "--home", home)
    assert started.stdout == done.stdout
    assert students(started.stdout.strip()) > 0
    assert erp("status", "--home", home).stdout == "running\n"
    assert erp("stop", "--home", home).returncode == 0


@pytest.mark.parametrize("line", ["simulated 2019-2020", "loaded grades", "made keys"])
def test_up_killed_half_way_goes_on_when_repeated(home: Path, line: str) -> None:
    arguments = ["up", "--scale", "0.05", "--home", str(home)]
    with subprocess.Popen([*COMMAND, *arguments], stderr=subprocess.PIPE, text=True) as killed:
        assert killed.stderr is not None
        for said in killed.stderr:
            if said.startswith(line):
                break
        killed.send_signal(signal.SIGKILL)
    assert killed.returncode == -signal.SIGKILL
    done = erp(*arguments)
    assert done.returncode == 0, done.stderr
    assert students(done.stdout.strip()) > 0


def test_server_killed_between_two_ups_costs_no_load(home: Path) -> None:
    dsn = erp("up", "--scale", "0.01", "--home", home).stdout.strip()
    before = filenode(dsn)
    (pid, *_) = (Home(home).server.data_dir / "postmaster.pid").read_text().splitlines()
    os.kill(int(pid), signal.SIGKILL)
    again = erp("up", "--scale", "0.01", "--home", home)
    assert (again.returncode, again.stderr) == (0, "")
    assert filenode(again.stdout.strip()) == before


def test_two_ups_at_once_load_once(home: Path) -> None:
    both = [
        subprocess.Popen([*COMMAND, "up", "--scale", "0.01", "--home", home], stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    errors = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert sorted(bool(error) for error in errors) == [False, True]
