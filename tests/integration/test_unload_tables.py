"""Names of any kind, and the kinds of relations: what is one table, what is left out, what is refused."""

from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from unloading import assert_published, chunks_run, execute, manifests, newest, published_rows, the_table, unload

from tasks.errors import SourceRefused

pytestmark = pytest.mark.usefixtures("prefect_server")

NAMES = [
    "Mixed Case",
    "élève",
    "a.b",
    'quo"ted',
    "it's",
    "sla/sh",
    "..",
    ".",
    "back\\slash",
    "per%cent",
    "per%s{brace}",
    "new\nline",
    "semi;colon--",
    "*",
    "$1",
    "select",
    "n" * 63,
    "é" * 31,
]


def test_any_name_of_schema_table_and_column_serves(database: str, tmp_path: Path) -> None:
    schema = 'É"c.o/l\\e%'
    statements = [sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema))]
    for number, name in enumerate(NAMES):
        table = sql.Identifier(schema, name)
        statements += [
            sql.SQL("CREATE TABLE {} ({} text, {} numeric(3,1))").format(
                table, sql.Identifier(name), sql.Identifier(NAMES[number - 1])
            ),
            sql.SQL("INSERT INTO {} VALUES ({}, 1.5)").format(table, sql.Literal(name)),
        ]
    execute(database, *(statement.as_string() for statement in statements))
    storage = tmp_path / "été à l'école %20 [1]{2}"
    report = unload(database, storage, source_schema=schema)
    assert {table.table for table in report.tables} == {f"{schema}.{name}" for name in NAMES}
    assert_published(database, storage, schema)
    assert [published_rows(storage, f"{schema}.{name}", what="COLUMNS(*)::varchar") for name in NAMES] == [
        [(name, "1.5")] for name in NAMES
    ]
    inside = {path.resolve() for path in tmp_path.rglob("*.parquet")}
    assert len(inside) == len(NAMES)
    assert all(path.parent.parent == storage / "data" for path in inside)
    again = unload(database, storage, source_schema=schema)
    assert sum(chunks_run(again).values()) == 0


def test_a_database_of_another_encoding_and_of_any_name(database: str, tmp_path: Path) -> None:
    name = "l'a \"c\\ole/1"
    quoted = sql.Identifier(name)
    create = sql.SQL("CREATE DATABASE {} ENCODING 'LATIN1' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0")
    execute(database, create.format(quoted).as_string())
    try:
        other = make_conninfo(database, dbname=name)
        execute(
            other, "CREATE TABLE école AS SELECT 'Noël'::text AS fête, 'Zoë'::char(5) AS prénom, 'é'::bytea AS brut"
        )
        unload(other, tmp_path)
        assert published_rows(tmp_path, "école") == [("Noël", "Zoë  ", b"\xe9")]
        assert chunks_run(unload(other, tmp_path)) == {"public.école": 0}
        assert newest(tmp_path).source.database == name
    finally:
        execute(database, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(quoted).as_string())


def test_names_that_differ_little_stay_apart(database: str, tmp_path: Path) -> None:
    execute(
        database,
        'CREATE TABLE "a.b" AS SELECT 1 AS x',
        'CREATE TABLE "a/b" AS SELECT 2 AS x',
        'CREATE TABLE "a_b" AS SELECT 3 AS x',
        'CREATE TABLE "A_B" AS SELECT 4 AS x',
    )
    unload(database, tmp_path)
    assert_published(database, tmp_path)


def test_columns_that_differ_in_case_alone_are_refused(database: str, tmp_path: Path) -> None:
    execute(database, 'CREATE TABLE t (name text, "Name" text)')
    with pytest.raises(SourceRefused, match=r'"public.t": columns "name" and "Name" differ in case alone: rename one'):
        unload(database, tmp_path)
    assert manifests(tmp_path) == []


def test_a_table_without_columns_is_refused(database: str, tmp_path: Path) -> None:
    execute(database, "CREATE TABLE empty ()")
    with pytest.raises(SourceRefused, match=r'table "public.empty" has no columns.*drop it'):
        unload(database, tmp_path)
    assert manifests(tmp_path) == []


def test_an_empty_table_has_one_file_with_its_columns(database: str, tmp_path: Path) -> None:
    execute(database, "CREATE TABLE t (id int, d date, p numeric(5,2), x uuid)")
    report = the_table(unload(database, tmp_path), "public.t")
    assert (report.rows, report.chunks, len(report.files)) == (0, 1, 1)
    assert published_rows(tmp_path, "t") == []
    assert chunks_run(unload(database, tmp_path)) == {"public.t": 0}


def test_a_partitioned_table_of_several_levels_is_one_table(database: str, tmp_path: Path) -> None:
    execute(
        database,
        "CREATE TABLE visits (id int, day date, place text) PARTITION BY RANGE (day)",
        "CREATE TABLE visits_2023 PARTITION OF visits FOR VALUES FROM ('2023-01-01') TO ('2024-01-01')",
        "CREATE TABLE visits_2024 PARTITION OF visits FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') "
        "PARTITION BY LIST (place)",
        "CREATE TABLE visits_2024_paris PARTITION OF visits_2024 FOR VALUES IN ('Paris')",
        # Attached from another schema, its columns in another order and a dropped one before them.
        "CREATE SCHEMA elsewhere",
        "CREATE TABLE elsewhere.others (gone int, place text, day date, id int)",
        "ALTER TABLE elsewhere.others DROP COLUMN gone",
        "ALTER TABLE visits_2024 ATTACH PARTITION elsewhere.others DEFAULT",
        "CREATE TABLE no_leaves (id int) PARTITION BY LIST (id)",
        "INSERT INTO visits VALUES (1, '2023-05-01', 'Lyon'), (2, '2024-05-01', 'Paris'), (3, '2024-06-01', 'Nice')",
    )
    report = unload(database, tmp_path)
    assert chunks_run(report) == {"public.no_leaves": 0, "public.visits": 3}
    assert [heap.name for heap in newest(tmp_path).table("visits").heaps] == [
        "elsewhere.others",
        "public.visits_2023",
        "public.visits_2024_paris",
    ]
    assert_published(database, tmp_path)
    execute(database, "UPDATE visits SET id = 4 WHERE id = 2")
    assert chunks_run(unload(database, tmp_path)) == {"public.no_leaves": 0, "public.visits": 1}
    assert_published(database, tmp_path)


def test_inheritance_gives_each_table_its_own_rows(database: str, tmp_path: Path) -> None:
    execute(
        database,
        "CREATE TABLE parent (id int)",
        "CREATE TABLE child (extra text) INHERITS (parent)",
        "INSERT INTO parent VALUES (1)",
        "INSERT INTO child VALUES (2, 'x')",
    )
    unload(database, tmp_path)
    assert published_rows(tmp_path, "parent") == [(1,)]
    assert published_rows(tmp_path, "child") == [(2, "x")]


def test_dropped_and_generated_columns(database: str, tmp_path: Path) -> None:
    execute(
        database,
        "CREATE TABLE t (gone text, id int, twice int GENERATED ALWAYS AS (id * 2) STORED, "
        "thrice int GENERATED ALWAYS AS (id * 3) VIRTUAL, own int GENERATED ALWAYS AS IDENTITY)",
        "INSERT INTO t (gone, id) VALUES ('x', 1)",
        "ALTER TABLE t DROP COLUMN gone",
        "ALTER TABLE t ADD COLUMN late text DEFAULT 'already'",
        "INSERT INTO t (id, late) VALUES (2, NULL)",
    )
    unload(database, tmp_path)
    assert published_rows(tmp_path, "t", what="id, twice, thrice, own, late") == [
        (1, 2, 3, 1, "already"),
        (2, 4, 6, 2, None),
    ]
    execute(database, "ALTER TABLE t ALTER COLUMN thrice SET EXPRESSION AS (id * 30)")
    assert chunks_run(unload(database, tmp_path)) == {"public.t": 1}
    assert published_rows(tmp_path, "t", what="thrice") == [(30,), (60,)]


def test_views_and_temporary_tables_are_left_out(database: str, tmp_path: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS id")
        connection.execute("CREATE VIEW v AS SELECT * FROM t")
        connection.execute("CREATE MATERIALIZED VIEW m AS SELECT * FROM t")
        connection.execute("CREATE SEQUENCE s")
        connection.execute("CREATE TEMPORARY TABLE own AS SELECT 1 AS id")
        assert chunks_run(unload(database, tmp_path)) == {"public.t": 1}
        (namespace,) = connection.execute("SELECT pg_my_temp_schema()::regnamespace::text").fetchone() or ()
        with pytest.raises(SourceRefused, match="has no tables"):
            unload(database, tmp_path, source_schema=namespace)


def test_unlogged_tables_and_catalog_types_are_read_each_time(database: str, tmp_path: Path) -> None:
    execute(
        database,
        "CREATE UNLOGGED TABLE fast AS SELECT 1 AS id",
        "CREATE TABLE refers AS SELECT 'pg_class'::regclass AS which",
        "CREATE TABLE refers_far AS SELECT ARRAY['pg_class'::regclass] AS which",
        "CREATE TABLE plain AS SELECT 1 AS id",
    )
    for expected in ({"public.plain": 1}, {"public.plain": 0}):
        report = chunks_run(unload(database, tmp_path))
        assert report == {"public.fast": 1, "public.refers": 1, "public.refers_far": 1} | expected
    assert published_rows(tmp_path, "refers") == [("pg_class",)]


def test_a_foreign_table_among_the_leaves_is_refused(database: str, tmp_path: Path) -> None:
    execute(
        database,
        "CREATE FOREIGN DATA WRAPPER nothing",
        "CREATE SERVER far FOREIGN DATA WRAPPER nothing",
        "CREATE TABLE t (id int) PARTITION BY LIST (id)",
        "CREATE FOREIGN TABLE t_far PARTITION OF t FOR VALUES IN (1) SERVER far",
    )
    with pytest.raises(SourceRefused, match=r'table "public.t_far" is a foreign table: only heaps'):
        unload(database, tmp_path)


def test_what_is_left_out_is_said(database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    execute(
        database,
        "CREATE TABLE t (i int)",
        "CREATE VIEW seen AS SELECT i FROM t",
        'CREATE MATERIALIZED VIEW "Kept" AS SELECT i FROM t',
        "CREATE SCHEMA elsewhere",
        "CREATE TABLE elsewhere.child () INHERITS (t)",
    )
    unload(database, tmp_path)
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert said == [
        "left out: child table in another schema elsewhere.child",
        'left out: materialized view public."Kept"',
        "left out: view public.seen",
    ]
