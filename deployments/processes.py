"""Processes that outlive the command that started them, or must not."""

import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
from pydantic import BaseModel

from deployments.environment import LOOPBACK, OWNER

TERMINATE_SECONDS = 10.0

# What we started; forgotten, a Popen object complains that its process lives on, as it should.
_started: list[subprocess.Popen[bytes]] = []


class ProcessId(BaseModel, frozen=True):
    """One process; its pid alone is given to another process sooner or later.

    started: creation time in seconds since the epoch, as the system tells it.
    """

    pid: int
    started: float

    @classmethod
    def of(cls, pid: int) -> "ProcessId":
        """Raises psutil.NoSuchProcess when it has ended."""
        return cls(pid=pid, started=psutil.Process(pid).create_time())

    def is_alive(self) -> bool:
        """False when it ended, is a zombie, or its pid is another's now."""
        try:
            process = psutil.Process(self.pid)
            # The system counts in ticks since boot, so that an adjusted clock may move a creation time a little.
            return abs(process.create_time() - self.started) < 2.0 and _runs(process)
        except psutil.NoSuchProcess:
            return False


def spawn(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path, lease: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own: it survives this one, and no Ctrl-C of a terminal reaches it.

    log:   file that takes what it prints, written anew.
    lease: the process (then the leash that holds it) ends as soon as nobody holds this lease.
    """
    leash = [] if lease is None else [sys.executable, "-I", "-S", str(Path(__file__).with_name("leash.py")), str(lease)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*leash, *command],
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _started.append(process)
    return process


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock on a file, made when absent; waits for those who hold it. The kernel frees a dead holder's lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield


def stop_owned(home: Path, *, prefect_home: Path | None = None, spare: Collection[int] = ()) -> int:
    """End all processes that belong to this home, those whose parents crashed too: ask, wait, then kill.

    prefect_home: only those with this Prefect home.
    spare:        pids to leave alone; this process and its parents are left alone too.
    Returns how many there were. Safe to repeat.
    """
    wanted = {OWNER: str(home)} | ({} if prefect_home is None else {"PREFECT_HOME": str(prefect_home)})
    found = _processes_with(wanted, spare)
    for process in found:
        _signal(process, kill=False)
    _wait_for_end(found)
    left = _processes_with(wanted, spare)  # asks again: they may have started others meanwhile
    for process in left:
        _signal(process, kill=True)
    _wait_for_end(left)
    return len(found)


def _processes_with(variables: Mapping[str, str], spare: Collection[int]) -> list[psutil.Process]:
    untouched = {os.getpid(), *(parent.pid for parent in psutil.Process().parents()), *spare}
    every = (process for process in psutil.process_iter() if process.pid not in untouched)
    return [process for process in every if variables.items() <= _environment(process).items()]


def _environment(process: psutil.Process) -> dict[str, str]:
    """A process's variables as it was started; none for one that is another user's, a zombie, or gone."""
    try:
        return dict(process.environ())
    except (psutil.Error, OSError):
        return {}


def _wait_for_end(processes: Sequence[psutil.Process]) -> None:
    """Returns when all ended or TERMINATE_SECONDS are over. A zombie has ended, whether somebody asks for it or not."""
    deadline = time.monotonic() + TERMINATE_SECONDS
    while time.monotonic() < deadline and any(_runs(process) for process in processes):
        time.sleep(0.02)


def _runs(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        if kill:
            process.kill()
        else:
            process.terminate()
    except psutil.NoSuchProcess:
        return


def free_port() -> int:
    """A port of this machine that nobody listens on at this moment; somebody may a moment later."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def listener(pid: int, port: int) -> ProcessId | None:
    """The process that listens on the port, when it is this one or one that it started; else None."""
    try:
        process = psutil.Process(pid)
        for each in [process, *process.children(recursive=True)]:
            for connection in each.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port:
                    return ProcessId.of(each.pid)
    except psutil.NoSuchProcess:
        return None
    return None
