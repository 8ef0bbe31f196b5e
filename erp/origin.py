"""Where an ERP comes from: the recipe and the generator; noted beside the files and, once loaded, beside the data."""

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

import psycopg

from erp.errors import ErpError

TRUTH = "truth.json"
SMALLEST_SCALE, LARGEST_SCALE = 0.01, 100.0
LARGEST_SEED = 2**63 - 1

CREATE = """
CREATE SCHEMA IF NOT EXISTS erp_origin;
DROP TABLE IF EXISTS erp_origin.loaded;
CREATE TABLE erp_origin.loaded (scale double precision NOT NULL, seed bigint NOT NULL, generator text NOT NULL);
"""
INSERT = "INSERT INTO erp_origin.loaded (scale, seed, generator) VALUES (%s, %s, %s)"
EXISTS = "SELECT to_regclass('erp_origin.loaded') IS NOT NULL AND to_regnamespace('erp') IS NOT NULL"
READ = "SELECT scale, seed, generator FROM erp_origin.loaded"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What determines every byte of an ERP, given the generator.

    scale: 1.0 is about 10,000 students and 2.1 million attendances.
    """

    scale: float
    seed: int

    def __post_init__(self) -> None:
        """Refuse what makes no sensible ERP, with an ErpError."""
        if not (math.isfinite(self.scale) and SMALLEST_SCALE <= self.scale <= LARGEST_SCALE):
            raise ErpError(f"scale {self.scale:g} is out of range; choose {SMALLEST_SCALE:g} to {LARGEST_SCALE:g}")
        if not 0 <= self.seed <= LARGEST_SEED:
            raise ErpError(f"seed {self.seed} is out of range; choose 0 to {LARGEST_SEED}")


@dataclass(frozen=True, kw_only=True)
class Origin:
    """A recipe and the version of the generator that followed it."""

    recipe: Recipe
    generator: str


def generator_version() -> str:
    """A digest of this package's files: another generator makes another ERP from the same recipe."""
    digest = hashlib.sha256()
    folder = Path(__file__).parent
    for path in sorted(path for pattern in ("*.py", "*.sql", "reference/*.csv") for path in folder.glob(pattern)):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def read_origin(folder: Path) -> Origin:
    """What the files of a folder were made from. Raises ErpError when generation has not finished there."""
    try:
        facts = json.loads((folder / TRUTH).read_text(encoding="utf-8"))
    except FileNotFoundError:
        fact = f"{folder} holds no complete ERP ({TRUTH} is missing)"
        raise ErpError(f"{fact}; run `python -m erp generate --out {folder}` first") from None
    return Origin(recipe=Recipe(scale=facts["scale"], seed=facts["seed"]), generator=facts["generator"])


def write_origin(connection: psycopg.Connection, origin: Origin) -> None:
    """Record, in the transaction of the load, what is loaded."""
    connection.execute(CREATE)
    connection.execute(INSERT, [origin.recipe.scale, origin.recipe.seed, origin.generator])


def loaded_origin(dsn: str) -> Origin | None:
    """What the database holds; None when that is no whole ERP."""
    with psycopg.connect(dsn) as connection:
        exists = connection.execute(EXISTS).fetchone()
        if exists is None or not exists[0]:
            return None
        row = connection.execute(READ).fetchone()
    if row is None:
        return None
    return Origin(recipe=Recipe(scale=row[0], seed=row[1]), generator=row[2])
