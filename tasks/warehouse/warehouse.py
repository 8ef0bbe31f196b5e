"""The warehouse's tasks: plan, one build, publish. Each is a thin shell around plain functions."""

from typing import Any

from prefect import get_run_logger, task
from prefect.cache_policies import CacheKeyFnPolicy
from prefect.context import TaskRunContext
from prefect.tasks import exponential_backoff

from tasks.chunks import is_retryable, receipts_of
from tasks.errors import ManifestBroken
from tasks.manifest import Manifest, latest_manifest, read_manifest
from tasks.spark_job import SparkRunner
from tasks.storage import StorageArea
from tasks.warehouse.build import Build, BuildReceipt, Built, is_intact, run_build
from tasks.warehouse.publication import Publication, publish, snapshot_date
from tasks.warehouse.report import BuildProgress

RETRIES = 3
FIRST_PAUSE_S = 2


def _key_of_build(_context: TaskRunContext, parameters: dict[str, Any]) -> str:
    key: str = parameters["build"].key
    return key


@task(
    name="read manifest",
    task_run_name="read manifest",
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(FIRST_PAUSE_S),
    retry_condition_fn=is_retryable,
    persist_result=False,
)
def find_manifest(staging: StorageArea, manifest: str | None) -> Manifest:
    """The manifest of that id, or the newest of the area. Raises ManifestBroken when there is none."""
    found = latest_manifest(staging) if manifest is None else read_manifest(staging, manifest)
    if found is None:
        raise ManifestBroken(f"storage {staging.uri} has no manifest: unload the ERP into it first")
    return found


@task(
    name="build tables",
    task_run_name="build {build.name}",
    cache_policy=CacheKeyFnPolicy(cache_key_fn=_key_of_build),
    persist_result=True,
    result_serializer="json",
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(FIRST_PAUSE_S),
    retry_condition_fn=is_retryable,
)
def build_tables(build: Build, staging: StorageArea, warehouse: StorageArea, runner: SparkRunner) -> BuildReceipt:
    """Run a build, or return the receipt of its content; safe to repeat.

    Raises ManifestBroken, SparkJobFailed, TableMismatch, StorageRefused, StorageUnavailable.
    """
    progress = BuildProgress(build, get_run_logger())
    return run_build(build, staging=staging, warehouse=warehouse, runner=runner, report=progress.line)


def build_or_reuse(build: Build, *, staging: StorageArea, warehouse: StorageArea, runner: SparkRunner) -> Built:
    """What the build made, now or in an earlier run. A receipt whose files are gone or cut is not believed."""
    cached = build_tables.with_options(result_storage=receipts_of(warehouse))
    state = cached(build, staging, warehouse, runner, return_state=True)
    receipt: BuildReceipt = state.result()
    was_cached = state.name == "Cached"
    if not was_cached or is_intact(receipt, warehouse):
        return Built(receipt=receipt, was_cached=was_cached)
    get_run_logger().warning("build %s: files of the warehouse are gone or cut: building it again", build.name)
    receipt = cached.with_options(refresh_cache=True)(build, staging, warehouse, runner)
    return Built(receipt=receipt, was_cached=False)


@task(
    name="publish snapshot",
    task_run_name="publish {manifest.id}",
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(FIRST_PAUSE_S),
    retry_condition_fn=is_retryable,
    persist_result=False,
)
def publish_snapshot(manifest: Manifest, built: list[Built], warehouse: StorageArea) -> Publication:
    """Publish what was built under its snapshot's date; safe to repeat.

    Returns what stands for that date: a later snapshot's publication stays. Raises StorageRefused, PublicationBroken.
    """
    publication = Publication(
        snapshot_date=snapshot_date(manifest.snapshot_at),
        snapshot_at=manifest.snapshot_at,
        manifest=manifest.id,
        tables=tuple(table for build in built for table in build.receipt.tables),
    )
    standing = publish(warehouse, publication)
    if standing.manifest != manifest.id:
        get_run_logger().warning(
            "manifest %s is older than what is published for %s, manifest %s, which stays",
            manifest.id,
            standing.snapshot_date,
            standing.manifest,
        )
    return standing
