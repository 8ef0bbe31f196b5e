"""Builds: one Spark job that makes tables of the warehouse from tables of a manifest.

A build is named by its content: its key is a hash of everything that its rows depend on. Each try writes to a folder
of its own, `data/<build>/<key>/<try>/`, so that no try meets another's files, not even those of a try that was killed;
what counts is the receipt, and then the publication, that names the folder.
"""

import hashlib
import io
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict

from tasks.chunks import content_key
from tasks.errors import FatalError, ManifestBroken
from tasks.manifest import Manifest, TableEntry, manifest_path
from tasks.spark_job import Report, SparkJob, SparkRunner, zip_packages
from tasks.storage import StorageArea
from tasks.warehouse.publication import DataFile, WarehouseTable

FORMAT = 1
DATA = "data"
SPARK = Path(__file__).resolve().parents[2] / "spark"

ERP_TABLES = (
    "campuses",
    "companies",
    "students",
    "professors",
    "subjects",
    "lessons",
    "attendances",
    "grades",
    "apprenticeships",
    "events",
    "audiences",
)
STUDENTS_SOURCES = ("students", "grades", "attendances", "audiences")

SIZE_REQUESTS = 16  # at the same time: on S3 each costs a round trip


class TableMismatch(FatalError):
    """A table has other rows than its manifest says; nothing was published."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """A table that a build writes: its name in the warehouse, its folder below the build's own, its rows."""

    name: str
    subfolder: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Build:
    """One Spark job of the warehouse.

    name:    of the job, and of its script in `spark/`.
    key:     hash of its input files' content, its code, and the version of Spark.
    sources: the manifest's tables that it reads.
    outputs: the tables that it writes.
    """

    name: str
    key: str
    manifest: str
    sources: tuple[TableEntry, ...]
    outputs: tuple[Output, ...]


class BuildReceipt(BaseModel):
    """What a build made: its tables, and the seconds that the job took."""

    model_config = ConfigDict(frozen=True)

    key: str
    tables: tuple[WarehouseTable, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Built:
    """A build's receipt; was_cached: it is an earlier run's."""

    receipt: BuildReceipt
    was_cached: bool


def builds_of(manifest: Manifest, spark_version: str) -> tuple[Build, ...]:
    """The warehouse's builds. Raises ManifestBroken when the manifest lacks a table of the ERP."""
    erp = {name: manifest.table(name) for name in ERP_TABLES}
    code = hashlib.sha256(zip_packages((SPARK,))).hexdigest()

    def build(name: str, sources: tuple[str, ...], *outputs: Output) -> Build:
        key = content_key(
            format=FORMAT,
            build=name,
            code=code,
            spark=spark_version,
            sources={source: [chunk.sha256 for chunk in erp[source].chunks] for source in sources},
        )
        tables = tuple(erp[source] for source in sources)
        return Build(name=name, key=key, manifest=manifest.id, sources=tables, outputs=outputs)

    copies = (Output(name=f"erp.{name}", subfolder=name, rows=table.rows) for name, table in erp.items())
    students = Output(name="students", subfolder="", rows=erp["students"].rows)
    return build("tables", ERP_TABLES, *copies), build("students", STUDENTS_SOURCES, students)


def run_build(
    build: Build, *, staging: StorageArea, warehouse: StorageArea, runner: SparkRunner, report: Report
) -> BuildReceipt:
    """Run the build's job into a fresh folder, and compare what it wrote with the manifest.

    Raises ManifestBroken, SparkJobFailed, TableMismatch, StorageRefused, StorageUnavailable.
    """
    require_chunks(build, staging)
    folder = f"{DATA}/{build.name}/{build.key}/{uuid.uuid4().hex[:8]}"
    # Tells what a folder without a receipt was, and finds out that the area cannot be written before Spark starts.
    warehouse.put(f"{folder}.json", f'{{"manifest": "{build.manifest}"}}\n'.encode())
    result = runner.submit(_job(build, staging, f"{warehouse.uri}/{folder}")).wait(report)
    tables = tuple(
        written_table(output, warehouse, build_folder=folder, manifest=build.manifest) for output in build.outputs
    )
    return BuildReceipt(key=build.key, tables=tables, seconds=round(result.seconds, 3))


def require_chunks(build: Build, staging: StorageArea) -> None:
    """Raises ManifestBroken when a file that the build reads is gone, or has another size than its manifest says."""
    chunks = [chunk for table in build.sources for chunk in table.chunks]
    files = [DataFile(path=chunk.path, bytes=chunk.bytes) for chunk in chunks]
    wrong = _wrong_files(staging, files)
    if wrong:
        raise ManifestBroken(
            f"manifest {build.manifest}: {len(wrong)} of {len(files)} files are gone or have another size, "
            f"first {staging.uri}/{wrong[0].path}: unload again, then build from the new manifest"
        )


def is_intact(receipt: BuildReceipt, warehouse: StorageArea) -> bool:
    """Whether all files of a receipt are there with their sizes."""
    return not _wrong_files(warehouse, [file for table in receipt.tables for file in table.files])


def _wrong_files(area: StorageArea, files: list[DataFile]) -> list[DataFile]:
    with ThreadPoolExecutor(SIZE_REQUESTS) as pool:
        sizes = pool.map(area.size, (file.path for file in files))
        return [file for file, size in zip(files, sizes, strict=True) if size != file.bytes]


def _job(build: Build, staging: StorageArea, output_uri: str) -> SparkJob:
    manifest = f"{staging.uri}/{manifest_path(build.manifest)}"
    sources = [part for table in build.sources for part in (f"--{table.name}", f"{manifest}#{table.full_name}")]
    return SparkJob(
        name=build.name,
        script=SPARK / f"{build.name}.py",
        packages=(SPARK,),
        arguments=(*sources, "--output-uri", output_uri),
    )


def written_table(output: Output, warehouse: StorageArea, *, build_folder: str, manifest: str) -> WarehouseTable:
    """The table that a job wrote, its rows counted in the files themselves. Raises TableMismatch."""
    folder = f"{build_folder}/{output.subfolder}".rstrip("/")
    paths = [path for path in warehouse.list(folder) if path.endswith(".parquet")]
    files = tuple(DataFile(path=path, bytes=warehouse.size(path) or 0) for path in paths)
    rows = sum(_rows(warehouse, path) for path in paths)
    if rows != output.rows:
        raise TableMismatch(
            f"table {output.name}: Spark wrote {rows} rows, manifest {manifest} says {output.rows}: "
            "nothing was published; check the manifest's files with `reprise manifest verify`"
        )
    size = sum(file.bytes for file in files)
    return WarehouseTable(name=output.name, folder=folder, rows=rows, bytes=size, files=files)


def _rows(warehouse: StorageArea, path: str) -> int:
    """Rows of a Parquet file, by its footer."""
    with warehouse.open(path) as stream:
        source = stream if stream.seekable() else io.BytesIO(stream.read())
        rows: int = pq.read_metadata(source).num_rows
        return rows
