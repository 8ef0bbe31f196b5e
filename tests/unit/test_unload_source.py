"""What a reference to a source stands for, and which sources are refused before anybody connects."""

import pytest

from tasks.errors import SourceRefused
from tasks.unload.source import Source, source_of


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        ("postgresql://reader@erp.example:6543/school", "erp.example:6543/school"),
        ("postgres://erp.example/school", "erp.example:5432/school"),
        ("postgresql+psycopg2://erp.example/school", "erp.example:5432/school"),
        ("host=erp.example dbname=school", "erp.example:5432/school"),
        ("postgresql:///school?host=/run/postgresql", "/run/postgresql:5432/school"),
        ("dbname=school", "localhost:5432/school"),
    ],
)
def test_a_source_is_named_by_its_place(reference: str, name: str) -> None:
    assert source_of(reference).name == name


def test_the_operators_name_comes_first() -> None:
    assert source_of("dbname=school", name="erp") == Source(
        name="erp",
        conninfo="dbname=school connect_timeout=10 application_name=reprise client_encoding=UTF8",
    )


def test_what_the_dsn_says_of_itself_stays() -> None:
    conninfo = source_of("dbname=school connect_timeout=3 application_name=night sslmode=require").conninfo
    for part in ("connect_timeout=3", "application_name=night", "sslmode=require"):
        assert part in conninfo


@pytest.mark.parametrize(
    "reference",
    [
        "postgresql://reader:secret@localhost/school",
        "postgresql://localhost/school?password=secret",
        "host=localhost password=secret",
        "postgresql+psycopg://reader:secret@localhost/school",
    ],
)
def test_a_password_in_the_dsn_is_refused_without_being_said(reference: str) -> None:
    with pytest.raises(SourceRefused, match="PGPASSWORD") as caught:
        source_of(reference)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "reference",
    ["nonsense", "mysql://localhost/school", "port", "postgresql://localhost?nonsense=1", "", " ", "postgresql://"],
)
def test_nonsense_is_refused_with_an_example(reference: str) -> None:
    with pytest.raises(SourceRefused, match="write postgresql://user@host:port/database"):
        source_of(reference)


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(Source(name="erp", conninfo="dbname=school", password="secret"))
