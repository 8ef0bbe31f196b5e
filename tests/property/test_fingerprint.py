"""The keyed fingerprint: different sets of row versions of one heap have different fingerprints."""

import random

import psycopg
import pytest

from erp.server import EmbeddedServer

#: The product's formula over pairs that we choose, since no table can be made to have them.
FINGERPRINTS = """
WITH versions AS (
    SELECT set, count(*) AS rows, bit_xor(hashtidextended(ctid, %(salt)s::bigint * 4294967296 + xmin)) AS hash
    FROM unnest(%(sets)s::int[], %(ctids)s::tid[], %(xmins)s::bigint[]) AS v (set, ctid, xmin)
    GROUP BY set
)
SELECT count(*), count(DISTINCT (rows, hash)) FROM versions
"""
SALT_BITS = 31


def distinct_sets(source: random.Random, sets: int) -> dict[frozenset[tuple[int, int, int]], None]:
    """Sets of (block, offset, xmin), built to be alike: few blocks, few transactions, neighbours in both."""
    found: dict[frozenset[tuple[int, int, int]], None] = {}
    first = source.randrange(3, 2**32 - 64)
    while len(found) < sets:
        rows = source.randrange(1, 7)
        found[
            frozenset((source.randrange(4), source.randrange(1, 9), first + source.randrange(16)) for _ in range(rows))
        ] = None
    return found


def collisions(dsn: str, seed: int, sets: int) -> int:
    source = random.Random(seed)
    numbered = [(number, *row) for number, rows in enumerate(distinct_sets(source, sets)) for row in rows]
    with psycopg.connect(dsn) as connection:
        row = connection.execute(
            FINGERPRINTS,
            {
                "salt": source.randrange(2**SALT_BITS),
                "sets": [number for number, *_ in numbered],
                "ctids": [f"({block},{offset})" for _, block, offset, _ in numbered],
                "xmins": [xmin for *_, xmin in numbered],
            },
        ).fetchone()
    assert row is not None
    total, different = row
    assert total == sets
    return int(total - different)


@pytest.mark.parametrize("seed", range(3))
def test_alike_sets_of_versions_have_different_fingerprints(postgres: EmbeddedServer, seed: int) -> None:
    assert collisions(postgres.dsn("postgres"), seed, 20_000) == 0


@pytest.mark.campaign
def test_alike_sets_of_versions_have_different_fingerprints_in_long(postgres: EmbeddedServer) -> None:
    assert [collisions(postgres.dsn("postgres"), seed, 100_000) for seed in range(10, 20)] == [0] * 10
