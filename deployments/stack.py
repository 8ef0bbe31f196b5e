"""The local stack: a Prefect server and one worker, on this machine, for this checkout alone."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from deployments.environment import isolated_environment, profile_environment
from deployments.errors import WorkerNotStarted
from deployments.processes import ProcessId, locked, spawn, stop_owned
from deployments.runs import crash_abandoned_runs
from deployments.server import PrefectServer, log_end, start_server
from erp.home import Home
from tasks.settings import CHECKOUT

WORK_POOL = "local"
WORKER_SECONDS = 60.0
WORKER_READY = "started!"
# The worker asks for work every two seconds, not fifteen: somebody is watching.
WORKER_SETTINGS = {"PREFECT_WORKER_QUERY_SECONDS": "2"}


class Stack(BaseModel, frozen=True):
    """What was started.

    server: ours; None when the worker works for the server of the user's own Prefect profile.
    """

    server: PrefectServer | None
    worker: ProcessId

    def server_answers(self) -> bool:
        return self.server is None or (self.server.is_alive() and self.server.answers())


@dataclass(frozen=True, kw_only=True)
class StackFolder:
    """Where a home keeps its stack: Prefect's own data, the logs, and what was started."""

    home: Path

    @property
    def prefect_home(self) -> Path:
        return self.home / "prefect"

    @property
    def server_log(self) -> Path:
        return self.home / "stack" / "server.log"

    @property
    def worker_log(self) -> Path:
        return self.home / "stack" / "worker.log"

    @property
    def state(self) -> Path:
        return self.home / "stack" / "state.json"

    @property
    def deployed(self) -> Path:
        """What was deployed last, beside the database that has it."""
        return self.prefect_home / "deployed"

    @property
    def lock(self) -> Path:
        return self.home / "stack" / "lock"

    def environment(self, caller: Mapping[str, str], server: PrefectServer | None) -> dict[str, str]:
        """The environment of commands that use the stack."""
        if server is None:
            return profile_environment(caller, home=self.home)
        return isolated_environment(caller, home=self.home, prefect_home=self.prefect_home, api_url=server.api_url)

    def read(self) -> Stack | None:
        """The stack that was started last, dead or alive; None when there is none."""
        try:
            return Stack.model_validate_json(self.state.read_bytes())
        except FileNotFoundError:
            return None

    def write(self, stack: Stack) -> None:
        """Note what was started, all or nothing."""
        part = self.state.with_suffix(".part")
        part.write_text(stack.model_dump_json(), encoding="utf-8")
        part.replace(self.state)


def up(folder: StackFolder, caller: Mapping[str, str], *, use_profile: bool = False) -> Stack:
    """Start what does not run yet of the local stack, with the ERP if it was made here. Safe to repeat, also after a
    crash of any part.

    use_profile: work for the server of the user's own Prefect profile; start none.
    Raises ServerNotStarted, WorkerNotStarted, ProfileUnusable.
    """
    with locked(folder.lock):
        erp = Home(folder.home).server
        if erp.data_dir.exists():
            erp.start()
        stack = folder.read()
        if stack is not None and ((stack.server is None) != use_profile or not stack.server_answers()):
            _stop(folder, stack)  # a worker is bound to its server
            stack = None
        if stack is not None and stack.worker.is_alive():
            return stack
        server = stack.server if stack is not None else None
        # What a dead worker, or a crash between start and note, left behind.
        spare = [] if server is None else [server.process.pid]
        stop_owned(folder.home, prefect_home=folder.prefect_home, spare=spare)
        if server is None and not use_profile:
            server = start_server(caller, home=folder.home, prefect_home=folder.prefect_home, log=folder.server_log)
        if server is not None:
            crash_abandoned_runs(server.api_url, WORK_POOL)
        stack = Stack(server=server, worker=_start_worker(folder, caller, server))
        folder.write(stack)
        return stack


def down(folder: StackFolder) -> int:
    """End everything that was started for this home, after crashes too, the demonstration ERP's server included.

    Returns how many processes there were, each database server counted as one.
    """
    with locked(folder.lock):
        ended = _stop(folder, folder.read())
        erp = Home(folder.home).server
        ended += erp.is_running()
        erp.stop()
        return ended


def _stop(folder: StackFolder, stack: Stack | None) -> int:
    # The server goes last, so that the worker and its flow runs can still report how they ended.
    server = stack.server.process.pid if stack is not None and stack.server is not None else 0
    ended = stop_owned(folder.home, spare=[server]) + stop_owned(folder.home)
    folder.state.unlink(missing_ok=True)
    return ended


def _start_worker(folder: StackFolder, caller: Mapping[str, str], server: PrefectServer | None) -> ProcessId:
    """Start a worker, which makes its work pool if need be, and wait until it takes work."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", "worker", "start"]
    options = ["--pool", WORK_POOL, "--type", "process", "--name", WORK_POOL]
    environment = WORKER_SETTINGS | folder.environment(caller, server)
    process = spawn([*command, *options], environment=environment, folder=CHECKOUT, log=folder.worker_log)
    deadline = time.monotonic() + WORKER_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if WORKER_READY in folder.worker_log.read_text(errors="replace"):
            return ProcessId.of(process.pid)
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise WorkerNotStarted(
        f"the worker did not start; the end of its log ({folder.worker_log}):\n{log_end(folder.worker_log)}\n"
        f"Mend what it names, then run again; `make stop` ends what may be left"
    )


class Part(BaseModel, frozen=True):
    """One part of the stack as `reprise status` shows it.

    where: its address, or the folder or log that says why it is down.
    """

    name: str
    is_up: bool
    where: str


def parts(folder: StackFolder) -> tuple[Part, Part, Part]:
    """What runs at this moment: the Prefect server, the worker, and the demonstration ERP, which not everybody has."""
    stack, erp = folder.read(), Home(folder.home).server
    answers = stack is not None and stack.server_answers()
    where = str(folder.server_log)
    if answers and stack is not None:
        where = stack.server.ui_url if stack.server is not None else "the server of your own Prefect profile"
    works = stack is not None and stack.worker.is_alive()
    return (
        Part(name="Prefect server", is_up=answers, where=where),
        Part(name="worker", is_up=works, where=str(folder.worker_log)),
        Part(name="ERP", is_up=erp.is_running(), where=str(erp.data_dir)),
    )
