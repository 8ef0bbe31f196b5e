"""The source: which database to read, and how every session with it is set up."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import dict_row
from sqlalchemy.engine import make_url

from tasks.errors import SnapshotLost, SourceRefused, SourceUnavailable

OLDEST_VERSION = 14
CONNECT_TIMEOUT_S = 10
LOCK_TIMEOUT_MS = 5_000

#: Set in every transaction, since a pooler may give each one another session; part of every content key.
SESSION = {
    "search_path": "pg_catalog",
    "row_security": "off",  # a policy that would filter rows is an error, not a silent filter
    "TimeZone": "UTC",
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
    "xmloption": "content",
}

#: How we behave on somebody else's server; changes no byte, so no part of a key.
MANNERS = {
    "lock_timeout": str(LOCK_TIMEOUT_MS),
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",  # one transaction holds the snapshot while the others read
    "max_parallel_workers_per_gather": "0",
    "enable_seqscan": "off",  # a chunk is a TID range scan, never a scan of the whole table
    "jit": "off",
}

NO_DSN = (
    "the source is no DSN that PostgreSQL understands: write postgresql://user@host:port/database, "
    "with special characters as %XX"
)

#: PostgreSQL 17 and newer have this one, too; SET would be an error where it is unknown.
NO_TRANSACTION_TIMEOUT = (
    "SELECT pg_catalog.set_config('transaction_timeout', '0', true) "
    "WHERE pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL"
)

Row = dict[str, Any]
Connection = psycopg.Connection[Row]


@dataclass(frozen=True, kw_only=True)
class Source:
    """A PostgreSQL database to unload.

    name: the operator's name for the server, part of its identity; by default host, port and database.
    conninfo: libpq's parameters, without the password.
    password: never shown, never part of a key; None lets libpq look (PGPASSWORD, password file).
    trust_restart: receipts stay valid when the server was restarted; the operator vouches that its data folder was
        not replaced by a copy meanwhile.
    """

    name: str
    conninfo: str
    password: str | None = field(default=None, repr=False)
    trust_restart: bool = False


def source_of(reference: str, *, name: str | None = None, trust_restart: bool = False) -> Source:
    """The source that a DSN (URI or `key=value`), or a Prefect block `<type>/<name>`, stands for.

    Blocks: `sqlalchemy-connector/<name>` and `async-sqlalchemy-connector/<name>` of prefect-sqlalchemy.
    Raises SourceRefused when the reference cannot be understood, or shows a password.
    """
    parameters = _parameters_of_block(reference) if is_block(reference) else parameters_of_dsn(reference)
    password = parameters.pop("password", None)
    if not is_block(reference) and password is not None:
        raise SourceRefused(
            "the source's DSN has a password, which would be kept with the run's parameters: "
            "give it in PGPASSWORD or a password file, or save a block and name that"
        )
    place = f"{parameters.get('host', 'localhost')}:{parameters.get('port', 5432)}/{parameters.get('dbname', '')}"
    parameters.setdefault("connect_timeout", CONNECT_TIMEOUT_S)
    parameters.setdefault("application_name", "reprise")
    return Source(
        name=name or place,
        conninfo=make_conninfo(**{key: str(value) for key, value in parameters.items()}, client_encoding="UTF8"),
        password=None if password is None else str(password),
        trust_restart=trust_restart,
    )


def is_block(reference: str) -> bool:
    """Whether a source is named by a Prefect block."""
    return reference.startswith(("sqlalchemy-connector/", "async-sqlalchemy-connector/"))


def parameters_of_dsn(dsn: str) -> dict[str, Any]:
    """The parameters in a DSN, by libpq's names. Raises SourceRefused, which quotes nothing: it may be the password."""
    try:
        parameters = dict(conninfo_to_dict(_plain_dsn(dsn)))
    except psycopg.ProgrammingError:
        raise SourceRefused(NO_DSN) from None  # libpq's own words quote what it did not understand
    if not parameters or any("@" in str(parameters.get(part, "")) for part in ("host", "port", "dbname")):
        raise SourceRefused(NO_DSN)
    if "sslpassword" in parameters:
        raise SourceRefused("the source's DSN has an sslpassword, which would be kept: save a block, and name that")
    parameters.pop("client_encoding", None)  # files are UTF-8
    return parameters


def _plain_dsn(reference: str) -> str:
    """SQLAlchemy's way to name a driver (`postgresql+psycopg://`) is libpq's without it."""
    scheme, separator, rest = reference.partition("://")
    return f"{scheme.partition('+')[0]}://{rest}" if separator else reference


def _parameters_of_block(reference: str) -> dict[str, Any]:
    """The parameters for libpq: from the block's URL, and from its arguments for the driver, which are libpq's too."""
    from prefect.blocks.core import Block
    from prefect_sqlalchemy import ConnectionComponents  # type: ignore[import-untyped]  # ships no types

    try:
        block = cast(Any, Block.load(reference))
    except ValueError as error:
        raise SourceRefused(f"the source {reference!r}: Prefect knows no such block: save it, or give a DSN") from error
    info = block.connection_info
    url = info.create_url() if isinstance(info, ConnectionComponents) else make_url(info)
    dsn = _plain_dsn(url.render_as_string(hide_password=False))
    parameters = dict(conninfo_to_dict(dsn, **(block.connect_args or {})))
    parameters.pop("client_encoding", None)
    return parameters


def connect(source: Source) -> Connection:
    """A connection in autocommit: every statement sees the newest catalog.

    Raises SourceRefused (wrong host, database, user, password) or SourceUnavailable (may come back).
    """
    try:
        return psycopg.connect(source.conninfo, password=source.password, autocommit=True, row_factory=dict_row)
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
        if _may_come_back(error, reason):
            raise SourceUnavailable(
                f"source {source.name} takes no connection now: {reason}: run again later, or check host and port"
            ) from error
        raise SourceRefused(
            f"source {source.name} cannot be reached: {reason}: check host, port, database, user and password"
        ) from error


def reconnect(source: Source) -> Connection:
    """As `connect`, for a source that answered before: whatever is wrong now may pass. Raises SourceUnavailable."""
    try:
        return connect(source)
    except SourceRefused as error:
        raise SourceUnavailable(str(error)) from error


def _may_come_back(error: psycopg.OperationalError, reason: str) -> bool:
    # libpq gives no SQLSTATE for a refused connection: "too many clients", "starting up" and "shutting down" have one.
    states = ("53300", "57P01", "57P02", "57P03")
    wordings = (
        "too many clients",
        "too many connections",  # of the role, or of the database
        "starting up",
        "shutting down",
        "recovery mode",
        "not yet accepting",
        "Connection refused",
    )
    return error.sqlstate in states or any(wording in reason for wording in wordings)


def one_row(connection: Connection, statement: sql.Composed) -> Row:
    """The only row of a statement that always has one."""
    row = connection.execute(statement).fetchone()
    assert row is not None, "the statement promised a row"
    return row


@contextmanager
def snapshot_transaction(connection: Connection, snapshot: str | None) -> Iterator[None]:
    """A read-only transaction that sees the named snapshot (None: a new one), set up as every reader is.

    It commits, though it wrote nothing: what its scans logged (hint bits) is then flushed in due time. After a rollback
    it would lie in the WAL buffers until somebody else commits, and the next run's fence would wait for it.

    Raises SnapshotLost.
    """
    with connection.transaction():
        try:
            connection.execute(opening(snapshot))
        except (psycopg.errors.UndefinedObject, psycopg.errors.InvalidParameterValue) as error:
            raise SnapshotLost(f"the snapshot {snapshot} is gone, with the connection that held it: {error}") from error
        yield


def opening(snapshot: str | None) -> sql.Composed:
    """What every transaction says first, in psycopg and in DuckDB alike: one string of statements."""
    statements: list[sql.Composable] = [sql.SQL("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")]
    if snapshot is not None:
        statements.append(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(sql.Literal(snapshot)))
    for name, value in (SESSION | MANNERS).items():
        statements.append(sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(name), sql.Literal(value)))
    statements.append(sql.SQL(NO_TRANSACTION_TIMEOUT))
    return sql.SQL("; ").join(statements)
