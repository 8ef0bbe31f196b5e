"""The embedded PostgreSQL server: started and stopped from Python, outliving the process that started it."""

import shutil
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from erp.account import Account, server_account, server_programs, substitute_folder
from erp.cluster import (
    SUPERUSER,
    configure,
    end_processes,
    initialise,
    processes,
    read_postmaster,
    require_empty,
    socket_folder,
)
from erp.errors import ErpError
from erp.locks import exclusive

STOP_SECONDS = 30
START_SECONDS = 300  # a crashed server replays its log first


class EmbeddedServer:
    """PostgreSQL 18 on one data directory, reached by a Unix socket (and by TCP on 127.0.0.1 when a port is given).

    All methods are safe to repeat and to call from several processes; objects hold no state, so any process may
    use a server that another has started. The server runs until `stop()`. Works as root too: the server then runs
    as an account of its own.
    """

    def __init__(self, data_dir: Path, *, port: int | None = None) -> None:
        self.data_dir = data_dir.parent.resolve() / data_dir.name  # itself a link, perhaps: see _ensure_substitute
        self.port = port

    def start(self) -> None:
        """Start the server, making the data directory first if need be; return when it takes connections.

        Does nothing when it runs already. Raises ErpError when it cannot start (the end of its log is in the message).
        """
        with exclusive(self._lock_file()):
            account = server_account()
            programs = server_programs(account, self._substitute())
            if not self._answers(account, programs):
                self._ensure_data(account, programs)
                self._launch(account, programs)

    def stop(self) -> None:
        """Stop the server at once (open connections are cut, nothing committed is lost); return when it is gone."""
        if not self._cluster().exists():
            return
        with exclusive(self._lock_file()):
            cluster = self._cluster()
            if processes(cluster):
                account = server_account()
                pg_ctl = server_programs(account, self._substitute()) / "pg_ctl"
                account.run(pg_ctl, "stop", "-D", ".", "-m", "fast", "-t", str(STOP_SECONDS), cwd=cluster)
                end_processes(cluster, patience=1)

    def remove(self) -> None:
        """Stop the server and delete all that it has written."""
        self.stop()
        cluster = self._cluster()
        if cluster.exists():
            shutil.rmtree(socket_folder(cluster, server_account()))
        shutil.rmtree(cluster, ignore_errors=True)
        shutil.rmtree(self._substitute(), ignore_errors=True)
        self.data_dir.unlink(missing_ok=True)
        self._lock_file().unlink(missing_ok=True)

    def is_running(self) -> bool:
        """Whether the server of this data directory is up."""
        return read_postmaster(self._cluster()) is not None

    def create_database(self, name: str) -> None:
        """Create a database of that name unless it exists. Raises ErpError when the server does not run."""
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def dsn(self, database: str = "erp", user: str = SUPERUSER, *, tcp: bool = False) -> str:
        """The libpq URI of a database on the running server; no password is needed.

        Over the socket by default; with `tcp`, over 127.0.0.1, which the superuser may not use. Raises ErpError when
        the server does not run, or has no TCP port.
        """
        running = read_postmaster(self._cluster())
        if running is None:
            raise ErpError(f"the server of {self.data_dir} does not run; start it first")
        if not tcp:
            host = quote(running.socket_folder, safe="")
            return f"postgresql://{quote(user)}@/{quote(database)}?host={host}&port={running.port}"
        if not running.tcp:
            raise ErpError(f"the server of {self.data_dir} has no TCP port; stop it and start it with one")
        return f"postgresql://{quote(user)}@127.0.0.1:{running.port}/{quote(database)}"

    def _cluster(self) -> Path:
        return self.data_dir.resolve()  # through the link, where the data had to lie elsewhere

    def _substitute(self) -> Path:
        return substitute_folder(self.data_dir)

    def _lock_file(self) -> Path:
        return self.data_dir.with_name(f"{self.data_dir.name}.lock")

    def _answers(self, account: Account, programs: Path) -> bool:
        """Whether the server runs and takes connections; one that was just killed has processes for a moment longer."""
        running = read_postmaster(self._cluster())
        if running is None:
            return False
        if self.port is not None and not (running.tcp and running.port == self.port):
            raise ErpError(
                f"the server of {self.data_dir} runs, but not on TCP port {self.port}; stop it and start again"
            )
        asked = account.run(programs / "pg_isready", "-h", running.socket_folder, "-p", str(running.port), "-t", "5")
        return asked.returncode == 0

    def _ensure_data(self, account: Account, programs: Path) -> None:
        """Make the data directory if there is none, and have it where the account reaches it."""
        if account.reaches(self.data_dir.parent):
            if not (self.data_dir / "PG_VERSION").exists():
                end_processes(self.data_dir, patience=0)  # of a data directory that was deleted under its server
                initialise(self.data_dir, account, programs)
        else:
            self._ensure_substitute(account, programs)
        account.own(self._cluster())

    def _ensure_substitute(self, account: Account, programs: Path) -> None:
        """Have the data in the substitute folder, and a link to it; a data directory that is here moves there."""
        substitute, cluster = self._substitute() / "data", self._cluster()
        has_data = (cluster / "PG_VERSION").exists()
        if has_data and (cluster == substitute or account.reaches(cluster)):
            return
        if not has_data:
            require_empty(cluster)
        end_processes(substitute, patience=0)  # of a data directory whose link was deleted
        shutil.rmtree(substitute, ignore_errors=True)
        substitute.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        if has_data:
            shutil.move(cluster, substitute)
        else:
            initialise(substitute, account, programs)
            shutil.rmtree(cluster, ignore_errors=True)
        self.data_dir.unlink(missing_ok=True)
        self.data_dir.symlink_to(substitute)

    def _launch(self, account: Account, programs: Path) -> None:
        cluster = self._cluster()
        end_processes(cluster, patience=STOP_SECONDS)  # the children of a killed server need a moment
        sockets = socket_folder(cluster, account)
        # No server runs here, so these are stale; the process number in them may be somebody else's by now, and
        # PostgreSQL, which looks at the number alone, would refuse to start.
        for stale in (cluster / "postmaster.pid", *sockets.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)
        configure(cluster, sockets, self.port)
        log = cluster / "server.log"
        log_before = log.stat().st_size if log.exists() else 0
        # pg_ctl hands the path to a shell between double quotes; "." is safe in any folder.
        options = ("start", "--wait", "--silent", "-t", str(START_SECONDS), "-D", ".", "-l", log.name)
        done = account.run(programs / "pg_ctl", *options, cwd=cluster)
        if done.returncode != 0:
            said = _text_after(log, log_before) or done.stderr
            raise ErpError(f"PostgreSQL did not start on {self.data_dir}; it said:\n{said.strip()}")


def _text_after(log: Path, position: int) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(position)
        return file.read().decode(errors="replace")
