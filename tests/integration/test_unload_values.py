"""Values are exact or they are PostgreSQL's own text; what a file type cannot hold makes its column text, loudly."""

import math
import struct
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from unloading import assert_published, chunks_run, execute, newest, published_rows, the_table, unload

pytestmark = pytest.mark.usefixtures("prefect_server")


def file_types(storage: Path, table: str) -> dict[str, str]:
    return {column.name: column.file_type for column in newest(storage).table(table).columns}


def test_native_types_are_native_and_exact(database: str, tmp_path: Path) -> None:
    execute(
        database,
        "CREATE TABLE t (n int, b boolean, i2 smallint, i4 integer, i8 bigint, d52 numeric(5,2), d380 numeric(38,0), "
        "d3838 numeric(38,38), x text, v varchar(10), y bytea, d date, ts timestamp, tz timestamptz)",
        "INSERT INTO t VALUES "
        "(1, true, -32768, -2147483648, -9223372036854775808, -999.99, -99999999999999999999999999999999999999, "
        " 0.00000000000000000000000000000000000001, '', 'é''\"\\', '', '4713-01-01 BC', '4713-01-01 BC', "
        " '4713-01-01 BC'), "
        "(2, false, 32767, 2147483647, 9223372036854775807, 999.99, 99999999999999999999999999999999999999, "
        " 0.99999999999999999999999999999999999999, E'a\\nb\\t\\r', ' x ', '\\x00ff0a', '5874897-12-31', "
        " '9999-12-31 23:59:59.999999', '2024-02-29 23:59:59.999999+14'), "
        "(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    )
    unload(database, tmp_path)
    assert file_types(tmp_path, "t") == {
        "n": "INTEGER",
        "b": "BOOLEAN",
        "i2": "SMALLINT",
        "i4": "INTEGER",
        "i8": "BIGINT",
        "d52": "DECIMAL(5,2)",
        "d380": "DECIMAL(38,0)",
        "d3838": "DECIMAL(38,38)",
        "x": "VARCHAR",
        "v": "VARCHAR",
        "y": "BLOB",
        "d": "DATE",
        "ts": "TIMESTAMP",
        "tz": "TIMESTAMP WITH TIME ZONE",
    }
    low, high, null = published_rows(
        tmp_path, "t", what="* REPLACE (d::varchar AS d, ts::varchar AS ts, epoch_us(tz) AS tz)"
    )
    assert low == (
        *(1, True, -32768, -2147483648, -9223372036854775808),
        *(Decimal("-999.99"), Decimal("-" + "9" * 38), Decimal("0." + "0" * 37 + "1")),
        *("", "é'\"\\", b"", "4713-01-01 (BC)", "4713-01-01 (BC) 00:00:00", -210_863_520_000_000_000),
    )
    assert high == (
        *(2, False, 32767, 2147483647, 9223372036854775807),
        *(Decimal("999.99"), Decimal("9" * 38), Decimal("0." + "9" * 38)),
        *("a\nb\t\r", " x ", b"\x00\xff\n", "5874897-12-31", "9999-12-31 23:59:59.999999"),
        int((datetime(2024, 2, 29, 9, 59, 59) - datetime(1970, 1, 1)).total_seconds()) * 1_000_000 + 999_999,
    )
    assert null == (3, *[None] * 13)
    # What readers see: Parquet's own types, not only DuckDB's view of them.
    (described,) = [
        duckdb.sql(f"SELECT * FROM parquet_schema('{file}')").fetchall()
        for file in (tmp_path / "data/public.t").iterdir()
    ]
    assert any("isAdjustedToUTC=1" in str(column) for column in described if column[1] == "tz")
    assert any("isAdjustedToUTC=0" in str(column) for column in described if column[1] == "ts")


def test_floats_keep_every_bit(database: str, tmp_path: Path) -> None:
    # Two thousand rows, so that a dictionary would pay: it must not make 0.0 of -0.0.
    doubles = ["0.0", "-0.0", "NaN", "Infinity", "-Infinity", "5e-324", "1.7976931348623157e308", "0.1", "1e-310"]
    singles = ["0.0", "-0.0", "NaN", "Infinity", "-Infinity", "1e-45", "3.4028235e38", "0.1", "1e-40"]
    listed = ", ".join(f"('{double}', '{single}')" for double, single in zip(doubles, singles, strict=True))
    execute(
        database,
        "CREATE TABLE t (n serial, d float8, s float4)",
        f"INSERT INTO t (d, s) SELECT d::float8, s::float4 FROM generate_series(1, 250), (VALUES {listed}) v (d, s)",
    )
    unload(database, tmp_path)
    assert file_types(tmp_path, "t") == {"n": "INTEGER", "d": "DOUBLE", "s": "FLOAT"}
    rows = sorted(published_rows(tmp_path, "t"))
    for position, (_, double, single) in enumerate(rows):
        expected = position % len(doubles)
        assert same_bits(double, float(doubles[expected]), "<d")
        assert same_bits(single, float(singles[expected]), "<f")


def same_bits(found: float, expected: float, form: str) -> bool:
    if math.isnan(expected):
        return math.isnan(found)
    return struct.pack(form, found) == struct.pack(form, expected)


def test_other_types_are_postgresqls_own_text(database: str, tmp_path: Path) -> None:
    values = {
        "numeric": ("numeric", "'12345678901234567890123456789012345678901234567890.1'", None),
        "numeric_nan": ("numeric", "'NaN'", "NaN"),
        "numeric_infinity": ("numeric", "'-Infinity'", "-Infinity"),
        "numeric_long": ("numeric(50,3)", "12.3", "12.300"),
        "numeric_rounded": ("numeric(3,-2)", "12345", "12300"),
        "numeric_fraction": ("numeric(2,5)", "0.00012", "0.00012"),
        "char": ("char(4)", "'a'", "a   "),
        "char_empty": ("char(2)", "''", "  "),
        "single": ('"char"', "'c'", "c"),
        "name": ("name", "'élan'", "élan"),
        "oid": ("oid", "4294967295", "4294967295"),
        "enum": ("mood", "'très bien'", "très bien"),
        "array": ("int[]", "'[0:1]={1,NULL}'", "[0:1]={1,NULL}"),
        "texts": ("text[]", """ARRAY['a,b', 'NULL', '', '"']""", '{"a,b","NULL","","\\""}'),
        "enums": ("mood[]", "'{ok}'", "{ok}"),
        "composite": ("pair", "ROW(1, '')", '(1,"")'),
        "composite_empty": ("pair", "ROW(NULL, NULL)", "(,)"),
        "range": ("int4range", "'[1,3]'", "[1,4)"),
        "multirange": ("datemultirange", "'{[2024-01-01,2024-01-03)}'", "{[2024-01-01,2024-01-03)}"),
        "json": ("json", """'{"b" : 1, "a":2}'""", '{"b" : 1, "a":2}'),
        "jsonb": ("jsonb", """'{"b" : 1.0, "a":2}'""", '{"a": 2, "b": 1.0}'),
        "uuid": ("uuid", "'A0EEBC999C0B4EF8BB6D6BB9BD380A11'", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
        "inet": ("inet", "'10.1.2.3/8'", "10.1.2.3/8"),
        "cidr": ("cidr", "'2001:db8::/32'", "2001:db8::/32"),
        "time": ("time", "'24:00'", "24:00:00"),
        "timetz": ("timetz", "'23:59:59.999999+02'", "23:59:59.999999+02"),
        "interval": ("interval", "'1 year -2 days 03:04:05.6'", "1 year -2 days +03:04:05.6"),
        "money": ("money", "-1234.5", "-$1,234.50"),
        "tsvector": ("tsvector", "'fat:2A cat:3'", "'cat':3 'fat':2A"),
        "bit": ("bit(3)", "'101'", "101"),
        "varbit": ("varbit", "''", ""),
        "point": ("point", "'(0.1,-0)'", "(0.1,-0)"),
        "lsn": ("pg_lsn", "'1/AB'", "1/AB"),
        "domain_text": ("word", "'x'", "x"),
        "domain_enum": ("good_mood", "'ok'", "ok"),
        "domain_array": ("words", "'{a}'", "{a}"),
        "domain_pair": ("even_pair", "ROW(2, 'b')", "(2,b)"),
        "domain_range": ("span", "'[1,2)'", "[1,2)"),
    }
    execute(
        database,
        "CREATE TYPE mood AS ENUM ('ok', 'très bien')",
        "CREATE TYPE pair AS (a int, b text)",
        "CREATE DOMAIN word AS text CHECK (VALUE <> '')",
        "CREATE DOMAIN good_mood AS mood",
        "CREATE DOMAIN words AS text[]",
        "CREATE DOMAIN even_pair AS pair",
        "CREATE DOMAIN span AS int4range",
        f"CREATE TABLE t ({', '.join(f'{name!r} {kind}' for name, (kind, _, _) in values.items())})".replace("'", '"'),
        f"INSERT INTO t VALUES ({', '.join(value for _, value, _ in values.values())})",
        "INSERT INTO t (oid) VALUES (0)",
    )
    unload(database, tmp_path)
    assert set(file_types(tmp_path, "t").values()) == {"VARCHAR"}
    row, nulls = published_rows(tmp_path, "t")
    expected = {name: text if text is not None else value.strip("'") for name, (_, value, text) in values.items()}
    assert dict(zip(values, row, strict=True)) == expected
    assert [value for value in nulls if value is not None] == ["0"]
    assert_published(database, tmp_path)


def test_a_domain_is_carried_as_its_base_type(database: str, tmp_path: Path) -> None:
    execute(
        database,
        "CREATE DOMAIN price AS numeric(5,2)",
        "CREATE DOMAIN low_price AS price CHECK (VALUE < 10)",
        "CREATE DOMAIN day AS date",
        "CREATE TABLE t (a price, b low_price, c day)",
        "INSERT INTO t VALUES (123.45, 1.5, '2024-02-29')",
    )
    unload(database, tmp_path)
    assert file_types(tmp_path, "t") == {"a": "DECIMAL(5,2)", "b": "DECIMAL(5,2)", "c": "DATE"}
    assert published_rows(tmp_path, "t") == [(Decimal("123.45"), Decimal("1.50"), date(2024, 2, 29))]


def test_a_value_that_no_file_type_holds_makes_its_column_text_for_good(database: str, tmp_path: Path) -> None:
    execute(
        database,
        "CREATE DOMAIN price AS numeric(5,2)",
        "CREATE TABLE t (n int, d numeric(5,2), p price, day date, ts timestamp, tz timestamptz, ok numeric(5,2))",
        "INSERT INTO t VALUES (1, 'NaN', 'NaN', 'infinity', '-infinity', '294276-12-31 23:59:59.999999Z', 1.5), "
        "(2, 1.5, 2, '0044-03-15 BC', '2024-01-01', '-infinity', 2.5), (3, NULL, NULL, NULL, NULL, NULL, NULL)",
        "CREATE TABLE plain AS SELECT 1.5::numeric(5,2) AS d",
    )
    report = unload(database, tmp_path)
    assert the_table(report, "public.t").chunks_run == 1
    texts = {"d", "p", "day", "ts", "tz"}
    assert {name for name, kind in file_types(tmp_path, "t").items() if kind == "VARCHAR"} == texts
    assert {column.name for column in newest(tmp_path).table("t").columns if column.as_text} == texts
    assert file_types(tmp_path, "plain") == {"d": "DECIMAL(5,2)"}
    assert published_rows(tmp_path, "t") == [
        (1, "NaN", "NaN", "infinity", "-infinity", "294276-12-31 23:59:59.999999+00", Decimal("1.50")),
        (2, "1.50", "2.00", "0044-03-15 BC", "2024-01-01 00:00:00", "-infinity", Decimal("2.50")),
        (3, None, None, None, None, None, None),
    ]
    execute(database, "DELETE FROM t WHERE n <= 2")
    assert chunks_run(unload(database, tmp_path)) == {"public.plain": 0, "public.t": 1}
    assert {name for name, kind in file_types(tmp_path, "t").items() if kind == "VARCHAR"} == texts
    assert_published(database, tmp_path)


def test_the_same_row_gives_the_same_bytes(database: str, tmp_path: Path) -> None:
    execute(database, "CREATE TABLE t AS SELECT i, i::text AS x, i * 0.5 AS f FROM generate_series(1, 5000) i")
    first = the_table(unload(database, tmp_path), "public.t")
    (entry,) = newest(tmp_path).table("t").chunks
    (tmp_path / entry.path).unlink()
    assert the_table(unload(database, tmp_path), "public.t").files == first.files
    assert newest(tmp_path).table("t").chunks[0].sha256 == entry.sha256
