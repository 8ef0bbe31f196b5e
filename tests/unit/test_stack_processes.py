import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from deployments import processes
from deployments.environment import OWNER
from deployments.processes import ProcessId, free_port, listener, locked, spawn, stop_owned

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(600)",
]
PARENT_OF_ONE = [
    sys.executable,
    "-c",
    f"import subprocess; print(subprocess.Popen({SLEEP!r}).pid, flush=True); input()",
]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_owned(tmp_path)


def start(home: Path, command: list[str], *, lease: Path | None = None) -> ProcessId:
    environment = {**os.environ, OWNER: str(home)}
    return ProcessId.of(spawn(command, environment=environment, folder=home, log=home / "log", lease=lease).pid)


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "waited for 20 s"
        time.sleep(0.02)


def said(home: Path) -> str:
    until(lambda: (home / "log").read_text().endswith("\n"))
    return (home / "log").read_text().strip()


def test_a_process_is_alive_until_it_ends() -> None:
    child = subprocess.Popen(SLEEP)
    process = ProcessId.of(child.pid)
    assert process.is_alive()
    child.kill()
    until(lambda: psutil.Process(child.pid).status() == psutil.STATUS_ZOMBIE)
    assert not process.is_alive(), "a zombie has ended"
    child.wait()
    assert not process.is_alive()


def test_a_pid_that_another_process_got_is_not_taken_for_ours() -> None:
    myself = ProcessId.of(os.getpid())
    assert myself.is_alive()
    assert not ProcessId(pid=myself.pid, started=myself.started - 60).is_alive()


def test_processes_of_a_home_are_ended_and_those_of_another_left_alone(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    neighbour = tmp_path_factory.mktemp("neighbour")
    ours, theirs = start(home, SLEEP), start(neighbour, SLEEP)
    assert stop_owned(home) == 1
    assert not ours.is_alive()
    assert theirs.is_alive()
    assert stop_owned(neighbour) == 1
    assert stop_owned(home) == 0


def test_a_child_whose_parent_was_killed_is_ended_too(home: Path) -> None:
    parent = spawn(
        [*PARENT_OF_ONE[:2], PARENT_OF_ONE[2].replace("input()", "import time; time.sleep(600)")],
        environment={**os.environ, OWNER: str(home)},
        folder=home,
        log=home / "log",
    )
    child = ProcessId.of(int(said(home)))
    parent.kill()
    assert parent.wait() == -signal.SIGKILL
    assert child.is_alive()
    assert stop_owned(home) == 1
    assert not child.is_alive()


def test_a_process_that_will_not_end_is_killed(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "TERMINATE_SECONDS", 0.3)
    stubborn = start(home, STUBBORN)
    assert said(home) == "1"
    stop_owned(home)
    assert not stubborn.is_alive()


def test_a_leased_process_ends_with_the_last_who_holds_the_lease(home: Path) -> None:
    lease = home / "lease"
    with locked(lease, shared=True):
        with locked(lease, shared=True):
            leash = start(home, SLEEP, lease=lease)
        time.sleep(0.3)
        assert leash.is_alive()
    until(lambda: not leash.is_alive())


def test_a_leased_process_ends_when_its_holder_is_killed(home: Path) -> None:
    lease, holding = (
        home / "lease",
        "with locked(Path(sys.argv[1]), shared=True): print(1, flush=True); time.sleep(600)",
    )
    code = f"import sys, time\nfrom pathlib import Path\nfrom deployments.processes import locked\n{holding}"
    with subprocess.Popen([sys.executable, "-c", code, str(lease)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"1\n"
        leash = start(home, SLEEP, lease=lease)
        until(lambda: bool(psutil.Process(leash.pid).children()))
        held = ProcessId.of(psutil.Process(leash.pid).children()[0].pid)
        holder.kill()
    assert holder.returncode == -signal.SIGKILL
    until(lambda: not leash.is_alive())
    assert not held.is_alive()


def test_the_listener_on_a_port_is_told_from_others() -> None:
    port = free_port()
    assert listener(os.getpid(), port) is None
    with socket.create_server(("127.0.0.1", port)), subprocess.Popen(SLEEP) as other:
        assert listener(os.getpid(), port) == ProcessId.of(os.getpid())
        assert listener(other.pid, port) is None
        other.kill()
