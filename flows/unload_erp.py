"""The unload: all tables of one schema, as one snapshot, to a staging area."""

import contextlib
from typing import Annotated

from prefect import flow, get_run_logger
from prefect.cache_policies import NO_CACHE
from prefect.futures import PrefectFuture
from pydantic import Field

from tasks.chunks import Receipt, in_flight, receipts_of
from tasks.errors import ReplanError, ValueNotExact
from tasks.storage import StorageArea, open_area
from tasks.unload.copy import Readers
from tasks.unload.plan import Chunk, TextColumns, UnloadPlan
from tasks.unload.report import TableProgress, UnloadReport, report_of, show_report
from tasks.unload.snapshot import held_snapshot
from tasks.unload.source import Source, source_of
from tasks.unload.unload import plan_unload, publish_unload, unload_chunk


@flow(name="unload-erp", flow_run_name="unload {source_schema}")
def unload_erp(
    source: str,
    storage: str,
    source_schema: str = "erp",
    workers: Annotated[int, Field(ge=1, le=64)] = 2,
    source_name: str | None = None,
    trust_restart: bool = False,
) -> UnloadReport:
    """Unload all tables of a schema as one exact snapshot; chunks whose content is known already are not read again.

    Args:
        source: Prefect block (sqlalchemy-connector/NAME), or a DSN without password.
        storage: Staging area: a folder, s3://bucket/prefix, or the block s3-bucket/NAME.
        source_schema: Schema of the source whose tables are unloaded.
        workers: Chunks that are read at the same time; each takes two connections, and the run two more.
        source_name: Name of the server in manifests and keys; by default host, port and database.
        trust_restart: Reuse chunks of before a restart of the server; say yes only where its data folder is never
            replaced by a copy.
    """
    place = source_of(source, name=source_name, trust_restart=trust_restart)
    area = open_area(storage)
    text_columns: TextColumns = frozenset()
    has_replanned = False
    while True:
        try:
            return _unload_snapshot(place, source_schema, area, text_columns, workers)
        except ValueNotExact as reason:
            get_run_logger().warning("%s: planning again with that column as text", reason)
            text_columns |= {(reason.table, reason.column)}
        except ReplanError as reason:
            if has_replanned:
                raise
            get_run_logger().warning("%s: planning again under a new snapshot", reason)
            has_replanned = True


def _unload_snapshot(
    source: Source, schema: str, area: StorageArea, text_columns: TextColumns, workers: int
) -> UnloadReport:
    with held_snapshot(source) as snapshot:
        plan = plan_unload(source, snapshot, schema, area, text_columns, workers)
        progress = {table.table.full_name: TableProgress(table, get_run_logger()) for table in plan.tables}
        with contextlib.closing(Readers(source, snapshot.ref.name)) as readers:
            receipts = _receipts(plan, progress, readers, area, workers)
        manifest = publish_unload(source, plan, receipts, area)
    report = report_of(manifest, list(progress.values()), area)
    show_report(report, plan)
    return report


def _receipts(
    plan: UnloadPlan, progress: dict[str, TableProgress], readers: Readers, area: StorageArea, workers: int
) -> dict[str, Receipt]:
    """Receipts of all chunks, by key.

    One that speaks of another chunk, or whose file is gone or has another size, is not believed: its chunk runs.
    """
    cached = unload_chunk.with_options(result_storage=receipts_of(area))
    refreshed = cached.with_options(refresh_cache=True)
    uncached = cached.with_options(cache_policy=NO_CACHE, persist_result=False)
    columns = {table.table.full_name: table.table.columns for table in plan.tables}
    chunks = [chunk for table in plan.tables for chunk in table.chunks]
    receipts: dict[str, Receipt] = {}

    def submit(chunk: Chunk) -> PrefectFuture[Receipt]:
        progress[chunk.table].start()
        task = uncached if not chunk.is_cacheable else refreshed if chunk in disbelieved else cached
        return task.submit(chunk, columns[chunk.table], readers, area)

    disbelieved: list[Chunk] = []
    for wanted in (chunks, disbelieved):
        for outcome in in_flight(submit, list(wanted), workers):
            chunk, receipt = outcome.chunk, outcome.result
            if outcome.was_cached and not (chunk.is_of(receipt) and area.size(receipt.path) == receipt.bytes):
                disbelieved.append(chunk)
                continue
            receipts[chunk.key] = receipt
            progress[chunk.table].count(receipt, was_cached=outcome.was_cached)
    return receipts
