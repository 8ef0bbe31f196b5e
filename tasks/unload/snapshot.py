"""The snapshot: the instant at which PostgreSQL shows all tables to all readers of a run."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from tasks.errors import SnapshotLost, SourceRefused, SourceUnavailable
from tasks.unload.queries import query
from tasks.unload.source import OLDEST_VERSION, Connection, Source, connect, one_row, opening, reconnect

FENCE_PATIENCE_S = 20
NUDGE_AFTER_S = 0.5


@dataclass(frozen=True, kw_only=True)
class ServerIdentity:
    """Which server, database and role: receipts hold only where all of this is equal.

    started_at: when the server started (ISO 8601); None when the operator trusts restarts. A copied data folder has
        everything else in common with its original.
    """

    source: str
    version: int
    system_identifier: str
    timeline: int
    started_at: str | None
    database: str
    database_oid: int
    role: str

    def key_parts(self) -> dict[str, object]:
        """What enters the content key: all but the version, which changes no row."""
        return {name: value for name, value in vars(self).items() if name != "version"}


@dataclass(frozen=True, kw_only=True)
class SnapshotRef:
    """An exported snapshot, as readers import it.

    taken_at: the server's clock, UTC.
    fence: end of the WAL when the snapshot was taken; until it is on disk a crash could give a transaction number
        out a second time, so no receipt may outlive the run. None on a standby, which shows nothing unflushed.
    """

    name: str
    taken_at: datetime
    fence: str | None
    server: ServerIdentity


@dataclass(frozen=True, kw_only=True)
class HeldSnapshot:
    """A snapshot and the connection that keeps it alive."""

    ref: SnapshotRef
    connection: Connection


@contextlib.contextmanager
def held_snapshot(source: Source) -> Iterator[HeldSnapshot]:
    """Take a snapshot of the source and hold it open. Raises SourceRefused, SourceUnavailable."""
    connection = connect(source)
    try:
        server = server_identity(connection, source)
        connection.execute(sql.SQL("BEGIN; {}").format(opening(None)))
        row = one_row(connection, query("export_snapshot"))
        taken_at = row["taken_at"].astimezone(UTC)
        ref = SnapshotRef(name=row["name"], taken_at=taken_at, fence=row["fence"], server=server)
        yield HeldSnapshot(ref=ref, connection=connection)
    except psycopg.OperationalError as error:
        reason = " ".join(str(error).split())
        if connection.closed:
            raise SnapshotLost(f"the connection that held the snapshot was lost: {reason}: run again") from error
        raise SourceUnavailable(f"source {source.name}: {reason}: run again") from error
    finally:
        connection.close()


def server_identity(connection: Connection, source: Source) -> ServerIdentity:
    """Who answers at the other end.

    Raises SourceRefused for a server older than PostgreSQL 14, or one that does not let the role ask.
    """
    if connection.info.server_version < OLDEST_VERSION * 10_000:
        major = connection.info.server_version // 10_000
        raise SourceRefused(
            f"source {source.name} is PostgreSQL {major}: chunks are TID range scans, "
            f"which need {OLDEST_VERSION} or newer: upgrade the server, or unload from an upgraded replica"
        )
    try:
        row = one_row(connection, query("server"))
    except psycopg.errors.InsufficientPrivilege as error:
        grant = f"GRANT EXECUTE ON FUNCTION pg_control_system, pg_control_checkpoint TO {connection.info.user}"
        raise SourceRefused(f"source {source.name} does not say which server it is: {error}: {grant}") from error
    return ServerIdentity(
        source=source.name,
        version=row["version"],
        system_identifier=row["system_identifier"],
        timeline=row["timeline"],
        started_at=None if source.trust_restart else row["started_at"].astimezone(UTC).isoformat(),
        database=row["database"],
        database_oid=row["database_oid"],
        role=row["role"],
    )


def wait_for_fence(source: Source, snapshot: SnapshotRef) -> bool:
    """Wait until the WAL up to the snapshot is on the server's disk; False when that takes longer than 20 s.

    Then nothing of this run may be cached: after a crash the server could give a transaction number out again.
    Where nobody commits, nobody flushes the rest of a WAL page; so after a moment we commit an empty transaction.
    """
    if snapshot.fence is None:
        return True
    fence_reached = query("fence_reached", fence=sql.Literal(snapshot.fence))
    started, has_nudged = time.monotonic(), False
    with contextlib.closing(reconnect(source)) as connection:
        while not one_row(connection, fence_reached)["reached"]:
            waited = time.monotonic() - started
            if waited > FENCE_PATIENCE_S:
                return False
            if waited > NUDGE_AFTER_S and not has_nudged:
                connection.execute(query("commit_nothing"))
                has_nudged = True
            time.sleep(0.05)
    return True
