"""Saves the Prefect block that names the demonstration ERP: `python -m deployments.blocks DSN`."""

import sys

from prefect_sqlalchemy import SqlAlchemyConnector  # type: ignore[import-untyped]  # ships no types
from sqlalchemy.engine import make_url

ERP_BLOCK = "erp"


def save_erp(dsn: str) -> None:
    """Let `sqlalchemy-connector/erp` name this database (a libpq URI), by the driver that the project installs.

    Safe to repeat: a block of that name is replaced.
    """
    url = make_url(dsn).set(drivername="postgresql+psycopg")
    block = SqlAlchemyConnector(connection_info=url.render_as_string(hide_password=False))
    block.save(ERP_BLOCK, overwrite=True)


if __name__ == "__main__":
    save_erp(sys.argv[1])
