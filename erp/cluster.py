"""A PostgreSQL data directory on disk: how it is made and configured, and what runs in it."""

import hashlib
import os
import re
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types

from erp.account import Account
from erp.errors import ErpError

SUPERUSER = "postgres"
SOCKET_PORT = 5432  # part of the socket's file name even when nothing listens on TCP
LONGEST_SOCKET_FOLDER = 107 - len("/.s.PGSQL.65535")

# For a demonstration on a laptop: little memory, fast bulk loads, steady timings. Durability is the default.
SETTINGS = {
    "shared_buffers": "256MB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "4GB",
    "wal_level": "minimal",  # COPY into a table of the same transaction writes no log
    "max_wal_senders": "0",
    "max_connections": "100",
    "jit": "off",
    "client_connection_check_interval": "1s",  # a killed client's query ends soon
    "timezone": "UTC",
    "log_timezone": "UTC",
}

# The socket's folder is closed to other accounts. TCP is open to everyone on the machine: not for the superuser.
ACCESS = f"local all all trust\nhost all {SUPERUSER} all reject\nhost all all 127.0.0.1/32 trust\n"


@dataclass(frozen=True, kw_only=True)
class Postmaster:
    """A running server, as it describes itself in postmaster.pid.

    socket_folder: absolute path.
    port:          of the socket's file name, and of TCP.
    tcp:           whether it listens on TCP.
    """

    pid: int
    socket_folder: str
    port: int
    tcp: bool


def initialise(data_dir: Path, account: Account, programs: Path) -> None:
    """Make a data directory by initdb, whole or not at all.

    Raises ErpError when that fails or something else lies there.
    """
    require_empty(data_dir)
    unfinished = data_dir.with_name(f"{data_dir.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    account.own(unfinished)
    # The built-in locale knows the case of accented letters and needs nothing of the machine.
    locale = ("--encoding", "UTF8", "--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8")
    options = ("--username", SUPERUSER, "--auth", "trust", "--no-sync", *locale)
    done = account.run(programs / "initdb", "--pgdata", unfinished, *options)
    if done.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise ErpError(f"PostgreSQL could not make its data directory {data_dir}: {done.stderr.strip()}")
    unfinished.rename(data_dir)


def require_empty(folder: Path) -> None:
    """Raise ErpError when a folder is there and holds anything."""
    if folder.exists() and any(folder.iterdir()):
        raise ErpError(f"{folder} is not empty and no PostgreSQL data directory; empty it or name another folder")


def configure(data_dir: Path, sockets: Path, port: int | None) -> None:
    """Write the server's settings and who may connect; it listens on 127.0.0.1 when a port is given."""
    settings = SETTINGS | {
        "listen_addresses": "" if port is None else "127.0.0.1",
        "port": str(port or SOCKET_PORT),
        "unix_socket_directories": str(sockets).replace("'", "''"),
    }
    lines = "".join(f"{name} = '{value}'\n" for name, value in settings.items())
    (data_dir / "postgresql.conf").write_text(lines, encoding="utf-8")
    (data_dir / "pg_hba.conf").write_text(ACCESS, encoding="utf-8")


def socket_folder(data_dir: Path, account: Account) -> Path:
    """A folder for the socket that only the server's account and root may enter.

    That is the data directory itself if its path will do: a Unix socket's path has at most 107 bytes, and clients
    take a comma in it for the end of a host's name.
    """
    if len(os.fsencode(data_dir)) <= LONGEST_SOCKET_FOLDER and re.fullmatch(r"[\w./-]+", str(data_dir), re.ASCII):
        return data_dir
    digest = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"reprise-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if account.switch and folder.lstat().st_uid == os.geteuid():
        os.chown(folder, account.uid, account.gid, follow_symlinks=False)
    if folder.is_symlink() or folder.stat().st_uid != account.uid:
        raise ErpError(f"{folder}, where the server's socket would lie, belongs to somebody else; remove it")
    return folder


def read_postmaster(data_dir: Path) -> Postmaster | None:
    """The server that runs on a data directory, or None.

    A postmaster.pid that a killed server left behind, or that came along with a copy of the directory, is not
    believed. Raises ErpError when the directory is another account's.
    """
    try:
        lines = (data_dir / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    except PermissionError:
        raise ErpError(f"the data directory {data_dir} belongs to another account; run as that one") from None
    if len(lines) < 8 or lines[7].strip() != "ready" or not _works_in(int(lines[0]), data_dir):
        return None
    return Postmaster(pid=int(lines[0]), port=int(lines[3]), socket_folder=lines[4], tcp=bool(lines[5].strip()))


def processes(data_dir: Path) -> list[int]:
    """The PostgreSQL processes of a data directory, also those that a killed server left behind."""
    return [pid for pid in psutil.pids() if _works_in(pid, data_dir)]


def end_processes(data_dir: Path, *, patience: float) -> None:
    """Return when no process of a data directory is left; those that are there after `patience` seconds are killed."""
    deadline = time.monotonic() + patience
    while left := processes(data_dir):
        if time.monotonic() >= deadline:
            for pid in left:
                _kill(pid)
        time.sleep(0.02)


def _kill(pid: int) -> None:
    try:
        psutil.Process(pid).kill()
    except psutil.NoSuchProcess:
        return  # gone by itself


def _works_in(pid: int, data_dir: Path) -> bool:
    """Whether a process is a PostgreSQL process of this data directory (they all work inside it)."""
    try:
        process = psutil.Process(pid)
        return bool(process.name().startswith("postgres") and process.cwd() == str(data_dir))
    except psutil.Error:
        return False  # gone, a zombie, or somebody else's
