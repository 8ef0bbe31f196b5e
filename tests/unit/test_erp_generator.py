"""The generated files: the same bytes every time, whole at every scale, dirty as planned."""

import hashlib
import json
from pathlib import Path

import pytest
from erp_files import ErpFiles

from erp.errors import ErpError
from erp.generator import generate
from erp.origin import Recipe, read_origin
from erp.tables import TABLES


def make(folder: Path, *, scale: float = 0.01, seed: int = 3) -> Path:
    generate(Recipe(scale=scale, seed=seed), folder, lambda what, rows, seconds: None)
    return folder


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("generated"))


@pytest.fixture(scope="module")
def erp(folder: Path) -> ErpFiles:
    return ErpFiles(folder)


def test_same_scale_and_seed_give_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    assert digests(make(tmp_path)) == digests(folder)


def test_another_seed_gives_other_people(folder: Path, tmp_path: Path) -> None:
    assert digests(make(tmp_path, seed=4))["students.csv"] != digests(folder)["students.csv"]


def test_generating_again_replaces_what_was_generated(folder: Path, tmp_path: Path) -> None:
    make(tmp_path, seed=4)
    make(tmp_path)
    assert digests(tmp_path) == digests(folder)


def test_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ErpError, match=r"holds 'thesis.txt', which was not generated; name an empty folder"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_unfinished_folder_has_no_origin(folder: Path, tmp_path: Path) -> None:
    assert read_origin(folder).recipe == Recipe(scale=0.01, seed=3)
    with pytest.raises(ErpError, match=r"holds no complete ERP .* run `python -m erp generate"):
        read_origin(tmp_path)


@pytest.mark.parametrize(("scale", "seed"), [(0.0, 1), (-1.0, 1), (1e9, 1), (float("nan"), 1), (1.0, -1), (1.0, 2**63)])
def test_senseless_recipe_is_refused(scale: float, seed: int) -> None:
    with pytest.raises(ErpError, match="out of range; choose"):
        Recipe(scale=scale, seed=seed)


def test_truth_counts_the_rows_of_every_table(folder: Path, erp: ErpFiles) -> None:
    counts = json.loads((folder / "truth.json").read_text())["rows"]
    assert counts == {table: erp.value(f"SELECT count(*) FROM {table}") for table in TABLES}
    assert all(counts.values())


def test_thirty_campuses_in_fifteen_regions(erp: ErpFiles) -> None:
    assert erp.rows("SELECT count(DISTINCT id), count(DISTINCT region_code) FROM campuses") == [(30, 15)]


def test_attendances_lie_within_the_enrolment(erp: ErpFiles) -> None:
    outside = """
        SELECT count(*) FROM attendances a JOIN students s ON s.id = a.student_id JOIN lessons l ON l.id = a.lesson_id
        WHERE l.starts_at::DATE < s.join_date OR l.starts_at::DATE >= s.left_date OR a.recorded_at < l.starts_at"""
    assert erp.value(outside) == 0


def test_everything_happened_before_the_end_of_the_data(erp: ErpFiles) -> None:
    for table, column in [
        ("students", "updated_at"),
        ("students", "left_date"),
        ("students", "hired_at"),
        ("lessons", "starts_at"),
        ("grades", "updated_at"),
        ("apprenticeships", "updated_at"),
        ("audiences", "updated_at"),
    ]:
        assert erp.value(f"SELECT max({column}) < '2026-09-01' FROM {table}"), f"{table}.{column}"


def test_professors_teach_while_they_are_there(erp: ErpFiles) -> None:
    outside = """
        SELECT count(*) FROM lessons l JOIN professors p ON p.id = l.professor_id
        WHERE l.starts_at::DATE < p.joined_on OR l.starts_at::DATE >= p.left_on OR l.campus_id <> p.campus_id"""
    assert erp.value(outside) == 0


def test_contacts_without_id_are_found_by_cleaned_email_and_no_other_is(erp: ErpFiles) -> None:
    found = """
        SELECT a.id, s.id FROM audiences a JOIN students s
        ON s.id = a.student_id OR (a.student_id IS NULL AND lower(trim(a.email)) = lower(trim(s.personal_email)))
        ORDER BY 1, 2"""
    assert erp.rows(found) == erp.rows("SELECT audience_id, student_id FROM truth_links ORDER BY 1, 2")


def test_planted_dirt_is_there(folder: Path, tmp_path: Path) -> None:
    erp = ErpFiles(make(tmp_path, scale=0.1))
    shares = erp.columns("""
        SELECT (SELECT avg(1 - has_student_id::INT) FROM truth_links) AS unlinked,
               avg((email <> lower(email))::INT) AS capitals, avg((email LIKE ' %')::INT) AS blank FROM audiences""")
    assert {name: round(float(value[0]), 2) for name, value in shares.items()} == pytest.approx(
        {"unlinked": 0.20, "capitals": 0.08, "blank": 0.06}, abs=0.05
    )
    never_taught = """
        SELECT count(*) FROM students WHERE left_date IS NOT NULL AND id NOT IN (SELECT student_id FROM attendances)"""
    happened = json.loads((tmp_path / "truth.json").read_text())["happened"]
    assert erp.value(never_taught) == happened["left_before_first_lesson"] > 0


def test_names_that_break_readers_are_there(tmp_path: Path) -> None:
    erp = ErpFiles(make(tmp_path, scale=0.2))
    names = {name for (name,) in erp.rows("SELECT DISTINCT last_name FROM audiences")}
    assert {"NA", "D'Angelo", "Le Goff", "Saint-Martin", "Müller"} <= names
