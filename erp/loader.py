"""Fills a PostgreSQL database from generated CSV files, all or nothing."""

import csv
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import sql

from erp.errors import ErpError
from erp.origin import read_origin, write_origin
from erp.tables import TABLES

OLDEST_SERVER = 140000
SCHEMA = Path(__file__).with_name("schema.sql")
READER = Path(__file__).with_name("reader.sql")
BYTES_AT_ONCE = 1 << 20
LOCK_WAIT = "30s"


def load(dsn: str, folder: Path, report: Callable[[str, int, float], None], *, replace: bool = False) -> None:
    """Create schema erp in the database of `dsn` and copy the files of `folder` into it, in one transaction.

    With `replace`, a schema erp that is there is dropped in the same transaction; without, it is an error. Also makes
    the role reprise_reader, which may read the schema and nothing else. Calls `report` with what is done, its rows and
    seconds. Raises ErpError when the folder is unfinished, the server too old, unreachable or full, or a right is
    missing; then nothing has changed.
    """
    origin = read_origin(folder)
    try:
        with psycopg.connect(dsn) as connection:
            _prepare(connection, replace=replace)
            _copy_tables(connection, folder, report)
            write_origin(connection, origin)
    except psycopg.Error as error:
        raise ErpError(f"the ERP was not loaded and the database is as it was: {_reason(error)}") from error


def statements(name: str) -> str:
    """A named block of schema.sql."""
    blocks = SCHEMA.read_text(encoding="utf-8").split("-- name: ")
    return next(block.removeprefix(name) for block in blocks if block.startswith(f"{name}\n"))


def _prepare(connection: psycopg.Connection, *, replace: bool) -> None:
    version = connection.info.server_version
    if version < OLDEST_SERVER:
        raise ErpError(f"the server is PostgreSQL {version // 10000}; the ERP needs 14 or newer")
    connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(LOCK_WAIT))
    exists = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'erp'").fetchone()
    if exists and not replace:
        raise ErpError(
            f"database {connection.info.dbname!r} has a schema erp already; "
            f"say --replace to drop it with all that is in it, or name another database"
        )
    connection.execute("DROP SCHEMA IF EXISTS erp CASCADE")


def _copy_tables(connection: psycopg.Connection, folder: Path, report: Callable[[str, int, float], None]) -> None:
    connection.execute(statements("tables"))
    connection.execute(READER.read_text(encoding="utf-8"))
    for table in TABLES:
        started = time.monotonic()
        rows = _copy_table(connection, table, folder / f"{table}.csv")
        report(f"loaded {table}", rows, time.monotonic() - started)
    started = time.monotonic()
    connection.execute(statements("keys"))
    for table in TABLES:
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier("erp", table)))
    report("made keys and indexes", 0, time.monotonic() - started)


def _copy_table(connection: psycopg.Connection, table: str, path: Path) -> int:
    """Copy one file; returns its rows. The columns are named by the file's header."""
    with path.open(encoding="utf-8", newline="") as file:
        columns = next(csv.reader(file))
    # FREEZE: nobody sees the table before the commit, so its rows need no second write to be known as committed.
    command = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, HEADER true, ENCODING 'UTF8', FREEZE true)").format(
        sql.Identifier("erp", table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with connection.cursor() as cursor:
        with path.open("rb") as file, cursor.copy(command) as copy:
            while data := file.read(BYTES_AT_ONCE):
                copy.write(data)
        return cursor.rowcount


def _reason(error: psycopg.Error) -> str:
    remedies: dict[type[psycopg.Error], str] = {
        psycopg.errors.LockNotAvailable: "somebody reads the old schema; end that and run again",
        psycopg.errors.InsufficientPrivilege: "use a role that may create schemas and roles",
        psycopg.errors.DiskFull: "make room on the server's disk and run again",
        psycopg.OperationalError: "check the DSN, and that the server runs",
    }
    remedy = next((text for kind, text in remedies.items() if isinstance(error, kind)), None)
    fact = str(error).strip()
    return f"{fact}; {remedy}" if remedy else fact
