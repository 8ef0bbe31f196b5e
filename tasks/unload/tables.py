"""Which tables a schema has, under the snapshot: their columns, their heaps, their schema ids."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from psycopg import sql

from tasks.chunks import content_key
from tasks.errors import CatalogChanged, SourceRefused
from tasks.unload.queries import query
from tasks.unload.source import Connection, Row, one_row
from tasks.unload.types import ColumnPlan

#: Types whose text depends on the catalog beyond their own definition: their chunks are read out every time.
CATALOG_TYPES = frozenset(
    {"regclass", "regcollation", "regconfig", "regdictionary", "regnamespace", "regoper", "regoperator", "regproc"}
    | {"regprocedure", "regrole", "regtype", "aclitem"}
)


@dataclass(frozen=True, kw_only=True)
class Heap:
    """Where rows of a table lie: the table itself, or one leaf of a partitioned table.

    filenode: names the heap's storage; a rewritten heap has another.
    schema_id: hash of all that decides how its stored rows become values.
    is_cacheable: whether equal fingerprints prove equal content.
    """

    oid: int
    schema: str
    name: str
    filenode: int
    schema_id: str
    is_cacheable: bool

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of the source: what it is called, what its rows hold, where they lie."""

    schema: str
    name: str
    columns: tuple[ColumnPlan, ...]
    heaps: tuple[Heap, ...]

    @property
    def full_name(self) -> str:
        return f"{self.schema}.{self.name}"


def find_tables(connection: Connection, schema: str) -> tuple[Table, ...]:
    """All tables of a schema, sorted by name. Raises SourceRefused: no such schema, no tables, or one not readable."""
    _require_schema(connection, schema)
    rows = connection.execute(query("tables", schema=sql.Literal(schema))).fetchall()
    if not rows:
        raise SourceRefused(f"schema {schema!r} has no tables: name another schema")
    return tuple(_table(connection, schema, row) for row in rows)


def left_out(connection: Connection, schema: str) -> tuple[str, ...]:
    """Relations that an unload of the schema does not show though somebody may expect it, e.g. `view erp.totals`."""
    rows = connection.execute(query("left_out", schema=sql.Literal(schema))).fetchall()
    return tuple(f"{row['kind']} {row['name']}" for row in rows)


def with_text(tables: Iterable[Table], columns: frozenset[tuple[str, str]]) -> tuple[Table, ...]:
    """The tables, with the named columns (table's full name, column) carried as text."""
    return tuple(
        replace(
            table,
            columns=tuple(
                replace(column, as_text=column.as_text or (table.full_name, column.name) in columns)
                for column in table.columns
            ),
        )
        for table in tables
    )


@dataclass(frozen=True, kw_only=True)
class HeapSchema:
    """Attributes and types of a heap: a hash of them all, and PostgreSQL's own types among them."""

    id: str
    builtins: frozenset[str]


def heap_schema(connection: Connection, heap: int) -> HeapSchema:
    """The schema of a heap (by oid) as the connection sees it: now, or under its snapshot."""
    parts = connection.execute(query("schema_parts", heap=sql.Literal(heap))).fetchall()
    return HeapSchema(
        id=content_key(parts=[[part["part"], part["description"]] for part in parts]),
        builtins=frozenset(part["builtin"] for part in parts if part["builtin"]),
    )


def _require_schema(connection: Connection, schema: str) -> None:
    row = connection.execute(query("schema_exists", schema=sql.Literal(schema))).fetchone()
    if row is None:
        raise SourceRefused(f"the database has no schema {schema!r}: name one that it has")
    if not row["usable"]:
        grant = f"GRANT USAGE ON SCHEMA {schema} TO {connection.info.user}"
        raise SourceRefused(f"schema {schema!r} may not be read by {connection.info.user}: {grant}")


def _table(connection: Connection, schema: str, row: Row) -> Table:
    columns = connection.execute(query("columns", table=sql.Literal(row["oid"]))).fetchall()
    if not columns:
        raise SourceRefused(f'table "{schema}.{row["name"]}" has no columns, which no Parquet file can hold: drop it')
    _require_distinct(f"{schema}.{row['name']}", [column["name"] for column in columns])
    heaps = connection.execute(query("heaps", table=sql.Literal(row["oid"]))).fetchall()
    return Table(
        schema=schema,
        name=row["name"],
        columns=tuple(_column(column) for column in columns),
        heaps=tuple(_heap(connection, heap) for heap in heaps),
    )


def _require_distinct(table: str, names: list[str]) -> None:
    """The writer of the files takes names that differ in case alone for one, and would rename the second."""
    seen: dict[str, str] = {}
    for name in names:
        twin = seen.setdefault(name.lower(), name)
        if twin != name:
            raise SourceRefused(f'table "{table}": columns "{twin}" and "{name}" differ in case alone: rename one')


def _column(row: Row) -> ColumnPlan:
    return ColumnPlan(
        name=row["name"],
        declared=row["declared"],
        nullable=row["nullable"],
        builtin=row["builtin"],
        modifier=row["modifier"],
        domain_over=(row["base_schema"], row["base_type"]) if row["is_domain"] else None,
        output=(row["output_schema"], row["output_function"]),
    )


def _heap(connection: Connection, row: Row) -> Heap:
    name = f"{row['schema']}.{row['name']}"
    if row["kind"] != "r" or row["access_method"] != "heap":
        what = "a foreign table" if row["kind"] == "f" else f"stored by access method {row['access_method']!r}"
        raise SourceRefused(f'table "{name}" is {what}: only heaps can be read by block ranges')
    if row["readable"] is None:
        raise CatalogChanged(f'table "{name}" was dropped after the snapshot')
    if not row["readable"]:
        user = connection.info.user
        raise SourceRefused(f'table "{name}" may not be read by {user}: GRANT SELECT ON {name} TO {user}')
    schema = heap_schema(connection, row["oid"])
    return Heap(
        oid=row["oid"],
        schema=row["schema"],
        name=row["name"],
        filenode=row["filenode"],
        schema_id=schema.id,
        # After a crash an unlogged table starts empty and transaction numbers come again: no fence helps there.
        is_cacheable=not row["is_unlogged"] and schema.builtins.isdisjoint(CATALOG_TYPES),
    )


def count_blocks(connection: Connection, heap: Heap) -> int:
    """Size of the heap now, in blocks of the server. Raises CatalogChanged when it was dropped."""
    blocks: int | None = one_row(connection, query("blocks", heap=sql.Literal(heap.oid)))["blocks"]
    if blocks is None:
        raise CatalogChanged(f'table "{heap.full_name}" was dropped after the snapshot')
    return blocks
