"""The embedded ERP in its folder: CSV files, the server's data, and what is still to be done to have both."""

import shutil
from collections.abc import Callable
from pathlib import Path

from erp.errors import ErpError
from erp.generator import generate
from erp.loader import load
from erp.locks import exclusive
from erp.origin import Origin, Recipe, generator_version, loaded_origin, read_origin
from erp.server import EmbeddedServer

DATABASE = "erp"
READER = "reprise_reader"


class Home:
    """What lies below <home>/erp: csv (generated files with truth.json) and data (the server's)."""

    def __init__(self, home: Path, *, port: int | None = None) -> None:
        self.folder = home.absolute() / "erp"
        self.csv = self.folder / "csv"
        self.server = EmbeddedServer(self.folder / "data", port=port)

    def start(self) -> str:
        """Start the server; returns the reader's DSN."""
        self.server.start()
        return self.server.dsn(DATABASE, READER)

    def up(self, recipe: Recipe, report: Callable[[str, int, float], None], *, stop: bool = False) -> str:
        """Have the ERP of this recipe loaded, doing only what is not done yet; returns the reader's DSN.

        Safe to repeat, and to be killed at any moment. Leaves the server running, or with `stop`, stopped.
        """
        wanted = Origin(recipe=recipe, generator=generator_version())
        with exclusive(self.folder / "up.lock"):
            self.server.start()
            self.server.create_database(DATABASE)
            owner = self.server.dsn(DATABASE)
            if loaded_origin(owner) != wanted:
                if self._generated() != wanted:
                    generate(recipe, self.csv, report)
                load(owner, self.csv, report, replace=True)
            dsn = self.server.dsn(DATABASE, READER)
            if stop:
                self.server.stop()
        return dsn

    def remove(self) -> None:
        """Stop the server and delete all that lies here."""
        self.server.remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _generated(self) -> Origin | None:
        try:
            return read_origin(self.csv)
        except ErpError:
            return None
