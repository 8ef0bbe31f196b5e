"""Which PostgreSQL type is carried as which file type, and what PostgreSQL is asked to send for it."""

import pytest

from tasks.unload.types import ColumnPlan


def column(builtin: str | None, modifier: int = -1, *, as_text: bool = False) -> ColumnPlan:
    return ColumnPlan(
        name="c",
        declared="",
        nullable=True,
        builtin=builtin,
        modifier=modifier,
        domain_over=None,
        output=("pg_catalog", "out"),
        as_text=as_text,
    )


def numeric(precision: int, scale: int) -> ColumnPlan:
    return column("numeric", (precision << 16 | scale & 0x7FF) + 4)  # as numerictypmodin() packs it


@pytest.mark.parametrize(
    ("builtin", "file_type"),
    [
        ("bool", "BOOLEAN"),
        ("int2", "SMALLINT"),
        ("int4", "INTEGER"),
        ("int8", "BIGINT"),
        ("float4", "FLOAT"),
        ("float8", "DOUBLE"),
        ("text", "VARCHAR"),
        ("varchar", "VARCHAR"),
        ("bytea", "BLOB"),
        ("date", "DATE"),
        ("timestamp", "TIMESTAMP"),
        ("timestamptz", "TIMESTAMP WITH TIME ZONE"),
    ],
)
def test_a_type_with_an_exact_twin_goes_as_it_is(builtin: str, file_type: str) -> None:
    assert column(builtin).file_type == file_type
    assert column(builtin).expression.as_string() == '"c"'


@pytest.mark.parametrize("builtin", ["bpchar", "numeric", "uuid", "json", "_int4", "time", "interval", "oid", None])
def test_every_other_type_goes_as_text(builtin: str | None) -> None:
    assert column(builtin).file_type == "VARCHAR"
    assert column(builtin).expression.as_string() == 'pg_catalog.textin("pg_catalog"."out"("c"))'


@pytest.mark.parametrize(
    ("precision", "scale", "file_type"),
    [
        (5, 2, "DECIMAL(5,2)"),
        (38, 38, "DECIMAL(38,38)"),
        (1, 0, "DECIMAL(1,0)"),
        (39, 0, "VARCHAR"),
        (1000, 2, "VARCHAR"),
        (3, -2, "VARCHAR"),
        (2, 5, "VARCHAR"),
        (5, -1000, "VARCHAR"),
        (5, 1000, "VARCHAR"),
    ],
)
def test_a_bounded_numeric_is_a_decimal_where_one_can_hold_it(precision: int, scale: int, file_type: str) -> None:
    assert numeric(precision, scale).file_type == file_type
    # As text on the way, whatever the file type: the reader would make zero of NaN.
    assert numeric(precision, scale).expression.as_string() == 'pg_catalog.textin("pg_catalog"."out"("c"))'


def test_a_column_that_has_to_be_text_is_text() -> None:
    assert column("date", as_text=True).file_type == "VARCHAR"
    assert column("date", as_text=True).expression.as_string() == 'pg_catalog.textin("pg_catalog"."out"("c"))'
