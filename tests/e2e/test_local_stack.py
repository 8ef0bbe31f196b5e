"""The local stack as a person uses it: processes, a real server, a real worker, deployments, the whole job."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest
from readme import commands_of_readme, run_in_shell

from deployments.environment import OWNER
from deployments.stack import Stack, StackFolder
from erp.home import Home

REPRISE = Path(sys.executable).with_name("reprise")
POISON = (
    'active = "cloud"\n[profiles.cloud]\nPREFECT_API_URL = "http://127.0.0.1:9/api"\nPREFECT_API_KEY = "pnu_secret"\n'
)


@pytest.fixture
def poisoned(caller: dict[str, str]) -> dict[str, str]:
    """The environment of somebody who works with another Prefect server, which does not even answer."""
    profiles = own_profiles(caller)
    profiles.parent.mkdir(parents=True)
    profiles.write_text(POISON)
    return caller | {"PREFECT_API_URL": "http://127.0.0.1:9/api", "PREFECT_PROFILE": "cloud"}


def own_profiles(caller: dict[str, str]) -> Path:
    return Path(caller["HOME"]) / ".prefect" / "profiles.toml"


def reprise(caller: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([REPRISE, *arguments], env=caller, capture_output=True, text=True, check=False)


def stack_of(home: Path) -> Stack:
    stack = StackFolder(home=home).read()
    assert stack is not None
    return stack


def processes_of(home: Path) -> list[list[str]]:
    """The command lines of all processes that were started for a home, PostgreSQL's included."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(OWNER) == str(home) or process.cwd().startswith(str(Home(home).server.data_dir)):
                found.append(process.cmdline())
        except psutil.Error:
            continue
    return found


def schedule_is_active(api_url: str, *, switch_on: bool = False) -> bool:
    """Whether the nightly schedule is on, after switching it on when that is asked for."""
    with urlopen(f"{api_url}/deployments/name/erp-to-warehouse/local") as response:
        deployment = json.load(response)
    (schedule,) = deployment["schedules"]
    if switch_on:
        address, change = f"{api_url}/deployments/{deployment['id']}/schedules/{schedule['id']}", b'{"active": true}'
        urlopen(Request(address, change, {"Content-Type": "application/json"}, method="PATCH")).close()
        return schedule_is_active(api_url)
    return bool(schedule["active"])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited for 60 s"
        time.sleep(0.05)


@pytest.mark.campaign
def test_up_starts_once_heals_what_was_killed_and_down_ends_all(poisoned: dict[str, str], home: Path) -> None:
    first = reprise(poisoned, "up")
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    stack = stack_of(home)
    assert stack.server is not None
    assert stack.server.ui_url in first.stdout
    assert reprise(poisoned, "up").returncode == 0
    assert stack_of(home) == stack, "a second up starts nothing"

    os.kill(stack.worker.pid, signal.SIGKILL)
    until(lambda: not stack.worker.is_alive())
    assert reprise(poisoned, "status").returncode == 1
    assert reprise(poisoned, "up").returncode == 0
    healed = stack_of(home)
    assert healed.server == stack.server
    assert healed.worker != stack.worker

    os.kill(stack.server.process.pid, signal.SIGKILL)
    assert reprise(poisoned, "up").returncode == 0
    renewed = stack_of(home)
    assert renewed.server != stack.server
    assert renewed.worker != healed.worker
    assert not healed.worker.is_alive(), "a worker is bound to its server"

    assert reprise(poisoned, "down").returncode == 0
    assert processes_of(home) == []
    assert own_profiles(poisoned).read_text() == POISON
    assert list(own_profiles(poisoned).parent.iterdir()) == [own_profiles(poisoned)]


def test_the_main_job_from_one_command_and_again(poisoned: dict[str, str], home: Path) -> None:
    first = reprise(poisoned, "run", "--scale", "0.01")
    assert first.returncode == 0, first.stdout + first.stderr
    rows = {
        line.split()[0]: line.split()[1] for line in first.stdout.splitlines() if line.startswith(("erp.", "students"))
    }
    assert rows["students"] == rows["erp.students"]
    assert len(rows) == 12
    assert all(int(count.replace(",", "")) > 0 for count in rows.values())
    assert f"warehouse      {home / 'warehouse'}" in first.stdout
    stack = stack_of(home)
    assert stack.server is not None
    assert f"Prefect's UI   {stack.server.ui_url}" in first.stdout

    assert schedule_is_active(stack.server.api_url, switch_on=True)
    files = sorted((home / "staging" / "data").rglob("*.parquet"))
    second = reprise(poisoned, "run", "--scale", "0.01")
    assert second.returncode == 0, second.stdout + second.stderr
    assert sorted((home / "staging" / "data").rglob("*.parquet")) == files, "no chunk was read again"
    assert [line for line in second.stdout.splitlines() if line.startswith("erp.")] == [
        line for line in first.stdout.splitlines() if line.startswith("erp.")
    ]
    assert stack_of(home) == stack
    assert schedule_is_active(stack.server.api_url), "the schedule that was switched on stays so"

    by_hand = run_in_shell(commands_of_readme("status --env"), poisoned)
    assert by_hand.returncode == 0, by_hand.stdout + by_hand.stderr
    assert "Flow run finished successfully" in by_hand.stdout

    (home / "warehouse" / "publications" / "latest.json").write_text("no JSON")
    failed = reprise(poisoned, "run", "--scale", "0.01")
    assert failed.returncode == 1
    last = failed.stderr.splitlines()[-1]
    assert last.startswith("reprise: the flow run did not complete")
    assert stack.server.ui_url in last
    assert str(home / "stack" / "worker.log") in last

    assert reprise(poisoned, "down").returncode == 0
    assert processes_of(home) == []
    assert own_profiles(poisoned).read_text() == POISON
