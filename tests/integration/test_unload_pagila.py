"""Somebody else's database: Pagila, every table of it, exactly."""

import os
import subprocess
from pathlib import Path

import psycopg
import pytest
from unloading import assert_published, newest, unload

from erp.account import server_account, server_programs, substitute_folder
from erp.server import EmbeddedServer
from tasks.settings import CHECKOUT

pytestmark = pytest.mark.usefixtures("prefect_server")

SHARED = Path(os.environ.get("REPRISE_SHARED", CHECKOUT.parent / "shared"))
PAGILA = SHARED / "data" / "pagila"


@pytest.fixture
def pagila(postgres: EmbeddedServer, database: str) -> str:
    psql = server_programs(server_account(), substitute_folder(postgres.data_dir)) / "psql"
    for name in ("pagila-schema.sql", "pagila-data.sql"):
        if not (PAGILA / name).is_file():
            pytest.fail(f"the real input {PAGILA / name} is missing: set REPRISE_SHARED to the folder that holds data/")
        command = [psql, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--file", PAGILA / name, database]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return database


def test_pagila_arrives_whole(pagila: str, tmp_path: Path) -> None:
    report = unload(pagila, tmp_path)
    assert_published(pagila, tmp_path)
    rows = {table.table.removeprefix("public."): table.rows for table in report.tables}
    assert len(rows) == 15
    assert sum(rows.values()) == 49_636
    with psycopg.connect(pagila) as connection:
        for name, count in rows.items():
            assert connection.execute(f'SELECT count(*) FROM "{name}"').fetchone() == (count,)
    payment = newest(tmp_path).table("payment")
    assert [heap.name for heap in payment.heaps] == [f"public.payment_p2022_0{month}" for month in range(1, 8)]
    assert {table.chunks_run for table in unload(pagila, tmp_path).tables} == {0}
