"""What a build of the warehouse tells: progress and tables in Prefect's UI."""

import logging
from uuid import UUID

from prefect.artifacts import create_progress_artifact, create_table_artifact, update_progress_artifact

from tasks.manifest import Manifest
from tasks.warehouse.build import Build, Built

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]


class BuildProgress:
    """Shows a job's lines, one for each table that it wrote, in the log and as a progress artifact."""

    def __init__(self, build: Build, logger: Logger) -> None:
        self._build = build
        self._logger = logger
        self._lines = 0
        description = f"build of {build.name}"
        self._artifact: UUID = create_progress_artifact(progress=0.0, description=description)  # type: ignore[assignment]  # a sync call gives the id

    def line(self, text: str) -> None:
        """The job says that one more table is written."""
        self._lines += 1
        self._logger.info("build %s: %s", self._build.name, text)
        update_progress_artifact(self._artifact, progress=min(100.0, 100 * self._lines / len(self._build.outputs)))


def show_builds(manifest: Manifest, built: list[Built], uri: str) -> None:
    """Publish what was built from a manifest as a table in Prefect's UI."""
    create_table_artifact(
        key="warehouse-tables",
        table=[
            {
                "table": table.name,
                "rows": table.rows,
                "files": len(table.files),
                "MB": round(table.bytes / 1e6, 2),
                "seconds of its job": build.receipt.seconds,
                "cached": build.was_cached,
            }
            for build in built
            for table in build.receipt.tables
        ],
        description=f"warehouse {uri}, snapshot of {manifest.snapshot_at:%Y-%m-%d %H:%M:%S} UTC",
    )
