"""A Prefect server of our own: real, quiet, on a free port of this machine."""

import http.client
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel

from deployments.environment import LOOPBACK, isolated_environment
from deployments.errors import ServerNotStarted
from deployments.processes import ProcessId, free_port, listener, locked, spawn, stop_owned

START_SECONDS = 120.0  # the first start makes the database: 11 s on two idle cores
PORT_TRIES = 5
ANSWER_SECONDS, ANSWER_TRIES = 5.0, 6


class PrefectServer(BaseModel, frozen=True):
    """A server that answered.

    process: the one that listens.
    leash:   the one that ends it with its lease; the same process for a server without one.
    """

    port: int
    process: ProcessId
    leash: ProcessId

    @property
    def ui_url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def api_url(self) -> str:
        return f"{self.ui_url}/api"

    def is_alive(self) -> bool:
        """Whether it still runs, and under its leash; a busy one may be slow to answer."""
        return self.process.is_alive() and self.leash.is_alive()

    def answers(self) -> bool:
        """Whether it answers within half a minute; a busy one takes its time."""
        return any(_answers(self.port) for _ in range(ANSWER_TRIES))


def start_server(
    caller: Mapping[str, str], *, home: Path, prefect_home: Path, log: Path, lease: Path | None = None
) -> PrefectServer:
    """Start a server and wait until it answers; it lives until it is stopped, or as long as its lease is held.

    prefect_home: holds the database; one server at a time may use it.
    Raises ServerNotStarted, with nothing left running.
    """
    prefect_home.mkdir(parents=True, exist_ok=True)
    environment = isolated_environment(caller, home=home, prefect_home=prefect_home)
    for _ in range(PORT_TRIES):
        port = free_port()
        command = [sys.executable, "-m", "prefect", "server", "start", "--host", LOOPBACK, "--port", str(port)]
        asks = {"PREFECT_SERVER_UI_API_URL": f"http://{LOOPBACK}:{port}/api"}  # else the pages ask port 4200
        process = spawn(command, environment=environment | asks, folder=prefect_home, log=log, lease=lease)
        server = None
        try:
            server = _wait_for(process, port)
        finally:
            if server is None:  # too slow, or interrupted
                stop_owned(home, prefect_home=prefect_home)
        if server is not None:
            return server
        if f"Port {port} is already in use" not in _flat_end(log):
            break
    raise ServerNotStarted(
        f"the Prefect server did not start; the end of its log ({log}):\n{log_end(log)}\n"
        f"Mend what it names, then run again; `make stop` ends what may be left of an earlier one"
    )


@contextmanager
def leased_server(caller: Mapping[str, str], *, home: Path, folder: Path) -> Iterator[PrefectServer]:
    """A server kept in `folder`, shared by all who ask for it at the same time; it ends after the last of them.

    It ends too when its users are killed. What it knows of past runs stays in the folder.
    Raises ServerNotStarted.
    """
    lease, state, prefect_home = folder / "lease", folder / "server.json", folder / "prefect"
    with locked(lease, shared=True):
        with locked(folder / "start.lock"):
            server = read_state(state)
            if server is None or not server.is_alive():
                stop_owned(home, prefect_home=prefect_home)
                server = start_server(
                    caller, home=home, prefect_home=prefect_home, log=folder / "server.log", lease=lease
                )
                write_state(state, server)
        try:
            yield server
        finally:
            send_held_back()


def send_held_back() -> None:
    """Send the logs and events that Prefect, if this process uses it, still holds back for its server."""
    if "prefect" in sys.modules:
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker

        APILogWorker.drain_all()
        EventsWorker.drain_all()


def read_state(path: Path) -> PrefectServer | None:
    """The server that was written down last, dead or alive; None when there was none."""
    try:
        return PrefectServer.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None


def write_state(path: Path, server: PrefectServer) -> None:
    """Write a server down, all or nothing."""
    part = path.with_suffix(".part")
    part.write_text(server.model_dump_json())
    part.replace(path)


def log_end(log: Path, lines: int = 15) -> str:
    """The last lines of a log, without empty ones."""
    return "\n".join([line for line in log.read_text(errors="replace").splitlines() if line.strip()][-lines:])


def _flat_end(log: Path) -> str:
    """The log's end as one line: Prefect wraps its messages at the width of the terminal."""
    return " ".join(log_end(log).split())


def _wait_for(process: subprocess.Popen[bytes], port: int) -> PrefectServer | None:
    """The server once it answers on the port; None when it ended before, or is too slow."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if _answers(port):
            # Another process, another checkout's server perhaps, may have been faster to take the port.
            server = listener(process.pid, port)
            if server is not None:
                return PrefectServer(port=port, process=server, leash=ProcessId.of(process.pid))
        time.sleep(0.05)
    return None


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/api/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
