"""Every kind of upkeep and DDL, at every point of a run: what is published is what the run's snapshot showed."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark.structures import ParameterSet
from changes import DDL, TRANSACTIONS, UPKEEP, WRITES, Change, writers
from plain_unload import PlainUnload, cut_small

from erp.server import EmbeddedServer

FILLING = """
    INSERT INTO first SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 300) i;
    INSERT INTO second SELECT i, repeat(md5(i::text), 20), 'calm' FROM generate_series(1, 200) i;
    ALTER TABLE first ADD COLUMN extra0 int GENERATED ALWAYS AS (length(word)) VIRTUAL, ADD COLUMN extra1 int DEFAULT 7;
    INSERT INTO parts SELECT i, repeat(md5(i::text), 20) FROM generate_series(1, 200) i;
"""
#: Point of the run at which a change is made: it lets so many pass.
POINTS = {"after the snapshot": 0, "after the plan": 1, "after the first chunk": 2}

#: Their places among the five relations of the schema, by name.
FIRST, SECOND = 1, 4


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    cut_small(monkeypatch)


def short(text: str) -> str:
    return " ".join(text.replace("{table}", "").split()[:7]).encode("ascii", "replace").decode()


def cases() -> Iterator[ParameterSet]:
    """Every statement at every point; in the everyday suite those that are likely to harm, at one point each."""
    for point, passing in POINTS.items():
        for number, text in enumerate((*UPKEEP, *DDL, *WRITES, *TRANSACTIONS)):
            is_everyday = text in UPKEEP + DDL and passing == number % 2
            marks = () if is_everyday else (pytest.mark.campaign,)
            yield pytest.param(passing, text, id=f"{point}: {short(text)}", marks=marks)


@pytest.mark.parametrize(("passing", "text"), [*cases()])
def test_unload_disturbed(postgres: EmbeddedServer, passing: int, text: str, tmp_path: Path) -> None:
    schema, dsn = f"s{uuid.uuid4().hex}", postgres.dsn("postgres")
    with writers(dsn, schema) as session:
        session.make(Change(FILLING))
        unload = PlainUnload(dsn=dsn, schema=schema, folder=tmp_path)
        change = Change(text, table=FIRST, other=SECOND, a=4, b=3)
        pending = [lambda: None] * passing + [lambda: session.make(change)]
        for disturb in (lambda: None, lambda: pending.pop(0)() if pending else None, lambda: None):
            published, truth = unload.run(disturb)
            assert published == truth
        assert not pending


def test_renamed_columns_do_not_make_an_old_expression_of_a_new_one(postgres: EmbeddedServer, tmp_path: Path) -> None:
    """What a snapshot says of an expression has the newest names of columns in it, which may be those of old times."""
    schema, dsn = f"s{uuid.uuid4().hex}", postgres.dsn("postgres")
    swap = "ALTER TABLE first RENAME {} TO x; ALTER TABLE first RENAME {} TO {}; ALTER TABLE first RENAME x TO {}"
    with writers(dsn, schema) as session:
        session.make(Change("ALTER TABLE first ADD twice int GENERATED ALWAYS AS (id * 2) VIRTUAL, ADD other int"))
        session.make(Change("INSERT INTO first (id, other) SELECT i, 1 FROM generate_series(1, 300) i"))
        unload = PlainUnload(dsn=dsn, schema=schema, folder=tmp_path)
        unload.run(lambda: None)
        session.make(Change("ALTER TABLE first ALTER twice SET EXPRESSION AS (other * 2)"))
        pending = [lambda: session.make(Change(swap.format("id", "other", "id", "other")))]
        published, truth = unload.run(lambda: pending.pop()() if pending else None)
        assert published == truth
