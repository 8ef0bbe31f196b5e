"""The warehouse's build killed by SIGKILL, and run again."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import psutil
import pytest
from warehouse_staging import NOON, make_staging

from tasks.storage import open_area
from tasks.warehouse.publication import latest_publication, publication_path, read_publication

pytestmark = [pytest.mark.campaign, pytest.mark.usefixtures("prefect_server")]

# Runs the flow, and kills itself instead of writing the first object whose path starts with the point given.
CHILD = """
import os, signal, sys
from flows.build_warehouse import build_warehouse
from tasks.storage import FolderArea

point, storage, warehouse = sys.argv[1:]
put = FolderArea.put

def put_or_die(area, path, content, **options):
    if point and path.startswith(point):
        os.kill(os.getpid(), signal.SIGKILL)
    return put(area, path, content, **options)

FolderArea.put = put_or_die
build_warehouse(storage=storage, warehouse=warehouse)
"""


class Child:
    """Runs the flow in processes of their own, on one staging area and one warehouse."""

    def __init__(self, folder: Path) -> None:
        self.staging, self.warehouse, self.temporary = folder / "staging", folder / "warehouse", folder / "tmp"
        self.temporary.mkdir()

    def start(self, point: str = "") -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-c", CHILD, point, str(self.staging), str(self.warehouse)]
        return subprocess.Popen(command, env=os.environ | {"TMPDIR": str(self.temporary)})

    def killed_at(self, point: str) -> None:
        assert self.start(point).wait(300) == -signal.SIGKILL

    def killed_while_spark_writes(self) -> None:
        with self.start() as process:
            while not list(self.warehouse.glob("data/tables/*/*/*")):
                assert process.poll() is None, "the flow ended before Spark wrote anything"
                time.sleep(0.01)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        deadline = time.monotonic() + 30
        while self._spark_processes() or list(self.temporary.iterdir()):
            assert time.monotonic() < deadline, "Spark or its scratch folder outlives the flow"
            time.sleep(0.05)

    def _spark_processes(self) -> list[int]:
        every = psutil.process_iter(["pid", "cmdline"])
        return [p.info["pid"] for p in every if any(str(self.warehouse) in part for part in p.info["cmdline"] or ())]

    def runs(self) -> None:
        assert self.start().wait(300) == 0


def test_a_build_killed_at_any_point_is_finished_by_the_next_run(tmp_path: Path) -> None:
    child = Child(tmp_path)
    manifest = make_staging(child.staging)
    area = open_area(str(child.warehouse))

    child.killed_at("data/tables")
    child.killed_while_spark_writes()
    child.killed_at(publication_path(NOON.date()))
    assert not list(area.list("publications")), "half a build is not to be seen"
    finished = {path for path in area.list("data/students") if path.endswith(".parquet")}

    child.killed_at("publications/latest")
    assert read_publication(area, NOON.date()) is not None
    assert latest_publication(area) is None

    child.runs()
    publication = latest_publication(area)
    assert publication is not None
    assert publication.manifest == manifest.id
    assert {table.name: table.rows for table in publication.tables if table.rows != 3} == {
        "erp.students": 5,
        "erp.attendances": 8,
        "erp.apprenticeships": 0,
        "students": 5,
    }
    files = [file for table in publication.tables for file in table.files]
    assert all(area.size(file.path) == file.bytes for file in files)
    assert finished == {file.path for file in publication.tables[-1].files}, "what was built before the kill is reused"
    with duckdb.connect() as database:
        students = [str(child.warehouse / path) for path in finished]
        assert database.read_parquet(students).aggregate("count(*), count(DISTINCT id)").fetchall() == [(5, 5)]
