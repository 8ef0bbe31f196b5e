"""Loading generated files into PostgreSQL: whole, under every constraint, or not at all."""

import shutil
from pathlib import Path

import psycopg
import pytest

from erp.errors import ErpError
from erp.generator import generate
from erp.loader import load
from erp.origin import Recipe, read_origin
from erp.tables import TABLES

KEYS = {
    "apprenticeships": "PRIMARY KEY (id)",
    "attendances": "PRIMARY KEY (student_id, lesson_id)",
    "audiences": "PRIMARY KEY (id)",
    "campuses": "PRIMARY KEY (id)",
    "companies": "PRIMARY KEY (id)",
    "events": "PRIMARY KEY (id)",
    "grades": "PRIMARY KEY (id)",
    "lessons": "PRIMARY KEY (id)",
    "professors": "PRIMARY KEY (id)",
    "students": "PRIMARY KEY (id)",
    "subjects": "PRIMARY KEY (id)",
}
UNIQUE = {
    ("campuses", "UNIQUE (name)"),
    ("companies", "UNIQUE (siren)"),
    ("grades", "UNIQUE (student_id, subject_id, academic_year, exam)"),
    ("professors", "UNIQUE (email)"),
    ("students", "UNIQUE (email)"),
}
REFERENCES = {
    ("apprenticeships", "company_id", "companies"),
    ("apprenticeships", "student_id", "students"),
    ("attendances", "lesson_id", "lessons"),
    ("attendances", "student_id", "students"),
    ("audiences", "event_id", "events"),
    ("audiences", "student_id", "students"),
    ("events", "campus_id", "campuses"),
    ("grades", "student_id", "students"),
    ("grades", "subject_id", "subjects"),
    ("lessons", "campus_id", "campuses"),
    ("lessons", "professor_id", "professors"),
    ("lessons", "subject_id", "subjects"),
    ("professors", "campus_id", "campuses"),
    ("students", "campus_id", "campuses"),
    ("students", "hired_company_id", "companies"),
}


def silent(what: str, rows: int, seconds: float) -> None:
    pass


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    generate(Recipe(scale=0.02, seed=5), folder, silent)
    return folder


@pytest.fixture
def loaded(database: str, files: Path) -> str:
    load(database, files, silent)
    return database


def constraints(connection: psycopg.Connection, kind: str) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT relname, pg_get_constraintdef(c.oid) FROM pg_constraint c JOIN pg_class ON pg_class.oid = conrelid "
        "WHERE connamespace = 'erp'::regnamespace AND contype = %s AND convalidated ORDER BY 1, 2",
        [kind],
    ).fetchall()


def test_every_row_is_loaded_under_every_key(loaded: str, files: Path) -> None:
    with psycopg.connect(loaded) as connection:
        for table in TABLES:
            lines = (files / f"{table}.csv").read_text(encoding="utf-8").count("\n") - 1
            assert connection.execute(f"SELECT count(*) FROM erp.{table}".encode()).fetchone() == (lines,), table
        assert dict(constraints(connection, "p")) == KEYS
        assert set(constraints(connection, "u")) == UNIQUE
        wanted = {(t, f"FOREIGN KEY ({column}) REFERENCES erp.{to}(id)") for t, column, to in REFERENCES}
        assert set(constraints(connection, "f")) == wanted
        assert len(constraints(connection, "c")) == 19


@pytest.mark.parametrize("recipe", [Recipe(scale=0.01, seed=0), Recipe(scale=0.13, seed=2**63 - 1)])
def test_other_recipes_satisfy_the_constraints_too(database: str, tmp_path: Path, recipe: Recipe) -> None:
    generate(recipe, tmp_path, silent)
    load(database, tmp_path, silent)


def test_reader_sees_every_table_and_changes_nothing(loaded: str) -> None:
    with psycopg.connect(loaded, autocommit=True) as connection:
        connection.execute("CREATE TABLE erp.later (id int)")
        connection.execute("SET SESSION AUTHORIZATION reprise_reader")
        for table in (*TABLES, "later"):
            connection.execute(f"SELECT * FROM erp.{table} LIMIT 1".encode())
        for change in ("DELETE FROM erp.grades", "CREATE TABLE erp.mine (id int)", "TRUNCATE erp.events"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(change.encode())
        connection.execute("RESET SESSION AUTHORIZATION")
    with psycopg.connect(loaded) as connection:
        row = connection.execute(
            "SELECT rolcanlogin, rolsuper, rolconnlimit > 0, rolconfig FROM pg_roles WHERE rolname = 'reprise_reader'"
        ).fetchone()
    assert row == (True, False, True, ["default_transaction_read_only=on"])


def test_existing_schema_is_refused_unless_it_is_to_be_replaced(loaded: str, files: Path) -> None:
    with psycopg.connect(loaded) as connection:
        connection.execute("DELETE FROM erp.audiences")
    with pytest.raises(ErpError, match=r"has a schema erp already; say --replace to drop it"):
        load(loaded, files, silent)
    with psycopg.connect(loaded) as connection:
        assert connection.execute("SELECT count(*) FROM erp.audiences").fetchone() == (0,)
    load(loaded, files, silent, replace=True)
    with psycopg.connect(loaded) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM erp.audiences").fetchone() == (True,)


def test_broken_file_loads_nothing_and_keeps_what_was_there(loaded: str, files: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(files, broken)
    with (broken / "audiences.csv").open("a", encoding="utf-8") as file:
        file.write("not,a,contact\n")
    with pytest.raises(ErpError, match=r"(?s)was not loaded and the database is as it was: .*audiences"):
        load(loaded, broken, silent, replace=True)
    with psycopg.connect(loaded) as connection:
        assert connection.execute("SELECT count(*) > 0 FROM erp.audiences").fetchone() == (True,)


def test_origin_is_beside_the_data(loaded: str, files: Path) -> None:
    with psycopg.connect(loaded) as connection:
        rows = connection.execute("SELECT scale, seed, generator FROM erp_origin.loaded").fetchall()
    assert rows == [(0.02, 5, read_origin(files).generator)]


def test_role_that_may_not_create_is_told_so(database: str, files: Path) -> None:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS newcomer")
        connection.execute("CREATE ROLE newcomer LOGIN")
    with pytest.raises(ErpError, match=r"permission denied .*; use a role that may create schemas and roles"):
        load(psycopg.conninfo.make_conninfo(database, user="newcomer"), files, silent)
