"""The unload's tasks: plan, one chunk, publish. Each is a thin shell around plain functions."""

import contextlib
from collections.abc import Mapping

from prefect import get_run_logger, task
from prefect.tasks import exponential_backoff

from tasks.chunks import CONTENT, Receipt, is_retryable
from tasks.manifest import (
    ChunkEntry,
    Column,
    HeapEntry,
    Manifest,
    SourceEntry,
    TableEntry,
    manifest_id,
    publish_manifest,
)
from tasks.storage import StorageArea
from tasks.unload.copy import Readers, copy_chunk
from tasks.unload.guard import require_same_heaps
from tasks.unload.plan import Chunk, TablePlan, TextColumns, UnloadPlan, make_plan
from tasks.unload.snapshot import HeldSnapshot
from tasks.unload.source import Source, reconnect
from tasks.unload.types import ColumnPlan

RETRIES = 3
FIRST_PAUSE_S = 2

Receipts = Mapping[str, Receipt]  # by content key


@task(
    name="plan unload",
    task_run_name="plan {schema}",
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(FIRST_PAUSE_S),
    retry_condition_fn=is_retryable,
    persist_result=False,
)
def plan_unload(
    source: Source, snapshot: HeldSnapshot, schema: str, area: StorageArea, text_columns: TextColumns, workers: int
) -> UnloadPlan:
    """Plan the unload of a schema under the held snapshot; safe to repeat. Raises SourceRefused, ReplanError."""
    plan = make_plan(
        source=source,
        connection=snapshot.connection,
        snapshot=snapshot.ref,
        schema=schema,
        area=area,
        text_columns=text_columns,
        workers=workers,
    )
    for relation in plan.left_out:
        get_run_logger().warning("left out: %s", relation)
    return plan


@task(
    name="unload chunk",
    task_run_name="{chunk}",
    cache_policy=CONTENT,
    persist_result=True,
    result_serializer="json",
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(FIRST_PAUSE_S),
    retry_jitter_factor=0.5,
    retry_condition_fn=is_retryable,
)
def unload_chunk(chunk: Chunk, columns: tuple[ColumnPlan, ...], readers: Readers, area: StorageArea) -> Receipt:
    """Unload one chunk, or return the receipt of its content; safe to repeat.

    Raises RetryableError, ReplanError, RowCountMismatch, StorageRefused.
    """
    return copy_chunk(chunk=chunk, columns=columns, readers=readers, area=area)


@task(
    name="publish manifest",
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(FIRST_PAUSE_S),
    retry_condition_fn=is_retryable,
    persist_result=False,
)
def publish_unload(source: Source, plan: UnloadPlan, receipts: Receipts, area: StorageArea) -> Manifest:
    """Make sure that the planned heaps are still there, then publish the manifest; safe to repeat.

    Raises TableRewritten, SourceUnavailable, StorageRefused.
    """
    with contextlib.closing(reconnect(source)) as connection:
        require_same_heaps(connection, [heap for table in plan.tables for heap in table.table.heaps])
    manifest = manifest_of(plan, receipts)
    publish_manifest(area, manifest)
    return manifest


def manifest_of(plan: UnloadPlan, receipts: Receipts) -> Manifest:
    """The manifest of a plan whose chunks all have their receipts."""
    server = plan.snapshot.server
    return Manifest(
        id=manifest_id(dataset=plan.dataset, snapshot_at=plan.snapshot.taken_at),
        dataset=plan.dataset,
        snapshot_at=plan.snapshot.taken_at,
        source=SourceEntry(
            name=server.source,
            database=server.database,
            system_identifier=server.system_identifier,
            timeline=server.timeline,
            server_version=server.version,
        ),
        tables=tuple(_table_entry(table, receipts) for table in plan.tables),
    )


def _table_entry(plan: TablePlan, receipts: Receipts) -> TableEntry:
    chunks = tuple(_chunk_entry(chunk, receipts[chunk.key]) for chunk in plan.chunks)
    return TableEntry(
        schema=plan.table.schema,
        name=plan.table.name,
        columns=tuple(
            Column(
                name=column.name,
                postgres_type=column.declared,
                file_type=column.file_type,
                nullable=column.nullable,
                as_text=column.as_text,
            )
            for column in plan.table.columns
        ),
        rows=sum(chunk.rows for chunk in chunks),
        bytes=sum(chunk.bytes for chunk in chunks),
        heaps=tuple(
            HeapEntry(
                name=cut_heap.heap.full_name,
                filenode=cut_heap.heap.filenode,
                schema_id=cut_heap.heap.schema_id,
                chunk_blocks=cut_heap.chunk_blocks,
            )
            for cut_heap in plan.heaps
        ),
        chunks=chunks,
    )


def _chunk_entry(chunk: Chunk, receipt: Receipt) -> ChunkEntry:
    return ChunkEntry(
        **receipt.model_dump(),
        heap=chunk.heap.full_name,
        first_block=chunk.range.first,
        end_block=chunk.range.end,
    )
