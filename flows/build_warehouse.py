"""The warehouse: the tables of one snapshot of the ERP, published under the snapshot's date."""

from prefect import flow

from tasks.settings import Settings
from tasks.storage import open_area
from tasks.submit.local import LocalRunner
from tasks.warehouse.build import builds_of
from tasks.warehouse.publication import Publication
from tasks.warehouse.report import show_builds
from tasks.warehouse.warehouse import build_or_reuse, find_manifest, publish_snapshot


@flow(name="build-warehouse", flow_run_name="build warehouse")
def build_warehouse(storage: str, warehouse: str, manifest: str | None = None) -> Publication:
    """Build the warehouse's tables from a manifest with Spark; what is known already is not built again.

    Args:
        storage: Staging area that holds the manifest: a folder, s3://bucket/prefix, or the block s3-bucket/NAME.
        warehouse: Area of the warehouse: a folder, s3://bucket/prefix, or the block s3-bucket/NAME.
        manifest: Id of the manifest; by default the newest of the storage area.
    """
    staging, area = open_area(storage), open_area(warehouse)
    runner = LocalRunner(logs=Settings().home / "logs")
    snapshot = find_manifest(staging, manifest)
    built = [
        build_or_reuse(build, staging=staging, warehouse=area, runner=runner)
        for build in builds_of(snapshot, runner.spark_version)
    ]
    publication = publish_snapshot(snapshot, built, area)
    show_builds(snapshot, built, area.uri)
    return publication
