"""What may happen to a source between, and in the middle of, two unloads: writes, upkeep and DDL, as plain SQL."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import hypothesis.strategies as st
import psycopg
from psycopg import sql

# {table}, {other}: two tables of the schema, maybe one and the same; {a}, {b}, {c}: numbers below 100.
ROWS = "SELECT i, repeat(md5({a} || ' ' || i), 1 + i % 40) FROM generate_series({a}, {a} + 2 * {b}) i"
WRITES = (
    f"INSERT INTO {{table}} (id, word) {ROWS}",
    f"INSERT INTO {{other}} (id, word) {ROWS}",
    "INSERT INTO {table} (id, word) VALUES ({a}, NULL), ({a}, ''), (NULL, repeat('école ', 40 * {b}))",
    "UPDATE {table} SET word = md5(word || {a}) WHERE id = {b}",
    "UPDATE {table} SET word = word || 'x' WHERE id % 7 = {c} % 7",
    "UPDATE {table} SET extra0 = extra0 WHERE id % 5 = {c} % 5",
    "DELETE FROM {table} WHERE id % 9 = {c} % 9",
    "DELETE FROM {table} WHERE ctid = '({c}, {a})'",
    "DELETE FROM {table}",
)
TRANSACTIONS = (
    f"BEGIN; INSERT INTO {{table}} (id, word) {ROWS}; SAVEPOINT a; DELETE FROM {{table}}; ROLLBACK TO a; COMMIT",
    f"BEGIN; SAVEPOINT a; INSERT INTO {{table}} (id, word) {ROWS}; ROLLBACK TO a; "
    "INSERT INTO {table} (id, word) VALUES ({b}, 'kept'); SAVEPOINT b; UPDATE {table} SET word = 'b' WHERE id = {b}; "
    "RELEASE b; SAVEPOINT c; UPDATE {table} SET word = 'never' WHERE id = {b}; ROLLBACK TO c; COMMIT",
    f"BEGIN; INSERT INTO {{table}} (id, word) {ROWS}; UPDATE {{table}} SET word = 'never'; ROLLBACK",
    f"BEGIN; INSERT INTO {{table}} (id, word) {ROWS}; DELETE FROM {{table}} WHERE id < {{a}} + {{b}}; COMMIT",
)
UPKEEP = (
    "VACUUM {table}",
    "VACUUM (FREEZE) {table}",
    "VACUUM (FULL) {table}",
    "VACUUM (FULL, FREEZE) {table}",
    "TRUNCATE {table}",
    "BEGIN; TRUNCATE {table}; INSERT INTO {table} (id, word) VALUES ({a}, 'first'); COMMIT",
    "BEGIN; TRUNCATE {table}; ROLLBACK",
    "CHECKPOINT",
)
DDL = (
    "ALTER TABLE {table} ADD COLUMN extra0 int DEFAULT {a}",
    "ALTER TABLE {table} ADD COLUMN extra1 numeric(10,2) DEFAULT {a}.25",
    "ALTER TABLE {table} ADD COLUMN extra0 mood DEFAULT 'calm'",
    "ALTER TABLE {table} ADD COLUMN extra1 timestamptz DEFAULT now()",
    "ALTER TABLE {table} ADD COLUMN extra0 int GENERATED ALWAYS AS (length(word) + {a}) VIRTUAL",
    "ALTER TABLE {table} ADD COLUMN extra1 int GENERATED ALWAYS AS (length(word) + {a}) STORED",
    "ALTER TABLE {table} ALTER COLUMN extra0 SET EXPRESSION AS (length(word) + {b})",
    "ALTER TABLE {table} DROP COLUMN extra0",
    "ALTER TABLE {table} DROP COLUMN extra1",
    "ALTER TABLE {table} ALTER COLUMN id TYPE bigint",
    "ALTER TABLE {table} ALTER COLUMN id TYPE int",
    "ALTER TABLE {table} ALTER COLUMN word TYPE varchar(100000)",
    "ALTER TABLE {table} ALTER COLUMN word TYPE text",
    "ALTER TABLE {table} ALTER COLUMN extra0 TYPE text",
    "ALTER TABLE {table} RENAME COLUMN extra0 TO extra1",
    "BEGIN; ALTER TABLE {table} RENAME COLUMN extra0 TO extra2; ALTER TABLE {table} RENAME COLUMN extra1 TO extra0; "
    "ALTER TABLE {table} RENAME COLUMN extra2 TO extra1; COMMIT",
    "BEGIN; ALTER TABLE {table} RENAME TO swap; ALTER TABLE {other} RENAME TO {table}; "
    "ALTER TABLE swap RENAME TO {other}; COMMIT",
    "ALTER TABLE {table} RENAME TO renamed",
    "ALTER TABLE {table} SET UNLOGGED",
    "ALTER TABLE {table} SET LOGGED",
    "ALTER TYPE mood RENAME VALUE 'calm' TO 'cross'",
    "ALTER TYPE mood RENAME VALUE 'cross' TO 'calm'",
    "BEGIN; ALTER TYPE mood RENAME VALUE 'calm' TO 'x'; ALTER TYPE mood RENAME VALUE 'glad' TO 'calm'; "
    "ALTER TYPE mood RENAME VALUE 'x' TO 'glad'; COMMIT",
    "CREATE TABLE made (id int, word text)",
    f"CREATE TABLE made AS SELECT i AS id, word FROM ({ROWS}) AS r (i, word)",
    "DROP TABLE {table}",
    "BEGIN; DROP TABLE {table}; CREATE TABLE {table} (id int, word text); COMMIT",
    "ALTER TABLE parts DETACH PARTITION even",
    "ALTER TABLE parts ATTACH PARTITION even FOR VALUES IN (0)",
)
SETTING_UP = """
CREATE TYPE mood AS ENUM ('calm', 'glad');
CREATE TABLE first (id int, word text);
CREATE TABLE second (id int, word text, extra0 mood DEFAULT 'glad');
CREATE TABLE parts (id int, word text) PARTITION BY LIST ((abs(id) % 2));
CREATE TABLE even PARTITION OF parts FOR VALUES IN (0);
CREATE TABLE odd PARTITION OF parts DEFAULT;
"""
#: What PostgreSQL may answer to a change that does not fit the tables as they are: then nothing has changed.
REFUSALS = (
    psycopg.errors.LockNotAvailable,  # the late transaction holds it
    psycopg.errors.DataError,
    psycopg.errors.IntegrityError,
    psycopg.errors.NotSupportedError,
    psycopg.errors.ProgrammingError,
    psycopg.errors.ObjectNotInPrerequisiteState,
    psycopg.errors.ObjectInUse,
)


NUMBERS = dict.fromkeys(("table", "other", "a", "b", "c"), st.integers(0, 99))


@dataclass(frozen=True)
class Change:
    """One statement, filled with numbers; a late one belongs to the transaction that commits late."""

    text: str
    table: int = 0
    other: int = 0
    a: int = 0
    b: int = 0
    c: int = 0
    is_late: bool = False


def changes() -> st.SearchStrategy[Change]:
    """Any change; writes are the commonest."""
    return _any_of(WRITES) | _any_of(WRITES) | _any_of(TRANSACTIONS) | _any_of(UPKEEP) | _any_of(DDL) | _late()


def disturbances() -> st.SearchStrategy[Change]:
    """Any change in the middle of an unload; what rewrites a table or alters the catalog is the commonest."""
    return _any_of(WRITES) | _any_of(UPKEEP) | _any_of(DDL) | _late()


def _any_of(texts: tuple[str, ...]) -> st.SearchStrategy[Change]:
    return st.builds(Change, st.sampled_from(texts), **NUMBERS)


def _late() -> st.SearchStrategy[Change]:
    return st.builds(
        Change, st.sampled_from((*WRITES, "COMMIT", "COMMIT", "ROLLBACK")), **NUMBERS, is_late=st.just(True)
    )


class Writers:
    """Two sessions that write to a schema of their own: a prompt one, and one whose transaction stays open."""

    def __init__(self, dsn: str, schema: str) -> None:
        self.schema = schema
        self._prompt, self._late = (
            psycopg.connect(dsn, autocommit=True, options=f"-c search_path={schema} -c lock_timeout=50ms")
            for _ in range(2)
        )
        self._prompt.execute(f"CREATE SCHEMA {schema}; {SETTING_UP}")

    def make(self, change: Change) -> str:
        """Make a change and say which; or by which error PostgreSQL refused it, so that nothing changed."""
        session = self._late if change.is_late else self._prompt
        if change.is_late and session.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            session.execute("BEGIN")
        try:
            session.execute(self._filled(change))
        except REFUSALS as error:
            session.execute("ROLLBACK")
            return f"refused: {type(error).__name__}"
        return change.text

    def _filled(self, change: Change) -> sql.Composed:
        rows = self._prompt.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = %s::regnamespace AND relkind IN ('r', 'p') ORDER BY 1",
            [self.schema],
        ).fetchall()
        names = [sql.Identifier(name) for (name,) in rows] or [sql.Identifier("none")]
        table, other = (names[number % len(names)] for number in (change.table, change.other))
        return sql.SQL(change.text).format(
            table=table, other=other, a=sql.Literal(change.a), b=sql.Literal(change.b), c=sql.Literal(change.c)
        )

    def close(self) -> None:
        self._late.close()
        self._prompt.execute(f"DROP SCHEMA {self.schema} CASCADE")
        self._prompt.close()


@contextmanager
def writers(dsn: str, schema: str) -> Iterator[Writers]:
    both = Writers(dsn, schema)
    try:
        yield both
    finally:
        both.close()
