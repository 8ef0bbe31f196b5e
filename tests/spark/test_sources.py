import json
from pathlib import Path
from urllib.parse import quote

import duckdb
import pytest
from pyspark.sql import SparkSession

from spark.contracts import ERP, ContractBroken
from spark.sources import SourceBroken, path_of, read_table

SUBJECT = "SELECT '{}' AS id, 'Algèbre' AS name, 1::smallint AS level, 3::smallint AS ects, now() AS updated_at"

ODD_NAMES = [
    "plain",
    "with blank",
    "é",
    "a,b",
    "{x,y}",
    "[z]",
    "50%",
    "%20",
    "day=1",
    "star*?",
    "back\\slash",
    "#1",
    "_hidden",
]


def write_subject(file: Path, subject: str = "1MATH", select: str = SUBJECT) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    duckdb.sql(select.format(subject)).write_parquet(str(file))


def write_manifest(area: Path, **chunks: list[str]) -> Path:
    """A manifest of the tables given, each with its chunk paths."""
    tables = [
        {"schema": "erp", "name": name, "chunks": [{"path": path, "rows": 1} for path in paths]}
        for name, paths in chunks.items()
    ]
    manifest = area / "manifests" / "m1.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text(json.dumps({"format": 1, "tables": tables}))
    return manifest


def subjects(spark: SparkSession, reference: str) -> list[str]:
    return sorted(row.id for row in read_table(spark, reference, "subjects").collect())


@pytest.mark.parametrize("name", ODD_NAMES)
def test_every_name_is_read_letter_by_letter(spark: SparkSession, tmp_path: Path, name: str) -> None:
    area = tmp_path / name
    write_subject(area / "data" / "erp.subjects" / f"{name.lstrip('_')}.parquet")
    write_subject(tmp_path / "x" / "data" / "erp.subjects" / "plain.parquet", "2NOTME")
    manifest = write_manifest(area, subjects=[f"data/erp.subjects/{name.lstrip('_')}.parquet"])
    assert subjects(spark, f"{manifest.as_uri()}#erp.subjects") == ["1MATH"]
    assert subjects(spark, f"{manifest}#subjects") == ["1MATH"]
    assert subjects(spark, str(area / "data" / "erp.subjects")) == ["1MATH"]


def test_a_file_uri_is_decoded_and_anything_else_is_not() -> None:
    assert path_of("file:///data/a%20b/" + quote("é%")) == "file:///data/a b/é%"
    assert path_of("file:/data") == "file:///data"
    assert path_of("s3://bucket/a%20b") == "s3://bucket/a%20b"
    assert path_of("/data/a%20b") == "/data/a%20b"


def test_a_table_of_many_chunks_is_all_its_chunks_and_no_other_file(spark: SparkSession, tmp_path: Path) -> None:
    paths = [f"data/erp.subjects/{n}.parquet" for n in range(40)]
    for n, path in enumerate([*paths, "data/erp.subjects/of-an-older-manifest.parquet"]):
        write_subject(tmp_path / path, f"{n:05d}")
    manifest = write_manifest(tmp_path, subjects=paths)
    assert subjects(spark, f"{manifest}#erp.subjects") == [f"{n:05d}" for n in range(40)]


def test_a_table_without_chunks_is_empty_and_keeps_its_contract(spark: SparkSession, tmp_path: Path) -> None:
    table = read_table(spark, f"{write_manifest(tmp_path, grades=[])}#grades", "grades")
    assert table.collect() == []
    assert {field.name: field.dataType.simpleString() for field in table.schema} == ERP["grades"]


def test_a_manifest_without_the_table_names_those_it_has(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(SourceBroken, match=r"m1\.json has no table erp\.grades; it has: erp\.subjects"):
        read_table(spark, f"{write_manifest(tmp_path, subjects=[])}#erp.grades", "grades")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 2}'])
def test_what_is_no_manifest_is_refused(spark: SparkSession, tmp_path: Path, text: str) -> None:
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(SourceBroken, match=r"m\.json is not a manifest"):
        read_table(spark, f"{tmp_path}/m.json#erp.grades", "grades")


def test_a_missing_column_is_named(spark: SparkSession, tmp_path: Path) -> None:
    write_subject(tmp_path / "s.parquet", select="SELECT '{}' AS id, 'x' AS name, 1::smallint AS level")
    with pytest.raises(ContractBroken, match="table subjects lacks ects, updated_at; it has id, name, level"):
        read_table(spark, f"{tmp_path}/s.parquet", "subjects")


def test_a_column_of_another_type_is_named(spark: SparkSession, tmp_path: Path) -> None:
    write_subject(tmp_path / "s.parquet", select=SUBJECT.replace("3::smallint", "3::int"))
    with pytest.raises(ContractBroken, match=r"column subjects\.ects is int, its contract says smallint"):
        read_table(spark, f"{tmp_path}/s.parquet", "subjects")


def test_text_and_smaller_integers_become_the_contracts_type_and_other_columns_are_left_out(
    spark: SparkSession, tmp_path: Path
) -> None:
    write_subject(
        tmp_path / "s.parquet",
        select=SUBJECT.replace("3::smallint", "'3'").replace("1::smallint", "1::tinyint") + ", 1 AS z",
    )
    table = read_table(spark, f"{tmp_path}/s.parquet", "subjects")
    assert {field.name: field.dataType.simpleString() for field in table.schema} == ERP["subjects"]
    assert [row.ects for row in table.collect()] == [3]
