"""Runs are killed at any moment, over and over, while the source changes; what becomes visible is always whole."""

import os
import random
import signal
import time
from pathlib import Path

import psycopg
import pytest
from published import published_rows, rows_under
from runs import assert_manifests_whole, fill, newest, receipts, run, start, wait

from tasks.storage import PARTIAL, open_area

pytestmark = pytest.mark.usefixtures("prefect_server")

KILLS = 36
CHANGES = (
    "UPDATE small.students SET name = name || 'x' WHERE id % 250 = {}",
    "DELETE FROM small.lessons WHERE id % 50 = {}",
    "INSERT INTO small.lessons SELECT i, md5(i::text) FROM generate_series(1, {}) i",
    "UPDATE big.attendances SET id = -id WHERE id = 1000 * {}",
)


@pytest.mark.campaign
def test_runs_killed_at_random_moments(database: str, tmp_path: Path) -> None:
    chance = random.Random(20261120)
    fill(database)
    storage = tmp_path / "staging"
    area = open_area(str(storage))
    started = time.monotonic()
    run(database, "small", storage)
    whole_run = time.monotonic() - started
    killed = 0
    for turn in range(KILLS):
        schema = chance.choice(["small", "small", "big"])
        with psycopg.connect(database) as connection:
            connection.execute(chance.choice(CHANGES).format(chance.randrange(40)))
        process = start(database, schema, storage)
        time.sleep(chance.uniform(0.3, 1.0) * whole_run)
        os.kill(process.pid, signal.SIGKILL)
        killed += wait(process).code == -signal.SIGKILL
        assert_manifests_whole(area)
        if turn % 4 == 3:
            finished = set(receipts(storage))
            again = run(database, "small", storage)
            manifest = newest(area)
            assert published_rows(area, manifest) == rows_under(database, "small"), f"turn {turn}"
            keys = {chunk.key for table in manifest.tables for chunk in table.chunks}
            assert again.chunks_cached == len(keys & finished)
            assert [*(storage / PARTIAL).iterdir()] == []
    assert killed > KILLS / 2
