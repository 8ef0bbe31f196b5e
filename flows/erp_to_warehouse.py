"""The nightly run: unload the ERP, then build the warehouse from that very snapshot."""

from typing import Annotated

from prefect import flow
from pydantic import Field

from flows.build_warehouse import build_warehouse
from flows.unload_erp import unload_erp
from tasks.unload.report import UnloadReport


@flow(name="erp-to-warehouse", flow_run_name="{source_schema} to warehouse")
def erp_to_warehouse(
    source: str,
    storage: str,
    warehouse: str,
    source_schema: str = "erp",
    workers: Annotated[int, Field(ge=1, le=64)] = 2,
    source_name: str | None = None,
    trust_restart: bool = False,
) -> UnloadReport:
    """Unload the ERP as one exact snapshot, then build and publish the warehouse from it.

    Args:
        source: Prefect block (sqlalchemy-connector/NAME), or a DSN without password.
        storage: Staging area: a folder, s3://bucket/prefix, or the block s3-bucket/NAME.
        warehouse: Warehouse area, in the same forms.
        source_schema: Schema of the source whose tables are unloaded.
        workers: Chunks that are read at the same time; each takes two connections, and the run two more.
        source_name: Name of the server in manifests and keys; by default host, port and database.
        trust_restart: Reuse chunks of before a restart of the server; say yes only where its data folder is never
            replaced by a copy.
    """
    report = unload_erp(
        source=source,
        storage=storage,
        source_schema=source_schema,
        workers=workers,
        source_name=source_name,
        trust_restart=trust_restart,
    )
    build_warehouse(storage=storage, warehouse=warehouse, manifest=report.manifest_id)
    return report
