"""What the crash tests share: a source, runs in processes of their own, and how one area is held against another."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from published import published_rows

from flows.unload_erp import unload_erp
from tasks.chunks import Receipt
from tasks.manifest import Manifest, latest_manifest, list_manifests, read_manifest
from tasks.storage import FolderArea, StorageArea, open_area
from tasks.unload.report import TableProgress, UnloadReport

SCRIPT = Path(__file__).with_name("unload_and_die.py")
RUN_SECONDS = 120

SOURCE = """
CREATE SCHEMA small;
CREATE TABLE small.empty (id int);
CREATE TABLE small.lessons AS SELECT i AS id, repeat(md5(i::text), 8) AS room FROM generate_series(1, 300) i;
CREATE TABLE small.students AS
    SELECT i AS id, repeat(md5(i::text), 12) AS name, (i / 10.0)::numeric(5, 2) AS grade
    FROM generate_series(1, 1000) i;
CREATE SCHEMA big;
CREATE TABLE big.attendances AS SELECT i AS id, sha256(i::text::bytea) AS seal FROM generate_series(1, 400000) i;
"""


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a run's process ended, what it reported (None: nothing), and what it said on stderr."""

    code: int
    report: UnloadReport | None
    log: str

    @property
    def chunks_cached(self) -> int:
        assert self.report is not None, self.log
        return sum(table.chunks_cached for table in self.report.tables)

    @property
    def chunks_run(self) -> int:
        assert self.report is not None, self.log
        return sum(table.chunks_run for table in self.report.tables)


def fill(dsn: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(SOURCE)


def start(dsn: str, schema: str, storage: Path | str, *options: str) -> subprocess.Popen[str]:
    """A run in a process of its own; `options` are those of the script."""
    command = [sys.executable, str(SCRIPT), dsn, schema, str(storage), *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ)


def wait(process: subprocess.Popen[str]) -> Ended:
    with process:
        try:
            report, log = process.communicate(timeout=RUN_SECONDS)
        except BaseException:
            process.kill()
            raise
    code = process.returncode
    return Ended(code=code, report=UnloadReport.model_validate_json(report) if report else None, log=log)


def run(dsn: str, schema: str, storage: Path | str, *options: str) -> Ended:
    """A run that nobody kills."""
    ended = wait(start(dsn, schema, storage, *options))
    assert ended.code == 0, ended.log
    return ended


def run_here(dsn: str, storage: Path, *, trust_restart: bool = False) -> UnloadReport:
    """A run of schema `small` in this process, so that a test can act in its middle; tests set the chunks' size."""
    return unload_erp(
        source=dsn, source_schema="small", storage=str(storage), source_name="crash", trust_restart=trust_restart
    )


def act_after_chunk(monkeypatch: pytest.MonkeyPatch, nth: int, act: Callable[[], None]) -> None:
    """Act once, when the n-th chunk of runs in this process has its receipt."""
    original, calls = TableProgress.count, itertools.count(1)

    def wrapped(progress: TableProgress, receipt: Receipt, *, was_cached: bool) -> None:
        original(progress, receipt, was_cached=was_cached)
        if next(calls) == nth:
            act()

    monkeypatch.setattr(TableProgress, "count", wrapped)


def run_killed(dsn: str, schema: str, storage: Path | str, *options: str) -> None:
    """A run that kills itself."""
    ended = wait(start(dsn, schema, storage, *options))
    assert ended.code == -signal.SIGKILL, ended.log


def newest(area: StorageArea) -> Manifest:
    manifest = latest_manifest(area)
    assert manifest is not None
    return manifest


def assert_manifests_whole(area: StorageArea) -> None:
    """Whatever is visible is complete, file by file."""
    for name in list_manifests(area):
        published_rows(area, read_manifest(area, name))
    if latest := latest_manifest(area):
        assert latest.id in list_manifests(area)


def content(area: StorageArea) -> list[dict[str, Any]]:
    """What the newest manifest says of its tables: columns, rows, and of each chunk path, rows, bytes and sha256."""
    return [table.model_dump() for table in newest(area).tables]


def assert_same(area: FolderArea, undisturbed: FolderArea) -> None:
    """Two areas hold the same snapshot, byte for byte."""
    assert content(area) == content(undisturbed)
    for table in newest(area).tables:
        for chunk in table.chunks:
            assert (area.root / chunk.path).read_bytes() == (undisturbed.root / chunk.path).read_bytes()


def receipts(folder: Path) -> dict[str, Receipt]:
    """The receipts that can be read, by content key."""
    files = [path for path in (folder / "receipts").rglob("*") if path.is_file()]
    records = [json.loads(path.read_bytes()) for path in files if _is_json(path.read_bytes())]
    found = [Receipt.model_validate(json.loads(record["result"])["data"]) for record in records]
    return {receipt.key: receipt for receipt in found}


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except ValueError:
        return False
    return True


def area_after(undisturbed: Path, folder: Path) -> FolderArea:
    """An area in which nothing was run, but with the salt of another one, so that equal chunks get equal keys."""
    shutil.copytree(undisturbed / "salts", folder / "salts")
    area = open_area(str(folder))
    assert isinstance(area, FolderArea)
    return area
