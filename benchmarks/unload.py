"""The unload of one table of attendances against psql's copy of it to a CSV file, on the same machine.

Cold unload, and second unload with nothing changed, through the flow with two workers, start-up left out; wall-clock
seconds, alternating runs, medians. The ratios count; the seconds are this machine's.
"""

import json
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg

from deployments.server import leased_server
from erp.account import server_account, server_programs
from erp.server import EmbeddedServer

ROWS = 10_000_000
ROUNDS = 5
WORKERS = 2

TABLE = """
CREATE TYPE attendance_status AS ENUM ('present', 'late', 'excused', 'absent');
CREATE TABLE attendances (lesson_id bigint NOT NULL, student_id int NOT NULL, status attendance_status NOT NULL,
                          recorded_at timestamptz NOT NULL);
INSERT INTO attendances
SELECT i / 13, i * 7919 % 10007, (enum_range(NULL::attendance_status))[1 + i * 31 % 97 % 4],
       timestamptz '2016-09-01 08:00+02' + i * interval '27 seconds'
FROM generate_series(1::bigint, {rows}) i;
VACUUM (FREEZE, ANALYZE) attendances
"""


def main() -> None:
    """Print one JSON line a figure, then the ratios."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server may run as an account of its own
        server = EmbeddedServer(folder / "postgres")
        server.start()
        try:
            with leased_server(os.environ, home=folder / "home", folder=folder / "prefect") as prefect:
                os.environ["PREFECT_API_URL"] = prefect.api_url
                _measure(server, folder)
        finally:
            server.remove()


def _measure(server: EmbeddedServer, folder: Path) -> None:
    from flows.unload_erp import unload_erp

    logging.disable(logging.INFO)
    dsn = server.dsn("postgres")
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in TABLE.format(rows=ROWS).split(";"):
            connection.execute(statement.encode())
    psql = server_programs(server_account(), folder) / "psql"

    def copy() -> None:
        command = rf"\copy attendances TO '{folder / 'attendances.csv'}' (FORMAT csv, HEADER)"
        subprocess.run([str(psql), "-X", "-q", "-c", command, dsn], check=True)

    def unload(area: str) -> None:
        unload_erp(source=dsn, source_schema="public", storage=str(folder / area), workers=WORKERS)

    unload("warm-up")
    seconds: dict[str, list[float]] = {"psql": [], "cold": [], "unchanged": []}
    for number in range(ROUNDS):
        seconds["psql"].append(_timed(copy))
        seconds["cold"].append(_timed(partial(unload, f"area-{number}")))
        seconds["unchanged"].append(_timed(partial(unload, f"area-{number}")))
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    for name, taken in seconds.items():
        _print(figure=name, rows=ROWS, median=medians[name], seconds=taken)
    _print(ratio="cold unload to Parquet / psql to CSV", value=medians["cold"] / medians["psql"])
    _print(ratio="second unload, nothing changed / cold", value=medians["unchanged"] / medians["cold"])


def _timed(run: Callable[[], None]) -> float:
    started = time.monotonic()
    run()
    return round(time.monotonic() - started, 3)


def _print(**figures: object) -> None:
    sys.stdout.write(json.dumps(figures) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
