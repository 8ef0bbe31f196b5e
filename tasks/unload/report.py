"""What an unload tells: progress and tables in Prefect's UI, and the value that flow and console return."""

import logging
import time
from datetime import datetime
from pathlib import PurePosixPath
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from pydantic import BaseModel, ConfigDict

from tasks.chunks import Receipt
from tasks.manifest import Manifest, manifest_path
from tasks.storage import StorageArea
from tasks.unload.plan import TablePlan, UnloadPlan

PROGRESS_STEP = 5.0  # percent; every update is a request


class TableReport(BaseModel):
    """One table of an unload.

    chunks_run, chunks_cached: read out of the source; served by receipts of earlier runs.
    bytes: size of its files.  files: their URIs.  seconds: from its first chunk to its last.
    """

    model_config = ConfigDict(frozen=True)

    table: str
    rows: int
    chunks: int
    chunks_run: int
    chunks_cached: int
    bytes: int
    files: tuple[str, ...]
    seconds: float


class UnloadReport(BaseModel):
    """What `reprise unload --json` prints: the manifest's URI, the snapshot's time (UTC), and each table."""

    model_config = ConfigDict(frozen=True)

    manifest: str
    snapshot_at: datetime
    tables: tuple[TableReport, ...]

    @property
    def manifest_id(self) -> str:
        """The manifest's id in its area."""
        return PurePosixPath(self.manifest).stem


class TableProgress:
    """Counts a table's chunks as they finish, and shows them as a progress artifact and in the log."""

    def __init__(self, plan: TablePlan, logger: logging.Logger | logging.LoggerAdapter[logging.Logger]) -> None:
        self.plan = plan
        self._logger = logger
        self._cached = 0
        self._bytes = 0
        self._done = 0
        self._started: float | None = None
        self._seconds = 0.0
        self._artifact: UUID | None = None
        self._shown = 0.0

    def start(self) -> None:
        """The table's first chunk is about to be asked for."""
        self._started = self._started or time.monotonic()

    def count(self, receipt: Receipt, *, was_cached: bool) -> None:
        """One more chunk has its receipt."""
        assert self._started is not None
        self._done += 1
        self._cached += was_cached
        self._bytes += receipt.bytes
        self._seconds = time.monotonic() - self._started
        percent = 100 * self._done / len(self.plan.chunks)
        if percent - self._shown >= PROGRESS_STEP or self._done == len(self.plan.chunks):
            self._show(percent)

    def _show(self, percent: float) -> None:
        name, chunks = self.plan.table.full_name, len(self.plan.chunks)
        if self._artifact is None:
            self._artifact = create_progress_artifact(progress=percent, description=f"unload of {name}")  # type: ignore[assignment]  # a sync call gives the id
        else:
            update_progress_artifact(self._artifact, progress=percent)
        self._shown = percent
        run = self._done - self._cached
        self._logger.info(
            "%s: %d of %d chunks (%d read, %d cached), %.1f MB",
            name,
            self._done,
            chunks,
            run,
            self._cached,
            self._bytes / 1e6,
        )

    def report(self, area: StorageArea) -> TableReport:
        """The table's line of the report, once all its chunks are there."""
        return TableReport(
            table=self.plan.table.full_name,
            rows=sum(chunk.rows for chunk in self.plan.chunks),
            chunks=len(self.plan.chunks),
            chunks_run=self._done - self._cached,
            chunks_cached=self._cached,
            bytes=self._bytes,
            files=tuple(f"{area.uri}/{chunk.path}" for chunk in self.plan.chunks),
            seconds=round(self._seconds, 3),
        )


def report_of(manifest: Manifest, progress: list[TableProgress], area: StorageArea) -> UnloadReport:
    """The report of a published manifest."""
    return UnloadReport(
        manifest=f"{area.uri}/{manifest_path(manifest.id)}",
        snapshot_at=manifest.snapshot_at,
        tables=tuple(table.report(area) for table in progress),
    )


def show_report(report: UnloadReport, plan: UnloadPlan) -> None:
    """Publish the report as a table and as Markdown in Prefect's UI."""
    create_table_artifact(
        key="unload-tables",
        table=[
            {
                "table": table.table,
                "rows": table.rows,
                "chunks run": table.chunks_run,
                "chunks cached": table.chunks_cached,
                "MB": round(table.bytes / 1e6, 2),
                "seconds": table.seconds,
            }
            for table in report.tables
        ],
        description=f"snapshot of {plan.dataset} at {report.snapshot_at:%Y-%m-%d %H:%M:%S} UTC",
    )
    create_markdown_artifact(key="unload-report", markdown=_markdown(report, plan), description="unload report")


def _markdown(report: UnloadReport, plan: UnloadPlan) -> str:
    rows, run, cached, size = (
        sum(getattr(table, name) for table in report.tables)
        for name in ("rows", "chunks_run", "chunks_cached", "bytes")
    )
    server = plan.snapshot.server
    return f"""## Unload of `{plan.dataset}`

{len(report.tables)} tables, {rows:,} rows, {size / 1e6:,.1f} MB.
{run} chunks read out of the source, {cached} served by receipts of earlier runs.

| | |
|---|---|
| snapshot | {report.snapshot_at:%Y-%m-%d %H:%M:%S.%f} UTC |
| source | {server.source}, database {server.database}, PostgreSQL {server.version // 10_000} |
| manifest | `{report.manifest}` |
"""
