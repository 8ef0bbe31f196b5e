"""How each PostgreSQL type is carried in a Parquet file: exactly, or as PostgreSQL's own text.

| PostgreSQL                                     | Parquet                        |
|------------------------------------------------|--------------------------------|
| boolean                                        | BOOLEAN                        |
| smallint, integer, bigint                      | INT 16, 32, 64                 |
| real, double precision                         | FLOAT, DOUBLE                  |
| numeric(p,s), p <= 38 and 0 <= s <= p          | DECIMAL(p,s)                   |
| text, varchar                                  | STRING                         |
| bytea                                          | BYTE_ARRAY                     |
| date                                           | DATE                           |
| timestamp                                      | TIMESTAMP, microseconds, local |
| timestamptz                                    | TIMESTAMP, microseconds, UTC   |
| every other type                               | STRING: PostgreSQL's own text  |

PostgreSQL's own text is what the type's output function gives under the session settings of source.py. A domain is
carried as its base type. A `NaN` in numeric(p,s), and dates and timestamps that are infinite or beyond microseconds
in 64 bits, have no place in these types: they raise ValueNotExact, and the run carries that column as text instead.
"""

from dataclasses import dataclass

from psycopg import sql

#: Part of every content key: raise it when the table above changes.
MAPPING_VERSION = 1

TEXT = "VARCHAR"
_NATIVE = {
    "bool": "BOOLEAN",
    "int2": "SMALLINT",
    "int4": "INTEGER",
    "int8": "BIGINT",
    "float4": "FLOAT",
    "float8": "DOUBLE",
    "text": TEXT,
    "varchar": TEXT,
    "bytea": "BLOB",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMP WITH TIME ZONE",
}


@dataclass(frozen=True, kw_only=True)
class ColumnPlan:
    """One column: as the source declares it, and how it is carried.

    builtin: name of the base type if it is one of PostgreSQL's own, e.g. `int4`; None for others.
    modifier: the base type's modifier, -1 for none.
    domain_over: schema and name of the base type, if the column's type is a domain.
    output: schema and name of the base type's output function.
    as_text: carried as text whatever the type, since a value was met that its file type cannot hold.
    """

    name: str
    declared: str
    nullable: bool
    builtin: str | None
    modifier: int
    domain_over: tuple[str, str] | None
    output: tuple[str, str]
    as_text: bool = False

    @property
    def file_type(self) -> str:
        """The column's type in the file, in DuckDB's words."""
        if self.as_text or self.builtin is None:
            return TEXT
        return self._decimal or _NATIVE.get(self.builtin, TEXT)

    @property
    def _decimal(self) -> str | None:
        if self.builtin != "numeric" or self.modifier < 0:
            return None
        precision = (self.modifier - 4) >> 16 & 0xFFFF
        scale = ((self.modifier - 4) & 0x7FF ^ 1024) - 1024  # 11 bits, signed since PostgreSQL 15
        return f"DECIMAL({precision},{scale})" if precision <= 38 and 0 <= scale <= precision else None

    @property
    def expression(self) -> sql.Composable:
        """What PostgreSQL is asked to send.

        A numeric goes as text, since the reader would turn its NaN into zero, and is parsed into DECIMAL on our side.
        """
        column: sql.Composable = sql.Identifier(self.name)
        if self.file_type == _NATIVE.get(self.builtin or ""):
            return column
        if self.domain_over is not None:  # output functions of enums, arrays and the like take no domain over one
            column = sql.SQL("CAST({} AS {})").format(column, sql.Identifier(*self.domain_over))
        return sql.SQL("pg_catalog.textin({}({}))").format(sql.Identifier(*self.output), column)
