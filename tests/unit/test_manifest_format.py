"""Manifests: names that stay apart, ids that sort, and `latest`, which never goes back."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tasks.errors import ManifestBroken
from tasks.manifest import (
    Manifest,
    SourceEntry,
    dataset_name,
    latest_entry,
    latest_manifest,
    list_manifests,
    manifest_id,
    publish_manifest,
    read_manifest,
    safe_name,
)
from tasks.storage import FolderArea

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def manifest(dataset: str = "erp", at: datetime = NOON) -> Manifest:
    source = SourceEntry(name="erp", database="erp", system_identifier="7", timeline=1, server_version=180_000)
    number = manifest_id(dataset=dataset, snapshot_at=at)
    return Manifest(id=number, dataset=dataset, snapshot_at=at, source=source, tables=())


def test_a_plain_name_is_its_own_file_name() -> None:
    assert safe_name("students_2024") == "students_2024"


@pytest.mark.parametrize("name", ["a.b", "..", "a/b", "é", "", " ", "a\nb", "x" * 200, "é" * 200, "a\\b", "C:"])
def test_any_other_name_gets_a_short_safe_one(name: str) -> None:
    safe = safe_name(name)
    assert all(character.isascii() and (character.isalnum() or character in "_-") for character in safe)
    assert len(safe) <= 72


def test_safe_names_stay_apart() -> None:
    names = ["a.b", "a/b", "a_b", "é", "è", "x" * 200, "x" * 201, "", "_"]
    assert len({safe_name(name) for name in names}) == len(names)


def test_the_longest_dataset_name_is_a_file_name() -> None:
    assert len(dataset_name(source="é" * 500, database="é" * 63, schema="é" * 63) + ".json") <= 255


def test_ids_sort_by_time_whatever_the_zone() -> None:
    later = (NOON + timedelta(microseconds=1)).astimezone(timezone(timedelta(hours=-9)))
    assert manifest_id(dataset="erp", snapshot_at=NOON) < manifest_id(dataset="erp", snapshot_at=later)
    assert manifest_id(dataset="erp", snapshot_at=NOON).startswith("20261120T120000.000000Z-")
    assert manifest_id(dataset="erp", snapshot_at=NOON) != manifest_id(dataset="other", snapshot_at=NOON)


def test_what_was_published_can_be_read(tmp_path: Path) -> None:
    area = FolderArea(root=tmp_path)
    assert latest_manifest(area) is None
    assert latest_manifest(area, "erp") is None
    assert list(list_manifests(area)) == []
    path = publish_manifest(area, manifest())
    assert (tmp_path / path).is_file()
    assert read_manifest(area, manifest().id) == manifest() == latest_manifest(area, "erp") == latest_manifest(area)


def test_latest_never_goes_back(tmp_path: Path) -> None:
    area = FolderArea(root=tmp_path)
    older = manifest(at=NOON - timedelta(hours=1))
    publish_manifest(area, manifest())
    publish_manifest(area, older)
    assert latest_manifest(area, "erp") == manifest()
    assert list(list_manifests(area)) == [older.id, manifest().id]


def test_publishing_again_changes_nothing(tmp_path: Path) -> None:
    area = FolderArea(root=tmp_path)
    publish_manifest(area, manifest())
    publish_manifest(area, manifest())
    assert list(list_manifests(area)) == [manifest().id]


def test_each_dataset_has_its_latest(tmp_path: Path) -> None:
    area = FolderArea(root=tmp_path)
    other = manifest("other", NOON + timedelta(hours=1))
    publish_manifest(area, other)
    publish_manifest(area, manifest())
    assert latest_manifest(area, "erp") == manifest()
    assert latest_manifest(area) == latest_manifest(area, "other") == other


def test_a_manifest_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestBroken, match=r"manifests/none.json does not exist: .*reprise manifest ls"):
        read_manifest(FolderArea(root=tmp_path), "none")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b'{"format": 2}'])
def test_a_broken_pointer_is_named_with_its_remedy(tmp_path: Path, content: bytes) -> None:
    area = FolderArea(root=tmp_path)
    area.put("latest/erp.json", content)
    with pytest.raises(ManifestBroken, match=r"latest/erp.json .*delete ") as caught:
        latest_entry(area, "erp")
    assert "\n" not in str(caught.value)


def test_a_table_is_found_by_either_name() -> None:
    with pytest.raises(ManifestBroken, match="has no table 'none'; it has: "):
        manifest().table("none")
